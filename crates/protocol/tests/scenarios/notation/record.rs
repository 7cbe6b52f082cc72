//! The Events that a completion's Commands become in the history.

use timewright_proto::command::Command as WireCommand;
use timewright_proto::command::command::Attributes as C;
use timewright_proto::enums::EventType as E;
use timewright_proto::history::history_event::Attributes as A;
use timewright_proto::history::*;
use timewright_protocol::workflow::{UpdateBody, UpdateMessage};

use super::history::Scribe;

impl Scribe {
    /// Writes the Event that the server makes of a Command.
    pub(super) fn record(&mut self, command: &WireCommand, messages: &[UpdateMessage]) {
        let attributes = command.attributes.clone().expect("a Command has attributes");
        match attributes {
            C::StartTimerCommandAttributes(start) => self.write(&format!("TS({})", start.timer_id)),
            C::CancelTimerCommandAttributes(cancel) => self.write(&format!("TCd({})", cancel.timer_id)),
            C::ScheduleActivityTaskCommandAttributes(schedule) => {
                let name = schedule.activity_type.map(|activity_type| activity_type.name).unwrap_or_default();
                self.write(&format!("ATS({},{name})", schedule.activity_id));
            }
            C::RequestCancelActivityTaskCommandAttributes(cancel) => {
                self.write(&format!("ATCR(@{})", cancel.scheduled_event_id));
            }
            C::RecordMarkerCommandAttributes(marker) => {
                let recorded = MarkerRecordedEventAttributes {
                    marker_name: marker.marker_name,
                    details: marker.details,
                    header: marker.header,
                    failure: marker.failure,
                    ..MarkerRecordedEventAttributes::default()
                };
                self.write_event(E::MarkerRecorded, A::MarkerRecordedEventAttributes(recorded.into()));
            }
            C::StartChildWorkflowExecutionCommandAttributes(start) => {
                let name = start.workflow_type.map(|name| name.name).unwrap_or_default();
                // By its number, where it has the id that goes with it.
                let key = start.workflow_id.strip_prefix("child-").unwrap_or(&start.workflow_id);
                self.write(&format!("CWI({key},{name})"));
            }
            C::RequestCancelExternalWorkflowExecutionCommandAttributes(request) => {
                self.write(&format!("RCEI({})", request.workflow_id));
            }
            C::SignalExternalWorkflowExecutionCommandAttributes(signal) => {
                let workflow_id = signal.execution.map(|execution| execution.workflow_id).unwrap_or_default();
                self.write(&format!("SEI({workflow_id},{})", signal.signal_name));
            }
            C::ScheduleNexusOperationCommandAttributes(schedule) => {
                self.write(&format!("NXS(1,{})", schedule.operation));
            }
            C::RequestCancelNexusOperationCommandAttributes(cancel) => {
                self.write(&format!("NXCR(@{})", cancel.scheduled_event_id));
            }
            C::UpsertWorkflowSearchAttributesCommandAttributes(upsert) => {
                let recorded = UpsertWorkflowSearchAttributesEventAttributes {
                    search_attributes: upsert.search_attributes,
                    ..Default::default()
                };
                let recorded = A::UpsertWorkflowSearchAttributesEventAttributes(recorded.into());
                self.write_event(E::UpsertWorkflowSearchAttributes, recorded);
            }
            C::ModifyWorkflowPropertiesCommandAttributes(_) => self.write("MEMO"),
            C::ProtocolMessageCommandAttributes(sent) => {
                let message = messages.iter().find(|message| message.id == sent.message_id);
                self.update(message.expect("a message for the Command"));
            }
            C::CompleteWorkflowExecutionCommandAttributes(_) => self.write("WEC"),
            C::FailWorkflowExecutionCommandAttributes(_) => self.write("WEF"),
            C::CancelWorkflowExecutionCommandAttributes(_) => self.write("WECd"),
            C::ContinueAsNewWorkflowExecutionCommandAttributes(_) => self.write("CAN"),
        }
    }

    fn update(&mut self, message: &UpdateMessage) {
        let id = &message.protocol_instance_id;
        match &message.body {
            UpdateBody::Acceptance(accepted) => {
                self.write(&format!("UPA({id},@{})", accepted.accepted_request_sequencing_event_id));
            }
            UpdateBody::Response(_) => self.write(&format!("UPC({id})")),
            UpdateBody::Rejection(_) => panic!("a rejection has no Command"),
        }
    }
}
