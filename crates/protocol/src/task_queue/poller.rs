//! Which polls a worker keeps open.

use super::backoff::Jitter;
use super::error_class::ErrorClass;
use super::lane::{Lane, Verdict};
use super::slots::{Capacity, QueueKind, SlotId, Slots};
use super::snapshot::{PollerSnapshot, QueueSnapshot, SlotsSnapshot};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How a [`Poller`] is to poll.
///
/// ```
/// use timewright_protocol::task_queue::{Poller, PollerBehavior, PollerOptions};
///
/// let options = PollerOptions::new(100).behavior(PollerBehavior::Fixed { maximum: 4 }).sticky(true).jitter_seed(17);
/// assert!(Poller::new(options).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct PollerOptions {
    slots: usize,
    behavior: PollerBehavior,
    sticky: bool,
    fatal_grace: Duration,
    jitter_seed: u64,
}

impl PollerOptions {
    /// For a worker that executes up to `slots` tasks at the same time, with up to 5 polls open, and no sticky queue.
    #[must_use]
    pub const fn new(slots: usize) -> Self {
        Self {
            slots,
            behavior: PollerBehavior::Fixed { maximum: 5 },
            sticky: false,
            fatal_grace: Duration::from_secs(60),
            jitter_seed: 0,
        }
    }

    /// How many polls are open at the same time.
    #[must_use]
    pub const fn behavior(mut self, behavior: PollerBehavior) -> Self {
        self.behavior = behavior;
        self
    }

    /// Whether there is a sticky queue to poll as well.
    #[must_use]
    pub const fn sticky(mut self, sticky: bool) -> Self {
        self.sticky = sticky;
        self
    }

    /// For how long errors are tolerated that waiting does not cure, such as a permission denied: 60 s if not set.
    /// Proxies and authorizers say so in passing.
    #[must_use]
    pub const fn fatal_grace(mut self, fatal_grace: Duration) -> Self {
        self.fatal_grace = fatal_grace;
        self
    }

    /// Where the random part of waiting times comes from. Give each worker another one.
    #[must_use]
    pub const fn jitter_seed(mut self, jitter_seed: u64) -> Self {
        self.jitter_seed = jitter_seed;
        self
    }
}

/// How the number of open polls is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PollerBehavior {
    /// As many as there are free slots, up to a maximum.
    Fixed {
        /// The most polls, of all kinds together, that are open at the same time.
        maximum: usize,
    },
}

/// A [`Poller`] that could not do its work. The application's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPollerOptions {
    /// Too few polls.
    #[error("at most {maximum} polls may be open, but at least {needed} are needed{}; allow more", sticky_reason(.needed))]
    TooFewPolls {
        /// What was asked for.
        maximum: usize,
        /// What is needed.
        needed: usize,
    },
    /// Too few slots.
    #[error("there are {slots} slots, but at least {needed} are needed{}; allow more tasks at the same time", sticky_reason(.needed))]
    TooFewSlots {
        /// What was asked for.
        slots: usize,
        /// What is needed.
        needed: usize,
    },
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollResult {
    /// With a task, which now holds the poll's slot until [`Poller::handle_slot_released`].
    Task,
    /// With nothing: there was no task in all that time.
    Empty,
    /// With an error.
    Failed(ErrorClass),
    /// It was dropped by whoever drives the poller.
    Dropped,
}

/// What whoever drives a [`Poller`] has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollerOutput {
    /// Open a poll, now, and report its end with [`Poller::handle_poll_result`].
    Open {
        /// The slot that the poll holds, and its name.
        slot: SlotId,
        /// What to poll.
        queue: QueueKind,
    },
    /// Tell people that polls keep failing.
    Warn(PollWarning),
    /// Tell people that polls work again, after a warning.
    Recovered {
        /// Which polls.
        queue: QueueKind,
    },
    /// Stop with an error: polls have failed for longer than the grace period with errors that waiting does not cure.
    /// No poll is opened any more; [`End`](Self::End) follows.
    Fail(PollFailure),
    /// Drop all polls that are open, and report each as [`PollResult::Dropped`], or as what it was if it had just ended.
    DropPolls,
    /// No poll is open, and none will be. Said once.
    End,
}

/// Polls keep failing. Said after 1, 3, 7, 15, 30, 45… minutes, and at once of an error that waiting does not cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollWarning {
    /// Which polls.
    pub queue: QueueKind,
    /// The last error.
    pub class: ErrorClass,
    /// Since the first failure after the last success.
    pub failing_for: Duration,
    /// Failed polls in that time.
    pub failures: u64,
    /// How long the last of them had been open. If that is some tens of seconds, a proxy cuts polls which it should
    /// leave open for 70 s.
    pub open_for: Duration,
    /// When it will be given up, if nothing changes.
    pub ends_in: Option<Duration>,
}

/// Why polling was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollFailure {
    /// Which polls failed.
    pub queue: QueueKind,
    /// Since the first failure after the last success.
    pub failing_for: Duration,
    /// Failed polls in that time.
    pub failures: u64,
}

/// Decides which polls a worker has open: how many, on which kind of queue, after which delay, until when.
///
/// It has no clock, no connection and no threads. Whoever drives it
///
/// 1. calls [`handle_timeout`](Self::handle_timeout) once to begin,
/// 2. does what [`poll_output`](Self::poll_output) says until that is `None`,
/// 3. waits for what comes first: a poll's end ([`handle_poll_result`](Self::handle_poll_result)), a task's end
///    ([`handle_slot_released`](Self::handle_slot_released)), a wish to stop ([`handle_shutdown`](Self::handle_shutdown)),
///    or the time that [`poll_timeout`](Self::poll_timeout) says ([`handle_timeout`](Self::handle_timeout));
///    reports it; and goes on with 2 until [`PollerOutput::End`].
///
/// ```text
///             shutdown, or failed for good            drain is over
///   Running ─────────────────────────────▶ Draining ────────────────▶ Dropping
///                                             │ no poll is open           │ no poll is open
///                                             └──────────▶ Ended ◀────────┘
/// ```
///
/// What it keeps to:
///
/// - No poll without a slot: a task that the server hands out can always be executed at once.
/// - With a sticky queue, each kind of queue has a slot and a poll that the other kind cannot take.
/// - An empty poll is followed by the next without delay, a failed one after a [back-off](super::Backoff); while nothing
///   is heard of the server, a kind of queue gets no more than one new poll a second.
/// - Errors never end it, except those that waiting does not cure, after a grace period.
#[derive(Debug)]
pub struct Poller {
    slots: Slots,
    polls: Capacity,
    open: BTreeMap<SlotId, OpenPoll>,
    lanes: [Lane; 2],
    fatal_grace: Duration,
    jitter: Jitter,
    state: State,
    /// The latest time that was told.
    now: Option<Instant>,
    outputs: VecDeque<PollerOutput>,
}

#[derive(Clone, Copy, Debug)]
struct OpenPoll {
    queue: QueueKind,
    opened_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Draining { until: Instant },
    Dropping,
    Ended,
}

impl Poller {
    /// A poller that has not begun.
    ///
    /// # Errors
    /// If there are too few slots, or too few polls are allowed, to poll every kind of queue.
    pub fn new(options: PollerOptions) -> Result<Self, InvalidPollerOptions> {
        let PollerOptions { slots, behavior: PollerBehavior::Fixed { maximum }, sticky, fatal_grace, jitter_seed } =
            options;
        let needed = if sticky { 2 } else { 1 };
        if maximum < needed {
            return Err(InvalidPollerOptions::TooFewPolls { maximum, needed });
        }
        if slots < needed {
            return Err(InvalidPollerOptions::TooFewSlots { slots, needed });
        }
        Ok(Self {
            slots: Slots::new(slots, sticky),
            polls: Capacity::new(maximum, sticky),
            open: BTreeMap::new(),
            lanes: [Lane::default(), Lane::default()],
            fatal_grace,
            jitter: Jitter::new(jitter_seed),
            state: State::Running,
            now: None,
            outputs: VecDeque::new(),
        })
    }

    /// The slots, and who uses them.
    #[must_use]
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// How many polls are open on this kind of queue.
    #[must_use]
    pub const fn open_polls(&self, queue: QueueKind) -> usize {
        self.polls.used(queue)
    }

    /// How it is doing.
    #[must_use]
    pub fn snapshot(&self) -> PollerSnapshot {
        let queue = |queue: QueueKind| {
            let [last_task, last_success, failing_since] = self.lanes[queue as usize].history();
            let opened = self.open.values().filter(|poll| poll.queue == queue).map(|poll| poll.opened_at);
            let last_opened = opened.max();
            QueueSnapshot { open_polls: self.open_polls(queue), last_opened, last_task, last_success, failing_since }
        };
        let used: usize = QueueKind::ALL.into_iter().map(|queue| self.slots.used(queue)).sum();
        let polling = self.open.len();
        PollerSnapshot {
            normal: queue(QueueKind::Normal),
            sticky: self.slots.has_sticky().then(|| queue(QueueKind::Sticky)),
            slots: SlotsSnapshot { executing: used - polling, polling, free: Some(self.slots.total() - used) },
            is_polling: self.state == State::Running && self.now.is_some(),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        if let State::Draining { until } = self.state
            && now >= until
        {
            self.state = State::Dropping;
            if !self.open.is_empty() {
                self.outputs.push_back(PollerOutput::DropPolls);
            }
        }
    }

    /// The poll that holds `slot` has ended. Nothing happens if it is not open.
    pub fn handle_poll_result(&mut self, slot: SlotId, result: PollResult, now: Instant) {
        let now = self.advance(now);
        let Some(OpenPoll { queue, opened_at }) = self.open.remove(&slot) else { return };
        self.polls.give_back(queue);
        if result != PollResult::Task {
            self.slots.release(slot);
        }
        let lane = &mut self.lanes[queue as usize];
        let was_warned = match result {
            PollResult::Task => lane.handle_task(now),
            PollResult::Empty => lane.handle_empty(opened_at, now, &mut self.jitter),
            PollResult::Failed(ErrorClass::Cancelled | ErrorClass::DeadlineExceeded) => {
                lane.handle_nothing(opened_at, now, &mut self.jitter);
                false
            }
            PollResult::Failed(class) => {
                let verdict = lane.handle_failed(class, opened_at, now, self.fatal_grace, &mut self.jitter);
                self.handle_verdict(verdict, queue, class, now - opened_at);
                false
            }
            PollResult::Dropped => false,
        };
        if was_warned {
            self.outputs.push_back(PollerOutput::Recovered { queue });
        }
        self.handle_timeout(now);
    }

    /// A task is done and its slot free. Nothing happens if it is free already, or held by a poll.
    pub fn handle_slot_released(&mut self, slot: SlotId, now: Instant) {
        if !self.open.contains_key(&slot) {
            self.slots.release(slot);
        }
        self.handle_timeout(now);
    }

    /// Opens no more polls. Those that are open may return within `drain`; said again, the earlier end counts.
    ///
    /// A poll that is dropped may take a task with it, which the server then gives to another worker only after a
    /// timeout. So ask the server first to let the polls return (RPC `ShutdownWorker`), and be generous with `drain`.
    pub fn handle_shutdown(&mut self, drain: Duration, now: Instant) {
        let now = self.advance(now);
        let until = now + drain.min(LONGEST_DRAIN);
        match self.state {
            State::Running => self.state = State::Draining { until },
            State::Draining { until: earlier } => self.state = State::Draining { until: until.min(earlier) },
            State::Dropping | State::Ended => (),
        }
        self.handle_timeout(now);
    }

    /// What to do next; `None`: wait. Anything may change it except the passing of time before
    /// [`poll_timeout`](Self::poll_timeout).
    #[must_use]
    pub fn poll_output(&mut self) -> Option<PollerOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        match self.state {
            State::Running => self.open_poll(),
            State::Draining { .. } | State::Dropping if self.open.is_empty() => {
                self.state = State::Ended;
                Some(PollerOutput::End)
            }
            State::Draining { .. } | State::Dropping | State::Ended => None,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once there is no more output.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Running => self.candidates().filter_map(|queue| self.lanes[queue as usize].opens_at()).min(),
            State::Draining { until } => Some(until),
            State::Dropping | State::Ended => None,
        }
    }

    fn open_poll(&mut self) -> Option<PollerOutput> {
        let now = self.now?;
        // The kind with fewer open polls comes first. Among equals that is the sticky one: its tasks are the work that
        // has begun.
        let queue = self
            .candidates()
            .filter(|queue| self.lanes[*queue as usize].opens_at().is_none_or(|opens_at| opens_at <= now))
            .min_by_key(|queue| (self.open_polls(*queue), *queue == QueueKind::Normal))?;
        let slot = self.slots.reserve(queue)?;
        self.polls.take(queue);
        self.open.insert(slot, OpenPoll { queue, opened_at: now });
        self.lanes[queue as usize].handle_opened(now);
        Some(PollerOutput::Open { slot, queue })
    }

    /// The kinds of queue for which there is both a slot and a poll to spare.
    fn candidates(&self) -> impl Iterator<Item = QueueKind> {
        QueueKind::ALL.into_iter().filter(|queue| self.polls.is_free(*queue) && self.slots.is_free(*queue))
    }

    fn handle_verdict(&mut self, verdict: Verdict, queue: QueueKind, class: ErrorClass, open_for: Duration) {
        let output = match verdict {
            Verdict::Quiet => return,
            Verdict::Warn { failing_for, failures, ends_in } => {
                PollerOutput::Warn(PollWarning { queue, class, failing_for, failures, open_for, ends_in })
            }
            Verdict::Fail { .. } if self.state != State::Running => return,
            Verdict::Fail { failing_for, failures } => PollerOutput::Fail(PollFailure { queue, failing_for, failures }),
        };
        self.outputs.push_back(output);
        if let (PollerOutput::Fail(_), Some(now)) = (output, self.now) {
            self.handle_shutdown(DRAIN_AFTER_FAILURE, now);
        }
    }

    /// Time never runs backwards here, whatever the caller's clock does.
    fn advance(&mut self, now: Instant) -> Instant {
        *self.now.insert(self.now.map_or(now, |latest| latest.max(now)))
    }
}

fn sticky_reason(needed: &usize) -> &'static str {
    if *needed == 2 { ", one for the Task Queue and one for the sticky queue" } else { "" }
}

/// How long the other polls may still return when some have failed for good.
const DRAIN_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Longer than any poll, and short enough to be added to any time.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests;
