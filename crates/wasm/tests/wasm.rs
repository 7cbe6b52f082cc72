//! A module that was built once, executed on a real server. It is never built again for these tests, so they also hold that modules
//! which were built earlier go on working; `tests/modules/README.md` says how it was built.
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

use std::fmt::Display;
use std::time::Duration;

use timewright::Worker;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::proto::enums::EventType;
use timewright::proto::history::history_event::Attributes;
use timewright::proto::history::{History, HistoryEvent};
use timewright::workflow::{FailurePolicy, FailureTarget, Replayer, WorkflowWorker, WorkflowWorkerBuilder};
use timewright_testing::DevServer;
use timewright_wasm::{WasmError, WasmLimits, WasmWorkflows};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasm_workflows::mistakes::{Allocating, End, Ends, Fragile, Look, Looping, Panicking, TimeReading, Touch};
use wasm_workflows::order::{Add, Basket, Charge, Items, Order, Pack};

#[path = "../../timewright/tests/support/history.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod history;

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/modules/wasm-workflows.wasm");
const LIMIT: Duration = Duration::from_secs(40);

fn module() -> WasmWorkflows {
    WasmWorkflows::from_file(MODULE).unwrap_or_else(|error| panic!("{error}"))
}

async fn client() -> Client {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
    Client::connect(ClientOptions::new(format!("http://{}", server.address()))).await.unwrap()
}

async fn within<F: Future>(what: impl Display, future: F) -> F::Output {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {LIMIT:?} for {what} in vain"),
    }
}

fn basket(items: &[&str], repetitions: u32) -> Basket {
    Basket { items: items.iter().map(|item| (*item).to_owned()).collect(), repetitions }
}

/// A worker beside the test, which ends with it.
struct Beside {
    client: Client,
    queue: String,
    _stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Beside {
    async fn start(set_up: impl FnOnce(WorkflowWorkerBuilder) -> WorkflowWorkerBuilder) -> Self {
        let (client, queue) = (client().await, format!("wasm-{}", random_id()));
        let workflows = set_up(WorkflowWorker::builder(client.clone(), &queue)).build().unwrap();
        let charge =
            |_: ActivityContext, things: u64| async move { Ok::<_, ActivityError>(format!("receipt {things}")) };
        let activities = ActivityWorker::builder(client.clone(), &queue).activity(Charge, charge).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = Worker::new().workflows(workflows).activities(activities);
        let task = tokio::spawn(async move {
            let told = async {
                let _ = stopped.await;
            };
            worker.run(told).await.unwrap_or_else(|error| panic!("{error}"));
        });
        Self { client, queue, _stop: stop, task }
    }

    fn options(&self) -> StartWorkflowOptions {
        StartWorkflowOptions::new(&self.queue, format!("wasm-{}", random_id())).execution_timeout(4 * LIMIT)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The message of the first Workflow Task that failed.
async fn task_failure(client: &Client, workflow_id: &str) -> String {
    history::wait_for_task_failure(&client.workflow_handle_untyped(workflow_id, None)).await.1
}

#[tokio::test]
async fn a_module_does_what_workflows_do() {
    let worker = Beside::start(|builder| builder.foreign_workflows(module())).await;
    let order = worker.client.start_workflow(Order, basket(&["tea"], 0), worker.options()).await.unwrap();
    assert_eq!(within("the update", order.update(Add, "cake".to_owned())).await.unwrap(), 2);
    assert_eq!(within("the query", order.query(Items, ())).await.unwrap(), ["tea", "cake"]);
    order.signal(Pack, ()).await.unwrap();
    let result = within("an activity, a timer and a child", order.result()).await.unwrap();
    assert_eq!(result, "delivered against receipt 2");

    // Its history goes through the module again, and not through one that does something else.
    let history = order.history().await.unwrap();
    let replayer = Replayer::new().foreign_workflows(module());
    replayer.replay(order.workflow_id(), history.clone()).await.unwrap();
    let mut changed = history;
    for event in &mut changed.events {
        if let Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) = &mut event.attributes {
            scheduled.activity_type.as_mut().unwrap().name = "refund".to_owned();
        }
    }
    let error = replayer.replay(order.workflow_id(), changed).await.unwrap_err();
    assert!(error.to_string().contains("refund"), "{error}");
}

#[tokio::test]
async fn a_module_is_cancelled_continued_and_fails() {
    let worker = Beside::start(|builder| builder.foreign_workflows(module())).await;
    let start = |basket| worker.client.start_workflow(Order, basket, worker.options());

    let cancelled = start(basket(&["tea"], 0)).await.unwrap();
    cancelled.cancel("changed my mind").await.unwrap();
    let error = within("the end", cancelled.result()).await.unwrap_err().to_string();
    assert!(error.contains("cancelled"), "{error}");

    let failed = start(basket(&[], 7)).await.unwrap();
    let error = within("the failure", failed.result()).await.unwrap_err().to_string();
    assert!(error.contains("EmptyBasket") && error.contains("nothing was ordered"), "{error}");

    let repeated = start(basket(&["tea"], 1)).await.unwrap();
    repeated.signal(Pack, ()).await.unwrap();
    // The next run waits for its own signal.
    let first = worker.client.workflow_handle_untyped(repeated.workflow_id(), repeated.run_id().map(str::to_owned));
    history::wait_for_event(&first, EventType::WorkflowExecutionContinuedAsNew).await;
    let next = worker.client.workflow_handle(Order, repeated.workflow_id(), None);
    next.signal(Pack, ()).await.unwrap();
    assert_eq!(within("the next run", next.result()).await.unwrap(), "delivered against receipt 1");
}

#[tokio::test]
async fn a_module_is_executed_from_its_history_when_nothing_is_cached() {
    let worker = Beside::start(|builder| builder.foreign_workflows(module()).maximum_cached_workflows(0)).await;
    let order = worker.client.start_workflow(Order, basket(&["tea"], 0), worker.options()).await.unwrap();
    assert_eq!(within("the update", order.update(Add, "cake".to_owned())).await.unwrap(), 2);
    order.signal(Pack, ()).await.unwrap();
    assert_eq!(within("the end", order.result()).await.unwrap(), "delivered against receipt 2");
    assert_eq!(within("the query", order.query(Items, ())).await.unwrap(), ["tea", "cake"]);
}

#[tokio::test]
async fn a_mistake_in_a_module_fails_its_workflow_task_and_nothing_else() {
    let limits = WasmLimits::default().memory(8 << 20).fuel(20_000_000);
    let worker = Beside::start(|builder| builder.foreign_workflows(module().limits(limits)).threads(1)).await;
    let client = &worker.client;

    let panicking = client.start_workflow(Panicking, (), worker.options()).await.unwrap();
    let message = task_failure(client, panicking.workflow_id()).await;
    assert!(message.contains("the order of Panicking is upside down"), "{message}");
    assert!(message.contains("mistakes.rs") && message.contains(MODULE), "{message}");

    let looping = client.start_workflow(Looping, (), worker.options()).await.unwrap();
    let message = task_failure(client, looping.workflow_id()).await;
    assert!(message.contains("[TMPRL1101]") && message.contains("\"Looping\""), "{message}");
    assert!(message.contains("within 20000000 instructions") && message.contains(MODULE), "{message}");

    let allocating = client.start_workflow(Allocating, (), worker.options()).await.unwrap();
    let message = task_failure(client, allocating.workflow_id()).await;
    assert!(message.contains("wanted more memory than the 8388608 bytes") && message.contains(MODULE), "{message}");

    let reading = client.start_workflow(TimeReading, (), worker.options()).await.unwrap();
    let message = task_failure(client, reading.workflow_id()).await;
    assert!(message.contains("time not implemented on this platform"), "{message}");

    // The one thread is free.
    let order = client.start_workflow(Order, basket(&["tea"], 0), worker.options()).await.unwrap();
    assert_eq!(within("the query", order.query(Items, ())).await.unwrap(), ["tea"]);
    for handle in [panicking.workflow_id(), looping.workflow_id(), allocating.workflow_id(), reading.workflow_id()] {
        client.workflow_handle_untyped(handle, None).terminate("it is over").await.unwrap();
    }
    order.terminate("it is over").await.unwrap();
}

#[tokio::test]
async fn a_query_or_an_update_that_panics_ends_its_instance_and_not_its_workflow() {
    // Not even where a policy says that panics end workflows, for a Query changes nothing.
    let policy = FailurePolicy::new().panics(FailureTarget::Workflow);
    let set_up = |builder: WorkflowWorkerBuilder| builder.foreign_workflows(module()).threads(1);
    let worker = Beside::start(|builder| set_up(builder).failure_policy(policy)).await;
    let fragile = worker.client.start_workflow(Fragile, (), worker.options()).await.unwrap();
    assert!(!within("a query", fragile.query(Ends, ())).await.unwrap());
    let error = within("a query that panics", fragile.query(Look, ())).await.unwrap_err().to_string();
    assert!(error.contains("looking at it breaks it: false") && error.contains("mistakes.rs"), "{error}");
    // Another instance is executed from the history, for a Query as for a Signal.
    assert!(!within("a query after it", fragile.query(Ends, ())).await.unwrap());
    within("a query that panics", fragile.query(Look, ())).await.unwrap_err();
    fragile.signal(End, ()).await.unwrap();
    assert_eq!(within("the end", fragile.result()).await.unwrap(), "whole");
    let history = fragile.history().await.unwrap();
    let is_failed = |event: &HistoryEvent| event.event_type() == EventType::WorkflowTaskFailed;
    assert!(!history.events.iter().any(is_failed), "a Query costs no Workflow Task");
    within("a query that panics", fragile.query(Look, ())).await.unwrap_err();
    assert!(within("a query of the end", fragile.query(Ends, ())).await.unwrap());

    let worker = Beside::start(set_up).await;
    let fragile = worker.client.start_workflow(Fragile, (), worker.options()).await.unwrap();
    assert!(!within("a query", fragile.query(Ends, ())).await.unwrap());
    let touched = fragile.clone();
    let update = tokio::spawn(async move { touched.update(Touch, 7).await });
    let message = task_failure(&worker.client, fragile.workflow_id()).await;
    assert!(message.contains("a touch of 7 breaks it") && message.contains(MODULE), "{message}");
    fragile.terminate("it is broken").await.unwrap();
    within("the update", update).await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_policy_ends_a_workflow_whose_module_panics() {
    let policy = FailurePolicy::new().panics(FailureTarget::Workflow);
    let worker = Beside::start(|builder| builder.foreign_workflows(module()).failure_policy(policy)).await;
    let panicking = worker.client.start_workflow(Panicking, (), worker.options()).await.unwrap();
    let error = within("the end", panicking.result()).await.unwrap_err().to_string();
    assert!(error.contains("upside down"), "{error}");
}

#[tokio::test]
async fn a_history_of_an_earlier_version_goes_through_a_module() {
    let history: History = timewright::proto::json::history_from_json(include_str!("histories/order.json"))
        .unwrap_or_else(|error| panic!("{error}"));
    let types: Vec<_> = history.events.iter().map(|event| event.event_type()).collect();
    for event_type in
        [EventType::TimerFired, EventType::ActivityTaskCompleted, EventType::ChildWorkflowExecutionCompleted]
    {
        assert!(types.contains(&event_type), "{types:?}");
    }
    // The child's id is made of it.
    let workflow_id = match history.events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started.workflow_id.as_str(),
        other => panic!("{other:?}"),
    };
    Replayer::new().foreign_workflows(module()).replay(workflow_id, history.clone()).await.unwrap();
}

/// Records the history that the test above replays, with the module that lies there. It is here and not a program of its own since it
/// needs all that is above.
#[tokio::test]
#[ignore = "it has recorded what the test above replays, once; another recording would hold nothing"]
async fn record() {
    let worker = Beside::start(|builder| builder.foreign_workflows(module())).await;
    let order = worker.client.start_workflow(Order, basket(&["tea"], 0), worker.options()).await.unwrap();
    order.update(Add, "cake".to_owned()).await.unwrap();
    order.signal(Pack, ()).await.unwrap();
    order.result().await.unwrap();
    let json = timewright::proto::json::history_to_json(&order.history().await.unwrap()).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/histories/order.json");
    std::fs::write(path, json).unwrap();
}

#[test]
fn a_module_says_which_workflows_it_has() {
    let types = ["Order", "Delivery", "Panicking", "Fragile", "Looping", "Allocating", "TimeReading"];
    assert_eq!(module().workflow_types(), types);
}

/// A module with one function, which gives a number.
fn small_module(export: &str, number: u8) -> Vec<u8> {
    let name = export.as_bytes();
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend([1, 5, 1, 0x60, 0, 1, 0x7f]); // a type: () -> i32
    bytes.extend([3, 2, 1, 0]); // a function of it
    bytes.extend([5, 3, 1, 0, 1]); // a memory of one page
    let exports = name.len() as u8 + 13;
    bytes.extend([7, exports, 2, 6]);
    bytes.extend(b"memory\x02\0");
    bytes.push(name.len() as u8);
    bytes.extend(name);
    bytes.extend([0, 0]);
    bytes.extend([10, 6, 1, 4, 0, 0x41, number, 0x0b]);
    bytes
}

#[test]
fn what_is_no_module_of_workflows_says_why() {
    let load = |bytes: &[u8]| WasmWorkflows::from_bytes("orders.wasm", bytes).unwrap_err();
    let error = WasmWorkflows::from_file("no/such.wasm").unwrap_err();
    assert!(error.to_string().starts_with("the WebAssembly module no/such.wasm cannot be read: "), "{error}");

    let error = load(b"this is a text");
    assert!(matches!(error, WasmError::NotAModule { .. }), "{error:?}");
    assert!(error.to_string().starts_with("orders.wasm is not a WebAssembly module"), "{error}");

    let module = std::fs::read(MODULE).unwrap();
    let error = load(&module[..module.len() / 2]);
    assert!(matches!(error, WasmError::NotAModule { .. }), "{error:?}");

    let error = load(&small_module("answer", 42));
    assert!(matches!(error, WasmError::NoWorkflows { .. }), "{error:?}");

    let error = load(&small_module("timewright_format_version", 42));
    assert_eq!(error, WasmError::Version { module: "orders.wasm".to_owned(), version: 42, known: 1 });
    assert!(error.to_string().contains("speaks version 42"), "{error}");

    let error = load(&small_module("timewright_format_version", 1));
    assert!(error.to_string().contains("has no function \"timewright_describe\""), "{error}");

    // () -> (), and `wasi_snapshot_preview1.clock_time_get` of it.
    let importing = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x29\x01\x16wasi_snapshot_preview1\x0eclock_time_get\0\0";
    let error = load(importing);
    let imports = vec!["wasi_snapshot_preview1.clock_time_get".to_owned()];
    assert_eq!(error, WasmError::Imports { module: "orders.wasm".to_owned(), imports });
}
