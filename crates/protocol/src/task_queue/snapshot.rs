//! What can be seen of a poller from outside.

use std::time::Instant;

/// How the polls and the slots of a worker are doing at a moment: [`Poller::snapshot`](super::Poller::snapshot).
///
/// It is small and cheap to copy, for those who ask often: readiness probes, worker heartbeats, metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollerSnapshot {
    /// The polls on the Task Queue.
    pub normal: QueueSnapshot,
    /// The polls on the worker's sticky queue; `None` where there is none.
    pub sticky: Option<QueueSnapshot>,
    /// The slots.
    pub slots: SlotsSnapshot,
    /// Polls are opened: it has begun, and was not told to stop.
    pub is_polling: bool,
}

/// The polls on one kind of queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSnapshot {
    /// How many are open.
    pub open_polls: usize,
    /// When the one of them was opened that was opened last.
    pub last_opened: Option<Instant>,
    /// How many the server suggests to have open, within the bounds; `None` where the number is fixed.
    pub target_polls: Option<usize>,
    /// When the last one returned with a task.
    pub last_task: Option<Instant>,
    /// When the last one returned without an error, with a task or with nothing.
    pub last_success: Option<Instant>,
    /// Since when all that returned failed.
    pub failing_since: Option<Instant>,
}

/// The slots of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotsSnapshot {
    /// How many are in use for tasks that are executed.
    pub executing: usize,
    /// How many are held by open polls, each for the task that it may return with.
    pub polling: usize,
    /// How many could be taken now; `None` where only their supplier knows.
    pub free: Option<usize>,
}

impl PollerSnapshot {
    /// Whether tasks that come to the worker's queues are fetched: it polls, and no kind of poll fails.
    ///
    /// This is what a readiness probe wants to know. It is true before the first poll has returned, which may take a minute,
    /// and false from the first failure to the next success. It says nothing of slots: a worker that has none free is busy,
    /// not sick.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let kinds = [Some(self.normal), self.sticky];
        self.is_polling && kinds.into_iter().flatten().all(|queue| queue.failing_since.is_none())
    }
}
