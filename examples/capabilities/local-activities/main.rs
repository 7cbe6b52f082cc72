//! Local Activities: short work, done by the worker that executes the workflow, without the server.

use std::time::Duration;

use capabilities::{Outcome, beside};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::converter::ApplicationFailure;
use timewright::definition::RetryPolicy;
use timewright::workflow::{LocalActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{LocalActivities, Worker, activity, workflow};

#[derive(Default)]
struct QuoteWorkflow;

#[workflow]
impl QuoteWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, goods: Vec<String>) -> Result<u32, WorkflowError> {
        let retries = RetryPolicy::default().initial_interval(Duration::from_millis(10)).maximum_attempts(5);
        let options = LocalActivityOptions::start_to_close(Duration::from_secs(2)).retry_policy(retries);
        // All at once, and all of it within one Workflow Task.
        let asked: Vec<_> =
            goods.into_iter().map(|item| context.execute_local_activity(Price, item, options.clone())).collect();
        let mut total = 0;
        for price in asked {
            total += price.await?;
        }
        Ok(total)
    }
}

#[activity]
async fn price(context: ActivityContext, item: String) -> Result<u32, ActivityError> {
    if context.info().attempt == 1 {
        return Err(ApplicationFailure::new("the price list is locked").with_type("Locked").into());
    }
    println!("attempt {}: price of {item}", context.info().attempt);
    Ok(u32::try_from(item.len())? * 100)
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE).register(Price).build()?;
    // The workflow worker executes them itself. The Activity Worker need not run, unless others call its activities, too.
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE)
        .workflow::<QuoteWorkflow>()
        .local_activities(LocalActivities::of(&activities))
        .build()?;

    beside(Worker::new().workflows(workflows), async {
        let options = StartWorkflowOptions::new(TASK_QUEUE, format!("quote-{}", random_id()));
        let goods = vec!["tea".to_owned(), "sugar".to_owned()];
        let quote = client.start_workflow(Quote, goods, options).await?;
        println!("all of it costs {}", quote.result().await?);
        println!("the history has {} events", quote.history().await?.events.len());
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "local-activities";
