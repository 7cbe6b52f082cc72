//! Local Activities.

use serde_json::Value;
use timewright_proto::common::RetryPolicy;
use timewright_proto::to_duration;
use timewright_protocol::workflow::{ActivityCancellationType, ScheduleLocalActivity};

use super::{Program, plain};
use crate::context::{Context, Done, local_activity, ms, outcome};
use crate::operation::{all, first};

pub(super) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    use ActivityCancellationType::{Abandon, TryCancel, WaitCancellationCompleted};
    let context = context.clone();
    Some(match workflow_type {
        // Arguments in the marker are only for people: we have no such option.
        "local_activity" | "local_activity_arguments" => plain(run(context, "echo", "hello".into())),
        "local_activity_nothing" => plain(run(context, "nothing", Value::Null)),
        "local_activity_custom_id" => plain(local_activity_custom_id(context)),
        "local_activity_retried" => plain(local_activity_retried(context)),
        "local_activity_failed" => plain(local_activity_failed(context)),
        "local_activity_failing_workflow" => plain(run(context, "refuse", "no".into())),
        "local_activity_timed_out" => plain(local_activity_timed_out(context)),
        "local_activities_parallel" => plain(local_activities_parallel(context)),
        "local_activities_chain_beside_slow" => plain(local_activities_chain_beside_slow(context)),
        "local_activity_backoff" => plain(local_activity_backoff(context)),
        "local_activity_heartbeat" => plain(run(context, "wait_ms", 4000.into())),
        "local_activity_timer_race" => plain(local_activity_timer_race(context)),
        "local_activity_try_cancel" => plain(cancel_one(context, TryCancel)),
        "local_activity_wait_cancelled" => plain(cancel_one(context, WaitCancellationCompleted)),
        "local_activity_abandon" => plain(cancel_one(context, Abandon)),
        "local_activity_cancelled_at_once" => plain(local_activity_cancelled_at_once(context)),
        "local_activity_workflow_cancelled" => plain(run(context, "until_cancelled", Value::Null)),
        "local_activity_second_task" => plain(local_activity_second_task(context)),
        "local_activity_beside_others" => plain(local_activity_beside_others(context)),
        _ => return None,
    })
}

async fn run(context: Context, name: &'static str, argument: Value) -> Done {
    context.local_activity(name, argument).outcome().await
}

async fn local_activity_custom_id(context: Context) -> Done {
    let activity_id = Some("my-activity".into());
    context.schedule_local(ScheduleLocalActivity { activity_id, ..local_activity("echo", "hello") }).outcome().await
}

async fn local_activity_retried(context: Context) -> Done {
    let retry_policy = Some(RetryPolicy { initial_interval: Some(to_duration(ms(50))), ..RetryPolicy::default() });
    context.schedule_local(ScheduleLocalActivity { retry_policy, ..local_activity("fail_until", 3) }).outcome().await
}

async fn local_activity_failed(context: Context) -> Done {
    let result = outcome(&context.local_activity("refuse", "no").outcome().await);
    context.timer(100).outcome().await?;
    Ok(result)
}

async fn local_activity_timed_out(context: Context) -> Done {
    let schedule = ScheduleLocalActivity {
        start_to_close_timeout: Some(ms(300)),
        retry_policy: Some(RetryPolicy { maximum_attempts: 1, ..RetryPolicy::default() }),
        ..local_activity("wait_ms", 2000)
    };
    Ok(outcome(&context.schedule_local(schedule).outcome().await))
}

async fn local_activities_parallel(context: Context) -> Done {
    all(&[600, 10, 300].map(|milliseconds| context.local_activity("wait_ms", milliseconds))).await
}

async fn local_activities_chain_beside_slow(context: Context) -> Done {
    let slow = context.local_activity("wait_ms", 1500);
    let mut chain = Vec::new();
    for milliseconds in [101, 102, 103] {
        chain.push(context.local_activity("wait_ms", milliseconds).outcome().await?);
    }
    chain.push(slow.outcome().await?);
    Ok(chain.into())
}

async fn local_activity_backoff(context: Context) -> Done {
    let schedule = ScheduleLocalActivity {
        retry_policy: Some(RetryPolicy {
            initial_interval: Some(to_duration(ms(1000))),
            backoff_coefficient: 1.0,
            ..RetryPolicy::default()
        }),
        local_retry_threshold: ms(500),
        ..local_activity("fail_until", 3)
    };
    context.schedule_local(schedule).outcome().await
}

async fn local_activity_timer_race(context: Context) -> Done {
    let timer = context.timer(1000);
    let working = context.local_activity("until_cancelled", ());
    first(&[&timer, &working]).await;
    working.cancel();
    Ok(outcome(&working.outcome().await))
}

async fn cancel_one(context: Context, cancellation_type: ActivityCancellationType) -> Done {
    let schedule = ScheduleLocalActivity { cancellation_type, ..local_activity("until_cancelled", ()) };
    let working = context.schedule_local(schedule);
    context.local_activity("wait_ms", 200).outcome().await?;
    working.cancel();
    let result = outcome(&working.outcome().await);
    context.timer(100).outcome().await?;
    Ok(result)
}

async fn local_activity_cancelled_at_once(context: Context) -> Done {
    let never = context.local_activity("wait_ms", 100);
    never.cancel();
    let result = outcome(&never.outcome().await);
    context.timer(100).outcome().await?;
    Ok(result)
}

async fn local_activity_second_task(context: Context) -> Done {
    context.timer(100).outcome().await?;
    let first = context.local_activity("echo", "first").outcome().await?;
    context.timer(100).outcome().await?;
    let second = context.local_activity("echo", "second").outcome().await?;
    Ok(vec![first, second].into())
}

async fn local_activity_beside_others(context: Context) -> Done {
    let timer = context.timer(1000);
    let near = context.local_activity("wait_ms", 100);
    let activity = context.activity("echo", "hello");
    near.outcome().await?;
    let second_timer = context.timer(2000);
    timer.outcome().await?;
    activity.outcome().await?;
    second_timer.outcome().await?;
    Ok("all".into())
}
