//! Failures ⇄ messages, as other SDKs write them.

use std::time::Duration;

use timewright_converter::{
    ApplicationFailure, DefaultFailureConverter, Failure, FailureConverter, FailureKind, MAXIMUM_CAUSES, Value,
};
use timewright_proto::failure as proto;

const PLAIN: DefaultFailureConverter = DefaultFailureConverter { encode_common_attributes: false };
const ENCODED: DefaultFailureConverter = DefaultFailureConverter { encode_common_attributes: true };

fn chain_of(length: usize) -> Failure {
    let mut failure = Failure::new("innermost", FailureKind::Unknown);
    for number in 1..length {
        failure = Failure::new(number.to_string(), FailureKind::Unknown).with_cause(failure);
    }
    failure
}

#[test]
fn attributes_are_encoded_as_other_sdks_do() {
    let message = ENCODED.serialize(&ApplicationFailure::new("secret").with_type("Declined").into());
    let attributes = message.encoded_attributes.as_ref().unwrap();
    assert_eq!(attributes.metadata["encoding"].as_ref(), b"json/plain");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&attributes.data).unwrap(),
        serde_json::json!({ "message": "secret", "stack_trace": "" })
    );
    assert_eq!((message.message.as_str(), message.source.as_str()), ("Encoded failure", "Timewright"));
    // Whoever reads it needs no setting for that.
    assert_eq!(PLAIN.deserialize(message).message, "secret");
}

#[test]
fn attributes_that_cannot_be_read_are_passed_on() {
    let message = proto::Failure {
        message: "Encoded failure".into(),
        encoded_attributes: Some(7_u8.to_payload().unwrap()),
        ..Default::default()
    };
    for converter in [PLAIN, ENCODED] {
        let failure = converter.deserialize(message.clone());
        assert_eq!(failure.message, "Encoded failure");
        assert_eq!(converter.serialize(&failure), message);
    }
}

#[test]
fn delays_below_zero_are_none() {
    use timewright_proto::failure::failure::FailureInfo;
    use timewright_proto::prost_types::Duration;
    let received = |seconds| {
        let next_retry_delay = Some(Duration { seconds, nanos: 0 });
        let info = proto::ApplicationFailureInfo { next_retry_delay, ..Default::default() };
        let info = Some(FailureInfo::ApplicationFailureInfo(info));
        PLAIN.deserialize(proto::Failure { failure_info: info, ..Default::default() })
    };
    let sent = |failure| match PLAIN.serialize(&failure).failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info.next_retry_delay.map(|delay| delay.seconds),
        other => panic!("{other:?}"),
    };
    assert_eq!(sent(received(30)), Some(30));
    assert_eq!((sent(received(-1)), sent(received(i64::MIN))), (None, None));
}

/// Nobody reads an endless delay as none, with which the Retry Policy would decide.
#[test]
fn a_delay_beyond_what_can_be_said_is_the_longest_that_can() {
    const TEN_THOUSAND_YEARS: u64 = 315_576_000_000;
    for seconds in [TEN_THOUSAND_YEARS, TEN_THOUSAND_YEARS + 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let endless = ApplicationFailure::new("busy").with_next_retry_delay(Duration::from_secs(seconds));
        for converter in [PLAIN, ENCODED] {
            let received = converter.deserialize(converter.serialize(&endless.clone().into()));
            let FailureKind::Application { next_retry_delay, .. } = received.kind else { panic!("{received:?}") };
            assert_eq!(next_retry_delay, Some(Duration::from_secs(TEN_THOUSAND_YEARS)));
        }
    }
}

#[test]
fn an_empty_message_is_a_failure_too() {
    assert_eq!(
        PLAIN.deserialize(proto::Failure::default()),
        Failure { source: String::new(), ..Failure::new("", FailureKind::Unknown) }
    );
}

#[test]
fn causes_are_kept_up_to_a_limit_and_then_counted() {
    let longest = chain_of(MAXIMUM_CAUSES + 1);
    assert_eq!(PLAIN.deserialize(PLAIN.serialize(&longest)), longest);

    let too_long = PLAIN.deserialize(PLAIN.serialize(&chain_of(MAXIMUM_CAUSES + 10)));
    assert_eq!(too_long.chain().count(), MAXIMUM_CAUSES + 2);
    assert_eq!(too_long.root_cause().message, "9 further causes are left out");
}

#[test]
fn the_longest_failure_can_be_read_inside_a_history() {
    use timewright_proto::Message;
    use timewright_proto::history::{ActivityTaskFailedEventAttributes, History, HistoryEvent, history_event};
    use timewright_proto::workflow_service::GetWorkflowExecutionHistoryResponse;

    let failure = ENCODED.serialize(&chain_of(MAXIMUM_CAUSES + 10));
    let attributes = ActivityTaskFailedEventAttributes { failure: Some(failure), ..Default::default() };
    let event = HistoryEvent {
        attributes: Some(history_event::Attributes::ActivityTaskFailedEventAttributes(attributes.into())),
        ..Default::default()
    };
    let history =
        GetWorkflowExecutionHistoryResponse { history: Some(History { events: vec![event] }), ..Default::default() };
    assert_eq!(GetWorkflowExecutionHistoryResponse::decode(history.encode_to_vec().as_slice()), Ok(history));
}

#[test]
fn a_deeply_nested_message_does_not_exhaust_the_stack() {
    let mut message = proto::Failure::default();
    for _ in 0..100_000 {
        message = proto::Failure { cause: Some(Box::new(message)), ..Default::default() };
    }
    let mut failure = PLAIN.deserialize(message);
    assert_eq!(failure.chain().count(), 100_001);
    // Dropping it level by level, since Rust's own way recurses.
    while let Some(cause) = failure.cause.take() {
        failure = *cause;
    }
}
