//! Many workflows, some of them at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use timewright::client::Client;
use timewright::proto::enums::EventType;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::work::Work;

/// Drives `count` workflows, `at_once` at a time; how long each took from its start to its result.
pub(crate) async fn drive(
    client: &Client,
    work: Work,
    task_queue: &str,
    prefix: &str,
    count: usize,
    at_once: usize,
) -> Result<Vec<Duration>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut drivers = JoinSet::new();
    for _ in 0..at_once.min(count) {
        let (client, task_queue, prefix, next) =
            (client.clone(), task_queue.to_owned(), prefix.to_owned(), Arc::clone(&next));
        drivers.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(latencies);
                }
                let began = Instant::now();
                let workflow_id = format!("{prefix}-{number}");
                let driven = timeout(LIMIT, work.drive(&client, &task_queue, &workflow_id)).await;
                driven.with_context(|| format!("workflow {workflow_id} has no result after {LIMIT:?}"))??;
                latencies.push(began.elapsed());
            }
        });
    }
    let mut latencies = Vec::with_capacity(count);
    while let Some(driver) = drivers.join_next().await {
        latencies.extend(driver??);
    }
    Ok(latencies)
}

/// How many Workflow Tasks each of the first workflows had, in the mean: who is quick may have more, since less comes in one.
pub(crate) async fn workflow_tasks(client: &Client, prefix: &str, count: usize) -> Result<f64> {
    let looked_at = count.min(5);
    let mut tasks = 0;
    for number in 0..looked_at {
        let history = client.workflow_handle_untyped(format!("{prefix}-{number}"), None).history().await?;
        tasks += history.events.iter().filter(|event| event.event_type() == EventType::WorkflowTaskCompleted).count();
    }
    Ok(tasks as f64 / looked_at as f64)
}

/// A worker that does not answer ends the measurement, instead of keeping it for ever.
const LIMIT: Duration = Duration::from_secs(120);
