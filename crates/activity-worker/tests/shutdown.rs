//! How a worker stops: nothing that it was given is lost.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use support::{FakeServer, Nothing, Number, Reply, failure, seconds, task, value};
use timewright_activity_worker::{ActivityContext, ActivityError, ActivityWorkerBuilder, CancelReason, WorkerError};
use timewright_client::Readiness;
use timewright_proto::workflow_service::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest, ShutdownWorkerRequest,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tonic::Code;

/// A worker that runs until it is told to stop.
struct Running {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), WorkerError>>,
}

fn start(builder: ActivityWorkerBuilder) -> Running {
    let (stop, stopped) = oneshot::channel();
    // Spawned, which shows that the future can go to any thread.
    let worker = tokio::spawn(builder.build().unwrap().run(async { drop(stopped.await) }));
    Running { stop, worker }
}

impl Running {
    /// How it ended, and how long that took.
    async fn stop(self) -> (Result<(), WorkerError>, Duration) {
        let started = Instant::now();
        drop(self.stop);
        (self.worker.await.unwrap(), started.elapsed())
    }
}

/// Takes so many seconds, and does not look at cancellation.
async fn stubborn(_: ActivityContext, seconds: u64) -> Result<u64, ActivityError> {
    sleep(Duration::from_secs(seconds)).await;
    Ok(seconds)
}

/// Takes so many seconds, unless it is told to stop.
async fn polite(context: ActivityContext, seconds: u64) -> Result<u64, ActivityError> {
    tokio::select! {
        () = sleep(Duration::from_secs(seconds)) => Ok(seconds),
        reason = context.cancelled() => {
            assert_eq!(reason, CancelReason::WorkerShutdown);
            Err(ActivityError::cancelled())
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s5_an_idle_worker_stops_at_once() {
    let server = FakeServer::new();
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for_polls(5).await;
    let (outcome, took) = running.stop().await;
    assert_eq!(outcome, Ok(()));
    assert!(took < Duration::from_millis(100), "{took:?}");
    let [(_, request)] = &server.sent::<ShutdownWorkerRequest>()[..] else { panic!("not told once") };
    let polls = server.sent::<PollActivityTaskQueueRequest>();
    assert_eq!(request.worker_instance_key, polls[0].1.worker_instance_key);
    assert_eq!((request.namespace.as_str(), request.task_queue.as_str()), ("default", "queue"));
    assert_eq!(request.task_queue_types, [2]);
    assert_eq!(server.open_polls(), 0);
}

#[tokio::test(start_paused = true)]
async fn s7_an_older_server_leaves_polls_open_and_they_are_dropped_soon() {
    let server = FakeServer::old();
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for_polls(5).await;
    let (outcome, took) = running.stop().await;
    assert_eq!((outcome, took.as_secs()), (Ok(()), 1));
    assert_eq!(server.open_polls(), 0);
}

#[tokio::test(start_paused = true)]
async fn s7_a_task_that_arrives_while_polls_end_is_executed() {
    let server = FakeServer::old();
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for_polls(5).await;
    let giving = async {
        server.wait_for::<ShutdownWorkerRequest>(1).await;
        sleep(Duration::from_millis(500)).await;
        server.give(task("Number", 3_u64));
    };
    let ((outcome, took), ()) = tokio::join!(running.stop(), giving);
    assert_eq!(outcome, Ok(()));
    assert_eq!(took, Duration::from_millis(3500));
    let (_, told) = server.sent::<RespondActivityTaskCompletedRequest>().remove(0);
    assert_eq!(value::<u64>(told.result), 3);
}

#[tokio::test(start_paused = true)]
async fn s8_a_slow_or_old_server_does_not_delay_the_end() {
    for reply in [Reply::Never, Reply::error(Code::Unimplemented, "unknown method ShutdownWorker")] {
        let server = FakeServer::old();
        server.reply::<ShutdownWorkerRequest>(reply);
        let running = start(server.worker().activity(Number, stubborn));
        server.wait_for_polls(5).await;
        let (outcome, took) = running.stop().await;
        assert_eq!(outcome, Ok(()));
        assert!(took <= Duration::from_secs(1), "{took:?}");
        assert_eq!(server.sent::<ShutdownWorkerRequest>().len(), 1, "tried once");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_what_runs_is_waited_for_and_heartbeats_go_on() {
    let server = FakeServer::new();
    server.give(PollActivityTaskQueueResponse { heartbeat_timeout: seconds(2), ..task("Number", 8_u64) });
    let builder = server.worker().activity(Number, |context: ActivityContext, number| async move {
        for second in 0..number {
            context.heartbeat(second)?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(u64::from(context.is_worker_shutting_down()))
    });
    let running = start(builder);
    server.wait_for::<RecordActivityTaskHeartbeatRequest>(1).await;
    let stopped_at = Instant::now();
    let (outcome, took) = running.stop().await;
    assert_eq!((outcome, took.as_secs()), (Ok(()), 8));
    let late = server.sent::<RecordActivityTaskHeartbeatRequest>().iter().filter(|(at, _)| *at > stopped_at).count();
    assert!(late >= 3, "{late} heartbeats during shutdown");
    let (_, told) = server.sent::<RespondActivityTaskCompletedRequest>().remove(0);
    assert_eq!(value::<u64>(told.result), 1, "the activity saw the shutdown");
    assert_eq!(server.sent::<RespondActivityTaskFailedRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn s4_after_the_grace_period_activities_are_cancelled_though_polls_are_open() {
    let server = FakeServer::old();
    server.give(task("Number", 1000_u64));
    let running = start(server.worker().activity(Number, polite).graceful_shutdown_timeout(Duration::from_millis(300)));
    server.wait_for_polls(5).await;
    let giving = async {
        // It arrives after the grace period, while polls are drained, and is told to stop at once.
        sleep(Duration::from_millis(600)).await;
        server.give(task("Number", 1000_u64));
    };
    let ((outcome, took), ()) = tokio::join!(running.stop(), giving);
    assert_eq!(outcome, Ok(()));
    assert!(took <= Duration::from_secs(1), "{took:?}");
    let told = server.sent::<RespondActivityTaskFailedRequest>();
    assert_eq!(told.len(), 2);
    for (_, told) in told {
        assert_eq!(failure(told).to_string(), "WorkerShutdown: the activity stopped because its worker shut down");
    }
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_does_not_stop_is_waited_for() {
    let server = FakeServer::new();
    server.give(task("Number", 100_u64));
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for_polls(5).await;
    let (outcome, took) = running.stop().await;
    assert_eq!((outcome, took.as_secs()), (Ok(()), 100));
    assert_eq!(server.sent::<RespondActivityTaskCompletedRequest>().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_blocking_activity_sees_the_shutdown_and_is_waited_for() {
    let server = FakeServer::new();
    server.give(task("Nothing", ()));
    let begun = Arc::new(AtomicBool::new(false));
    let (noted, ended) = (begun.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = ended.clone();
    let builder = server.worker().graceful_shutdown_timeout(Duration::from_millis(50)).blocking_activity(
        Nothing,
        move |context: ActivityContext, ()| {
            noted.store(true, Ordering::SeqCst);
            // The runtime's clock is a test's, this thread's is not.
            while !context.is_cancelled() {
                std::thread::yield_now();
            }
            counted.fetch_add(1, Ordering::SeqCst);
            Err(ActivityError::cancelled())
        },
    );
    // The clock must not stand still while a thread works.
    tokio::time::resume();
    let running = start(builder);
    while !begun.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.stop().await.0, Ok(()));
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    assert_eq!(server.sent::<RespondActivityTaskFailedRequest>().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn s3_a_completion_that_is_under_way_is_waited_for() {
    let server = FakeServer::new();
    server.reply::<RespondActivityTaskCompletedRequest>(Reply::Later(Duration::from_secs(20)));
    server.give(task("Number", 0_u64));
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for::<RespondActivityTaskCompletedRequest>(1).await;
    let (outcome, took) = running.stop().await;
    assert_eq!((outcome, took.as_secs()), (Ok(()), 20));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_does_not_keep_a_worker_for_ever() {
    let server = FakeServer::new();
    for _ in 0..10_000 {
        server.reply::<RespondActivityTaskCompletedRequest>(Reply::error(Code::Unavailable, "away"));
    }
    server.give(task("Number", 0_u64));
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for::<RespondActivityTaskCompletedRequest>(1).await;
    let (outcome, took) = running.stop().await;
    assert_eq!(outcome, Ok(()));
    assert!(took < Duration::from_secs(40), "{took:?}");
}

/// What runs beside a worker belongs to it: it is not ready, and not well, where its sessions cannot be opened.
#[tokio::test(start_paused = true)]
async fn c3_a_worker_whose_sessions_cannot_be_opened_is_not_ready_and_ends() {
    let server = FakeServer::new();
    server.refuse_polls_of("__session_creation");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let builder = server.worker().activity(Number, stubborn).maximum_concurrent_sessions(1);
    let readiness: Arc<OnceLock<Readiness>> = Arc::default();
    let asked = Arc::clone(&readiness);
    let worker = builder.on_fatal_error(move |error| {
        tell.send((error.to_string(), asked.get().unwrap().check().unwrap_err().to_string())).unwrap();
    });
    let worker = worker.build().unwrap();
    readiness.set(worker.readiness()).unwrap();
    let worker = tokio::spawn(worker.run(std::future::pending()));
    let (fatal, not_ready) = told.recv().await.unwrap();
    let queue = "\"queue__session_creation\"";
    assert!(fatal.starts_with(&format!("the Activity Worker on task queue {queue} stopped: polling ")), "{fatal}");
    assert!(not_ready.starts_with(&format!("the Activity Worker on task queue {queue} is not ready: ")), "{not_ready}");
    assert_eq!(worker.await.unwrap().unwrap_err().to_string(), fatal);
    assert_eq!(told.recv().await, None, "it is said once");
}

#[tokio::test(start_paused = true)]
async fn c3_a_refusal_is_tolerated_for_a_minute_and_then_ends_the_worker() {
    let server = FakeServer::new();
    server.give(task("Number", 100_u64));
    let running = start(server.worker().activity(Number, stubborn).maximum_concurrent_polls(1));
    server.wait_for::<PollActivityTaskQueueRequest>(2).await;
    for _ in 0..10_000 {
        server.reply::<PollActivityTaskQueueRequest>(Reply::error(Code::PermissionDenied, "no"));
    }
    let Err(error) = running.worker.await.unwrap() else { panic!("it should have stopped") };
    let text = error.to_string();
    assert!(text.starts_with("the Activity Worker on task queue \"queue\" stopped: polling "), "{text}");
    assert!(text.contains("PermissionDenied") && text.contains("Check the API key"), "{text}");
    assert_eq!(server.sent::<RespondActivityTaskCompletedRequest>().len(), 1, "what ran has ended, and was told");
}

#[tokio::test(start_paused = true)]
async fn s5_a_worker_whose_polls_all_fail_can_be_stopped() {
    let server = FakeServer::new();
    for _ in 0..100 {
        server.reply::<PollActivityTaskQueueRequest>(Reply::error(Code::PermissionDenied, "no"));
    }
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for::<PollActivityTaskQueueRequest>(1).await;
    let (outcome, took) = running.stop().await;
    assert_eq!(outcome, Ok(()));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn c36_a_namespace_that_does_not_exist_is_said_at_the_start() {
    let server = FakeServer::new();
    server.reply_to("DescribeNamespace", Reply::error(Code::NotFound, "Namespace default is not found."));
    let running = start(server.worker().activity(Number, stubborn));
    let error = running.worker.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Activity Worker on task queue \"queue\" did not start: there is no namespace `default` on http://fake. Check \
         ClientOptions, or create it: temporal operator namespace create --namespace default"
    );
}

#[tokio::test(start_paused = true)]
async fn g6_a_server_that_does_not_describe_namespaces_will_do() {
    let server = FakeServer::new();
    server.reply_to("DescribeNamespace", Reply::error(Code::Unimplemented, "unknown method DescribeNamespace"));
    server.give(task("Number", 0_u64));
    let running = start(server.worker().activity(Number, stubborn));
    server.wait_for::<RespondActivityTaskCompletedRequest>(1).await;
    assert_eq!(running.stop().await.0, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_told_to_stop_while_it_starts_stops() {
    let server = FakeServer::new();
    server.reply_to("DescribeNamespace", Reply::Never);
    let running = start(server.worker().activity(Number, stubborn));
    let (outcome, took) = running.stop().await;
    assert_eq!((outcome, took), (Ok(()), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn user_code_ends_with_a_worker_that_is_dropped() {
    struct Guard(Arc<Mutex<bool>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }
    let server = FakeServer::new();
    server.give(task("Number", 1000_u64));
    let dropped = Arc::new(Mutex::new(false));
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let state = Arc::new((dropped.clone(), begun));
    let builder = server.worker().activity_with_state(
        Number,
        state,
        |state: Arc<(Arc<Mutex<bool>>, tokio::sync::mpsc::UnboundedSender<()>)>, _, number| async move {
            let _guard = Guard(state.0.clone());
            state.1.send(())?;
            sleep(Duration::from_secs(number)).await;
            Ok(number)
        },
    );
    let running = start(builder);
    has_begun.recv().await.unwrap();
    running.worker.abort();
    sleep(Duration::from_secs(1)).await;
    assert!(*dropped.lock().unwrap());
}
