//! What goes on between runs: each does its own part in its own requests, and what it says to another is on its way for a
//! while.
//!
//! Facts (server 1.32):
//! - It takes a moment until a run hears of another, in which requests of others come first. Nothing orders what is on its
//!   way, also not two signals of one run to another.
//! - What a run wanted of others while it ran is not done if it has closed meanwhile, in whatever way; in particular, not if
//!   it closed in the same completion. (The real server does start an abandoned child then, unless it was in the same
//!   completion. The model does not.)

use std::collections::BTreeMap;

use crate::random::named;
use crate::time::Time;

/// What one run has for another, by the Event that initiated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    StartChild(i64),
    SignalExternal(i64),
    CancelExternal(i64),
    /// Its own end: for the parent, and for its children.
    Close,
    /// Its own end: for the Nexus operations that it stands for.
    CallBack,
}

/// What is on its way.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    /// By the time at which it is due and the order in which it came.
    waiting: BTreeMap<(Time, u64), (String, Transfer)>,
    count: u64,
}

impl Transfers {
    /// `longest` is how long it takes at most; the time itself depends on the seed and on what it is.
    pub(crate) fn push(&mut self, now: Time, longest: Time, seed: u64, run_id: &str, transfer: Transfer) {
        let range = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        let delay = Time::from_nanos(named(seed, &[run_id, &format!("{transfer:?}")]).below(range));
        self.push_at(now + delay, run_id, transfer);
    }

    pub(crate) fn push_at(&mut self, due: Time, run_id: &str, transfer: Transfer) {
        self.count += 1;
        self.waiting.insert((due, self.count), (run_id.to_owned(), transfer));
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.waiting.keys().next().map(|(due, _)| *due)
    }

    pub(crate) fn pop(&mut self) -> Option<(String, Transfer)> {
        self.waiting.pop_first().map(|(_, transfer)| transfer)
    }
}
