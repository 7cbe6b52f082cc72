//! Sessions, on the side of the worker: what opens, holds and closes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timewright_client::{Slot, random_id};
use timewright_converter::{ApplicationFailure, BoxFuture};
use timewright_definition::ActivityDefinition;
use timewright_definition::session::{CloseSession, HoldSession, OpenSession};
use tokio::sync::watch;

use crate::router::Router;
use crate::{ActivityContext, ActivityError, ActivityService, handler};

/// The sessions of a worker.
///
/// ```text
///            OpenSession              HoldSession                CloseSession, cancelled, workflow over
///   (room) ──────────────▶ promised ─────────────▶ held ─────────────────────────────────▶ (room)
///                             │ nobody holds it in time                                      ▲
///                             └──────────────────────────────────────────────────────────────┘
/// ```
///
/// `OpenSession` is polled only while there is room, since a session keeps the slot of the task that opened it.
pub(crate) struct Sessions {
    /// The Task Queue of this worker alone.
    pub(crate) task_queue: String,
    open: Mutex<BTreeMap<String, Open>>,
}

struct Open {
    /// Whether it is closed.
    closed: watch::Sender<bool>,
    /// Whether a workflow holds it already.
    held: bool,
    /// Free again when the session is over.
    _slot: Option<Slot>,
}

impl Sessions {
    pub(crate) fn new(task_queue: &str) -> Arc<Self> {
        Arc::new(Self { task_queue: format!("{task_queue}@{}", random_id()), open: Mutex::default() })
    }

    /// What opens sessions.
    pub(crate) fn opening(self: &Arc<Self>) -> ActivityService {
        let sessions = Arc::clone(self);
        let mut router = Router::default();
        let open = move |context: ActivityContext, ()| {
            let opened = sessions.open(context.take_slot());
            let task_queue = sessions.task_queue.clone();
            async move { Ok::<_, ActivityError>((task_queue, opened)) }
        };
        router.by_name.insert(OpenSession::NAME.to_owned(), handler::asynchronous::<OpenSession, _, _>(open));
        router.into_service()
    }

    /// What holds and closes them, and beside it all activities of the worker.
    pub(crate) fn executing(self: &Arc<Self>, activities: ActivityService) -> ActivityService {
        let (holding, closing) = (Arc::clone(self), Arc::clone(self));
        let hold = move |context, session_id: String| hold(Arc::clone(&holding), context, session_id);
        let close = move |_context, session_id: String| {
            closing.close(&session_id);
            async { Ok::<_, ActivityError>(()) }
        };
        let mut router = Router { fallback: Some(activities), ..Router::default() };
        router.by_name.insert(HoldSession::NAME.to_owned(), handler::asynchronous::<HoldSession, _, _>(hold));
        router.by_name.insert(CloseSession::NAME.to_owned(), handler::asynchronous::<CloseSession, _, _>(close));
        router.into_service()
    }

    fn open(self: &Arc<Self>, slot: Option<Slot>) -> String {
        let session_id = random_id();
        let closed = watch::channel(false).0;
        self.open_sessions().insert(session_id.clone(), Open { closed, held: false, _slot: slot });
        tracing::info!(session_id, task_queue = self.task_queue, "a session was opened");
        // The workflow that asked for it may never hold it: it was cancelled, or never heard of it.
        let (sessions, promised) = (Arc::downgrade(self), session_id.clone());
        let promise: BoxFuture<'static, ()> = Box::pin(async move {
            tokio::time::sleep(PROMISE).await;
            if let Some(sessions) = sessions.upgrade() {
                let mut open = sessions.open_sessions();
                if open.get(&promised).is_some_and(|session| !session.held) {
                    open.remove(&promised);
                    tracing::warn!(session_id = promised, "no workflow holds a session that was opened; it is over");
                }
            }
        });
        tokio::spawn(promise);
        session_id
    }

    fn close(&self, session_id: &str) {
        if let Some(session) = self.open_sessions().get(session_id) {
            session.closed.send_replace(true);
        }
    }

    /// Makes it held; `None` if it is not open here.
    fn hold(&self, session_id: &str) -> Option<watch::Receiver<bool>> {
        let mut open = self.open_sessions();
        let session = open.get_mut(session_id)?;
        session.held = true;
        Some(session.closed.subscribe())
    }

    fn open_sessions(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        // Nothing panics while it is locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs as long as the session is open.
async fn hold(sessions: Arc<Sessions>, context: ActivityContext, session_id: String) -> Result<(), ActivityError> {
    let Some(mut closed) = sessions.hold(&session_id) else {
        let failure = ApplicationFailure::new(format!("session {session_id} is not open on this worker"));
        return Err(failure.with_type("SessionNotOpen").non_retryable().into());
    };
    let held = HeldSession { sessions, session_id };
    let pause = context.info().heartbeat_timeout.map_or(PROMISE, |timeout| timeout / 4);
    let end = loop {
        context.heartbeat(())?;
        tokio::select! {
            // What cannot be closed any more is gone with the worker.
            _ = closed.wait_for(|closed| *closed) => break Ok(()),
            reason = context.cancelled() => {
                tracing::info!(session_id = held.session_id, "a session is lost: {reason}");
                break Err(ActivityError::cancelled());
            }
            () = tokio::time::sleep(pause) => (),
        }
    };
    drop(held);
    end
}

/// However it ends, there is room again.
struct HeldSession {
    sessions: Arc<Sessions>,
    session_id: String,
}

impl Drop for HeldSession {
    fn drop(&mut self) {
        self.sessions.open_sessions().remove(&self.session_id);
        tracing::info!(session_id = self.session_id, "a session is over");
    }
}

/// How long a worker keeps room for a session that nobody holds yet.
const PROMISE: Duration = Duration::from_secs(60);
