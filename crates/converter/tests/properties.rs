//! Properties: nothing is lost on the way, no Payload escapes a codec, and no input makes anything panic.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{Invert, Prefix, any_failure, any_payload, block_on};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use timewright_converter::{
    Arguments, DataConverter, DefaultFailureConverter, FailureConverter, Multiple, Payload, RawValue, Value,
};
use timewright_proto::command::{
    Command, ContinueAsNewWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes, command,
};
use timewright_proto::common::{Header, Memo, Payloads, SearchAttributes};
use timewright_proto::workflow_service::RespondWorkflowTaskCompletedRequest;
use timewright_proto::{CollectPayloads, Message, PayloadSlot};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Text(String),
    Numbers(Vec<i64>),
    Nested { inner: Option<Box<Shape>>, bytes: Vec<u8>, map: std::collections::BTreeMap<String, u64> },
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Nothing),
        ".{0,12}".prop_map(Shape::Text),
        vec(any::<i64>(), 0..4).prop_map(Shape::Numbers),
    ];
    leaf.prop_recursive(4, 16, 1, |inner| {
        (option::of(inner), vec(any::<u8>(), 0..4), btree_map(".{0,3}", any::<u64>(), 0..3))
            .prop_map(|(inner, bytes, map)| Shape::Nested { inner: inner.map(Box::new), bytes, map })
    })
}

/// Through a Payload, the wire and the codecs, and back.
fn travels<A: Arguments>(arguments: &A, converter: &DataConverter) -> A {
    let mut sent = Payloads { payloads: converter.to_arguments(arguments).unwrap() };
    block_on(converter.encode(&mut sent)).unwrap();
    let mut received = Payloads::decode(sent.encode_to_vec().as_slice()).unwrap();
    block_on(converter.decode(&mut received)).unwrap();
    converter.from_arguments(received.payloads).unwrap()
}

fn converters() -> [DataConverter; 4] {
    let plain = DataConverter::default;
    [
        plain(),
        plain().with_codec(Invert),
        plain().with_codec(Prefix(1)).with_codec(Invert).with_codec(Prefix(2)),
        plain().with_codec(Invert).with_codec(Invert),
    ]
}

/// A message with Payloads in nested failures, memo, headers, arguments and search attributes.
fn completion(
    failure: timewright_proto::failure::Failure,
    fields: std::collections::BTreeMap<String, Payload>,
    arguments: Vec<Payload>,
) -> RespondWorkflowTaskCompletedRequest {
    let fail = FailWorkflowExecutionCommandAttributes { failure: Some(failure) };
    let again = ContinueAsNewWorkflowExecutionCommandAttributes {
        input: Some(Payloads { payloads: arguments }),
        memo: Some(Memo { fields: fields.clone() }),
        header: Some(Header { fields: fields.clone() }),
        search_attributes: Some(SearchAttributes { indexed_fields: fields }),
        ..Default::default()
    };
    let commands = [
        command::Attributes::FailWorkflowExecutionCommandAttributes(fail.into()),
        command::Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(again.into()),
    ];
    RespondWorkflowTaskCompletedRequest {
        commands: commands.map(|attributes| Command { attributes: Some(attributes), ..Default::default() }).to_vec(),
        ..Default::default()
    }
}

/// The search attributes of [`completion`].
fn search_attributes(request: &RespondWorkflowTaskCompletedRequest) -> &SearchAttributes {
    match &request.commands[1].attributes {
        Some(command::Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(again)) => {
            again.search_attributes.as_ref().unwrap()
        }
        other => panic!("{other:?}"),
    }
}

fn payloads_of(message: &mut impl CollectPayloads) -> Vec<Payload> {
    let mut slots = Vec::new();
    message.collect_payloads(&mut slots);
    slots
        .into_iter()
        .flat_map(|slot| match slot {
            PayloadSlot::One(payload) => vec![payload.clone()],
            PayloadSlot::Many(payloads) => payloads.clone(),
        })
        .collect()
}

proptest! {
    #[test]
    fn values_come_back(shape in any_shape(), bytes in vec(any::<u8>(), 0..32), number in option::of(any::<i32>())) {
        for converter in converters() {
            prop_assert_eq!(&travels(&shape, &converter), &shape);
            prop_assert_eq!(&travels(&bytes, &converter), &bytes);
            prop_assert_eq!(travels(&number, &converter), number);
            let all = Multiple((shape.clone(), bytes.clone(), number, ()));
            prop_assert_eq!(&travels(&all, &converter), &all);
        }
    }

    #[test]
    fn finite_floats_come_back(number in any::<f64>()) {
        let read = f64::from_payload(number.to_payload().unwrap());
        if number.is_finite() {
            prop_assert_eq!(read.map(f64::to_bits), Ok(number.to_bits()));
        } else {
            prop_assert!(read.is_err(), "JSON has no {number}");
        }
    }

    /// Alone and within other values, to the last bit, whatever features other crates of a program ask of serde_json.
    #[test]
    fn numbers_come_back_exactly(
        integer: i64,
        unsigned: u64,
        single in any::<f32>().prop_filter("JSON has no others", |it| it.is_finite()),
        double in any::<f64>().prop_filter("JSON has no others", |it| it.is_finite()),
    ) {
        let numbers = (integer, unsigned, single, double);
        let read = <(i64, u64, f32, f64)>::from_payload(numbers.to_payload().unwrap()).unwrap();
        prop_assert_eq!((read.0, read.1, read.2.to_bits(), read.3.to_bits()), (integer, unsigned, single.to_bits(), double.to_bits()));
        let value = serde_json::json!({ "integer": integer, "unsigned": unsigned, "single": single, "double": [double] });
        prop_assert_eq!(serde_json::Value::from_payload(value.to_payload().unwrap()), Ok(value));
    }

    #[test]
    fn reading_arbitrary_payloads_never_panics(payloads in vec(any_payload(), 0..4), failure in any_failure()) {
        for payload in payloads.clone() {
            let _ = u8::from_payload(payload.clone());
            let _ = f64::from_payload(payload.clone());
            let _ = <()>::from_payload(payload.clone());
            let _ = <Vec<u8>>::from_payload(payload.clone());
            let _ = Shape::from_payload(payload.clone());
            let _ = serde_json::Value::from_payload(payload.clone());
            prop_assert_eq!(RawValue::from_payload(payload.clone()), Ok(RawValue(payload)));
        }
        let _ = Shape::from_payloads(payloads.clone());
        let _ = <Multiple<(Shape, Option<String>)>>::from_payloads(payloads.clone());
        for converter in converters() {
            let mut message = Payloads { payloads: payloads.clone() };
            let _ = block_on(converter.decode(&mut message));
        }
        let mut message = DefaultFailureConverter::default().serialize(&failure);
        message.encoded_attributes = payloads.first().cloned();
        let _ = DefaultFailureConverter::default().deserialize(message);
    }

    #[test]
    fn failures_come_back(failure in any_failure(), encode_common_attributes: bool) {
        let failure_converter = DefaultFailureConverter { encode_common_attributes };
        for converter in converters() {
            let converter = converter.with_failure_converter(failure_converter);
            let mut sent = converter.failure_to_proto(&failure);
            if encode_common_attributes {
                let mut next = Some(&sent);
                while let Some(level) = next {
                    prop_assert_eq!(&level.message, "Encoded failure");
                    prop_assert_eq!(&level.stack_trace, "");
                    next = level.cause.as_deref();
                }
            }
            block_on(converter.encode(&mut sent)).unwrap();
            let mut received = Message::decode(sent.encode_to_vec().as_slice()).unwrap();
            block_on(converter.decode(&mut received)).unwrap();
            prop_assert_eq!(&converter.failure_from_proto(received), &failure);
        }
    }

    #[test]
    fn codecs_reach_every_payload_but_never_search_attributes(
        failure in any_failure(),
        encode_common_attributes: bool,
        fields in btree_map("[a-z]{1,4}", any_payload(), 0..4),
        arguments in vec(any_payload(), 0..3),
    ) {
        let plain = DataConverter::default()
            .with_failure_converter(DefaultFailureConverter { encode_common_attributes });
        let converter = plain.clone().with_codec(Invert);
        let original = completion(plain.failure_to_proto(&failure), fields.clone(), arguments);

        let mut sent = original.clone();
        block_on(converter.encode(&mut sent)).unwrap();
        for payload in payloads_of(&mut sent) {
            prop_assert_eq!(payload.metadata["encoding"].as_ref(), b"binary/inverted");
        }
        prop_assert_eq!(&search_attributes(&sent).indexed_fields, &fields);
        block_on(converter.decode(&mut sent)).unwrap();
        prop_assert_eq!(sent, original);
    }
}
