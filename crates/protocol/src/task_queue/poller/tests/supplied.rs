//! Slots that somebody else supplies.

use super::*;

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

/// A kind whose only slot executes something has no poll, and neither has the kind that has no slot at all: that one comes first.
#[test]
fn x10_the_kind_that_has_no_slot_comes_before_the_one_whose_slots_are_busy() {
    let mut world = exact(World::new(supplied(10, true), |queue| match queue {
        QueueKind::Sticky => Answer { work: Duration::from_secs(1000), ..answer(10, PollResult::Task) },
        QueueKind::Normal => Answer { work: Duration::from_millis(10), ..answer(100, PollResult::Task) },
    }));
    world.supplier = Some(Supplier { free: 2, ..Supplier::default() });
    world.run_until(Duration::from_secs(10));
    assert!(world.tasks > 50, "{}", world.story);
}
