//! Which method is answered by what.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use timewright_proto::Message;
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::grpc::health::v1::health_check_response::ServingStatus;
use timewright_proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use timewright_proto::temporal::api::namespace::v1::{NamespaceInfo, namespace_info};
use timewright_proto::temporal::api::operatorservice::v1::DeleteNexusEndpointResponse;
use timewright_proto::workflow_service::get_system_info_response::Capabilities;
use timewright_proto::workflow_service::*;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::front::{Front, Inside, status};

/// Answers a call.
pub(crate) async fn answer(front: Arc<Front>, request: http::Request<Body>) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    let method = path.strip_prefix("/temporal.api.workflowservice.v1.WorkflowService/").unwrap_or(&path);
    let front = &front;
    match method {
        "/grpc.health.v1.Health/Check" => unary(request, |_: HealthCheckRequest| ready(Ok(healthy()))).await,
        "GetSystemInfo" => unary(request, |_: GetSystemInfoRequest| ready(Ok(system_info()))).await,
        "DescribeNamespace" => unary(request, |request| ready(front.describe_namespace(&request))).await,
        "ShutdownWorker" => unary(request, |request| ready(Ok(front.shut_down_worker(&request)))).await,

        "StartWorkflowExecution" => {
            unary(request, |request| ready(front.try_call(|server| server.start_workflow(request)))).await
        }
        "SignalWorkflowExecution" => {
            unary(request, |request| {
                let signaled = front.try_call(|server| server.signal(request));
                ready(signaled.map(|()| SignalWorkflowExecutionResponse::default()))
            })
            .await
        }
        "RequestCancelWorkflowExecution" => {
            unary(request, |request| {
                let requested = front.try_call(|server| server.request_cancel(request));
                ready(requested.map(|()| RequestCancelWorkflowExecutionResponse::default()))
            })
            .await
        }
        "TerminateWorkflowExecution" => {
            unary(request, |request| {
                let terminated = front.try_call(|server| server.terminate(request));
                ready(terminated.map(|()| TerminateWorkflowExecutionResponse::default()))
            })
            .await
        }
        "DescribeWorkflowExecution" => unary(request, |request| ready(front.describe_workflow(request))).await,
        "GetWorkflowExecutionHistory" => unary(request, |request| front.history(request)).await,
        "QueryWorkflow" => unary(request, |request| front.query(request)).await,
        "UpdateWorkflowExecution" => unary(request, |request| front.update(request)).await,
        "PollWorkflowExecutionUpdate" => unary(request, |request| front.poll_update(request)).await,

        "PollWorkflowTaskQueue" => unary(request, |request| front.poll_workflow_task(request)).await,
        "RespondWorkflowTaskCompleted" => {
            unary(request, |request| ready(front.try_call(|server| server.handle_workflow_task_completed(request))))
                .await
        }
        "RespondWorkflowTaskFailed" => {
            unary(request, |request| {
                let failed = front.try_call(|server| server.handle_workflow_task_failed(request));
                ready(failed.map(|()| RespondWorkflowTaskFailedResponse::default()))
            })
            .await
        }
        "RespondQueryTaskCompleted" => {
            unary(request, |request| {
                let completed = front.try_call(|server| server.handle_query_task_completed(request));
                ready(completed.map(|()| RespondQueryTaskCompletedResponse::default()))
            })
            .await
        }

        "PollActivityTaskQueue" => unary(request, |request| front.poll_activity_task(request)).await,
        "RecordActivityTaskHeartbeat" => {
            unary(request, |request| ready(front.try_call(|server| server.handle_activity_task_heartbeat(request))))
                .await
        }
        "RespondActivityTaskCompleted" => {
            unary(request, |request| {
                let completed = front.try_call(|server| server.handle_activity_task_completed(request));
                ready(completed.map(|()| RespondActivityTaskCompletedResponse::default()))
            })
            .await
        }
        "RespondActivityTaskFailed" => {
            unary(request, |request| {
                let failed = front.try_call(|server| server.handle_activity_task_failed(request));
                ready(failed.map(|()| RespondActivityTaskFailedResponse::default()))
            })
            .await
        }
        "RespondActivityTaskCanceled" => {
            unary(request, |request| {
                let canceled = front.try_call(|server| server.handle_activity_task_canceled(request));
                ready(canceled.map(|()| RespondActivityTaskCanceledResponse::default()))
            })
            .await
        }

        "ResetWorkflowExecution" => {
            unary(request, |request| ready(front.try_call(|server| server.reset(request)))).await
        }
        "UpdateWorkflowExecutionOptions" => {
            unary(request, |request| ready(front.try_call(|server| server.update_workflow_options(request)))).await
        }

        "PollNexusTaskQueue" => unary(request, |request| front.poll_nexus_task(request)).await,
        "RespondNexusTaskCompleted" => {
            unary(request, |request| {
                let completed = front.try_call(|server| server.handle_nexus_task_completed(request));
                ready(completed.map(|()| RespondNexusTaskCompletedResponse::default()))
            })
            .await
        }
        "RespondNexusTaskFailed" => {
            unary(request, |request| {
                let failed = front.try_call(|server| server.handle_nexus_task_failed(request));
                ready(failed.map(|()| RespondNexusTaskFailedResponse::default()))
            })
            .await
        }
        "/temporal.api.operatorservice.v1.OperatorService/CreateNexusEndpoint" => {
            unary(request, |request| ready(front.try_call(|server| server.create_nexus_endpoint(request)))).await
        }
        "/temporal.api.operatorservice.v1.OperatorService/DeleteNexusEndpoint" => {
            unary(request, |request| {
                front.call(|inside| inside.server.delete_nexus_endpoint(&request));
                ready(Ok(DeleteNexusEndpointResponse::default()))
            })
            .await
        }

        unknown => Status::unimplemented(format!(
            "unknown method {unknown}: the model of the server has none; use a real server for that"
        ))
        .into_http(),
    }
}

async fn unary<Q, A, F>(request: http::Request<Body>, act: impl Fn(Q) -> F) -> http::Response<Body>
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = Result<A, Status>>,
{
    let codec = ProstCodec::<A, Q>::default();
    let service = tower::service_fn(|request: Request<Q>| {
        let answer = act(request.into_inner());
        async move { answer.await.map(Response::new) }
    });
    Grpc::new(codec).max_decoding_message_size(LARGEST_MESSAGE).unary(service, request).await
}

impl Front {
    fn describe_namespace(&self, request: &DescribeNamespaceRequest) -> Result<DescribeNamespaceResponse, Status> {
        let namespace = self.call(|inside| inside.namespace.clone());
        if request.namespace != namespace {
            return Err(Status::not_found(format!("Namespace {} is not found.", request.namespace)));
        }
        let capabilities = namespace_info::Capabilities {
            sync_update: true,
            async_update: true,
            worker_poll_complete_on_shutdown: true,
            ..namespace_info::Capabilities::default()
        };
        let info = NamespaceInfo { name: namespace, capabilities: Some(capabilities), ..NamespaceInfo::default() };
        Ok(DescribeNamespaceResponse { namespace_info: Some(info), ..DescribeNamespaceResponse::default() })
    }

    fn shut_down_worker(&self, request: &ShutdownWorkerRequest) -> ShutdownWorkerResponse {
        self.call(|Inside { server, polls, .. }| {
            polls.end_worker(&request.worker_instance_key);
            server.handle_sticky_worker_gone(&request.sticky_task_queue);
        });
        ShutdownWorkerResponse::default()
    }

    async fn query(&self, request: QueryWorkflowRequest) -> Result<QueryWorkflowResponse, Status> {
        let query = self.try_call(|server| server.query(request))?;
        match self.wait(QUERY_LIMIT, |inside| inside.server.query_answer(query).cloned()).await {
            Some(answer) => answer.map_err(status),
            None => Err(Status::deadline_exceeded("the Query was not answered in time")),
        }
    }

    async fn update(&self, request: UpdateWorkflowExecutionRequest) -> Result<UpdateWorkflowExecutionResponse, Status> {
        let call = self.try_call(|server| server.update(request))?;
        if let Some(answer) = self.wait(LONG_POLL, |inside| inside.server.update_answer(call).cloned()).await {
            return answer.map_err(status);
        }
        self.try_call(|server| server.stop_waiting_for_update(call))
    }

    async fn poll_update(
        &self,
        request: PollWorkflowExecutionUpdateRequest,
    ) -> Result<PollWorkflowExecutionUpdateResponse, Status> {
        let call = self.try_call(|server| server.poll_update(request))?;
        let answer = match self.wait(LONG_POLL, |inside| inside.server.update_answer(call).cloned()).await {
            Some(answer) => answer.map_err(status)?,
            None => self.try_call(|server| server.stop_waiting_for_update(call))?,
        };
        Ok(PollWorkflowExecutionUpdateResponse {
            outcome: answer.outcome,
            stage: answer.stage,
            update_ref: answer.update_ref,
        })
    }

    async fn poll_workflow_task(
        &self,
        request: PollWorkflowTaskQueueRequest,
    ) -> Result<PollWorkflowTaskQueueResponse, Status> {
        let queue = request.task_queue.as_ref();
        let _open = queue.filter(|queue| queue.kind() == TaskQueueKind::Sticky).map(|queue| {
            self.call(|inside| inside.polls.open(&queue.name));
            OpenPoll { front: self, sticky_queue: queue.name.clone() }
        });
        self.poll(&request.worker_instance_key, |inside| inside.server.poll_workflow_task(&request)).await
    }

    async fn poll_activity_task(
        &self,
        request: PollActivityTaskQueueRequest,
    ) -> Result<PollActivityTaskQueueResponse, Status> {
        self.poll(&request.worker_instance_key, |inside| inside.server.poll_activity_task(&request)).await
    }

    async fn poll_nexus_task(&self, request: PollNexusTaskQueueRequest) -> Result<PollNexusTaskQueueResponse, Status> {
        self.poll(&request.worker_instance_key, |inside| inside.server.poll_nexus_task(&request)).await
    }

    /// What comes in time, or an empty response.
    async fn poll<T: Default>(
        &self,
        instance_key: &str,
        mut attempt: impl FnMut(&mut Inside) -> Option<T>,
    ) -> Result<T, Status> {
        let polled = self.wait(TASK_POLL, |inside| {
            if inside.polls.has_ended(instance_key) { Some(T::default()) } else { attempt(inside) }
        });
        Ok(polled.await.unwrap_or_default())
    }
}

/// Somebody waits at a sticky queue, until this is dropped.
struct OpenPoll<'a> {
    front: &'a Front,
    sticky_queue: String,
}

impl Drop for OpenPoll<'_> {
    fn drop(&mut self) {
        self.front.call(|Inside { server, polls, .. }| polls.close(&self.sticky_queue, server.now()));
    }
}

fn healthy() -> HealthCheckResponse {
    HealthCheckResponse { status: ServingStatus::Serving.into() }
}

fn system_info() -> GetSystemInfoResponse {
    let capabilities = Capabilities {
        signal_and_query_header: true,
        internal_error_differentiation: true,
        activity_failure_include_heartbeat: true,
        encoded_failure_attributes: true,
        upsert_memo: true,
        sdk_metadata: true,
        ..Capabilities::default()
    };
    GetSystemInfoResponse { server_version: "1.32.0".into(), capabilities: Some(capabilities) }
}

/// How long a real server lets polls for tasks wait.
const TASK_POLL: Duration = Duration::from_secs(60);
/// How long a real server lets other calls wait.
pub(crate) const LONG_POLL: Duration = Duration::from_secs(20);
/// How long a real server waits for a worker's answer.
const QUERY_LIMIT: Duration = Duration::from_secs(10);
/// More than a real server takes; what is too large is to be tried on that one.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;
