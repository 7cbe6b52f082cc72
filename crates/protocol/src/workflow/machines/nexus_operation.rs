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

use super::{Cancelled, Effect, ProtocolError};
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
    Cancelled::by_user_code(kind != Kind::Abandon, !matches!(kind, Kind::Abandon | Kind::TryCancel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::table;

    #[test]
    fn every_state_against_every_input() {
        use Cancelled::{Asked, No, Told};
        use NexusOperationCancellationType as Kind;
        let states = [
            State::Issued,
            State::Scheduled(No),
            State::Scheduled(Asked),
            State::Scheduled(Told),
            State::Started(No),
            State::Started(Asked),
            State::Started(Told),
            State::Closed,
        ];
        let inputs = [
            Input::Cancel(Kind::Abandon),
            Input::Cancel(Kind::TryCancel),
            Input::Cancel(Kind::WaitCancellationCompleted),
            Input::Cancel(Kind::WaitCancellationRequested),
            Input::Scheduled,
            Input::Started,
            Input::CancelRequestCompleted(Kind::WaitCancellationCompleted),
            Input::CancelRequestCompleted(Kind::WaitCancellationRequested),
            Input::CancelRequestFailed(Kind::WaitCancellationCompleted),
            Input::CancelRequestFailed(Kind::WaitCancellationRequested),
            Input::Outcome,
        ];
        table::check(
            &states,
            &inputs,
            |state, input| state.handle(input),
            "
            Issued + Cancel(Abandon) → Closed, WithdrawAndTellCancelled
            Issued + Cancel(TryCancel) → Closed, WithdrawAndTellCancelled
            Issued + Cancel(WaitCancellationCompleted) → Closed, WithdrawAndTellCancelled
            Issued + Cancel(WaitCancellationRequested) → Closed, WithdrawAndTellCancelled
            Issued + Scheduled → Scheduled(No)
            Issued + Started → error
            Issued + CancelRequestCompleted(WaitCancellationCompleted) → error
            Issued + CancelRequestCompleted(WaitCancellationRequested) → error
            Issued + CancelRequestFailed(WaitCancellationCompleted) → error
            Issued + CancelRequestFailed(WaitCancellationRequested) → error
            Issued + Outcome → error
            Scheduled(No) + Cancel(Abandon) → Scheduled(Told), TellCancelled
            Scheduled(No) + Cancel(TryCancel) → Scheduled(Told), IssueCancelAndTellCancelled
            Scheduled(No) + Cancel(WaitCancellationCompleted) → Scheduled(Asked), IssueCancel
            Scheduled(No) + Cancel(WaitCancellationRequested) → Scheduled(Asked), IssueCancel
            Scheduled(No) + Scheduled → error
            Scheduled(No) + Started → Started(No), ResolveStart
            Scheduled(No) + CancelRequestCompleted(WaitCancellationCompleted) → error
            Scheduled(No) + CancelRequestCompleted(WaitCancellationRequested) → error
            Scheduled(No) + CancelRequestFailed(WaitCancellationCompleted) → error
            Scheduled(No) + CancelRequestFailed(WaitCancellationRequested) → error
            Scheduled(No) + Outcome → Closed, Resolve
            Scheduled(Asked) + Cancel(Abandon) → Scheduled(Asked)
            Scheduled(Asked) + Cancel(TryCancel) → Scheduled(Asked)
            Scheduled(Asked) + Cancel(WaitCancellationCompleted) → Scheduled(Asked)
            Scheduled(Asked) + Cancel(WaitCancellationRequested) → Scheduled(Asked)
            Scheduled(Asked) + Scheduled → error
            Scheduled(Asked) + Started → Started(Asked), ResolveStart
            Scheduled(Asked) + CancelRequestCompleted(WaitCancellationCompleted) → Scheduled(Asked)
            Scheduled(Asked) + CancelRequestCompleted(WaitCancellationRequested) → Scheduled(Told), TellCancelled
            Scheduled(Asked) + CancelRequestFailed(WaitCancellationCompleted) → Scheduled(Asked)
            Scheduled(Asked) + CancelRequestFailed(WaitCancellationRequested) → Scheduled(Told), TellCancelFailed
            Scheduled(Asked) + Outcome → Closed, Resolve
            Scheduled(Told) + Cancel(Abandon) → Scheduled(Told)
            Scheduled(Told) + Cancel(TryCancel) → Scheduled(Told)
            Scheduled(Told) + Cancel(WaitCancellationCompleted) → Scheduled(Told)
            Scheduled(Told) + Cancel(WaitCancellationRequested) → Scheduled(Told)
            Scheduled(Told) + Scheduled → error
            Scheduled(Told) + Started → Started(Told)
            Scheduled(Told) + CancelRequestCompleted(WaitCancellationCompleted) → Scheduled(Told)
            Scheduled(Told) + CancelRequestCompleted(WaitCancellationRequested) → Scheduled(Told)
            Scheduled(Told) + CancelRequestFailed(WaitCancellationCompleted) → Scheduled(Told)
            Scheduled(Told) + CancelRequestFailed(WaitCancellationRequested) → Scheduled(Told)
            Scheduled(Told) + Outcome → Closed
            Started(No) + Cancel(Abandon) → Started(Told), TellCancelled
            Started(No) + Cancel(TryCancel) → Started(Told), IssueCancelAndTellCancelled
            Started(No) + Cancel(WaitCancellationCompleted) → Started(Asked), IssueCancel
            Started(No) + Cancel(WaitCancellationRequested) → Started(Asked), IssueCancel
            Started(No) + Scheduled → error
            Started(No) + Started → error
            Started(No) + CancelRequestCompleted(WaitCancellationCompleted) → error
            Started(No) + CancelRequestCompleted(WaitCancellationRequested) → error
            Started(No) + CancelRequestFailed(WaitCancellationCompleted) → error
            Started(No) + CancelRequestFailed(WaitCancellationRequested) → error
            Started(No) + Outcome → Closed, Resolve
            Started(Asked) + Cancel(Abandon) → Started(Asked)
            Started(Asked) + Cancel(TryCancel) → Started(Asked)
            Started(Asked) + Cancel(WaitCancellationCompleted) → Started(Asked)
            Started(Asked) + Cancel(WaitCancellationRequested) → Started(Asked)
            Started(Asked) + Scheduled → error
            Started(Asked) + Started → error
            Started(Asked) + CancelRequestCompleted(WaitCancellationCompleted) → Started(Asked)
            Started(Asked) + CancelRequestCompleted(WaitCancellationRequested) → Started(Told), TellCancelled
            Started(Asked) + CancelRequestFailed(WaitCancellationCompleted) → Started(Asked)
            Started(Asked) + CancelRequestFailed(WaitCancellationRequested) → Started(Told), TellCancelFailed
            Started(Asked) + Outcome → Closed, Resolve
            Started(Told) + Cancel(Abandon) → Started(Told)
            Started(Told) + Cancel(TryCancel) → Started(Told)
            Started(Told) + Cancel(WaitCancellationCompleted) → Started(Told)
            Started(Told) + Cancel(WaitCancellationRequested) → Started(Told)
            Started(Told) + Scheduled → error
            Started(Told) + Started → error
            Started(Told) + CancelRequestCompleted(WaitCancellationCompleted) → Started(Told)
            Started(Told) + CancelRequestCompleted(WaitCancellationRequested) → Started(Told)
            Started(Told) + CancelRequestFailed(WaitCancellationCompleted) → Started(Told)
            Started(Told) + CancelRequestFailed(WaitCancellationRequested) → Started(Told)
            Started(Told) + Outcome → Closed
            Closed + Cancel(Abandon) → Closed
            Closed + Cancel(TryCancel) → Closed
            Closed + Cancel(WaitCancellationCompleted) → Closed
            Closed + Cancel(WaitCancellationRequested) → Closed
            Closed + Scheduled → error
            Closed + Started → error
            Closed + CancelRequestCompleted(WaitCancellationCompleted) → error
            Closed + CancelRequestCompleted(WaitCancellationRequested) → error
            Closed + CancelRequestFailed(WaitCancellationCompleted) → error
            Closed + CancelRequestFailed(WaitCancellationRequested) → error
            Closed + Outcome → error
            ",
        );
    }
}
