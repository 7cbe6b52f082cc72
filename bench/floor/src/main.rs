//! The floor: what a worker costs that is none.
//!
//! It polls, decodes what comes, looks how far the workflow is, and sends prepared answers. It checks nothing, keeps
//! nothing in order, replays nothing, runs no user code, and never stops in good order. No SDK can cost less; how much more
//! one costs, is what it does itself.

mod answers;
mod progress;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::task_queue::{StickyExecutionAttributes, TaskQueue};
use timewright_proto::to_duration;
use timewright_proto::workflow_service::workflow_service_client::WorkflowServiceClient;
use timewright_proto::workflow_service::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, RespondActivityTaskCompletedRequest, RespondWorkflowTaskCompletedRequest,
    respond_workflow_task_completed_request::Capabilities,
};
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use progress::Progress;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [serve, pairs @ ..] = arguments.as_slice() else {
        bail!("usage: bench-floor serve --address A --task-queue Q")
    };
    if serve != "serve" {
        bail!("bench-floor has only `serve`");
    }
    let value = |pair: &[String]| pair.get(1).cloned().unwrap_or_default();
    let pairs: HashMap<&str, String> = pairs.chunks(2).map(|pair| (pair[0].as_str(), value(pair))).collect();
    let option = |name: &str| pairs.get(name).map(String::as_str).with_context(|| format!("{name} must be given"));
    let channel = Endpoint::from_shared(format!("http://{}", option("--address")?))?.connect().await?;
    let floor = Arc::new(Floor {
        service: WorkflowServiceClient::new(channel).max_decoding_message_size(usize::MAX),
        task_queue: option("--task-queue")?.to_owned(),
        sticky_queue: format!("{}-sticky-{}", option("--task-queue")?, std::process::id()),
        runs: Mutex::default(),
    });
    println!("ready");
    // As many polls as SDKs have open.
    let mut polls = JoinSet::new();
    for number in 0..POLLS {
        polls.spawn(Arc::clone(&floor).work_on_workflows(number % 2 == 0));
        polls.spawn(Arc::clone(&floor).work_on_activities());
    }
    while let Some(ended) = polls.join_next().await {
        ended??;
    }
    Ok(())
}

struct Floor {
    service: WorkflowServiceClient<Channel>,
    task_queue: String,
    sticky_queue: String,
    runs: Mutex<HashMap<String, Progress>>,
}

impl Floor {
    async fn work_on_workflows(self: Arc<Self>, sticky: bool) -> Result<()> {
        let task_queue = if sticky { self.sticky() } else { normal(&self.task_queue) };
        let mut service = self.service.clone();
        loop {
            let request = PollWorkflowTaskQueueRequest {
                namespace: NAMESPACE.to_owned(),
                task_queue: Some(task_queue.clone()),
                identity: IDENTITY.to_owned(),
                ..PollWorkflowTaskQueueRequest::default()
            };
            let mut next = Some(service.poll_workflow_task_queue(within(request, LONG_POLL)).await?.into_inner());
            while let Some(task) = next.take().filter(|task| !task.task_token.is_empty()) {
                let response =
                    service.respond_workflow_task_completed(within(self.answer(task)?, CALL)).await?.into_inner();
                for activity in response.activity_tasks {
                    tokio::spawn(answer_activity(service.clone(), activity));
                }
                next = response.workflow_task;
            }
        }
    }

    async fn work_on_activities(self: Arc<Self>) -> Result<()> {
        let service = self.service.clone();
        loop {
            let request = PollActivityTaskQueueRequest {
                namespace: NAMESPACE.to_owned(),
                task_queue: Some(normal(&self.task_queue)),
                identity: IDENTITY.to_owned(),
                ..PollActivityTaskQueueRequest::default()
            };
            let task = service.clone().poll_activity_task_queue(within(request, LONG_POLL)).await?.into_inner();
            if !task.task_token.is_empty() {
                answer_activity(service.clone(), task).await?;
            }
        }
    }

    fn answer(&self, task: PollWorkflowTaskQueueResponse) -> Result<RespondWorkflowTaskCompletedRequest> {
        let execution = task.workflow_execution.unwrap_or_default();
        let events = task.history.unwrap_or_default().events;
        let mut progress = match events.first() {
            Some(event) if event.event_id == 1 => Progress::begin(&execution.workflow_id, event)?,
            _ => self.runs().remove(&execution.run_id).context("a workflow that is not known")?,
        };
        let answer = progress.go_on(&events, task.messages, &self.task_queue);
        if !answer.is_end {
            self.runs().insert(execution.run_id, progress);
        }
        Ok(RespondWorkflowTaskCompletedRequest {
            task_token: task.task_token,
            commands: answer.commands,
            messages: answer.messages,
            identity: IDENTITY.to_owned(),
            namespace: NAMESPACE.to_owned(),
            sticky_attributes: Some(StickyExecutionAttributes {
                worker_task_queue: Some(self.sticky()),
                schedule_to_start_timeout: Some(to_duration(Duration::from_secs(10))),
            }),
            return_new_workflow_task: true,
            capabilities: Some(Capabilities { discard_speculative_workflow_task_with_events: true }),
            ..RespondWorkflowTaskCompletedRequest::default()
        })
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<String, Progress>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sticky(&self) -> TaskQueue {
        TaskQueue {
            name: self.sticky_queue.clone(),
            kind: TaskQueueKind::Sticky.into(),
            normal_name: self.task_queue.clone(),
        }
    }
}

/// Each activity gives what it was given.
async fn answer_activity(
    mut service: WorkflowServiceClient<Channel>,
    task: PollActivityTaskQueueResponse,
) -> Result<(), tonic::Status> {
    let request = RespondActivityTaskCompletedRequest {
        task_token: task.task_token,
        result: Some(task.input.unwrap_or_default()),
        identity: IDENTITY.to_owned(),
        namespace: NAMESPACE.to_owned(),
        ..RespondActivityTaskCompletedRequest::default()
    };
    service.respond_activity_task_completed(within(request, CALL)).await?;
    Ok(())
}

/// A server takes no poll without a deadline.
fn within<T>(request: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(request);
    request.set_timeout(limit);
    request
}

pub(crate) fn normal(name: &str) -> TaskQueue {
    TaskQueue { name: name.to_owned(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}

const NAMESPACE: &str = "default";
const IDENTITY: &str = "floor";
const POLLS: usize = 5;
const LONG_POLL: Duration = Duration::from_secs(70);
const CALL: Duration = Duration::from_secs(10);
