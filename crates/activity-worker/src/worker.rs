//! The Activity Worker, and the way of an Activity Task through it: poll, decode, user code, encode, complete.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timewright_client::{
    CheckNamespaceError, Client, PollError, Readiness, ReadinessSource, Slot, SlotKind, SlotRequest, TaskPoller,
    WorkerDeployment, WorkerLifecycle, WorkerProfile, WorkerSlots, random_id,
};
use timewright_converter::BoxFuture;
use timewright_proto::enums::TaskQueueType;
use timewright_proto::from_duration;
use timewright_proto::workflow_service::{PollActivityTaskQueueResponse, ShutdownWorkerRequest};
use timewright_protocol::activity::{ActivityTask, AttemptOptions};
use timewright_protocol::task_queue::Poller;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tracing::{Instrument, Span};

use crate::commands::{self, RunningAttempt, RunningAttempts};
use crate::completion::{Completer, Told};
use crate::eager::EagerActivities;
use crate::execution::{self, Surroundings, is_true, now};
use crate::handler::caught;
use crate::metrics::{ActivityMetrics, MeasuredAttempt};
use crate::poll::ActivityTaskSource;
use crate::router::KnownTypes;
use crate::slot::AttemptSlot;
use crate::{ActivityService, ActivityWorkerBuilder, failures, span};

/// Executes the activities of one Task Queue.
///
/// A process may have many, which share one client. See the [crate](crate)'s example.
pub struct ActivityWorker {
    pub(crate) client: Client,
    pub(crate) task_queue: String,
    /// The Task Queue that metrics name, if not its own: one with a random name would be a new series with each start.
    pub(crate) metrics_task_queue: Option<Arc<str>>,
    pub(crate) service: ActivityService,
    pub(crate) known_types: Arc<KnownTypes>,
    pub(crate) poller: Poller,
    pub(crate) slots: WorkerSlots,
    pub(crate) task_queue_activities_per_second: Option<f64>,
    pub(crate) graceful_shutdown_timeout: Duration,
    pub(crate) attempt_options: AttemptOptions,
    pub(crate) deployment: Option<WorkerDeployment>,
    pub(crate) readiness: ReadinessSource,
    pub(crate) lifecycle: WorkerLifecycle<WorkerError>,
    pub(crate) eager: EagerActivities,
    /// Whether activities may come without a poll.
    pub(crate) takes_eager: bool,
    /// What runs beside it: sessions.
    pub(crate) companions: Vec<ActivityWorker>,
}

/// Why a worker stopped without having been asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// There is no such namespace. A worker that polled it would wait for ever.
    #[error("the Activity Worker on task queue {task_queue:?} did not start: {error}")]
    Namespace {
        /// The worker's Task Queue.
        task_queue: String,
        /// What the server said.
        #[source]
        error: CheckNamespaceError,
    },
    /// Polls have failed for a long time in a way that waiting does not cure. Activities that ran have been let finish.
    #[error("the Activity Worker on task queue {task_queue:?} stopped: {error}")]
    Polling {
        /// The worker's Task Queue.
        task_queue: String,
        /// What became of the polls.
        #[source]
        error: PollError,
    },
}

impl ActivityWorker {
    /// A worker for this Task Queue, to which activities are to be added.
    pub fn builder(client: Client, task_queue: impl Into<String>) -> ActivityWorkerBuilder {
        ActivityWorkerBuilder::new(client, task_queue.into())
    }

    /// The Task Queue that it polls.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Whether it gets tasks, those of its sessions included: for a readiness probe.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let beside = self.companions.iter().map(Self::readiness);
        Readiness::all(std::iter::once(self.readiness.readiness()).chain(beside))
    }

    /// The client that it works with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A way into the worker past its Task Queue, for whoever completes Workflow Tasks in the same process. Nothing can be reserved
    /// before the worker [runs](Self::run), nor once it shuts down.
    #[must_use]
    pub fn eager_activities(&self) -> EagerActivities {
        self.eager.clone()
    }

    /// Executes activities until `shutdown` is ready, and then stops without losing any:
    ///
    /// 1. The server is told, so that it ends the open polls; no new ones are opened. Activities can see that the worker shuts
    ///    down. What still arrives is executed.
    /// 2. After the [grace period](ActivityWorkerBuilder::graceful_shutdown_timeout) the activities that still run are
    ///    cancelled, with the reason [`WorkerShutdown`](crate::CancelReason::WorkerShutdown).
    /// 3. When all have ended, and the server knows how, `run` returns. It waits for an activity that does not stop, and says
    ///    in the log for which; whoever cannot wait drops the future, which stops all but blocking code at once.
    ///
    /// # Errors
    /// If the namespace does not exist, or polls fail for a minute in a way that waiting does not cure, such as a permission
    /// denied. Everything else is retried for as long as it takes.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        self.run_until(Box::pin(shutdown)).await
    }

    /// In boxes, and without a type parameter, so that all that a worker does is compiled here, and not with each program.
    fn run_until(self, shutdown: Shutdown<'_>) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(async move { self.lifecycle.clone().around(self.work(shutdown)).await })
    }

    async fn work(mut self, mut shutdown: Shutdown<'_>) -> Result<(), WorkerError> {
        let companions = std::mem::take(&mut self.companions);
        if companions.is_empty() {
            return self.run_alone(shutdown).await;
        }
        let (stop, stopped) = watch::channel(false);
        let mut workers = JoinSet::new();
        for worker in [self].into_iter().chain(companions) {
            let mut stopped = stopped.clone();
            workers.spawn(worker.run_alone(Box::pin(async move { is_true(&mut stopped).await })));
        }
        let mut outcome = Ok(());
        while !workers.is_empty() {
            tokio::select! {
                () = &mut shutdown, if !*stop.borrow() => drop(stop.send_replace(true)),
                Some(ended) = workers.join_next() => {
                    let ended = ended.unwrap_or_else(|error| match error.try_into_panic() {
                        // As if it had not been on a task of its own.
                        Ok(panic) => resume_unwind(panic),
                        Err(_) => Ok(()),
                    });
                    if ended.is_err() {
                        stop.send_replace(true);
                        outcome = outcome.and(ended);
                    }
                }
            }
        }
        outcome
    }

    /// In a box, so that it is compiled once, whoever runs it.
    fn run_alone(self, shutdown: Shutdown<'_>) -> BoxFuture<'_, Result<(), WorkerError>> {
        Box::pin(self.work_alone(shutdown))
    }

    async fn work_alone(self, mut shutdown: Shutdown<'_>) -> Result<(), WorkerError> {
        let namespace = tokio::select! {
            namespace = self.client.worker_namespace() => namespace,
            () = &mut shutdown => return Ok(()),
        };
        let Self {
            client,
            task_queue,
            metrics_task_queue,
            service,
            known_types,
            mut poller,
            slots,
            takes_eager,
            task_queue_activities_per_second,
            graceful_shutdown_timeout,
            attempt_options,
            deployment,
            eager,
            readiness,
            lifecycle,
            ..
        } = self;
        let namespace = namespace
            .map_err(|error| lifecycle.say_fatal(WorkerError::Namespace { task_queue: task_queue.clone(), error }))?;
        let deployment_options = deployment.as_ref().map(WorkerDeployment::to_proto);
        let worker_instance_key = random_id();
        let control_task_queue = match namespace.gives_commands {
            true => commands::task_queue(client.namespace(), &worker_instance_key),
            false => String::new(),
        };
        let meter = client.worker_metric_meter(metrics_task_queue.as_deref().unwrap_or(&task_queue));
        let source = ActivityTaskSource {
            client: client.clone(),
            task_queue: task_queue.clone(),
            worker_instance_key: worker_instance_key.clone(),
            control_task_queue: control_task_queue.clone(),
            task_queue_activities_per_second,
            deployment: deployment_options.clone(),
            meter: meter.clone(),
        };
        let (shutdown_begun, worker_shutdown) = watch::channel(false);
        let (grace_ended, grace_over) = watch::channel(false);
        let attempts = RunningAttempts::default();
        let worker = Arc::new(Running {
            completer: Completer {
                client: client.clone(),
                size_limit: namespace.payload_size_limit,
                deployment: deployment_options,
                grace_over: grace_over.clone(),
            },
            surroundings: Surroundings {
                client: client.clone(),
                service,
                options: attempt_options,
                size_limit: namespace.payload_size_limit,
                metrics_task_queue,
                worker_shutdown,
                grace_over,
            },
            attempts: attempts.clone(),
            metrics: ActivityMetrics::of_worker(meter, known_types),
            task_queue: task_queue.clone(),
        });

        tracing::info!(task_queue, namespace = client.namespace(), "the Activity Worker is polling");
        poller.handle_support(namespace.polls.clone());
        let request = SlotRequest::new(SlotKind::Activity, &*task_queue).of(&client);
        let mut polls = TaskPoller::start(source, poller, &slots, request);
        readiness.begin(polls.snapshots());
        let profile = WorkerProfile {
            key: worker_instance_key.clone(),
            task_queue: task_queue.clone(),
            kind: TaskQueueType::Activity,
            deployment,
            slot_supplier: slots.supplier_name().to_owned(),
        };
        let presence = client.show_worker(profile, polls.snapshots(), namespace.takes_heartbeats);
        let mut eager_tasks = eager.open(polls.slot_reserver(), control_task_queue.clone());
        if !takes_eager {
            eager_tasks.close();
        }
        let (mut polls_ended, mut eager_ended) = (false, false);
        let mut executions = Executions::default();
        // Nobody waits for these; what is left of them is dropped at the end.
        let mut beside = JoinSet::<()>::new();
        if namespace.gives_commands {
            beside.spawn(commands::obey(client.clone(), control_task_queue, attempts));
        }
        let mut phase = Phase::Running;
        let mut outcome = Ok(());
        while !polls_ended || !eager_ended || !executions.tasks.is_empty() {
            let mut stop = false;
            tokio::select! {
                () = &mut shutdown, if phase == Phase::Running => stop = true,
                polled = polls.next(), if !polls_ended => match polled {
                    Some(Ok((response, slot))) => executions.start(&worker, response, slot),
                    Some(Err(error)) => {
                        outcome = Err(lifecycle.say_fatal(WorkerError::Polling { task_queue: task_queue.clone(), error }));
                        stop = true;
                    }
                    None => polls_ended = true,
                },
                eager = eager_tasks.next(), if !eager_ended => match eager {
                    Some((response, slot)) => executions.start(&worker, Box::new(response), slot),
                    None => eager_ended = true,
                },
                has_failed = executions.next_end(), if !executions.tasks.is_empty() => presence.count_task(has_failed),
                () = sleep(phase.rest()), if phase != Phase::Running => {
                    phase = Phase::Cancelling { next_log: now() + LOG_INTERVAL };
                    if !grace_ended.send_replace(true) {
                        tracing::info!(task_queue, "the grace period is over");
                    }
                    executions.log();
                }
            }
            if stop && phase == Phase::Running {
                tracing::info!(task_queue, running = executions.tasks.len(), "the Activity Worker shuts down");
                phase = Phase::Grace { until: now() + graceful_shutdown_timeout };
                shutdown_begun.send_replace(true);
                readiness.begin_shutdown();
                eager_tasks.close();
                polls.shutdown(namespace.poll_drain());
                let request = ShutdownWorkerRequest {
                    worker_instance_key: worker_instance_key.clone(),
                    task_queue: task_queue.clone(),
                    task_queue_types: vec![TaskQueueType::Activity.into()],
                    worker_heartbeat: presence.begin_shutdown(),
                    ..ShutdownWorkerRequest::default()
                };
                beside.spawn(client.tell_worker_shutdown(request));
            }
        }
        tracing::info!(task_queue, "the Activity Worker has stopped");
        outcome
    }
}

/// Ready when a worker is to stop.
type Shutdown<'a> = BoxFuture<'a, ()>;

/// How often a worker that cannot stop says why.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How far a worker has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// It shuts down, and activities go on.
    Grace {
        until: Instant,
    },
    /// It shuts down, and activities have been cancelled.
    Cancelling {
        next_log: Instant,
    },
}

impl Phase {
    /// Until the next thing that happens of its own accord.
    fn rest(self) -> Duration {
        match self {
            Self::Running => Duration::MAX,
            Self::Grace { until: at } | Self::Cancelling { next_log: at } => at.saturating_duration_since(now()),
        }
    }
}

/// What all executions of a worker share.
struct Running {
    completer: Completer,
    surroundings: Surroundings,
    /// Where the server's commands find them.
    attempts: RunningAttempts,
    metrics: ActivityMetrics,
    task_queue: String,
}

impl Running {
    /// The way of one Activity Task, from the poll's answer to its completion.
    /// Whether it failed.
    async fn execute(
        &self,
        mut response: Box<PollActivityTaskQueueResponse>,
        received_at: Instant,
        slot: AttemptSlot,
        attempt: RunningAttempt,
        measured: &mut MeasuredAttempt,
    ) -> bool {
        let client = &self.surroundings.client;
        let activity_type = response.activity_type.clone().unwrap_or_default().name;
        let mut told = Told { task_token: response.task_token.clone(), activity_type: &activity_type, until: None };

        // Decode: Payload Codecs, then what must be there.
        if let Err(error) = client.data_converter().decode(&mut *response).await {
            measured.handling_failed();
            return self.completer.fail(&told, failures::codec(&activity_type, "the input", &error)).await;
        }
        let task = match ActivityTask::new(*response, client.namespace(), &self.task_queue) {
            Ok(task) => task,
            Err(error) => {
                measured.handling_failed();
                return self.completer.fail(&told, failures::invalid_task(&error)).await;
            }
        };
        told.until = task.info.start_to_close_timeout.and_then(|timeout| received_at.checked_add(timeout));

        // User code, with all that happens around it.
        let ended = execution::execute(task, received_at, self.surroundings.clone(), slot, attempt).await;
        measured.executed(&ended);

        // Encode, and complete.
        self.completer.complete(&told, ended).await
    }
}

/// What runs, and its names.
#[derive(Default)]
struct Executions {
    /// Each says whether its attempt failed.
    tasks: JoinSet<bool>,
    names: BTreeMap<Id, Arc<str>>,
}

impl Executions {
    fn start(&mut self, worker: &Arc<Running>, response: Box<PollActivityTaskQueueResponse>, slot: Slot) {
        let received_at = now();
        let activity_type = response.activity_type.as_ref().map_or("", |known| known.name.as_str());
        let execution = response.workflow_execution.clone().unwrap_or_default();
        let name: Arc<str> = match execution.workflow_id.as_str() {
            "" => format!("{activity_type} (id {})", response.activity_id).into(),
            workflow_id => format!("{activity_type} (id {} of workflow `{workflow_id}`)", response.activity_id).into(),
        };
        let worker = Arc::clone(worker);
        let slot = AttemptSlot::new(slot);
        let (task_token, activity_type) = (response.task_token.clone(), activity_type.to_owned());
        let until = response.start_to_close_timeout.as_ref().and_then(from_duration);
        // Before anything else happens: what the server says from now on concerns it.
        let attempt = worker.attempts.register(response.task_token.clone());
        let (known_as, parent) = (Arc::clone(&name), Span::current());
        // In a box: what is on a tokio task is moved when it begins, when it ends, and when that is heard.
        let task: BoxFuture<'static, bool> = Box::pin(async move {
            let mut measured = worker.metrics.begin(&response);
            let executed = caught(async {
                // Here, since those who look at spans may panic, too.
                let of_task = || span::of_task(&response, worker.surroundings.client.namespace(), &worker.task_queue);
                let span = parent.in_scope(of_task);
                worker.execute(response, received_at, slot.clone(), attempt, &mut measured).instrument(span).await
            })
            .await;
            let has_failed = match executed {
                Ok(has_failed) => has_failed,
                Err(panic) => {
                    measured.handling_failed();
                    let until = until.and_then(|timeout| received_at.checked_add(timeout));
                    let told = Told { task_token, activity_type: &activity_type, until };
                    worker.completer.fail_plainly(&told, failures::panicked_around(&known_as, &*panic)).await;
                    true
                }
            };
            measured.end(has_failed);
            // Only now is there room for another.
            drop(slot.take());
            has_failed
        });
        let handle = self.tasks.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Waits for the next end of an execution, and says whether it failed.
    async fn next_end(&mut self) -> bool {
        let Some(end) = self.tasks.join_next_with_id().await else { return false };
        let id = end.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        let name = self.names.remove(&id).unwrap_or_default();
        match end {
            Ok((_, has_failed)) => has_failed,
            Err(error) => {
                tracing::error!("this is a bug: the worker itself panicked while it executed {name}: {error}");
                true
            }
        }
    }

    fn log(&self) {
        if !self.names.is_empty() {
            let names: Vec<&str> = self.names.values().map(|name| &**name).collect();
            tracing::warn!("the worker waits for {} to end: {}", names.len(), names.join(", "));
        }
    }
}

impl fmt::Debug for ActivityWorker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ActivityWorker")
            .field("task_queue", &self.task_queue)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
