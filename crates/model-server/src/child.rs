//! Children as their parent sees them.

use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::StartChildWorkflowExecutionFailedCause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    ChildWorkflowExecutionCanceledEventAttributes, ChildWorkflowExecutionCompletedEventAttributes,
    ChildWorkflowExecutionFailedEventAttributes, ChildWorkflowExecutionStartedEventAttributes,
    ChildWorkflowExecutionTerminatedEventAttributes, ChildWorkflowExecutionTimedOutEventAttributes, HistoryEvent,
    StartChildWorkflowExecutionFailedEventAttributes, StartChildWorkflowExecutionInitiatedEventAttributes,
};

use crate::execution::{Context, Execution};

/// A child without an outcome.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) initiated: StartChildWorkflowExecutionInitiatedEventAttributes,
    /// Its first run, once it was started.
    pub(crate) run_id: Option<String>,
}

impl Execution {
    /// The child that the Event initiated, while it is not started and should be.
    pub(crate) fn child_to_start(&self, initiated_event_id: i64) -> Option<&Child> {
        self.children.get(&initiated_event_id).filter(|child| self.is_running() && child.run_id.is_none())
    }

    pub(crate) fn child_started(&mut self, initiated_event_id: i64, run_id: String, context: &mut Context<'_>) {
        let Some(child) = self.children.get_mut(&initiated_event_id) else { return };
        let initiated = &child.initiated;
        let started = ChildWorkflowExecutionStartedEventAttributes {
            namespace: initiated.namespace.clone(),
            initiated_event_id,
            workflow_execution: Some(WorkflowExecution {
                workflow_id: initiated.workflow_id.clone(),
                run_id: run_id.clone(),
            }),
            workflow_type: initiated.workflow_type.clone(),
            header: initiated.header.clone(),
            ..ChildWorkflowExecutionStartedEventAttributes::default()
        };
        child.run_id = Some(run_id);
        self.events.buffer(context.now, Attributes::ChildWorkflowExecutionStartedEventAttributes(started.into()));
        self.wake_worker(context);
    }

    pub(crate) fn child_not_started(
        &mut self,
        initiated_event_id: i64,
        cause: StartChildWorkflowExecutionFailedCause,
        context: &mut Context<'_>,
    ) {
        let Some(child) = self.children.remove(&initiated_event_id) else { return };
        let failed = StartChildWorkflowExecutionFailedEventAttributes {
            namespace: child.initiated.namespace,
            workflow_id: child.initiated.workflow_id,
            workflow_type: child.initiated.workflow_type,
            cause: cause.into(),
            control: child.initiated.control,
            initiated_event_id,
            ..StartChildWorkflowExecutionFailedEventAttributes::default()
        };
        self.events.buffer(context.now, Attributes::StartChildWorkflowExecutionFailedEventAttributes(failed.into()));
        self.wake_worker(context);
    }

    /// The last run of a child has ended with this Event.
    ///
    /// Fact (server 1.32): the parent hears of the last of the child's runs, whose type may be another than that of the
    /// first.
    pub(crate) fn child_closed(
        &mut self,
        initiated_event_id: i64,
        child: WorkflowExecution,
        end: &Attributes,
        context: &mut Context<'_>,
    ) {
        self.leaves_no_trace = true;
        let Some(known) = self.children.get(&initiated_event_id) else { return };
        if !self.is_running() || known.initiated.workflow_id != child.workflow_id {
            return;
        }
        let started_event_id = self.started_child(initiated_event_id);
        let Some(event) = outcome(&known.initiated, initiated_event_id, started_event_id, child, end) else { return };
        self.leaves_no_trace = false;
        self.children.remove(&initiated_event_id);
        self.events.buffer(context.now, event);
        self.wake_worker(context);
    }

    /// The recorded start of a child; 0 while it is buffered.
    fn started_child(&self, initiated_event_id: i64) -> i64 {
        let behind = usize::try_from(initiated_event_id).unwrap_or_default();
        let events = self.events.all().iter().skip(behind);
        let mut starts = events.filter(|event| start_of_child(event) == Some(initiated_event_id));
        starts.next().map_or(0, |event| event.event_id)
    }

    /// What a recorded Event says of children.
    pub(crate) fn replay_child(&mut self, event: &HistoryEvent) {
        if let Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated)) = &event.attributes {
            self.children.insert(event.event_id, Child { initiated: (**initiated).clone(), run_id: None });
        }
        if let Some(Attributes::ChildWorkflowExecutionStartedEventAttributes(started)) = &event.attributes
            && let Some(child) = self.children.get_mut(&started.initiated_event_id)
        {
            child.run_id = started.workflow_execution.as_ref().map(|child| child.run_id.clone());
        }
        if let Some(initiated_event_id) = end_of_child(event).or_else(|| failed_start_of_child(event)) {
            self.children.remove(&initiated_event_id);
        }
    }
}

/// Which child the Event says the start or the outcome of, by the Event that initiated it.
pub(crate) fn news_of_child(event: &HistoryEvent) -> Option<i64> {
    start_of_child(event).or_else(|| failed_start_of_child(event)).or_else(|| end_of_child(event))
}

/// Which child started, by the Event that initiated it.
pub(crate) fn start_of_child(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::ChildWorkflowExecutionStartedEventAttributes(start) => Some(start.initiated_event_id),
        _ => None,
    }
}

/// Which child ended, by the Event that initiated it.
pub(crate) fn end_of_child(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(end) => Some(end.initiated_event_id),
        Attributes::ChildWorkflowExecutionFailedEventAttributes(end) => Some(end.initiated_event_id),
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(end) => Some(end.initiated_event_id),
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(end) => Some(end.initiated_event_id),
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(end) => Some(end.initiated_event_id),
        _ => None,
    }
}

/// Which child could not be started, by the Event that initiated it.
fn failed_start_of_child(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::StartChildWorkflowExecutionFailedEventAttributes(failed) => Some(failed.initiated_event_id),
        _ => None,
    }
}

/// Where the Event is the end of a child, names its start.
pub(crate) fn set_started_child(event: &mut HistoryEvent, id: i64) {
    match event.attributes.as_mut() {
        Some(Attributes::ChildWorkflowExecutionCompletedEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ChildWorkflowExecutionFailedEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ChildWorkflowExecutionCanceledEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ChildWorkflowExecutionTimedOutEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ChildWorkflowExecutionTerminatedEventAttributes(end)) => end.started_event_id = id,
        _ => (),
    }
}

/// What the parent hears of the Event that ended a child's run. `None` where another run follows.
fn outcome(
    initiated: &StartChildWorkflowExecutionInitiatedEventAttributes,
    initiated_event_id: i64,
    started_event_id: i64,
    child: WorkflowExecution,
    end: &Attributes,
) -> Option<Attributes> {
    let namespace = initiated.namespace.clone();
    let workflow_type = initiated.workflow_type.clone();
    let workflow_execution = Some(child);
    let namespace_id = String::new();
    Some(match end {
        Attributes::WorkflowExecutionCompletedEventAttributes(end) => {
            Attributes::ChildWorkflowExecutionCompletedEventAttributes(
                ChildWorkflowExecutionCompletedEventAttributes {
                    result: end.result.clone(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                }
                .into(),
            )
        }
        Attributes::WorkflowExecutionFailedEventAttributes(end) if end.new_execution_run_id.is_empty() => {
            Attributes::ChildWorkflowExecutionFailedEventAttributes(
                ChildWorkflowExecutionFailedEventAttributes {
                    failure: end.failure.clone(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state: end.retry_state,
                }
                .into(),
            )
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(end) => {
            Attributes::ChildWorkflowExecutionCanceledEventAttributes(
                ChildWorkflowExecutionCanceledEventAttributes {
                    details: end.details.clone(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                }
                .into(),
            )
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(end) if end.new_execution_run_id.is_empty() => {
            Attributes::ChildWorkflowExecutionTimedOutEventAttributes(
                ChildWorkflowExecutionTimedOutEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state: end.retry_state,
                }
                .into(),
            )
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => {
            Attributes::ChildWorkflowExecutionTerminatedEventAttributes(
                ChildWorkflowExecutionTerminatedEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                }
                .into(),
            )
        }
        _ => return None,
    })
}
