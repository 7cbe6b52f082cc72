//! Messages and enums inside values that are serialised with serde: as the bytes, and the numbers, that they are on the wire.

use std::fmt;

use prost::Message;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::temporal::api::deployment::v1::WorkerDeploymentVersion;
use crate::temporal::api::sdk::v1::EventGroupMarker;
use crate::temporal::api::workflow::v1::VersioningOverride;
use crate::{common, enums, failure, history};

/// Bytes that need not be owned.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Reads the message while the bytes are there, so that they are never copied.
struct Reader<M>(std::marker::PhantomData<M>);

impl<M: Message + Default> Visitor<'_> for Reader<M> {
    type Value = M;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a protobuf message")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<M, E> {
        M::decode(bytes).map_err(E::custom)
    }
}

macro_rules! messages {
    ($($message:ty),* $(,)?) => {$(
        impl Serialize for $message {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Bytes(&self.encode_to_vec()).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $message {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_bytes(Reader(std::marker::PhantomData))
            }
        }
    )*};
}

macro_rules! enums {
    ($number:ident => $read:expr; $($name:ty),* $(,)?) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                (*self as i32).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $number = i32::deserialize(deserializer)?;
                $read
            }
        }
    )*};
}

messages! {
    common::Header,
    common::Memo,
    common::Payload,
    common::Priority,
    common::RetryPolicy,
    common::SearchAttributes,
    failure::Failure,
    history::WorkflowExecutionStartedEventAttributes,
    EventGroupMarker,
    VersioningOverride,
    WorkerDeploymentVersion,
}

// What a server says. One that it has learned since this was compiled is one that is not specified.
enums! {
    number => Ok(Self::try_from(number).unwrap_or_default());
    enums::CancelExternalWorkflowExecutionFailedCause,
    enums::SignalExternalWorkflowExecutionFailedCause,
    enums::StartChildWorkflowExecutionFailedCause,
    enums::SuggestContinueAsNewReason,
}

// What a server is told, where another choice would mean another thing.
enums! {
    number => Self::try_from(number).map_err(D::Error::custom);
    enums::ContinueAsNewVersioningBehavior,
    enums::ParentClosePolicy,
    enums::WorkflowIdReusePolicy,
    enums::WorkflowTaskFailedCause,
}
