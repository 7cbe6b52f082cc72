//! Executes Local Activities in virtual time, with seeded outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use timewright_model_server::Time;
use timewright_proto::enums::TimeoutType;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};
use timewright_proto::prost_types;
use timewright_protocol::workflow::{
    Activation, ActivityCancellationType, Command, Job, LocalActivityAttempt, LocalActivityOutcome, RunKey,
    StartLocalActivity,
};

use crate::interpreter::hash;

/// What becomes of an attempt is chosen by the seed and by the names of run, Local Activity and attempt, and by nothing
/// else: it stays the same whatever else happens before.
#[derive(Debug)]
pub struct LocalActivities {
    seed: u64,
    attempts: Vec<Attempt>,
    /// The last attempt of each that was started.
    last_attempts: BTreeMap<(RunKey, u32), u32>,
    /// Those that user code has cancelled.
    cancelled: BTreeSet<(RunKey, u32)>,
    told: BTreeSet<(RunKey, u32)>,
    /// Those whose outcome user code waits for when it has cancelled them.
    awaited: BTreeSet<(RunKey, u32)>,
    /// Those that are executed and of whose outcome user code has not heard.
    unheard: BTreeSet<(RunKey, u32)>,
    /// What happened, for [`everything_happens`](crate::everything).
    pub seen: Vec<&'static str>,
}

/// An attempt that is executed.
#[derive(Debug)]
struct Attempt {
    key: RunKey,
    sequence: u32,
    attempt: u32,
    begins: Time,
    ends: Time,
    outcome: LocalActivityOutcome,
    heeds_cancellation: bool,
}

impl LocalActivities {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            attempts: Vec::new(),
            last_attempts: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            told: BTreeSet::new(),
            awaited: BTreeSet::new(),
            unheard: BTreeSet::new(),
            seen: Vec::new(),
        }
    }

    /// Whether the Run of this key waits for any that are executed.
    pub fn are_awaited(&self, key: &RunKey) -> bool {
        self.unheard.iter().any(|(of, _)| of == key)
    }

    /// When the next attempt is over.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.attempts.iter().map(|attempt| attempt.ends).min()
    }

    /// What user code heard and asked for.
    pub fn note(&mut self, key: &RunKey, activation: &Activation, commands: &[Command]) {
        for job in &activation.jobs {
            if let Job::ResolveLocalActivity { sequence, .. } = job {
                self.unheard.remove(&(key.clone(), *sequence));
            }
        }
        for command in commands {
            match command {
                Command::CancelLocalActivity { sequence } => drop(self.cancelled.insert((key.clone(), *sequence))),
                Command::ScheduleLocalActivity(schedule)
                    if schedule.cancellation_type == ActivityCancellationType::WaitCancellationCompleted =>
                {
                    self.awaited.insert((key.clone(), schedule.sequence));
                }
                _ => (),
            }
        }
    }

    pub fn start(&mut self, key: &RunKey, start: &StartLocalActivity, now: Time) {
        let name = (key.clone(), start.sequence);
        assert!(!self.attempts.iter().any(|attempt| attempt.name() == name), "{name:?} is executed twice");
        assert!(!self.cancelled.contains(&name), "{name:?} is executed although it is cancelled");
        if let Some(last) = self.last_attempts.insert(name.clone(), start.attempt) {
            assert_eq!(start.attempt, last + 1, "{name:?} goes on with another attempt than the next");
            self.seen.push("retried Local Activity");
        }
        self.unheard.insert(name);
        let arguments: Vec<_> = start.arguments.iter().map(|argument| &argument.data).collect();
        let run_id = key.run_id();
        let chance = hash(self.seed, &format!("{run_id} {} {} {arguments:?}", start.sequence, start.attempt));
        let begins = now + start.delay;
        let durations = [0, 0, 0, 1, 1, 2, 3, 5, 20];
        let takes = Duration::from_secs(durations[(chance >> 32) as usize % durations.len()]);
        self.attempts.push(Attempt {
            key: key.clone(),
            sequence: start.sequence,
            attempt: start.attempt,
            begins,
            ends: begins + takes,
            outcome: outcome(chance, start),
            heeds_cancellation: chance >> 63 == 0,
        });
    }

    /// Nobody begins what is told to stop before; what has begun may heed it or not.
    pub fn cancel(&mut self, key: &RunKey, sequence: u32, now: Time) {
        let name = (key.clone(), sequence);
        self.told.insert(name.clone());
        self.seen.push("Local Activity told to stop");
        let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.name() == name) else { return };
        if attempt.begins > now || attempt.heeds_cancellation {
            attempt.ends = now;
            attempt.outcome = LocalActivityOutcome::Cancelled { details: Vec::new() };
        }
    }

    /// The Run is gone: what it waited for must have been told to stop.
    pub fn handle_eviction(&mut self, key: &RunKey) {
        self.unheard.retain(|(of, _)| of != key);
        let unheeded = self.attempts.iter().map(Attempt::name).filter(|(of, _)| of == key);
        for name in unheeded {
            let nobody_waits = self.cancelled.contains(&name) && !self.awaited.contains(&name);
            let is_told = self.told.contains(&name) || nobody_waits;
            assert!(is_told, "{name:?} goes on although nobody waits for it");
        }
    }

    /// The attempts that are over, first those that were over first. Their clock is not the server's.
    pub fn take_finished(&mut self, now: Time) -> Vec<(RunKey, LocalActivityAttempt)> {
        let (mut finished, going_on): (Vec<Attempt>, Vec<Attempt>) =
            std::mem::take(&mut self.attempts).into_iter().partition(|attempt| attempt.ends <= now);
        self.attempts = going_on;
        finished.sort_by_key(|attempt| attempt.ends);
        let skew = Duration::from_secs(self.seed % 3);
        let finished = finished.into_iter().map(|Attempt { key, sequence, attempt, ends, outcome, .. }| {
            let finished_at = SystemTime::UNIX_EPOCH + BEGINNING + ends - skew;
            (key, LocalActivityAttempt { sequence, attempt, outcome, finished_at })
        });
        finished.collect()
    }
}

impl Attempt {
    fn name(&self) -> (RunKey, u32) {
        (self.key.clone(), self.sequence)
    }
}

fn outcome(chance: u64, start: &StartLocalActivity) -> LocalActivityOutcome {
    match chance % 20 {
        0..=9 => LocalActivityOutcome::Completed(start.arguments.first().cloned()),
        10 => LocalActivityOutcome::Completed(None),
        11..=15 => failed(ApplicationFailureInfo::default()),
        16 => failed(ApplicationFailureInfo { non_retryable: true, ..ApplicationFailureInfo::default() }),
        17 => {
            let next_retry_delay = Some(prost_types::Duration { seconds: 2, nanos: 0 });
            failed(ApplicationFailureInfo { next_retry_delay, ..ApplicationFailureInfo::default() })
        }
        18 => LocalActivityOutcome::TimedOut(TimeoutType::StartToClose),
        _ => LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToClose),
    }
}

fn failed(info: ApplicationFailureInfo) -> LocalActivityOutcome {
    LocalActivityOutcome::Failed(Box::new(Failure {
        message: "the modelled Local Activity failed".into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    }))
}

/// When the model's time begins, since 1970.
const BEGINNING: Duration = Duration::from_secs(1_704_067_200);
