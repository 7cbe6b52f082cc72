//! Workflows that cannot be.
#![allow(unused_variables)]

use timewright::workflow;
use timewright::workflow::{WorkflowContext, WorkflowError, WorkflowInfo};

#[derive(Default)]
struct NoRunWorkflow;

#[workflow]
impl NoRunWorkflow {
    #[signal]
    fn stop(&mut self) {}
}

#[derive(Default)]
struct TwoRunsWorkflow;

#[workflow]
impl TwoRunsWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) {}

    #[run]
    async fn run_again(context: WorkflowContext<Self>) {}
}

#[derive(Default)]
struct RunWithSelfWorkflow;

#[workflow]
impl RunWithSelfWorkflow {
    #[run]
    async fn run(&mut self, name: String) -> Result<String, WorkflowError> {
        Ok(name)
    }
}

#[derive(Default)]
struct RunAtOnceWorkflow;

#[workflow]
impl RunAtOnceWorkflow {
    #[run]
    fn run(context: WorkflowContext<Self>) {}
}

#[derive(Default)]
struct LateContextWorkflow;

#[workflow]
impl LateContextWorkflow {
    #[run]
    async fn run(name: String, context: WorkflowContext<Self>) {}
}

#[derive(Default)]
struct NamedRunWorkflow;

#[workflow]
impl NamedRunWorkflow {
    #[run(name = "greeting")]
    async fn run(context: WorkflowContext<Self>) {}
}

#[derive(Default)]
struct Unnamed;

#[workflow]
impl Unnamed {
    #[run]
    async fn run(context: WorkflowContext<Self>) {}
}

struct InitWorkflow;

#[workflow]
impl InitWorkflow {
    #[init]
    fn new(info: &WorkflowInfo, name: String) -> Self {
        Self
    }

    #[run]
    async fn run(context: WorkflowContext<Self>, name: String) {}
}

#[derive(Default)]
struct TwoThingsWorkflow;

#[workflow]
impl TwoThingsWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>) {}

    #[query]
    #[update]
    fn count(&mut self) -> u64 {
        1
    }
}

#[derive(Default)]
struct GenericWorkflow<T>(T);

#[workflow]
impl<T> GenericWorkflow<T> {
    #[run]
    async fn run(context: WorkflowContext<Self>) {}
}

fn main() {}
