//! Updates between clients and the server. What the model knows of them stands in `update.rs`.

use std::collections::BTreeMap;

use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::UpdateWorkflowExecutionLifecycleStage as Stage;
use timewright_proto::temporal::api::update::v1::{Outcome, Request, UpdateRef, outcome};
use timewright_proto::workflow_service::{
    PollWorkflowExecutionUpdateRequest, UpdateWorkflowExecutionRequest, UpdateWorkflowExecutionResponse,
};

use super::Server;
use crate::error::ServerError;
use crate::update::{Progress, State};

/// Names a client's call about an Update: one that asks for it, or one that polls for its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpdateCallId(u64);

type Answer = Result<UpdateWorkflowExecutionResponse, ServerError>;

/// All calls about Updates.
#[derive(Debug, Default)]
pub(super) struct UpdateCalls(BTreeMap<UpdateCallId, UpdateCall>);

#[derive(Debug)]
struct UpdateCall {
    workflow_id: String,
    run_id: String,
    update_id: String,
    awaited: Stage,
    /// What asked for it, if the call did.
    request: Option<UpdateWorkflowExecutionRequest>,
    answer: Option<Answer>,
}

impl Server {
    /// `UpdateWorkflowExecution`, its first half: the request. Callbacks and `first_execution_run_id` are not modelled.
    ///
    /// Facts (server 1.32): what does not say how long to wait waits for the outcome; it cannot wait for the admission
    /// only. An Update without an id gets one.
    pub fn update(&mut self, mut request: UpdateWorkflowExecutionRequest) -> Result<UpdateCallId, ServerError> {
        let awaited = request.wait_policy.as_ref().map_or(Stage::Unspecified, |policy| policy.lifecycle_stage());
        let update_id = checked_id(&mut request, || self.random.uuid())?;
        let awaited = match awaited {
            Stage::Unspecified => Stage::Completed,
            Stage::Admitted => {
                return Err(ServerError::PermissionDenied(
                    "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported."
                        .into(),
                ));
            }
            Stage::Accepted | Stage::Completed => awaited,
        };
        let run_id = self.admit_update(&update_id, &request)?;
        Ok(self.add_update_call(run_id, update_id, awaited, Some(request)))
    }

    /// `PollWorkflowExecutionUpdate`, its first half: the request.
    ///
    /// Fact (server 1.32): what does not say what it waits for is answered at once.
    pub fn poll_update(&mut self, request: PollWorkflowExecutionUpdateRequest) -> Result<UpdateCallId, ServerError> {
        let UpdateRef { workflow_execution, update_id } = request
            .update_ref
            .ok_or_else(|| ServerError::InvalidArgument("UpdateRef is not set on request.".into()))?;
        let awaited = request.wait_policy.as_ref().map_or(Stage::Unspecified, |policy| policy.lifecycle_stage());
        let run_id = self.resolve(workflow_execution.as_ref())?;
        if self.runs.get(&run_id).is_none_or(|run| run.updates.find(&update_id).is_none()) {
            return Err(not_found(&update_id));
        }
        Ok(self.add_update_call(run_id, update_id, awaited, None))
    }

    /// The second half of [`update`](Self::update) and [`poll_update`](Self::poll_update): the answer, `None` while there
    /// is none. The real server's has a link too, and comes after twenty seconds at the latest:
    /// [`stop_waiting_for_update`](Self::stop_waiting_for_update).
    pub fn update_answer(&self, call: UpdateCallId) -> Option<&Result<UpdateWorkflowExecutionResponse, ServerError>> {
        self.update_calls.0.get(&call)?.answer.as_ref()
    }

    /// The answer of a call that has waited for long enough: the stage that the Update has reached by now.
    pub fn stop_waiting_for_update(
        &mut self,
        call: UpdateCallId,
    ) -> Result<UpdateWorkflowExecutionResponse, ServerError> {
        if self.update_answer(call).is_none() {
            self.answer_update(call, true);
        }
        self.update_answer(call).cloned().unwrap_or_else(|| Err(ServerError::NotFound("update not found".into())))
    }

    /// The server forgets what it has not recorded of a workflow's latest run, as when it goes on elsewhere or needs its
    /// memory: a speculative Workflow Task is gone, and Updates that nobody has accepted come again as if they were new,
    /// because the server itself asks for them again.
    pub fn handle_memory_lost(&mut self, workflow_id: &str) {
        if let Some(run_id) = self.current.get(workflow_id).cloned() {
            self.change(&run_id, |run, _| run.forget_unrecorded());
        }
    }

    /// Tells those who wait for an Update.
    pub(super) fn report_update(&mut self, run_id: &str, update_id: &str, progress: &Progress) {
        let waits = |call: &UpdateCall| call.answer.is_none() && call.run_id == run_id && call.update_id == update_id;
        let calls = self.update_calls.0.iter().filter(|(_, call)| waits(call));
        let calls: Vec<UpdateCallId> = calls.map(|(id, _)| *id).collect();
        for id in calls {
            match progress {
                Progress::Changed => self.answer_update(id, false),
                Progress::StillAccepted => self.answer_update(id, true),
                Progress::Rejected(failure) => {
                    let outcome = Outcome { value: Some(outcome::Value::Failure(*failure.clone())) };
                    self.set_update_answer(id, |call| Ok(call.response(Stage::Completed, Some(outcome))));
                }
                Progress::Refused(error) => self.set_update_answer(id, |_| Err(error.clone())),
                Progress::Forgotten => self.ask_again(id),
            }
        }
    }

    fn admit_update(
        &mut self,
        update_id: &str,
        request: &UpdateWorkflowExecutionRequest,
    ) -> Result<String, ServerError> {
        let run_id = self.resolve(request.workflow_execution.as_ref())?;
        let request = request.request.clone().unwrap_or_default();
        let admitted = self.change(&run_id, |run, context| {
            run.admit_update(update_id, request, context).inspect_err(|_| run.forget_unrecorded())
        });
        admitted.unwrap_or(Ok(())).map(|()| run_id)
    }

    fn add_update_call(
        &mut self,
        run_id: String,
        update_id: String,
        awaited: Stage,
        request: Option<UpdateWorkflowExecutionRequest>,
    ) -> UpdateCallId {
        let id = UpdateCallId(self.update_calls.0.len() as u64);
        let workflow_id = self.runs.get(&run_id).map_or_else(String::new, |run| run.workflow_id.clone());
        self.update_calls.0.insert(id, UpdateCall { workflow_id, run_id, update_id, awaited, request, answer: None });
        self.answer_update(id, false);
        id
    }

    /// Answers a call if the Update has come far enough, or at any rate.
    fn answer_update(&mut self, id: UpdateCallId, at_any_rate: bool) {
        let Some(call) = self.update_calls.0.get(&id) else { return };
        let update = self.runs.get(&call.run_id).and_then(|run| run.updates.find(&call.update_id));
        let (stage, outcome) = match update.map(|update| &update.state) {
            Some(State::Admitted(_) | State::Sent(_)) => (Stage::Admitted, None),
            Some(State::Accepted { .. }) => (Stage::Accepted, None),
            Some(State::Completed { outcome, .. }) => (Stage::Completed, Some(outcome.clone())),
            Some(State::Rejected(_)) | None => return,
        };
        if stage >= call.awaited || at_any_rate {
            self.set_update_answer(id, |call| Ok(call.response(stage, outcome)));
        }
    }

    fn ask_again(&mut self, id: UpdateCallId) {
        let Some(call) = self.update_calls.0.get(&id) else { return };
        let (update_id, request) = (call.update_id.clone(), call.request.clone());
        let run_id = match &request {
            Some(request) => self.admit_update(&update_id, request),
            None => Ok(call.run_id.clone()),
        };
        let is_known =
            |run_id: &String| self.runs.get(run_id).is_some_and(|run| run.updates.find(&update_id).is_some());
        match run_id {
            Ok(run_id) if is_known(&run_id) => {
                if let Some(call) = self.update_calls.0.get_mut(&id) {
                    call.run_id = run_id;
                }
                self.answer_update(id, false);
            }
            Ok(_) => self.set_update_answer(id, |call| Err(not_found(&call.update_id))),
            Err(error) => self.set_update_answer(id, |_| Err(error)),
        }
    }

    fn set_update_answer(&mut self, id: UpdateCallId, answer: impl FnOnce(&UpdateCall) -> Answer) {
        if let Some(call) = self.update_calls.0.get_mut(&id) {
            call.answer = Some(answer(call));
        }
    }
}

impl UpdateCall {
    fn response(&self, stage: Stage, outcome: Option<Outcome>) -> UpdateWorkflowExecutionResponse {
        UpdateWorkflowExecutionResponse {
            update_ref: Some(UpdateRef {
                workflow_execution: Some(WorkflowExecution {
                    workflow_id: self.workflow_id.clone(),
                    run_id: self.run_id.clone(),
                }),
                update_id: self.update_id.clone(),
            }),
            outcome,
            stage: stage.into(),
            ..UpdateWorkflowExecutionResponse::default()
        }
    }
}

/// The Update's id, which it gets if it has none; or what is wrong with the request.
fn checked_id(
    request: &mut UpdateWorkflowExecutionRequest,
    new_id: impl FnOnce() -> String,
) -> Result<String, ServerError> {
    if !request.first_execution_run_id.is_empty() {
        return Err(ServerError::unsupported("first_execution_run_id of an Update"));
    }
    let invalid = |what: &str| ServerError::InvalidArgument(format!("Update {what} is not set on request."));
    let Request { meta, input, completion_callbacks, .. } = request.request.as_mut().ok_or_else(|| invalid("meta"))?;
    if !completion_callbacks.is_empty() {
        return Err(ServerError::unsupported("callbacks of an Update"));
    }
    let meta = meta.as_mut().ok_or_else(|| invalid("meta"))?;
    if input.as_ref().ok_or_else(|| invalid("input"))?.name.is_empty() {
        return Err(invalid("name"));
    }
    if meta.update_id.is_empty() {
        meta.update_id = new_id();
    }
    Ok(meta.update_id.clone())
}

fn not_found(update_id: &str) -> ServerError {
    ServerError::NotFound(format!("update {update_id:?} not found"))
}
