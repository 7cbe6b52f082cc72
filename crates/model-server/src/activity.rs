//! The life of activities.
//!
//! ```text
//!            schedule             poll                complete, fail for good, cancel, time out
//!   Command ─────────▶ Waiting ─────────▶ Started ────────────────────────────────────────────▶ outcome
//!                         ▲                  │ fail, time out, and the retry policy allows another attempt
//!                         └── BackingOff ◀───┘
//! ```
//!
//! Facts (server 1.32):
//! - `ActivityTaskStarted` is recorded only together with the outcome, with the attempt that had it and the failure of the
//!   attempt before; what happens between attempts leaves no Event.
//! - Every activity has a retry policy, the server's default if the Command has none.
//! - A cancellation ends retries: a failure or time-out after it is the outcome, with retry state `CancelRequested`.
//! - A worker may answer "cancelled" only where a cancellation was requested.
//! - When a schedule-to-close time-out ends an activity, or the time left is too short for another attempt after a
//!   time-out, the outcome is a schedule-to-close time-out whose cause is the last attempt's failure.

use std::time::Duration;

use timewright_proto::common::{Payloads, RetryPolicy};
use timewright_proto::enums::{RetryState, TimeoutType};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{Failure, TimeoutFailureInfo};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    ActivityTaskCanceledEventAttributes, ActivityTaskCompletedEventAttributes, ActivityTaskFailedEventAttributes,
    ActivityTaskScheduledEventAttributes, ActivityTaskStartedEventAttributes, ActivityTaskTimedOutEventAttributes,
};

use crate::error::ServerError;
use crate::execution::{Context, Effect, Execution, after};
use crate::retry::next_interval;
use crate::time::{Time, checked_duration};
use crate::token::ActivityTaskToken;

/// An activity without an outcome.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    pub(crate) scheduled: ActivityTaskScheduledEventAttributes,
    pub(crate) attempt: i32,
    pub(crate) state: ActivityState,
    pub(crate) first_scheduled_at: Time,
    /// When this attempt was or will be put into the queue.
    pub(crate) scheduled_at: Time,
    pub(crate) heartbeat_details: Option<Payloads>,
    last_heartbeat_at: Option<Time>,
    last_failure: Option<Failure>,
    /// The Event that recorded the request to cancel.
    pub(crate) cancel_requested: Option<i64>,
}

/// Where an attempt is.
#[derive(Debug, Clone)]
pub(crate) enum ActivityState {
    /// It waits for its time.
    BackingOff,
    /// It is in the queue.
    Waiting,
    /// A worker has it.
    Started { at: Time, identity: String, request_id: String },
}

/// What a worker, or time, says of an attempt.
enum Outcome {
    Completed { result: Option<Payloads>, identity: String },
    Failed { failure: Failure, retry_state: RetryState, identity: String },
    TimedOut { failure: Failure, retry_state: RetryState },
    Cancelled { requested_event_id: i64, details: Option<Payloads>, identity: String },
}

impl Activity {
    pub(crate) fn new(scheduled: ActivityTaskScheduledEventAttributes, now: Time) -> Self {
        Self {
            scheduled,
            attempt: 1,
            state: ActivityState::Waiting,
            first_scheduled_at: now,
            scheduled_at: now,
            heartbeat_details: None,
            last_heartbeat_at: None,
            last_failure: None,
            cancel_requested: None,
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        matches!(self.state, ActivityState::Started { .. })
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.scheduled.retry_policy.clone().unwrap_or_default()
    }

    /// The end of all attempts.
    fn expires(&self) -> Option<Time> {
        after(self.first_scheduled_at, checked_duration(self.scheduled.schedule_to_close_timeout.as_ref()))
    }

    /// What can time out now, and when. Retries keep to the schedule-to-start time-out too, each from its own moment.
    fn timeouts(&self) -> impl Iterator<Item = (Time, TimeoutType)> {
        let scheduled = &self.scheduled;
        let timeout = |start: Option<Time>, wire: Option<&_>| after(start?, checked_duration(wire));
        let started_at = match self.state {
            ActivityState::Started { at, .. } => Some(at),
            ActivityState::BackingOff | ActivityState::Waiting => None,
        };
        let waits_since = started_at.is_none().then_some(self.scheduled_at);
        let last_sign_of_life = self.last_heartbeat_at.filter(|_| started_at.is_some()).max(started_at);
        [
            (timeout(started_at, scheduled.start_to_close_timeout.as_ref()), TimeoutType::StartToClose),
            (timeout(waits_since, scheduled.schedule_to_start_timeout.as_ref()), TimeoutType::ScheduleToStart),
            (self.expires(), TimeoutType::ScheduleToClose),
            (timeout(last_sign_of_life, scheduled.heartbeat_timeout.as_ref()), TimeoutType::Heartbeat),
        ]
        .into_iter()
        .filter_map(|(time, timeout_type)| Some((time?, timeout_type)))
    }
}

impl Execution {
    /// A worker takes the attempt.
    pub(crate) fn start_activity(&mut self, scheduled_event_id: i64, identity: &str, context: &mut Context<'_>) {
        if let Some(activity) = self.activities.get_mut(&scheduled_event_id) {
            activity.state = ActivityState::Started {
                at: context.now,
                identity: identity.to_owned(),
                request_id: context.random.uuid(),
            };
        }
    }

    /// The running attempt that a token names.
    pub(crate) fn started_activity(&mut self, token: &ActivityTaskToken) -> Result<&mut Activity, ServerError> {
        self.check_running()?;
        self.activities
            .get_mut(&token.scheduled_event_id)
            .filter(|activity| activity.is_started() && activity.attempt == token.attempt)
            .ok_or_else(|| {
                ServerError::NotFound(
                    "invalid activityID or activity already timed out or invoking workflow is completed".into(),
                )
            })
    }

    pub(crate) fn complete_activity(
        &mut self,
        token: &ActivityTaskToken,
        result: Option<Payloads>,
        identity: String,
        context: &mut Context<'_>,
    ) -> Result<(), ServerError> {
        self.started_activity(token)?;
        self.end_activity(token.scheduled_event_id, Outcome::Completed { result, identity }, context);
        self.wake_worker(context);
        Ok(())
    }

    pub(crate) fn fail_activity(
        &mut self,
        token: &ActivityTaskToken,
        failure: Failure,
        heartbeat_details: Option<Payloads>,
        identity: String,
        context: &mut Context<'_>,
    ) -> Result<(), ServerError> {
        let activity = self.started_activity(token)?;
        if heartbeat_details.is_some() {
            activity.heartbeat_details = heartbeat_details;
        }
        if let Err(retry_state) = self.retry_activity(token.scheduled_event_id, &failure, context) {
            let outcome = Outcome::Failed { failure, retry_state, identity };
            self.end_activity(token.scheduled_event_id, outcome, context);
            self.wake_worker(context);
        }
        Ok(())
    }

    pub(crate) fn cancel_activity(
        &mut self,
        token: &ActivityTaskToken,
        details: Option<Payloads>,
        identity: String,
        context: &mut Context<'_>,
    ) -> Result<(), ServerError> {
        let Some(requested_event_id) = self.started_activity(token)?.cancel_requested else {
            return Err(ServerError::InvalidArgument(
                "unable to mark activity as canceled without activity being request canceled first".into(),
            ));
        };
        let outcome = Outcome::Cancelled { requested_event_id, details, identity };
        self.end_activity(token.scheduled_event_id, outcome, context);
        self.wake_worker(context);
        Ok(())
    }

    /// Returns whether a cancellation is requested.
    pub(crate) fn heartbeat_activity(
        &mut self,
        token: &ActivityTaskToken,
        details: Option<Payloads>,
        context: &mut Context<'_>,
    ) -> Result<bool, ServerError> {
        let activity = self.started_activity(token)?;
        activity.last_heartbeat_at = Some(context.now);
        activity.heartbeat_details = details;
        Ok(activity.cancel_requested.is_some())
    }

    /// The workflow asks to cancel an activity that no worker has: it is cancelled at once.
    pub(crate) fn cancel_waiting_activity(
        &mut self,
        scheduled_event_id: i64,
        requested_event_id: i64,
        details: Payloads,
        identity: String,
        context: &mut Context<'_>,
    ) {
        let outcome = Outcome::Cancelled { requested_event_id, details: Some(details), identity };
        self.end_activity(scheduled_event_id, outcome, context);
    }

    pub(crate) fn next_activity_timeout(&self) -> Option<Time> {
        self.activities.values().flat_map(Activity::timeouts).map(|(time, _)| time).min()
    }

    /// Fact (server 1.32): what is due together comes in the order of time, activity, kind of time-out; a retry that this
    /// causes is spared what was due for the attempt before.
    pub(crate) fn time_out_activities(&mut self, context: &mut Context<'_>) {
        let mut due: Vec<(Time, i64, TimeoutType, i32)> = self
            .activities
            .iter()
            .flat_map(|(id, activity)| {
                activity.timeouts().map(|(time, timeout_type)| (time, *id, timeout_type, activity.attempt))
            })
            .filter(|(time, ..)| *time <= context.now)
            .collect();
        due.sort_unstable();
        let mut has_outcome = false;
        for (_, scheduled_event_id, timeout_type, attempt) in due {
            if self.activities.get(&scheduled_event_id).is_some_and(|activity| activity.attempt == attempt) {
                has_outcome |= self.time_out_activity(scheduled_event_id, timeout_type, context);
            }
        }
        if has_outcome {
            self.wake_worker(context);
        }
    }

    pub(crate) fn next_activity_retry(&self) -> Option<Time> {
        let backing_off =
            self.activities.values().filter(|activity| matches!(activity.state, ActivityState::BackingOff));
        backing_off.map(|activity| activity.scheduled_at).min()
    }

    pub(crate) fn retry_activities(&mut self, context: &mut Context<'_>) {
        for (scheduled_event_id, activity) in &mut self.activities {
            if matches!(activity.state, ActivityState::BackingOff) && activity.scheduled_at <= context.now {
                activity.state = ActivityState::Waiting;
                self.outbox.push(Effect::DispatchActivity { scheduled_event_id: *scheduled_event_id });
            }
        }
    }

    /// Returns whether that was the activity's outcome.
    fn time_out_activity(
        &mut self,
        scheduled_event_id: i64,
        timeout_type: TimeoutType,
        context: &mut Context<'_>,
    ) -> bool {
        let mut failure = timeout_failure(format!("activity {timeout_type:?} timeout"), timeout_type);
        let Err(retry_state) = self.retry_activity(scheduled_event_id, &failure, context) else { return false };
        if retry_state == RetryState::Timeout && timeout_type != TimeoutType::ScheduleToStart {
            failure = timeout_failure(OUT_OF_TIME.into(), TimeoutType::ScheduleToClose);
        }
        if let Some(activity) = self.activities.get(&scheduled_event_id) {
            failure.cause = activity.last_failure.clone().map(Box::new);
            if let Some(FailureInfo::TimeoutFailureInfo(timeout)) = &mut failure.failure_info {
                timeout.last_heartbeat_details.clone_from(&activity.heartbeat_details);
            }
        }
        self.end_activity(scheduled_event_id, Outcome::TimedOut { failure, retry_state }, context);
        true
    }

    /// Prepares another attempt, or says why there is none.
    fn retry_activity(
        &mut self,
        scheduled_event_id: i64,
        failure: &Failure,
        context: &mut Context<'_>,
    ) -> Result<(), RetryState> {
        let Some(activity) = self.activities.get_mut(&scheduled_event_id) else { return Ok(()) };
        if activity.cancel_requested.is_some() {
            return Err(RetryState::CancelRequested);
        }
        if let Some(FailureInfo::TimeoutFailureInfo(timeout)) = &failure.failure_info
            && matches!(timeout.timeout_type(), TimeoutType::ScheduleToStart | TimeoutType::ScheduleToClose)
        {
            return Err(RetryState::Timeout);
        }
        let interval =
            next_interval(&activity.retry_policy(), activity.attempt, failure, context.now, activity.expires())?;
        activity.attempt += 1;
        activity.state = ActivityState::BackingOff;
        activity.scheduled_at = context.now + interval;
        activity.last_failure = Some(failure.clone());
        if interval == Duration::ZERO {
            self.retry_activities(context);
        }
        Ok(())
    }

    fn end_activity(&mut self, scheduled_event_id: i64, outcome: Outcome, context: &mut Context<'_>) {
        let Some(activity) = self.activities.remove(&scheduled_event_id) else { return };
        if let ActivityState::Started { at, identity, request_id } = activity.state {
            let started = ActivityTaskStartedEventAttributes {
                scheduled_event_id,
                identity,
                request_id,
                attempt: activity.attempt,
                last_failure: activity.last_failure,
                ..ActivityTaskStartedEventAttributes::default()
            };
            self.events.buffer(at, Attributes::ActivityTaskStartedEventAttributes(started.into()));
        }
        self.events.buffer(context.now, outcome_attributes(scheduled_event_id, outcome));
    }
}

/// The Event's `started_event_id` is filled in when it is written.
fn outcome_attributes(scheduled_event_id: i64, outcome: Outcome) -> Attributes {
    match outcome {
        Outcome::Completed { result, identity } => Attributes::ActivityTaskCompletedEventAttributes(
            ActivityTaskCompletedEventAttributes {
                scheduled_event_id,
                result,
                identity,
                ..ActivityTaskCompletedEventAttributes::default()
            }
            .into(),
        ),
        Outcome::Failed { failure, retry_state, identity } => Attributes::ActivityTaskFailedEventAttributes(
            ActivityTaskFailedEventAttributes {
                scheduled_event_id,
                failure: Some(failure),
                retry_state: retry_state.into(),
                identity,
                ..ActivityTaskFailedEventAttributes::default()
            }
            .into(),
        ),
        Outcome::TimedOut { failure, retry_state } => Attributes::ActivityTaskTimedOutEventAttributes(
            ActivityTaskTimedOutEventAttributes {
                scheduled_event_id,
                failure: Some(failure),
                retry_state: retry_state.into(),
                ..ActivityTaskTimedOutEventAttributes::default()
            }
            .into(),
        ),
        Outcome::Cancelled { requested_event_id, details, identity } => {
            Attributes::ActivityTaskCanceledEventAttributes(
                ActivityTaskCanceledEventAttributes {
                    scheduled_event_id,
                    latest_cancel_requested_event_id: requested_event_id,
                    details,
                    identity,
                    ..ActivityTaskCanceledEventAttributes::default()
                }
                .into(),
            )
        }
    }
}

/// A time-out as the server words it.
pub(crate) fn timeout_failure(message: String, timeout_type: TimeoutType) -> Failure {
    Failure {
        message,
        source: "Server".into(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: timeout_type.into(),
            last_heartbeat_details: None,
        })),
        ..Failure::default()
    }
}

const OUT_OF_TIME: &str =
    "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying";
