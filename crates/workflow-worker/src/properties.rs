//! Changes of what lists and descriptions show of a workflow: its search attributes and its memo.

use std::collections::BTreeMap;

use timewright_converter::{ConversionError, Payload, Value, WritableValue};
use timewright_definition::{SearchAttributeKey, SearchAttributeKind};

use crate::mailbox::Change;

/// Changes of search attributes: [`WorkflowContext::upsert_search_attributes`](crate::WorkflowContext::upsert_search_attributes).
///
/// ```
/// use timewright_definition::{SearchAttributeKey, SearchAttributeValue, search_attribute_kind::Keyword};
/// use timewright_workflow_worker::SearchAttributeChanges;
///
/// const TIER: SearchAttributeKey<Keyword> = SearchAttributeKey::new("CustomerTier");
/// let changes = SearchAttributeChanges::new()
///     .set(&TIER, "gold")
///     .set("Amount", SearchAttributeValue::Int(100)) // by a name alone
///     .remove("Coupon");
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct SearchAttributeChanges(Changes);

impl SearchAttributeChanges {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an attribute. Its kind must be the one that it was registered with.
    pub fn set<K: SearchAttributeKind>(
        mut self,
        key: impl Into<SearchAttributeKey<K>>,
        value: impl Into<K::Value>,
    ) -> Self {
        self.0.set(key.into().name().to_owned(), K::to_search_attribute(value.into()).to_payload());
        self
    }

    /// Removes an attribute.
    pub fn remove<K: SearchAttributeKind>(mut self, key: impl Into<SearchAttributeKey<K>>) -> Self {
        self.0.remove(key.into().name().to_owned());
        self
    }

    pub(crate) fn into_changes(self) -> Result<BTreeMap<String, Change>, ConversionError> {
        self.0.into_changes()
    }
}

/// Changes of the memo: [`WorkflowContext::upsert_memo`](crate::WorkflowContext::upsert_memo).
///
/// ```
/// use timewright_workflow_worker::MemoChanges;
///
/// let changes = MemoChanges::new().set("progress", 70_u32).remove("coupon");
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MemoChanges(Changes);

impl MemoChanges {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    pub fn set(mut self, name: impl Into<String>, value: impl WritableValue) -> Self {
        self.0.set(name.into(), value.write_payload());
        self
    }

    /// Removes a field.
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.0.remove(name.into());
        self
    }

    pub(crate) fn into_changes(self) -> Result<BTreeMap<String, Change>, ConversionError> {
        self.0.into_changes()
    }
}

#[derive(Debug, Clone, Default)]
struct Changes {
    fields: BTreeMap<String, Change>,
    /// The first value that could not be written.
    error: Option<ConversionError>,
}

impl Changes {
    fn set(&mut self, name: String, payload: Result<Payload, ConversionError>) {
        self.put(name, payload.map(Change::Set));
    }

    fn remove(&mut self, name: String) {
        self.put(name, ().to_payload().map(Change::Remove));
    }

    fn put(&mut self, name: String, change: Result<Change, ConversionError>) {
        match change {
            Ok(change) => _ = self.fields.insert(name, change),
            Err(error) => _ = self.error.get_or_insert(error),
        }
    }

    fn into_changes(self) -> Result<BTreeMap<String, Change>, ConversionError> {
        self.error.map_or(Ok(self.fields), Err)
    }
}
