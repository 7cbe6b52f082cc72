//! The model with a clock, and with callers that wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use timewright_model_server::{BEGINNING, Server, ServerError, ServerOptions, Time};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Status};

use crate::polls::Polls;

/// The model, as it is shared by all connections.
#[derive(Debug)]
pub(crate) struct Front {
    inside: Mutex<Inside>,
    /// Something has happened, for which somebody may wait.
    changed: Notify,
    started: Instant,
    /// The virtual time at which it started.
    started_at: Time,
}

/// What is behind the lock.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) server: Server,
    pub(crate) polls: Polls,
    pub(crate) namespace: String,
}

impl Front {
    pub(crate) fn new(options: ServerOptions) -> Self {
        let beginning = UNIX_EPOCH + Duration::from_secs(BEGINNING.unsigned_abs());
        let namespace = options.namespace.clone();
        Self {
            inside: Mutex::new(Inside { server: Server::new(options), polls: Polls::default(), namespace }),
            changed: Notify::new(),
            started: Instant::now(),
            // A clock that is wrong by years does no harm, so long as time goes on.
            started_at: SystemTime::now().duration_since(beginning).unwrap_or_default(),
        }
    }

    /// Does something with the model, and lets those look again who wait.
    pub(crate) fn call<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        let result = self.at_present(act);
        self.changed.notify_waiters();
        result
    }

    /// [`call`](Self::call) of what the model may refuse.
    pub(crate) fn try_call<T>(&self, act: impl FnOnce(&mut Server) -> Result<T, ServerError>) -> Result<T, Status> {
        self.call(|inside| act(&mut inside.server)).map_err(status)
    }

    /// Tries until there is a result, whenever something has happened; `None` if there is none in all this time.
    pub(crate) async fn wait<T>(
        &self,
        limit: Duration,
        mut attempt: impl FnMut(&mut Inside) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(result) = self.at_present(&mut attempt) {
                self.changed.notify_waiters();
                return Some(result);
            }
            if timeout_at(end, changed).await.is_err() {
                return None;
            }
        }
    }

    /// Lets happen what happens by itself, when its time has come. Never ends.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let (next, now) = self.at_present(|Inside { server, polls, .. }| {
                let next = server.poll_timeout().into_iter().chain(polls.poll_timeout()).min();
                (next, server.now())
            });
            let Some(next) = next else {
                changed.await;
                continue;
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(Instant::now() + next.saturating_sub(now)) => {}
            }
        }
    }

    /// The virtual time follows the clock.
    fn at_present<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.started_at + self.started.elapsed();
        let Inside { server, polls, .. } = &mut *inside;
        let is_due = server.poll_timeout().is_some_and(|due| due <= now);
        server.handle_timeout(now);
        for queue in polls.handle_timeout(now) {
            server.handle_sticky_worker_gone(&queue);
        }
        let result = act(&mut inside);
        drop(inside);
        if is_due {
            self.changed.notify_waiters();
        }
        result
    }
}

/// A refusal on the wire.
pub(crate) fn status(error: ServerError) -> Status {
    let (code, message) = match error {
        ServerError::NotFound(message) => (Code::NotFound, message),
        ServerError::InvalidArgument(message) => (Code::InvalidArgument, message),
        ServerError::AlreadyExists(message) => (Code::AlreadyExists, message),
        ServerError::FailedPrecondition(message) => (Code::FailedPrecondition, message),
        ServerError::ResourceExhausted(message) => (Code::ResourceExhausted, message),
        ServerError::Aborted(message) => (Code::Aborted, message),
        ServerError::PermissionDenied(message) => (Code::PermissionDenied, message),
        unsupported @ ServerError::Unsupported { .. } => (Code::Unimplemented, unsupported.to_string()),
    };
    Status::new(code, message)
}
