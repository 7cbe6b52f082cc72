//! Cancellation with clean-up: an operation hears of it and stops, the workflow tidies up, and ends as cancelled.

use std::time::Duration;

use capabilities::{Outcome, beside};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::workflow::{ActivityCancellationType, ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, activity, workflow};

#[derive(Default)]
struct RenderWorkflow {
    is_running: bool,
}

#[workflow]
impl RenderWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, film: String) -> Result<String, WorkflowError> {
        let folder = context.execute_activity(MakeFolder, film, ten_seconds()).await?;
        context.state_mut(|state| state.is_running = true);
        // The activity hears of the cancellation in the answer to a heartbeat; the workflow waits until it has stopped.
        let options = ActivityOptions::start_to_close(Duration::from_secs(3600))
            .heartbeat_timeout(Duration::from_secs(5))
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted);
        let rendered = context.execute_activity(RenderFrames, folder.clone(), options).await;
        // Whatever came of it: the folder goes. What starts from a detached context is not cancelled with the workflow.
        context.detached().execute_activity(RemoveFolder, folder, ten_seconds()).await?;
        Ok(rendered?)
    }

    /// Answers when the rendering has begun.
    #[update]
    async fn wait_for_start(context: WorkflowContext<Self>) -> Result<(), WorkflowError> {
        Ok(context.wait_condition(|state| state.is_running).await?)
    }
}

#[activity]
async fn make_folder(film: String) -> String {
    println!("folder of {film} made");
    format!("/films/{film}")
}

#[activity]
async fn render_frames(context: ActivityContext, folder: String) -> Result<String, ActivityError> {
    for frame in 0..24 * 3600 {
        context.heartbeat(frame)?;
        // A frame takes a while, unless it is cancelled.
        if let Ok(reason) = tokio::time::timeout(Duration::from_millis(50), context.cancelled()).await {
            println!("rendering stops: {reason}");
            return Err(ActivityError::cancelled());
        }
    }
    Ok(format!("{folder}/film"))
}

#[activity]
async fn remove_folder(folder: String) {
    println!("{folder} removed");
}

fn ten_seconds() -> ActivityOptions {
    ActivityOptions::start_to_close(Duration::from_secs(10))
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<RenderWorkflow>().build()?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE)
        .register(MakeFolder)
        .register(RenderFrames)
        .register(RemoveFolder)
        .build()?;

    beside(Worker::new().workflows(workflows).activities(activities), async {
        let options = StartWorkflowOptions::new(TASK_QUEUE, format!("render-{}", random_id()));
        let render = client.start_workflow(Render, "metropolis".to_owned(), options).await?;
        render.update(WaitForStart, ()).await?;
        render.cancel("the film is not wanted any more").await?;
        match render.result().await {
            Ok(file) => println!("rendered: {file}"),
            Err(error) => println!("not rendered: {error}"),
        }
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "cancellation";
