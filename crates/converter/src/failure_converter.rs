//! Failures ⇄ the messages in which they travel.

use serde_json::Value as Json;
use timewright_proto::common::{ActivityType, Payloads, WorkflowExecution, WorkflowType};
use timewright_proto::enums;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{self as proto, CanceledFailureInfo, ServerFailureInfo, TerminatedFailureInfo};

use crate::failure::MAXIMUM_CAUSES;
use crate::{ErrorCategory, Failure, FailureKind, NexusRetryBehavior, Payload, RetryState, TimeoutType, Value};

/// What stands for a message that is encoded; the text that all SDKs use.
const ENCODED_MESSAGE: &str = "Encoded failure";

/// Turns failures into messages and back. Both ways must accept whatever comes; there is nobody to tell.
///
/// See <https://docs.temporal.io/failure-converter>.
pub trait FailureConverter: Send + Sync + 'static {
    /// The failure as it travels.
    fn serialize(&self, failure: &Failure) -> proto::Failure;

    /// The failure that arrived.
    fn deserialize(&self, failure: proto::Failure) -> Failure;
}

/// The Failure Converter that all SDKs have: nothing is lost either way, except causes deeper than
/// [`MAXIMUM_CAUSES`](crate::MAXIMUM_CAUSES).
///
/// ```
/// use timewright_converter::{ApplicationFailure, DefaultFailureConverter, Failure, FailureConverter};
///
/// let converter = DefaultFailureConverter { encode_common_attributes: true };
/// let failure = Failure::from(ApplicationFailure::new("Ada's card was refused").with_type("CardDeclined"));
/// let message = converter.serialize(&failure);
/// assert_eq!(message.message, "Encoded failure");
/// assert_eq!(converter.deserialize(message), failure);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DefaultFailureConverter {
    /// Whether message and stack trace are moved into a Payload, which codecs can encrypt. The server and the Web UI then
    /// show `Encoded failure` instead. The types of failures stay readable: retry policies need them.
    pub encode_common_attributes: bool,
}

impl FailureConverter for DefaultFailureConverter {
    fn serialize(&self, failure: &Failure) -> proto::Failure {
        let sent: Vec<&Failure> = failure.chain().take(MAXIMUM_CAUSES + 1).collect();
        let left_out = failure.chain().skip(sent.len()).count();
        let last = (left_out > 0).then(|| {
            let note = Failure::new(format!("{left_out} further causes are left out"), FailureKind::Unknown);
            Box::new(self.level_to_proto(&note))
        });
        let mut cause = last;
        for level in sent.iter().skip(1).rev() {
            cause = Some(Box::new(proto::Failure { cause, ..self.level_to_proto(level) }));
        }
        proto::Failure { cause, ..self.level_to_proto(failure) }
    }

    fn deserialize(&self, failure: proto::Failure) -> Failure {
        // Level by level, so that no depth of nesting can exhaust the stack.
        let mut levels = Vec::new();
        let mut next = Some(failure);
        while let Some(mut level) = next {
            next = level.cause.take().map(|cause| *cause);
            levels.push(level_from_proto(level));
        }
        let mut levels = levels.into_iter().rev();
        let innermost = levels.next().unwrap_or_else(|| Failure::new("", FailureKind::Unknown));
        levels.fold(innermost, |cause, level| Failure { cause: Some(Box::new(cause)), ..level })
    }
}

impl DefaultFailureConverter {
    fn level_to_proto(self, failure: &Failure) -> proto::Failure {
        let mut level = proto::Failure {
            message: failure.message.clone(),
            source: failure.source.clone(),
            stack_trace: failure.stack_trace.clone(),
            encoded_attributes: failure.encoded_attributes.clone(),
            cause: None,
            failure_info: kind_to_proto(&failure.kind),
        };
        if self.encode_common_attributes && level.encoded_attributes.is_none() {
            let message = std::mem::replace(&mut level.message, ENCODED_MESSAGE.to_owned());
            let attributes = encoded_attributes(message, std::mem::take(&mut level.stack_trace));
            // Two texts can always be written; could they not, hiding them would matter more than showing them.
            level.encoded_attributes = Some(attributes.to_payload().unwrap_or_default());
        }
        level
    }
}

/// The failure without its cause.
fn level_from_proto(failure: proto::Failure) -> Failure {
    let mut level = Failure {
        message: failure.message,
        source: failure.source,
        stack_trace: failure.stack_trace,
        encoded_attributes: None,
        kind: failure.failure_info.map_or(FailureKind::Unknown, kind_from_proto),
        cause: None,
    };
    if let Some(payload) = failure.encoded_attributes {
        match Json::from_payload(payload.clone()).ok().and_then(decoded_attributes) {
            Some((message, stack_trace)) => (level.message, level.stack_trace) = (message, stack_trace),
            // A codec is missing here, say. Whom this failure is passed on to may have it.
            None => level.encoded_attributes = Some(payload),
        }
    }
    level
}

/// What `encoded_attributes` holds, in the JSON that all SDKs write. By hand: for serde's macros every program would wait.
fn encoded_attributes(message: String, stack_trace: String) -> Json {
    [(MESSAGE, message), (STACK_TRACE, stack_trace)].into_iter().collect()
}

/// Message and stack trace, if that is what it holds. What is left out is empty.
fn decoded_attributes(mut attributes: Json) -> Option<(String, String)> {
    let attributes = attributes.as_object_mut()?;
    let mut text = |name| match attributes.remove(name) {
        Some(Json::String(text)) => Some(text),
        Some(_) => None,
        None => Some(String::new()),
    };
    Some((text(MESSAGE)?, text(STACK_TRACE)?))
}

const MESSAGE: &str = "message";
const STACK_TRACE: &str = "stack_trace";

fn kind_to_proto(kind: &FailureKind) -> Option<FailureInfo> {
    Some(match kind.clone() {
        FailureKind::Activity {
            activity_type,
            activity_id,
            scheduled_event_id,
            started_event_id,
            identity,
            retry_state,
        } => FailureInfo::ActivityFailureInfo(proto::ActivityFailureInfo {
            scheduled_event_id,
            started_event_id,
            identity,
            activity_type: Some(ActivityType { name: activity_type }),
            activity_id,
            retry_state: retry_state.to_proto(),
        }),
        FailureKind::Application { type_name, non_retryable, details, next_retry_delay, category } => {
            FailureInfo::ApplicationFailureInfo(proto::ApplicationFailureInfo {
                r#type: type_name,
                non_retryable,
                details: payloads(details),
                // None would mean another thing: that the Retry Policy decides.
                next_retry_delay: next_retry_delay.map(timewright_proto::to_duration),
                category: category.to_proto(),
            })
        }
        FailureKind::Cancelled { details, identity } => {
            FailureInfo::CanceledFailureInfo(CanceledFailureInfo { details: payloads(details), identity })
        }
        FailureKind::ChildWorkflow {
            namespace,
            workflow_id,
            run_id,
            workflow_type,
            initiated_event_id,
            started_event_id,
            retry_state,
        } => FailureInfo::ChildWorkflowExecutionFailureInfo(proto::ChildWorkflowExecutionFailureInfo {
            namespace,
            workflow_execution: Some(WorkflowExecution { workflow_id, run_id }),
            workflow_type: Some(WorkflowType { name: workflow_type }),
            initiated_event_id,
            started_event_id,
            retry_state: retry_state.to_proto(),
        }),
        FailureKind::NexusHandler { type_name, retry_behavior } => {
            FailureInfo::NexusHandlerFailureInfo(proto::NexusHandlerFailureInfo {
                r#type: type_name,
                retry_behavior: retry_behavior.to_proto(),
            })
        }
        FailureKind::NexusOperation {
            scheduled_event_id,
            endpoint,
            service,
            operation,
            operation_id,
            operation_token,
        } => FailureInfo::NexusOperationExecutionFailureInfo(proto::NexusOperationFailureInfo {
            scheduled_event_id,
            endpoint,
            service,
            operation,
            operation_id,
            operation_token,
        }),
        FailureKind::ResetWorkflow { last_heartbeat_details } => {
            FailureInfo::ResetWorkflowFailureInfo(proto::ResetWorkflowFailureInfo {
                last_heartbeat_details: last_heartbeat_details.map(|payloads| Payloads { payloads }),
            })
        }
        FailureKind::Server { non_retryable } => FailureInfo::ServerFailureInfo(ServerFailureInfo { non_retryable }),
        FailureKind::Terminated { identity } => FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo { identity }),
        FailureKind::Timeout { timeout_type, last_heartbeat_details } => {
            FailureInfo::TimeoutFailureInfo(proto::TimeoutFailureInfo {
                timeout_type: timeout_type.to_proto(),
                last_heartbeat_details: last_heartbeat_details.map(|payloads| Payloads { payloads }),
            })
        }
        FailureKind::Unknown => return None,
    })
}

fn kind_from_proto(info: FailureInfo) -> FailureKind {
    match info {
        FailureInfo::ActivityFailureInfo(info) => FailureKind::Activity {
            activity_type: info.activity_type.unwrap_or_default().name,
            activity_id: info.activity_id,
            scheduled_event_id: info.scheduled_event_id,
            started_event_id: info.started_event_id,
            identity: info.identity,
            retry_state: RetryState::from_proto(info.retry_state),
        },
        FailureInfo::ApplicationFailureInfo(info) => FailureKind::Application {
            type_name: info.r#type,
            non_retryable: info.non_retryable,
            details: info.details.unwrap_or_default().payloads,
            // A negative delay is none.
            next_retry_delay: info.next_retry_delay.as_ref().and_then(timewright_proto::from_duration),
            category: ErrorCategory::from_proto(info.category),
        },
        FailureInfo::CanceledFailureInfo(info) => {
            FailureKind::Cancelled { details: info.details.unwrap_or_default().payloads, identity: info.identity }
        }
        FailureInfo::ChildWorkflowExecutionFailureInfo(info) => {
            let WorkflowExecution { workflow_id, run_id } = info.workflow_execution.unwrap_or_default();
            FailureKind::ChildWorkflow {
                namespace: info.namespace,
                workflow_id,
                run_id,
                workflow_type: info.workflow_type.unwrap_or_default().name,
                initiated_event_id: info.initiated_event_id,
                started_event_id: info.started_event_id,
                retry_state: RetryState::from_proto(info.retry_state),
            }
        }
        FailureInfo::NexusHandlerFailureInfo(info) => FailureKind::NexusHandler {
            type_name: info.r#type,
            retry_behavior: NexusRetryBehavior::from_proto(info.retry_behavior),
        },
        FailureInfo::NexusOperationExecutionFailureInfo(info) => FailureKind::NexusOperation {
            scheduled_event_id: info.scheduled_event_id,
            endpoint: info.endpoint,
            service: info.service,
            operation: info.operation,
            operation_id: info.operation_id,
            operation_token: info.operation_token,
        },
        FailureInfo::ResetWorkflowFailureInfo(info) => FailureKind::ResetWorkflow {
            last_heartbeat_details: info.last_heartbeat_details.map(|details| details.payloads),
        },
        FailureInfo::ServerFailureInfo(info) => FailureKind::Server { non_retryable: info.non_retryable },
        FailureInfo::TerminatedFailureInfo(info) => FailureKind::Terminated { identity: info.identity },
        FailureInfo::TimeoutFailureInfo(info) => FailureKind::Timeout {
            timeout_type: TimeoutType::from_proto(info.timeout_type),
            last_heartbeat_details: info.last_heartbeat_details.map(|details| details.payloads),
        },
    }
}

/// Details that were not given are not sent as an empty list.
fn payloads(details: Vec<Payload>) -> Option<Payloads> {
    (!details.is_empty()).then_some(Payloads { payloads: details })
}

impl TimeoutType {
    fn to_proto(self) -> i32 {
        match self {
            Self::Heartbeat => enums::TimeoutType::Heartbeat.into(),
            Self::ScheduleToClose => enums::TimeoutType::ScheduleToClose.into(),
            Self::ScheduleToStart => enums::TimeoutType::ScheduleToStart.into(),
            Self::StartToClose => enums::TimeoutType::StartToClose.into(),
            Self::Unspecified => enums::TimeoutType::Unspecified.into(),
            Self::Other(number) => number,
        }
    }

    fn from_proto(number: i32) -> Self {
        match enums::TimeoutType::try_from(number) {
            Ok(enums::TimeoutType::Heartbeat) => Self::Heartbeat,
            Ok(enums::TimeoutType::ScheduleToClose) => Self::ScheduleToClose,
            Ok(enums::TimeoutType::ScheduleToStart) => Self::ScheduleToStart,
            Ok(enums::TimeoutType::StartToClose) => Self::StartToClose,
            Ok(enums::TimeoutType::Unspecified) => Self::Unspecified,
            Err(_) => Self::Other(number),
        }
    }
}

impl RetryState {
    fn to_proto(self) -> i32 {
        match self {
            Self::CancelRequested => enums::RetryState::CancelRequested.into(),
            Self::InProgress => enums::RetryState::InProgress.into(),
            Self::InternalServerError => enums::RetryState::InternalServerError.into(),
            Self::MaximumAttemptsReached => enums::RetryState::MaximumAttemptsReached.into(),
            Self::NonRetryableFailure => enums::RetryState::NonRetryableFailure.into(),
            Self::RetryPolicyNotSet => enums::RetryState::RetryPolicyNotSet.into(),
            Self::Timeout => enums::RetryState::Timeout.into(),
            Self::Unspecified => enums::RetryState::Unspecified.into(),
            Self::Other(number) => number,
        }
    }

    fn from_proto(number: i32) -> Self {
        match enums::RetryState::try_from(number) {
            Ok(enums::RetryState::CancelRequested) => Self::CancelRequested,
            Ok(enums::RetryState::InProgress) => Self::InProgress,
            Ok(enums::RetryState::InternalServerError) => Self::InternalServerError,
            Ok(enums::RetryState::MaximumAttemptsReached) => Self::MaximumAttemptsReached,
            Ok(enums::RetryState::NonRetryableFailure) => Self::NonRetryableFailure,
            Ok(enums::RetryState::RetryPolicyNotSet) => Self::RetryPolicyNotSet,
            Ok(enums::RetryState::Timeout) => Self::Timeout,
            Ok(enums::RetryState::Unspecified) => Self::Unspecified,
            Err(_) => Self::Other(number),
        }
    }
}

impl ErrorCategory {
    fn to_proto(self) -> i32 {
        match self {
            Self::Benign => enums::ApplicationErrorCategory::Benign.into(),
            Self::Unspecified => enums::ApplicationErrorCategory::Unspecified.into(),
            Self::Other(number) => number,
        }
    }

    fn from_proto(number: i32) -> Self {
        match enums::ApplicationErrorCategory::try_from(number) {
            Ok(enums::ApplicationErrorCategory::Benign) => Self::Benign,
            Ok(enums::ApplicationErrorCategory::Unspecified) => Self::Unspecified,
            Err(_) => Self::Other(number),
        }
    }
}

impl NexusRetryBehavior {
    fn to_proto(self) -> i32 {
        match self {
            Self::NonRetryable => enums::NexusHandlerErrorRetryBehavior::NonRetryable.into(),
            Self::Retryable => enums::NexusHandlerErrorRetryBehavior::Retryable.into(),
            Self::Unspecified => enums::NexusHandlerErrorRetryBehavior::Unspecified.into(),
            Self::Other(number) => number,
        }
    }

    fn from_proto(number: i32) -> Self {
        match enums::NexusHandlerErrorRetryBehavior::try_from(number) {
            Ok(enums::NexusHandlerErrorRetryBehavior::NonRetryable) => Self::NonRetryable,
            Ok(enums::NexusHandlerErrorRetryBehavior::Retryable) => Self::Retryable,
            Ok(enums::NexusHandlerErrorRetryBehavior::Unspecified) => Self::Unspecified,
            Err(_) => Self::Other(number),
        }
    }
}
