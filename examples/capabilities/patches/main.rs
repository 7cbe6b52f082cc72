//! Patches: workflow code changes while workflows run that began with the code before.

mod first;
mod second;
mod third;

use capabilities::{Outcome, beside};
use timewright::activity::ActivityWorker;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, WorkflowHandle, random_id};
use timewright::workflow::{Workflow, WorkflowWorker};
use timewright::{Worker, activities, activity_definition, signal_definition, update_definition, workflow_definition};

/// Sells something: the contract, which all versions of the code keep.
#[workflow_definition(output = Vec<String>)]
struct Sale;

#[signal_definition(workflow = Sale)]
struct Paid;

/// Answers when the offer has been sent.
#[update_definition(workflow = Sale)]
struct WaitForOffer;

#[activity_definition(output = String)]
struct SendLetter;

#[activity_definition(output = String)]
struct SendEmail;

struct Post;

#[activities]
impl Post {
    #[activity(SendLetter)]
    async fn send_letter() -> String {
        "a letter".to_owned()
    }

    #[activity(SendEmail)]
    async fn send_email() -> String {
        "an email".to_owned()
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;

    // With the first version of the code a sale begins, and is not paid yet.
    let early = beside(worker::<first::SaleWorkflow>(&client)?, begin(&client, "early")).await?;

    // The second version goes on with it, the old way; a new sale goes the new way.
    let late = beside(worker::<second::SaleWorkflow>(&client)?, async {
        finish("the early sale", &early).await?;
        begin(&client, "late").await
    })
    .await?;

    // No sale of the first version is open any more, so the third needs the old way no longer.
    beside(worker::<third::SaleWorkflow>(&client)?, async {
        finish("the late sale", &late).await?;
        finish("the latest sale", &begin(&client, "latest").await?).await
    })
    .await
}

/// A worker with one version of the code.
fn worker<W: Workflow>(client: &Client) -> Outcome<Worker> {
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<W>().build()?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE).register(Post).build()?;
    Ok(Worker::new().workflows(workflows).activities(activities))
}

/// Starts a sale, and returns when it waits for the money.
async fn begin(client: &Client, name: &str) -> Outcome<WorkflowHandle<Sale>> {
    let options = StartWorkflowOptions::new(TASK_QUEUE, format!("sale-{name}-{}", random_id()));
    let sale = client.start_workflow(Sale, (), options).await?;
    sale.update(WaitForOffer, ()).await?;
    Ok(sale)
}

async fn finish(name: &str, sale: &WorkflowHandle<Sale>) -> Outcome {
    sale.signal(Paid, ()).await?;
    println!("{name}: {:?}", sale.result().await?);
    Ok(())
}

const TASK_QUEUE: &str = "patches";
