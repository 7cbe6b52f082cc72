//! All steps between values and what travels, in one handle.

use std::fmt;
use std::sync::Arc;

use timewright_proto::{CollectPayloads, PayloadSlot, failure};

use crate::codec::Direction;
use crate::system_payload::{SystemPayload, signal_with_start_payload};
use crate::{
    Arguments, BoxFuture, CodecError, ConversionError, DefaultFailureConverter, Failure, FailureConverter, Payload,
    PayloadCodec, Value, concurrent,
};

/// How many places of a message a codec works on at the same time.
const CONCURRENT_SLOTS: usize = 16;

/// Values ⇄ Payloads, failures ⇄ messages, and the chain of Payload Codecs.
///
/// A client has one, which its workers use too; cloning is cheap. All processes that share a Task Queue need equal ones.
/// See <https://docs.temporal.io/dataconversion>.
///
/// ```
/// use timewright_converter::{DataConverter, DefaultFailureConverter};
///
/// // With encrypting codecs, hide messages and stack traces of failures from the server too.
/// let converter = DataConverter::default()
///     .with_failure_converter(DefaultFailureConverter { encode_common_attributes: true });
/// assert!(!converter.has_codecs());
/// ```
#[derive(Clone)]
pub struct DataConverter {
    codecs: Arc<[Arc<dyn PayloadCodec>]>,
    failure_converter: Arc<dyn FailureConverter>,
}

impl DataConverter {
    /// Appends a codec. On the way out codecs run in the order in which they were added, on the way in in the opposite one;
    /// so add compression before encryption.
    #[must_use]
    pub fn with_codec(mut self, codec: impl PayloadCodec) -> Self {
        let added: Arc<dyn PayloadCodec> = Arc::new(codec);
        self.codecs = self.codecs.iter().cloned().chain([added]).collect();
        self
    }

    /// Replaces the Failure Converter.
    #[must_use]
    pub fn with_failure_converter(mut self, converter: impl FailureConverter) -> Self {
        self.failure_converter = Arc::new(converter);
        self
    }

    /// Whether there is any codec. Without, [`encode`](Self::encode) and [`decode`](Self::decode) do nothing.
    #[must_use]
    pub fn has_codecs(&self) -> bool {
        !self.codecs.is_empty()
    }

    /// Serialises one value.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub fn to_payload<T: Value>(&self, value: &T) -> Result<Payload, ConversionError> {
        value.to_payload()
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the Payload is not such a value.
    pub fn from_payload<T: Value>(&self, payload: Payload) -> Result<T, ConversionError> {
        T::from_payload(payload)
    }

    /// Serialises the arguments of a call.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn to_arguments<A: Arguments>(&self, arguments: &A) -> Result<Vec<Payload>, ConversionError> {
        arguments.to_payloads()
    }

    /// Reads the arguments of a call.
    ///
    /// # Errors
    /// When one of them cannot be read, is missing, or when there are too many.
    pub fn from_arguments<A: Arguments>(&self, payloads: Vec<Payload>) -> Result<A, ConversionError> {
        A::from_payloads(payloads)
    }

    /// A failure as it travels. Its Payloads are not encoded yet: [`encode`](Self::encode) the message that it becomes part of.
    #[must_use]
    pub fn failure_to_proto(&self, failure: &Failure) -> failure::Failure {
        self.failure_converter.serialize(failure)
    }

    /// Reads a failure, whose message has been [`decode`](Self::decode)d.
    #[must_use]
    pub fn failure_from_proto(&self, failure: failure::Failure) -> Failure {
        self.failure_converter.deserialize(failure)
    }

    /// Runs every Payload of a message that is to be sent through the codecs.
    ///
    /// # Errors
    /// When a codec fails. The message then has lost its Payloads, so that nothing can be sent in the clear by mistake.
    pub async fn encode<M: CollectPayloads>(&self, message: &mut M) -> Result<(), CodecError> {
        if self.has_codecs() { self.convert(message, Direction::Encode, true).await } else { Ok(()) }
    }

    /// Runs every Payload of a message that was received through the codecs.
    ///
    /// # Errors
    /// When a codec fails. The message then has lost its Payloads.
    pub async fn decode<M: CollectPayloads>(&self, message: &mut M) -> Result<(), CodecError> {
        if self.has_codecs() { self.convert(message, Direction::Decode, true).await } else { Ok(()) }
    }

    /// In a box, and for a message of any kind, so that it is compiled once and not for each kind; where there are no codecs, nobody
    /// comes here.
    fn convert<'a>(
        &'a self,
        message: &'a mut dyn CollectPayloads,
        direction: Direction,
        is_outermost: bool,
    ) -> BoxFuture<'a, Result<(), CodecError>> {
        Box::pin(self.convert_slots(message, direction, is_outermost))
    }

    /// `is_outermost`: what looks like a request to the server inside such a request is data of users. So a Payload that somebody
    /// has made of thousands of them is no deeper than two.
    async fn convert_slots(
        &self,
        message: &mut dyn CollectPayloads,
        direction: Direction,
        is_outermost: bool,
    ) -> Result<(), CodecError> {
        // All Payloads are taken out first, so that no half-encoded message exists, and nothing borrows it meanwhile.
        let mut slots = Vec::new();
        message.collect_payloads(&mut slots);
        let taken: Vec<(Arity, Vec<Payload>)> = slots.into_iter().map(take).collect();
        let converted = concurrent::try_all(
            taken
                .into_iter()
                .map(|(arity, payloads)| Box::pin(self.run_chain(arity, payloads, direction, is_outermost)) as _),
            CONCURRENT_SLOTS,
        )
        .await?;
        let mut slots = Vec::new();
        message.collect_payloads(&mut slots);
        for (slot, payloads) in slots.into_iter().zip(converted) {
            put(slot, payloads);
        }
        Ok(())
    }

    async fn run_chain(
        &self,
        arity: Arity,
        mut payloads: Vec<Payload>,
        direction: Direction,
        is_outermost: bool,
    ) -> Result<Vec<Payload>, CodecError> {
        if payloads.is_empty() {
            return Ok(payloads);
        }
        if is_outermost
            && arity == Arity::One
            && let Some(of_server) = SystemPayload::read(&payloads[0])
        {
            if let SystemPayload::Request(mut request) = of_server {
                // What it holds, where the request itself travels as a Payload.
                self.convert(&mut *request, direction, false).await?;
                payloads[0] = signal_with_start_payload(&request);
            }
            return Ok(payloads);
        }
        let mut codecs: Vec<&dyn PayloadCodec> = self.codecs.iter().map(AsRef::as_ref).collect();
        if direction == Direction::Decode {
            codecs.reverse();
        }
        for codec in codecs {
            payloads = match direction {
                Direction::Encode => codec.encode(payloads).await,
                Direction::Decode => codec.decode(payloads).await,
            }
            .map_err(|error| error.at(codec.name(), direction))?;
            if arity == Arity::One && payloads.len() != 1 {
                let error =
                    CodecError::new(format!("it made {} Payloads of one, where only one can stand", payloads.len()));
                return Err(error.at(codec.name(), direction));
            }
        }
        Ok(payloads)
    }
}

impl Default for DataConverter {
    /// No codecs, and the [`DefaultFailureConverter`].
    fn default() -> Self {
        Self { codecs: Arc::new([]), failure_converter: Arc::new(DefaultFailureConverter::default()) }
    }
}

impl fmt::Debug for DataConverter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codecs: Vec<&str> = self.codecs.iter().map(|codec| codec.name()).collect();
        formatter.debug_struct("DataConverter").field("codecs", &codecs).finish_non_exhaustive()
    }
}

/// How many Payloads a place can hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Arity {
    One,
    Many,
}

fn take(slot: PayloadSlot<'_>) -> (Arity, Vec<Payload>) {
    match slot {
        PayloadSlot::One(payload) => (Arity::One, vec![std::mem::take(payload)]),
        PayloadSlot::Many(payloads) => (Arity::Many, std::mem::take(payloads)),
    }
}

fn put(slot: PayloadSlot<'_>, payloads: Vec<Payload>) {
    match slot {
        PayloadSlot::One(place) => *place = payloads.into_iter().next().unwrap_or_default(),
        PayloadSlot::Many(place) => *place = payloads,
    }
}
