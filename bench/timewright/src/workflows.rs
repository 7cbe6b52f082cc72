//! The workflows. `bench/official/src/workflows.rs` is the same, line by line.

use std::time::Duration;

use bench_definitions::{
    ActivitiesInParallel, ActivitiesInSequence, Add, Child, Computation, Count, Echo, Given, LocalActivitiesInSequence,
    Messages, Payload, Timer,
};
use timewright::workflow;
use timewright::workflow::{
    ActivityOptions, ChildWorkflowOptions, LocalActivityOptions, WorkflowContext, WorkflowError, join_all,
};

#[derive(Default)]
pub(crate) struct InSequence;

#[workflow(ActivitiesInSequence)]
impl InSequence {
    #[run]
    async fn run(context: WorkflowContext<Self>, count: u32) -> Result<(), WorkflowError> {
        for _ in 0..count {
            context.execute_activity(Echo, "hello".to_owned(), options()).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct InParallel;

#[workflow(ActivitiesInParallel)]
impl InParallel {
    #[run]
    async fn run(context: WorkflowContext<Self>, count: u32) -> Result<(), WorkflowError> {
        let activities = (0..count).map(|_| context.execute_activity(Echo, "hello".to_owned(), options()));
        join_all(activities.collect::<Vec<_>>()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Locally;

#[workflow(LocalActivitiesInSequence)]
impl Locally {
    #[run]
    async fn run(context: WorkflowContext<Self>, count: u32) -> Result<(), WorkflowError> {
        for _ in 0..count {
            let options = LocalActivityOptions::start_to_close(LONG);
            context.execute_local_activity(Echo, "hello".to_owned(), options).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Counter {
    messages: u32,
}

#[workflow(Messages)]
impl Counter {
    #[run]
    async fn run(context: WorkflowContext<Self>, count: u32) -> Result<(), WorkflowError> {
        context.wait_condition(|state| state.messages >= count).await?;
        Ok(())
    }

    #[signal(Add)]
    fn add(&mut self) {
        self.messages += 1;
    }

    #[update(Count)]
    fn count(&mut self) -> u32 {
        self.messages += 1;
        self.messages
    }
}

#[derive(Default)]
pub(crate) struct Waiting;

#[workflow(Timer)]
impl Waiting {
    #[run]
    async fn run(context: WorkflowContext<Self>, milliseconds: u64) -> Result<(), WorkflowError> {
        context.sleep(Duration::from_millis(milliseconds)).await?;
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Parent;

#[workflow(Child)]
impl Parent {
    #[run]
    async fn run(context: WorkflowContext<Self>, value: String) -> Result<String, WorkflowError> {
        let workflow_id = format!("{}-child", context.info().workflow_id);
        let child = context.start_child_workflow(Given, value, ChildWorkflowOptions::new(workflow_id)).await?;
        Ok(child.await?)
    }
}

#[derive(Default)]
pub(crate) struct Giving;

#[workflow(Given)]
impl Giving {
    #[run]
    async fn run(_context: WorkflowContext<Self>, value: String) -> Result<String, WorkflowError> {
        Ok(value)
    }
}

#[derive(Default)]
pub(crate) struct Echoing;

#[workflow(Payload)]
impl Echoing {
    #[run]
    async fn run(context: WorkflowContext<Self>, value: String) -> Result<String, WorkflowError> {
        Ok(context.execute_activity(Echo, value, options()).await?)
    }
}

#[derive(Default)]
pub(crate) struct Computing;

#[workflow(Computation)]
impl Computing {
    #[run]
    async fn run(_context: WorkflowContext<Self>, rounds: u64) -> Result<u64, WorkflowError> {
        Ok(compute(rounds))
    }
}

/// Some nanoseconds a round.
fn compute(rounds: u64) -> u64 {
    (0..rounds)
        .fold(rounds, |value, _| std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(LONG)
}

const LONG: Duration = Duration::from_secs(60);
