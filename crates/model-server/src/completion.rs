//! The answer to a Workflow Task: what it does to the run.

use timewright_proto::enums::{WorkerVersioningMode, WorkflowTaskFailedCause};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{Failure, ServerFailureInfo};
use timewright_proto::history::WorkflowTaskCompletedEventAttributes;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;

use crate::command::{Completion, Refusal};
use crate::error::ServerError;
use crate::execution::{Context, Effect, Execution};
use crate::time::{Time, checked_duration};
use crate::workflow_task::Sticky;

/// What follows an answer that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) next: NextTask,
    /// The Event to which the worker must go back, because the task never was; 0 if it was.
    pub(crate) reset_history_event_id: i64,
}

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
    ///   a Command of this answer had an outcome at once, or if an Update waits.
    /// - The worker can ask to be given that task in the answer; it then carries only what is new.
    /// - A refused answer leaves nothing but the task's failure, and a new task. If it was a transient task, it leaves
    ///   nothing at all (the task goes on waiting until its time is over), except where the refusal is
    ///   `UnhandledCommand`. Where a value is too large, the workflow is terminated instead, unless the task is transient.
    /// - A worker that asks for another task without Commands and messages prolongs its task. It can do that for half an
    ///   hour from when the first of these tasks was scheduled, whoever had it when. Then its answer is an error and the
    ///   task counts as timed out. Another is scheduled, on the sticky queue if the answer named one; if the worker wanted
    ///   it in the answer, it is started too, so that nobody hears of it before it times out.
    pub(crate) fn handle_completion(
        &mut self,
        mut request: RespondWorkflowTaskCompletedRequest,
        context: &mut Context<'_>,
    ) -> Result<Answered, ServerError> {
        let prolonged = self.prolonged_since(&request);
        if prolonged.is_some_and(|since| context.now > since + context.options.workflow_task_heartbeat_timeout) {
            self.record_time_out(context);
            self.set_sticky(&request);
            self.add_task(&request, context);
            return Err(ServerError::NotFound("workflow task heartbeat timeout".into()));
        }
        let before = self.clone();
        match self.try_completion(&mut request, context) {
            Ok(answered) => {
                self.prolong(prolonged);
                Ok(answered)
            }
            Err(refusal) => {
                *self = before;
                self.fail_updates();
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
    ) -> Result<Answered, Refusal> {
        let vanishes = self.vanishes(request);
        let completed_event_id =
            if vanishes { self.vanish_task(request) } else { self.complete_task(request, context) };
        let commands = std::mem::take(&mut request.commands);
        let mut completion = Completion {
            has_news: self.events.has_buffered(),
            run: self,
            context,
            completed_event_id,
            identity: &request.identity,
            messages: std::mem::take(&mut request.messages),
            has_outcome: false,
        };
        for command in commands {
            completion.handle(command)?;
        }
        completion.handle_remaining_messages()?;
        let needs_task = completion.has_news || completion.has_outcome || request.force_create_new_workflow_task;
        self.finish_updates(request);
        let reset_history_event_id = if vanishes { completed_event_id } else { 0 };
        let next = if !self.is_running() {
            NextTask::None
        } else if needs_task {
            self.add_task(request, context)
        } else if !self.updates.has_open() {
            NextTask::None
        } else if request.return_new_workflow_task {
            self.schedule_speculative_task(context);
            self.hand_over_task(request, context)
        } else {
            self.add_task(request, context)
        };
        Ok(Answered { next, reset_history_event_id })
    }

    /// Ends the started task with success, and returns the id of its `WorkflowTaskCompleted` Event. Commands and the
    /// question whether another task is needed are the caller's.
    fn complete_task(&mut self, request: &RespondWorkflowTaskCompletedRequest, context: &mut Context<'_>) -> i64 {
        let Some((mut task, mut started)) = self.take_started_task() else { return 0 };
        self.next_attempt = 1;
        if !task.is_recorded() {
            task.scheduled_event_id = self.record_scheduled(&task, task.scheduled_at);
            started.attributes.identity.clone_from(&request.identity);
            let attributes = Attributes::WorkflowTaskStartedEventAttributes(started.attributes.into());
            started.event_id = self.events.record(started.at, attributes);
        }
        self.first_task_at = None;
        self.previous_started_event_id = started.event_id;
        let completed = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: task.scheduled_event_id,
            started_event_id: started.event_id,
            ..completed_by(request)
        };
        self.set_sticky(request);
        self.events.record(context.now, Attributes::WorkflowTaskCompletedEventAttributes(completed.into()))
    }

    /// The queue of the worker that answers, if it keeps the run.
    pub(crate) fn set_sticky(&mut self, request: &RespondWorkflowTaskCompletedRequest) {
        self.sticky = request.sticky_attributes.as_ref().and_then(|sticky| {
            Some(Sticky {
                queue: sticky.worker_task_queue.as_ref()?.name.clone(),
                schedule_to_start: checked_duration(sticky.schedule_to_start_timeout.as_ref()),
            })
        });
    }

    /// What the worker has not said about Updates.
    ///
    /// Fact (server 1.32): an Update that a task brought must be answered with its completion, or the server rejects it;
    /// but not if the completion prolongs the task or ends the run.
    fn finish_updates(&mut self, request: &RespondWorkflowTaskCompletedRequest) {
        if self.is_running() && !request.force_create_new_workflow_task {
            self.reject_unanswered_updates();
        }
        self.forget_rejected_updates();
        if !self.is_running() {
            self.end_updates();
        }
    }

    /// Schedules a task, and starts it if the worker wants it.
    fn add_task(&mut self, request: &RespondWorkflowTaskCompletedRequest, context: &mut Context<'_>) -> NextTask {
        self.schedule_task(context);
        if request.return_new_workflow_task { self.hand_over_task(request, context) } else { NextTask::Scheduled }
    }

    /// Starts the scheduled task for the worker that answers.
    fn hand_over_task(&mut self, request: &RespondWorkflowTaskCompletedRequest, context: &mut Context<'_>) -> NextTask {
        self.outbox.retain(|effect| !matches!(effect, Effect::DispatchWorkflowTask));
        let queue = self.sticky.as_ref().map_or_else(String::new, |sticky| sticky.queue.clone());
        self.start_task(&queue, &request.identity, context);
        NextTask::Started
    }

    /// When the first of the tasks was scheduled that the answer prolongs; `None` if it does not.
    fn prolonged_since(&self, request: &RespondWorkflowTaskCompletedRequest) -> Option<Time> {
        let is_idle =
            request.force_create_new_workflow_task && request.commands.is_empty() && request.messages.is_empty();
        self.task.as_ref().filter(|_| is_idle).map(|task| task.first_scheduled_at)
    }

    fn prolong(&mut self, since: Option<Time>) {
        if let (Some(task), Some(since)) = (&mut self.task, since) {
            task.first_scheduled_at = since;
        }
    }
}

/// What the worker says of itself.
///
/// Facts (server 1.32): the name of a deployment is recorded as it is; its version and a behavior only if the worker says
/// that it is versioned.
fn completed_by(request: &RespondWorkflowTaskCompletedRequest) -> WorkflowTaskCompletedEventAttributes {
    let options = request.deployment_options.as_ref();
    let versioned = options.filter(|options| options.worker_versioning_mode() == WorkerVersioningMode::Versioned);
    WorkflowTaskCompletedEventAttributes {
        identity: request.identity.clone(),
        sdk_metadata: request.sdk_metadata.clone(),
        metering_metadata: request.metering_metadata,
        worker_deployment_name: options.map_or_else(String::new, |options| options.deployment_name.clone()),
        deployment_version: versioned.map(|options| WorkerDeploymentVersion {
            deployment_name: options.deployment_name.clone(),
            build_id: options.build_id.clone(),
        }),
        versioning_behavior: if versioned.is_some() { request.versioning_behavior } else { 0 },
        ..WorkflowTaskCompletedEventAttributes::default()
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
