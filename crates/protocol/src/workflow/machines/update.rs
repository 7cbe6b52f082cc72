//! An Update.
//!
//! ```text
//!   Requested ── Reject ───────────────────────────────────────────────────────▶ Closed
//!     │ Accept                                                                     ▲
//!   AcceptIssued ── UpdateAccepted ──▶ Accepted                                    │
//!     │ Complete                         │ Complete                                │
//!   AcceptAndCompleteIssued ─────────▶ CompleteIssued ── UpdateCompleted ──────────┘
//!                    UpdateAccepted
//! ```

use super::ProtocolError;

/// Where an Update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// User code was told of it.
    Requested,
    /// User code has accepted it; that has not been recorded yet.
    AcceptIssued,
    /// It is accepted for good.
    Accepted,
    /// User code has accepted and completed it; neither has been recorded yet.
    AcceptAndCompleteIssued,
    /// User code has completed it; that has not been recorded yet.
    CompleteIssued,
    /// It is rejected or completed.
    Closed,
}

/// What can happen to an Update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// User code accepts it.
    Accept,
    /// User code rejects it.
    Reject,
    /// User code completes it.
    Complete,
    /// Its acceptance was recorded.
    UpdateAccepted,
    /// Its completion was recorded.
    UpdateCompleted,
}

impl State {
    /// The next state.
    pub(crate) fn handle(self, input: Input) -> Result<Self, ProtocolError> {
        match (self, input) {
            (Self::Requested, Input::Accept) => Ok(Self::AcceptIssued),
            (Self::Requested, Input::Reject) => Ok(Self::Closed),
            (Self::AcceptIssued, Input::UpdateAccepted) => Ok(Self::Accepted),
            (Self::AcceptIssued, Input::Complete) => Ok(Self::AcceptAndCompleteIssued),
            (Self::Accepted, Input::Complete) => Ok(Self::CompleteIssued),
            (Self::AcceptAndCompleteIssued, Input::UpdateAccepted) => Ok(Self::CompleteIssued),
            (Self::CompleteIssued, Input::UpdateCompleted) => Ok(Self::Closed),
            _ => Err(ProtocolError { state: format!("the update is {self:?}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::machines::{Effect, table};

    #[test]
    fn every_state_against_every_input() {
        let states = [
            State::Requested,
            State::AcceptIssued,
            State::Accepted,
            State::AcceptAndCompleteIssued,
            State::CompleteIssued,
            State::Closed,
        ];
        let inputs = [Input::Accept, Input::Reject, Input::Complete, Input::UpdateAccepted, Input::UpdateCompleted];
        table::check(
            &states,
            &inputs,
            |state, input| state.handle(input).map(|next| (next, Effect::None)),
            "
            Requested + Accept → AcceptIssued
            Requested + Reject → Closed
            Requested + Complete → error
            Requested + UpdateAccepted → error
            Requested + UpdateCompleted → error
            AcceptIssued + Accept → error
            AcceptIssued + Reject → error
            AcceptIssued + Complete → AcceptAndCompleteIssued
            AcceptIssued + UpdateAccepted → Accepted
            AcceptIssued + UpdateCompleted → error
            Accepted + Accept → error
            Accepted + Reject → error
            Accepted + Complete → CompleteIssued
            Accepted + UpdateAccepted → error
            Accepted + UpdateCompleted → error
            AcceptAndCompleteIssued + Accept → error
            AcceptAndCompleteIssued + Reject → error
            AcceptAndCompleteIssued + Complete → error
            AcceptAndCompleteIssued + UpdateAccepted → CompleteIssued
            AcceptAndCompleteIssued + UpdateCompleted → error
            CompleteIssued + Accept → error
            CompleteIssued + Reject → error
            CompleteIssued + Complete → error
            CompleteIssued + UpdateAccepted → error
            CompleteIssued + UpdateCompleted → Closed
            Closed + Accept → error
            Closed + Reject → error
            Closed + Complete → error
            Closed + UpdateAccepted → error
            Closed + UpdateCompleted → error
            ",
        );
    }
}
