//! What happens to the Nexus operations of a run.

use timewright_proto::common::Payload;
use timewright_proto::enums::TimeoutType;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    NexusOperationCancelRequestCompletedEventAttributes, NexusOperationCancelRequestFailedEventAttributes,
    NexusOperationCanceledEventAttributes, NexusOperationCompletedEventAttributes, NexusOperationFailedEventAttributes,
    NexusOperationStartedEventAttributes, NexusOperationTimedOutEventAttributes,
};

use super::failure::{is_retryable, no_endpoint, no_time_to_cancel, timed_out};
use super::{
    Cancellation, Due, LEAST_REQUEST_TIMEOUT, NexusOperation, REQUEST_TIMEOUT, Request, RequestKind, RequestState,
    StartOutcome, WithoutAnswer,
};
use crate::execution::{Context, Effect, Execution};
use crate::time::Time;

impl Execution {
    /// Asks the endpoint for the first time, or again.
    pub(crate) fn send_nexus_request(&mut self, id: i64, kind: RequestKind, now: Time) {
        let Some(operation) = self.nexus_operations.get_mut(&id) else { return };
        let limit = operation.limit(kind);
        let Some(request) = operation.request_mut(kind) else { return };
        let expires = limit.map_or(now + REQUEST_TIMEOUT, |(time, _)| time.min(now + REQUEST_TIMEOUT));
        request.state = match limit {
            Some((_, timeout_type)) if expires.saturating_sub(now) < LEAST_REQUEST_TIMEOUT => {
                RequestState::Sent { expires: now, without_answer: WithoutAnswer::TooLate(timeout_type) }
            }
            _ => {
                self.outbox.push(Effect::SendNexusRequest { scheduled_event_id: id, kind, expires });
                RequestState::Sent { expires, without_answer: WithoutAnswer::Retry }
            }
        };
    }

    /// There is nobody to ask.
    pub(crate) fn miss_nexus_endpoint(&mut self, id: i64, kind: RequestKind, now: Time) {
        let request = self.nexus_operations.get_mut(&id).and_then(|operation| operation.request_mut(kind));
        if let Some(request) = request {
            request.state = RequestState::Sent { expires: now, without_answer: WithoutAnswer::NoEndpoint };
        }
    }

    /// The worker asks to cancel.
    pub(crate) fn cancel_nexus_operation(&mut self, id: i64, requested_event_id: i64, now: Time) {
        let Some(operation) = self.nexus_operations.get_mut(&id) else { return };
        let is_started = operation.started.is_some();
        operation.cancellation = Some(Cancellation { requested_event_id, request: is_started.then(Request::new) });
        if is_started {
            self.send_nexus_request(id, RequestKind::Cancel, now);
        }
    }

    /// An attempt to start has been answered. Answers to what has been decided otherwise are nobody's concern.
    pub(crate) fn answer_nexus_start(
        &mut self,
        id: i64,
        attempt: i32,
        outcome: StartOutcome,
        context: &mut Context<'_>,
    ) {
        self.leaves_no_trace = true;
        let Some(operation) = self.nexus_operations.get_mut(&id).filter(|o| o.request.is_sent(attempt)) else { return };
        self.leaves_no_trace = false;
        match outcome {
            StartOutcome::Started { token } => {
                self.start_nexus_operation(id, token, context);
                self.wake_worker(context);
            }
            StartOutcome::Completed(result) => self.end_nexus_operation(id, Ok(result), context),
            StartOutcome::Failed(failure) => self.end_nexus_operation(id, Err(failure), context),
            StartOutcome::HandlerError(failure) if !is_retryable(&failure) => {
                self.fail_nexus_operation(id, failure, context);
            }
            StartOutcome::HandlerError(_) | StartOutcome::NoOutcome => operation.request.back_off(context.now),
        }
    }

    /// An attempt to cancel has been answered; `Err` is a handler error.
    pub(crate) fn answer_nexus_cancel(
        &mut self,
        id: i64,
        attempt: i32,
        answer: Result<(), Failure>,
        context: &mut Context<'_>,
    ) {
        self.leaves_no_trace = true;
        let Some(operation) = self.nexus_operations.get_mut(&id) else { return };
        let Some(request) = operation.request_mut(RequestKind::Cancel).filter(|r| r.is_sent(attempt)) else { return };
        self.leaves_no_trace = false;
        match answer {
            Err(failure) if is_retryable(&failure) => request.back_off(context.now),
            Err(failure) => self.end_nexus_cancellation(id, Some(failure), context),
            Ok(()) => self.end_nexus_cancellation(id, None, context),
        }
    }

    /// The operation has ended, and its handler calls back. Returns whether anybody waited for that.
    pub(crate) fn call_back_nexus_operation(
        &mut self,
        id: i64,
        request_id: &str,
        token: &str,
        outcome: Result<Option<Payload>, Failure>,
        context: &mut Context<'_>,
    ) -> bool {
        self.leaves_no_trace = true;
        let operation = self.nexus_operations.get(&id).filter(|operation| operation.scheduled.request_id == request_id);
        let Some(operation) = operation else { return false };
        self.leaves_no_trace = false;
        if operation.started.is_none() {
            self.start_nexus_operation(id, token.to_owned(), context);
        }
        self.end_nexus_operation(id, outcome, context);
        true
    }

    pub(crate) fn next_nexus_deadline(&self) -> Option<Time> {
        self.nexus_operations.values().flat_map(NexusOperation::due).map(|(time, _)| time).min()
    }

    /// Does the first that is due, and only that: the real server also does each for itself.
    pub(crate) fn handle_nexus_deadline(&mut self, context: &mut Context<'_>) {
        let due = self.nexus_operations.iter().flat_map(|(id, o)| o.due().map(|(time, due)| (time, *id, due))).min();
        let Some((_, id, due)) = due.filter(|(time, ..)| *time <= context.now) else { return };
        match due {
            Due::TimedOut(timeout_type) => self.time_out_nexus_operation(id, timeout_type, context),
            Due::Request(kind) => self.end_nexus_attempt(id, kind, context),
        }
    }

    fn end_nexus_attempt(&mut self, id: i64, kind: RequestKind, context: &mut Context<'_>) {
        let Some(operation) = self.nexus_operations.get_mut(&id) else { return };
        let Some(request) = operation.request_mut(kind) else { return };
        let RequestState::Sent { without_answer, .. } = request.state else {
            self.send_nexus_request(id, kind, context.now);
            return;
        };
        match (without_answer, kind) {
            (WithoutAnswer::Retry, _) => request.back_off(context.now),
            (WithoutAnswer::TooLate(timeout_type), RequestKind::Start) => {
                self.time_out_nexus_operation(id, timeout_type, context);
            }
            (WithoutAnswer::TooLate(timeout_type), RequestKind::Cancel) => {
                self.end_nexus_cancellation(id, Some(no_time_to_cancel(timeout_type)), context);
            }
            (WithoutAnswer::NoEndpoint, RequestKind::Start) => self.fail_nexus_operation(id, no_endpoint(), context),
            (WithoutAnswer::NoEndpoint, RequestKind::Cancel) => {
                self.end_nexus_cancellation(id, Some(no_endpoint()), context);
            }
        }
    }

    /// To wake the worker is the caller's.
    fn start_nexus_operation(&mut self, id: i64, token: String, context: &mut Context<'_>) {
        let Some(operation) = self.nexus_operations.get_mut(&id) else { return };
        let started = NexusOperationStartedEventAttributes {
            scheduled_event_id: id,
            operation_id: token.clone(),
            request_id: operation.scheduled.request_id.clone(),
            operation_token: token.clone(),
        };
        operation.start(token, context.now);
        if let Some(cancellation) = &mut operation.cancellation {
            cancellation.request = Some(Request::new());
            self.send_nexus_request(id, RequestKind::Cancel, context.now);
        }
        self.events.buffer(context.now, Attributes::NexusOperationStartedEventAttributes(started.into()));
    }

    /// Fact (server 1.32): what the handler says is the cause of the operation's failure; a failure that is a cancellation
    /// cancels the operation, whoever asked for that.
    fn end_nexus_operation(&mut self, id: i64, outcome: Result<Option<Payload>, Failure>, context: &mut Context<'_>) {
        let failure = match outcome {
            Ok(result) => {
                let Some(operation) = self.nexus_operations.remove(&id) else { return };
                let completed = NexusOperationCompletedEventAttributes {
                    scheduled_event_id: id,
                    result,
                    request_id: operation.scheduled.request_id,
                };
                self.events.buffer(context.now, Attributes::NexusOperationCompletedEventAttributes(completed.into()));
                self.wake_worker(context);
                return;
            }
            Err(failure) => failure,
        };
        if !matches!(failure.failure_info, Some(FailureInfo::CanceledFailureInfo(_))) {
            self.fail_nexus_operation(id, failure, context);
            return;
        }
        let Some(operation) = self.nexus_operations.remove(&id) else { return };
        let cancelled = NexusOperationCanceledEventAttributes {
            scheduled_event_id: id,
            failure: Some(operation.failure(id, failure)),
            request_id: operation.scheduled.request_id,
        };
        self.events.buffer(context.now, Attributes::NexusOperationCanceledEventAttributes(cancelled.into()));
        self.wake_worker(context);
    }

    fn fail_nexus_operation(&mut self, id: i64, cause: Failure, context: &mut Context<'_>) {
        let Some(operation) = self.nexus_operations.remove(&id) else { return };
        let failed = NexusOperationFailedEventAttributes {
            scheduled_event_id: id,
            failure: Some(operation.failure(id, cause)),
            request_id: operation.scheduled.request_id,
        };
        self.events.buffer(context.now, Attributes::NexusOperationFailedEventAttributes(failed.into()));
        self.wake_worker(context);
    }

    fn time_out_nexus_operation(&mut self, id: i64, timeout_type: TimeoutType, context: &mut Context<'_>) {
        let Some(operation) = self.nexus_operations.remove(&id) else { return };
        let cause = timed_out(timeout_type);
        let timed_out = NexusOperationTimedOutEventAttributes {
            scheduled_event_id: id,
            failure: Some(operation.failure(id, cause)),
            request_id: operation.scheduled.request_id,
        };
        self.events.buffer(context.now, Attributes::NexusOperationTimedOutEventAttributes(timed_out.into()));
        self.wake_worker(context);
    }

    fn end_nexus_cancellation(&mut self, id: i64, failure: Option<Failure>, context: &mut Context<'_>) {
        let Some(operation) = self.nexus_operations.get_mut(&id) else { return };
        let Some(cancellation) = &mut operation.cancellation else { return };
        let requested_event_id = cancellation.requested_event_id;
        if let Some(request) = &mut cancellation.request {
            request.state = RequestState::Done;
        }
        let attributes = match failure {
            None => Attributes::NexusOperationCancelRequestCompletedEventAttributes(
                NexusOperationCancelRequestCompletedEventAttributes {
                    requested_event_id,
                    scheduled_event_id: id,
                    ..NexusOperationCancelRequestCompletedEventAttributes::default()
                }
                .into(),
            ),
            Some(failure) => Attributes::NexusOperationCancelRequestFailedEventAttributes(
                NexusOperationCancelRequestFailedEventAttributes {
                    requested_event_id,
                    failure: Some(failure),
                    scheduled_event_id: id,
                    ..NexusOperationCancelRequestFailedEventAttributes::default()
                }
                .into(),
            ),
        };
        self.events.buffer(context.now, attributes);
        self.wake_worker(context);
    }
}
