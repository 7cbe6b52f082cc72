//! What values search attributes can have.
//!
//! Facts (server 1.32):
//! - A `Keyword` is a text, or a list of one; a `KeywordList` is a list of texts. Null and the empty list take the
//!   attribute away. (Values of other types are not looked at by the model.)
//! - A value has at most 2 048 bytes, as it is encoded.
//! - The server's own attributes, such as `WorkflowType`, cannot be set.

use std::fmt;

use timewright_proto::common::{Payload, SearchAttributes};

/// Whether each value fits its type, which the Payload names; or what the server says.
pub(crate) fn check_values(attributes: &SearchAttributes) -> Result<(), String> {
    for (name, payload) in &attributes.indexed_fields {
        let kind = payload.metadata.get("type").map(|kind| String::from_utf8_lossy(kind)).unwrap_or_default();
        let value = Value::of(payload);
        let fits = match (kind.as_ref(), &value) {
            (_, Value::Null) => true,
            ("Keyword", Value::List(values)) => values.len() < 2 && values.iter().all(Value::is_text),
            ("Keyword", value) => value.is_text(),
            ("KeywordList", Value::List(values)) => values.iter().all(Value::is_text),
            ("KeywordList", _) => false,
            _ => true,
        };
        if !fits {
            return Err(format!("invalid value for search attribute {name} of type {kind}: {value}"));
        }
    }
    Ok(())
}

/// Whether no value is too long.
pub(crate) fn check_sizes(attributes: &SearchAttributes) -> Result<(), String> {
    for (name, payload) in &attributes.indexed_fields {
        let size = payload.data.len();
        if size > LARGEST_VALUE {
            return Err(format!("search attribute {name} value size {size} exceeds size limit {LARGEST_VALUE}"));
        }
    }
    Ok(())
}

/// Whether the attribute is the server's own.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// JSON, as far as search attributes need it.
#[derive(Debug)]
enum Value {
    Null,
    Text(String),
    List(Vec<Value>),
    /// Numbers and the like.
    Other(String),
}

impl Value {
    fn of(payload: &Payload) -> Self {
        let is_null = payload.metadata.get("encoding").is_some_and(|encoding| encoding.as_ref() == b"binary/null");
        if is_null { Self::Null } else { Self::parse(String::from_utf8_lossy(&payload.data).trim()) }
    }

    fn parse(text: &str) -> Self {
        if text == "null" {
            return Self::Null;
        }
        if let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            return Self::Text(text.to_owned());
        }
        match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::trim) {
            Some("") => Self::List(Vec::new()),
            Some(items) => Self::List(split(items).into_iter().map(|item| Self::parse(item.trim())).collect()),
            None => Self::Other(text.to_owned()),
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("<nil>"),
            Self::Text(text) | Self::Other(text) => formatter.write_str(text),
            Self::List(values) => {
                let texts: Vec<String> = values.iter().map(Self::to_string).collect();
                write!(formatter, "[{}]", texts.join(" "))
            }
        }
    }
}

/// At the commas that are not inside of a text.
fn split(items: &str) -> Vec<&str> {
    let (mut parts, mut start, mut in_text, mut escaped) = (Vec::new(), 0, false, false);
    for (index, character) in items.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = in_text,
            '"' => in_text = !in_text,
            ',' if !in_text => {
                parts.push(&items[start..index]);
                start = index + 1;
            }
            _ => (),
        }
    }
    parts.push(&items[start..]);
    parts
}

const LARGEST_VALUE: usize = 2_048;
const RESERVED: [&str; 16] = [
    "CloseTime",
    "ExecutionDuration",
    "ExecutionStatus",
    "ExecutionTime",
    "HistoryLength",
    "HistorySizeBytes",
    "ParentRunId",
    "ParentWorkflowId",
    "RootRunId",
    "RootWorkflowId",
    "RunId",
    "StartTime",
    "StateTransitionCount",
    "TaskQueue",
    "WorkflowId",
    "WorkflowType",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_texts_split_nothing() {
        assert_eq!(split(r#""a,b","c\",d",5"#), [r#""a,b""#, r#""c\",d""#, "5"]);
        assert_eq!(Value::parse(r#"["a,b", 5, null]"#).to_string(), "[a,b 5 <nil>]");
    }
}
