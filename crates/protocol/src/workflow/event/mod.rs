//! Events of a Workflow Execution's history, decoded once at the edge.
//!
//! Behind [`Event::try_from`] nothing is optional that must be there: a machine never asks whether an attribute exists.

mod decode;
mod describe;
mod event_type;
mod marker;

use std::time::SystemTime;

use timewright_proto::common::{Header, Payload};
use timewright_proto::enums::{
    CancelExternalWorkflowExecutionFailedCause, EventType, RetryState, SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause, SuggestContinueAsNewReason, WorkflowTaskFailedCause,
};
use timewright_proto::failure::Failure;
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_proto::temporal::api::update::v1::Request;

pub use marker::{LocalActivityMarker, Marker};
pub(crate) use marker::{
    describe_local_activity, describe_mutable_side_effect, describe_patch, describe_side_effect, describe_version,
    json_payload,
};

/// One fact of a history.
///
/// <https://docs.temporal.io/workflow-execution/event#event-history>
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Counts from 1 without gaps.
    pub id: i64,
    /// When the server recorded it.
    pub time: SystemTime,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, for those Events that a [`Run`](super::Run) hears.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "variants and fields are named as in Temporal's API")]
pub enum EventKind {
    WorkflowExecutionStarted(Box<WorkflowExecutionStartedEventAttributes>),
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionTimedOut,
    WorkflowExecutionCanceled,
    WorkflowExecutionTerminated,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionSignaled(Signaled),
    WorkflowExecutionCancelRequested {
        reason: String,
    },
    WorkflowTaskScheduled,
    WorkflowTaskStarted(WorkflowTaskStarted),
    WorkflowTaskCompleted(WorkflowTaskCompleted),
    WorkflowTaskFailed {
        cause: WorkflowTaskFailedCause,
        new_run_id: String,
    },
    WorkflowTaskTimedOut,
    ActivityTaskScheduled {
        activity_id: String,
        activity_type: String,
    },
    ActivityTaskStarted {
        scheduled_event_id: i64,
    },
    ActivityTaskCompleted {
        scheduled_event_id: i64,
        result: Option<Payload>,
    },
    ActivityTaskFailed {
        scheduled_event_id: i64,
        closed: Box<ActivityClosed>,
    },
    ActivityTaskTimedOut {
        scheduled_event_id: i64,
        closed: Box<ActivityClosed>,
    },
    ActivityTaskCancelRequested {
        scheduled_event_id: i64,
    },
    ActivityTaskCanceled {
        scheduled_event_id: i64,
        started_event_id: i64,
        identity: String,
        details: Vec<Payload>,
    },
    TimerStarted {
        timer_id: String,
    },
    TimerFired {
        started_event_id: i64,
    },
    TimerCanceled {
        started_event_id: i64,
    },
    StartChildWorkflowExecutionInitiated {
        workflow_id: String,
        workflow_type: String,
    },
    StartChildWorkflowExecutionFailed {
        initiated_event_id: i64,
        cause: StartChildWorkflowExecutionFailedCause,
    },
    ChildWorkflowExecutionStarted {
        initiated_event_id: i64,
        run_id: String,
    },
    ChildWorkflowExecutionCompleted {
        initiated_event_id: i64,
        result: Option<Payload>,
    },
    ChildWorkflowExecutionFailed {
        initiated_event_id: i64,
        failure: Box<Failure>,
        retry_state: RetryState,
    },
    ChildWorkflowExecutionCanceled {
        initiated_event_id: i64,
        details: Vec<Payload>,
    },
    ChildWorkflowExecutionTimedOut {
        initiated_event_id: i64,
        retry_state: RetryState,
    },
    ChildWorkflowExecutionTerminated {
        initiated_event_id: i64,
    },
    SignalExternalWorkflowExecutionInitiated {
        workflow_id: String,
        signal_name: String,
    },
    SignalExternalWorkflowExecutionFailed {
        initiated_event_id: i64,
        cause: SignalExternalWorkflowExecutionFailedCause,
    },
    ExternalWorkflowExecutionSignaled {
        initiated_event_id: i64,
    },
    RequestCancelExternalWorkflowExecutionInitiated {
        workflow_id: String,
    },
    RequestCancelExternalWorkflowExecutionFailed {
        initiated_event_id: i64,
        cause: CancelExternalWorkflowExecutionFailedCause,
    },
    ExternalWorkflowExecutionCancelRequested {
        initiated_event_id: i64,
    },
    MarkerRecorded(Marker),
    UpsertWorkflowSearchAttributes {
        names: Vec<String>,
    },
    WorkflowPropertiesModified,
    WorkflowExecutionUpdateAdmitted(Box<Request>),
    WorkflowExecutionUpdateAccepted(Box<UpdateAccepted>),
    WorkflowExecutionUpdateCompleted {
        update_id: String,
    },
    NexusOperationScheduled {
        endpoint: String,
        service: String,
        operation: String,
    },
    NexusOperationStarted {
        scheduled_event_id: i64,
        operation_token: String,
    },
    NexusOperationCompleted {
        scheduled_event_id: i64,
        result: Option<Payload>,
    },
    NexusOperationFailed {
        scheduled_event_id: i64,
        failure: Box<Failure>,
    },
    NexusOperationCanceled {
        scheduled_event_id: i64,
        failure: Box<Failure>,
    },
    NexusOperationTimedOut {
        scheduled_event_id: i64,
        failure: Box<Failure>,
    },
    NexusOperationCancelRequested {
        scheduled_event_id: i64,
    },
    NexusOperationCancelRequestCompleted {
        scheduled_event_id: i64,
    },
    NexusOperationCancelRequestFailed {
        scheduled_event_id: i64,
        failure: Box<Failure>,
    },
    /// An Event that says nothing to a Run: it is known and needs no reaction, or the server says that a worker may
    /// ignore it.
    Ignored(EventType),
}

/// A signal as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Signaled {
    /// The signal's name.
    pub name: String,
    /// Its arguments.
    pub input: Vec<Payload>,
    /// What the sender's interceptors passed along.
    pub header: Header,
    /// Who sent it.
    pub identity: String,
}

/// What the server says when it hands out a Workflow Task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowTaskStarted {
    /// Size of the history so far, in bytes.
    pub history_bytes: u64,
    /// The server suggests to continue as new.
    pub continue_as_new_suggested: bool,
    /// Why it does.
    pub continue_as_new_reasons: Vec<SuggestContinueAsNewReason>,
    /// The current version of the worker's deployment is not the one that this workflow runs on.
    pub target_worker_deployment_version_changed: bool,
}

/// What the worker which completed a Workflow Task noted with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowTaskCompleted {
    /// The SDK that completed it; only recorded where it differs from the task before.
    pub sdk_name: String,
    /// That SDK's version.
    pub sdk_version: String,
    /// Flags that the core of an SDK used for the first time.
    pub core_used_flags: Vec<u32>,
    /// Flags that the language layer of an SDK used for the first time.
    pub language_used_flags: Vec<u32>,
    /// The version of the worker's deployment.
    pub deployment_version: Option<WorkerDeploymentVersion>,
}

/// An Update that a worker accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateAccepted {
    /// What names it between server and worker.
    pub protocol_instance_id: String,
    /// The message that brought it.
    pub message_id: String,
    /// It came behind this Event.
    pub sequencing_event_id: i64,
    /// The Update. `None` where `WorkflowExecutionUpdateAdmitted` has it.
    pub request: Option<Request>,
}

/// How an activity ended that did not complete.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityClosed {
    /// The Event at which its last attempt started; 0 where none did.
    pub started_event_id: i64,
    /// The worker that reported it.
    pub identity: String,
    /// The failure of the last attempt.
    pub failure: Failure,
    /// Why there is no further attempt.
    pub retry_state: RetryState,
}

/// An Event that cannot be understood. The server's fault, or that of whoever wrote the history; or the Event is of a kind
/// that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Something is missing that must be there.
    #[error("event {event_id} ({event_type}) has no {field}: the history is damaged, or not from a Temporal Server")]
    Missing {
        /// The Event.
        event_id: i64,
        /// Its type.
        event_type: String,
        /// What it lacks.
        field: &'static str,
    },
    /// A marker that is not as the SDKs write it.
    #[error(
        "event {event_id} is a marker {marker:?} without {missing}: the history is damaged, or written by an SDK that \
         writes such markers differently"
    )]
    Marker {
        /// The Event.
        event_id: i64,
        /// The marker's name.
        marker: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// Not a kind of Event that this version knows.
    #[error(
        "event {event_id} is of type {event_type}, which this version of Timewright does not support; \
         workflows that use it need a newer version"
    )]
    Unsupported {
        /// The Event.
        event_id: i64,
        /// Its type, or its number where that has no name here.
        event_type: String,
    },
}

impl EventKind {
    /// Whether this Event is the record of a Command of the Workflow Task that was completed just before it.
    ///
    /// ```
    /// use timewright_protocol::workflow::EventKind;
    ///
    /// assert!(EventKind::TimerStarted { timer_id: "1".into() }.is_command());
    /// assert!(!EventKind::TimerFired { started_event_id: 5 }.is_command());
    /// ```
    pub fn is_command(&self) -> bool {
        matches!(
            self,
            Self::ActivityTaskScheduled { .. }
                | Self::ActivityTaskCancelRequested { .. }
                | Self::TimerStarted { .. }
                | Self::TimerCanceled { .. }
                | Self::StartChildWorkflowExecutionInitiated { .. }
                | Self::SignalExternalWorkflowExecutionInitiated { .. }
                | Self::RequestCancelExternalWorkflowExecutionInitiated { .. }
                | Self::MarkerRecorded(_)
                | Self::UpsertWorkflowSearchAttributes { .. }
                | Self::WorkflowPropertiesModified
                | Self::WorkflowExecutionUpdateAccepted(_)
                | Self::WorkflowExecutionUpdateCompleted { .. }
                | Self::NexusOperationScheduled { .. }
                | Self::NexusOperationCancelRequested { .. }
                | Self::WorkflowExecutionCompleted
                | Self::WorkflowExecutionFailed
                | Self::WorkflowExecutionCanceled
                | Self::WorkflowExecutionContinuedAsNew
        )
    }

    /// Whether the record of a completion's Commands can go on with this Event: another one, or one that says nothing.
    pub(crate) fn continues_record(&self) -> bool {
        self.is_command() || matches!(self, Self::Ignored(_))
    }
}
