//! Where the Payloads of a message are.
//!
//! The implementations are generated from the wire facts, so that a codec reaches **every** Payload: those in nested
//! failure causes, encoded attributes, headers, memos, markers and user metadata too. Search attributes are left out on
//! purpose: the server must read them. What stands inside a `google.protobuf.Any` (the body of an Update's message) is
//! reached after it has been unpacked.

use crate::common::Payload;

/// A place in a message where Payloads stand.
#[derive(Debug)]
pub enum PayloadSlot<'a> {
    /// Exactly one Payload; a codec must put one back.
    One(&'a mut Payload),
    /// A list, such as the arguments of a call; a codec may put back another number.
    Many(&'a mut Vec<Payload>),
}

/// A message that can hold Payloads.
///
/// ```
/// use timewright_proto::common::Payload;
/// use timewright_proto::failure::Failure;
/// use timewright_proto::{CollectPayloads, PayloadSlot};
///
/// let mut failure = Failure { encoded_attributes: Some(Payload::default()), ..Failure::default() };
/// let mut slots = Vec::new();
/// failure.collect_payloads(&mut slots);
/// assert!(matches!(slots.as_slice(), [PayloadSlot::One(_)]));
/// ```
pub trait CollectPayloads {
    /// Appends every place of this message, and of the messages in it, where Payloads stand, in the order of the fields.
    fn collect_payloads<'a>(&'a mut self, slots: &mut Vec<PayloadSlot<'a>>);
}
