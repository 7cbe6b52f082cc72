//! What a worker says about Updates: in messages, and in Commands that give messages their place.
//!
//! Facts (server 1.32):
//! - A message is handled where a `ProtocolMessage` Command names it, or, without one, behind all Commands, in the order of
//!   the request. A message can be named once.
//! - An Update can be accepted once, by any task from its delivery on, also by another attempt; the sequencing id is
//!   recorded as the worker says it, but must not be zero. It is accepted before it is completed, both by one task or not.
//! - An Update that the server does not know comes back to life by an acceptance or a rejection that holds its request.
//! - A message that cannot be handled fails the task with cause `BadUpdateWorkflowExecutionMessage`.
//! - Behind the end of the run, only rejections are looked at.

use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::enums::WorkflowTaskFailedCause as Cause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowExecutionUpdateCompletedEventAttributes,
};
use timewright_proto::temporal::api::protocol::v1::Message;
use timewright_proto::temporal::api::update::v1::{Acceptance, Rejection, Response};

use super::{Completion, Refusal, WireAttributes, expect};
use crate::protocol_message::{UpdateMessage, unpack};
use crate::update::{Progress, State, Update, request_message_id};

impl Completion<'_, '_> {
    pub(super) fn protocol_message(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let attributes = match attributes {
            Some(CommandAttributes::ProtocolMessageCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let message_id = expect(attributes, BAD_MESSAGE, "ProtocolMessage")?.message_id;
        if message_id.is_empty() {
            return Err(bad("MessageID is not set on ProtocolMessageCommand."));
        }
        let Some(index) = self.messages.iter().position(|message| message.id == message_id) else {
            return Err(bad(format!("ProtocolMessageCommand referenced absent message ID {message_id}")));
        };
        let message = self.messages.remove(index);
        self.handle_message(message)
    }

    /// Handles the messages that no Command has named.
    pub(crate) fn handle_remaining_messages(&mut self) -> Result<(), Refusal> {
        for message in std::mem::take(&mut self.messages) {
            self.handle_message(message)?;
        }
        Ok(())
    }

    fn handle_message(&mut self, message: Message) -> Result<(), Refusal> {
        let update_id = message.protocol_instance_id;
        let message = unpack(&message.body.unwrap_or_default()).map_err(bad)?;
        if self.run.updates.find(&update_id).is_none() {
            let request = match &message {
                UpdateMessage::Acceptance(acceptance) => acceptance.accepted_request.clone(),
                UpdateMessage::Rejection(rejection) => rejection.rejected_request.clone(),
                UpdateMessage::Response(_) => None,
            };
            let Some(request) = request else {
                return Err(bad(format!(
                    "update {update_id} wasn't found on the server. This is most likely a transient error which will be \
                     resolved automatically by retries"
                )));
            };
            self.run.updates.admit(&update_id, Some(request));
        }
        match message {
            UpdateMessage::Rejection(rejection) => self.reject_update(&update_id, rejection),
            UpdateMessage::Acceptance(acceptance) if self.run.is_running() => {
                self.accept_update(&update_id, acceptance)
            }
            UpdateMessage::Response(response) if self.run.is_running() => self.complete_update(&update_id, response),
            UpdateMessage::Acceptance(_) | UpdateMessage::Response(_) => Ok(()),
        }
    }

    fn accept_update(&mut self, update_id: &str, acceptance: Acceptance) -> Result<(), Refusal> {
        let update = self.update(update_id)?;
        let (State::Admitted(request) | State::Sent(request)) = &update.state else {
            return Err(self.wrong_state(update_id, "Acceptance"));
        };
        if acceptance.accepted_request_sequencing_event_id == 0 {
            return Err(bad("invalid *update.Acceptance: accepted_request_sequencing_event_id is not set"));
        }
        if acceptance.accepted_request_message_id.is_empty() {
            return Err(bad("invalid *update.Acceptance: accepted_request_message_id is not set"));
        }
        let accepted = WorkflowExecutionUpdateAcceptedEventAttributes {
            protocol_instance_id: update_id.to_owned(),
            accepted_request_message_id: request_message_id(update_id),
            accepted_request_sequencing_event_id: acceptance.accepted_request_sequencing_event_id,
            accepted_request: request.clone(),
        };
        let event = Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted.into());
        let event_id = self.run.events.record(self.context.now, event);
        self.change_update(update_id, State::Accepted { event_id })
    }

    fn reject_update(&mut self, update_id: &str, rejection: Rejection) -> Result<(), Refusal> {
        if !matches!(self.update(update_id)?.state, State::Admitted(_) | State::Sent(_)) {
            return Err(self.wrong_state(update_id, "Rejection"));
        }
        // Its callers hear of it when the completion is done.
        self.set_state(update_id, State::Rejected(rejection.failure.unwrap_or_default()))
    }

    fn complete_update(&mut self, update_id: &str, response: Response) -> Result<(), Refusal> {
        let State::Accepted { event_id: accepted_event_id } = self.update(update_id)?.state else {
            return Err(self.wrong_state(update_id, "Response"));
        };
        let named = response.meta.as_ref().map_or("", |meta| &meta.update_id);
        if response.meta.is_none() {
            return Err(bad("invalid *update.Response: meta is not set"));
        }
        if named.is_empty() {
            return Err(bad("invalid *update.Response: meta.update_id is not set"));
        }
        if named != update_id {
            return Err(bad(format!("invalid *update.Response: meta.update_id != {update_id}")));
        }
        let Some(outcome) = response.outcome else {
            return Err(bad("invalid *update.Response: outcome is not set"));
        };
        let completed = WorkflowExecutionUpdateCompletedEventAttributes {
            meta: response.meta,
            accepted_event_id,
            outcome: Some(outcome.clone()),
        };
        let event = Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed.into());
        let event_id = self.run.events.record(self.context.now, event);
        self.change_update(update_id, State::Completed { event_id, outcome })
    }

    fn update(&mut self, update_id: &str) -> Result<&mut Update, Refusal> {
        self.run.updates.find_mut(update_id).ok_or_else(|| bad(format!("update {update_id} is gone")))
    }

    fn set_state(&mut self, update_id: &str, state: State) -> Result<(), Refusal> {
        self.update(update_id)?.state = state;
        Ok(())
    }

    fn change_update(&mut self, update_id: &str, state: State) -> Result<(), Refusal> {
        self.set_state(update_id, state)?;
        self.run.report_update(update_id.to_owned(), Progress::Changed);
        Ok(())
    }

    fn wrong_state(&self, update_id: &str, message: &str) -> Refusal {
        let state = match self.run.updates.find(update_id).map(|update| &update.state) {
            Some(State::Admitted(_)) => "Admitted",
            Some(State::Sent(_)) => "Sent",
            Some(State::Accepted { event_id }) if *event_id > self.completed_event_id => "ProvisionallyAccepted",
            Some(State::Accepted { .. }) => "Accepted",
            Some(State::Completed { event_id, .. }) if *event_id <= self.completed_event_id => "Completed",
            Some(State::Completed { .. } | State::Rejected(_)) | None => "ProvisionallyCompleted",
        };
        bad(format!(
            "invalid state transition attempted for Update {update_id}: received *update.{message} message while in state \
             {state}"
        ))
    }
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(BAD_MESSAGE, message)
}

const BAD_MESSAGE: Cause = Cause::BadUpdateWorkflowExecutionMessage;
