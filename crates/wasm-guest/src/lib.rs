//! What workflows are written with that are compiled to WebAssembly, and executed by a worker with `timewright-wasm`.
//!
//! It is what workflows are written with anywhere, without everything that needs a machine. Its modules have the names that they have
//! in the umbrella crate, so that the same code compiles for both: name it `timewright` in `Cargo.toml`.
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! timewright = { package = "timewright-wasm-guest", version = "0.1" }
//! ```
//!
//! ```
//! # extern crate timewright_wasm_guest as timewright;
//! use std::time::Duration;
//! use timewright::workflow;
//! use timewright::workflow::{WorkflowContext, WorkflowError};
//!
//! #[derive(Default)]
//! struct ReminderWorkflow;
//!
//! #[workflow]
//! impl ReminderWorkflow {
//!     #[run]
//!     async fn run(context: WorkflowContext<Self>, text: String) -> Result<String, WorkflowError> {
//!         context.sleep(Duration::from_secs(24 * 3600)).await?;
//!         Ok(format!("remember: {text}"))
//!     }
//! }
//!
//! timewright::export_workflows!(ReminderWorkflow);
//! # fn main() {}
//! ```
//!
//! `cargo build --release --target wasm32-unknown-unknown` then makes the one file that is deployed. The guide says the rest:
//! `docs/webassembly.md`.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod exports;

pub use timewright_converter as converter;
pub use timewright_macros::{query_definition, signal_definition, update_definition, workflow, workflow_definition};
pub use timewright_proto as proto;
pub use timewright_workflow_worker as workflow;
/// All workflows of a module; [`export_workflows`] makes one of their types.
pub use timewright_workflow_worker::foreign::Guest;

/// What callers and implementers share; `timewright-definition` under the name that it has here.
pub mod definition {
    #[doc(inline)]
    pub use timewright_definition::*;
    // These name the umbrella, whose name this crate has in a guest.
    #[doc(inline)]
    pub use timewright_macros::{
        activity_definition, query_definition, signal_definition, update_definition, workflow_definition,
    };
}

/// Makes a module of workflows. Once in a crate: it writes the functions that a worker calls.
///
/// Where more is to be said than the workflows' types, it takes a function that makes a [`Guest`].
///
/// ```
/// # extern crate timewright_wasm_guest as timewright;
/// # use timewright::workflow; use timewright::workflow::{WorkflowContext, WorkflowError};
/// # #[derive(Default)] struct OrderWorkflow;
/// # #[workflow] impl OrderWorkflow {
/// #     #[run] async fn run(_: WorkflowContext<Self>) -> Result<(), WorkflowError> { Ok(()) }
/// # }
/// use timewright::Guest;
///
/// timewright::export_workflows!(guest = || Guest::new().named_workflow::<OrderWorkflow>("order-2"));
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_workflows {
    (guest = $guest:expr $(,)?) => {
        // The names are the contract with `timewright-wasm`.
        #[unsafe(no_mangle)]
        extern "C" fn timewright_format_version() -> u32 {
            $crate::exports::format_version()
        }

        #[unsafe(no_mangle)]
        extern "C" fn timewright_allocate(length: u32) -> u32 {
            $crate::exports::allocate(length)
        }

        #[unsafe(no_mangle)]
        extern "C" fn timewright_describe() -> u64 {
            $crate::exports::describe($guest)
        }

        #[unsafe(no_mangle)]
        extern "C" fn timewright_activate() -> u64 {
            $crate::exports::activate($guest)
        }

        #[unsafe(no_mangle)]
        extern "C" fn timewright_panic_message() -> u64 {
            $crate::exports::panic_message()
        }
    };
    ($($workflow:ty),+ $(,)?) => {
        $crate::export_workflows!(guest = || $crate::Guest::new()$(.workflow::<$workflow>())+);
    };
}
