//! Signals that come one after the other, and for how long the answer to a task may wait for more of them.

use std::time::{Duration, Instant};

/// The tasks in a row that brought Signals, nothing else, and that user code had no Commands for.
///
/// What comes while a task is open, the server keeps for the next one. So an answer that waits a moment saves tasks, each of which is
/// three Events in the history, and work for server and worker; and nobody waits for an answer that says nothing. The price is
/// that a Signal may be heard that much later, so the moment is a part of the time for which Signals have been coming.
#[derive(Debug, Clone, Default)]
pub(super) struct Burst {
    /// When its first task came, and its last.
    times: Option<(Instant, Instant)>,
}

impl Burst {
    /// For how long the answer to such a task may wait.
    pub(super) fn go_on(&mut self, received_at: Instant, task_timeout: Duration) -> Duration {
        let began_at = match self.times {
            Some((began_at, last)) if received_at.saturating_duration_since(last) <= PAUSE => began_at,
            _ => received_at,
        };
        self.times = Some((began_at, received_at));
        let lasted = received_at.saturating_duration_since(began_at);
        (lasted / PART_OF_BURST).min(task_timeout / PART_OF_TIMEOUT)
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

/// and never for more than this part of the Workflow Task Timeout.
const PART_OF_TIMEOUT: u32 = 20;
