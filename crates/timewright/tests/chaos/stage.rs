//! What all threads of a run share: how far it has got, what went wrong, and what is said about it.

use std::fmt::Display;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is done to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Workers are asked to end, one after the other, and started again.
    Rolls,
    /// What runs is let end.
    Rest,
    /// Whatever can happen happens.
    Chaos,
    /// Nothing any more; what is left is to come to its end.
    Calm,
    /// All workers end.
    Over,
}

/// A run.
#[derive(Clone)]
pub(crate) struct Run(Arc<Shared>);

struct Shared {
    began: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stage: Stage,
    faults: Vec<String>,
}

impl Run {
    pub(crate) fn begin() -> Self {
        let state = Mutex::new(State { stage: Stage::Rolls, faults: Vec::new() });
        Self(Arc::new(Shared { began: Instant::now(), state, changed: Condvar::new() }))
    }

    pub(crate) fn stage(&self) -> Stage {
        self.lock().stage
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        self.say(format_args!("--- {stage:?}"));
        self.lock().stage = stage;
        self.0.changed.notify_all();
    }

    /// Waits for so long, or until this stage is over; whether it goes on.
    pub(crate) fn rest(&self, stage: Stage, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            if state.stage != stage {
                return false;
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else { return true };
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until this stage has come.
    pub(crate) fn wait_for(&self, stage: Stage) {
        let mut state = self.lock();
        while state.stage < stage {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// For whoever reads along.
    #[allow(clippy::print_stdout, reason = "this is what `cargo xtask chaos` shows")]
    pub(crate) fn say(&self, what: impl Display) {
        println!("{:7.1} {what}", self.0.began.elapsed().as_secs_f64());
    }

    /// Something is not as it must be.
    pub(crate) fn fault(&self, what: impl Display) {
        self.say(format_args!("FAULT: {what}"));
        self.lock().faults.push(what.to_string());
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.lock().faults.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
