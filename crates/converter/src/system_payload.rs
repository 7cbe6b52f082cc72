//! Payloads that hold a whole request to the server: the input of Nexus operations that the server itself handles.

use timewright_proto::Message;
use timewright_proto::common::Payload;
use timewright_proto::workflow_service::{
    SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse,
};

use crate::ConversionError;
use crate::encoding::{self, BINARY_PROTOBUF};

/// A request to the server as the input of one of its own Nexus operations. Payload Codecs reach the Payloads within it, and leave
/// the rest to the server.
#[must_use]
pub fn signal_with_start_payload(request: &SignalWithStartWorkflowExecutionRequest) -> Payload {
    let mut payload = encoding::payload(BINARY_PROTOBUF, request.encode_to_vec());
    payload.metadata.insert(MESSAGE_TYPE.to_owned(), SIGNAL_WITH_START_REQUEST.into());
    payload.metadata.insert(MARK.to_owned(), "true".into());
    payload
}

/// The server's answer to that.
///
/// # Errors
/// If it is none.
pub fn read_signal_with_start_payload(
    payload: &Payload,
) -> Result<SignalWithStartWorkflowExecutionResponse, ConversionError> {
    SignalWithStartWorkflowExecutionResponse::decode(payload.data.clone()).map_err(|error| {
        ConversionError::Deserialize {
            rust_type: "SignalWithStartWorkflowExecutionResponse",
            encoding: BINARY_PROTOBUF,
            reason: error.to_string(),
        }
    })
}

/// What is in a Payload that is between worker and server.
pub(crate) enum SystemPayload {
    /// Payloads of users are in it.
    Request(Box<SignalWithStartWorkflowExecutionRequest>),
    /// Nothing of users is in it.
    Answer,
}

impl SystemPayload {
    /// `None` for what users have written.
    pub(crate) fn read(payload: &Payload) -> Option<Self> {
        let message_type = payload.metadata.get(MESSAGE_TYPE)?;
        if encoding::of(payload) != Some(BINARY_PROTOBUF.as_bytes()) {
            return None;
        }
        if message_type == SIGNAL_WITH_START_REQUEST && payload.metadata.contains_key(MARK) {
            let request = SignalWithStartWorkflowExecutionRequest::decode(payload.data.clone()).ok()?;
            return Some(Self::Request(Box::new(request)));
        }
        (message_type == SIGNAL_WITH_START_ANSWER).then_some(Self::Answer)
    }
}

const MESSAGE_TYPE: &str = "messageType";
/// As Python's SDK writes it, too.
const MARK: &str = "__temporal_system_payload";
const SIGNAL_WITH_START_REQUEST: &str = "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionRequest";
const SIGNAL_WITH_START_ANSWER: &str = "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse";
