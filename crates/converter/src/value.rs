//! One value ⇄ one Payload.

use std::any::{Any, TypeId, type_name};

use serde::Serialize;
use serde::de::DeserializeOwned;
use timewright_proto::Bytes;

use crate::conversion_error::{ConversionError, without_values};
use crate::{Payload, encoding};

/// A value that can travel in a Payload: input, output, details, memo.
///
/// Whatever serde can serialise and deserialise has it already:
///
/// | Rust | Payload |
/// |---|---|
/// | what serde writes as JSON `null`: `()`, `None`, unit structs | encoding `binary/null`, no data |
/// | `Vec<u8>` and `Option<Vec<u8>>` themselves (not inside another type) | encoding `binary/plain`, the bytes |
/// | everything else | encoding `json/plain`, JSON |
///
/// Reading goes by the encoding that the Payload names, so that an `Option<T>` takes `binary/null` and a `Vec<u8>` also takes
/// a JSON array of numbers. JSON has no NaN and no infinities: serde writes them as null, and an `f64` cannot be read back
/// from that.
///
/// A type that is not serde's can implement this trait itself.
///
/// ```
/// use timewright_converter::Value;
///
/// assert_eq!(7_u32.to_payload()?.data.as_ref(), b"7");
/// assert_eq!(None::<u32>.to_payload()?.metadata["encoding"].as_ref(), b"binary/null");
/// assert_eq!(Option::<u32>::from_payload(None::<u32>.to_payload()?)?, None);
/// assert_eq!(b"bytes".to_vec().to_payload()?.metadata["encoding"].as_ref(), b"binary/plain");
/// # Ok::<(), timewright_converter::ConversionError>(())
/// ```
///
/// A type that serde cannot read and write is refused when the program is compiled:
///
/// ```compile_fail,E0277
/// use timewright_converter::Value;
///
/// struct Opaque;
/// Opaque.to_payload().expect("never compiled");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a Payload",
    label = "not a `Value`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; it must own its data (`String`, not `&str`)"
)]
pub trait Value: Sized + 'static {
    /// Serialises the value.
    ///
    /// # Errors
    /// When the value cannot be written, such as a map whose keys are no text in JSON.
    fn to_payload(&self) -> Result<Payload, ConversionError>;

    /// Reads a value.
    ///
    /// # Errors
    /// When the Payload's encoding is missing, unknown, or not one that this type can be read from, or its data is not such
    /// a value.
    fn from_payload(payload: Payload) -> Result<Self, ConversionError>;
}

/// What can be written into a Payload, whether or not it could be read again: a field of a memo, say, from a text literal.
/// A text that is borrowed for a shorter time is made one's own first: `name.to_owned()`.
/// Whatever serde can serialise has it, and [`RawValue`]. It is written as a [`Value`] of that type is. A type that
/// implements [`Value`] itself, without serde, implements this, too.
///
/// ```
/// use timewright_converter::WritableValue;
///
/// assert_eq!("text".write_payload()?.data.as_ref(), br#""text""#);
/// # Ok::<(), timewright_converter::ConversionError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written into a Payload",
    label = "not a `WritableValue`",
    note = "derive `serde::Serialize` for it"
)]
pub trait WritableValue {
    /// Serialises the value.
    ///
    /// # Errors
    /// When the value cannot be written, such as a map whose keys are no text in JSON.
    fn write_payload(&self) -> Result<Payload, ConversionError>;
}

impl WritableValue for RawValue {
    fn write_payload(&self) -> Result<Payload, ConversionError> {
        Ok(self.0.clone())
    }
}

impl<T: Serialize + 'static> WritableValue for T {
    fn write_payload(&self) -> Result<Payload, ConversionError> {
        write(self)
    }
}

/// A Payload as it is, neither serialised nor read. For code that passes values on without knowing them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawValue(pub Payload);

impl Value for RawValue {
    fn to_payload(&self) -> Result<Payload, ConversionError> {
        Ok(self.0.clone())
    }

    fn from_payload(payload: Payload) -> Result<Self, ConversionError> {
        Ok(Self(payload))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Value for T {
    fn to_payload(&self) -> Result<Payload, ConversionError> {
        write(self)
    }

    fn from_payload(payload: Payload) -> Result<Self, ConversionError> {
        let rust_type = type_name::<T>();
        match known_encoding(&payload, rust_type)? {
            encoding::BINARY_PLAIN => from_bytes(payload.data),
            encoding => serde_json::from_slice(json(encoding, &payload))
                .map_err(|error| unreadable(rust_type, encoding, &error)),
        }
    }
}

// From here on what needs no type parameter has none: each type of each program that is read would have it compiled again.

fn known_encoding(payload: &Payload, rust_type: &'static str) -> Result<&'static str, ConversionError> {
    let found = encoding::of(payload).ok_or(ConversionError::NoEncoding { rust_type })?;
    [encoding::JSON_PLAIN, encoding::BINARY_NULL, encoding::BINARY_PLAIN]
        .into_iter()
        .find(|known| known.as_bytes() == found)
        .ok_or_else(|| ConversionError::UnknownEncoding { rust_type, encoding: found.escape_ascii().to_string() })
}

fn json<'a>(encoding: &str, payload: &'a Payload) -> &'a [u8] {
    if encoding == encoding::BINARY_NULL { b"null" } else { &payload.data }
}

fn unreadable(rust_type: &'static str, encoding: &'static str, error: &serde_json::Error) -> ConversionError {
    let mut reason = without_values(&error.to_string());
    if encoding == encoding::BINARY_NULL {
        // There is no text in which this were a place.
        let place = format!(" at line {} column {}", error.line(), error.column());
        reason.truncate(reason.strip_suffix(&place).map_or(reason.len(), str::len));
    }
    ConversionError::Deserialize { rust_type, encoding, reason }
}

fn write<T: Serialize + 'static>(value: &T) -> Result<Payload, ConversionError> {
    if let Some(bytes) = as_bytes(value) {
        return Ok(encoding::payload(encoding::BINARY_PLAIN, bytes.clone()));
    }
    written(serde_json::to_vec(value), type_name::<T>())
}

fn written(json: serde_json::Result<Vec<u8>>, rust_type: &'static str) -> Result<Payload, ConversionError> {
    match json {
        Ok(json) if json == b"null" => Ok(encoding::null()),
        Ok(json) => Ok(encoding::payload(encoding::JSON_PLAIN, json)),
        Err(error) => {
            Err(ConversionError::Serialize { rust_type, encoding: encoding::JSON_PLAIN, reason: error.to_string() })
        }
    }
}

/// The bytes that a value is. `T` is `Vec<u8>` or it is not; the type system cannot say "if it is", `Any` can.
fn as_bytes<T: 'static>(value: &T) -> Option<&Vec<u8>> {
    let value: &dyn Any = value;
    value.downcast_ref::<Vec<u8>>().or_else(|| value.downcast_ref::<Option<Vec<u8>>>()?.as_ref())
}

fn from_bytes<T: 'static>(data: Bytes) -> Result<T, ConversionError> {
    let mut value: Option<T> = None;
    let place: &mut dyn Any = &mut value;
    if let Some(bytes) = place.downcast_mut::<Option<Vec<u8>>>() {
        *bytes = Some(data.into());
    } else if let Some(bytes) = place.downcast_mut::<Option<Option<Vec<u8>>>>() {
        *bytes = Some(Some(data.into()));
    }
    value.ok_or_else(|| ConversionError::Deserialize {
        rust_type: type_name::<T>(),
        encoding: encoding::BINARY_PLAIN,
        reason: "bytes can only be read as Vec<u8>".to_owned(),
    })
}

/// Whether `T` is `()`.
pub(crate) fn is_unit<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Greeting {
        name: String,
        language: Option<String>,
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Unit;

    /// `encoding data`, as one reads it.
    fn shown<T: Value>(value: &T) -> String {
        let payload = value.to_payload().unwrap();
        format!("{} {}", payload.metadata["encoding"].escape_ascii(), payload.data.escape_ascii())
    }

    fn read<T: Value>(encoding: &'static str, data: &'static str) -> Result<T, String> {
        T::from_payload(encoding::payload(encoding, data)).map_err(|error| error.to_string())
    }

    #[test]
    fn encodings() {
        assert_eq!(shown(&()), "binary/null ");
        assert_eq!(shown(&Unit), "binary/null ");
        assert_eq!(shown(&None::<Greeting>), "binary/null ");
        assert_eq!(shown(&f64::NAN), "binary/null ");
        assert_eq!(shown(&b"\x00\xff".to_vec()), r"binary/plain \x00\xff");
        assert_eq!(shown(&Some(b"\x00\xff".to_vec())), r"binary/plain \x00\xff");
        assert_eq!(shown(&None::<Vec<u8>>), "binary/null ");
        assert_eq!(shown(&vec![b"a".to_vec()]), "json/plain [[97]]");
        assert_eq!(shown(&"text".to_owned()), r#"json/plain \"text\""#);
        assert_eq!(
            shown(&Greeting { name: "Ada".into(), language: None }),
            r#"json/plain {\"name\":\"Ada\",\"language\":null}"#
        );
        assert_eq!(
            RawValue(encoding::payload("binary/other", "x")).to_payload().unwrap(),
            encoding::payload("binary/other", "x")
        );
    }

    #[test]
    fn reading_goes_by_the_encoding_found() {
        assert_eq!(read("json/plain", r#"{"name":"Ada"}"#), Ok(Greeting { name: "Ada".into(), language: None }));
        assert_eq!(read("json/plain", "null"), Ok(None::<Greeting>));
        assert_eq!(read("binary/null", ""), Ok(None::<Greeting>));
        assert_eq!(read("binary/null", ""), Ok(()));
        assert_eq!(read("binary/null", ""), Ok(Unit));
        assert_eq!(read("binary/plain", "ab"), Ok(b"ab".to_vec()));
        assert_eq!(read("json/plain", "[97,98]"), Ok(b"ab".to_vec()));
        assert_eq!(read("binary/plain", ""), Ok(Some(Vec::<u8>::new())));
        assert_eq!(read("binary/plain", "ab"), Ok(Some(b"ab".to_vec())));
        assert_eq!(read("binary/null", ""), Ok(None::<Vec<u8>>));
        assert_eq!(read("anything", "at all").map(|RawValue(payload)| payload.data), Ok("at all".into()));
    }

    #[test]
    fn errors_name_type_encoding_and_expectation() {
        let greeting = "timewright_converter::value::tests::Greeting";
        assert_eq!(
            read::<Greeting>("json/plain", r#"{"nom":"Ada"}"#),
            Err(format!(
                "a Payload with encoding `json/plain` cannot be read as {greeting}: missing field `name` at line 1 column 13"
            ))
        );
        assert_eq!(
            read::<u32>("binary/null", ""),
            Err("a Payload with encoding `binary/null` cannot be read as u32: invalid type: null, expected u32".into())
        );
        assert_eq!(
            read::<String>("binary/plain", "ab"),
            Err("a Payload with encoding `binary/plain` cannot be read as alloc::string::String: bytes can only be read as \
                 Vec<u8>"
                .into())
        );
        assert_eq!(
            read::<u32>("binary/encrypted", "ab"),
            Err("a Payload with encoding `binary/encrypted` cannot be read as u32: expected one of json/plain, binary/null, \
                 binary/plain. If a Payload Codec wrote it, this Data Converter needs the same codec"
                .into())
        );
        assert_eq!(
            u32::from_payload(Payload::default()).unwrap_err().to_string(),
            "a Payload that names no encoding cannot be read as u32: expected the metadata key `encoding` with one of \
             json/plain, binary/null, binary/plain"
        );
    }

    #[test]
    fn what_serde_cannot_write_is_an_error() {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        // A map with such keys is a Value by its type; only its value shows that JSON has no such keys.
        #[derive(Serialize, Deserialize)]
        struct Table(std::collections::BTreeMap<(i32, i32), i32>);
        assert_eq!(
            Table(map).to_payload().unwrap_err().to_string(),
            "a value of type timewright_converter::value::tests::what_serde_cannot_write_is_an_error::Table cannot be written \
             as `json/plain`: key must be a string"
        );
    }
}
