//! Temporal's wire messages and gRPC stubs.
//!
//! The facts come from a running Temporal Server's own reflection (`cargo xtask codegen --from-server`), the Rust from
//! those facts (`cargo xtask codegen`), and both are committed: whoever uses this crate needs neither protoc nor a build
//! script. `bytes` fields are [`bytes::Bytes`], so that Payloads are slices of the buffer they arrived in; maps are ordered.
//!
//! - Messages are at their protobuf path, [`temporal::api`]; the packages used most have short names here ([`common`],
//!   [`history`], …).
//! - Feature `grpc` adds the client stubs ([`workflow_service_client`](temporal::api::workflowservice::v1)) and tonic.
//! - Without feature `all-rpcs` there is what Timewright itself calls, which is about half: what is compiled is what every worker
//!   waits for. With it there is everything that a server describes: Schedules, batches, lists and counts of workflows, Nexus Operations
//!   outside of workflows, namespaces, OperatorService, gRPC health. "no method named …" about a stub means that this feature is missing.
//! - Messages have a `prost::Name` only where they travel in an `Any`.
//! - [`CollectPayloads`] finds every Payload of a message.
//! - Feature `serde` lets some messages be parts of values that are serialised, as their bytes.
//! - Feature `json` adds `json`: histories as Temporal's CLI, Web UI and other SDKs write them.
#![forbid(unsafe_code)]

#[cfg(feature = "grpc")]
mod codec;
#[cfg(feature = "json")]
pub mod json;
mod payloads;
#[cfg(feature = "serde")]
mod serialized;
pub mod worker_service;

#[allow(missing_docs, clippy::all, rustdoc::all, reason = "generated from wire facts that have few comments")]
mod generated {
    include!("generated/mod.rs");
}
#[allow(clippy::single_match, reason = "generated alike for one place and for many")]
mod payload_map {
    include!("generated/payloads.rs");
}

#[cfg(feature = "grpc")]
use codec::{MessageCodec, unary};
pub use generated::{grpc, temporal};
pub use payloads::{CollectPayloads, PayloadSlot};
pub use temporal::api::command::v1 as command;
pub use temporal::api::common::v1 as common;
pub use temporal::api::enums::v1 as enums;
pub use temporal::api::failure::v1 as failure;
pub use temporal::api::history::v1 as history;
pub use temporal::api::query::v1 as query;
pub use temporal::api::taskqueue::v1 as task_queue;
pub use temporal::api::workflowservice::v1 as workflow_service;

/// The Nexus endpoint that is the server itself: what a workflow may ask of it by an operation, such as a Signal with Start.
pub const SYSTEM_NEXUS_ENDPOINT: &str = "__temporal_system";

/// A duration as it travels. What is longer than protobuf can say becomes the longest that it can, which is 10 000 years.
///
/// ```
/// use std::time::Duration;
/// use timewright_proto::to_duration;
///
/// assert_eq!(to_duration(Duration::from_millis(1_500)).nanos, 500_000_000);
/// assert_eq!(to_duration(Duration::MAX).seconds, 315_576_000_000);
/// ```
#[must_use]
pub fn to_duration(duration: std::time::Duration) -> prost_types::Duration {
    const LONGEST_SECONDS: u64 = 315_576_000_000;
    prost_types::Duration {
        seconds: duration.as_secs().min(LONGEST_SECONDS).cast_signed(),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

/// What a duration that came over the wire means; `None` if it is below zero or not one.
///
/// To be used instead of prost's own conversion, which negates what is below zero and overflows at the smallest of all: one such
/// field in a message would be a panic in whoever reads it.
///
/// ```
/// use std::time::Duration;
/// use timewright_proto::{from_duration, prost_types};
///
/// let of = |seconds, nanos| from_duration(&prost_types::Duration { seconds, nanos });
/// assert_eq!(of(1, 500_000_000), Some(Duration::from_millis(1_500)));
/// assert_eq!(of(i64::MAX, 0), Some(Duration::from_secs(i64::MAX as u64)));
/// for below_zero in [of(-1, 0), of(-1, i32::MAX), of(i64::MIN, 0), of(i64::MIN, i32::MAX), of(0, i32::MIN)] {
///     assert_eq!(below_zero, None);
/// }
/// ```
#[must_use]
pub fn from_duration(duration: &prost_types::Duration) -> Option<std::time::Duration> {
    // In a duration, nanoseconds have the sign of the seconds: none make up for seconds below zero.
    (duration.seconds >= 0).then(|| (*duration).try_into().ok()).flatten()
}

#[doc(no_inline)]
pub use {bytes::Bytes, prost::Message, prost_types};
