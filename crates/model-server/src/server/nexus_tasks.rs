//! Nexus endpoints, and Nexus Tasks between the server and workers. What the model knows of operations stands in `nexus/`.

use std::collections::BTreeMap;

use timewright_proto::common::Payload;
use timewright_proto::failure::Failure;
use timewright_proto::temporal::api::nexus::v1::Endpoint;
use timewright_proto::temporal::api::nexus::v1::endpoint_target::Variant as Target;
use timewright_proto::temporal::api::operatorservice::v1::{
    CreateNexusEndpointRequest, CreateNexusEndpointResponse, DeleteNexusEndpointRequest,
};
use timewright_proto::workflow_service::{
    PollNexusTaskQueueRequest, PollNexusTaskQueueResponse, RespondNexusTaskCompletedRequest,
    RespondNexusTaskFailedRequest,
};

use super::Server;
use crate::error::ServerError;
use crate::nexus::{Answer, CALLBACK_TOKEN_HEADER, NexusRequest, RequestKind};
use crate::time::{Time, timestamp};
use crate::token::{NexusCallbackToken, NexusTaskToken};

impl Server {
    /// `CreateNexusEndpoint`. Its target must be a Task Queue of this namespace.
    pub fn create_nexus_endpoint(
        &mut self,
        request: CreateNexusEndpointRequest,
    ) -> Result<CreateNexusEndpointResponse, ServerError> {
        let spec = request.spec.unwrap_or_default();
        let target = spec.target.as_ref().and_then(|target| target.variant.as_ref());
        if !matches!(target, Some(Target::Worker(worker)) if worker.namespace == self.options.namespace) {
            return Err(ServerError::unsupported("Nexus endpoints outside of the namespace"));
        }
        if self.nexus.endpoints.contains_key(&spec.name) {
            return Err(ServerError::AlreadyExists(format!(
                "error creating Nexus endpoint. Endpoint with name {} already registered",
                spec.name
            )));
        }
        let id = self.random.uuid();
        let endpoint = Endpoint {
            version: 1,
            url_prefix: format!("/nexus/endpoints/{id}/services"),
            id,
            created_time: Some(timestamp(self.now)),
            spec: Some(spec.clone()),
            ..Endpoint::default()
        };
        self.nexus.endpoints.insert(spec.name, endpoint.clone());
        Ok(CreateNexusEndpointResponse { endpoint: Some(endpoint) })
    }

    /// `DeleteNexusEndpoint`. An endpoint that is not there is as good as deleted.
    pub fn delete_nexus_endpoint(&mut self, request: &DeleteNexusEndpointRequest) {
        self.nexus.endpoints.retain(|_, endpoint| endpoint.id != request.id);
    }

    /// `PollNexusTaskQueue`. `None` where a real poll would wait.
    pub fn poll_nexus_task(&mut self, request: &PollNexusTaskQueueRequest) -> Option<PollNexusTaskQueueResponse> {
        let queue = request.task_queue.as_ref()?;
        let (number, request) = self.nexus.pop(&queue.name, self.now)?;
        Some(PollNexusTaskQueueResponse {
            task_token: NexusTaskToken { request: number }.encode(),
            request: Some(request),
            ..PollNexusTaskQueueResponse::default()
        })
    }

    /// `RespondNexusTaskCompleted`.
    pub fn handle_nexus_task_completed(
        &mut self,
        request: RespondNexusTaskCompletedRequest,
    ) -> Result<(), ServerError> {
        let token = NexusTaskToken::decode(&request.task_token)?;
        let answer = self.nexus.open(token.request, self.now)?.answer(request.response)?;
        self.answer_nexus_request(token.request, answer)
    }

    /// `RespondNexusTaskFailed`.
    pub fn handle_nexus_task_failed(&mut self, request: RespondNexusTaskFailedRequest) -> Result<(), ServerError> {
        let token = NexusTaskToken::decode(&request.task_token)?;
        let answer = self.nexus.open(token.request, self.now)?.failed_answer(request)?;
        self.answer_nexus_request(token.request, answer)
    }

    /// An operation that went on has ended: what its handler says to the callback of the request that started it. A
    /// failure that is a cancellation cancels the operation.
    ///
    /// Facts (server 1.32): a workflow that handles the operation calls back when it ends, with its result, its failure,
    /// or what [`NexusWorker`](crate::NexusWorker) says of other ends; it does not know the operation's token. `NotFound`
    /// where nobody waits for the operation any more. Where the workflow was reset, the run that goes on in its place hears
    /// of it, if it has the operation too.
    pub fn handle_nexus_callback(
        &mut self,
        callback_header: &BTreeMap<String, String>,
        operation_token: &str,
        outcome: Result<Option<Payload>, Failure>,
    ) -> Result<(), ServerError> {
        let token = callback_header.get(CALLBACK_TOKEN_HEADER).map(String::as_str).unwrap_or_default();
        let NexusCallbackToken { run_id, scheduled_event_id: id, request_id } = NexusCallbackToken::decode(token)?;
        let not_found = || ServerError::NotFound(format!("workflow execution not found for run ID: {run_id}"));
        let run_id = self.run_in_place_of(&run_id).ok_or_else(not_found)?;
        self.change(&run_id, |run, context| {
            run.check_running()?;
            if run.call_back_nexus_operation(id, &request_id, operation_token, outcome, context) {
                return Ok(());
            }
            Err(ServerError::NotFound(format!(
                "stale reference: state machine not found: nexusoperations.Operation:{id}"
            )))
        })
        .unwrap_or(Ok(()))
    }

    /// A run asks an endpoint.
    pub(super) fn send_nexus_request(&mut self, run_id: &str, id: i64, kind: RequestKind, expires: Time) {
        let Some(run) = self.runs.get_mut(run_id) else { return };
        let Some(operation) = run.nexus_operations.get(&id) else { return };
        let Some(attempt) = operation.request(kind).map(|request| request.attempt) else { return };
        let endpoint = self.nexus.endpoints.get(&operation.scheduled.endpoint);
        let Some(queue) = endpoint.and_then(task_queue_of) else {
            run.miss_nexus_endpoint(id, kind, self.now);
            return;
        };
        let callback = NexusCallbackToken {
            run_id: run_id.to_owned(),
            scheduled_event_id: id,
            request_id: operation.scheduled.request_id.clone(),
        };
        let request = NexusRequest {
            run_id: run_id.to_owned(),
            scheduled_event_id: id,
            kind,
            attempt,
            expires,
            request: operation.message(kind, &callback, self.now, expires),
        };
        self.nexus.push(&queue, request);
    }

    fn answer_nexus_request(&mut self, number: u64, answer: Answer) -> Result<(), ServerError> {
        let NexusRequest { run_id, scheduled_event_id, attempt, .. } = self.nexus.close(number)?;
        self.change(&run_id, |run, context| match answer {
            Answer::Start(outcome) => run.answer_nexus_start(scheduled_event_id, attempt, outcome, context),
            Answer::Cancel(result) => run.answer_nexus_cancel(scheduled_event_id, attempt, result, context),
        });
        Ok(())
    }
}

fn task_queue_of(endpoint: &Endpoint) -> Option<String> {
    match endpoint.spec.as_ref()?.target.as_ref()?.variant.as_ref()? {
        Target::Worker(worker) => Some(worker.task_queue.clone()),
        Target::External(_) => None,
    }
}
