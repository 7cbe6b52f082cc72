//! Values ⇄ Payloads: what leaves a Worker Process or a client is made here, and what arrives is read here.
//!
//! Temporal's server stores and forwards [`Payload`]s without looking into them. A [`DataConverter`] turns values into
//! Payloads and back in up to three steps, of which users can replace each:
//!
//! | step | part | sync? | may fail the |
//! |---|---|---|---|
//! | value ⇄ Payload | [`Value`], [`Arguments`] | yes | task or attempt that it belongs to |
//! | failure ⇄ message | [`FailureConverter`] | yes | never fails |
//! | Payload ⇄ Payload | a chain of [`PayloadCodec`]s (encryption, compression, …) | no | task or attempt, which is retried |
//!
//! The encodings are those of the other SDKs, so that workers in different languages understand each other:
//! `json/plain`, `binary/null` and `binary/plain` (<https://docs.temporal.io/default-custom-data-converters>).
//!
//! ```
//! use timewright_converter::{DataConverter, Payload};
//!
//! let converter = DataConverter::default();
//! let payload = converter.to_payload(&vec!["Ada", "Grace"].into_iter().map(String::from).collect::<Vec<_>>())?;
//! assert_eq!(payload.metadata["encoding"].as_ref(), b"json/plain");
//! assert_eq!(payload.data.as_ref(), br#"["Ada","Grace"]"#);
//!
//! let names: Vec<String> = converter.from_payload(payload)?;
//! assert_eq!(names, ["Ada", "Grace"]);
//! # Ok::<(), timewright_converter::ConversionError>(())
//! ```
#![forbid(unsafe_code)]

mod application_failure;
mod arguments;
mod codec;
mod concurrent;
mod conversion_error;
mod data_converter;
mod disguised;
mod encoding;
mod failure;
mod failure_converter;
mod from_error;
mod system_payload;
mod value;

pub use application_failure::ApplicationFailure;
pub use arguments::{Arguments, Multiple, RawArguments};
pub use codec::{CodecError, PayloadCodec};
pub use conversion_error::ConversionError;
pub use data_converter::DataConverter;
#[doc(hidden)]
pub use disguised::{look_behind, show_if_looked_for};
pub use failure::{
    ErrorCategory, Failure, FailureKind, MAXIMUM_CAUSES, NexusRetryBehavior, RetryState, SOURCE, TimeoutType, is_benign,
};
pub use failure_converter::{DefaultFailureConverter, FailureConverter};
pub use system_payload::{read_signal_with_start_payload, signal_with_start_payload};
pub use value::{RawValue, Value, WritableValue};

/// A future on the heap, as [`PayloadCodec`] returns them.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One serialised value: data, and metadata that says how it is encoded.
pub use timewright_proto::common::Payload;
