//! A worker with both roles.

use std::collections::HashMap;

use anyhow::{Context, Result};
use bench_definitions::{Echo, Nothing};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions};
use timewright::converter::{BoxFuture, CodecError, DataConverter, Payload, PayloadCodec};
use timewright::workflow::WorkflowWorker;
use timewright::{LocalActivities, Worker};

use crate::workflows;

pub(crate) async fn run(options: &[&str]) -> Result<()> {
    let options: HashMap<&str, &str> =
        options.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect();
    let option = |name: &str| options.get(name).copied().with_context(|| format!("{name} must be given"));
    let task_queue = option("--task-queue")?;
    let mut to_server = ClientOptions::new(option("--address")?);
    if options.get("--codec") == Some(&"identity") {
        to_server = to_server.data_converter(DataConverter::default().with_codec(Identity));
    }
    let client = Client::connect(to_server).await?;
    let activities =
        ActivityWorker::builder(client.clone(), task_queue).activity(Echo, echo).activity(Nothing, nothing).build()?;
    let mut builder = WorkflowWorker::builder(client, task_queue)
        .workflow::<workflows::InSequence>()
        .workflow::<workflows::InParallel>()
        .workflow::<workflows::Locally>()
        .workflow::<workflows::Counter>()
        .workflow::<workflows::Waiting>()
        .workflow::<workflows::Parent>()
        .workflow::<workflows::Giving>()
        .workflow::<workflows::Echoing>()
        .workflow::<workflows::Computing>()
        .local_activities(LocalActivities::of(&activities));
    if let Some(count) = options.get("--cached-workflows") {
        builder = builder.maximum_cached_workflows(count.parse()?).maximum_cached_bytes(u64::MAX);
    }
    println!("ready");
    Worker::new().workflows(builder.build()?).activities(activities).run(timewright::shutdown_signal()).await?;
    Ok(())
}

async fn echo(_context: ActivityContext, value: String) -> Result<String, ActivityError> {
    Ok(value)
}

async fn nothing(_context: ActivityContext, (): ()) -> Result<(), ActivityError> {
    Ok(())
}

/// Changes nothing: what is measured is the way through a codec.
struct Identity;

impl PayloadCodec for Identity {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { Ok(payloads) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { Ok(payloads) })
    }
}
