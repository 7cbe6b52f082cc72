//! One try of a call: its deadline, its whole answer, and errors as gRPC statuses.

use super::call_kind::CallKind;
use super::{HttpRequest, HttpResponse, grpc_timeout};
use crate::rpc_error::with_sources;
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::{Status, TimeoutExpired};
use tower::{BoxError, Service};

/// What one try brought: the server's answer, of which nothing more is to come.
pub(super) type Answer = http::Response<Collected<Bytes>>;

/// The largest message that is received: 128 MiB. A page of history can have some tens.
pub(crate) const MAXIMUM_MESSAGE_SIZE: usize = 128 * 1024 * 1024;
/// What gRPC puts before a message.
const FRAME_HEADER_SIZE: usize = 5;

/// The innermost layer.
///
/// The caller's `grpc-timeout` is the deadline, or else that of the [`CallKind`]; the server is told. Because all RPCs are
/// unary, the body is collected here: only the trailers at its end say whether a call went well.
///
/// An `Ok` is what the server said, good or bad; an `Err` is our side's.
#[derive(Clone, Debug)]
pub(super) struct Attempt<S> {
    inner: S,
}

impl<S> Attempt<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<HttpRequest> for Attempt<S>
where
    S: Service<HttpRequest, Response = HttpResponse>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(context).map_err(|error| status(error.into()))
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        let kind = CallKind::of(request.extensions());
        let timeout = grpc_timeout::read(request.headers()).unwrap_or_else(|| {
            grpc_timeout::write(request.headers_mut(), kind.deadline());
            kind.deadline()
        });
        let response = self.inner.call(request);
        let answer = async move {
            let (parts, body) = response.await.map_err(Into::into)?.into_parts();
            let body = Limited::new(body, MAXIMUM_MESSAGE_SIZE + FRAME_HEADER_SIZE).collect().await?;
            Ok::<Answer, BoxError>(http::Response::from_parts(parts, body))
        };
        Box::pin(async move {
            match tokio::time::timeout(timeout, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                // The channel reads the same deadline from the same header, and may be faster.
                Ok(Err(error)) if !is::<TimeoutExpired>(&*error) => Err(status(error)),
                Ok(Err(_)) | Err(_) => {
                    Err(Status::deadline_exceeded(format!("no answer within {:.1} s", timeout.as_secs_f64())))
                }
            }
        })
    }
}

/// An error of the connection, or of the answer's way to us, as a gRPC status that says all there is to say.
fn status(error: BoxError) -> Status {
    if let Some(status) = error.downcast_ref::<Status>() {
        return status.clone();
    }
    if is::<LengthLimitError>(&*error) {
        return Status::resource_exhausted(format!("received message larger than max ({MAXIMUM_MESSAGE_SIZE} bytes)"));
    }
    let message = with_sources(&*error);
    Status::new(Status::from_error(error).code(), message)
}

fn is<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source()).any(|error| error.is::<E>())
}
