//! What operators do with activities of workflows.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, CancelReason};
use timewright::client::{ActivityRequestError, ResetActivityOptions, UpdateActivityOptions, WorkflowHandle};
use timewright::proto::enums::PendingActivityState;
use timewright::workflow::{ActivityOptions, WorkflowWorker};
use tokio::sync::{mpsc, watch};

use crate::support::background::run_both;
use crate::support::definitions::{activity, workflow};
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

activity!(Mill: String => String);

workflow!(Bakery: String => String, |context, grain| {
    let options = ActivityOptions::start_to_close(LIMIT).heartbeat_timeout(LIMIT);
    Ok(context.execute_activity(Mill, grain, options).await?)
});

async fn state(bakery: &WorkflowHandle<Bakery>) -> Option<PendingActivityState> {
    let description = bakery.describe().await.unwrap();
    description.raw().pending_activities.first().map(|activity| activity.state())
}

#[tokio::test]
async fn v8_operators_pause_reset_and_change_an_activity_of_a_workflow() {
    let (client, queue) = (client().await, unique("operators"));
    let (tell, mut told) = mpsc::unbounded_channel();
    let (end, ending) = watch::channel(false);
    let mill = move |context: ActivityContext, grain: String| {
        let (tell, mut ending) = (tell.clone(), ending.clone());
        async move {
            let heartbeats = async {
                loop {
                    context.heartbeat(context.info().attempt)?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                end = ending.wait_for(|end| *end) => end.map(|_| format!("flour of {grain}")).map_err(Into::into),
                reason = context.cancelled() => {
                    tell.send((reason, context.info().attempt))?;
                    Err(ActivityError::cancelled())
                }
                failed = heartbeats => failed,
            }
        }
    };
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Mill, mill)
        .maximum_heartbeat_throttle_interval(Duration::from_millis(50))
        .build()
        .unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Bakery>().build().unwrap();
    let _worker = run_both(workflows, activities);
    let bakery = client.start_workflow(Bakery, "rye".to_owned(), start_options(&queue)).await.unwrap();
    let is_in = |wanted| {
        let bakery = &bakery;
        poll_until(format!("the activity to be in {wanted:?}"), move || async move {
            (state(bakery).await == Some(wanted)).then_some(())
        })
    };
    is_in(PendingActivityState::Started).await;

    // While the first attempt runs: a reset of a later one makes its token unknown, which is another reason to stop.
    let activity = bakery.activity("1");
    activity.reset(ResetActivityOptions::default().reset_heartbeat(true)).await.unwrap();
    let (reason, _) = within("the reason", told.recv()).await.unwrap();
    assert_eq!(reason, CancelReason::Reset);
    is_in(PendingActivityState::Started).await;

    activity.pause("the mill is broken").await.unwrap();
    let (reason, _) = within("the reason", told.recv()).await.unwrap();
    assert_eq!(reason, CancelReason::Paused);
    is_in(PendingActivityState::Paused).await;
    activity.unpause_within("it is mended", Duration::from_millis(10)).await.unwrap();
    is_in(PendingActivityState::Started).await;

    let changes = UpdateActivityOptions::default().heartbeat_timeout(Duration::from_secs(7));
    let changed = activity.update_options(changes).await.unwrap();
    assert_eq!(changed.heartbeat_timeout.map(|timeout| timeout.seconds), Some(7));
    let restored = activity.restore_options().await.unwrap();
    assert_eq!(
        restored.heartbeat_timeout.and_then(|timeout| u64::try_from(timeout.seconds).ok()),
        Some(LIMIT.as_secs())
    );

    end.send_replace(true);
    assert_eq!(within("the result", bakery.result()).await.unwrap(), "flour of rye");
    let error = bakery.activity("1").pause("late").await.unwrap_err();
    assert!(matches!(error, ActivityRequestError::NotFound { .. }), "{error}");
}
