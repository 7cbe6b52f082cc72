//! Activities per CPU second of a worker with activities alone, which finds them all waiting for it.

use std::time::Duration;

use anyhow::{Context, Result};
use bench_definitions::{ActivitiesElsewhere, Nothing};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright::workflow;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker, join_all};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;

use crate::Effort;
use crate::contender::Contender;
use crate::notes::Samples;
use crate::process::Worker;

/// Measures all contenders that have such a worker, in turns.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    let server = DevServer::start()?;
    let address = server.address().to_string();
    let mut samples = Samples::new();
    let workflows = ((WORKFLOWS as f64 * effort.share) as u32).max(1);
    println!("throughput of {} activities", workflows * ACTIVITIES);
    for round in 0..effort.rounds {
        for &contender in contenders {
            let task_queue = format!("throughput-{}-{round}", contender.name());
            let Some(command) = contender.activities(&address, &task_queue) else { continue };
            let measured = runtime
                .block_on(one_round(&address, &task_queue, workflows, || Worker::start(contender.name(), command)))?;
            let per_second = f64::from(workflows * ACTIVITIES) / measured.as_secs_f64();
            println!("  round {round}, {:<12} {per_second:.0} activities per CPU second", contender.name());
            samples
                .entry(contender.name().to_owned())
                .or_default()
                .entry(THROUGHPUT.to_owned())
                .or_default()
                .push(per_second);
        }
    }
    Ok(samples)
}

async fn one_round(
    address: &str,
    task_queue: &str,
    workflows: u32,
    start: impl FnOnce() -> Result<Worker>,
) -> Result<Duration> {
    let client = Client::connect(ClientOptions::new(address)).await?;
    let scheduler_queue = format!("{task_queue}-workflows");
    let scheduler =
        WorkflowWorker::builder(client.clone(), scheduler_queue.as_str()).workflow::<Scheduler>().build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let scheduler = tokio::spawn(scheduler.run(async move { drop(stopped.await) }));
    let mut started = Vec::new();
    for number in 0..workflows {
        let options = StartWorkflowOptions::new(scheduler_queue.as_str(), format!("{task_queue}-{number}"));
        started.push(client.start_workflow(ActivitiesElsewhere, (ACTIVITIES, task_queue.to_owned()), options).await?);
    }
    // All are scheduled when each workflow's first task is completed.
    for workflow in &started {
        while workflow.history().await?.events.len() <= ACTIVITIES as usize {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let worker = start()?;
    let before = worker.cpu()?;
    for workflow in started {
        workflow.result().await?;
    }
    let used = worker.cpu()? - before;
    drop(stop);
    scheduler.await.context("the scheduling worker")??;
    Ok(used)
}

#[derive(Default)]
struct Scheduler;

#[workflow(ActivitiesElsewhere)]
impl Scheduler {
    #[run]
    async fn run(context: WorkflowContext<Self>, (count, task_queue): (u32, String)) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(600)).task_queue(task_queue);
        let activities = (0..count).map(|_| context.execute_activity(Nothing, (), options.clone()));
        join_all(activities.collect::<Vec<_>>()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

/// Activities per CPU second.
pub(crate) const THROUGHPUT: &str = "activities per CPU s";
const WORKFLOWS: u32 = 10;
/// Of each workflow. A server lets a workflow have 2,000 activities at once.
const ACTIVITIES: u32 = 1_000;
