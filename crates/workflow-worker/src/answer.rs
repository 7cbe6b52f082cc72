//! Carries out what shards ask for: encodes, sends, and says how it went.

use std::time::Duration;

use timewright_client::{CallKind, Client, RpcError, Slot, WorkerNamespace};
use timewright_converter::{CodecError, Failure};
use timewright_proto::common::{Payloads, WorkflowExecution};
use timewright_proto::enums::{QueryResultType, TaskQueueKind, WorkflowTaskFailedCause};
use timewright_proto::query::WorkflowQueryResult;
use timewright_proto::task_queue::{StickyExecutionAttributes, TaskQueue};
use timewright_proto::temporal::api::sdk::v1::WorkflowTaskCompletedMetadata;
use timewright_proto::workflow_service::respond_workflow_task_completed_request::Capabilities;
use timewright_proto::workflow_service::{
    GetWorkflowExecutionHistoryRequest, PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse, RespondWorkflowTaskFailedRequest,
};
use timewright_proto::{Bytes, to_duration};
use timewright_protocol::task_queue::ErrorClass;
use timewright_protocol::workflow::{
    AbandonReason, Completion, CompletionReceipt, HistoryPage, QueryAnswer, TaskFailure, TaskKind, WorkflowTask,
};

use crate::codecs::Codecs;
use crate::eager_activities::EagerActivities;
use crate::error::task_failure;
use crate::hold::Hold;
use crate::local_activities::WorkflowNames;
use crate::metrics::{End, WorkflowMetrics};
use crate::options::Options;
use crate::pages::Pages;
use crate::payloads::{Body, Outgoing, payload_bytes};
use crate::shard::{Action, Input, Request};
use crate::versioning::Versioning;
use crate::worker::OpenTask;

/// What came of a request.
pub(crate) struct Outcome {
    /// What the shard is to be told.
    pub(crate) input: Option<Input>,
    /// The workflow goes on, and has all that was asked for.
    pub(crate) goes_on: bool,
    /// A task that came with the server's answer; it keeps the slot of the one that was answered.
    pub(crate) next_task: Option<(PollWorkflowTaskQueueResponse, Slot)>,
}

pub(crate) struct Answerer {
    client: Client,
    codecs: Codecs,
    task_queue: String,
    sticky_queue: Option<String>,
    sticky_schedule_to_start_timeout: Duration,
    payload_size_limit: Option<usize>,
    /// The most bytes of a completion in pages; `None` where the server takes no pages.
    paged_completion_limit: Option<usize>,
    eager_activities: EagerActivities,
    /// Where the worker shuts down, further tasks of its workflows are for others.
    hold: Hold,
    versioning: Versioning,
    metrics: WorkflowMetrics,
}

impl Answerer {
    pub(crate) fn new(
        client: Client,
        options: &Options,
        namespace: WorkerNamespace,
        sticky_queue: Option<String>,
        metrics: WorkflowMetrics,
    ) -> Self {
        Self {
            codecs: Codecs::new(client.data_converter().clone(), options.codec_timeout),
            client,
            task_queue: options.task_queue.clone(),
            sticky_queue,
            sticky_schedule_to_start_timeout: options.sticky_schedule_to_start_timeout,
            payload_size_limit: options.payload_size_limit.limit(namespace.payload_size_limit),
            paged_completion_limit: namespace.paged_completion_limit.filter(|_| options.paged_completions),
            eager_activities: options.eager_activities.clone(),
            hold: Hold::new(options.maximum_signal_wait),
            versioning: options.versioning.clone(),
            metrics,
        }
    }

    pub(crate) fn codecs(&self) -> &Codecs {
        &self.codecs
    }

    pub(crate) fn begin_shutdown(&self) {
        self.hold.begin_shutdown();
    }

    /// Does what a shard asks for. `task` is the task that this answers; its slot is free when this returns. Where that leaves room
    /// for others, an answer that says nothing may be held back.
    pub(crate) async fn carry_out(&self, request: Request, task: Option<OpenTask>, leaves_room: bool) -> Outcome {
        let Request { workflow, key, action, .. } = request;
        let workflow_id = &workflow.workflow_id;
        let run_id = key.run_id();
        let mut next_task = None;
        let mut goes_on = false;
        let input = match action {
            Action::FetchHistory { next_page_token } => {
                let page = Box::pin(self.fetch_history(workflow_id, run_id, next_page_token)).await;
                Some(Input::History { key: key.clone(), page })
            }
            Action::Complete(completion) => {
                let attempt = task.as_ref().map_or(1, |open| open.task.attempt);
                goes_on = End::of(&completion.commands).is_none();
                if leaves_room && !completion.may_wait.is_zero() {
                    Box::pin(self.hold.wait(completion.may_wait)).await;
                }
                let answer = match self.complete(&workflow, run_id, completion, attempt).await {
                    Ok(response) => {
                        let receipt = CompletionReceipt::from(&response);
                        let response = response.workflow_task.filter(|task| !task.task_token.is_empty());
                        next_task = response.zip(task.map(|task| task.slot));
                        Input::Completed { key: key.clone(), receipt }
                    }
                    Err(NotTaken) => Input::NotTaken { key: key.clone() },
                };
                // A Run has left with the answer that ends it.
                goes_on.then_some(answer)
            }
            Action::Fail(failure) => {
                let attempt = task.as_ref().map_or(1, |open| open.task.attempt);
                self.fail_first(&workflow, run_id, attempt, *failure).await;
                None
            }
            Action::RespondQuery { task_token, answer } => {
                let poller_group = task.as_ref().map_or("", |task| task.slot.poller_group());
                Box::pin(self.respond_query(workflow_id, run_id, task_token, poller_group, answer)).await;
                Some(Input::Completed { key: key.clone(), receipt: CompletionReceipt::default() })
            }
            Action::Abandon { reason, .. } => {
                if let AbandonReason::FailedAgain { cause, .. } = reason {
                    self.metrics.task_failed(&workflow.workflow_type, cause);
                }
                log_abandoned(&self.task_queue, &workflow, run_id, &reason);
                None
            }
            // Nothing to send.
            Action::StartLocalActivity { .. } | Action::CancelLocalActivity { .. } | Action::Left => None,
        };
        Outcome { input, goes_on, next_task }
    }

    /// A codec could not read a task: that task fails, and is tried again.
    pub(crate) async fn fail_undecodable(&self, task: WorkflowTask, poller_group: &str, error: &CodecError) {
        let message = format!("the Payloads of this Workflow Task could not be decoded: {error}");
        self.fail_task(task, poller_group, &task_failure("CodecError", message)).await;
    }

    /// A task cannot be executed: it fails, and is tried again.
    pub(crate) async fn fail_task(&self, task: WorkflowTask, poller_group: &str, failure: &Failure) {
        let WorkflowTask { task_token, workflow_id, run_id, workflow_type, attempt, .. } = task;
        if matches!(task.kind, TaskKind::Query(_)) {
            let answer = QueryAnswer::Failed(Box::new(self.write(failure)));
            Box::pin(self.respond_query(&workflow_id, &run_id, task_token, poller_group, answer)).await;
        } else {
            let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
            let failure = self.task_failure(task_token, cause, failure);
            let (workflow_id, workflow_type) = (workflow_id.into(), workflow_type.into());
            let workflow = WorkflowNames { workflow_id, workflow_type, started: None };
            self.fail_first(&workflow, &run_id, attempt, failure).await;
        }
    }

    async fn fetch_history(
        &self,
        workflow_id: &str,
        run_id: &str,
        next_page_token: Bytes,
    ) -> Result<HistoryPage, String> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.client.namespace().to_owned(),
            execution: Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: run_id.to_owned() }),
            next_page_token,
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        // A page is there or is not; nothing is waited for.
        let request = CallKind::Unary.request(request);
        let mut response = self
            .client
            .workflow_service()
            .get_workflow_execution_history(request)
            .await
            .map_err(|status| RpcError::from(status).to_string())?
            .into_inner();
        self.codecs.decode(&mut response).await.map_err(|error| error.to_string())?;
        Ok(HistoryPage {
            events: response.history.map(|history| history.events).unwrap_or_default(),
            next_page_token: response.next_page_token,
        })
    }

    async fn complete(
        &self,
        workflow: &WorkflowNames,
        run_id: &str,
        completion: Completion,
        attempt: u32,
    ) -> Result<RespondWorkflowTaskCompletedResponse, NotTaken> {
        let workflow_id = &*workflow.workflow_id;
        let task_token = completion.task_token.clone();
        let fail = |cause, failure: Failure| async move {
            let failure = self.task_failure(task_token, cause, &failure);
            self.fail_first(workflow, run_id, attempt, failure).await;
            Err(NotTaken)
        };
        let end = End::of(&completion.commands);
        let mut answer = self.completion_request(&workflow.workflow_type, completion);
        if let Err(error) = self.codecs.encode(&mut answer).await {
            let message = format!("the Payloads of this Workflow Task's answer could not be encoded: {error}");
            let failure = task_failure("CodecError", message);
            return fail(WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, failure).await;
        }
        if let Some(failure) = self.too_large(&mut answer) {
            return fail(WorkflowTaskFailedCause::PayloadsTooLarge, failure).await;
        }
        let mut request = answer.into_request();
        let reserved = self.eager_activities.reserve(&mut request.commands).await;
        request.worker_control_task_queue = reserved.control_task_queue.clone();
        match self.send_completion(request).await {
            Ok(mut response) => {
                reserved.execute(std::mem::take(&mut response.activity_tasks));
                if let Some(end) = end {
                    self.metrics.workflow_ended(workflow, end);
                }
                Ok(response)
            }
            Err(error) => {
                if error.class() == ErrorClass::MessageTooLarge {
                    let message = format!("the answer of this Workflow Task is too large to be sent: {error}");
                    let failure = task_failure("MessageTooLarge", message);
                    // Not `GrpcMessageTooLarge`: for that cause the server ends the workflow, and mended code could not go on.
                    return fail(WorkflowTaskFailedCause::PayloadsTooLarge, failure).await;
                }
                // The task timed out, new Events came in the meantime, or nobody answers: the server hands it out again.
                tracing::debug!(workflow_id, run_id, %error, "the server did not take the answer to a Workflow Task");
                Err(NotTaken)
            }
        }
    }

    async fn send_completion(
        &self,
        request: RespondWorkflowTaskCompletedRequest,
    ) -> Result<RespondWorkflowTaskCompletedResponse, RpcError> {
        let pages = Pages::of(request, self.paged_completion_limit);
        // In a box, as all calls here: with them, what is moved to wherever an answer is carried out would have 12 KB.
        let respond = |page, kind: CallKind| {
            Box::pin(async move {
                let response = self.client.workflow_service().respond_workflow_task_completed(kind.request(page)).await;
                Ok(response?.into_inner())
            })
        };
        // A lost page is `ABORTED`, which is among what is worth another try.
        let begins_again =
            |error: &RpcError| matches!(error.class(), ErrorClass::Retryable | ErrorClass::ResourceExhausted);
        pages.send(respond, begins_again).await
    }

    fn completion_request(&self, workflow_type: &str, completion: Completion) -> Outgoing {
        let sticky = self.sticky_queue.as_ref().filter(|_| !self.hold.is_stopping());
        let request = RespondWorkflowTaskCompletedRequest {
            task_token: completion.task_token,
            commands: completion.commands,
            identity: self.client.identity().to_owned(),
            sticky_attributes: sticky.map(|sticky_queue| StickyExecutionAttributes {
                worker_task_queue: Some(TaskQueue {
                    name: sticky_queue.clone(),
                    kind: TaskQueueKind::Sticky.into(),
                    normal_name: self.task_queue.clone(),
                }),
                schedule_to_start_timeout: Some(to_duration(self.sticky_schedule_to_start_timeout)),
            }),
            // The next task of a workflow whose Local Activities go on here is of use nowhere else.
            return_new_workflow_task: sticky.is_some() || completion.force_new_task,
            force_create_new_workflow_task: completion.force_new_task,
            query_results: completion
                .query_answers
                .into_iter()
                .map(|(id, answer)| (id, query_result(answer)))
                .collect(),
            namespace: self.client.namespace().to_owned(),
            // The protocol goes back to where the history was before: what was rejected leaves nothing there.
            capabilities: Some(Capabilities { discard_speculative_workflow_task_with_events: true }),
            sdk_metadata: completion.sdk.map(|sdk| WorkflowTaskCompletedMetadata {
                sdk_name: sdk.name,
                sdk_version: sdk.version,
                core_used_flags: sdk.core_used_flags,
                ..WorkflowTaskCompletedMetadata::default()
            }),
            deployment_options: self.versioning.options(),
            versioning_behavior: self.versioning.behavior(workflow_type).into(),
            ..RespondWorkflowTaskCompletedRequest::default()
        };
        Outgoing { request, messages: completion.messages }
    }

    /// The first Command, or message, whose Payloads the server would refuse, as a failure of the task; Query answers that are
    /// too large become failed answers.
    fn too_large(&self, answer: &mut Outgoing) -> Option<Failure> {
        let limit = self.payload_size_limit?;
        for result in answer.request.query_results.values_mut() {
            let bytes = payload_bytes(result);
            if bytes > limit {
                let failure =
                    task_failure("PayloadsTooLarge", format!("the answer has {bytes} bytes; {limit} are allowed"));
                *result = query_result(QueryAnswer::Failed(Box::new(self.write(&failure))));
            }
        }
        let mut commands = answer.request.commands.iter_mut().map(|command| (payload_bytes(command), command));
        let command = commands.find(|(bytes, _)| *bytes > limit);
        let mut messages =
            answer.messages.iter_mut().map(|message| (payload_bytes(&mut Body(&mut message.body)), message));
        let (what, bytes) = match command {
            Some((bytes, command)) => (command.command_type().as_str_name().to_owned(), bytes),
            None => {
                let (bytes, message) = messages.find(|(bytes, _)| *bytes > limit)?;
                (format!("an answer to update {:?}", message.protocol_instance_id), bytes)
            }
        };
        let message = format!(
            "the Payloads of {what} have {bytes} bytes; the server allows {limit}. Pass less data, or a reference to it"
        );
        Some(task_failure("PayloadsTooLarge", message))
    }

    /// The first attempt says why it failed; for later ones that is in the log only.
    async fn fail_first(&self, workflow: &WorkflowNames, run_id: &str, attempt: u32, failed: TaskFailure) {
        self.metrics.task_failed(&workflow.workflow_type, failed.cause);
        if attempt <= 1 {
            return Box::pin(self.fail(workflow, run_id, failed)).await;
        }
        let message = failed.failure.message;
        let reason = AbandonReason::FailedAgain { attempt, cause: failed.cause, message };
        log_abandoned(&self.task_queue, workflow, run_id, &reason);
    }

    async fn fail(&self, workflow: &WorkflowNames, run_id: &str, failed: TaskFailure) {
        let (workflow_id, workflow_type) = (&*workflow.workflow_id, &*workflow.workflow_type);
        tracing::error!(
            workflow_id,
            run_id,
            workflow_type,
            task_queue = self.task_queue,
            cause = failed.cause.as_str_name(),
            message = failed.failure.message,
            "a Workflow Task failed; the workflow goes on when a later attempt succeeds"
        );
        let mut request = RespondWorkflowTaskFailedRequest {
            task_token: failed.task_token,
            cause: failed.cause.into(),
            failure: Some(failed.failure),
            identity: self.client.identity().to_owned(),
            namespace: self.client.namespace().to_owned(),
            deployment_options: self.versioning.options(),
            ..RespondWorkflowTaskFailedRequest::default()
        };
        if self.codecs.encode(&mut request).await.is_err() {
            // The codec is what fails: say so without it. Only texts of ours are left.
            let message = "the failure of this Workflow Task could not be encoded".to_owned();
            request.failure = Some(self.write(&task_failure("CodecError", message)));
        }
        if let Err(status) = self.client.workflow_service().respond_workflow_task_failed(request).await {
            tracing::debug!(workflow_id, run_id, error = %RpcError::from(status), "the server was not told of the failure");
        }
    }

    async fn respond_query(
        &self,
        workflow_id: &str,
        run_id: &str,
        task_token: Bytes,
        poller_group: &str,
        answer: QueryAnswer,
    ) {
        let mut request = self.query_request(task_token.clone(), poller_group, answer);
        let encoded = self.codecs.encode(&mut request).await;
        let bytes = payload_bytes(&mut request);
        let refused = match (encoded, self.payload_size_limit) {
            (Err(error), _) => Some(task_failure("CodecError", format!("the answer could not be encoded: {error}"))),
            (Ok(()), Some(limit)) if bytes > limit => {
                Some(task_failure("PayloadsTooLarge", format!("the answer has {bytes} bytes; {limit} are allowed")))
            }
            _ => None,
        };
        if let Some(failure) = refused {
            let answer = QueryAnswer::Failed(Box::new(self.write(&failure)));
            request = self.query_request(task_token.clone(), poller_group, answer);
        }
        let mut service = self.client.workflow_service();
        let Err(status) = service.respond_query_task_completed(request).await else { return };
        let error = RpcError::from(status);
        tracing::debug!(workflow_id, run_id, %error, "the server did not take the answer to a Query");
        if error.class() == ErrorClass::MessageTooLarge {
            let failure = task_failure("MessageTooLarge", error.to_string());
            let answer = QueryAnswer::Failed(Box::new(self.write(&failure)));
            let request = self.query_request(task_token, poller_group, answer);
            // Whoever asked may have gone; nothing is left to do.
            let _ = service.respond_query_task_completed(request).await;
        }
    }

    fn query_request(
        &self,
        task_token: Bytes,
        poller_group: &str,
        answer: QueryAnswer,
    ) -> RespondQueryTaskCompletedRequest {
        let result = query_result(answer);
        RespondQueryTaskCompletedRequest {
            task_token,
            completed_type: result.result_type,
            query_result: result.answer,
            error_message: result.error_message,
            failure: result.failure,
            namespace: self.client.namespace().to_owned(),
            poller_group_id: poller_group.to_owned(),
            ..RespondQueryTaskCompletedRequest::default()
        }
    }

    fn task_failure(&self, task_token: Bytes, cause: WorkflowTaskFailedCause, failure: &Failure) -> TaskFailure {
        TaskFailure { task_token, cause, failure: self.write(failure), nondeterminism: None }
    }

    fn write(&self, failure: &Failure) -> timewright_proto::failure::Failure {
        self.client.data_converter().failure_to_proto(failure)
    }
}

/// The server did not take the answer to a task, or was not given one.
struct NotTaken;

fn query_result(answer: QueryAnswer) -> WorkflowQueryResult {
    match answer {
        QueryAnswer::Succeeded(payload) => WorkflowQueryResult {
            result_type: QueryResultType::Answered.into(),
            answer: Some(Payloads { payloads: payload.into_iter().collect() }),
            ..WorkflowQueryResult::default()
        },
        QueryAnswer::Failed(failure) => WorkflowQueryResult {
            result_type: QueryResultType::Failed.into(),
            error_message: failure.message.clone(),
            failure: Some(*failure),
            ..WorkflowQueryResult::default()
        },
    }
}

fn log_abandoned(task_queue: &str, workflow: &WorkflowNames, run_id: &str, reason: &AbandonReason) {
    let (workflow_id, workflow_type) = (&*workflow.workflow_id, &*workflow.workflow_type);
    match reason {
        AbandonReason::FailedAgain { attempt, cause, message } => tracing::warn!(
            workflow_id,
            run_id,
            workflow_type,
            task_queue,
            attempt,
            cause = cause.as_str_name(),
            message,
            "a Workflow Task failed again; the server tries it again when it times out"
        ),
        AbandonReason::Superseded | AbandonReason::Evicted => {
            tracing::debug!(workflow_id, run_id, workflow_type, task_queue, ?reason, "a Workflow Task is not answered");
        }
    }
}
