//! A small language of workflows whose Events come in an order that is certain.
//!
//! A real server promises no order to what happens at about the same time. So all that goes on beside each other ends at
//! moments of its own, each a slot or more from the others: `generate.rs` sees to that. What clients do — send a Signal,
//! ask for cancellation — is done by an activity ([`Action`]) which then goes on for some slots: so it happens at a point of
//! the program, and not at a time of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use timewright::proto::enums::ParentClosePolicy;

use crate::support::nexus::Deed;

/// What a workflow does, run by run: all but the last go on as new.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) runs: Vec<Run>,
    /// What its Child Workflows do.
    pub(crate) children: Vec<Run>,
    /// How the last run ends, if nobody cancels it.
    pub(crate) end: End,
}

/// What one run does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) main: Vec<Step>,
    pub(crate) on_cancel: OnCancel,
    /// A Child Workflow that fails at its end.
    pub(crate) fails: bool,
}

/// One step. It ends before the next begins. Times are in slots.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Waits.
    Timer(u64),
    /// Starts a timer that takes long, does something else, cancels the timer.
    CancelTimer(Vec<Step>),
    /// Executes an activity.
    Activity(Activity),
    /// Schedules an activity, does something else, cancels the activity, waits for its outcome.
    CancelActivity(Activity, Vec<Step>),
    /// Has an activity do what a client does; it then goes on for so many slots.
    Act(Action, u64),
    /// Executes a Local Activity.
    LocalActivity(LocalActivity),
    /// Starts the Child Workflow of this number, and waits for its outcome.
    Child(usize, ToChild),
    /// Starts the Child Workflow of this number, and does not wait for its outcome: what becomes of it when this run is closed.
    LeaveChild(usize, ParentClosePolicy),
    /// Asks for a Nexus operation, and waits for its outcome.
    Nexus(Nexus),
    /// Asks for a Nexus operation that is a workflow of so many slots, and waits for its outcome.
    NexusWorkflow(u64),
    /// Asks for a Nexus operation that goes on, does something else, cancels the operation.
    CancelNexus(NexusCancellation, Vec<Step>),
    /// Notes something in the history, or changes the workflow's own properties.
    Note(Note),
    /// Sends a Signal, or a request to cancel itself, to a workflow that does not exist.
    TellNobody { cancel: bool },
    /// Waits until so many Signals have come to this run.
    WaitSignals(u32),
    /// Does all of these at the same time, and waits for all.
    Join(Vec<Vec<Step>>),
    /// Does all of these at the same time, waits for the first, and cancels what the others have under way.
    Race(Vec<Vec<Step>>),
}

/// An activity, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Activity {
    /// What its code does.
    pub(crate) work: Work,
    /// Attempts at most.
    pub(crate) attempts: u32,
    /// Slots between the attempts.
    pub(crate) interval: u64,
    /// It is for a Task Queue that nobody polls.
    pub(crate) nobody: bool,
    pub(crate) timeout: Timeout,
    pub(crate) cancellation: Cancellation,
}

/// The timeout that matters to an activity, in slots; those that do not are long.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Timeout {
    #[default]
    None,
    ScheduleToStart(u64),
    ScheduleToClose(u64),
    StartToClose(u64),
}

/// What cancelling an activity means.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Cancellation {
    #[default]
    Try,
    Wait,
    Abandon,
}

/// What an activity's code does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Work {
    /// So many attempts fail.
    pub(crate) fails: u32,
    /// The attempt that takes time; the others end at once.
    pub(crate) slow_attempt: u32,
    /// How it fails is not worth another attempt.
    pub(crate) for_good: bool,
    /// What it takes: slots, and milliseconds in the activity's input.
    pub(crate) takes: u64,
    /// It heartbeats, and stops when it is told to.
    pub(crate) heeds: bool,
}

/// A Local Activity. It never takes long, unless nothing is beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LocalActivity {
    pub(crate) work: Work,
    /// Attempts at most.
    pub(crate) attempts: u32,
    /// Slots between the attempts.
    pub(crate) interval: u64,
    /// They are spent over a durable timer.
    pub(crate) durable: bool,
}

/// What is done to a Child Workflow after so many slots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ToChild {
    Nothing,
    Signal(u64),
    Cancel(u64),
}

/// A Nexus operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nexus {
    pub(crate) deed: Deed,
    /// Slots until its handler answers.
    pub(crate) takes: u64,
    /// It times out so many slots after it has started.
    pub(crate) start_to_close: Option<u64>,
}

/// What cancelling a Nexus operation means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NexusCancellation {
    Try,
    WaitRequested,
    /// The operation is a workflow, which takes so many slots to clean up.
    WaitCompleted(u64),
    Abandon,
}

/// What leaves a record and takes no time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Note {
    SideEffect(u32),
    /// Of two things that change; each has two values.
    MutableSideEffect(u8),
    Patch(u8),
    Version(u8),
    Memo(u8),
    ForgetMemo(u8),
    SearchAttribute(u8),
    ForgetSearchAttribute,
}

/// What an activity does that stands for a client. It reaches the workflow that has scheduled it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    Signal,
    Query,
    Update(Update),
    Cancel,
    Terminate,
    /// To the Workflow Task that has scheduled it, but once only.
    Reset,
}

/// An Update's handler.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Update {
    /// Is done at once.
    Quick,
    /// Fails at once.
    Fails,
    /// Is not accepted.
    Refused,
    /// Waits for a timer of one slot.
    Slow,
}

/// What a run does when it is asked to cancel itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OnCancel {
    /// Nothing.
    Ignore,
    /// Its operations end; then it does this, and ends as cancelled.
    CleanUp(Vec<Step>),
}

/// How the last run ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// With all that it has heard.
    Complete,
    /// With a failure; the server starts it so many times.
    Fail(u32),
}

/// So many slots as a time, where a slot has so many milliseconds.
pub(crate) fn slots(count: u64, slot: u64) -> Duration {
    Duration::from_millis(count * slot)
}

/// The Workflow Task Timeout, in slots: long enough that no Workflow Task times out, short enough that a Local Activity can
/// take longer.
pub(crate) const TASK_TIMEOUT: u64 = 12;
