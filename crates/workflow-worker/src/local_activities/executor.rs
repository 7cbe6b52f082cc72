//! What executes Local Activities.

use std::time::{Duration, SystemTime};

use timewright_converter::{BoxFuture, Payload};
use timewright_proto::common::{Header, RetryPolicy};
use timewright_protocol::workflow::LocalActivityOutcome;
use tokio::sync::watch;

/// Executes the Local Activities of a Workflow Worker: [`WorkflowWorkerBuilder::local_activities`].
///
/// The crate `timewright` makes one of an Activity Worker's activities; this is for those who have something else.
///
/// ```
/// use timewright_converter::{BoxFuture, Value};
/// use timewright_workflow_worker::{
///     LocalActivity, LocalActivityCancellation, LocalActivityExecutor, LocalActivityOutcome,
/// };
///
/// /// Knows one activity, whatever it is called.
/// struct Echo;
///
/// impl LocalActivityExecutor for Echo {
///     fn execute(
///         &self,
///         activity: LocalActivity,
///         _cancellation: LocalActivityCancellation,
///     ) -> BoxFuture<'static, LocalActivityOutcome> {
///         Box::pin(async move { LocalActivityOutcome::Completed(activity.arguments.into_iter().next()) })
///     }
/// }
/// ```
///
/// [`WorkflowWorkerBuilder::local_activities`]: crate::WorkflowWorkerBuilder::local_activities
pub trait LocalActivityExecutor: Send + Sync + 'static {
    /// Executes one attempt. It is polled together with the attempt's timeouts, so what computes for long between two awaits belongs on
    /// a task of its own. A panic fails the attempt. An activity type that is not known should fail with the known ones.
    ///
    /// Timeouts are not its business: when one has passed, the attempt is cancelled, and what it gives then is not heard.
    fn execute(
        &self,
        activity: LocalActivity,
        cancellation: LocalActivityCancellation,
    ) -> BoxFuture<'static, LocalActivityOutcome>;
}

/// One attempt of a Local Activity.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LocalActivity {
    /// Its type.
    pub activity_type: String,
    /// Its id.
    pub activity_id: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The namespace.
    pub namespace: String,
    /// The workflow's Task Queue.
    pub task_queue: String,
    /// The Workflow Id.
    pub workflow_id: String,
    /// The Run Id.
    pub run_id: String,
    /// The Workflow Type.
    pub workflow_type: String,
    /// What interceptors passed along.
    pub header: Header,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// How long all attempts together may take.
    pub schedule_to_close_timeout: Option<Duration>,
    /// How long this attempt may take.
    pub start_to_close_timeout: Option<Duration>,
    /// How it is tried again. The worker sees to it.
    pub retry_policy: Option<RetryPolicy>,
    /// When its first attempt was asked for.
    pub scheduled_time: SystemTime,
    /// When this attempt was asked for.
    pub current_attempt_scheduled_time: SystemTime,
    /// When this attempt was started.
    pub started_time: SystemTime,
}

/// Whether an attempt is to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalActivityCancellation(watch::Receiver<bool>);

impl LocalActivityCancellation {
    pub(super) fn new(cancelled: watch::Receiver<bool>) -> Self {
        Self(cancelled)
    }

    /// Whether it is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is to stop; for ever where it is not.
    pub async fn cancelled(&self) {
        let mut cancelled = self.0.clone();
        if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
            // Nobody is left who could cancel it.
            std::future::pending().await
        }
    }
}
