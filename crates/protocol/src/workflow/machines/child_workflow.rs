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

use super::{Effect, ProtocolError};
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

/// How far user code has cancelled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// Not at all.
    No,
    /// It was asked to cancel itself; user code waits for what it makes of that.
    Asked,
    /// User code was told that it is cancelled.
    Told,
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
    match kind {
        Kind::Abandon => (Cancelled::Told, Effect::TellCancelled),
        Kind::TryCancel => (Cancelled::Told, Effect::IssueCancelAndTellCancelled),
        Kind::WaitCancellationCompleted | Kind::WaitCancellationRequested => (Cancelled::Asked, Effect::IssueCancel),
    }
}
