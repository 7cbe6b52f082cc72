//! What the workflows of the chaos run do. The workers read it to do it, the harness to know what must come of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use timewright::definition::{ActivityDefinition, SignalDefinition, UpdateDefinition, WorkflowDefinition};

use crate::chance::Chance;

/// One workflow: what it does follows from these alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) seed: u64,
    pub(crate) number: u64,
}

/// What a workflow does, one after the other. Each gives a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An activity that takes so many milliseconds.
    Quick(u64),
    /// Two of them beside each other.
    Pair(u64, u64),
    /// An activity that heartbeats meanwhile.
    Beating(u64),
    /// A Local Activity.
    Local(u64),
    Timer(u64),
    /// A Child Workflow.
    Child,
}

/// What a workflow does, and who talks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) signals: u64,
    pub(crate) updates: u64,
}

impl Trip {
    pub(crate) fn workflow_id(self) -> String {
        format!("trip-{}", self.number)
    }

    pub(crate) fn plan(self) -> Plan {
        let mut chance = Chance::new(self.seed, self.number);
        if self.is_child() {
            let steps = vec![Step::Quick(chance.between(1, 30)), Step::Timer(chance.between(1, 300))];
            return Plan { steps, signals: 0, updates: 0 };
        }
        let steps = (0..chance.between(2, 6)).map(|_| match chance.between(1, 10) {
            1..=3 => Step::Quick(chance.between(1, 100)),
            4 => Step::Pair(chance.between(1, 100), chance.between(1, 100)),
            5 => Step::Beating(chance.between(300, 2500)),
            6 => Step::Local(chance.between(1, 50)),
            7..=8 => Step::Timer(chance.between(1, 1500)),
            _ => Step::Child,
        });
        let steps = steps.collect();
        Plan { steps, signals: chance.between(0, 3), updates: chance.between(0, 2) }
    }

    /// The Child Workflow that is this step.
    pub(crate) fn child(self, step: usize) -> Self {
        Self { number: CHILDREN + self.number * STEPS + step as u64, ..self }
    }

    fn is_child(self) -> bool {
        self.number >= CHILDREN
    }

    /// What the workflow returns: the value of each step, then how many Signals and Updates it has had.
    pub(crate) fn result(self) -> Vec<u64> {
        let plan = self.plan();
        let values = plan.steps.iter().enumerate().map(|(index, step)| match step {
            Step::Child => self.child(index).result().iter().fold(0, |sum: u64, value| sum.wrapping_add(*value)),
            Step::Timer(milliseconds) => *milliseconds,
            Step::Pair(..) => self.work(index, 0, 0).value().wrapping_add(self.work(index, 1, 0).value()),
            Step::Quick(_) | Step::Beating(_) | Step::Local(_) => self.work(index, 0, 0).value(),
        });
        let mut values: Vec<u64> = values.collect();
        values.extend([plan.signals, plan.updates]);
        values
    }

    /// The activities of this workflow and its children: of each, what the ledger must know it by.
    pub(crate) fn works(self) -> Vec<Work> {
        let steps = self.plan().steps;
        let works = steps.iter().enumerate().flat_map(|(index, step)| match step {
            Step::Child => self.child(index).works(),
            Step::Timer(_) => Vec::new(),
            Step::Pair(..) => vec![self.work(index, 0, 0), self.work(index, 1, 0)],
            Step::Quick(_) | Step::Beating(_) | Step::Local(_) => vec![self.work(index, 0, 0)],
        });
        works.collect()
    }

    /// This workflow and its children.
    pub(crate) fn family(self) -> Vec<Self> {
        let steps = self.plan().steps;
        let children = steps.iter().enumerate().filter(|(_, step)| **step == Step::Child);
        std::iter::once(self).chain(children.map(|(index, _)| self.child(index))).collect()
    }

    /// What an activity is to do.
    pub(crate) fn work(self, step: usize, part: u64, milliseconds: u64) -> Work {
        Work { trip: self.number, step: step as u64 * 2 + part, milliseconds }
    }
}

/// What an activity does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) trip: u64,
    pub(crate) step: u64,
    pub(crate) milliseconds: u64,
}

impl Work {
    /// What comes of it.
    pub(crate) fn value(self) -> u64 {
        Chance::new(self.trip, self.step).between(1, 1_000_000)
    }

    pub(crate) fn time(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

impl WorkflowDefinition for Trip {
    const NAME: &'static str = "trip";
    type Input = Trip;
    type Output = Vec<u64>;
}

/// A Signal. It may come twice: whoever sends it may not have heard that it arrived.
pub(crate) struct Ring;

impl SignalDefinition for Ring {
    const NAME: &'static str = "ring";
    type Workflow = Trip;
    type Input = u64;
}

/// An Update. Its answer is twice what it was given.
pub(crate) struct Double;

impl UpdateDefinition for Double {
    const NAME: &'static str = "double";
    type Workflow = Trip;
    type Input = u64;
    type Output = u64;
}

pub(crate) struct Quick;

impl ActivityDefinition for Quick {
    const NAME: &'static str = "quick";
    type Input = Work;
    type Output = u64;
}

pub(crate) struct Beating;

impl ActivityDefinition for Beating {
    const NAME: &'static str = "beating";
    type Input = Work;
    type Output = u64;
}

/// Child Workflows are numbered from here on.
const CHILDREN: u64 = 1 << 40;
/// More than any workflow has.
const STEPS: u64 = 16;
