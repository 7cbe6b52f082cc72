//! The connection that calls go over: its channel, and the headers that belong to it. It can be replaced while calls are made.

use super::attempt::Attempts;
use super::metadata::Metadata;
use super::{HttpRequest, HttpResponse};
use crate::caught::caught;
use crate::connect::ConnectError;
use crate::random;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;
use timewright_protocol::task_queue::Jitter;
use tokio::task::AbortHandle;
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
pub(crate) struct CurrentConnection(Arc<RwLock<Current>>);

struct Current {
    connection: Arc<Connection>,
    renewal: Option<Renewal>,
}

/// The task that puts another connection in the place of one that has become old. It ends when it is dropped.
struct Renewal(AbortHandle);

impl CurrentConnection {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(Arc::new(RwLock::new(Current { connection: Arc::new(connection), renewal: None })))
    }

    /// For the next attempt, and no longer: what has begun on a connection ends on it, and then lets go of it.
    pub(crate) fn current(&self) -> Arc<Connection> {
        // Nobody panics with the lock held.
        self.0.read().unwrap_or_else(PoisonError::into_inner).connection.clone()
    }

    /// Puts a connection in the place of the one that is used now, whose renewal ends.
    pub(crate) fn replace(&self, connection: Arc<Connection>) {
        *write(&self.0) = Current { connection, renewal: None };
    }

    /// As [`replace`](Self::replace); and each time that one has become as old as this, `make` makes the next, until somebody replaces it.
    pub(crate) fn replace_renewed<F>(
        &self,
        connection: Arc<Connection>,
        age: Duration,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Arc<Connection>, ConnectError>> + Send,
    {
        let current = Arc::downgrade(&self.0);
        let mut jitter = Jitter::new(random::seed());
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(age.mul_f64(jitter.between(0.8, 1.0))).await;
                let made = caught("what a connection was to be made with", &make).await;
                let Some(current) = current.upgrade() else { return };
                let connection = match made {
                    Ok(connection) => connection,
                    Err(error) => {
                        tracing::warn!(
                            "no connection could be made to take an old one's place, which goes on: {error}"
                        );
                        continue;
                    }
                };
                let mut current = write(&current);
                let mine = current.renewal.as_ref().is_some_and(|Renewal(task)| task.id() == tokio::task::id());
                if !mine {
                    return;
                }
                current.connection = connection;
            }
        });
        // At once, so that of two that are put here at the same time each has its own renewal.
        *write(&self.0) = Current { connection, renewal: Some(Renewal(renewing.abort_handle())) };
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Nobody panics with the lock held.
fn write(current: &RwLock<Current>) -> RwLockWriteGuard<'_, Current> {
    current.write().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for CurrentConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CurrentConnection").field(&self.current().server()).finish()
    }
}
