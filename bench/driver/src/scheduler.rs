//! Activities on a Task Queue of their own, for workers that have nothing but activities.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench_definitions::{ActivitiesElsewhere, Nothing, Wait};
use timewright::client::{Client, StartWorkflowOptions, WorkflowHandle};
use timewright::proto::enums::PendingActivityState;
use timewright::workflow;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker, join_all};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What is scheduled by each workflow.
#[derive(Clone, Debug)]
pub(crate) struct Activities {
    pub(crate) task_queue: String,
    pub(crate) count: u32,
    /// Whether they wait, instead of ending at once.
    pub(crate) wait: bool,
}

/// Activities that are waiting for their worker, and who scheduled them.
pub(crate) struct Scheduled {
    workflows: Vec<WorkflowHandle<ActivitiesElsewhere>>,
    activities: u32,
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), timewright::workflow::WorkerError>>,
}

/// Has so many workflows schedule these activities each, and waits until all are there.
pub(crate) async fn schedule(client: &Client, name: &str, what: Activities, workflows: u32) -> Result<Scheduled> {
    let queue = format!("{name}-workflows");
    let worker = WorkflowWorker::builder(client.clone(), queue.as_str()).workflow::<Scheduler>().build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn(worker.run(async move { drop(stopped.await) }));
    let mut started = Vec::new();
    for number in 0..workflows {
        let options = StartWorkflowOptions::new(queue.as_str(), format!("{name}-{number}"));
        let input = (what.count, what.task_queue.clone(), what.wait);
        started.push(client.start_workflow(ActivitiesElsewhere, input, options).await?);
    }
    for workflow in &started {
        // All are scheduled when the workflow's first task is completed.
        while workflow.history().await?.events.len() <= what.count as usize {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(Scheduled { workflows: started, activities: what.count, stop, worker })
}

impl Scheduled {
    /// Waits until each runs.
    pub(crate) async fn all_have_started(&self) -> Result<()> {
        for workflow in &self.workflows {
            loop {
                let description = workflow.describe().await?;
                let pending = &description.raw().pending_activities;
                if pending.len() != self.activities as usize {
                    bail!("{} of {} activities are open", pending.len(), self.activities);
                }
                if pending.iter().all(|activity| activity.state() == PendingActivityState::Started) {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Waits until all have ended.
    pub(crate) async fn all_have_ended(self) -> Result<()> {
        for workflow in &self.workflows {
            workflow.result().await?;
        }
        self.end().await
    }

    /// Lets nobody wait for them any more.
    pub(crate) async fn abandon(self, limit: Duration) -> Result<()> {
        for workflow in &self.workflows {
            workflow.terminate("measured").await?;
        }
        tokio::time::timeout(limit, self.end()).await.context("the scheduling worker does not end")?
    }

    async fn end(self) -> Result<()> {
        drop(self.stop);
        self.worker.await.context("the scheduling worker")??;
        Ok(())
    }
}

#[derive(Default)]
struct Scheduler;

#[workflow(ActivitiesElsewhere)]
impl Scheduler {
    #[run]
    async fn run(
        context: WorkflowContext<Self>,
        (count, task_queue, wait): (u32, String, bool),
    ) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(600)).task_queue(task_queue);
        let activities = (0..count).map(|_| {
            if wait {
                context.execute_activity(Wait, (), options.clone())
            } else {
                context.execute_activity(Nothing, (), options.clone())
            }
        });
        join_all(activities.collect::<Vec<_>>()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

/// Nobody tells when the server has scheduled or started something.
const LOOK: Duration = Duration::from_millis(50);
