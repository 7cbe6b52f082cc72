//! The least program with one activity, as a user of Temporal's Rust SDK writes it.

use anyhow::{Context, Result};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use url::Url;

pub struct Activities;

#[activities]
impl Activities {
    #[activity(name = "nothing")]
    pub async fn nothing(_: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().context("usage: bench-official-activities ADDRESS TASK_QUEUE");
    let target: Url = format!("http://{}", argument()?).parse()?;
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let connection = Connection::connect(ConnectionOptions::new(target).identity("worker").build()).await?;
    let client = Client::new(connection, ClientOptions::new("default").build())?;
    let options = WorkerOptions::new(argument()?)
        .deployment_options(WorkerDeploymentOptions::from_build_id("bench".to_owned()))
        .register_activities(Activities)
        .build();
    let mut worker = Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?;
    let shut_down = worker.shutdown_handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            shut_down();
        }
    });
    println!("ready");
    worker.run().await?;
    Ok(())
}
