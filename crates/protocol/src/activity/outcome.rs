//! How an attempt ends: what user code says, and what the server is told.

use timewright_proto::common::{Payload, Payloads};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};

use super::CancelReason;

/// How user code's attempt at an activity ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ActivityOutcome {
    /// It stopped because it had been told to, with details.
    Cancelled(Vec<Payload>),
    /// It gave a result. Nothing is a result too: the Payload of null.
    Completed(Payload),
    /// It failed.
    Failed(Box<Failure>),
    /// Somebody else will complete it, by its task token or its id.
    WillCompleteAsynchronously,
}

/// What the server is told of an attempt's end.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// Nobody needs another attempt: it was cancelled, as the server had asked.
    Cancelled {
        /// What user code said about it.
        details: Vec<Payload>,
    },
    /// It gave this result.
    Completed {
        /// The result.
        result: Payload,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Box<Failure>,
        /// The newest details that user code had heartbeated; `None` if it had not. The next attempt gets them.
        last_heartbeat_details: Option<Vec<Payload>>,
    },
    /// Nothing, for now: somebody else will complete it.
    WillCompleteAsynchronously {
        /// The newest details that user code had heartbeated, where the server may not have them yet: nobody else will send them.
        unconfirmed_heartbeat: Option<Vec<Payload>>,
    },
}

/// The failure of an attempt that ended as cancelled without the server having asked for it. The server would not accept a
/// cancellation; and where the worker or an operator made it stop, there has to be another attempt.
pub(super) fn cancelled_unasked(reason: Option<CancelReason>, details: Vec<Payload>) -> Failure {
    let (type_name, message) = match reason {
        Some(CancelReason::Paused) => ("ActivityPaused", "stopped because it was paused"),
        Some(CancelReason::Reset) => ("ActivityReset", "stopped because it was reset"),
        Some(CancelReason::TimedOut(_)) => ("ActivityTimedOut", "stopped because it took too long"),
        Some(CancelReason::WorkerShutdown) => ("WorkerShutdown", "stopped because its worker shut down"),
        // The server's word settles these, not this failure's.
        Some(CancelReason::CancelRequested | CancelReason::NotFound) | None => (
            "CancelledWithoutRequest",
            "ended as cancelled, although nobody had asked for that: return an error of your own instead",
        ),
    };
    Failure {
        message: format!("the activity {message}"),
        source: SOURCE.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: type_name.to_owned(),
            details: (!details.is_empty()).then_some(Payloads { payloads: details }),
            ..ApplicationFailureInfo::default()
        })),
        ..Failure::default()
    }
}

/// What failures made here name as their source.
const SOURCE: &str = "Timewright";
