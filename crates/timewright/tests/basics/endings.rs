//! Workflows that do not complete: cancelled, terminated, timed out, failed.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityWorker};
use timewright::client::{WorkflowExecutionStatus, WorkflowHandle};
use timewright::converter::ApplicationFailure;
use timewright::definition::WorkflowDefinition;
use timewright::proto::enums::EventType;
use timewright::workflow::{ActivityOptions, WorkflowWorker};
use tokio::sync::mpsc;

use crate::support::background::{run_activities, run_workflows};
use crate::support::definitions::{activity, workflow};
use crate::support::history::wait_for_event;
use crate::support::{LIMIT, client, start_options, unique, within};

activity!(CleanUp: String => ());

workflow!(CleansUp: () => (), |context, ()| {
    let slept = context.sleep(Duration::from_secs(3600)).await;
    if let Err(cancelled) = &slept {
        let options = ActivityOptions::start_to_close(LIMIT);
        context.detached().execute_activity(CleanUp, cancelled.reason.clone(), options).await?;
    }
    Ok(slept?)
});

#[tokio::test]
async fn a_cancelled_workflow_cleans_up_and_ends_as_cancelled() {
    let (client, queue) = (client().await, unique("cleans-up"));
    let (cleaned, mut clean_ups) = mpsc::unbounded_channel();
    let clean_up = move |_: ActivityContext, reason: String| {
        let cleaned = cleaned.clone();
        async move { Ok(cleaned.send(reason)?) }
    };
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(CleanUp, clean_up).build().unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<CleansUp>().build().unwrap();
    let _workers = (run_activities(activities), run_workflows(workflows));

    let handle = client.start_workflow(CleansUp, (), start_options(&queue)).await.unwrap();
    wait_for_event(handle.untyped(), EventType::TimerStarted).await;
    handle.cancel("closing time").await.unwrap();
    assert_eq!(error(&handle).await, format!("workflow {} was cancelled", name(&handle)));
    assert_eq!(clean_ups.recv().await.as_deref(), Some("closing time"));
    wait_for_event(handle.untyped(), EventType::TimerCanceled).await;
    assert_eq!(handle.describe().await.unwrap().status(), WorkflowExecutionStatus::Canceled);

    handle.cancel("again").await.expect("cancelling a workflow that has ended is no error");
}

#[tokio::test]
async fn a_workflow_that_is_cancelled_before_it_begins_ends_all_the_same() {
    let (client, queue) = (client().await, unique("cleans-up"));
    let handle = client.start_workflow(CleansUp, (), start_options(&queue)).await.unwrap();
    handle.cancel("").await.unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(CleanUp, async |_, _| Ok(()));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<CleansUp>();
    let _workers = (run_activities(activities.build().unwrap()), run_workflows(workflows.build().unwrap()));
    assert_eq!(error(&handle).await, format!("workflow {} was cancelled", name(&handle)));
}

#[tokio::test]
async fn a_terminated_workflow_says_by_whom_and_why() {
    let (client, queue) = (client().await, unique("cleans-up"));
    let handle = client.start_workflow(CleansUp, (), start_options(&queue)).await.unwrap();
    handle.terminate("the shop has burnt down").await.unwrap();
    let expected =
        format!("workflow {} was terminated by {}: the shop has burnt down", name(&handle), client.identity());
    assert_eq!(error(&handle).await, expected);

    let error = handle.terminate("again").await.unwrap_err();
    let expected = format!("no workflow `{}` is running that could be terminated", handle.workflow_id());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_workflow_that_takes_too_long_has_timed_out() {
    let (client, queue) = (client().await, unique("cleans-up"));
    let options = start_options(&queue).execution_timeout(Duration::from_secs(1));
    let handle = client.start_workflow(CleansUp, (), options).await.unwrap();
    assert_eq!(error(&handle).await, format!("workflow {} timed out", name(&handle)));
}

workflow!(Fails: () => (), |_, ()| {
    let amount = "ten".parse::<u32>();
    amount.map_err(|error| ApplicationFailure::new("no amount").with_type("BadOrder").caused_by(error))?;
    Ok(())
});

workflow!(CancelsItsOwnTimer: () => (), |context, ()| {
    let timer = context.sleep(Duration::from_secs(3600));
    timer.cancel();
    Ok(timer.await?)
});

#[tokio::test]
async fn a_failed_workflow_says_why() {
    let (client, queue) = (client().await, unique("fails"));
    let workflows =
        WorkflowWorker::builder(client.clone(), &queue).workflow::<Fails>().workflow::<CancelsItsOwnTimer>();
    let _worker = run_workflows(workflows.build().unwrap());
    let handle = client.start_workflow(Fails, (), start_options(&queue)).await.unwrap();
    assert_eq!(
        error(&handle).await,
        format!("workflow {} failed: BadOrder: no amount: ParseIntError: invalid digit found in string", name(&handle))
    );
    // Nobody asked this one to stop, so it has not been cancelled.
    let handle = client.start_workflow(CancelsItsOwnTimer, (), start_options(&queue)).await.unwrap();
    assert_eq!(error(&handle).await, format!("workflow {} failed: Cancelled: cancelled", name(&handle)));
}

#[tokio::test]
async fn a_workflow_that_does_not_exist_is_named_in_every_answer() {
    let client = client().await;
    let handle = client.workflow_handle(Fails, unique("nobody"), None);
    let id = handle.workflow_id();
    let result = within("the result", handle.result()).await.unwrap_err();
    assert_eq!(result.to_string(), format!("there is no workflow `{id}` whose result could be waited for"));
    assert_eq!(
        handle.describe().await.unwrap_err().to_string(),
        format!("there is no workflow `{id}` that could be described")
    );
    assert_eq!(
        handle.history().await.unwrap_err().to_string(),
        format!("there is no workflow `{id}` whose history could be read")
    );
    assert_eq!(
        handle.cancel("").await.unwrap_err().to_string(),
        format!("there is no workflow `{id}` that could be cancelled")
    );
    let query = handle.untyped().query("Status", Vec::new()).await.unwrap_err();
    assert_eq!(query.to_string(), format!("query `Status`: there is no workflow `{id}`"));
}

/// How it ended, as whoever waits for it reads.
async fn error<D: WorkflowDefinition<Output = ()>>(handle: &WorkflowHandle<D>) -> String {
    within("the end", handle.result()).await.unwrap_err().to_string()
}

/// Its ids, as errors show them.
fn name<D: WorkflowDefinition>(handle: &WorkflowHandle<D>) -> String {
    format!("`{}` (run {})", handle.workflow_id(), handle.run_id().unwrap_or_default())
}
