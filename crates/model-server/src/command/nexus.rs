//! Commands about Nexus operations.

use std::time::Duration;

use timewright_proto::SYSTEM_NEXUS_ENDPOINT;
use timewright_proto::command::ScheduleNexusOperationCommandAttributes;
use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::enums::WorkflowTaskFailedCause as Cause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{NexusOperationCancelRequestedEventAttributes, NexusOperationScheduledEventAttributes};
use timewright_proto::prost_types;

use super::{Completion, Refusal, WireAttributes};
use crate::error::ServerError;
use crate::nexus::{NexusOperation, RequestKind};
use crate::time::{checked_duration, duration, wire_duration};

/// Refuses what the model cannot do: the endpoint of the server itself, and what cannot be asked for in a URL.
pub(super) fn check_operation(attributes: Option<&CommandAttributes>) -> Result<(), ServerError> {
    let Some(CommandAttributes::ScheduleNexusOperationCommandAttributes(attributes)) = attributes else {
        return Ok(());
    };
    if attributes.endpoint == SYSTEM_NEXUS_ENDPOINT {
        return Err(ServerError::unsupported(format!("the Nexus endpoint {SYSTEM_NEXUS_ENDPOINT}")));
    }
    if attributes.service.is_empty() || attributes.operation.is_empty() {
        return Err(ServerError::unsupported("Nexus services and operations without a name"));
    }
    Ok(())
}

impl Completion<'_, '_> {
    /// Facts (server 1.32): the endpoint must be there; a workflow can have 30 operations without an outcome. Header keys
    /// are recorded in lower case.
    pub(super) fn schedule_nexus_operation(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let bad = |message: String| Refusal::new(Cause::BadScheduleNexusOperationAttributes, message);
        let Some(CommandAttributes::ScheduleNexusOperationCommandAttributes(command)) = attributes else {
            return Err(bad("empty ScheduleNexusOperationCommandAttributes".into()));
        };
        let Some(endpoint_id) = self.context.nexus_endpoints.get(&command.endpoint).map(|endpoint| endpoint.id.clone())
        else {
            return Err(bad(format!("endpoint \"{}\" not found", command.endpoint)));
        };
        for (wire, field) in [
            (&command.schedule_to_close_timeout, "ScheduleToCloseTimeout"),
            (&command.schedule_to_start_timeout, "ScheduleToStartTimeout"),
            (&command.start_to_close_timeout, "StartToCloseTimeout"),
        ] {
            duration(wire.as_ref())
                .map_err(|error| bad(format!("ScheduleNexusOperationCommandAttributes.{field} is invalid: {error}")))?;
        }
        if let Some(key) = command.nexus_header.keys().find(|key| key.eq_ignore_ascii_case(DISALLOWED_HEADER)) {
            return Err(bad(format!(
                "ScheduleNexusOperationCommandAttributes.NexusHeader contains a disallowed header key: \"{key}\""
            )));
        }
        if self.run.nexus_operations.len() >= MOST_OPERATIONS {
            return Err(Refusal::new(
                Cause::PendingNexusOperationsLimitExceeded,
                format!(
                    "workflow has reached the pending nexus operation limit of {MOST_OPERATIONS} for this namespace"
                ),
            ));
        }
        let now = self.context.now;
        let run_timeout = checked_duration(self.run.started.workflow_run_timeout.as_ref());
        let scheduled = NexusOperationScheduledEventAttributes {
            endpoint_id,
            request_id: self.context.random.uuid(),
            ..scheduled(*command, run_timeout, self.completed_event_id)
        };
        let event = Attributes::NexusOperationScheduledEventAttributes(scheduled.clone().into());
        let id = self.run.events.record(now, event);
        self.run.nexus_operations.insert(id, NexusOperation::new(scheduled, now));
        self.run.send_nexus_request(id, RequestKind::Start, now);
        Ok(())
    }

    /// Facts (server 1.32): an operation that has not started can be cancelled, once. One whose outcome is buffered can
    /// be cancelled any number of times, which changes nothing. Cancelling what is not there is an error.
    pub(super) fn request_cancel_nexus_operation(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let bad = |message: String| Refusal::new(Cause::BadRequestCancelNexusOperationAttributes, message);
        let Some(CommandAttributes::RequestCancelNexusOperationCommandAttributes(command)) = attributes else {
            return Err(bad("empty CancelNexusOperationCommandAttributes".into()));
        };
        let id = command.scheduled_event_id;
        match self.run.nexus_operations.get(&id) {
            Some(operation) if operation.cancellation.is_some() => {
                return Err(bad(format!(
                    "cancelation was already requested for an operation with scheduled event ID {id}"
                )));
            }
            None if !self.run.events.has_buffered_end_of_nexus_operation(id) => {
                return Err(bad(format!(
                    "requested cancelation for a non-existing or already completed operation with scheduled event ID \
                     of {id}"
                )));
            }
            _ => (),
        }
        let requested = NexusOperationCancelRequestedEventAttributes {
            scheduled_event_id: id,
            workflow_task_completed_event_id: self.completed_event_id,
        };
        let event = Attributes::NexusOperationCancelRequestedEventAttributes(requested.into());
        let requested_event_id = self.run.events.record(self.context.now, event);
        self.run.cancel_nexus_operation(id, requested_event_id, self.context.now);
        Ok(())
    }
}

/// Facts (server 1.32): schedule-to-close is at most the run's time-out, and all of it by default; the other two are at
/// most schedule-to-close. What the Command leaves out stays so.
fn scheduled(
    command: ScheduleNexusOperationCommandAttributes,
    run_timeout: Duration,
    completed_event_id: i64,
) -> NexusOperationScheduledEventAttributes {
    let mut schedule_to_close_timeout = command.schedule_to_close_timeout;
    let schedule_to_close = checked_duration(schedule_to_close_timeout.as_ref());
    if !run_timeout.is_zero() && (schedule_to_close.is_zero() || schedule_to_close > run_timeout) {
        schedule_to_close_timeout = Some(wire_duration(run_timeout));
    }
    let limit = checked_duration(schedule_to_close_timeout.as_ref());
    let limited = |wire: Option<prost_types::Duration>| {
        let is_longer = !limit.is_zero() && checked_duration(wire.as_ref()) > limit;
        if is_longer { schedule_to_close_timeout } else { wire }
    };
    NexusOperationScheduledEventAttributes {
        endpoint: command.endpoint,
        service: command.service,
        operation: command.operation,
        input: command.input,
        schedule_to_close_timeout,
        nexus_header: command.nexus_header.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect(),
        workflow_task_completed_event_id: completed_event_id,
        schedule_to_start_timeout: limited(command.schedule_to_start_timeout),
        start_to_close_timeout: limited(command.start_to_close_timeout),
        ..NexusOperationScheduledEventAttributes::default()
    }
}

/// The server sets it itself. (It refuses some more, of its own.)
const DISALLOWED_HEADER: &str = "request-timeout";
const MOST_OPERATIONS: usize = 30;
