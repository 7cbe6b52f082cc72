//! Updates: whether they are taken, and their handlers.

use std::task::Poll;

use timewright_converter::{Failure, Payload};
use timewright_protocol::workflow::{Command, Update};

use super::{TaskProblem, WorkflowInstance, guard};
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::BeginUpdate;
use crate::info::UpdateInfo;
use crate::wait::{Foreign, Polled};
use crate::workflow::Workflow;

/// An Update that was taken, and whose handler has not returned.
pub(super) struct RunningUpdate {
    protocol_instance_id: String,
    name: String,
    handler: Polled<Result<Payload, WorkflowError>>,
}

impl RunningUpdate {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_woken(&self) -> bool {
        self.handler.is_woken()
    }

    pub(super) fn foreign(&self) -> Option<Foreign> {
        self.handler.foreign()
    }
}

impl<W: Workflow> WorkflowInstance<W> {
    /// Takes an Update, or rejects it. Its handler begins at once, so that Signals and Updates are handled in their order.
    pub(super) fn update(&mut self, update: Update) -> Result<(), TaskProblem> {
        let Update { protocol_instance_id, id, name, input, run_validator, .. } = update;
        let begin = match self.admit(&name, input, run_validator) {
            Ok(begin) => begin,
            Err(failure) if run_validator => {
                let failure = Box::new(self.write(Some(&failure)));
                self.mailbox.borrow_mut().push(Command::RejectUpdate { protocol_instance_id, failure });
                return Ok(());
            }
            // It was accepted before, so it cannot be rejected now.
            Err(failure) => return Err(TaskProblem::new(failure)),
        };
        let accept = Command::AcceptUpdate { protocol_instance_id: protocol_instance_id.clone() };
        self.mailbox.borrow_mut().push(accept);
        let context = self.context.for_update(UpdateInfo { id, name: name.clone() });
        let future = guard(&format!("the handler of update {name:?}"), || begin(context))?;
        self.updates.push(RunningUpdate { protocol_instance_id, name, handler: Polled::new(future) });
        self.count_handlers();
        self.poll_update(self.updates.len() - 1).map(|_| ())
    }

    /// Polls the handlers that were woken, in the order in which they began.
    pub(super) fn poll_updates(&mut self) -> Result<(), TaskProblem> {
        let mut index = 0;
        while let Some(update) = self.updates.get(index) {
            let ended = update.is_woken() && self.poll_update(index)?;
            // Where one has ended, the next has moved up.
            index += usize::from(!ended);
        }
        Ok(())
    }

    /// Whether the handler has returned.
    fn poll_update(&mut self, index: usize) -> Result<bool, TaskProblem> {
        let update = &mut self.updates[index];
        let what = format!("the handler of update {:?}", update.name);
        let Poll::Ready(result) = guard(&what, || update.handler.poll())? else { return Ok(false) };
        let update = self.updates.remove(index);
        self.count_handlers();
        let outcome = match result {
            Ok(output) => Ok(Some(output)),
            Err(WorkflowError(Kind::Failed(failure) | Kind::Cancelled(failure))) => {
                Err(Box::new(self.write(Some(&failure))))
            }
            Err(WorkflowError(Kind::Task(failure))) => return Err(TaskProblem::new(failure)),
            Err(WorkflowError(Kind::ContinueAsNew(_))) => {
                let message = format!("{what} cannot continue the workflow as new; let `run` do it");
                return Err(TaskProblem::new(task_failure("ContinueAsNew", message)));
            }
        };
        let protocol_instance_id = update.protocol_instance_id;
        self.mailbox.borrow_mut().push(Command::CompleteUpdate { protocol_instance_id, outcome });
        // Somebody may wait for all handlers to have finished.
        self.context.state_changed();
        Ok(true)
    }

    fn count_handlers(&self) {
        self.mailbox.borrow_mut().set_running_handlers(self.updates.len());
    }

    /// Whether the Update is taken, and how it begins; or why not.
    fn admit(&self, name: &str, input: Vec<Payload>, run_validator: bool) -> Result<BeginUpdate<W>, Box<Failure>> {
        let Some(handler) = self.handlers.update_handler(name) else {
            return Err(Box::new(self.unknown_update(name)));
        };
        if run_validator && let Some(validator) = self.handlers.update_validator(name) {
            self.mailbox.borrow_mut().set_inert(true);
            let verdict = guard(&format!("the validator of update {name:?}"), || {
                self.context.state(|state| validator(state, input.clone()))
            });
            self.mailbox.borrow_mut().set_inert(false);
            verdict.map_err(|problem| problem.failure)?.map_err(|error| self.rejection(name, &error))?;
        }
        handler(input).map_err(|error| self.rejection(name, &error.into()))
    }

    /// What a validator that says no leads to.
    fn rejection(&self, name: &str, error: &WorkflowError) -> Box<Failure> {
        match &error.0 {
            Kind::Failed(failure) | Kind::Cancelled(failure) => failure.clone(),
            Kind::Task(failure) => {
                let info = self.context.info();
                let message = format!(
                    "the input of update {name:?} of workflow {:?} (id {:?}): {}",
                    info.workflow_type, info.workflow_id, failure.message
                );
                Box::new(task_failure("ConversionError", message))
            }
            Kind::ContinueAsNew(_) => {
                Box::new(task_failure("ContinueAsNew", "a validator cannot continue the workflow as new"))
            }
        }
    }

    fn unknown_update(&self, name: &str) -> Failure {
        let info = self.context.info();
        task_failure(
            "UnknownUpdate",
            format!(
                "workflow {:?} (id {:?}) has no handler for update {name:?}; it has {:?}",
                info.workflow_type,
                info.workflow_id,
                self.handlers.update_names(),
            ),
        )
    }
}
