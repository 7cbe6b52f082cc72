//! The connection that calls go over: its channel, and the headers that belong to it. It can be replaced while calls are made.

use super::attempt::Attempts;
use super::metadata::Metadata;
use super::{HttpRequest, HttpResponse};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use tower::{BoxError, Service};

/// One connection.
pub(crate) struct Connection {
    pub(super) metadata: Metadata,
    pub(super) channel: Box<dyn Attempts>,
}

impl Connection {
    pub(crate) fn new<C>(channel: C, metadata: Metadata) -> Self
    where
        C: Service<HttpRequest, Response = HttpResponse> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        Self { metadata, channel: Box::new(channel) }
    }

    /// The server's address.
    pub(crate) fn server(&self) -> Arc<str> {
        self.metadata.server()
    }
}

/// The connection that is used now. Clones see the same one.
#[derive(Clone)]
pub(crate) struct CurrentConnection(Arc<RwLock<Arc<Connection>>>);

impl CurrentConnection {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(connection))))
    }

    /// For the next attempt, and no longer: what has begun on a connection ends on it, and then lets go of it.
    pub(crate) fn current(&self) -> Arc<Connection> {
        // Nobody panics with the lock held.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, connection: Arc<Connection>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

impl fmt::Debug for CurrentConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CurrentConnection").field(&self.current().server()).finish()
    }
}
