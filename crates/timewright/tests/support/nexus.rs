//! A Nexus endpoint, and what handles its operations, written by hand: this SDK has no Nexus Worker yet.
//!
//! An operation's input says what its handler does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timewright::client::Client;
use timewright::converter::Value;
use timewright::proto::common::callback;
use timewright::proto::common::{Callback, Payloads, WorkflowExecution, WorkflowType};
use timewright::proto::enums::TaskQueueKind;
use timewright::proto::failure::failure::FailureInfo;
use timewright::proto::failure::{ApplicationFailureInfo, CanceledFailureInfo, Failure, NexusHandlerFailureInfo};
use timewright::proto::task_queue::TaskQueue;
use timewright::proto::temporal::api::nexus::v1 as nexus;
use timewright::proto::temporal::api::nexus::v1::request::Variant as Asked;
use timewright::proto::temporal::api::nexus::v1::response::Variant as Answered;
use timewright::proto::temporal::api::nexus::v1::start_operation_response::Variant as Start;
use timewright::proto::temporal::api::operatorservice::v1::CreateNexusEndpointRequest;
use timewright::proto::temporal::api::operatorservice::v1::operator_service_client::OperatorServiceClient;
use timewright::proto::workflow_service::{
    PollNexusTaskQueueRequest, PollNexusTaskQueueResponse, RequestCancelWorkflowExecutionRequest,
    RespondNexusTaskCompletedRequest, RespondNexusTaskFailedRequest, StartWorkflowExecutionRequest,
};
use tokio::task::{JoinHandle, JoinSet};
use tonic::transport::Channel;

/// The service of all operations.
pub(crate) const SERVICE: &str = "deeds";

/// What the handler of an operation does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// The operation completes with this.
    Complete(String),
    /// It fails.
    Fail,
    /// It is cancelled, though nobody has asked for that.
    Cancel,
    /// The handler does not take it.
    Refuse,
    /// It completes with the header of this name, or with nothing where there is none.
    Reveal(String),
    /// It is started, and nothing more is heard of it.
    Start,
    /// It is a workflow of this type, with this input, on the endpoint's Task Queue. Its token is the Workflow Id.
    Run(String, String),
}

/// How an operation is asked for: what is done, after so many milliseconds.
pub(crate) type Order = (Deed, u64);

/// An endpoint with a handler. Its name and its Task Queue's are the same.
pub(crate) struct Endpoint {
    handler: JoinHandle<()>,
}

impl Endpoint {
    /// Creates the endpoint, and handles what comes there until this is dropped.
    pub(crate) async fn create(client: &Client, name: &str) -> Self {
        let channel = Channel::from_shared(client.address().to_owned()).expect("an address that a client has");
        let channel = channel.connect().await.expect("a server that a client has reached");
        let worker =
            nexus::endpoint_target::Worker { namespace: client.namespace().to_owned(), task_queue: name.to_owned() };
        let target = nexus::EndpointTarget { variant: Some(nexus::endpoint_target::Variant::Worker(worker)) };
        let spec = nexus::EndpointSpec { name: name.to_owned(), target: Some(target), ..Default::default() };
        let mut operator = OperatorServiceClient::new(channel);
        let created = operator.create_nexus_endpoint(CreateNexusEndpointRequest { spec: Some(spec) }).await;
        created.unwrap_or_else(|status| panic!("Nexus endpoint {name}: {status}"));
        Self { handler: tokio::spawn(handle(client.clone(), name.to_owned())) }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.handler.abort();
    }
}

async fn handle(client: Client, task_queue: String) {
    let mut answers = JoinSet::new();
    loop {
        let request = PollNexusTaskQueueRequest {
            namespace: client.namespace().to_owned(),
            task_queue: Some(normal(&task_queue)),
            identity: client.identity().to_owned(),
            ..PollNexusTaskQueueRequest::default()
        };
        let task = client.workflow_service().poll_nexus_task_queue(request).await;
        let task = task.unwrap_or_else(|status| panic!("poll for Nexus Tasks: {status}")).into_inner();
        if !task.task_token.is_empty() {
            answers.spawn(answer(client.clone(), task_queue.clone(), task));
        }
        while answers.try_join_next().is_some() {}
    }
}

async fn answer(client: Client, task_queue: String, task: PollNexusTaskQueueResponse) {
    let request = task.request.unwrap_or_default();
    let answered = match request.variant {
        Some(Asked::StartOperation(start)) => start_operation(&client, &task_queue, start, &request.header).await,
        Some(Asked::CancelOperation(cancel)) => Ok(cancel_operation(&client, cancel).await),
        None => panic!("a Nexus Task that asks for nothing"),
    };
    let (task_token, namespace) = (task.task_token, client.namespace().to_owned());
    // An answer may come too late; nobody waits for it then.
    match answered {
        Ok(variant) => {
            let response = Some(nexus::Response { variant: Some(variant) });
            let completed = RespondNexusTaskCompletedRequest { namespace, task_token, response, ..Default::default() };
            client.workflow_service().respond_nexus_task_completed(completed).await.ok();
        }
        Err(failure) => {
            let failure = Some(*failure);
            let failed = RespondNexusTaskFailedRequest { namespace, task_token, failure, ..Default::default() };
            client.workflow_service().respond_nexus_task_failed(failed).await.ok();
        }
    }
}

async fn start_operation(
    client: &Client,
    task_queue: &str,
    start: nexus::StartOperationRequest,
    header: &BTreeMap<String, String>,
) -> Result<Answered, Box<Failure>> {
    let (deed, takes) = Order::from_payload(start.payload.clone().unwrap_or_default()).expect("an order");
    tokio::time::sleep(Duration::from_millis(takes)).await;
    let variant = match deed {
        Deed::Complete(result) => completed(&result),
        Deed::Reveal(name) => completed(&header.get(&name).cloned().unwrap_or_default()),
        Deed::Fail => {
            let info = ApplicationFailureInfo { r#type: "Planned".to_owned(), ..ApplicationFailureInfo::default() };
            Start::Failure(failure("as planned", FailureInfo::ApplicationFailureInfo(info)))
        }
        Deed::Cancel => {
            Start::Failure(failure("not today", FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())))
        }
        Deed::Refuse => {
            let info = NexusHandlerFailureInfo { r#type: "BAD_REQUEST".to_owned(), ..Default::default() };
            return Err(Box::new(failure("not like this", FailureInfo::NexusHandlerFailureInfo(info))));
        }
        Deed::Start => started("started".to_owned()),
        Deed::Run(workflow_type, input) => {
            let workflow_id = format!("operation-{}", start.request_id);
            run_workflow(client, task_queue, &workflow_id, workflow_type, &input, start).await;
            started(workflow_id)
        }
    };
    Ok(Answered::StartOperation(nexus::StartOperationResponse { variant: Some(variant) }))
}

/// A workflow of that id is told; other operations do not listen.
async fn cancel_operation(client: &Client, cancel: nexus::CancelOperationRequest) -> Answered {
    let workflow_id = cancel.operation_token;
    let request = RequestCancelWorkflowExecutionRequest {
        namespace: client.namespace().to_owned(),
        workflow_execution: Some(WorkflowExecution { workflow_id, ..WorkflowExecution::default() }),
        ..RequestCancelWorkflowExecutionRequest::default()
    };
    client.workflow_service().request_cancel_workflow_execution(request).await.ok();
    Answered::CancelOperation(nexus::CancelOperationResponse {})
}

/// A workflow whose outcome the server tells to whoever waits for the operation.
async fn run_workflow(
    client: &Client,
    task_queue: &str,
    workflow_id: &str,
    workflow_type: String,
    input: &str,
    start: nexus::StartOperationRequest,
) {
    let mut header: BTreeMap<String, String> = start.callback_header;
    header.insert("nexus-operation-token".to_owned(), workflow_id.to_owned());
    let callback = callback::Nexus { url: start.callback, header };
    let callback = Callback { variant: Some(callback::Variant::Nexus(callback)), ..Callback::default() };
    let request = StartWorkflowExecutionRequest {
        namespace: client.namespace().to_owned(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some(WorkflowType { name: workflow_type }),
        task_queue: Some(normal(task_queue)),
        input: Some(Payloads { payloads: vec![input.to_owned().to_payload().expect("a text")] }),
        request_id: start.request_id,
        completion_callbacks: vec![callback],
        ..StartWorkflowExecutionRequest::default()
    };
    let started = client.workflow_service().start_workflow_execution(request).await;
    started.unwrap_or_else(|status| panic!("the workflow of a Nexus operation: {status}"));
}

fn completed(result: &String) -> Start {
    let payload = Some(result.to_payload().expect("a text"));
    Start::SyncSuccess(nexus::start_operation_response::Sync { payload, ..Default::default() })
}

fn started(operation_token: String) -> Start {
    Start::AsyncSuccess(nexus::start_operation_response::Async { operation_token, ..Default::default() })
}

fn failure(message: &str, info: FailureInfo) -> Failure {
    Failure { message: message.to_owned(), failure_info: Some(info), ..Failure::default() }
}

fn normal(task_queue: &str) -> TaskQueue {
    TaskQueue { name: task_queue.to_owned(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}
