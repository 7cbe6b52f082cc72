//! The least program with activities alone, as a user writes it: how much is built for it, how large it is.

use std::time::Duration;

use timewright::activity;
use timewright::activity::{ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions};

#[activity(name = "nothing")]
async fn nothing() -> Result<(), ActivityError> {
    Ok(())
}

#[activity(name = "wait")]
async fn wait() -> Result<(), ActivityError> {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(task_queue)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bench-timewright-activities ADDRESS TASK_QUEUE".into());
    };
    let client = Client::connect(ClientOptions::new(address)).await?;
    let worker = ActivityWorker::builder(client, task_queue)
        .register(Nothing)
        .register(Wait)
        .maximum_concurrent_activities(500)
        .build()?;
    println!("ready");
    worker.run(timewright::shutdown_signal()).await?;
    Ok(())
}
