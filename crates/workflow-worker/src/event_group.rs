//! Event groups: which Events of a history belong together for whoever reads it.

use std::sync::Arc;

use timewright_converter::Value;
use timewright_proto::temporal::api::sdk::v1::EventGroupMarker;
use timewright_proto::temporal::api::sdk::v1::event_group_marker::{Label, Variant};

/// Events of a history that belong together for whoever reads it, such as all that was done for one payment:
/// [`WorkflowContext::in_event_group`](crate::WorkflowContext::in_event_group). Made of a text, or with an id of one's own.
///
/// ```
/// use timewright_workflow_worker::EventGroup;
///
/// let by_label: EventGroup = "payment".into();
/// let of_one_order = EventGroup::new("order 17").id("order-17");
/// assert_ne!(by_label, of_one_order);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct EventGroup {
    label: String,
    id: Option<String>,
}

impl EventGroup {
    /// A group that is shown with this label, which must not be empty. It goes through the Payload Codecs.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), id: None }
    }

    /// What makes two groups the same, whatever their labels are. It goes through no codec. Default: one that is made of the label
    /// and the run, so that the same label is the same group; whoever knows the run can try labels out on it, so a label that is a
    /// secret needs an id.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

impl From<&str> for EventGroup {
    fn from(label: &str) -> Self {
        Self::new(label)
    }
}

impl From<String> for EventGroup {
    fn from(label: String) -> Self {
        Self::new(label)
    }
}

/// The groups of a context, the outermost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventGroups(Arc<[EventGroupMarker]>);

impl EventGroups {
    /// These, and one within them. `run_id` is the same on every replay, and behind a reset.
    pub(crate) fn with(&self, group: EventGroup, run_id: &str) -> Self {
        let EventGroup { label, id } = group;
        assert!(
            !label.is_empty() && id.as_ref().is_none_or(|id| !id.is_empty()),
            "an event group needs a label that is not empty, and no empty id"
        );
        let id = id.unwrap_or_else(|| format!("{:032x}", fingerprint(run_id, &label)));
        let is_other =
            |marker: &&EventGroupMarker| !matches!(&marker.variant, Some(Variant::Label(known)) if known.id == id);
        let mut markers: Vec<EventGroupMarker> = self.0.iter().filter(is_other).cloned().collect();
        // A String is always written.
        let label = Label { label: label.to_payload().ok(), id };
        markers.push(EventGroupMarker { variant: Some(Variant::Label(label)) });
        Self(markers.into())
    }

    pub(crate) fn markers(&self) -> Vec<EventGroupMarker> {
        self.0.to_vec()
    }
}

/// FNV-1a: no secret is kept by it, and it never changes.
fn fingerprint(run_id: &str, label: &str) -> u128 {
    let bytes = run_id.bytes().chain(label.bytes());
    bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}
