//! A number of polls that follows the hints of the server.

use super::*;

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

    // From then on it goes beyond what would have been the fixed number.
    let mut world = exact(World::new(PollerOptions::new(100), |_| hint(100, 1)));
    world.poller.handle_support(PollSupport { autoscaling: true, autoscaling_by_default: true, groups: None });
    world.run_until(Duration::from_secs(5));
    assert!(world.poller.open_polls(QueueKind::Normal) > 50, "{}", world.poller.open_polls(QueueKind::Normal));
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
