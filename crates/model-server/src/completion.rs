//! The answer to a Workflow Task: what it does to the run.

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{Failure, ServerFailureInfo};
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;

use crate::command::{Completion, Refusal};
use crate::error::ServerError;
use crate::execution::{Context, Effect, Execution};

/// Whether another Workflow Task follows a completed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextTask {
    /// There is no reason for one, or the run has ended.
    None,
    /// It is scheduled.
    Scheduled,
    /// It was started for the worker that answered.
    Started,
}

impl Execution {
    /// Does what the answer says, or fails the task.
    ///
    /// Facts (server 1.32):
    /// - Another task follows if the worker asks for one, if Events are buffered (they are written in front of it), or if
    ///   a Command of this answer had an outcome at once.
    /// - The worker can ask to be given that task in the answer; it then carries only what is new.
    /// - A refused answer leaves nothing but the task's failure, and a new task. If it was a transient task, it leaves
    ///   nothing at all (the task goes on waiting until its time is over), except where the refusal is
    ///   `UnhandledCommand`. Where a value is too large, the workflow is terminated instead, unless the task is transient.
    pub(crate) fn handle_completion(
        &mut self,
        mut request: RespondWorkflowTaskCompletedRequest,
        context: &mut Context<'_>,
    ) -> Result<NextTask, ServerError> {
        let before = self.clone();
        match self.try_completion(&mut request, context) {
            Ok(next) => Ok(next),
            Err(refusal) => {
                *self = before;
                let is_transient = self.task.as_ref().is_some_and(|task| task.is_transient());
                if !is_transient || refusal.cause == WorkflowTaskFailedCause::UnhandledCommand {
                    let failure = server_failure(refusal.text());
                    self.fail_task(refusal.cause, Some(failure), &request.identity, context);
                    if refusal.terminates {
                        self.events.flush();
                        self.terminate(refusal.text(), None, "history-service".into(), context);
                    } else {
                        self.schedule_task(context);
                    }
                }
                Err(ServerError::InvalidArgument(refusal.text()))
            }
        }
    }

    fn try_completion(
        &mut self,
        request: &mut RespondWorkflowTaskCompletedRequest,
        context: &mut Context<'_>,
    ) -> Result<NextTask, Refusal> {
        let Some(completed_event_id) = self.complete_task(request, context) else { return Ok(NextTask::None) };
        let has_news = self.events.has_buffered();
        let commands = std::mem::take(&mut request.commands);
        let mut completion = Completion {
            run: self,
            context,
            completed_event_id,
            identity: &request.identity,
            has_news,
            has_outcome: false,
        };
        for command in commands {
            completion.handle(command)?;
        }
        let needs_task = completion.has_news || completion.has_outcome || request.force_create_new_workflow_task;
        if !needs_task || !self.is_running() {
            return Ok(NextTask::None);
        }
        self.schedule_task(context);
        if !request.return_new_workflow_task {
            return Ok(NextTask::Scheduled);
        }
        self.outbox.retain(|effect| !matches!(effect, Effect::DispatchWorkflowTask));
        let queue = self.sticky.as_ref().map_or_else(String::new, |sticky| sticky.queue.clone());
        self.start_task(&queue, &request.identity, context);
        Ok(NextTask::Started)
    }
}

fn server_failure(message: String) -> Failure {
    Failure {
        message,
        source: "Server".into(),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo { non_retryable: false })),
        ..Failure::default()
    }
}
