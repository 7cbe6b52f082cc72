//! Commands to other workflows.

use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::WorkflowTaskFailedCause as Cause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    SignalExternalWorkflowExecutionInitiatedEventAttributes,
};

use super::{Completion, Refusal, WireAttributes, expect};
use crate::error::ServerError;
use crate::execution::Effect;
use crate::server::ServerOptions;
use crate::transfer::Transfer;

impl Completion<'_, '_> {
    /// Fact (server 1.32): whether there is such a workflow is found out later, also where it is the run's own.
    pub(super) fn signal_external(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadSignalWorkflowExecutionAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::SignalExternalWorkflowExecutionCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let command = expect(attributes, cause, "SignalExternalWorkflowExecution")?;
        let bad = |message: String| Refusal::new(cause, message);
        let on = "on SignalExternalWorkflowExecutionCommand.";
        let Some(target) = command.execution else { return Err(bad(format!("Execution is not set {on}"))) };
        let WorkflowExecution { workflow_id, run_id } = &target;
        let (namespace, name) = (&command.namespace, &command.signal_name);
        if workflow_id.is_empty() {
            return Err(bad(format!(
                "WorkflowId is not set {on} Namespace={namespace} RunId={run_id} SignalName={name}"
            )));
        }
        if !is_run_id(run_id) {
            return Err(bad(format!(
                "Invalid RunId set {on} WorkflowId={workflow_id} Namespace={namespace} RunId={run_id} SignalName={name}"
            )));
        }
        if name.is_empty() {
            return Err(bad(format!(
                "SignalName is not set {on} WorkflowId={workflow_id} Namespace={namespace} RunId={run_id}"
            )));
        }
        let initiated = SignalExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: self.completed_event_id,
            namespace: command.namespace,
            workflow_execution: Some(target),
            signal_name: command.signal_name,
            input: command.input,
            control: command.control,
            child_workflow_only: command.child_workflow_only,
            header: command.header,
            ..SignalExternalWorkflowExecutionInitiatedEventAttributes::default()
        };
        let event = Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(initiated.clone().into());
        let initiated_event_id = self.run.events.record(self.context.now, event);
        self.run.external_signals.insert(initiated_event_id, initiated);
        self.run.outbox.push(Effect::Transfer(Transfer::SignalExternal(initiated_event_id)));
        Ok(())
    }

    /// Fact (server 1.32): as with signals, nothing is looked up yet.
    pub(super) fn cancel_external(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadRequestCancelExternalWorkflowExecutionAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::RequestCancelExternalWorkflowExecutionCommandAttributes(attributes)) => {
                Some(attributes)
            }
            _ => None,
        };
        let command = expect(attributes, cause, "RequestCancelExternalWorkflowExecution")?;
        let bad = |message: String| Refusal::new(cause, message);
        let on = "on RequestCancelExternalWorkflowExecutionCommand.";
        let (workflow_id, run_id, namespace) = (&command.workflow_id, &command.run_id, &command.namespace);
        if workflow_id.is_empty() {
            return Err(bad(format!("WorkflowId is not set {on} Namespace={namespace} RunId={run_id}")));
        }
        if !is_run_id(run_id) {
            return Err(bad(format!(
                "Invalid RunId set {on} WorkflowId={workflow_id} RunId={run_id} Namespace={namespace}"
            )));
        }
        let initiated = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_task_completed_event_id: self.completed_event_id,
            namespace: command.namespace,
            workflow_execution: Some(WorkflowExecution { workflow_id: command.workflow_id, run_id: command.run_id }),
            control: command.control,
            child_workflow_only: command.child_workflow_only,
            reason: command.reason,
            ..RequestCancelExternalWorkflowExecutionInitiatedEventAttributes::default()
        };
        let event =
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(initiated.clone().into());
        let initiated_event_id = self.run.events.record(self.context.now, event);
        self.run.external_cancellations.insert(initiated_event_id, initiated);
        self.run.outbox.push(Effect::Transfer(Transfer::CancelExternal(initiated_event_id)));
        Ok(())
    }
}

/// What no run needs to be looked at for.
pub(super) fn check_external(
    attributes: Option<&CommandAttributes>,
    options: &ServerOptions,
) -> Result<(), ServerError> {
    match attributes {
        Some(CommandAttributes::SignalExternalWorkflowExecutionCommandAttributes(command)) => {
            super::check_namespace(&command.namespace, options)
        }
        Some(CommandAttributes::RequestCancelExternalWorkflowExecutionCommandAttributes(command)) => {
            super::check_namespace(&command.namespace, options)
        }
        _ => Ok(()),
    }
}

/// Whether it is none, or has the form of a UUID.
fn is_run_id(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    text.is_empty()
        || lengths.eq([8, 4, 4, 4, 12])
            && text.chars().all(|character| character == '-' || character.is_ascii_hexdigit())
}
