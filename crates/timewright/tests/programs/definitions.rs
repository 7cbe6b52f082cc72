//! What the programs are called, what they take and what they give. Python's peer has the same.

use timewright::definition::{ActivityDefinition, SignalDefinition, WorkflowDefinition};

/// Gives back what it takes.
pub(crate) struct ProgramEcho;
impl ActivityDefinition for ProgramEcho {
    const NAME: &'static str = "program_echo";
    type Input = String;
    type Output = String;
}

/// Gives back what it takes, on the second attempt.
pub(crate) struct ProgramFlaky;
impl ActivityDefinition for ProgramFlaky {
    const NAME: &'static str = "program_flaky";
    type Input = String;
    type Output = String;
}

/// Fails for good.
pub(crate) struct ProgramRefuse;
impl ActivityDefinition for ProgramRefuse {
    const NAME: &'static str = "program_refuse";
    type Input = String;
    type Output = String;
}

/// Tells its workflow that it has begun, and works until it is cancelled.
pub(crate) struct ProgramWait;
impl ActivityDefinition for ProgramWait {
    const NAME: &'static str = "program_wait";
    type Input = String;
    type Output = String;
}

/// Waits until so many have approved.
pub(crate) struct Approvals;
impl WorkflowDefinition for Approvals {
    const NAME: &'static str = "approvals";
    type Input = usize;
    type Output = Vec<String>;
}

/// Somebody approves.
pub(crate) struct Approve;
impl SignalDefinition for Approve {
    const NAME: &'static str = "approve";
    type Workflow = Approvals;
    type Input = String;
}

/// Two timers race; the loser is cancelled; a third follows.
pub(crate) struct Timers;
impl WorkflowDefinition for Timers {
    const NAME: &'static str = "timers";
    type Input = ();
    type Output = String;
}

/// Three activities at once, the last with an id of its own, awaited in another order.
pub(crate) struct FanOut;
impl WorkflowDefinition for FanOut {
    const NAME: &'static str = "fan_out";
    type Input = Vec<String>;
    type Output = String;
}

/// One activity is tried twice, the next one is refused, the last one makes up for it.
pub(crate) struct Compensation;
impl WorkflowDefinition for Compensation {
    const NAME: &'static str = "compensation";
    type Input = String;
    type Output = String;
}

/// Fails after a timer.
pub(crate) struct Failing;
impl WorkflowDefinition for Failing {
    const NAME: &'static str = "failing";
    type Input = String;
    type Output = ();
}

/// Sleeps until it is cancelled, and cleans up then.
pub(crate) struct CleanUp;
impl WorkflowDefinition for CleanUp {
    const NAME: &'static str = "clean_up";
    type Input = ();
    type Output = ();
}

/// Cancels three activities that run, in three ways.
pub(crate) struct CancelActivities;
impl WorkflowDefinition for CancelActivities {
    const NAME: &'static str = "cancel_activities";
    type Input = ();
    type Output = Vec<String>;
}

/// One of the activities has begun.
pub(crate) struct CancelActivitiesBegun;
impl SignalDefinition for CancelActivitiesBegun {
    const NAME: &'static str = "begun";
    type Workflow = CancelActivities;
    type Input = String;
}

/// Goes on as a new run until no round is left.
pub(crate) struct Rounds;
impl WorkflowDefinition for Rounds {
    const NAME: &'static str = "rounds";
    type Input = u32;
    type Output = String;
}

/// One activity that no worker takes, and one that takes too long.
pub(crate) struct Timeouts;
impl WorkflowDefinition for Timeouts {
    const NAME: &'static str = "timeouts";
    type Input = ();
    type Output = Vec<String>;
}

/// The activity has begun.
pub(crate) struct TimeoutsBegun;
impl SignalDefinition for TimeoutsBegun {
    const NAME: &'static str = "begun";
    type Workflow = Timeouts;
    type Input = String;
}
