//! What the shell around a Run must do.

use timewright_proto::Bytes;
use timewright_proto::command::Command as WireCommand;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;

use super::activation::Activation;
use super::command::QueryAnswer;
use super::nondeterminism::Nondeterminism;

/// One thing to do, in the order in which they come.
///
/// Each task that was handed in is answered exactly once: by `CompleteTask`, `FailTask`, `RespondQuery`, `FinishReplay` or
/// `AbandonTask`. With that answer the slot that it occupied is free.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Run user code, and give its Commands to [`Run::handle_commands`](super::Run::handle_commands), or its failure to
    /// [`Run::handle_failure`](super::Run::handle_failure).
    Activate(Activation),
    /// Fetch a page of history for [`Run::handle_history`](super::Run::handle_history), or say with
    /// [`Run::handle_history_failure`](super::Run::handle_history_failure) that it cannot be had.
    FetchHistory {
        /// The page; the first where this is empty.
        next_page_token: Bytes,
    },
    /// Send `RespondWorkflowTaskCompleted`, and tell [`Run::handle_completed`](super::Run::handle_completed) that the server
    /// took it. Where the server did not, drop the Run.
    CompleteTask(Completion),
    /// Send `RespondWorkflowTaskFailed`. The Run is of no further use; an [`Output::Evict`] follows.
    FailTask(Box<TaskFailure>),
    /// Send `RespondQueryTaskCompleted`, and call [`Run::handle_completed`](super::Run::handle_completed) whether or not the
    /// server took it.
    RespondQuery {
        /// The task.
        task_token: Bytes,
        /// The answer.
        answer: QueryAnswer,
    },
    /// Nothing to send: a recorded history was gone through without disagreement. An [`Output::Evict`] follows.
    FinishReplay,
    /// Nothing to send: the server hands the task out again when it times out, or has done so already.
    AbandonTask {
        /// The task.
        task_token: Bytes,
        /// Why.
        reason: AbandonReason,
    },
    /// Drop user code's state of this Run, before the next output is looked at.
    Evict {
        /// Why.
        reason: EvictionReason,
    },
}

/// The answer to a Workflow Task.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The task.
    pub task_token: Bytes,
    /// What the server is to do and to record, in order.
    pub commands: Vec<WireCommand>,
    /// Answers to the Queries that came with the task.
    pub query_answers: Vec<(String, QueryAnswer)>,
    /// What to note about the SDK; `None` where the history says it already.
    pub sdk: Option<SdkMetadata>,
}

/// Name and version under which an SDK completes Workflow Tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdkMetadata {
    /// The SDK.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Why a Workflow Task failed. The server tries it again; the workflow does not fail.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFailure {
    /// The task.
    pub task_token: Bytes,
    /// Which kind of failure, for the server's metrics and the Web UI.
    pub cause: WorkflowTaskFailedCause,
    /// What a person reads in the Web UI.
    pub failure: Failure,
    /// Both sides, where the workflow's code and its history disagree.
    pub nondeterminism: Option<Box<Nondeterminism>>,
}

/// Why a task is not answered.
#[derive(Debug, Clone, PartialEq)]
pub enum AbandonReason {
    /// It failed on its first attempt, that was reported, and it failed again: saying so each time would only fill logs.
    FailedAgain {
        /// Which attempt this was.
        attempt: u32,
        /// Why it failed.
        cause: WorkflowTaskFailedCause,
        /// What a person reads in the log.
        message: String,
    },
    /// The server does not expect its answer any more: a newer task of the same Run came while this one waited, or the
    /// history has gone on beyond it.
    Superseded,
    /// The Run was dropped from outside while the task was open.
    Evicted,
}

/// Why a Run is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvictionReason {
    /// The workflow has ended.
    Closed,
    /// There are more cached Runs than there is room for.
    CacheFull,
    /// The task failed, so that user code's state is not to be trusted.
    TaskFailed,
    /// The server did not take an answer, so that the history is not what the Run thinks.
    CompletionNotTaken,
    /// The server's history does not continue what the Run has.
    HistoryMismatch,
    /// The shell asked for it.
    Requested,
}
