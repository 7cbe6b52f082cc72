//! Types that a worker does not know, and input that it cannot read.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, WorkflowExecutionStatus};
use timewright::converter::{Payload, Value};
use timewright::proto::common::RetryPolicy;
use timewright::proto::enums::EventType;
use timewright::proto::prost_types;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};

use crate::support::background::{run_activities, run_workflows};
use crate::support::definitions::{activity, signal, workflow, workflow_definition};
use crate::support::history::{failure, wait_for_event, wait_for_task_failure};
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

workflow!(Known: () => String, |_, ()| { Ok("known".to_owned()) });
workflow!(Other: () => String, |_, ()| { Ok("other".to_owned()) });

#[tokio::test]
async fn an_unknown_workflow_type_waits_for_a_worker_that_knows_it() {
    let (client, queue) = (client().await, unique("types"));
    let old = WorkflowWorker::builder(client.clone(), &queue).workflow::<Known>().build().unwrap();
    let old = run_workflows(old);
    let options = start_options(&queue).task_timeout(Duration::from_secs(1));
    let other = client.start_workflow(Other, (), options).await.unwrap();
    assert_eq!(
        wait_for_task_failure(other.untyped()).await,
        (
            "WORKFLOW_WORKER_UNHANDLED_FAILURE".to_owned(),
            format!(
                "NotFoundError: workflow type \"Other\" (id \"{}\") is not registered with this worker on task queue \
                 \"{queue}\"; it knows [\"Known\"]. Register it, or start the workflow on the task queue of a worker that \
                 has it",
                other.workflow_id(),
            )
        )
    );
    // Others are not held up.
    let known = client.start_workflow(Known, (), start_options(&queue)).await.unwrap();
    assert_eq!(within("the result", known.result()).await.unwrap(), "known");

    old.stop().await;
    assert_eq!(other.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    let new = WorkflowWorker::builder(client.clone(), &queue).workflow::<Known>().workflow::<Other>().build().unwrap();
    let _new = run_workflows(new);
    assert_eq!(within("the result", other.result()).await.unwrap(), "other");
}

activity!(Charge: u32 => String);
activity!(Refund: u32 => String);

async fn charge(_context: ActivityContext, amount: u32) -> Result<String, ActivityError> {
    Ok(format!("{amount} charged"))
}

// Calls the activity of this name, with this argument, until it succeeds.
workflow!(Calls: (String, String) => String, |context, (activity_type, argument)| {
    let interval = prost_types::Duration { seconds: 0, nanos: 200_000_000 };
    let retry_policy = RetryPolicy { initial_interval: Some(interval), ..RetryPolicy::default() };
    // An attempt that comes to a worker in the moment in which it stops is soon made by another.
    let options = ActivityOptions::start_to_close(Duration::from_secs(3)).retry_policy(retry_policy);
    let argument = vec![argument.to_payload()?];
    let result = context.execute_activity_untyped(&activity_type, argument, options).await?;
    Ok(String::from_payload(result.0)?)
});

/// The failure of the activity's last attempt, once there was one.
async fn activity_failure(client: &Client, workflow_id: &str) -> String {
    let handle = client.workflow_handle_untyped(workflow_id, None);
    // No Event says it before the activity has ended, so we ask.
    poll_until("a failed attempt", || async {
        let pending = handle.describe().await.unwrap().raw().pending_activities.clone();
        pending
            .into_iter()
            .find_map(|activity| activity.last_failure)
            .map(|last| format!("{:#}", failure(client, last)))
    })
    .await
}

#[tokio::test]
async fn an_unknown_activity_type_waits_for_a_worker_that_knows_it() {
    let (client, queue) = (client().await, unique("types"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Calls>().build().unwrap();
    let _workflows = run_workflows(workflows);
    let old = ActivityWorker::builder(client.clone(), &queue).activity(Charge, charge).build().unwrap();
    let old = run_activities(old);
    let input = ("Refund".to_owned(), "seven".to_owned());
    let calls = client.start_workflow(Calls, input, start_options(&queue)).await.unwrap();
    assert_eq!(
        activity_failure(&client, calls.workflow_id()).await,
        format!(
            "NotFoundError: no activity `Refund` is registered on the worker of Task Queue `{queue}`; it knows: `Charge`. \
             Register it there, or call it on the Task Queue of a worker that has it"
        )
    );
    old.stop().await;

    // The next one has it, but takes something else.
    let mistaken = ActivityWorker::builder(client.clone(), &queue).activity(Refund, charge).build().unwrap();
    let mistaken = run_activities(mistaken);
    let expected = "ConversionError: the input of activity `Refund` cannot be read: argument 1: a Payload with encoding \
                    `json/plain` cannot be read as u32: invalid type: string, expected u32 at line 1 column 7";
    poll_until("the failure of that worker", || async {
        (activity_failure(&client, calls.workflow_id()).await == expected).then_some(())
    })
    .await;
    mistaken.stop().await;

    let right = ActivityWorker::builder(client.clone(), &queue)
        .untyped_activity("Refund", async |_, arguments| Ok(timewright::converter::RawValue(arguments.0[0].clone())));
    let _right = run_activities(right.build().unwrap());
    assert_eq!(within("the result", calls.result()).await.unwrap(), "seven");
}

// --- Input

workflow_definition!(Count: u32 => u32);
signal!(Add of Count: u32);

struct Counter {
    sum: u32,
}

impl Workflow for Counter {
    type Definition = Count;

    fn init(_info: &WorkflowInfo, start: &u32) -> Self {
        Self { sum: *start }
    }

    async fn run(context: WorkflowContext<Self>, start: u32) -> Result<u32, WorkflowError> {
        context.wait_condition(move |state| state.sum > start).await?;
        Ok(context.state(|state| state.sum))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Add, |state, number| state.sum += number);
    }
}

fn seven() -> Vec<Payload> {
    vec!["seven".to_owned().to_payload().unwrap()]
}

#[tokio::test]
async fn input_that_a_workflow_cannot_read_fails_its_task_and_nothing_else() {
    let (client, queue) = (client().await, unique("types"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<Counter>().build().unwrap();
    let _worker = run_workflows(worker);

    let count = client.start_workflow_untyped("Count", seven(), start_options(&queue)).await.unwrap();
    let problem = "argument 1: a Payload with encoding `json/plain` cannot be read as u32: invalid type: string, expected \
                   u32 at line 1 column 7";
    let (cause, text) = wait_for_task_failure(&count).await;
    assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
    assert_eq!(
        text,
        format!("ConversionError: the input of workflow \"Count\" (id \"{}\"): {problem}", count.workflow_id())
    );
    assert_eq!(count.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);

    let count = client.start_workflow_untyped("Count", Vec::new(), start_options(&queue)).await.unwrap();
    let (_, text) = wait_for_task_failure(&count).await;
    assert_eq!(
        text,
        format!(
            "ConversionError: the input of workflow \"Count\" (id \"{}\"): argument 1 (u32) is missing: the call has 0. \
             Only an Option may be left out",
            count.workflow_id()
        )
    );

    let count = client.start_workflow(Count, 1, start_options(&queue)).await.unwrap();
    wait_for_event(count.untyped(), EventType::WorkflowTaskCompleted).await;
    count.untyped().signal("Add", seven()).await.unwrap();
    let (_, text) = wait_for_task_failure(count.untyped()).await;
    assert_eq!(
        text,
        format!("ConversionError: signal \"Add\" of workflow \"Count\" (id \"{}\"): {problem}", count.workflow_id())
    );
    assert_eq!(count.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);

    let count = client.start_workflow(Count, 1, start_options(&queue)).await.unwrap();
    count.signal(Add, 2).await.unwrap();
    assert_eq!(within("the result", count.result()).await.unwrap(), 3);
}

workflow!(CallsWrongly: () => u32, |context, ()| {
    activity!(Charge: u32 => u32); // whose result is a text in truth
    Ok(context.execute_activity(Charge, 5, ActivityOptions::start_to_close(LIMIT)).await?)
});

#[tokio::test]
async fn a_result_that_a_workflow_cannot_read_fails_its_task() {
    let (client, queue) = (client().await, unique("types"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<CallsWrongly>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Charge, charge).build().unwrap();
    let _workers = (run_workflows(workflows), run_activities(activities));
    let calls = client.start_workflow(CallsWrongly, (), start_options(&queue)).await.unwrap();
    let (_, text) = wait_for_task_failure(calls.untyped()).await;
    assert!(
        text.starts_with(
            "ActivityFailure: activity \"Charge\": a Payload with encoding `json/plain` cannot be read as u32: invalid \
             type: string, expected u32 at line 1 column 11"
        ),
        "{text}"
    );
    assert_eq!(calls.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);

    // A caller that is mistaken about the workflow's result is told so, too.
    let worker = WorkflowWorker::builder(client.clone(), unique("types")).workflow::<Known>().build().unwrap();
    let queue = worker.task_queue().to_owned();
    let _worker = run_workflows(worker);
    let known = client.start_workflow(Known, (), start_options(&queue)).await.unwrap();
    let mistaken = client.workflow_handle(Count, known.workflow_id(), None);
    assert_eq!(
        within("the result", mistaken.result()).await.unwrap_err().to_string(),
        format!(
            "result of workflow `{}`: a Payload with encoding `json/plain` cannot be read as u32: invalid type: string, \
             expected u32 at line 1 column 7",
            known.workflow_id()
        )
    );
}
