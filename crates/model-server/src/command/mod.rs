//! The Commands of a completed Workflow Task, one file per family.
//!
//! Facts (server 1.32):
//! - Commands are done in their order; each leaves its Event behind `WorkflowTaskCompleted`, with what the Command says to
//!   people (user metadata, markers of groups), whatever Command it is.
//! - A Command that cannot be done undoes the whole completion: the task fails with a cause that names the kind of Command.
//!   A value that is too large also ends the workflow.
//! - A Command behind one that ends the workflow, one of an unknown kind, or one for a namespace that is not there, is
//!   refused before anything is done; the task goes on waiting for an answer.

mod activity;
mod child;
mod close;
mod external;
mod nexus;
mod record;
mod timer;
mod update;

use timewright_proto::command::Command;
use timewright_proto::command::command::Attributes;
use timewright_proto::enums::{CommandType, WorkflowTaskFailedCause};
use timewright_proto::temporal::api::protocol::v1::Message;

use crate::error::ServerError;
use crate::execution::{Context, Execution};
use crate::server::ServerOptions;

/// Why a Command cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: WorkflowTaskFailedCause,
    pub(crate) message: String,
    /// Whether the workflow ends with it.
    pub(crate) terminates: bool,
}

impl Refusal {
    fn new(cause: WorkflowTaskFailedCause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), terminates: false }
    }

    fn terminating(cause: WorkflowTaskFailedCause, message: impl Into<String>) -> Self {
        Self { terminates: true, ..Self::new(cause, message) }
    }

    /// As the worker and the history are told.
    pub(crate) fn text(&self) -> String {
        if self.message.is_empty() {
            format!("{:?}", self.cause)
        } else {
            format!("{:?}: {}", self.cause, self.message)
        }
    }
}

/// What is common to the Commands of one completion.
pub(crate) struct Completion<'a, 'b> {
    pub(crate) run: &'a mut Execution,
    pub(crate) context: &'a mut Context<'b>,
    /// The `WorkflowTaskCompleted` Event.
    pub(crate) completed_event_id: i64,
    pub(crate) identity: &'a str,
    /// Those that no Command has named yet.
    pub(crate) messages: Vec<Message>,
    /// Something has happened of which the worker did not know, so that the workflow may not end yet.
    pub(crate) has_news: bool,
    /// The worker must hear of an outcome that these Commands caused.
    pub(crate) has_outcome: bool,
}

impl Completion<'_, '_> {
    /// Does one Command.
    pub(crate) fn handle(&mut self, command: Command) -> Result<(), Refusal> {
        let events_before = self.run.events.next_id();
        let attributes = command.attributes;
        match CommandType::try_from(command.command_type).unwrap_or(CommandType::Unspecified) {
            CommandType::ScheduleActivityTask => self.schedule_activity(attributes)?,
            CommandType::RequestCancelActivityTask => self.request_cancel_activity(attributes)?,
            CommandType::StartTimer => self.start_timer(attributes)?,
            CommandType::CancelTimer => self.cancel_timer(attributes)?,
            CommandType::RecordMarker => self.record_marker(attributes)?,
            CommandType::UpsertWorkflowSearchAttributes => self.upsert_search_attributes(attributes)?,
            CommandType::ModifyWorkflowProperties => self.modify_properties(attributes)?,
            CommandType::StartChildWorkflowExecution => self.start_child(attributes)?,
            CommandType::SignalExternalWorkflowExecution => self.signal_external(attributes)?,
            CommandType::RequestCancelExternalWorkflowExecution => self.cancel_external(attributes)?,
            CommandType::ScheduleNexusOperation => self.schedule_nexus_operation(attributes)?,
            CommandType::RequestCancelNexusOperation => self.request_cancel_nexus_operation(attributes)?,
            CommandType::CompleteWorkflowExecution => self.complete_workflow(attributes)?,
            CommandType::FailWorkflowExecution => self.fail_workflow(attributes)?,
            CommandType::CancelWorkflowExecution => self.cancel_workflow(attributes)?,
            CommandType::ContinueAsNewWorkflowExecution => self.continue_as_new(attributes)?,
            CommandType::ProtocolMessage => return self.protocol_message(attributes),
            // `check_sequence` has refused them.
            _ => (),
        }
        if self.run.events.next_id() > events_before
            && let Some(event) = self.run.events.last_mut()
        {
            event.user_metadata = command.user_metadata;
            event.event_group_markers = command.event_group_markers;
        }
        Ok(())
    }
}

/// Refuses what can be refused without looking at the run.
pub(crate) fn check_sequence(commands: &[Command], options: &ServerOptions) -> Result<(), ServerError> {
    let kinds: Vec<CommandType> = commands
        .iter()
        .map(|command| CommandType::try_from(command.command_type).unwrap_or(CommandType::Unspecified))
        .collect();
    let mut closing = None;
    for kind in &kinds {
        if let Some(closing) = closing {
            let names: Vec<String> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
            return Err(ServerError::InvalidArgument(format!(
                "invalid command sequence: [{}], command {closing:?} must be the last command.",
                names.join(", ")
            )));
        }
        match kind {
            CommandType::Unspecified => {
                return Err(ServerError::InvalidArgument("unknown command type: Unspecified".into()));
            }
            CommandType::CompleteWorkflowExecution
            | CommandType::FailWorkflowExecution
            | CommandType::CancelWorkflowExecution
            | CommandType::ContinueAsNewWorkflowExecution => closing = Some(kind),
            CommandType::ScheduleActivityTask
            | CommandType::RequestCancelActivityTask
            | CommandType::StartTimer
            | CommandType::CancelTimer
            | CommandType::RecordMarker
            | CommandType::UpsertWorkflowSearchAttributes
            | CommandType::ModifyWorkflowProperties
            | CommandType::StartChildWorkflowExecution
            | CommandType::SignalExternalWorkflowExecution
            | CommandType::RequestCancelExternalWorkflowExecution
            | CommandType::ScheduleNexusOperation
            | CommandType::RequestCancelNexusOperation
            | CommandType::ProtocolMessage => (),
        }
    }
    for (kind, command) in kinds.iter().zip(commands) {
        match kind {
            CommandType::StartChildWorkflowExecution => child::check_child(command.attributes.as_ref(), options)?,
            CommandType::ScheduleNexusOperation => nexus::check_operation(command.attributes.as_ref())?,
            _ => external::check_external(command.attributes.as_ref(), options)?,
        }
    }
    Ok(())
}

/// Facts (server 1.32): a namespace that is not there leaves the task as it is. (The model has one namespace only.)
fn check_namespace(name: &str, options: &ServerOptions) -> Result<(), ServerError> {
    if name.is_empty() || name == options.namespace {
        return Ok(());
    }
    Err(ServerError::NotFound(format!("Namespace {name} is not found.")))
}

/// The attributes of the kind that the Command says, or the server's refusal.
fn expect<T>(attributes: Option<T>, cause: WorkflowTaskFailedCause, command: &str) -> Result<T, Refusal> {
    attributes.ok_or_else(|| Refusal::new(cause, format!("{command}CommandAttributes is not set on {command}Command.")))
}

type WireAttributes = Option<Attributes>;
