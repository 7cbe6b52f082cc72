//! Tries a call again when that may help.

use super::attempt::Answer;
use super::call_kind::CallKind;
use super::connection::CurrentConnection;
use super::header_first::HeaderFirst;
use super::{HttpRequest, HttpResponse, grpc_timeout};
use crate::random;
use crate::sdk_metrics::RequestMetrics;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use http_body_util::{BodyExt, Full};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use timewright_protocol::task_queue::{Backoff, ErrorClass, Jitter};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, GrpcMethod, Status};
use tower::Service;

/// The layer that retries, each time over the connection that is used then. Requests are unary and small: each is collected once
/// and sent again as often as needed.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    connection: CurrentConnection,
    metrics: RequestMetrics,
}

/// What became of a call that failed: the source of the [`Status`] that its caller gets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{rpc} on {server} failed after {attempts} tries")]
pub(crate) struct FailedCall {
    pub(crate) rpc: String,
    pub(crate) server: Arc<str>,
    pub(crate) attempts: u32,
    /// No server said so; the connection, or the deadline, did.
    pub(crate) from_transport: bool,
}

impl Retry {
    pub(super) const fn new(connection: CurrentConnection, metrics: RequestMetrics) -> Self {
        Self { connection, metrics }
    }
}

impl Service<HttpRequest> for Retry {
    type Response = HttpResponse;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Status>> + Send>>;

    /// Each attempt waits for its connection.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let Self { connection, metrics } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let method = parts.extensions.get().cloned();
            let call = Call { kind: CallKind::of(&parts.extensions), method, began: Instant::now(), parts, body };
            call.run(&connection, &metrics).await
        })
    }
}

struct Call {
    kind: CallKind,
    method: Option<GrpcMethod<'static>>,
    began: Instant,
    parts: Parts,
    body: Bytes,
}

impl Call {
    async fn run(mut self, connection: &CurrentConnection, metrics: &RequestMetrics) -> Result<HttpResponse, Status> {
        let mut jitter = None;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let connection = connection.current();
            let mut request = self.request();
            connection.metadata.apply(&mut request)?;
            let measured = metrics.begin(self.rpc_name(), self.kind);
            let server = connection.server();
            let attempt = connection.channel.attempt(request);
            drop(connection);
            let answer = attempt.await;
            let from_transport = answer.is_err();
            let mut status = match answer.map(failure) {
                Ok(Ok(response)) => {
                    measured.end(Code::Ok);
                    return Ok(response);
                }
                Ok(Err(status)) | Err(status) => status,
            };
            measured.end(status.code());
            let class = ErrorClass::of(status.code() as i32, status.message(), from_transport);
            let Some(delay) = self.delay(class, attempts, jitter.get_or_insert_with(|| Jitter::new(random::seed())))
            else {
                let rpc = self.rpc_name().to_owned();
                status.set_source(Arc::new(FailedCall { rpc, server, attempts, from_transport }));
                return Err(status);
            };
            tracing::debug!(
                rpc = self.rpc_name(),
                code = ?status.code(),
                message = status.message(),
                attempts,
                ?delay,
                "call failed, trying again"
            );
            tokio::time::sleep(delay).await;
        }
    }

    /// The next try. A deadline that the caller has set is for all tries together, so each has what is left of it.
    fn request(&mut self) -> HttpRequest {
        let mut parts = match self.kind {
            // There is no next try.
            CallKind::TaskPoll => std::mem::replace(&mut self.parts, http::Request::new(()).into_parts().0),
            CallKind::Unary | CallKind::LongPoll => self.parts.clone(),
        };
        if let Some(timeout) = grpc_timeout::read(&parts.headers) {
            grpc_timeout::write(&mut parts.headers, timeout.saturating_sub(self.began.elapsed()));
        }
        HttpRequest::from_parts(parts, Body::new(Full::new(self.body.clone())))
    }

    fn rpc_name(&self) -> &str {
        self.method.as_ref().map_or("the call", GrpcMethod::method)
    }

    /// After which delay to try again; `None`: not at all.
    fn delay(&self, class: ErrorClass, attempts: u32, jitter: &mut Jitter) -> Option<Duration> {
        if self.kind == CallKind::TaskPoll || attempts >= MAXIMUM_ATTEMPTS {
            return None;
        }
        let backoff = match class {
            ErrorClass::Retryable => Backoff::UNARY,
            ErrorClass::ResourceExhausted => Backoff::THROTTLED,
            ErrorClass::Cancelled | ErrorClass::DeadlineExceeded | ErrorClass::Fatal | ErrorClass::MessageTooLarge => {
                return None;
            }
        };
        let delay = backoff.delay(attempts, jitter);
        let limit = grpc_timeout::read(&self.parts.headers).unwrap_or(MAXIMUM_TIME);
        (self.began.elapsed() + delay < limit.min(MAXIMUM_TIME)).then_some(delay)
    }
}

/// The answer, or what went wrong according to it: gRPC's status is in its headers or its trailers, and where it is in
/// neither, some proxy has answered in the server's stead.
fn failure(answer: Answer) -> Result<HttpResponse, Status> {
    let trailers = answer.body().trailers();
    // Most answers are good. A status of tonic's has copies of all headers, which nobody reads then.
    let is_good = |headers: &HeaderMap| headers.get(Status::GRPC_STATUS).map(|code| code == "0");
    let status = match is_good(answer.headers()).or_else(|| trailers.and_then(is_good)) {
        Some(true) => Some(Status::ok("")),
        _ => Status::from_header_map(answer.headers()).or_else(|| trailers.and_then(Status::from_header_map)),
    };
    match status {
        Some(status) if status.code() != Code::Ok => Err(status),
        Some(_) => Ok(answer.map(|body| Body::new(HeaderFirst::new(body)))),
        None => Err(status_of_http(answer.status())),
    }
}

/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn status_of_http(status: http::StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!("the answer is not gRPC but HTTP status {status}; a proxy or another server may be in the way"),
    )
}

const MAXIMUM_ATTEMPTS: u32 = 10;
/// No try begins later than this after the call began.
const MAXIMUM_TIME: Duration = Duration::from_secs(10);
