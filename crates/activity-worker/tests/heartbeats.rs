//! Heartbeats, and the reasons to stop that come with their answers.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{FakeServer, Nothing, Number, Reply, failure, seconds, task, value, while_running};
use timewright_activity_worker::{ActivityContext, ActivityError, CancelReason, HeartbeatError, LocalTimeout};
use timewright_converter::ApplicationFailure;
use timewright_proto::workflow_service::{
    PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse,
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
use tokio::time::{Instant, sleep};
use tonic::Code;

/// Heartbeats 1, 2, 3, … each 100 ms until told to stop; then says so, with the reason.
async fn heartbeat_until_cancelled(
    reasons: Arc<Mutex<Vec<CancelReason>>>,
    context: ActivityContext,
    _: (),
) -> Result<(), ActivityError> {
    for number in 1_u64.. {
        context.heartbeat(number)?;
        tokio::select! {
            () = sleep(Duration::from_millis(100)) => (),
            reason = context.cancelled() => {
                reasons.lock().unwrap().push(reason);
                assert_eq!(context.cancel_reason(), Some(reason));
                return Err(ActivityError::cancelled_with_details(number));
            }
        }
    }
    Ok(())
}

/// A task with a heartbeat timeout of 10 s, so that one heartbeat goes in 8 s.
fn heartbeating() -> PollActivityTaskQueueResponse {
    PollActivityTaskQueueResponse { heartbeat_timeout: seconds(10), ..task("Nothing", ()) }
}

#[tokio::test(start_paused = true)]
async fn c22_the_first_goes_at_once_and_then_the_newest_in_each_interval() {
    let server = FakeServer::new();
    server.give(heartbeating());
    let builder = server.worker().activity(Nothing, |context: ActivityContext, ()| async move {
        for tenth in 0..200_u64 {
            context.heartbeat(tenth)?;
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    });
    let started = Instant::now();
    while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    let sent: Vec<(u64, u64)> = server
        .sent::<RecordActivityTaskHeartbeatRequest>()
        .into_iter()
        .map(|(at, request)| ((at - started).as_secs(), value(request.details)))
        .collect();
    // At 0, 8 and 16 s; no other flush on success.
    let [(0, 0), (8, second), (16, third)] = sent[..] else { panic!("{sent:?}") };
    assert!((79..=81).contains(&second) && (159..=161).contains(&third), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn v1_the_newest_details_go_along_with_a_failure() {
    let server = FakeServer::new();
    server.give(heartbeating());
    let builder = server.worker().activity(Nothing, |context: ActivityContext, ()| async move {
        for number in 1..=3_u64 {
            context.heartbeat(number)?;
        }
        Err(ApplicationFailure::new("no").into())
    });
    let told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(value::<u64>(told[0].last_heartbeat_details.clone()), 3);

    // None, if there was none; and an empty list for a heartbeat without details.
    let server = FakeServer::new();
    server.give(task("Number", 0_u64));
    server.give(task("Number", 1_u64));
    let builder = server.worker().maximum_concurrent_activities(1).activity(
        Number,
        |context: ActivityContext, number| async move {
            if number == 1 {
                context.heartbeat(())?;
            }
            Err(ApplicationFailure::new("no").into())
        },
    );
    let told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(2)).await;
    assert_eq!(told[0].last_heartbeat_details, None);
    assert_eq!(told[1].last_heartbeat_details, Some(Default::default()));
}

// A paused clock would not wait for a thread.
#[tokio::test]
async fn v1_a_panic_keeps_them_too() {
    let server = FakeServer::new();
    server.give(task("Number", 5_u64));
    let builder = server.worker().blocking_activity(Number, |context: ActivityContext, number| {
        context.heartbeat(number)?;
        context.heartbeat(number + 1)?;
        panic!("after {number}")
    });
    let told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(value::<u64>(told[0].last_heartbeat_details.clone()), 6);
}

#[tokio::test(start_paused = true)]
async fn v3_v4_v6_a_requested_cancellation_is_told_once_and_reported_as_one() {
    let server = FakeServer::new();
    server.give(heartbeating());
    let requested = RecordActivityTaskHeartbeatResponse { cancel_requested: true, ..Default::default() };
    for _ in 0..3 {
        server.reply::<RecordActivityTaskHeartbeatRequest>(Reply::message(&requested));
    }
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let builder = server.worker().activity_with_state(Nothing, reasons.clone(), heartbeat_until_cancelled);
    let started = Instant::now();
    let told = while_running(builder, async {
        let told = server.wait_for::<RespondActivityTaskCanceledRequest>(1).await;
        // At once, although polls are open.
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        told
    })
    .await;
    assert_eq!(*reasons.lock().unwrap(), [CancelReason::CancelRequested]);
    assert_eq!(value::<u64>(told[0].details.clone()), 1);
}

#[tokio::test(start_paused = true)]
async fn v8_pause_and_reset_interrupt_and_are_no_cancellation() {
    let paused = RecordActivityTaskHeartbeatResponse { activity_paused: true, ..Default::default() };
    let reset = RecordActivityTaskHeartbeatResponse { activity_reset: true, ..Default::default() };
    for (response, reason, type_name) in
        [(paused, CancelReason::Paused, "ActivityPaused"), (reset, CancelReason::Reset, "ActivityReset")]
    {
        let server = FakeServer::new();
        server.give(heartbeating());
        server.reply::<RecordActivityTaskHeartbeatRequest>(Reply::message(&response));
        let reasons = Arc::new(Mutex::new(Vec::new()));
        let builder = server.worker().activity_with_state(Nothing, reasons.clone(), heartbeat_until_cancelled);
        let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
        assert_eq!(*reasons.lock().unwrap(), [reason]);
        assert_eq!(failure(told.remove(0)).application_type(), Some(type_name));
    }
}

#[tokio::test(start_paused = true)]
async fn v2_an_attempt_that_the_server_has_given_up_is_told_so() {
    let server = FakeServer::new();
    server.give(heartbeating());
    server.reply::<RecordActivityTaskHeartbeatRequest>(Reply::error(Code::NotFound, "no such activity"));
    server.reply::<RespondActivityTaskFailedRequest>(Reply::error(Code::NotFound, "no such activity"));
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let builder = server.worker().activity_with_state(Nothing, reasons.clone(), heartbeat_until_cancelled);
    while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(*reasons.lock().unwrap(), [CancelReason::NotFound]);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_lost_is_sent_again_in_its_time() {
    let server = FakeServer::new();
    server.give(heartbeating());
    // Not retried by the client's stack.
    server.reply::<RecordActivityTaskHeartbeatRequest>(Reply::error(Code::InvalidArgument, "no"));
    let builder = server.worker().activity(Nothing, |context: ActivityContext, ()| async move {
        context.heartbeat(1_u64)?;
        sleep(Duration::from_secs(9)).await;
        Ok(())
    });
    while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    let sent = server.sent::<RecordActivityTaskHeartbeatRequest>();
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[1].0 - sent[0].0).as_secs(), 8);
}

#[tokio::test(start_paused = true)]
async fn c20_timeouts_are_enforced_even_if_the_server_is_silent() {
    // Heartbeats that nobody answers.
    let server = FakeServer::new();
    server.give(heartbeating());
    server.reply::<RecordActivityTaskHeartbeatRequest>(Reply::Never);
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let builder = server.worker().activity_with_state(Nothing, reasons.clone(), heartbeat_until_cancelled);
    let started = Instant::now();
    while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(*reasons.lock().unwrap(), [CancelReason::TimedOut(LocalTimeout::Heartbeat)]);
    assert_eq!(started.elapsed().as_secs(), 15, "timeout and buffer");

    // v5: a start-to-close timeout, although heartbeats are answered.
    let server = FakeServer::new();
    server.give(PollActivityTaskQueueResponse { start_to_close_timeout: seconds(30), ..heartbeating() });
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let builder = server.worker().local_timeout_buffer(Duration::from_secs(1)).activity_with_state(
        Nothing,
        reasons.clone(),
        heartbeat_until_cancelled,
    );
    let started = Instant::now();
    while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(*reasons.lock().unwrap(), [CancelReason::TimedOut(LocalTimeout::StartToClose)]);
    assert_eq!(started.elapsed().as_secs(), 31);
}

#[tokio::test(start_paused = true)]
async fn c21_timeouts_are_measured_from_the_arrival_whatever_the_servers_clock_says() {
    let now = std::time::SystemTime::now();
    for started in [now - Duration::from_secs(100_000), now + Duration::from_secs(100_000)] {
        let server = FakeServer::new();
        let started_time = Some(started.into());
        server.give(PollActivityTaskQueueResponse {
            scheduled_time: started_time,
            started_time,
            start_to_close_timeout: seconds(30),
            ..task("Nothing", ())
        });
        let reasons = Arc::new(Mutex::new(Vec::new()));
        let builder = server.worker().local_timeout_buffer(Duration::from_secs(1)).activity_with_state(
            Nothing,
            reasons.clone(),
            heartbeat_until_cancelled,
        );
        let arrived = Instant::now();
        while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
        assert_eq!(*reasons.lock().unwrap(), [CancelReason::TimedOut(LocalTimeout::StartToClose)]);
        assert_eq!(arrived.elapsed().as_secs(), 31, "neither at once nor never");
    }
}

#[tokio::test(start_paused = true)]
async fn a_context_works_in_spawned_tasks_and_threads() {
    let server = FakeServer::new();
    server.give(heartbeating());
    let requested = RecordActivityTaskHeartbeatResponse { cancel_requested: true, ..Default::default() };
    server.reply::<RecordActivityTaskHeartbeatRequest>(Reply::message(&requested));
    let builder = server.worker().activity(Nothing, |context: ActivityContext, ()| async move {
        let (beating, waiting) = (context.clone(), context.clone());
        std::thread::spawn(move || beating.heartbeat(1_u64)).join().expect("no panic")?;
        let reason = tokio::spawn(async move { waiting.cancelled().await }).await?;
        assert_eq!(reason, CancelReason::CancelRequested);
        Err(ActivityError::cancelled())
    });
    let told = while_running(builder, server.wait_for::<RespondActivityTaskCanceledRequest>(1)).await;
    assert_eq!(told[0].details, None);
}

#[tokio::test(start_paused = true)]
async fn details_that_cannot_be_sent_are_refused_at_once() {
    let server = FakeServer::new();
    server.give(task("Nothing", ()));
    let builder = server.worker().activity(Nothing, |context: ActivityContext, ()| async move {
        let error = context.heartbeat("x".repeat(3_000_000)).unwrap_err();
        assert!(matches!(&error, HeartbeatError::TooLarge { limit: 2_097_152, .. }), "{error}");
        context.heartbeat(1_u64)?;
        Err(error.into())
    });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(value::<u64>(told[0].last_heartbeat_details.clone()), 1);
    assert_eq!(
        failure(told.remove(0)).to_string(),
        "HeartbeatError: the heartbeat details of activity `Nothing` have 3000031 bytes, but the server takes at most 2097152. \
         Store the data elsewhere, and heartbeat a reference to it"
    );
}
