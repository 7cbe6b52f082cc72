//! Signals, Queries and Updates that cannot be.
#![allow(unused_variables)]

use timewright::workflow;
use timewright::workflow::{WorkflowContext, WorkflowError};

#[derive(Default)]
struct CounterWorkflow {
    count: u64,
}

#[workflow]
impl CounterWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) {}

    #[signal]
    fn signal_that_looks(&self) {}

    #[signal]
    fn signal_by_value(self) {}

    #[signal]
    fn signal_of_nobody(amount: u64) {}

    #[signal]
    fn signal_with_answer(&mut self) -> u64 {
        1
    }

    #[signal]
    async fn async_signal_with_state(&mut self, amount: u64) {}

    #[signal(validator = check)]
    fn signal_with_validator(&mut self) {}

    #[query]
    async fn async_query(&self) -> u64 {
        1
    }

    #[query]
    fn query_that_changes(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    #[query]
    fn query_without_answer(&self) {}

    #[query]
    fn query_with_context(&self, context: WorkflowContext<Self>) -> u64 {
        1
    }

    #[update]
    async fn async_update_with_state(&mut self, amount: u64) -> u64 {
        amount
    }

    #[update]
    async fn async_update_without_context(amount: u64) -> u64 {
        amount
    }

    #[update]
    fn update_with_context(&mut self, context: WorkflowContext<Self>, amount: u64) -> u64 {
        amount
    }

    #[update]
    fn generic_update<T>(&mut self, amount: T) -> u64 {
        1
    }

    #[update(validator = check_by_value)]
    fn first(&mut self, amount: u64) -> u64 {
        amount
    }

    fn check_by_value(&self, amount: u64) -> Result<(), WorkflowError> {
        Ok(())
    }

    #[update(validator = check_mutable)]
    fn second(&mut self, amount: u64) -> u64 {
        amount
    }

    fn check_mutable(&mut self, amount: &u64) -> Result<(), WorkflowError> {
        Ok(())
    }

    #[update(validator = check_without_error)]
    fn third(&mut self, amount: u64) -> u64 {
        amount
    }

    fn check_without_error(&self, amount: &u64) -> bool {
        true
    }

    #[update(validate = check)]
    fn fourth(&mut self, amount: u64) -> u64 {
        amount
    }
}

fn main() {}
