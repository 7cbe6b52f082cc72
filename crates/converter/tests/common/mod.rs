//! What the tests share: codecs that change Payloads visibly, and arbitrary Payloads and failures.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use timewright_converter::{
    BoxFuture, CodecError, ErrorCategory, Failure, FailureKind, NexusRetryBehavior, Payload, PayloadCodec, RetryState,
    TimeoutType,
};

/// Flips every bit, and marks what it flipped.
pub struct Invert;

const INVERTED: &[u8] = b"binary/inverted";

impl PayloadCodec for Invert {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            Ok(payloads
                .into_iter()
                .map(|payload| {
                    // The whole Payload, metadata included, becomes data.
                    let bytes = timewright_proto::Message::encode_to_vec(&payload);
                    Payload {
                        metadata: [("encoding".to_owned(), INVERTED.into())].into(),
                        data: bytes.into_iter().map(|byte| !byte).collect(),
                        ..Payload::default()
                    }
                })
                .collect())
        })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            payloads
                .into_iter()
                .map(|payload| {
                    if payload.metadata.get("encoding").is_none_or(|encoding| encoding != INVERTED) {
                        return Ok(payload);
                    }
                    let bytes: Vec<u8> = payload.data.iter().map(|byte| !byte).collect();
                    timewright_proto::Message::decode(bytes.as_slice())
                        .map_err(|error| CodecError::new("what was inverted is no Payload").caused_by(error))
                })
                .collect()
        })
    }
}

/// Puts a byte before the data, and takes it away again; refuses data that does not begin with it.
pub struct Prefix(pub u8);

impl PayloadCodec for Prefix {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            Ok(payloads
                .into_iter()
                .map(|payload| Payload {
                    data: [self.0].into_iter().chain(payload.data.iter().copied()).collect(),
                    ..payload
                })
                .collect())
        })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            payloads
                .into_iter()
                .map(|mut payload| {
                    if payload.data.first() != Some(&self.0) {
                        return Err(CodecError::new(format!("data does not begin with {}", self.0)));
                    }
                    payload.data = payload.data.slice(1..);
                    Ok(payload)
                })
                .collect()
        })
    }
}

/// Any Payload at all, known encodings with nonsense in them included.
pub fn any_payload() -> impl Strategy<Value = Payload> {
    let encoding = prop_oneof![
        Just(b"json/plain".to_vec()),
        Just(b"binary/null".to_vec()),
        Just(b"binary/plain".to_vec()),
        vec(any::<u8>(), 0..12),
    ];
    let json = prop_oneof![
        vec(any::<u8>(), 0..32),
        "[\\[\\]{}\",:0-9a-z ]{0,32}".prop_map(String::into_bytes),
        (0_usize..300).prop_map(|depth| b"[".repeat(depth)),
        any::<f64>().prop_map(|number| number.to_string().into_bytes()),
        ".{0,16}".prop_map(|text| serde_json::to_vec(&text).expect("text is JSON")),
    ];
    (option::of(encoding), btree_map("[a-z]{1,6}", vec(any::<u8>(), 0..8), 0..3), json).prop_map(
        |(encoding, others, data)| {
            let mut metadata: std::collections::BTreeMap<_, _> =
                others.into_iter().map(|(key, value)| (key, value.into())).collect();
            if let Some(encoding) = encoding {
                metadata.insert("encoding".to_owned(), encoding.into());
            }
            Payload { metadata, data: data.into(), ..Payload::default() }
        },
    )
}

/// Any failure whose data are within what its message can hold, with up to six causes.
pub fn any_failure() -> impl Strategy<Value = Failure> {
    vec(any_level(), 1..7).prop_map(|levels| {
        levels
            .into_iter()
            .reduce(|cause, level| Failure { cause: Some(Box::new(cause)), ..level })
            .expect("there is at least one level")
    })
}

fn any_level() -> impl Strategy<Value = Failure> {
    (".{0,8}", "[A-Za-z]{0,4}", ".{0,8}", any_kind()).prop_map(|(message, source, stack_trace, kind)| Failure {
        message,
        source,
        stack_trace,
        encoded_attributes: None,
        kind,
        cause: None,
    })
}

fn any_kind() -> impl Strategy<Value = FailureKind> {
    let text = || "[ -~]{0,6}";
    let details = || vec(any_payload(), 0..3);
    let retry_state = || {
        prop_oneof![
            Just(RetryState::Unspecified),
            Just(RetryState::MaximumAttemptsReached),
            Just(RetryState::CancelRequested),
            Just(RetryState::Other(99)),
        ]
    };
    let category =
        prop_oneof![Just(ErrorCategory::Unspecified), Just(ErrorCategory::Benign), Just(ErrorCategory::Other(-1))];
    let timeout_type =
        prop_oneof![Just(TimeoutType::StartToClose), Just(TimeoutType::Heartbeat), Just(TimeoutType::Other(7))];
    // Up to 10 000 years, the longest that protobuf can say.
    let delay = option::of((0_u64..=315_576_000_000, 0_u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n)));
    prop_oneof![
        (text(), any::<bool>(), details(), delay, category).prop_map(
            |(type_name, non_retryable, details, next_retry_delay, category)| FailureKind::Application {
                type_name,
                non_retryable,
                details,
                next_retry_delay,
                category,
            }
        ),
        (timeout_type, option::of(details())).prop_map(|(timeout_type, last_heartbeat_details)| FailureKind::Timeout {
            timeout_type,
            last_heartbeat_details,
        }),
        (details(), text()).prop_map(|(details, identity)| FailureKind::Cancelled { details, identity }),
        text().prop_map(|identity| FailureKind::Terminated { identity }),
        any::<bool>().prop_map(|non_retryable| FailureKind::Server { non_retryable }),
        option::of(details()).prop_map(|last_heartbeat_details| FailureKind::ResetWorkflow { last_heartbeat_details }),
        (text(), text(), any::<i64>(), any::<i64>(), text(), retry_state()).prop_map(
            |(activity_type, activity_id, scheduled_event_id, started_event_id, identity, retry_state)| {
                FailureKind::Activity {
                    activity_type,
                    activity_id,
                    scheduled_event_id,
                    started_event_id,
                    identity,
                    retry_state,
                }
            }
        ),
        (text(), text(), text(), text(), any::<i64>(), any::<i64>(), retry_state()).prop_map(
            |(namespace, workflow_id, run_id, workflow_type, initiated_event_id, started_event_id, retry_state)| {
                FailureKind::ChildWorkflow {
                    namespace,
                    workflow_id,
                    run_id,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state,
                }
            }
        ),
        (any::<i64>(), text(), text(), text(), text(), text()).prop_map(
            |(scheduled_event_id, endpoint, service, operation, operation_id, operation_token)| {
                FailureKind::NexusOperation {
                    scheduled_event_id,
                    endpoint,
                    service,
                    operation,
                    operation_id,
                    operation_token,
                }
            }
        ),
        text().prop_map(|type_name| FailureKind::NexusHandler {
            type_name,
            retry_behavior: NexusRetryBehavior::Retryable
        }),
        Just(FailureKind::Unknown),
    ]
}

/// Drives a future that waits for nothing outside.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..10_000 {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future waits for something")
}
