//! Workflow code that is not part of the worker's program, such as WebAssembly: the boundary to it.
//!
//! Both sides of it are here. [`ForeignWorkflows`] is what a worker executes such code by; [`Guest`] is what executes it there. Between them
//! go Activations and Commands, as bytes, whose form has a [version](FORMAT_VERSION). Most users need neither: the crates
//! `timewright-wasm` and `timewright-wasm-guest` are made of them.

mod guest;
#[cfg(feature = "worker")]
mod instance;
mod log;
mod wire;

pub use guest::Guest;
#[cfg(feature = "worker")]
pub(crate) use instance::start;
pub use wire::{Description, ForeignWorkflow, MalformedDescription};

/// The form in which Activations and Commands go over the boundary. It counts on when code that was compiled earlier could not be
/// executed any more; fields that are added, and Commands and jobs that code does not use, change nothing for it.
pub const FORMAT_VERSION: u32 = 1;

/// Workflows whose code is somewhere else.
#[cfg(feature = "worker")]
pub trait ForeignWorkflows: std::fmt::Debug + Send + Sync + 'static {
    /// Which workflows there are.
    fn workflows(&self) -> Vec<ForeignWorkflow>;

    /// Makes room for one run of a workflow. It is dropped when the run leaves the cache.
    ///
    /// # Errors
    /// If there is no room. The Workflow Task fails with it.
    fn start(&self, workflow_type: &str) -> Result<Box<dyn ForeignRun>, ForeignProblem>;
}

/// One run of a workflow whose code is somewhere else. It stays on one thread.
#[cfg(feature = "worker")]
pub trait ForeignRun {
    /// Hands what [`Guest::activate`] takes to the code, and gives what that has answered.
    ///
    /// # Errors
    /// If there is no answer. The Workflow Task fails with it.
    fn activate(&mut self, request: &[u8]) -> Result<Vec<u8>, ForeignProblem>;

    /// Whether the code has come to such an end that it can execute nothing any more. Another takes its place, from the history.
    fn has_ended(&self) -> bool {
        false
    }
}

/// Why code that is somewhere else has not answered.
#[cfg(feature = "worker")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignProblem {
    /// The code panicked, or did what ends it at once.
    #[error("{0}")]
    Panicked(String),
    /// The code did not come to an end, and was interrupted.
    #[error("{0}")]
    Interrupted(String),
    /// The code cannot be executed.
    #[error("{0}")]
    Broken(String),
}
