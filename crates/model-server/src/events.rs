//! The history of one run: what is recorded, and what waits to be.

use std::collections::BTreeSet;

use timewright_proto::Message;
use timewright_proto::enums::EventType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;

use crate::child::{end_of_child, set_started_child, start_of_child};
use crate::nexus::end_of_nexus_operation;
use crate::time::{Time, timestamp};

/// A history, and the Events that wait until no Workflow Task runs.
///
/// Facts (server 1.32):
/// - Events of Workflow Tasks, of Commands, and of the workflow's end are recorded at once. All others (signals,
///   cancellation requests, fired timers, what activities do) are buffered, and written when no Workflow Task is
///   running: at the end of the same request if none is, else behind the Events of the task's end.
/// - When the buffer is written, the ends of activities, of children and of Nexus operations come behind all others,
///   whatever came first. So the start of an activity and its end, buffered together, may have other Events between them.
/// - The end of the workflow drops what is buffered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    recorded: Vec<HistoryEvent>,
    buffered: Vec<HistoryEvent>,
    bytes: usize,
    /// The last Event of each batch.
    ends_of_batches: BTreeSet<i64>,
}

impl Events {
    /// The Events in front of the one of this id, as the beginning of another history.
    pub(crate) fn copy_until(&self, event_id: i64) -> Self {
        let mut copy = Self::default();
        for event in self.recorded.iter().filter(|event| event.event_id < event_id) {
            copy.push(event.clone());
        }
        copy.ends_of_batches = self.ends_of_batches.range(..event_id).copied().collect();
        copy
    }

    pub(crate) fn all(&self) -> &[HistoryEvent] {
        &self.recorded
    }

    /// The id that the next recorded Event will have.
    pub(crate) fn next_id(&self) -> i64 {
        self.recorded.len() as i64 + 1
    }

    /// Size of what is recorded.
    pub(crate) fn bytes(&self) -> i64 {
        self.bytes as i64
    }

    /// Writes an Event, and returns its id.
    pub(crate) fn record(&mut self, now: Time, attributes: Attributes) -> i64 {
        self.push(new_event(now, attributes))
    }

    /// The Event that was written last.
    pub(crate) fn last_mut(&mut self) -> Option<&mut HistoryEvent> {
        self.recorded.last_mut()
    }

    /// Keeps an Event until [`flush`](Self::flush).
    pub(crate) fn buffer(&mut self, now: Time, attributes: Attributes) {
        self.buffered.push(new_event(now, attributes));
    }

    pub(crate) fn has_buffered(&self) -> bool {
        !self.buffered.is_empty()
    }

    /// Forgets what is buffered.
    pub(crate) fn drop_buffered(&mut self) {
        self.buffered.clear();
    }

    /// Writes what is buffered.
    pub(crate) fn flush(&mut self) {
        let (ends, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.buffered).into_iter().partition(|event| end_of_operation(event).is_some());
        let mut starts = Vec::new();
        for event in others {
            let operation = start_of_operation(&event);
            let id = self.push(event);
            starts.extend(operation.map(|operation| (operation, id)));
        }
        for mut event in ends {
            let start = starts.iter().find(|(operation, _)| end_of_operation(&event) == Some(*operation));
            if let Some((_, id)) = start {
                set_started_event_id(&mut event, *id);
            }
            self.push(event);
        }
    }

    /// What was recorded since the last batch belongs together.
    ///
    /// Facts (server 1.32): the Events of a request are a batch. The start of a Workflow Task ends one too, where it is
    /// recorded with the end of that task only.
    pub(crate) fn end_batch(&mut self) {
        self.ends_of_batches.insert(self.next_id() - 1);
    }

    /// Whether the Event was the last of its batch.
    pub(crate) fn ends_batch(&self, event_id: i64) -> bool {
        self.ends_of_batches.contains(&event_id)
    }

    /// Takes a fired timer back that nobody has heard of, and returns the Event that started it.
    pub(crate) fn remove_buffered_fired(&mut self, timer_id: &str) -> Option<i64> {
        let fired = |event: &HistoryEvent| match &event.attributes {
            Some(Attributes::TimerFiredEventAttributes(attributes)) if attributes.timer_id == timer_id => {
                Some(attributes.started_event_id)
            }
            _ => None,
        };
        let index = self.buffered.iter().position(|event| fired(event).is_some())?;
        fired(&self.buffered.remove(index))
    }

    /// Whether the end of the activity waits in the buffer.
    pub(crate) fn has_buffered_end_of_activity(&self, scheduled_event_id: i64) -> bool {
        self.buffered.iter().any(|event| end_of_activity(event) == Some(scheduled_event_id))
    }

    /// Whether the end of the Nexus operation waits in the buffer.
    pub(crate) fn has_buffered_end_of_nexus_operation(&self, scheduled_event_id: i64) -> bool {
        self.buffered.iter().any(|event| end_of_nexus_operation(event) == Some(scheduled_event_id))
    }

    fn push(&mut self, mut event: HistoryEvent) -> i64 {
        event.event_id = self.next_id();
        event.task_id = event.event_id;
        self.bytes += event.encoded_len();
        let is_start_of_task = event.event_type() == EventType::WorkflowTaskStarted;
        self.recorded.push(event);
        if is_start_of_task {
            self.end_batch();
        }
        self.next_id() - 1
    }
}

/// An Event that has no id yet.
pub(crate) fn new_event(now: Time, attributes: Attributes) -> HistoryEvent {
    HistoryEvent {
        worker_may_ignore: may_ignore(&attributes),
        event_time: Some(timestamp(now)),
        event_type: event_type(&attributes).into(),
        attributes: Some(attributes),
        ..HistoryEvent::default()
    }
}

/// Fact (server 1.32): of the modelled Events, workers may ignore what became of requests to cancel a Nexus operation,
/// and changed options.
fn may_ignore(attributes: &Attributes) -> bool {
    matches!(
        attributes,
        Attributes::NexusOperationCancelRequestCompletedEventAttributes(_)
            | Attributes::NexusOperationCancelRequestFailedEventAttributes(_)
            | Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(_)
    )
}

/// Which activity or child started, by the Event that asked for it.
fn start_of_operation(event: &HistoryEvent) -> Option<i64> {
    start_of_activity(event).or_else(|| start_of_child(event))
}

/// Which activity, child or Nexus operation ended, by the Event that asked for it.
fn end_of_operation(event: &HistoryEvent) -> Option<i64> {
    end_of_activity(event).or_else(|| end_of_child(event)).or_else(|| end_of_nexus_operation(event))
}

/// Which activity started, by the Event that scheduled it.
fn start_of_activity(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::ActivityTaskStartedEventAttributes(start) => Some(start.scheduled_event_id),
        _ => None,
    }
}

/// Which activity ended, by the Event that scheduled it.
pub(crate) fn end_of_activity(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::ActivityTaskCompletedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskFailedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskTimedOutEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskCanceledEventAttributes(end) => Some(end.scheduled_event_id),
        _ => None,
    }
}

fn set_started_event_id(event: &mut HistoryEvent, id: i64) {
    match event.attributes.as_mut() {
        Some(Attributes::ActivityTaskCompletedEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ActivityTaskFailedEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ActivityTaskTimedOutEventAttributes(end)) => end.started_event_id = id,
        Some(Attributes::ActivityTaskCanceledEventAttributes(end)) => end.started_event_id = id,
        _ => set_started_child(event, id),
    }
}

/// The types of the Events that the model writes.
fn event_type(attributes: &Attributes) -> EventType {
    match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(_) => EventType::WorkflowExecutionStarted,
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => EventType::WorkflowExecutionCompleted,
        Attributes::WorkflowExecutionFailedEventAttributes(_) => EventType::WorkflowExecutionFailed,
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => EventType::WorkflowExecutionTimedOut,
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => EventType::WorkflowExecutionCanceled,
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => EventType::WorkflowExecutionTerminated,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => EventType::WorkflowExecutionContinuedAsNew,
        Attributes::WorkflowExecutionSignaledEventAttributes(_) => EventType::WorkflowExecutionSignaled,
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(_) => EventType::WorkflowExecutionCancelRequested,
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(_) => EventType::WorkflowExecutionOptionsUpdated,
        Attributes::WorkflowTaskScheduledEventAttributes(_) => EventType::WorkflowTaskScheduled,
        Attributes::WorkflowTaskStartedEventAttributes(_) => EventType::WorkflowTaskStarted,
        Attributes::WorkflowTaskCompletedEventAttributes(_) => EventType::WorkflowTaskCompleted,
        Attributes::WorkflowTaskTimedOutEventAttributes(_) => EventType::WorkflowTaskTimedOut,
        Attributes::WorkflowTaskFailedEventAttributes(_) => EventType::WorkflowTaskFailed,
        Attributes::ActivityTaskScheduledEventAttributes(_) => EventType::ActivityTaskScheduled,
        Attributes::ActivityTaskStartedEventAttributes(_) => EventType::ActivityTaskStarted,
        Attributes::ActivityTaskCompletedEventAttributes(_) => EventType::ActivityTaskCompleted,
        Attributes::ActivityTaskFailedEventAttributes(_) => EventType::ActivityTaskFailed,
        Attributes::ActivityTaskTimedOutEventAttributes(_) => EventType::ActivityTaskTimedOut,
        Attributes::ActivityTaskCancelRequestedEventAttributes(_) => EventType::ActivityTaskCancelRequested,
        Attributes::ActivityTaskCanceledEventAttributes(_) => EventType::ActivityTaskCanceled,
        Attributes::TimerStartedEventAttributes(_) => EventType::TimerStarted,
        Attributes::TimerFiredEventAttributes(_) => EventType::TimerFired,
        Attributes::TimerCanceledEventAttributes(_) => EventType::TimerCanceled,
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(_) => EventType::WorkflowExecutionUpdateAdmitted,
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(_) => EventType::WorkflowExecutionUpdateAccepted,
        Attributes::WorkflowExecutionUpdateCompletedEventAttributes(_) => EventType::WorkflowExecutionUpdateCompleted,
        Attributes::MarkerRecordedEventAttributes(_) => EventType::MarkerRecorded,
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(_) => EventType::UpsertWorkflowSearchAttributes,
        Attributes::WorkflowPropertiesModifiedEventAttributes(_) => EventType::WorkflowPropertiesModified,
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(_) => {
            EventType::StartChildWorkflowExecutionInitiated
        }
        Attributes::StartChildWorkflowExecutionFailedEventAttributes(_) => EventType::StartChildWorkflowExecutionFailed,
        Attributes::ChildWorkflowExecutionStartedEventAttributes(_) => EventType::ChildWorkflowExecutionStarted,
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(_) => EventType::ChildWorkflowExecutionCompleted,
        Attributes::ChildWorkflowExecutionFailedEventAttributes(_) => EventType::ChildWorkflowExecutionFailed,
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(_) => EventType::ChildWorkflowExecutionCanceled,
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(_) => EventType::ChildWorkflowExecutionTimedOut,
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(_) => EventType::ChildWorkflowExecutionTerminated,
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(_) => {
            EventType::SignalExternalWorkflowExecutionInitiated
        }
        Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(_) => {
            EventType::SignalExternalWorkflowExecutionFailed
        }
        Attributes::ExternalWorkflowExecutionSignaledEventAttributes(_) => EventType::ExternalWorkflowExecutionSignaled,
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_) => {
            EventType::RequestCancelExternalWorkflowExecutionInitiated
        }
        Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(_) => {
            EventType::RequestCancelExternalWorkflowExecutionFailed
        }
        Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(_) => {
            EventType::ExternalWorkflowExecutionCancelRequested
        }
        Attributes::NexusOperationScheduledEventAttributes(_) => EventType::NexusOperationScheduled,
        Attributes::NexusOperationStartedEventAttributes(_) => EventType::NexusOperationStarted,
        Attributes::NexusOperationCompletedEventAttributes(_) => EventType::NexusOperationCompleted,
        Attributes::NexusOperationFailedEventAttributes(_) => EventType::NexusOperationFailed,
        Attributes::NexusOperationTimedOutEventAttributes(_) => EventType::NexusOperationTimedOut,
        Attributes::NexusOperationCanceledEventAttributes(_) => EventType::NexusOperationCanceled,
        Attributes::NexusOperationCancelRequestedEventAttributes(_) => EventType::NexusOperationCancelRequested,
        Attributes::NexusOperationCancelRequestCompletedEventAttributes(_) => {
            EventType::NexusOperationCancelRequestCompleted
        }
        Attributes::NexusOperationCancelRequestFailedEventAttributes(_) => EventType::NexusOperationCancelRequestFailed,
        _ => EventType::Unspecified,
    }
}
