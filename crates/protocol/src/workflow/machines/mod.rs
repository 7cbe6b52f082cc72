//! The machines: one for each kind of operation that user code has under way.
//!
//! A machine is a `State` and one `match` on (state, input). It knows nothing of ids, Payloads or Commands: it answers with
//! an [`Effect`], and [`Operations`](super::operations::Operations) does it. What a `match` does not list is a
//! [`ProtocolError`].

pub(crate) mod activity;
pub(crate) mod child_workflow;
pub(crate) mod external;
pub(crate) mod local_activity;
pub(crate) mod nexus_operation;
#[cfg(test)]
mod table;
pub(crate) mod timer;
pub(crate) mod update;

/// What a transition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    /// Take the Command that has not been sent out of the queue.
    Withdraw,
    /// Likewise, and tell user code that the operation was cancelled.
    WithdrawAndTellCancelled,
    /// Put the Command that cancels the operation into the queue, or tell whoever executes it.
    IssueCancel,
    /// Likewise, and tell user code that the operation was cancelled.
    IssueCancelAndTellCancelled,
    /// Tell user code that the operation was cancelled.
    TellCancelled,
    /// Tell user code that the operation could not be cancelled, and will be heard of no more.
    TellCancelFailed,
    /// Tell user code whether the operation was started.
    ResolveStart,
    /// Tell user code the outcome.
    Resolve,
    /// Have the operation executed.
    Execute,
    /// Nobody will execute the operation: its outcome is that it was cancelled.
    Finish,
}

impl Effect {
    /// Whether user code is told that the operation was cancelled.
    pub(crate) fn tells_cancelled(self) -> bool {
        matches!(self, Self::WithdrawAndTellCancelled | Self::IssueCancelAndTellCancelled | Self::TellCancelled)
    }

    /// Whether the Command that has not been sent is taken out of the queue.
    pub(crate) fn withdraws(self) -> bool {
        matches!(self, Self::Withdraw | Self::WithdrawAndTellCancelled)
    }

    /// Whether the Command that cancels the operation is issued.
    pub(crate) fn issues_cancel(self) -> bool {
        matches!(self, Self::IssueCancel | Self::IssueCancelAndTellCancelled)
    }
}

/// How far user code has cancelled what goes on elsewhere: a Child Workflow, a Nexus operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// Not at all.
    No,
    /// It was asked to cancel itself; user code waits for what it makes of that.
    Asked,
    /// User code was told that it is cancelled.
    Told,
}

impl Cancelled {
    /// User code cancels what it has not cancelled before. Whether that is `asked` to cancel itself, and whether user code
    /// `waits` for what comes of it, its cancellation type says.
    fn by_user_code(asked: bool, waits: bool) -> (Self, Effect) {
        match (asked, waits) {
            (true, true) => (Self::Asked, Effect::IssueCancel),
            (true, false) => (Self::Told, Effect::IssueCancelAndTellCancelled),
            (false, _) => (Self::Told, Effect::TellCancelled),
        }
    }
}

/// A transition that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProtocolError {
    /// Where the machine stood, for a person.
    pub(crate) state: String,
}
