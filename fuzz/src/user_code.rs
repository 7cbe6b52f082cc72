//! User code: hears what an Activation says, and holds it to what was promised; answers as the script says.

use std::collections::BTreeMap;

use timewright_protocol::workflow::{Activation, Command, Job, Query, QueryAnswer};

use crate::commands::any;
use crate::operations::{Kind, Numbers, Operations, begun_by, ends_workflow};
use crate::recorded::Task;
use crate::script::Script;

/// User code's state of one Run.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserCode {
    /// What to issue so that the history agrees, by the length of the history.
    recorded: BTreeMap<u64, Task>,
    numbers: Numbers,
    operations: Operations,
    initialized: bool,
    /// The length of the history at the Activation that is answered.
    at: u64,
    /// The same where the Command was issued that ends the workflow.
    ended_at: Option<u64>,
}

/// What user code says to an Activation.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Commands(Vec<Command>),
    Failure,
}

impl UserCode {
    pub(crate) fn new(recorded: BTreeMap<u64, Task>) -> Self {
        Self { recorded, ..Self::default() }
    }

    /// Whether the workflow has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    pub(crate) fn activate(&mut self, activation: &Activation, script: &mut Script<'_>) -> Answer {
        if let Some(query) = self.hear(activation) {
            let answer = Command::AnswerQuery { id: query.id.clone(), answer: QueryAnswer::Succeeded(None) };
            return self.answer(vec![answer], script);
        }
        let mut commands = self.recorded_commands();
        commands.extend(self.answers_to_updates(&commands, script));
        self.answer(commands, script)
    }

    /// What the history has that was not issued. Only the end waits until Local Activities have ended.
    fn recorded_commands(&mut self) -> Vec<Command> {
        let Some(task) = self.recorded.get_mut(&self.at) else { return Vec::new() };
        let mut commands = std::mem::take(&mut task.commands);
        let is_begun = |number| commands.iter().any(|command| begun_by(command) == Some((Kind::LocalActivity, number)));
        let is_open = |number| self.operations.is_open(Kind::LocalActivity, number) || is_begun(number);
        if !task.local_activities.iter().copied().any(is_open) {
            commands.extend(task.end.take());
        }
        commands
    }

    /// These Commands, or others.
    fn answer(&mut self, mut commands: Vec<Command>, script: &mut Script<'_>) -> Answer {
        let mut more = 0;
        match script.below(16) {
            12 => return Answer::Failure,
            13 => drop(commands.pop()),
            14 => commands.insert(0, any(script, &self.numbers, &self.operations)),
            15 => more = script.below(6),
            _ => (),
        }
        for command in &commands {
            self.note(command);
        }
        for _ in 0..more {
            let command = any(script, &self.numbers, &self.operations);
            self.note(&command);
            commands.push(command);
        }
        Answer::Commands(commands)
    }

    /// Answers to those Updates which these Commands do not answer: what is not in the history was rejected.
    fn answers_to_updates(&self, commands: &[Command], script: &mut Script<'_>) -> Vec<Command> {
        let accepts = |command: &Command, update: &String| match command {
            Command::AcceptUpdate { protocol_instance_id } => protocol_instance_id == update,
            _ => false,
        };
        let mut answers = Vec::new();
        for id in self.operations.requested_updates().filter(|id| !commands.iter().any(|it| accepts(it, id))) {
            let protocol_instance_id = id.clone();
            match script.below(8) {
                4 => answers.push(Command::AcceptUpdate { protocol_instance_id }),
                5..=6 => {
                    answers.push(Command::AcceptUpdate { protocol_instance_id: id.clone() });
                    let outcome = if script.rarely(2) { Err(Box::default()) } else { Ok(None) };
                    answers.push(Command::CompleteUpdate { protocol_instance_id, outcome });
                }
                7 => (),
                _ => answers.push(Command::RejectUpdate { protocol_instance_id, failure: Box::default() }),
            }
        }
        answers
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
        assert!(jobs.iter().map(rank).is_sorted(), "jobs came in the wrong order: {jobs:?}");
        for job in jobs {
            self.hear_job(job, activation.replaying);
        }
        assert!(self.initialized, "news came before the start: {jobs:?}");
        None
    }

    fn hear_job(&mut self, job: &Job, replaying: bool) {
        match job {
            Job::Initialize(_) => assert!(!std::mem::replace(&mut self.initialized, true), "it was started twice"),
            Job::Query(query) => panic!("query {:?} came together with news", query.name),
            Job::Update(update) => assert_eq!(update.run_validator, !replaying, "{update:?}"),
            _ => (),
        }
        self.operations.hear(job);
    }

    fn note(&mut self, command: &Command) {
        if let Some((kind, number)) = begun_by(command) {
            self.numbers.note(kind, number);
        }
        self.operations.note(command);
        if ends_workflow(command) {
            self.ended_at = Some(self.at);
        }
    }
}

/// The documented order of jobs.
fn rank(job: &Job) -> u8 {
    match job {
        Job::Initialize(_) => 0,
        Job::NotifyPatch { .. }
        | Job::NotifyVersion { .. }
        | Job::NotifySideEffect { .. }
        | Job::NotifyMutableSideEffect { .. } => 1,
        Job::UpdateRandomSeed { .. } => 2,
        Job::Signal { .. } | Job::Update(_) => 3,
        Job::ResolveLocalActivity { .. } => 5,
        _ => 4,
    }
}
