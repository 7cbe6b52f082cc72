//! Commands that are only recorded.

use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::enums::WorkflowTaskFailedCause as Cause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    MarkerRecordedEventAttributes, UpsertWorkflowSearchAttributesEventAttributes,
    WorkflowPropertiesModifiedEventAttributes,
};

use super::{Completion, Refusal, WireAttributes, expect};
use crate::search_attributes::{check_sizes, check_values};
use crate::start::typed_search_attributes;

impl Completion<'_, '_> {
    pub(super) fn record_marker(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadRecordMarkerAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::RecordMarkerCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let marker = expect(attributes, cause, "RecordMarker")?;
        if marker.marker_name.is_empty() {
            return Err(Refusal::new(cause, "MarkerName is not set on RecordMarkerCommand."));
        }
        let recorded = MarkerRecordedEventAttributes {
            marker_name: marker.marker_name,
            details: marker.details,
            workflow_task_completed_event_id: self.completed_event_id,
            header: marker.header,
            failure: marker.failure,
        };
        self.run.events.record(self.context.now, Attributes::MarkerRecordedEventAttributes(recorded.into()));
        Ok(())
    }

    /// Facts (server 1.32): null takes an attribute away. A value that is too long terminates the workflow.
    pub(super) fn upsert_search_attributes(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadSearchAttributes;
        let command = "UpsertWorkflowSearchAttributes";
        let attributes = match attributes {
            Some(CommandAttributes::UpsertWorkflowSearchAttributesCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let Some(search_attributes) = expect(attributes, cause, command)?.search_attributes else {
            return Err(Refusal::new(cause, format!("SearchAttributes is not set on {command}Command.")));
        };
        if search_attributes.indexed_fields.is_empty() {
            return Err(Refusal::new(cause, format!("IndexedFields is not set on {command}Command.")));
        }
        let search_attributes = typed_search_attributes(search_attributes, self.context.options)
            .and_then(|attributes| check_values(&attributes).map(|()| attributes))
            .map_err(|message| Refusal::new(cause, message))?;
        check_sizes(&search_attributes).map_err(|message| Refusal::terminating(cause, message))?;
        let upserted = UpsertWorkflowSearchAttributesEventAttributes {
            workflow_task_completed_event_id: self.completed_event_id,
            search_attributes: Some(search_attributes),
        };
        let event = Attributes::UpsertWorkflowSearchAttributesEventAttributes(upserted.into());
        self.run.events.record(self.context.now, event);
        Ok(())
    }

    /// Fact (server 1.32): null takes a field away, also one that is not there.
    pub(super) fn modify_properties(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadModifyWorkflowPropertiesAttributes;
        let command = "ModifyWorkflowProperties";
        let attributes = match attributes {
            Some(CommandAttributes::ModifyWorkflowPropertiesCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let Some(memo) = expect(attributes, cause, command)?.upserted_memo else {
            return Err(Refusal::new(cause, format!("UpsertedMemo is not set on {command}Command.")));
        };
        if memo.fields.is_empty() {
            return Err(Refusal::new(cause, format!("UpsertedMemo.Fields is not set on {command}Command.")));
        }
        let modified = WorkflowPropertiesModifiedEventAttributes {
            workflow_task_completed_event_id: self.completed_event_id,
            upserted_memo: Some(memo),
        };
        let event = Attributes::WorkflowPropertiesModifiedEventAttributes(modified.into());
        self.run.events.record(self.context.now, event);
        Ok(())
    }
}
