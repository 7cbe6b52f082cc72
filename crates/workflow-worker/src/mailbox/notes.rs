//! What user code decides once and notes: patches, versions, side effects, and those that change. And what it changes about the workflow: search
//! attributes and memo.

use std::collections::{BTreeMap, BTreeSet};

use timewright_proto::common::{Memo, Payload, SearchAttributes};
use timewright_protocol::workflow::Command;

use super::{Mailbox, Scope};

#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Patches that the history has noted so far.
    noted_patches: BTreeSet<String>,
    /// The answers that user code has been given.
    patches: BTreeMap<String, bool>,
    noted_versions: BTreeMap<String, i32>,
    versions: BTreeMap<String, i32>,
    noted_side_effects: BTreeMap<u32, Payload>,
    mutable_side_effects: BTreeMap<String, MutableSideEffect>,
    search_attributes: BTreeMap<String, Payload>,
    memo: BTreeMap<String, Payload>,
    current_details: String,
}

/// Something outside that changes.
#[derive(Debug, Default)]
struct MutableSideEffect {
    /// How often user code has asked for it.
    calls: u32,
    /// What it was told last.
    value: Option<Payload>,
    /// Which calls found a new value, as far as the history says.
    noted: BTreeMap<u32, Payload>,
}

/// What there is for a call of a mutable side effect.
#[derive(Debug)]
pub(crate) enum Recall {
    /// The history has a new value.
    Noted(Payload),
    /// The history says that it was as before.
    Unchanged(Payload),
    /// Nobody has done this before: the value is to be taken, and may be as before.
    Open(Option<Payload>),
}

impl Notes {
    pub(super) fn notify_patch(&mut self, patch_id: String) {
        self.noted_patches.insert(patch_id);
    }

    pub(super) fn notify_version(&mut self, change_id: String, version: i32) {
        self.noted_versions.insert(change_id, version);
    }

    pub(super) fn notify_side_effect(&mut self, sequence: u32, value: Payload) {
        self.noted_side_effects.insert(sequence, value);
    }

    pub(super) fn notify_mutable_side_effect(&mut self, id: String, call: u32, value: Payload) {
        self.mutable_side_effects.entry(id).or_default().noted.insert(call, value);
    }
}

impl Mailbox {
    /// What the workflow was started with.
    pub(crate) fn set_properties(&mut self, search_attributes: SearchAttributes, memo: Memo) {
        self.notes.search_attributes = search_attributes.indexed_fields;
        self.notes.memo = memo.fields;
    }

    /// Whether this run comes to the patch for the first time.
    pub(crate) fn is_new_patch(&self, patch_id: &str) -> bool {
        let is_known = self.notes.patches.contains_key(patch_id) || self.notes.noted_patches.contains(patch_id);
        !is_known && !self.moment.replaying && !self.inert
    }

    /// Whether this run has the patch. The first answer stays, so that a run never goes half one way and half the other.
    /// `activates`: whether it gets it, if it comes to it for the first time.
    pub(crate) fn patched(&mut self, patch_id: &str, deprecated: bool, activates: bool) -> bool {
        if let Some(answer) = self.notes.patches.get(patch_id) {
            return *answer;
        }
        let answer = (!self.moment.replaying && activates) || self.notes.noted_patches.contains(patch_id);
        if self.inert {
            return answer;
        }
        self.notes.patches.insert(patch_id.to_owned(), answer);
        if answer {
            self.push(Command::SetPatch { patch_id: patch_id.to_owned(), deprecated });
        }
        answer
    }

    /// Whether this run comes to the change for the first time.
    pub(crate) fn is_new_change(&self, change_id: &str) -> bool {
        let is_known = self.notes.versions.contains_key(change_id) || self.notes.noted_versions.contains_key(change_id);
        !is_known && !self.moment.replaying && !self.inert
    }

    /// Which version of a change this run follows: `preferred`, if it comes to it for the first time.
    pub(crate) fn version(&mut self, change_id: &str, preferred: i32, default: i32) -> i32 {
        if let Some(version) = self.notes.versions.get(change_id) {
            return *version;
        }
        let noted = self.notes.noted_versions.get(change_id).copied();
        let decided = noted.or_else(|| (!self.moment.replaying).then_some(preferred));
        let version = decided.unwrap_or(default);
        if self.inert {
            return version;
        }
        self.notes.versions.insert(change_id.to_owned(), version);
        if decided.is_some() {
            self.push(Command::SetVersion { change_id: change_id.to_owned(), version });
        }
        version
    }

    /// The number of the next side effect, and its value if the history has one.
    pub(crate) fn next_side_effect(&mut self) -> (u32, Option<Payload>) {
        if self.inert {
            return (0, None);
        }
        self.last_numbers.side_effect += 1;
        let sequence = self.last_numbers.side_effect;
        (sequence, self.notes.noted_side_effects.remove(&sequence))
    }

    pub(crate) fn record_side_effect(&mut self, scope: &Scope, sequence: u32, value: Payload) {
        self.push(scope.grouped(Command::RecordSideEffect { sequence, value }));
    }

    /// The number of this call for `id`, and what there is for it.
    pub(crate) fn next_mutable_side_effect(&mut self, id: &str) -> (u32, Recall) {
        if self.inert {
            let known = self.notes.mutable_side_effects.get(id).and_then(|known| known.value.clone());
            return (0, known.map_or(Recall::Open(None), Recall::Unchanged));
        }
        let known = self.notes.mutable_side_effects.entry(id.to_owned()).or_default();
        known.calls += 1;
        let recall = match (known.noted.remove(&known.calls), &known.value) {
            (Some(noted), _) => Recall::Noted(noted),
            (None, Some(value)) if self.moment.replaying => Recall::Unchanged(value.clone()),
            // On replay the code has changed, and the Command says so.
            (None, value) => Recall::Open(value.clone()),
        };
        (known.calls, recall)
    }

    pub(crate) fn record_mutable_side_effect(&mut self, scope: &Scope, id: &str, call: u32, value: Payload) {
        if self.inert {
            return; // What a Query or a validator takes must not be what the next call compares with.
        }
        if let Some(known) = self.notes.mutable_side_effects.get_mut(id) {
            known.value = Some(value.clone());
        }
        self.push(scope.grouped(Command::RecordMutableSideEffect { id: id.to_owned(), call, value }));
    }

    pub(crate) fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes { indexed_fields: self.notes.search_attributes.clone() }
    }

    pub(crate) fn memo(&self) -> Memo {
        Memo { fields: self.notes.memo.clone() }
    }

    pub(crate) fn current_details(&self) -> &str {
        &self.notes.current_details
    }

    pub(crate) fn set_current_details(&mut self, details: String) {
        if !self.inert {
            self.notes.current_details = details;
        }
    }

    /// What to ask for, so that it becomes so elsewhere, too; `None` for nothing.
    pub(crate) fn change_search_attributes(&mut self, changes: BTreeMap<String, Change>) -> Option<SearchAttributes> {
        (!self.inert && !changes.is_empty())
            .then(|| SearchAttributes { indexed_fields: change(&mut self.notes.search_attributes, changes) })
    }

    /// What to ask for, so that it becomes so elsewhere, too; `None` for nothing.
    pub(crate) fn change_memo(&mut self, changes: BTreeMap<String, Change>) -> Option<Memo> {
        (!self.inert && !changes.is_empty()).then(|| Memo { fields: change(&mut self.notes.memo, changes) })
    }
}

/// What is to become of a field, with the Payload that says so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Set(Payload),
    Remove(Payload),
}

fn change(fields: &mut BTreeMap<String, Payload>, changes: BTreeMap<String, Change>) -> BTreeMap<String, Payload> {
    let mut sent = BTreeMap::new();
    for (name, change) in changes {
        let payload = match change {
            Change::Set(payload) => {
                fields.insert(name.clone(), payload.clone());
                payload
            }
            Change::Remove(null) => {
                fields.remove(&name);
                null
            }
        };
        sent.insert(name, payload);
    }
    sent
}
