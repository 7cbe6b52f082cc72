//! The Workflow Task Execution Protocol, pure: no clock, no randomness, no IO.
//!
//! [`Run`] is one workflow: hand it a [`WorkflowTask`], do what its [`Output`]s say, and it makes of the history's Events
//! the news ([`Activation`]) for user code, and of user code's [`Command`]s the answer to the task. [`Runs`] holds many of
//! them: the sticky cache. Whoever builds a worker or a test tool of their own needs no more than these two.
//!
//! ```text
//!   WorkflowTask ─▶ History ─▶ TaskEvents ─▶ Machines ─▶ Activation ─▶ user code
//!                   (cuts)                      ▲                        │
//!   Completion ◀──────────────────────────── queue ◀──────────────── Commands
//! ```
//!
//! What an Activation's order, its time and its flag `replaying` mean stands at [`Activation`] and [`Job`]; what a history
//! and a workflow's code that disagree look like, at [`Nondeterminism`].

mod activation;
mod command;
mod event;
mod flags;
mod history;
mod machines;
mod nondeterminism;
mod operations;
mod output;
mod retry;
mod run;
mod runs;
mod task;

pub use activation::{
    Activation, Backoff, ChildWorkflowStart, Initialize, Job, LocalActivityResolution, NexusOperationStart, Query,
    Resolution, SignalExternalWorkflowError, Update,
};
pub use command::{
    ActivityCancellationType, ChildWorkflowCancellationType, Command, ContinueAsNew, ExternalWorkflow,
    NexusOperationCancellationType, QueryAnswer, RequestCancelExternalWorkflow, ScheduleActivity,
    ScheduleLocalActivity, ScheduleNexusOperation, SignalExternalWorkflow, StartChildWorkflow, StartTimer,
};
pub use event::{
    ActivityClosed, Event, EventError, EventKind, LocalActivityMarker, Marker, Signaled, UpdateAccepted,
    WorkflowTaskCompleted, WorkflowTaskStarted,
};
pub use flags::{SDK_NAME, SDK_VERSION, UnknownFlag};
pub use history::{Cut, History, HistoryError, HistoryPage, TaskEvents};
pub use nondeterminism::{Issued, Nondeterminism, Recorded};
pub use operations::CommandError;
pub use output::{
    AbandonReason, Completion, CompletionReceipt, EvictionReason, LocalActivityAttempt, LocalActivityOutcome, Output,
    SdkMetadata, StartLocalActivity, TaskFailure, UpdateBody, UpdateMessage,
};
pub use run::Run;
pub use runs::{CacheLimits, RunKey, Runs};
pub use task::{TaskError, TaskKind, UpdateRequest, WorkflowTask};
