//! Local Activities, seen from a workflow.

use std::time::Duration;

use timewright_converter::{Payload, Value};
use timewright_proto::common::RetryPolicy;
use timewright_protocol::workflow::{ActivityCancellationType, ScheduleLocalActivity};

/// How a Local Activity is to be executed. Made from the one timeout that each must have:
/// [`start_to_close`](Self::start_to_close) or [`schedule_to_close`](Self::schedule_to_close).
///
/// <https://docs.temporal.io/local-activity>
///
/// ```
/// use std::time::Duration;
/// use timewright_workflow_worker::LocalActivityOptions;
///
/// let options = LocalActivityOptions::start_to_close(Duration::from_secs(2))
///     .local_retry_threshold(Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct LocalActivityOptions(ScheduleLocalActivity);

impl LocalActivityOptions {
    /// One attempt may take this long. The usual choice.
    pub fn start_to_close(timeout: Duration) -> Self {
        Self(ScheduleLocalActivity { start_to_close_timeout: Some(timeout), ..ScheduleLocalActivity::default() })
    }

    /// All attempts together, waiting included, may take this long.
    pub fn schedule_to_close(timeout: Duration) -> Self {
        Self(ScheduleLocalActivity { schedule_to_close_timeout: Some(timeout), ..ScheduleLocalActivity::default() })
    }

    /// The id in the history. Default: a number that counts the workflow's activities.
    pub fn activity_id(mut self, id: impl Into<String>) -> Self {
        self.0.activity_id = Some(id.into());
        self
    }

    /// One attempt may take this long.
    pub fn start_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.0.start_to_close_timeout = Some(timeout);
        self
    }

    /// All attempts together, waiting included, may take this long.
    pub fn schedule_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.0.schedule_to_close_timeout = Some(timeout);
        self
    }

    /// An attempt may wait this long until the worker has room for it. Not retried.
    pub fn schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.0.schedule_to_start_timeout = Some(timeout);
        self
    }

    /// How it is tried again. Default: as Temporal's, for ever with growing pauses.
    pub fn retry_policy(mut self, retry_policy: impl Into<RetryPolicy>) -> Self {
        self.0.retry_policy = Some(retry_policy.into());
        self
    }

    /// A longer pause before the next attempt is a durable timer in the history, so that no worker waits. Default: 60 s.
    pub fn local_retry_threshold(mut self, threshold: Duration) -> Self {
        self.0.local_retry_threshold = threshold;
        self
    }

    /// What cancelling it means. Default: [`ActivityCancellationType::TryCancel`].
    pub fn cancellation_type(mut self, cancellation_type: ActivityCancellationType) -> Self {
        self.0.cancellation_type = cancellation_type;
        self
    }

    /// A line for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        // A String is always written.
        self.0.summary = summary.into().to_payload().ok();
        self
    }

    pub(crate) fn into_schedule(self, activity_type: &str, arguments: Vec<Payload>) -> ScheduleLocalActivity {
        ScheduleLocalActivity { activity_type: activity_type.to_owned(), arguments, ..self.0 }
    }
}
