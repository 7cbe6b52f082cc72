//! Failures of Nexus operations, and what becomes of those that handlers send.

use timewright_proto::common::Payload;
use timewright_proto::enums::{NexusHandlerErrorRetryBehavior, TimeoutType};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{
    ApplicationFailureInfo, CanceledFailureInfo, Failure, NexusHandlerFailureInfo, TerminatedFailureInfo,
    TimeoutFailureInfo,
};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::nexus::v1 as nexus;
use timewright_proto::workflow_service::RespondNexusTaskFailedRequest;

use super::RequestKind;
use crate::error::ServerError;

/// The handler error of a failed task.
///
/// Facts (server 1.32): it can be said as a Failure, or in the way of older workers as a Nexus failure, which becomes the
/// cause of a Failure without a message. Of what refuses a cancellation, a message in front of a cause is lost.
pub(super) fn handler_failure(
    request: RespondNexusTaskFailedRequest,
    kind: RequestKind,
) -> Result<Failure, ServerError> {
    if let Some(error) = request.error {
        let info = NexusHandlerFailureInfo { r#type: error.error_type, retry_behavior: error.retry_behavior };
        let cause = error.failure.map(plain_failure).transpose()?.map(Box::new);
        let failure_info = Some(FailureInfo::NexusHandlerFailureInfo(info));
        return Ok(Failure { cause, failure_info, ..Failure::default() });
    }
    match request.failure {
        Some(mut failure) if matches!(failure.failure_info, Some(FailureInfo::NexusHandlerFailureInfo(_))) => {
            failure.source.clear();
            if kind == RequestKind::Cancel && failure.cause.is_some() {
                failure.message.clear();
            }
            Ok(failure)
        }
        _ => Err(ServerError::InvalidArgument(
            "request Failure must contain error or failure with NexusHandlerFailureInfo".into(),
        )),
    }
}

/// What an older worker says of an operation that did not succeed.
///
/// Fact (server 1.32): the state decides; a cancelled operation's failure becomes a cancellation.
pub(super) fn operation_failure(error: nexus::UnsuccessfulOperationError) -> Result<Failure, ServerError> {
    let mut failure = plain_failure(error.failure.unwrap_or_default())?;
    match error.operation_state.as_str() {
        "failed" => (),
        "canceled" => failure.failure_info = Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
        state => return Err(ServerError::unsupported(format!("the operation state {state:?}"))),
    }
    Ok(failure)
}

/// Facts (server 1.32): a handler error says itself whether it can be tried again, or its type does; unknown types can.
pub(super) fn is_retryable(failure: &Failure) -> bool {
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else { return false };
    match info.retry_behavior() {
        NexusHandlerErrorRetryBehavior::Retryable => true,
        NexusHandlerErrorRetryBehavior::NonRetryable => false,
        NexusHandlerErrorRetryBehavior::Unspecified => !FINAL_ERRORS.contains(&info.r#type.as_str()),
    }
}

/// Fact (server 1.32): unlike other time-outs it has no source.
pub(super) fn timed_out(timeout_type: TimeoutType) -> Failure {
    let info = TimeoutFailureInfo { timeout_type: timeout_type.into(), last_heartbeat_details: None };
    Failure {
        message: "operation timed out".into(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
        ..Failure::default()
    }
}

pub(super) fn no_endpoint() -> Failure {
    let info = NexusHandlerFailureInfo { r#type: "NOT_FOUND".into(), ..NexusHandlerFailureInfo::default() };
    Failure {
        message: "endpoint not registered".into(),
        failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
        ..Failure::default()
    }
}

pub(super) fn no_time_to_cancel(timeout_type: TimeoutType) -> Failure {
    let info =
        ApplicationFailureInfo { r#type: "CallError".into(), non_retryable: true, ..ApplicationFailureInfo::default() };
    Failure {
        message: format!("not enough time to execute another request before {timeout_type:?} timeout"),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    }
}

/// What the callback of a workflow says that has ended with this Event; nothing where another run follows.
///
/// Facts (server 1.32): the result is the first Payload; a workflow that fails calls back with its own failure.
pub(crate) fn outcome_of_workflow(end: &Attributes) -> Option<Result<Option<Payload>, Failure>> {
    let goes_on = |new_run_id: &str| !new_run_id.is_empty();
    Some(match end {
        Attributes::WorkflowExecutionCompletedEventAttributes(completed) => {
            Ok(completed.result.as_ref().and_then(|result| result.payloads.first().cloned()))
        }
        Attributes::WorkflowExecutionFailedEventAttributes(failed) if !goes_on(&failed.new_execution_run_id) => {
            Err(failed.failure.clone().unwrap_or_default())
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(end) if !goes_on(&end.new_execution_run_id) => {
            Err(operation_timed_out())
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => Err(operation_cancelled()),
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => Err(operation_terminated()),
        _ => return None,
    })
}

/// Of a workflow that was cancelled. Fact (server 1.32), as are those that follow.
pub(crate) fn operation_cancelled() -> Failure {
    of("operation canceled", FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default()))
}

pub(crate) fn operation_terminated() -> Failure {
    of("operation terminated", FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default()))
}

pub(crate) fn operation_timed_out() -> Failure {
    of("operation exceeded internal timeout", FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo::default()))
}

fn of(message: &str, info: FailureInfo) -> Failure {
    Failure { message: message.to_owned(), failure_info: Some(info), ..Failure::default() }
}

/// Fact (server 1.32): a Nexus failure without metadata and details becomes a Failure without an info. (Others become
/// application failures of type `NexusFailure` with all that as JSON, or what the metadata says that they are.)
fn plain_failure(failure: nexus::Failure) -> Result<Failure, ServerError> {
    if !failure.metadata.is_empty() || !failure.details.is_empty() {
        return Err(ServerError::unsupported("Nexus failures with metadata or details"));
    }
    Ok(Failure {
        message: failure.message,
        stack_trace: failure.stack_trace,
        cause: failure.cause.map(|cause| plain_failure(*cause)).transpose()?.map(Box::new),
        ..Failure::default()
    })
}

const FINAL_ERRORS: [&str; 6] =
    ["BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "NOT_FOUND", "NOT_IMPLEMENTED", "CONFLICT"];
