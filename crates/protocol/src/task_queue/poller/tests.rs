//! A poller against scripted servers in virtual time: stories as text, then properties.

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
            assert!(steps < 200_000, "busy at {:?}", self.now);

            let next_event = self.events.keys().next().map(|(at, _)| *at);
            let timeout = self.poller.poll_timeout().map(|at| at.saturating_duration_since(self.origin));
            assert!(timeout.is_none_or(|at| at > self.now), "a timeout at {timeout:?} is past at {:?}", self.now);
            let Some(next) = next_event.into_iter().chain(timeout).min().filter(|next| *next <= horizon) else {
                self.now = horizon;
                return self;
            };
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

const UNAVAILABLE: PollResult = PollResult::Failed(ErrorClass::Retryable);
const THROTTLED: PollResult = PollResult::Failed(ErrorClass::ResourceExhausted);
const DENIED: PollResult = PollResult::Failed(ErrorClass::Fatal);

#[test]
fn x18_nothing_is_polled_before_the_beginning() {
    let mut poller = Poller::new(fixed(2, 2, false)).unwrap();
    assert_eq!((poller.poll_output(), poller.poll_timeout()), (None, None));
}

#[test]
fn x18_no_poll_without_a_slot() {
    let mut world = exact(World::new(fixed(2, 5, false), |_| Answer {
        work: Duration::from_millis(500),
        ..answer(100, PollResult::Task)
    }));
    world.run_until(Duration::from_millis(1000));
    assert_eq!(
        world.story,
        "\
0 open Normal
0 open Normal
600 open Normal
600 open Normal
"
    );
}

#[test]
fn x7_two_pollers_and_two_slots_are_one_of_each() {
    let mut world = exact(World::new(fixed(2, 2, true), script([])));
    world.run_until(Duration::from_secs(1));
    assert_eq!(
        world.story,
        "\
0 open Sticky
0 open Normal
"
    );
}

#[test]
fn x7_one_poller_or_one_slot_is_too_few_for_two_queues() {
    let error = |slots, maximum, sticky| Poller::new(fixed(slots, maximum, sticky)).unwrap_err().to_string();
    assert_eq!(
        error(1, 5, true),
        "there are 1 slots, but at least 2 are needed, one for the Task Queue and one for the sticky queue; \
         allow more tasks at the same time"
    );
    assert_eq!(
        error(5, 1, true),
        "at most 1 polls may be open, but at least 2 are needed, one for the Task Queue and one for the sticky queue; \
         allow more"
    );
    assert_eq!(error(0, 5, false), "there are 0 slots, but at least 1 are needed; allow more tasks at the same time");
    assert!(Poller::new(fixed(1, 1, false)).is_ok());
}

#[test]
fn x1_empty_polls_are_repeated_quietly_and_at_once() {
    let hour = 60;
    let ends = [
        PollResult::Empty,
        PollResult::Failed(ErrorClass::DeadlineExceeded),
        PollResult::Failed(ErrorClass::Cancelled),
    ];
    for end in ends {
        let mut world = exact(World::new(fixed(1, 1, false), move |_| answer(60_000, end)));
        world.run_until(Duration::from_secs(60 * hour));
        let expected: String = (0..=hour).fold(String::new(), |mut story, minute| {
            writeln!(story, "{} open Normal", minute * 60_000).unwrap();
            story
        });
        assert_eq!(world.story, expected, "{end:?}");
    }
}

#[test]
fn x1_a_server_that_does_not_wait_is_not_asked_in_a_hot_loop() {
    let mut world = exact(World::new(fixed(1, 1, false), |_| answer(1, PollResult::Empty)));
    world.run_until(Duration::from_secs(4));
    assert_eq!(
        world.story,
        "\
0 open Normal
1 open Normal
52 open Normal
153 open Normal
354 open Normal
755 open Normal
1556 open Normal
2557 open Normal
3558 open Normal
"
    );
}

#[test]
fn x2_a_transport_error_is_retried_and_one_poll_goes_ahead_of_the_others() {
    let down = [answer(10, UNAVAILABLE); 3 + 3];
    let mut world = exact(World::new(fixed(3, 3, false), script(down)));
    world.run_until(Duration::from_secs(20));
    assert_eq!(
        world.story,
        "\
0 open Normal
0 open Normal
0 open Normal
210 open Normal
620 open Normal
1430 open Normal
3040 open Normal
4040 open Normal
5040 open Normal
"
    );
}

#[test]
fn x2_success_ends_the_caution() {
    let answers =
        [answer(10, UNAVAILABLE), answer(10, UNAVAILABLE), answer(10, UNAVAILABLE), answer(5, PollResult::Task)];
    let mut world = exact(World::new(fixed(3, 3, false), script(answers)));
    world.run_until(Duration::from_secs(20));
    assert_eq!(
        world.story,
        "\
0 open Normal
0 open Normal
0 open Normal
210 open Normal
215 open Normal
215 open Normal
225 open Normal
"
    );
}

#[test]
fn x2_success_of_one_poll_ends_the_wait_after_the_failure_of_another() {
    let answers = [answer(10, UNAVAILABLE), answer(20, PollResult::Task)];
    let mut world = exact(World::new(fixed(2, 2, false), script(answers)));
    world.run_until(Duration::from_millis(300));
    assert_eq!(
        world.story,
        "\
0 open Normal
0 open Normal
20 open Normal
30 open Normal
"
    );
}

#[test]
fn x14_the_slot_of_an_open_poll_cannot_be_given_back() {
    let mut world = World::new(fixed(2, 2, false), script([]));
    world.run_until(Duration::from_secs(1));
    let instant = world.origin + world.now;
    for slot in world.in_flight.keys() {
        world.poller.handle_slot_released(*slot, instant);
    }
    world.run_until(Duration::from_secs(2));
    assert_eq!((world.opened.len(), world.poller.slots().used(QueueKind::Normal)), (2, 2));
}

#[test]
fn x3_resource_exhausted_waits_longer() {
    let mut world = exact(World::new(fixed(1, 1, false), |_| answer(0, THROTTLED)));
    world.run_until(Duration::from_secs(40));
    assert_eq!(
        world.story,
        "\
0 open Normal
1000 open Normal
3000 open Normal
7000 open Normal
15000 open Normal
25000 open Normal
35000 open Normal
"
    );
}

#[test]
fn x4_a_poll_that_was_cut_after_a_long_time_is_repeated_soon() {
    let mut world = exact(World::new(fixed(1, 1, false), |_| answer(30_000, UNAVAILABLE)));
    world.run_until(Duration::from_secs(100));
    assert_eq!(
        world.story,
        "\
0 open Normal
30200 open Normal
60400 open Normal
90400 warn Normal Retryable: 3 in 60 s, open 30 s, ends in None
90600 open Normal
"
    );
}

#[test]
fn x17_persistent_errors_are_said_less_and_less_often_until_success() {
    let mut polls = 0;
    let mut world = exact(World::new(fixed(1, 1, false), move |_| {
        polls += 1;
        if polls == 300 { answer(10, PollResult::Empty) } else { answer(10, UNAVAILABLE) }
    }));
    world.run_until(Duration::from_secs(60 * 60));
    assert_eq!(
        world.warnings(),
        [
            "62720 warn Normal Retryable: 12 in 62 s, open 0 s, ends in None",
            "182840 warn Normal Retryable: 24 in 182 s, open 0 s, ends in None",
            "423080 warn Normal Retryable: 48 in 423 s, open 0 s, ends in None",
            "903560 warn Normal Retryable: 96 in 903 s, open 0 s, ends in None",
            "1804460 warn Normal Retryable: 186 in 1804 s, open 0 s, ends in None",
            "2705360 warn Normal Retryable: 276 in 2705 s, open 0 s, ends in None",
            "2945600 recovered Normal",
            "3008320 warn Normal Retryable: 12 in 62 s, open 0 s, ends in None",
            "3128440 warn Normal Retryable: 24 in 182 s, open 0 s, ends in None",
            "3368680 warn Normal Retryable: 48 in 423 s, open 0 s, ends in None",
        ]
    );
}

#[test]
fn c3_fatal_errors_are_tolerated_for_a_time_and_then_end_it_loudly() {
    let mut world = exact(World::new(fixed(2, 2, true), |queue| match queue {
        QueueKind::Normal => answer(5, DENIED),
        QueueKind::Sticky => answer(60_000_000, PollResult::Empty),
    }));
    world.run_until(Duration::from_secs(200));
    assert_eq!(
        world.warnings(),
        [
            "5 warn Normal Fatal: 1 in 0 s, open 0 s, ends in Some(60s)",
            "62660 fail Normal after 62 s",
            "67660 drop",
            "67660 end",
        ]
    );
}

#[test]
fn c3_fatal_errors_in_passing_do_no_harm() {
    for between in [PollResult::Empty, UNAVAILABLE] {
        let mut polls = 0;
        let mut world = exact(World::new(fixed(1, 1, false), move |_| {
            polls += 1;
            if polls % 5 == 0 { answer(2000, between) } else { answer(5, DENIED) }
        }));
        world.run_until(Duration::from_secs(30 * 60));
        assert!(!world.ended, "{between:?}: {}", world.story);
    }
}

#[test]
fn s5_every_poll_fails_and_shutdown_ends_at_once() {
    let mut world = exact(World::new(fixed(2, 2, true), |_| answer(10, DENIED)));
    world.schedule(Duration::from_millis(500), Event::Shutdown(Duration::from_secs(10)));
    world.run_until(Duration::from_secs(60));
    assert_eq!(world.story.lines().last(), Some("500 end"));
}

#[test]
fn s5_shutdown_before_the_beginning_ends() {
    let mut world = World::new(fixed(2, 2, true), script([]));
    let instant = world.origin;
    world.poller.handle_shutdown(Duration::MAX, instant);
    world.run_until(Duration::from_secs(1));
    assert_eq!(world.story, "0 end\n");
}

#[test]
fn s7_a_task_that_arrives_during_shutdown_is_kept() {
    let mut world = exact(World::new(
        fixed(3, 3, false),
        script([answer(700, PollResult::Task), answer(800, PollResult::Empty), answer(900, UNAVAILABLE)]),
    ));
    world.schedule(Duration::from_millis(500), Event::Shutdown(Duration::from_secs(10)));
    world.run_until(Duration::from_millis(705));
    assert_eq!((world.tasks, world.poller.slots().used(QueueKind::Normal)), (1, 3));
    world.run_until(Duration::from_secs(60));
    assert_eq!(
        world.story,
        "\
0 open Normal
0 open Normal
0 open Normal
900 end
"
    );
}

#[test]
fn s7_polls_that_do_not_return_are_dropped_when_the_drain_is_over() {
    let mut world = exact(World::new(fixed(3, 3, true), script([])));
    world.schedule(Duration::from_millis(500), Event::Shutdown(Duration::from_secs(10)));
    world.schedule(Duration::from_millis(600), Event::Shutdown(Duration::from_secs(2)));
    world.schedule(Duration::from_millis(700), Event::Shutdown(Duration::from_secs(99)));
    world.run_until(Duration::from_secs(60));
    assert_eq!(
        world.story,
        "\
0 open Sticky
0 open Normal
0 open Sticky
2600 drop
2600 end
"
    );
}

#[test]
fn c4_a_snapshot_tells_a_busy_worker_from_one_that_is_cut_off() {
    let answers = [
        Answer { work: Duration::from_secs(100), ..answer(1000, PollResult::Task) },
        answer(1000, UNAVAILABLE),
        answer(1000, UNAVAILABLE),
        answer(60_000, PollResult::Empty),
    ];
    let mut world = exact(World::new(fixed(2, 2, true), script(answers)));
    let well = |world: &World<_>| world.poller.snapshot().is_well();
    assert!(!well(&world), "it has not begun");
    world.run_until(Duration::from_millis(500));
    assert!(well(&world), "no poll has returned yet");

    world.run_until(Duration::from_millis(1500));
    let at = |milliseconds| Some(world.origin + Duration::from_millis(milliseconds));
    let PollerSnapshot { normal, sticky, slots, .. } = world.poller.snapshot();
    let sticky = sticky.expect("there is a sticky queue");
    assert_eq!((sticky.last_task, sticky.last_success, sticky.failing_since), (at(1000), at(1000), None));
    assert_eq!((normal.last_task, normal.last_success, normal.failing_since), (None, None, at(1000)));
    assert_eq!((slots.executing, slots.polling, slots.free), (1, 1, Some(0)));
    assert!(!well(&world), "polls of the Task Queue fail");

    world.run_until(Duration::from_secs(64));
    assert!(well(&world), "it was only for some seconds: {}", world.story);
    world.schedule(Duration::ZERO, Event::Shutdown(Duration::from_secs(1)));
    world.run_until(Duration::from_secs(65));
    assert!(!well(&world), "it stops");
}

// --- Autoscaling

const fn autoscaling(slots: usize, minimum: usize, initial: usize, maximum: usize) -> PollerOptions {
    PollerOptions::new(slots).behavior(PollerBehavior::Autoscaling { minimum, initial, maximum })
}

/// A task, with a hint.
const fn hint(after_ms: u64, delta: i32) -> Answer {
    Answer { delta: Some(delta), ..answer(after_ms, PollResult::Task) }
}

fn open<S: FnMut(QueueKind) -> Answer>(world: &World<S>) -> usize {
    QueueKind::ALL.iter().map(|queue| world.poller.open_polls(*queue)).sum()
}

#[test]
fn x12_hints_open_polls_up_to_the_maximum_and_not_the_initial_number() {
    let answers = (0..200).map(|_| hint(100, 1));
    let mut world = exact(World::new(autoscaling(100, 1, 2, 8), script(answers)));
    world.run_until(Duration::from_millis(50));
    assert_eq!(open(&world), 2);
    world.run_until(Duration::from_secs(1));
    assert_eq!(open(&world), 8);
    assert_eq!(world.poller.snapshot().normal.target_polls, Some(8));
}

#[test]
fn x12_slots_are_the_limit_of_all_hints() {
    let mut world = exact(World::new(autoscaling(3, 1, 2, 50), |_| hint(100, 5)));
    world.run_until(Duration::from_secs(1));
    // `World::check` holds polls and tasks against the slots.
    assert_eq!((world.poller.snapshot().normal.target_polls, open(&world)), (Some(50), 3));
}

#[test]
fn x6_an_idle_queue_is_polled_less_and_less_if_the_server_scales() {
    let idle = |autoscaling_by_server: bool| {
        let mut world = exact(World::new(autoscaling(100, 2, 5, 20), |_| answer(60_000, PollResult::Empty)));
        world.poller.handle_support(PollSupport { autoscaling: autoscaling_by_server, ..PollSupport::default() });
        world.run_until(Duration::from_secs(250));
        open(&world)
    };
    assert_eq!((idle(true), idle(false)), (2, 5));
}

#[test]
fn x5_failures_lower_nothing_before_a_hint_was_seen() {
    for failure in [UNAVAILABLE, THROTTLED, DENIED] {
        let mut world = exact(World::new(autoscaling(100, 1, 6, 20), move |_| answer(50, failure)));
        world.run_until(Duration::from_secs(50));
        assert_eq!(world.poller.snapshot().normal.target_polls, Some(6), "{failure:?}");
    }
}

#[test]
fn x5_after_a_hint_each_outage_lowers_it_once_and_too_much_by_half() {
    let after = |failure| {
        let answers = [hint(10, 0)].into_iter().chain([answer(1000, failure); 15]);
        let mut world = exact(World::new(autoscaling(100, 1, 16, 20), script(answers)));
        world.run_until(Duration::from_millis(1500));
        world.poller.snapshot().normal.target_polls.unwrap()
    };
    // They were all open when the first of them failed.
    assert_eq!((after(UNAVAILABLE), after(THROTTLED)), (15, 8));
    for end in [ErrorClass::Cancelled, ErrorClass::DeadlineExceeded] {
        assert_eq!(after(PollResult::Failed(end)), 16, "{end:?}");
    }
}

#[test]
fn x4_a_connection_that_ends_before_any_hint_is_no_failure_of_the_worker() {
    let mut world = exact(World::new(autoscaling(100, 1, 5, 20), |_| answer(300_000, UNAVAILABLE)));
    world.run_until(Duration::from_secs(60 * 60));
    assert!(!world.ended, "{}", world.story);
    assert_eq!(world.poller.snapshot().normal.target_polls, Some(5));
}

#[test]
fn x9_a_kind_at_its_target_leaves_the_rest_to_the_other() {
    // Six slots; the sticky queue has work, the normal one asks for more polls.
    let mut world = exact(World::new(autoscaling(6, 1, 1, 20).sticky(true), |queue| match queue {
        QueueKind::Sticky => answer(60_000, PollResult::Empty),
        QueueKind::Normal => hint(100, 1),
    }));
    world.run_until(Duration::from_secs(5));
    assert_eq!([QueueKind::Sticky, QueueKind::Normal].map(|queue| world.poller.open_polls(queue)), [1, 5]);
}

#[test]
fn a_server_may_ask_for_autoscaling_where_nothing_else_was_said() {
    let target = |options: PollerOptions, autoscaling_by_default: bool| {
        let mut poller = Poller::new(options).unwrap();
        poller.handle_support(PollSupport { autoscaling: true, autoscaling_by_default, groups: None });
        poller.snapshot().normal.target_polls
    };
    let options = PollerOptions::new(10);
    assert_eq!(target(options.clone(), true), Some(5));
    assert_eq!(target(options.clone(), false), None);
    assert_eq!(target(options.behavior(PollerBehavior::FIXED), true), None);
}

#[test]
fn bounds_that_are_none_are_refused() {
    for (minimum, initial, maximum) in [(0, 1, 2), (2, 1, 3), (1, 4, 3)] {
        let error = Poller::new(autoscaling(9, minimum, initial, maximum)).unwrap_err();
        assert_eq!(error, InvalidPollerOptions::Autoscaling { minimum, initial, maximum });
    }
    assert_eq!(
        Poller::new(autoscaling(9, 0, 1, 2)).unwrap_err().to_string(),
        "autoscaling from 0 to 2 polls, with 1 at first, cannot be; the least must be 1 or more, the most not below it, \
         and the first number between them"
    );
    for share in [-0.1, 1.1, f64::NAN] {
        let error = Poller::new(fixed(9, 9, true).sticky_share(share)).unwrap_err();
        assert_eq!(error, InvalidPollerOptions::StickyShare);
    }
}

// --- Shares, groups, limits

#[test]
fn polls_are_shared_out_as_was_asked_and_each_kind_has_one() {
    let shared = |share: f64| {
        let mut world = exact(World::new(fixed(100, 10, true).sticky_share(share), script([])));
        world.run_until(Duration::from_secs(1));
        [QueueKind::Sticky, QueueKind::Normal].map(|queue| world.poller.open_polls(queue))
    };
    assert_eq!([0.0, 0.2, 0.5, 0.8, 1.0].map(shared), [[1, 9], [2, 8], [5, 5], [8, 2], [9, 1]]);
}

#[test]
fn polls_are_spread_over_the_groups_of_the_server() {
    let group = |id: &str| timewright_proto::task_queue::PollerGroupInfo { id: id.into(), weight: 1.0 };
    let groups = |ids: [&str; 3]| PollerGroups::read(None, ids.map(group).into());
    let mut poller = Poller::new(fixed(3, 3, false)).unwrap();
    poller.handle_support(PollSupport { groups: groups(["a", "b", "c"]), ..PollSupport::default() });
    let origin = World::new(fixed(1, 1, false), script([])).origin;
    poller.handle_timeout(origin);
    let opened = |poller: &mut Poller| {
        let mut opened = BTreeMap::new();
        while let Some(PollerOutput::Open { slot, group, .. }) = poller.poll_output() {
            opened.insert(group.unwrap().to_string(), slot);
        }
        opened
    };
    let first = opened(&mut poller);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    // What is polled next is what has no poll; groups change with an answer.
    let hints = PollHints { groups: groups(["b", "c", "d"]), delta: None };
    poller.handle_poll_result(first["b"], PollResult::Empty, hints, origin + Duration::from_secs(60));
    assert!(matches!(opened(&mut poller).keys().next().unwrap().as_str(), "b" | "d"));
}

#[test]
fn x19_one_limit_for_all_polls() {
    let limited = |rate: f64| fixed(50, 20, false).tasks_per_second(rate);
    let mut world = exact(World::new(limited(2.0), |_| answer(10, PollResult::Task)));
    world.run_until(Duration::from_secs(100));
    assert!((199..=203).contains(&world.tasks), "{} tasks in 100 s", world.tasks);
    assert_eq!(world.opened.len() as u64, world.tasks, "no poll beyond the limit");

    // A poll that brings nothing uses none of it up, and is repeated at once.
    let mut world = exact(World::new(limited(0.01), |_| answer(60_000, PollResult::Empty)));
    world.run_until(Duration::from_secs(600));
    assert_eq!(world.opened.len(), 11);
    let mut world = world.with_server(|_| answer(10, PollResult::Task));
    world.run_until(Duration::from_secs(1020));
    assert_eq!(world.tasks, 4, "one that was saved up, and one each 100 s: {}", world.story);
}

#[test]
fn x15_a_task_without_a_poll_needs_a_slot_and_counts_for_the_limit() {
    let mut world = World::new(fixed(3, 1, false).tasks_per_second(2.0), script([]));
    let now = world.origin;
    assert_eq!(
        world.poller.handle_task_without_poll(now).map(|slot| world.poller.handle_slot_released(slot, now)),
        Some(())
    );
    world.run_until(Duration::from_millis(10));
    let now = world.origin + Duration::from_millis(10);
    assert_eq!(world.poller.handle_task_without_poll(now), None, "the open poll holds what is left of the limit");
    let now = world.origin + Duration::from_secs(2);
    let slot = world.poller.handle_task_without_poll(now).expect("a slot");
    assert_eq!(world.poller.snapshot().slots.executing, 1);
    world.poller.handle_slot_released(slot, now);
    world.poller.handle_shutdown(Duration::ZERO, now);
    assert_eq!(world.poller.handle_task_without_poll(now), None, "it stops");

    let mut full = World::new(fixed(1, 1, false), script([]));
    full.run_until(Duration::from_secs(1));
    assert_eq!(full.poller.handle_task_without_poll(full.origin + full.now), None, "the only slot is a poll's");
}

// --- Slots that somebody else supplies

fn supplied(maximum: usize, sticky: bool) -> PollerOptions {
    PollerOptions::supplied().behavior(PollerBehavior::Fixed { maximum }).sticky(sticky)
}

#[test]
fn x18_no_poll_before_its_slot_is_there() {
    let supplier = Supplier { free: 2, takes: Duration::from_millis(300), ..Supplier::default() };
    let mut world = exact(World::new(supplied(5, false), script([])).supplied(supplier));
    world.run_until(Duration::from_secs(10));
    assert_eq!(world.story, "300 open Normal\n600 open Normal\n");
}

#[test]
fn x10_each_kind_gets_one_of_the_two_slots_that_there_are() {
    let mut world = exact(World::new(supplied(10, true), |queue| match queue {
        // They take every slot that they get, for ever.
        QueueKind::Sticky => answer(60_000_000, PollResult::Empty),
        QueueKind::Normal => answer(100, PollResult::Task),
    }));
    world.supplier = Some(Supplier { free: 2, ..Supplier::default() });
    world.run_until(Duration::from_secs(10));
    assert!(world.tasks > 80, "{}", world.story);
}

#[test]
fn x14_stopping_does_not_wait_for_a_slot() {
    let supplier = Supplier { free: 0, ..Supplier::default() };
    let mut world = exact(World::new(supplied(5, true), script([])).supplied(supplier));
    world.schedule(Duration::from_secs(1), Event::Shutdown(Duration::from_secs(10)));
    world.run_until(Duration::from_secs(2));
    assert_eq!(world.story, "1000 end\n");
    assert!(world.supplier.as_ref().unwrap().waiting.is_empty(), "nobody waits any more");
}

#[test]
fn x14_a_supplier_that_fails_is_asked_once_a_second() {
    let supplier = Supplier { free: 9, failures: 3, ..Supplier::default() };
    let mut world = exact(World::new(supplied(1, false), script([])).supplied(supplier));
    world.run_until(Duration::from_secs(10));
    assert_eq!((world.story.as_str(), world.reservations), ("3000 open Normal\n", 4));
}

fn any_class() -> impl Strategy<Value = ErrorClass> {
    prop::sample::select(vec![
        ErrorClass::Cancelled,
        ErrorClass::DeadlineExceeded,
        ErrorClass::Fatal,
        ErrorClass::MessageTooLarge,
        ErrorClass::ResourceExhausted,
        ErrorClass::Retryable,
    ])
}

fn any_setback() -> impl Strategy<Value = PollResult> {
    prop_oneof![1 => Just(PollResult::Empty), 4 => any_class().prop_map(PollResult::Failed)]
}

fn any_latency() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![0, 1, 20, 300, 999, 1000, 5000, 20_000, 60_000])
}

fn any_delta() -> impl Strategy<Value = Option<i32>> {
    prop_oneof![3 => Just(None), 1 => (-3..=3).prop_map(Some), 1 => any::<i32>().prop_map(Some)]
}

fn any_answer(result: impl Strategy<Value = PollResult>) -> impl Strategy<Value = Answer> {
    (any_latency(), result, any_latency(), any_delta()).prop_map(|(after, result, work, delta)| Answer {
        // A server cannot hand out tasks in no time at all.
        after: Duration::from_millis(if result == PollResult::Task { after.max(20) } else { after }),
        result,
        work: Duration::from_millis(work),
        delta: delta.filter(|_| matches!(result, PollResult::Task | PollResult::Empty)),
    })
}

fn any_behavior() -> impl Strategy<Value = PollerBehavior> {
    prop_oneof![
        (2usize..8).prop_map(|maximum| PollerBehavior::Fixed { maximum }),
        (1usize..4, 0usize..4, 0usize..4).prop_map(|(minimum, more, most)| PollerBehavior::Autoscaling {
            minimum,
            initial: minimum + more,
            maximum: minimum + more + most,
        }),
    ]
}

/// With slots of its own.
fn any_options() -> impl Strategy<Value = PollerOptions> {
    (2usize..8, any_behavior(), any::<bool>(), 0.0f64..=1.0, any::<u64>()).prop_map(
        |(slots, behavior, sticky, share, seed)| {
            PollerOptions::new(slots).behavior(behavior).sticky(sticky).sticky_share(share).jitter_seed(seed)
        },
    )
}

/// A server that goes through these answers again and again.
fn cycle(answers: Vec<Answer>) -> impl FnMut(QueueKind) -> Answer {
    let mut answers = answers.into_iter().cycle();
    move |_| answers.next().expect("at least one answer")
}

/// The most polls of one kind that were opened within any second.
fn busiest_second(opened: &[(Duration, QueueKind)]) -> usize {
    let busiest = |queue: QueueKind| {
        let times: Vec<_> = opened.iter().filter(|(_, of)| *of == queue).map(|(at, _)| *at).collect();
        (0..times.len())
            .map(|first| times[first..].iter().take_while(|at| **at < times[first] + Duration::from_secs(1)).count())
            .max()
    };
    QueueKind::ALL.into_iter().filter_map(busiest).max().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// `World::check` holds the slots against the polls and tasks after every step; at the end all are back.
    #[test]
    fn s11_slots_are_conserved_and_shutdown_ends(
        options in any_options(),
        answers in prop::collection::vec(any_answer(prop_oneof![Just(PollResult::Task), any_setback()]), 1..20),
        shutdown_at in 0u64..30_000,
        drain in 0u64..70_000,
    ) {
        let (shutdown_at, drain) = (Duration::from_millis(shutdown_at), Duration::from_millis(drain));
        let mut world = World::new(options, cycle(answers));
        world.schedule(shutdown_at, Event::Shutdown(drain));
        world.run_until(shutdown_at + drain);
        prop_assert!(world.ended, "{}", world.story);
        world.run_until(shutdown_at + drain + Duration::from_secs(100));
        prop_assert_eq!(world.story.lines().filter(|line| line.ends_with(" end")).count(), 1);
        for queue in QueueKind::ALL {
            prop_assert_eq!(world.poller.slots().used(queue), 0);
        }
    }

    #[test]
    fn x3_no_errors_make_a_hot_loop(
        options in any_options(),
        answers in prop::collection::vec(any_answer(any_setback()), 1..20),
    ) {
        let slots = options.slots.unwrap();
        let options = options.fatal_grace(Duration::from_secs(10_000));
        let mut world = World::new(options, cycle(answers));
        world.run_until(Duration::from_secs(120));
        let busiest = busiest_second(&world.opened);
        prop_assert!(busiest <= 6 * slots + 6, "{busiest} polls in a second: {}", world.story);
    }

    #[test]
    fn x3_what_fails_always_and_at_once_is_asked_once_a_while(
        slots in 2usize..8,
        sticky: bool,
        seed: u64,
        results in prop::collection::vec(any_setback(), 1..6),
    ) {
        let options = fixed(slots, slots, sticky).jitter_seed(seed).fatal_grace(Duration::from_secs(10_000));
        let answers: Vec<_> = results.into_iter().map(|result| answer(0, result)).collect();
        // Each queue goes through them by itself, so that both have settled after the same time.
        let (mut normal, mut sticky) = (cycle(answers.clone()), cycle(answers));
        let mut world = World::new(options, |queue| match queue {
            QueueKind::Normal => normal(queue),
            QueueKind::Sticky => sticky(queue),
        });
        world.run_until(Duration::from_secs(120));
        let settled: Vec<_> =
            world.opened.iter().copied().filter(|(at, _)| *at > Duration::from_secs(60)).collect();
        let busiest = busiest_second(&settled);
        prop_assert!(busiest <= 2 * slots + 2, "{busiest} polls in a second: {}", world.story);
    }

    /// One queue is polled for ever without an end, or its tasks never end: the other has polls all the same.
    #[test]
    fn x7_each_kind_is_always_served(
        slots in 2usize..8,
        maximum in 2usize..8,
        seed: u64,
        greedy_is_sticky: bool,
        greedy in prop::collection::vec(
            prop_oneof![
                Just(answer(1_000_000, PollResult::Empty)),
                Just(Answer { work: Duration::from_secs(1000), ..answer(1, PollResult::Task) }),
            ],
            1..5,
        ),
    ) {
        let greedy_kind = if greedy_is_sticky { QueueKind::Sticky } else { QueueKind::Normal };
        let mut greedy = cycle(greedy);
        let mut served = 0;
        let mut world = World::new(fixed(slots, maximum, true).jitter_seed(seed), |queue| {
            if queue == greedy_kind {
                return greedy(queue);
            }
            served += 1;
            Answer { work: Duration::from_millis(50), ..answer(50, PollResult::Task) }
        });
        world.run_until(Duration::from_secs(10));
        drop(world);
        prop_assert!(served >= 100, "only {served} polls in 10 s, each of which takes 0.1 s");
    }

    /// However it went before: soon after the server is well again, all polls are open.
    #[test]
    fn x5_polls_come_back_after_any_trouble(
        options in any_options(),
        answers in prop::collection::vec(any_answer(any_setback()), 1..20),
    ) {
        let slots = options.slots.unwrap();
        let least = match options.behavior.unwrap() {
            PollerBehavior::Fixed { maximum } => maximum,
            PollerBehavior::Autoscaling { minimum, .. } => if options.sticky { 2 * minimum } else { minimum },
        };
        let options = options.fatal_grace(Duration::from_secs(10_000));
        let trouble_ends = Duration::from_secs(100);
        let mut world = World::new(options, cycle(answers));
        world.run_until(trouble_ends);
        let mut world = world.with_server(script([]));
        // The last poll of before may take 60 s and fail; then a wait of 12 s; then one new poll a second.
        world.run_until(trouble_ends + Duration::from_secs(60 + 12 + 8));
        let open: usize = QueueKind::ALL.iter().map(|queue| world.poller.open_polls(*queue)).sum();
        prop_assert!(open >= slots.min(least), "{}", world.story);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// As `s11_slots_are_conserved_and_shutdown_ends`, with slots that come from elsewhere: all are back at the end.
    #[test]
    fn x14_supplied_slots_are_conserved_and_shutdown_ends(
        slots in 0usize..8,
        takes in any_latency(),
        failures in 0usize..4,
        behavior in any_behavior(),
        sticky: bool,
        limit in prop_oneof![Just(None), (0.5f64..50.0).prop_map(Some)],
        answers in prop::collection::vec(any_answer(prop_oneof![Just(PollResult::Task), any_setback()]), 1..20),
        shutdown_at in 0u64..30_000,
        drain in 0u64..70_000,
    ) {
        let (shutdown_at, drain) = (Duration::from_millis(shutdown_at), Duration::from_millis(drain));
        let mut options = PollerOptions::supplied().behavior(behavior).sticky(sticky);
        if let Some(limit) = limit {
            options = options.tasks_per_second(limit);
        }
        let supplier = Supplier { free: slots, takes: Duration::from_millis(takes), failures, ..Supplier::default() };
        let mut world = World::new(options, cycle(answers)).supplied(supplier);
        world.schedule(shutdown_at, Event::Shutdown(drain));
        world.run_until(shutdown_at + drain);
        prop_assert!(world.ended, "{}", world.story);
        world.run_until(shutdown_at + drain + Duration::from_secs(200));
        prop_assert_eq!(world.supplier.unwrap().free, slots);
        // Each poll asks once; so does each release of a slot that was not needed any more, and each failure.
        prop_assert!(world.reservations <= 2 * world.opened.len() + 2 * 200 + failures, "{}", world.reservations);
    }

    /// One kind is never done with what it gets, or the supplier is slow: the other is served all the same.
    #[test]
    fn x10_each_kind_is_always_served_with_supplied_slots(
        slots in 2usize..8,
        takes in 0u64..100,
        behavior in any_behavior(),
        greedy_is_sticky: bool,
    ) {
        let greedy = if greedy_is_sticky { QueueKind::Sticky } else { QueueKind::Normal };
        let mut served = 0;
        let supplier = Supplier { free: slots, takes: Duration::from_millis(takes), ..Supplier::default() };
        let options = PollerOptions::supplied().behavior(behavior).sticky(true);
        let mut world = World::new(options, |queue| {
            if queue == greedy {
                return Answer { delta: Some(1), ..answer(1_000_000, PollResult::Empty) };
            }
            served += 1;
            Answer { work: Duration::from_millis(50), ..answer(50, PollResult::Task) }
        }).supplied(supplier);
        world.run_until(Duration::from_secs(10));
        drop(world);
        prop_assert!(served >= 45, "only {served} polls in 10 s, each of which takes 0.1 s, and 0.1 s for its slot");
    }

    /// Hints of any size, answers of any kind: `World::check` holds the targets to their bounds.
    #[test]
    fn x5_autoscaling_keeps_its_bounds_and_lowers_for_failures_only_what_hints_can_raise(
        minimum in 1usize..5,
        more in 0usize..5,
        most in 0usize..20,
        sticky: bool,
        answers in prop::collection::vec(any_answer(prop_oneof![Just(PollResult::Task), any_setback()]), 1..20),
    ) {
        let initial = minimum + more;
        let has_hints = answers.iter().any(|answer| answer.delta.is_some());
        let options = autoscaling(50, minimum, initial, initial + most).sticky(sticky);
        let mut world = World::new(options.fatal_grace(Duration::from_secs(10_000)), cycle(answers));
        world.run_until(Duration::from_secs(100));
        if !has_hints {
            prop_assert_eq!(world.poller.snapshot().normal.target_polls, Some(initial));
        }
    }

    #[test]
    fn x19_no_window_has_more_tasks_than_the_limit(
        rate in 0.2f64..30.0,
        options in any_options(),
        answers in prop::collection::vec(any_answer(prop_oneof![4 => Just(PollResult::Task), 1 => any_setback()]), 1..20),
    ) {
        let options = options.sticky(false).tasks_per_second(rate);
        let mut world = World::new(options, cycle(answers));
        world.run_until(Duration::from_secs(60));
        let times = &world.task_times;
        for first in 0..times.len() {
            for last in first..times.len() {
                let window = (times[last] - times[first]).as_secs_f64();
                let most = rate.max(1.0) + window * rate + 0.001;
                prop_assert!((last - first + 1) as f64 <= most, "{} in {window} s: {}", last - first + 1, world.story);
            }
        }
    }
}
