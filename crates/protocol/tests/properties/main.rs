//! Properties of the Workflow Task Execution Protocol: random programs, live against a model of the server and on replay.
//!
//! [`program`] is the language and the generator, [`interpreter`] the user code, [`worker`] the shell around the Runs,
//! [`world`] everything else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs, unreachable_pub, reason = "nobody uses a test from outside")]

mod bounds;
mod everything;
mod generate;
mod interpreter;
mod patches;
mod program;
mod reference;
mod regressions;
mod replay;
mod worker;
mod world;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use timewright_model_server::{Pages, history_lines};
use timewright_proto::enums::WorkflowTaskFailedCause;

use crate::generate::{changed_program, program};
use crate::program::Program;
use crate::reference::{
    comes_of_reset, heard_news, heard_outcomes, issued_commands, news, next_run_id, noted_outcomes, operation,
    recorded_commands, unheard_updates, without_numbers, wrong_change_versions, wrong_heritage,
};
use crate::replay::{is_note, replay};
use crate::worker::{Heard, activation_text};
use crate::world::{Action, Conditions, World, overlapping_schedule, schedule};

proptest! {
    /// Dropping Runs from the cache, at some tasks or at all, leaves no trace in the history.
    #[test]
    fn evictions_leave_the_history_unchanged(
        program in program(),
        schedule in schedule(),
        seed in any::<u64>(),
        evictions in prop_oneof![any::<u64>(), Just(u64::MAX)],
        cache in 0..2_usize,
    ) {
        let undisturbed = comparable(&program, seed);
        let expected = World::live(&program, undisturbed, &schedule);
        let disturbed = World::live(&program, Conditions { evictions, cache, ..undisturbed }, &schedule);
        assert_same_histories(&expected, &disturbed)?;
    }

    /// Where histories are split into pages makes no difference, whether or not Runs must be built from them.
    #[test]
    fn pages_leave_the_history_unchanged(
        program in program(),
        schedule in schedule(),
        seed in any::<u64>(),
        evictions in any::<u64>(),
        pages in prop_oneof![any::<u64>().prop_map(Pages::Seeded), (1..4_usize).prop_map(Pages::Every)],
    ) {
        let undisturbed = comparable(&program, seed);
        let expected = World::live(&program, undisturbed, &schedule);
        let disturbed = World::live(&program, Conditions { evictions, pages, ..undisturbed }, &schedule);
        assert_same_histories(&expected, &disturbed)?;
    }

    /// On replay, user code hears exactly what it heard live, at the same places, and asks for the same.
    #[test]
    fn a_replay_is_what_was_lived(
        program in program(),
        schedule in schedule(),
        seed in any::<u64>(),
        wants_next in any::<bool>(),
        sizes in vec(0..5_usize, 0..4),
    ) {
        let world = World::live(&program, Conditions { wants_next, ..Conditions::undisturbed(seed) }, &schedule);
        for run in world.histories().into_iter().filter(|(_, history)| !comes_of_reset(history)) {
            let lived = world.worker.heard.get(&run.0).cloned().unwrap_or_default();
            let sizes = if sizes.iter().all(|size| *size == 0) { &[] } else { sizes.as_slice() };
            let replayed = replay(&program, &run, sizes);
            let mut replayed = replayed.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
            let mut lived: Vec<Heard> = lived.iter().map(Heard::recorded).collect();
            lived.retain(|heard| !heard.activation.jobs.is_empty());
            // Behind the last completion, a task may be open or lost.
            replayed.retain(|heard| heard.activation.replaying);
            for heard in &mut replayed {
                heard.activation.replaying = false;
                heard.activation.jobs.retain(|job| !is_note(job));
                *heard = heard.recorded();
            }
            replayed.retain(|heard| !heard.activation.jobs.is_empty());
            let texts = |heard: &[Heard]| heard.iter().map(|heard| activation_text(&heard.activation)).collect::<Vec<_>>();
            prop_assert_eq!(texts(&lived), texts(&replayed), "{:#?}", history_lines(&run.1));
            prop_assert!(lived == replayed, "{lived:#?}\n{replayed:#?}");
        }
    }

    /// User code hears each Event of the history once, in order: signals first, then the rest as recorded. And the history
    /// records what user code asked for, in its order.
    #[test]
    fn each_event_is_heard_once_and_each_wish_recorded_once(
        program in program(),
        schedule in schedule(),
        seed in any::<u64>(),
    ) {
        let world = World::live(&program, Conditions::undisturbed(seed), &schedule);
        let histories = world.histories();
        for (_, before) in &histories {
            let next = next_run_id(before).and_then(|next| histories.iter().find(|(run_id, _)| run_id == next));
            if let Some((_, after)) = next {
                prop_assert_eq!(wrong_heritage(before, after), None, "{:#?}", history_lines(before));
            }
        }
        for (run_id, history) in histories.into_iter().filter(|(_, history)| !comes_of_reset(history)) {
            let heard = world.worker.heard.get(&run_id).cloned().unwrap_or_default();
            let mut told = BTreeMap::new();
            let found = heard_news(&heard, &mut told);
            let expected: Vec<(i64, Vec<String>)> = news(&history, &heard)
                .into_iter()
                .map(|(started, mut jobs)| {
                    // Whoever was told that something is cancelled hears no more of it.
                    jobs.retain(|job| told.get(operation(job)).is_none_or(|told| *told >= started));
                    (started, jobs)
                })
                .filter(|(_, jobs)| !jobs.is_empty())
                .collect();
            prop_assert_eq!(expected, found, "{:#?}", history_lines(&history));

            let mut recorded = recorded_commands(&history);
            recorded.retain(|(_, commands)| !commands.is_empty());
            prop_assert_eq!(recorded, issued_commands(&heard), "{:#?}", history_lines(&history));
            prop_assert_eq!(unheard_updates(&history, &heard), Vec::<String>::new(), "{:#?}", history_lines(&history));
            prop_assert_eq!(wrong_change_versions(&history), None, "{:#?}", history_lines(&history));

            let (mut noted, heard) = (noted_outcomes(&history), heard_outcomes(&heard));
            // What is cancelled together with the end of the workflow is heard by nobody.
            if let Some((ended, outcomes)) = noted.last_mut()
                && Some(*ended) == news(&history, &[]).last().map(|(started, _)| *started)
            {
                let told = heard.last().filter(|(last, _)| last == ended).map_or(0, |(_, outcomes)| outcomes.len());
                prop_assert!(outcomes[told.min(outcomes.len())..].iter().all(|outcome| outcome.ends_with("cancelled")));
                outcomes.truncate(told);
            }
            noted.retain(|(_, outcomes)| !outcomes.is_empty());
            prop_assert_eq!(noted, heard, "{:#?}", history_lines(&history));
        }
    }

    /// A changed program either disagrees with the history, and the Run says so, or it asks for the same; it never
    /// panics and never hangs.
    #[test]
    fn a_changed_program_disagrees_or_asks_for_the_same(
        (program, changed) in changed_program(),
        schedule in schedule(),
        seed in any::<u64>(),
    ) {
        let world = World::live(&program, Conditions::undisturbed(seed), &schedule);
        for run in world.histories() {
            let history = &run.1;
            match replay(&changed, &run, &[]) {
                Ok(mut heard) => {
                    heard.retain(|heard| heard.activation.replaying);
                    let mut recorded = recorded_commands(history);
                    recorded.retain(|(_, commands)| !commands.is_empty());
                    let found = issued_commands(&heard);
                    prop_assert_eq!(without_numbers(recorded), without_numbers(found), "{:#?}", history_lines(history));
                }
                Err(failure) => {
                    prop_assert_eq!(failure.cause, WorkflowTaskFailedCause::NonDeterministicError);
                    prop_assert!(failure.nondeterminism.is_some(), "{:?}", failure);
                }
            }
        }
    }

    /// A workflow that is stuck because its code was changed goes on when the old code is back.
    #[test]
    fn the_old_code_goes_on(
        (program, changed) in changed_program(),
        schedule in schedule(),
        later in schedule(),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(&program, Conditions::undisturbed(seed));
        for action in schedule {
            world.act(action);
        }
        let failures = world.worker.failures.len();
        world.change_program(&changed);
        let completed = world.completed();
        for action in later {
            world.act(action);
        }
        let new_failures = world.worker.failures[failures..].to_vec();
        prop_assert!(
            new_failures.iter().all(|text| is_expected(text) || text.starts_with("NonDeterministicError")),
            "{new_failures:?}"
        );
        // Where the new code got anywhere, the old cannot go on from there.
        if world.completed() > completed {
            return Ok(());
        }
        world.change_program(&program);
        world.finish();
        let last_failures = &world.worker.failures[failures + new_failures.len()..];
        prop_assert!(last_failures.iter().all(|text| is_expected(text)), "{last_failures:?}");
        assert_replays(&program, &world)?;
    }

    /// Every task is answered exactly once, however tasks, pages, answers and evictions overlap, twice delivered and stale
    /// tasks included; and whatever overlaps, the history stays one that the program agrees with.
    #[test]
    fn every_task_is_answered_once(
        program in program(),
        schedule in overlapping_schedule(),
        seed in any::<u64>(),
        pages in any::<u64>().prop_map(Pages::Seeded),
        cache in 0..3_usize,
        wants_next in any::<bool>(),
    ) {
        let mut world = World::new(&program, Conditions { pages, cache, wants_next, overlaps: true, ..Conditions::undisturbed(seed) });
        for action in schedule {
            world.act(action);
        }
        world.finish();
        world.answered_queries();
        world.act(Action::Crash);
        prop_assert!(world.worker.failures.iter().all(|text| is_expected(text)), "{:?}", world.worker.failures);
        assert_replays(&program, &world)?;
    }
}

/// How many cases of a property that costs so many times as much as others.
fn cases(cost: u32) -> u32 {
    (ProptestConfig::default().cases / cost).max(1)
}

/// Conditions under which only what a property changes can make a difference: that a task comes too late is seen in the
/// history by whoever has no Run cached, where others execute its Local Activities in vain.
fn comparable(program: &Program, seed: u64) -> Conditions {
    let drops_stale_tasks = format!("{program:?}").contains("LocalActivity");
    Conditions { drops_stale_tasks, ..Conditions::undisturbed(seed) }
}

fn assert_same_histories(expected: &World, found: &World) -> Result<(), TestCaseError> {
    for world in [expected, found] {
        world.answered_queries();
        prop_assert!(world.worker.failures.iter().all(|text| is_expected(text)), "{:?}", world.worker.failures);
    }
    prop_assert_eq!(expected.update_answers(), found.update_answers());
    let (expected, found) = (expected.histories(), found.histories());
    for ((_, expected), (_, found)) in expected.iter().zip(&found) {
        prop_assert_eq!(history_lines(expected), history_lines(found));
    }
    prop_assert!(expected == found, "the histories differ in what the lines do not show");
    Ok(())
}

fn assert_replays(program: &Program, world: &World) -> Result<(), TestCaseError> {
    for run in world.histories() {
        let failure = replay(program, &run, &[]).err().map(|failure| failure.failure.message);
        prop_assert_eq!(failure, None, "{:#?}", history_lines(&run.1));
    }
    Ok(())
}

/// Whether a task failed because the schedule says so.
fn is_expected(failure: &str) -> bool {
    failure.ends_with("user code panicked")
}
