//! Nexus operations.

use timewright_protocol::workflow::{NexusOperationCancellationType, ScheduleNexusOperation};

use super::{Program, plain};
use crate::context::{Context, Done, outcome, payload};

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    use NexusOperationCancellationType::{TryCancel, WaitCancellationCompleted, WaitCancellationRequested};
    let context = context.clone();
    Some(match workflow_type {
        "nexus_sync" => plain(run(context, "echo", "hello")),
        "nexus_failed" => plain(async move { Ok(outcome(&run(context, "refuse", "no").await)) }),
        "nexus_async" => plain(run(context, "wait", "short")),
        "nexus_wait_cancelled" => plain(cancel_one(context, WaitCancellationCompleted)),
        "nexus_wait_requested" => plain(cancel_one(context, WaitCancellationRequested)),
        "nexus_try_cancel" => plain(cancel_one(context, TryCancel)),
        _ => return None,
    })
}

fn operation(operation: &str, input: &str) -> ScheduleNexusOperation {
    ScheduleNexusOperation {
        endpoint: "histories".to_owned(),
        service: "histories".to_owned(),
        operation: operation.to_owned(),
        input: Some(payload(&input.into())),
        ..ScheduleNexusOperation::default()
    }
}

async fn run(context: Context, name: &'static str, input: &'static str) -> Done {
    context.nexus(operation(name, input)).outcome().await
}

async fn cancel_one(context: Context, cancellation_type: NexusOperationCancellationType) -> Done {
    let input = format!("long-{}", context.history.workflow_id);
    let schedule = ScheduleNexusOperation { cancellation_type, ..operation("wait", &input) };
    let operation = context.nexus(schedule);
    operation.started().await?;
    context.timer(100).outcome().await?;
    operation.cancel();
    let result = outcome(&operation.outcome().await);
    context.timer(3000).outcome().await?;
    Ok(result)
}
