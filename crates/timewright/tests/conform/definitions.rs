//! What the workflow, its messages and its activities are called, take and give.

use timewright::converter::Multiple;
use timewright::definition::{
    ActivityDefinition, QueryDefinition, SignalDefinition, UpdateDefinition, WorkflowDefinition,
};

use crate::program::{Action, Update, Work};

/// A run of a program.
pub(crate) struct Conform;

/// The program's seed and number, the Child Workflow's number if it is one, the run's number, a slot's milliseconds.
pub(crate) type Input = Multiple<(u64, u64, Option<usize>, usize, u64)>;

impl WorkflowDefinition for Conform {
    const NAME: &'static str = "conform";
    type Input = Input;
    type Output = Vec<String>;
}

/// The workflow that a Nexus operation stands for.
pub(crate) struct Operated;

impl WorkflowDefinition for Operated {
    const NAME: &'static str = "operated";
    /// The milliseconds that it takes, and those that it takes to clean up.
    type Input = String;
    type Output = String;
}

/// A Signal that is counted.
pub(crate) struct Note;

impl SignalDefinition for Note {
    const NAME: &'static str = "note";
    type Workflow = Conform;
    type Input = ();
}

/// All that the run has heard.
pub(crate) struct Heard;

impl QueryDefinition for Heard {
    const NAME: &'static str = "heard";
    type Workflow = Conform;
    type Input = ();
    type Output = Vec<String>;
}

/// An Update that does as it says.
pub(crate) struct Change;

impl UpdateDefinition for Change {
    const NAME: &'static str = "change";
    type Workflow = Conform;
    type Input = Update;
    type Output = String;
}

/// An activity that works.
pub(crate) struct Working;

impl ActivityDefinition for Working {
    const NAME: &'static str = "work";
    type Input = Work;
    type Output = String;
}

/// An activity that stands for a client, and goes on for so many milliseconds.
pub(crate) struct Acting;

impl ActivityDefinition for Acting {
    const NAME: &'static str = "act";
    type Input = Multiple<(Action, u64)>;
    type Output = String;
}
