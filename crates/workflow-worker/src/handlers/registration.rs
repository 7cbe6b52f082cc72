//! What else there is to say about a handler.

use crate::error::WorkflowError;

/// What a registration says beside the handler itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Details {
    pub(crate) description: String,
    pub(crate) unfinished_policy: HandlerUnfinishedPolicy,
}

/// A handler that was registered: takes what else there is to say about it.
#[derive(Debug)]
pub struct Registration<'a> {
    details: &'a mut Details,
}

/// A handler that takes time was registered: takes what else there is to say about it.
#[derive(Debug)]
pub struct AsyncRegistration<'a> {
    details: &'a mut Details,
}

/// What it means when a workflow ends before one of its handlers has returned. The handler is abandoned in any case: it is never
/// polled again, and who waits for an Update hears that the workflow has ended.
/// <https://docs.temporal.io/handling-messages#wait-for-message-handlers>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HandlerUnfinishedPolicy {
    /// A warning in the worker's log, `TMPRL1102`, names the handler: most such ends are mistakes.
    #[default]
    WarnAndAbandon,
    /// It is meant to be like that.
    Abandon,
}

impl<'a> Registration<'a> {
    pub(super) fn new(details: &'a mut Details) -> Self {
        Self { details }
    }

    /// Says what the handler is for; a line or more, which the Web UI and `temporal workflow metadata` show.
    #[allow(clippy::must_use_candidate, reason = "the registration itself is the effect")]
    pub fn description(self, description: impl Into<String>) -> Self {
        self.details.description = description.into();
        self
    }
}

impl<'a> AsyncRegistration<'a> {
    pub(super) fn new(details: &'a mut Details) -> Self {
        Self { details }
    }

    /// Says what the handler is for; a line or more, which the Web UI and `temporal workflow metadata` show.
    #[allow(clippy::must_use_candidate, reason = "the registration itself is the effect")]
    pub fn description(self, description: impl Into<String>) -> Self {
        self.details.description = description.into();
        self
    }

    /// What it means when the workflow ends before this handler. Default: [`HandlerUnfinishedPolicy::WarnAndAbandon`].
    #[allow(clippy::must_use_candidate, reason = "the registration itself is the effect")]
    pub fn unfinished_policy(self, policy: HandlerUnfinishedPolicy) -> Self {
        self.details.unfinished_policy = policy;
        self
    }
}

/// What a Signal's handler may return: nothing, or a `Result` whose error fails the workflow.
#[diagnostic::on_unimplemented(
    message = "the handler of a signal returns `()` or `Result<(), WorkflowError>`, not `{Self}`",
    note = "nobody waits for a signal's answer; where somebody should, handle an update"
)]
pub trait SignalOutcome {
    /// As a `Result`.
    ///
    /// # Errors
    /// What the handler failed with.
    fn into_result(self) -> Result<(), WorkflowError>;
}

impl SignalOutcome for () {
    fn into_result(self) -> Result<(), WorkflowError> {
        Ok(())
    }
}

impl SignalOutcome for Result<(), WorkflowError> {
    fn into_result(self) -> Self {
        self
    }
}
