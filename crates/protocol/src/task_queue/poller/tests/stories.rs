//! A fixed number of polls: stories of how a server behaves, how a worker stops, and what a snapshot tells.

use super::*;

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
fn x1_a_server_that_waits_again_or_has_a_task_ends_the_caution() {
    let hasty = answer(1, PollResult::Empty);
    for patient in [answer(1000, PollResult::Empty), answer(1, PollResult::Task)] {
        let mut world = exact(World::new(fixed(1, 1, false), script([hasty, hasty, hasty, patient, hasty, hasty])));
        world.run_until(Duration::from_secs(4));
        let opened: Vec<_> = world.opened.iter().map(|(at, _)| at.as_millis()).collect();
        let [first, next, after] = [opened[4], opened[5], opened[6]];
        assert_eq!(opened[..4], [0, 1, 52, 153]);
        assert_eq!([next - first, after - next], [1, 51], "{}", world.story);
    }
}

#[test]
fn x1_polls_that_end_together_are_one_sign_of_haste() {
    let mut world = exact(World::new(fixed(3, 3, false), script([answer(1, PollResult::Empty); 6])));
    world.run_until(Duration::from_secs(4));
    let opened: Vec<_> = world.opened.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(opened, [0, 0, 0, 1, 1, 1, 52, 52, 52]);
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

#[test]
fn a_snapshot_tells_when_the_last_open_poll_of_each_kind_was_opened() {
    let mut returned = false;
    let mut world = exact(World::new(fixed(4, 4, true), |queue| match queue {
        QueueKind::Normal if !std::mem::replace(&mut returned, true) => answer(1000, PollResult::Empty),
        _ => answer(60_000_000, PollResult::Empty),
    }));
    world.run_until(Duration::from_millis(1500));
    assert_eq!((world.poller.open_polls(QueueKind::Sticky), world.poller.open_polls(QueueKind::Normal)), (2, 2));
    let PollerSnapshot { normal, sticky, .. } = world.poller.snapshot();
    assert_eq!(normal.last_opened, Some(world.origin + Duration::from_secs(1)));
    assert_eq!(sticky.expect("there is a sticky queue").last_opened, Some(world.origin));
}

#[test]
fn each_kind_of_queue_is_tried_again_in_its_own_time() {
    let mut world = exact(World::new(fixed(2, 2, true), |queue| match queue {
        QueueKind::Sticky => answer(0, UNAVAILABLE),
        QueueKind::Normal => answer(0, PollResult::Failed(ErrorClass::ResourceExhausted)),
    }));
    world.run_until(Duration::from_millis(1500));
    let opened = |kind| {
        let opened = world.opened.iter().filter(|(_, queue)| *queue == kind);
        opened.map(|(at, _)| at.as_millis()).collect::<Vec<_>>()
    };
    assert_eq!(opened(QueueKind::Sticky), [0, 200, 600, 1400]);
    assert_eq!(opened(QueueKind::Normal), [0, 1000]);
}
