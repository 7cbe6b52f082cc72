//! Worker processes that are asked to end, or killed, in the middle of their work.

use std::process::Command;
use std::time::{Duration, Instant};

use timewright::client::{Client, UntypedWorkflowHandle};
use timewright::converter::Value;
use timewright::proto::enums::EventType;
use timewright::proto::history::history_event::Attributes;
use timewright_testing::{ChildProcess, Signal};

use crate::support::history::{event_types, failure, wait_for_event};
use crate::support::{LIMIT, client, poll_until, server, start_options, unique, within};

#[tokio::test]
async fn sigterm_lets_an_activity_finish() {
    let (client, queue) = (client().await, unique("slow"));
    let mut first = slow_worker(&queue, LIMIT);
    let work = start(&client, &queue, "ends soon after the shutdown").await;
    expect_line(&mut first, "attempt 1 has begun");
    terminate(&mut first);
    // Told before the process ended, and not only then.
    wait_for_event(&work, EventType::ActivityTaskCompleted).await;

    let _second = slow_worker(&queue, LIMIT);
    assert_eq!(result(&work).await, "done in attempt 1, not begun before");
    assert_undisturbed(&work).await;
}

#[tokio::test]
async fn s1_sigterm_lets_a_workflow_task_finish() {
    let (client, queue) = (client().await, unique("slow"));
    let mut first = slow_worker(&queue, LIMIT);
    let work = start(&client, &queue, "a slow workflow task").await;
    expect_line(&mut first, "the workflow task has begun");
    terminate(&mut first);
    wait_for_event(&work, EventType::TimerStarted).await;

    let _second = slow_worker(&queue, LIMIT);
    assert_eq!(result(&work).await, "done");
    assert_undisturbed(&work).await;
}

#[tokio::test]
async fn an_activity_that_outlives_the_grace_period_is_cancelled_and_tried_again_elsewhere() {
    let (client, queue) = (client().await, unique("slow"));
    let mut first = slow_worker(&queue, Duration::from_millis(600));
    let work = start(&client, &queue, "ends when it is cancelled").await;
    expect_line(&mut first, "attempt 1 has begun");
    terminate(&mut first);
    expect_line(&mut first, "told to stop: the worker shuts down");

    let _second = slow_worker(&queue, LIMIT);
    assert_eq!(result(&work).await, "done in attempt 2, half done before");
    assert_eq!(last_failure(&client, &work).await, "WorkerShutdown: the activity stopped because its worker shut down");
}

#[tokio::test]
async fn the_activity_of_a_worker_that_was_killed_goes_on_elsewhere() {
    let (client, queue) = (client().await, unique("slow"));
    let mut first = slow_worker(&queue, LIMIT);
    let work = start(&client, &queue, "never ends").await;
    expect_line(&mut first, "attempt 1 has begun");
    // Nobody announces a heartbeat, so we ask.
    poll_until("a heartbeat", || async {
        let description = work.describe().await.unwrap();
        description.raw().pending_activities.iter().any(|activity| activity.heartbeat_details.is_some()).then_some(())
    })
    .await;
    first.kill();

    let _second = slow_worker(&queue, LIMIT);
    assert_eq!(result(&work).await, "done in attempt 2, half done before");
    assert_eq!(last_failure(&client, &work).await, "heartbeat timeout: activity Heartbeat timeout");
}

#[tokio::test]
async fn an_idle_worker_ends_at_once() {
    let mut worker = slow_worker(&unique("slow"), LIMIT);
    expect_line(&mut worker, "polling");
    let asked = Instant::now();
    worker.signal(Signal::Interrupt).unwrap();
    assert!(worker.wait(LIMIT).unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
}

/// The example of that name, as a process.
fn slow_worker(queue: &str, grace: Duration) -> ChildProcess {
    // This test is target/debug/deps/faults-…, the example target/debug/examples/slow_worker.
    let test = std::env::current_exe().expect("this program has a path");
    let program = test.ancestors().nth(2).expect("the target directory").join("examples/slow_worker");
    assert!(program.is_file(), "{} is not there; run `cargo build -p timewright --examples` first", program.display());
    let mut command = Command::new(program);
    command
        .env("TEMPORAL_ADDRESS", server())
        .env("SLOW_WORKER_TASK_QUEUE", queue)
        .env("SLOW_WORKER_GRACE", grace.as_millis().to_string());
    ChildProcess::spawn("the slow worker", command).unwrap_or_else(|error| panic!("{error}"))
}

async fn start(client: &Client, queue: &str, work: &str) -> UntypedWorkflowHandle {
    let input = vec![work.to_owned().to_payload().expect("a text is JSON")];
    // A task that goes to a worker in the moment in which it ends is soon given to another.
    let options = start_options(queue).task_timeout(Duration::from_secs(3));
    let started = client.start_workflow_untyped("slow_work", input, options).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}

async fn result(work: &UntypedWorkflowHandle) -> String {
    let mut result = within("the result", work.result()).await.unwrap_or_else(|error| panic!("{error}"));
    String::from_payload(result.remove(0)).expect("the result is a text")
}

fn expect_line(worker: &mut ChildProcess, part: &str) {
    worker.wait_for_line(part, LIMIT).unwrap_or_else(|error| panic!("{error}"));
}

/// Asks it to end, and waits until it has, well.
fn terminate(worker: &mut ChildProcess) {
    worker.signal(Signal::Terminate).unwrap_or_else(|error| panic!("{error}"));
    let status = worker.wait(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    assert!(status.success(), "{status}:\n{}", worker.lines().join("\n"));
    assert!(worker.stdout().iter().any(|line| line == "everything has ended"), "{}", worker.lines().join("\n"));
}

/// Nothing had to be tried again.
async fn assert_undisturbed(work: &UntypedWorkflowHandle) {
    let events = event_types(work).await;
    assert!(!events.iter().any(|event| event.contains("TIMED_OUT") || event.contains("FAILED")), "{events:?}");
}

/// Why the attempt before the last one of the activity had failed.
async fn last_failure(client: &Client, work: &UntypedWorkflowHandle) -> String {
    let started = wait_for_event(work, EventType::ActivityTaskStarted).await;
    let Some(Attributes::ActivityTaskStartedEventAttributes(started)) = started.attributes else {
        panic!("{started:?}")
    };
    format!("{:#}", failure(client, started.last_failure.expect("an attempt has failed")))
}
