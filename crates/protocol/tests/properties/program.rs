//! A small language of workflows, and random programs in it.

use proptest::collection::vec;
use proptest::prelude::*;

/// What a workflow does.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Step by step.
    pub main: Vec<Step>,
    /// What each signal starts, beside everything else that goes on.
    pub on_signal: [Vec<Step>; SIGNALS],
    /// What to do when somebody asks it to cancel itself.
    pub on_cancel: OnCancel,
    /// How it ends.
    pub end: End,
    /// What the handlers of signals still want to do goes on after `main` has ended, in the same Activation.
    pub handlers_run_on: bool,
}

/// How many signals there are. They are named by their numbers.
pub const SIGNALS: usize = 2;

/// One step. It ends before the next begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Schedules an activity and waits for its outcome.
    Activity(Activity),
    /// Schedules an activity, does something else, cancels the activity, waits for its outcome.
    CancelActivity(Activity, Vec<Step>),
    /// Waits so many seconds.
    Timer(u64),
    /// Starts a timer, does something else, cancels the timer.
    CancelTimer(u64, Vec<Step>),
    /// Waits for a signal that nobody has waited for before.
    WaitSignal(usize),
    /// Waits until [`Step::Count`] was done so many times, by whomever.
    WaitCount(u32),
    /// Counts.
    Count,
    /// Does all of these at the same time, and waits for all.
    Join(Vec<Vec<Step>>),
    /// Does all of these at the same time, waits for the first, and cancels what the others have under way.
    Race(Vec<Vec<Step>>),
}

/// An activity and what cancelling it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its type.
    pub kind: u8,
    /// 0: try to cancel; 1: wait for the cancellation; 2: abandon.
    pub cancellation: u8,
    /// Attempts at most; 0 is without end.
    pub attempts: i32,
    /// Seconds, all attempts together.
    pub schedule_to_close: u64,
    /// Seconds between heartbeats; 0 is none.
    pub heartbeat: u64,
}

/// What a workflow does when it is asked to cancel itself.
#[derive(Debug, Clone, PartialEq)]
pub enum OnCancel {
    /// Nothing.
    Ignore,
    /// Cancels what it has under way, does this, and ends as cancelled.
    CleanUp(Vec<Step>),
}

/// How a workflow ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// With a result that depends on all it has heard.
    Complete,
    /// With a failure.
    Fail,
    /// It goes on as a new run; the run of that number completes.
    ContinueAsNew(u32),
}

pub fn program() -> impl Strategy<Value = Program> {
    let on_cancel = prop_oneof![Just(OnCancel::Ignore), steps(0..3).prop_map(OnCancel::CleanUp),];
    let end = prop_oneof![4 => Just(End::Complete), 1 => Just(End::Fail), 1 => (1..3_u32).prop_map(End::ContinueAsNew)];
    (steps(0..6), [steps(0..3), steps(0..3)], on_cancel, end, any::<bool>()).prop_map(
        |(main, on_signal, on_cancel, end, handlers_run_on)| Program {
            main,
            on_signal,
            on_cancel,
            end,
            handlers_run_on,
        },
    )
}

/// A program, and the same with one step put in, taken out, exchanged or doubled, or another end.
pub fn changed_program() -> impl Strategy<Value = (Program, Program)> {
    (program(), any::<prop::sample::Index>(), step(), 0..6_u8, 0..4_u8).prop_map(
        |(program, index, step, place, change)| {
            let mut changed = program.clone();
            if place == 0 {
                changed.end = if program.end == End::Fail { End::Complete } else { End::Fail };
                return (program, changed);
            }
            let steps = match (place, &mut changed.on_cancel) {
                (1, OnCancel::CleanUp(steps)) => steps,
                (2, _) => &mut changed.on_signal[0],
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

fn steps(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), length)
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        4 => activity().prop_map(Step::Activity),
        3 => seconds().prop_map(Step::Timer),
        2 => (0..SIGNALS).prop_map(Step::WaitSignal),
        1 => (1..3_u32).prop_map(Step::WaitCount),
        2 => Just(Step::Count),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            (activity(), vec(inner.clone(), 0..2)).prop_map(|(activity, steps)| Step::CancelActivity(activity, steps)),
            (seconds(), vec(inner.clone(), 0..2)).prop_map(|(seconds, steps)| Step::CancelTimer(seconds, steps)),
            vec(vec(inner.clone(), 1..3), 2..4).prop_map(Step::Join),
            vec(vec(inner, 1..3), 2..4).prop_map(Step::Race),
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

/// Few different ones, so that things happen at the same moment too.
fn seconds() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(1), Just(2), Just(5), Just(20)]
}
