//! Payload ⇄ Payload: encryption, compression, storing elsewhere.

use std::error::Error;
use std::{any, fmt};

use crate::{BoxFuture, Payload};

/// Changes Payloads on their way out and back on their way in.
///
/// Codecs run after values have become Payloads, over a whole message at once, outside workflow code and state machines; so
/// they may await. They see every Payload that users' data can be in — arguments, results, details, memos, headers, the
/// attributes of failures and of their causes — but never search attributes, which the server must be able to read.
///
/// A codec that fails, fails the task or the attempt that the message belongs to, which the server then retries; never a
/// workflow, never the worker. It should set a metadata key `encoding` of its own, by which it recognises what it made:
/// Payloads from before the codec was introduced must pass `decode` unchanged.
///
/// See <https://docs.temporal.io/payload-codec>.
///
/// ```
/// use timewright_converter::{BoxFuture, CodecError, DataConverter, Payload, PayloadCodec};
///
/// /// Hides nothing, but shows the shape.
/// struct Reverse;
///
/// impl PayloadCodec for Reverse {
///     fn encode(&self, mut payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
///         Box::pin(async move {
///             for payload in &mut payloads {
///                 payload.data = payload.data.iter().rev().copied().collect();
///             }
///             Ok(payloads)
///         })
///     }
///
///     fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
///         self.encode(payloads)
///     }
/// }
///
/// let converter = DataConverter::default().with_codec(Reverse);
/// ```
pub trait PayloadCodec: Send + Sync + 'static {
    /// What errors call this codec; the last segment of its type's name unless it says otherwise.
    fn name(&self) -> &str {
        crate::from_error::last_segment(any::type_name::<Self>())
    }

    /// Changes Payloads on their way out. Another number may come back for a list of arguments, but not for a place that
    /// holds exactly one.
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>>;

    /// Undoes [`encode`](Self::encode).
    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>>;
}

/// A Payload Codec failed. What it says reaches the server; it must not contain users' data.
#[derive(Debug)]
pub struct CodecError {
    message: String,
    /// The codec's name and what it was doing; known as soon as the error leaves the codec.
    place: Option<(String, Direction)>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Which way Payloads were going.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Encode,
    Decode,
}

impl CodecError {
    /// An error that says what went wrong, such as `key 2026-11 is not known`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, source: None }
    }

    /// The error that led to this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says which codec it was; the innermost codec's own word stands.
    pub(crate) fn at(mut self, codec: &str, direction: Direction) -> Self {
        self.place.get_or_insert_with(|| (codec.to_owned(), direction));
        self
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((codec, Direction::Encode)) => {
                write!(formatter, "Payload Codec {codec} could not encode: {}", self.message)
            }
            Some((codec, Direction::Decode)) => {
                write!(formatter, "Payload Codec {codec} could not decode: {}", self.message)
            }
            None => formatter.write_str(&self.message),
        }
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
