//! The second version: sales that begin now send emails, those that run go on as they began.

use std::time::Duration;

use timewright::workflow;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError};

use crate::{Paid, Sale, SendEmail, SendLetter, WaitForOffer};

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
        // For a sale that sent its offer before this version: false, for ever. For one that comes here first: true.
        let by_email = context.patched("by-email");
        let offer = if by_email {
            context.execute_activity(SendEmail, (), options.clone()).await?
        } else {
            context.execute_activity(SendLetter, (), options.clone()).await?
        };
        context.state_mut(|state| state.is_offered = true);
        context.wait_condition(|state| state.is_paid).await?;
        let receipt = if by_email {
            context.execute_activity(SendEmail, (), options).await?
        } else {
            context.execute_activity(SendLetter, (), options).await?
        };
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
