//! Polls of the Activity Task Queue.

use timewright_client::{CallKind, Client, MetricMeter, Polled, RpcError, TaskSource};
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::task_queue::{TaskQueue, TaskQueueMetadata};
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use timewright_proto::workflow_service::{PollActivityTaskQueueRequest, PollActivityTaskQueueResponse};
use timewright_protocol::task_queue::QueueKind;

/// Asks a Task Queue for Activity Tasks.
pub(crate) struct ActivityTaskSource {
    pub(crate) client: Client,
    pub(crate) task_queue: String,
    /// By what the server knows the polls of this worker when it shuts down.
    pub(crate) worker_instance_key: String,
    /// Where the server leaves commands for this worker; empty if it gives none.
    pub(crate) control_task_queue: String,
    /// The limit that the server is to keep for the whole Task Queue.
    pub(crate) task_queue_activities_per_second: Option<f64>,
    pub(crate) deployment: Option<WorkerDeploymentOptions>,
    pub(crate) meter: MetricMeter,
}

impl TaskSource for ActivityTaskSource {
    type Task = Box<PollActivityTaskQueueResponse>;

    /// There is no sticky queue for activities.
    async fn poll(&self, _queue: QueueKind, group: Option<&str>) -> Result<Polled<Self::Task>, RpcError> {
        let request = PollActivityTaskQueueRequest {
            namespace: self.client.namespace().to_owned(),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..TaskQueue::default()
            }),
            identity: self.client.identity().to_owned(),
            worker_instance_key: self.worker_instance_key.clone(),
            worker_control_task_queue: self.control_task_queue.clone(),
            poller_group_id: group.unwrap_or_default().to_owned(),
            task_queue_metadata: self
                .task_queue_activities_per_second
                .map(|limit| TaskQueueMetadata { max_tasks_per_second: Some(limit) }),
            deployment_options: self.deployment.clone(),
            ..PollActivityTaskQueueRequest::default()
        };
        let request = CallKind::TaskPoll.request(request);
        Ok(self.client.workflow_service().poll_activity_task_queue(request).await?.into_inner().into())
    }

    fn describe(&self, _queue: QueueKind) -> String {
        format!("Activity Tasks on task queue {:?}", self.task_queue)
    }

    fn type_name<'a>(&self, task: &'a Self::Task) -> &'a str {
        task.activity_type.as_ref().map_or("", |known| known.name.as_str())
    }

    fn metric_meter(&self) -> MetricMeter {
        self.meter.clone()
    }
}
