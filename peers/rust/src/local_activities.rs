//! Local Activities.

use temporalio_common::RetryPolicy;
use temporalio_sdk::workflows::{join_all, select};
use temporalio_sdk::{ActivityCancellationType, CancellableFuture, LocalActivityOptions, WorkflowContext};

use crate::activities::Activities;
use crate::common::{LONG, local, ms, outcome, program, remote};

program!("local_activity", LocalActivity, |ctx| -> String {
    Ok(ctx.execute_local_activity(Activities::echo, "hello".to_owned(), local()).await?)
});

program!("local_activity_nothing", LocalActivityNothing, |ctx| -> () {
    Ok(ctx.execute_local_activity(Activities::nothing, (), local()).await?)
});

program!("local_activity_custom_id", LocalActivityCustomId, |ctx| -> String {
    let mut options = local();
    options.activity_id = Some("my-activity".to_owned());
    Ok(ctx.execute_local_activity(Activities::echo, "hello".to_owned(), options).await?)
});

// Only this SDK can do it.
program!("local_activity_arguments", LocalActivityArguments, |ctx| -> String {
    let mut options = local();
    options.include_arguments_in_marker = true;
    Ok(ctx.execute_local_activity(Activities::echo, "hello".to_owned(), options).await?)
});

program!("local_activity_retried", LocalActivityRetried, |ctx| -> u32 {
    let mut options = local();
    options.retry_policy = RetryPolicy::builder().initial_interval(ms(50)).build();
    Ok(ctx.execute_local_activity(Activities::fail_until, 3u32, options).await?)
});

program!("local_activity_failed", LocalActivityFailed, |ctx| -> String {
    let result = outcome(&ctx.execute_local_activity(Activities::refuse, "no".to_owned(), local()).await);
    ctx.timer(ms(100)).await;
    Ok(result)
});

program!("local_activity_failing_workflow", LocalActivityFailingWorkflow, |ctx| -> String {
    Ok(ctx.execute_local_activity(Activities::refuse, "no".to_owned(), local()).await?)
});

program!("local_activity_timed_out", LocalActivityTimedOut, |ctx| -> String {
    let options = LocalActivityOptions::builder()
        .start_to_close_timeout(ms(300))
        .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
        .build();
    Ok(outcome(&ctx.execute_local_activity(Activities::wait_ms, 2000u64, options).await))
});

program!("local_activities_parallel", LocalActivitiesParallel, |ctx| -> Vec<u64> {
    let activities =
        [600u64, 10, 300].map(|milliseconds| ctx.execute_local_activity(Activities::wait_ms, milliseconds, local()));
    Ok(join_all(activities).await.into_iter().collect::<Result<_, _>>()?)
});

program!("local_activities_chain_beside_slow", LocalActivitiesChainBesideSlow, |ctx| -> Vec<u64> {
    let slow = ctx.execute_local_activity(Activities::wait_ms, 1500u64, local());
    let mut chain = Vec::new();
    for milliseconds in [101u64, 102, 103] {
        chain.push(ctx.execute_local_activity(Activities::wait_ms, milliseconds, local()).await?);
    }
    chain.push(slow.await?);
    Ok(chain)
});

program!("local_activity_backoff", LocalActivityBackoff, |ctx| -> u32 {
    let mut options = local();
    options.retry_policy = RetryPolicy::builder().initial_interval(ms(1000)).backoff_coefficient(1.0).build();
    options.timer_backoff_threshold = Some(ms(500));
    Ok(ctx.execute_local_activity(Activities::fail_until, 3u32, options).await?)
});

program!("local_activity_heartbeat", LocalActivityHeartbeat, |ctx| -> u64 {
    Ok(ctx.execute_local_activity(Activities::wait_ms, 4000u64, local()).await?)
});

program!("local_activity_timer_race", LocalActivityTimerRace, |ctx| -> String {
    let mut timer = ctx.timer(ms(1000));
    let mut activity = ctx.execute_local_activity(Activities::until_cancelled, (), local());
    select! {
        _ = timer => {}
        _ = activity => {}
    }
    activity.cancel();
    Ok(outcome(&activity.await))
});

async fn cancel_one<W>(ctx: &WorkflowContext<W>, cancellation_type: ActivityCancellationType) -> String {
    let options = LocalActivityOptions::builder().start_to_close_timeout(LONG).cancel_type(cancellation_type).build();
    let working = ctx.execute_local_activity(Activities::until_cancelled, (), options);
    let _ = ctx.execute_local_activity(Activities::wait_ms, 200u64, local()).await;
    working.cancel();
    let result = outcome(&working.await);
    ctx.timer(ms(100)).await;
    result
}

program!("local_activity_try_cancel", LocalActivityTryCancel, |ctx| -> String {
    Ok(cancel_one(ctx, ActivityCancellationType::TryCancel).await)
});

program!("local_activity_wait_cancelled", LocalActivityWaitCancelled, |ctx| -> String {
    Ok(cancel_one(ctx, ActivityCancellationType::WaitCancellationCompleted).await)
});

program!("local_activity_abandon", LocalActivityAbandon, |ctx| -> String {
    Ok(cancel_one(ctx, ActivityCancellationType::Abandon).await)
});

program!("local_activity_cancelled_at_once", LocalActivityCancelledAtOnce, |ctx| -> String {
    let never = ctx.execute_local_activity(Activities::wait_ms, 100u64, local());
    never.cancel();
    let result = outcome(&never.await);
    ctx.timer(ms(100)).await;
    Ok(result)
});

program!("local_activity_workflow_cancelled", LocalActivityWorkflowCancelled, |ctx| -> String {
    let result = ctx.execute_local_activity(Activities::until_cancelled, (), local()).await;
    match result {
        Err(error) if crate::common::MayBeCancelled::is_cancelled(&error) => {
            Err(temporalio_sdk::WorkflowTermination::cancelled())
        }
        result => Ok(result?),
    }
});

program!("local_activity_second_task", LocalActivitySecondTask, |ctx| -> Vec<String> {
    ctx.timer(ms(100)).await;
    let first = ctx.execute_local_activity(Activities::echo, "first".to_owned(), local()).await?;
    ctx.timer(ms(100)).await;
    Ok(vec![first, ctx.execute_local_activity(Activities::echo, "second".to_owned(), local()).await?])
});

program!("local_activity_beside_others", LocalActivityBesideOthers, |ctx| -> String {
    let timer = ctx.timer(ms(1000));
    let near = ctx.execute_local_activity(Activities::wait_ms, 100u64, local());
    let activity = ctx.execute_activity(Activities::echo, "hello".to_owned(), remote());
    near.await?;
    let second_timer = ctx.timer(ms(2000));
    timer.await;
    activity.await?;
    second_timer.await;
    Ok("all".to_owned())
});
