//! Resident memory of the least program with activities alone: with nothing to do, and with 500 activities that run.

use std::time::Duration;

use anyhow::{Result, ensure};
use timewright::client::{Client, ClientOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};
use crate::process::Worker;
use crate::scheduler::{self, Activities};

/// Measures both SDKs in turns.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    println!("memory of the least program, idle and with {RUNNING} activities");
    let server = DevServer::start()?;
    let address = server.address().to_string();
    let mut samples = Samples::new();
    for round in 0..effort.rounds.min(3) {
        for &contender in contenders {
            let task_queue = format!("running-{}-{round}", contender.name());
            let Some(command) = contender.activities(&address, &task_queue) else { continue };
            let worker = Worker::start(contender.name(), command)?;
            let (idle, busy) = runtime.block_on(one_round(&address, &task_queue, &worker))?;
            println!("  round {round}, {:<12} {:.2} MB, {:.2} MB", contender.name(), idle / 1e6, busy / 1e6);
            push(&mut samples, contender, IDLE, idle / 1e6);
            push(&mut samples, contender, BUSY, busy / 1e6);
        }
    }
    Ok(samples)
}

async fn one_round(address: &str, task_queue: &str, worker: &Worker) -> Result<(f64, f64)> {
    let client = Client::connect(ClientOptions::new(address)).await?;
    worker.settle().await?;
    let idle = worker.memory()?;
    let what = Activities { task_queue: task_queue.to_owned(), count: RUNNING, wait: true };
    let scheduled = scheduler::schedule(&client, task_queue, what, 1).await?;
    scheduled.all_have_started().await?;
    worker.settle().await?;
    let busy = worker.memory()?;
    ensure!(busy > idle, "{RUNNING} activities that take no memory: they do not run");
    scheduled.abandon(Duration::from_secs(10)).await?;
    Ok((idle as f64, busy as f64))
}

/// Megabytes.
pub(crate) const IDLE: &str = "idle MB";
/// Likewise.
pub(crate) const BUSY: &str = "busy MB";
const RUNNING: u32 = 500;
