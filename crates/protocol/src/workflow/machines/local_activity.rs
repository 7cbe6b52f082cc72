//! A Local Activity.
//!
//! ```text
//!   Scheduled ── Execute ──▶ Executing ◀─┐ FailedAttempt: tried again
//!     │ Cancel, Wait            │    └───┘
//!     ▼                         │ Cancel, Wait: whoever executes it is told
//!   ScheduledCancelled ────▶ Cancelling
//!                    Execute: nobody executes it
//! ```
//!
//! From everywhere to `Closed`: `Outcome` (user code told), and `Cancel` with `TryCancel` or `Abandon` (user code told at
//! once).
//!
//! It is `Scheduled` until a Workflow Task has been gone through that nobody has completed: until then the history may have
//! its outcome. A workflow that goes through the same steps again, live or from its history, makes the same of them.

use super::{Effect, ProtocolError};
use crate::workflow::command::ActivityCancellationType;

/// Where a Local Activity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody executes it; the history may have its outcome.
    Scheduled,
    /// Likewise, and user code has cancelled it and waits.
    ScheduledCancelled,
    /// The worker executes it, or waits to try again.
    Executing,
    /// Likewise, and whoever executes it was told that it is cancelled.
    Cancelling,
    /// It has an outcome.
    Closed,
}

/// What can happen to a Local Activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The history has no outcome of it.
    Execute,
    /// User code cancels it.
    Cancel(ActivityCancellationType),
    /// An attempt failed that may be followed by another.
    FailedAttempt,
    /// Its outcome is told to user code: from its last attempt, or from the history.
    Outcome,
}

impl State {
    /// The next state, and what to do about it.
    pub(crate) fn handle(self, input: Input) -> Result<(Self, Effect), ProtocolError> {
        use ActivityCancellationType::{Abandon, TryCancel, WaitCancellationCompleted};
        match (self, input) {
            (Self::Closed, Input::Cancel(_)) => Ok((self, Effect::None)),
            (Self::Closed, _) => Err(ProtocolError { state: format!("the local activity is {self:?}") }),

            (_, Input::Outcome) => Ok((Self::Closed, Effect::Resolve)),
            (Self::Executing | Self::Cancelling, Input::Cancel(TryCancel)) => {
                Ok((Self::Closed, Effect::IssueCancelAndTellCancelled))
            }
            (_, Input::Cancel(TryCancel | Abandon)) => Ok((Self::Closed, Effect::TellCancelled)),

            (Self::Scheduled, Input::Execute) => Ok((Self::Executing, Effect::Execute)),
            (Self::Scheduled | Self::ScheduledCancelled, Input::Cancel(WaitCancellationCompleted)) => {
                Ok((Self::ScheduledCancelled, Effect::None))
            }
            (Self::ScheduledCancelled, Input::Execute) => Ok((Self::Cancelling, Effect::Finish)),

            (Self::Executing, Input::Cancel(WaitCancellationCompleted)) => Ok((Self::Cancelling, Effect::IssueCancel)),
            (Self::Executing, Input::FailedAttempt) => Ok((Self::Executing, Effect::Execute)),
            // It is being done, or was told already; or there is no further attempt once it is cancelled.
            (Self::Executing | Self::Cancelling, Input::Execute)
            | (Self::Cancelling, Input::Cancel(WaitCancellationCompleted) | Input::FailedAttempt) => {
                Ok((self, Effect::None))
            }

            (Self::Scheduled | Self::ScheduledCancelled, Input::FailedAttempt) => {
                Err(ProtocolError { state: format!("the local activity is {self:?}") })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::table;

    #[test]
    fn every_state_against_every_input() {
        let states = [State::Scheduled, State::ScheduledCancelled, State::Executing, State::Cancelling, State::Closed];
        let inputs = [
            Input::Execute,
            Input::Cancel(ActivityCancellationType::TryCancel),
            Input::Cancel(ActivityCancellationType::WaitCancellationCompleted),
            Input::Cancel(ActivityCancellationType::Abandon),
            Input::FailedAttempt,
            Input::Outcome,
        ];
        table::check(
            &states,
            &inputs,
            |state, input| state.handle(input),
            "
            Scheduled + Execute → Executing, Execute
            Scheduled + Cancel(TryCancel) → Closed, TellCancelled
            Scheduled + Cancel(WaitCancellationCompleted) → ScheduledCancelled
            Scheduled + Cancel(Abandon) → Closed, TellCancelled
            Scheduled + FailedAttempt → error
            Scheduled + Outcome → Closed, Resolve
            ScheduledCancelled + Execute → Cancelling, Finish
            ScheduledCancelled + Cancel(TryCancel) → Closed, TellCancelled
            ScheduledCancelled + Cancel(WaitCancellationCompleted) → ScheduledCancelled
            ScheduledCancelled + Cancel(Abandon) → Closed, TellCancelled
            ScheduledCancelled + FailedAttempt → error
            ScheduledCancelled + Outcome → Closed, Resolve
            Executing + Execute → Executing
            Executing + Cancel(TryCancel) → Closed, IssueCancelAndTellCancelled
            Executing + Cancel(WaitCancellationCompleted) → Cancelling, IssueCancel
            Executing + Cancel(Abandon) → Closed, TellCancelled
            Executing + FailedAttempt → Executing, Execute
            Executing + Outcome → Closed, Resolve
            Cancelling + Execute → Cancelling
            Cancelling + Cancel(TryCancel) → Closed, IssueCancelAndTellCancelled
            Cancelling + Cancel(WaitCancellationCompleted) → Cancelling
            Cancelling + Cancel(Abandon) → Closed, TellCancelled
            Cancelling + FailedAttempt → Cancelling
            Cancelling + Outcome → Closed, Resolve
            Closed + Execute → error
            Closed + Cancel(TryCancel) → Closed
            Closed + Cancel(WaitCancellationCompleted) → Closed
            Closed + Cancel(Abandon) → Closed
            Closed + FailedAttempt → error
            Closed + Outcome → error
            ",
        );
    }
}
