//! Updates.

use std::collections::{BTreeMap, BTreeSet};

use timewright_proto::command::ProtocolMessageCommandAttributes;
use timewright_proto::command::command::Attributes;
use timewright_proto::common::{Payload, Payloads};
use timewright_proto::failure::Failure;
use timewright_proto::temporal::api::update::v1::{Acceptance, Outcome, Rejection, Request, Response, outcome};

use super::queue::What;
use super::{CommandError, Operations, not_under_way};
use crate::workflow::activation::{Job, Update};
use crate::workflow::machines::ProtocolError;
use crate::workflow::machines::update::{Input, State};
use crate::workflow::output::{UpdateBody, UpdateMessage};
use crate::workflow::task::UpdateRequest;

/// The Updates of a Run.
#[derive(Debug, Clone, Default)]
pub(super) struct Updates {
    open: BTreeMap<String, OpenUpdate>,
    /// Updates that were completed: they may be delivered once more.
    completed: BTreeSet<String>,
    /// Updates that the history holds since a reset, until they are accepted.
    admitted: BTreeMap<String, Request>,
    /// The history will have nothing of them, so that they stand in no queue.
    pub(super) rejections: Vec<UpdateMessage>,
}

#[derive(Debug, Clone)]
struct OpenUpdate {
    state: State,
    message_id: String,
    sequencing_event_id: i64,
    /// As it came; what is needed to answer it.
    request: Request,
}

impl Operations {
    /// The history holds an Update of which no worker has heard: a reset has put it there. What accepts it does not repeat it.
    pub(crate) fn admit_update(&mut self, event_id: i64, request: Request) -> UpdateRequest {
        let id = request.meta.as_ref().map(|meta| meta.update_id.clone()).unwrap_or_default();
        self.updates.admitted.insert(id.clone(), request.clone());
        UpdateRequest {
            message_id: format!("{id}/request"),
            protocol_instance_id: id,
            sequencing_event_id: event_id,
            request: Some(request),
        }
    }

    /// Takes an Update that user code is to hear of, unless it has.
    pub(crate) fn request_update(&mut self, update: UpdateRequest, run_validator: bool) -> Option<Job> {
        let UpdateRequest { message_id, protocol_instance_id, sequencing_event_id, request } = update;
        if self.updates.open.contains_key(&protocol_instance_id)
            || self.updates.completed.contains(&protocol_instance_id)
        {
            return None;
        }
        let admitted = self.updates.admitted.remove(&protocol_instance_id);
        let request = request.filter(|request| request.input.is_some()).or(admitted).unwrap_or_default();
        let input = request.input.clone().unwrap_or_default();
        let meta = request.meta.clone().unwrap_or_default();
        let job = Update {
            protocol_instance_id: protocol_instance_id.clone(),
            id: meta.update_id,
            name: input.name,
            input: input.args.map(|arguments| arguments.payloads).unwrap_or_default(),
            header: input.header.unwrap_or_default(),
            identity: meta.identity,
            run_validator,
        };
        let open = OpenUpdate { state: State::Requested, message_id, sequencing_event_id, request };
        self.updates.open.insert(protocol_instance_id, open);
        Some(Job::Update(Box::new(job)))
    }

    /// Some Update that user code has neither accepted nor rejected.
    pub(crate) fn unanswered_update(&self) -> Option<&str> {
        let mut open = self.updates.open.iter();
        open.find(|(_, update)| update.state == State::Requested).map(|(id, _)| id.as_str())
    }

    pub(super) fn accept_update(&mut self, id: String) -> Result<(), CommandError> {
        let update = self.move_update(&id, Input::Accept, "accepted")?;
        let body = UpdateBody::Acceptance(Acceptance {
            accepted_request_message_id: update.message_id.clone(),
            accepted_request_sequencing_event_id: update.sequencing_event_id,
            accepted_request: Some(update.request.clone()),
        });
        let message_id = format!("{}/accept", update.message_id);
        self.issue_message(What::AcceptUpdate { protocol_instance_id: id.clone() }, message_id, id, body);
        Ok(())
    }

    pub(super) fn reject_update(&mut self, id: String, failure: Failure) -> Result<(), CommandError> {
        let update = self.move_update(&id, Input::Reject, "rejected")?;
        let body = UpdateBody::Rejection(Rejection {
            rejected_request_message_id: update.message_id.clone(),
            rejected_request_sequencing_event_id: update.sequencing_event_id,
            rejected_request: Some(update.request.clone()),
            failure: Some(failure),
        });
        let message_id = format!("{}/reject", update.message_id);
        self.updates.open.remove(&id);
        self.updates.rejections.push(UpdateMessage { id: message_id, protocol_instance_id: id, body });
        Ok(())
    }

    pub(super) fn complete_update(
        &mut self,
        id: String,
        outcome: Result<Option<Payload>, Box<Failure>>,
    ) -> Result<(), CommandError> {
        let update = self.move_update(&id, Input::Complete, "completed")?;
        let value = match outcome {
            Ok(result) => outcome::Value::Success(Payloads { payloads: result.into_iter().collect() }),
            Err(failure) => outcome::Value::Failure(*failure),
        };
        let meta = update.request.meta.clone();
        let update_id = meta.as_ref().map(|meta| meta.update_id.clone()).unwrap_or_default();
        let body = UpdateBody::Response(Response { meta, outcome: Some(Outcome { value: Some(value) }) });
        let message_id = format!("{}/complete", update.message_id);
        let what = What::CompleteUpdate { protocol_instance_id: id.clone(), update_id };
        self.issue_message(what, message_id, id, body);
        Ok(())
    }

    pub(super) fn update_accepted(&mut self, id: &str) -> Result<(), ProtocolError> {
        let update = self.updates.open.get_mut(id).ok_or_else(not_under_way)?;
        update.state = update.state.handle(Input::UpdateAccepted)?;
        // What it asked for is in the history now.
        update.request.input = None;
        Ok(())
    }

    pub(super) fn update_completed(&mut self, id: &str) -> Result<(), ProtocolError> {
        let update = self.updates.open.get_mut(id).ok_or_else(not_under_way)?;
        update.state.handle(Input::UpdateCompleted)?;
        self.updates.open.remove(id);
        self.updates.completed.insert(id.to_owned());
        Ok(())
    }

    fn move_update(&mut self, id: &str, input: Input, done: &'static str) -> Result<&OpenUpdate, CommandError> {
        let error = |state: String| CommandError::Update { protocol_instance_id: id.to_owned(), done, state };
        let update = self.updates.open.get_mut(id).ok_or_else(|| error("there is no such update".to_owned()))?;
        update.state = update.state.handle(input).map_err(|problem| error(problem.state))?;
        Ok(update)
    }

    fn issue_message(&mut self, what: What, message_id: String, protocol_instance_id: String, body: UpdateBody) {
        let attributes = ProtocolMessageCommandAttributes { message_id: message_id.clone() };
        let message = UpdateMessage { id: message_id, protocol_instance_id, body };
        let attributes = Attributes::ProtocolMessageCommandAttributes(attributes.into());
        self.queue.issue_with_message(what, attributes, None, Some(message));
    }
}
