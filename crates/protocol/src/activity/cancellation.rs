//! Why user code is told to stop.

use std::fmt;

/// Why an attempt of an activity is told to stop. Only the first reason is told.
///
/// Stopping is up to user code. Only an attempt that ends as cancelled after
/// [`CancelRequested`](Self::CancelRequested) is cancelled for the server; in all other cases it has failed, and may be tried
/// again. <https://docs.temporal.io/activity-execution#cancellation>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The workflow, or a client, asked for it.
    CancelRequested,
    /// The server does not know this attempt any more: it has timed out, or its workflow has ended; or the attempt itself has
    /// ended, and this is said to what it left running. Nothing that it still does will reach anybody.
    NotFound,
    /// An operator paused the activity. Another attempt follows when it is resumed.
    Paused,
    /// An operator reset the activity: its attempts are counted from 1 again.
    Reset,
    /// It took too long, as measured here.
    TimedOut(LocalTimeout),
    /// The worker shuts down, and the grace period is over. Another worker gets another attempt.
    WorkerShutdown,
}

/// The timeouts that a worker enforces itself, so that user code stops even if the server's word does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocalTimeout {
    /// The server confirmed no heartbeat for too long.
    Heartbeat,
    /// The attempt took too long.
    StartToClose,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CancelRequested => "cancellation was requested",
            Self::NotFound => "the server does not know this attempt any more",
            Self::Paused => "the activity was paused",
            Self::Reset => "the activity was reset",
            Self::TimedOut(LocalTimeout::Heartbeat) => "no heartbeat was confirmed within the heartbeat timeout",
            Self::TimedOut(LocalTimeout::StartToClose) => "the start-to-close timeout is over",
            Self::WorkerShutdown => "the worker shuts down",
        })
    }
}
