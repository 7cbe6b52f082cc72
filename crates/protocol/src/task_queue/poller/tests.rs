//! A poller against scripted servers in virtual time: stories as text, then properties.

mod autoscaling;
mod limits;
mod properties;
mod stories;
mod supplied;

use super::*;
use crate::task_queue::PollerGroups;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What a server does with one poll: after this long, this result; a task then takes that long.
#[derive(Clone, Copy, Debug)]
struct Answer {
    after: Duration,
    result: PollResult,
    work: Duration,
    /// A hint how many more polls to open.
    delta: Option<i32>,
}

const fn answer(after_ms: u64, result: PollResult) -> Answer {
    Answer { after: Duration::from_millis(after_ms), result, work: Duration::from_millis(10), delta: None }
}

enum Event {
    PollEnds(SlotId, Answer),
    TaskEnds(SlotId),
    SlotGranted(SlotId),
    Shutdown(Duration),
}

/// Somebody who supplies slots: so many, in turn, each after a while.
#[derive(Default)]
struct Supplier {
    free: usize,
    takes: Duration,
    /// Each failed try to get a slot takes this number down.
    failures: usize,
    waiting: VecDeque<SlotId>,
    given: BTreeSet<SlotId>,
}

/// A poller, the server that it polls, and the time between them.
struct World<S> {
    poller: Poller,
    server: S,
    origin: Instant,
    now: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    serial: u64,
    opened: Vec<(Duration, QueueKind)>,
    in_flight: BTreeMap<SlotId, QueueKind>,
    running: BTreeMap<SlotId, QueueKind>,
    supplier: Option<Supplier>,
    reservations: usize,
    task_times: Vec<Duration>,
    tasks: u64,
    ended: bool,
    behavior: Option<PollerBehavior>,
    story: String,
}

impl<S: FnMut(QueueKind) -> Answer> World<S> {
    #[expect(clippy::disallowed_methods, reason = "any point in time will do, and there is no other way to get one")]
    fn new(options: PollerOptions, server: S) -> Self {
        let behavior = options.behavior;
        Self {
            poller: Poller::new(options).unwrap(),
            server,
            origin: Instant::now(),
            now: Duration::ZERO,
            events: BTreeMap::new(),
            serial: 0,
            opened: Vec::new(),
            in_flight: BTreeMap::new(),
            running: BTreeMap::new(),
            supplier: None,
            reservations: 0,
            task_times: Vec::new(),
            tasks: 0,
            ended: false,
            behavior,
            story: String::new(),
        }
    }

    /// With slots that somebody else supplies.
    fn supplied(mut self, supplier: Supplier) -> Self {
        self.supplier = Some(supplier);
        self
    }

    /// The same with another server from now on.
    fn with_server<T: FnMut(QueueKind) -> Answer>(self, server: T) -> World<T> {
        let Self { poller, origin, now, events, serial, opened, in_flight, running, .. } = self;
        let Self { supplier, reservations, task_times, tasks, ended, behavior, story, .. } = self;
        World {
            server,
            poller,
            origin,
            now,
            events,
            serial,
            opened,
            in_flight,
            running,
            supplier,
            reservations,
            task_times,
            tasks,
            ended,
            behavior,
            story,
        }
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.events.insert((self.now + after, self.serial), event);
        self.serial += 1;
    }

    /// Lets everything happen that happens until then.
    fn run_until(&mut self, horizon: Duration) -> &mut Self {
        let mut steps = 0;
        self.poller.handle_timeout(self.origin + self.now);
        loop {
            self.drain();
            self.check();
            steps += 1;
            assert!(steps < 10_000, "busy at {:?}, while no time passes", self.now);

            let next_event = self.events.keys().next().map(|(at, _)| *at);
            let timeout = self.poller.poll_timeout().map(|at| at.saturating_duration_since(self.origin));
            assert!(timeout.is_none_or(|at| at > self.now), "a timeout at {timeout:?} is past at {:?}", self.now);
            let Some(next) = next_event.into_iter().chain(timeout).min().filter(|next| *next <= horizon) else {
                self.now = horizon;
                return self;
            };
            if next > self.now {
                steps = 0;
            }
            self.now = next;
            let instant = self.origin + self.now;
            if next_event.is_none_or(|at| at > next) {
                self.poller.handle_timeout(instant);
                continue;
            }
            let (_, event) = self.events.pop_first().unwrap();
            match event {
                Event::PollEnds(slot, Answer { result, work, delta, .. }) => {
                    let Some(queue) = self.in_flight.remove(&slot) else { continue };
                    let hints = PollHints { delta, ..PollHints::default() };
                    self.poller.handle_poll_result(slot, result, hints, instant);
                    if result == PollResult::Task {
                        self.tasks += 1;
                        self.task_times.push(self.now);
                        self.running.insert(slot, queue);
                        self.schedule(work, Event::TaskEnds(slot));
                    }
                }
                Event::SlotGranted(slot) => {
                    let is_wanted = self.poller.handle_reserved(slot, instant);
                    let supplier = self.supplier.as_mut().unwrap();
                    if is_wanted {
                        supplier.given.insert(slot);
                    } else {
                        supplier.free += 1;
                        self.supply();
                    }
                }
                Event::TaskEnds(slot) => {
                    self.running.remove(&slot);
                    self.give_back(slot);
                    self.poller.handle_slot_released(slot, instant);
                    self.poller.handle_slot_released(slot, instant);
                }
                Event::Shutdown(drain) => self.poller.handle_shutdown(drain, instant),
            }
        }
    }

    /// Gives slots to those who wait for them.
    fn supply(&mut self) {
        let Some(supplier) = &mut self.supplier else { return };
        let count = supplier.free.min(supplier.waiting.len());
        supplier.free -= count;
        let takes = supplier.takes;
        for slot in supplier.waiting.drain(..count).collect::<Vec<_>>() {
            self.schedule(takes, Event::SlotGranted(slot));
        }
    }

    /// A slot is not needed any more. One that is on its way comes back when it has arrived.
    fn give_back(&mut self, slot: SlotId) {
        let Some(supplier) = &mut self.supplier else { return };
        supplier.waiting.retain(|waiting| *waiting != slot);
        supplier.free += usize::from(supplier.given.remove(&slot));
        self.supply();
    }

    fn drain(&mut self) {
        while let Some(output) = self.poller.poll_output() {
            assert!(!self.ended, "{output:?} after the end");
            let now = self.now.as_millis();
            match output {
                PollerOutput::Reserve { slot, .. } => {
                    self.reservations += 1;
                    let supplier = self.supplier.as_mut().expect("nobody supplies slots");
                    if supplier.failures > 0 {
                        supplier.failures -= 1;
                        self.poller.handle_not_reserved(slot, self.origin + self.now);
                    } else {
                        supplier.waiting.push_back(slot);
                        self.supply();
                    }
                }
                PollerOutput::Release { slot } => self.give_back(slot),
                PollerOutput::Open { slot, queue, .. } => {
                    writeln!(self.story, "{now} open {queue:?}").unwrap();
                    self.opened.push((self.now, queue));
                    let at_once = self.opened.iter().rev().take_while(|(at, _)| *at == self.now).count();
                    assert!(at_once < AT_ONCE, "a hot loop: {at_once} polls at {now}");
                    self.in_flight.insert(slot, queue);
                    let answer = (self.server)(queue);
                    self.schedule(answer.after, Event::PollEnds(slot, answer));
                }
                PollerOutput::DropPolls => {
                    writeln!(self.story, "{now} drop").unwrap();
                    for slot in std::mem::take(&mut self.in_flight).into_keys() {
                        let now = self.origin + self.now;
                        self.poller.handle_poll_result(slot, PollResult::Dropped, PollHints::default(), now);
                    }
                }
                PollerOutput::Warn(warning) => {
                    let PollWarning { queue, class, failing_for, failures, open_for, ends_in } = warning;
                    writeln!(
                        self.story,
                        "{now} warn {queue:?} {class:?}: {failures} in {} s, open {} s, ends in {ends_in:?}",
                        failing_for.as_secs(),
                        open_for.as_secs()
                    )
                    .unwrap();
                }
                PollerOutput::Recovered { queue } => writeln!(self.story, "{now} recovered {queue:?}").unwrap(),
                PollerOutput::Fail(failure) => {
                    writeln!(self.story, "{now} fail {:?} after {} s", failure.queue, failure.failing_for.as_secs())
                        .unwrap();
                }
                PollerOutput::End => {
                    writeln!(self.story, "{now} end").unwrap();
                    self.ended = true;
                }
            }
        }
    }

    /// What must hold whenever there is nothing left to do.
    fn check(&self) {
        for queue in QueueKind::ALL {
            let open = self.in_flight.values().filter(|of| **of == queue).count();
            let running = self.running.values().filter(|of| **of == queue).count();
            assert_eq!(self.poller.open_polls(queue), open, "polls of {queue:?}");
            assert_eq!(self.poller.slots().used(queue), open + running, "slots of {queue:?}");
        }
        assert!(self.in_flight.len() + self.running.len() <= self.poller.slots().total());
        assert!(!self.ended || self.in_flight.is_empty(), "polls are open after the end");
        let PollerSnapshot { normal, sticky, slots, .. } = self.poller.snapshot();
        assert_eq!(normal.open_polls + sticky.map_or(0, |sticky| sticky.open_polls), self.in_flight.len());
        assert_eq!((slots.polling, slots.executing), (self.in_flight.len(), self.running.len()));
        let used = self.in_flight.len() + self.running.len();
        match &self.supplier {
            None => assert_eq!(slots.free, Some(self.poller.slots().total() - used)),
            Some(supplier) => {
                assert_eq!(slots.free, None);
                assert_eq!(supplier.given.len(), used, "a slot that is not needed was not given back");
            }
        }
        for queue in QueueKind::ALL {
            let target = self.poller.limits.target(queue, self.poller.spread.len());
            let Some(PollerBehavior::Autoscaling { minimum, maximum, .. }) = self.behavior else { continue };
            assert!(target.is_some_and(|target| (minimum..=maximum).contains(&target)), "{target:?}");
        }
    }

    fn warnings(&self) -> Vec<&str> {
        self.story.lines().filter(|line| !line.contains("open Normal") && !line.contains("open Sticky")).collect()
    }
}

/// Without randomness, so that the times in a story are exact to the eye.
fn exact(mut world: World<impl FnMut(QueueKind) -> Answer>) -> World<impl FnMut(QueueKind) -> Answer> {
    world.poller.jitter = Jitter::none();
    world
}

fn fixed(slots: usize, maximum: usize, sticky: bool) -> PollerOptions {
    PollerOptions::new(slots).behavior(PollerBehavior::Fixed { maximum }).sticky(sticky)
}

/// Answers in this order, and then nothing for ever.
fn script(answers: impl IntoIterator<Item = Answer>) -> impl FnMut(QueueKind) -> Answer {
    let mut answers = answers.into_iter();
    move |_| answers.next().unwrap_or(answer(60_000_000, PollResult::Empty))
}

const fn autoscaling(slots: usize, minimum: usize, initial: usize, maximum: usize) -> PollerOptions {
    PollerOptions::new(slots).behavior(PollerBehavior::Autoscaling { minimum, initial, maximum })
}

fn supplied(maximum: usize, sticky: bool) -> PollerOptions {
    PollerOptions::supplied().behavior(PollerBehavior::Fixed { maximum }).sticky(sticky)
}

/// More polls than any poller may open in one moment.
const AT_ONCE: usize = 2_000;
const UNAVAILABLE: PollResult = PollResult::Failed(ErrorClass::Retryable);
const THROTTLED: PollResult = PollResult::Failed(ErrorClass::ResourceExhausted);
const DENIED: PollResult = PollResult::Failed(ErrorClass::Fatal);
