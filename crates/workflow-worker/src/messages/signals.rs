//! Signals: how they are handled.

use timewright_converter::{Failure, Payload};
use timewright_proto::common::Header;

use super::Waiting;
use super::running::{Message, refused};
use crate::context::WorkflowContext;
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::Registered;
use crate::instance::TaskProblem;
use crate::interceptor::InboundKind;
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
    pub(crate) fn take_signal(&self, name: String, input: Vec<Payload>, header: Header) -> Result<(), TaskProblem> {
        let found = self.messages().handlers.borrow().signals.find(&name).map(Registered::to_begin);
        let Some((handler, policy)) = found else {
            let waiting = Waiting::Signal { name, input, header, is_reported: false };
            self.messages().waiting.borrow_mut().push_back(waiting);
            return Ok(());
        };
        let (input, mut intercepted) = self.intercept((InboundKind::Signal, &name, None), input, header)?;
        let begin = match intercepted.as_mut().and_then(|intercepted| intercepted.refusal.take()) {
            Some(refusal) => refused(refusal),
            None => handler(&name, input).map_err(|error| {
                let info = self.info();
                let message = format!(
                    "signal {name:?} of workflow {:?} (id {:?}): {error}",
                    info.workflow_type, info.workflow_id
                );
                TaskProblem::of_error(task_failure("ConversionError", message))
            })?,
        };
        let context = self.for_signal().intercepted(intercepted.as_ref());
        self.begin_handler(Message::Signal { name }, policy, context, begin, intercepted)
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
