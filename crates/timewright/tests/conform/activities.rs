//! The activities of programs.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError};
use timewright::converter::{ApplicationFailure, Multiple};
use tokio::time::sleep;

use crate::definitions::{Conform, Heard, Note};
use crate::program::{Action, Work};

/// Does what the program says of it.
pub(crate) async fn work(context: ActivityContext, work: Work) -> Result<String, ActivityError> {
    let attempt = context.info().attempt;
    if attempt <= work.fails {
        let failure = ApplicationFailure::new(format!("attempt {attempt}")).with_type("Planned");
        return Err(if work.for_good { failure.non_retryable() } else { failure }.into());
    }
    let worked = sleep(Duration::from_millis(work.takes));
    if !work.heeds {
        worked.await;
        return Ok(format!("worked at attempt {attempt}"));
    }
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
    let workflow = context.client().workflow_handle::<Conform>(origin.workflow_id, Some(origin.run_id));
    let answer = match action {
        Action::Signal => workflow.signal(Note, ()).await.map(|()| "sent".to_owned())?,
        Action::Query => workflow.query(Heard, ()).await?.join(", "),
        Action::Cancel => workflow.cancel("enough").await.map(|()| "asked".to_owned())?,
        Action::Terminate => workflow.terminate("enough").await.map(|()| "done".to_owned())?,
    };
    sleep(Duration::from_millis(takes)).await;
    Ok(answer)
}

/// How long one that heartbeats waits in between.
const HEARTBEAT: Duration = Duration::from_millis(40);
