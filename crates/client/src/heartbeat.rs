//! Heartbeats of workers: what the server shows as `temporal worker list` and `temporal worker describe`. One stream of them goes
//! out for all workers of a client.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use timewright_proto::enums::{TaskQueueType, WorkerStatus};
use timewright_proto::temporal::api::worker::v1::{WorkerHeartbeat, WorkerHostInfo, WorkerPollerInfo, WorkerSlotsInfo};
use timewright_proto::to_duration;
use timewright_proto::workflow_service::RecordWorkerHeartbeatRequest;
use timewright_protocol::task_queue::{PollerSnapshot, QueueSnapshot};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::Code;

use crate::client::Client;
use crate::deployment::WorkerDeployment;
use crate::environment::environment;
use crate::host::Host;
use crate::rpc_error::RpcError;
use crate::stack::CallKind;

/// What a worker is, as the server is to show it.
#[derive(Clone, Debug)]
pub struct WorkerProfile {
    /// By what the server knows this worker's polls.
    pub key: String,
    /// Its Task Queue.
    pub task_queue: String,
    /// Which kind of tasks it takes.
    pub kind: TaskQueueType,
    /// Its version.
    pub deployment: Option<WorkerDeployment>,
    /// What kind of [slots](crate::WorkerSlots::supplier_name) it has.
    pub slot_supplier: String,
}

/// How a Workflow Worker is doing, beside its polls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerFigures {
    /// Workflows in the sticky cache.
    pub cached_workflows: usize,
    /// Tasks that found their workflow there.
    pub cache_hits: u64,
    /// Tasks that did not.
    pub cache_misses: u64,
    /// Its Local Activities, if it executes any.
    pub local_activities: Option<LocalActivityFigures>,
}

/// How the Local Activities of a worker are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalActivityFigures {
    /// Slots that are in use.
    pub used_slots: usize,
    /// Slots that could be taken; `None` where only their supplier knows.
    pub free_slots: Option<usize>,
    /// What kind of slots there are.
    pub slot_supplier: String,
    /// What has been executed.
    pub tasks: ExecutedTasks,
}

/// How many tasks a worker has executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutedTasks {
    /// All of them.
    pub processed: u64,
    /// Those that failed.
    pub failed: u64,
}

/// A worker that runs, as far as others can see it. Dropped, the worker is not shown any more.
#[must_use]
pub struct WorkerPresence {
    client: Client,
    worker: Arc<Worker>,
}

struct Worker {
    profile: WorkerProfile,
    snapshots: watch::Receiver<PollerSnapshot>,
    started: SystemTime,
    processed: AtomicU64,
    failed: AtomicU64,
    /// Asked for each heartbeat, where there is more to say.
    figures: OnceLock<Box<dyn Fn() -> WorkerFigures + Send + Sync>>,
    is_shutting_down: AtomicBool,
    last: Mutex<Option<Last>>,
}

/// What the last heartbeat said.
#[derive(Clone, Copy)]
struct Last {
    at: Instant,
    tasks: ExecutedTasks,
    local_activities: ExecutedTasks,
}

/// All workers of a client.
#[derive(Default)]
pub(crate) struct Heartbeats {
    workers: Mutex<BTreeMap<String, Arc<Worker>>>,
    stream: Mutex<Option<AbortHandle>>,
    changed: Arc<Notify>,
    host: Mutex<Host>,
}

impl Client {
    /// Shows a worker on the server, if its namespace takes heartbeats and
    /// [`ClientOptions::worker_heartbeat_interval`](crate::ClientOptions::worker_heartbeat_interval) does not forbid it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn show_worker(
        &self,
        profile: WorkerProfile,
        snapshots: watch::Receiver<PollerSnapshot>,
        takes_heartbeats: bool,
    ) -> WorkerPresence {
        let worker = Arc::new(Worker {
            profile,
            snapshots,
            started: SystemTime::now(),
            processed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            figures: OnceLock::new(),
            is_shutting_down: AtomicBool::new(false),
            last: Mutex::new(None),
        });
        if let (true, Some(interval)) = (takes_heartbeats, self.worker_heartbeat_interval()) {
            let heartbeats = self.heartbeats();
            lock(&heartbeats.workers).insert(worker.profile.key.clone(), Arc::clone(&worker));
            heartbeats.changed.notify_one();
            let mut stream = lock(&heartbeats.stream);
            if stream.as_ref().is_none_or(AbortHandle::is_finished) {
                *stream = Some(tokio::spawn(send(self.clone(), interval)).abort_handle());
            }
        }
        WorkerPresence { client: self.clone(), worker }
    }
}

impl WorkerPresence {
    /// A task has been answered; with a failure, or not.
    pub fn count_task(&self, has_failed: bool) {
        self.worker.processed.fetch_add(1, Ordering::Relaxed);
        if has_failed {
            self.worker.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shows more of the worker: `figures` is asked for each heartbeat. The first to say so counts.
    pub fn show_figures(&self, figures: impl Fn() -> WorkerFigures + Send + Sync + 'static) {
        let _ = self.worker.figures.set(Box::new(figures));
    }

    /// The worker was told to stop. What is returned goes with the RPC `ShutdownWorker`, where the server takes heartbeats.
    #[must_use]
    pub fn begin_shutdown(&self) -> Option<WorkerHeartbeat> {
        self.worker.is_shutting_down.store(true, Ordering::Relaxed);
        let is_shown = lock(&self.client.heartbeats().workers).contains_key(&self.worker.profile.key);
        is_shown.then(|| self.worker.heartbeat(&self.client, self.client.heartbeats().host()))
    }
}

impl Drop for WorkerPresence {
    fn drop(&mut self) {
        let heartbeats = self.client.heartbeats();
        let mut workers = lock(&heartbeats.workers);
        workers.remove(&self.worker.profile.key);
        if workers.is_empty()
            && let Some(stream) = lock(&heartbeats.stream).take()
        {
            stream.abort();
        }
    }
}

/// Sends heartbeats until there is no worker any more, which aborts it, or the server turns out not to know them.
async fn send(client: Client, interval: Duration) {
    let changed = Arc::clone(&client.heartbeats().changed);
    loop {
        let host = client.heartbeats().host();
        let workers: Vec<Arc<Worker>> = lock(&client.heartbeats().workers).values().cloned().collect();
        let heartbeats = workers.iter().map(|worker| worker.heartbeat(&client, host.clone())).collect();
        let mut request = CallKind::TaskPoll.request(RecordWorkerHeartbeatRequest {
            namespace: client.namespace().to_owned(),
            identity: client.identity().to_owned(),
            worker_heartbeat: heartbeats,
            ..RecordWorkerHeartbeatRequest::default()
        });
        request.set_timeout(HEARTBEAT_TIMEOUT);
        if let Err(status) = client.workflow_service().record_worker_heartbeat(request).await {
            let error = RpcError::from(status);
            tracing::debug!(%error, "the server has not taken a heartbeat of the workers");
            if error.code() == Code::Unimplemented {
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => (),
            // A worker that has just begun is shown at once, and with it the others that begin in the same moment.
            () = changed.notified() => tokio::time::sleep(TOGETHER).await,
        }
    }
}

impl Worker {
    fn heartbeat(&self, client: &Client, host: WorkerHostInfo) -> WorkerHeartbeat {
        let PollerSnapshot { normal, sticky, slots, .. } = *self.snapshots.borrow();
        let now = Instant::now();
        let figures = self.figures.get().map(|figures| figures()).unwrap_or_default();
        let WorkerFigures { cached_workflows, cache_hits, cache_misses, local_activities } = figures;
        let tasks = ExecutedTasks {
            processed: self.processed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        };
        let last = lock(&self.last).replace(Last {
            at: now,
            tasks,
            local_activities: local_activities.as_ref().map(|local| local.tasks).unwrap_or_default(),
        });
        let slots = slots_info(
            slots.executing,
            slots.free.map(|free| free + slots.polling),
            &self.profile.slot_supplier,
            tasks,
            last.map(|last| last.tasks),
        );
        let local_activity_slots_info = local_activities.map(|local| {
            let LocalActivityFigures { used_slots, free_slots, slot_supplier, tasks } = local;
            slots_info(used_slots, free_slots, &slot_supplier, tasks, last.map(|last| last.local_activities))
        });
        let status = if self.is_shutting_down.load(Ordering::Relaxed) {
            WorkerStatus::ShuttingDown
        } else {
            WorkerStatus::Running
        };
        let mut heartbeat = WorkerHeartbeat {
            worker_instance_key: self.profile.key.clone(),
            worker_identity: client.identity().to_owned(),
            host_info: Some(host),
            task_queue: self.profile.task_queue.clone(),
            deployment_version: self.profile.deployment.as_ref().map(WorkerDeployment::version),
            sdk_name: "timewright".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            status: status.into(),
            start_time: Some(self.started.into()),
            heartbeat_time: Some(SystemTime::now().into()),
            elapsed_since_last_heartbeat: last.map(|last| to_duration(now - last.at)),
            local_activity_slots_info,
            total_sticky_cache_hit: number(cache_hits),
            total_sticky_cache_miss: number(cache_misses),
            current_sticky_cache_size: number(cached_workflows),
            environment: Some(environment()),
            ..WorkerHeartbeat::default()
        };
        match self.profile.kind {
            TaskQueueType::Activity => {
                heartbeat.activity_task_slots_info = Some(slots);
                heartbeat.activity_poller_info = Some(poller(normal));
            }
            _ => {
                heartbeat.workflow_task_slots_info = Some(slots);
                heartbeat.workflow_poller_info = Some(poller(normal));
                heartbeat.workflow_sticky_poller_info = sticky.map(poller);
            }
        }
        heartbeat
    }
}

fn slots_info(
    used: usize,
    available: Option<usize>,
    supplier: &str,
    tasks: ExecutedTasks,
    last: Option<ExecutedTasks>,
) -> WorkerSlotsInfo {
    let ExecutedTasks { processed, failed } = tasks;
    let last = last.unwrap_or_default();
    WorkerSlotsInfo {
        current_available_slots: number(available.unwrap_or(0)),
        current_used_slots: number(used),
        slot_supplier_kind: supplier.to_owned(),
        total_processed_tasks: number(processed),
        total_failed_tasks: number(failed),
        last_interval_processed_tasks: number(processed.saturating_sub(last.processed)),
        last_interval_failure_tasks: number(failed.saturating_sub(last.failed)),
    }
}

fn poller(queue: QueueSnapshot) -> WorkerPollerInfo {
    let ago = queue.last_success.map(|at| Instant::now().into_std().saturating_duration_since(at));
    WorkerPollerInfo {
        current_pollers: number(queue.open_polls),
        last_successful_poll_time: ago.and_then(|ago| SystemTime::now().checked_sub(ago)).map(Into::into),
        is_autoscaling: queue.target_polls.is_some(),
    }
}

impl Heartbeats {
    fn host(&self) -> WorkerHostInfo {
        lock(&self.host).info()
    }
}

fn number<T: TryInto<i32>>(number: T) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// Nobody panics with one of these locks held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for WorkerPresence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WorkerPresence").field("profile", &self.worker.profile).finish_non_exhaustive()
    }
}

/// A heartbeat that takes longer than this is of no use; the next one says more.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);
/// Within this time workers count as having begun together.
const TOGETHER: Duration = Duration::from_millis(100);
