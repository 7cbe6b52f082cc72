//! Activities: retries, failures, timeouts, heartbeats, blocking code.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{WorkflowHandle, WorkflowResultError};
use timewright::converter::{ApplicationFailure, Failure, FailureKind, Multiple, RetryState, TimeoutType};
use timewright::definition::WorkflowDefinition;
use timewright::proto::common::RetryPolicy;
use timewright::proto::enums::EventType;
use timewright::proto::history::history_event::Attributes;
use timewright::proto::prost_types;
use timewright::workflow::{ActivityFailure, ActivityOptions, WorkflowWorker};

use crate::support::background::{run_activities, run_workflows};
use crate::support::definitions::{activity, workflow};
use crate::support::history::{failure, wait_for_event};
use crate::support::{LIMIT, client, start_options, unique, within};

/// Tried again at once, up to so many attempts.
fn attempts(maximum_attempts: i32) -> RetryPolicy {
    let interval = prost_types::Duration { seconds: 0, nanos: 10_000_000 };
    RetryPolicy { initial_interval: Some(interval), maximum_attempts, ..RetryPolicy::default() }
}

/// Why it failed.
async fn failure_of<D: WorkflowDefinition<Output = ()>>(handle: &WorkflowHandle<D>) -> (Failure, String) {
    let error = within("the end", handle.result()).await.unwrap_err();
    let text = error.to_string().replace(handle.workflow_id(), "ID").replace(handle.run_id().unwrap(), "RUN");
    match error {
        WorkflowResultError::Failed { failure, .. } => (*failure, text),
        other => panic!("{other}"),
    }
}

// --- Retries and heartbeats

activity!(Copy: u32 => String);

/// Gets one row further with each attempt.
async fn copy(context: ActivityContext, rows: u32) -> Result<String, ActivityError> {
    let copied = context.previous_heartbeat_details::<u32>()?.unwrap_or(0) + 1;
    context.heartbeat(copied)?;
    match copied {
        _ if copied == rows => Ok(format!("{copied} rows in attempt {}", context.info().attempt)),
        _ => Err(ApplicationFailure::new(format!("the disk is full after row {copied}")).with_type("DiskFull").into()),
    }
}

workflow!(Backup: u32 => String, |context, rows| {
    let options = ActivityOptions::start_to_close(LIMIT).heartbeat_timeout(LIMIT).retry_policy(attempts(0));
    Ok(context.execute_activity(Copy, rows, options).await?)
});

#[tokio::test]
async fn attempts_go_on_where_the_last_one_heartbeated() {
    let (client, queue) = (client().await, unique("backup"));
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Copy, copy).build().unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Backup>().build().unwrap();
    let _workers = (run_activities(activities), run_workflows(workflows));
    let backup = client.start_workflow(Backup, 3, start_options(&queue)).await.unwrap();
    assert_eq!(within("the result", backup.result()).await.unwrap(), "3 rows in attempt 3");

    let started = wait_for_event(backup.untyped(), EventType::ActivityTaskStarted).await;
    let Some(Attributes::ActivityTaskStartedEventAttributes(started)) = started.attributes else {
        panic!("{started:?}")
    };
    assert_eq!(started.attempt, 3);
    let last_failure = failure(&client, started.last_failure.unwrap());
    assert_eq!(last_failure.to_string(), "DiskFull: the disk is full after row 2");
}

// --- Failures

#[derive(Debug, thiserror::Error)]
#[error("the bank does not answer")]
struct NoBank {
    #[source]
    source: std::io::Error,
}

activity!(Charge: u64 => ());

async fn charge(_context: ActivityContext, amount: u64) -> Result<(), ActivityError> {
    let source = NoBank { source: std::io::Error::other("connection reset") };
    let failure = ApplicationFailure::new(format!("{amount} cannot be charged")).with_type("CardDeclined");
    Err(failure.with_details(Multiple((402, "insufficient funds".to_owned()))).non_retryable().caused_by(source).into())
}

workflow!(Pay: u64 => (), |context, amount| {
    let options = ActivityOptions::start_to_close(LIMIT);
    Ok(context.execute_activity(Charge, amount, options).await?)
});

workflow!(PayOtherwise: u64 => (), |context, amount| {
    let options = ActivityOptions::start_to_close(LIMIT);
    match context.execute_activity(Charge, amount, options).await {
        Err(failure @ ActivityFailure::Failed(_)) => {
            let declined = failure.cause().is_some_and(|cause| cause.application_type() == Some("CardDeclined"));
            assert!(declined, "{failure}");
            Err(ApplicationFailure::new("the order is cancelled").with_type("NotPaid").caused_by(failure).into())
        }
        other => Ok(other?),
    }
});

#[tokio::test]
async fn a_failure_reaches_whoever_waits_with_type_details_and_causes() {
    let (client, queue) = (client().await, unique("pay"));
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Charge, charge).build().unwrap();
    let workflows =
        WorkflowWorker::builder(client.clone(), &queue).workflow::<Pay>().workflow::<PayOtherwise>().build().unwrap();
    let _workers = (run_activities(activities), run_workflows(workflows));

    let pay = client.start_workflow(Pay, 100, start_options(&queue)).await.unwrap();
    let (failure, text) = failure_of(&pay).await;
    assert_eq!(
        text,
        "workflow `ID` (run RUN) failed: activity Charge (id 1) did not complete: Activity task failed: CardDeclined: \
         100 cannot be charged: NoBank: the bank does not answer: connection reset"
    );
    let FailureKind::Activity { retry_state, identity, .. } = &failure.kind else { panic!("{failure:?}") };
    assert_eq!((*retry_state, identity.as_str()), (RetryState::NonRetryableFailure, client.identity()));
    let declined = failure.cause.unwrap();
    assert!(matches!(declined.kind, FailureKind::Application { non_retryable: true, .. }), "{declined:?}");
    assert_eq!(declined.details(), Ok(Some(Multiple((402, "insufficient funds".to_owned())))));
    assert_eq!(declined.source, "Timewright");

    // A workflow can look at the failure, and wrap it; nothing of it is lost.
    let pay = client.start_workflow(PayOtherwise, 200, start_options(&queue)).await.unwrap();
    let (failure, text) = failure_of(&pay).await;
    assert!(text.starts_with("workflow `ID` (run RUN) failed: NotPaid: the order is cancelled: "), "{text}");
    let inner = failure.chain().find(|failure| matches!(failure.kind, FailureKind::Activity { .. }));
    assert_eq!(
        format!("{:#}", inner.expect("the activity's failure is a cause as it is")),
        "activity Charge (id 1) did not complete: Activity task failed: CardDeclined: 200 cannot be charged: NoBank: the \
         bank does not answer: connection reset"
    );
}

// --- Timeouts

activity!(Hang: () => ());

workflow!(Waits: () => (), |context, ()| {
    let options = ActivityOptions::start_to_close(Duration::from_secs(1)).retry_policy(attempts(1));
    Ok(context.execute_activity(Hang, (), options).await?)
});

workflow!(WaitsForNobody: () => (), |context, ()| {
    let options = ActivityOptions::start_to_close(LIMIT)
        .schedule_to_start_timeout(Duration::from_secs(1))
        .task_queue(format!("{}-nobody", context.info().task_queue));
    Ok(context.execute_activity(Hang, (), options).await?)
});

#[tokio::test]
async fn an_activity_that_takes_too_long_has_timed_out() {
    let (client, queue) = (client().await, unique("waits"));
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Hang, async |context: ActivityContext, ()| {
            context.cancelled().await;
            Err(ActivityError::cancelled())
        })
        .build();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Waits>().workflow::<WaitsForNobody>();
    let _workers = (run_activities(activities.unwrap()), run_workflows(workflows.build().unwrap()));
    let slow = client.start_workflow(Waits, (), start_options(&queue)).await.unwrap();
    let nobody = client.start_workflow(WaitsForNobody, (), start_options(&queue)).await.unwrap();

    let (failure, text) = failure_of(&slow).await;
    assert_eq!(
        text,
        "workflow `ID` (run RUN) failed: activity Hang (id 1) did not complete: Activity task timed out: \
         start-to-close timeout: activity StartToClose timeout"
    );
    let timeout = failure.cause.unwrap();
    assert!(
        matches!(timeout.kind, FailureKind::Timeout { timeout_type: TimeoutType::StartToClose, .. }),
        "{timeout:?}"
    );

    let (_, text) = failure_of(&nobody).await;
    assert_eq!(
        text,
        "workflow `ID` (run RUN) failed: activity Hang (id 1) did not complete: Activity task timed out: \
         schedule-to-start timeout: activity ScheduleToStart timeout"
    );
}

// --- Blocking code

activity!(Compute: u64 => String);

workflow!(Computes: u64 => String, |context, number| {
    Ok(context.execute_activity(Compute, number, ActivityOptions::start_to_close(LIMIT)).await?)
});

#[tokio::test]
async fn blocking_code_runs_beside_everything_else() {
    let (client, queue) = (client().await, unique("computes"));
    // Two activities at the same time that wait for each other on threads: none of them can be the runtime's only one.
    let meeting = std::sync::Arc::new(std::sync::Barrier::new(2));
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .blocking_activity(Compute, move |context: ActivityContext, number: u64| {
            meeting.wait();
            Ok(format!("{} in attempt {}", number * number, context.info().attempt))
        })
        .build();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Computes>().build();
    let _workers = (run_activities(activities.unwrap()), run_workflows(workflows.unwrap()));
    let first = client.start_workflow(Computes, 7, start_options(&queue)).await.unwrap();
    let second = client.start_workflow(Computes, 8, start_options(&queue)).await.unwrap();
    assert_eq!(within("the result", first.result()).await.unwrap(), "49 in attempt 1");
    assert_eq!(within("the result", second.result()).await.unwrap(), "64 in attempt 1");
}
