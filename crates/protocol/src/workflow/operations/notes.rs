//! Patches, integer versions and side effects: what user code notes in the history so that it does the same on replay.
//!
//! User code must have the answer at once, so what a Workflow Task noted when it was executed before is told with the first
//! jobs of that task.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use timewright_proto::command::command::Attributes;
use timewright_proto::common::{Payload, SearchAttributes};
use timewright_proto::temporal::api::sdk::v1::UserMetadata;

use super::queue::What;
use super::{CommandError, Operations, Place, count_up};
use crate::workflow::activation::Job;
use crate::workflow::event::{EventKind, Marker, json_payload};

#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    /// What was decided, so that it is asked once.
    decided: BTreeSet<Note>,
    /// The values of the search attribute `TemporalChangeVersion`.
    change_versions: BTreeSet<String>,
    /// What the task that user code goes through noted before, and whether it changed the search attribute with it.
    ahead: BTreeMap<Note, bool>,
    /// The marker of a deprecated patch was passed over; its search attribute may come next.
    passed_over: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Note {
    Patch(String),
    Version(String),
}

impl Notes {
    /// A new task: what is ahead of it comes now.
    pub(super) fn forget_ahead(&mut self) {
        self.ahead.clear();
    }

    /// Takes a marker that is ahead in the record; what user code must know of it.
    pub(super) fn look_ahead(&mut self, marker: &Marker, upserts: bool) -> Option<Job> {
        match marker {
            Marker::Patch { patch_id, .. } => {
                self.ahead.insert(Note::Patch(patch_id.clone()), upserts);
                Some(Job::NotifyPatch { patch_id: patch_id.clone() })
            }
            Marker::Version { change_id, version, .. } => {
                self.ahead.insert(Note::Version(change_id.clone()), upserts);
                Some(Job::NotifyVersion { change_id: change_id.clone(), version: *version })
            }
            Marker::SideEffect { sequence, value } => {
                Some(Job::NotifySideEffect { sequence: *sequence, value: value.clone().unwrap_or_default() })
            }
            Marker::MutableSideEffect { id, call, value } => Some(Job::NotifyMutableSideEffect {
                id: id.clone(),
                call: *call,
                value: value.clone().unwrap_or_default(),
            }),
            Marker::LocalActivity(_) | Marker::Other { .. } => None,
        }
    }

    /// Whether it is all right that user code does not issue what is recorded here: the marker of a deprecated patch, whose
    /// call may have been removed, and the search attribute that goes with it.
    pub(super) fn may_be_missing(&mut self, event: &EventKind) -> bool {
        let is_deprecated_patch = matches!(event, EventKind::MarkerRecorded(Marker::Patch { deprecated: true, .. }));
        let goes_with_it = self.passed_over && is_change_version_upsert(event);
        self.passed_over = is_deprecated_patch;
        is_deprecated_patch || goes_with_it
    }

    /// The record of a Command that was issued came.
    pub(super) fn matched(&mut self) {
        self.passed_over = false;
    }
}

/// Whether this is the search attribute that goes with a patch or a version.
pub(super) fn is_change_version_upsert(event: &EventKind) -> bool {
    matches!(event, EventKind::UpsertWorkflowSearchAttributes { names } if names == &[CHANGE_VERSION])
}

impl Operations {
    /// The first call for a patch notes it. One that is replayed and has no note stays without, so that a deprecated patch
    /// may be put into code whose histories are from before it.
    pub(super) fn set_patch(&mut self, patch_id: String, deprecated: bool, place: Place) {
        let note = Note::Patch(patch_id.clone());
        let has_no_note = place.replaying && !self.notes.ahead.contains_key(&note);
        if !self.notes.decided.insert(note.clone()) || (deprecated && has_no_note) {
            return;
        }
        let marker = Marker::Patch { patch_id: patch_id.clone(), deprecated };
        self.record_marker(What::PatchMarker { patch_id: patch_id.clone() }, marker, None);
        if self.changes_search_attribute(&note, patch_id, place) {
            self.upsert_change_versions();
        }
    }

    pub(super) fn set_version(&mut self, change_id: String, version: i32, place: Place) {
        let note = Note::Version(change_id.clone());
        if !self.notes.decided.insert(note.clone()) {
            return;
        }
        let value = format!("{change_id}-{version}");
        let search_attribute_updated = self.changes_search_attribute(&note, value, place);
        let what = What::VersionMarker { change_id: change_id.clone(), version };
        self.record_marker(what, Marker::Version { change_id, version, search_attribute_updated }, None);
        if search_attribute_updated {
            self.upsert_change_versions();
        }
    }

    pub(super) fn record_side_effect(&mut self, sequence: u32, value: Payload) -> Result<(), CommandError> {
        count_up("side effect", &mut self.last_sequences.side_effect, sequence)?;
        let marker = Marker::SideEffect { sequence, value: Some(value) };
        self.record_marker(What::SideEffectMarker { sequence }, marker, None);
        Ok(())
    }

    pub(super) fn record_mutable_side_effect(&mut self, id: String, call: u32, value: Payload) {
        let what = What::MutableSideEffectMarker { id: id.clone(), call };
        self.record_marker(what, Marker::MutableSideEffect { id, call, value: Some(value) }, None);
    }

    pub(super) fn record_marker(&mut self, what: What, marker: Marker, metadata: Option<Box<UserMetadata>>) {
        self.queue.issue(what, Attributes::RecordMarkerCommandAttributes(marker.write().into()), metadata);
    }

    /// Whether the search attribute changes with this note: on replay as recorded, else as long as there is room in it. What
    /// has no room stays out of sight; it is noted all the same.
    fn changes_search_attribute(&mut self, note: &Note, value: String, place: Place) -> bool {
        self.notes.change_versions.insert(value);
        if place.replaying {
            return self.notes.ahead.get(note).copied().unwrap_or(false);
        }
        self.change_versions().data.len() < LARGEST_SEARCH_ATTRIBUTE
    }

    fn upsert_change_versions(&mut self) {
        let mut value = self.change_versions();
        value.metadata.insert("type".to_owned(), "KeywordList".into());
        let indexed_fields = BTreeMap::from([(CHANGE_VERSION.to_owned(), value)]);
        self.issue_upsert(SearchAttributes { indexed_fields });
    }

    fn change_versions(&self) -> Payload {
        json_payload(&json!(self.notes.change_versions))
    }
}

const CHANGE_VERSION: &str = "TemporalChangeVersion";

/// Bytes that the server takes as the value of one search attribute.
const LARGEST_SEARCH_ATTRIBUTE: usize = 2048;
