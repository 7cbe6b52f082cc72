//! The Command that starts a child.

use timewright_proto::command::StartChildWorkflowExecutionCommandAttributes;
use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::enums::{
    ParentClosePolicy, TaskQueueKind, WorkflowIdReusePolicy, WorkflowTaskFailedCause as Cause,
};
use timewright_proto::history::StartChildWorkflowExecutionInitiatedEventAttributes;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::task_queue::TaskQueue;

use super::{Completion, Refusal, WireAttributes, expect};
use crate::child::Child;
use crate::error::ServerError;
use crate::execution::Effect;
use crate::server::ServerOptions;
use crate::start::{checked_policy, run_timeout, task_timeout, typed_search_attributes};
use crate::time::{duration, wire_duration};
use crate::transfer::Transfer;

impl Completion<'_, '_> {
    /// Facts (server 1.32): ids are not compared here, so a completion can start two children of one id; the second start
    /// fails later. A child is terminated with its parent, and its id may be used again, unless the Command says otherwise.
    /// Only the Task Queue is the parent's where the Command does not say one; time-outs are not.
    pub(super) fn start_child(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let attributes = match attributes {
            Some(CommandAttributes::StartChildWorkflowExecutionCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let command = expect(attributes, Cause::BadStartChildExecutionAttributes, "StartChildWorkflowExecution")?;
        let initiated = self.initiated(*command)?;
        let event = Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated.clone().into());
        let initiated_event_id = self.run.events.record(self.context.now, event);
        self.run.children.insert(initiated_event_id, Child { initiated, run_id: None });
        self.run.outbox.push(Effect::Transfer(Transfer::StartChild(initiated_event_id)));
        Ok(())
    }

    fn initiated(
        &self,
        command: StartChildWorkflowExecutionCommandAttributes,
    ) -> Result<StartChildWorkflowExecutionInitiatedEventAttributes, Refusal> {
        let options = self.context.options;
        let names = names(&command, options);
        let bad =
            |message: String| Refusal::new(Cause::BadStartChildExecutionAttributes, format!("{message}. {names}"));
        if command.workflow_id.is_empty() {
            return Err(bad(format!("Required field WorkflowId is not set on {COMMAND}")));
        }
        if command.workflow_type.as_ref().is_none_or(|workflow_type| workflow_type.name.is_empty()) {
            return Err(bad(format!("Required field WorkflowType is not set on {COMMAND}")));
        }
        let timeout = |wire, name| duration(wire).map_err(|error| bad(format!("Invalid {name} on {COMMAND}: {error}")));
        let execution = timeout(command.workflow_execution_timeout.as_ref(), "WorkflowExecutionTimeout")?;
        let run = run_timeout(timeout(command.workflow_run_timeout.as_ref(), "WorkflowRunTimeout")?, execution);
        let task = task_timeout(timeout(command.workflow_task_timeout.as_ref(), "WorkflowTaskTimeout")?, run);
        let retry_policy = command
            .retry_policy
            .clone()
            .map(checked_policy)
            .transpose()
            .map_err(|message| bad(format!("invalid WorkflowRetryPolicy on {COMMAND}: {message}")))?;
        let search_attributes = command
            .search_attributes
            .clone()
            .map(|attributes| typed_search_attributes(attributes, options))
            .transpose()
            .map_err(|message| Refusal::new(Cause::BadSearchAttributes, message))?;
        let close_policy = match command.parent_close_policy() {
            ParentClosePolicy::Unspecified => ParentClosePolicy::Terminate,
            policy => policy,
        };
        let reuse_policy = match command.workflow_id_reuse_policy() {
            WorkflowIdReusePolicy::Unspecified => WorkflowIdReusePolicy::AllowDuplicate,
            policy => policy,
        };
        let queue = command.task_queue.map(|queue| queue.name).filter(|name| !name.is_empty());
        Ok(StartChildWorkflowExecutionInitiatedEventAttributes {
            namespace: options.namespace.clone(),
            workflow_id: command.workflow_id,
            workflow_type: command.workflow_type,
            task_queue: Some(TaskQueue {
                name: queue.unwrap_or_else(|| self.run.task_queue().to_owned()),
                kind: TaskQueueKind::Normal.into(),
                normal_name: String::new(),
            }),
            input: command.input,
            workflow_execution_timeout: command.workflow_execution_timeout,
            workflow_run_timeout: Some(wire_duration(run)),
            workflow_task_timeout: Some(wire_duration(task)),
            parent_close_policy: close_policy.into(),
            control: command.control,
            workflow_task_completed_event_id: self.completed_event_id,
            workflow_id_reuse_policy: reuse_policy.into(),
            retry_policy,
            header: command.header,
            memo: command.memo,
            search_attributes,
            inherit_build_id: command.inherit_build_id,
            priority: command.priority,
            ..StartChildWorkflowExecutionInitiatedEventAttributes::default()
        })
    }
}

/// What no run needs to be looked at for. The real server has an internal error where attributes are missing.
pub(super) fn check_child(attributes: Option<&CommandAttributes>, options: &ServerOptions) -> Result<(), ServerError> {
    let Some(CommandAttributes::StartChildWorkflowExecutionCommandAttributes(command)) = attributes else {
        return Err(ServerError::unsupported("a StartChildWorkflowExecution Command without attributes"));
    };
    super::check_namespace(&command.namespace, options)?;
    if !command.cron_schedule.is_empty() {
        return Err(ServerError::unsupported("cron schedules"));
    }
    if command.versioning_override.is_some() {
        return Err(ServerError::unsupported("versioning overrides"));
    }
    Ok(())
}

/// What the server says of the Command in its refusals: what is there.
fn names(command: &StartChildWorkflowExecutionCommandAttributes, options: &ServerOptions) -> String {
    let workflow_type = command.workflow_type.as_ref().map_or("", |workflow_type| &workflow_type.name);
    [("WorkflowId", command.workflow_id.as_str()), ("WorkflowType", workflow_type), ("Namespace", &options.namespace)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

const COMMAND: &str = "StartChildWorkflowExecutionCommand";
