//! Polls of the Activity Task Queue.

use timewright_client::{CallKind, Client, RpcError, TaskSource};
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use timewright_proto::workflow_service::{PollActivityTaskQueueRequest, PollActivityTaskQueueResponse};
use timewright_protocol::task_queue::QueueKind;

/// Asks a Task Queue for Activity Tasks.
pub(crate) struct ActivityTaskSource {
    pub(crate) client: Client,
    pub(crate) task_queue: String,
    /// By what the server knows the polls of this worker when it shuts down.
    pub(crate) worker_instance_key: String,
    pub(crate) deployment: Option<WorkerDeploymentOptions>,
}

impl TaskSource for ActivityTaskSource {
    type Task = PollActivityTaskQueueResponse;

    /// There is no sticky queue for activities.
    async fn poll(&self, _queue: QueueKind) -> Result<Option<Self::Task>, RpcError> {
        let request = PollActivityTaskQueueRequest {
            namespace: self.client.namespace().to_owned(),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..TaskQueue::default()
            }),
            identity: self.client.identity().to_owned(),
            worker_instance_key: self.worker_instance_key.clone(),
            deployment_options: self.deployment.clone(),
            ..PollActivityTaskQueueRequest::default()
        };
        let request = CallKind::TaskPoll.request(request);
        let response = self.client.workflow_service().poll_activity_task_queue(request).await?.into_inner();
        // The server's way to say that there was no task in all that time.
        Ok((!response.task_token.is_empty()).then_some(response))
    }
}
