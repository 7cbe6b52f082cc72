//! Activities that clients start, without a workflow.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, CancelReason};
use timewright::client::{
    ActivityExecutionStatus, ActivityHandle, ActivityIdConflictPolicy, ActivityIdReusePolicy, ActivityReference,
    ActivityRequestError, ActivityResultError, Client, ExecuteActivityError, PendingActivityState,
    ResetActivityOptions, RetryPolicy, StartActivityError, StartActivityOptions, UpdateActivityOptions,
};
use timewright::converter::ApplicationFailure;
use timewright::proto::prost_types;
use tokio::sync::{mpsc, watch};

use crate::support::background::{Background, run_activities};
use crate::support::definitions::activity;
use crate::support::{LIMIT, client, poll_until, unique, within};

activity!(Describe: String => String);
activity!(Wait: String => String);
activity!(Refuse: String => ());
activity!(Ask: () => String);

/// A worker whose waiting activities tell the test what they hear, and end when the test says so.
struct Stage {
    client: Client,
    queue: String,
    told: mpsc::UnboundedReceiver<(u32, CancelReason)>,
    end: watch::Sender<bool>,
    _worker: Background<timewright::activity::WorkerError>,
}

impl Stage {
    async fn set(name: &str) -> Self {
        let (client, queue) = (client().await, unique(name));
        let (tell, told) = mpsc::unbounded_channel();
        let (end, ending) = watch::channel(false);
        let wait = move |context: ActivityContext, text: String| wait(context, text, tell.clone(), ending.clone());
        let worker = ActivityWorker::builder(client.clone(), &queue)
            .activity(Describe, describe)
            .activity(Wait, wait)
            .activity(Refuse, refuse)
            .activity(Ask, |_context, ()| async { Err(ActivityError::will_complete_asynchronously()) })
            .maximum_heartbeat_throttle_interval(Duration::from_millis(50))
            .build()
            .unwrap();
        Self { client, queue, told, end, _worker: run_activities(worker) }
    }

    fn options(&self) -> StartActivityOptions {
        StartActivityOptions::start_to_close(&self.queue, unique("activity"), LIMIT).heartbeat_timeout(LIMIT)
    }

    async fn waiting(&self) -> ActivityHandle<Wait> {
        let activity = self.client.start_activity(Wait, "tea".to_owned(), self.options()).await.unwrap();
        running(&activity).await;
        activity
    }

    async fn told(&mut self) -> (u32, CancelReason) {
        within("the reason to stop", self.told.recv()).await.unwrap()
    }
}

async fn running(activity: &ActivityHandle<Wait>) {
    poll_until("the first heartbeat", || async {
        activity.describe().await.unwrap().heartbeat_details::<String>().unwrap()
    })
    .await;
}

/// What it knows of itself.
async fn describe(context: ActivityContext, greeting: String) -> Result<String, ActivityError> {
    let info = context.info();
    assert_eq!(info.workflow, None);
    assert!(info.activity_run_id.is_some());
    assert_eq!(info.heartbeat_timeout, Some(LIMIT));
    Ok(format!("{greeting} from {} in attempt {}", info.activity_type, info.attempt))
}

async fn wait(
    context: ActivityContext,
    text: String,
    tell: mpsc::UnboundedSender<(u32, CancelReason)>,
    mut ending: watch::Receiver<bool>,
) -> Result<String, ActivityError> {
    let heartbeats = async {
        loop {
            context.heartbeat("waiting".to_owned())?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        end = ending.wait_for(|end| *end) => end.map(|_| text).map_err(Into::into),
        reason = context.cancelled() => {
            tell.send((context.info().attempt, reason))?;
            Err(ActivityError::cancelled_with_details(format!("half a cup of {text}")))
        }
        failed = heartbeats => failed,
    }
}

async fn refuse(context: ActivityContext, kind: String) -> Result<(), ActivityError> {
    let failure = ApplicationFailure::new(format!("no {kind} in attempt {}", context.info().attempt)).with_type("No");
    Err(if kind == "tea" { failure } else { failure.non_retryable() }.into())
}

#[tokio::test]
async fn an_activity_without_a_workflow_is_executed() {
    let stage = Stage::set("execute").await;
    let result = stage.client.execute_activity(Describe, "hello".to_owned(), stage.options());
    assert_eq!(within("the result", result).await.unwrap(), "hello from Describe in attempt 1");

    let options = stage.options().static_summary("a greeting").start_delay(Duration::from_millis(10));
    let started = stage.client.start_activity(Describe, "hello".to_owned(), options).await.unwrap();
    // By somebody who knows only the id.
    let handle = stage.client.activity_handle(Describe, started.activity_id(), None);
    assert_eq!(within("the result", handle.result()).await.unwrap(), "hello from Describe in attempt 1");
    let description = handle.describe().await.unwrap();
    assert_eq!(description.status(), ActivityExecutionStatus::Completed);
    assert_eq!(Some(description.run_id()), started.run_id());
    assert_eq!((description.activity_type(), description.task_queue()), ("Describe", stage.queue.as_str()));
    assert!(description.close_time() >= description.schedule_time());
}

#[tokio::test]
async fn it_fails_with_what_its_last_attempt_said() {
    let stage = Stage::set("fail").await;
    let retries = RetryPolicy::default().initial_interval(Duration::from_millis(10)).maximum_attempts(3);
    let options = stage.options().retry_policy(retries);
    let refused = stage.client.execute_activity(Refuse, "tea".to_owned(), options);
    let error = within("the end", refused).await.unwrap_err();
    let ExecuteActivityError::Result(ActivityResultError::Failed { failure, .. }) = error else { panic!("{error}") };
    assert_eq!(failure.to_string(), "No: no tea in attempt 3");

    let options = StartActivityOptions::schedule_to_close(unique("nobody"), "impatient", Duration::from_millis(50));
    let error = within("the end", stage.client.execute_activity(Refuse, "tea".to_owned(), options)).await.unwrap_err();
    assert!(matches!(error, ExecuteActivityError::Result(ActivityResultError::TimedOut { .. })), "{error}");
}

#[tokio::test]
async fn ids_are_used_once_unless_policies_say_otherwise() {
    let stage = Stage::set("ids").await;
    let id = unique("once");
    let options = || StartActivityOptions::start_to_close(&stage.queue, &id, LIMIT);
    let start = |options| stage.client.start_activity(Wait, "tea".to_owned(), options);
    let first = start(options()).await.unwrap();
    let error = start(options()).await.unwrap_err();
    let StartActivityError::AlreadyStarted { run_id, .. } = &error else { panic!("{error}") };
    assert_eq!(run_id.as_deref(), first.run_id(), "{error}");
    let same = start(options().id_conflict_policy(ActivityIdConflictPolicy::UseExisting)).await.unwrap();
    assert_eq!(same.run_id(), first.run_id());
    stage.end.send_replace(true);
    within("the result", first.result()).await.unwrap();
    let error = start(options().id_reuse_policy(ActivityIdReusePolicy::RejectDuplicate)).await.unwrap_err();
    assert!(matches!(error, StartActivityError::AlreadyStarted { .. }), "{error}");
    let second = start(options()).await.unwrap();
    assert_ne!(second.run_id(), first.run_id());
}

#[tokio::test]
async fn it_is_cancelled_or_terminated() {
    let mut stage = Stage::set("cancel").await;
    let activity = stage.waiting().await;
    activity.cancel("no more tea").await.unwrap();
    assert_eq!(stage.told().await, (1, CancelReason::CancelRequested));
    let error = within("the end", activity.result()).await.unwrap_err();
    let ActivityResultError::Cancelled { details, .. } = &error else { panic!("{error}") };
    assert_eq!(details.len(), 1, "half a cup of tea");

    let activity = stage.waiting().await;
    activity.terminate("no more tea").await.unwrap();
    let error = within("the end", activity.result()).await.unwrap_err();
    assert!(matches!(error, ActivityResultError::Terminated { .. }), "{error}");
    assert!(error.to_string().contains("no more tea"), "{error}");
    // An attempt that nobody waits for any more hears so with its next heartbeat.
    let (_, reason) = stage.told().await;
    assert_eq!(reason, CancelReason::NotFound);
    let error = activity.cancel("late").await.unwrap_err();
    assert!(matches!(error, ActivityRequestError::NotFound { .. }), "{error}");
    activity.untyped().delete().await.unwrap();
}

#[tokio::test]
async fn v8_operators_pause_reset_and_change_it() {
    let mut stage = Stage::set("operate").await;
    let activity = stage.waiting().await;
    let operated = activity.untyped();
    operated.pause("the kettle is broken").await.unwrap();
    assert_eq!(stage.told().await, (1, CancelReason::Paused));
    poll_until("the pause", || async {
        let description = activity.describe().await.unwrap();
        (description.run_state() == PendingActivityState::Paused).then_some(())
    })
    .await;
    assert_eq!(activity.describe().await.unwrap().status(), ActivityExecutionStatus::Paused);
    operated.unpause("a new kettle").await.unwrap();

    poll_until("the next attempt", || async {
        let description = activity.describe().await.unwrap();
        (description.run_state() == PendingActivityState::Started).then_some(())
    })
    .await;
    operated.reset(ResetActivityOptions::default().reset_heartbeat(true)).await.unwrap();
    let (attempt, reason) = stage.told().await;
    assert!(attempt > 1, "{attempt}");
    assert_eq!(reason, CancelReason::Reset);
    poll_until("the attempt after the reset", || async {
        let description = activity.describe().await.unwrap();
        (description.run_state() == PendingActivityState::Started).then_some(())
    })
    .await;

    let seconds = |timeout: Option<prost_types::Duration>| timeout.map(|timeout| timeout.seconds.unsigned_abs());
    let changes = UpdateActivityOptions::default().heartbeat_timeout(Duration::from_secs(7));
    let changed = operated.update_options(changes).await.unwrap();
    assert_eq!(seconds(changed.heartbeat_timeout), Some(7));
    assert_eq!(seconds(changed.start_to_close_timeout), Some(LIMIT.as_secs()));
    let restored = operated.restore_options().await.unwrap();
    assert_eq!(seconds(restored.heartbeat_timeout), Some(LIMIT.as_secs()));
    stage.end.send_replace(true);
    assert_eq!(within("the result", activity.result()).await.unwrap(), "tea");
}

#[tokio::test]
async fn lists_and_counts_find_it() {
    let stage = Stage::set("list").await;
    stage.end.send_replace(true);
    for _ in 0..3 {
        within("the result", stage.client.execute_activity(Wait, "tea".to_owned(), stage.options())).await.unwrap();
    }
    let query = format!("TaskQueue = '{}' AND ExecutionStatus = 'Completed'", stage.queue);
    poll_until("all three in the list", || async {
        (stage.client.count_activities(&query).await.unwrap().count == 3).then_some(())
    })
    .await;
    let mut pages = stage.client.list_activities(&query);
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        listed.extend(page);
    }
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|activity| activity.activity_type() == "Wait"));
    assert!(listed.iter().all(|activity| activity.status() == ActivityExecutionStatus::Completed));

    let error = stage.client.count_activities("Nonsense ~ 1").await.unwrap_err();
    assert!(error.to_string().starts_with("activities by query `Nonsense ~ 1`: "), "{error}");
}

#[tokio::test]
async fn it_is_completed_from_outside_by_its_id() {
    let stage = Stage::set("ask").await;
    let activity = stage.client.start_activity(Ask, (), stage.options()).await.unwrap();
    let reference = ActivityReference::standalone(activity.activity_id()).run_id(activity.run_id().unwrap_or_default());
    let answer = stage.client.activity_completion_handle::<Ask>(reference);
    poll_until("the attempt", || async { answer.heartbeat("asked".to_owned()).await.ok() }).await;
    answer.complete("42".to_owned()).await.unwrap();
    assert_eq!(within("the result", activity.result()).await.unwrap(), "42");
}

#[tokio::test]
async fn what_does_not_exist_is_said_so() {
    let client = client().await;
    let nothing = client.activity_handle(Wait, "nothing-like-it", None);
    let error = nothing.result().await.unwrap_err();
    assert_eq!(error.to_string(), "there is no activity `nothing-like-it` whose result could be waited for");
    let error = nothing.untyped().pause("no").await.unwrap_err();
    assert_eq!(error.to_string(), "activity `nothing-like-it` was not paused: no such activity is open");
}
