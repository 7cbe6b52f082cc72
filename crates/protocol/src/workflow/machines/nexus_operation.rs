//! A Nexus operation, on the side of its caller.
//!
//! ```text
//!   Issued ── Cancel (command withdrawn, user code told) ──────────────────▶ Closed
//!     │ Scheduled                                                              ▲
//!   Scheduled ── Outcome: user code told that it was (not) started, and how ───┤
//!     │ Started: user code told                                                │
//!   Started ── Outcome: user code told ────────────────────────────────────────┘
//! ```
//!
//! Beside that, while it is scheduled or started, it can be cancelled: `No ─▶ Asked` where user code waits for what the handler
//! makes of it, `─▶ Told` where user code was told that it is cancelled and hears no more of it.

use super::{Effect, ProtocolError};
use crate::workflow::command::NexusOperationCancellationType;

/// Where a Nexus operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its Command has not been recorded yet.
    Issued,
    /// The server has it.
    Scheduled(Cancelled),
    /// Its handler works on it.
    Started(Cancelled),
    /// It has an outcome.
    Closed,
}

/// How far user code has cancelled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// Not at all.
    No,
    /// Its handler was asked to cancel it; user code waits for what comes of that.
    Asked,
    /// User code was told that it is cancelled.
    Told,
}

/// What can happen to a Nexus operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// User code cancels it.
    Cancel(NexusOperationCancellationType),
    /// Its Command was recorded.
    Scheduled,
    /// Its handler works on it.
    Started,
    /// Its handler has taken the request to cancel it.
    CancelRequestCompleted(NexusOperationCancellationType),
    /// Its handler has not taken the request to cancel it.
    CancelRequestFailed(NexusOperationCancellationType),
    /// It completed, failed, timed out or was cancelled.
    Outcome,
}

impl State {
    /// The next state, and what to do about it.
    pub(crate) fn handle(self, input: Input) -> Result<(Self, Effect), ProtocolError> {
        use Cancelled::{Asked, No, Told};
        use NexusOperationCancellationType::WaitCancellationRequested;
        match (self, input) {
            (Self::Issued, Input::Scheduled) => Ok((Self::Scheduled(No), Effect::None)),
            (Self::Issued, Input::Cancel(_)) => Ok((Self::Closed, Effect::WithdrawAndTellCancelled)),

            (Self::Scheduled(Told), Input::Started) => Ok((Self::Started(Told), Effect::None)),
            (Self::Scheduled(cancelled), Input::Started) => Ok((Self::Started(cancelled), Effect::ResolveStart)),
            (Self::Scheduled(No | Asked) | Self::Started(No | Asked), Input::Outcome) => {
                Ok((Self::Closed, Effect::Resolve))
            }
            (Self::Scheduled(Told) | Self::Started(Told), Input::Outcome) => Ok((Self::Closed, Effect::None)),

            (Self::Scheduled(No), Input::Cancel(kind)) => {
                let (cancelled, effect) = cancel(kind);
                Ok((Self::Scheduled(cancelled), effect))
            }
            (Self::Started(No), Input::Cancel(kind)) => {
                let (cancelled, effect) = cancel(kind);
                Ok((Self::Started(cancelled), effect))
            }
            (Self::Scheduled(Asked), Input::CancelRequestCompleted(WaitCancellationRequested)) => {
                Ok((Self::Scheduled(Told), Effect::TellCancelled))
            }
            (Self::Started(Asked), Input::CancelRequestCompleted(WaitCancellationRequested)) => {
                Ok((Self::Started(Told), Effect::TellCancelled))
            }
            (Self::Scheduled(Asked), Input::CancelRequestFailed(WaitCancellationRequested)) => {
                Ok((Self::Scheduled(Told), Effect::TellCancelFailed))
            }
            (Self::Started(Asked), Input::CancelRequestFailed(WaitCancellationRequested)) => {
                Ok((Self::Started(Told), Effect::TellCancelFailed))
            }
            (
                Self::Scheduled(Asked | Told) | Self::Started(Asked | Told),
                Input::CancelRequestCompleted(_) | Input::CancelRequestFailed(_),
            ) => Ok((self, Effect::None)),
            // Too late, or once more.
            (Self::Scheduled(Asked | Told) | Self::Started(Asked | Told) | Self::Closed, Input::Cancel(_)) => {
                Ok((self, Effect::None))
            }

            _ => Err(ProtocolError { state: format!("the nexus operation is {self:?}") }),
        }
    }
}

fn cancel(kind: NexusOperationCancellationType) -> (Cancelled, Effect) {
    use NexusOperationCancellationType as Kind;
    match kind {
        Kind::Abandon => (Cancelled::Told, Effect::TellCancelled),
        Kind::TryCancel => (Cancelled::Told, Effect::IssueCancelAndTellCancelled),
        Kind::WaitCancellationCompleted | Kind::WaitCancellationRequested => (Cancelled::Asked, Effect::IssueCancel),
    }
}
