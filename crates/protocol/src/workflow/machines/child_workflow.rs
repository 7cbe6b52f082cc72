//! A Child Workflow.
//!
//! ```text
//!   Issued ── Cancel (command withdrawn, user code told) ────────────────────────────▶ Closed
//!     │ Initiated                                                                        ▲
//!   Initiated ── StartFailed: user code told ────────────────────────────────────────────┤
//!     │ Started: user code told                                                          │
//!   Started ── Outcome: user code told ──────────────────────────────────────────────────┘
//! ```
//!
//! Beside that, while it is initiated or started, it can be cancelled: `No ─▶ Asked` where user code waits for what the child
//! makes of it, `─▶ Told` where user code was told that it is cancelled and hears no more of it. The request to the child is a
//! Command of its own, sent at once, also while the child is not started: the server keeps their order.

use super::{Cancelled, Effect, ProtocolError};
use crate::workflow::command::ChildWorkflowCancellationType;

/// Where a Child Workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its Command has not been recorded yet.
    Issued,
    /// The server has it.
    Initiated(Cancelled),
    /// It runs.
    Started(Cancelled),
    /// It has an outcome, or was not started.
    Closed,
}

/// What can happen to a Child Workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// User code cancels it.
    Cancel(ChildWorkflowCancellationType),
    /// Its Command was recorded.
    Initiated,
    /// It was started.
    Started,
    /// It was not started.
    StartFailed,
    /// The request to cancel itself has reached it.
    CancelRequested(ChildWorkflowCancellationType),
    /// It completed, failed, timed out, was cancelled or terminated.
    Outcome,
}

impl State {
    /// The next state, and what to do about it.
    pub(crate) fn handle(self, input: Input) -> Result<(Self, Effect), ProtocolError> {
        use Cancelled::{Asked, No, Told};
        use ChildWorkflowCancellationType::WaitCancellationRequested;
        match (self, input) {
            (Self::Issued, Input::Initiated) => Ok((Self::Initiated(No), Effect::None)),
            (Self::Issued, Input::Cancel(_)) => Ok((Self::Closed, Effect::WithdrawAndTellCancelled)),

            (Self::Initiated(No | Asked), Input::StartFailed) => Ok((Self::Closed, Effect::ResolveStart)),
            (Self::Initiated(Told), Input::StartFailed) => Ok((Self::Closed, Effect::None)),
            (Self::Initiated(Told), Input::Started) => Ok((Self::Started(Told), Effect::None)),
            (Self::Initiated(cancelled), Input::Started) => Ok((Self::Started(cancelled), Effect::ResolveStart)),
            (Self::Initiated(No), Input::Cancel(kind)) => {
                let (cancelled, effect) = cancel(kind);
                Ok((Self::Initiated(cancelled), effect))
            }
            (Self::Initiated(Asked), Input::CancelRequested(WaitCancellationRequested)) => {
                Ok((Self::Initiated(Told), Effect::TellCancelled))
            }

            (Self::Started(No | Asked), Input::Outcome) => Ok((Self::Closed, Effect::Resolve)),
            (Self::Started(Told), Input::Outcome) => Ok((Self::Closed, Effect::None)),
            (Self::Started(No), Input::Cancel(kind)) => {
                let (cancelled, effect) = cancel(kind);
                Ok((Self::Started(cancelled), effect))
            }
            (Self::Started(Asked), Input::CancelRequested(WaitCancellationRequested)) => {
                Ok((Self::Started(Told), Effect::TellCancelled))
            }

            (Self::Initiated(Asked | Told) | Self::Started(Asked | Told), Input::CancelRequested(_)) => {
                Ok((self, Effect::None))
            }
            // Too late, or once more.
            (Self::Initiated(Asked | Told) | Self::Started(Asked | Told) | Self::Closed, Input::Cancel(_)) => {
                Ok((self, Effect::None))
            }

            _ => Err(ProtocolError { state: format!("the child workflow is {self:?}") }),
        }
    }
}

fn cancel(kind: ChildWorkflowCancellationType) -> (Cancelled, Effect) {
    use ChildWorkflowCancellationType as Kind;
    Cancelled::by_user_code(kind != Kind::Abandon, !matches!(kind, Kind::Abandon | Kind::TryCancel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::table;

    #[test]
    fn every_state_against_every_input() {
        use Cancelled::{Asked, No, Told};
        use ChildWorkflowCancellationType as Kind;
        let states = [
            State::Issued,
            State::Initiated(No),
            State::Initiated(Asked),
            State::Initiated(Told),
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
            Input::Initiated,
            Input::Started,
            Input::StartFailed,
            Input::CancelRequested(Kind::TryCancel),
            Input::CancelRequested(Kind::WaitCancellationCompleted),
            Input::CancelRequested(Kind::WaitCancellationRequested),
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
            Issued + Initiated → Initiated(No)
            Issued + Started → error
            Issued + StartFailed → error
            Issued + CancelRequested(TryCancel) → error
            Issued + CancelRequested(WaitCancellationCompleted) → error
            Issued + CancelRequested(WaitCancellationRequested) → error
            Issued + Outcome → error
            Initiated(No) + Cancel(Abandon) → Initiated(Told), TellCancelled
            Initiated(No) + Cancel(TryCancel) → Initiated(Told), IssueCancelAndTellCancelled
            Initiated(No) + Cancel(WaitCancellationCompleted) → Initiated(Asked), IssueCancel
            Initiated(No) + Cancel(WaitCancellationRequested) → Initiated(Asked), IssueCancel
            Initiated(No) + Initiated → error
            Initiated(No) + Started → Started(No), ResolveStart
            Initiated(No) + StartFailed → Closed, ResolveStart
            Initiated(No) + CancelRequested(TryCancel) → error
            Initiated(No) + CancelRequested(WaitCancellationCompleted) → error
            Initiated(No) + CancelRequested(WaitCancellationRequested) → error
            Initiated(No) + Outcome → error
            Initiated(Asked) + Cancel(Abandon) → Initiated(Asked)
            Initiated(Asked) + Cancel(TryCancel) → Initiated(Asked)
            Initiated(Asked) + Cancel(WaitCancellationCompleted) → Initiated(Asked)
            Initiated(Asked) + Cancel(WaitCancellationRequested) → Initiated(Asked)
            Initiated(Asked) + Initiated → error
            Initiated(Asked) + Started → Started(Asked), ResolveStart
            Initiated(Asked) + StartFailed → Closed, ResolveStart
            Initiated(Asked) + CancelRequested(TryCancel) → Initiated(Asked)
            Initiated(Asked) + CancelRequested(WaitCancellationCompleted) → Initiated(Asked)
            Initiated(Asked) + CancelRequested(WaitCancellationRequested) → Initiated(Told), TellCancelled
            Initiated(Asked) + Outcome → error
            Initiated(Told) + Cancel(Abandon) → Initiated(Told)
            Initiated(Told) + Cancel(TryCancel) → Initiated(Told)
            Initiated(Told) + Cancel(WaitCancellationCompleted) → Initiated(Told)
            Initiated(Told) + Cancel(WaitCancellationRequested) → Initiated(Told)
            Initiated(Told) + Initiated → error
            Initiated(Told) + Started → Started(Told)
            Initiated(Told) + StartFailed → Closed
            Initiated(Told) + CancelRequested(TryCancel) → Initiated(Told)
            Initiated(Told) + CancelRequested(WaitCancellationCompleted) → Initiated(Told)
            Initiated(Told) + CancelRequested(WaitCancellationRequested) → Initiated(Told)
            Initiated(Told) + Outcome → error
            Started(No) + Cancel(Abandon) → Started(Told), TellCancelled
            Started(No) + Cancel(TryCancel) → Started(Told), IssueCancelAndTellCancelled
            Started(No) + Cancel(WaitCancellationCompleted) → Started(Asked), IssueCancel
            Started(No) + Cancel(WaitCancellationRequested) → Started(Asked), IssueCancel
            Started(No) + Initiated → error
            Started(No) + Started → error
            Started(No) + StartFailed → error
            Started(No) + CancelRequested(TryCancel) → error
            Started(No) + CancelRequested(WaitCancellationCompleted) → error
            Started(No) + CancelRequested(WaitCancellationRequested) → error
            Started(No) + Outcome → Closed, Resolve
            Started(Asked) + Cancel(Abandon) → Started(Asked)
            Started(Asked) + Cancel(TryCancel) → Started(Asked)
            Started(Asked) + Cancel(WaitCancellationCompleted) → Started(Asked)
            Started(Asked) + Cancel(WaitCancellationRequested) → Started(Asked)
            Started(Asked) + Initiated → error
            Started(Asked) + Started → error
            Started(Asked) + StartFailed → error
            Started(Asked) + CancelRequested(TryCancel) → Started(Asked)
            Started(Asked) + CancelRequested(WaitCancellationCompleted) → Started(Asked)
            Started(Asked) + CancelRequested(WaitCancellationRequested) → Started(Told), TellCancelled
            Started(Asked) + Outcome → Closed, Resolve
            Started(Told) + Cancel(Abandon) → Started(Told)
            Started(Told) + Cancel(TryCancel) → Started(Told)
            Started(Told) + Cancel(WaitCancellationCompleted) → Started(Told)
            Started(Told) + Cancel(WaitCancellationRequested) → Started(Told)
            Started(Told) + Initiated → error
            Started(Told) + Started → error
            Started(Told) + StartFailed → error
            Started(Told) + CancelRequested(TryCancel) → Started(Told)
            Started(Told) + CancelRequested(WaitCancellationCompleted) → Started(Told)
            Started(Told) + CancelRequested(WaitCancellationRequested) → Started(Told)
            Started(Told) + Outcome → Closed
            Closed + Cancel(Abandon) → Closed
            Closed + Cancel(TryCancel) → Closed
            Closed + Cancel(WaitCancellationCompleted) → Closed
            Closed + Cancel(WaitCancellationRequested) → Closed
            Closed + Initiated → error
            Closed + Started → error
            Closed + StartFailed → error
            Closed + CancelRequested(TryCancel) → error
            Closed + CancelRequested(WaitCancellationCompleted) → error
            Closed + CancelRequested(WaitCancellationRequested) → error
            Closed + Outcome → error
            ",
        );
    }
}
