//! The least program with activities alone, as a user of Temporal's Rust SDK writes it.

use std::time::Duration;

use anyhow::{Context, Result};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder, WorkerTuner};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use url::Url;

pub struct Activities;

#[activities]
impl Activities {
    #[activity(name = "nothing")]
    pub async fn nothing(_: ActivityContext) -> Result<(), ActivityError> {
        Ok(())
    }

    #[activity(name = "wait")]
    pub async fn wait(_: ActivityContext) -> Result<(), ActivityError> {
        tokio::time::sleep(Duration::from_secs(3600)).await;
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
        .tuner(slots())
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

/// 500 for activities.
fn slots() -> WorkerTuner {
    let of_the_rest = FixedSizeSlotSupplier::new(100);
    TunerHolder::builder()
        .workflow_task_slot_supplier(of_the_rest)
        .activity_task_slot_supplier(FixedSizeSlotSupplier::new(500))
        .local_activity_task_slot_supplier(of_the_rest)
        .nexus_task_slot_supplier(of_the_rest)
        .build()
        .into()
}
