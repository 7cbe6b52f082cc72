//! Workers that cannot be built.

use timewright::Worker;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, ActivityWorkerBuilder};
use timewright::client::{Client, ClientOptions};
use timewright::converter::RawArguments;
use timewright::workflow::{
    Handlers, NamedSignal, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
    WorkflowWorkerBuilder,
};

use crate::support::connect;
use crate::support::definitions::{activity, workflow, workflow_definition};

activity!(Charge: () => ());
workflow!(Order: () => (), |_, ()| { Ok(()) });

workflow_definition!(Invoice: () => ());

struct InvoiceWorkflow;
impl Workflow for InvoiceWorkflow {
    type Definition = Invoice;
    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self
    }
    async fn run(_context: WorkflowContext<Self>, (): ()) -> Result<(), WorkflowError> {
        Ok(())
    }
    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(NamedSignal::new("__temporal_pay"), |_state, _amount: RawArguments| ());
    }
}

async fn charge(_: ActivityContext, (): ()) -> Result<(), ActivityError> {
    Ok(())
}

#[tokio::test]
async fn a_worker_that_has_nothing_to_run_says_so_at_once() {
    let error = Worker::new().run(std::future::pending()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "this Worker has nothing to do: give it a Workflow Worker (Worker::workflows) or an Activity Worker \
         (Worker::activities) before it runs"
    );
}

#[tokio::test]
async fn a_workflow_worker_that_cannot_work_says_what_to_do() {
    let client = offline().await;
    let builder = |queue: &str| WorkflowWorker::builder(client.clone(), queue);
    let error = |builder: WorkflowWorkerBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(
        error(builder("orders")),
        "the Workflow Worker on task queue \"orders\" has no workflows; register one with `workflow::<W>()`"
    );
    assert_eq!(error(builder("").workflow::<Order>()), "a Workflow Worker needs the name of a task queue");
    assert_eq!(
        error(builder("orders").workflow::<Order>().workflow::<Order>()),
        "workflow type \"Order\" is registered twice with the worker on task queue \"orders\"; remove or rename one of them"
    );
    assert_eq!(
        error(builder("orders").workflow::<InvoiceWorkflow>()),
        "workflow type \"Invoice\" of the worker on task queue \"orders\": signal \"__temporal_pay\": this name is reserved for \
         Temporal itself; choose another"
    );
    assert_eq!(
        error(builder("orders").named_workflow::<Order>("")),
        "workflow type \"\" of the worker on task queue \"orders\": it has no name; register it with named_workflow, or with \
         dynamic_workflow for all types"
    );
    assert_eq!(
        error(builder("orders").workflow::<Order>().maximum_concurrent_workflow_tasks(1)),
        "the Workflow Worker on task queue \"orders\": there are 1 slots, but at least 2 are needed, one for the Task \
         Queue and one for the sticky queue; allow more tasks at the same time"
    );
    assert_eq!(
        error(builder("orders").workflow::<Order>().maximum_concurrent_polls(0)),
        "the Workflow Worker on task queue \"orders\": at most 0 polls may be open, but at least 2 are needed, one for \
         the Task Queue and one for the sticky queue; allow more"
    );
}

#[tokio::test]
async fn an_activity_worker_that_cannot_work_says_what_to_do() {
    let client = offline().await;
    let builder = |queue: &str| ActivityWorker::builder(client.clone(), queue);
    let error = |builder: ActivityWorkerBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(
        error(builder("cards")),
        "the Activity Worker on task queue \"cards\" has no activities; register one before build()"
    );
    assert_eq!(
        error(builder("").activity(Charge, charge)),
        "the Task Queue has no name; give ActivityWorker::builder the one that workflows schedule their activities on"
    );
    assert_eq!(
        error(builder("cards").activity(Charge, charge).blocking_activity(Charge, |_, ()| Ok(()))),
        "activity `Charge` is registered twice with the Activity Worker on task queue \"cards\"; remove or rename one of them"
    );
    assert_eq!(
        error(builder("cards").activity(Charge, charge).maximum_concurrent_activities(0)),
        "the Activity Worker on task queue \"cards\": there are 0 slots, but at least 1 are needed; allow more tasks at \
         the same time"
    );
}

/// Building needs no server.
async fn offline() -> Client {
    connect(ClientOptions::new("http://127.0.0.1:1").lazy(true)).await
}
