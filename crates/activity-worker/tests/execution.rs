//! What can be executed, and how it ends.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{FakeServer, Nothing, Number, Reply, Text, failure, seconds, task, value, while_running};
use timewright_activity_worker::{
    ActivityContext, ActivityError, ActivityOutcome, ActivityRequest, BuildError, CancelReason,
};
use timewright_converter::{ApplicationFailure, Arguments, ErrorCategory, Multiple, RawArguments, RawValue, Value};
use timewright_definition::ActivityDefinition;
use timewright_proto::common::Payloads;
use timewright_proto::workflow_service::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
use tower::{BoxError, service_fn};

async fn greet(_context: ActivityContext, name: String) -> Result<String, ActivityError> {
    Ok(format!("Hello, {name}!"))
}

struct Counter {
    start: u64,
}

impl Counter {
    async fn count(self: Arc<Self>, _context: ActivityContext, steps: u64) -> Result<u64, ActivityError> {
        Ok(self.start + steps)
    }
}

/// Runs one task and gives the failure that the server was told.
async fn failure_of(
    builder: timewright_activity_worker::ActivityWorkerBuilder,
    server: &FakeServer,
    task: PollActivityTaskQueueResponse,
) -> timewright_converter::Failure {
    server.give(task);
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    failure(told.remove(0))
}

#[tokio::test(start_paused = true)]
async fn a_function_is_executed_and_its_result_told() {
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    let told =
        while_running(server.worker().activity(Text, greet), server.wait_for::<RespondActivityTaskCompletedRequest>(1))
            .await;
    let [request] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(value::<String>(request.result.clone()), "Hello, Ada!");
    assert_eq!(
        (request.task_token.as_ref(), request.identity.as_str(), request.namespace.as_str()),
        (&b"1"[..], "the worker", "default")
    );
    let polls = server.sent::<PollActivityTaskQueueRequest>();
    let poll = &polls[0].1;
    assert_eq!(poll.task_queue.as_ref().map(|queue| queue.name.as_str()), Some("queue"));
    assert_eq!((poll.namespace.as_str(), poll.identity.as_str()), ("default", "the worker"));
    assert!(!poll.worker_instance_key.is_empty());
}

// A paused clock would not wait for a thread.
#[tokio::test]
async fn all_kinds_of_activities() {
    struct Blocking;
    impl ActivityDefinition for Blocking {
        const NAME: &'static str = "Blocking";
        type Input = Multiple<(u64, Option<u64>)>;
        type Output = u64;
    }

    let server = FakeServer::new();
    let builder = server
        .worker()
        .activity(Text, greet)
        .activity(Nothing, |_, ()| async { Ok(()) })
        .activity_with_state(Number, Arc::new(Counter { start: 40 }), Counter::count)
        .blocking_activity(Blocking, |_, Multiple((a, b))| Ok(a + b.unwrap_or(100)))
        .untyped_activity("untyped", |_, RawArguments(payloads)| async move {
            Ok(RawValue(payloads.into_iter().next_back().unwrap_or_default()))
        })
        .dynamic_activity(|context: ActivityContext, _| async move {
            Ok(RawValue(format!("dynamic {}", context.info().activity_type).to_payload()?))
        })
        .activity_service(
            "service",
            service_fn(|request: ActivityRequest| async move {
                Ok::<_, BoxError>(ActivityOutcome::Completed(request.input.len().to_payload()?))
            }),
        );
    for task in [
        task("Text", "Ada".to_owned()),
        task("Nothing", ()),
        task("Number", 2_u64),
        task("Blocking", 7_u64),
        task("untyped", Multiple((1, "last".to_owned()))),
        task("anything else", ()),
        task("service", Multiple((1, 2, 3))),
    ] {
        server.give(task);
    }
    let told = while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(7)).await;
    let mut results: Vec<(String, String)> = told
        .into_iter()
        .map(|request| {
            let token = String::from_utf8(request.task_token.to_vec()).unwrap();
            let payloads = request.result.unwrap().payloads;
            assert_eq!(payloads.len(), 1);
            (token, String::from_utf8(payloads[0].data.to_vec()).unwrap())
        })
        .collect();
    results.sort();
    let expected = ["\"Hello, Ada!\"", "", "42", "107", "\"last\"", "\"dynamic anything else\"", "3"];
    assert_eq!(results.into_iter().map(|(_, result)| result).collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn user_code_knows_all_about_its_task() {
    use timewright_proto::common::{Header, Priority, RetryPolicy};

    let server = FakeServer::new();
    server.give(PollActivityTaskQueueResponse {
        attempt: 3,
        heartbeat_details: Some(Payloads { payloads: 41_u64.to_payloads().unwrap() }),
        heartbeat_timeout: seconds(5),
        header: Some(Header { fields: [("trace".to_owned(), support::payload("t"))].into() }),
        retry_policy: Some(RetryPolicy { maximum_attempts: 9, backoff_coefficient: 2.0, ..Default::default() }),
        priority: Some(Priority { priority_key: 2, fairness_key: "tenant".into(), fairness_weight: 0.5 }),
        ..task("Nothing", ())
    });
    let seen = Arc::new(Mutex::new(None));
    let builder = server.worker().activity_with_state(
        Nothing,
        seen.clone(),
        |seen: Arc<Mutex<_>>, context: ActivityContext, ()| async move {
            let details = context.previous_heartbeat_details::<u64>()?;
            let wrong = context.previous_heartbeat_details::<String>().is_err();
            *seen.lock().unwrap() = Some((context, details, wrong));
            Ok(())
        },
    );
    while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    let (context, details, wrong) = seen.lock().unwrap().take().unwrap();
    let info = context.info();
    assert_eq!((details, wrong), (Some(41), true));
    assert_eq!((info.activity_id.as_str(), info.attempt, info.task_queue.as_str()), ("7", 3, "queue"));
    assert_eq!(info.workflow.as_ref().map(|workflow| workflow.workflow_id.as_str()), Some("order-1"));
    assert_eq!(info.start_to_close_timeout, Some(Duration::from_secs(3000)));
    assert_eq!(info.heartbeat_timeout, Some(Duration::from_secs(5)));
    assert_eq!(info.retry_policy.as_ref().and_then(|policy| policy.maximum_attempts), Some(9));
    assert_eq!((info.priority.priority_key, info.priority.fairness_weight), (Some(2), Some(0.5)));
    assert!(context.header().contains_key("trace"));
    assert_eq!((context.client().namespace(), context.task_token().as_ref()), ("default", &b"1"[..]));
    // The attempt has ended; the context stays usable, and whoever has kept it is told.
    context.heartbeat(1_u64).unwrap();
    assert_eq!(context.cancelled().await, CancelReason::NotFound);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_with_all_it_says() {
    let server = FakeServer::new();
    let builder = server.worker().activity(Nothing, |_, ()| async {
        Err(ApplicationFailure::new("refused")
            .with_type("CardDeclined")
            .non_retryable()
            .with_details(7_u64)
            .with_category(ErrorCategory::Benign)
            .with_next_retry_delay(Duration::from_secs(3))
            .caused_by(std::fmt::Error)
            .into())
    });
    let failure = failure_of(builder, &server, task("Nothing", ())).await;
    let expected = ApplicationFailure::new("refused")
        .with_type("CardDeclined")
        .non_retryable()
        .with_details(7_u64)
        .with_category(ErrorCategory::Benign)
        .with_next_retry_delay(Duration::from_secs(3))
        .caused_by(std::fmt::Error);
    assert_eq!(failure, expected.into());

    let server = FakeServer::new();
    let builder = server.worker().activity(Text, |_, text| async move { Ok(text.parse::<u32>()?.to_string()) });
    let failure = failure_of(builder, &server, task("Text", "x".to_owned())).await;
    assert_eq!(failure.to_string(), "ParseIntError: invalid digit found in string");
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_somebody_else_completes_frees_its_slot_and_keeps_its_token() {
    let server = FakeServer::new();
    let (token, mut tokens) = tokio::sync::mpsc::unbounded_channel();
    let ask = move |context: ActivityContext, ()| {
        token.send(context.task_token().clone()).unwrap();
        context.heartbeat("asked".to_owned()).unwrap();
        async { Err(ActivityError::will_complete_asynchronously()) }
    };
    let worker = server.worker().maximum_concurrent_activities(1).activity(Nothing, ask);
    server.give(task("Nothing", ()));
    server.give(task("Nothing", ()));
    while_running(worker, async {
        // With one slot, the second is executed only when the first has given it back.
        let heartbeats = server.wait_for::<RecordActivityTaskHeartbeatRequest>(2).await;
        for heartbeat in heartbeats {
            assert_eq!(tokens.recv().await.unwrap(), heartbeat.task_token);
            assert_eq!(value::<String>(heartbeat.details), "asked");
        }
    })
    .await;
    assert_eq!(server.sent::<RespondActivityTaskCompletedRequest>().len(), 0);
    assert_eq!(server.sent::<RespondActivityTaskFailedRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn v10_an_unknown_type_fails_its_task_and_the_worker_goes_on() {
    let server = FakeServer::new();
    server.give(task("Missing", ()));
    server.give(task("Text", "Ada".to_owned()));
    let builder = server.worker().activity(Text, greet).activity(Nothing, |_, ()| async { Ok(()) });
    while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    let (_, told) = server.sent::<RespondActivityTaskFailedRequest>().remove(0);
    assert_eq!(
        failure(told).to_string(),
        "NotFoundError: no activity `Missing` is registered on the worker of Task Queue `queue`; it knows: `Nothing`, `Text`. \
         Register it there, or call it on the Task Queue of a worker that has it"
    );
}

// A paused clock would not wait for a thread.
#[tokio::test]
async fn v11_a_panic_fails_its_attempt_and_the_worker_goes_on() {
    async fn panics(_: ActivityContext, text: String) -> Result<String, ActivityError> {
        panic!("asynchronously: {text}")
    }
    let server = FakeServer::new();
    server.give(task("Text", "here".to_owned()));
    server.give(task("Number", 1_u64));
    let builder = server.worker().activity(Text, panics).blocking_activity(Number, |_, _| panic!("on a thread"));
    let told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(2)).await;
    let mut failures: Vec<_> = told.into_iter().map(|told| failure(told).to_string()).collect();
    failures.sort();
    assert_eq!(
        failures,
        ["Panic: activity `Number` panicked: on a thread", "Panic: activity `Text` panicked: asynchronously: here"]
    );
}

#[tokio::test(start_paused = true)]
async fn input_that_cannot_be_read_is_told_with_type_and_encoding() {
    let server = FakeServer::new();
    let builder = server.worker().activity(Text, greet);
    let failure = failure_of(builder, &server, task("Text", b"bytes".to_vec())).await;
    assert_eq!(
        failure.to_string(),
        "ConversionError: the input of activity `Text` cannot be read: argument 1: a Payload with encoding `binary/plain` \
         cannot be read as alloc::string::String: bytes can only be read as Vec<u8>"
    );

    let server = FakeServer::new();
    let failure = failure_of(server.worker().activity(Text, greet), &server, task("Text", ())).await;
    assert_eq!(
        failure.to_string(),
        "ConversionError: the input of activity `Text` cannot be read: argument 1 (alloc::string::String) is missing: the call \
         has 0. Only an Option may be left out"
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_written_is_told() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Table(std::collections::BTreeMap<(u8, u8), u8>);
    struct MakeTable;
    impl ActivityDefinition for MakeTable {
        const NAME: &'static str = "MakeTable";
        type Input = ();
        type Output = Table;
    }
    let server = FakeServer::new();
    let builder = server.worker().activity(MakeTable, |_, ()| async { Ok(Table([((1, 2), 3)].into())) });
    let failure = failure_of(builder, &server, task("MakeTable", ())).await;
    assert_eq!(failure.application_type(), Some("ConversionError"));
    assert!(failure.message.ends_with("cannot be written as `json/plain`: key must be a string"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_none_is_failed_by_its_token() {
    let server = FakeServer::new();
    let broken = PollActivityTaskQueueResponse { activity_id: String::new(), ..task("Text", "Ada".to_owned()) };
    let failure = failure_of(server.worker().activity(Text, greet), &server, broken).await;
    assert_eq!(
        failure.to_string(),
        "InvalidActivityTask: the server sent an Activity Task (Text) that cannot be executed: `activity_id` is missing"
    );
}

#[tokio::test(start_paused = true)]
async fn v7_whatever_becomes_of_a_completion_the_worker_goes_on() {
    use tonic::Code;

    let server = FakeServer::new();
    server.reply::<RespondActivityTaskCompletedRequest>(Reply::error(Code::NotFound, "no such activity"));
    server.reply::<RespondActivityTaskCompletedRequest>(Reply::error(Code::InvalidArgument, "no"));
    for name in ["Ada", "Grace", "Barbara"] {
        server.give(task("Text", name.to_owned()));
    }
    let builder = server.worker().activity(Text, greet).maximum_concurrent_activities(1);
    let told = while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(3)).await;
    assert_eq!(value::<String>(told[2].result.clone()), "Hello, Barbara!");
    assert_eq!(server.sent::<RespondActivityTaskFailedRequest>().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn c1_a_result_outlives_a_server_that_is_away_for_minutes() {
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    let away = 100;
    for _ in 0..away {
        server.reply::<RespondActivityTaskCompletedRequest>(Reply::error(tonic::Code::Unavailable, "away"));
    }
    let started = tokio::time::Instant::now();
    while_running(
        server.worker().activity(Text, greet),
        server.wait_for::<RespondActivityTaskCompletedRequest>(away + 1),
    )
    .await;
    assert!(started.elapsed() > Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn x18_nothing_is_polled_that_could_not_be_executed_at_once() {
    let server = FakeServer::new();
    let running = Arc::new(Mutex::new((0_usize, 0_usize)));
    for number in 0..20 {
        server.give(task("Number", number));
    }
    let builder = server
        .worker()
        .activity_with_state(Number, running.clone(), |running: Arc<Mutex<(usize, usize)>>, _, number| async move {
            {
                let mut running = running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.lock().unwrap().0 -= 1;
            Ok(number)
        })
        .maximum_concurrent_activities(3)
        .maximum_concurrent_polls(10);
    while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(20)).await;
    assert_eq!(running.lock().unwrap().1, 3);
    assert!(server.most_open_polls() <= 3, "{}", server.most_open_polls());
}

#[test]
fn what_cannot_be_built_says_why() {
    let builder = || FakeServer::new().worker();
    let text = |builder: timewright_activity_worker::ActivityWorkerBuilder| {
        builder.build().map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        text(builder().activity(Text, greet).activity(Nothing, |_, ()| async { Ok(()) }).activity(Text, greet)),
        "activity `Text` is registered twice with the Activity Worker on task queue \"queue\"; remove or rename one of them"
    );
    assert_eq!(
        text(builder()),
        "the Activity Worker on task queue \"queue\" has no activities; register one before build()"
    );
    assert_eq!(
        text(builder().activity(Text, greet).maximum_concurrent_activities(0)),
        "the Activity Worker on task queue \"queue\": there are 0 slots, but at least 1 are needed; allow more tasks at the \
         same time"
    );
    let unnamed = timewright_activity_worker::ActivityWorker::builder(FakeServer::new().client(), "");
    assert_eq!(unnamed.activity(Text, greet).build().map(|_| ()), Err(BuildError::NoTaskQueue));
}

/// What is logged, in order.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// A paused clock would not wait for a thread.
#[tokio::test]
async fn what_activities_say_names_them_wherever_they_say_it() {
    use tracing::Instrument;
    use tracing::dispatcher::{Dispatch, get_default, with_default};

    struct Blocks;
    impl ActivityDefinition for Blocks {
        const NAME: &'static str = "Blocks";
        type Input = String;
        type Output = String;
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).without_time().finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // The test's subscriber is not the one of the process, so other threads are told.
    let dispatch = get_default(Dispatch::clone);
    let on_a_thread = move |context: ActivityContext, name: String| {
        with_default(&dispatch, || tracing::info!("said while it blocks"));
        let (dispatch, span) = (dispatch.clone(), context.span().clone());
        std::thread::spawn(move || with_default(&dispatch, || span.in_scope(|| tracing::info!("said on a thread"))))
            .join()
            .unwrap();
        Ok(name)
    };
    let spawns = |context: ActivityContext, name: String| async move {
        tracing::info!("said by the activity");
        let spawned = async { tracing::info!("said by what it spawned") };
        tokio::spawn(spawned.instrument(context.span().clone())).await?;
        Ok(name)
    };
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    server.give(task("Blocks", "Bob".to_owned()));
    let builder = server.worker().activity(Text, spawns).blocking_activity(Blocks, on_a_thread);
    while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(2)).await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for (said, activity_type) in [
        ("said by the activity", "Text"),
        ("said by what it spawned", "Text"),
        ("said while it blocks", "Blocks"),
        ("said on a thread", "Blocks"),
    ] {
        let line = text.lines().find(|line| line.contains(said)).unwrap_or_else(|| panic!("{said:?} in {text}"));
        for field in [
            &format!("activity{{activity_type=\"{activity_type}\""),
            "activity_id=\"",
            "attempt=1",
            "workflow_id=\"",
            "run_id=\"",
            "namespace=\"default\"",
            "task_queue=\"queue\"",
        ] {
            assert!(line.contains(field), "{field} in {line}");
        }
    }
}
