//! Local Activities: what the worker executes by itself, and what the history notes of it.
//!
//! Live, each outcome is an Activation of its own, in the order in which they arrive, and its marker says which Activation of
//! the Workflow Task that was. On replay the markers of a task's record are outcomes in their order. Those of one Activation
//! come together; old histories do not say it, and there all come together whose Local Activities are scheduled.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use timewright_proto::common::{ActivityType, Payload};
use timewright_proto::enums::{RetryState, TimeoutType};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ActivityFailureInfo, Failure, TimeoutFailureInfo};
use timewright_proto::temporal::api::sdk::v1::EventGroupMarker;

use super::activity::cancelled;
use super::queue::{What, user_metadata};
use super::{CommandError, Operations, Place, count_up};
use crate::workflow::activation::{Backoff, Job, LocalActivityResolution};
use crate::workflow::command::ScheduleLocalActivity;
use crate::workflow::event::{LocalActivityMarker, Marker};
use crate::workflow::machines::Effect;
use crate::workflow::machines::local_activity::{Input, State};
use crate::workflow::output::{LocalActivityAttempt, LocalActivityOutcome, Output, StartLocalActivity};
use crate::workflow::retry::{Next, next_attempt};

/// The Local Activities of a Run.
#[derive(Debug, Clone, Default)]
pub(super) struct LocalActivities {
    open: BTreeMap<u32, LocalActivity>,
    /// Outcomes in the record of the task that user code goes through.
    noted: VecDeque<Box<LocalActivityMarker>>,
    /// Outcomes that user code has not heard of.
    finished: VecDeque<LocalActivityMarker>,
    /// How many Activations of this task user code has gone through.
    activations: u64,
}

#[derive(Debug, Clone)]
struct LocalActivity {
    state: State,
    schedule: ScheduleLocalActivity,
    activity_id: String,
    attempt: u32,
    original_schedule_time: SystemTime,
    /// What its marker belongs to.
    event_groups: Vec<EventGroupMarker>,
}

/// News of Local Activities for one Activation.
#[derive(Debug, Default)]
pub(crate) struct LocalActivityNews {
    pub(crate) jobs: Vec<Job>,
    /// The workflow's time is not before this.
    pub(crate) time: Option<SystemTime>,
}

impl LocalActivities {
    pub(super) fn note(&mut self, marker: Box<LocalActivityMarker>) {
        self.noted.push_back(marker);
    }

    /// How many bytes this takes. An estimate.
    pub(super) fn bytes(&self) -> u64 {
        let arguments = self.open.values().flat_map(|activity| &activity.schedule.arguments);
        let payloads = arguments.map(|payload| payload.data.len()).sum::<usize>();
        (payloads + self.open.len() * size_of::<LocalActivity>()) as u64
    }
}

impl Operations {
    pub(super) fn schedule_local_activity(
        &mut self,
        schedule: ScheduleLocalActivity,
        place: Place,
    ) -> Result<(), CommandError> {
        let sequence = schedule.sequence;
        count_up("activity", &mut self.last_sequences.activity, sequence)?;
        if schedule.start_to_close_timeout.or(schedule.schedule_to_close_timeout).is_none() {
            return Err(CommandError::NoTimeout { activity_type: schedule.activity_type });
        }
        // Nobody is there to hear of it, also where the history has its outcome.
        if self.ended {
            return Ok(());
        }
        let machine = LocalActivity {
            state: State::Scheduled,
            activity_id: schedule.activity_id.clone().unwrap_or_else(|| sequence.to_string()),
            attempt: schedule.attempt.max(1),
            original_schedule_time: schedule.original_schedule_time.unwrap_or(place.time),
            event_groups: self.queue.event_groups().to_vec(),
            schedule,
        };
        self.local_activities.open.insert(sequence, machine);
        Ok(())
    }

    /// Too late, or never scheduled: nothing to do.
    pub(super) fn cancel_local_activity(&mut self, sequence: u32, jobs: &mut Vec<Job>) {
        let Some(activity) = self.local_activities.open.get_mut(&sequence) else { return };
        let Ok((state, effect)) = activity.state.handle(Input::Cancel(activity.schedule.cancellation_type)) else {
            return;
        };
        activity.state = state;
        if effect.issues_cancel() {
            self.outputs.push(Output::CancelLocalActivity { sequence });
        }
        if effect.tells_cancelled() {
            let marker = LocalActivityMarker {
                complete_time: None,
                activation_index: Some(self.local_activities.activations),
                ..activity.marker(sequence, Err(Box::new(cancelled("Activity cancelled", Vec::new()))))
            };
            jobs.extend(self.close_local_activity(marker));
        }
    }

    /// A task begins. What the record of the one before noted was heard.
    pub(crate) fn begin_task(&mut self) {
        self.local_activities.noted.clear();
        self.local_activities.activations = 0;
        self.notes.forget_ahead();
    }

    /// User code goes through one more Activation.
    pub(crate) fn count_activation(&mut self) {
        self.local_activities.activations = self.local_activities.activations.saturating_add(1);
    }

    /// Outcomes that the record has for this Activation: beside other news, or, where there is none, by themselves.
    pub(crate) fn recall_local_activities(&mut self, by_themselves: bool) -> LocalActivityNews {
        let mut news = LocalActivityNews::default();
        if by_themselves && let Some(next) = self.next_noted() {
            let index = next.activation_index.unwrap_or(0);
            self.local_activities.activations = self.local_activities.activations.max(index);
        }
        while let Some(next) = self.next_noted()
            && next.activation_index.is_none_or(|index| index <= self.local_activities.activations)
            && let Some(marker) = self.local_activities.noted.pop_front()
        {
            news.time = news.time.max(marker.complete_time);
            news.jobs.extend(self.resolve_local_activity(*marker));
        }
        news
    }

    /// The next outcome that is noted, if its Local Activity is scheduled. One that user code cancelled without waiting for it
    /// has been heard of already.
    fn next_noted(&mut self) -> Option<&LocalActivityMarker> {
        let LocalActivities { open, noted, .. } = &mut self.local_activities;
        let last = self.last_sequences.activity;
        while noted.front().is_some_and(|next| next.sequence <= last && !open.contains_key(&next.sequence)) {
            noted.pop_front();
        }
        noted.front().map(|next| &**next).filter(|next| open.contains_key(&next.sequence))
    }

    /// The history has no outcome of those that are scheduled: the worker executes them.
    pub(crate) fn execute_local_activities(&mut self) {
        if self.ended {
            return;
        }
        let LocalActivities { open, finished, .. } = &mut self.local_activities;
        for (sequence, activity) in open {
            let Ok((state, effect)) = activity.state.handle(Input::Execute) else { continue };
            activity.state = state;
            match effect {
                Effect::Execute => {
                    self.outputs.push(Output::StartLocalActivity(Box::new(activity.start(*sequence, Duration::ZERO))));
                }
                Effect::Finish => {
                    let failure = Box::new(cancelled("Activity cancelled", Vec::new()));
                    finished.push_back(activity.marker(*sequence, Err(failure)));
                }
                _ => (),
            }
        }
    }

    /// Whether the worker executes some, or user code has not heard of an outcome, which would be lost with the Run. Those that
    /// nobody was asked to execute, since only a Query led to them, do not count.
    pub(crate) fn has_local_activities(&self) -> bool {
        self.local_activities.open.values().any(LocalActivity::is_executed)
    }

    /// Takes an attempt that is over. One that is given up, or that user code does not wait for, is none of our business.
    pub(crate) fn handle_attempt(&mut self, attempt: LocalActivityAttempt) {
        let LocalActivityAttempt { sequence, attempt, outcome, finished_at } = attempt;
        let LocalActivities { open, finished, .. } = &mut self.local_activities;
        let Some(activity) = open.get_mut(&sequence) else { return };
        let is_expected = attempt == activity.attempt && activity.is_executed();
        if !is_expected || finished.iter().any(|marker| marker.sequence == sequence) {
            return;
        }
        let next = match activity.state {
            State::Cancelling => Next::GiveUp,
            _ => activity.next_attempt(&outcome, finished_at),
        };
        let mut marker = activity.marker(sequence, outcome.into_result());
        marker.complete_time = Some(finished_at);
        match next {
            Next::Retry { delay } if delay > activity.schedule.local_retry_threshold => marker.backoff = Some(delay),
            Next::Retry { delay } => {
                if let Ok((State::Executing, Effect::Execute)) = activity.state.handle(Input::FailedAttempt) {
                    activity.attempt = activity.attempt.saturating_add(1);
                    self.outputs.push(Output::StartLocalActivity(Box::new(activity.start(sequence, delay))));
                    return;
                }
            }
            Next::GiveUp => (),
        }
        finished.push_back(marker);
    }

    /// The next outcome that user code has not heard of, for an Activation of its own.
    pub(crate) fn next_finished_local_activity(&mut self, place: Place) -> Option<LocalActivityNews> {
        while let Some(mut marker) = self.local_activities.finished.pop_front() {
            if !self.local_activities.open.contains_key(&marker.sequence) {
                continue;
            }
            let time = marker.complete_time.unwrap_or(place.time).max(place.time);
            marker.complete_time = Some(time);
            marker.activation_index = Some(self.local_activities.activations);
            let jobs = self.resolve_local_activity(marker).into_iter().collect();
            return Some(LocalActivityNews { jobs, time: Some(time) });
        }
        None
    }

    /// The workflow has ended, or the Run is dropped: nobody waits for what is executed.
    pub(crate) fn give_up_local_activities(&mut self) {
        let open = std::mem::take(&mut self.local_activities.open);
        // Others were told before, or never began.
        let untold = open.into_iter().filter(|(_, activity)| activity.state == State::Executing);
        self.outputs.extend(untold.map(|(sequence, _)| Output::CancelLocalActivity { sequence }));
    }

    /// Tells user code the outcome, if it waits for one.
    fn resolve_local_activity(&mut self, marker: LocalActivityMarker) -> Option<Job> {
        let activity = self.local_activities.open.get(&marker.sequence)?;
        match activity.state.handle(Input::Outcome) {
            Ok((State::Closed, Effect::Resolve)) => self.close_local_activity(marker),
            _ => None,
        }
    }

    /// Notes the outcome, and what to tell user code.
    fn close_local_activity(&mut self, marker: LocalActivityMarker) -> Option<Job> {
        let sequence = marker.sequence;
        let activity = self.local_activities.open.remove(&sequence)?;
        let resolution = activity.resolution(&marker);
        let what = What::LocalActivityMarker {
            sequence,
            activity_id: activity.activity_id,
            activity_type: activity.schedule.activity_type,
        };
        let metadata = user_metadata(activity.schedule.summary, None);
        let around = self.queue.enter_event_groups(activity.event_groups);
        self.record_marker(what, Marker::LocalActivity(Box::new(marker)), metadata);
        self.queue.enter_event_groups(around);
        Some(Job::ResolveLocalActivity { sequence, resolution })
    }
}

impl LocalActivity {
    fn is_executed(&self) -> bool {
        matches!(self.state, State::Executing | State::Cancelling)
    }

    fn start(&self, sequence: u32, delay: Duration) -> StartLocalActivity {
        let schedule = &self.schedule;
        StartLocalActivity {
            sequence,
            attempt: self.attempt,
            delay,
            activity_id: self.activity_id.clone(),
            activity_type: schedule.activity_type.clone(),
            header: schedule.header.clone(),
            arguments: schedule.arguments.clone(),
            schedule_to_close_timeout: schedule.schedule_to_close_timeout,
            schedule_to_start_timeout: schedule.schedule_to_start_timeout,
            start_to_close_timeout: schedule.start_to_close_timeout,
            retry_policy: schedule.retry_policy.clone(),
            original_schedule_time: self.original_schedule_time,
        }
    }

    fn next_attempt(&self, outcome: &LocalActivityOutcome, finished_at: SystemTime) -> Next {
        let failure = match outcome {
            LocalActivityOutcome::Failed(failure) => Some(&**failure),
            LocalActivityOutcome::TimedOut(TimeoutType::StartToClose) => None,
            _ => return Next::GiveUp,
        };
        let deadline = self
            .schedule
            .schedule_to_close_timeout
            .and_then(|timeout| self.original_schedule_time.checked_add(timeout));
        match next_attempt(self.schedule.retry_policy.as_ref(), self.attempt, failure) {
            Next::Retry { delay } => {
                let starts = finished_at.checked_add(delay);
                let is_too_late = deadline.is_some_and(|deadline| starts.is_none_or(|starts| starts >= deadline));
                if is_too_late { Next::GiveUp } else { Next::Retry { delay } }
            }
            Next::GiveUp => Next::GiveUp,
        }
    }

    fn marker(&self, sequence: u32, outcome: Result<Option<Payload>, Box<Failure>>) -> LocalActivityMarker {
        LocalActivityMarker {
            sequence,
            attempt: self.attempt,
            activity_id: self.activity_id.clone(),
            activity_type: self.schedule.activity_type.clone(),
            complete_time: None,
            backoff: None,
            original_schedule_time: Some(self.original_schedule_time),
            activation_index: None,
            outcome,
        }
    }

    /// What user code is told. It depends on nothing but what is noted, so that a replay tells the same.
    fn resolution(&self, marker: &LocalActivityMarker) -> LocalActivityResolution {
        if let Some(delay) = marker.backoff {
            return LocalActivityResolution::Backoff(Backoff {
                attempt: marker.attempt.saturating_add(1),
                delay,
                original_schedule_time: marker.original_schedule_time.unwrap_or(self.original_schedule_time),
            });
        }
        let failure = match &marker.outcome {
            Ok(result) => return LocalActivityResolution::Completed(result.clone()),
            Err(failure) => failure,
        };
        match &failure.failure_info {
            Some(FailureInfo::CanceledFailureInfo(_)) => LocalActivityResolution::Cancelled(Box::new(self.failure(
                "Local Activity cancelled",
                failure,
                RetryState::CancelRequested,
            ))),
            Some(FailureInfo::TimeoutFailureInfo(_)) => LocalActivityResolution::Failed(Box::new(self.failure(
                "Local Activity timed out",
                failure,
                RetryState::Timeout,
            ))),
            // Its failure names it already.
            Some(FailureInfo::ActivityFailureInfo(_)) => LocalActivityResolution::Failed(failure.clone()),
            Some(FailureInfo::ApplicationFailureInfo(info)) if info.non_retryable => LocalActivityResolution::Failed(
                Box::new(self.failure("Local Activity failed", failure, RetryState::NonRetryableFailure)),
            ),
            _ => LocalActivityResolution::Failed(Box::new(self.failure(
                "Local Activity failed",
                failure,
                RetryState::Unspecified,
            ))),
        }
    }

    fn failure(&self, message: &str, cause: &Failure, retry_state: RetryState) -> Failure {
        Failure {
            message: message.to_owned(),
            cause: Some(Box::new(cause.clone())),
            failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
                activity_type: Some(ActivityType { name: self.schedule.activity_type.clone() }),
                activity_id: self.activity_id.clone(),
                retry_state: retry_state.into(),
                ..ActivityFailureInfo::default()
            })),
            ..Failure::default()
        }
    }
}

impl LocalActivityOutcome {
    /// As it is noted.
    fn into_result(self) -> Result<Option<Payload>, Box<Failure>> {
        match self {
            Self::Completed(result) => Ok(result),
            Self::Failed(failure) => Err(failure),
            Self::TimedOut(timeout_type) => Err(Box::new(Failure {
                message: "Activity timed out".to_owned(),
                failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
                    timeout_type: timeout_type.into(),
                    ..TimeoutFailureInfo::default()
                })),
                ..Failure::default()
            })),
            Self::Cancelled { details } => Err(Box::new(cancelled("Activity cancelled", details))),
        }
    }
}
