//! Asks a running server, over gRPC reflection, for the files that describe its services.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::transport::Endpoint;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::Result;

/// The services whose wire facts we keep. What they reach comes with them.
pub(crate) const SERVICES: [&str; 3] = [
    "temporal.api.workflowservice.v1.WorkflowService",
    "temporal.api.operatorservice.v1.OperatorService",
    "grpc.health.v1.Health",
];

/// Every file that [`SERVICES`] reach, by name.
pub(crate) fn fetch(address: &str) -> Result<BTreeMap<String, FileDescriptorProto>> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?
        .block_on(fetch_files(address))
}

async fn fetch_files(address: &str) -> Result<BTreeMap<String, FileDescriptorProto>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| format!("{address} is not an address: {error}"))?
        .connect()
        .await
        .map_err(|error| format!("no server answers at {address}: {error}; start one, or give another address"))?;
    let mut client = ServerReflectionClient::new(channel).max_decoding_message_size(64 << 20);

    let mut files = BTreeMap::new();
    for service in SERVICES {
        ask(&mut client, MessageRequest::FileContainingSymbol(service.to_owned()), &mut files).await?;
    }
    while let Some(missing) = first_missing(&files) {
        ask(&mut client, MessageRequest::FileByFilename(missing), &mut files).await?;
    }
    Ok(files)
}

fn first_missing(files: &BTreeMap<String, FileDescriptorProto>) -> Option<String> {
    files.values().flat_map(|file| &file.dependency).find(|name| !files.contains_key(*name)).cloned()
}

async fn ask(
    client: &mut ServerReflectionClient<tonic::transport::Channel>,
    request: MessageRequest,
    files: &mut BTreeMap<String, FileDescriptorProto>,
) -> Result<()> {
    let what = format!("{request:?}");
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut responses = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .map_err(|status| format!("the server does not answer reflection: {status}"))?
        .into_inner();
    let response = responses
        .message()
        .await
        .map_err(|status| format!("{what}: {status}"))?
        .and_then(|response| response.message_response)
        .ok_or_else(|| format!("{what}: the server answered nothing"))?;
    match response {
        MessageResponse::FileDescriptorResponse(found) => {
            for bytes in found.file_descriptor_proto {
                let file = FileDescriptorProto::decode(bytes.as_slice())
                    .map_err(|error| format!("{what}: not a file descriptor: {error}"))?;
                files.insert(file.name().to_owned(), file);
            }
            Ok(())
        }
        MessageResponse::ErrorResponse(error) => Err(format!("{what}: {}", error.error_message)),
        other => Err(format!("{what}: unexpected answer {other:?}")),
    }
}
