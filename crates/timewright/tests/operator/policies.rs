//! What fails when something is wrong: the Workflow Task, or the workflow.

use std::time::Duration;

use timewright::client::{Client, WorkflowExecutionStatus, WorkflowHandle};
use timewright::converter::ApplicationFailure;
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ConversionError, FailurePolicy, FailureTarget, Workflow, WorkflowContext, WorkflowError, WorkflowInfo,
    WorkflowWorker, WorkflowWorkerBuilder,
};

use crate::support::background::run_workflows;
use crate::support::definitions::workflow;
use crate::support::history::{wait_for_event, wait_for_task_failure};
use crate::support::{LIMIT, client, start_options, unique, within};

#[derive(Debug, thiserror::Error)]
#[error("the rates are not there yet")]
struct NoRates;

workflow!(Fails: String => (), |context, how| {
    match how.as_str() {
        "panics" => panic!("out of paper"),
        "nondeterminism" => std::future::pending().await,
        "no rates" => return Err(NoRates.into()),
        "named" => return Err(ApplicationFailure::new("the disk is slow").with_type("Slow").into()),
        "meant" => return Err(ApplicationFailure::new("the disk is full").with_type("Disk").into()),
        _ => (),
    }
    context.sleep(Duration::from_millis(1)).await?;
    Err(ApplicationFailure::new("as always").into())
});

workflow!(Careful: String => (), |_context, how| {
    assert_ne!(how, "panics", "out of ink");
    Ok(())
});

fn worker(client: &Client, queue: &str) -> WorkflowWorkerBuilder {
    WorkflowWorker::builder(client.clone(), queue).workflow::<Fails>().workflow::<Careful>()
}

async fn start(client: &Client, queue: &str, how: &str) -> WorkflowHandle<Fails> {
    client.start_workflow(Fails, how.to_owned(), start_options(queue)).await.unwrap()
}

/// With what the workflow ended, as a person reads it.
async fn end(handle: &WorkflowHandle<Fails>) -> String {
    let text = within("the end", handle.result()).await.unwrap_err().to_string();
    text.split_once("failed: ").map_or(text.clone(), |(_, failure)| failure.to_owned())
}

#[tokio::test]
async fn panics_and_nondeterminism_end_workflows_where_a_policy_says_so() {
    let (client, queue) = (client().await, unique("policies"));
    let policy = FailurePolicy::new().panics(FailureTarget::Workflow).nondeterminism(FailureTarget::Workflow);
    let workflows = worker(&client, &queue).failure_policy(policy).failure_policy_of::<Careful>(FailurePolicy::new());
    let worker = run_workflows(workflows.build().unwrap());
    assert_eq!(end(&start(&client, &queue, "panics").await).await, "Panic: run panicked: out of paper");
    let found = end(&start(&client, &queue, "nondeterminism").await).await;
    assert!(found.starts_with("ForeignWait: [TMPRL1100] run of workflow \"Fails\""), "{found}");
    assert_eq!(end(&start(&client, &queue, "otherwise").await).await, "ApplicationFailure: as always");
    // A type with a policy of its own.
    let careful = client.start_workflow(Careful, "panics".to_owned(), start_options(&queue)).await.unwrap();
    assert_eq!(
        wait_for_task_failure(careful.untyped()).await.1,
        "Panic: run panicked: assertion `left != right` failed: out of ink\n  left: \"panics\"\n right: \"panics\""
    );
    assert_eq!(careful.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    worker.stop().await;
}

#[tokio::test]
async fn chosen_errors_fail_the_task_or_the_workflow() {
    let (client, queue) = (client().await, unique("policies"));
    let policy = FailurePolicy::new()
        .errors::<NoRates>(FailureTarget::WorkflowTask)
        .errors_named("Slow", FailureTarget::WorkflowTask)
        .errors_where(|failure| failure.message.ends_with("is full"), FailureTarget::WorkflowTask)
        .errors::<ConversionError>(FailureTarget::Workflow);
    let worker = run_workflows(worker(&client, &queue).failure_policy(policy).build().unwrap());
    for (how, text) in [
        ("no rates", "NoRates: the rates are not there yet"),
        ("named", "Slow: the disk is slow"),
        ("meant", "Disk: the disk is full"),
    ] {
        let fails = start(&client, &queue, how).await;
        assert_eq!(wait_for_task_failure(fails.untyped()).await.1, text);
        assert_eq!(fails.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    }
    assert_eq!(end(&start(&client, &queue, "otherwise").await).await, "ApplicationFailure: as always");
    // An input that cannot be read.
    let input = vec![timewright::converter::Value::to_payload(&7).unwrap()];
    let unreadable = client.start_workflow_untyped("Fails", input, start_options(&queue)).await.unwrap();
    let error = within("the end", unreadable.result()).await.unwrap_err().to_string();
    assert!(error.contains("failed: ConversionError: the input of workflow \"Fails\""), "{error}");
    worker.stop().await;
}

/// The code that started the workflow.
struct Before;

/// The code of today, which does something else.
struct After;

crate::support::definitions::workflow_definition!(Changes: () => ());

impl Workflow for Before {
    type Definition = Changes;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<(), WorkflowError> {
        context.sleep(Duration::from_millis(1)).await?;
        context.cancelled().await;
        Ok(())
    }
}

impl Workflow for After {
    type Definition = Changes;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<(), WorkflowError> {
        context.cancelled().await;
        Ok(())
    }
}

/// Also where the task has failed before, under the policy of then.
#[tokio::test]
async fn changed_code_ends_workflows_where_a_policy_says_so() {
    let (client, queue) = (client().await, unique("policies"));
    let build = |builder: WorkflowWorkerBuilder| run_workflows(builder.build().unwrap());
    let before = build(WorkflowWorker::builder(client.clone(), &queue).workflow::<Before>());
    let options = start_options(&queue).task_timeout(Duration::from_secs(2));
    let changes = client.start_workflow(Changes, (), options).await.unwrap();
    wait_for_event(changes.untyped(), EventType::TimerFired).await;
    before.stop().await;

    let after = || WorkflowWorker::builder(client.clone(), &queue).workflow::<After>();
    let task_fails = build(after());
    changes.cancel("").await.unwrap();
    assert_eq!(wait_for_task_failure(changes.untyped()).await.0, "NON_DETERMINISTIC_ERROR");
    task_fails.stop().await;

    let policy = FailurePolicy::new().nondeterminism(FailureTarget::Workflow);
    let workflow_fails = build(after().failure_policy_named("Changes", policy));
    let error = tokio::time::timeout(2 * LIMIT, changes.result()).await.expect("it ends").unwrap_err().to_string();
    assert!(error.contains("failed: Nondeterminism: "), "{error}");
    assert!(error.contains("TimerStarted"), "{error}");
    workflow_fails.stop().await;
}
