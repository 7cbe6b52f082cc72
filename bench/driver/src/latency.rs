//! What a worker adds: from the moment in which a task is there until its answer has come, as the server's model sees it,
//! which costs next to nothing itself and is the same for everybody.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_definitions::ActivitiesInSequence;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions};
use timewright::proto::history::HistoryEvent;
use timewright::proto::history::history_event::Attributes;
use timewright_testing::{ChildProcess, Output};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};
use crate::process::Worker;
use crate::statistics::percentile;

/// The server's model, in the process of its own that [`measure`] starts; until it is killed.
pub(crate) fn serve(runtime: &Runtime) -> Result<()> {
    runtime.block_on(async {
        let server = timewright_model_front::ModelServer::start(timewright_model_front::ServerOptions::default())?;
        println!("serves at {}", server.address());
        std::future::pending().await
    })
}

/// Measures all contenders in turns.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    println!("latency from a task to its answer, over the server's model");
    let mut samples = Samples::new();
    for round in 0..effort.rounds {
        // The model has no gzip.
        for &contender in contenders.iter().filter(|contender| **contender != Contender::Official) {
            let mut model = Command::new(std::env::current_exe()?);
            model.arg("--model-server");
            let mut model = ChildProcess::spawn_with("model server", model, Output::Capture)?;
            let line = model.wait_for_line("serves at", Duration::from_secs(10))?;
            let address = line.rsplit(' ').next().context("no address")?;
            let worker = Worker::start(contender.name(), contender.serve(address, QUEUE, &[]))?;
            for (in_flight, batches) in IN_FLIGHT {
                let batches = ((batches as f64 * effort.share).ceil() as usize).max(1);
                let milliseconds = runtime.block_on(one_round(address, in_flight, batches))?;
                let (p50, p99) = (percentile(&milliseconds, 0.5), percentile(&milliseconds, 0.99));
                println!(
                    "  round {round}, {:<22} {in_flight} in flight: p50 {p50:.2} ms, p99 {p99:.2} ms",
                    contender.name()
                );
                push(&mut samples, contender, &p50_of(in_flight), p50);
                push(&mut samples, contender, &p99_of(in_flight), p99);
            }
            drop(worker);
        }
    }
    Ok(samples)
}

/// The latencies of all tasks, in milliseconds.
async fn one_round(address: &str, in_flight: usize, batches: usize) -> Result<Vec<f64>> {
    let client = Client::connect(ClientOptions::new(address)).await?;
    let mut latencies = Vec::new();
    for batch in 0..batches {
        let mut starting = JoinSet::new();
        for number in 0..in_flight {
            let (client, workflow_id) = (client.clone(), format!("{in_flight}-{batch}-{number}"));
            starting.spawn(async move {
                let options = StartWorkflowOptions::new(QUEUE, workflow_id);
                client.start_workflow(ActivitiesInSequence, 1, options).await
            });
        }
        // Nobody waits while they are under way but for one result: whoever waits costs the model time at each change.
        for workflow in starting.join_all().await {
            let workflow = workflow?;
            workflow.result().await?;
            latencies.extend(of_history(&workflow.history().await?.events)?);
        }
    }
    Ok(latencies)
}

/// From the schedule of each task to its end.
fn of_history(events: &[HistoryEvent]) -> Result<Vec<f64>> {
    let milliseconds = |event: &HistoryEvent| {
        let time = event.event_time.as_ref().context("an event without time")?;
        anyhow::Ok(time.seconds as f64 * 1e3 + f64::from(time.nanos) / 1e6)
    };
    let by_id: BTreeMap<i64, &HistoryEvent> = events.iter().map(|event| (event.event_id, event)).collect();
    let scheduled = |event: &HistoryEvent| match &event.attributes {
        Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => Some(completed.scheduled_event_id),
        Some(Attributes::ActivityTaskCompletedEventAttributes(completed)) => Some(completed.scheduled_event_id),
        _ => None,
    };
    let ends = events.iter().filter_map(|event| Some((event, by_id.get(&scheduled(event)?)?)));
    ends.map(|(end, scheduled)| Ok(milliseconds(end)? - milliseconds(scheduled)?)).collect()
}

/// Milliseconds from a task to its answer, in the middle.
pub(crate) fn p50_of(in_flight: usize) -> String {
    format!("p50 ms at {in_flight}")
}

/// Likewise, of the slowest hundredth the quickest.
pub(crate) fn p99_of(in_flight: usize) -> String {
    format!("p99 ms at {in_flight}")
}

/// How many workflows at a time, and how often.
pub(crate) const IN_FLIGHT: [(usize, usize); 3] = [(1, 200), (50, 20), (500, 4)];
const QUEUE: &str = "latency";
