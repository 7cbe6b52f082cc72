//! Workflows whose first Workflow Task comes with the answer to their start, for a worker in the same process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use timewright_proto::workflow_service::{PollWorkflowTaskQueueResponse, StartWorkflowExecutionRequest};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::client::Client;
use crate::poll::{Slot, SlotReserver};
use crate::slots::{SlotKind, SlotTask};

/// A Workflow Worker that takes first Workflow Tasks of workflows which its client starts:
/// [`Client::offer_eager_workflow_start`].
#[derive(Debug)]
pub struct EagerWorkflowOffer {
    /// Its Task Queue.
    pub task_queue: String,
    /// Its version, as its polls say it.
    pub deployment: Option<WorkerDeploymentOptions>,
    /// Its slots.
    pub slots: SlotReserver,
}

/// The Workflow Tasks that come of an offer. Dropped, the offer ends.
#[must_use = "the tasks are to be executed"]
pub struct EagerWorkflowTasks {
    workers: EagerWorkers,
    worker: Arc<EagerWorker>,
    tasks: UnboundedReceiver<EagerTask>,
}

type EagerTask = (PollWorkflowTaskQueueResponse, Slot);

/// The offers of a client's workers, in the order in which they were made.
#[derive(Clone, Default)]
pub(crate) struct EagerWorkers(Arc<Mutex<Vec<Arc<EagerWorker>>>>);

struct EagerWorker {
    task_queue: String,
    deployment: Option<WorkerDeploymentOptions>,
    slots: SlotReserver,
    /// None: it takes no more.
    tasks: Mutex<Option<UnboundedSender<EagerTask>>>,
}

/// A slot of a worker for the first Workflow Task of one workflow. Dropping it gives it back.
pub(crate) struct EagerStart {
    slot: Slot,
    tasks: UnboundedSender<EagerTask>,
}

impl Client {
    /// Lets workflows that this client, or a clone of it, starts with
    /// [`request_eager_start`](crate::StartWorkflowOptions::request_eager_start) begin at once on this worker, while it has room.
    ///
    /// The server takes the first Workflow Task for started when it answers the start. So a slot is reserved before it is asked
    /// for one, and what comes must be executed.
    pub fn offer_eager_workflow_start(&self, offer: EagerWorkflowOffer) -> EagerWorkflowTasks {
        let EagerWorkflowOffer { task_queue, deployment, slots } = offer;
        // It cannot grow without bound: there is at most one task for each slot.
        let (sender, tasks) = unbounded_channel();
        let worker = Arc::new(EagerWorker { task_queue, deployment, slots, tasks: Mutex::new(Some(sender)) });
        let workers = self.eager_workers().clone();
        lock(&workers.0).push(Arc::clone(&worker));
        EagerWorkflowTasks { workers, worker, tasks }
    }
}

impl EagerWorkflowTasks {
    /// The next task, with its slot; `None` when [`close`](Self::close) was called and nothing is on its way any more.
    pub async fn next(&mut self) -> Option<(PollWorkflowTaskQueueResponse, Slot)> {
        self.tasks.recv().await
    }

    /// Takes nothing more, except what is on its way.
    pub fn close(&self) {
        lock(&self.workers.0).retain(|worker| !Arc::ptr_eq(worker, &self.worker));
        *lock(&self.worker.tasks) = None;
    }
}

impl Drop for EagerWorkflowTasks {
    fn drop(&mut self) {
        self.close();
    }
}

impl EagerWorkers {
    /// A slot of the first worker that has one to spare, noted in the request; none, and no wish for it, where there is no such
    /// worker. Nor where there are several versions: the server lets a workflow begin on whichever asks for it, and only by a poll
    /// on the current one.
    pub(crate) async fn reserve(&self, request: &mut StartWorkflowExecutionRequest) -> Option<EagerStart> {
        let task_queue = request.task_queue.as_ref().map_or("", |task_queue| task_queue.name.as_str());
        let workers: Vec<_> = lock(&self.0).iter().filter(|worker| worker.task_queue == task_queue).cloned().collect();
        if workers.windows(2).any(|pair| pair[0].deployment != pair[1].deployment) {
            return None;
        }
        for worker in workers {
            let Some(tasks) = lock(&worker.tasks).clone() else { continue };
            let Some(slot) = worker.slots.reserve().await else { continue };
            request.request_eager_execution = true;
            request.eager_worker_deployment_options = worker.deployment.clone();
            return Some(EagerStart { slot, tasks });
        }
        None
    }
}

impl EagerStart {
    /// Hands over what the server gave, to be executed as if a poll had brought it.
    pub(crate) fn execute(self, task: PollWorkflowTaskQueueResponse) {
        let Self { mut slot, tasks } = self;
        let workflow_type = task.workflow_type.as_ref().map_or("", |known| known.name.as_str());
        slot.mark_used(&SlotTask::new(SlotKind::Workflow, workflow_type));
        if let Err(lost) = tasks.send((task, slot)) {
            let workflow_id = lost.0.0.workflow_execution.map(|execution| execution.workflow_id);
            tracing::warn!(
                workflow_id,
                "the worker was dropped while the first Workflow Task of a workflow was on its way to it; \
                 the server hands it out again when it has timed out"
            );
        }
    }
}

impl fmt::Debug for EagerWorkflowTasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EagerWorkflowTasks")
            .field("task_queue", &self.worker.task_queue)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is locked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
