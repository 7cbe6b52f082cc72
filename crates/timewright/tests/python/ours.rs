//! Our side: workflows, activities, and the workers that execute them.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use serde_json::{Value, json};
use timewright::Worker;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, WorkflowResultError};
use timewright::converter::{ApplicationFailure, ErrorCategory, Failure, Multiple, Payload, RawValue, Value as _};
use timewright::proto::common::RetryPolicy;
use timewright::workflow::{
    ActivityCancellationType, ActivityFailure, ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo,
};

use super::definitions::{
    Begun, Cheapest, FailWithDetails, IsBegun, Item, Length, Note, Noted, Nothing, Order, OurBytes, OurCalls,
    OurCheapest, OurEcho, OurError, OurFailure, OurNoOperation, OurNothing, OurOptionalBytes, OurRelay, OurStall,
    OurThree, OurValues, OurWork, OurWrapping, RelayInput, Three,
};
use super::json::{levels, value};
use crate::programs::activities::say_begun;
use crate::programs::workers;
use crate::support::background::{Background, run_worker};

/// Starts our workers for everything that is here, and for the programs.
pub(crate) fn start(client: &Client, task_queue: &str) -> Background<timewright::WorkerError> {
    let workflows = workers::workflows::<false>(client, task_queue)
        .workflow::<RelayWorkflow>()
        .workflow::<ValuesWorkflow>()
        .workflow::<CallsWorkflow>()
        .workflow::<WrappingWorkflow>()
        .workflow::<BytesWorkflow>()
        .workflow::<NothingWorkflow>()
        .build();
    let activities = ActivityWorker::builder(client.clone(), format!("{task_queue}-ours"))
        .activity(OurThree, our_three)
        .activity(OurEcho, our_echo)
        .activity(OurOptionalBytes, our_optional_bytes)
        .activity(OurNoOperation, our_no_operation)
        .activity(OurCheapest, our_cheapest)
        .activity(OurFailure, our_failure)
        .activity(OurError, our_error)
        .activity(OurStall, our_stall)
        .activity(OurWork, our_work)
        .maximum_heartbeat_throttle_interval(Duration::from_millis(100))
        .graceful_shutdown_timeout(Duration::ZERO)
        .build();
    let worker: Worker = workers::with_activities(client, task_queue);
    let worker = worker.workflows(workflows.unwrap_or_else(|error| panic!("{error}")));
    run_worker(worker.activities(activities.unwrap_or_else(|error| panic!("{error}"))))
}

// --- Workflows

struct RelayWorkflow {
    begun: bool,
}

impl Workflow for RelayWorkflow {
    type Definition = OurRelay;

    fn init(_info: &WorkflowInfo, _input: &RelayInput) -> Self {
        Self { begun: false }
    }

    async fn run(context: WorkflowContext<Self>, relay: RelayInput) -> Result<Value, WorkflowError> {
        let mut options = ActivityOptions::start_to_close(Duration::from_secs_f64(relay.start_to_close))
            .task_queue(relay.task_queue)
            .retry_policy(RetryPolicy { maximum_attempts: relay.attempts, ..RetryPolicy::default() })
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted);
        if let Some(heartbeat) = relay.heartbeat {
            options = options.heartbeat_timeout(Duration::from_secs_f64(heartbeat));
        }
        let arguments = relay.arguments.iter().map(payload).collect::<Result<_, _>>()?;
        match context.execute_activity_untyped(&relay.activity, arguments, options).await {
            Ok(RawValue(result)) => Ok(value(&result)),
            Err(failure) if relay.report => match failure {
                ActivityFailure::Failed(failure) | ActivityFailure::Cancelled(failure) => Ok(levels(&failure)),
                ActivityFailure::Conversion { .. } => Err(failure.into()),
            },
            Err(failure) => Err(failure.into()),
        }
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Begun, |state, _name| state.begun = true);
        handlers.query(IsBegun, |state, ()| Ok(state.begun));
    }
}

/// `{"$bytes": "<hex>"}` means bytes, as in the Python peer.
fn payload(argument: &Value) -> Result<Payload, WorkflowError> {
    let Some(hex) = argument.get("$bytes").and_then(Value::as_str) else { return Ok(argument.to_payload()?) };
    let bytes: Result<Vec<u8>, _> =
        (0..hex.len()).step_by(2).map(|start| u8::from_str_radix(&hex[start..start + 2], 16)).collect();
    Ok(bytes?.to_payload()?)
}

#[derive(Default)]
struct ValuesWorkflow {
    notes: Vec<(String, Option<Value>)>,
}

impl Workflow for ValuesWorkflow {
    type Definition = OurValues;

    fn init(_info: &WorkflowInfo, _input: &Multiple<(Value, Option<String>, Option<u32>)>) -> Self {
        Self::default()
    }

    async fn run(
        context: WorkflowContext<Self>,
        Multiple((first, second, third)): Multiple<(Value, Option<String>, Option<u32>)>,
    ) -> Result<Vec<Value>, WorkflowError> {
        context.wait_condition(|state| state.notes.iter().any(|(text, _)| text == "finish")).await?;
        Ok(vec![first, json!(second), json!(third)])
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Note, |state, Multiple(note)| state.notes.push(note));
        handlers.query(Noted, |state, Multiple((index, otherwise))| match state.notes.get(index) {
            Some((_, value)) => Ok(json!(value)),
            None => match otherwise {
                Some(otherwise) => Ok(json!(otherwise)),
                None => Err(ApplicationFailure::new(format!("there is no note {index}")).with_type("NoNote").into()),
            },
        });
    }
}

struct CallsWorkflow;

impl Workflow for CallsWorkflow {
    type Definition = OurCalls;

    fn init(_info: &WorkflowInfo, _task_queue: &String) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, task_queue: String) -> Result<Vec<Value>, WorkflowError> {
        let options = || ActivityOptions::start_to_close(Duration::from_secs(30)).task_queue(task_queue.clone());
        let mut results = Vec::new();

        let given = Multiple(("one".to_owned(), Some("two".to_owned())));
        results.push(json!(context.execute_activity(Three, given, options()).await?));
        let given_null = Multiple(("one".to_owned(), None));
        results.push(json!(context.execute_activity(Three, given_null, options()).await?));

        results.push(json!(context.execute_activity(Length, b"\x00\xfflong".to_vec(), options()).await?));
        results.push(json!(context.execute_activity(Length, Vec::new(), options()).await?));
        context.execute_activity(Nothing, (), options()).await?;

        let customer = BTreeMap::from([("name".to_owned(), "Grace Hopper 🦋".to_owned())]);
        let item = |name: &str, price| Item { name: name.to_owned(), price };
        let items = vec![item("compiler", 9.75), item("nanosecond", 0.5)];
        let order = Order { id: i64::MAX, customer, items, note: None };
        let empty = Order { items: Vec::new(), note: Some("nothing".to_owned()), ..order.clone() };
        let cheapest = context.execute_activity(Cheapest, order, options()).await?;
        results.push(json!(cheapest == Some(item("nanosecond", 0.5))));
        results.push(json!(context.execute_activity(Cheapest, empty, options()).await?.is_none()));
        Ok(results)
    }
}

struct WrappingWorkflow;

impl Workflow for WrappingWorkflow {
    type Definition = OurWrapping;

    fn init(_info: &WorkflowInfo, _input: &Multiple<(String, bool)>) -> Self {
        Self
    }

    async fn run(
        context: WorkflowContext<Self>,
        Multiple((task_queue, as_error)): Multiple<(String, bool)>,
    ) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(30)).task_queue(task_queue);
        match context.execute_activity(FailWithDetails, "on purpose".to_owned(), options).await {
            Err(source) if as_error => Err(ShipmentError { source }.into()),
            Err(failure) => {
                Err(ApplicationFailure::new("nothing is shipped").with_type("ShipmentError").caused_by(failure).into())
            }
            Ok(()) => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("nothing is shipped")]
struct ShipmentError {
    source: ActivityFailure,
}

struct BytesWorkflow;

impl Workflow for BytesWorkflow {
    type Definition = OurBytes;

    fn init(_info: &WorkflowInfo, _input: &Vec<u8>) -> Self {
        Self
    }

    async fn run(_context: WorkflowContext<Self>, mut bytes: Vec<u8>) -> Result<Vec<u8>, WorkflowError> {
        bytes.reverse();
        Ok(bytes)
    }
}

struct NothingWorkflow;

impl Workflow for NothingWorkflow {
    type Definition = OurNothing;

    fn init(_info: &WorkflowInfo, _input: &()) -> Self {
        Self
    }

    async fn run(_context: WorkflowContext<Self>, _input: ()) -> Result<(), WorkflowError> {
        Ok(())
    }
}

// --- Activities

async fn our_three(
    _context: ActivityContext,
    Multiple((first, second, third)): Multiple<(String, Option<String>, Option<i64>)>,
) -> Result<Vec<Value>, ActivityError> {
    Ok(vec![json!(first), json!(second), json!(third)])
}

async fn our_echo(_context: ActivityContext, value: RawValue) -> Result<RawValue, ActivityError> {
    Ok(value)
}

async fn our_optional_bytes(
    _context: ActivityContext,
    bytes: Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>, ActivityError> {
    Ok(bytes.map(|bytes| bytes.into_iter().rev().collect()))
}

async fn our_no_operation(_context: ActivityContext, _input: ()) -> Result<(), ActivityError> {
    Ok(())
}

async fn our_cheapest(_context: ActivityContext, order: Order) -> Result<Option<Item>, ActivityError> {
    Ok(order.items.into_iter().min_by(|one, other| one.price.total_cmp(&other.price)))
}

async fn our_failure(context: ActivityContext, message: String) -> Result<(), ActivityError> {
    let details = Multiple(("first detail".to_owned(), json!({ "attempt": context.info().attempt }), vec![0_u8, 1]));
    Err(ApplicationFailure::new(message)
        .with_type("OurFailure")
        .with_details(details)
        .with_next_retry_delay(Duration::from_millis(2500))
        .with_category(ErrorCategory::Benign)
        .non_retryable()
        .caused_by(ApplicationFailure::new("the cause of it").with_type("OurCause").with_details(42))
        .into())
}

#[derive(Debug, thiserror::Error)]
#[error("the order is lost: {message}")]
struct OrderError {
    message: String,
    source: std::num::ParseIntError,
}

async fn our_error(_context: ActivityContext, message: String) -> Result<(), ActivityError> {
    let Err(source) = "nowhere".parse::<u32>() else { return Ok(()) };
    Err(OrderError { message, source }.into())
}

async fn our_stall(context: ActivityContext, _input: ()) -> Result<(), ActivityError> {
    context.heartbeat(Multiple(("halfway".to_owned(), 7)))?;
    tokio::select! {
        _ = context.cancelled() => Err(ActivityError::cancelled()),
        () = pending() => Ok(()),
    }
}

async fn our_work(context: ActivityContext, name: String) -> Result<(), ActivityError> {
    say_begun(&context, name).await?;
    loop {
        context.heartbeat(())?;
        tokio::select! {
            _ = context.cancelled() => return Err(ActivityError::cancelled_with_details("half done".to_owned())),
            () = tokio::time::sleep(Duration::from_millis(50)) => (),
        }
    }
}

/// The failure that a workflow ended with, as its caller sees it here.
pub(crate) fn failure_of(error: &WorkflowResultError) -> &Failure {
    match error {
        WorkflowResultError::Failed { failure, .. } => failure,
        other => panic!("{other}"),
    }
}
