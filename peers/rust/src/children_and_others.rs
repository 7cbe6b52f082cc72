//! Child Workflows, and other workflows that one signals or cancels.

use temporalio_common::error::ChildWorkflowStartError;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::workflows::join_all;
use temporalio_sdk::{
    CancellableFuture, ChildWorkflowCancellationType, ChildWorkflowOptions, ParentClosePolicy, SignalWorkflowOptions,
    StartedChildWorkflow, SyncWorkflowContext, TimerOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowResult,
};

use crate::activities::failure;
use crate::common::{ms, outcome, program};

fn child_id<W>(ctx: &WorkflowContext<W>, suffix: &str) -> String {
    format!("{}-{suffix}", ctx.workflow_id())
}

fn options<W>(ctx: &WorkflowContext<W>) -> ChildWorkflowOptions {
    ChildWorkflowOptions::workflow_id(child_id(ctx, "child"))
}

async fn start_waiting<W>(
    ctx: &WorkflowContext<W>,
    options: ChildWorkflowOptions,
) -> Result<StartedChildWorkflow<child_waits::Run>, ChildWorkflowStartError> {
    ctx.start_child_workflow(ChildWaits::run, (), options).await
}

// --- What the others do

program!("child_echo", ChildEcho, |_ctx, value: String| -> String { Ok(value) });

program!("child_timer", ChildTimer, |ctx, seconds: u64| -> u64 {
    ctx.timer(ms(seconds * 1000)).await;
    Ok(seconds)
});

program!("child_refuses", ChildRefuses, |_ctx| -> String {
    Err(failure("refused: by the child", "Refused", true).into())
});

/// Waits for the signal `finish` and gives its value. Cancelled before that, it ends as cancelled half a second later.
#[workflow]
#[derive(Default)]
pub struct ChildWaits {
    value: Option<String>,
}

#[workflow_methods]
impl ChildWaits {
    #[run(name = "child_waits")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        match ctx.wait_condition(|state| state.value.is_some()).await {
            Ok(()) => Ok(ctx.state(|state| state.value.clone()).unwrap_or_default()),
            Err(cancelled) => {
                let clean_up = TimerOptions::builder(ms(500)).cancellation_token(WorkflowCancellationToken::new());
                ctx.timer(clean_up.build()).await;
                Err(cancelled.into())
            }
        }
    }

    #[signal(name = "finish")]
    pub fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>, value: String) {
        self.value = Some(value);
    }
}

// --- Children

program!("child", Child, |ctx| -> String {
    let child = ctx.start_child_workflow(ChildEcho::run, "hello".to_owned(), options(ctx)).await?;
    Ok(child.result().await?)
});

program!("child_default_id", ChildDefaultId, |ctx| -> String {
    let options = ChildWorkflowOptions::default();
    let child = ctx.start_child_workflow(ChildEcho::run, "hello".to_owned(), options).await?;
    Ok(child.result().await?)
});

program!("children_two", ChildrenTwo, |ctx| -> Vec<u64> {
    let starting = [1u64, 3].map(|seconds| {
        let options = ChildWorkflowOptions::workflow_id(child_id(ctx, &seconds.to_string()));
        ctx.start_child_workflow(ChildTimer::run, seconds, options)
    });
    let mut results = Vec::new();
    for started in join_all(starting).await {
        results.push(started?.result().await?);
    }
    Ok(results)
});

program!("child_failed", ChildFailed, |ctx| -> String {
    let child = ctx.start_child_workflow(ChildRefuses::run, (), options(ctx)).await?;
    Ok(outcome(&child.result().await))
});

program!("child_terminated", ChildTerminated, |ctx| -> String {
    Ok(outcome(&start_waiting(ctx, options(ctx)).await?.result().await))
});

async fn cancel_one<W>(
    ctx: &WorkflowContext<W>,
    cancellation_type: ChildWorkflowCancellationType,
) -> WorkflowResult<String> {
    let mut options = options(ctx);
    options.cancel_type = cancellation_type;
    let child = start_waiting(ctx, options).await?;
    child.cancel("no more".to_owned());
    let result = outcome(&child.result().await);
    ctx.timer(ms(3000)).await;
    Ok(result)
}

program!("child_try_cancel", ChildTryCancel, |ctx| -> String {
    cancel_one(ctx, ChildWorkflowCancellationType::TryCancel).await
});

program!("child_wait_cancelled", ChildWaitCancelled, |ctx| -> String {
    cancel_one(ctx, ChildWorkflowCancellationType::WaitCancellationCompleted).await
});

program!("child_wait_requested", ChildWaitRequested, |ctx| -> String {
    cancel_one(ctx, ChildWorkflowCancellationType::WaitCancellationRequested).await
});

program!("child_abandon", ChildAbandon, |ctx| -> String {
    cancel_one(ctx, ChildWorkflowCancellationType::Abandon).await
});

program!("child_cancelled_at_once", ChildCancelledAtOnce, |ctx| -> String {
    let starting = ctx.start_child_workflow(ChildWaits::run, (), options(ctx));
    starting.cancel();
    let result = outcome(&starting.await);
    ctx.timer(ms(100)).await;
    Ok(result)
});

program!("child_left_alone", ChildLeftAlone, |ctx| -> String {
    let mut options = options(ctx);
    options.parent_close_policy = ParentClosePolicy::Abandon;
    start_waiting(ctx, options).await?;
    Ok("left alone".to_owned())
});

program!("child_already_started", ChildAlreadyStarted, |ctx| -> String {
    let child = start_waiting(ctx, options(ctx)).await?;
    let second = match start_waiting(ctx, options(ctx)).await {
        Ok(_) => "started",
        Err(ChildWorkflowStartError::StartFailed { .. }) => "already started",
        Err(error) => return Err(error.into()),
    };
    child.signal(ChildWaits::finish, "done".to_owned(), SignalWorkflowOptions::default()).await?;
    child.result().await?;
    Ok(second.to_owned())
});

program!("child_signalled", ChildSignalled, |ctx| -> String {
    let child = start_waiting(ctx, options(ctx)).await?;
    child.signal(ChildWaits::finish, "done".to_owned(), SignalWorkflowOptions::default()).await?;
    Ok(child.result().await?)
});

// --- Others

program!("external_signal", ExternalSignal, |ctx, other: String| -> String {
    let other = ctx.external_workflow(other, None);
    Ok(outcome(&other.signal(ChildWaits::finish, "done".to_owned(), SignalWorkflowOptions::default()).await))
});

program!("external_cancel", ExternalCancel, |ctx, other: String| -> String {
    Ok(outcome(&ctx.external_workflow(other, None).cancel(None).await))
});
