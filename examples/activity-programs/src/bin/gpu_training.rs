//! Trains on one of the machines that run `gpu_worker`, whichever has room; on another one, from the beginning, if that dies.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program shows what it does")]

use std::time::Duration;

use activity_programs::{LoadData, TrainEpoch, connect, task_queue};
use timewright::client::{StartWorkflowOptions, random_id};
use timewright::definition::WorkflowDefinition;
use timewright::workflow::{
    ActivityOptions, Session, SessionActivityFailure, SessionOptions, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo, WorkflowWorker,
};

struct Training;

impl WorkflowDefinition for Training {
    const NAME: &'static str = "Training";
    type Input = String;
    type Output = f64;
}

impl Workflow for Training {
    type Definition = Self;

    fn init(_info: &WorkflowInfo, _data_set: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, data_set: String) -> Result<f64, WorkflowError> {
        loop {
            let session = context.open_session(SessionOptions::new(Duration::from_secs(600))).await?;
            let trained = train(&session, &data_set).await;
            session.close().await;
            match trained {
                Err(SessionActivityFailure::SessionLost(_)) => (),
                trained => return Ok(trained?),
            }
        }
    }
}

/// All of it on the session's machine: what the first activity loads, the others find there.
async fn train(session: &Session<Training>, data_set: &str) -> Result<f64, SessionActivityFailure> {
    let options = ActivityOptions::start_to_close(Duration::from_secs(60)).heartbeat_timeout(Duration::from_secs(10));
    session.execute_activity(LoadData, data_set.to_owned(), options.clone()).await?;
    let mut loss = f64::MAX;
    for epoch in 0..3 {
        loss = session.execute_activity(TrainEpoch, epoch, options.clone()).await?;
    }
    Ok(loss)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, task_queue) = (connect().await?, task_queue("gpu"));
    let worker = WorkflowWorker::builder(client.clone(), &task_queue).workflow::<Training>().build()?;
    let options = StartWorkflowOptions::new(&task_queue, format!("training-{}", random_id()));
    let training = client.start_workflow(Training, "some data".to_owned(), options).await?;
    tokio::select! {
        ended = worker.run(timewright::shutdown_signal()) => ended?,
        loss = training.result() => println!("the loss is {:.2}", loss?),
    }
    Ok(())
}
