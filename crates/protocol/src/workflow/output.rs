//! What the shell around a Run must do.

use std::time::{Duration, SystemTime};

use timewright_proto::command::Command as WireCommand;
use timewright_proto::common::{Header, Payload, RetryPolicy};
use timewright_proto::enums::{TimeoutType, WorkflowTaskFailedCause};
use timewright_proto::failure::Failure;
use timewright_proto::temporal::api::protocol::v1::Message as ProtocolMessage;
use timewright_proto::temporal::api::update::v1::{Acceptance, Rejection, Response};
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedResponse;
use timewright_proto::{Bytes, Message, prost_types};

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
    /// Execute an attempt of a Local Activity, and give its outcome to
    /// [`Run::handle_local_activity`](super::Run::handle_local_activity).
    StartLocalActivity(Box<StartLocalActivity>),
    /// Tell the Local Activity that it is cancelled, or, if its next attempt has not begun, do not begin it. If user code still
    /// waits for it, give its outcome to [`Run::handle_local_activity`](super::Run::handle_local_activity) as ever; an outcome
    /// that nobody waits for is ignored there. It may be over already.
    CancelLocalActivity {
        /// The Local Activity.
        sequence: u32,
    },
    /// Send `RespondWorkflowTaskCompleted`, and tell [`Run::handle_completed`](super::Run::handle_completed) that the server
    /// took it. Where the server did not, drop the Run. If it ends the workflow, an [`Output::Evict`] follows, and what the server
    /// says to it is ignored: do not wait for that before you look at the next output.
    CompleteTask(Completion),
    /// Send `RespondWorkflowTaskFailed`. The Run is of no further use; an [`Output::Evict`] follows.
    FailTask(Box<TaskFailure>),
    /// Send `RespondQueryTaskCompleted`, and call [`Run::handle_completed`](super::Run::handle_completed) whether or not the
    /// server took it. If the workflow has ended, or the Query failed its Run, an [`Output::Evict`] follows.
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
    /// What goes along with those Commands, and rejections of Updates.
    pub messages: Vec<UpdateMessage>,
    /// Answers to the Queries that came with the task.
    pub query_answers: Vec<(String, QueryAnswer)>,
    /// Ask for the next Workflow Task at once: Local Activities go on.
    pub force_new_task: bool,
    /// For how long the answer may be held back: it says nothing, Signals come one after the other, and those that come until then
    /// are all in one next task. Zero where it says something.
    pub may_wait: Duration,
    /// What to note about the SDK; `None` where the history says it already.
    pub sdk: Option<SdkMetadata>,
}

/// What the server says when it has taken the answer to a Workflow Task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompletionReceipt {
    /// The task was speculative and left nothing in the history, which goes on behind the task before, started by this Event.
    pub reset_history_event_id: Option<i64>,
}

impl From<&RespondWorkflowTaskCompletedResponse> for CompletionReceipt {
    fn from(response: &RespondWorkflowTaskCompletedResponse) -> Self {
        let id = response.reset_history_event_id;
        Self { reset_history_event_id: (id > 0).then_some(id) }
    }
}

/// An answer to an Update, on its way to the server.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateMessage {
    /// The message's own id.
    pub id: String,
    /// The Update.
    pub protocol_instance_id: String,
    /// What it says.
    pub body: UpdateBody,
}

/// What an answer to an Update says.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateBody {
    /// It is accepted.
    Acceptance(Acceptance),
    /// It is rejected.
    Rejection(Rejection),
    /// It is done.
    Response(Response),
}

impl UpdateMessage {
    /// As it goes over the network. A Payload Codec must have done its work before: it cannot reach into this.
    pub fn into_message(self) -> ProtocolMessage {
        let (name, value) = match self.body {
            UpdateBody::Acceptance(body) => ("Acceptance", body.encode_to_vec()),
            UpdateBody::Rejection(body) => ("Rejection", body.encode_to_vec()),
            UpdateBody::Response(body) => ("Response", body.encode_to_vec()),
        };
        let type_url = format!("type.googleapis.com/temporal.api.update.v1.{name}");
        ProtocolMessage {
            id: self.id,
            protocol_instance_id: self.protocol_instance_id,
            body: Some(prost_types::Any { type_url, value }),
            sequencing_id: None,
        }
    }
}

/// An attempt of a Local Activity to execute.
#[derive(Debug, Clone, PartialEq)]
pub struct StartLocalActivity {
    /// The Local Activity.
    pub sequence: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How long to wait before it.
    pub delay: Duration,
    /// Its id.
    pub activity_id: String,
    /// Its type.
    pub activity_type: String,
    /// What interceptors passed along.
    pub header: Header,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// How long all attempts may take together, from `original_schedule_time`.
    pub schedule_to_close_timeout: Option<Duration>,
    /// How long this attempt may wait for room, from the end of its delay.
    pub schedule_to_start_timeout: Option<Duration>,
    /// How long this attempt may take.
    pub start_to_close_timeout: Option<Duration>,
    /// How it is tried again: for the activity to know. The Run sees to it.
    pub retry_policy: Option<RetryPolicy>,
    /// When the first attempt was scheduled.
    pub original_schedule_time: SystemTime,
}

/// An attempt of a Local Activity that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalActivityAttempt {
    /// The Local Activity.
    pub sequence: u32,
    /// The attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: LocalActivityOutcome,
    /// When it ended.
    pub finished_at: SystemTime,
}

/// How an attempt of a Local Activity ended.
#[derive(Debug, Clone, PartialEq)]
pub enum LocalActivityOutcome {
    /// It returned something, or nothing.
    Completed(Option<Payload>),
    /// It failed. Unless the failure says otherwise it is tried again, as its retry policy says.
    Failed(Box<Failure>),
    /// It took too long. Only after `StartToClose` it is tried again.
    TimedOut(TimeoutType),
    /// It was told that it is cancelled, and has stopped for that.
    Cancelled {
        /// What it says about that.
        details: Vec<Payload>,
    },
}

/// Name and version under which an SDK completes Workflow Tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdkMetadata {
    /// The SDK.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Flags that other SDKs read.
    pub core_used_flags: Vec<u32>,
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
    /// The workflow has ended, with the answer that was given just before.
    Closed,
    /// There are more cached Runs than there is room for.
    CacheFull,
    /// The task failed, so that user code's state is not to be trusted.
    TaskFailed,
    /// The server did not take an answer, so that the history is not what the Run thinks.
    CompletionNotTaken,
    /// The server's history does not continue what the Run has.
    HistoryMismatch,
    /// No task came for it for a long time.
    Unused,
    /// The shell asked for it.
    Requested,
}
