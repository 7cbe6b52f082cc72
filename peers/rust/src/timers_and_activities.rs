//! Timers and activities.

use temporalio_common::RetryPolicy;
use temporalio_sdk::workflows::{join_all, select};
use temporalio_sdk::{ActivityCancellationType, ActivityOptions, CancellableFuture, WorkflowContext};

use crate::activities::Activities;
use crate::common::{HOUR, LONG, ms, outcome, program, remote};

// --- Timers

program!("timer", OneTimer, |ctx| -> String {
    ctx.timer(ms(100)).await;
    Ok("fired".to_owned())
});

program!("timer_cancelled", TimerCancelled, |ctx| -> String {
    let (long, short) = (ctx.timer(HOUR), ctx.timer(ms(100)));
    short.await;
    long.cancel();
    ctx.timer(ms(100)).await;
    Ok("fired".to_owned())
});

program!("timer_cancelled_at_once", TimerCancelledAtOnce, |ctx| -> String {
    ctx.timer(HOUR).cancel();
    ctx.timer(ms(100)).await;
    Ok("fired".to_owned())
});

program!("timers_race", TimersRace, |ctx| -> String {
    let (mut long, mut short) = (ctx.timer(HOUR), ctx.timer(ms(100)));
    let winner = select! {
        _ = long => "long",
        _ = short => "short",
    };
    long.cancel();
    Ok(winner.to_owned())
});

program!("timers_parallel", TimersParallel, |ctx| -> String {
    let timers = [1000, 100, 2000].map(|milliseconds| ctx.timer(ms(milliseconds)));
    for timer in timers {
        timer.await;
    }
    Ok("fired".to_owned())
});

// --- Activities

program!("activity", OneActivity, |ctx| -> String {
    Ok(ctx.execute_activity(Activities::echo, "hello".to_owned(), remote()).await?)
});

program!("activity_nothing", ActivityNothing, |ctx| -> () {
    Ok(ctx.execute_activity(Activities::nothing, (), remote()).await?)
});

program!("activity_custom_id", ActivityCustomId, |ctx| -> String {
    let mut options = remote();
    options.activity_id = Some("my-activity".to_owned());
    Ok(ctx.execute_activity(Activities::echo, "hello".to_owned(), options).await?)
});

program!("activity_retried", ActivityRetried, |ctx| -> u32 {
    let mut options = remote();
    options.retry_policy = Some(RetryPolicy::builder().initial_interval(ms(100)).build());
    Ok(ctx.execute_activity(Activities::fail_until, 2u32, options).await?)
});

program!("activity_failed", ActivityFailed, |ctx| -> String {
    Ok(outcome(&ctx.execute_activity(Activities::refuse, "no".to_owned(), remote()).await))
});

program!("activity_timed_out", ActivityTimedOut, |ctx| -> String {
    let mut options = ActivityOptions::start_to_close_timeout(ms(500));
    options.retry_policy = Some(RetryPolicy::builder().maximum_attempts(1).build());
    Ok(outcome(&ctx.execute_activity(Activities::wait_ms, 2000u64, options).await))
});

program!("activities_parallel", ActivitiesParallel, |ctx| -> Vec<u64> {
    let activities =
        [1000u64, 10, 2000].map(|milliseconds| ctx.execute_activity(Activities::wait_ms, milliseconds, remote()));
    Ok(join_all(activities).await.into_iter().collect::<Result<_, _>>()?)
});

async fn cancel_one<W>(ctx: &WorkflowContext<W>, cancellation_type: ActivityCancellationType) -> String {
    let options = ActivityOptions::with_start_to_close_timeout(LONG)
        .heartbeat_timeout(ms(10_000))
        .cancellation_type(cancellation_type)
        .build();
    let working = ctx.execute_activity(Activities::until_cancelled, (), options);
    ctx.timer(ms(500)).await;
    working.cancel();
    let result = outcome(&working.await);
    ctx.timer(ms(1000)).await;
    result
}

program!("activity_try_cancel", ActivityTryCancel, |ctx| -> String {
    Ok(cancel_one(ctx, ActivityCancellationType::TryCancel).await)
});

program!("activity_wait_cancelled", ActivityWaitCancelled, |ctx| -> String {
    Ok(cancel_one(ctx, ActivityCancellationType::WaitCancellationCompleted).await)
});

program!("activity_abandon", ActivityAbandon, |ctx| -> String {
    Ok(cancel_one(ctx, ActivityCancellationType::Abandon).await)
});

program!("activity_cancelled_at_once", ActivityCancelledAtOnce, |ctx| -> String {
    let never = ctx.execute_activity(Activities::echo, "never".to_owned(), remote());
    never.cancel();
    let result = outcome(&never.await);
    ctx.timer(ms(100)).await;
    Ok(result)
});
