//! What recorded Events say of Nexus operations.

use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;

use super::{NexusOperation, RequestKind};
use crate::execution::Execution;
use crate::time::{Time, time_of};

impl Execution {
    /// Takes over what a recorded Event has done, when this run comes of a reset; see `reset.rs`.
    pub(crate) fn replay_nexus_operation(&mut self, event: &HistoryEvent) {
        match &event.attributes {
            Some(Attributes::NexusOperationScheduledEventAttributes(scheduled)) => {
                let operation = NexusOperation::new((**scheduled).clone(), time_of(event));
                self.nexus_operations.insert(event.event_id, operation);
            }
            Some(Attributes::NexusOperationStartedEventAttributes(started)) => {
                if let Some(operation) = self.nexus_operations.get_mut(&started.scheduled_event_id) {
                    operation.start(started.operation_token.clone(), time_of(event));
                }
            }
            _ => (),
        }
        if let Some(id) = end_of_nexus_operation(event) {
            self.nexus_operations.remove(&id);
        }
    }

    /// Asks for all operations that have not started, as if nobody had been asked before.
    pub(crate) fn send_nexus_requests_again(&mut self, now: Time) {
        let waiting = self.nexus_operations.iter().filter(|(_, operation)| operation.started.is_none());
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.send_nexus_request(id, RequestKind::Start, now);
        }
    }
}

/// Which Nexus operation the Event says the start or the outcome of, by the Event that scheduled it.
pub(crate) fn news_of_nexus_operation(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::NexusOperationStartedEventAttributes(start) => Some(start.scheduled_event_id),
        _ => end_of_nexus_operation(event),
    }
}

/// Which Nexus operation ended, by the Event that scheduled it.
pub(crate) fn end_of_nexus_operation(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::NexusOperationCompletedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::NexusOperationFailedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::NexusOperationTimedOutEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::NexusOperationCanceledEventAttributes(end) => Some(end.scheduled_event_id),
        _ => None,
    }
}
