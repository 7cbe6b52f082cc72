//! Tells user code what is new, and takes what it answers.

use super::{News, Phase, Run};
use crate::workflow::activation::{Activation, Job, Query};
use crate::workflow::command::{Command, QueryAnswer};
use crate::workflow::operations::{CommandError, LocalActivityNews, Place};
use crate::workflow::output::Output;

impl Run {
    /// Tells user code what is new.
    pub(super) fn tell(&mut self, mut jobs: Vec<Job>, local_activities: LocalActivityNews) {
        jobs.extend(local_activities.jobs);
        self.moment.time = self.moment.time.max(local_activities.time.unwrap_or(self.moment.time));
        self.operations.count_activation();
        self.note_news(&jobs);
        self.told_bytes += jobs.iter().map(Job::bytes).sum::<u64>();
        self.activate(jobs, Phase::Activating);
    }

    fn note_news(&mut self, jobs: &[Job]) {
        let Some(task) = self.task.as_mut().filter(|_| !self.moment.replaying) else { return };
        // Many at once, or large ones, are gathered already, and the server keeps only so much.
        let are_few = jobs.len() <= MOST_SIGNALS && jobs.iter().map(Job::bytes).sum::<u64>() <= MOST_BYTES;
        let are_signals = are_few && jobs.iter().all(|job| matches!(job, Job::Signal { .. }));
        task.news = match (are_signals, task.news) {
            (true, News::None | News::Signals) => News::Signals,
            _ => News::Other,
        };
    }

    pub(super) fn activate(&mut self, jobs: Vec<Job>, phase: Phase) {
        // A Query looks at what was done before; nothing that it does is for the first time.
        let replaying = self.moment.replaying || matches!(phase, Phase::Querying(_));
        self.phase = phase;
        self.outputs.push_back(Output::Activate(Activation {
            jobs,
            time: self.moment.time,
            replaying,
            history_length: self.moment.history_length,
            history_bytes: self.moment.history_bytes,
            continue_as_new_suggested: self.moment.continue_as_new_suggested,
            continue_as_new_reasons: self.moment.continue_as_new_reasons.clone(),
            target_worker_deployment_version_changed: self.moment.target_worker_deployment_version_changed,
            deployment_version: self.moment.deployment_version.clone(),
        }));
    }

    pub(super) fn take_commands(&mut self, commands: Vec<Command>) -> Result<(), CommandError> {
        let mut jobs = Vec::new();
        let place = self.place();
        for command in commands {
            self.operations.handle_command(command, place, &mut jobs)?;
        }
        self.outputs.extend(self.operations.take_outputs());
        // Nobody is there to hear it once the workflow has ended.
        if self.operations.ended() {
            return Ok(());
        }
        self.next_jobs = jobs;
        match self.operations.unanswered_update() {
            Some(id) => Err(CommandError::UpdateNotAnswered { protocol_instance_id: id.to_owned() }),
            None => Ok(()),
        }
    }

    pub(super) fn take_query_answer(&mut self, query: Query, commands: Vec<Command>) -> Result<(), CommandError> {
        let mut commands = commands.into_iter();
        match (commands.next(), commands.next()) {
            (Some(Command::AnswerQuery { id, answer }), None) if id == query.id => {
                self.answer_query(id, answer);
                Ok(())
            }
            (Some(Command::AnswerQuery { id, .. }), None) => Err(CommandError::UnknownQuery { id }),
            (Some(Command::AnswerQuery { .. }), Some(other)) | (Some(other), _) => {
                Err(CommandError::CommandInQuery { name: query.name, command: other.name().to_owned() })
            }
            (None, _) => Err(CommandError::QueryNotAnswered { name: query.name }),
        }
    }

    pub(super) fn answer_query(&mut self, id: String, answer: QueryAnswer) {
        if let Some(task) = &mut self.task {
            task.answers.push((id, answer));
        }
    }

    pub(super) fn place(&self) -> Place {
        Place { replaying: self.moment.replaying, time: self.moment.time }
    }

    /// Whether user code is at the task that is to be answered.
    pub(super) fn is_live(&self) -> bool {
        let started = self.task.as_ref().and_then(|task| task.started_event_id);
        started.is_some_and(|started| started == self.last_started_event_id) && !self.moment.replaying
    }
}

/// The most Signals that a task brings for which its answer waits for more, and the most bytes of them. A server keeps 100 Events, or
/// 2 MiB of them, while a task is open.
const MOST_SIGNALS: usize = 20;
const MOST_BYTES: u64 = 256 * 1024;
