//! The first version: an offer by letter, and a receipt by letter.

use std::time::Duration;

use timewright::workflow;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError};

use crate::{Paid, Sale, SendLetter, WaitForOffer};

#[derive(Default)]
pub(crate) struct SaleWorkflow {
    is_offered: bool,
    is_paid: bool,
}

#[workflow(Sale)]
impl SaleWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) -> Result<Vec<String>, WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        let offer = context.execute_activity(SendLetter, (), options.clone()).await?;
        context.state_mut(|state| state.is_offered = true);
        context.wait_condition(|state| state.is_paid).await?;
        let receipt = context.execute_activity(SendLetter, (), options).await?;
        Ok(vec![offer, receipt])
    }

    #[signal(Paid)]
    fn paid(&mut self) {
        self.is_paid = true;
    }

    #[update(WaitForOffer)]
    async fn wait_for_offer(context: WorkflowContext<Self>) -> Result<(), WorkflowError> {
        Ok(context.wait_condition(|state| state.is_offered).await?)
    }
}
