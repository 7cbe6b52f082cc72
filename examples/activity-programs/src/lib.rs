//! What the programs of this example share. Each of them is one file in `src/bin`, with a story of its own:
//!
//! | program | shows |
//! |---|---|
//! | `gpu_worker` | an activity-only worker with room for sessions; run it on each machine with a GPU |
//! | `gpu_training` | a workflow whose activities all go to one of those machines |
//! | `resumable_download` | heartbeats with details, from which the next attempt goes on |
//! | `approval_webhook` | an activity that somebody completes over HTTP |
//! | `tower_layers` | limits, timeouts and logs around activities, from the tower ecosystem |
//!
//! All of them connect to the server that `TEMPORAL_ADDRESS` names.
#![forbid(unsafe_code)]

use timewright::client::{Client, ClientOptions};
use timewright::definition::ActivityDefinition;

/// Loads a data set onto the machine, and gives how many samples there are.
#[derive(Debug)]
pub struct LoadData;

impl ActivityDefinition for LoadData {
    const NAME: &'static str = "LoadData";
    type Input = String;
    type Output = u64;
}

/// Trains on what was loaded, for one epoch, and gives the loss.
#[derive(Debug)]
pub struct TrainEpoch;

impl ActivityDefinition for TrainEpoch {
    const NAME: &'static str = "TrainEpoch";
    type Input = u32;
    type Output = f64;
}

/// Which Task Queue a program uses: `TASK_QUEUE`, or its own name.
#[must_use]
pub fn task_queue(program: &str) -> String {
    std::env::var("TASK_QUEUE").unwrap_or_else(|_| program.to_owned())
}

/// A client for the server that the environment names; logs go to standard error.
///
/// # Errors
/// If the environment is not usable, or no server answers.
pub async fn connect() -> Result<Client, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    Ok(Client::connect(ClientOptions::from_environment()?).await?)
}
