//! What holds whatever servers and suppliers do.

use super::*;

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
