//! Virtual time.

use std::time::Duration;

use timewright_proto::history::HistoryEvent;
use timewright_proto::prost_types;

/// A moment in the model: the time that has passed since the model's beginning, which it calls 2024-01-01T00:00:00Z.
pub type Time = Duration;

pub(crate) fn timestamp(time: Time) -> prost_types::Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_add(BEGINNING);
    prost_types::Timestamp { seconds, nanos: time.subsec_nanos().cast_signed() }
}

/// When an Event of the model happened.
pub(crate) fn time_of(event: &HistoryEvent) -> Time {
    let Some(time) = &event.event_time else { return Time::ZERO };
    let seconds = u64::try_from(time.seconds - BEGINNING).unwrap_or_default();
    Time::new(seconds, time.nanos.unsigned_abs())
}

/// A duration on the wire; one that is not there is zero, as the server reads it. `Err` where it is negative.
pub(crate) fn duration(wire: Option<&prost_types::Duration>) -> Result<Duration, Negative> {
    let Some(wire) = wire else { return Ok(Duration::ZERO) };
    match (u64::try_from(wire.seconds), u32::try_from(wire.nanos)) {
        (Ok(seconds), Ok(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(Negative),
    }
}

/// A duration that was checked before.
pub(crate) fn checked_duration(wire: Option<&prost_types::Duration>) -> Duration {
    duration(wire).unwrap_or(Duration::ZERO)
}

pub(crate) fn wire_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

/// A duration below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negative;

impl std::fmt::Display for Negative {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("negative duration")
    }
}

/// When the model's time begins, 2024-01-01T00:00:00Z, in seconds since 1970.
pub const BEGINNING: i64 = 1_704_067_200;
