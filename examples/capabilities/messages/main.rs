//! Messages: Signals change a workflow, Queries look at it, Updates change it and answer.

use std::collections::BTreeMap;
use std::time::Duration;

use capabilities::{Outcome, beside};
use timewright::activity::ActivityWorker;
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::converter::ApplicationFailure;
use timewright::definition::Multiple;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, activity, workflow};

/// The state: what handlers change, and `run` waits for.
#[derive(Default)]
struct CartWorkflow {
    items: BTreeMap<String, u32>,
    discount: u32,
    is_checked_out: bool,
}

#[workflow]
impl CartWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) -> Result<u32, WorkflowError> {
        context.wait_condition(|state| state.is_checked_out).await?;
        // Updates that still work on something get their answer before the workflow ends.
        context.wait_condition(|_| context.all_handlers_finished()).await?;
        Ok(context.state(Self::total))
    }

    /// Puts something into the cart.
    #[signal]
    fn add(&mut self, item: String, price: u32) {
        self.items.insert(item, price);
    }

    #[signal]
    fn check_out(&mut self) {
        self.is_checked_out = true;
    }

    /// What all of it costs.
    #[query]
    fn total(&self) -> u32 {
        self.items.values().sum::<u32>().saturating_sub(self.discount)
    }

    /// Takes something out, and says what it would have cost.
    #[update(validator = is_there)]
    fn remove(&mut self, item: String) -> Option<u32> {
        self.items.remove(&item)
    }

    fn is_there(&self, item: &str) -> Result<(), WorkflowError> {
        match self.items.contains_key(item) {
            true => Ok(()),
            false => Err(ApplicationFailure::new(format!("there is no {item} in the cart")).into()),
        }
    }

    /// Takes time: it asks somebody else, and goes on beside `run`. It has the context, and borrows the state when it needs it.
    #[update]
    async fn redeem(context: WorkflowContext<Self>, voucher: String) -> Result<u32, WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        let discount = context.execute_activity(LookUpVoucher, voucher, options).await?;
        context.state_mut(|state| state.discount += discount);
        Ok(context.state(Self::total))
    }
}

#[activity]
async fn look_up_voucher(voucher: String) -> u32 {
    if voucher == "SPRING" { 50 } else { 0 }
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<CartWorkflow>().build()?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE).register(LookUpVoucher).build()?;

    beside(Worker::new().workflows(workflows).activities(activities), async {
        let options = StartWorkflowOptions::new(TASK_QUEUE, format!("cart-{}", random_id()));
        let cart = client.start_workflow(Cart, (), options).await?;
        cart.signal(Add, Multiple(("tea".to_owned(), 300))).await?;
        cart.signal(Add, Multiple(("cake".to_owned(), 400))).await?;
        println!("total: {}", cart.query(Total, ()).await?);
        println!("removed: {:?}", cart.update(Remove, "cake".to_owned()).await?);
        if let Err(error) = cart.update(Remove, "soup".to_owned()).await {
            println!("refused: {error}");
        }
        println!("with a voucher: {}", cart.update(Redeem, "SPRING".to_owned()).await?);
        cart.signal(CheckOut, ()).await?;
        println!("paid: {}", cart.result().await?);
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "messages";
