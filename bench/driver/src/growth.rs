//! How much a worker's memory grows under steady load.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use timewright::client::{Client, ClientOptions};
use timewright_testing::DevServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};
use crate::process::Worker;
use crate::work::Work;

/// Both SDKs at the same time, each with so many workflows in a second.
pub(crate) fn measure(runtime: &Runtime, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    let minutes = (MINUTES as f64 * effort.share) as u64;
    println!("memory after {minutes} minutes of steady load");
    let mut samples = Samples::new();
    let server = DevServer::start()?;
    let address = server.address().to_string();
    let client = runtime.block_on(Client::connect(ClientOptions::new(address.as_str())))?;
    let contenders = [Contender::Timewright, Contender::Official].into_iter().filter(|one| contenders.contains(one));
    let workers = contenders
        .map(|contender| {
            Ok((contender, Worker::start(contender.name(), contender.serve(&address, contender.name(), &[]))?))
        })
        .collect::<Result<Vec<_>>>()?;
    let queues: Vec<&'static str> = workers.iter().map(|(contender, _)| contender.name()).collect();
    let began = Instant::now();
    let load = runtime.spawn(steady(client, queues, Duration::from_secs(minutes * 60)));
    for minute in 1..=minutes {
        let due = began + Duration::from_secs(minute * 60);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (contender, worker) in &workers {
            let bytes = worker.memory()? as f64;
            println!("  minute {minute}, {:<12} {:.2} MB", contender.name(), bytes / 1e6);
            push(&mut samples, *contender, BY_MINUTE, bytes);
        }
    }
    runtime.block_on(load).context("the load")??;
    for (contender, _) in &workers {
        let bytes = &samples[contender.name()][BY_MINUTE];
        let (Some(early), Some(late)) = (bytes.get(WARM - 1), bytes.last()) else { continue };
        let percent = (late / early - 1.0) * 100.0;
        println!("  {:<12} grew by {percent:.1} %", contender.name());
        push(&mut samples, *contender, GROWTH, percent);
    }
    Ok(samples)
}

/// Starts workflows at a steady rate, whether those before have ended or not.
async fn steady(client: Client, queues: Vec<&'static str>, limit: Duration) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, mut number, mut running) = (Instant::now(), 0_u64, JoinSet::new());
    while began.elapsed() < limit {
        ticks.tick().await;
        number += 1;
        for &queue in &queues {
            let client = client.clone();
            running.spawn(async move { Work::OneActivity.drive(&client, queue, &format!("{queue}-{number}")).await });
        }
        while let Some(ended) = running.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// By how many percent the memory of the last minute is above that of the fifth.
pub(crate) const GROWTH: &str = "growth %";
/// Bytes at the end of each minute.
const BY_MINUTE: &str = "bytes by minute";
const MINUTES: u64 = 60;
const WARM: usize = 5;
const PER_SECOND: u32 = 5;
