//! Signals: how they are handled.

use timewright_converter::{Failure, Payload};

use super::Waiting;
use super::running::Message;
use crate::context::WorkflowContext;
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::Registered;
use crate::instance::TaskProblem;
use crate::workflow::Workflow;

/// How a handler ended that gave no value.
pub(super) enum SignalEnd {
    Failed(Box<Failure>),
    Cancelled(Box<Failure>),
}

impl SignalEnd {
    pub(super) fn failure(&self) -> &Failure {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => failure,
        }
    }
}

impl<W: Workflow> WorkflowContext<W> {
    /// Handles a Signal, or keeps it until there is a handler.
    pub(crate) fn take_signal(&self, name: String, input: Vec<Payload>) -> Result<(), TaskProblem> {
        let found = self.messages().handlers.borrow().signals.find(&name).map(Registered::to_begin);
        let Some((handler, policy)) = found else {
            let waiting = Waiting::Signal { name, input, is_reported: false };
            self.messages().waiting.borrow_mut().push_back(waiting);
            return Ok(());
        };
        let begin = handler(&name, input).map_err(|error| {
            let info = self.info();
            let message =
                format!("signal {name:?} of workflow {:?} (id {:?}): {error}", info.workflow_type, info.workflow_id);
            TaskProblem::of_error(task_failure("ConversionError", message))
        })?;
        self.begin_handler(Message::Signal { name }, policy, self.for_signal(), begin)
    }

    /// What the end of a Signal's handler means for the workflow.
    pub(super) fn end_signal(&self, outcome: Result<(), SignalEnd>) {
        let was_cancelled = self.mailbox().borrow().is_cancel_requested();
        let kind = match outcome {
            Ok(()) => return,
            // It ended with the workflow's cancellation. How the workflow ends is for `run` to say, which may clean up first.
            Err(SignalEnd::Cancelled(_)) if was_cancelled => return,
            Err(SignalEnd::Failed(failure)) => Kind::Failed(failure),
            Err(SignalEnd::Cancelled(failure)) => Kind::Cancelled(failure),
        };
        self.messages().failed.borrow_mut().get_or_insert(WorkflowError(kind));
    }
}
