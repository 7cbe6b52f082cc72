//! An order that is paid, packed and delivered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use timewright::converter::ApplicationFailure;
use timewright::definition::activity_definition;
use timewright::workflow;
use timewright::workflow::{ActivityOptions, ChildWorkflowOptions, WorkflowContext, WorkflowError};

/// What is ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basket {
    /// The things, by name.
    pub items: Vec<String>,
    /// How many orders like this one follow it, each as a run of its own.
    pub repetitions: u32,
}

/// Takes the money for so many things; gives the number of the receipt. Its implementation is native, in any worker.
#[activity_definition(name = "charge", input = u64, output = String)]
pub struct Charge;

/// The state of an order.
pub struct OrderWorkflow {
    items: Vec<String>,
    is_packed: bool,
}

/// An order: waits until it is packed, is paid, and sends a child on its way.
#[workflow]
impl OrderWorkflow {
    /// An Update can be there before the first line of `run` is executed.
    #[init]
    fn new(basket: &Basket) -> Self {
        Self { items: basket.items.clone(), is_packed: false }
    }

    /// Goes on to the delivery.
    #[run]
    pub async fn run(context: WorkflowContext<Self>, basket: Basket) -> Result<String, WorkflowError> {
        if basket.items.is_empty() {
            let nothing = ApplicationFailure::new("nothing was ordered")
                .with_type("EmptyBasket")
                .with_details(basket.repetitions);
            return Err(nothing.into());
        }
        let repetitions = basket.repetitions;
        tracing::info!(repetitions, "an order has come");
        context.wait_condition(|state| state.is_packed).await?;
        context.sleep(Duration::from_millis(50)).await?; // the van comes
        let count = context.state(|state| state.items.len() as u64);
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        let receipt = context.execute_activity(Charge, count, options).await?;
        if let Some(repetitions) = repetitions.checked_sub(1) {
            let items = context.state(|state| state.items.clone());
            let next = Basket { items, repetitions };
            return Err(context.continue_as_new(next));
        }
        let delivery = ChildWorkflowOptions::new(format!("{}-delivery", context.info().workflow_id));
        let delivered = context.start_child_workflow(Delivery, receipt, delivery).await?.await?;
        Ok(delivered)
    }

    /// Lets the order go on.
    #[signal]
    pub fn pack(&mut self) {
        self.is_packed = true;
    }

    /// What is in it.
    #[query]
    pub fn items(&self) -> Vec<String> {
        self.items.clone()
    }

    /// Adds something, and says how many things there are.
    #[update(validator = is_open)]
    pub fn add(&mut self, item: String) -> u64 {
        self.items.push(item);
        self.items.len() as u64
    }

    fn is_open(&self, _item: &str) -> Result<(), WorkflowError> {
        match self.is_packed {
            true => Err(ApplicationFailure::new("it is packed already").into()),
            false => Ok(()),
        }
    }
}

/// Nothing that it must keep.
#[derive(Default)]
pub struct DeliveryWorkflow;

/// A delivery: takes a while.
#[workflow]
impl DeliveryWorkflow {
    /// Goes on to the delivery.
    #[run]
    pub async fn run(context: WorkflowContext<Self>, receipt: String) -> Result<String, WorkflowError> {
        context.sleep(Duration::from_millis(10)).await?;
        Ok(format!("delivered against {receipt}"))
    }
}
