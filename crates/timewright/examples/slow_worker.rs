//! A worker of both roles whose work is slow enough to be caught in the middle. The tests of shutdown run it, and stop it.
//!
//! It prints what it does. Where the server is, says `TEMPORAL_ADDRESS`; `SLOW_WORKER_TASK_QUEUE` is its Task Queue, and
//! `SLOW_WORKER_GRACE` how many milliseconds activities may go on once it has been asked to end.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "tests wait for what it prints")]

use std::time::Duration;

use timewright::Worker;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions};
use timewright::definition::{ActivityDefinition, WorkflowDefinition};
use timewright::workflow::{ActivityOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker};

/// Does the work that its input names, and says how.
struct SlowWork;

impl WorkflowDefinition for SlowWork {
    const NAME: &'static str = "slow_work";
    type Input = String;
    type Output = String;
}

struct SlowStep;

impl ActivityDefinition for SlowStep {
    const NAME: &'static str = "slow_step";
    type Input = String;
    type Output = String;
}

struct SlowWorkflow;

impl Workflow for SlowWorkflow {
    type Definition = SlowWork;

    fn init(_info: &WorkflowInfo, _work: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, work: String) -> Result<String, WorkflowError> {
        if work == "a slow workflow task" {
            if !context.is_replaying() {
                println!("the workflow task has begun");
                // Something that no workflow should do: its thread is stuck for a while.
                std::thread::sleep(Duration::from_millis(1500));
            }
            // Long enough for this process to have ended by then.
            context.sleep(Duration::from_secs(2)).await?;
            return Ok("done".to_owned());
        }
        let options =
            ActivityOptions::start_to_close(Duration::from_secs(60)).heartbeat_timeout(Duration::from_secs(1));
        Ok(context.execute_activity(SlowStep, work, options).await?)
    }
}

async fn slow_step(context: ActivityContext, work: String) -> Result<String, ActivityError> {
    let attempt = context.info().attempt;
    println!("attempt {attempt} has begun");
    let heartbeats = async {
        loop {
            // Never fails for these details.
            let _ = context.heartbeat("half done".to_owned());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match work.as_str() {
        _ if attempt > 1 => (),
        "ends soon after the shutdown" => tokio::select! {
            () = heartbeats => (),
            () = async {
                context.worker_shutdown().await;
                tokio::time::sleep(Duration::from_millis(1500)).await;
            } => (),
        },
        _ => tokio::select! {
            () = heartbeats => (),
            reason = context.cancelled() => {
                println!("told to stop: {reason}");
                return Err(ActivityError::cancelled());
            }
        },
    }
    let before = context.previous_heartbeat_details::<String>()?.unwrap_or_else(|| "not begun".to_owned());
    Ok(format!("done in attempt {attempt}, {before} before"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let task_queue = std::env::var("SLOW_WORKER_TASK_QUEUE")?;
    let grace = Duration::from_millis(std::env::var("SLOW_WORKER_GRACE")?.parse()?);
    let workflows = WorkflowWorker::builder(client.clone(), &task_queue)
        .workflow::<SlowWorkflow>()
        .sticky_schedule_to_start_timeout(Duration::from_secs(1))
        .build()?;
    let activities = ActivityWorker::builder(client, &task_queue)
        .activity(SlowStep, slow_step)
        .graceful_shutdown_timeout(grace)
        .build()?;
    Worker::new().workflows(workflows).activities(activities).run(timewright::shutdown_signal()).await?;
    println!("everything has ended");
    Ok(())
}
