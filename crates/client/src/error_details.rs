//! What the server adds to a gRPC status beyond code and text: `grpc-status-details-bin`.
//!
//! The messages are those of `google/rpc/status.proto` and `temporal/api/errordetails/v1/message.proto`, which no RPC
//! mentions. Wrong bytes are no details.

use timewright_proto::failure::Failure;
use timewright_proto::{Message, prost_types};

/// Whether there is a detail of this type, whose last name is given.
pub(crate) fn has(details: &[u8], type_name: &str) -> bool {
    all(details).any(|any| is(&any, type_name))
}

/// The run that was in the way of a workflow that was to be started.
pub(crate) fn already_started(details: &[u8]) -> Option<String> {
    let any = all(details).find(|any| is(any, "WorkflowExecutionAlreadyStartedFailure"))?;
    let failure = AlreadyStartedFailure::decode(any.value.as_slice()).ok()?;
    Some(failure.run_id).filter(|run_id| !run_id.is_empty())
}

/// The run that was in the way of an activity that was to be started.
pub(crate) fn activity_already_started(details: &[u8]) -> Option<String> {
    let any = all(details).find(|any| is(any, "ActivityExecutionAlreadyStartedFailure"))?;
    let failure = AlreadyStartedFailure::decode(any.value.as_slice()).ok()?;
    Some(failure.run_id).filter(|run_id| !run_id.is_empty())
}

/// Why a query failed. Workers of some SDKs send no failure, but only the text that is the status's message too.
pub(crate) fn query_failed(details: &[u8], message: &str) -> Option<Failure> {
    let any = all(details).find(|any| is(any, "QueryFailedFailure"))?;
    let failure = QueryFailedFailure::decode(any.value.as_slice()).ok()?.failure;
    Some(failure.unwrap_or_else(|| Failure { message: message.to_owned(), ..Failure::default() }))
}

fn all(details: &[u8]) -> impl Iterator<Item = prost_types::Any> {
    RpcStatus::decode(details).unwrap_or_default().details.into_iter()
}

fn is(any: &prost_types::Any, type_name: &str) -> bool {
    any.type_url.rsplit(['.', '/']).next() == Some(type_name)
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AlreadyStartedFailure {
    #[prost(string, tag = "2")]
    run_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct QueryFailedFailure {
    #[prost(message, optional, tag = "1")]
    failure: Option<Failure>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(type_name: &str, value: Vec<u8>) -> Vec<u8> {
        let type_url = format!("type.googleapis.com/temporal.api.errordetails.v1.{type_name}");
        RpcStatus { details: vec![prost_types::Any::default(), prost_types::Any { type_url, value }] }.encode_to_vec()
    }

    #[test]
    fn details_are_found_by_their_type() {
        let failure = AlreadyStartedFailure { run_id: "r-1".into() }.encode_to_vec();
        let details = status("WorkflowExecutionAlreadyStartedFailure", failure);
        assert_eq!(already_started(&details).as_deref(), Some("r-1"));
        assert_eq!(query_failed(&details, "no such thing"), None);
        assert!(has(&details, "WorkflowExecutionAlreadyStartedFailure"));
        assert!(!has(&details, "AlreadyStartedFailure"));

        let failure = Failure { message: "no such thing".into(), ..Failure::default() };
        let details =
            status("QueryFailedFailure", QueryFailedFailure { failure: Some(failure.clone()) }.encode_to_vec());
        assert_eq!(query_failed(&details, "the status's message"), Some(failure.clone()));
        let details = status("QueryFailedFailure", Vec::new());
        assert_eq!(query_failed(&details, "no such thing"), Some(failure));
    }

    #[test]
    fn wrong_bytes_are_no_details() {
        let wrong = status("QueryFailedFailure", vec![0xff, 0xff]);
        assert_eq!(query_failed(&wrong, "text"), None);
        assert_eq!(query_failed(b"\xff\xff\xff", "text"), None);
        assert_eq!(already_started(b""), None);
    }
}
