//! CPU time per workflow, on a real server, worker process only; and latency, for what it is worth where driver, server and
//! worker share a machine.

use std::time::Duration;

use anyhow::Result;
use timewright::client::{Client, ClientOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;

use crate::contender::Contender;
use crate::notes::{Samples, push};
use crate::process::Worker;
use crate::statistics::{median, percentile};
use crate::work::Work;
use crate::{Effort, load};

/// Measures all contenders in turns: A B C, A B C, … so that what else the machine does meets all alike.
pub(crate) fn measure(runtime: &Runtime, work: Work, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    let server = DevServer::start()?;
    let client = runtime.block_on(Client::connect(ClientOptions::new(server.address().to_string())))?;
    let count = (work.workflows() as f64 * effort.share).ceil() as usize;
    println!("{} ({count} workflows in a round, CPU µs each)", work.name());
    let mut samples = Samples::new();
    for round in 0..effort.rounds {
        for &contender in contenders {
            let task_queue = format!("{}-{}-{round}", work.name(), contender.name().replace(' ', "-"));
            let command = contender.serve(&server.address().to_string(), &task_queue, work.arguments());
            let worker = Worker::start(contender.name(), command)?;
            let figures = runtime.block_on(one_round(&client, &worker, work, &task_queue, count))?;
            let line: Vec<String> = figures.iter().map(|(name, figure)| format!("{name} {figure:.0}")).collect();
            println!("  round {round}, {:<22} {}", contender.name(), line.join(", "));
            for (name, figure) in figures {
                push(&mut samples, contender, name, figure);
            }
        }
    }
    for contender in contenders {
        println!("  {:<22} {:.0}", contender.name(), median(&samples[contender.name()][CPU]));
    }
    Ok(samples)
}

async fn one_round(
    client: &Client,
    worker: &Worker,
    work: Work,
    task_queue: &str,
    count: usize,
) -> Result<Vec<(&'static str, f64)>> {
    // Connections, caches, and lazy initialisations are nobody's price per workflow.
    load::drive(client, work, task_queue, &format!("{task_queue}-warm"), 10.min(count), 10).await?;
    let before = worker.cpu()?;
    let latencies = load::drive(client, work, task_queue, task_queue, count, AT_ONCE).await?;
    let used = worker.cpu()? - before;
    let latencies: Vec<f64> = latencies.iter().map(Duration::as_secs_f64).collect();
    Ok(vec![
        (CPU, used.as_secs_f64() * 1e6 / count as f64),
        (P50, percentile(&latencies, 0.5) * 1e3),
        (P95, percentile(&latencies, 0.95) * 1e3),
        (MEMORY, worker.memory()? as f64 / 1024.0),
        (TASKS, load::workflow_tasks(client, task_queue, count).await?),
    ])
}

/// Microseconds of user and system time per workflow.
pub(crate) const CPU: &str = "cpu µs";
/// Milliseconds from the start to the result of a workflow.
pub(crate) const P50: &str = "p50 ms";
/// Likewise.
pub(crate) const P95: &str = "p95 ms";
/// Kibibytes of resident memory at the end.
pub(crate) const MEMORY: &str = "memory KiB";
/// Workflow Tasks of a workflow.
pub(crate) const TASKS: &str = "tasks";
const AT_ONCE: usize = 50;
