//! Events as the server sends them become Events that have all that they must have.

use std::time::{Duration, SystemTime};

use timewright_proto::common::{Payload, Payloads};
use timewright_proto::enums::EventType;
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{HistoryEvent, WorkflowTaskStartedEventAttributes};
use timewright_proto::prost_types::Timestamp;

use super::event_type::event_type as attributes_type;
use super::marker::Marker;
use super::{
    ActivityClosed, Event, EventError, EventKind, Signaled, UpdateAccepted, WorkflowTaskCompleted, WorkflowTaskStarted,
};

impl TryFrom<HistoryEvent> for Event {
    type Error = EventError;

    fn try_from(event: HistoryEvent) -> Result<Self, EventError> {
        let HistoryEvent { event_id: id, event_type: number, event_time, worker_may_ignore, attributes, .. } = event;
        let event_type = EventType::try_from(number).unwrap_or(EventType::Unspecified);
        let is_heard = event_type != EventType::Unspecified && !is_silent(event_type);
        // The server's word comes first: such an Event may be of any shape.
        if worker_may_ignore && !is_heard {
            let time = event_time.map_or(SystemTime::UNIX_EPOCH, |time| to_system_time(&time));
            return Ok(Self { id, time, kind: EventKind::Ignored(event_type) });
        }
        let missing = |field| EventError::Missing { event_id: id, event_type: type_name(number), field };
        let time = to_system_time(event_time.as_ref().ok_or_else(|| missing("event_time"))?);
        if is_silent(event_type) {
            return Ok(Self { id, time, kind: EventKind::Ignored(event_type) });
        }
        if !is_heard {
            return Err(EventError::Unsupported { event_id: id, event_type: type_name(number) });
        }
        let attributes = attributes.ok_or_else(|| missing("attributes"))?;
        if attributes_type(&attributes) != event_type {
            return Err(missing("attributes of its type"));
        }
        let kind = decode(id, attributes, &missing)?;
        let kind = kind.ok_or_else(|| missing("attributes of its type"))?;
        Ok(Self { id, time, kind })
    }
}

/// Events that are no Commands and change nothing for user code.
fn is_silent(event_type: EventType) -> bool {
    use EventType as E;
    matches!(
        event_type,
        E::WorkflowExecutionOptionsUpdated
            | E::WorkflowExecutionPaused
            | E::WorkflowExecutionUnpaused
            | E::WorkflowPropertiesModifiedExternally
            | E::ActivityPropertiesModifiedExternally
            | E::WorkflowExecutionTimeSkippingTransitioned
            // Servers have never written it.
            | E::WorkflowExecutionUpdateRejected
    )
}

fn decode(
    event_id: i64,
    attributes: Attributes,
    missing: &dyn Fn(&'static str) -> EventError,
) -> Result<Option<EventKind>, EventError> {
    let kind = match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => {
            if started.workflow_type.is_none() {
                return Err(missing("workflow_type"));
            }
            EventKind::WorkflowExecutionStarted(started)
        }
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => EventKind::WorkflowExecutionCompleted,
        Attributes::WorkflowExecutionFailedEventAttributes(_) => EventKind::WorkflowExecutionFailed,
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => EventKind::WorkflowExecutionTimedOut,
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => EventKind::WorkflowExecutionCanceled,
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => EventKind::WorkflowExecutionTerminated,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => EventKind::WorkflowExecutionContinuedAsNew,
        Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
            EventKind::WorkflowExecutionSignaled(Signaled {
                name: signal.signal_name,
                input: list(signal.input),
                header: signal.header.unwrap_or_default(),
                identity: signal.identity,
            })
        }
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(request) => {
            EventKind::WorkflowExecutionCancelRequested { reason: request.cause }
        }
        Attributes::WorkflowTaskScheduledEventAttributes(_) => EventKind::WorkflowTaskScheduled,
        Attributes::WorkflowTaskStartedEventAttributes(started) => {
            EventKind::WorkflowTaskStarted(task_started(&started))
        }
        Attributes::WorkflowTaskCompletedEventAttributes(completed) => {
            let metadata = completed.sdk_metadata.unwrap_or_default();
            EventKind::WorkflowTaskCompleted(WorkflowTaskCompleted {
                sdk_name: metadata.sdk_name,
                sdk_version: metadata.sdk_version,
                core_used_flags: metadata.core_used_flags,
                language_used_flags: metadata.lang_used_flags,
                deployment_version: completed.deployment_version,
            })
        }
        Attributes::WorkflowTaskFailedEventAttributes(failed) => {
            EventKind::WorkflowTaskFailed { cause: failed.cause(), new_run_id: failed.new_run_id }
        }
        Attributes::WorkflowTaskTimedOutEventAttributes(_) => EventKind::WorkflowTaskTimedOut,
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => EventKind::ActivityTaskScheduled {
            activity_id: scheduled.activity_id,
            activity_type: scheduled.activity_type.ok_or_else(|| missing("activity_type"))?.name,
        },
        Attributes::ActivityTaskStartedEventAttributes(started) => {
            EventKind::ActivityTaskStarted { scheduled_event_id: started.scheduled_event_id }
        }
        Attributes::ActivityTaskCompletedEventAttributes(completed) => EventKind::ActivityTaskCompleted {
            scheduled_event_id: completed.scheduled_event_id,
            result: list(completed.result).into_iter().next(),
        },
        Attributes::ActivityTaskFailedEventAttributes(failed) => EventKind::ActivityTaskFailed {
            scheduled_event_id: failed.scheduled_event_id,
            closed: Box::new(ActivityClosed {
                started_event_id: failed.started_event_id,
                retry_state: failed.retry_state(),
                identity: failed.identity,
                failure: failed.failure.ok_or_else(|| missing("failure"))?,
            }),
        },
        Attributes::ActivityTaskTimedOutEventAttributes(timed_out) => EventKind::ActivityTaskTimedOut {
            scheduled_event_id: timed_out.scheduled_event_id,
            closed: Box::new(ActivityClosed {
                started_event_id: timed_out.started_event_id,
                retry_state: timed_out.retry_state(),
                identity: String::new(),
                failure: timed_out.failure.ok_or_else(|| missing("failure"))?,
            }),
        },
        Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
            EventKind::ActivityTaskCancelRequested { scheduled_event_id: request.scheduled_event_id }
        }
        Attributes::ActivityTaskCanceledEventAttributes(canceled) => EventKind::ActivityTaskCanceled {
            scheduled_event_id: canceled.scheduled_event_id,
            started_event_id: canceled.started_event_id,
            identity: canceled.identity,
            details: list(canceled.details),
        },
        Attributes::TimerStartedEventAttributes(started) => EventKind::TimerStarted { timer_id: started.timer_id },
        Attributes::TimerFiredEventAttributes(fired) => {
            EventKind::TimerFired { started_event_id: fired.started_event_id }
        }
        Attributes::TimerCanceledEventAttributes(canceled) => {
            EventKind::TimerCanceled { started_event_id: canceled.started_event_id }
        }
        Attributes::MarkerRecordedEventAttributes(marker) => {
            let name = marker.marker_name.clone();
            let unreadable = |missing| EventError::Marker { event_id, marker: name, missing };
            EventKind::MarkerRecorded(Marker::read(*marker).map_err(unreadable)?)
        }
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
            let attributes = upsert.search_attributes.unwrap_or_default();
            EventKind::UpsertWorkflowSearchAttributes { names: attributes.indexed_fields.into_keys().collect() }
        }
        Attributes::WorkflowPropertiesModifiedEventAttributes(_) => EventKind::WorkflowPropertiesModified,
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(admitted) => {
            EventKind::WorkflowExecutionUpdateAdmitted(Box::new(admitted.request.ok_or_else(|| missing("request"))?))
        }
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => {
            EventKind::WorkflowExecutionUpdateAccepted(Box::new(UpdateAccepted {
                protocol_instance_id: accepted.protocol_instance_id,
                message_id: accepted.accepted_request_message_id,
                sequencing_event_id: accepted.accepted_request_sequencing_event_id,
                request: accepted.accepted_request,
            }))
        }
        Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed) => {
            let update_id = completed.meta.ok_or_else(|| missing("meta"))?.update_id;
            EventKind::WorkflowExecutionUpdateCompleted { update_id }
        }
        other => return decode_other_executions(other, missing),
    };
    Ok(Some(kind))
}

/// Child Workflows, other workflows, Nexus operations.
fn decode_other_executions(
    attributes: Attributes,
    missing: &dyn Fn(&'static str) -> EventError,
) -> Result<Option<EventKind>, EventError> {
    let boxed = |failure: Option<Failure>| failure.map(Box::new).ok_or_else(|| missing("failure"));
    let kind = match attributes {
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated) => {
            EventKind::StartChildWorkflowExecutionInitiated {
                workflow_id: initiated.workflow_id,
                workflow_type: initiated.workflow_type.ok_or_else(|| missing("workflow_type"))?.name,
            }
        }
        Attributes::StartChildWorkflowExecutionFailedEventAttributes(failed) => {
            EventKind::StartChildWorkflowExecutionFailed {
                initiated_event_id: failed.initiated_event_id,
                cause: failed.cause(),
            }
        }
        Attributes::ChildWorkflowExecutionStartedEventAttributes(started) => EventKind::ChildWorkflowExecutionStarted {
            initiated_event_id: started.initiated_event_id,
            run_id: started.workflow_execution.ok_or_else(|| missing("workflow_execution"))?.run_id,
        },
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(completed) => {
            EventKind::ChildWorkflowExecutionCompleted {
                initiated_event_id: completed.initiated_event_id,
                result: list(completed.result).into_iter().next(),
            }
        }
        Attributes::ChildWorkflowExecutionFailedEventAttributes(failed) => EventKind::ChildWorkflowExecutionFailed {
            initiated_event_id: failed.initiated_event_id,
            retry_state: failed.retry_state(),
            failure: boxed(failed.failure)?,
        },
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(canceled) => {
            EventKind::ChildWorkflowExecutionCanceled {
                initiated_event_id: canceled.initiated_event_id,
                details: list(canceled.details),
            }
        }
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(timed_out) => {
            EventKind::ChildWorkflowExecutionTimedOut {
                initiated_event_id: timed_out.initiated_event_id,
                retry_state: timed_out.retry_state(),
            }
        }
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(terminated) => {
            EventKind::ChildWorkflowExecutionTerminated { initiated_event_id: terminated.initiated_event_id }
        }
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(initiated) => {
            EventKind::SignalExternalWorkflowExecutionInitiated {
                workflow_id: initiated.workflow_execution.ok_or_else(|| missing("workflow_execution"))?.workflow_id,
                signal_name: initiated.signal_name,
            }
        }
        Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(failed) => {
            EventKind::SignalExternalWorkflowExecutionFailed {
                initiated_event_id: failed.initiated_event_id,
                cause: failed.cause(),
            }
        }
        Attributes::ExternalWorkflowExecutionSignaledEventAttributes(signaled) => {
            EventKind::ExternalWorkflowExecutionSignaled { initiated_event_id: signaled.initiated_event_id }
        }
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(initiated) => {
            EventKind::RequestCancelExternalWorkflowExecutionInitiated {
                workflow_id: initiated.workflow_execution.ok_or_else(|| missing("workflow_execution"))?.workflow_id,
            }
        }
        Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(failed) => {
            EventKind::RequestCancelExternalWorkflowExecutionFailed {
                initiated_event_id: failed.initiated_event_id,
                cause: failed.cause(),
            }
        }
        Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(requested) => {
            EventKind::ExternalWorkflowExecutionCancelRequested { initiated_event_id: requested.initiated_event_id }
        }
        Attributes::NexusOperationScheduledEventAttributes(scheduled) => EventKind::NexusOperationScheduled {
            endpoint: scheduled.endpoint,
            service: scheduled.service,
            operation: scheduled.operation,
        },
        Attributes::NexusOperationStartedEventAttributes(started) => EventKind::NexusOperationStarted {
            scheduled_event_id: started.scheduled_event_id,
            operation_token: started.operation_token,
        },
        Attributes::NexusOperationCompletedEventAttributes(completed) => EventKind::NexusOperationCompleted {
            scheduled_event_id: completed.scheduled_event_id,
            result: completed.result,
        },
        Attributes::NexusOperationFailedEventAttributes(failed) => EventKind::NexusOperationFailed {
            scheduled_event_id: failed.scheduled_event_id,
            failure: boxed(failed.failure)?,
        },
        Attributes::NexusOperationCanceledEventAttributes(canceled) => EventKind::NexusOperationCanceled {
            scheduled_event_id: canceled.scheduled_event_id,
            failure: boxed(canceled.failure)?,
        },
        Attributes::NexusOperationTimedOutEventAttributes(timed_out) => EventKind::NexusOperationTimedOut {
            scheduled_event_id: timed_out.scheduled_event_id,
            failure: boxed(timed_out.failure)?,
        },
        Attributes::NexusOperationCancelRequestedEventAttributes(requested) => {
            EventKind::NexusOperationCancelRequested { scheduled_event_id: requested.scheduled_event_id }
        }
        Attributes::NexusOperationCancelRequestCompletedEventAttributes(completed) => {
            EventKind::NexusOperationCancelRequestCompleted { scheduled_event_id: completed.scheduled_event_id }
        }
        Attributes::NexusOperationCancelRequestFailedEventAttributes(failed) => {
            EventKind::NexusOperationCancelRequestFailed {
                scheduled_event_id: failed.scheduled_event_id,
                failure: boxed(failed.failure)?,
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(kind))
}

fn task_started(started: &WorkflowTaskStartedEventAttributes) -> WorkflowTaskStarted {
    WorkflowTaskStarted {
        history_bytes: u64::try_from(started.history_size_bytes).unwrap_or(0),
        continue_as_new_suggested: started.suggest_continue_as_new,
        continue_as_new_reasons: started.suggest_continue_as_new_reasons().collect(),
        target_worker_deployment_version_changed: started.target_worker_deployment_version_changed,
    }
}

fn list(payloads: Option<Payloads>) -> Vec<Payload> {
    payloads.map(|payloads| payloads.payloads).unwrap_or_default()
}

fn type_name(number: i32) -> String {
    EventType::try_from(number).map_or_else(|_| format!("number {number}"), |known| known.as_str_name().to_owned())
}

/// Times before 1970 and beyond what `SystemTime` holds become 1970: they are no times that a server records.
fn to_system_time(time: &Timestamp) -> SystemTime {
    u64::try_from(time.seconds)
        .ok()
        .zip(u32::try_from(time.nanos).ok())
        .filter(|(_, nanos)| *nanos < 1_000_000_000)
        .and_then(|(seconds, nanos)| SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos)))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
