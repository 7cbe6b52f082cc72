//! Replays one history again and again.

use std::time::Duration;

use anyhow::{Context, Result};
use prost::Message;
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

use crate::workflows;

/// Prints how many Events were replayed in how many CPU seconds.
pub(crate) async fn run(file: &str, seconds: u64) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| file.to_owned())?;
    let history = History::decode(bytes.as_slice())?;
    let options = WorkflowReplayerOptions::new().register_workflow::<workflows::InSequence>()?.build();
    let replayer = WorkflowReplayer::new(options)?;
    let (before, mut events) = (cpu()?, 0);
    loop {
        // Both SDKs take a history as theirs; the copy is in both figures.
        replayer.replay_workflow(WorkflowHistory::from(history.clone())).await?;
        events += history.events.len();
        let used = cpu()? - before;
        if used >= Duration::from_secs(seconds) {
            println!("{{\"events\": {events}, \"cpu_seconds\": {}}}", used.as_secs_f64());
            return Ok(());
        }
    }
}

/// User and system time of this process so far, in the kernel's hundredths of a second.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may contain anything, and a parenthesis.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}
