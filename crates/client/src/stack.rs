//! The tower stack that every call goes through, from the generated stub down to the connection.
//!
//! ```text
//!   generated stub            WorkflowServiceClient<Stack>
//!     layers of the user      ClientOptions::layer, each sees a call once, however often it is tried
//!       Retry                 tries again, by class of error, over the connection that is used then; measures each try
//!         Metadata            who calls, on behalf of which namespace, with which API key
//!           Attempt           one try: its deadline, the whole answer, errors as gRPC statuses
//!             channel         HTTP/2, reconnects by itself
//! ```
//!
//! Retries happen here, below the stubs, so that whoever uses a stub directly has them too.

mod attempt;
mod call_kind;
mod connection;
mod grpc_timeout;
mod header_first;
mod metadata;
mod retry;

pub(crate) use attempt::MAXIMUM_MESSAGE_SIZE;
pub use call_kind::CallKind;
pub(crate) use connection::{Connection, CurrentConnection};
pub(crate) use metadata::Metadata;
pub(crate) use retry::FailedCall;

use crate::sdk_metrics::RequestMetrics;
use retry::Retry;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};

/// What a stub sends.
pub type HttpRequest = http::Request<Body>;
/// What a stub receives.
pub type HttpResponse = http::Response<Body>;

/// The tower stack of a client. A [`tower::Service`] for gRPC calls; cloning is cheap.
///
/// Use it with any generated stub:
///
/// ```no_run
/// # async fn example(client: timewright_client::Client) -> Result<(), tonic::Status> {
/// use timewright_proto::workflow_service::GetSystemInfoRequest;
///
/// let info = client.workflow_service().get_system_info(GetSystemInfoRequest {}).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Stack(Layers);

#[derive(Clone)]
enum Layers {
    /// None of the user's.
    Own(Retry),
    Users(BoxCloneSyncService<HttpRequest, HttpResponse, Status>),
}

impl Stack {
    /// The stack over a connection. `layers` are the user's, the last nearest to the caller.
    pub(crate) fn new(connection: CurrentConnection, metrics: RequestMetrics, layers: &[StackLayer]) -> Self {
        let stack = Self(Layers::Own(Retry::new(connection, metrics)));
        layers.iter().fold(stack, |stack, layer| (layer.0)(stack))
    }
}

impl Service<HttpRequest> for Stack {
    type Response = HttpResponse;
    type Error = Status;
    type Future = <BoxCloneSyncService<HttpRequest, HttpResponse, Status> as Service<HttpRequest>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match &mut self.0 {
            Layers::Own(retry) => retry.poll_ready(context),
            Layers::Users(service) => service.poll_ready(context),
        }
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        match &mut self.0 {
            Layers::Own(retry) => retry.call(request),
            Layers::Users(service) => service.call(request),
        }
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stack").finish_non_exhaustive()
    }
}

/// A user's layer, ready to be put on a stack.
#[derive(Clone)]
pub(crate) struct StackLayer(Arc<dyn Fn(Stack) -> Stack + Send + Sync>);

impl StackLayer {
    pub(crate) fn new<L>(layer: L) -> Self
    where
        L: Layer<Stack> + Send + Sync + 'static,
        L::Service: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
        <L::Service as Service<HttpRequest>>::Error: Into<BoxError>,
        <L::Service as Service<HttpRequest>>::Future: Send + 'static,
    {
        Self(Arc::new(move |stack| {
            let service = layer.layer(stack);
            let service = ServiceExt::<HttpRequest>::map_err(service, |error| Status::from_error(error.into()));
            Stack(Layers::Users(BoxCloneSyncService::new(service)))
        }))
    }
}

impl fmt::Debug for StackLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StackLayer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
