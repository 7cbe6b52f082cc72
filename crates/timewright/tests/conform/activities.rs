//! The activities of programs.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError};
use timewright::client::{UntypedWorkflowHandle, UpdateOptions, UpdateWorkflowError};
use timewright::converter::{ApplicationFailure, Multiple};
use timewright::proto::common::WorkflowExecution;
use timewright::proto::enums::{EventType, WorkflowTaskFailedCause};
use timewright::proto::history::HistoryEvent;
use timewright::proto::history::history_event::Attributes;
use timewright::proto::workflow_service::ResetWorkflowExecutionRequest;
use tokio::time::sleep;

use crate::definitions::{Change, Conform, Heard, Note};
use crate::program::{Action, Work};

/// Does what the program says of it.
pub(crate) async fn work(context: ActivityContext, work: Work) -> Result<String, ActivityError> {
    let attempt = context.info().attempt;
    if attempt == work.slow_attempt && !work.heeds {
        sleep(Duration::from_millis(work.takes)).await;
    }
    if attempt <= work.fails {
        let failure = ApplicationFailure::new(format!("attempt {attempt}")).with_type("Planned");
        return Err(if work.for_good { failure.non_retryable() } else { failure }.into());
    }
    if !work.heeds {
        return Ok(format!("worked at attempt {attempt}"));
    }
    let worked = sleep(Duration::from_millis(work.takes));
    tokio::pin!(worked);
    loop {
        context.heartbeat(())?;
        tokio::select! {
            () = &mut worked => return Ok("never heard of a cancellation".to_owned()),
            _ = context.cancelled() => return Err(ActivityError::cancelled()),
            () = sleep(HEARTBEAT) => {}
        }
    }
}

/// Does to the workflow that has scheduled it what clients do, and goes on for a while.
pub(crate) async fn act(
    context: ActivityContext,
    Multiple((action, takes)): Multiple<(Action, u64)>,
) -> Result<String, ActivityError> {
    let origin = context.info().workflow.clone().ok_or_else(|| ApplicationFailure::new("no workflow has asked"))?;
    let activity_id = context.info().activity_id.clone();
    let workflow = context.client().workflow_handle(Conform, origin.workflow_id, Some(origin.run_id));
    let answer = match action {
        Action::Signal => workflow.signal(Note, ()).await.map(|()| "sent".to_owned())?,
        Action::Query => workflow.query(Heard, ()).await?.join(", "),
        Action::Update(update) => {
            let options = UpdateOptions::default().update_id(format!("update-{activity_id}"));
            match workflow.update_with(Change, update, options).await {
                Ok(answer) => answer,
                Err(UpdateWorkflowError::Failed { failure, .. }) => format!("update failed: {}", failure.message),
                Err(error) => return Err(error.into()),
            }
        }
        Action::Cancel => workflow.cancel("enough").await.map(|()| "asked".to_owned())?,
        Action::Reset => reset(workflow.untyped(), activity_id).await?,
        Action::Terminate => workflow.terminate("enough").await.map(|()| "done".to_owned())?,
    };
    sleep(Duration::from_millis(takes)).await;
    Ok(answer)
}

/// Resets the workflow to its last Workflow Task, unless it is one that was reset.
async fn reset(workflow: &UntypedWorkflowHandle, request_id: String) -> Result<String, ActivityError> {
    let events = workflow.history().await?.events;
    let is_reset = |event: &HistoryEvent| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
            failed.cause() == WorkflowTaskFailedCause::ResetWorkflow
        }
        _ => false,
    };
    let last = events.iter().rfind(|event| event.event_type() == EventType::WorkflowTaskCompleted);
    let Some(last) = last.filter(|_| !events.iter().any(is_reset)) else { return Ok("it was reset".to_owned()) };
    let request = ResetWorkflowExecutionRequest {
        namespace: workflow.client().namespace().to_owned(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: workflow.workflow_id().to_owned(),
            run_id: workflow.run_id().unwrap_or_default().to_owned(),
        }),
        reason: "as planned".to_owned(),
        workflow_task_finish_event_id: last.event_id,
        request_id: format!("{}-{request_id}", workflow.run_id().unwrap_or_default()),
        ..ResetWorkflowExecutionRequest::default()
    };
    let reset = workflow.client().workflow_service().reset_workflow_execution(request).await;
    reset.map_err(|status| ApplicationFailure::new(status.to_string()))?;
    Ok("nobody hears of this".to_owned())
}

/// How long one that heartbeats waits in between.
const HEARTBEAT: Duration = Duration::from_millis(40);
