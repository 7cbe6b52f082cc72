//! Protocol messages: how their bodies are packed, and what the server says about those that it cannot read.

use timewright_proto::Message as _;
use timewright_proto::prost_types::Any;
use timewright_proto::temporal::api::protocol::v1::Message;
use timewright_proto::temporal::api::update::v1::{Acceptance, Rejection, Request, Response};

use crate::error::ServerError;

/// What a worker says about an Update.
#[derive(Debug, Clone)]
pub(crate) enum UpdateMessage {
    Acceptance(Acceptance),
    Rejection(Rejection),
    Response(Response),
}

/// Packs the request of an Update, under the name that the real server gives it.
pub(crate) fn pack(request: &Request) -> Any {
    Any { type_url: format!("type.googleapis.com/{UPDATE_PACKAGE}.Request"), value: request.encode_to_vec() }
}

/// Refuses what has no body.
///
/// Fact (server 1.32): such a message is an error of the request, and does not fail the task. (The real server looks at a
/// message when its turn comes, the model before all.)
pub(crate) fn check_bodies(messages: &[Message]) -> Result<(), ServerError> {
    for message in messages {
        match &message.body {
            None => return Err(ServerError::InvalidArgument("nil message body".into())),
            Some(body) if name(body).is_empty() => {
                return Err(ServerError::InvalidArgument("no message name specified".into()));
            }
            Some(_) => (),
        }
    }
    Ok(())
}

pub(crate) fn is_rejection(message: &Message) -> bool {
    message.body.as_ref().map(name) == Some("temporal.api.update.v1.Rejection")
}

/// Reads a body, or says what is wrong with it.
pub(crate) fn unpack(body: &Any) -> Result<UpdateMessage, String> {
    let (package, kind) = name(body).rsplit_once('.').unwrap_or_default();
    if package != UPDATE_PACKAGE {
        return Err(format!("unsupported protocol type {package}"));
    }
    let bytes = body.value.as_slice();
    let message = match kind {
        "Acceptance" => Acceptance::decode(bytes).map(UpdateMessage::Acceptance),
        "Rejection" => Rejection::decode(bytes).map(UpdateMessage::Rejection),
        "Response" => Response::decode(bytes).map(UpdateMessage::Response),
        _ => return Err(format!("Message type *update.{kind} not supported")),
    };
    message.map_err(|error| format!("unable to unmarshal request: {error}"))
}

fn name(body: &Any) -> &str {
    body.type_url.rsplit('/').next().unwrap_or_default()
}

const UPDATE_PACKAGE: &str = "temporal.api.update.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_known_by_their_names() {
        let body = |type_url: &str| Any { type_url: type_url.into(), value: Vec::new() };
        let told = |type_url| unpack(&body(type_url)).map(|message| format!("{message:?}").len() > 10);
        assert_eq!(told("/temporal.api.update.v1.Response"), Ok(true));
        assert_eq!(told("type.googleapis.com/temporal.api.update.v1.Rejection"), Ok(true));
        assert_eq!(told("x/temporal.api.update.v1.Input"), Err("Message type *update.Input not supported".into()));
        assert_eq!(told("x/y.Input"), Err("unsupported protocol type y".into()));
        let broken = Any { value: vec![8], ..body("x/temporal.api.update.v1.Acceptance") };
        assert!(unpack(&broken).unwrap_err().starts_with("unable to unmarshal request: "));
    }

    #[test]
    fn a_message_needs_a_body() {
        let message = |body| Message { body, ..Message::default() };
        assert!(check_bodies(&[message(Some(pack(&Request::default())))]).is_ok());
        assert!(check_bodies(&[message(None)]).is_err());
        assert!(check_bodies(&[message(Some(Any::default()))]).is_err());
    }
}
