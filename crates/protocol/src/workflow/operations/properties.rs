//! Search attributes and memo.

use std::collections::BTreeMap;

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    ModifyWorkflowPropertiesCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes,
};
use timewright_proto::common::{Memo, Payload, SearchAttributes};

use super::Operations;
use super::queue::What;

impl Operations {
    pub(super) fn upsert_search_attributes(&mut self, attributes: SearchAttributes) {
        change(&mut self.carried.search_attributes, &attributes.indexed_fields);
        self.issue_upsert(attributes);
    }

    pub(super) fn issue_upsert(&mut self, attributes: SearchAttributes) {
        let names = attributes.indexed_fields.keys().cloned().collect();
        let attributes = UpsertWorkflowSearchAttributesCommandAttributes { search_attributes: Some(attributes) };
        let attributes = Attributes::UpsertWorkflowSearchAttributesCommandAttributes(attributes.into());
        self.queue.issue(What::UpsertSearchAttributes { names }, attributes, None);
    }

    pub(super) fn upsert_memo(&mut self, memo: Memo) {
        change(&mut self.carried.memo, &memo.fields);
        let attributes = ModifyWorkflowPropertiesCommandAttributes { upserted_memo: Some(memo) };
        self.queue.issue(
            What::UpsertMemo,
            Attributes::ModifyWorkflowPropertiesCommandAttributes(attributes.into()),
            None,
        );
    }
}

fn change(fields: &mut BTreeMap<String, Payload>, changes: &BTreeMap<String, Payload>) {
    for (name, value) in changes {
        if is_null(value) {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}

/// As the Payload Converters of all SDKs write nothing.
fn is_null(value: &Payload) -> bool {
    let encoding = value.metadata.get("encoding").map(|encoding| &**encoding);
    match encoding {
        Some(b"binary/null") => true,
        Some(b"json/plain") => matches!(&*value.data, b"null" | b"[]"),
        _ => false,
    }
}
