//! Child workflows: a workflow starts others, signals them, and puts their results together.

use std::time::Duration;

use capabilities::{Outcome, beside};
use timewright::Worker;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::workflow;
use timewright::workflow::{ChildWorkflowOptions, WorkflowContext, WorkflowError, WorkflowWorker};

#[derive(Default)]
struct OrderWorkflow;

#[workflow]
impl OrderWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, parcels: Vec<String>) -> Result<Vec<String>, WorkflowError> {
        // All are started before the first is waited for.
        let starting: Vec<_> = parcels
            .into_iter()
            .map(|parcel| {
                // An id that says what it is makes a child easy to find, and impossible to start twice.
                let workflow_id = format!("{}-{parcel}", context.info().workflow_id);
                context.start_child_workflow(Delivery, parcel, ChildWorkflowOptions::new(workflow_id))
            })
            .collect();
        let mut deliveries = Vec::new();
        for child in starting {
            let child = child.await?;
            child.signal(Dispatch, "the red van".to_owned()).await?;
            deliveries.push(child);
        }
        let mut results = Vec::new();
        for delivery in deliveries {
            results.push(delivery.await?);
        }
        Ok(results)
    }
}

#[derive(Default)]
struct DeliveryWorkflow {
    van: Option<String>,
}

#[workflow]
impl DeliveryWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, parcel: String) -> Result<String, WorkflowError> {
        context.wait_condition(|state| state.van.is_some()).await?;
        context.sleep(Duration::from_millis(100)).await?; // the way
        let van = context.state(|state| state.van.clone()).unwrap_or_default();
        Ok(format!("{parcel} came with {van}"))
    }

    #[signal]
    fn dispatch(&mut self, van: String) {
        self.van = Some(van);
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let worker = WorkflowWorker::builder(client.clone(), TASK_QUEUE)
        .workflow::<OrderWorkflow>()
        .workflow::<DeliveryWorkflow>()
        .build()?;

    beside(Worker::new().workflows(worker), async {
        let options = StartWorkflowOptions::new(TASK_QUEUE, format!("order-{}", random_id()));
        let parcels = vec!["books".to_owned(), "chairs".to_owned(), "lamps".to_owned()];
        for delivery in client.start_workflow(Order, parcels, options).await?.result().await? {
            println!("{delivery}");
        }
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "child-workflows";
