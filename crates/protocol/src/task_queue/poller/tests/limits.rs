//! How polls are shared out over queues and groups, and the limit of tasks a second.

use super::*;

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
    let mut now = origin;
    let mut again = |poller: &mut Poller, open: BTreeMap<String, SlotId>| {
        let mut next = BTreeMap::new();
        for slot in open.into_values() {
            now += Duration::from_secs(60);
            let hints = PollHints { groups: groups(["b", "c", "d"]), delta: None };
            poller.handle_poll_result(slot, PollResult::Empty, hints, now);
            next.append(&mut opened(poller));
        }
        next
    };
    let mut open = first;
    for _ in 0..5 {
        open = again(&mut poller, open);
        assert_eq!(open.keys().collect::<Vec<_>>(), ["b", "c", "d"]);
    }
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
