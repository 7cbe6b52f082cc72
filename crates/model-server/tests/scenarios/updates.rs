//! The part of a conversation that is about Updates.

use timewright_model_server::ServerError;
use timewright_proto::Message as _;
use timewright_proto::enums::UpdateWorkflowExecutionLifecycleStage;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::prost_types::Any;
use timewright_proto::temporal::api::protocol::v1::Message;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::temporal::api::update::v1::{
    Acceptance, Input, Meta, Outcome, Rejection, Request, Response, UpdateRef, WaitPolicy, outcome,
};
use timewright_proto::workflow_service::{
    PollWorkflowExecutionUpdateRequest, PollWorkflowTaskQueueResponse, UpdateWorkflowExecutionRequest,
};

use super::{Conversation, Words, failure, payloads, payloads_text, upper_case};

impl Conversation {
    pub(super) fn call_update(&mut self, words: &Words<'_>) {
        let workflow_execution = Some(self.execution(words));
        let stage = words.option("wait").unwrap_or("completed");
        let stage = format!("UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_{}", upper_case(stage));
        let stage = UpdateWorkflowExecutionLifecycleStage::from_str_name(&stage).expect("a stage");
        let wait_policy = Some(WaitPolicy { lifecycle_stage: stage.into() });
        let call = if words.verb == "update" {
            self.server.update(UpdateWorkflowExecutionRequest {
                workflow_execution,
                wait_policy,
                request: Some(update_request(words.first(), words.option("name").unwrap_or("n"))),
                ..Default::default()
            })
        } else {
            let update_ref = Some(UpdateRef { workflow_execution, update_id: words.first().into() });
            self.server.poll_update(PollWorkflowExecutionUpdateRequest {
                update_ref,
                wait_policy,
                ..Default::default()
            })
        };
        self.updates.insert(words.option("as").unwrap_or(words.first()).into(), call);
    }

    pub(super) fn await_update(&self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        let Some(answer) = self.server.update_answer(self.updates[words.first()].clone()?) else {
            return Ok(vec!["nothing".into()]);
        };
        let answer = answer.clone()?;
        let run_id = answer.update_ref.clone().unwrap_or_default().workflow_execution.unwrap_or_default().run_id;
        Ok(vec![format!("{:?} {run_id}{}", answer.stage(), outcome_text(answer.outcome.as_ref()))])
    }
}

/// What names an Update's message, or only the Command for one.
pub(super) const VERBS: [&str; 5] = ["accept", "reject", "respond", "nonsense", "message"];

/// A message that no Command names.
pub(super) fn is_message_only(text: &str) -> bool {
    let words = Words::of(text);
    VERBS.contains(&words.verb) && (words.verb == "reject" || words.has("no-command"))
}

/// The message's id.
pub(super) fn message_id(words: &Words<'_>) -> String {
    match words.verb {
        "message" => super::id(words.first()),
        verb => format!("{}/{verb}", words.first()),
    }
}

/// The message that the worker sends, if the text is about one.
pub(super) fn message(task: &PollWorkflowTaskQueueResponse, text: &str) -> Option<Message> {
    let words = Words::of(text);
    let update_id = words.first().to_owned();
    let meta = Meta { update_id: update_id.clone(), ..Default::default() };
    let sent = task.messages.iter().find(|message| message.protocol_instance_id == update_id);
    let own_request = || words.has("own-request").then(|| update_request(&update_id, "n"));
    let request = || {
        let request = own_request().or_else(|| sent.map(request_of)).unwrap_or_default();
        (!words.has("no-request")).then_some(request)
    };
    let request_message_id = format!("{update_id}/request");
    let body = match words.verb {
        "accept" => Any::from_msg(&Acceptance {
            accepted_request_message_id: if words.has("no-message-id") { String::new() } else { request_message_id },
            accepted_request_sequencing_event_id: match words.option("sequencing") {
                Some(number) => number.parse().unwrap(),
                None => sent.map_or(0, sequencing_event_id),
            },
            accepted_request: request(),
        }),
        "reject" => Any::from_msg(&Rejection {
            rejected_request_message_id: request_message_id,
            rejected_request: request(),
            failure: Some(failure("no")),
            ..Default::default()
        }),
        "respond" => {
            let success = outcome::Value::Success(payloads(words.plain.get(1).unwrap_or(&"ok")).unwrap());
            let value = if words.has("failed") { outcome::Value::Failure(failure("bad")) } else { success };
            let outcome = (!words.has("no-outcome")).then_some(Outcome { value: Some(value) });
            Any::from_msg(&Response { meta: Some(meta), outcome })
        }
        "nonsense" => {
            Ok(Any { type_url: "type.googleapis.com/temporal.api.update.v1.Meta".into(), value: meta.encode_to_vec() })
        }
        _ => return None,
    };
    let body = (!words.has("no-body")).then(|| body.unwrap());
    Some(Message { id: message_id(&words), protocol_instance_id: update_id, body, ..Default::default() })
}

/// What a client asks for.
fn update_request(update_id: &str, name: &str) -> Request {
    Request {
        meta: Some(Meta { update_id: super::id(update_id), identity: "client".into() }),
        input: Some(Input { name: super::id(name), args: payloads("a"), ..Default::default() }),
        ..Default::default()
    }
}

/// A message that the server sent.
pub(super) fn message_text(message: &Message) -> String {
    let update_id = &message.protocol_instance_id;
    assert_eq!(message.id, format!("{update_id}/request"));
    assert_eq!(&request_of(message).meta.unwrap_or_default().update_id, update_id);
    format!("{update_id}@{}", sequencing_event_id(message))
}

fn request_of(message: &Message) -> Request {
    let body = message.body.as_ref().expect("a body");
    assert_eq!(body.type_url, "type.googleapis.com/temporal.api.update.v1.Request");
    Request::decode(body.value.as_slice()).unwrap()
}

fn sequencing_event_id(message: &Message) -> i64 {
    match message.sequencing_id {
        Some(SequencingId::EventId(event_id)) => event_id,
        other => panic!("{other:?}"),
    }
}

fn outcome_text(outcome: Option<&Outcome>) -> String {
    match outcome.and_then(|outcome| outcome.value.as_ref()) {
        Some(outcome::Value::Success(result)) => format!(" {}", payloads_text(Some(result))),
        Some(outcome::Value::Failure(failure)) => {
            let is_final =
                matches!(&failure.failure_info, Some(FailureInfo::ApplicationFailureInfo(info)) if info.non_retryable);
            format!(" failed ({}{})", failure.message, if is_final { " non-retryable" } else { "" })
        }
        None => String::new(),
    }
}
