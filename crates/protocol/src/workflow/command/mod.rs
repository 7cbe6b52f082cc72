//! What user code asks for during an Activation.

mod activity;
mod child_workflow;
mod closing;
mod external;
mod nexus_operation;

use std::time::Duration;

use timewright_proto::common::{Memo, Payload, SearchAttributes};
use timewright_proto::failure::Failure;
use timewright_proto::temporal::api::sdk::v1::EventGroupMarker;

pub use activity::{ActivityCancellationType, ScheduleActivity, ScheduleLocalActivity};
pub use child_workflow::{ChildWorkflowCancellationType, StartChildWorkflow};
pub use closing::ContinueAsNew;
pub use external::{ExternalWorkflow, RequestCancelExternalWorkflow, SignalExternalWorkflow};
pub use nexus_operation::{NexusOperationCancellationType, ScheduleNexusOperation};

/// One thing that user code asks for.
///
/// Operations that have a later outcome carry a `sequence`: the number that user code gives them, counting from 1 for each
/// kind. The kinds are timers, activities and Local Activities together, Child Workflows, Signals to other workflows,
/// requests to cancel other workflows, Nexus operations, side effects. The number names the operation between user code and
/// [`Run`](super::Run), and makes the default ids in the history, as the other SDKs write them.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Command {
    /// Starts a durable timer, answered by [`Job::FireTimer`](super::Job::FireTimer).
    StartTimer(StartTimer),
    /// Cancels a timer. No answer: whoever cancels knows that it will not fire. Too late is no error.
    CancelTimer {
        /// The timer.
        sequence: u32,
    },
    /// Schedules an activity, answered by [`Job::ResolveActivity`](super::Job::ResolveActivity).
    ScheduleActivity(Box<ScheduleActivity>),
    /// Cancels an activity as its [`ActivityCancellationType`] says. Too late is no error.
    RequestCancelActivity {
        /// The activity.
        sequence: u32,
    },
    /// Schedules a Local Activity, answered by [`Job::ResolveLocalActivity`](super::Job::ResolveLocalActivity).
    ScheduleLocalActivity(Box<ScheduleLocalActivity>),
    /// Cancels a Local Activity as its [`ActivityCancellationType`] says. Too late is no error.
    CancelLocalActivity {
        /// The Local Activity.
        sequence: u32,
    },
    /// Starts a Child Workflow, answered by [`Job::ResolveChildWorkflowStart`](super::Job::ResolveChildWorkflowStart) and,
    /// if it was started, later by [`Job::ResolveChildWorkflow`](super::Job::ResolveChildWorkflow).
    StartChildWorkflow(Box<StartChildWorkflow>),
    /// Cancels a Child Workflow as its [`ChildWorkflowCancellationType`] says. Too late is no error.
    CancelChildWorkflow {
        /// The Child Workflow.
        sequence: u32,
        /// Why, for whoever reads the child's history.
        reason: String,
    },
    /// Sends a Signal to another workflow, answered by
    /// [`Job::ResolveSignalExternalWorkflow`](super::Job::ResolveSignalExternalWorkflow).
    SignalExternalWorkflow(Box<SignalExternalWorkflow>),
    /// Takes a Signal back that has not left yet. Too late is no error.
    CancelSignalExternalWorkflow {
        /// The Signal.
        sequence: u32,
    },
    /// Asks another workflow to cancel itself, answered by
    /// [`Job::ResolveRequestCancelExternalWorkflow`](super::Job::ResolveRequestCancelExternalWorkflow).
    RequestCancelExternalWorkflow(Box<RequestCancelExternalWorkflow>),
    /// Schedules a Nexus operation, answered by
    /// [`Job::ResolveNexusOperationStart`](super::Job::ResolveNexusOperationStart) and, if it was started, later by
    /// [`Job::ResolveNexusOperation`](super::Job::ResolveNexusOperation).
    ScheduleNexusOperation(Box<ScheduleNexusOperation>),
    /// Cancels a Nexus operation as its [`NexusOperationCancellationType`] says. Too late is no error.
    RequestCancelNexusOperation {
        /// The operation.
        sequence: u32,
    },
    /// Notes that this code has a patch, the first time that it is asked for. Not to be issued where the answer was no: user
    /// code is replaying, and no [`Job::NotifyPatch`](super::Job::NotifyPatch) named the patch.
    SetPatch {
        /// The patch.
        patch_id: String,
        /// The code from before the patch is gone. Such a note may be missing on replay.
        deprecated: bool,
    },
    /// Notes which version of a change this code follows, the first time that it is asked for. Not to be issued where the
    /// answer was "none": user code is replaying, and no [`Job::NotifyVersion`](super::Job::NotifyVersion) named the change.
    SetVersion {
        /// The change.
        change_id: String,
        /// The version.
        version: i32,
    },
    /// Notes a value that user code took from outside, so that it is the same on replay, where
    /// [`Job::NotifySideEffect`](super::Job::NotifySideEffect) has told it before.
    RecordSideEffect {
        /// The side effect.
        sequence: u32,
        /// The value.
        value: Payload,
    },
    /// Notes that something outside has a new value, so that it is the same on replay, where
    /// [`Job::NotifyMutableSideEffect`](super::Job::NotifyMutableSideEffect) has told it before. Not to be issued for a call
    /// that found the value as it was.
    RecordMutableSideEffect {
        /// What it is the value of.
        id: String,
        /// Which call for this id found that it had changed, counted from 1.
        call: u32,
        /// The value.
        value: Payload,
    },
    /// Changes search attributes. Those with a null value are removed.
    UpsertSearchAttributes(SearchAttributes),
    /// Changes fields of the memo. Those with a null value are removed.
    UpsertMemo(Memo),
    /// Accepts an Update that [`Job::Update`](super::Job::Update) told of. To be issued in the Activation of that job.
    AcceptUpdate {
        /// The Update.
        protocol_instance_id: String,
    },
    /// Rejects an Update: nothing of it stays, not even in the history. To be issued in the Activation of its job.
    RejectUpdate {
        /// The Update.
        protocol_instance_id: String,
        /// Why.
        failure: Box<Failure>,
    },
    /// An Update that was accepted is done.
    CompleteUpdate {
        /// The Update.
        protocol_instance_id: String,
        /// What its handler returned, or why it failed.
        outcome: Result<Option<Payload>, Box<Failure>>,
    },
    /// Asks for something whose Events belong to these groups, for whoever reads the history. A replay does not compare them.
    InEventGroups {
        /// The groups.
        groups: Vec<EventGroupMarker>,
        /// What is asked for.
        command: Box<Command>,
    },
    /// Answers [`Job::Query`](super::Job::Query).
    AnswerQuery {
        /// The Query.
        id: String,
        /// Its answer.
        answer: QueryAnswer,
    },
    /// The workflow has returned.
    CompleteWorkflow {
        /// What it returned.
        result: Option<Payload>,
    },
    /// The workflow has failed.
    FailWorkflow {
        /// Why.
        failure: Box<Failure>,
    },
    /// The workflow has ended because it was cancelled.
    CancelWorkflow {
        /// What it says about that.
        details: Vec<Payload>,
    },
    /// The workflow goes on as a new run with a fresh history.
    ContinueAsNew(Box<ContinueAsNew>),
}

/// A timer to start.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StartTimer {
    /// Its number.
    pub sequence: u32,
    /// How long until it fires; less than a millisecond becomes a millisecond.
    pub duration: Duration,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

/// The answer to a Query.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum QueryAnswer {
    /// What the handler returned.
    Succeeded(Option<Payload>),
    /// Why there is no answer.
    Failed(Box<Failure>),
}

impl Command {
    /// The Command's name, as an error text shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::StartTimer(_) => "StartTimer",
            Self::CancelTimer { .. } => "CancelTimer",
            Self::ScheduleActivity(_) => "ScheduleActivity",
            Self::RequestCancelActivity { .. } => "RequestCancelActivity",
            Self::ScheduleLocalActivity(_) => "ScheduleLocalActivity",
            Self::CancelLocalActivity { .. } => "CancelLocalActivity",
            Self::StartChildWorkflow(_) => "StartChildWorkflow",
            Self::CancelChildWorkflow { .. } => "CancelChildWorkflow",
            Self::SignalExternalWorkflow(_) => "SignalExternalWorkflow",
            Self::CancelSignalExternalWorkflow { .. } => "CancelSignalExternalWorkflow",
            Self::RequestCancelExternalWorkflow(_) => "RequestCancelExternalWorkflow",
            Self::ScheduleNexusOperation(_) => "ScheduleNexusOperation",
            Self::RequestCancelNexusOperation { .. } => "RequestCancelNexusOperation",
            Self::SetPatch { .. } => "SetPatch",
            Self::SetVersion { .. } => "SetVersion",
            Self::RecordSideEffect { .. } => "RecordSideEffect",
            Self::RecordMutableSideEffect { .. } => "RecordMutableSideEffect",
            Self::UpsertSearchAttributes(_) => "UpsertSearchAttributes",
            Self::UpsertMemo(_) => "UpsertMemo",
            Self::AcceptUpdate { .. } => "AcceptUpdate",
            Self::RejectUpdate { .. } => "RejectUpdate",
            Self::CompleteUpdate { .. } => "CompleteUpdate",
            Self::InEventGroups { command, .. } => command.name(),
            Self::AnswerQuery { .. } => "AnswerQuery",
            Self::CompleteWorkflow { .. } => "CompleteWorkflow",
            Self::FailWorkflow { .. } => "FailWorkflow",
            Self::CancelWorkflow { .. } => "CancelWorkflow",
            Self::ContinueAsNew(_) => "ContinueAsNew",
        }
    }
}
