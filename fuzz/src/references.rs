//! Which fields of an Event name other Events.

use timewright_proto::history::history_event::Attributes as A;

/// The ids of other Events in these attributes. A kind that is not here names none that a worker follows.
pub(crate) fn references(attributes: &mut A) -> Vec<&mut i64> {
    match attributes {
        A::WorkflowTaskStartedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::WorkflowTaskCompletedEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::WorkflowTaskTimedOutEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::WorkflowTaskFailedEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::ActivityTaskStartedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::ActivityTaskCompletedEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::ActivityTaskFailedEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::ActivityTaskTimedOutEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::ActivityTaskCancelRequestedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::ActivityTaskCanceledEventAttributes(a) => vec![&mut a.scheduled_event_id, &mut a.started_event_id],
        A::TimerFiredEventAttributes(a) => vec![&mut a.started_event_id],
        A::TimerCanceledEventAttributes(a) => vec![&mut a.started_event_id],
        A::StartChildWorkflowExecutionFailedEventAttributes(a) => vec![&mut a.initiated_event_id],
        A::ChildWorkflowExecutionStartedEventAttributes(a) => vec![&mut a.initiated_event_id],
        A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
            vec![&mut a.initiated_event_id, &mut a.started_event_id]
        }
        A::ChildWorkflowExecutionFailedEventAttributes(a) => vec![&mut a.initiated_event_id, &mut a.started_event_id],
        A::ChildWorkflowExecutionCanceledEventAttributes(a) => vec![&mut a.initiated_event_id, &mut a.started_event_id],
        A::ChildWorkflowExecutionTimedOutEventAttributes(a) => vec![&mut a.initiated_event_id, &mut a.started_event_id],
        A::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
            vec![&mut a.initiated_event_id, &mut a.started_event_id]
        }
        A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => vec![&mut a.initiated_event_id],
        A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => vec![&mut a.initiated_event_id],
        A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => vec![&mut a.initiated_event_id],
        A::ExternalWorkflowExecutionSignaledEventAttributes(a) => vec![&mut a.initiated_event_id],
        A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => vec![&mut a.accepted_request_sequencing_event_id],
        A::WorkflowExecutionUpdateCompletedEventAttributes(a) => vec![&mut a.accepted_event_id],
        A::NexusOperationStartedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::NexusOperationCompletedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::NexusOperationFailedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::NexusOperationTimedOutEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::NexusOperationCanceledEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::NexusOperationCancelRequestedEventAttributes(a) => vec![&mut a.scheduled_event_id],
        A::NexusOperationCancelRequestCompletedEventAttributes(a) => {
            vec![&mut a.requested_event_id, &mut a.scheduled_event_id]
        }
        A::NexusOperationCancelRequestFailedEventAttributes(a) => {
            vec![&mut a.requested_event_id, &mut a.scheduled_event_id]
        }
        _ => Vec::new(),
    }
}

/// The names by which a Command's record is known, which must be those of the Command.
pub(crate) fn names(attributes: &mut A) -> Vec<&mut String> {
    match attributes {
        A::ActivityTaskScheduledEventAttributes(a) => {
            let name = a.activity_type.as_mut().map(|known| &mut known.name);
            name.into_iter().chain([&mut a.activity_id]).collect()
        }
        A::MarkerRecordedEventAttributes(a) => vec![&mut a.marker_name],
        A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
            let name = a.workflow_type.as_mut().map(|known| &mut known.name);
            name.into_iter().chain([&mut a.workflow_id]).collect()
        }
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            let id = a.workflow_execution.as_mut().map(|known| &mut known.workflow_id);
            id.into_iter().chain([&mut a.signal_name]).collect()
        }
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_execution.as_mut().map(|known| &mut known.workflow_id).into_iter().collect()
        }
        A::NexusOperationScheduledEventAttributes(a) => vec![&mut a.endpoint, &mut a.service, &mut a.operation],
        A::TimerStartedEventAttributes(a) => vec![&mut a.timer_id],
        A::TimerFiredEventAttributes(a) => vec![&mut a.timer_id],
        A::WorkflowExecutionSignaledEventAttributes(a) => vec![&mut a.signal_name],
        A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => vec![&mut a.protocol_instance_id],
        A::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
            a.meta.as_mut().map(|known| &mut known.update_id).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
