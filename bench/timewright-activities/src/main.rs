//! The least program with one activity, as a user writes it: how much is built for it, how large it is.

use timewright::activity;
use timewright::activity::{ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions};

#[activity(name = "nothing")]
async fn nothing() -> Result<(), ActivityError> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(task_queue)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bench-timewright-activities ADDRESS TASK_QUEUE".into());
    };
    let client = Client::connect(ClientOptions::new(address)).await?;
    let worker = ActivityWorker::builder(client, task_queue).register(Nothing).build()?;
    println!("ready");
    worker.run(timewright::shutdown_signal()).await?;
    Ok(())
}
