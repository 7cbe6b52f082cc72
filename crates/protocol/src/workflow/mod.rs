//! The Workflow Task Execution Protocol, pure: no clock, no randomness, no IO.
//!
//! [`Run`] is one workflow: hand it a [`WorkflowTask`], do what its [`Output`]s say, and it makes of the history's Events
//! the news ([`Activation`]) for user code, and of user code's [`Command`]s the answer to the task. [`Runs`] holds many of
//! them: the sticky cache. Whoever builds a worker or a test tool of their own needs no more than these two.
//!
//! ```text
//!   WorkflowTask ─▶ History ─▶ TaskEvents ─▶ operations ─▶ Activation ─▶ user code
//!                   (cuts)                       ▲                          │
//!   Completion ◀──────────────────────────── queue ◀─────────────────── Commands
//! ```
//!
//! What an Activation's order, its time and its flag `replaying` mean stands at [`Activation`] and [`Job`]; what a history
//! and a workflow's code that disagree look like, at [`Nondeterminism`].
//!
//! # A worker in forty lines
//!
//! All that a worker does around [`Runs`] is to carry out outputs. Here user code is a function that answers each Activation,
//! and nothing is sent: comments name the calls.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use timewright_proto::history::{History, HistoryEvent};
//! use timewright_proto::workflow_service::{PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedResponse};
//! use timewright_protocol::workflow::{
//!     Activation, CacheLimits, Command, CompletionReceipt, EvictionReason, HistoryPage, Job, Output, Runs, StartTimer,
//!     WorkflowTask,
//! };
//!
//! /// Starts a timer; completes when it fires.
//! fn user_code(activation: &Activation) -> Vec<Command> {
//!     let deeds = activation.jobs.iter().filter_map(|job| match job {
//!         Job::Initialize(_) => {
//!             let duration = Duration::from_secs(60);
//!             Some(Command::StartTimer(StartTimer { sequence: 1, duration, ..StartTimer::default() }))
//!         }
//!         Job::FireTimer { sequence: 1 } => Some(Command::CompleteWorkflow { result: None }),
//!         _ => None,
//!     });
//!     deeds.collect()
//! }
//!
//! /// Executes what a poll has brought; how many Commands the answer to it has.
//! fn execute(runs: &mut Runs, response: PollWorkflowTaskQueueResponse) -> usize {
//!     let mut commands = 0;
//!     match WorkflowTask::from_poll(response, Instant::now()) {
//!         Ok(Some(task)) => runs.handle_task(task),
//!         Ok(None) => return 0, // the poll timed out
//!         Err(damaged) => panic!("{damaged}"),
//!     }
//!     while let Some((run, output)) = runs.poll_output() {
//!         match output {
//!             Output::Activate(activation) => runs.handle_commands(&run, user_code(&activation)),
//!             // GetWorkflowExecutionHistory
//!             Output::FetchHistory { .. } => runs.handle_history(&run, HistoryPage::default()),
//!             Output::CompleteTask(completion) => {
//!                 commands = completion.commands.len();
//!                 let answer = RespondWorkflowTaskCompletedResponse::default(); // RespondWorkflowTaskCompleted
//!                 runs.handle_completed(&run, CompletionReceipt::from(&answer));
//!             }
//!             // RespondQueryTaskCompleted
//!             Output::RespondQuery { .. } => runs.handle_completed(&run, CompletionReceipt::default()),
//!             // RespondWorkflowTaskFailed; a log line; user code's state is dropped
//!             Output::FailTask(_) | Output::AbandonTask { .. } | Output::Evict { .. } => (),
//!             other => panic!("this worker has no Local Activities: {other:?}"),
//!         }
//!     }
//!     commands
//! }
//!
//! # fn first_task() -> PollWorkflowTaskQueueResponse {
//! #     use timewright_proto::common::{WorkflowExecution, WorkflowType};
//! #     use timewright_proto::enums::EventType;
//! #     use timewright_proto::history::history_event::Attributes;
//! #     use timewright_proto::history::*;
//! #     let event = |event_id, event_type: EventType, attributes| HistoryEvent {
//! #         event_id,
//! #         event_time: Some(Default::default()),
//! #         event_type: event_type.into(),
//! #         attributes: Some(attributes),
//! #         ..HistoryEvent::default()
//! #     };
//! #     let started = WorkflowExecutionStartedEventAttributes {
//! #         workflow_type: Some(WorkflowType { name: "order".into() }),
//! #         ..Default::default()
//! #     };
//! #     let events = vec![
//! #         event(1, EventType::WorkflowExecutionStarted, Attributes::WorkflowExecutionStartedEventAttributes(started.into())),
//! #         event(2, EventType::WorkflowTaskScheduled, Attributes::WorkflowTaskScheduledEventAttributes(Default::default())),
//! #         event(3, EventType::WorkflowTaskStarted, Attributes::WorkflowTaskStartedEventAttributes(Default::default())),
//! #     ];
//! #     PollWorkflowTaskQueueResponse {
//! #         task_token: "token".into(),
//! #         workflow_execution: Some(WorkflowExecution { workflow_id: "order-7".into(), run_id: "a run".into() }),
//! #         workflow_type: Some(WorkflowType { name: "order".into() }),
//! #         started_event_id: 3,
//! #         history: Some(History { events }),
//! #         ..Default::default()
//! #     }
//! # }
//! let mut runs = Runs::new(CacheLimits::runs(1000));
//! assert_eq!(execute(&mut runs, first_task()), 1, "StartTimer");
//! assert_eq!(runs.len(), 1, "it waits in the cache for its timer");
//! runs.handle_shutdown();
//! assert!(matches!(runs.poll_output(), Some((_, Output::Evict { reason: EvictionReason::Requested }))));
//! ```
//!
//! # What each output asks for
//!
//! | [`Output`] | do | then call, of [`Runs`] |
//! |---|---|---|
//! | `Activate` | run user code | [`handle_commands`](Runs::handle_commands) or [`handle_failure`](Runs::handle_failure) |
//! | `FetchHistory` | `GetWorkflowExecutionHistory` | [`handle_history`](Runs::handle_history) or [`handle_history_failure`](Runs::handle_history_failure) |
//! | `StartLocalActivity` | execute the attempt, after its delay | [`handle_local_activity`](Runs::handle_local_activity) |
//! | `CancelLocalActivity` | tell the attempt | nothing; its outcome comes as ever |
//! | `CompleteTask` | `RespondWorkflowTaskCompleted` | [`handle_completed`](Runs::handle_completed), or, where the server did not take it, [`handle_eviction`](Runs::handle_eviction) with [`EvictionReason::CompletionNotTaken`] |
//! | `RespondQuery` | `RespondQueryTaskCompleted` | [`handle_completed`](Runs::handle_completed), whatever came of it |
//! | `FailTask` | `RespondWorkflowTaskFailed` | nothing |
//! | `AbandonTask`, `FinishReplay` | nothing | nothing |
//! | `Evict` | drop user code's state of this Run | nothing |
//!
//! Whatever comes for a [`RunKey`] that has left is ignored, so calls that are under way need not be stopped. Call
//! [`handle_timeout`](Runs::handle_timeout) when [`poll_timeout`](Runs::poll_timeout) says, and poll outputs after each call. A
//! task that came with the server's answer to another is a task as from a poll. A slot is free when the answer to its task was
//! sent, or the task was abandoned.

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
pub use runs::{CacheLimits, CacheLookup, RunKey, Runs};
pub use task::{TaskError, TaskKind, UpdateRequest, WorkflowTask};
