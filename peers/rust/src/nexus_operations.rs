//! Nexus Operations. The Python peer has their handlers.

use temporalio_common::protos::coresdk::nexus::nexus_operation_result::Status;
use temporalio_common::protos::coresdk::{AsJsonPayloadExt, FromJsonPayloadExt};
use temporalio_sdk::{
    NexusOperationCancellationType, NexusOperationOptions, StartedNexusOperation, WorkflowContext, WorkflowResult,
};

use crate::activities::failure;
use crate::common::{ms, program};

async fn start<W>(
    ctx: &WorkflowContext<W>,
    operation: &str,
    input: &str,
    cancellation_type: NexusOperationCancellationType,
) -> Result<StartedNexusOperation, String> {
    let options = NexusOperationOptions::builder()
        .endpoint("histories")
        .service("histories")
        .operation(operation)
        .input(input.as_json_payload().expect("a text is JSON"))
        .cancellation_type(cancellation_type)
        .build();
    ctx.start_nexus_operation(options).await.map_err(|failure| failure.message)
}

async fn result(started: Result<StartedNexusOperation, String>) -> WorkflowResult<String> {
    let started = started.map_err(|message| failure(&message, "Nexus", true))?;
    match started.result().await.status {
        Some(Status::Completed(payload)) => {
            String::from_json_payload(&payload).map_err(|error| failure(&error.to_string(), "Nexus", true).into())
        }
        Some(Status::Cancelled(_)) => Ok("cancelled".to_owned()),
        Some(Status::Failed(_) | Status::TimedOut(_)) | None => Ok("failed".to_owned()),
    }
}

program!("nexus_sync", NexusSync, |ctx| -> String {
    result(start(ctx, "echo", "hello", Default::default()).await).await
});

program!("nexus_failed", NexusFailed, |ctx| -> String {
    match start(ctx, "refuse", "no", Default::default()).await {
        Ok(started) => result(Ok(started)).await,
        Err(_) => Ok("failed".to_owned()),
    }
});

program!("nexus_async", NexusAsync, |ctx| -> String {
    result(start(ctx, "wait", "short", Default::default()).await).await
});

async fn cancel_one<W>(
    ctx: &WorkflowContext<W>,
    cancellation_type: NexusOperationCancellationType,
) -> WorkflowResult<String> {
    let started = start(ctx, "wait", &format!("long-{}", ctx.workflow_id()), cancellation_type).await;
    ctx.timer(ms(100)).await;
    if let Ok(started) = &started {
        started.cancel();
    }
    let result = result(started).await;
    ctx.timer(ms(3000)).await;
    result
}

program!("nexus_wait_cancelled", NexusWaitCancelled, |ctx| -> String {
    cancel_one(ctx, NexusOperationCancellationType::WaitCancellationCompleted).await
});

program!("nexus_wait_requested", NexusWaitRequested, |ctx| -> String {
    cancel_one(ctx, NexusOperationCancellationType::WaitCancellationRequested).await
});

program!("nexus_try_cancel", NexusTryCancel, |ctx| -> String {
    cancel_one(ctx, NexusOperationCancellationType::TryCancel).await
});
