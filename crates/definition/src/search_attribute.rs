//! Values by which workflows can be found.

use std::collections::BTreeMap;
use std::time::SystemTime;

use timewright_converter::{ConversionError, Payload, Value};
use timewright_proto::prost_types::Timestamp;

use crate::search_attribute_key::{SearchAttributeKind, search_attribute_kind as kind};

/// The value of a search attribute. Its kind must be the one that the attribute was registered with in the namespace.
///
/// The server reads it, so no Payload Codec touches it: nothing secret belongs here.
/// <https://docs.temporal.io/search-attribute>
///
/// ```
/// use timewright_definition::SearchAttributeValue;
///
/// let payload = SearchAttributeValue::Keyword("gold".to_owned()).to_payload()?;
/// assert_eq!(payload.data.as_ref(), b"\"gold\"");
/// assert_eq!(payload.metadata["type"].as_ref(), b"Keyword");
/// # Ok::<(), timewright_converter::ConversionError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SearchAttributeValue {
    /// Yes or no.
    Bool(bool),
    /// A point in time.
    Datetime(SystemTime),
    /// A number.
    Double(f64),
    /// A whole number.
    Int(i64),
    /// A text that is found as a whole.
    Keyword(String),
    /// Several such texts, each of which is found.
    KeywordList(Vec<String>),
    /// A text whose words are found.
    Text(String),
}

impl SearchAttributeValue {
    /// As it travels: JSON, and beside it the kind.
    ///
    /// # Errors
    /// Never, as far as we know: all of these can be written.
    pub fn to_payload(&self) -> Result<Payload, ConversionError> {
        let (kind, payload) = match self {
            Self::Bool(value) => ("Bool", value.to_payload()?),
            Self::Datetime(value) => ("Datetime", Timestamp::from(*value).to_string().to_payload()?),
            Self::Double(value) => ("Double", value.to_payload()?),
            Self::Int(value) => ("Int", value.to_payload()?),
            Self::Keyword(value) => ("Keyword", value.to_payload()?),
            Self::KeywordList(values) => ("KeywordList", values.to_payload()?),
            Self::Text(value) => ("Text", value.to_payload()?),
        };
        let kind = BTreeMap::from([("type".to_owned(), kind.into())]);
        Ok(Payload { metadata: payload.metadata.into_iter().chain(kind).collect(), ..payload })
    }

    /// The value that a Payload has, of the kind that it names; `None` for one that says that there is none. Usually
    /// [`SearchAttributeKey`](crate::SearchAttributeKey) is the shorter way.
    ///
    /// # Errors
    /// If it names no kind that is known here, or the value is of another.
    pub fn from_payload(payload: &Payload) -> Result<Option<Self>, ConversionError> {
        fn read<K: SearchAttributeKind>(payload: &Payload) -> Result<Option<SearchAttributeValue>, ConversionError> {
            Ok(K::read(payload)?.map(K::to_search_attribute))
        }
        let kind = payload.metadata.get("type").map(AsRef::<[u8]>::as_ref).unwrap_or_default();
        match kind {
            b"Bool" => read::<kind::Bool>(payload),
            b"Datetime" => read::<kind::Datetime>(payload),
            b"Double" => read::<kind::Double>(payload),
            b"Int" => read::<kind::Int>(payload),
            b"Keyword" => read::<kind::Keyword>(payload),
            b"KeywordList" => read::<kind::KeywordList>(payload),
            b"Text" => read::<kind::Text>(payload),
            _ if Option::<()>::from_payload(payload.clone()).is_ok() => Ok(None),
            _ => Err(ConversionError::Deserialize {
                rust_type: "SearchAttributeValue",
                encoding: "json/plain",
                reason: format!("its kind is {:?}, which is none that is known here", String::from_utf8_lossy(kind)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_kind_is_written_as_the_server_reads_it() {
        for (value, kind, data) in [
            (SearchAttributeValue::Bool(true), "Bool", "true"),
            (SearchAttributeValue::Double(1.5), "Double", "1.5"),
            (SearchAttributeValue::Int(-3), "Int", "-3"),
            (SearchAttributeValue::Keyword("a b".into()), "Keyword", "\"a b\""),
            (SearchAttributeValue::KeywordList(vec!["a".into(), "b".into()]), "KeywordList", "[\"a\",\"b\"]"),
            (SearchAttributeValue::Text("a b".into()), "Text", "\"a b\""),
            (
                SearchAttributeValue::Datetime(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)),
                "Datetime",
                "\"1970-01-01T00:00:01.500Z\"",
            ),
        ] {
            let payload = value.to_payload().expect("written");
            assert_eq!(payload.metadata["type"].as_ref(), kind.as_bytes());
            assert_eq!(payload.metadata["encoding"].as_ref(), b"json/plain");
            assert_eq!(String::from_utf8_lossy(&payload.data), data);
        }
    }
}
