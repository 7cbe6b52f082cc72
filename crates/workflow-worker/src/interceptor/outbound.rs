//! What a workflow asks for.

use std::collections::BTreeMap;

use timewright_converter::Payload;
use timewright_proto::common::{Header, Memo, SearchAttributes};
use timewright_proto::workflow_service::SignalWithStartWorkflowExecutionRequest;
use timewright_protocol::workflow::{
    ContinueAsNew, RequestCancelExternalWorkflow, ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation,
    SignalExternalWorkflow, StartChildWorkflow, StartTimer,
};

/// What a workflow asks for, for [`WorkflowInterceptor`](crate::WorkflowInterceptor)s. All of it may be changed, but for the
/// `sequence` of each, which is set later. A replay asks for the same again: what is changed may depend on nothing else.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutboundCall<'a> {
    /// An activity; those that open, hold and close sessions, too.
    Activity(&'a mut ScheduleActivity),
    /// A Local Activity. Asked for once, however often it is tried.
    LocalActivity(&'a mut ScheduleLocalActivity),
    /// A Child Workflow.
    ChildWorkflow(&'a mut StartChildWorkflow),
    /// A Signal to another workflow, or to a Child Workflow.
    SignalExternalWorkflow(&'a mut SignalExternalWorkflow),
    /// A request that another workflow cancel itself.
    RequestCancelExternalWorkflow(&'a mut RequestCancelExternalWorkflow),
    /// A Signal to another workflow, which is started for it where it does not run. The Nexus operation that it is made of is seen
    /// behind it.
    SignalWithStartWorkflow(&'a mut SignalWithStartWorkflowExecutionRequest),
    /// A Nexus operation.
    NexusOperation(&'a mut ScheduleNexusOperation),
    /// A timer that workflow code starts; not those between two attempts of a Local Activity.
    Timer(&'a mut StartTimer),
    /// The next run.
    ContinueAsNew(&'a mut ContinueAsNew),
    /// Changes of search attributes. What the workflow itself sees of them is not changed.
    UpsertSearchAttributes(&'a mut SearchAttributes),
    /// Changes of the memo. What the workflow itself sees of them is not changed.
    UpsertMemo(&'a mut Memo),
}

/// What a workflow asked for, and what has an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartedOperation {
    /// What it is.
    pub kind: OutboundKind,
    /// The type of the activity or Child Workflow; `SERVICE/OPERATION` of a Nexus operation.
    pub name: String,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OutboundKind {
    /// An activity.
    Activity,
    /// A Local Activity.
    LocalActivity,
    /// A Child Workflow.
    ChildWorkflow,
    /// A Signal to another workflow.
    SignalExternalWorkflow,
    /// A request that another workflow cancel itself.
    RequestCancelExternalWorkflow,
    /// A Signal to another workflow, which is started for it where it does not run.
    SignalWithStartWorkflow,
    /// A Nexus operation.
    NexusOperation,
    /// A timer.
    Timer,
    /// The next run.
    ContinueAsNew,
    /// Changes of search attributes.
    UpsertSearchAttributes,
    /// Changes of the memo.
    UpsertMemo,
}

impl OutboundCall<'_> {
    /// What is asked for.
    #[must_use]
    pub const fn kind(&self) -> OutboundKind {
        match self {
            Self::Activity(_) => OutboundKind::Activity,
            Self::LocalActivity(_) => OutboundKind::LocalActivity,
            Self::ChildWorkflow(_) => OutboundKind::ChildWorkflow,
            Self::SignalExternalWorkflow(_) => OutboundKind::SignalExternalWorkflow,
            Self::RequestCancelExternalWorkflow(_) => OutboundKind::RequestCancelExternalWorkflow,
            Self::SignalWithStartWorkflow(_) => OutboundKind::SignalWithStartWorkflow,
            Self::NexusOperation(_) => OutboundKind::NexusOperation,
            Self::Timer(_) => OutboundKind::Timer,
            Self::ContinueAsNew(_) => OutboundKind::ContinueAsNew,
            Self::UpsertSearchAttributes(_) => OutboundKind::UpsertSearchAttributes,
            Self::UpsertMemo(_) => OutboundKind::UpsertMemo,
        }
    }

    /// Its name: the type of an activity or a workflow, a Signal's name, `SERVICE/OPERATION` of a Nexus operation; empty for the
    /// rest.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Activity(schedule) => schedule.activity_type.clone(),
            Self::LocalActivity(schedule) => schedule.activity_type.clone(),
            Self::ChildWorkflow(start) => start.workflow_type.clone(),
            Self::SignalExternalWorkflow(signal) => signal.signal_name.clone(),
            Self::SignalWithStartWorkflow(request) => request.signal_name.clone(),
            Self::NexusOperation(schedule) => format!("{}/{}", schedule.service, schedule.operation),
            Self::ContinueAsNew(next) => next.workflow_type.clone(),
            _ => String::new(),
        }
    }

    /// What goes along with it; `None` where it has nothing of the kind. Of a Nexus operation see
    /// [`nexus_header_mut`](Self::nexus_header_mut).
    pub fn header_mut(&mut self) -> Option<&mut Header> {
        match self {
            Self::Activity(schedule) => Some(&mut schedule.header),
            Self::LocalActivity(schedule) => Some(&mut schedule.header),
            Self::ChildWorkflow(start) => Some(&mut start.header),
            Self::SignalExternalWorkflow(signal) => Some(&mut signal.header),
            Self::SignalWithStartWorkflow(request) => Some(request.header.get_or_insert_default()),
            Self::ContinueAsNew(next) => Some(next.header.get_or_insert_default()),
            _ => None,
        }
    }

    /// The header of a Nexus operation: texts, which go over HTTP, and which no Payload Codec reaches.
    pub fn nexus_header_mut(&mut self) -> Option<&mut BTreeMap<String, String>> {
        match self {
            Self::NexusOperation(schedule) => Some(&mut schedule.header),
            _ => None,
        }
    }

    /// Its arguments, as far as it has several.
    pub fn arguments_mut(&mut self) -> Option<&mut Vec<Payload>> {
        match self {
            Self::Activity(schedule) => Some(&mut schedule.arguments),
            Self::LocalActivity(schedule) => Some(&mut schedule.arguments),
            Self::ChildWorkflow(start) => Some(&mut start.arguments),
            Self::SignalExternalWorkflow(signal) => Some(&mut signal.arguments),
            Self::ContinueAsNew(next) => Some(&mut next.arguments),
            _ => None,
        }
    }
}
