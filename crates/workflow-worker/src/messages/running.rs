//! Handlers that have begun.

use std::collections::BTreeMap;
use std::fmt;
use std::task::Poll;

use timewright_protocol::workflow::Command;

use super::signals::SignalEnd;
use crate::context::WorkflowContext;
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::{Begin, Handled, HandlerResult, HandlerUnfinishedPolicy};
use crate::instance::{Polled, TaskProblem, guard};
use crate::interceptor::Intercepted;
use crate::mailbox::Routine;
use crate::wait::Foreign;
use crate::workflow::Workflow;

/// By the order in which they began.
#[derive(Default)]
pub(super) struct Running {
    begun: u64,
    handlers: BTreeMap<u64, RunningHandler>,
}

pub(crate) struct RunningHandler {
    pub(crate) message: Message,
    unfinished_policy: HandlerUnfinishedPolicy,
    /// `None` while it is being polled.
    future: Option<Polled<HandlerResult>>,
}

/// What is being handled.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Signal { name: String },
    Update { protocol_instance_id: String, id: String, name: String },
}

impl Message {
    /// For texts.
    fn handler(&self) -> String {
        match self {
            Self::Signal { name } => format!("the handler of signal {name:?}"),
            Self::Update { name, .. } => format!("the handler of update {name:?}"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal { name } => write!(formatter, "signal {name}"),
            Self::Update { id, name, .. } => write!(formatter, "update {name} (id {id})"),
        }
    }
}

impl RunningHandler {
    /// Whether somebody should hear that the workflow ends before it.
    pub(crate) fn is_missed(&self) -> bool {
        self.unfinished_policy == HandlerUnfinishedPolicy::WarnAndAbandon
    }
}

impl Running {
    pub(super) fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    pub(super) fn is_woken(&self) -> bool {
        self.handlers.values().any(|handler| handler.future.as_ref().is_some_and(Polled::is_woken))
    }

    /// The handlers that wait for something that is not the workflow's own.
    pub(super) fn foreign_waits(&self) -> Vec<(String, Foreign)> {
        let waits = self
            .handlers
            .values()
            .filter_map(|handler| Some((handler.message.handler(), handler.future.as_ref()?.foreign()?)));
        waits.collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Routine, &RunningHandler)> {
        self.handlers.iter().map(|(number, handler)| (Routine::Handler(*number), handler))
    }

    pub(super) fn take(&mut self) -> Vec<RunningHandler> {
        std::mem::take(&mut self.handlers).into_values().collect()
    }

    fn begin(&mut self, message: Message, policy: HandlerUnfinishedPolicy) -> u64 {
        self.begun += 1;
        let handler = RunningHandler { message, unfinished_policy: policy, future: None };
        self.handlers.insert(self.begun, handler);
        self.begun
    }

    /// The first one that was woken, from this place in the order.
    fn next_woken(&self, from: u64) -> Option<u64> {
        let mut handlers = self.handlers.range(from..);
        handlers.find(|(_, handler)| handler.future.as_ref().is_some_and(Polled::is_woken)).map(|(number, _)| *number)
    }
}

/// What begins with a message that an interceptor has refused.
pub(super) fn refused<W: Workflow>(refusal: WorkflowError) -> Begin<W> {
    Box::new(move |_context| Handled::Done(Err(refusal)))
}

impl<W: Workflow> WorkflowContext<W> {
    /// Begins with a message; the handler runs to its first wait.
    pub(super) fn begin_handler(
        &self,
        message: Message,
        policy: HandlerUnfinishedPolicy,
        context: Self,
        begin: Begin<W>,
        intercepted: Option<Intercepted>,
    ) -> Result<(), TaskProblem> {
        let what = message.handler();
        let number = self.messages().running.borrow_mut().begin(message, policy);
        let begun = guard(&what, || match intercepted {
            Some(intercepted) => Handled::Running(intercepted.around(Box::pin(async move {
                match begin(context) {
                    Handled::Done(result) => result,
                    Handled::Running(future) => future.await,
                }
            }))),
            None => begin(context),
        });
        match begun? {
            Handled::Done(result) => self.end_handler(number, result),
            Handled::Running(future) => self.poll_handler(number, Polled::new(future)),
        }
    }

    /// Polls the handlers that were woken, in the order in which they began.
    pub(crate) fn poll_handlers(&self) -> Result<(), TaskProblem> {
        let mut from = 0;
        while let Some(number) = self.next_woken_handler(from) {
            let mut running = self.messages().running.borrow_mut();
            let future = running.handlers.get_mut(&number).and_then(|handler| handler.future.take());
            drop(running);
            if let Some(future) = future {
                self.poll_handler(number, future)?;
            }
            from = number + 1;
        }
        Ok(())
    }

    fn next_woken_handler(&self, from: u64) -> Option<u64> {
        self.messages().running.borrow().next_woken(from)
    }

    fn poll_handler(&self, number: u64, mut future: Polled<HandlerResult>) -> Result<(), TaskProblem> {
        let before = self.mailbox().borrow_mut().enter_routine(Routine::Handler(number));
        let poll = guard("a handler", || future.poll()).map_err(|problem| self.name_handler(number, problem))?;
        self.mailbox().borrow_mut().enter_routine(before);
        self.messages().check()?;
        if let Poll::Ready(result) = poll {
            return self.end_handler(number, result);
        }
        if let Some(handler) = self.messages().running.borrow_mut().handlers.get_mut(&number) {
            handler.future = Some(future);
        }
        Ok(())
    }

    /// Says which handler panicked. A name is written only where it is needed.
    fn name_handler(&self, number: u64, mut problem: TaskProblem) -> TaskProblem {
        if let Some(handler) = self.messages().running.borrow().handlers.get(&number) {
            problem.failure.message = problem.failure.message.replacen("a handler", &handler.message.handler(), 1);
        }
        problem
    }

    fn end_handler(&self, number: u64, result: HandlerResult) -> Result<(), TaskProblem> {
        let ended = self.messages().running.borrow_mut().handlers.remove(&number);
        let Some(RunningHandler { message, .. }) = ended else { return Ok(()) };
        let outcome = match result {
            Err(WorkflowError(Kind::Task(failure))) => return Err(TaskProblem::of_error(failure)),
            Err(WorkflowError(Kind::ContinueAsNew(_))) => {
                let message = format!("{} cannot continue the workflow as new; let `run` do it", message.handler());
                return Err(TaskProblem::new(task_failure("ContinueAsNew", message)));
            }
            Err(WorkflowError(Kind::Failed(failure))) => Err(SignalEnd::Failed(failure)),
            Err(WorkflowError(Kind::Cancelled(failure))) => Err(SignalEnd::Cancelled(failure)),
            Ok(output) => Ok(output),
        };
        match message {
            Message::Signal { .. } => self.end_signal(outcome.map(drop)),
            Message::Update { protocol_instance_id, .. } => {
                let outcome = outcome.map_err(|end| Box::new(self.write_failure(end.failure())));
                self.mailbox().borrow_mut().push(Command::CompleteUpdate { protocol_instance_id, outcome });
            }
        }
        // Somebody may wait for all handlers to have finished.
        self.state_changed();
        Ok(())
    }
}
