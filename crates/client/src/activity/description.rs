//! What the server knows about an activity that a client started.

use crate::description::time;
use std::time::SystemTime;
use timewright_converter::{Arguments, ConversionError, DataConverter, Failure};
use timewright_proto::enums::{ActivityExecutionStatus, PendingActivityState};
use timewright_proto::temporal::api::activity::v1::ActivityExecutionInfo;
use timewright_proto::workflow_service::DescribeActivityExecutionResponse;

/// What the server knew about an activity when it was asked.
#[derive(Clone, Debug)]
pub struct ActivityDescription {
    info: ActivityExecutionInfo,
    raw: DescribeActivityExecutionResponse,
    converter: DataConverter,
}

impl ActivityDescription {
    pub(super) fn new(converter: DataConverter, raw: DescribeActivityExecutionResponse) -> Self {
        Self { info: raw.info.clone().unwrap_or_default(), raw, converter }
    }

    /// The Activity Id.
    #[must_use]
    pub fn activity_id(&self) -> &str {
        &self.info.activity_id
    }

    /// The Run Id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.info.run_id
    }

    /// The Activity Type's name.
    #[must_use]
    pub fn activity_type(&self) -> &str {
        self.info.activity_type.as_ref().map_or("", |activity_type| &activity_type.name)
    }

    /// The Task Queue.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.info.task_queue
    }

    /// Whether it runs, is paused, or how it was closed.
    #[must_use]
    pub fn status(&self) -> ActivityExecutionStatus {
        self.info.status()
    }

    /// What it does while it runs: whether it waits for a worker, or one executes it.
    #[must_use]
    pub fn run_state(&self) -> PendingActivityState {
        self.info.run_state()
    }

    /// Which attempt is the latest, counted from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.info.attempt.try_into().unwrap_or_default()
    }

    /// When it was asked for, by the server's clock.
    #[must_use]
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.info.schedule_time.and_then(time)
    }

    /// When it was closed, by the server's clock; `None` while it is open.
    #[must_use]
    pub fn close_time(&self) -> Option<SystemTime> {
        self.info.close_time.and_then(time)
    }

    /// The last details that it heartbeated; `None` if there are none.
    ///
    /// # Errors
    /// If they are not of type `A`.
    pub fn heartbeat_details<A: Arguments>(&self) -> Result<Option<A>, ConversionError> {
        match &self.info.heartbeat_details {
            Some(details) if !details.payloads.is_empty() => {
                self.converter.from_arguments(details.payloads.clone()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Why the last attempt that failed did so.
    #[must_use]
    pub fn last_failure(&self) -> Option<Failure> {
        self.info.last_failure.clone().map(|failure| self.converter.failure_from_proto(failure))
    }

    /// Everything that the server said. Payloads are decoded.
    #[must_use]
    pub const fn raw(&self) -> &DescribeActivityExecutionResponse {
        &self.raw
    }
}
