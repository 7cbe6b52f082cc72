//! Workflow Tasks between the server and workers.

use timewright_proto::common::{WorkflowExecution, WorkflowType};
use timewright_proto::enums::{TaskQueueKind, VersioningBehavior, WorkerVersioningMode, WorkflowTaskFailedCause};
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::workflow_service::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
};

use super::Server;
use crate::command::check_sequence;
use crate::completion::{Answered, NextTask};
use crate::error::ServerError;
use crate::execution::Execution;
use crate::protocol_message::check_bodies;
use crate::queues::WorkflowEntry;
use crate::time::timestamp;
use crate::token::WorkflowTaskToken;

impl Server {
    /// `PollWorkflowTaskQueue`: a Workflow Task, or a Query in a task of its own. `None` where a real poll would wait.
    ///
    /// Facts (server 1.32): a task from a sticky queue carries the Events since the last completed task was started; any
    /// other task carries all. Its last Event is its `WorkflowTaskStarted`. Queries that wait come with it.
    pub fn poll_workflow_task(
        &mut self,
        request: &PollWorkflowTaskQueueRequest,
    ) -> Option<PollWorkflowTaskQueueResponse> {
        let queue = request.task_queue.as_ref()?;
        if queue.kind() == TaskQueueKind::Sticky {
            self.queues.add_sticky_worker(&queue.name);
        }
        loop {
            let task = match self.queues.pop_workflow_entry(&queue.name, &mut self.order)? {
                WorkflowEntry::Task { run_id, dispatch } => {
                    self.start_task(&run_id, dispatch, &queue.name, &request.identity)
                }
                WorkflowEntry::Query(query) => self.hand_out_query(query, &queue.name),
            };
            if task.is_some() {
                return task;
            }
        }
    }

    /// `RespondWorkflowTaskCompleted`.
    ///
    /// Facts (server 1.32): an answer to a task that is not the run's started one is `NotFound`. A refused answer is
    /// `InvalidArgument`, with the cause's name in front; see `UnhandledCommand` in Temporal's documentation.
    pub fn handle_workflow_task_completed(
        &mut self,
        mut request: RespondWorkflowTaskCompletedRequest,
    ) -> Result<RespondWorkflowTaskCompletedResponse, ServerError> {
        let token = WorkflowTaskToken::decode(&request.task_token)?;
        let run = self.runs.get_mut(&token.run_id).ok_or_else(task_not_found)?;
        run.started_task(&token).ok_or_else(task_not_found)?;
        check_worker(&request)?;
        let are_pages_allowed = self.options.workflow_task_completion_pages;
        if run.join_pages(&mut request, are_pages_allowed, &self.options.namespace)? {
            return Ok(RespondWorkflowTaskCompletedResponse::default());
        }
        if let Err(error) =
            check_sequence(&request.commands, &self.options).and_then(|()| check_bodies(&request.messages))
        {
            return Err(self.refuse_unread(&token.run_id, error));
        }
        let query_results = std::mem::take(&mut request.query_results);
        let is_prolonged = request.force_create_new_workflow_task;
        let Answered { next, reset_history_event_id } = self
            .change(&token.run_id, |run, context| run.handle_completion(request, context))
            .ok_or_else(task_not_found)??;
        self.answer_queries(&token.run_id, query_results);
        let workflow_task = match next {
            NextTask::Started => self.started_task_response(&token.run_id, true, !is_prolonged),
            NextTask::Scheduled => None,
            NextTask::None => {
                self.release_queries(&token.run_id);
                None
            }
        };
        Ok(RespondWorkflowTaskCompletedResponse {
            workflow_task,
            reset_history_event_id,
            ..RespondWorkflowTaskCompletedResponse::default()
        })
    }

    /// `RespondWorkflowTaskFailed`.
    ///
    /// Fact (server 1.32): cause `GrpcMessageTooLarge` terminates the workflow.
    pub fn handle_workflow_task_failed(
        &mut self,
        request: RespondWorkflowTaskFailedRequest,
    ) -> Result<(), ServerError> {
        let token = WorkflowTaskToken::decode(&request.task_token)?;
        let run = self.runs.get(&token.run_id).ok_or_else(task_not_found)?;
        run.check_running()?;
        run.started_task(&token).ok_or_else(task_not_found)?;
        self.change(&token.run_id, |run, context| {
            let cause = request.cause();
            if cause == WorkflowTaskFailedCause::GrpcMessageTooLarge {
                run.terminate(format!("{cause:?}"), None, "history-service".into(), context);
            } else {
                run.fail_task(cause, request.failure, &request.identity, context);
                run.schedule_task(context);
            }
        })
        .ok_or_else(task_not_found)
    }

    /// `GetWorkflowExecutionHistory`, both for the next page of something and for a history from its start.
    ///
    /// Facts (server 1.32): a history that is asked for from its start is all that is recorded by now, also behind the
    /// Workflow Task for which a worker asks. The pages of a task's own token end with that task.
    pub fn history_page(
        &mut self,
        request: &GetWorkflowExecutionHistoryRequest,
    ) -> Result<GetWorkflowExecutionHistoryResponse, ServerError> {
        if request.wait_new_event {
            return Err(ServerError::unsupported("waiting for new Events"));
        }
        let (events, next_page_token) = if request.next_page_token.is_empty() {
            let run_id = self.resolve(request.execution.as_ref())?;
            let run = self.runs.get(&run_id).ok_or_else(task_not_found)?;
            let events = recorded_after(run, 0).chain(run.transient_events(false)).collect();
            self.deliveries.first(events, self.options.pages)
        } else {
            self.deliveries.next(&request.next_page_token, self.options.pages)?
        };
        Ok(GetWorkflowExecutionHistoryResponse {
            history: Some(History { events }),
            next_page_token,
            ..GetWorkflowExecutionHistoryResponse::default()
        })
    }

    fn start_task(
        &mut self,
        run_id: &str,
        dispatch: u64,
        queue: &str,
        identity: &str,
    ) -> Option<PollWorkflowTaskQueueResponse> {
        let task = self.runs.get(run_id)?.task.as_ref()?;
        if task.dispatch != dispatch || task.started.is_some() {
            return None;
        }
        self.change(run_id, |run, context| run.start_task(queue, identity, context));
        let is_sticky = self.runs.get(run_id)?.sticky.is_some();
        self.started_task_response(run_id, is_sticky, true)
    }

    /// An answer that is about the request alone.
    fn refuse_unread(&mut self, run_id: &str, error: ServerError) -> ServerError {
        if !matches!(error, ServerError::Unsupported { .. }) {
            self.change(run_id, |run, _| {
                if run.task.as_ref().is_some_and(|task| task.is_speculative) {
                    run.sticky = None;
                }
                run.forget_unrecorded();
            });
        }
        error
    }

    /// `redelivers`: with the Updates that a task before brought.
    fn started_task_response(
        &mut self,
        run_id: &str,
        is_sticky: bool,
        redelivers: bool,
    ) -> Option<PollWorkflowTaskQueueResponse> {
        let run = self.runs.get_mut(run_id)?;
        let started_event_id = run.task.as_ref()?.started.as_ref()?.event_id;
        let messages = run.updates.deliver(started_event_id, redelivers);
        let run = self.runs.get(run_id)?;
        let task = run.task.as_ref()?;
        let started = task.started.as_ref()?;
        let known = if is_sticky { run.previous_started_event_id } else { 0 };
        let events = recorded_after(run, known).chain(run.transient_events(true)).collect();
        let (events, next_page_token) = self.deliveries.first(events, self.options.pages);
        let queries =
            self.queries.with_task(run_id).map(|(_, query)| (query.key.clone(), query.query.clone())).collect();
        Some(PollWorkflowTaskQueueResponse {
            task_token: run.task_token(task, started).encode(),
            started_event_id: started.event_id,
            attempt: task.attempt,
            history: Some(History { events }),
            next_page_token,
            scheduled_time: Some(timestamp(task.scheduled_at)),
            started_time: Some(timestamp(started.at)),
            queries,
            messages,
            ..task_of(run)
        })
    }
}

/// What all tasks of a run have in common.
pub(super) fn task_of(run: &Execution) -> PollWorkflowTaskQueueResponse {
    PollWorkflowTaskQueueResponse {
        workflow_execution: Some(WorkflowExecution {
            workflow_id: run.workflow_id.clone(),
            run_id: run.run_id.clone(),
        }),
        workflow_type: Some(WorkflowType { name: run.workflow_type().to_owned() }),
        previous_started_event_id: run.previous_started_event_id,
        workflow_execution_task_queue: Some(TaskQueue {
            name: run.task_queue().to_owned(),
            kind: TaskQueueKind::Normal.into(),
            normal_name: String::new(),
        }),
        ..PollWorkflowTaskQueueResponse::default()
    }
}

/// The recorded Events behind the one of this id.
pub(super) fn recorded_after(run: &Execution, event_id: i64) -> impl Iterator<Item = HistoryEvent> {
    run.events.all().iter().filter(move |event| event.event_id > event_id).cloned()
}

/// Facts (server 1.32): only a versioned worker can name a behavior. Routing by versions is not modelled.
fn check_worker(request: &RespondWorkflowTaskCompletedRequest) -> Result<(), ServerError> {
    let mode = request.deployment_options.as_ref().map(|options| options.worker_versioning_mode());
    if request.versioning_behavior() != VersioningBehavior::Unspecified && mode != Some(WorkerVersioningMode::Versioned)
    {
        return Err(ServerError::InvalidArgument(
            "versioning behavior cannot be specified without deployment options being set with versioned mode".into(),
        ));
    }
    Ok(())
}

fn task_not_found() -> ServerError {
    ServerError::NotFound("Workflow task not found.".into())
}
