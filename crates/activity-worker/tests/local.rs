//! Activities executed without the server.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::{Duration, SystemTime};

use support::{FakeServer, Nothing, Text};
use timewright_activity_worker::{
    ActivityContext, ActivityError, ActivityInfo, ActivityOutcome, ActivityPriority, ActivityWorker, LocalActivityTask,
};
use timewright_converter::{DefaultFailureConverter, FailureConverter, Value};
use tokio::time::sleep;

/// Says whether it is local, and heartbeats, which leads to nothing.
async fn look(context: ActivityContext, name: String) -> Result<String, ActivityError> {
    context.heartbeat(name.clone())?;
    Ok(format!("{name} {}", context.is_local()))
}

async fn stop(context: ActivityContext, (): ()) -> Result<(), ActivityError> {
    let reason = context.cancelled().await;
    assert_eq!(reason.to_string(), "cancellation was requested");
    Err(ActivityError::cancelled())
}

fn worker(server: &FakeServer) -> ActivityWorker {
    server.worker().activity(Text, look).activity(Nothing, stop).build().unwrap()
}

fn task(activity_type: &str, input: &impl Value) -> LocalActivityTask {
    LocalActivityTask {
        info: ActivityInfo {
            activity_type: activity_type.to_owned(),
            activity_id: "1".to_owned(),
            attempt: 1,
            namespace: "default".to_owned(),
            task_queue: "queue".to_owned(),
            workflow: None,
            activity_run_id: None,
            scheduled_time: SystemTime::UNIX_EPOCH,
            current_attempt_scheduled_time: SystemTime::UNIX_EPOCH,
            started_time: SystemTime::UNIX_EPOCH,
            schedule_to_close_timeout: None,
            start_to_close_timeout: Some(Duration::from_secs(10)),
            heartbeat_timeout: None,
            retry_policy: None,
            priority: ActivityPriority::default(),
        },
        header: Default::default(),
        input: vec![input.to_payload().unwrap()],
    }
}

#[tokio::test(start_paused = true)]
async fn an_activity_gives_its_result_and_the_server_hears_nothing() {
    let server = FakeServer::new();
    let activities = worker(&server).local_activities();
    let outcome = activities.execute(task("Text", &"Ada".to_owned()), std::future::pending()).await;
    assert_eq!(outcome, ActivityOutcome::Completed("Ada true".to_owned().to_payload().unwrap()));
    assert_eq!(server.sent::<timewright_proto::workflow_service::RecordActivityTaskHeartbeatRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_activity_is_told_to_stop() {
    let activities = worker(&FakeServer::new()).local_activities();
    let outcome = activities.execute(task("Nothing", &()), sleep(Duration::from_secs(5))).await;
    assert_eq!(outcome, ActivityOutcome::Cancelled(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_activity_fails_as_with_the_server() {
    let activities = worker(&FakeServer::new()).local_activities();
    let outcome = activities.execute(task("Charge", &()), std::future::pending()).await;
    let ActivityOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    let failure = DefaultFailureConverter::default().deserialize(*failure).to_string();
    assert!(failure.starts_with("NotFoundError: no activity `Charge` is registered"), "{failure}");
    assert!(failure.contains("it knows: `Nothing`, `Text`."), "{failure}");
}
