//! Metrics: Temporal's own and those of workflows and activities, as Prometheus gets them.

use std::time::Duration;

use capabilities::{Outcome, beside};
use metrics_exporter_prometheus::PrometheusBuilder;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, activity, workflow};

#[derive(Default)]
struct ShipmentWorkflow;

#[workflow]
impl ShipmentWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, parcels: u32) -> Result<u32, WorkflowError> {
        let options = ActivityOptions::start_to_close(Duration::from_secs(10));
        let weight = context.execute_activity(Weigh, parcels, options).await?;
        // However often this is replayed, it is counted once.
        context.metric_meter().with_label("kind", "express").counter("parcels_shipped").increment(parcels.into());
        Ok(weight)
    }
}

#[activity]
async fn weigh(context: ActivityContext, parcels: u32) -> Result<u32, ActivityError> {
    let weight = parcels * 3;
    context.metric_meter().histogram("shipment_kilograms").record(weight);
    Ok(weight)
}

#[tokio::main]
async fn main() -> Outcome {
    // Before anything else, so that nothing is missed. With the exporter's feature `http-listener`, `with_http_listener` and
    // `install` in the last step's place let Prometheus come and get it.
    let metrics = PrometheusBuilder::new()
        .with_recommended_naming(true)
        .set_buckets(&[0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0])?
        .install_recorder()?;

    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let task_queue = format!("shipments-{}", random_id());
    let activities = ActivityWorker::builder(client.clone(), &task_queue).register(Weigh).build()?;
    let workflows = WorkflowWorker::builder(client.clone(), &task_queue).workflow::<ShipmentWorkflow>().build()?;
    beside(Worker::new().workflows(workflows).activities(activities), async {
        for parcels in [2, 5] {
            let options = StartWorkflowOptions::new(&task_queue, format!("shipment-{}", random_id()));
            client.start_workflow(Shipment, parcels, options).await?.result().await?;
        }
        Ok(())
    })
    .await?;

    let mut lines: Vec<String> = metrics.render().lines().map(|line| line.replace(&task_queue, "shipments")).collect();
    lines.retain(|line| SHOWN.iter().any(|shown| line.starts_with(shown)));
    lines.sort();
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Some of what there is.
const SHOWN: [&str; 8] = [
    "parcels_shipped_total",
    "shipment_kilograms_sum",
    "temporal_activity_execution_latency_seconds_count",
    "temporal_request_total{namespace=\"default\",operation=\"StartWorkflowExecution\"",
    "temporal_sticky_cache_size",
    "temporal_worker_task_slots_used{namespace=\"default\",task_queue=\"shipments\",worker_type=\"ActivityWorker\"",
    "temporal_workflow_completed_total",
    "temporal_workflow_endtoend_latency_seconds_count",
];
