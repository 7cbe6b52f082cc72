//! The Events that a completion's Commands become in the history.

use timewright_proto::command::Command as WireCommand;
use timewright_proto::command::command::Attributes as C;
use timewright_proto::enums::EventType as E;
use timewright_proto::history::history_event::Attributes as A;
use timewright_proto::history::*;

use super::history::Scribe;

impl Scribe {
    /// Writes the Event that the server makes of a Command.
    pub(super) fn record(&mut self, command: &WireCommand) {
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
                self.write_event(E::MarkerRecorded, A::MarkerRecordedEventAttributes(recorded));
            }
            C::CompleteWorkflowExecutionCommandAttributes(_) => self.write("WEC"),
            C::FailWorkflowExecutionCommandAttributes(_) => self.write("WEF"),
            C::CancelWorkflowExecutionCommandAttributes(_) => self.write("WECd"),
            C::ContinueAsNewWorkflowExecutionCommandAttributes(_) => self.write("CAN"),
            other => panic!("nobody has said yet what the server records of {other:?}"),
        }
    }
}
