//! The headers of every call: who calls, on behalf of which namespace, with which permission.

use super::HttpRequest;
use crate::options::ApiKey;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use tonic::Status;

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

    /// Puts them on a request, for each attempt anew: the API key may be another by then.
    pub(super) fn apply(&self, request: &mut HttpRequest) -> Result<(), Status> {
        let headers = request.headers_mut();
        headers.reserve(NUMBER_OF_HEADERS);
        // Some servers (Temporal Cloud) route by it, without looking into messages.
        headers.entry(NAMESPACE).or_insert_with(|| self.namespace.clone());
        // The server counts calls by them. It checks versions only of the clients that it knows by name.
        headers.entry(CLIENT_NAME).or_insert(HeaderValue::from_static("timewright"));
        headers.entry(CLIENT_VERSION).or_insert(HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
        // Close events then say which run follows a retried, cron or timed-out one; without, the server makes up an
        // Event of its own.
        headers.entry(SUPPORTED_FEATURES).or_insert(HeaderValue::from_static("follows-next-run-id"));
        if let Some(api_key) = &self.api_key
            && !headers.contains_key(http::header::AUTHORIZATION)
        {
            headers.insert(http::header::AUTHORIZATION, api_key.header()?);
        }
        Ok(())
    }
}

// Names that are made once: to make one of a text looks at each letter.
const NAMESPACE: HeaderName = HeaderName::from_static("temporal-namespace");
const CLIENT_NAME: HeaderName = HeaderName::from_static("client-name");
const CLIENT_VERSION: HeaderName = HeaderName::from_static("client-version");
const SUPPORTED_FEATURES: HeaderName = HeaderName::from_static("supported-features");
/// Those here, and the deadline.
const NUMBER_OF_HEADERS: usize = 6;
