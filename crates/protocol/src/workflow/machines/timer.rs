//! A timer.
//!
//! ```text
//!            Cancel (command withdrawn)
//!   Issued ─────────────────────────────────────┐
//!     │ TimerStarted                            ▼
//!   Started ── Cancel ──▶ CancelIssued ──▶ Closed
//!     │                     TimerCanceled       ▲
//!     └─────────────── TimerFired ──────────────┘
//! ```

use super::{Effect, ProtocolError};

/// Where a timer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its Command has not been recorded yet.
    Issued,
    /// It runs on the server.
    Started,
    /// It was cancelled, the Command for that has not been recorded yet.
    CancelIssued,
    /// It fired, or it was cancelled.
    Closed,
}

/// What can happen to a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// User code cancels it.
    Cancel,
    /// Its Command was recorded.
    TimerStarted,
    /// It fired.
    TimerFired,
    /// Its cancellation was recorded.
    TimerCanceled,
}

impl State {
    /// The next state, and what to do about it.
    pub(crate) fn handle(self, input: Input) -> Result<(Self, Effect), ProtocolError> {
        match (self, input) {
            (Self::Issued, Input::TimerStarted) => Ok((Self::Started, Effect::None)),
            (Self::Issued, Input::Cancel) => Ok((Self::Closed, Effect::Withdraw)),
            (Self::Started, Input::Cancel) => Ok((Self::CancelIssued, Effect::IssueCancel)),
            (Self::Started, Input::TimerFired) => Ok((Self::Closed, Effect::Resolve)),
            (Self::CancelIssued, Input::TimerCanceled) => Ok((Self::Closed, Effect::None)),
            (Self::CancelIssued | Self::Closed, Input::Cancel) => Ok((self, Effect::None)),
            _ => Err(ProtocolError { state: format!("the timer is {self:?}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::table;

    #[test]
    fn every_state_against_every_input() {
        let states = [State::Issued, State::Started, State::CancelIssued, State::Closed];
        let inputs = [Input::Cancel, Input::TimerStarted, Input::TimerFired, Input::TimerCanceled];
        table::check(
            &states,
            &inputs,
            |state, input| state.handle(input),
            "
            Issued       + Cancel        → Closed, Withdraw
            Issued       + TimerStarted  → Started
            Issued       + TimerFired    → error
            Issued       + TimerCanceled → error
            Started      + Cancel        → CancelIssued, IssueCancel
            Started      + TimerStarted  → error
            Started      + TimerFired    → Closed, Resolve
            Started      + TimerCanceled → error
            CancelIssued + Cancel        → CancelIssued
            CancelIssued + TimerStarted  → error
            CancelIssued + TimerFired    → error
            CancelIssued + TimerCanceled → Closed
            Closed       + Cancel        → Closed
            Closed       + TimerStarted  → error
            Closed       + TimerFired    → error
            Closed       + TimerCanceled → error
            ",
        );
    }
}
