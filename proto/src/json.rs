//! Histories as JSON: protobuf's own JSON mapping, with Temporal's enum names.
//!
//! `temporal workflow show --output json`, the Web UI's download and the other SDKs' replayers read and write it. Enum values
//! are written as the CLI writes them today (`EVENT_TYPE_TIMER_FIRED`); the short form of older tools (`TimerFired`) is read,
//! too. Fields and enum values that this version does not know are passed over.

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    SerializeOptions,
};
use serde_json::Value;

use crate::history::History;

/// Text that is no history. The fault of whoever wrote it.
#[derive(Debug, thiserror::Error)]
#[error("this is not the JSON of a Temporal history: {0}")]
pub struct HistoryJsonError(String);

/// Reads a history.
///
/// ```
/// # fn main() -> Result<(), timewright_proto::json::HistoryJsonError> {
/// use timewright_proto::enums::EventType;
/// use timewright_proto::json::history_from_json;
///
/// let text = r#"{"events": [{"eventId": "1", "eventTime": "2026-11-21T10:00:00Z", "eventType": "EVENT_TYPE_TIMER_FIRED"}]}"#;
/// let history = history_from_json(text)?;
/// assert_eq!(history.events[0].event_type(), EventType::TimerFired);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the text is no JSON, or its fields are not those of a history.
pub fn history_from_json(text: &str) -> Result<History, HistoryJsonError> {
    let wrong = |error: &dyn std::fmt::Display| HistoryJsonError(error.to_string());
    let mut value: Value = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    lengthen_enum_names(&mut value, descriptor());
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(descriptor().clone(), value, &options)
        .map_err(|error| wrong(&error))?;
    message.transcode_to().map_err(|error| wrong(&error))
}

/// Writes a history, indented.
///
/// # Errors
/// When it holds what the mapping cannot say, such as an `Any` of an unknown type.
pub fn history_to_json(history: &History) -> Result<String, HistoryJsonError> {
    let wrong = |error: &dyn std::fmt::Display| HistoryJsonError(error.to_string());
    let message = DynamicMessage::decode(descriptor().clone(), history.encode_to_vec().as_slice())
        .map_err(|error| wrong(&error))?;
    let value = message
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .map_err(|error| wrong(&error))?;
    serde_json::to_string_pretty(&value).map_err(|error| wrong(&error))
}

fn descriptor() -> &'static MessageDescriptor {
    static DESCRIPTOR: OnceLock<MessageDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(|| {
        let pool = DescriptorPool::decode(include_bytes!("generated/history.binpb").as_slice())
            .expect("codegen wrote the descriptors, and checks them");
        pool.get_message_by_name("temporal.api.history.v1.History").expect("codegen wrote the descriptor of History")
    })
}

/// `TimerFired` becomes `EVENT_TYPE_TIMER_FIRED`, wherever the message has an enum.
fn lengthen_enum_names(value: &mut Value, message: &MessageDescriptor) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        if let Some(field) = field {
            lengthen_in_field(value, &field);
        }
    }
}

fn lengthen_in_field(value: &mut Value, field: &FieldDescriptor) {
    let kind = field.kind();
    if field.is_map() {
        let Kind::Message(entry) = kind else { return };
        let (Some(item), Value::Object(items)) = (entry.get_field(2), value) else { return };
        items.values_mut().for_each(|value| lengthen_value(value, &item.kind()));
    } else if let (true, Value::Array(items)) = (field.is_list(), &mut *value) {
        items.iter_mut().for_each(|value| lengthen_value(value, &kind));
    } else {
        lengthen_value(value, &kind);
    }
}

fn lengthen_value(value: &mut Value, kind: &Kind) {
    match kind {
        Kind::Message(message) => lengthen_enum_names(value, message),
        Kind::Enum(enumeration) => {
            if let Value::String(name) = value
                && let Some(full) = full_name(name, enumeration)
            {
                *name = full;
            }
        }
        _ => (),
    }
}

/// The value whose name, without the prefix that all of them share, is this one in upper case with underscores.
fn full_name(name: &str, enumeration: &EnumDescriptor) -> Option<String> {
    let plain = |text: &str| text.replace('_', "").to_ascii_uppercase();
    let prefix = format!("{}_", screaming(enumeration.name()));
    enumeration
        .values()
        .find(|value| {
            value.name() != name && value.name().strip_prefix(&prefix).is_some_and(|short| plain(short) == plain(name))
        })
        .map(|value| value.name().to_owned())
}

/// `EventType` as `EVENT_TYPE`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(character.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::RetryPolicy;
    use crate::enums::{EventType, TaskQueueKind};
    use crate::history::history_event::Attributes;

    const SHORT: &str = r#"{"events": [{
        "eventId": "1", "eventTime": "2021-05-04T13:00:01.123Z", "eventType": "WorkflowExecutionStarted", "taskId": "7",
        "somethingNew": {"a": 1},
        "workflowExecutionStartedEventAttributes": {
            "workflowType": {"name": "greeting"},
            "taskQueue": {"name": "greetings", "kind": "Normal"},
            "input": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "Ig=="}]},
            "workflowTaskTimeout": "10s", "attempt": 1
        }}]}"#;

    #[test]
    fn short_enum_names_and_unknown_fields_are_read() {
        let history = history_from_json(SHORT).unwrap();
        let event = &history.events[0];
        assert_eq!(event.event_type(), EventType::WorkflowExecutionStarted);
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &event.attributes else { panic!() };
        assert_eq!(started.task_queue.as_ref().unwrap().kind(), TaskQueueKind::Normal);
        assert_eq!(started.input.as_ref().unwrap().payloads[0].metadata["encoding"].as_ref(), b"json/plain");
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let history = history_from_json(SHORT).unwrap();
        let text = history_to_json(&history).unwrap();
        assert!(text.contains("\"eventType\": \"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED\""), "{text}");
        assert!(text.contains("\"eventId\": \"1\""), "{text}");
        assert_eq!(history_from_json(&text).unwrap(), history);
    }

    /// The fast way to read numbers is wrong about the last digit of some, this one among them.
    #[test]
    fn numbers_are_read_to_the_last_digit() {
        let mut history = history_from_json(SHORT).unwrap();
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &mut history.events[0].attributes
        else {
            panic!()
        };
        started.retry_policy =
            Some(RetryPolicy { backoff_coefficient: f64::from_bits(0x4000_0000_001b_0000), ..RetryPolicy::default() });
        assert_eq!(history_from_json(&history_to_json(&history).unwrap()).unwrap(), history);
    }

    #[test]
    fn other_text_is_an_error_that_says_so() {
        for text in ["", "[]", "{\"events\": 7}", "{\"events\": [{\"eventId\": {}}]}"] {
            let error = history_from_json(text).unwrap_err().to_string();
            assert!(error.starts_with("this is not the JSON of a Temporal history: "), "{text}: {error}");
        }
    }
}
