//! The way of a Workflow Task, from top to bottom:
//!
//! ```text
//!   poll ─▶ decode ─▶ shard (state machines, user code) ─▶ Commands ─▶ encode ─▶ complete
//! ```
//!
//! One loop owns the open tasks. It hands tasks to shards, which are plain threads, and carries out what they ask for, each
//! request as a tokio task of its own, so that no codec and no slow server holds anything else up.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use timewright_client::{
    CheckNamespaceError, Client, EagerWorkflowOffer, EagerWorkflowTasks, MetricMeter, PollError, Polled, Readiness,
    ReadinessSource, RpcError, Slot, SlotKind, SlotPool, SlotRequest, SlotTask, TaskPoller, TaskSource, WorkerPresence,
    WorkerProfile,
};
use timewright_proto::Bytes;
use timewright_proto::enums::{TaskQueueKind, TaskQueueType};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse, ShutdownWorkerRequest,
};
use timewright_protocol::task_queue::{Poller, PollerSnapshot, QueueKind, RateLimit};
use timewright_protocol::workflow::{AbandonReason, CacheLimits, HistoryPage, RunKey, WorkflowTask};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::alarm::Alarm;
use crate::answer::{Answerer, Outcome};
use crate::eager_activities::EagerActivityExecutor;
use crate::error::task_failure;
use crate::hold::leaves_room;
use crate::instance::Environment;
use crate::local_activities::{Ended, LocalActivities, LocalActivityExecutor, Room};
use crate::metrics::WorkflowMetrics;
use crate::monitor::{Counters, WorkflowWorkerMonitor};
use crate::options::{BuildError, Options, WorkflowWorkerBuilder};
use crate::payloads::Incoming;
use crate::registry::Registry;
use crate::shard::{Action, Input, Request, ShardId, ShardSettings};
use crate::shards::{Abandoned, Refused, Shards, deadlock_message, log_abandoned_thread};

/// Executes the Workflow Tasks of one Task Queue.
///
/// <https://docs.temporal.io/workers>
///
/// ```no_run
/// # use timewright_client::{Client, ClientOptions};
/// # use timewright_definition::WorkflowDefinition;
/// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};
/// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = (); }
/// # struct OrderWorkflow;
/// # impl Workflow for OrderWorkflow {
/// #     type Definition = Order;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// # }
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect(ClientOptions::new("http://127.0.0.1:7233")).await?;
/// let worker = WorkflowWorker::builder(client, "orders").workflow::<OrderWorkflow>().build()?;
/// worker.run(std::future::pending()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WorkflowWorker {
    client: Client,
    registry: Arc<Registry>,
    options: Options,
    poller: Poller,
    readiness: ReadinessSource,
    monitor: WorkflowWorkerMonitor,
    pressure: UnboundedReceiver<usize>,
}

/// Why a Workflow Worker stopped, or did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The namespace cannot be worked in.
    #[error("the Workflow Worker on task queue {task_queue:?} did not start: {error}")]
    Namespace {
        /// Its Task Queue.
        task_queue: String,
        /// What the server said.
        #[source]
        error: CheckNamespaceError,
    },
    /// Polls failed for too long, with an error that waiting does not cure.
    #[error("the Workflow Worker on task queue {task_queue:?} stopped: {error}")]
    Polling {
        /// Its Task Queue.
        task_queue: String,
        /// What the server said, and for how long.
        #[source]
        error: PollError,
    },
    /// The operating system has no more threads.
    #[error("the Workflow Worker on task queue {task_queue:?} could not start a thread: {error}")]
    Thread {
        /// Its Task Queue.
        task_queue: String,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
}

impl WorkflowWorker {
    /// Sets a worker up that executes the Workflow Tasks of `task_queue`.
    pub fn builder(client: Client, task_queue: impl Into<String>) -> WorkflowWorkerBuilder {
        WorkflowWorkerBuilder::new(client, task_queue.into())
    }

    pub(crate) fn new(client: Client, registry: Arc<Registry>, options: Options) -> Result<Self, BuildError> {
        let mut polls = options
            .slots
            .poller_options()
            .sticky(options.maximum_cached_workflows > 0)
            .sticky_share(options.sticky_poll_share)
            .jitter_seed(timewright_client::jitter_seed());
        if let Some(behavior) = options.polls {
            polls = polls.behavior(behavior);
        }
        let poller = Poller::new(polls).map_err(|error| BuildError::Options {
            task_queue: options.task_queue.clone(),
            problem: error.to_string(),
        })?;
        let readiness = ReadinessSource::new(format!("the Workflow Worker on task queue {:?}", options.task_queue));
        let (sender, pressure) = unbounded_channel();
        let monitor = WorkflowWorkerMonitor { counters: Arc::new(Counters::default()), pressure: sender };
        Ok(Self { client, registry, options, poller, readiness, monitor, pressure })
    }

    /// The Task Queue.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.options.task_queue
    }

    /// Whether it gets tasks: for a readiness probe.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.readiness.readiness()
    }

    /// The client that it works with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Executes activities of its own Task Queue with this, unless
    /// [`WorkflowWorkerBuilder::eager_activities`](crate::WorkflowWorkerBuilder::eager_activities) has said with what.
    #[must_use]
    pub fn or_eager_activities(mut self, executor: impl EagerActivityExecutor) -> Self {
        self.options.eager_activities.executor.get_or_insert_with(|| Arc::new(executor));
        self
    }

    /// Executes Local Activities with this, unless
    /// [`WorkflowWorkerBuilder::local_activities`](crate::WorkflowWorkerBuilder::local_activities) has said with what.
    #[must_use]
    pub fn or_local_activities(mut self, executor: impl LocalActivityExecutor) -> Self {
        self.options.local_activities.get_or_insert_with(|| Arc::new(executor));
        self
    }

    /// What can be seen of the worker while it runs, and asked of it.
    #[must_use]
    pub fn monitor(&self) -> WorkflowWorkerMonitor {
        self.monitor.clone()
    }

    /// Works until `shutdown` is ready; then takes no new tasks, answers those that it has, and returns.
    ///
    /// # Errors
    /// When it cannot start, or polls fail for good. Whatever happens to single tasks is no error of the worker's.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        self.options.lifecycle.clone().around(self.work(shutdown)).await
    }

    async fn work(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        let mut shutdown = pin!(shutdown);
        let namespace = tokio::select! {
            namespace = self.client.worker_namespace() => namespace,
            () = &mut shutdown => return Ok(()),
        };
        let task_queue = self.options.task_queue.clone();
        let namespace = namespace.map_err(|error| {
            self.options.lifecycle.say_fatal(WorkerError::Namespace { task_queue: task_queue.clone(), error })
        })?;
        let key = timewright_client::random_id();
        let sticky_queue =
            (self.options.maximum_cached_workflows > 0).then(|| format!("{}:{key}", self.client.identity()));
        let metrics = WorkflowMetrics::of_worker(&self.client, &task_queue, Arc::clone(&self.monitor.counters));
        let (outbox, requests) = unbounded_channel();
        let shards = self.start_shards(&outbox, &metrics).map_err(|error| WorkerError::Thread { task_queue, error })?;
        let source = Source {
            client: self.client.clone(),
            task_queue: self.options.task_queue.clone(),
            sticky_queue: sticky_queue.clone(),
            key: key.clone(),
            deployment: self.options.versioning.options(),
        };
        tracing::info!(
            task_queue = self.options.task_queue,
            workflows = ?self.registry.names(),
            identity = self.client.identity(),
            "the Workflow Worker is polling"
        );
        let local_activity_slots = self.options.local_activities.is_some().then(|| {
            let request = SlotRequest::new(SlotKind::LocalActivity, &*self.options.task_queue).of(&self.client);
            SlotPool::new(self.options.local_activity_slots.clone(), request).metered(metrics.meter())
        });
        let executor = self.options.local_activities.clone().zip(local_activity_slots.clone());
        let local_activities = executor.map(|(executor, slots)| {
            LocalActivities::new(
                executor,
                self.client.namespace().to_owned(),
                self.options.task_queue.clone(),
                self.client.data_converter().clone(),
                Room {
                    slots,
                    limit: self.options.local_activities_per_second.and_then(|limit| RateLimit::new(limit).ok()),
                },
                metrics.clone(),
            )
        });
        let mut poller = self.poller;
        poller.handle_support(namespace.polls.clone());
        let request = SlotRequest::new(SlotKind::Workflow, &*self.options.task_queue).of(&self.client);
        let poll_drain = namespace.poll_drain();
        let tasks = TaskPoller::start(source, poller, &self.options.slots, request);
        let eager_tasks = self.client.offer_eager_workflow_start(EagerWorkflowOffer {
            task_queue: self.options.task_queue.clone(),
            deployment: self.options.versioning.options(),
            slots: tasks.slot_reserver(),
        });
        self.readiness.begin(tasks.snapshots());
        let profile = WorkerProfile {
            key: key.clone(),
            task_queue: self.options.task_queue.clone(),
            kind: TaskQueueType::Workflow,
            deployment: self.options.versioning.deployment.clone(),
            slot_supplier: self.options.slots.supplier_name().to_owned(),
        };
        let presence = self.client.show_worker(profile, tasks.snapshots(), namespace.takes_heartbeats);
        let counters = Arc::clone(&self.monitor.counters);
        presence.show_figures(move || counters.figures(local_activity_slots.as_ref()));
        let worker = Running {
            local_activities,
            answerer: Arc::new(Answerer::new(
                self.client.clone(),
                &self.options,
                namespace,
                sticky_queue.clone(),
                metrics.clone(),
            )),
            metrics,
            polls: tasks.snapshots(),
            tasks,
            presence,
            readiness: self.readiness,
            open: BTreeMap::new(),
            in_flight: JoinSet::new(),
            telling: JoinSet::new(),
            answering: BTreeMap::new(),
            requests,
            shards,
            pressure: self.pressure,
            client: self.client,
            options: self.options,
            sticky_queue,
            key,
            polling: true,
            eager_tasks,
            takes_eager_tasks: true,
            poll_drain,
            deadline: None,
            failure: None,
        };
        worker.run(shutdown).await
    }

    fn start_shards(&self, outbox: &UnboundedSender<Request>, metrics: &WorkflowMetrics) -> std::io::Result<Shards> {
        let Options { task_queue, threads, deadlock_detection_timeout, maximum_held_threads, .. } = &self.options;
        let environment = Environment {
            namespace: self.client.namespace().to_owned(),
            task_queue: task_queue.clone(),
            converter: self.client.data_converter().clone(),
            executes_local_activities: self.options.local_activities.is_some(),
            interceptors: self.options.interceptors.clone().with_propagators(self.client.propagators()),
            detects_foreign_waits: self.options.detects_foreign_waits,
            checks_determinism: self.options.checks_determinism,
            deployment_version: self.options.versioning.version(),
            meter: metrics.meter().clone(),
            rollout: self.options.rollout.clone(),
        };
        let cache = CacheLimits {
            runs: self.options.maximum_cached_workflows,
            bytes: self.options.maximum_cached_bytes,
            idle: self.options.cached_workflow_idle_timeout,
        };
        let registry = Arc::clone(&self.registry);
        let policies = Arc::new(self.options.policies.clone());
        let counters = Arc::clone(&self.monitor.counters);
        let settings =
            ShardSettings { registry, environment, policies, cache, outbox: outbox.clone(), metrics: metrics.clone() };
        Shards::start(
            task_queue.clone(),
            *threads,
            settings,
            *deadlock_detection_timeout,
            *maximum_held_threads,
            counters,
        )
    }
}

/// Asks the server for Workflow Tasks.
struct Source {
    client: Client,
    task_queue: String,
    sticky_queue: Option<String>,
    key: String,
    deployment: Option<WorkerDeploymentOptions>,
}

impl TaskSource for Source {
    type Task = Box<PollWorkflowTaskQueueResponse>;

    async fn poll(&self, queue: QueueKind, group: Option<&str>) -> Result<Polled<Self::Task>, RpcError> {
        let task_queue = match (queue, &self.sticky_queue) {
            (QueueKind::Sticky, Some(sticky_queue)) => TaskQueue {
                name: sticky_queue.clone(),
                kind: TaskQueueKind::Sticky.into(),
                normal_name: self.task_queue.clone(),
            },
            _ => TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                normal_name: String::new(),
            },
        };
        let request = PollWorkflowTaskQueueRequest {
            namespace: self.client.namespace().to_owned(),
            task_queue: Some(task_queue),
            identity: self.client.identity().to_owned(),
            worker_instance_key: self.key.clone(),
            poller_group_id: group.unwrap_or_default().to_owned(),
            deployment_options: self.deployment.clone(),
            ..PollWorkflowTaskQueueRequest::default()
        };
        Ok(self.client.workflow_service().poll_workflow_task_queue(request).await?.into_inner().into())
    }

    fn type_name<'a>(&self, task: &'a Self::Task) -> &'a str {
        task.workflow_type.as_ref().map_or("", |known| known.name.as_str())
    }

    fn metric_meter(&self) -> MetricMeter {
        self.client.worker_metric_meter(&self.task_queue)
    }

    fn describe(&self, queue: QueueKind) -> String {
        match queue {
            QueueKind::Normal => format!("Workflow Tasks on task queue {:?}", self.task_queue),
            QueueKind::Sticky => format!("Workflow Tasks of cached workflows on task queue {:?}", self.task_queue),
        }
    }
}

/// A task that has not been answered.
pub(crate) struct OpenTask {
    /// Free again when it is dropped.
    pub(crate) slot: Slot,
    /// Without its history, to be handed to another thread.
    pub(crate) task: Box<WorkflowTask>,
}

/// What a tokio task that carried something out found.
enum Done {
    /// A task, decoded.
    Task { task: Box<WorkflowTask>, slot: Slot },
    /// A request of a shard.
    Answered { shard: ShardId, outcome: Box<Outcome> },
    /// Nothing to do about it.
    Nothing,
}

struct Running {
    client: Client,
    options: Options,
    answerer: Arc<Answerer>,
    metrics: WorkflowMetrics,
    tasks: TaskPoller<Box<PollWorkflowTaskQueueResponse>>,
    polls: watch::Receiver<PollerSnapshot>,
    open: BTreeMap<Bytes, OpenTask>,
    in_flight: JoinSet<Done>,
    /// Tells the server about the shutdown. Nobody waits for that; what is left of it is dropped at the end.
    telling: JoinSet<()>,
    /// The Runs that requests in flight are about.
    answering: BTreeMap<Id, (ShardId, RunKey)>,
    /// Where there is an executor.
    local_activities: Option<LocalActivities>,
    requests: UnboundedReceiver<Request>,
    shards: Shards,
    pressure: UnboundedReceiver<usize>,
    sticky_queue: Option<String>,
    key: String,
    /// Tasks may still come.
    polling: bool,
    /// First Workflow Tasks of workflows that this process starts.
    eager_tasks: EagerWorkflowTasks,
    /// Such tasks may still come.
    takes_eager_tasks: bool,
    poll_drain: Duration,
    /// When the shutdown gives up waiting; `None` while there is no shutdown.
    deadline: Option<Instant>,
    failure: Option<WorkerError>,
    readiness: ReadinessSource,
    presence: WorkerPresence,
}

impl Running {
    async fn run(mut self, mut shutdown: Pin<&mut (impl Future<Output = ()> + Send)>) -> Result<(), WorkerError> {
        let mut alarm = Alarm::new();
        while self.polling || self.takes_eager_tasks || !self.open.is_empty() || !self.in_flight.is_empty() {
            let deadline = self.deadline.unwrap_or_else(Instant::now);
            let next = self.shards.next_timeout(!self.open.is_empty());
            tokio::select! {
                () = &mut shutdown, if self.deadline.is_none() => self.start_shutdown(),
                next = self.tasks.next(), if self.polling => match next {
                    Some(Ok((response, slot))) => self.take_task(*response, slot),
                    Some(Err(error)) => {
                        tracing::error!(task_queue = self.options.task_queue, %error, "the Workflow Worker stops");
                        let task_queue = self.options.task_queue.clone();
                        self.failure = Some(self.options.lifecycle.say_fatal(WorkerError::Polling { task_queue, error }));
                        if self.deadline.is_none() {
                            self.start_shutdown();
                        }
                    }
                    None => self.polling = false,
                },
                next = self.eager_tasks.next(), if self.takes_eager_tasks => match next {
                    Some((response, slot)) => self.take_task(response, slot),
                    None => self.takes_eager_tasks = false,
                },
                Some(request) = self.requests.recv() => self.carry_out(request),
                Some(runs) = self.pressure.recv() => self.shards.relieve(runs),
                Some(done) = self.in_flight.join_next_with_id(), if !self.in_flight.is_empty() => match done {
                    Ok((_, Done::Task { task, slot })) => self.hand_to_shard(task, slot),
                    Ok((id, Done::Answered { shard, outcome })) => {
                        self.answering.remove(&id);
                        self.take_outcome(shard, *outcome);
                    }
                    Ok((_, Done::Nothing)) => (),
                    Err(error) => self.take_panic(&error),
                },
                ended = next_local_activity(&mut self.local_activities) => {
                    self.shards.tell(ended.key.clone().run_id(), Input::LocalActivity(Box::new(ended)));
                }
                () = alarm.ring(next) => self.watch_shards(),
                () = sleep_until(deadline), if self.deadline.is_some() => {
                    self.give_up();
                    break;
                }
            }
        }
        self.stop().await
    }

    /// Tells the server first, so that it sends nothing to polls that nobody waits for any more; open polls come back.
    fn start_shutdown(&mut self) {
        tracing::info!(
            task_queue = self.options.task_queue,
            open_tasks = self.open.len(),
            "the Workflow Worker shuts down"
        );
        self.deadline = Some(Instant::now() + self.options.graceful_shutdown_timeout);
        self.answerer.begin_shutdown();
        self.eager_tasks.close();
        self.readiness.begin_shutdown();
        let request = ShutdownWorkerRequest {
            sticky_task_queue: self.sticky_queue.clone().unwrap_or_default(),
            worker_instance_key: self.key.clone(),
            task_queue: self.options.task_queue.clone(),
            task_queue_types: vec![TaskQueueType::Workflow.into()],
            worker_heartbeat: self.presence.begin_shutdown(),
            ..ShutdownWorkerRequest::default()
        };
        let client = self.client.clone();
        self.telling.spawn(async move { client.tell_worker_shutdown(request).await });
        self.tasks.shutdown(self.poll_drain);
    }

    /// Checks a task, and decodes its Payloads beside everything else.
    fn take_task(&mut self, mut response: PollWorkflowTaskQueueResponse, mut slot: Slot) {
        slot.set_poller_group(std::mem::take(&mut response.poller_group_id));
        self.metrics.task_received(&response);
        let mut task = match WorkflowTask::from_poll(response, StdInstant::now()) {
            Ok(Some(task)) => Box::new(task),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(task_queue = self.options.task_queue, %error, "a damaged Workflow Task");
                return;
            }
        };
        if !self.answerer.codecs().are_there() {
            self.hand_to_shard(task, slot);
            return;
        }
        let answerer = Arc::clone(&self.answerer);
        self.in_flight.spawn(async move {
            match answerer.codecs().decode(&mut Incoming(&mut task)).await {
                Ok(()) => Done::Task { task, slot },
                Err(error) => {
                    answerer.fail_undecodable(*task, slot.poller_group(), &error).await;
                    Done::Nothing
                }
            }
        });
    }

    fn hand_to_shard(&mut self, task: Box<WorkflowTask>, slot: Slot) {
        match self.shards.open(&task.run_id) {
            Ok(index) => {
                // What the history says can be fetched again.
                let open = OpenTask { slot, task: Box::new(without_events(&task)) };
                self.open.insert(task.task_token.clone(), open);
                self.shards.tell_at(index, Input::Task(task));
            }
            Err(refused) => self.refuse(*task, slot, refused),
        }
    }

    /// Answers a task that cannot be executed.
    fn refuse(&mut self, task: WorkflowTask, slot: Slot, refused: Refused) {
        let message = refused.message(&self.options.task_queue, self.options.maximum_held_threads);
        self.fail(task, slot, message);
    }

    fn fail(&mut self, task: WorkflowTask, slot: Slot, message: String) {
        let answerer = Arc::clone(&self.answerer);
        self.in_flight.spawn(async move {
            answerer.fail_task(task, slot.poller_group(), &task_failure("Deadlock", message)).await;
            drop(slot);
            Done::Nothing
        });
    }

    /// Tells threads what was not told yet. Takes the work away from those that do not come back: the task that holds one fails, all others
    /// go elsewhere.
    fn watch_shards(&mut self) {
        self.shards.flush();
        for abandoned in self.shards.look() {
            let is_there = |shards: &Shards, run_id: &str| shards.is_at(run_id, abandoned.index);
            if let Some(local_activities) = &mut self.local_activities {
                local_activities.cancel_of(|key| is_there(&self.shards, key.run_id()));
            }
            let tasks: Vec<OpenTask> = self
                .open
                .extract_if(.., |_, open| is_there(&self.shards, &open.task.run_id))
                .map(|(_, open)| open)
                .collect();
            self.shards.vacate(abandoned.index);
            log_abandoned_thread(&self.options.task_queue, &abandoned, tasks.len());
            for open in tasks {
                self.move_task(open, &abandoned);
            }
        }
    }

    fn move_task(&mut self, open: OpenTask, abandoned: &Abandoned) {
        let OpenTask { slot, task, .. } = open;
        match &abandoned.execution {
            Some(execution) if execution.key.run_id() == task.run_id => {
                let message = deadlock_message(execution, abandoned.timeout);
                self.fail(*task, slot, message);
            }
            Some(_) => self.hand_to_shard(task, slot),
            // What killed the thread would kill the next one. The server hands the task out again.
            None => drop(slot),
        }
    }

    /// Does what a shard asks for, beside everything else. Its task is closed when that is done.
    fn carry_out(&mut self, request: Request) {
        let Request { shard, workflow, key, action } = request;
        if !self.shards.is_current(shard) {
            return;
        }
        let action = match (action, &mut self.local_activities) {
            (Action::StartLocalActivity { start, clock }, Some(local_activities)) => {
                return local_activities.start(key, workflow, *start, clock);
            }
            (Action::CancelLocalActivity { sequence }, Some(local_activities)) => {
                return local_activities.cancel(key, sequence);
            }
            (action, _) => action,
        };
        if matches!(action, Action::Left) {
            self.shards.left(key.run_id());
            return;
        }
        let request = Request { shard, workflow, key, action };
        let token = match &request.action {
            Action::FetchHistory { .. }
            | Action::StartLocalActivity { .. }
            | Action::CancelLocalActivity { .. }
            | Action::Left => None,
            Action::Complete(completion) => Some(&completion.task_token),
            Action::Fail(failure) => Some(&failure.task_token),
            Action::RespondQuery { task_token, .. } | Action::Abandon { task_token, .. } => Some(task_token),
        };
        let task = token.and_then(|token| self.open.remove(token));
        if let Some(open) = &task {
            self.presence.count_task(matches!(request.action, Action::Fail(_)));
            if is_executed(&request.action) {
                self.metrics.task_executed(&request.workflow.workflow_type, open.task.received_at.elapsed());
            }
            self.shards.close(request.key.run_id());
        }
        let answerer = Arc::clone(&self.answerer);
        let key = request.key.clone();
        let leaves_room = leaves_room(&self.polls.borrow().slots);
        // In a box, as that which polls.
        let spawned = self.in_flight.spawn(Box::pin(async move {
            Done::Answered { shard, outcome: Box::new(answerer.carry_out(request, task, leaves_room).await) }
        }));
        self.answering.insert(spawned.id(), (shard, key));
    }

    /// Something under us panicked, on an answer that no server should give. The Run is built again with its next task.
    fn take_panic(&mut self, error: &JoinError) {
        let key = self.answering.remove(&error.id());
        let run_id = key.as_ref().map(|(_, key)| key.run_id());
        tracing::error!(run_id, %error, "a request of the Workflow Worker panicked, which is a defect of it");
        if let Some((shard, key)) = key {
            self.answer_shard(shard, Input::NotTaken { key });
        }
    }

    /// Tells a shard what came of its request.
    fn answer_shard(&mut self, shard: ShardId, input: Input) {
        if self.shards.is_current(shard) {
            self.shards.tell_at(shard.index, input);
        }
    }

    fn take_outcome(&mut self, shard: ShardId, outcome: Outcome) {
        match outcome.input {
            // Nothing follows of it; a task that comes with the answer is told next.
            Some(Input::Completed { key, receipt }) if outcome.goes_on && self.shards.is_current(shard) => {
                let run = key.clone();
                self.shards.tell_unhurried(run.run_id(), Input::Completed { key, receipt });
            }
            Some(input) => self.answer_shard(shard, input),
            None => (),
        }
        if let Some((response, mut slot)) = outcome.next_task {
            let workflow_type = response.workflow_type.as_ref().map_or("", |known| known.name.as_str());
            slot.mark_used(&SlotTask::new(SlotKind::Workflow, workflow_type));
            self.take_task(response, slot);
        }
    }

    fn give_up(&mut self) {
        tracing::warn!(
            task_queue = self.options.task_queue,
            open_tasks = self.open.len(),
            timeout = ?self.options.graceful_shutdown_timeout,
            "the Workflow Worker stops although Workflow Tasks are open; the server hands them out again"
        );
        if let Some(local_activities) = &mut self.local_activities {
            local_activities.cancel_all();
        }
    }

    async fn stop(self) -> Result<(), WorkerError> {
        let is_given_up = !self.open.is_empty();
        let deadline = self.deadline.unwrap_or_else(Instant::now).max(Instant::now() + FAREWELL);
        self.shards.end(deadline, is_given_up).await;
        tracing::info!(task_queue = self.options.task_queue, "the Workflow Worker has stopped");
        match self.failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// A task without the Events that came with it.
fn without_events(task: &WorkflowTask) -> WorkflowTask {
    WorkflowTask {
        task_token: task.task_token.clone(),
        workflow_id: task.workflow_id.clone(),
        run_id: task.run_id.clone(),
        workflow_type: task.workflow_type.clone(),
        history: HistoryPage::default(),
        kind: task.kind.clone(),
        ..*task
    }
}

/// Whether this answers a task that user code, or the history, has come to an end with.
fn is_executed(action: &Action) -> bool {
    match action {
        Action::Complete(_) | Action::Fail(_) | Action::RespondQuery { .. } => true,
        Action::Abandon { reason, .. } => matches!(reason, AbandonReason::FailedAgain { .. }),
        _ => false,
    }
}

/// How long destructors of cached workflows may take at least.
const FAREWELL: Duration = Duration::from_secs(2);

/// The next attempt of a Local Activity that is over; pending where there is none.
async fn next_local_activity(local_activities: &mut Option<LocalActivities>) -> Ended {
    match local_activities {
        Some(local_activities) => local_activities.next().await,
        None => std::future::pending().await,
    }
}
