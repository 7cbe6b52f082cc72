//! What a worker says about Updates in the conversations.

use timewright_proto::Message as _;
use timewright_proto::prost_types::Any;
use timewright_proto::temporal::api::protocol::v1::Message;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::temporal::api::update::v1::{
    Acceptance, Input, Meta, Outcome, Rejection, Request, Response, outcome,
};
use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;

use super::{Words, failure, payloads};

/// What names an Update's message, or only the Command for one.
pub(crate) const VERBS: [&str; 5] = ["accept", "reject", "respond", "nonsense", "message"];

/// A message that no Command names.
pub(crate) fn is_message_only(text: &str) -> bool {
    let words = Words::of(text);
    VERBS.contains(&words.verb) && (words.verb == "reject" || words.has("no-command"))
}

/// The message's id.
pub(crate) fn id(words: &Words<'_>) -> String {
    match words.verb {
        "message" => super::id(words.first()),
        verb => format!("{}/{verb}", words.first()),
    }
}

/// The message that the worker sends, if the text is about one.
pub(crate) fn message(task: &PollWorkflowTaskQueueResponse, text: &str) -> Option<Message> {
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
        "nonsense" => Any::from_msg(&meta),
        _ => return None,
    };
    let body = (!words.has("no-body")).then(|| body.unwrap());
    Some(Message { id: id(&words), protocol_instance_id: update_id, body, ..Default::default() })
}

/// What a client asks for.
pub(crate) fn update_request(update_id: &str, name: &str) -> Request {
    Request {
        meta: Some(Meta { update_id: super::id(update_id), identity: "client".into() }),
        input: Some(Input { name: super::id(name), args: payloads("a"), ..Default::default() }),
        ..Default::default()
    }
}

/// A message that the server sent.
pub(crate) fn text(message: &Message) -> String {
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
