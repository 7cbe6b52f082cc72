//! Nexus operations to schedule.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_proto::common::Payload;

/// A Nexus operation to schedule.
///
/// <https://docs.temporal.io/nexus>
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScheduleNexusOperation {
    /// Its number.
    pub sequence: u32,
    /// The endpoint that it goes to.
    pub endpoint: String,
    /// The service there.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Its argument.
    pub input: Option<Payload>,
    /// From scheduling to its outcome.
    pub schedule_to_close_timeout: Option<Duration>,
    /// From scheduling until it is started.
    pub schedule_to_start_timeout: Option<Duration>,
    /// From its start to its outcome.
    pub start_to_close_timeout: Option<Duration>,
    /// What is passed along. Not encoded by any codec: it goes over HTTP.
    pub header: BTreeMap<String, String>,
    /// What cancelling it means.
    pub cancellation_type: NexusOperationCancellationType,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
}

/// What cancelling a Nexus operation means for the workflow that waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NexusOperationCancellationType {
    /// Ask the handler to cancel it, and wait for the outcome.
    #[default]
    WaitCancellationCompleted,
    /// Do not tell the handler; go on at once.
    Abandon,
    /// Ask the handler to cancel it, and go on at once as if it had.
    TryCancel,
    /// Ask the handler to cancel it, and go on when it has been asked.
    WaitCancellationRequested,
}
