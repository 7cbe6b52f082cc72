//! What the properties found, made small and given names.

use crate::assert_replays;
use crate::program::{Program, Step};
use crate::world::{Action, Conditions, WORKFLOW_ID, World};

/// The history that answers a Query can end with the Events of a retry that are not written yet. What really gets their ids
/// must be heard all the same.
#[test]
fn a_query_while_a_retry_is_scheduled() {
    let program = Program { main: vec![Step::WaitSignal(0), Step::WaitSignal(1)], ..Program::default() };
    let schedule = [
        Action::Work,
        Action::Query,
        Action::Hold, // the Query
        Action::Signal(0),
        Action::Fail, // on the sticky queue
        Action::Work,
        Action::Fail, // on the normal queue
        Action::Work,
        Action::Resume, // the Query; now a retry is scheduled
        Action::Signal(1),
    ];
    let world = World::live(&program, Conditions::undisturbed(0), &schedule);
    assert_eq!(world.answered_queries(), 1);
    assert_replays(&program, &world).unwrap();
    assert!(!world.server.is_running(WORKFLOW_ID), "both signals were heard");
}
