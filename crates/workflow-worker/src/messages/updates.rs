//! Updates: whether they are taken, and how they are handled.

use timewright_converter::{Failure, Payload};
use timewright_proto::common::Header;
use timewright_protocol::workflow::{Command, Update};

use super::Waiting;
use super::running::{Message, refused};
use crate::context::WorkflowContext;
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::Registered;
use crate::info::UpdateInfo;
use crate::instance::{TaskProblem, guard};
use crate::interceptor::InboundKind;
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
        let Update { protocol_instance_id, id, name, input, header, run_validator, .. } = *update;
        if run_validator && let Err(failure) = self.validate(&name, &id, &input, &header) {
            return self.refuse(protocol_instance_id, run_validator, &failure);
        }
        let (input, mut intercepted) = self.intercept((InboundKind::Update, &name, Some(&id)), input, header)?;
        let begin = match intercepted.as_mut().and_then(|intercepted| intercepted.refusal.take()) {
            Some(refusal) => Ok(refused(refusal)),
            None => handler(&name, input),
        };
        let begin = match begin {
            Ok(begin) => begin,
            Err(error) => {
                // What interceptors have counted is counted again on replay, so it must leave something behind.
                let is_new = run_validator && intercepted.is_none();
                return self.refuse(protocol_instance_id, is_new, &self.rejection(&name, &error.into()));
            }
        };
        let accept = Command::AcceptUpdate { protocol_instance_id: protocol_instance_id.clone() };
        self.mailbox().borrow_mut().push(accept);
        let update = UpdateInfo { id: id.clone(), name: name.clone() };
        let context = self.for_update(update).intercepted(intercepted.as_ref());
        let message = Message::Update { protocol_instance_id, id, name };
        self.begin_handler(message, policy, context, begin, intercepted)
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

    /// Why an Update is not taken.
    fn validate(&self, name: &str, id: &str, input: &[Payload], header: &Header) -> Result<(), Box<Failure>> {
        let validator = self.messages().handlers.borrow().validator(name);
        let has_interceptors = self.mailbox().borrow().hooks().is_some();
        if validator.is_none() && !has_interceptors {
            return Ok(());
        }
        let call = (InboundKind::ValidateUpdate, name, Some(id));
        let seen =
            self.intercept(call, input.to_vec(), if has_interceptors { header.clone() } else { Header::default() });
        let (input, intercepted) = seen.map_err(|problem| problem.failure)?;
        if let Some(refusal) = intercepted.and_then(|intercepted| intercepted.refusal) {
            return Err(self.rejection(name, &refusal));
        }
        let Some(validator) = validator else {
            // Where it cannot be read it is rejected here, before it counts.
            let handler = self.messages().handlers.borrow().updates.find(name).map(Registered::to_begin);
            let read = handler.map_or(Ok(()), |(handler, _)| handler(name, input).map(drop));
            return read.map_err(|error| self.rejection(name, &error.into()));
        };
        self.mailbox().borrow_mut().set_inert(true);
        let verdict =
            guard(&format!("the validator of update {name:?}"), || self.state(|state| validator(state, name, input)));
        self.mailbox().borrow_mut().set_inert(false);
        verdict.map_err(|problem| problem.failure)?.map_err(|error| self.rejection(name, &error))
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
