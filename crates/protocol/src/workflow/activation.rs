//! What a Run tells user code.

use std::time::{Duration, SystemTime};

use timewright_proto::common::{Header, Payload};
use timewright_proto::enums::{
    CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause, SuggestContinueAsNewReason,
};
use timewright_proto::failure::Failure;
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;

/// News for user code. It is to take in all jobs, in order, before it goes on, and then to answer with Commands until it
/// can go no further.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Activation {
    /// What is new. A [`Job::Query`] always comes alone.
    pub jobs: Vec<Job>,
    /// The workflow's "now": the time at which the Workflow Task started, or, where a Local Activity ended, the time of that.
    /// It never goes backwards.
    pub time: SystemTime,
    /// Whether user code has done this before, so that nothing is to be logged or measured again.
    pub replaying: bool,
    /// How many Events the history has so far.
    pub history_length: u64,
    /// How many bytes the history has so far.
    pub history_bytes: u64,
    /// The server suggests to continue as new.
    pub continue_as_new_suggested: bool,
    /// Why it does.
    pub continue_as_new_reasons: Vec<SuggestContinueAsNewReason>,
    /// The workflow's current version of the worker's deployment is not the one that it runs on.
    pub target_worker_deployment_version_changed: bool,
    /// The version of the worker's deployment that completed this Workflow Task; `None` while nobody has, and where there is
    /// none.
    pub deployment_version: Option<WorkerDeploymentVersion>,
}

/// One piece of news. Within an Activation jobs come in this order: `Initialize`, what was noted (`NotifyPatch`,
/// `NotifyVersion`, `NotifySideEffect`, `NotifyMutableSideEffect`), `UpdateRandomSeed`, `Signal`s and `Update`s as they came, then
/// all others as in the history, `ResolveLocalActivity` last.
///
/// <https://docs.temporal.io/workflow-execution/event>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Job {
    /// The workflow starts. Always the first job of all.
    Initialize(Box<Initialize>),
    /// This Workflow Task, when it was executed before, noted that its code has this patch.
    NotifyPatch {
        /// The patch.
        patch_id: String,
    },
    /// This Workflow Task, when it was executed before, noted that it follows this version of a change.
    NotifyVersion {
        /// The change.
        change_id: String,
        /// The version.
        version: i32,
    },
    /// The value that a side effect of this Workflow Task had when it was executed before.
    NotifySideEffect {
        /// The side effect.
        sequence: u32,
        /// The value.
        value: Payload,
    },
    /// The new value that a mutable side effect of this Workflow Task had when it was executed before.
    NotifyMutableSideEffect {
        /// What it is the value of.
        id: String,
        /// Which call for this id found it, counted from 1. Those between two that are told found it as it was.
        call: u32,
        /// The value.
        value: Payload,
    },
    /// Random numbers go on from here: the history was reset at this point.
    UpdateRandomSeed {
        /// The new seed.
        seed: u64,
    },
    /// A Signal came.
    Signal {
        /// The Signal's name.
        name: String,
        /// Its arguments.
        input: Vec<Payload>,
        /// What the sender's interceptors passed along.
        header: Header,
        /// Who sent it.
        identity: String,
    },
    /// An Update came: to be answered in this Activation with [`Command::AcceptUpdate`](super::Command::AcceptUpdate) or
    /// [`Command::RejectUpdate`](super::Command::RejectUpdate).
    Update(Box<Update>),
    /// Somebody asks the workflow to cancel itself.
    RequestCancellation {
        /// Why, in the words of whoever asked; often empty.
        reason: String,
    },
    /// A timer fired.
    FireTimer {
        /// The timer.
        sequence: u32,
    },
    /// An activity has an outcome.
    ResolveActivity {
        /// The activity.
        sequence: u32,
        /// Its outcome.
        resolution: Resolution,
    },
    /// A Child Workflow was started, or it was not.
    ResolveChildWorkflowStart {
        /// The Child Workflow.
        sequence: u32,
        /// What became of it. If it was not started, nothing more will come.
        start: ChildWorkflowStart,
    },
    /// A Child Workflow that was started has an outcome.
    ResolveChildWorkflow {
        /// The Child Workflow.
        sequence: u32,
        /// Its outcome.
        resolution: Resolution,
    },
    /// A Signal to another workflow arrived there, or it did not.
    ResolveSignalExternalWorkflow {
        /// The Signal.
        sequence: u32,
        /// Why it did not.
        outcome: Result<(), SignalExternalWorkflowError>,
    },
    /// A request to cancel another workflow arrived there, or it did not.
    ResolveRequestCancelExternalWorkflow {
        /// The request.
        sequence: u32,
        /// Why it did not.
        outcome: Result<(), CancelExternalWorkflowExecutionFailedCause>,
    },
    /// A Nexus operation was started, or it was not.
    ResolveNexusOperationStart {
        /// The operation.
        sequence: u32,
        /// What became of it. If it was not started, nothing more will come.
        start: NexusOperationStart,
    },
    /// A Nexus operation that was started has an outcome.
    ResolveNexusOperation {
        /// The operation.
        sequence: u32,
        /// Its outcome.
        resolution: Resolution,
    },
    /// A Local Activity has an outcome.
    ResolveLocalActivity {
        /// The Local Activity.
        sequence: u32,
        /// Its outcome.
        resolution: LocalActivityResolution,
    },
    /// A question about the workflow's state, to be answered with
    /// [`Command::AnswerQuery`](super::Command::AnswerQuery) and nothing else. User code must not go on because of it.
    Query(Query),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Resolution {
    /// It returned something, or nothing.
    Completed(Option<Payload>),
    /// It failed. The failure says which activity it was; its cause is what went wrong there.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
}

/// What became of a Child Workflow's start.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ChildWorkflowStart {
    /// It was started.
    Started {
        /// Its run.
        run_id: String,
    },
    /// It was not started.
    Failed {
        /// Why.
        cause: StartChildWorkflowExecutionFailedCause,
    },
    /// It was cancelled before it was started.
    Cancelled(Box<Failure>),
}

/// Why a Signal to another workflow did not arrive.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SignalExternalWorkflowError {
    /// The server says so.
    Failed(SignalExternalWorkflowExecutionFailedCause),
    /// User code took it back before it left.
    Cancelled,
}

/// What became of a Nexus operation's start.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NexusOperationStart {
    /// It was started.
    Started {
        /// What names it at its handler; `None` for one that has its outcome at once.
        operation_token: Option<String>,
    },
    /// It was not started: it failed or timed out before.
    Failed(Box<Failure>),
    /// It was cancelled before it was started.
    Cancelled(Box<Failure>),
}

/// How a Local Activity ended.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum LocalActivityResolution {
    /// It returned something, or nothing.
    Completed(Option<Payload>),
    /// It failed for good, or timed out. Where it failed, this is its own failure, without one around it that names it.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
    /// It failed, and is to be tried again after longer than its `local_retry_threshold`.
    Backoff(Backoff),
}

/// How a Local Activity is to be tried again: user code is to start a timer of this length, and then to schedule the Local
/// Activity anew, with a new number, this attempt and this original schedule time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Backoff {
    /// The next attempt.
    pub attempt: u32,
    /// How long to wait before it.
    pub delay: Duration,
    /// When the first attempt was scheduled.
    pub original_schedule_time: SystemTime,
}

/// An Update to handle.
///
/// <https://docs.temporal.io/workflow-execution/update>
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Update {
    /// What names it in the answers to it.
    pub protocol_instance_id: String,
    /// The Update Id, which its sender chose.
    pub id: String,
    /// The Update's name.
    pub name: String,
    /// Its arguments.
    pub input: Vec<Payload>,
    /// What the sender's interceptors passed along.
    pub header: Header,
    /// Who sent it.
    pub identity: String,
    /// Whether to validate it. It was accepted before where this is not set, and must be again.
    pub run_validator: bool,
}

/// A question about the workflow's state.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Query {
    /// Which question of several; empty for one that came by itself.
    pub id: String,
    /// The Query's name.
    pub name: String,
    /// Its arguments.
    pub input: Vec<Payload>,
    /// What the caller's interceptors passed along.
    pub header: Header,
}

/// How a workflow starts.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Initialize {
    /// The Workflow Id.
    pub workflow_id: String,
    /// The Run Id.
    pub run_id: String,
    /// The Workflow Type.
    pub workflow_type: String,
    /// When the execution was started.
    pub start_time: SystemTime,
    /// The arguments.
    pub arguments: Vec<Payload>,
    /// What the caller's interceptors passed along.
    pub header: Header,
    /// Seed for the workflow's random numbers: the same on every replay.
    pub random_seed: u64,
    /// Everything else that was said at the start: timeouts, parent, memo, search attributes and so on. Its `input` and
    /// `header` have been moved to the fields above.
    pub started: Box<WorkflowExecutionStartedEventAttributes>,
}

impl Job {
    /// The documented order within an Activation.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Initialize(_) => 0,
            Self::NotifyPatch { .. }
            | Self::NotifyVersion { .. }
            | Self::NotifySideEffect { .. }
            | Self::NotifyMutableSideEffect { .. } => 1,
            Self::UpdateRandomSeed { .. } => 2,
            Self::Signal { .. } | Self::Update(_) => 3,
            Self::RequestCancellation { .. }
            | Self::FireTimer { .. }
            | Self::ResolveActivity { .. }
            | Self::ResolveChildWorkflowStart { .. }
            | Self::ResolveChildWorkflow { .. }
            | Self::ResolveSignalExternalWorkflow { .. }
            | Self::ResolveRequestCancelExternalWorkflow { .. }
            | Self::ResolveNexusOperationStart { .. }
            | Self::ResolveNexusOperation { .. } => 4,
            Self::ResolveLocalActivity { .. } => 5,
            Self::Query(_) => 6,
        }
    }

    /// The bytes of its Payloads.
    pub(super) fn bytes(&self) -> u64 {
        let payloads: Vec<&Payload> = match self {
            Self::Initialize(initialize) => initialize.arguments.iter().collect(),
            Self::Signal { input, .. } => input.iter().collect(),
            Self::Update(update) => update.input.iter().collect(),
            Self::NotifySideEffect { value, .. } | Self::NotifyMutableSideEffect { value, .. } => vec![value],
            Self::ResolveActivity { resolution: Resolution::Completed(Some(result)), .. }
            | Self::ResolveChildWorkflow { resolution: Resolution::Completed(Some(result)), .. }
            | Self::ResolveNexusOperation { resolution: Resolution::Completed(Some(result)), .. }
            | Self::ResolveLocalActivity { resolution: LocalActivityResolution::Completed(Some(result)), .. } => {
                vec![result]
            }
            _ => Vec::new(),
        };
        payloads.into_iter().map(|payload| payload.data.len() as u64).sum()
    }
}
