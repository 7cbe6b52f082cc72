//! An activity.
//!
//! ```text
//!   Issued ── Cancel (command withdrawn, user code told) ───────────────────────▶ Closed
//!     │ ActivityTaskScheduled                                                       ▲
//!   Scheduled ── an outcome: user code told ────────────────────────────────────────┤
//!     ├ Cancel, Abandon: user code told ──▶ Abandoned ── an outcome: nobody told ───┤
//!     └ Cancel, TryCancel: user code told,                                          │
//!       or WaitCancellationCompleted                                                │
//!          ▼                                                                        │
//!   CancelIssued ── ActivityTaskCancelRequested ──▶ CancelRequested ── an outcome ──┘
//!                                                      told, unless told before
//! ```
//!
//! `ActivityTaskStarted` changes nothing: it is recorded with the outcome, or not at all.

use super::{Effect, ProtocolError};
use crate::workflow::command::ActivityCancellationType;

/// Where an activity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its Command has not been recorded yet.
    Issued,
    /// The server has it.
    Scheduled,
    /// Its cancellation was asked for, the Command for that has not been recorded yet.
    CancelIssued {
        /// User code has been told that it was cancelled.
        told: bool,
    },
    /// The server has been asked to cancel it.
    CancelRequested {
        /// User code has been told that it was cancelled.
        told: bool,
    },
    /// User code does not want to hear of it any more.
    Abandoned,
    /// It has an outcome.
    Closed,
}

/// What can happen to an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// User code cancels it.
    Cancel(ActivityCancellationType),
    /// Its Command was recorded.
    Scheduled,
    /// A worker took it.
    Started,
    /// The request to cancel it was recorded.
    CancelRequested,
    /// It completed, failed, timed out or was cancelled.
    Outcome,
}

impl State {
    /// The next state, and what to do about it.
    pub(crate) fn handle(self, input: Input) -> Result<(Self, Effect), ProtocolError> {
        use ActivityCancellationType::{Abandon, TryCancel, WaitCancellationCompleted};
        match (self, input) {
            (Self::Issued, Input::Scheduled) => Ok((Self::Scheduled, Effect::None)),
            (Self::Issued, Input::Cancel(_)) => Ok((Self::Closed, Effect::WithdrawAndTellCancelled)),

            (Self::Scheduled, Input::Cancel(TryCancel)) => {
                Ok((Self::CancelIssued { told: true }, Effect::IssueCancelAndTellCancelled))
            }
            (Self::Scheduled, Input::Cancel(WaitCancellationCompleted)) => {
                Ok((Self::CancelIssued { told: false }, Effect::IssueCancel))
            }
            (Self::Scheduled, Input::Cancel(Abandon)) => Ok((Self::Abandoned, Effect::TellCancelled)),
            (Self::Scheduled, Input::Outcome) => Ok((Self::Closed, Effect::Resolve)),

            (Self::CancelIssued { told }, Input::CancelRequested) => Ok((Self::CancelRequested { told }, Effect::None)),
            (Self::CancelRequested { told: false }, Input::Outcome) => Ok((Self::Closed, Effect::Resolve)),
            (Self::CancelRequested { told: true } | Self::Abandoned, Input::Outcome) => {
                Ok((Self::Closed, Effect::None))
            }

            (
                Self::Scheduled | Self::CancelIssued { .. } | Self::CancelRequested { .. } | Self::Abandoned,
                Input::Started,
            ) => Ok((self, Effect::None)),
            (
                Self::CancelIssued { .. } | Self::CancelRequested { .. } | Self::Abandoned | Self::Closed,
                Input::Cancel(_),
            ) => Ok((self, Effect::None)),

            _ => Err(ProtocolError { state: format!("the activity is {self:?}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::table;

    #[test]
    fn every_state_against_every_input() {
        let states = [
            State::Issued,
            State::Scheduled,
            State::CancelIssued { told: false },
            State::CancelIssued { told: true },
            State::CancelRequested { told: false },
            State::CancelRequested { told: true },
            State::Abandoned,
            State::Closed,
        ];
        let inputs = [
            Input::Cancel(ActivityCancellationType::TryCancel),
            Input::Cancel(ActivityCancellationType::WaitCancellationCompleted),
            Input::Cancel(ActivityCancellationType::Abandon),
            Input::Scheduled,
            Input::Started,
            Input::CancelRequested,
            Input::Outcome,
        ];
        table::check(
            &states,
            &inputs,
            |state, input| state.handle(input),
            "
            Issued + Cancel(TryCancel) → Closed, WithdrawAndTellCancelled
            Issued + Cancel(WaitCancellationCompleted) → Closed, WithdrawAndTellCancelled
            Issued + Cancel(Abandon) → Closed, WithdrawAndTellCancelled
            Issued + Scheduled → Scheduled
            Issued + Started → error
            Issued + CancelRequested → error
            Issued + Outcome → error
            Scheduled + Cancel(TryCancel) → CancelIssued { told: true }, IssueCancelAndTellCancelled
            Scheduled + Cancel(WaitCancellationCompleted) → CancelIssued { told: false }, IssueCancel
            Scheduled + Cancel(Abandon) → Abandoned, TellCancelled
            Scheduled + Scheduled → error
            Scheduled + Started → Scheduled
            Scheduled + CancelRequested → error
            Scheduled + Outcome → Closed, Resolve
            CancelIssued { told: false } + Cancel(TryCancel) → CancelIssued { told: false }
            CancelIssued { told: false } + Cancel(WaitCancellationCompleted) → CancelIssued { told: false }
            CancelIssued { told: false } + Cancel(Abandon) → CancelIssued { told: false }
            CancelIssued { told: false } + Scheduled → error
            CancelIssued { told: false } + Started → CancelIssued { told: false }
            CancelIssued { told: false } + CancelRequested → CancelRequested { told: false }
            CancelIssued { told: false } + Outcome → error
            CancelIssued { told: true } + Cancel(TryCancel) → CancelIssued { told: true }
            CancelIssued { told: true } + Cancel(WaitCancellationCompleted) → CancelIssued { told: true }
            CancelIssued { told: true } + Cancel(Abandon) → CancelIssued { told: true }
            CancelIssued { told: true } + Scheduled → error
            CancelIssued { told: true } + Started → CancelIssued { told: true }
            CancelIssued { told: true } + CancelRequested → CancelRequested { told: true }
            CancelIssued { told: true } + Outcome → error
            CancelRequested { told: false } + Cancel(TryCancel) → CancelRequested { told: false }
            CancelRequested { told: false } + Cancel(WaitCancellationCompleted) → CancelRequested { told: false }
            CancelRequested { told: false } + Cancel(Abandon) → CancelRequested { told: false }
            CancelRequested { told: false } + Scheduled → error
            CancelRequested { told: false } + Started → CancelRequested { told: false }
            CancelRequested { told: false } + CancelRequested → error
            CancelRequested { told: false } + Outcome → Closed, Resolve
            CancelRequested { told: true } + Cancel(TryCancel) → CancelRequested { told: true }
            CancelRequested { told: true } + Cancel(WaitCancellationCompleted) → CancelRequested { told: true }
            CancelRequested { told: true } + Cancel(Abandon) → CancelRequested { told: true }
            CancelRequested { told: true } + Scheduled → error
            CancelRequested { told: true } + Started → CancelRequested { told: true }
            CancelRequested { told: true } + CancelRequested → error
            CancelRequested { told: true } + Outcome → Closed
            Abandoned + Cancel(TryCancel) → Abandoned
            Abandoned + Cancel(WaitCancellationCompleted) → Abandoned
            Abandoned + Cancel(Abandon) → Abandoned
            Abandoned + Scheduled → error
            Abandoned + Started → Abandoned
            Abandoned + CancelRequested → error
            Abandoned + Outcome → Closed
            Closed + Cancel(TryCancel) → Closed
            Closed + Cancel(WaitCancellationCompleted) → Closed
            Closed + Cancel(Abandon) → Closed
            Closed + Scheduled → error
            Closed + Started → error
            Closed + CancelRequested → error
            Closed + Outcome → error
            ",
        );
    }
}
