//! Commands about activities.

use std::time::Duration;

use timewright_proto::command::ScheduleActivityTaskCommandAttributes;
use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::common::{Payload, Payloads};
use timewright_proto::enums::{TaskQueueKind, WorkflowTaskFailedCause as Cause};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{ActivityTaskCancelRequestedEventAttributes, ActivityTaskScheduledEventAttributes};

use super::{Completion, Refusal, WireAttributes, expect};
use crate::activity::Activity;
use crate::execution::Effect;
use crate::start::checked_policy;
use crate::time::{checked_duration, duration, wire_duration};

impl Completion<'_, '_> {
    /// Facts (server 1.32): the id of an activity is free again when the activity has an outcome. Eager execution, which a
    /// worker may ask for, is the server's to grant; the model never does.
    pub(super) fn schedule_activity(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadScheduleActivityAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::ScheduleActivityTaskCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let command = expect(attributes, cause, "ScheduleActivityTask")?;
        let run_timeout = checked_duration(self.run.started.workflow_run_timeout.as_ref());
        let scheduled = scheduled(*command, run_timeout, self.completed_event_id)
            .map_err(|message| Refusal::new(cause, message))?;
        if self.run.activities.values().any(|activity| activity.scheduled.activity_id == scheduled.activity_id) {
            return Err(Refusal::new(
                Cause::ScheduleActivityDuplicateId,
                format!(
                    "invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: {}",
                    scheduled.activity_id
                ),
            ));
        }
        let now = self.context.now;
        let event = Attributes::ActivityTaskScheduledEventAttributes(scheduled.clone().into());
        let scheduled_event_id = self.run.events.record(now, event);
        self.run.activities.insert(scheduled_event_id, Activity::new(scheduled, now));
        self.run.outbox.push(Effect::DispatchActivity { scheduled_event_id });
        Ok(())
    }

    /// Facts (server 1.32): an activity that no worker has is cancelled at once, behind the other Events of this
    /// completion, and another Workflow Task follows; this does not keep the workflow from ending in the same completion.
    /// Cancelling an activity whose outcome is buffered is recorded and changes nothing. Cancelling twice, or what is not
    /// there, is an error.
    pub(super) fn request_cancel_activity(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        let cause = Cause::BadRequestCancelActivityAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::RequestCancelActivityTaskCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let scheduled_event_id = expect(attributes, cause, "RequestCancelActivityTask")?.scheduled_event_id;
        if scheduled_event_id <= 0 {
            return Err(Refusal::new(cause, "ScheduledEventId is not set on RequestCancelActivityTaskCommand."));
        }
        let (is_there, is_started) = match self.run.activities.get(&scheduled_event_id) {
            Some(activity) => (activity.cancel_requested.is_none(), activity.is_started()),
            None => (self.run.events.has_buffered_end_of_activity(scheduled_event_id), true),
        };
        if !is_there {
            return Err(Refusal::new(
                cause,
                format!(
                    "invalid history builder state for action: add-activitytask-cancel-requested-event, \
                     ScheduledEventID: {scheduled_event_id}"
                ),
            ));
        }
        let requested = ActivityTaskCancelRequestedEventAttributes {
            scheduled_event_id,
            workflow_task_completed_event_id: self.completed_event_id,
        };
        let event = Attributes::ActivityTaskCancelRequestedEventAttributes(requested.into());
        let requested_event_id = self.run.events.record(self.context.now, event);
        if let Some(activity) = self.run.activities.get_mut(&scheduled_event_id) {
            activity.cancel_requested = Some(requested_event_id);
        }
        if !is_started {
            let identity = self.identity.to_owned();
            self.run.cancel_waiting_activity(
                scheduled_event_id,
                requested_event_id,
                not_started(),
                identity,
                self.context,
            );
            self.has_outcome = true;
        }
        Ok(())
    }
}

/// Facts (server 1.32): of schedule-to-close and start-to-close, one must be there. What is missing is taken from
/// schedule-to-close if that is there, else from the run's time-out; no time-out is longer than schedule-to-close or the
/// run's, and no heartbeat time-out is longer than start-to-close.
fn scheduled(
    command: ScheduleActivityTaskCommandAttributes,
    run_timeout: Duration,
    completed_event_id: i64,
) -> Result<ActivityTaskScheduledEventAttributes, String> {
    let Some(mut task_queue) = command.task_queue.filter(|queue| !queue.name.is_empty()) else {
        return Err("taskQueue is not set".into());
    };
    task_queue.kind = TaskQueueKind::Normal.into();
    let activity_type = command.activity_type.filter(|activity_type| !activity_type.name.is_empty());
    if command.activity_id.is_empty() {
        return Err("activityId is not set".into());
    }
    let Some(activity_type) = activity_type else { return Err("activityType is not set".into()) };
    let retry_policy = checked_policy(command.retry_policy.unwrap_or_default())?;

    let timeout = |wire, name| duration(wire).map_err(|error| format!("invalid {name}: {error}"));
    let mut schedule_to_close = timeout(command.schedule_to_close_timeout.as_ref(), "ScheduleToCloseTimeout")?;
    let mut schedule_to_start = timeout(command.schedule_to_start_timeout.as_ref(), "ScheduleToStartTimeout")?;
    let mut start_to_close = timeout(command.start_to_close_timeout.as_ref(), "StartToCloseTimeout")?;
    let mut heartbeat = timeout(command.heartbeat_timeout.as_ref(), "HeartbeatTimeout")?;
    if !schedule_to_close.is_zero() {
        schedule_to_start = shorter(schedule_to_start, schedule_to_close);
        start_to_close = shorter(start_to_close, schedule_to_close);
    } else if !start_to_close.is_zero() {
        schedule_to_close = run_timeout;
        schedule_to_start = if schedule_to_start.is_zero() { run_timeout } else { schedule_to_start };
    } else {
        return Err(format!(
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. \
             ActivityId={} ActivityType={}",
            command.activity_id, activity_type.name
        ));
    }
    if !run_timeout.is_zero() {
        for timeout in [&mut schedule_to_close, &mut schedule_to_start, &mut start_to_close, &mut heartbeat] {
            *timeout = (*timeout).min(run_timeout);
        }
    }
    heartbeat = heartbeat.min(start_to_close);
    Ok(ActivityTaskScheduledEventAttributes {
        activity_id: command.activity_id,
        activity_type: Some(activity_type),
        task_queue: Some(task_queue),
        header: command.header,
        input: command.input,
        schedule_to_close_timeout: Some(wire_duration(schedule_to_close)),
        schedule_to_start_timeout: Some(wire_duration(schedule_to_start)),
        start_to_close_timeout: Some(wire_duration(start_to_close)),
        heartbeat_timeout: Some(wire_duration(heartbeat)),
        workflow_task_completed_event_id: completed_event_id,
        retry_policy: Some(retry_policy),
        use_workflow_build_id: command.use_workflow_build_id,
        priority: command.priority,
    })
}

/// The shorter of both; zero is none.
fn shorter(timeout: Duration, limit: Duration) -> Duration {
    if timeout.is_zero() { limit } else { timeout.min(limit) }
}

/// What the server says in the name of an activity that never ran.
fn not_started() -> Payloads {
    let metadata = [("encoding".to_owned(), "json/plain".into())].into_iter().collect();
    let data = "\"ACTIVITY_ID_NOT_STARTED\"".into();
    Payloads { payloads: vec![Payload { metadata, data, ..Payload::default() }] }
}
