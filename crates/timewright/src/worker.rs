//! Several Worker Entities in one process: they start, stop and end together.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinSet;

#[cfg(all(feature = "activity", feature = "workflow"))]
use crate::eager_activities::{EagerActivities, belong_together};
#[cfg(all(feature = "activity", feature = "workflow"))]
use crate::local_activities::LocalActivities;
#[cfg(feature = "activity")]
use timewright_activity_worker::ActivityWorker;
#[cfg(feature = "workflow")]
use timewright_workflow_worker::WorkflowWorker;

use timewright_client::Readiness;

/// The Worker Entities of a process, of whatever roles, on whatever Task Queues. They share the connection of their
/// [`Client`](crate::client::Client).
///
/// Where a Workflow Worker and an Activity Worker are on the same Task Queue, workflows may execute the Activity Worker's activities
/// as Local Activities. What else they ask for there begins at once while the Activity Worker has room, without the way over the
/// Task Queue:
/// [`maximum_eager_activities_per_workflow_task`](crate::workflow::WorkflowWorkerBuilder::maximum_eager_activities_per_workflow_task).
///
/// ```no_run
/// # use timewright::{Worker, activity::ActivityWorker, workflow::WorkflowWorker};
/// # async fn run(orders: WorkflowWorker, cards: ActivityWorker) -> Result<(), timewright::WorkerError> {
/// Worker::new().workflows(orders).activities(cards).run(timewright::shutdown_signal()).await
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Worker {
    #[cfg(feature = "workflow")]
    workflow_workers: Vec<WorkflowWorker>,
    #[cfg(feature = "activity")]
    activity_workers: Vec<ActivityWorker>,
}

/// Why the Worker Entities of a process ended without being asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A Workflow Worker.
    #[cfg(feature = "workflow")]
    #[error(transparent)]
    Workflow(#[from] timewright_workflow_worker::WorkerError),
    /// An Activity Worker.
    #[cfg(feature = "activity")]
    #[error(transparent)]
    Activity(#[from] timewright_activity_worker::WorkerError),
    /// There is nothing to run.
    #[error(
        "this Worker has nothing to do: give it a Workflow Worker (Worker::workflows) or an Activity Worker (Worker::activities) \
         before it runs"
    )]
    Empty,
    /// A worker's own code panicked: a defect of Timewright.
    #[error("a worker panicked, which is a defect of Timewright: {0}")]
    Panicked(String),
}

impl Worker {
    /// No worker yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a Workflow Worker.
    #[cfg(feature = "workflow")]
    pub fn workflows(mut self, worker: WorkflowWorker) -> Self {
        self.workflow_workers.push(worker);
        self
    }

    /// Adds an Activity Worker.
    #[cfg(feature = "activity")]
    pub fn activities(mut self, worker: ActivityWorker) -> Self {
        self.activity_workers.push(worker);
        self
    }

    /// Whether all of them get tasks: for the readiness probe of the process.
    ///
    /// ```no_run
    /// # async fn run(worker: timewright::Worker) -> Result<(), timewright::WorkerError> {
    /// let readiness = worker.readiness(); // for whoever answers the probe: 200 if `readiness.is_ready()`
    /// worker.run(timewright::shutdown_signal()).await
    /// # }
    /// ```
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let parts: Vec<Readiness> = Vec::new();
        #[cfg(feature = "workflow")]
        let parts = parts.into_iter().chain(self.workflow_workers.iter().map(WorkflowWorker::readiness));
        #[cfg(feature = "activity")]
        let parts = parts.into_iter().chain(self.activity_workers.iter().map(ActivityWorker::readiness));
        Readiness::all(parts)
    }

    /// Works until `shutdown` is ready, or until one of the workers ends with an error; then all of them stop gracefully.
    ///
    /// # Errors
    /// The first error of a worker; [`WorkerError::Empty`] at once where there is none.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        let (stop, stopped) = watch::channel(false);
        let mut workers: JoinSet<Result<(), WorkerError>> = JoinSet::new();
        #[cfg(feature = "workflow")]
        for worker in self.workflow_workers {
            #[cfg(feature = "activity")]
            let worker = match self.activity_workers.iter().find(|activities| belong_together(&worker, activities)) {
                Some(activities) => worker
                    .or_eager_activities(EagerActivities::of(activities))
                    .or_local_activities(LocalActivities::of(activities)),
                None => worker,
            };
            let stopped = stopped.clone();
            workers.spawn(async move { Ok(worker.run(until(stopped)).await?) });
        }
        #[cfg(feature = "activity")]
        for worker in self.activity_workers {
            let stopped = stopped.clone();
            workers.spawn(async move { Ok(worker.run(until(stopped)).await?) });
        }
        drop(stopped);
        if workers.is_empty() {
            return Err(WorkerError::Empty);
        }

        let mut shutdown = std::pin::pin!(shutdown);
        let mut first_error = None;
        while !workers.is_empty() {
            tokio::select! {
                () = &mut shutdown, if !*stop.borrow() => {
                    stop.send_replace(true);
                }
                Some(ended) = workers.join_next() => {
                    let result = ended.unwrap_or_else(|error| Err(WorkerError::Panicked(error.to_string())));
                    if let Err(error) = result {
                        stop.send_replace(true);
                        first_error.get_or_insert(error);
                    }
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as any worker does.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
