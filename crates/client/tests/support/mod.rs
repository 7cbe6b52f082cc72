//! A Workflow Worker of a hundred lines on nothing but the stub and the [`TaskPoller`]: each Workflow Task is answered by a
//! function. Enough to test a client, and the polls, against a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use timewright_client::{
    Client, PollError, Polled, PollerBehavior, PollerSnapshot, RpcError, SlotKind, SlotRequest, TaskPoller, TaskSource,
    WorkerSlots,
};
use timewright_converter::{Payload, Value};
use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    Command, CompleteWorkflowExecutionCommandAttributes, ContinueAsNewWorkflowExecutionCommandAttributes,
    FailWorkflowExecutionCommandAttributes,
};
use timewright_proto::common::{Payloads, WorkflowType};
use timewright_proto::enums::{CommandType, QueryResultType, TaskQueueKind, TaskQueueType};
use timewright_proto::failure::Failure;
use timewright_proto::query::WorkflowQuery;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest, ShutdownWorkerRequest,
};
use timewright_protocol::task_queue::{Poller, QueueKind};
use tokio::sync::watch;

/// A worker that runs until it is stopped.
pub(crate) struct MiniWorker {
    client: Client,
    task_queue: String,
    key: String,
    stop: tokio::sync::oneshot::Sender<()>,
    done: tokio::task::JoinHandle<Result<(), PollError>>,
    tasks: Arc<Tasks>,
    snapshots: watch::Receiver<PollerSnapshot>,
}

/// Workflow Tasks, counted.
#[derive(Default)]
pub(crate) struct Tasks {
    /// Polls that were opened.
    pub(crate) polls: AtomicUsize,
    /// Those that a poll has returned with.
    pub(crate) received: AtomicUsize,
    /// Those that were executed.
    pub(crate) executed: AtomicUsize,
}

/// What a workflow does with a Workflow Task: its type decides.
pub(crate) type Program = fn(&PollWorkflowTaskQueueResponse) -> Vec<Command>;

impl MiniWorker {
    pub(crate) fn start(client: &Client, task_queue: &str, program: Program) -> Self {
        Self::start_with(client, task_queue, program, WorkerSlots::fixed(10), PollerBehavior::FIXED)
    }

    pub(crate) fn start_with(
        client: &Client,
        task_queue: &str,
        program: Program,
        slots: WorkerSlots,
        polls: PollerBehavior,
    ) -> Self {
        // The server remembers which workers it was told to have stopped, and lets their polls return at once.
        let key = format!("worker-{:016x}", timewright_client::jitter_seed());
        let counts = Arc::new(Tasks::default());
        let source = Source {
            client: client.clone(),
            task_queue: task_queue.to_owned(),
            key: key.clone(),
            tasks: Arc::clone(&counts),
        };
        let poller = Poller::new(slots.poller_options().behavior(polls)).unwrap();
        let request = SlotRequest::new(SlotKind::Workflow, task_queue).of(client);
        let mut tasks = TaskPoller::start(source, poller, &slots, request);
        let snapshots = tasks.snapshots();
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let (worker, counter) = (client.clone(), Arc::clone(&counts));
        let done = tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            let mut is_stopping = false;
            loop {
                tokio::select! {
                    task = tasks.next() => match task {
                        Some(Ok((task, slot))) => {
                            let (worker, counter) = (worker.clone(), Arc::clone(&counter));
                            running.spawn(async move {
                                execute(&worker, *task, program).await;
                                counter.executed.fetch_add(1, Ordering::Relaxed);
                                drop(slot);
                            });
                        }
                        Some(Err(error)) => return Err(error),
                        None => break,
                    },
                    _ = &mut stopped, if !is_stopping => {
                        is_stopping = true;
                        tasks.shutdown(DRAIN);
                    }
                }
            }
            running.join_all().await;
            Ok(())
        });
        Self { client: client.clone(), task_queue: task_queue.to_owned(), key, stop, done, tasks: counts, snapshots }
    }

    /// How its polls and slots are doing.
    pub(crate) fn snapshots(&self) -> watch::Receiver<PollerSnapshot> {
        self.snapshots.clone()
    }

    /// Its Workflow Tasks, also for after its end.
    pub(crate) fn tasks(&self) -> Arc<Tasks> {
        Arc::clone(&self.tasks)
    }

    /// Asks the server to end the polls, and executes what still comes.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let request = ShutdownWorkerRequest {
            namespace: self.client.namespace().to_owned(),
            identity: self.client.identity().to_owned(),
            worker_instance_key: self.key,
            task_queue: self.task_queue,
            task_queue_types: vec![TaskQueueType::Workflow.into()],
            reason: "test".into(),
            ..ShutdownWorkerRequest::default()
        };
        self.client.workflow_service().shutdown_worker(request).await.unwrap();
        self.done.await.unwrap().unwrap();
    }
}

/// How long open polls have to return. Most servers do not let them, so this is how long a worker takes to stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(2);

struct Source {
    client: Client,
    task_queue: String,
    key: String,
    tasks: Arc<Tasks>,
}

impl TaskSource for Source {
    type Task = Box<PollWorkflowTaskQueueResponse>;

    async fn poll(&self, _: QueueKind, _: Option<&str>) -> Result<Polled<Self::Task>, RpcError> {
        let request = PollWorkflowTaskQueueRequest {
            namespace: self.client.namespace().to_owned(),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..TaskQueue::default()
            }),
            identity: self.client.identity().to_owned(),
            worker_instance_key: self.key.clone(),
            ..PollWorkflowTaskQueueRequest::default()
        };
        self.tasks.polls.fetch_add(1, Ordering::Relaxed);
        let polled = Polled::from(self.client.workflow_service().poll_workflow_task_queue(request).await?.into_inner());
        self.tasks.received.fetch_add(usize::from(polled.task.is_some()), Ordering::Relaxed);
        Ok(polled)
    }

    fn type_name<'a>(&self, task: &'a Self::Task) -> &'a str {
        task.workflow_type.as_ref().map_or("", |known| known.name.as_str())
    }
}

async fn execute(client: &Client, task: PollWorkflowTaskQueueResponse, program: Program) {
    if let Some(query) = &task.query {
        answer(client, &task, query).await;
        return;
    }
    let request = RespondWorkflowTaskCompletedRequest {
        namespace: client.namespace().to_owned(),
        identity: client.identity().to_owned(),
        commands: program(&task),
        task_token: task.task_token,
        ..RespondWorkflowTaskCompletedRequest::default()
    };
    // It may be gone: the server was killed, or the workflow terminated.
    let _ = client.workflow_service().respond_workflow_task_completed(request).await;
}

/// Answers with the query's argument; the query `fail` fails.
async fn answer(client: &Client, task: &PollWorkflowTaskQueueResponse, query: &WorkflowQuery) {
    let fails = query.query_type == "fail";
    let result_type = if fails { QueryResultType::Failed } else { QueryResultType::Answered };
    let cause = Failure { message: "the root of it".into(), ..Failure::default() };
    let failure = Failure { message: "cannot say".into(), cause: Some(Box::new(cause)), ..Failure::default() };
    let request = RespondQueryTaskCompletedRequest {
        namespace: client.namespace().to_owned(),
        task_token: task.task_token.clone(),
        completed_type: result_type.into(),
        query_result: query.query_args.clone().filter(|_| !fails),
        error_message: if fails { "cannot say".into() } else { String::new() },
        failure: fails.then_some(failure),
        ..RespondQueryTaskCompletedRequest::default()
    };
    client.workflow_service().respond_query_task_completed(request).await.unwrap();
}

pub(crate) fn complete(value: impl Value) -> Command {
    command(
        CommandType::CompleteWorkflowExecution,
        Attributes::CompleteWorkflowExecutionCommandAttributes(
            CompleteWorkflowExecutionCommandAttributes { result: list(value) }.into(),
        ),
    )
}

pub(crate) fn fail(failure: Failure) -> Command {
    command(
        CommandType::FailWorkflowExecution,
        Attributes::FailWorkflowExecutionCommandAttributes(
            FailWorkflowExecutionCommandAttributes { failure: Some(failure) }.into(),
        ),
    )
}

pub(crate) fn continue_as_new(task: &PollWorkflowTaskQueueResponse, workflow_type: &str, input: impl Value) -> Command {
    command(
        CommandType::ContinueAsNewWorkflowExecution,
        Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(
            ContinueAsNewWorkflowExecutionCommandAttributes {
                workflow_type: Some(WorkflowType { name: workflow_type.to_owned() }),
                task_queue: task.workflow_execution_task_queue.clone(),
                input: list(input),
                ..Default::default()
            }
            .into(),
        ),
    )
}

fn command(command_type: CommandType, attributes: Attributes) -> Command {
    Command { command_type: command_type.into(), attributes: Some(attributes), ..Command::default() }
}

fn list(value: impl Value) -> Option<Payloads> {
    Some(Payloads { payloads: vec![payload(value)] })
}

pub(crate) fn payload(value: impl Value) -> Payload {
    value.to_payload().unwrap()
}
