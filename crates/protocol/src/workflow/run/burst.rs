//! Signals that come one after the other, and for how long the answer to a task may wait for more of them.

use std::time::{Duration, Instant};

/// The tasks in a row that brought Signals, nothing else, and that user code had no Commands for.
///
/// What comes while a task is open, the server keeps for the next one. So an answer that waits a moment saves tasks, each of which is
/// three Events in the history, and work for server and worker; and nobody waits for an answer that says nothing. The price is
/// that a Signal may be heard that much later, so the moment is a part of the time for which Signals have been coming.
#[derive(Debug, Clone, Default)]
pub(super) struct Burst {
    /// When its first task came, when its last, and for how long the answer to that one might wait.
    times: Option<(Instant, Instant, Duration)>,
}

impl Burst {
    /// For how long the answer to such a task may wait.
    pub(super) fn go_on(&mut self, received_at: Instant, task_timeout: Duration) -> Duration {
        let began_at = match self.times {
            // What was waited for is no pause.
            Some((began_at, last, waited)) if received_at.saturating_duration_since(last) <= PAUSE + waited => began_at,
            _ => received_at,
        };
        let lasted = received_at.saturating_duration_since(began_at);
        let may_wait = (lasted / PART_OF_BURST).min(LONGEST).min(task_timeout / PART_OF_TIMEOUT);
        self.times = Some((began_at, received_at, may_wait));
        may_wait
    }

    /// A task brought something else, or something follows of it.
    pub(super) fn end(&mut self) {
        self.times = None;
    }
}

/// Without a task for so long, a burst is over.
const PAUSE: Duration = Duration::from_millis(200);

/// An answer waits for this part of the time that the burst has lasted,
const PART_OF_BURST: u32 = 4;

/// and never longer than this, since a server keeps only so much for the next task,
const LONGEST: Duration = Duration::from_millis(200);

/// nor for more than this part of the Workflow Task Timeout.
const PART_OF_TIMEOUT: u32 = 20;
