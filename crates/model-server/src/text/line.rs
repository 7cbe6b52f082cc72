//! How a line is put together, and values in it.

use std::time::Duration;

use timewright_proto::common::{Header, Memo, Payloads, Priority, RetryPolicy, SearchAttributes};
use timewright_proto::enums::ContinueAsNewInitiator;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::prost_types;

use crate::time::checked_duration;

/// A line that grows by ` key=value`; what is empty or zero is left out.
pub(super) struct Line(pub(super) String);

impl Line {
    pub(super) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.0.push_str(&format!(" {key}={value}"));
        }
    }

    pub(super) fn number(&mut self, key: &str, value: impl Into<i64>) {
        let value = value.into();
        if value != 0 {
            self.text(key, &value.to_string());
        }
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.text(key, "true");
        }
    }

    /// Shows zero too.
    pub(super) fn duration(&mut self, key: &str, wire: Option<&prost_types::Duration>) {
        if wire.is_some() {
            self.text(key, &duration_text(checked_duration(wire)));
        }
    }

    /// Zero is none.
    pub(super) fn timeout(&mut self, key: &str, wire: Option<&prost_types::Duration>) {
        if !checked_duration(wire).is_zero() {
            self.duration(key, wire);
        }
    }

    pub(super) fn payloads(&mut self, key: &str, payloads: Option<&Payloads>) {
        let texts = payloads.iter().flat_map(|payloads| &payloads.payloads);
        self.text(key, &joined(texts.map(|payload| payload_text(&payload.data))));
    }

    pub(super) fn failure(&mut self, key: &str, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            self.text(key, &failure_text(failure));
        }
    }

    pub(super) fn initiator(&mut self, initiator: ContinueAsNewInitiator) {
        if initiator != ContinueAsNewInitiator::Unspecified {
            self.text("initiator", &format!("{initiator:?}"));
        }
    }

    pub(super) fn memo(&mut self, memo: Option<&Memo>) {
        let keys = memo.iter().flat_map(|memo| memo.fields.keys().cloned());
        self.text("memo", &joined(keys));
    }

    pub(super) fn header(&mut self, header: Option<&Header>) {
        let keys = header.iter().flat_map(|header| header.fields.keys().cloned());
        self.text("header", &joined(keys));
    }

    pub(super) fn priority(&mut self, priority: Option<&Priority>) {
        self.number("priority", priority.map_or(0, |priority| priority.priority_key));
    }

    pub(super) fn search_attributes(&mut self, attributes: Option<&SearchAttributes>) {
        let fields = attributes.iter().flat_map(|attributes| &attributes.indexed_fields);
        let texts = fields.map(|(key, payload)| match payload.metadata.get("type") {
            Some(kind) => format!("{key}:{}", String::from_utf8_lossy(kind)),
            None => key.clone(),
        });
        self.text("search-attributes", &joined(texts));
    }
}

pub(super) fn name(name: Option<&String>) -> &str {
    name.map_or("", String::as_str)
}

pub(super) fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(",")
}

/// JSON strings without their quotation marks, other data as it is.
pub(super) fn payload_text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).trim_matches('"').to_owned()
}

pub(super) fn failure_text(failure: &Failure) -> String {
    let message = &failure.message;
    let mut text = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(application)) if application.non_retryable => {
            format!("{message} non-retryable")
        }
        Some(FailureInfo::TimeoutFailureInfo(timeout)) => format!("{message} timeout={:?}", timeout.timeout_type()),
        Some(FailureInfo::ServerFailureInfo(_)) => format!("server: {message}"),
        Some(FailureInfo::CanceledFailureInfo(_)) => format!("cancelled: {message}"),
        Some(FailureInfo::ActivityFailureInfo(activity)) => format!("activity {}: {message}", activity.activity_id),
        _ => message.clone(),
    };
    if let Some(cause) = &failure.cause {
        text.push_str(&format!(" cause=({})", failure_text(cause)));
    }
    format!("({text})")
}

pub(super) fn retry_policy_text(policy: &RetryPolicy) -> String {
    let interval = |wire| duration_text(checked_duration(wire));
    format!(
        "{}*{}<={},attempts={}",
        interval(policy.initial_interval.as_ref()),
        policy.backoff_coefficient,
        interval(policy.maximum_interval.as_ref()),
        policy.maximum_attempts
    )
}

fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".into(),
        _ if milliseconds.is_multiple_of(60_000) => format!("{}m", milliseconds / 60_000),
        _ if milliseconds.is_multiple_of(1_000) => format!("{}s", milliseconds / 1_000),
        _ => format!("{milliseconds}ms"),
    }
}
