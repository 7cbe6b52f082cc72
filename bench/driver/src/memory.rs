//! Bytes of resident memory for each workflow that waits in the cache.

use std::time::Duration;

use anyhow::Result;
use bench_definitions::Messages;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Effort;
use crate::contender::Contender;
use crate::notes::Samples;
use crate::process::Worker;

/// Measures both SDKs in turns.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    let count = (WORKFLOWS as f64 * effort.share) as usize;
    println!("memory of {count} cached workflows");
    let mut samples = Samples::new();
    for round in 0..effort.rounds.min(ROUNDS) {
        for contender in [Contender::Timewright, Contender::Official] {
            if !contenders.contains(&contender) {
                continue;
            }
            // A server of its own: these workflows stay, and make it slower.
            let server = DevServer::start()?;
            let address = server.address().to_string();
            let command = contender.serve(&address, QUEUE, &["--cached-workflows", "100000"]);
            let worker = Worker::start(contender.name(), command)?;
            let bytes = runtime.block_on(one_round(&address, &worker, count))?;
            println!("  round {round}, {:<12} {bytes:.0} bytes per workflow", contender.name());
            samples.entry(contender.name().to_owned()).or_default().entry(BYTES.to_owned()).or_default().push(bytes);
        }
    }
    Ok(samples)
}

async fn one_round(address: &str, worker: &Worker, count: usize) -> Result<f64> {
    let client = Client::connect(ClientOptions::new(address)).await?;
    start(&client, "warm", 200).await?;
    settle(worker).await?;
    let before = worker.memory()?;
    start(&client, "waits", count).await?;
    settle(worker).await?;
    let after = worker.memory()?;
    Ok(after.saturating_sub(before) as f64 / count as f64)
}

/// Workflows that wait for a Signal that never comes.
async fn start(client: &Client, prefix: &str, count: usize) -> Result<()> {
    let mut starting = JoinSet::new();
    for number in 0..count {
        let (client, workflow_id) = (client.clone(), format!("{prefix}-{number}"));
        starting.spawn(async move {
            let options = StartWorkflowOptions::new(QUEUE, workflow_id);
            client.start_workflow(Messages, 1, options).await.map(drop)
        });
        if starting.len() >= AT_ONCE
            && let Some(started) = starting.join_next().await
        {
            started??;
        }
    }
    while let Some(started) = starting.join_next().await {
        started??;
    }
    Ok(())
}

/// Waits until the worker has nothing more to do: next to no CPU time in two seconds.
async fn settle(worker: &Worker) -> Result<()> {
    let mut before = worker.cpu()?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = worker.cpu()?;
        if now - before < Duration::from_millis(20) {
            return Ok(());
        }
        before = now;
    }
}

/// Bytes of resident memory per cached workflow.
pub(crate) const BYTES: &str = "bytes";
const WORKFLOWS: usize = 5_000;
const QUEUE: &str = "memory";
const AT_ONCE: usize = 50;
const ROUNDS: usize = 3;
