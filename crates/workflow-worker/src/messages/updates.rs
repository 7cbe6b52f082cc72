//! Updates: whether they are taken, and how they are handled.

use timewright_converter::{Failure, Payload};
use timewright_protocol::workflow::{Command, Update};

use super::Waiting;
use super::running::Message;
use crate::context::WorkflowContext;
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::{Begin, Handler, Registered};
use crate::info::UpdateInfo;
use crate::instance::{TaskProblem, guard};
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowContext<W> {
    /// Takes an Update, or rejects it, or keeps it until there is a handler. Its handler begins at once, so that Signals and
    /// Updates are handled in their order.
    pub(crate) fn take_update(&self, update: Box<Update>) -> Result<(), TaskProblem> {
        let found = self.messages().handlers.borrow().updates.find(&update.name).map(Registered::to_begin);
        let Some((handler, policy)) = found else {
            self.messages().waiting.borrow_mut().push_back(Waiting::Update(update));
            return Ok(());
        };
        let Update { protocol_instance_id, id, name, input, run_validator, .. } = *update;
        let begin = match self.admit(&name, input, run_validator, &handler) {
            Ok(begin) => begin,
            Err(failure) => return self.refuse(protocol_instance_id, run_validator, &failure),
        };
        let accept = Command::AcceptUpdate { protocol_instance_id: protocol_instance_id.clone() };
        self.mailbox().borrow_mut().push(accept);
        let context = self.for_update(UpdateInfo { id: id.clone(), name: name.clone() });
        self.begin_handler(Message::Update { protocol_instance_id, id, name }, policy, context, begin)
    }

    pub(super) fn refuse_unknown_update(&self, update: &Update) -> Result<(), TaskProblem> {
        let Update { protocol_instance_id, name, run_validator, .. } = update;
        self.refuse(protocol_instance_id.clone(), *run_validator, &self.unknown_update(name))
    }

    fn refuse(&self, protocol_instance_id: String, is_new: bool, failure: &Failure) -> Result<(), TaskProblem> {
        if !is_new {
            // It was accepted before, so it cannot be rejected now.
            return Err(TaskProblem::new(failure.clone()));
        }
        let failure = Box::new(self.write_failure(failure));
        self.mailbox().borrow_mut().push(Command::RejectUpdate { protocol_instance_id, failure });
        Ok(())
    }

    /// How the Update begins; or why it is not taken.
    fn admit(
        &self,
        name: &str,
        input: Vec<Payload>,
        run_validator: bool,
        handler: &Handler<W>,
    ) -> Result<Begin<W>, Box<Failure>> {
        let validator = if run_validator { self.messages().handlers.borrow().validator(name) } else { None };
        if let Some(validator) = validator {
            self.mailbox().borrow_mut().set_inert(true);
            let verdict = guard(&format!("the validator of update {name:?}"), || {
                self.state(|state| validator(state, name, input.clone()))
            });
            self.mailbox().borrow_mut().set_inert(false);
            verdict.map_err(|problem| problem.failure)?.map_err(|error| self.rejection(name, &error))?;
        }
        handler(name, input).map_err(|error| self.rejection(name, &error.into()))
    }

    /// What a validator that says no leads to.
    fn rejection(&self, name: &str, error: &WorkflowError) -> Box<Failure> {
        match &error.0 {
            Kind::Failed(failure) | Kind::Cancelled(failure) => failure.clone(),
            Kind::Task(failure) => {
                let info = self.info();
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
        let info = self.info();
        task_failure(
            "UnknownUpdate",
            format!(
                "workflow {:?} (id {:?}) has no handler for update {name:?}; it has {:?}",
                info.workflow_type,
                info.workflow_id,
                self.messages().handlers.borrow().updates.names(),
            ),
        )
    }
}
