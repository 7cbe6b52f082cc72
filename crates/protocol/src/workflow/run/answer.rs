//! Answers the task, or fails it.

use std::time::Duration;

use timewright_proto::Bytes;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};

use super::{DEFAULT_TASK_TIMEOUT, News, Phase, Problem, Run};
use crate::workflow::activation::Job;
use crate::workflow::command::QueryAnswer;
use crate::workflow::history::HistoryError;
use crate::workflow::nondeterminism::Nondeterminism;
use crate::workflow::output::{AbandonReason, Completion, EvictionReason, Output, TaskFailure};

impl Run {
    /// All history is taken in. Answers Queries, then the task.
    pub(super) fn answer(&mut self) -> Result<(), Problem> {
        let last = self.history.last_id();
        let Some(task) = &mut self.task else { return Ok(()) };
        match task.started_event_id {
            Some(started) if started == self.last_started_event_id && !self.moment.replaying => (),
            Some(started) if started < last => {
                self.supersede();
                return Ok(());
            }
            Some(started) => return Err(Problem::History(HistoryError::EndsTooEarly { last, started })),
            None if last == 0 => return Err(Problem::History(HistoryError::Empty)),
            None if task.only_query && self.last_started_event_id == 0 => {
                return Err(Problem::History(HistoryError::NotBegun { last }));
            }
            None => (),
        }
        if task.started_event_id.is_some() {
            self.operations.execute_local_activities();
            self.outputs.extend(self.operations.take_outputs());
            // Those that were cancelled before anyone executed them.
            if let Some(finished) = self.operations.next_finished_local_activity(self.place()) {
                self.tell(Vec::new(), finished);
                return Ok(());
            }
        }
        let Some(task) = &mut self.task else { return Ok(()) };
        if let Some(query) = task.queries.pop_front() {
            // Whoever asks is not to wait for Local Activities.
            task.is_due = true;
            self.activate(vec![Job::Query(query.clone())], Phase::Querying(query));
            return Ok(());
        }
        let has_local_activities = task.started_event_id.is_some() && self.operations.has_local_activities();
        if has_local_activities && !task.is_due {
            self.phase = Phase::AwaitingLocalActivities;
            return Ok(());
        }
        self.history.forget_uncut();
        self.phase = Phase::Completing;
        if task.replay {
            self.task = None;
            self.outputs.push_back(Output::FinishReplay);
            self.evict(EvictionReason::Closed);
            return Ok(());
        }
        let answers = std::mem::take(&mut task.answers);
        let task_token = task.token.clone();
        let (news, received_at) = (task.news, task.received_at);
        if task.only_query {
            // Whoever asks between Signals is not to wait for more of them.
            self.burst.end();
            let answer = answers.into_iter().next().map(|(_, answer)| answer).unwrap_or(QueryAnswer::Succeeded(None));
            self.outputs.push_back(Output::RespondQuery { task_token, answer });
            self.leave_if_closed();
            return Ok(());
        }
        let (commands, messages) = self.operations.take_commands();
        let says_nothing = commands.is_empty() && messages.is_empty() && answers.is_empty() && !has_local_activities;
        let may_wait = if says_nothing && news == News::Signals {
            self.burst.go_on(received_at, self.task_timeout.unwrap_or(DEFAULT_TASK_TIMEOUT))
        } else {
            self.burst.end();
            Duration::ZERO
        };
        self.outputs.push_back(Output::CompleteTask(Completion {
            task_token,
            commands,
            messages,
            query_answers: answers,
            force_new_task: has_local_activities,
            may_wait,
            sdk: self.flags.sdk_to_note(),
        }));
        self.leave_if_closed();
        Ok(())
    }

    /// No task makes progress any more once the workflow has ended, and a Query can have the Run built again. It is not waited for
    /// whether the server takes the answer: if it does not, the Run would have to go as well.
    fn leave_if_closed(&mut self) {
        if self.operations.ended() {
            self.evict(EvictionReason::Closed);
        }
    }

    pub(super) fn fail_with(&mut self, problem: Problem) {
        use WorkflowTaskFailedCause::{NonDeterministicError, WorkflowWorkerUnhandledFailure};
        let (cause, kind, message) = match &problem {
            Problem::Nondeterminism(error) => (NonDeterministicError, "Nondeterminism", error.to_string()),
            Problem::History(error) => (WorkflowWorkerUnhandledFailure, "HistoryError", error.to_string()),
            Problem::Flags(error) => (WorkflowWorkerUnhandledFailure, "UnknownFlag", error.to_string()),
            Problem::Command(error) => (WorkflowWorkerUnhandledFailure, "CommandError", error.to_string()),
        };
        let failure = Failure {
            message,
            source: SOURCE.to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                r#type: kind.to_owned(),
                ..ApplicationFailureInfo::default()
            })),
            ..Failure::default()
        };
        let nondeterminism = match problem {
            Problem::Nondeterminism(error) => Some(error),
            _ => None,
        };
        self.fail(cause, failure, nondeterminism);
    }

    pub(super) fn fail(
        &mut self,
        cause: WorkflowTaskFailedCause,
        failure: Failure,
        nondeterminism: Option<Box<Nondeterminism>>,
    ) {
        if let Some(task) = self.task.take() {
            let task_token = task.token;
            let output = if task.only_query {
                // Whoever asked waits for an answer, not for a worker that agrees.
                Output::RespondQuery { task_token, answer: QueryAnswer::Failed(Box::new(failure)) }
            } else if task.attempt > 1 {
                let reason = AbandonReason::FailedAgain { attempt: task.attempt, cause, message: failure.message };
                Output::AbandonTask { task_token, reason }
            } else {
                Output::FailTask(Box::new(TaskFailure { task_token, cause, failure, nondeterminism }))
            };
            self.outputs.push_back(output);
        }
        self.evict(EvictionReason::TaskFailed);
    }

    /// The task that is being executed was answered or timed out while its history was on its way, or its Local Activities are
    /// executed: nobody waits for it.
    pub(in crate::workflow) fn supersede(&mut self) {
        if let Some(task) = self.task.take() {
            self.abandon(task.token, AbandonReason::Superseded);
        }
        self.evict(EvictionReason::HistoryMismatch);
    }

    pub(super) fn abandon(&mut self, task_token: Bytes, reason: AbandonReason) {
        self.outputs.push_back(Output::AbandonTask { task_token, reason });
    }

    pub(super) fn evict(&mut self, reason: EvictionReason) {
        self.phase = Phase::Evicted;
        self.operations.give_up_local_activities();
        self.outputs.extend(self.operations.take_outputs());
        self.outputs.push_back(Output::Evict { reason });
    }

    pub(super) fn fetch(&mut self, next_page_token: Bytes) {
        self.phase = Phase::Fetching;
        self.outputs.push_back(Output::FetchHistory { next_page_token });
    }
}

/// The `source` of failures that the SDK itself makes.
pub(super) const SOURCE: &str = "Timewright";
