//! What an activity knows of its attempt, and its way to the server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timewright_client::{Client, ContextValues, MetricMeter, Slot};
use timewright_converter::{Arguments, ConversionError, Payload};
use timewright_proto::{Bytes, Message};
use timewright_protocol::activity::{ActivityInfo, ActivityTask, CancelReason};
use tokio::sync::{Notify, watch};
use tracing::Span;

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
pub struct ActivityContext {
    shared: Arc<Shared>,
    /// What belongs to the request that the activity is part of; the client has the same.
    client: Client,
    /// What interceptors have put in the place of what the task says.
    replaced: Option<Arc<Replaced>>,
}

#[derive(Clone, Default)]
struct Replaced {
    info: Option<ActivityInfo>,
    on_heartbeat: Vec<HeartbeatHook>,
}

/// Sees the details of heartbeats.
type HeartbeatHook = Arc<dyn Fn(&mut Vec<Payload>) + Send + Sync>;

struct Shared {
    info: ActivityInfo,
    header: BTreeMap<String, Payload>,
    task_token: Bytes,
    previous_heartbeat_details: Option<Vec<Payload>>,
    is_local: bool,
    /// The largest details that the server takes, in bytes.
    size_limit: usize,
    /// The Task Queue that metrics name, if not its own.
    metrics_task_queue: Option<Arc<str>>,
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
        self.replaced.as_ref().and_then(|replaced| replaced.info.as_ref()).unwrap_or(&self.shared.info)
    }

    /// Whether it is executed as a Local Activity: within a Workflow Task, without the server. Heartbeats then lead to nothing.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.shared.is_local
    }

    /// Context that interceptors of the caller put in, such as a trace.
    #[must_use]
    pub fn header(&self) -> &BTreeMap<String, Payload> {
        &self.shared.header
    }

    /// By what the server knows this attempt; empty for a Local Activity.
    #[must_use]
    pub fn task_token(&self) -> &Bytes {
        &self.shared.task_token
    }

    /// A value that belongs to the request that the activity is part of: one that was carried here, or that a layer has put in.
    #[must_use]
    pub fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.client.values().get()
    }

    /// The same attempt, with this value in place of another of its type: for layers. What is called with its
    /// [`client`](Self::client) carries it along, as far as a [propagator](timewright_client::ContextPropagator) does.
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        Self { client: self.client.with_value(value), ..self.clone() }
    }

    pub(crate) fn with_values(&self, values: ContextValues) -> Self {
        Self { client: self.client.with_values(values), ..self.clone() }
    }

    /// The same attempt, whose user code is told something else about it: for layers. The worker itself keeps to what the task
    /// says.
    #[must_use]
    pub fn with_info(&self, info: ActivityInfo) -> Self {
        self.replacing(|replaced| replaced.info = Some(info))
    }

    /// The same attempt, whose heartbeats are seen by `hook`, which may change their details: for layers. It is called whenever user
    /// code heartbeats; only some of those reach the server.
    ///
    /// ```
    /// # use timewright_activity_worker::{ActivityRequest, ActivityWorkerBuilder};
    /// # use tower::ServiceBuilder;
    /// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
    /// builder.layer(ServiceBuilder::new().map_request(|request: ActivityRequest| {
    ///     let activity_type = request.context.info().activity_type.clone();
    ///     let context = request.context.on_heartbeat(move |details| {
    ///         tracing::debug!(activity_type, details = details.len(), "heartbeat");
    ///     });
    ///     ActivityRequest { context, ..request }
    /// }))
    /// # }
    /// ```
    #[must_use]
    pub fn on_heartbeat(&self, hook: impl Fn(&mut Vec<Payload>) + Send + Sync + 'static) -> Self {
        self.replacing(|replaced| replaced.on_heartbeat.push(Arc::new(hook)))
    }

    fn replacing(&self, replace: impl FnOnce(&mut Replaced)) -> Self {
        let mut replaced = self.replaced.clone().unwrap_or_default();
        replace(Arc::make_mut(&mut replaced));
        Self { replaced: Some(replaced), ..self.clone() }
    }

    /// The worker's client, to start or signal workflows with, for example. Its calls carry the values of this context.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Counts and measures where the worker's metrics go, with the namespace, the Task Queue and the Activity Type as labels.
    /// In a session the Task Queue is the one on which the worker's other activities are, and not that of this worker alone.
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
        let ActivityInfo { task_queue, activity_type, .. } = self.info();
        let task_queue = self.shared.metrics_task_queue.as_deref().unwrap_or(task_queue);
        self.client.worker_metric_meter(task_queue).with_label("activity_type", activity_type.clone())
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
        &self.shared.span
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
    /// If the details cannot be serialised, or are larger than the server takes. They are then not noted. With Payload Codecs it shows only
    /// when they are sent whether they are too large, and the log says it.
    pub fn heartbeat(&self, details: impl Arguments) -> Result<(), HeartbeatError> {
        if self.shared.is_local {
            return Ok(());
        }
        let activity_type = || self.shared.info.activity_type.clone();
        let mut details = details
            .to_payloads()
            .map_err(|problem| HeartbeatError::Conversion { activity_type: activity_type(), problem })?;
        // The innermost layer, which came last, is nearest to user code.
        let hooks = self.replaced.iter().flat_map(|replaced| replaced.on_heartbeat.iter().rev());
        hooks.for_each(|hook| hook(&mut details));
        let (size, limit) = (details.iter().map(Message::encoded_len).sum(), self.shared.size_limit);
        // Codecs may make more or less of it: then whoever sends it looks.
        if size > limit && !self.client.data_converter().has_codecs() {
            return Err(HeartbeatError::TooLarge { activity_type: activity_type(), size, limit });
        }
        *self.noted_heartbeat() = Some(details);
        self.shared.heartbeat_given.notify_one();
        Ok(())
    }

    /// The last details that the previous attempt heartbeated; `None` if there were none.
    ///
    /// # Errors
    /// If they are not of type `A`: the previous attempt was of another version, say.
    pub fn previous_heartbeat_details<A: Arguments>(&self) -> Result<Option<A>, ConversionError> {
        match &self.shared.previous_heartbeat_details {
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
        let mut receiver = self.shared.cancel_reason.clone();
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
        *self.shared.cancel_reason.borrow()
    }

    /// Waits until the worker begins to shut down. The activity has the worker's grace period from then on; after that it is
    /// [`cancelled`](Self::cancelled).
    pub async fn worker_shutdown(&self) {
        let mut receiver = self.shared.worker_shutdown.clone();
        if receiver.wait_for(|begun| *begun).await.is_err() {
            // The worker is gone without having shut down.
            std::future::pending().await
        }
    }

    /// Whether the worker shuts down.
    #[must_use]
    pub fn is_worker_shutting_down(&self) -> bool {
        *self.shared.worker_shutdown.borrow()
    }

    pub(crate) fn new(
        task: ActivityTask,
        client: Client,
        size_limit: usize,
        metrics_task_queue: Option<Arc<str>>,
        cancel_reason: watch::Receiver<Option<CancelReason>>,
        worker_shutdown: watch::Receiver<bool>,
        slot: AttemptSlot,
    ) -> Self {
        let shared = Arc::new(Shared {
            info: task.info,
            header: task.header,
            task_token: task.task_token,
            previous_heartbeat_details: task.heartbeat_details,
            is_local: false,
            size_limit,
            metrics_task_queue,
            heartbeat: Mutex::new(None),
            heartbeat_given: Notify::new(),
            cancel_reason,
            worker_shutdown,
            slot,
            span: Span::current(),
        });
        Self { shared, client, replaced: None }
    }

    /// The context of a Local Activity.
    pub(crate) fn local(
        info: ActivityInfo,
        header: BTreeMap<String, Payload>,
        client: Client,
        cancel_reason: watch::Receiver<Option<CancelReason>>,
    ) -> Self {
        let shared = Arc::new(Shared {
            info,
            header,
            task_token: Bytes::new(),
            previous_heartbeat_details: None,
            is_local: true,
            size_limit: usize::MAX,
            metrics_task_queue: None,
            heartbeat: Mutex::new(None),
            heartbeat_given: Notify::new(),
            cancel_reason,
            // What is executed within Workflow Tasks is shut down with their worker.
            worker_shutdown: watch::channel(false).1,
            slot: AttemptSlot::default(),
            span: Span::current(),
        });
        Self { shared, client, replaced: None }
    }

    /// Takes the attempt's slot, which then is free when it is dropped, and not when the attempt ends.
    pub(crate) fn take_slot(&self) -> Option<Slot> {
        self.shared.slot.take()
    }

    /// Waits until user code has heartbeated since the last [`take_heartbeat`](Self::take_heartbeat), or a little longer.
    pub(crate) async fn heartbeat_given(&self) {
        self.shared.heartbeat_given.notified().await;
    }

    /// The newest details, if there are any since the last call.
    pub(crate) fn take_heartbeat(&self) -> Option<Vec<Payload>> {
        self.noted_heartbeat().take()
    }

    fn noted_heartbeat(&self) -> MutexGuard<'_, Option<Vec<Payload>>> {
        // Nothing panics while it is locked, and were it so, whole details are all that can be in it.
        self.shared.heartbeat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ActivityContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ActivityContext")
            .field("info", self.info())
            .field("cancel_reason", &self.cancel_reason())
            .finish_non_exhaustive()
    }
}
