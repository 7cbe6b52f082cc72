//! The activities of programs.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError};
use timewright::client::{UpdateOptions, UpdateWorkflowError};
use timewright::converter::{ApplicationFailure, Multiple};
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
    let workflow = context.client().workflow_handle::<Conform>(origin.workflow_id, Some(origin.run_id));
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
        Action::Terminate => workflow.terminate("enough").await.map(|()| "done".to_owned())?,
    };
    sleep(Duration::from_millis(takes)).await;
    Ok(answer)
}

/// How long one that heartbeats waits in between.
const HEARTBEAT: Duration = Duration::from_millis(40);
