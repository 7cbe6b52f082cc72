//! User code: hears what an Activation says, and holds it to what was promised; answers as the script says.

use std::collections::{BTreeMap, BTreeSet};

use timewright_protocol::workflow::{Activation, Command, Job, Query, QueryAnswer};

use crate::commands::{Numbers, any};
use crate::script::Script;

/// User code's state of one Run.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserCode {
    /// What to issue so that the history agrees, by the length of the history.
    recorded: BTreeMap<u64, Vec<Command>>,
    numbers: Numbers,
    initialized: bool,
    /// The length of the history at the Activation that is answered.
    at: u64,
    /// The same where the Command was issued that ends the workflow.
    ended_at: Option<u64>,
    /// Timers that have neither fired nor been cancelled.
    timers: BTreeSet<u32>,
    /// Activities without an outcome.
    activities: BTreeSet<u32>,
}

/// What user code says to an Activation.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Commands(Vec<Command>),
    Failure,
}

impl UserCode {
    pub(crate) fn new(recorded: BTreeMap<u64, Vec<Command>>) -> Self {
        Self { recorded, ..Self::default() }
    }

    pub(crate) fn activate(&mut self, activation: &Activation, script: &mut Script<'_>) -> Answer {
        let query = self.hear(activation);
        let mut commands = match query {
            Some(Query { id, .. }) => {
                vec![Command::AnswerQuery { id: id.clone(), answer: QueryAnswer::Succeeded(None) }]
            }
            // A second Activation of the same Workflow Task finds nothing more to do.
            None => self.recorded.remove(&activation.history_length).unwrap_or_default(),
        };
        let mut more = 0;
        match script.below(16) {
            12 => return Answer::Failure,
            13 => drop(commands.pop()),
            14 => commands.insert(0, any(script, &self.numbers)),
            15 => more = script.below(6),
            _ => (),
        }
        for command in &commands {
            self.note(command);
        }
        for _ in 0..more {
            let command = any(script, &self.numbers);
            self.note(&command);
            commands.push(command);
        }
        Answer::Commands(commands)
    }

    /// Takes the jobs in; `Some` where they are a Query.
    fn hear<'a>(&mut self, activation: &'a Activation) -> Option<&'a Query> {
        let jobs = activation.jobs.as_slice();
        assert!(!jobs.is_empty(), "user code was woken for nothing");
        if let [Job::Query(query)] = jobs {
            assert!(self.initialized, "a Query came before the start");
            assert!(activation.replaying, "a Query came as if it were news");
            return Some(query);
        }
        self.at = activation.history_length;
        // Only a damaged history goes on behind the end.
        assert!(self.ended_at != Some(self.at), "news came in the Workflow Task that ended the workflow: {jobs:?}");
        let ranks: Vec<u8> = jobs.iter().filter_map(rank).collect();
        assert!(ranks.is_sorted(), "jobs came in the wrong order: {jobs:?}");
        for job in jobs {
            self.hear_job(job);
        }
        assert!(self.initialized, "news came before the start: {jobs:?}");
        None
    }

    fn hear_job(&mut self, job: &Job) {
        match job {
            // A history that holds two starts starts a workflow twice.
            Job::Initialize(_) => self.initialized = true,
            Job::Query(query) => panic!("query {:?} came together with news", query.name),
            Job::FireTimer { sequence } => {
                assert!(self.timers.remove(sequence), "timer {sequence} fired, but it was not running");
            }
            Job::ResolveActivity { sequence, .. } => {
                assert!(self.activities.remove(sequence), "activity {sequence} was resolved, but it was not open");
            }
            _ => (),
        }
    }

    fn note(&mut self, command: &Command) {
        match command {
            Command::StartTimer(start) => {
                self.numbers.note("timer", start.sequence);
                self.timers.insert(start.sequence);
            }
            Command::CancelTimer { sequence } => drop(self.timers.remove(sequence)),
            Command::ScheduleActivity(schedule) => {
                self.numbers.note("activity", schedule.sequence);
                self.activities.insert(schedule.sequence);
            }
            Command::CompleteWorkflow { .. }
            | Command::FailWorkflow { .. }
            | Command::CancelWorkflow { .. }
            | Command::ContinueAsNew(_) => self.ended_at = Some(self.at),
            _ => (),
        }
    }
}

/// The documented order of jobs; `None` for those of which it says nothing here.
fn rank(job: &Job) -> Option<u8> {
    match job {
        Job::Initialize(_) => Some(0),
        Job::UpdateRandomSeed { .. } => Some(1),
        Job::Signal { .. } => Some(2),
        Job::RequestCancellation { .. } | Job::FireTimer { .. } | Job::ResolveActivity { .. } => Some(3),
        _ => None,
    }
}
