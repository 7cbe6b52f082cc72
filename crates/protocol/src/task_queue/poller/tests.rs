//! A poller against scripted servers in virtual time: stories as text, then properties.

use super::*;
use proptest::prelude::*;
use std::fmt::Write;

/// What a server does with one poll: after this long, this result; a task then takes that long.
#[derive(Clone, Copy, Debug)]
struct Answer {
    after: Duration,
    result: PollResult,
    work: Duration,
}

const fn answer(after_ms: u64, result: PollResult) -> Answer {
    Answer { after: Duration::from_millis(after_ms), result, work: Duration::from_millis(10) }
}

enum Event {
    PollEnds(SlotId, PollResult, Duration),
    TaskEnds(SlotId),
    Shutdown(Duration),
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
    tasks: u64,
    ended: bool,
    story: String,
}

impl<S: FnMut(QueueKind) -> Answer> World<S> {
    #[expect(clippy::disallowed_methods, reason = "any point in time will do, and there is no other way to get one")]
    fn new(options: PollerOptions, server: S) -> Self {
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
            tasks: 0,
            ended: false,
            story: String::new(),
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
                Event::PollEnds(slot, result, work) => {
                    let Some(queue) = self.in_flight.remove(&slot) else { continue };
                    self.poller.handle_poll_result(slot, result, instant);
                    if result == PollResult::Task {
                        self.tasks += 1;
                        self.running.insert(slot, queue);
                        self.schedule(work, Event::TaskEnds(slot));
                    }
                }
                Event::TaskEnds(slot) => {
                    self.running.remove(&slot);
                    self.poller.handle_slot_released(slot, instant);
                    self.poller.handle_slot_released(slot, instant);
                }
                Event::Shutdown(drain) => self.poller.handle_shutdown(drain, instant),
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.poller.poll_output() {
            assert!(!self.ended, "{output:?} after the end");
            let now = self.now.as_millis();
            match output {
                PollerOutput::Open { slot, queue } => {
                    writeln!(self.story, "{now} open {queue:?}").unwrap();
                    self.opened.push((self.now, queue));
                    self.in_flight.insert(slot, queue);
                    let answer = (self.server)(queue);
                    self.schedule(answer.after, Event::PollEnds(slot, answer.result, answer.work));
                }
                PollerOutput::DropPolls => {
                    writeln!(self.story, "{now} drop").unwrap();
                    for slot in std::mem::take(&mut self.in_flight).into_keys() {
                        self.poller.handle_poll_result(slot, PollResult::Dropped, self.origin + self.now);
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
        assert_eq!(slots.free, Some(self.poller.slots().total() - self.in_flight.len() - self.running.len()));
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

fn any_answer(result: impl Strategy<Value = PollResult>) -> impl Strategy<Value = Answer> {
    (any_latency(), result, any_latency()).prop_map(|(after, result, work)| Answer {
        // A server cannot hand out tasks in no time at all.
        after: Duration::from_millis(if result == PollResult::Task { after.max(20) } else { after }),
        result,
        work: Duration::from_millis(work),
    })
}

fn any_options() -> impl Strategy<Value = PollerOptions> {
    (2usize..8, 2usize..8, any::<bool>(), any::<u64>())
        .prop_map(|(slots, maximum, sticky, seed)| fixed(slots, maximum, sticky).jitter_seed(seed))
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
        slots in 2usize..8,
        sticky: bool,
        seed: u64,
        answers in prop::collection::vec(any_answer(any_setback()), 1..20),
    ) {
        let options = fixed(slots, slots, sticky).jitter_seed(seed).fatal_grace(Duration::from_secs(10_000));
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
        let slots = options.slots;
        let PollerBehavior::Fixed { maximum } = options.behavior;
        let options = options.fatal_grace(Duration::from_secs(10_000));
        let trouble_ends = Duration::from_secs(100);
        let mut world = World::new(options, cycle(answers));
        world.run_until(trouble_ends);
        let World { poller, origin, now, events, serial, opened, in_flight, running, tasks, ended, story, .. } = world;
        let mut world = World {
            server: script([]), poller, origin, now, events, serial, opened, in_flight, running, tasks, ended, story,
        };
        // The last poll of before may take 60 s and fail; then a wait of 12 s; then one new poll a second.
        world.run_until(trouble_ends + Duration::from_secs(60 + 12 + 8));
        let open: usize = QueueKind::ALL.iter().map(|queue| world.poller.open_polls(*queue)).sum();
        prop_assert_eq!(open, slots.min(maximum), "{}", world.story);
    }
}
