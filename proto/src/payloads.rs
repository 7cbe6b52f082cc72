//! Where the Payloads of a message are.
//!
//! The implementations are generated from the wire facts, so that a codec reaches **every** Payload: those in nested
//! failure causes, encoded attributes, headers, memos, markers and user metadata too. Search attributes are left out on
//! purpose: the server must read them. So is what SDKs note in markers for themselves, and the fields of headers whose names
//! begin with `_`, such as traces: other SDKs read both in the clear. What stands inside a `google.protobuf.Any` (the body of an Update's message) is reached after it has been unpacked.

use std::collections::BTreeMap;

use crate::common::{Payload, Payloads};

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
pub trait CollectPayloads: Send {
    /// Appends every place of this message, and of the messages in it, where Payloads stand, in the order of the fields.
    fn collect_payloads<'a>(&'a mut self, slots: &mut Vec<PayloadSlot<'a>>);
}

/// The details of a marker: user data, and beside it what SDKs note for themselves.
pub(crate) fn collect_marker_details<'a>(
    marker_name: &str,
    details: &'a mut BTreeMap<String, Payloads>,
    slots: &mut Vec<PayloadSlot<'a>>,
) {
    let user_data = details.iter_mut().filter(|(key, _)| !is_note_of_sdk(marker_name, key));
    user_data.for_each(|(_, payloads)| payloads.collect_payloads(slots));
}

/// The fields of a header, but those that are SDKs' and tools' own.
pub(crate) fn collect_header_fields<'a>(fields: &'a mut BTreeMap<String, Payload>, slots: &mut Vec<PayloadSlot<'a>>) {
    let user_data = fields.iter_mut().filter(|(name, _)| !name.starts_with('_'));
    slots.extend(user_data.map(|(_, payload)| PayloadSlot::One(payload)));
}

/// Whether SDKs write this in the clear, also where there are codecs.
fn is_note_of_sdk(marker_name: &str, key: &str) -> bool {
    match marker_name {
        "core_local_activity" => key == "data",
        // The last two were written before 2023.
        "core_patch" => matches!(key, "patch-data" | "patch_id" | "deprecated"),
        "Version" => matches!(key, "change-id" | "version" | "version-search-attribute-updated"),
        "SideEffect" => key == "side-effect-id",
        "MutableSideEffect" => matches!(key, "side-effect-id" | "mutable-side-effect-call-counter"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_headers_that_are_of_sdks_stay_in_the_clear() {
        let field = |name: &str| (name.to_owned(), Payload { data: name.to_owned().into(), ..Payload::default() });
        let fields = [field("_tracer-data"), field("tenant")].into();
        let mut header = crate::common::Header { fields };
        let mut slots = Vec::new();
        header.collect_payloads(&mut slots);
        assert!(matches!(slots.as_slice(), [PayloadSlot::One(payload)] if payload.data == "tenant"), "{slots:?}");
    }

    use crate::command::RecordMarkerCommandAttributes;
    use crate::failure::Failure;
    use crate::history::MarkerRecordedEventAttributes;

    /// The keys of a marker whose Payloads codecs reach.
    fn reached(marker_name: &str, keys: &[&str]) -> Vec<String> {
        let payloads =
            |key: &&str| Payloads { payloads: vec![Payload { data: key.to_string().into(), ..Payload::default() }] };
        let details: BTreeMap<_, _> = keys.iter().map(|key| (key.to_string(), payloads(key))).collect();
        let failure = Some(Failure { encoded_attributes: Some(Payload::default()), ..Failure::default() });
        let mut command = RecordMarkerCommandAttributes {
            marker_name: marker_name.to_owned(),
            details: details.clone(),
            failure: failure.clone(),
            header: None,
        };
        let mut event = MarkerRecordedEventAttributes {
            marker_name: marker_name.to_owned(),
            details,
            failure,
            ..MarkerRecordedEventAttributes::default()
        };
        let of_command = texts(&mut command);
        assert_eq!(of_command, texts(&mut event), "what is written encoded is read decoded");
        of_command
    }

    fn texts(message: &mut impl CollectPayloads) -> Vec<String> {
        let mut slots = Vec::new();
        message.collect_payloads(&mut slots);
        let text = |payload: &Payload| String::from_utf8_lossy(&payload.data).into_owned();
        let texts = slots.into_iter().map(|slot| match slot {
            PayloadSlot::One(payload) => format!("failure{}", text(payload)),
            PayloadSlot::Many(payloads) => payloads.iter().map(text).collect(),
        });
        texts.collect()
    }

    #[test]
    fn what_sdks_note_in_markers_stays_in_the_clear() {
        for (marker_name, keys, expected) in [
            ("core_local_activity", vec!["data", "result"], vec!["result", "failure"]),
            ("core_patch", vec!["patch-data"], vec!["failure"]),
            ("core_patch", vec!["deprecated", "patch_id"], vec!["failure"]),
            ("Version", vec!["change-id", "version", "version-search-attribute-updated"], vec!["failure"]),
            ("SideEffect", vec!["data", "side-effect-id"], vec!["data", "failure"]),
            (
                "MutableSideEffect",
                vec!["data", "mutable-side-effect-call-counter", "side-effect-id"],
                vec!["data", "failure"],
            ),
            ("mine", vec!["data", "version"], vec!["data", "version", "failure"]),
        ] {
            assert_eq!(reached(marker_name, &keys), expected, "{marker_name}");
        }
    }
}
