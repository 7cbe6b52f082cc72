//! The chain of Payload Codecs: order, errors, and nothing done where there is none.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Invert, Prefix, block_on};
use timewright_converter::{
    BoxFuture, CodecError, DataConverter, Payload, PayloadCodec, Value, signal_with_start_payload,
};
use timewright_proto::common::{Header, Memo, Payloads};
use timewright_proto::workflow_service::SignalWithStartWorkflowExecutionRequest;

fn arguments() -> Payloads {
    Payloads { payloads: vec![1_u8.to_payload().unwrap(), 2_u8.to_payload().unwrap()] }
}

fn memo() -> Memo {
    Memo { fields: [("a".to_owned(), 1_u8.to_payload().unwrap())].into() }
}

/// Gives one Payload for all.
struct Merge;

impl PayloadCodec for Merge {
    fn name(&self) -> &str {
        "the merging codec"
    }

    fn encode(&self, mut payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        payloads.truncate(1);
        Box::pin(async { Ok(payloads) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let twice = payloads.iter().chain(&payloads).cloned().collect();
        Box::pin(async { Ok(twice) })
    }
}

/// Counts its calls.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl PayloadCodec for Count {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(payloads) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        self.encode(payloads)
    }
}

#[test]
fn encode_runs_first_to_last_and_decode_last_to_first() {
    let converter = DataConverter::default().with_codec(Prefix(1)).with_codec(Prefix(2));
    let mut message = arguments();
    block_on(converter.encode(&mut message)).unwrap();
    assert_eq!(message.payloads[0].data.as_ref(), [2, 1, b'1']);
    block_on(converter.decode(&mut message)).unwrap();
    assert_eq!(message, arguments());
}

#[test]
fn without_codecs_a_message_stays_as_it_is() {
    let mut message = arguments();
    block_on(DataConverter::default().encode(&mut message)).unwrap();
    assert_eq!(message, arguments());
}

#[test]
fn an_empty_list_asks_no_codec() {
    let count = Count::default();
    let converter = DataConverter::default().with_codec(count.clone());
    block_on(converter.encode(&mut Payloads::default())).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    block_on(converter.encode(&mut arguments())).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1, "one call for a list of two");
}

#[test]
fn lists_may_change_their_length_but_single_places_may_not() {
    let converter = DataConverter::default().with_codec(Merge);
    let mut message = arguments();
    block_on(converter.encode(&mut message)).unwrap();
    assert_eq!(message.payloads.len(), 1);

    assert_eq!(
        block_on(converter.decode(&mut memo())).unwrap_err().to_string(),
        "Payload Codec the merging codec could not decode: it made 2 Payloads of one, where only one can stand"
    );
}

#[test]
fn an_error_names_the_codec_and_leaves_nothing_in_the_clear() {
    let converter = DataConverter::default().with_codec(Invert).with_codec(Prefix(7));
    let mut message = memo();
    assert_eq!(
        block_on(converter.decode(&mut message)).unwrap_err().to_string(),
        "Payload Codec Prefix could not decode: data does not begin with 7"
    );
    assert_eq!(message.fields["a"], Payload::default());

    let mut message = memo();
    message.fields.insert("b".to_owned(), Payload::default());
    let converter = DataConverter::default().with_codec(Invert);
    block_on(converter.encode(&mut message)).unwrap();
    let broken = message.fields.get_mut("b").unwrap();
    broken.data = vec![0; 3].into();
    let error = block_on(converter.decode(&mut message)).unwrap_err();
    assert_eq!(error.to_string(), "Payload Codec Invert could not decode: what was inverted is no Payload");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn conversion_can_be_spawned_and_shared() {
    fn send(_: impl Send) {}
    fn shared(_: impl Send + Sync + Clone + 'static) {}
    let converter = DataConverter::default();
    shared(converter.clone());
    send(converter.encode(&mut arguments()));
}

/// Else whoever can send a header could send one that is thousands deep, which no stack bears.
#[test]
fn a_request_to_the_server_is_looked_into_once_and_not_within_itself() {
    let nested = |inner: Payload| {
        let header = Header { fields: [("inner".to_owned(), inner)].into() };
        let request = SignalWithStartWorkflowExecutionRequest { header: Some(header), ..Default::default() };
        signal_with_start_payload(&request)
    };
    let deep = (0..100).fold(1_u8.to_payload().unwrap(), |inner, _| nested(inner));
    let sent = Memo { fields: [("deep".to_owned(), deep)].into() };
    let count = Count::default();
    let converter = DataConverter::default().with_codec(count.clone()).with_codec(Invert);
    let mut message = sent.clone();
    block_on(converter.encode(&mut message)).unwrap();
    assert_ne!(message, sent);
    assert_eq!(count.0.load(Ordering::Relaxed), 1, "the codecs get what is in the outermost one, as it is");
    block_on(converter.decode(&mut message)).unwrap();
    assert_eq!(message, sent);
}
