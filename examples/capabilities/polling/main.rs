//! Polling: waiting for something that announces itself to nobody, seldom or often.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use capabilities::{Outcome, beside};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::converter::ApplicationFailure;
use timewright::definition::RetryPolicy;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, activities, workflow};

#[derive(Default)]
struct ReportWorkflow;

#[workflow]
impl ReportWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) -> Result<String, WorkflowError> {
        // Seldom: each look is an attempt, and the server waits between them, in its own time. Such a wait costs no worker
        // anything, and no Event of the history.
        let every = RetryPolicy::default().initial_interval(Duration::from_millis(200)).backoff_coefficient(1.0);
        let options = ActivityOptions::start_to_close(Duration::from_secs(10)).retry_policy(every);
        let draft = context.execute_activity(LookForDraft, (), options).await?;

        // Often: one attempt looks again and again. Its heartbeats say that it is alive; should its worker die, another one goes
        // on after a heartbeat timeout.
        let options =
            ActivityOptions::start_to_close(Duration::from_secs(3600)).heartbeat_timeout(Duration::from_secs(5));
        let printed = context.execute_activity(WaitForPrinter, draft, options).await?;
        Ok(printed)
    }
}

/// Stands for systems that can only be asked.
#[derive(Default)]
struct Office {
    asked: AtomicU32,
}

#[activities]
impl Office {
    #[activity]
    async fn look_for_draft(&self, context: ActivityContext) -> Result<String, ActivityError> {
        println!("attempt {}: is there a draft?", context.info().attempt);
        if context.info().attempt < 3 {
            return Err(ApplicationFailure::new("not yet").with_type("NotYet").into());
        }
        Ok("draft".to_owned())
    }

    #[activity]
    async fn wait_for_printer(&self, context: ActivityContext, draft: String) -> Result<String, ActivityError> {
        while self.asked.fetch_add(1, Ordering::Relaxed) < 5 {
            context.heartbeat(())?;
            // A pause that a cancellation ends.
            if tokio::time::timeout(Duration::from_millis(20), context.cancelled()).await.is_ok() {
                return Err(ActivityError::cancelled());
            }
        }
        Ok(format!("printed {draft}"))
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<ReportWorkflow>().build()?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE).register(Office::default()).build()?;

    beside(Worker::new().workflows(workflows).activities(activities), async {
        let options = StartWorkflowOptions::new(TASK_QUEUE, format!("report-{}", random_id()));
        println!("{}", client.start_workflow(Report, (), options).await?.result().await?);
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "polling";
