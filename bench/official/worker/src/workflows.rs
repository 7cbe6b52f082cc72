//! The workflows. `bench/timewright/src/workflows.rs` is the same, line by line.

use std::time::Duration;

use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::workflows::join_all;
use temporalio_sdk::{
    ActivityOptions, ChildWorkflowOptions, LocalActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult,
};

use crate::activities::Activities;

#[workflow]
#[derive(Default)]
pub struct InSequence;

#[workflow_methods]
impl InSequence {
    #[run(name = "activities_in_sequence")]
    pub async fn run(context: &mut WorkflowContext<Self>, count: u32) -> WorkflowResult<()> {
        for _ in 0..count {
            context.execute_activity(Activities::echo, "hello".to_owned(), options()).await?;
        }
        Ok(())
    }
}

#[workflow]
#[derive(Default)]
pub struct InParallel;

#[workflow_methods]
impl InParallel {
    #[run(name = "activities_in_parallel")]
    pub async fn run(context: &mut WorkflowContext<Self>, count: u32) -> WorkflowResult<()> {
        let activities = (0..count).map(|_| context.execute_activity(Activities::echo, "hello".to_owned(), options()));
        join_all(activities.collect::<Vec<_>>()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

#[workflow]
#[derive(Default)]
pub struct Locally;

#[workflow_methods]
impl Locally {
    #[run(name = "local_activities")]
    pub async fn run(context: &mut WorkflowContext<Self>, count: u32) -> WorkflowResult<()> {
        for _ in 0..count {
            let options = LocalActivityOptions::builder().start_to_close_timeout(LONG).build();
            context.execute_local_activity(Activities::echo, "hello".to_owned(), options).await?;
        }
        Ok(())
    }
}

#[workflow]
#[derive(Default)]
pub struct Counter {
    messages: u32,
}

#[workflow_methods]
impl Counter {
    #[run(name = "messages")]
    pub async fn run(context: &mut WorkflowContext<Self>, count: u32) -> WorkflowResult<()> {
        context.wait_condition(|state| state.messages >= count).await?;
        Ok(())
    }

    #[signal(name = "add")]
    pub fn add(&mut self, _context: &mut SyncWorkflowContext<Self>) {
        self.messages += 1;
    }

    #[update(name = "count")]
    pub fn count(&mut self, _context: &mut SyncWorkflowContext<Self>) -> u32 {
        self.messages += 1;
        self.messages
    }
}

#[workflow]
#[derive(Default)]
pub struct Waiting;

#[workflow_methods]
impl Waiting {
    #[run(name = "timer")]
    pub async fn run(context: &mut WorkflowContext<Self>, milliseconds: u64) -> WorkflowResult<()> {
        context.timer(Duration::from_millis(milliseconds)).await;
        Ok(())
    }
}

#[workflow]
#[derive(Default)]
pub struct Parent;

#[workflow_methods]
impl Parent {
    #[run(name = "child")]
    pub async fn run(context: &mut WorkflowContext<Self>, value: String) -> WorkflowResult<String> {
        let options = ChildWorkflowOptions::workflow_id(format!("{}-child", context.workflow_id()));
        let child = context.start_child_workflow(Giving::run, value, options).await?;
        Ok(child.result().await?)
    }
}

#[workflow]
#[derive(Default)]
pub struct Giving;

#[workflow_methods]
impl Giving {
    #[run(name = "given")]
    pub async fn run(_context: &mut WorkflowContext<Self>, value: String) -> WorkflowResult<String> {
        Ok(value)
    }
}

#[workflow]
#[derive(Default)]
pub struct Echoing;

#[workflow_methods]
impl Echoing {
    #[run(name = "payload")]
    pub async fn run(context: &mut WorkflowContext<Self>, value: String) -> WorkflowResult<String> {
        Ok(context.execute_activity(Activities::echo, value, options()).await?)
    }
}

#[workflow]
#[derive(Default)]
pub struct Computing;

#[workflow_methods]
impl Computing {
    #[run(name = "computation")]
    pub async fn run(_context: &mut WorkflowContext<Self>, rounds: u64) -> WorkflowResult<u64> {
        Ok(compute(rounds))
    }
}

/// Some nanoseconds a round.
fn compute(rounds: u64) -> u64 {
    (0..rounds)
        .fold(rounds, |value, _| std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(LONG)
}

const LONG: Duration = Duration::from_secs(60);
