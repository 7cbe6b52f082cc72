//! The metadata key `encoding` and its values, which all SDKs share.

use timewright_proto::Bytes;
use timewright_proto::common::Payload;

/// The metadata key that says how a Payload's data is encoded.
pub(crate) const ENCODING: &str = "encoding";
/// JSON text.
pub(crate) const JSON_PLAIN: &str = "json/plain";
/// Nothing: null, none, unit. Without data.
pub(crate) const BINARY_NULL: &str = "binary/null";
/// Bytes as they are.
pub(crate) const BINARY_PLAIN: &str = "binary/plain";

/// A protobuf message; the metadata key `messageType` says which.
pub(crate) const BINARY_PROTOBUF: &str = "binary/protobuf";

/// A Payload with this encoding and this data.
pub(crate) fn payload(encoding: &'static str, data: impl Into<Bytes>) -> Payload {
    Payload {
        metadata: [(ENCODING.to_owned(), Bytes::from_static(encoding.as_bytes()))].into(),
        data: data.into(),
        ..Payload::default()
    }
}

/// The Payload of null.
pub(crate) fn null() -> Payload {
    payload(BINARY_NULL, Bytes::new())
}

/// What the Payload says of itself; `None` where it says nothing.
pub(crate) fn of(payload: &Payload) -> Option<&[u8]> {
    payload.metadata.get(ENCODING).map(AsRef::as_ref)
}
