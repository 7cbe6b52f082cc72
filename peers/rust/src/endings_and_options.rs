//! How workflows end, and what is said about them and their parts.

use temporalio_common::search_attributes::SearchAttributes;
use temporalio_common::{MemoValues, Priority};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions, SyncWorkflowContext,
    TimerOptions, TimerResult, WorkflowCancellationToken, WorkflowContext, WorkflowResult, WorkflowTermination,
};

use crate::activities::{Activities, failure};
use crate::children_and_others::ChildEcho;
use crate::common::{HOUR, LONG, local, ms, program, remote};
use crate::patches_and_upserts::COLOUR;

// --- Endings

program!("workflow_failed", WorkflowFailed, |_ctx| -> String {
    Err(failure("refused: by the workflow", "Refused", true).into())
});

program!("workflow_cancelled", WorkflowCancelled, |ctx| -> String {
    match ctx.timer(HOUR).await {
        TimerResult::Fired => Ok("never".to_owned()),
        TimerResult::Cancelled => Err(WorkflowTermination::cancelled()),
    }
});

program!("workflow_cancelled_cleanup", WorkflowCancelledCleanup, |ctx| -> String {
    if ctx.timer(HOUR).await == TimerResult::Cancelled {
        let mut options = remote();
        options.cancellation_token = Some(WorkflowCancellationToken::new());
        ctx.execute_activity(Activities::echo, "clean-up".to_owned(), options).await?;
        return Err(WorkflowTermination::cancelled());
    }
    Ok("never".to_owned())
});

program!("workflow_cancelled_completes", WorkflowCancelledCompletes, |ctx| -> String {
    match ctx.timer(HOUR).await {
        TimerResult::Fired => Ok("never".to_owned()),
        TimerResult::Cancelled => Ok("cancelled, and completed".to_owned()),
    }
});

program!("continue_as_new", ContinueAsNew, |ctx, run: u32| -> String {
    ctx.timer(ms(100)).await;
    if run == 1 {
        let mut memo = MemoValues::new();
        memo.insert("note", "kept".to_owned());
        let search_attributes = SearchAttributes::new([COLOUR.value_set("red".to_owned())]);
        let options = ContinueAsNewOptions::builder().memo(memo).search_attributes(search_attributes).build();
        ctx.continue_as_new(2, options)?;
    }
    Ok("done".to_owned())
});

// Fails its second Workflow Task once: what a bug does, and its repair.
program!("workflow_task_failed", WorkflowTaskFailed, |ctx| -> String {
    ctx.timer(ms(100)).await;
    if ctx.history_length() < 10 {
        ctx.force_task_fail("a bug");
    }
    ctx.timer(ms(100)).await;
    Ok("repaired".to_owned())
});

/// Somewhat of everything, until the signal `finish`.
#[workflow]
#[derive(Default)]
pub struct Resettable {
    finished: bool,
}

#[workflow_methods]
impl Resettable {
    #[run(name = "resettable")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<bool> {
        ctx.execute_local_activity(Activities::echo, "local".to_owned(), local()).await?;
        let patched = ctx.patched("my-patch");
        ctx.timer(ms(100)).await;
        ctx.execute_activity(Activities::echo, ctx.uuid4(), remote()).await?;
        ctx.wait_condition(|state| state.finished).await?;
        Ok(patched)
    }

    #[signal(name = "finish")]
    pub fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }
}

// --- Options

program!("summaries", Summaries, |ctx| -> String {
    ctx.timer(TimerOptions::builder(ms(100)).summary("a timer".to_owned()).build()).await;
    let options = ActivityOptions::with_start_to_close_timeout(LONG).summary("an activity".to_owned()).build();
    ctx.execute_activity(Activities::echo, "hello".to_owned(), options).await?;
    let options =
        LocalActivityOptions::builder().start_to_close_timeout(LONG).summary("a Local Activity".to_owned()).build();
    ctx.execute_local_activity(Activities::echo, "hello".to_owned(), options).await?;
    let options = ChildWorkflowOptions::builder()
        .workflow_id(format!("{}-child", ctx.workflow_id()))
        .static_summary("a child".to_owned())
        .static_details("with details".to_owned())
        .build();
    let child = ctx.start_child_workflow(ChildEcho::run, "hello".to_owned(), options).await?;
    Ok(child.result().await?)
});

program!("priorities", Priorities, |ctx| -> String {
    let mut priority = Priority::default();
    priority.priority_key = Some(2);
    let options = ActivityOptions::with_start_to_close_timeout(LONG).priority(priority).build();
    ctx.execute_activity(Activities::echo, "hello".to_owned(), options).await?;
    let mut priority = Priority::default();
    priority.priority_key = Some(4);
    priority.fairness_key = Some("child".to_owned());
    priority.fairness_weight = Some(2.0);
    let options =
        ChildWorkflowOptions::builder().workflow_id(format!("{}-child", ctx.workflow_id())).priority(priority).build();
    let child = ctx.start_child_workflow(ChildEcho::run, "hello".to_owned(), options).await?;
    Ok(child.result().await?)
});

// A UUID and a random number leave their trace in an activity's input.
program!("random", Random, |ctx| -> String {
    ctx.execute_activity(Activities::echo, ctx.uuid4(), remote()).await?;
    let number: u32 = ctx.random();
    Ok(ctx.execute_activity(Activities::echo, number.to_string(), remote()).await?)
});
