//! The headers of every call: who calls, on behalf of which namespace, with which permission.

use super::{HttpRequest, HttpResponse};
use crate::options::ApiKey;
use http::HeaderValue;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tower::Service;

/// What the headers say. A header that the caller has set already is left alone.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    server: Arc<str>,
    namespace: HeaderValue,
    api_key: Option<ApiKey>,
}

impl Metadata {
    pub(crate) const fn new(server: Arc<str>, namespace: HeaderValue, api_key: Option<ApiKey>) -> Self {
        Self { server, namespace, api_key }
    }

    /// The address, for messages.
    pub(super) fn server(&self) -> Arc<str> {
        Arc::clone(&self.server)
    }

    fn apply(&self, request: &mut HttpRequest) -> Result<(), Status> {
        let headers = request.headers_mut();
        // Some servers (Temporal Cloud) route by it, without looking into messages.
        headers.entry("temporal-namespace").or_insert_with(|| self.namespace.clone());
        // The server counts calls by them. It checks versions only of the clients that it knows by name.
        headers.entry("client-name").or_insert(HeaderValue::from_static("timewright"));
        headers.entry("client-version").or_insert(HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
        // Close events then say which run follows a retried, cron or timed-out one; without, the server makes up an
        // Event of its own.
        headers.entry("supported-features").or_insert(HeaderValue::from_static("follows-next-run-id"));
        if let Some(api_key) = &self.api_key
            && !headers.contains_key(http::header::AUTHORIZATION)
        {
            headers.insert(http::header::AUTHORIZATION, api_key.header()?);
        }
        Ok(())
    }
}

/// The layer of the stack.
#[derive(Clone, Debug)]
pub(super) struct MetadataService<S> {
    inner: S,
    metadata: Metadata,
}

impl<S> MetadataService<S> {
    pub(super) const fn new(inner: S, metadata: Metadata) -> Self {
        Self { inner, metadata }
    }
}

impl<S> Service<HttpRequest> for MetadataService<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = Status>,
    S::Future: Send + 'static,
{
    type Response = HttpResponse;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Status>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        match self.metadata.apply(&mut request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(status) => Box::pin(ready(Err(status))),
        }
    }
}
