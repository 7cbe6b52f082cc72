//! Timers and activities.

use timewright_proto::common::RetryPolicy;
use timewright_proto::to_duration;
use timewright_protocol::workflow::{ActivityCancellationType, ScheduleActivity};

use super::{Program, plain};
use crate::context::{Context, Done, HOUR, activity, ms, outcome};
use crate::histories::Sdk;
use crate::operation::{all, first};

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    use ActivityCancellationType::{Abandon, TryCancel, WaitCancellationCompleted};
    let context = context.clone();
    Some(match workflow_type {
        "timer" => plain(timer(context)),
        "timer_cancelled" => plain(timer_cancelled(context)),
        "timer_cancelled_at_once" => plain(timer_cancelled_at_once(context)),
        "timers_race" => plain(timers_race(context)),
        "timers_parallel" => plain(timers_parallel(context)),
        "activity" => plain(async move { context.activity("echo", "hello").outcome().await }),
        "activity_nothing" => plain(async move { context.activity("nothing", ()).outcome().await }),
        "activity_custom_id" => plain(activity_custom_id(context)),
        "activity_retried" => plain(activity_retried(context)),
        "activity_failed" => plain(async move { Ok(outcome(&context.activity("refuse", "no").outcome().await)) }),
        "activity_timed_out" => plain(activity_timed_out(context)),
        "activities_parallel" => plain(activities_parallel(context)),
        "activity_try_cancel" => plain(cancel_one(context, TryCancel)),
        "activity_wait_cancelled" => plain(cancel_one(context, WaitCancellationCompleted)),
        "activity_abandon" => plain(cancel_one(context, Abandon)),
        "activity_cancelled_at_once" => plain(activity_cancelled_at_once(context)),
        _ => return None,
    })
}

async fn timer(context: Context) -> Done {
    context.timer(100).outcome().await?;
    Ok("fired".into())
}

/// TypeScript cancels in a later microtask.
async fn timer_cancelled(context: Context) -> Done {
    let (long, short) = (context.timer(HOUR), context.timer(100));
    short.outcome().await?;
    if context.is(Sdk::TypeScript) {
        let last = context.timer(100);
        long.cancel();
        last.outcome().await?;
    } else {
        long.cancel();
        context.timer(100).outcome().await?;
    }
    Ok("fired".into())
}

async fn timer_cancelled_at_once(context: Context) -> Done {
    context.timer(HOUR).cancel();
    context.timer(100).outcome().await?;
    Ok("fired".into())
}

async fn timers_race(context: Context) -> Done {
    let (long, short) = (context.timer(HOUR), context.timer(100));
    first(&[&long, &short]).await;
    let winner = if short.is_done() { "short" } else { "long" };
    long.cancel();
    Ok(winner.into())
}

async fn timers_parallel(context: Context) -> Done {
    all(&[1000, 100, 2000].map(|milliseconds| context.timer(milliseconds))).await?;
    Ok("fired".into())
}

async fn activity_custom_id(context: Context) -> Done {
    let schedule = ScheduleActivity { activity_id: Some("my-activity".into()), ..activity("echo", "hello") };
    context.schedule(schedule).outcome().await
}

async fn activity_retried(context: Context) -> Done {
    let retry_policy = Some(RetryPolicy { initial_interval: Some(to_duration(ms(100))), ..RetryPolicy::default() });
    context.schedule(ScheduleActivity { retry_policy, ..activity("fail_until", 2) }).outcome().await
}

async fn activity_timed_out(context: Context) -> Done {
    let schedule = ScheduleActivity {
        start_to_close_timeout: Some(ms(500)),
        retry_policy: Some(RetryPolicy { maximum_attempts: 1, ..RetryPolicy::default() }),
        ..activity("wait_ms", 2000)
    };
    Ok(outcome(&context.schedule(schedule).outcome().await))
}

async fn activities_parallel(context: Context) -> Done {
    all(&[1000, 10, 2000].map(|milliseconds| context.activity("wait_ms", milliseconds))).await
}

async fn cancel_one(context: Context, cancellation_type: ActivityCancellationType) -> Done {
    let heartbeat_timeout = Some(ms(10_000));
    let schedule = ScheduleActivity { heartbeat_timeout, cancellation_type, ..activity("until_cancelled", ()) };
    let working = context.schedule(schedule);
    context.timer(500).outcome().await?;
    working.cancel();
    let result = outcome(&working.outcome().await);
    context.timer(1000).outcome().await?;
    Ok(result)
}

async fn activity_cancelled_at_once(context: Context) -> Done {
    let never = context.activity("echo", "never");
    never.cancel();
    let result = outcome(&never.outcome().await);
    context.timer(100).outcome().await?;
    Ok(result)
}
