//! Local Activities.

use std::time::Duration;

use timewright::client::{RetryPolicy, WorkflowHandle, WorkflowResultError};
use timewright::definition::WorkflowDefinition;
use timewright::proto::enums::EventType;
use timewright::workflow::{ActivityFailure, LocalActivityOptions, WorkflowWorker};

use crate::support::background::run_workflows;
use crate::support::definitions::workflow;
use crate::support::history::{event_types, wait_for_event, wait_for_task_failure};
use crate::support::logs::Logs;
use crate::support::{LIMIT, client, start_options, unique, within};
use crate::{CACHES, Echo, Flaky, Obey, Refuse, Slow, Stage};

fn options() -> LocalActivityOptions {
    LocalActivityOptions::start_to_close(LIMIT)
}

fn quick_retries(attempts: u32) -> RetryPolicy {
    RetryPolicy::default().initial_interval(Duration::from_millis(50)).maximum_attempts(attempts)
}

/// Starts a workflow without input.
async fn start<W>(stage: &Stage, definition: W) -> WorkflowHandle<W>
where
    W: WorkflowDefinition<Input = ()>,
{
    stage.client.start_workflow(definition, (), start_options(&stage.task_queue)).await.unwrap()
}

fn count(events: &[String], name: &str) -> usize {
    events.iter().filter(|event| *event == name).count()
}

workflow!(Locals: () => String, |context, ()| {
    let first = context.execute_local_activity(Echo, "a".to_owned(), options()).await?;
    let both = [
        context.execute_local_activity(Echo, first.clone() + "b", options()),
        context.execute_local_activity(Echo, first + "c", options()),
    ];
    let mut words = Vec::new();
    for one in both {
        words.push(one.await?);
    }
    context.sleep(Duration::from_millis(1)).await?;
    words.push(context.execute_local_activity(Echo, "d".to_owned(), options()).await?);
    Ok(words.join(" "))
});

#[tokio::test]
async fn results_come_back_and_are_replayed() {
    for cached in CACHES {
        let stage = Stage::of::<Locals>(cached).await;
        let handle = start(&stage, Locals).await;
        assert_eq!(within("the result", handle.result()).await.unwrap(), "ab ac d");
        let events = event_types(handle.untyped()).await;
        assert_eq!(count(&events, "MARKER_RECORDED"), 4, "{events:?}");
        assert_eq!(count(&events, "WORKFLOW_TASK_COMPLETED"), 2, "{events:?}");
        stage.replay(handle.untyped()).await;
    }
}

workflow!(Retries: () => u32, |context, ()| {
    Ok(context.execute_local_activity(Flaky, 3, options().retry_policy(quick_retries(5))).await?)
});

#[tokio::test]
async fn short_pauses_between_attempts_leave_nothing_in_the_history() {
    for cached in CACHES {
        let logs = Logs::capture();
        let stage = Stage::of::<Retries>(cached).await;
        let handle = start(&stage, Retries).await;
        assert_eq!(within("the result", handle.result()).await.unwrap(), 3);
        // So the log is where one sees what went wrong meanwhile.
        let failed = logs.wait_for("the attempt of a Local Activity failed: NotYet: not at attempt", 2).await;
        assert!(
            failed.iter().all(|line| line.contains("activity_type=\"Flaky\"") && line.contains("WARN")),
            "{failed:?}"
        );
        assert!(failed[0].contains(&format!("workflow_id={:?}", handle.workflow_id())), "{failed:?}");
        assert_eq!(count(&event_types(handle.untyped()).await, "MARKER_RECORDED"), 1);
        stage.replay(handle.untyped()).await;
    }
}

workflow!(BacksOff: () => u32, |context, ()| {
    let options = options().retry_policy(quick_retries(5)).local_retry_threshold(Duration::from_millis(10));
    Ok(context.execute_local_activity(Flaky, 3, options).await?)
});

#[tokio::test]
async fn long_pauses_between_attempts_are_durable_timers() {
    for cached in CACHES {
        let stage = Stage::of::<BacksOff>(cached).await;
        let handle = start(&stage, BacksOff).await;
        assert_eq!(within("the result", handle.result()).await.unwrap(), 3);
        let events = event_types(handle.untyped()).await;
        assert_eq!((count(&events, "TIMER_FIRED"), count(&events, "MARKER_RECORDED")), (2, 3), "{events:?}");
        stage.replay(handle.untyped()).await;
    }
}

workflow!(Fails: () => String, |context, ()| {
    match context.execute_local_activity(Refuse, "tea".to_owned(), options()).await {
        Err(ActivityFailure::Failed(failure)) => Ok(format!("{failure:#}")),
        other => panic!("{other:?}"),
    }
});

#[tokio::test]
async fn one_that_fails_says_why() {
    for cached in CACHES {
        let stage = Stage::of::<Fails>(cached).await;
        let handle = start(&stage, Fails).await;
        let text = within("the result", handle.result()).await.unwrap();
        assert!(text.starts_with("activity Refuse (id 1) ") && text.ends_with("Refused: tea is refused"), "{text}");
        stage.replay(handle.untyped()).await;
    }
}

workflow!(AsksForUnknown: () => String, |context, ()| {
    let options = options().retry_policy(quick_retries(1));
    let failure = context.execute_local_activity_untyped("Unknown", Vec::new(), options).await.expect_err("unknown");
    Ok(failure.cause().map(ToString::to_string).unwrap_or_default())
});

#[tokio::test]
async fn an_unknown_one_fails_with_the_known_ones() {
    let stage = Stage::of::<AsksForUnknown>(1000).await;
    let handle = start(&stage, AsksForUnknown).await;
    let text = within("the result", handle.result()).await.unwrap();
    let expected = "NotFoundError: no activity `Unknown` is registered on the worker of Task Queue";
    assert!(text.starts_with(expected) && text.contains("it knows: `Echo`, `Flaky`"), "{text}");
    stage.replay(handle.untyped()).await;
}

workflow!(TakesLong: () => bool, |context, ()| {
    Ok(context.execute_local_activity(Slow, 5_000, options()).await?)
});

#[tokio::test]
async fn la8_a_long_one_prolongs_its_workflow_task() {
    for cached in CACHES {
        let stage = Stage::of::<TakesLong>(cached).await;
        let options = start_options(&stage.task_queue).task_timeout(Duration::from_secs(2));
        let handle = stage.client.start_workflow(TakesLong, (), options).await.unwrap();
        assert!(within("the result", handle.result()).await.unwrap(), "the activity sees that it is local");
        let events = event_types(handle.untyped()).await;
        assert!(count(&events, "WORKFLOW_TASK_COMPLETED") >= 3, "{events:?}");
        assert_eq!(count(&events, "WORKFLOW_TASK_TIMED_OUT"), 0, "{events:?}");
        assert_eq!(count(&events, "MARKER_RECORDED"), 1, "it is executed once: {events:?}");
        stage.replay(handle.untyped()).await;
    }
}

workflow!(Obeys: () => (), |context, ()| {
    context.execute_local_activity(Obey, (), options()).await?;
    Ok(())
});

#[tokio::test]
async fn one_is_cancelled_with_its_workflow() {
    for cached in CACHES {
        let stage = Stage::of::<Obeys>(cached).await;
        let options = start_options(&stage.task_queue).task_timeout(Duration::from_secs(1));
        let handle = stage.client.start_workflow(Obeys, (), options).await.unwrap();
        // The workflow hears of it when its task has been prolonged.
        wait_for_event(handle.untyped(), EventType::WorkflowTaskStarted).await;
        handle.cancel("enough").await.unwrap();
        let result = within("the end", handle.result()).await;
        assert!(matches!(result, Err(WorkflowResultError::Cancelled { .. })), "{result:?}");
        stage.replay(handle.untyped()).await;
    }
}

#[tokio::test]
async fn a_worker_that_executes_none_fails_the_task_and_says_what_to_do() {
    let (client, queue) = (client().await, unique("operations"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<Locals>().build().unwrap();
    let _worker = run_workflows(worker);
    let handle = client.start_workflow(Locals, (), start_options(&queue)).await.unwrap();
    let (cause, text) = wait_for_task_failure(handle.untyped()).await;
    assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
    assert_eq!(
        text,
        format!(
            "NoLocalActivities: the workflow asks for the Local Activity \"Echo\", and the Workflow Worker on task queue \
             {queue:?} executes none; run it in one `Worker` with an Activity Worker on the same task queue, or say \
             `.local_activities(LocalActivities::of(&activity_worker))` where it is built"
        )
    );
    handle.terminate("the test is over").await.unwrap();
}

/// A shutdown waits for them, also beyond the end of their Workflow Task.
#[tokio::test]
async fn a_shutdown_lets_them_end() {
    let (client, queue) = (client().await, unique("operations"));
    let activities = crate::activities(&client, &queue);
    let worker = WorkflowWorker::builder(client.clone(), &queue)
        .workflow::<TakesLong>()
        .local_activities(timewright::LocalActivities::of(&activities))
        .graceful_shutdown_timeout(LIMIT)
        .build()
        .unwrap();
    let worker = run_workflows(worker);
    let options = start_options(&queue).task_timeout(Duration::from_secs(2));
    let handle = client.start_workflow(TakesLong, (), options).await.unwrap();
    wait_for_event(handle.untyped(), EventType::WorkflowTaskStarted).await;
    worker.stop().await;
    assert!(within("the result", handle.result()).await.unwrap());
    let events = event_types(handle.untyped()).await;
    assert_eq!(count(&events, "MARKER_RECORDED"), 1, "{events:?}");
}
