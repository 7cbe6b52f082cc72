//! Serves the workflows whose histories `cargo xtask record-histories` records, with Temporal's Rust SDK.
//!
//! Prints `{"ready": true, "sdk": ...}`, serves until SIGTERM or SIGINT, and ends. With `--build-id` it is a versioned
//! worker.

mod activities;
mod children_and_others;
mod common;
mod endings_and_options;
mod local_activities;
mod messages;
mod nexus_operations;
mod patches_and_upserts;
mod timers_and_activities;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use temporalio_common::worker::{VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use activities::Activities;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = arguments()?;
    let argument = |name: &str| arguments.get(name).with_context(|| format!("{name} must be given"));
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let target: Url = format!("http://{}", argument("--address")?).parse()?;
    let connection = Connection::connect(ConnectionOptions::new(target).identity("worker").build()).await?;
    let client = Client::new(connection, ClientOptions::new("default").build())?;

    let options = options(argument("--task-queue")?, arguments.get("--build-id"))?;
    let mut worker = Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?;
    let shut_down = worker.shutdown_handle();
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        shut_down();
    });
    println!("{}", serde_json::json!({ "ready": true, "sdk": format!("temporalio-sdk {SDK_VERSION} (crates.io)") }));
    worker.run().await?;
    Ok(())
}

/// Pairs of a name and its value.
fn arguments() -> Result<HashMap<String, String>> {
    let mut arguments = std::env::args().skip(1);
    let mut pairs = HashMap::new();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} has no value"))?;
        pairs.insert(name, value);
    }
    Ok(pairs)
}

fn options(task_queue: &str, build_id: Option<&String>) -> Result<WorkerOptions> {
    let deployment = match build_id {
        Some(build_id) => {
            let version = WorkerDeploymentVersion::builder().deployment_name("histories").build_id(build_id.as_str());
            WorkerDeploymentOptions::new(version.build())
                .use_worker_versioning(true)
                .default_versioning_behavior(VersioningBehavior::Pinned)
                .build()
        }
        None => WorkerDeploymentOptions::from_build_id("peer".to_owned()),
    };
    let options = WorkerOptions::new(task_queue)
        .deployment_options(deployment)
        .max_heartbeat_throttle_interval(Duration::from_millis(100))
        .register_activities(Activities)
        .register_workflow::<timers_and_activities::OneTimer>()?
        .register_workflow::<timers_and_activities::TimerCancelled>()?
        .register_workflow::<timers_and_activities::TimerCancelledAtOnce>()?
        .register_workflow::<timers_and_activities::TimersRace>()?
        .register_workflow::<timers_and_activities::TimersParallel>()?
        .register_workflow::<timers_and_activities::OneActivity>()?
        .register_workflow::<timers_and_activities::ActivityNothing>()?
        .register_workflow::<timers_and_activities::ActivityCustomId>()?
        .register_workflow::<timers_and_activities::ActivityRetried>()?
        .register_workflow::<timers_and_activities::ActivityFailed>()?
        .register_workflow::<timers_and_activities::ActivityTimedOut>()?
        .register_workflow::<timers_and_activities::ActivitiesParallel>()?
        .register_workflow::<timers_and_activities::ActivityTryCancel>()?
        .register_workflow::<timers_and_activities::ActivityWaitCancelled>()?
        .register_workflow::<timers_and_activities::ActivityAbandon>()?
        .register_workflow::<timers_and_activities::ActivityCancelledAtOnce>()?
        .register_workflow::<local_activities::LocalActivity>()?
        .register_workflow::<local_activities::LocalActivityNothing>()?
        .register_workflow::<local_activities::LocalActivityCustomId>()?
        .register_workflow::<local_activities::LocalActivityArguments>()?
        .register_workflow::<local_activities::LocalActivityRetried>()?
        .register_workflow::<local_activities::LocalActivityFailed>()?
        .register_workflow::<local_activities::LocalActivityFailingWorkflow>()?
        .register_workflow::<local_activities::LocalActivityTimedOut>()?
        .register_workflow::<local_activities::LocalActivitiesParallel>()?
        .register_workflow::<local_activities::LocalActivitiesChainBesideSlow>()?
        .register_workflow::<local_activities::LocalActivityBackoff>()?
        .register_workflow::<local_activities::LocalActivityHeartbeat>()?
        .register_workflow::<local_activities::LocalActivityTimerRace>()?
        .register_workflow::<local_activities::LocalActivityTryCancel>()?
        .register_workflow::<local_activities::LocalActivityWaitCancelled>()?
        .register_workflow::<local_activities::LocalActivityAbandon>()?
        .register_workflow::<local_activities::LocalActivityCancelledAtOnce>()?
        .register_workflow::<local_activities::LocalActivityWorkflowCancelled>()?
        .register_workflow::<local_activities::LocalActivitySecondTask>()?
        .register_workflow::<local_activities::LocalActivityBesideOthers>()?
        .register_workflow::<children_and_others::ChildEcho>()?
        .register_workflow::<children_and_others::ChildTimer>()?
        .register_workflow::<children_and_others::ChildRefuses>()?
        .register_workflow::<children_and_others::Child>()?
        .register_workflow::<children_and_others::ChildDefaultId>()?
        .register_workflow::<children_and_others::ChildrenTwo>()?
        .register_workflow::<children_and_others::ChildFailed>()?
        .register_workflow::<children_and_others::ChildTerminated>()?
        .register_workflow::<children_and_others::ChildTryCancel>()?
        .register_workflow::<children_and_others::ChildWaitCancelled>()?
        .register_workflow::<children_and_others::ChildWaitRequested>()?
        .register_workflow::<children_and_others::ChildAbandon>()?
        .register_workflow::<children_and_others::ChildCancelledAtOnce>()?
        .register_workflow::<children_and_others::ChildLeftAlone>()?
        .register_workflow::<children_and_others::ChildAlreadyStarted>()?
        .register_workflow::<children_and_others::ChildSignalled>()?
        .register_workflow::<children_and_others::ExternalSignal>()?
        .register_workflow::<children_and_others::ExternalCancel>()?
        .register_workflow::<children_and_others::ChildWaits>()?
        .register_workflow::<patches_and_upserts::Patched>()?
        .register_workflow::<patches_and_upserts::PatchDeprecated>()?
        .register_workflow::<patches_and_upserts::PatchesTwo>()?
        .register_workflow::<patches_and_upserts::PatchSecondTask>()?
        .register_workflow::<patches_and_upserts::PatchLocalActivity>()?
        .register_workflow::<patches_and_upserts::PatchTwoPlaces>()?
        .register_workflow::<patches_and_upserts::PatchBetweenTimers>()?
        .register_workflow::<patches_and_upserts::PatchAndUpsert>()?
        .register_workflow::<patches_and_upserts::UpsertSearchAttributes>()?
        .register_workflow::<patches_and_upserts::UpsertMemo>()?
        .register_workflow::<messages::Messages>()?
        .register_workflow::<messages::MessagesBesideActivity>()?
        .register_workflow::<messages::MessagesBesideLocalActivity>()?
        .register_workflow::<messages::Signals>()?
        .register_workflow::<messages::SignalsBesideLocalActivity>()?
        .register_workflow::<endings_and_options::WorkflowFailed>()?
        .register_workflow::<endings_and_options::WorkflowCancelled>()?
        .register_workflow::<endings_and_options::WorkflowCancelledCleanup>()?
        .register_workflow::<endings_and_options::WorkflowCancelledCompletes>()?
        .register_workflow::<endings_and_options::ContinueAsNew>()?
        .register_workflow::<endings_and_options::WorkflowTaskFailed>()?
        .register_workflow::<endings_and_options::Summaries>()?
        .register_workflow::<endings_and_options::Priorities>()?
        .register_workflow::<endings_and_options::Random>()?
        .register_workflow::<endings_and_options::Resettable>()?
        .register_workflow::<nexus_operations::NexusSync>()?
        .register_workflow::<nexus_operations::NexusFailed>()?
        .register_workflow::<nexus_operations::NexusAsync>()?
        .register_workflow::<nexus_operations::NexusWaitCancelled>()?
        .register_workflow::<nexus_operations::NexusWaitRequested>()?
        .register_workflow::<nexus_operations::NexusTryCancel>()?
        .build();
    Ok(options)
}

/// As Cargo.toml pins it.
const SDK_VERSION: &str = "1.1.1";
