//! Activity Tasks between the server and workers. What the model knows of activities stands in `activity.rs`.

use timewright_proto::common::{WorkflowExecution, WorkflowType};
use timewright_proto::workflow_service::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse, RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
};

use super::Server;
use crate::activity::ActivityState;
use crate::error::ServerError;
use crate::execution::{Context, Execution};
use crate::queues::ActivityEntry;
use crate::start::merged_priority;
use crate::time::timestamp;
use crate::token::ActivityTaskToken;

impl Server {
    /// `PollActivityTaskQueue`. `None` where a real poll would wait.
    pub fn poll_activity_task(
        &mut self,
        request: &PollActivityTaskQueueRequest,
    ) -> Option<PollActivityTaskQueueResponse> {
        let queue = request.task_queue.as_ref()?;
        loop {
            let entry = self.queues.pop_activity(&queue.name)?;
            if let Some(task) = self.start_activity(&entry, &request.identity) {
                return Some(task);
            }
        }
    }

    /// `RespondActivityTaskCompleted`.
    pub fn handle_activity_task_completed(
        &mut self,
        request: RespondActivityTaskCompletedRequest,
    ) -> Result<(), ServerError> {
        let token = ActivityTaskToken::decode(&request.task_token)?;
        self.change_activity(&token, |run, context| {
            run.complete_activity(&token, request.result, request.identity, context)
        })
    }

    /// `RespondActivityTaskFailed`.
    pub fn handle_activity_task_failed(
        &mut self,
        request: RespondActivityTaskFailedRequest,
    ) -> Result<(), ServerError> {
        let token = ActivityTaskToken::decode(&request.task_token)?;
        let failure = request.failure.unwrap_or_default();
        self.change_activity(&token, |run, context| {
            run.fail_activity(&token, failure, request.last_heartbeat_details, request.identity, context)
        })
    }

    /// `RespondActivityTaskCanceled`.
    pub fn handle_activity_task_canceled(
        &mut self,
        request: RespondActivityTaskCanceledRequest,
    ) -> Result<(), ServerError> {
        let token = ActivityTaskToken::decode(&request.task_token)?;
        self.change_activity(&token, |run, context| {
            run.cancel_activity(&token, request.details, request.identity, context)
        })
    }

    /// `RecordActivityTaskHeartbeat`.
    pub fn handle_activity_task_heartbeat(
        &mut self,
        request: RecordActivityTaskHeartbeatRequest,
    ) -> Result<RecordActivityTaskHeartbeatResponse, ServerError> {
        let token = ActivityTaskToken::decode(&request.task_token)?;
        let cancel_requested =
            self.change_activity(&token, |run, context| run.heartbeat_activity(&token, request.details, context))?;
        Ok(RecordActivityTaskHeartbeatResponse { cancel_requested, ..RecordActivityTaskHeartbeatResponse::default() })
    }

    fn change_activity<T>(
        &mut self,
        token: &ActivityTaskToken,
        change: impl FnOnce(&mut Execution, &mut Context<'_>) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let answered =
            self.change(&token.run_id, |run, context| change(run, context).inspect_err(|_| run.forget_unrecorded()));
        answered.ok_or_else(|| {
            ServerError::NotFound(format!("workflow execution not found for run ID: {}", token.run_id))
        })?
    }

    fn start_activity(&mut self, entry: &ActivityEntry, identity: &str) -> Option<PollActivityTaskQueueResponse> {
        let id = entry.scheduled_event_id;
        let activity = self.runs.get(&entry.run_id)?.activities.get(&id)?;
        if activity.attempt != entry.attempt || !matches!(activity.state, ActivityState::Waiting) {
            return None;
        }
        self.change(&entry.run_id, |run, context| run.start_activity(id, identity, context));
        let run = self.runs.get(&entry.run_id)?;
        let activity = run.activities.get(&id)?;
        let scheduled = activity.scheduled.clone();
        let token =
            ActivityTaskToken { run_id: entry.run_id.clone(), scheduled_event_id: id, attempt: activity.attempt };
        Some(PollActivityTaskQueueResponse {
            task_token: token.encode(),
            workflow_namespace: self.options.namespace.clone(),
            workflow_type: Some(WorkflowType { name: run.workflow_type().to_owned() }),
            workflow_execution: Some(WorkflowExecution {
                workflow_id: run.workflow_id.clone(),
                run_id: run.run_id.clone(),
            }),
            activity_type: scheduled.activity_type,
            activity_id: scheduled.activity_id,
            header: scheduled.header,
            input: scheduled.input,
            heartbeat_details: activity.heartbeat_details.clone(),
            scheduled_time: Some(timestamp(activity.first_scheduled_at)),
            current_attempt_scheduled_time: Some(timestamp(activity.scheduled_at)),
            started_time: Some(timestamp(self.now)),
            attempt: activity.attempt,
            schedule_to_close_timeout: scheduled.schedule_to_close_timeout,
            start_to_close_timeout: scheduled.start_to_close_timeout,
            heartbeat_timeout: scheduled.heartbeat_timeout,
            retry_policy: scheduled.retry_policy,
            priority: merged_priority(scheduled.priority, run.priority.as_ref()),
            ..PollActivityTaskQueueResponse::default()
        })
    }
}
