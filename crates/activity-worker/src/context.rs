//! What an activity knows of its attempt, and its way to the server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timewright_client::{Client, MetricMeter, Slot};
use timewright_converter::{Arguments, ConversionError, Payload};
use timewright_proto::{Bytes, Message};
use timewright_protocol::activity::{ActivityInfo, ActivityTask, CancelReason};
use tokio::sync::{Notify, watch};
use tracing::Span;

use crate::metrics::worker_meter;
use crate::slot::AttemptSlot;

/// One attempt of an activity, as user code sees it: what it is, heartbeats, cancellation, the client.
///
/// Cloning is cheap, and clones can go anywhere: into spawned tasks, threads and blocking code.
///
/// ```
/// use timewright_activity_worker::{ActivityContext, ActivityError};
///
/// async fn copy_rows(context: ActivityContext, rows: u64) -> Result<(), ActivityError> {
///     // Where the previous attempt, if there was one, had got to.
///     let start = context.previous_heartbeat_details::<u64>()?.unwrap_or(0);
///     for row in start..rows {
///         context.heartbeat(row)?; // cheap: only some of them reach the server
///         if context.is_cancelled() {
///             return Err(ActivityError::cancelled());
///         }
///         // … copy it …
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ActivityContext(Arc<Shared>);

struct Shared {
    info: ActivityInfo,
    header: BTreeMap<String, Payload>,
    task_token: Bytes,
    previous_heartbeat_details: Option<Vec<Payload>>,
    is_local: bool,
    client: Client,
    /// The largest details that the server takes, in bytes.
    size_limit: usize,
    /// The newest details that user code has given and that have not been fetched yet; nothing piles up here.
    heartbeat: Mutex<Option<Vec<Payload>>>,
    heartbeat_given: Notify,
    cancel_reason: watch::Receiver<Option<CancelReason>>,
    worker_shutdown: watch::Receiver<bool>,
    slot: AttemptSlot,
    span: Span,
}

/// A heartbeat that cannot be sent. User code's fault; the activity may go on without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeartbeatError {
    /// The details cannot be serialised.
    #[error("the heartbeat details of activity `{activity_type}` cannot be written: {problem}")]
    Conversion {
        /// The activity's type.
        activity_type: String,
        /// What is wrong with the details.
        problem: ConversionError,
    },
    /// The details are larger than the server takes.
    #[error(
        "the heartbeat details of activity `{activity_type}` have {size} bytes, but the server takes at most {limit}. Store the \
         data elsewhere, and heartbeat a reference to it"
    )]
    TooLarge {
        /// The activity's type.
        activity_type: String,
        /// How large they are, in bytes.
        size: usize,
        /// How large they may be, in bytes.
        limit: usize,
    },
}

impl ActivityContext {
    /// What the activity is and when it has to be done: ids, type, attempt, timeouts, Task Queue, priority, retry policy.
    #[must_use]
    pub fn info(&self) -> &ActivityInfo {
        &self.0.info
    }

    /// Whether it is executed as a Local Activity: within a Workflow Task, without the server. Heartbeats then lead to nothing.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_local
    }

    /// Context that interceptors of the caller put in, such as a trace.
    #[must_use]
    pub fn header(&self) -> &BTreeMap<String, Payload> {
        &self.0.header
    }

    /// By what the server knows this attempt; empty for a Local Activity.
    #[must_use]
    pub fn task_token(&self) -> &Bytes {
        &self.0.task_token
    }

    /// The worker's client, to start or signal workflows with, for example.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Counts and measures where the worker's metrics go, with the namespace, the Task Queue and the Activity Type as labels.
    ///
    /// Each attempt counts for itself.
    ///
    /// ```
    /// # use timewright_activity_worker::{ActivityContext, ActivityError};
    /// async fn import(context: ActivityContext, files: Vec<String>) -> Result<(), ActivityError> {
    ///     let imported = context.metric_meter().counter("files_imported");
    ///     for file in files {
    ///         // … import it …
    ///         # let _ = file;
    ///         imported.increment(1);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn metric_meter(&self) -> MetricMeter {
        let ActivityInfo { task_queue, activity_type, .. } = &self.0.info;
        worker_meter(&self.0.client, task_queue).with_label("activity_type", activity_type.clone())
    }

    /// The span in which the activity is executed, with its ids as fields. What it says itself is in it anyway; take it along to
    /// tasks and threads that it starts:
    ///
    /// ```
    /// # use timewright_activity_worker::{ActivityContext, ActivityError};
    /// use tracing::Instrument;
    ///
    /// async fn import(context: ActivityContext, files: Vec<String>) -> Result<(), ActivityError> {
    ///     let parts = files.into_iter().map(|file| {
    ///         let part = async move { tracing::info!(file, "imported") };
    ///         tokio::spawn(part.instrument(context.span().clone()))
    ///     });
    ///     for part in parts.collect::<Vec<_>>() {
    ///         part.await?;
    ///     }
    ///     let thread = context.span().clone();
    ///     std::thread::spawn(move || thread.in_scope(|| tracing::info!("tidied up")));
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.0.span
    }

    /// Says that the activity is alive, and how far it has got.
    ///
    /// Call it as often as is convenient: it only notes the details and returns. The worker sends the newest ones at most once
    /// in each throttling interval, of which the first goes at once; a failure takes the newest along. In a heartbeat's answer
    /// the server says that the activity is to stop, so an activity that can be cancelled has to heartbeat, unless the server
    /// gives commands to workers (`frontend.WorkerCommandsEnabled`), and so does one with a heartbeat timeout. <https://docs.temporal.io/encyclopedia/detecting-activity-failures#activity-heartbeat>
    ///
    /// `()` is a heartbeat without details. After the attempt has ended nothing happens, and nothing ever for a Local Activity.
    ///
    /// # Errors
    /// If the details cannot be serialised, or are larger than the server takes. They are then not noted.
    pub fn heartbeat(&self, details: impl Arguments) -> Result<(), HeartbeatError> {
        if self.0.is_local {
            return Ok(());
        }
        let activity_type = || self.0.info.activity_type.clone();
        let details = details
            .to_payloads()
            .map_err(|problem| HeartbeatError::Conversion { activity_type: activity_type(), problem })?;
        let (size, limit) = (details.iter().map(Message::encoded_len).sum(), self.0.size_limit);
        if size > limit {
            return Err(HeartbeatError::TooLarge { activity_type: activity_type(), size, limit });
        }
        *self.noted_heartbeat() = Some(details);
        self.0.heartbeat_given.notify_one();
        Ok(())
    }

    /// The last details that the previous attempt heartbeated; `None` if there were none.
    ///
    /// # Errors
    /// If they are not of type `A`: the previous attempt was of another version, say.
    pub fn previous_heartbeat_details<A: Arguments>(&self) -> Result<Option<A>, ConversionError> {
        match &self.0.previous_heartbeat_details {
            Some(details) if !details.is_empty() => A::from_payloads(details.clone()).map(Some),
            _ => Ok(None),
        }
    }

    /// Waits until the activity is to stop, and says why.
    ///
    /// When the attempt ends without that, the reason is [`NotFound`](CancelReason::NotFound), so that whatever it left running
    /// hears of it.
    ///
    /// Stop soon, and return [`ActivityError::cancelled`](crate::ActivityError::cancelled), or whatever else is true.
    ///
    /// ```
    /// # use timewright_activity_worker::{ActivityContext, ActivityError};
    /// async fn wait_for_file(context: ActivityContext, _path: String) -> Result<(), ActivityError> {
    ///     # let file_is_there = async { Ok::<(), std::fmt::Error>(()) };
    ///     tokio::select! {
    ///         found = file_is_there => Ok(found?),
    ///         reason = context.cancelled() => {
    ///             println!("stopping: {reason}");
    ///             Err(ActivityError::cancelled())
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn cancelled(&self) -> CancelReason {
        let mut receiver = self.0.cancel_reason.clone();
        if let Ok(reason) = receiver.wait_for(Option::is_some).await
            && let Some(reason) = *reason
        {
            return reason;
        }
        // The worker is gone, or somebody else will complete the activity: there is nobody left who could cancel it.
        std::future::pending().await
    }

    /// Whether the activity is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel_reason().is_some()
    }

    /// Why the activity is to stop; `None` if it is not.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        *self.0.cancel_reason.borrow()
    }

    /// Waits until the worker begins to shut down. The activity has the worker's grace period from then on; after that it is
    /// [`cancelled`](Self::cancelled).
    pub async fn worker_shutdown(&self) {
        let mut receiver = self.0.worker_shutdown.clone();
        if receiver.wait_for(|begun| *begun).await.is_err() {
            // The worker is gone without having shut down.
            std::future::pending().await
        }
    }

    /// Whether the worker shuts down.
    #[must_use]
    pub fn is_worker_shutting_down(&self) -> bool {
        *self.0.worker_shutdown.borrow()
    }

    pub(crate) fn new(
        task: &ActivityTask,
        client: Client,
        size_limit: usize,
        cancel_reason: watch::Receiver<Option<CancelReason>>,
        worker_shutdown: watch::Receiver<bool>,
        slot: AttemptSlot,
    ) -> Self {
        Self(Arc::new(Shared {
            info: task.info.clone(),
            header: task.header.clone(),
            task_token: task.task_token.clone(),
            previous_heartbeat_details: task.heartbeat_details.clone(),
            is_local: false,
            client,
            size_limit,
            heartbeat: Mutex::new(None),
            heartbeat_given: Notify::new(),
            cancel_reason,
            worker_shutdown,
            slot,
            span: Span::current(),
        }))
    }

    /// The context of a Local Activity.
    pub(crate) fn local(
        info: ActivityInfo,
        header: BTreeMap<String, Payload>,
        client: Client,
        cancel_reason: watch::Receiver<Option<CancelReason>>,
    ) -> Self {
        Self(Arc::new(Shared {
            info,
            header,
            task_token: Bytes::new(),
            previous_heartbeat_details: None,
            is_local: true,
            client,
            size_limit: usize::MAX,
            heartbeat: Mutex::new(None),
            heartbeat_given: Notify::new(),
            cancel_reason,
            // What is executed within Workflow Tasks is shut down with their worker.
            worker_shutdown: watch::channel(false).1,
            slot: AttemptSlot::default(),
            span: Span::current(),
        }))
    }

    /// Takes the attempt's slot, which then is free when it is dropped, and not when the attempt ends.
    pub(crate) fn take_slot(&self) -> Option<Slot> {
        self.0.slot.take()
    }

    /// Waits until user code has heartbeated since the last [`take_heartbeat`](Self::take_heartbeat), or a little longer.
    pub(crate) async fn heartbeat_given(&self) {
        self.0.heartbeat_given.notified().await;
    }

    /// The newest details, if there are any since the last call.
    pub(crate) fn take_heartbeat(&self) -> Option<Vec<Payload>> {
        self.noted_heartbeat().take()
    }

    fn noted_heartbeat(&self) -> MutexGuard<'_, Option<Vec<Payload>>> {
        // Nothing panics while it is locked, and were it so, whole details are all that can be in it.
        self.0.heartbeat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ActivityContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ActivityContext")
            .field("info", &self.0.info)
            .field("cancel_reason", &self.cancel_reason())
            .finish_non_exhaustive()
    }
}
