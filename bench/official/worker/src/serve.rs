//! A worker with both roles.

use std::collections::HashMap;

use anyhow::{Context, Result};
use futures::future::BoxFuture;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, GrpcCompression};
use temporalio_common::data_converters::{
    DataConverter, DefaultFailureConverter, PayloadCodec, PayloadConversionError, PayloadConverter,
    SerializationContextData,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::activities::Activities;
use crate::workflows;

pub(crate) async fn run(options: &[&str]) -> Result<()> {
    let options: HashMap<&str, &str> =
        options.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect();
    let option = |name: &str| options.get(name).copied().with_context(|| format!("{name} must be given"));
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let target: Url = format!("http://{}", option("--address")?).parse()?;
    let compression = if options.get("--gzip") == Some(&"off") { GrpcCompression::None } else { GrpcCompression::Gzip };
    let to_server = ConnectionOptions::new(target).identity("worker").grpc_compression(compression).build();
    let connection = Connection::connect(to_server).await?;
    let converter = if options.get("--codec") == Some(&"identity") {
        DataConverter::new(PayloadConverter::default(), DefaultFailureConverter::default(), Identity)
    } else {
        DataConverter::default()
    };
    let client = Client::new(connection, ClientOptions::new("default").data_converter(converter).build())?;

    let cached_workflows = options.get("--cached-workflows").map_or(Ok(1000), |count| count.parse())?;
    let options = WorkerOptions::new(option("--task-queue")?)
        .deployment_options(WorkerDeploymentOptions::from_build_id("bench".to_owned()))
        .max_cached_workflows(cached_workflows)
        .register_activities(Activities)
        .register_workflow::<workflows::InSequence>()?
        .register_workflow::<workflows::InParallel>()?
        .register_workflow::<workflows::Locally>()?
        .register_workflow::<workflows::Counter>()?
        .register_workflow::<workflows::Waiting>()?
        .register_workflow::<workflows::Parent>()?
        .register_workflow::<workflows::Giving>()?
        .register_workflow::<workflows::Echoing>()?
        .register_workflow::<workflows::Computing>()?
        .build();
    let mut worker = Worker::new(&runtime, client, options).map_err(|error| anyhow::anyhow!("{error}"))?;
    let shut_down = worker.shutdown_handle();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        terminated.recv().await;
        shut_down();
    });
    println!("ready");
    worker.run().await?;
    Ok(())
}

/// Changes nothing: what is measured is the way through a codec.
struct Identity;

impl PayloadCodec for Identity {
    fn encode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        Box::pin(async move { Ok(payloads) })
    }

    fn decode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        Box::pin(async move { Ok(payloads) })
    }
}
