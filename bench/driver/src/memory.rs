//! Bytes of resident memory for each workflow that waits in the cache.

use anyhow::Result;
use bench_definitions::Messages;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};
use crate::process::Worker;

/// A part for each number of workflows.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Vec<(String, Samples)>> {
    let sizes = WORKFLOWS.into_iter().filter(|(count, _)| effort.share >= 1.0 || *count == WORKFLOWS[0].0);
    sizes.map(|(count, rounds)| Ok((name(count), measure_count(runtime, contenders, count, rounds)?))).collect()
}

/// What the part of so many workflows is called.
pub(crate) fn name(count: usize) -> String {
    format!("memory-{count}")
}

/// Measures both SDKs in turns.
fn measure_count(runtime: &Runtime, contenders: &[Contender], count: usize, rounds: usize) -> Result<Samples> {
    println!("memory of {count} cached workflows");
    let mut samples = Samples::new();
    for round in 0..rounds {
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
            push(&mut samples, contender, BYTES, bytes);
        }
    }
    Ok(samples)
}

async fn one_round(address: &str, worker: &Worker, count: usize) -> Result<f64> {
    let client = Client::connect(ClientOptions::new(address)).await?;
    start(&client, "warm", 200).await?;
    worker.settle().await?;
    let before = worker.memory()?;
    start(&client, "waits", count).await?;
    worker.settle().await?;
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

/// Bytes of resident memory per cached workflow.
pub(crate) const BYTES: &str = "bytes";
/// How many, and how often that is measured.
pub(crate) const WORKFLOWS: [(usize, usize); 2] = [(5_000, 3), (50_000, 1)];
const QUEUE: &str = "memory";
const AT_ONCE: usize = 50;
