//! Payloads and failures as JSON, in the form in which the Python peer shows its own (`peers/python/failures.py`).

use serde_json::{Value, json};
use timewright::converter::{Failure, FailureKind, Payload};

/// A Payload's value; bytes are `{"$bytes": "<hex>"}`.
pub(crate) fn value(payload: &Payload) -> Value {
    match payload.metadata.get("encoding").map(|encoding| &encoding[..]) {
        Some(b"binary/plain") => {
            let hex: String = payload.data.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "$bytes": hex })
        }
        Some(b"binary/null") => Value::Null,
        Some(b"json/plain") => {
            serde_json::from_slice(&payload.data).unwrap_or_else(|error| panic!("{payload:?}: {error}"))
        }
        _ => panic!("{payload:?} has an encoding that nobody sends"),
    }
}

/// The failure, its cause, its cause's cause, …, each with all that its kind carries.
pub(crate) fn levels(failure: &Failure) -> Value {
    failure.chain().map(level).collect()
}

fn level(failure: &Failure) -> Value {
    let message = &failure.message;
    match &failure.kind {
        FailureKind::Application { type_name, non_retryable, details, next_retry_delay, category } => json!({
            "kind": "application",
            "message": message,
            // Python shows no type as none.
            "type": (!type_name.is_empty()).then_some(type_name),
            "details": values(details),
            "non_retryable": non_retryable,
            "next_retry_delay": next_retry_delay.map(|delay| delay.as_secs_f64()),
            "category": in_capitals(category),
        }),
        FailureKind::Activity { activity_type, activity_id, retry_state, .. } => json!({
            "kind": "activity",
            "message": message,
            "activity_type": activity_type,
            "activity_id": activity_id,
            "retry_state": in_capitals(retry_state),
        }),
        FailureKind::Timeout { timeout_type, last_heartbeat_details } => json!({
            "kind": "timeout",
            "message": message,
            "timeout_type": in_capitals(timeout_type),
            "last_heartbeat_details": values(last_heartbeat_details.as_deref().unwrap_or_default()),
        }),
        FailureKind::Cancelled { details, .. } => {
            json!({ "kind": "cancelled", "message": message, "details": values(details) })
        }
        FailureKind::Terminated { .. } => json!({ "kind": "terminated", "message": message }),
        other => json!({ "kind": format!("{other:?}"), "message": message }),
    }
}

fn values(payloads: &[Payload]) -> Vec<Value> {
    payloads.iter().map(value).collect()
}

/// `NonRetryableFailure` as `NON_RETRYABLE_FAILURE`.
fn in_capitals(name: &impl std::fmt::Debug) -> String {
    let mut capitals = String::new();
    for character in format!("{name:?}").chars() {
        if character.is_uppercase() && !capitals.is_empty() {
            capitals.push('_');
        }
        capitals.extend(character.to_uppercase());
    }
    capitals
}
