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
mod output;
mod run;
mod runs;
mod task;

pub use activation::{Activation, Initialize, Job, Query, Resolution};
pub use command::{ActivityCancellationType, Command, ContinueAsNew, QueryAnswer, ScheduleActivity, StartTimer};
pub use event::{ActivityClosed, Event, EventError, EventKind, Signaled, WorkflowTaskCompleted, WorkflowTaskStarted};
pub use flags::{SDK_NAME, SDK_VERSION, UnknownFlag};
pub use history::{Cut, History, HistoryError, HistoryPage, TaskEvents};
pub use machines::CommandError;
pub use nondeterminism::{Issued, Nondeterminism, Recorded};
pub use output::{AbandonReason, Completion, EvictionReason, Output, SdkMetadata, TaskFailure};
pub use run::Run;
pub use runs::Runs;
pub use task::{TaskError, TaskKind, WorkflowTask};
