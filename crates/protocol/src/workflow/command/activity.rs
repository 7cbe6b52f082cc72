//! Activities and Local Activities to schedule.

use std::time::{Duration, SystemTime};

use timewright_proto::common::{Header, Payload, Priority, RetryPolicy};

/// An activity to schedule. At least one of `start_to_close_timeout` and `schedule_to_close_timeout` must be there.
///
/// <https://docs.temporal.io/encyclopedia/detecting-activity-failures>
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScheduleActivity {
    /// Its number.
    pub sequence: u32,
    /// Its id in the history; the number where there is none.
    pub activity_id: Option<String>,
    /// Its type.
    pub activity_type: String,
    /// Where it is to run.
    pub task_queue: String,
    /// What interceptors pass along.
    pub header: Header,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// From scheduling to the end of the last attempt.
    pub schedule_to_close_timeout: Option<Duration>,
    /// From scheduling until a worker takes it.
    pub schedule_to_start_timeout: Option<Duration>,
    /// One attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// The longest silence between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
    /// How to try again; the server's default where there is none.
    pub retry_policy: Option<RetryPolicy>,
    /// What cancelling it means.
    pub cancellation_type: ActivityCancellationType,
    /// Whether the worker may execute it at once, if it has room, without the way over the Task Queue. It is for whoever sends the
    /// Command to see whether there is room, and to take the wish back where there is none.
    pub eager_execution: bool,
    /// Its place in the Task Queue.
    pub priority: Option<Priority>,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

/// What cancelling an activity means for the workflow that waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ActivityCancellationType {
    /// Ask the activity to stop, and go on at once as if it had.
    #[default]
    TryCancel,
    /// Ask the activity to stop, and wait for what it answers.
    WaitCancellationCompleted,
    /// Do not tell the activity; go on at once.
    Abandon,
}

/// A Local Activity to schedule: one that the worker executes by itself, within Workflow Tasks. The history has nothing of it
/// but a marker with its outcome. At least one of `start_to_close_timeout` and `schedule_to_close_timeout` must be there.
///
/// <https://docs.temporal.io/local-activity>
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScheduleLocalActivity {
    /// Its number. Activities and Local Activities are counted together.
    pub sequence: u32,
    /// Its id; the number where there is none.
    pub activity_id: Option<String>,
    /// Its type.
    pub activity_type: String,
    /// What interceptors pass along.
    pub header: Header,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// From scheduling to the end of the last attempt, also across durable timers.
    pub schedule_to_close_timeout: Option<Duration>,
    /// From scheduling an attempt until the worker has room for it.
    pub schedule_to_start_timeout: Option<Duration>,
    /// One attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// How to try again; Temporal's default where there is none.
    pub retry_policy: Option<RetryPolicy>,
    /// A longer delay before the next attempt is not spent here, but over a durable timer: see
    /// [`LocalActivityResolution::Backoff`](crate::workflow::LocalActivityResolution::Backoff).
    pub local_retry_threshold: Duration,
    /// The attempt to begin with: 1, or what [`Backoff`](crate::workflow::Backoff) says.
    pub attempt: u32,
    /// When the first attempt was scheduled, for a further attempt after a durable timer.
    pub original_schedule_time: Option<SystemTime>,
    /// What cancelling it means.
    pub cancellation_type: ActivityCancellationType,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

impl Default for ScheduleLocalActivity {
    fn default() -> Self {
        Self {
            sequence: 0,
            activity_id: None,
            activity_type: String::new(),
            header: Header::default(),
            arguments: Vec::new(),
            schedule_to_close_timeout: None,
            schedule_to_start_timeout: None,
            start_to_close_timeout: None,
            retry_policy: None,
            local_retry_threshold: LOCAL_RETRY_THRESHOLD,
            attempt: 1,
            original_schedule_time: None,
            cancellation_type: ActivityCancellationType::default(),
            summary: None,
        }
    }
}

/// As in other SDKs.
const LOCAL_RETRY_THRESHOLD: Duration = Duration::from_secs(60);
