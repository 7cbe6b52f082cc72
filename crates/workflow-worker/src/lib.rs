//! The Workflow Worker: executes the Workflow Tasks of a Task Queue.
//!
//! - [`Workflow`] is what a user writes, [`WorkflowContext`] what its code works with.
//! - [`WorkflowWorker`] executes it; [`Replayer`] tests that a change of its code is compatible with workflows that run.
//!
//! Workflow code runs on plain threads, so that its futures need not be `Send`, and so that tokio's timers and IO, which
//! have no place in it, fail at once.
#![forbid(unsafe_code)]

mod activity;
mod answer;
mod context;
mod error;
mod info;
mod instance;
mod mailbox;
mod options;
mod payloads;
mod registry;
mod replayer;
mod shard;
#[cfg(test)]
mod tests;
mod timer;
mod worker;
mod workflow;

pub use activity::{ActivityHandle, ActivityOptions};
pub use context::{WaitCondition, WorkflowContext};
pub use error::{ActivityFailure, Cancelled, WorkflowError};
pub use info::{ParentWorkflow, WorkflowInfo};
pub use options::{BuildError, WorkflowWorkerBuilder};
pub use replayer::{ReplayError, Replayer};
pub use timer::TimerHandle;
pub use timewright_converter::{ApplicationFailure, Failure, FailureKind};
pub use timewright_protocol::workflow::{ActivityCancellationType, Issued, Nondeterminism, Recorded};
pub use worker::{WorkerError, WorkflowWorker};
pub use workflow::{Handlers, Input, Output, Workflow};
