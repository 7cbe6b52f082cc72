//! A history and a workflow's code that disagree.

use std::fmt;

/// The code of a workflow did not do what the history says that it did.
///
/// Its fault is nearly always a change of the workflow's code, or something in it that is not deterministic (clocks, random
/// numbers, threads, the order of a hash map). The workflow does not fail: its task is tried again until the code agrees.
///
/// <https://docs.temporal.io/workflow-definition#non-deterministic-change>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nondeterminism {
    /// The Event where they disagree.
    pub event_id: i64,
    /// What the history has there.
    pub recorded: Recorded,
    /// What the code did instead.
    pub issued: Issued,
    /// The last Event at which they agreed on a Command, and that Command; `None` where there was none.
    pub last_match: Option<(i64, String)>,
}

/// What the history has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The record of this Command.
    Command(String),
    /// No further Command: the Workflow Task was completed without one.
    NoCommand,
    /// An outcome that fits nothing which was asked for.
    Outcome(String),
}

/// What the code did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issued {
    /// It asked for this.
    Command(String),
    /// It asked for nothing further.
    NoCommand,
    /// It stands where that outcome cannot come.
    State(String),
}

impl fmt::Display for Nondeterminism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nondeterminism at event {}: the history recorded ", self.event_id)?;
        match &self.recorded {
            Recorded::Command(command) => write!(f, "{command}")?,
            Recorded::NoCommand => f.write_str("no further command in this Workflow Task")?,
            Recorded::Outcome(outcome) => write!(f, "{outcome}")?,
        }
        f.write_str(", the workflow code issued ")?;
        match &self.issued {
            Issued::Command(command) => write!(f, "{command}")?,
            Issued::NoCommand => f.write_str("no further command in this Workflow Task")?,
            Issued::State(state) => write!(f, "nothing that this fits ({state})")?,
        }
        match &self.last_match {
            Some((event_id, command)) => write!(f, "; both agreed up to event {event_id}, {command}")?,
            None => f.write_str("; both disagreed from the first command on")?,
        }
        f.write_str(
            ". The code has changed since this history was recorded, or it is not deterministic. \
             Run the code that recorded it: the workflow has not failed, and goes on when that code is back",
        )
    }
}

impl std::error::Error for Nondeterminism {}
