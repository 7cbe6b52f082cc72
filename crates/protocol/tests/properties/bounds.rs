//! What a Run holds does not grow with what is over.

use proptest::prelude::*;
use timewright_protocol::workflow::{Job, LocalActivityResolution, Resolution};

use crate::cases;
use crate::generate::closing_steps;
use crate::program::{Program, Step};
use crate::replay::replay_and_watch;
use crate::world::{Conditions, World};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(8), ..ProptestConfig::default() })]

    /// Whatever was done ten times or sixty times, once it is over as much is left of it.
    #[test]
    fn what_is_over_leaves_nothing(steps in closing_steps(), seed in any::<u64>()) {
        let few = left_over(&steps, 10, seed);
        let many = left_over(&steps, 60, seed);
        prop_assert_eq!(few.bytes, many.bytes, "Run::bytes without what user code was told");
        // Numbers have more digits.
        prop_assert!(many.state <= few.state + 100, "{} characters have become {}", few.state, many.state);
    }
}

struct LeftOver {
    bytes: u64,
    /// The length of all state, as text.
    state: usize,
}

/// What is left of so many repetitions when everything has had its time to end.
fn left_over(steps: &[Step], times: usize, seed: u64) -> LeftOver {
    let notes = (0..3).flat_map(|number| {
        [Step::Patched(number, Vec::new(), Vec::new()), Step::Versioned(number, Vec::new(), Vec::new())]
    });
    let forget = (0..2).flat_map(|name| [Step::UpsertMemo(name, None), Step::UpsertSearchAttribute(name, None)]);
    let mut main: Vec<Step> = notes.collect();
    for _ in 0..times {
        main.extend_from_slice(steps);
        // What was abandoned times out meanwhile. The server does not allow too much at the same time.
        main.push(Step::Timer(100));
    }
    main.extend(forget);
    main.extend([Step::Timer(1_000), Step::Timer(1)]);
    let program = Program { main, ..Program::default() };
    let world = World::live(&program, Conditions::undisturbed(seed), &[]);
    let mut last = None;
    let histories = world.histories();
    let mut told = 0;
    let heard = replay_and_watch(&program, &histories[0], &[], |run| {
        last = Some(run.clone());
    });
    for heard in heard.expect("a replay of what was lived") {
        told += heard.activation.jobs.iter().map(told_bytes).sum::<u64>();
    }
    let run = last.expect("user code heard of its start");
    LeftOver { bytes: run.bytes() - told, state: format!("{run:?}").len() }
}

/// The Payloads that user code was told, which it may hold.
fn told_bytes(job: &Job) -> u64 {
    let payload = match job {
        Job::NotifySideEffect { value, .. } | Job::NotifyMutableSideEffect { value, .. } => Some(value),
        Job::ResolveActivity { resolution: Resolution::Completed(Some(result)), .. }
        | Job::ResolveChildWorkflow { resolution: Resolution::Completed(Some(result)), .. }
        | Job::ResolveNexusOperation { resolution: Resolution::Completed(Some(result)), .. }
        | Job::ResolveLocalActivity { resolution: LocalActivityResolution::Completed(Some(result)), .. } => {
            Some(result)
        }
        _ => None,
    };
    payload.map_or(0, |payload| payload.data.len() as u64)
}
