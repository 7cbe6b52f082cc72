//! Tenants: a value that goes along with a request, and a plugin that sees to it.

use std::time::Duration;

use capabilities::{Outcome, beside};
use serde::{Deserialize, Serialize};
use timewright::activity::ActivityContext;
use timewright::activity::ActivityWorker;
use timewright::client::{Client, ClientOptions, PropagatedValue, StartWorkflowOptions, random_id};
use timewright::workflow::{
    ActivityOptions, ChildWorkflowOptions, InboundCall, InboundKind, InterceptorContext, WorkflowContext,
    WorkflowError, WorkflowInterceptor, WorkflowWorker, WorkflowWorkerBuilder,
};
use timewright::{Plugin, WithPlugin, Worker, activity, workflow};

/// For whom it is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tenant(String);

/// Carries the tenant, and lets no workflow run without one.
struct Tenants;

impl Plugin for Tenants {
    fn name(&self) -> &str {
        "com.example.tenants"
    }

    fn configure_client(&self, options: ClientOptions) -> ClientOptions {
        options.propagator(PropagatedValue::<Tenant>::new("tenant"))
    }

    fn configure_workflow_worker(&self, builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
        builder.interceptor(Self)
    }
}

impl WorkflowInterceptor for Tenants {
    fn inbound(&self, context: &mut InterceptorContext, call: &mut InboundCall) -> Result<(), WorkflowError> {
        match call.kind() {
            InboundKind::Workflow if context.value::<Tenant>().is_none() => Err("for whom?".into()),
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct OrderWorkflow;

#[workflow]
impl OrderWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, item: String) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        context.execute_activity(Charge, item.clone(), options).await?;
        let shipping = ChildWorkflowOptions::new(format!("{}-shipping", context.info().workflow_id));
        Ok(context.execute_child_workflow(Shipping, item, shipping).await?)
    }
}

#[derive(Default)]
struct ShippingWorkflow;

#[workflow]
impl ShippingWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, item: String) -> Result<(), WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        Ok(context.execute_activity(Ship, item, options).await?)
    }
}

#[activity]
async fn charge(context: ActivityContext, item: String) {
    println!("{} pays for {item}", tenant(&context));
}

#[activity]
async fn ship(context: ActivityContext, item: String) {
    println!("{} gets {item}", tenant(&context));
}

fn tenant(context: &ActivityContext) -> &str {
    context.value::<Tenant>().map_or("nobody", |tenant| &tenant.0)
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?.plugin(Tenants)).await?;
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE)
        .workflow::<OrderWorkflow>()
        .workflow::<ShippingWorkflow>()
        .build()?;
    let activities = ActivityWorker::builder(client.clone(), TASK_QUEUE).register(Charge).register(Ship).build()?;

    beside(Worker::new().workflows(workflows).activities(activities), async {
        for (name, item) in [("acme", "an anvil"), ("globex", "a laser")] {
            // In a server, this stands where a request has been authenticated.
            let client = client.with_value(Tenant(name.to_owned()));
            let order = client.start_workflow(Order, item.to_owned(), options()).await?;
            order.result().await?;
        }
        let order = client.start_workflow(Order, "a bomb".to_owned(), options()).await?;
        if let Err(error) = order.result().await {
            println!("{error}");
        }
        Ok(())
    })
    .await
}

fn options() -> StartWorkflowOptions {
    StartWorkflowOptions::new(TASK_QUEUE, format!("order-{}", random_id()))
}

const TASK_QUEUE: &str = "tenants";
