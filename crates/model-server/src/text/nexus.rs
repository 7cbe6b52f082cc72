//! The Events of Nexus operations as text.

use timewright_proto::enums::NexusHandlerErrorRetryBehavior;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::history_event::Attributes;

use super::line::{Line, joined, payload_text};

/// `false` for Events of other families.
pub(super) fn describe(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::NexusOperationScheduledEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("endpoint", &a.endpoint);
            line.text("service", &a.service);
            line.text("operation", &a.operation);
            line.text("input", &a.input.as_ref().map(|input| payload_text(&input.data)).unwrap_or_default());
            line.duration("schedule-to-close", a.schedule_to_close_timeout.as_ref());
            line.duration("schedule-to-start", a.schedule_to_start_timeout.as_ref());
            line.duration("start-to-close", a.start_to_close_timeout.as_ref());
            line.text("header", &joined(a.nexus_header.keys().cloned()));
        }
        Attributes::NexusOperationStartedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.text("id", &a.operation_id);
            line.text("token", &a.operation_token);
        }
        Attributes::NexusOperationCompletedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.text("result", &a.result.as_ref().map(|result| payload_text(&result.data)).unwrap_or_default());
        }
        Attributes::NexusOperationFailedEventAttributes(a) => outcome(line, a.scheduled_event_id, a.failure.as_ref()),
        Attributes::NexusOperationTimedOutEventAttributes(a) => outcome(line, a.scheduled_event_id, a.failure.as_ref()),
        Attributes::NexusOperationCanceledEventAttributes(a) => outcome(line, a.scheduled_event_id, a.failure.as_ref()),
        Attributes::NexusOperationCancelRequestedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.number("scheduled", a.scheduled_event_id);
        }
        Attributes::NexusOperationCancelRequestCompletedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.number("scheduled", a.scheduled_event_id);
            line.number("requested", a.requested_event_id);
        }
        Attributes::NexusOperationCancelRequestFailedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.number("scheduled", a.scheduled_event_id);
            line.number("requested", a.requested_event_id);
            line.text("failure", &a.failure.as_ref().map(failure_text).unwrap_or_default());
        }
        _ => return false,
    }
    true
}

fn outcome(line: &mut Line, scheduled_event_id: i64, failure: Option<&Failure>) {
    line.number("scheduled", scheduled_event_id);
    line.text("failure", &failure.map(failure_text).unwrap_or_default());
}

/// All that says what kind of failure it is, for here many kinds are nested.
fn failure_text(failure: &Failure) -> String {
    let mut text = match &failure.failure_info {
        None => "plain".to_owned(),
        Some(FailureInfo::NexusOperationExecutionFailureInfo(info)) => {
            let names = format!("{}/{}/{}", info.endpoint, info.service, info.operation);
            let mut text = format!("nexus-operation scheduled={} {names}", info.scheduled_event_id);
            if !info.operation_id.is_empty() || !info.operation_token.is_empty() {
                text.push_str(&format!(" id={} token={}", info.operation_id, info.operation_token));
            }
            text
        }
        Some(FailureInfo::NexusHandlerFailureInfo(info)) => {
            let mut text = format!("nexus-handler type={}", info.r#type);
            if info.retry_behavior() != NexusHandlerErrorRetryBehavior::Unspecified {
                text.push_str(&format!(" retry={:?}", info.retry_behavior()));
            }
            text
        }
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            let non_retryable = if info.non_retryable { " non-retryable" } else { "" };
            format!("application type={}{non_retryable}", info.r#type)
        }
        Some(FailureInfo::TimeoutFailureInfo(info)) => format!("timeout timeout={:?}", info.timeout_type()),
        Some(FailureInfo::CanceledFailureInfo(_)) => "canceled".into(),
        Some(FailureInfo::TerminatedFailureInfo(_)) => "terminated".into(),
        Some(FailureInfo::ServerFailureInfo(_)) => "server".into(),
        Some(_) => "other".into(),
    };
    if !failure.source.is_empty() {
        text.push_str(&format!(" source={}", failure.source));
    }
    text.push_str(&format!(": {}", failure.message));
    if let Some(cause) = &failure.cause {
        text.push_str(&format!(" cause={}", failure_text(cause)));
    }
    format!("({text})")
}
