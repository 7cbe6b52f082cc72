//! The client API and the polls against a real Temporal Server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::{DRAIN, MiniWorker, complete, continue_as_new, fail, payload};
use timewright_client::{
    ActivityResultError, Client, ClientOptions, ConnectError, PollerBehavior, PollerSnapshot, QueryRejectCondition,
    QueryWorkflowError, ResultOptions, RetryPolicy, StartActivityOptions, StartWorkflowError, StartWorkflowOptions,
    WorkerSlots, WorkflowExecutionStatus, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowResultError,
};
use timewright_definition::{ActivityDefinition, SignalDefinition, WorkflowDefinition};
use timewright_proto::command::Command;
use timewright_proto::enums::EventType;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};
use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;
use timewright_testing::DevServer;

struct Greeting;

impl WorkflowDefinition for Greeting {
    const NAME: &'static str = "greeting";
    type Input = String;
    type Output = String;
}

struct Nap;

impl ActivityDefinition for Nap {
    const NAME: &'static str = "nap";
    type Input = ();
    type Output = ();
}

struct Approve;

impl SignalDefinition for Approve {
    const NAME: &'static str = "approve";
    type Workflow = Greeting;
    type Input = u32;
}

/// What workflows of each type do.
fn program(task: &PollWorkflowTaskQueueResponse) -> Vec<Command> {
    match task.workflow_type.as_ref().unwrap().name.as_str() {
        "greeting" => vec![complete("hello".to_owned())],
        "failing" => vec![fail(failure())],
        "continuing" => vec![continue_as_new(task, "greeting", "again".to_owned())],
        "waiting" => Vec::new(),
        name => panic!("{name}"),
    }
}

fn failure() -> Failure {
    let cause = Failure { message: "card refused".into(), ..Failure::default() };
    let info = ApplicationFailureInfo { r#type: "PaymentFailed".into(), ..ApplicationFailureInfo::default() };
    Failure {
        message: "no payment".into(),
        cause: Some(Box::new(cause)),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    }
}

/// Another name each time, so that runs on one server do not meet.
fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn connect() -> Client {
    let server = DevServer::shared().unwrap();
    Client::connect(ClientOptions::new(server.address().to_string())).await.unwrap()
}

/// An error's text, without the server's address.
fn text(error: impl Display, client: &Client) -> String {
    error.to_string().replace(&client.address(), "ADDRESS")
}

/// A text in which every number is an N.
fn without_numbers(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_inclusive(|character: char| !character.is_ascii_digit()) {
        match word.trim_end_matches(|character: char| !character.is_ascii_digit()) {
            "" => words.push(word.to_owned()),
            number => words.push(word.replace(number, "N")),
        }
    }
    words.concat()
}

#[tokio::test]
async fn a_workflow_from_start_to_result() {
    let client = connect().await;
    client.check_namespace().await.unwrap();
    let info = client.server_info().await.unwrap();
    assert!(info.version.starts_with("1.") && info.capabilities.sdk_metadata, "{info:?}");

    let (task_queue, id) = (unique("queue"), unique("greeting"));
    let options = StartWorkflowOptions::new(&task_queue, &id)
        .memo("order", 17)
        .static_summary("A greeting")
        .run_timeout(Duration::from_secs(60));
    let greeting = client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap();

    let description = greeting.describe().await.unwrap();
    assert_eq!(description.workflow_id(), id);
    assert_eq!(Some(description.run_id()), greeting.run_id());
    assert_eq!(description.workflow_type(), "greeting");
    assert_eq!(description.task_queue(), task_queue);
    assert_eq!(description.status(), WorkflowExecutionStatus::Running);
    assert_eq!(description.memo::<u32>("order").unwrap(), Some(17));
    assert_eq!(description.memo::<u32>("nothing").unwrap(), None);
    assert!(description.start_time().is_some() && description.close_time().is_none());

    greeting.signal(Approve, 3).await.unwrap();
    // The wait begins before anybody works.
    let waiting = tokio::spawn({
        let greeting = greeting.clone();
        async move { greeting.result().await }
    });
    let worker = MiniWorker::start(&client, &task_queue, program);
    assert_eq!(waiting.await.unwrap().unwrap(), "hello");
    worker.stop().await;

    let description = greeting.describe().await.unwrap();
    assert_eq!(description.status(), WorkflowExecutionStatus::Completed);
    assert!(description.close_time() >= description.start_time());
    let history = greeting.history().await.unwrap();
    let types: Vec<_> = history.events.iter().map(|event| event.event_type()).collect();
    assert_eq!(
        types,
        [
            EventType::WorkflowExecutionStarted,
            EventType::WorkflowTaskScheduled,
            EventType::WorkflowExecutionSignaled,
            EventType::WorkflowTaskStarted,
            EventType::WorkflowTaskCompleted,
            EventType::WorkflowExecutionCompleted,
        ]
    );
    assert_eq!(description.history_length(), 6);
}

#[tokio::test]
async fn every_end_of_a_workflow_is_understood() {
    let client = connect().await;
    let task_queue = unique("queue");
    let worker = MiniWorker::start(&client, &task_queue, program);
    let start = |workflow_type: &'static str| {
        let options = StartWorkflowOptions::new(&task_queue, unique(workflow_type));
        let client = client.clone();
        async move { client.start_workflow_untyped(workflow_type, Vec::new(), options).await.unwrap() }
    };

    let failing = start("failing").await;
    let error = failing.result().await.unwrap_err();
    let WorkflowResultError::Failed { failure, .. } = &error else { panic!("{error:?}") };
    assert_eq!(failure.application_type(), Some("PaymentFailed"));
    assert!(error.to_string().ends_with("failed: PaymentFailed: no payment: card refused"), "{error}");

    let continuing = start("continuing").await;
    assert_eq!(continuing.result().await.unwrap(), [payload("hello".to_owned())]);
    let first_run = ResultOptions::default().follow_runs(false);
    let error = continuing.result_with(first_run).await.unwrap_err();
    let WorkflowResultError::ContinuedAsNew { new_run_id, .. } = error else { panic!("{error:?}") };
    let second_run = client.workflow_handle_untyped(continuing.workflow_id(), Some(new_run_id));
    assert_eq!(second_run.result_with(first_run).await.unwrap(), [payload("hello".to_owned())]);

    let waiting = start("waiting").await;
    waiting.terminate("enough").await.unwrap();
    let error = waiting.result().await.unwrap_err();
    let WorkflowResultError::Terminated { reason, identity, .. } = error else { panic!("{error:?}") };
    assert_eq!((reason.as_str(), identity.as_str()), ("enough", client.identity()));

    // A run that is retried by the server, up to its last attempt.
    let policy = RetryPolicy::default().initial_interval(Duration::from_millis(10)).maximum_attempts(3);
    let options = StartWorkflowOptions::new(&task_queue, unique("retried")).retry_policy(policy);
    let retried = client.start_workflow_untyped("failing", Vec::new(), options).await.unwrap();
    let error = retried.result().await.unwrap_err();
    let WorkflowResultError::Failed { run_id, .. } = error else { panic!("{error:?}") };
    assert_ne!(Some(run_id.as_str()), retried.run_id(), "it is the last run that failed for good");
    worker.stop().await;

    // Nobody works any more.
    let options = StartWorkflowOptions::new(&task_queue, unique("late")).execution_timeout(Duration::from_secs(1));
    let late = client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap();
    assert!(matches!(late.result().await, Err(WorkflowResultError::TimedOut { .. })));
}

#[tokio::test]
async fn queries_are_answered_or_fail_with_their_causes() {
    let client = connect().await;
    let task_queue = unique("queue");
    let worker = MiniWorker::start(&client, &task_queue, program);
    let options = StartWorkflowOptions::new(&task_queue, unique("waiting"));
    let waiting = client.start_workflow_untyped("waiting", Vec::new(), options).await.unwrap();
    let echoed = waiting.query("echo", vec![payload(5)]).await.unwrap();
    assert_eq!(echoed, [payload(5)]);

    let error = waiting.query("fail", Vec::new()).await.unwrap_err();
    assert!(matches!(error, QueryWorkflowError::Failed { .. }), "{error:?}");
    let expected = "failed in workflow `ID`: cannot say: the root of it";
    assert!(text(&error, &client).replace(waiting.workflow_id(), "ID").ends_with(expected), "{error}");

    waiting.terminate("").await.unwrap();
    let error = waiting.query_unless(QueryRejectCondition::NotOpen, "echo", Vec::new()).await.unwrap_err();
    let QueryWorkflowError::Rejected { status, .. } = error else { panic!("{error:?}") };
    assert_eq!(status, WorkflowExecutionStatus::Terminated);
    worker.stop().await;
}

#[tokio::test]
async fn policies_for_ids_are_kept() {
    let client = connect().await;
    let (task_queue, id) = (unique("queue"), unique("greeting"));
    let options = || StartWorkflowOptions::new(&task_queue, &id);
    let first = client.start_workflow(Greeting, "Ada".into(), options()).await.unwrap();

    let error = client.start_workflow(Greeting, "Ada".into(), options()).await.unwrap_err();
    let StartWorkflowError::AlreadyStarted { run_id, .. } = error else { panic!("{error:?}") };
    assert_eq!(run_id.as_deref(), first.run_id());

    let same = options().id_conflict_policy(WorkflowIdConflictPolicy::UseExisting);
    let same = client.start_workflow(Greeting, "Ada".into(), same).await.unwrap();
    assert_eq!(same.run_id(), first.run_id());

    let other = options().id_conflict_policy(WorkflowIdConflictPolicy::TerminateExisting);
    let other = client.start_workflow(Greeting, "Ada".into(), other).await.unwrap();
    assert_ne!(other.run_id(), first.run_id());
    assert!(matches!(first.result().await, Err(WorkflowResultError::Terminated { .. })));

    // The handle of the first start means its chain, and must not hit what came after it.
    first.terminate("too late").await.unwrap_err();
    assert_eq!(other.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    other.terminate("").await.unwrap();

    let never = options().id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate);
    let error = client.start_workflow(Greeting, "Ada".into(), never).await.unwrap_err();
    assert!(matches!(error, StartWorkflowError::AlreadyStarted { .. }), "{error:?}");
}

#[tokio::test]
async fn mistakes_are_answered_with_what_to_do() {
    let client = connect().await;
    let address = client.address().to_owned();
    let wrong = Client::connect(ClientOptions::new(&address).namespace("nowhere")).await.unwrap();
    let none = client.workflow_handle(Greeting, "no-such-workflow", None);
    let options = || StartWorkflowOptions::new("queue", "some-workflow");
    let run = client.workflow_handle(Greeting, "some-workflow", Some("no-uuid".into()));
    let texts = [
        text(wrong.check_namespace().await.unwrap_err(), &client),
        text(wrong.start_workflow(Greeting, "Ada".into(), options()).await.unwrap_err(), &client),
        text(wrong.workflow_handle(Greeting, "w", None).result().await.unwrap_err(), &client),
        text(none.result().await.unwrap_err(), &client),
        text(none.signal(Approve, 1).await.unwrap_err(), &client),
        text(none.describe().await.unwrap_err(), &client),
        text(none.cancel("").await.unwrap_err(), &client),
        text(none.terminate("").await.unwrap_err(), &client),
        text(none.history().await.unwrap_err(), &client),
        text(none.untyped().query("q", Vec::new()).await.unwrap_err(), &client),
        text(run.describe().await.unwrap_err(), &client),
        text(client.start_workflow(Greeting, "A".repeat(3_000_000), options()).await.unwrap_err(), &client),
        without_numbers(&text(
            client.start_workflow(Greeting, "A".repeat(5_000_000), options()).await.unwrap_err(),
            &client,
        )),
    ];
    assert_eq!(
        texts.join("\n"),
        "\
there is no namespace `nowhere` on ADDRESS. Check ClientOptions, or create it: temporal operator namespace create --namespace nowhere
workflow `some-workflow` was not started: StartWorkflowExecution on ADDRESS: Namespace nowhere is not found. (NotFound). Check the namespace in ClientOptions, or create it: temporal operator namespace create --namespace NAME
result of workflow `w`: GetWorkflowExecutionHistory on ADDRESS: Namespace nowhere is not found. (NotFound). Check the namespace in ClientOptions, or create it: temporal operator namespace create --namespace NAME
there is no workflow `no-such-workflow` whose result could be waited for
signal `approve` was not sent: no workflow `no-such-workflow` is running
there is no workflow `no-such-workflow` that could be described
there is no workflow `no-such-workflow` that could be cancelled
no workflow `no-such-workflow` is running that could be terminated
there is no workflow `no-such-workflow` whose history could be read
query `q`: there is no workflow `no-such-workflow`
description of workflow `some-workflow`: DescribeWorkflowExecution on ADDRESS: Invalid RunId. (InvalidArgument)
workflow `some-workflow` was not started: StartWorkflowExecution on ADDRESS: Blob data size exceeds limit. (InvalidArgument). Pass less data: a reference to it instead of the data itself, or fewer items at a time
workflow `some-workflow` was not started: StartWorkflowExecution on ADDRESS: grpc: received message larger than max (N vs. N) (ResourceExhausted). Pass less data: a reference to it instead of the data itself, or fewer items at a time"
    );
}

#[tokio::test]
async fn more_than_one_page_of_history() {
    let client = connect().await;
    let options = StartWorkflowOptions::new(unique("queue"), unique("signalled"));
    let workflow = client.start_workflow(Greeting, "Ada".into(), options).await.unwrap();
    // A page has 256 Events at most in the server's default setting for one with Events this small.
    for number in 0..300 {
        workflow.signal(Approve, number).await.unwrap();
    }
    let mut pages = workflow.history_pages();
    let (mut ids, mut lengths) = (Vec::new(), Vec::new());
    while let Some(events) = pages.next().await.unwrap() {
        lengths.push(events.len());
        ids.extend(events.iter().map(|event| event.event_id));
    }
    assert!(lengths.len() > 1, "{lengths:?}");
    assert_eq!(ids, (1..=302).collect::<Vec<_>>());
    assert_eq!(workflow.history().await.unwrap().events.len(), 302);
    workflow.terminate("").await.unwrap();
}

/// The server ends the polls of a worker that stops, and what they still bring is executed.
///
/// A task that the server hands to a poll in the very moment in which it ends it is lost on the server's side (1.32.0), and
/// comes again after the Workflow Task's timeout. So what is counted is what the polls have returned with.
#[tokio::test]
async fn s7_no_task_that_a_poll_returns_with_is_lost_when_workers_stop() {
    let setting = "--dynamic-config-value=frontend.enableCancelWorkerPollsOnShutdown=true";
    let server = DevServer::builder().argument(setting).start().unwrap();
    let client = Client::connect(ClientOptions::new(server.address().to_string())).await.unwrap();
    let task_queue = unique("queue");
    let starting = tokio::spawn({
        let (client, task_queue) = (client.clone(), task_queue.clone());
        async move {
            let mut workflows = Vec::new();
            for number in 0..200 {
                let options = StartWorkflowOptions::new(&task_queue, format!("{task_queue}-{number}"))
                    .task_timeout(Duration::from_secs(1));
                workflows.push(client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap());
            }
            workflows
        }
    });
    // Workers come and go, each in the middle of its work.
    let (mut executed, mut workers) = (0, 0);
    while executed < 200 {
        let worker = MiniWorker::start(&client, &task_queue, program);
        let tasks = worker.tasks();
        let count = || tasks.executed.load(Ordering::Relaxed);
        let began = Instant::now();
        while count() < 10 && executed + count() < 200 {
            assert!(began.elapsed() < Duration::from_secs(30), "{executed} and {} tasks executed", count());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        worker.stop().await;
        assert!(began.elapsed() < DRAIN, "stopping took {:?}", began.elapsed());
        assert_eq!(count(), tasks.received.load(Ordering::Relaxed));
        executed += count();
        workers += 1;
    }
    assert!(workers > 3, "{workers} workers");
    for workflow in starting.await.unwrap() {
        assert_eq!(workflow.result().await.unwrap(), "hello");
    }
}

/// How long a test waits for what a healthy server does at once.
const LIMIT: Duration = Duration::from_secs(60);

/// A server with these settings, and a client of it.
async fn server_with(settings: &[&str]) -> (DevServer, Client) {
    let builder = settings
        .iter()
        .fold(DevServer::builder(), |builder, setting| builder.argument(format!("--dynamic-config-value={setting}")));
    let server = tokio::task::spawn_blocking(|| builder.start().unwrap()).await.unwrap();
    let client = Client::connect(ClientOptions::new(server.address().to_string())).await.unwrap();
    (server, client)
}

async fn start_greetings(client: &Client, task_queue: &str, count: usize) -> Vec<WorkflowHandle<Greeting>> {
    let mut workflows = Vec::new();
    for _ in 0..count {
        let options = StartWorkflowOptions::new(task_queue, unique("greeting"));
        workflows.push(client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap());
    }
    workflows
}

/// The server suggests more polls when the backlog is old, and fewer when polls wait.
#[tokio::test]
async fn x12_the_number_of_polls_follows_the_hints_of_the_server() {
    let (_server, client) = server_with(&[
        "matching.numTaskqueueReadPartitions=1",
        "matching.numTaskqueueWritePartitions=1",
        "matching.pollerScalingMinimumBacklog=\"1ms\"",
        "matching.pollerScalingWaitTime=\"100ms\"",
        "matching.pollerScalingDecisionsPerSecond=1000",
    ])
    .await;
    let task_queue = unique("queue");
    let backlog = start_greetings(&client, &task_queue, 200).await;
    let polls = PollerBehavior::Autoscaling { minimum: 1, initial: 1, maximum: 8 };
    let worker = MiniWorker::start_with(&client, &task_queue, program, WorkerSlots::fixed(20), polls);
    let mut snapshots = worker.snapshots();
    let target = |snapshot: &PollerSnapshot| snapshot.normal.target_polls.unwrap();
    let most = snapshots.wait_for(|snapshot| target(snapshot) >= 4);
    tokio::time::timeout(LIMIT, most).await.expect("more polls").unwrap();
    for workflow in backlog {
        assert_eq!(workflow.result().await.unwrap(), "hello");
    }

    let began = Instant::now();
    while target(&snapshots.borrow()) > 1 {
        assert!(began.elapsed() < LIMIT, "{:?}", *snapshots.borrow());
        for workflow in start_greetings(&client, &task_queue, 1).await {
            workflow.result().await.unwrap();
        }
    }
    worker.stop().await;
}

/// A namespace may have only so many polls open, and the server refuses the others at once.
#[tokio::test]
async fn x3_polls_that_the_limit_of_the_namespace_refuses_are_not_repeated_in_a_hot_loop() {
    let (_server, client) = server_with(&["frontend.namespaceCount=2"]).await;
    let task_queue = unique("queue");
    let polls = PollerBehavior::Fixed { maximum: 10 };
    let worker = MiniWorker::start_with(&client, &task_queue, program, WorkerSlots::fixed(10), polls);
    let mut snapshots = worker.snapshots();
    tokio::time::timeout(LIMIT, snapshots.wait_for(|snapshot| !snapshot.is_well())).await.expect("refused").unwrap();
    let tasks = worker.tasks();
    let before = tasks.polls.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let polls = tasks.polls.load(Ordering::Relaxed) - before;
    assert!((1..=15).contains(&polls), "{polls} polls in 5 s");
    worker.stop().await;
}

#[tokio::test]
async fn x18_one_slot_and_one_poll_are_enough() {
    let client = connect().await;
    let task_queue = unique("queue");
    let workflows = start_greetings(&client, &task_queue, 30).await;
    let polls = PollerBehavior::Fixed { maximum: 1 };
    let worker = MiniWorker::start_with(&client, &task_queue, program, WorkerSlots::fixed(1), polls);
    for workflow in workflows {
        assert_eq!(workflow.result().await.unwrap(), "hello");
    }
    worker.stop().await;
}

#[tokio::test]
async fn c1_a_server_that_is_killed_and_comes_back() {
    let folder = std::env::temp_dir().join(unique("timewright-client"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut server = DevServer::builder().db_filename(folder.join("temporal.db")).start().unwrap();
    let client = Client::connect(ClientOptions::new(server.address().to_string())).await.unwrap();
    let task_queue = unique("queue");
    let options = StartWorkflowOptions::new(&task_queue, unique("greeting"));
    let greeting = client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap();
    let waiting = tokio::spawn({
        let greeting = greeting.clone();
        async move { greeting.result().await }
    });
    let other = client.start_workflow(Greeting, "Ada".to_owned(), StartWorkflowOptions::new("none", unique("idle")));
    let other = other.await.unwrap();
    // A worker with open polls on another queue, which then must come back by itself.
    let idle_queue = unique("idle");
    let worker = MiniWorker::start(&client, &idle_queue, program);
    let mut snapshots = worker.snapshots();
    let polls = snapshots.wait_for(|snapshot| snapshot.normal.open_polls > 0);
    tokio::time::timeout(LIMIT, polls).await.expect("an open poll").unwrap();

    server.kill();
    let address = client.address().to_owned();
    let error = Client::connect(ClientOptions::new(&address)).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoServer { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("no Temporal Server answers at {address}: ")), "{error}");
    // Unary calls try for ten seconds. This one begins while the server is away and ends when it is back.
    let describing = tokio::spawn(async move { other.describe().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!describing.is_finished() && !waiting.is_finished());

    let server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap();
        server
    });
    let server = server.await.unwrap();
    describing.await.unwrap().unwrap();
    let second = MiniWorker::start(&client, &task_queue, program);
    assert_eq!(waiting.await.unwrap().unwrap(), "hello");
    second.stop().await;

    let options = StartWorkflowOptions::new(&idle_queue, unique("later"));
    let later = client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap();
    assert_eq!(later.result().await.unwrap(), "hello", "the worker that was there before has polled again");
    worker.stop().await;
    drop(server);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn lazily_nothing_is_asked_before_the_first_call() {
    let nowhere = Client::connect(ClientOptions::new("127.0.0.1:1").lazy(true)).await.unwrap();
    let request = timewright_proto::workflow_service::GetSystemInfoRequest {};
    let mut request = tonic::Request::new(request);
    request.set_timeout(Duration::from_secs(1));
    let status = nowhere.workflow_service().get_system_info(request).await.unwrap_err();
    assert!(status.message().contains("Connection refused"), "{status:?}");

    let address = DevServer::shared().unwrap().address().to_string();
    let lazy = Client::connect(ClientOptions::new(address).lazy(true)).await.unwrap();
    assert!(!lazy.server_info().await.unwrap().version.is_empty());
}

/// Where the calls that wait are too many for the server, a result is heard of all the same, although those who wait already go on.
#[tokio::test(flavor = "multi_thread")]
async fn c9_a_result_is_heard_of_although_too_many_wait() {
    const AT_ONCE: usize = 3;
    let started = tokio::task::spawn_blocking(|| {
        DevServer::builder().argument(format!("--dynamic-config-value=frontend.namespaceCount={AT_ONCE}")).start()
    });
    let server = started.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let options = ClientOptions::new(server.address().to_string()).metrics_recorder(recorder);
    let client = Client::connect(options).await.unwrap();
    let start = async |id: String| {
        let options = StartWorkflowOptions::new("nobody", id).execution_timeout(Duration::from_secs(300));
        client.start_workflow(Greeting, "x".to_owned(), options).await.unwrap()
    };
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..2 * AT_ONCE {
        let handle = start(format!("endless-{number}")).await;
        waiting.spawn(async move { handle.result().await });
    }
    let start_activity = async |id: String| {
        let options = StartActivityOptions::schedule_to_close("nobody", id, Duration::from_secs(300));
        client.start_activity(Nap, (), options).await.unwrap()
    };
    let mut waiting_for_activities = tokio::task::JoinSet::new();
    for number in 0..2 * AT_ONCE {
        let handle = start_activity(format!("endless-{number}")).await;
        waiting_for_activities.spawn(async move { handle.result().await });
    }
    let (ended, ended_activity) = (start("ended".to_owned()).await, start_activity("ended".to_owned()).await);
    // As soon as the server has refused one, as many wait as may.
    let refused = async {
        let is_refusal = |line: &str, call: &str| {
            line.starts_with("temporal_long_request_failure{")
                && line.contains(call)
                && line.contains("RESOURCE_EXHAUSTED")
        };
        let is_refused = |call| metrics.render().lines().any(|line| is_refusal(line, call));
        while !(is_refused("GetWorkflowExecutionHistory") && is_refused("PollActivityExecution")) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("all may wait");
    let result = tokio::spawn({
        let ended = ended.clone();
        async move { ended.result().await }
    });
    let activity_result = tokio::spawn({
        let ended = ended_activity.clone();
        async move { ended.result().await }
    });
    ended.terminate("enough").await.unwrap();
    ended_activity.terminate("enough").await.unwrap();
    let result = tokio::time::timeout(Duration::from_secs(60), result).await.expect("it starves").unwrap();
    assert!(matches!(result, Err(WorkflowResultError::Terminated { .. })), "{result:?}");
    let result = tokio::time::timeout(Duration::from_secs(60), activity_result).await.expect("it starves").unwrap();
    assert!(matches!(result, Err(ActivityResultError::Terminated { .. })), "{result:?}");
    assert!(
        waiting.try_join_next().is_none() && waiting_for_activities.try_join_next().is_none(),
        "the others wait still"
    );
}
