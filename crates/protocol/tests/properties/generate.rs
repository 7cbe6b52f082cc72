//! Random programs.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::program::{
    Activity, CHILDREN, Child, End, LocalActivity, Nexus, OnCancel, OnUpdate, Program, SIGNALS, Step, Target,
};

/// Any program.
pub fn program() -> impl Strategy<Value = Program> {
    let on_cancel = prop_oneof![Just(OnCancel::Ignore), steps(0..3).prop_map(OnCancel::CleanUp),];
    let end = prop_oneof![4 => Just(End::Complete), 1 => Just(End::Fail), 1 => (1..3_u32).prop_map(End::ContinueAsNew)];
    let handlers = ([steps(0..3), steps(0..3)], [on_update(), on_update()]);
    (steps(0..6), handlers, on_cancel, end, any::<bool>(), [child_program(), child_program()]).prop_map(
        |(main, (on_signal, on_update), on_cancel, end, handlers_run_on, children)| Program {
            main,
            on_signal,
            on_update,
            on_cancel,
            end,
            handlers_run_on,
            children: children.into(),
            ..Program::default()
        },
    )
}

fn child_program() -> impl Strategy<Value = Program> {
    let on_cancel = prop_oneof![Just(OnCancel::Ignore), steps(0..2).prop_map(OnCancel::CleanUp)];
    let end = prop_oneof![4 => Just(End::Complete), 2 => Just(End::Fail), 1 => Just(End::ContinueAsNew(1))];
    (steps(0..3), [steps(0..2), steps(0..2)], on_cancel, end).prop_map(|(main, on_signal, on_cancel, end)| Program {
        main,
        on_signal,
        on_cancel,
        end,
        ..Program::default()
    })
}

/// A program, and the same with one step put in, taken out, exchanged or doubled, or another end.
pub fn changed_program() -> impl Strategy<Value = (Program, Program)> {
    (program(), any::<prop::sample::Index>(), step(), 0..7_u8, 0..4_u8).prop_map(
        |(program, index, step, place, change)| {
            let mut changed = program.clone();
            if place == 0 {
                changed.end = if program.end == End::Fail { End::Complete } else { End::Fail };
                return (program, changed);
            }
            let steps = match (place, &mut changed.on_cancel) {
                (1, OnCancel::CleanUp(steps)) => steps,
                (2, _) => &mut changed.on_signal[0],
                (3, _) => &mut changed.on_update[0].steps,
                _ => &mut changed.main,
            };
            let at = index.index(steps.len() + 1);
            match change {
                0 => steps.insert(at, step),
                1 if at < steps.len() => drop(steps.remove(at)),
                2 if at < steps.len() => steps[at] = step,
                3 if at < steps.len() => steps.insert(at, steps[at].clone()),
                _ => steps.push(step),
            }
            (program, changed)
        },
    )
}

/// A program in which changes are not rare.
pub fn program_with_changes() -> impl Strategy<Value = Program> {
    let changed = || {
        let changed = (change(), steps(0..2), steps(0..2), any::<bool>());
        changed.prop_map(|(number, old, new, is_patch)| match is_patch {
            true => Step::Patched(number, old, new),
            false => Step::Versioned(number, old, new),
        })
    };
    let place = || any::<prop::sample::Index>();
    (program(), vec((changed(), place()), 1..3), changed()).prop_map(|(mut program, changes, in_handler)| {
        for (step, place) in changes {
            program.main.insert(place.index(program.main.len() + 1), step);
        }
        program.on_signal[0].push(in_handler);
        program
    })
}

/// Steps that end by themselves.
pub fn closing_steps() -> impl Strategy<Value = Vec<Step>> {
    let waits = |steps: &Vec<Step>| format!("{steps:?}").contains("Wait");
    let steps = vec(step(), 1..4).prop_map(|mut steps| {
        steps.iter_mut().for_each(end_nexus_operations);
        steps
    });
    steps.prop_filter("somebody else must do something", move |steps| !waits(steps))
}

/// A Nexus operation without a time-out may go on for ever.
fn end_nexus_operations(step: &mut Step) {
    match step {
        Step::Nexus(nexus) => nexus.schedule_to_close = 30,
        Step::CancelNexus(nexus, steps) => {
            nexus.schedule_to_close = 30;
            steps.iter_mut().for_each(end_nexus_operations);
        }
        Step::CancelActivity(_, steps)
        | Step::CancelLocalActivity(_, steps)
        | Step::CancelTimer(_, steps)
        | Step::CancelChild(_, steps)
        | Step::TakeBackSignal(_, _, steps) => steps.iter_mut().for_each(end_nexus_operations),
        Step::Patched(_, old, new) | Step::Versioned(_, old, new) => {
            old.iter_mut().chain(new).for_each(end_nexus_operations);
        }
        Step::Join(branches) | Step::Race(branches) => {
            branches.iter_mut().flatten().for_each(end_nexus_operations);
        }
        _ => (),
    }
}

fn on_update() -> impl Strategy<Value = OnUpdate> {
    let valid_from = prop_oneof![3 => Just(0_u32), 1 => Just(1), 2 => Just(u32::MAX)];
    (valid_from, steps(0..2), any::<bool>()).prop_map(|(valid_from, steps, fails)| OnUpdate {
        valid_from,
        steps,
        fails,
    })
}

fn steps(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), length)
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        5 => activity().prop_map(Step::Activity),
        5 => local_activity().prop_map(Step::LocalActivity),
        3 => seconds().prop_map(Step::Timer),
        2 => (0..SIGNALS).prop_map(Step::WaitSignal),
        1 => (1..3_u32).prop_map(Step::WaitCount),
        2 => Just(Step::Count),
        1 => Just(Step::SideEffect),
        1 => (0..2_u8).prop_map(Step::MutableSideEffect),
        1 => (0..2_u8, proptest::option::of(0..2_u8)).prop_map(|(name, value)| Step::UpsertSearchAttribute(name, value)),
        1 => (0..2_u8, proptest::option::of(0..2_u8)).prop_map(|(name, value)| Step::UpsertMemo(name, value)),
        4 => child().prop_map(Step::Child),
        2 => (target(), 0..SIGNALS).prop_map(|(target, signal)| Step::SignalWorkflow(target, signal)),
        1 => target().prop_map(Step::CancelWorkflow),
        3 => nexus().prop_map(Step::Nexus),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        let few = || vec(inner.clone(), 0..2);
        let branches = || vec(vec(inner.clone(), 1..3), 2..4);
        prop_oneof![
            3 => (activity(), few()).prop_map(|(activity, steps)| Step::CancelActivity(activity, steps)),
            2 => (local_activity(), few()).prop_map(|(activity, steps)| Step::CancelLocalActivity(activity, steps)),
            2 => (child(), few()).prop_map(|(child, steps)| Step::CancelChild(child, steps)),
            1 => (target(), 0..SIGNALS, few())
                .prop_map(|(target, signal, steps)| Step::TakeBackSignal(target, signal, steps)),
            4 => (nexus(), few()).prop_map(|(nexus, steps)| Step::CancelNexus(nexus, steps)),
            1 => (seconds(), few()).prop_map(|(seconds, steps)| Step::CancelTimer(seconds, steps)),
            1 => (change(), few(), few()).prop_map(|(patch, old, new)| Step::Patched(patch, old, new)),
            1 => (change(), few(), few()).prop_map(|(change, old, new)| Step::Versioned(change, old, new)),
            2 => branches().prop_map(Step::Join),
            2 => branches().prop_map(Step::Race),
        ]
    })
}

fn activity() -> impl Strategy<Value = Activity> {
    (0..3_u8, 0..3_u8, 0..4, prop_oneof![Just(5_u64), Just(30)], prop_oneof![Just(0_u64), Just(3)]).prop_map(
        |(kind, cancellation, attempts, schedule_to_close, heartbeat)| Activity {
            kind,
            cancellation,
            attempts,
            schedule_to_close,
            heartbeat,
        },
    )
}

fn local_activity() -> impl Strategy<Value = LocalActivity> {
    let schedule_to_close = prop_oneof![Just(0_u64), Just(5), Just(30)];
    let interval = prop_oneof![Just(1_u64), Just(4)];
    let threshold = prop_oneof![Just(0_u64), Just(1), Just(3), Just(60)];
    (0..3_u8, 0..3_u8, 0..4, schedule_to_close, interval, threshold).prop_map(
        |(kind, cancellation, attempts, schedule_to_close, interval, threshold)| LocalActivity {
            kind,
            cancellation,
            attempts,
            schedule_to_close,
            interval,
            threshold,
        },
    )
}

fn child() -> impl Strategy<Value = Child> {
    let run_timeout = prop_oneof![3 => Just(0_u64), 1 => Just(3)];
    (0..CHILDREN, 0..10, 0..4_u8, 0..3_u8, run_timeout).prop_map(
        |(kind, is_taken, cancellation, close_policy, run_timeout)| Child {
            kind,
            is_taken: is_taken == 0,
            cancellation,
            close_policy,
            run_timeout,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        2 => Just(Target::Root),
        4 => any::<bool>().prop_map(Target::LastChild),
        1 => Just(Target::Nobody),
    ]
}

fn nexus() -> impl Strategy<Value = Nexus> {
    let timeout = || prop_oneof![Just(0_u64), Just(4), Just(30)];
    (0..2_u8, 0..4_u8, timeout(), timeout()).prop_map(|(operation, cancellation, schedule_to_close, start_to_close)| {
        Nexus { operation, cancellation, schedule_to_close, start_to_close }
    })
}

fn change() -> impl Strategy<Value = u8> {
    0..3_u8
}

/// Few different ones, so that things happen at the same moment too.
fn seconds() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(1), Just(2), Just(5), Just(20)]
}
