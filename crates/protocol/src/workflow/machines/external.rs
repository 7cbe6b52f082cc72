//! A Signal to another workflow, or a request to cancel one.
//!
//! ```text
//!   Issued ── Cancel (command withdrawn, user code told) ──▶ Closed
//!     │ Initiated                                              ▲
//!   Initiated ── Outcome: user code told ──────────────────────┘
//! ```

use super::{Effect, ProtocolError};

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its Command has not been recorded yet.
    Issued,
    /// The server has it.
    Initiated,
    /// It has arrived, or it has not.
    Closed,
}

/// What can happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// User code takes it back.
    Cancel,
    /// Its Command was recorded.
    Initiated,
    /// It has arrived, or it has not.
    Outcome,
}

impl State {
    /// The next state, and what to do about it.
    pub(crate) fn handle(self, input: Input) -> Result<(Self, Effect), ProtocolError> {
        match (self, input) {
            (Self::Issued, Input::Initiated) => Ok((Self::Initiated, Effect::None)),
            (Self::Issued, Input::Cancel) => Ok((Self::Closed, Effect::WithdrawAndTellCancelled)),
            (Self::Initiated, Input::Outcome) => Ok((Self::Closed, Effect::Resolve)),
            // Too late.
            (Self::Initiated | Self::Closed, Input::Cancel) => Ok((self, Effect::None)),
            _ => Err(ProtocolError { state: format!("it is {self:?}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::table;

    #[test]
    fn every_state_against_every_input() {
        let states = [State::Issued, State::Initiated, State::Closed];
        let inputs = [Input::Cancel, Input::Initiated, Input::Outcome];
        table::check(
            &states,
            &inputs,
            |state, input| state.handle(input),
            "
            Issued + Cancel → Closed, WithdrawAndTellCancelled
            Issued + Initiated → Initiated
            Issued + Outcome → error
            Initiated + Cancel → Initiated
            Initiated + Initiated → error
            Initiated + Outcome → Closed, Resolve
            Closed + Cancel → Closed
            Closed + Initiated → error
            Closed + Outcome → error
            ",
        );
    }
}
