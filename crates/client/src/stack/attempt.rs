//! One try of a call: its deadline, its whole answer, and errors as gRPC statuses.

use super::call_kind::CallKind;
use super::{HttpRequest, HttpResponse, grpc_timeout};
use crate::rpc_error::with_sources;
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use tonic::{Status, TimeoutExpired};
use tower::{BoxError, Service};

/// What one try brought: the server's answer, of which nothing more is to come.
pub(super) type Answer = http::Response<Collected<Bytes>>;

/// The largest message that is received: 128 MiB. A page of history can have some tens.
pub(crate) const MAXIMUM_MESSAGE_SIZE: usize = 128 * 1024 * 1024;
/// What gRPC puts before a message.
pub(super) const FRAME_HEADER_SIZE: usize = 5;

/// What tries are made over: a channel, whatever its type is.
///
/// The caller's `grpc-timeout` is the deadline, or else that of the [`CallKind`]; the server is told. Because all RPCs are
/// unary, the body is collected here: only the trailers at its end say whether a call went well.
pub(super) trait Attempts: Send + Sync {
    /// One try. An `Ok` is what the server said, good or bad; an `Err` is our side's.
    fn attempt(&self, request: HttpRequest) -> BoxFuture<Result<Answer, Status>>;
}

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S> Attempts for S
where
    S: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn attempt(&self, mut request: HttpRequest) -> BoxFuture<Result<Answer, Status>> {
        let mut channel = self.clone();
        Box::pin(async move {
            poll_fn(|context| channel.poll_ready(context)).await.map_err(|error| status(error.into()))?;
            let timeout = grpc_timeout::read(request.headers()).unwrap_or_else(|| {
                let deadline = CallKind::of(request.extensions()).deadline();
                grpc_timeout::write(request.headers_mut(), deadline);
                deadline
            });
            let response = channel.call(request);
            let answer = async move {
                let (parts, body) = response.await.map_err(Into::into)?.into_parts();
                let body = Limited::new(body, MAXIMUM_MESSAGE_SIZE + FRAME_HEADER_SIZE).collect().await?;
                Ok::<Answer, BoxError>(http::Response::from_parts(parts, body))
            };
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
