//! Child Workflows, and other workflows that one signals or cancels.

use serde_json::Value;
use timewright_proto::enums::ParentClosePolicy;
use timewright_protocol::workflow::{ChildWorkflowCancellationType, ExternalWorkflow, StartChildWorkflow};

use super::{Program, plain};
use crate::context::{Context, Done, Stop, outcome, payload};
use crate::histories::Sdk;

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    use ChildWorkflowCancellationType::{Abandon, TryCancel, WaitCancellationCompleted, WaitCancellationRequested};
    let context = context.clone();
    Some(match workflow_type {
        "child" => plain(async move { context.child(echo(&context)).outcome().await }),
        "child_default_id" => plain(child_default_id(context)),
        "children_two" => plain(children_two(context)),
        "child_failed" => plain(end_of(context, "child_refuses")),
        "child_terminated" => plain(end_of(context, "child_waits")),
        "child_try_cancel" => plain(cancel_one(context, TryCancel)),
        "child_wait_cancelled" => plain(cancel_one(context, WaitCancellationCompleted)),
        "child_wait_requested" => plain(cancel_one(context, WaitCancellationRequested)),
        "child_abandon" => plain(cancel_one(context, Abandon)),
        "child_cancelled_at_once" => plain(child_cancelled_at_once(context)),
        "child_left_alone" => plain(child_left_alone(context)),
        "child_already_started" => plain(child_already_started(context)),
        "child_signalled" => plain(child_signalled(context)),
        "external_signal" => plain(external_signal(context)),
        "external_cancel" => plain(external_cancel(context)),
        _ => return None,
    })
}

/// A child with its parent's id and `-child`.
pub(super) fn child(context: &Context, workflow_type: &str) -> StartChildWorkflow {
    StartChildWorkflow {
        workflow_id: context.id("child"),
        workflow_type: workflow_type.to_owned(),
        ..StartChildWorkflow::default()
    }
}

pub(super) fn echo(context: &Context) -> StartChildWorkflow {
    StartChildWorkflow { arguments: vec![payload(&"hello".into())], ..child(context, "child_echo") }
}

/// Its id is drawn by the SDK, each in its own way.
async fn child_default_id(context: Context) -> Done {
    let workflow_id = context.recorded_child_id();
    context.child(StartChildWorkflow { workflow_id, ..echo(&context) }).outcome().await
}

async fn children_two(context: Context) -> Done {
    let children = [1, 3].map(|seconds: u64| {
        context.child(StartChildWorkflow {
            workflow_id: context.id(&seconds.to_string()),
            arguments: vec![payload(&seconds.into())],
            ..child(&context, "child_timer")
        })
    });
    let mut results = Vec::new();
    for child in &children {
        results.push(child.outcome().await?);
    }
    Ok(results.into())
}

async fn end_of(context: Context, workflow_type: &'static str) -> Done {
    Ok(outcome(&context.child(child(&context, workflow_type)).outcome().await))
}

async fn cancel_one(context: Context, cancellation_type: ChildWorkflowCancellationType) -> Done {
    let child = context.child(StartChildWorkflow { cancellation_type, ..child(&context, "child_waits") });
    child.started().await?;
    child.cancel(if context.is(Sdk::Rust) { "no more" } else { "" });
    let result = outcome(&child.outcome().await);
    context.timer(3000).outcome().await?;
    Ok(result)
}

async fn child_cancelled_at_once(context: Context) -> Done {
    let never = context.child(child(&context, "child_waits"));
    never.cancel("");
    let result = outcome(&never.outcome().await);
    context.timer(100).outcome().await?;
    Ok(result)
}

async fn child_left_alone(context: Context) -> Done {
    let parent_close_policy = ParentClosePolicy::Abandon;
    let start = StartChildWorkflow { parent_close_policy, ..child(&context, "child_waits") };
    context.child(start).started().await?;
    Ok("left alone".into())
}

async fn child_already_started(context: Context) -> Done {
    let first = context.child(child(&context, "child_waits"));
    first.started().await?;
    let second: Value = match context.child(child(&context, "child_waits")).started().await {
        Ok(_) => "started".into(),
        Err(Stop::Failed(_)) => "already started".into(),
        Err(other) => return Err(other),
    };
    first.signal("finish", "done").await?;
    first.outcome().await?;
    Ok(second)
}

async fn child_signalled(context: Context) -> Done {
    let child = context.child(child(&context, "child_waits"));
    child.started().await?;
    child.signal("finish", "done").await?;
    child.outcome().await
}

async fn external_signal(context: Context) -> Done {
    Ok(outcome(&context.signal(other(&context), "finish", "done").outcome().await))
}

async fn external_cancel(context: Context) -> Done {
    Ok(outcome(&context.cancel_other(other(&context)).outcome().await))
}

/// The workflow that the argument names.
fn other(context: &Context) -> ExternalWorkflow {
    let workflow_id = context.argument().as_str().expect("a Workflow Id").to_owned();
    ExternalWorkflow { workflow_id, ..ExternalWorkflow::default() }
}
