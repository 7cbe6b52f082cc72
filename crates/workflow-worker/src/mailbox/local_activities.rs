//! Local Activities that wait over a durable timer for their next attempt.
//!
//! User code sees one operation, named by the number of its first attempt. Each attempt behind a timer has a number of its own
//! in the history, which it gets when the timer has fired. What is to be done for it is done when the news comes in, whether or
//! not anybody waits for the handle.

use std::collections::BTreeMap;
use std::task::Waker;

use timewright_proto::common::ActivityType;
use timewright_proto::enums::RetryState;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ActivityFailureInfo, CanceledFailureInfo, Failure};
use timewright_protocol::workflow::{Command, LocalActivityResolution, Resolution, ScheduleLocalActivity, StartTimer};

use super::{LocalActivity, Mailbox, Scope};

#[derive(Debug, Default)]
pub(super) struct LocalActivities {
    /// By the number of the first attempt.
    open: BTreeMap<u32, Open>,
    /// The numbers of the attempts that are under way.
    by_attempt: BTreeMap<u32, u32>,
    by_timer: BTreeMap<u32, u32>,
}

#[derive(Debug)]
struct Open {
    /// The attempt that is under way, or the next one.
    schedule: ScheduleLocalActivity,
    scope: Scope,
    /// The timer that it waits for.
    timer: Option<u32>,
    cancel_requested: bool,
}

impl LocalActivities {
    /// The Local Activity that waits for this timer.
    pub(super) fn take_timer(&mut self, timer: u32) -> Option<u32> {
        self.by_timer.remove(&timer)
    }
}

impl Mailbox {
    /// Schedules a Local Activity; `None` where it would be cancelled at once.
    #[track_caller]
    pub(crate) fn schedule_local_activity(&mut self, scope: &Scope, schedule: ScheduleLocalActivity) -> Option<u32> {
        let mut scheduled = schedule;
        let first = self.start::<LocalActivity>(scope, |sequence| {
            scheduled.sequence = sequence;
            Command::ScheduleLocalActivity(Box::new(scheduled.clone()))
        })?;
        self.local_activities.by_attempt.insert(first, first);
        let open = Open { schedule: scheduled, scope: scope.clone(), timer: None, cancel_requested: false };
        self.local_activities.open.insert(first, open);
        Some(first)
    }

    /// The number of the first attempt of what this is an attempt of.
    pub(crate) fn first_attempt(&self, sequence: u32) -> Option<u32> {
        self.local_activities.by_attempt.get(&sequence).copied()
    }

    pub(super) fn resolve_local_activity(
        &mut self,
        sequence: u32,
        resolution: LocalActivityResolution,
    ) -> Option<Waker> {
        let LocalActivities { open, by_attempt, by_timer } = &mut self.local_activities;
        let first = by_attempt.remove(&sequence)?;
        let activity = open.get_mut(&first)?;
        let resolution = match resolution {
            LocalActivityResolution::Completed(result) => Resolution::Completed(result),
            LocalActivityResolution::Failed(failure) => Resolution::Failed(failure),
            LocalActivityResolution::Cancelled(failure) => Resolution::Cancelled(failure),
            LocalActivityResolution::Backoff(_) if activity.cancel_requested => activity.cancelled(),
            LocalActivityResolution::Backoff(backoff) => {
                self.last_numbers.timer += 1;
                let timer = self.last_numbers.timer;
                let start = StartTimer { sequence: timer, duration: backoff.delay, summary: None };
                self.commands.push(activity.scope.grouped(Command::StartTimer(start)));
                activity.schedule.attempt = backoff.attempt;
                activity.schedule.original_schedule_time = Some(backoff.original_schedule_time);
                activity.timer = Some(timer);
                by_timer.insert(timer, first);
                return None;
            }
        };
        open.remove(&first);
        self.end_local_activity(first, resolution)
    }

    /// What interceptors have not been told of by now they are not told any more.
    fn end_local_activity(&mut self, first: u32, resolution: Resolution) -> Option<Waker> {
        if let Some(hooks) = &self.hooks {
            hooks.forget_local_activity(first);
        }
        self.resolve::<LocalActivity>(first, resolution)
    }

    /// Its timer has fired.
    pub(super) fn try_local_activity_again(&mut self, first: u32) {
        let Some(activity) = self.local_activities.open.get_mut(&first) else { return };
        self.last_numbers.activity += 1;
        activity.timer = None;
        activity.schedule.sequence = self.last_numbers.activity;
        self.local_activities.by_attempt.insert(activity.schedule.sequence, first);
        let again = Command::ScheduleLocalActivity(Box::new(activity.schedule.clone()));
        self.commands.push(activity.scope.grouped(again));
    }

    pub(super) fn cancel_local_activity(&mut self, first: u32) -> Option<Waker> {
        let LocalActivities { open, by_timer, .. } = &mut self.local_activities;
        let activity = open.get_mut(&first)?;
        let Some(timer) = activity.timer.take() else {
            activity.cancel_requested = true;
            self.commands.push(Command::CancelLocalActivity { sequence: activity.schedule.sequence });
            return None;
        };
        by_timer.remove(&timer);
        let resolution = activity.cancelled();
        open.remove(&first);
        self.commands.push(Command::CancelTimer { sequence: timer });
        self.end_local_activity(first, resolution)
    }
}

impl Open {
    /// It was cancelled between two attempts, so that nobody else says so.
    fn cancelled(&self) -> Resolution {
        let sequence = self.schedule.sequence;
        let cause = Failure {
            message: "Activity cancelled".to_owned(),
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
            ..Failure::default()
        };
        Resolution::Cancelled(Box::new(Failure {
            message: "Local Activity cancelled".to_owned(),
            cause: Some(Box::new(cause)),
            failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
                activity_type: Some(ActivityType { name: self.schedule.activity_type.clone() }),
                activity_id: self.schedule.activity_id.clone().unwrap_or_else(|| sequence.to_string()),
                retry_state: RetryState::CancelRequested.into(),
                ..ActivityFailureInfo::default()
            })),
            ..Failure::default()
        }))
    }
}
