//! Code that changes while its workflows run: patches and integer versions.

use proptest::prelude::*;
use timewright_model_server::history_lines;
use timewright_proto::enums::WorkflowTaskFailedCause;

use crate::generate::program_with_changes;
use crate::program::Era;
use crate::replay::replay;
use crate::world::{Conditions, World, schedule};
use crate::{assert_replays, is_expected};

proptest! {
    /// A workflow that the old code began goes on with the new, whenever the code is exchanged.
    #[test]
    fn a_patch_takes_workflows_over(
        program in program_with_changes(),
        schedule in schedule(),
        later in schedule(),
        seed in any::<u64>(),
    ) {
        let patched = program.in_era(Era::Patched);
        let mut world = World::new(&program.in_era(Era::Before), Conditions::undisturbed(seed));
        for action in schedule {
            world.act(action);
        }
        world.change_program(&patched);
        for action in later {
            world.act(action);
        }
        world.finish();
        prop_assert!(world.worker.failures.iter().all(|text| is_expected(text)), "{:?}", world.worker.failures);
        assert_replays(&patched, &world)?;
    }

    /// Once no workflow of the old code is left, a patch can be deprecated; once none is left that has asked for it, it can
    /// be removed. What was written before that replays with what comes next.
    #[test]
    fn a_patch_can_be_deprecated_and_removed(
        program in program_with_changes(),
        schedule in schedule(),
        later in schedule(),
        seed in any::<u64>(),
    ) {
        for (era, next) in [(Era::Patched, Era::Deprecated), (Era::Deprecated, Era::Removed)] {
            let next = program.in_era(next);
            let mut world = World::new(&program.in_era(era), Conditions::undisturbed(seed));
            for action in schedule.clone() {
                world.act(action);
            }
            assert_replays(&next, &world)?;
            world.change_program(&next);
            for action in later.clone() {
                world.act(action);
            }
            world.finish();
            prop_assert!(world.worker.failures.iter().all(|text| is_expected(text)), "{:?}", world.worker.failures);
            assert_replays(&next, &world)?;
        }
    }

    /// Whoever goes back to the old code is told, unless it makes no difference.
    #[test]
    fn no_way_back_goes_unnoticed(program in program_with_changes(), schedule in schedule(), seed in any::<u64>()) {
        let world = World::live(&program.in_era(Era::Patched), Conditions::undisturbed(seed), &schedule);
        for run in world.histories() {
            let has_notes = run.1.iter().any(|event| format!("{:?}", event.attributes).contains("patch-data"));
            match replay(&program.in_era(Era::Before), &run, &[]) {
                Ok(_) => prop_assert!(!has_notes, "{:#?}", history_lines(&run.1)),
                Err(failure) => prop_assert_eq!(failure.cause, WorkflowTaskFailedCause::NonDeterministicError),
            }
        }
    }
}
