//! Events that a server could record: any, sensible or not.

use timewright_proto::common::{ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType};
use timewright_proto::enums::{EventType, EventType as E, WorkflowTaskFailedCause};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::{Attributes, Attributes as A};
use timewright_proto::history::{HistoryEvent, MarkerRecordedEventAttributes};
use timewright_proto::prost_types::Timestamp;
use timewright_proto::temporal::api::update::v1::{Input, Meta, Request};

use crate::recorded::is_record;
use crate::references::{names, references};
use crate::script::Script;

/// Puts an Event behind the one at this index, where such an Event can stand. It names an Event before it that it can be about.
pub(crate) fn invent(events: &mut Vec<HistoryEvent>, index: usize, script: &mut Script<'_>) {
    let (event_type, about, make) = EVENTS[script.below(EVENTS.len())];
    let place = if script.rarely(8) { index } else { place(events, index, event_type) };
    let mut attributes = make();
    fill(&mut attributes, script);
    let before = &events[..place];
    for reference in references(&mut attributes) {
        *reference = match before.iter().rfind(|event| event.event_type() == about) {
            Some(event) if !script.rarely(8) => event.event_id,
            _ => script.event_id(),
        };
    }
    for name in names(&mut attributes) {
        if name.is_empty() {
            *name = script.text();
        }
    }
    let event = HistoryEvent {
        // No other Event has it, so that what is named before stays what it is.
        event_id: -1,
        event_time: before.last().map_or_else(|| Some(Timestamp::default()), |event| event.event_time),
        event_type: event_type.into(),
        attributes: Some(attributes),
        ..HistoryEvent::default()
    };
    events.insert(place, event);
}

/// Commands are recorded behind the completion of a task, and all else happens before the next task.
fn place(events: &[HistoryEvent], index: usize, event_type: EventType) -> usize {
    let rest = events.iter().enumerate().skip(index);
    let mut places = rest.map(|(place, event)| (place, event.event_type()));
    let place = if is_record(event_type) {
        places.find(|(_, at)| *at == E::WorkflowTaskCompleted).map(|(place, _)| place + 1)
    } else {
        places.find(|(_, at)| *at == E::WorkflowTaskScheduled).map(|(place, _)| place)
    };
    place.unwrap_or(events.len())
}

/// Its type, the type of what it is about, and its attributes.
type Kind = (EventType, EventType, fn() -> Attributes);

/// One line for each kind of Event that a Run hears; markers are several kinds.
const EVENTS: &[Kind] = &[
    (E::WorkflowExecutionStarted, E::Unspecified, || A::WorkflowExecutionStartedEventAttributes(<_>::default())),
    (E::WorkflowExecutionSignaled, E::Unspecified, || A::WorkflowExecutionSignaledEventAttributes(<_>::default())),
    (E::WorkflowExecutionCancelRequested, E::Unspecified, || {
        A::WorkflowExecutionCancelRequestedEventAttributes(<_>::default())
    }),
    (E::WorkflowTaskScheduled, E::Unspecified, || A::WorkflowTaskScheduledEventAttributes(<_>::default())),
    (E::WorkflowTaskStarted, E::WorkflowTaskScheduled, || A::WorkflowTaskStartedEventAttributes(<_>::default())),
    (E::WorkflowTaskCompleted, E::WorkflowTaskStarted, || A::WorkflowTaskCompletedEventAttributes(<_>::default())),
    (E::WorkflowTaskFailed, E::WorkflowTaskStarted, || A::WorkflowTaskFailedEventAttributes(<_>::default())),
    (E::WorkflowTaskTimedOut, E::WorkflowTaskStarted, || A::WorkflowTaskTimedOutEventAttributes(<_>::default())),
    (E::ActivityTaskScheduled, E::Unspecified, || A::ActivityTaskScheduledEventAttributes(<_>::default())),
    (E::ActivityTaskStarted, E::ActivityTaskScheduled, || A::ActivityTaskStartedEventAttributes(<_>::default())),
    (E::ActivityTaskCompleted, E::ActivityTaskScheduled, || A::ActivityTaskCompletedEventAttributes(<_>::default())),
    (E::ActivityTaskFailed, E::ActivityTaskScheduled, || A::ActivityTaskFailedEventAttributes(<_>::default())),
    (E::ActivityTaskTimedOut, E::ActivityTaskScheduled, || A::ActivityTaskTimedOutEventAttributes(<_>::default())),
    (E::ActivityTaskCancelRequested, E::ActivityTaskScheduled, || {
        A::ActivityTaskCancelRequestedEventAttributes(<_>::default())
    }),
    (E::ActivityTaskCanceled, E::ActivityTaskScheduled, || A::ActivityTaskCanceledEventAttributes(<_>::default())),
    (E::TimerStarted, E::Unspecified, || A::TimerStartedEventAttributes(<_>::default())),
    (E::TimerFired, E::TimerStarted, || A::TimerFiredEventAttributes(<_>::default())),
    (E::TimerCanceled, E::TimerStarted, || A::TimerCanceledEventAttributes(<_>::default())),
    (E::StartChildWorkflowExecutionInitiated, E::Unspecified, || {
        A::StartChildWorkflowExecutionInitiatedEventAttributes(<_>::default())
    }),
    (E::StartChildWorkflowExecutionFailed, E::StartChildWorkflowExecutionInitiated, || {
        A::StartChildWorkflowExecutionFailedEventAttributes(<_>::default())
    }),
    (E::ChildWorkflowExecutionStarted, E::StartChildWorkflowExecutionInitiated, || {
        A::ChildWorkflowExecutionStartedEventAttributes(<_>::default())
    }),
    (E::ChildWorkflowExecutionCompleted, E::StartChildWorkflowExecutionInitiated, || {
        A::ChildWorkflowExecutionCompletedEventAttributes(<_>::default())
    }),
    (E::ChildWorkflowExecutionFailed, E::StartChildWorkflowExecutionInitiated, || {
        A::ChildWorkflowExecutionFailedEventAttributes(<_>::default())
    }),
    (E::ChildWorkflowExecutionCanceled, E::StartChildWorkflowExecutionInitiated, || {
        A::ChildWorkflowExecutionCanceledEventAttributes(<_>::default())
    }),
    (E::ChildWorkflowExecutionTimedOut, E::StartChildWorkflowExecutionInitiated, || {
        A::ChildWorkflowExecutionTimedOutEventAttributes(<_>::default())
    }),
    (E::ChildWorkflowExecutionTerminated, E::StartChildWorkflowExecutionInitiated, || {
        A::ChildWorkflowExecutionTerminatedEventAttributes(<_>::default())
    }),
    (E::SignalExternalWorkflowExecutionInitiated, E::Unspecified, || {
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(<_>::default())
    }),
    (E::SignalExternalWorkflowExecutionFailed, E::SignalExternalWorkflowExecutionInitiated, || {
        A::SignalExternalWorkflowExecutionFailedEventAttributes(<_>::default())
    }),
    (E::ExternalWorkflowExecutionSignaled, E::SignalExternalWorkflowExecutionInitiated, || {
        A::ExternalWorkflowExecutionSignaledEventAttributes(<_>::default())
    }),
    (E::RequestCancelExternalWorkflowExecutionInitiated, E::Unspecified, || {
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(<_>::default())
    }),
    (E::RequestCancelExternalWorkflowExecutionFailed, E::RequestCancelExternalWorkflowExecutionInitiated, || {
        A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(<_>::default())
    }),
    (E::ExternalWorkflowExecutionCancelRequested, E::RequestCancelExternalWorkflowExecutionInitiated, || {
        A::ExternalWorkflowExecutionCancelRequestedEventAttributes(<_>::default())
    }),
    (E::MarkerRecorded, E::Unspecified, || A::MarkerRecordedEventAttributes(<_>::default())),
    (E::MarkerRecorded, E::Unspecified, || A::MarkerRecordedEventAttributes(<_>::default())),
    (E::MarkerRecorded, E::Unspecified, || A::MarkerRecordedEventAttributes(<_>::default())),
    (E::MarkerRecorded, E::Unspecified, || A::MarkerRecordedEventAttributes(<_>::default())),
    (E::UpsertWorkflowSearchAttributes, E::Unspecified, || {
        A::UpsertWorkflowSearchAttributesEventAttributes(<_>::default())
    }),
    (E::WorkflowPropertiesModified, E::Unspecified, || A::WorkflowPropertiesModifiedEventAttributes(<_>::default())),
    (E::WorkflowExecutionUpdateAdmitted, E::Unspecified, || {
        A::WorkflowExecutionUpdateAdmittedEventAttributes(<_>::default())
    }),
    (E::WorkflowExecutionUpdateAccepted, E::WorkflowTaskScheduled, || {
        A::WorkflowExecutionUpdateAcceptedEventAttributes(<_>::default())
    }),
    (E::WorkflowExecutionUpdateCompleted, E::WorkflowExecutionUpdateAccepted, || {
        A::WorkflowExecutionUpdateCompletedEventAttributes(<_>::default())
    }),
    (E::NexusOperationScheduled, E::Unspecified, || A::NexusOperationScheduledEventAttributes(<_>::default())),
    (E::NexusOperationStarted, E::NexusOperationScheduled, || A::NexusOperationStartedEventAttributes(<_>::default())),
    (E::NexusOperationCompleted, E::NexusOperationScheduled, || {
        A::NexusOperationCompletedEventAttributes(<_>::default())
    }),
    (E::NexusOperationFailed, E::NexusOperationScheduled, || A::NexusOperationFailedEventAttributes(<_>::default())),
    (
        E::NexusOperationCanceled,
        E::NexusOperationScheduled,
        || A::NexusOperationCanceledEventAttributes(<_>::default()),
    ),
    (
        E::NexusOperationTimedOut,
        E::NexusOperationScheduled,
        || A::NexusOperationTimedOutEventAttributes(<_>::default()),
    ),
    (E::NexusOperationCancelRequested, E::NexusOperationScheduled, || {
        A::NexusOperationCancelRequestedEventAttributes(<_>::default())
    }),
    (E::NexusOperationCancelRequestCompleted, E::NexusOperationScheduled, || {
        A::NexusOperationCancelRequestCompletedEventAttributes(<_>::default())
    }),
    (E::NexusOperationCancelRequestFailed, E::NexusOperationScheduled, || {
        A::NexusOperationCancelRequestFailedEventAttributes(<_>::default())
    }),
];

/// What such an Event must have, and what is interesting in it. Names and references are filled in elsewhere.
fn fill(attributes: &mut Attributes, script: &mut Script<'_>) {
    let failure = || Some(Failure::default());
    match attributes {
        A::WorkflowExecutionStartedEventAttributes(a) => a.workflow_type = Some(WorkflowType::default()),
        A::WorkflowTaskFailedEventAttributes(a) => a.set_cause(WorkflowTaskFailedCause::ResetWorkflow),
        A::ActivityTaskScheduledEventAttributes(a) => a.activity_type = Some(ActivityType::default()),
        A::ActivityTaskFailedEventAttributes(a) => a.failure = failure(),
        A::ActivityTaskTimedOutEventAttributes(a) => a.failure = failure(),
        A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => a.workflow_type = Some(WorkflowType::default()),
        A::ChildWorkflowExecutionStartedEventAttributes(a) => a.workflow_execution = Some(<_>::default()),
        A::ChildWorkflowExecutionFailedEventAttributes(a) => a.failure = failure(),
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_execution = Some(WorkflowExecution::default());
        }
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            a.workflow_execution = Some(WorkflowExecution::default());
            a.child_workflow_only = script.rarely(2);
        }
        A::MarkerRecordedEventAttributes(a) => *a = marker(script).into(),
        A::UpsertWorkflowSearchAttributesEventAttributes(a) => {
            let name = if script.rarely(2) { "TemporalChangeVersion".to_owned() } else { script.text() };
            a.search_attributes.get_or_insert_default().indexed_fields.insert(name, Payload::default());
        }
        A::WorkflowExecutionUpdateAdmittedEventAttributes(a) => a.request = Some(request(script)),
        A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
            let request = request(script);
            a.protocol_instance_id = request.meta.clone().unwrap_or_default().update_id;
            a.accepted_request = (!script.rarely(4)).then_some(request);
        }
        A::WorkflowExecutionUpdateCompletedEventAttributes(a) => a.meta = request(script).meta,
        A::NexusOperationFailedEventAttributes(a) => a.failure = failure(),
        A::NexusOperationCanceledEventAttributes(a) => a.failure = failure(),
        A::NexusOperationTimedOutEventAttributes(a) => a.failure = failure(),
        A::NexusOperationCancelRequestFailedEventAttributes(a) => a.failure = failure(),
        _ => (),
    }
}

fn request(script: &mut Script<'_>) -> Request {
    let meta = Meta { update_id: script.text(), ..Meta::default() };
    Request { meta: Some(meta), input: (!script.rarely(4)).then(Input::default), ..Request::default() }
}

/// As the SDKs write it, except that numbers may be such as they never have.
fn marker(script: &mut Script<'_>) -> MarkerRecordedEventAttributes {
    let number = |script: &mut Script<'_>| if script.rarely(8) { u64::MAX } else { script.number().into() };
    let (name, details) = match script.below(8) {
        5 => ("core_patch", vec![("patch-data", format!(r#"{{"id":"{}","deprecated":true}}"#, script.number()))]),
        6 => ("SideEffect", vec![("side-effect-id", script.text()), ("data", "1".to_owned())]),
        7 => ("Version", vec![("change-id", format!("{:?}", script.text())), ("version", script.text())]),
        4 => ("core_patch", vec![("patch-data", format!(r#"{{"id":"{}"}}"#, script.number()))]),
        3 => {
            let details = vec![
                ("side-effect-id", format!("{:?}", script.text())),
                ("mutable-side-effect-call-counter", script.number().to_string()),
                ("data", "1".to_owned()),
            ];
            ("MutableSideEffect", details)
        }
        _ => {
            let mut data = format!(
                r#""seq":{},"attempt":{},"activity_id":"{}","activity_type":"{}""#,
                script.number(),
                script.number(),
                script.number(),
                script.number(),
            );
            if script.rarely(2) {
                data.push_str(&format!(r#","activation_index":{}"#, number(script)));
            }
            for key in ["complete_time", "backoff", "original_schedule_time"] {
                if script.rarely(4) {
                    data.push_str(&format!(r#","{key}":{{"seconds":{},"nanos":{}}}"#, number(script), script.number()));
                }
            }
            ("core_local_activity", vec![("data", format!("{{{data}}}"))])
        }
    };
    let payload = |text: String| Payloads { payloads: vec![Payload { data: text.into(), ..Payload::default() }] };
    let details = details.into_iter().map(|(key, text)| (key.to_owned(), payload(text)));
    MarkerRecordedEventAttributes {
        marker_name: name.to_owned(),
        details: details.collect(),
        failure: script.rarely(4).then(Failure::default),
        ..MarkerRecordedEventAttributes::default()
    }
}
