//! Workers that run beside a test.

use std::fmt::Display;

use timewright::activity::ActivityWorker;
use timewright::workflow::WorkflowWorker;
use timewright::{Worker, activity, workflow};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::within;

/// A worker that runs on a tokio task of its own. Dropping this drops the worker where it stands, as a crash would;
/// [`stop`](Self::stop) shuts it down.
pub(crate) struct Background<E> {
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), E>>,
}

/// Runs workflows in the background.
pub(crate) fn run_workflows(worker: WorkflowWorker) -> Background<workflow::WorkerError> {
    let (shutdown, told) = oneshot::channel();
    Background { shutdown: Some(shutdown), task: tokio::spawn(worker.run(told_to_stop(told))) }
}

/// Runs activities in the background.
pub(crate) fn run_activities(worker: ActivityWorker) -> Background<activity::WorkerError> {
    let (shutdown, told) = oneshot::channel();
    Background { shutdown: Some(shutdown), task: tokio::spawn(worker.run(told_to_stop(told))) }
}

/// Runs both in the background, as one worker.
pub(crate) fn run_both(workflows: WorkflowWorker, activities: ActivityWorker) -> Background<timewright::WorkerError> {
    let (shutdown, told) = oneshot::channel();
    let worker = Worker::new().workflows(workflows).activities(activities);
    Background { shutdown: Some(shutdown), task: tokio::spawn(worker.run(told_to_stop(told))) }
}

/// Runs any number of them in the background, as one worker.
pub(crate) fn run_worker(worker: Worker) -> Background<timewright::WorkerError> {
    let (shutdown, told) = oneshot::channel();
    Background { shutdown: Some(shutdown), task: tokio::spawn(worker.run(told_to_stop(told))) }
}

impl<E: Display> Background<E> {
    /// Shuts the worker down and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        // Whoever has ended already does not listen; how it ended comes next.
        let _ = self.shutdown.take().expect("it is told once").send(());
        if let Err(error) = self.ended().await {
            panic!("{error}");
        }
    }

    /// Waits until the worker has ended by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), E> {
        within("the end of a worker", &mut self.task).await.expect("no worker panics")
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl<E> Drop for Background<E> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn told_to_stop(told: oneshot::Receiver<()>) {
    // A sender that was dropped has told nothing; the worker is aborted then.
    if told.await.is_err() {
        std::future::pending().await
    }
}
