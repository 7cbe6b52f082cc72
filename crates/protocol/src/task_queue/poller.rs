//! Which polls a worker keeps open.

mod options;
mod output;
mod supplied;

use super::backoff::Jitter;
use super::error_class::ErrorClass;
use super::groups::Spread;
use super::lane::{Lane, Verdict};
use super::rate_limit::RateLimit;
use super::scaling::Target;
use super::slots::{Capacity, QueueKind, SlotId, Slots};
use super::snapshot::{PollerSnapshot, QueueSnapshot, SlotsSnapshot};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use supplied::Supplied;

pub use options::{InvalidPollerOptions, PollerBehavior, PollerOptions};
pub use output::{PollFailure, PollHints, PollResult, PollSupport, PollWarning, PollerOutput};

/// Decides which polls a worker has open: how many, on which kind of queue, after which delay, until when.
///
/// It has no clock, no connection and no threads. Whoever drives it
///
/// 1. calls [`handle_timeout`](Self::handle_timeout) once to begin,
/// 2. does what [`poll_output`](Self::poll_output) says until that is `None`,
/// 3. waits for what comes first: a poll's end ([`handle_poll_result`](Self::handle_poll_result)), a task's end
///    ([`handle_slot_released`](Self::handle_slot_released)), a slot that was asked for
///    ([`handle_reserved`](Self::handle_reserved)), a wish to stop ([`handle_shutdown`](Self::handle_shutdown)), or the time that [`poll_timeout`](Self::poll_timeout) says ([`handle_timeout`](Self::handle_timeout));
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
/// - With a sticky queue, each kind of queue has a slot and a poll that the other kind cannot take. Where slots are supplied by
///   somebody else, a kind that has none gets the next one.
/// - No task beyond the limit of tasks a second, whichever poll it comes from.
/// - The number of polls leaves its bounds never, and is lowered for failures only where the server will also raise it.
/// - An empty poll is followed by the next without delay, a failed one after a [back-off](super::Backoff); while nothing
///   is heard of the server, a kind of queue gets no more than one new poll a second.
/// - Errors never end it, except those that waiting does not cure, after a grace period.
#[derive(Debug)]
pub struct Poller {
    slots: Slots,
    /// `None` where the number of slots is fixed.
    supplied: Option<Supplied>,
    limits: PollLimits,
    /// What it would like to poll more where it cannot poll all.
    sticky_share: f64,
    rate_limit: Option<RateLimit>,
    open: BTreeMap<SlotId, OpenPoll>,
    spread: Spread,
    lanes: [Lane; 2],
    fatal_grace: Duration,
    jitter: Jitter,
    state: State,
    /// The latest time that was told.
    now: Option<Instant>,
    outputs: VecDeque<PollerOutput>,
}

/// How many polls may be open, and are.
#[derive(Debug)]
struct PollLimits {
    /// Of all kinds together.
    open: Capacity,
    /// For each kind; `None` where the number is fixed.
    targets: Option<[Target; 2]>,
    /// Nobody said how many there are to be.
    is_open_to_advice: bool,
    server_scales: bool,
}

#[derive(Clone, Debug)]
struct OpenPoll {
    queue: QueueKind,
    opened_at: Instant,
    group: Option<Arc<str>>,
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
        let PollerOptions { slots, behavior, sticky, sticky_share, tasks_per_second, fatal_grace, jitter_seed } =
            options;
        let needed = if sticky { 2 } else { 1 };
        let limits = PollLimits::new(behavior.unwrap_or(PollerBehavior::FIXED), behavior.is_none(), sticky)?;
        if let Some(slots) = slots
            && slots < needed
        {
            return Err(InvalidPollerOptions::TooFewSlots { slots, needed });
        }
        if !(0.0..=1.0).contains(&sticky_share) {
            return Err(InvalidPollerOptions::StickyShare);
        }
        Ok(Self {
            slots: Slots::new(slots.unwrap_or(usize::MAX), sticky),
            supplied: slots.is_none().then(Supplied::default),
            limits,
            sticky_share,
            rate_limit: tasks_per_second.map(RateLimit::new).transpose()?,
            open: BTreeMap::new(),
            spread: Spread::default(),
            lanes: [Lane::default(), Lane::default()],
            fatal_grace,
            jitter: Jitter::new(jitter_seed),
            state: State::Running,
            now: None,
            outputs: VecDeque::new(),
        })
    }

    /// What the server says of polls before the first one.
    pub fn handle_support(&mut self, support: PollSupport) {
        self.limits.handle_support(&support, self.slots.has_sticky());
        if let Some(groups) = support.groups {
            self.spread.handle_groups(groups);
        }
    }

    /// The slots, and who uses them.
    #[must_use]
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// How many polls are open on this kind of queue.
    #[must_use]
    pub const fn open_polls(&self, queue: QueueKind) -> usize {
        self.limits.open.used(queue)
    }

    /// How it is doing.
    #[must_use]
    pub fn snapshot(&self) -> PollerSnapshot {
        let queue = |queue: QueueKind| {
            let [last_task, last_success, failing_since] = self.lanes[queue as usize].history();
            let opened = self.open.values().filter(|poll| poll.queue == queue).map(|poll| poll.opened_at);
            let last_opened = opened.max();
            let open_polls = self.open_polls(queue);
            let target_polls = self.limits.target(queue, self.spread.len());
            QueueSnapshot { open_polls, last_opened, target_polls, last_task, last_success, failing_since }
        };
        let used: usize = QueueKind::ALL.into_iter().map(|queue| self.slots.used(queue)).sum();
        let polling = self.open.len();
        let free = self.supplied.is_none().then(|| self.slots.total() - used);
        PollerSnapshot {
            normal: queue(QueueKind::Normal),
            sticky: self.slots.has_sticky().then(|| queue(QueueKind::Sticky)),
            slots: SlotsSnapshot { executing: used - polling, polling, free },
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
    pub fn handle_poll_result(&mut self, slot: SlotId, result: PollResult, hints: PollHints, now: Instant) {
        let now = self.advance(now);
        let Some(OpenPoll { queue, opened_at, group }) = self.open.remove(&slot) else { return };
        self.limits.open.give_back(queue);
        self.spread.give_back(queue, group);
        if result != PollResult::Task {
            self.slots.release(slot);
            self.let_go(slot);
        } else if let Some(limit) = &mut self.rate_limit {
            limit.take(now);
        }
        self.limits.handle_result(queue, result, hints.delta, opened_at, now);
        if let Some(groups) = hints.groups {
            self.spread.handle_groups(groups);
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

    /// Takes a slot for a task that comes without a poll of its own: with the answer to another call. `None` if there is none to
    /// spare, or the limit of tasks a second is reached. It is given back as any other,
    /// with [`handle_slot_released`](Self::handle_slot_released).
    ///
    /// Where slots are supplied, the caller has got one already, and keeps it if this is `Some`.
    pub fn handle_task_without_poll(&mut self, now: Instant) -> Option<SlotId> {
        let now = self.advance(now);
        let held = self.open.len();
        let is_allowed = self.rate_limit.as_mut().is_none_or(|limit| limit.has(held + 1, now));
        if self.state != State::Running || !is_allowed {
            return None;
        }
        let slot = self.slots.reserve(QueueKind::Normal)?;
        if let Some(limit) = &mut self.rate_limit {
            limit.take(now);
        }
        Some(slot)
    }

    /// The slot that [`PollerOutput::Reserve`] asked for is there. False, and the slot is to be given back, if it is not wanted
    /// any more.
    pub fn handle_reserved(&mut self, slot: SlotId, now: Instant) -> bool {
        self.advance(now);
        self.supplied.as_mut().is_some_and(|supplied| supplied.handle_reserved(slot))
    }

    /// There will be no such slot, because whoever supplies them failed. It is asked again after a moment.
    pub fn handle_not_reserved(&mut self, slot: SlotId, now: Instant) {
        let now = self.advance(now);
        if let Some(supplied) = &mut self.supplied {
            supplied.handle_not_reserved(slot, now);
        }
    }

    /// Opens no more polls. Those that are open may return within `drain`; said again, the earlier end counts.
    ///
    /// A poll that is dropped may take a task with it, which the server then gives to another worker only after a
    /// timeout. So ask the server first to let the polls return (RPC `ShutdownWorker`), and be generous with `drain`.
    pub fn handle_shutdown(&mut self, drain: Duration, now: Instant) {
        let now = self.advance(now);
        let until = now + drain.min(LONGEST_DRAIN);
        match self.state {
            State::Running => {
                self.state = State::Draining { until };
                let unused = self.supplied.as_mut().map(Supplied::take_all).unwrap_or_default();
                self.outputs.extend(unused.into_iter().map(|slot| PollerOutput::Release { slot }));
            }
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
            State::Running => self.next_poll(),
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
            State::Running => {
                let lanes = self.kinds_with_room().filter_map(|queue| self.lanes[queue as usize].opens_at());
                let limit = self.rate_limit.as_ref().and_then(|limit| limit.ready_at(self.open.len() + 1));
                let supplier = self.supplied.as_ref().and_then(Supplied::asks_at);
                // What is past already waits for something else.
                lanes.chain(limit).chain(supplier).filter(|at| Some(*at) > self.now).min()
            }
            State::Draining { until } => Some(until),
            State::Dropping | State::Ended => None,
        }
    }

    /// Opens a poll, or sees to a slot for it.
    fn next_poll(&mut self) -> Option<PollerOutput> {
        let now = self.now?;
        let open = self.open.len();
        let is_allowed = self.rate_limit.as_mut().is_none_or(|limit| limit.has(open + 1, now));
        let may_open = |queue: &QueueKind| self.lanes[*queue as usize].opens_at().is_none_or(|at| at <= now);
        let mut wanted: Vec<_> = self.kinds_with_room().filter(|queue| is_allowed && may_open(queue)).collect();
        wanted.sort_by(|one, other| self.precedence(*one).partial_cmp(&self.precedence(*other)).expect("no NaN"));
        let Some(queue) = wanted.first().copied() else {
            let slot = self.supplied.as_mut()?.take_spare()?;
            return Some(PollerOutput::Release { slot });
        };
        let slot = match &mut self.supplied {
            None => self.slots.reserve(queue)?,
            Some(supplied) => match supplied.take_spare() {
                Some(slot) => {
                    self.slots.hold(slot, queue);
                    slot
                }
                None => return supplied.reserve(&wanted, &mut self.slots, now),
            },
        };
        self.limits.open.take(queue);
        let group = self.spread.take(queue, &mut self.jitter);
        self.open.insert(slot, OpenPoll { queue, opened_at: now, group: group.clone() });
        self.lanes[queue as usize].handle_opened(now);
        Some(PollerOutput::Open { slot, queue, group })
    }

    /// The kinds of queue for which there is both a slot and a poll to spare.
    fn kinds_with_room(&self) -> impl Iterator<Item = QueueKind> {
        let groups = self.spread.len();
        QueueKind::ALL
            .into_iter()
            .filter(move |queue| self.limits.has_room(*queue, groups) && self.slots.is_free(*queue))
    }

    /// The least comes first: who has no slot at all, then who has fewer polls than its share. Among equals that is the sticky
    /// queue: its tasks are the work that has begun.
    fn precedence(&self, queue: QueueKind) -> (bool, f64, bool) {
        let share = match queue {
            QueueKind::Normal => 1.0 - self.sticky_share,
            QueueKind::Sticky => self.sticky_share,
        };
        let open = self.open_polls(queue) as f64;
        (self.slots.used(queue) > 0, open / share.max(f64::EPSILON), queue == QueueKind::Normal)
    }

    /// The slot of a poll that brought nothing. A supplier is asked anew for the next one, since much may have changed.
    fn let_go(&mut self, slot: SlotId) {
        if self.supplied.is_some() {
            self.outputs.push_back(PollerOutput::Release { slot });
        }
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
        let is_failure = matches!(output, PollerOutput::Fail(_));
        self.outputs.push_back(output);
        if let (true, Some(now)) = (is_failure, self.now) {
            self.handle_shutdown(DRAIN_AFTER_FAILURE, now);
        }
    }

    /// Time never runs backwards here, whatever the caller's clock does.
    fn advance(&mut self, now: Instant) -> Instant {
        *self.now.insert(self.now.map_or(now, |latest| latest.max(now)))
    }
}

impl PollLimits {
    fn new(behavior: PollerBehavior, is_open_to_advice: bool, sticky: bool) -> Result<Self, InvalidPollerOptions> {
        let (maximum, targets) = match behavior {
            PollerBehavior::Fixed { maximum } => {
                let needed = if sticky { 2 } else { 1 };
                if maximum < needed {
                    return Err(InvalidPollerOptions::TooFewPolls { maximum, needed });
                }
                (maximum, None)
            }
            PollerBehavior::Autoscaling { minimum, initial, maximum } => {
                if !(1 <= minimum && minimum <= initial && initial <= maximum) {
                    return Err(InvalidPollerOptions::Autoscaling { minimum, initial, maximum });
                }
                let target = Target::new(minimum, initial, maximum);
                (usize::MAX, Some([target.clone(), target]))
            }
        };
        Ok(Self { open: Capacity::new(maximum, sticky), targets, is_open_to_advice, server_scales: false })
    }

    fn handle_support(&mut self, support: &PollSupport, sticky: bool) {
        self.server_scales = support.autoscaling;
        if self.is_open_to_advice && support.autoscaling_by_default {
            let advised = Self::new(PollerBehavior::AUTOSCALING, true, sticky).expect("these bounds are right");
            self.targets = advised.targets;
            self.open.set_total(usize::MAX);
        }
    }

    fn handle_result(
        &mut self,
        queue: QueueKind,
        result: PollResult,
        delta: Option<i32>,
        opened_at: Instant,
        now: Instant,
    ) {
        let Some(target) = self.targets.as_mut().map(|targets| &mut targets[queue as usize]) else { return };
        match (result, delta) {
            (_, Some(delta)) => target.handle_hint(delta),
            (PollResult::Empty, None) => target.handle_empty(self.server_scales),
            (PollResult::Failed(class), None) => target.handle_failed(class, opened_at, now),
            (PollResult::Task | PollResult::Dropped, None) => (),
        }
    }

    fn has_room(&self, queue: QueueKind, groups: usize) -> bool {
        self.open.is_free(queue) && self.target(queue, groups).is_none_or(|target| self.open.used(queue) < target)
    }

    /// `None` where the number is fixed.
    fn target(&self, queue: QueueKind, groups: usize) -> Option<usize> {
        self.targets.as_ref().map(|targets| targets[queue as usize].polls(groups))
    }
}

/// How long the other polls may still return when some have failed for good.
const DRAIN_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Longer than any poll, and short enough to be added to any time.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests;
