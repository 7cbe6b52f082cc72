//! What executes Local Activities: it takes what the Runs say of them, and holds them to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use timewright_proto::common::Payload;
use timewright_proto::enums::TimeoutType;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, CanceledFailureInfo, Failure};
use timewright_proto::to_duration;
use timewright_protocol::workflow::{
    ActivityCancellationType, Command, Job, LocalActivityAttempt, LocalActivityOutcome, RunKey, StartLocalActivity,
};

use crate::script::Script;

/// The Local Activities of all Runs that are there.
#[derive(Debug, Default)]
pub(crate) struct Executor {
    local_activities: BTreeMap<(RunKey, u32), LocalActivity>,
    /// Those of which nobody is told that they are cancelled.
    go_on: BTreeSet<(RunKey, u32)>,
}

#[derive(Debug)]
struct LocalActivity {
    /// The last attempt that was started.
    attempt: u32,
    /// It is executed.
    is_executed: bool,
    is_cancelled: bool,
    /// User code was told its outcome, or does not wait for it any more.
    is_told: bool,
}

impl Executor {
    /// How many Local Activities are executed.
    pub(crate) fn len(&self) -> usize {
        self.executed().count()
    }

    /// Whether user code of this Run waits for a Local Activity.
    pub(crate) fn is_awaited(&self, key: &RunKey) -> bool {
        self.of(key).any(|activity| !activity.is_told)
    }

    /// Begins an attempt. It may be waiting for its delay, or running; nobody can see that.
    pub(crate) fn start(&mut self, key: &RunKey, start: &StartLocalActivity) {
        let id = (key.clone(), start.sequence);
        if let Some(before) = self.local_activities.get(&id) {
            let is_next = !before.is_executed && start.attempt == before.attempt.saturating_add(1);
            assert!(is_next, "attempt {} is started, but {before:?}", start.attempt);
            assert!(!before.is_told && !before.is_cancelled, "it has ended and is started again: {before:?}");
        }
        assert!(start.attempt > 0, "{start:?}");
        let started = LocalActivity { attempt: start.attempt, is_executed: true, is_cancelled: false, is_told: false };
        self.local_activities.insert(id, started);
    }

    pub(crate) fn cancel(&mut self, key: &RunKey, sequence: u32) {
        let activity = self.local_activities.get_mut(&(key.clone(), sequence));
        let activity = activity.expect("a Local Activity is cancelled that was never started");
        assert!(!activity.is_told && !activity.is_cancelled, "it has ended and is cancelled: {activity:?}");
        activity.is_cancelled = true;
    }

    /// User code asks for something.
    pub(crate) fn note(&mut self, key: &RunKey, command: &Command) {
        match command {
            Command::ScheduleLocalActivity(schedule)
                if schedule.cancellation_type == ActivityCancellationType::Abandon =>
            {
                self.go_on.insert((key.clone(), schedule.sequence));
            }
            Command::CancelLocalActivity { sequence } => {
                let id = (key.clone(), *sequence);
                if self.go_on.contains(&id)
                    && let Some(activity) = self.local_activities.get_mut(&id)
                {
                    activity.is_told = true;
                }
            }
            _ => (),
        }
    }

    /// User code is told something.
    pub(crate) fn hear(&mut self, key: &RunKey, job: &Job) {
        if let Job::ResolveLocalActivity { sequence, .. } = job
            && let Some(activity) = self.local_activities.get_mut(&(key.clone(), *sequence))
        {
            activity.is_told = true;
        }
    }

    /// The answer to a Workflow Task asks for the next one, or it does not.
    pub(crate) fn complete(&self, key: &RunKey, force_new_task: bool) {
        if force_new_task {
            assert!(self.is_awaited(key), "a Workflow Task is forced, but there is no Local Activity");
        } else {
            self.assert_given_up(key);
        }
    }

    /// The Run has left.
    pub(crate) fn evict(&mut self, key: &RunKey) {
        self.assert_given_up(key);
        self.local_activities.retain(|(of, _), _| of != key);
        self.go_on.retain(|(of, _)| of != key);
    }

    /// Ends an attempt, as the script says; where it says nothing, it completes.
    pub(crate) fn finish(&mut self, script: &mut Script<'_>) -> Option<(RunKey, LocalActivityAttempt)> {
        let executed = self.executed().count();
        let which = script.below(executed);
        let (key, sequence) = self.executed().nth(which)?.0.clone();
        let activity = self.local_activities.get_mut(&(key.clone(), sequence))?;
        activity.is_executed = false;
        let attempt = LocalActivityAttempt {
            sequence,
            attempt: activity.attempt,
            outcome: outcome(script),
            finished_at: finished_at(script),
        };
        Some((key, attempt))
    }

    /// An attempt that nobody executes.
    pub(crate) fn stale(&self, key: &RunKey, script: &mut Script<'_>) -> LocalActivityAttempt {
        let sequence = script.number();
        let attempt = match self.local_activities.get(&(key.clone(), sequence)) {
            Some(activity) if activity.is_executed => activity.attempt.wrapping_add(1 + script.number() % 8),
            Some(activity) => activity.attempt,
            None => script.number(),
        };
        LocalActivityAttempt { sequence, attempt, outcome: outcome(script), finished_at: finished_at(script) }
    }

    fn executed(&self) -> impl Iterator<Item = (&(RunKey, u32), &LocalActivity)> {
        self.local_activities.iter().filter(|(_, activity)| activity.is_executed)
    }

    fn of<'a>(&'a self, key: &'a RunKey) -> impl Iterator<Item = &'a LocalActivity> {
        self.local_activities.iter().filter(move |((of, _), _)| of == key).map(|(_, activity)| activity)
    }

    fn assert_given_up(&self, key: &RunKey) {
        let forgotten = self.of(key).find(|activity| !activity.is_told && !activity.is_cancelled);
        assert!(forgotten.is_none(), "nobody waits for it any more, but it was not cancelled: {forgotten:?}");
    }
}

fn outcome(script: &mut Script<'_>) -> LocalActivityOutcome {
    match script.below(8) {
        0 => LocalActivityOutcome::Completed(None),
        1 => LocalActivityOutcome::Completed(Some(Payload::default())),
        2 => LocalActivityOutcome::Cancelled { details: Vec::new() },
        3 => LocalActivityOutcome::TimedOut(TimeoutType::StartToClose),
        4 => LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToClose),
        5 => LocalActivityOutcome::Failed(Box::new(Failure {
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
            ..Failure::default()
        })),
        6 => {
            let delay = if script.rarely(4) { Duration::MAX } else { Duration::from_secs(script.number().into()) };
            LocalActivityOutcome::Failed(Box::new(Failure {
                failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                    r#type: script.text(),
                    non_retryable: script.rarely(4),
                    next_retry_delay: script.rarely(2).then(|| to_duration(delay)),
                    ..ApplicationFailureInfo::default()
                })),
                ..Failure::default()
            }))
        }
        _ => LocalActivityOutcome::Failed(Box::default()),
    }
}

/// Clocks go wrong.
fn finished_at(script: &mut Script<'_>) -> SystemTime {
    let seconds = match script.below(4) {
        0 => 1_800_000_000,
        1 => u64::from(script.number()) << 24,
        2 => i64::MAX.cast_unsigned(),
        _ => 0,
    };
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}
