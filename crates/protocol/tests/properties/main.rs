//! Properties of the Workflow Task Execution Protocol: random programs, live against a model of the server and on replay.
//!
//! [`program`] is the language and the generator, [`interpreter`] the user code, [`worker`] the shell around the Runs,
//! [`world`] everything else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs, unreachable_pub, reason = "nobody uses a test from outside")]

mod interpreter;
mod program;
mod world;
mod worker;

use proptest::prelude::*;
use timewright_model_server::{Pages, history_lines};

use crate::program::program;
use crate::world::{Conditions, World, schedule};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Dropping Runs from the cache, at some tasks or at all, leaves no trace in the history.
    #[test]
    fn evictions_leave_the_history_unchanged(
        program in program(),
        schedule in schedule(true),
        seed in any::<u64>(),
        evictions in prop_oneof![any::<u64>(), Just(u64::MAX)],
        cache in 0..2_usize,
    ) {
        let undisturbed = Conditions::undisturbed(seed);
        let expected = World::live(&program, undisturbed, &schedule);
        let disturbed = World::live(&program, Conditions { evictions, cache, ..undisturbed }, &schedule);
        assert_same_histories(&expected, &disturbed)?;
    }
}

fn assert_same_histories(expected: &World, found: &World) -> Result<(), TestCaseError> {
    let (expected, found) = (expected.histories(), found.histories());
    for ((_, expected), (_, found)) in expected.iter().zip(&found) {
        prop_assert_eq!(history_lines(expected), history_lines(found));
    }
    prop_assert!(expected == found, "the histories differ in what the lines do not show");
    Ok(())
}
