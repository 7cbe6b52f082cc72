//! Every order in which things can come in.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::code::Code;
use super::world::World;

/// Runs `code` against every sequence of so many of the `steps` that make sense, after the first task of a workflow. What must be
/// true of every scenario must be true of each, above all that replays say what was said live; so there is no transcript. `at_least`
/// so many tasks must be completed, lest all of this is in vain.
#[track_caller]
pub(crate) fn check_every_order(code: &str, steps: &[&str], length: usize, at_least: usize) {
    let mut completions = 0;
    let mut open: Vec<Vec<&str>> = vec![Vec::new()];
    while let Some(sequence) = open.pop() {
        let mut world = World::new(Code::parse(code));
        let ran = catch_unwind(AssertUnwindSafe(|| {
            world.step("task WES WFT*");
            sequence.iter().for_each(|step| world.step(step));
            steps.iter().copied().filter(|step| world.makes_sense(step)).collect::<Vec<_>>()
        }));
        let next = ran.and_then(|next| {
            catch_unwind(AssertUnwindSafe(|| {
                world.come_to_an_end();
                next
            }))
        });
        match next {
            Ok(next) if sequence.len() < length => {
                open.extend(next.into_iter().map(|step| [sequence.as_slice(), &[step]].concat()));
            }
            Ok(_) => completions += world.transcript.iter().filter(|line| line.starts_with("complete")).count(),
            Err(panic) => {
                eprintln!("{}", world.transcript.join("\n"));
                resume_unwind(panic);
            }
        }
    }
    assert!(completions >= at_least, "only {completions} completions");
}
