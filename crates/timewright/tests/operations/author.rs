//! What workflow authors work with, on a real server: coroutines, channels, locks, scopes, timeouts, random numbers, typed errors,
//! what a workflow knows about the run before it, search attributes from the start on.

use std::time::Duration;

use timewright::client::{RetryPolicy, StartWorkflowOptions, WorkflowExecutionStatus, WorkflowResultError};
use timewright::converter::{ApplicationFailure, ErrorCategory, Failure, Value};
use timewright::definition::{Priority, SearchAttributeKey, search_attribute_kind as kind};
use timewright::proto::enums::EventType;
use timewright::workflow::sync::{Semaphore, channel};
use timewright::workflow::{
    ActivityOptions, Cancelled, ChildWorkflowOptions, TimeoutError, TimerOptions, WorkflowContext, WorkflowError, join,
    join_all, race, select, try_join_all,
};

use crate::support::definitions::workflow;
use crate::support::history::{event_types, wait_for_event};
use crate::support::{LIMIT, start_options, unique, within};
use crate::{CACHES, Echo, Obey, Stage};

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(LIMIT)
}

workflow!(WorksAtOnce: u32 => Vec<String>, |context, count| {
    let (results, received) = channel(1);
    let at_once = Semaphore::new(2);
    let workers: Vec<_> = (0..count)
        .map(|number| {
            let (context, results, at_once) = (context.clone(), results.clone(), at_once.clone());
            context.clone().spawn(async move {
                let permit = at_once.acquire().await;
                let echoed = context.execute_activity(Echo, number.to_string(), options()).await?;
                drop(permit);
                results.send((number, echoed)).await.map_err(|_| "nobody receives")?;
                Ok::<_, WorkflowError>(())
            })
        })
        .collect();
    drop(results);
    let mut seen = Vec::new();
    let mut deadline = context.sleep(LIMIT);
    loop {
        select! {
            result = received.receive() => match result {
                Some((number, echoed)) => seen.push(format!("{number}{echoed}")),
                None => break,
            },
            _ = &mut deadline => return Err("too slow".into()),
        }
    }
    deadline.cancel();
    try_join_all(workers).await?;
    let named = context.random_stream("named");
    let first = (context.random().next_u64(), named.below(6), context.uuid4());
    context.sleep_with(Duration::from_millis(1), TimerOptions::new().summary("a moment")).await?;
    assert_ne!((context.random().next_u64(), context.uuid4()), (first.0, first.2));
    seen.sort();
    Ok(seen)
});

#[tokio::test]
async fn coroutines_channels_and_semaphores_do_the_same_on_replay() {
    for cached in CACHES {
        let stage = Stage::of::<WorksAtOnce>(cached).await;
        let handle = stage.client.start_workflow(WorksAtOnce, 7, start_options(&stage.task_queue)).await.unwrap();
        let expected: Vec<String> = (0..7).map(|number| format!("{number}{number}")).collect();
        assert_eq!(within("the result", handle.result()).await.unwrap(), expected);
        stage.replay(handle.untyped()).await;
    }
}

workflow!(RacesTime: () => String, |context, ()| {
    // A timer of its own: fired.
    let holds = context.wait_condition_with_timeout(Duration::from_millis(5), |_| false).await?;
    let obeying = context.execute_activity(Obey, (), options());
    let late = context.timeout(Duration::from_millis(5), obeying).await;
    assert!(matches!(late, Err(TimeoutError::TimedOut { .. })));
    // A timer of its own: cancelled.
    let echoed = context.timeout(LIMIT, context.execute_activity(Echo, "in time".into(), options())).await??;
    let scoped = context.scope_with_timeout(Duration::from_millis(5), async |scope| scope.sleep(LIMIT).await).await;
    let asked = context.child_scope();
    let (first, fired) = race([asked.sleep(LIMIT), asked.sleep(Duration::from_millis(1)), asked.sleep(LIMIT)]).await;
    fired?;
    asked.cancellation_token().cancel("another was faster");
    Ok(format!("{holds} {echoed} {first} {}", scoped.expect_err("time was over")))
});

#[tokio::test]
async fn t5_timers_of_timeouts_are_cancelled_when_nobody_needs_them() {
    for cached in CACHES {
        let stage = Stage::of::<RacesTime>(cached).await;
        let handle = stage.client.start_workflow(RacesTime, (), start_options(&stage.task_queue)).await.unwrap();
        let result = within("the result", handle.result()).await.unwrap();
        assert_eq!(result, "false in time 1 cancelled: timed out after 5ms");
        stage.replay(handle.untyped()).await;
        let events = event_types(handle.untyped()).await;
        let count = |kind: &str| events.iter().filter(|event| *event == kind).count();
        assert_eq!((count("TIMER_STARTED"), count("TIMER_FIRED")), (8, 4));
        assert_eq!(count("TIMER_CANCELED"), 4, "of the timeout that was kept, of the scope's work, of the losers");
    }
}

workflow!(Sleeps: () => (), |context, ()| { Ok(context.sleep(LIMIT).await?) });

workflow!(CancelsAGroup: String => String, |context, child_id| {
    let group = context.child_scope();
    let activity = group.execute_activity(Obey, (), options());
    let child = group.start_child_workflow(Sleeps, (), ChildWorkflowOptions::new(child_id).priority(Priority::new().priority_key(2))).await?;
    let timer = group.sleep(LIMIT);
    context.sleep(Duration::from_millis(1)).await?;
    group.cancellation_token().cancel("enough");
    let (activity, child, timer) = join!(activity, child, timer);
    assert!(activity.is_err() && child.is_err());
    assert_eq!(timer, Err(Cancelled { reason: "enough".into() }));
    // The workflow itself goes on, until somebody asks.
    let Err(cancelled) = context.sleep(LIMIT).await else { return Ok("not cancelled".into()) };
    let cleaned = context.detached().execute_activity(Echo, "cleaned up".into(), options()).await?;
    Err(WorkflowError::cancelled_with_details(format!("{}: {cleaned}", cancelled.reason)))
});

#[tokio::test]
async fn z10_a_scope_is_cancelled_alone_and_the_workflow_when_it_is_asked_with_details() {
    for cached in CACHES {
        let stage = Stage::of_both::<CancelsAGroup, Sleeps>(cached).await;
        let child = unique("child");
        let handle =
            stage.client.start_workflow(CancelsAGroup, child.clone(), start_options(&stage.task_queue)).await.unwrap();
        wait_for_event(handle.untyped(), EventType::ActivityTaskCancelRequested).await;
        wait_for_event(handle.untyped(), EventType::ChildWorkflowExecutionCanceled).await;
        handle.cancel("closing time").await.unwrap();
        let error = within("the result", handle.result()).await.unwrap_err();
        let WorkflowResultError::Cancelled { details, .. } = error else { panic!("{error}") };
        assert_eq!(String::from_payload(details[0].clone()).unwrap(), "closing time: cleaned up");
        assert_eq!(handle.describe().await.unwrap().status(), WorkflowExecutionStatus::Canceled);
        stage.replay(handle.untyped()).await;
    }
}

fn declined() -> ApplicationFailure {
    ApplicationFailure::new("declined")
        .with_type("CardDeclined")
        .with_details(("card".to_owned(), 7_u32))
        .with_next_retry_delay(Duration::from_secs(9))
        .with_category(ErrorCategory::Benign)
        .non_retryable()
        .caused_by(std::fmt::Error)
}

workflow!(FailsInDisguise: () => (), |_context, ()| {
    let failed: Result<(), Box<dyn std::error::Error>> = Err(declined().into());
    Ok(failed?)
});

#[tokio::test]
async fn a_failure_of_a_workflow_reaches_the_client_with_all_that_it_says() {
    let stage = Stage::of::<FailsInDisguise>(CACHES[0]).await;
    let options = start_options(&stage.task_queue).retry_policy(RetryPolicy::default());
    let handle = stage.client.start_workflow(FailsInDisguise, (), options).await.unwrap();
    let error = within("the result", handle.result()).await.unwrap_err();
    let WorkflowResultError::Failed { failure, .. } = &error else { panic!("{error}") };
    assert_eq!((&failure.kind, &failure.message), (&Failure::from(declined()).kind, &"declined".to_owned()));
    assert_eq!(failure.details::<(String, u32)>().unwrap(), Some(("card".to_owned(), 7)));
    assert_eq!(failure.cause.as_ref().and_then(|cause| cause.application_type()), Some("Error"));
}

workflow!(TriesAgain: () => String, |context, ()| {
    let info = context.info();
    let last = info.last_failure().and_then(Failure::application_type).unwrap_or("none");
    if info.attempt < 2 {
        return Err(ApplicationFailure::new("not yet").with_type("NotYet").with_next_retry_delay(Duration::from_millis(1)).into());
    }
    Ok(format!("{last} at attempt {} of {}", info.attempt, info.first_execution_run_id == info.run_id))
});

#[tokio::test]
async fn a_further_attempt_knows_with_what_the_one_before_failed() {
    let stage = Stage::of::<TriesAgain>(CACHES[0]).await;
    let options = start_options(&stage.task_queue).retry_policy(RetryPolicy::default().maximum_attempts(3));
    let handle = stage.client.start_workflow(TriesAgain, (), options).await.unwrap();
    assert_eq!(within("the result", handle.result()).await.unwrap(), "NotYet at attempt 2 of false");
}

workflow!(CountsRuns: () => u32, |context, ()| {
    let last: u32 = context.info().last_completion_result()?.unwrap_or(0);
    if last == 1 {
        // Tells the test, and ends the schedule.
        context.execute_activity(Echo, "told".into(), options()).await?;
        std::future::pending::<()>().await;
    }
    Ok(last + 1)
});

#[tokio::test]
async fn the_next_run_of_a_cron_schedule_knows_the_last_result() {
    let stage = Stage::of::<CountsRuns>(CACHES[0]).await;
    let options = start_options(&stage.task_queue).cron_schedule("@every 1s");
    let handle = stage.client.start_workflow(CountsRuns, (), options).await.unwrap();
    wait_for_event(handle.untyped(), EventType::WorkflowExecutionCompleted).await;
    let second = stage.client.workflow_handle_untyped(handle.workflow_id(), None);
    wait_for_event(&second, EventType::ActivityTaskCompleted).await;
    second.terminate("seen").await.unwrap();
}

const BUILD_IDS: SearchAttributeKey<kind::KeywordList> = SearchAttributeKey::new("BuildIds");

workflow!(FindsItself: () => String, |context, ()| {
    let info = context.info();
    let found = context.search_attribute(&BUILD_IDS)?;
    let memo: Option<u32> = context.memo_field("order")?;
    Ok(format!("{found:?} {memo:?} {:?} {:?}", info.priority.priority_key_number(), info.priority.fairness_key_text()))
});

workflow!(StartsOne: String => String, |context, child_id| {
    let child = ChildWorkflowOptions::new(child_id)
        .search_attribute(&BUILD_IDS, vec!["b".to_owned()])
        .memo("order", 18_u32)
        .static_summary("a child")
        .priority(Priority::new().priority_key(1));
    let seen = context.execute_child_workflow(FindsItself, (), child).await?;
    let own: WorkflowContext<Self> = context.clone();
    Ok(format!("{seen} {:?}", join_all([async move { own.info().root.is_none() }]).await))
});

#[tokio::test]
async fn search_attributes_memo_and_priority_are_there_from_the_start_on() {
    let stage = Stage::of_both::<StartsOne, FindsItself>(CACHES[0]).await;
    let with = |options: StartWorkflowOptions| {
        options
            .search_attribute(&BUILD_IDS, vec!["a".to_owned()])
            .memo("order", 17_u32)
            .priority(Priority::new().priority_key(4).fairness_key("customer-17"))
    };
    let handle = stage.client.start_workflow(FindsItself, (), with(start_options(&stage.task_queue))).await.unwrap();
    let result = within("the result", handle.result()).await.unwrap();
    assert_eq!(result, "Some([\"a\"]) Some(17) Some(4) Some(\"customer-17\")");
    let handle =
        stage.client.start_workflow(StartsOne, unique("child"), with(start_options(&stage.task_queue))).await.unwrap();
    let result = within("the result", handle.result()).await.unwrap();
    assert_eq!(result, "Some([\"b\"]) Some(18) Some(1) Some(\"customer-17\") [true]", "the fairness key is inherited");
}
