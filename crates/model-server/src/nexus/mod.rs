//! The life of a workflow's Nexus operations.
//!
//! ```text
//!            schedule         starts                    callback: completes, fails, is cancelled
//!   Command ─────────▶ Sent ─────────▶ Started ──────────────────────────────────────────────────▶ outcome
//!                      │  ▲                                                                          ▲
//!       can be tried   ▼  │ back-off is over                 answers at once, final error, callback  │
//!              BackingOff ─┘                       Sent, BackingOff ─────────────────────────────────┘
//! ```
//!
//! A request to cancel is sent and tried again in the same way, once the operation has started, and leaves the operation as
//! it is.
//!
//! Facts (server 1.32):
//! - Each attempt is a request to the endpoint, of ten seconds or what is left of schedule-to-start, or without one of
//!   schedule-to-close. Where less than a second and a half is left, no request is made, and the operation times out at
//!   once.
//! - An attempt that fails so that it can be tried again, or gets no answer, leaves no Event. The next comes after a
//!   second, doubled each time up to an hour. (The server takes up to a fifth off, by chance; the model does not. It also
//!   stops asking an endpoint for a while that failed five times in a row; the model does not.)
//! - A callback before the operation has started brings its `NexusOperationStarted` first, with the token of the callback.
//! - A cancellation that was requested before the start is sent after it; start-to-close does not count then.
//! - Events of requests to cancel may be ignored by workers. All Events but those of Commands wake the worker.
//! - The end of an operation forgets its cancellation, also where that is being sent.

mod failure;
mod replay;
mod requests;
mod transitions;

use std::time::Duration;

use timewright_proto::common::Payload;
use timewright_proto::enums::TimeoutType;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{Failure, NexusOperationFailureInfo};
use timewright_proto::history::NexusOperationScheduledEventAttributes;

use crate::execution::after;
use crate::time::{Time, checked_duration};

pub(crate) use failure::{operation_cancelled, operation_terminated, operation_timed_out, outcome_of_workflow};
pub(crate) use replay::{end_of_nexus_operation, news_of_nexus_operation};
pub(crate) use requests::{Answer, CALLBACK_TOKEN_HEADER, NexusRequest, NexusRequests, OPERATION_TOKEN_HEADER};

/// An operation without an outcome.
#[derive(Debug, Clone)]
pub(crate) struct NexusOperation {
    pub(crate) scheduled: NexusOperationScheduledEventAttributes,
    scheduled_at: Time,
    /// Its start.
    request: Request,
    pub(crate) started: Option<StartedOperation>,
    pub(crate) cancellation: Option<Cancellation>,
}

/// What is known of an operation since it started.
#[derive(Debug, Clone)]
pub(crate) struct StartedOperation {
    at: Time,
    pub(crate) token: String,
    /// When start-to-close is over.
    expires: Option<Time>,
}

/// A request to cancel an operation.
#[derive(Debug, Clone)]
pub(crate) struct Cancellation {
    requested_event_id: i64,
    /// `None` until the operation has started.
    request: Option<Request>,
}

/// A request to an endpoint, with all its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) attempt: i32,
    state: RequestState,
}

#[derive(Debug, Clone, Copy)]
enum RequestState {
    /// Until then an answer counts.
    Sent { expires: Time, without_answer: WithoutAnswer },
    /// Until then it waits for the next attempt.
    BackingOff { until: Time },
    /// There will be no other attempt.
    Done,
}

/// What it means that an attempt's time is over.
#[derive(Debug, Clone, Copy)]
enum WithoutAnswer {
    /// There may be another attempt.
    Retry,
    /// No request was made: there was too little time for one.
    TooLate(TimeoutType),
    /// No request was made: there is no such endpoint any more.
    NoEndpoint,
}

/// Which of an operation's two requests is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestKind {
    Start,
    Cancel,
}

/// What came of an attempt to start an operation.
#[derive(Debug, Clone)]
pub(crate) enum StartOutcome {
    Started {
        token: String,
    },
    Completed(Option<Payload>),
    /// Also a cancellation, as the failure says.
    Failed(Failure),
    HandlerError(Failure),
    /// An answer that says nothing.
    NoOutcome,
}

/// Something of an operation that happens by itself. What is due together comes in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    TimedOut(TimeoutType),
    Request(RequestKind),
}

impl Request {
    fn new() -> Self {
        Self { attempt: 1, state: RequestState::Done }
    }

    fn next(&self) -> Option<Time> {
        match self.state {
            RequestState::Sent { expires, .. } => Some(expires),
            RequestState::BackingOff { until } => Some(until),
            RequestState::Done => None,
        }
    }

    fn back_off(&mut self, now: Time) {
        let doublings = u32::try_from(self.attempt - 1).unwrap_or_default().min(LONGEST_BACKOFF.as_secs().ilog2() + 1);
        let backoff = (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF);
        self.attempt += 1;
        self.state = RequestState::BackingOff { until: now + backoff };
    }

    fn is_sent(&self, attempt: i32) -> bool {
        self.attempt == attempt && matches!(self.state, RequestState::Sent { .. })
    }
}

impl NexusOperation {
    pub(crate) fn new(scheduled: NexusOperationScheduledEventAttributes, now: Time) -> Self {
        Self { scheduled, scheduled_at: now, request: Request::new(), started: None, cancellation: None }
    }

    fn start(&mut self, token: String, at: Time) {
        let timeout = checked_duration(self.scheduled.start_to_close_timeout.as_ref());
        let expires = after(at, timeout).filter(|_| self.cancellation.is_none());
        self.started = Some(StartedOperation { at, token, expires });
        self.request.state = RequestState::Done;
    }

    pub(crate) fn request(&self, kind: RequestKind) -> Option<&Request> {
        match kind {
            RequestKind::Start => Some(&self.request),
            RequestKind::Cancel => self.cancellation.as_ref()?.request.as_ref(),
        }
    }

    fn request_mut(&mut self, kind: RequestKind) -> Option<&mut Request> {
        match kind {
            RequestKind::Start => Some(&mut self.request),
            RequestKind::Cancel => self.cancellation.as_mut()?.request.as_mut(),
        }
    }

    /// How long the handler may work on the operation, as it is told.
    pub(crate) fn time_for_handler(&self, now: Time) -> Option<Duration> {
        let start_to_close = checked_duration(self.scheduled.start_to_close_timeout.as_ref());
        let start_to_close = (!start_to_close.is_zero()).then_some(start_to_close);
        let rest = self.schedule_to_close().map(|expires| expires.saturating_sub(now));
        [start_to_close, rest].into_iter().flatten().min()
    }

    fn schedule_to_close(&self) -> Option<Time> {
        after(self.scheduled_at, checked_duration(self.scheduled.schedule_to_close_timeout.as_ref()))
    }

    fn schedule_to_start(&self) -> Option<Time> {
        after(self.scheduled_at, checked_duration(self.scheduled.schedule_to_start_timeout.as_ref()))
    }

    /// The end of the operation's time, as far as an attempt must keep to it.
    ///
    /// Fact (server 1.32): where a cancellation has two limits, it is schedule-to-close that is blamed.
    fn limit(&self, kind: RequestKind) -> Option<(Time, TimeoutType)> {
        let close = self.schedule_to_close().map(|time| (time, TimeoutType::ScheduleToClose));
        match kind {
            RequestKind::Start => self.schedule_to_start().map(|time| (time, TimeoutType::ScheduleToStart)).or(close),
            RequestKind::Cancel => {
                let started_at = self.started.as_ref()?.at;
                let timeout = checked_duration(self.scheduled.start_to_close_timeout.as_ref());
                let start_to_close = after(started_at, timeout).map(|time| (time, TimeoutType::StartToClose));
                match (start_to_close, close) {
                    (Some((time, _)), Some((limit, timeout_type))) => Some((time.min(limit), timeout_type)),
                    (start_to_close, close) => start_to_close.or(close),
                }
            }
        }
    }

    fn due(&self) -> impl Iterator<Item = (Time, Due)> {
        let timed_out = |time: Option<Time>, timeout_type| time.map(|time| (time, Due::TimedOut(timeout_type)));
        let request = |kind| self.request(kind)?.next().map(|time| (time, Due::Request(kind)));
        let is_started = self.started.is_some();
        [
            timed_out(self.schedule_to_close(), TimeoutType::ScheduleToClose),
            timed_out(self.schedule_to_start().filter(|_| !is_started), TimeoutType::ScheduleToStart),
            timed_out(self.started.as_ref().and_then(|started| started.expires), TimeoutType::StartToClose),
            request(RequestKind::Start),
            request(RequestKind::Cancel),
        ]
        .into_iter()
        .flatten()
    }

    /// Facts (server 1.32): it names the operation and, since it has started, its token, twice; it has no source.
    fn failure(&self, scheduled_event_id: i64, cause: Failure) -> Failure {
        let scheduled = &self.scheduled;
        let token = self.started.as_ref().map_or("", |started| &started.token);
        Failure {
            message: "nexus operation completed unsuccessfully".into(),
            cause: Some(Box::new(cause)),
            failure_info: Some(FailureInfo::NexusOperationExecutionFailureInfo(NexusOperationFailureInfo {
                scheduled_event_id,
                endpoint: scheduled.endpoint.clone(),
                service: scheduled.service.clone(),
                operation: scheduled.operation.clone(),
                operation_id: token.to_owned(),
                operation_token: token.to_owned(),
            })),
            ..Failure::default()
        }
    }
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const LEAST_REQUEST_TIMEOUT: Duration = Duration::from_millis(1_500);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(3_600);
