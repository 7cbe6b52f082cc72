//! What is measured, as our worker implements it and the driver calls it; the other workers have the names as texts. And
//! histories of it.

pub mod histories;

use timewright_definition::{activity_definition, signal_definition, update_definition, workflow_definition};

/// Gives what comes in.
#[activity_definition(name = "echo", input = String, output = String)]
pub struct Echo;

/// Takes nothing and gives nothing.
#[activity_definition(name = "nothing")]
pub struct Nothing;

/// Takes an hour.
#[activity_definition(name = "wait")]
pub struct Wait;

/// So many activities, one after the other.
#[workflow_definition(name = "activities_in_sequence", input = u32)]
pub struct ActivitiesInSequence;

/// So many activities, all at once.
#[workflow_definition(name = "activities_in_parallel", input = u32)]
pub struct ActivitiesInParallel;

/// So many Local Activities, one after the other.
#[workflow_definition(name = "local_activities", input = u32)]
pub struct LocalActivitiesInSequence;

/// Waits until so many messages have come.
#[workflow_definition(name = "messages", input = u32)]
pub struct Messages;

/// A message without answer.
#[signal_definition(name = "add", workflow = Messages)]
pub struct Add;

/// A message that is answered with how many have come.
#[update_definition(name = "count", workflow = Messages, output = u32)]
pub struct Count;

/// Waits for so many milliseconds.
#[workflow_definition(name = "timer", input = u64)]
pub struct Timer;

/// Starts [`Given`] and gives what it gives.
#[workflow_definition(name = "child", input = String, output = String)]
pub struct Child;

/// Gives what it is given.
#[workflow_definition(name = "given", input = String, output = String)]
pub struct Given;

/// Has [`Echo`] give back what it is given, and gives that.
#[workflow_definition(name = "payload", input = String, output = String)]
pub struct Payload;

/// Computes for so many rounds.
#[workflow_definition(name = "computation", input = u64, output = u64)]
pub struct Computation;

/// So many activities on another Task Queue, all at once; [`Wait`] where the last says so, else [`Nothing`].
#[workflow_definition(name = "activities_elsewhere", input = (u32, String, bool))]
pub struct ActivitiesElsewhere;
