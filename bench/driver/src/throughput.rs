//! Activities per CPU second of a worker with activities alone, which finds them all waiting for it.

use std::time::Duration;

use anyhow::Result;
use timewright::client::{Client, ClientOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};
use crate::process::Worker;
use crate::scheduler::{self, Activities};

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
            push(&mut samples, contender, THROUGHPUT, per_second);
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
    let what = Activities { task_queue: task_queue.to_owned(), count: ACTIVITIES, wait: false };
    let scheduled = scheduler::schedule(&client, task_queue, what, workflows).await?;
    let worker = start()?;
    let before = worker.cpu()?;
    scheduled.all_have_ended().await?;
    Ok(worker.cpu()? - before)
}

/// Activities per CPU second.
pub(crate) const THROUGHPUT: &str = "activities per CPU s";
const WORKFLOWS: u32 = 10;
/// Of each workflow. A server lets a workflow have 2,000 activities at once.
const ACTIVITIES: u32 = 1_000;
