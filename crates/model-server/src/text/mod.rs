//! Histories as text, one line an Event: for tables in tests and for people who look at a test that failed.

mod line;
mod nexus;
mod other_workflows;
mod updates;

use timewright_proto::enums::TaskQueueKind;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;

use line::{Line, joined, name, payload_text, retry_policy_text};

/// The history, one line an Event: its id, its type, and those of its attributes that say something. Times, ids of
/// requests and sizes are left out.
///
/// ```text
/// 4 WorkflowTaskCompleted scheduled=2 started=3 identity=worker
/// 5 TimerStarted completed=4 id=1 timeout=1s
/// ```
pub fn history_lines(events: &[HistoryEvent]) -> Vec<String> {
    events.iter().map(event_line).collect()
}

/// One line of [`history_lines`].
pub fn event_line(event: &HistoryEvent) -> String {
    let mut line = Line(format!("{} {:?}", event.event_id, event.event_type()));
    match &event.attributes {
        Some(attributes) => describe(&mut line, attributes),
        None => line.text("attributes", "missing"),
    }
    let summary = event.user_metadata.as_ref().and_then(|metadata| metadata.summary.as_ref());
    line.text("summary", &summary.map(|summary| payload_text(&summary.data)).unwrap_or_default());
    line.flag("worker-may-ignore", event.worker_may_ignore);
    line.0
}

fn describe(line: &mut Line, attributes: &Attributes) {
    match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(a) => {
            line.text("type", name(a.workflow_type.as_ref().map(|workflow_type| &workflow_type.name)));
            line.text("queue", name(a.task_queue.as_ref().map(|queue| &queue.name)));
            line.number("attempt", a.attempt);
            line.payloads("input", a.input.as_ref());
            line.timeout("execution-timeout", a.workflow_execution_timeout.as_ref());
            line.timeout("run-timeout", a.workflow_run_timeout.as_ref());
            line.timeout("task-timeout", a.workflow_task_timeout.as_ref());
            line.timeout("backoff", a.first_workflow_task_backoff.as_ref());
            line.initiator(a.initiator());
            line.text("continued", &a.continued_execution_run_id);
            line.text("first", &a.first_execution_run_id);
            line.text("original", &a.original_execution_run_id);
            line.failure("continued-failure", a.continued_failure.as_ref());
            line.payloads("last-result", a.last_completion_result.as_ref());
            line.number("max-attempts", a.retry_policy.as_ref().map_or(0, |policy| policy.maximum_attempts));
            line.memo(a.memo.as_ref());
            line.search_attributes(a.search_attributes.as_ref());
            line.header(a.header.as_ref());
            line.priority(a.priority.as_ref());
            line.execution("parent", a.parent_workflow_execution.as_ref());
            line.text("parent-namespace", &a.parent_workflow_namespace);
            line.number("initiated", a.parent_initiated_event_id);
            line.execution("root", a.root_workflow_execution.as_ref());
            line.text("identity", &a.identity);
        }
        Attributes::WorkflowTaskScheduledEventAttributes(a) => {
            let queue = a.task_queue.clone().unwrap_or_default();
            line.text("queue", &queue.name);
            if queue.kind() != TaskQueueKind::Unspecified {
                line.text("kind", &format!("{:?}", queue.kind()));
            }
            line.text("normal-name", &queue.normal_name);
            line.duration("timeout", a.start_to_close_timeout.as_ref());
            line.number("attempt", a.attempt);
        }
        Attributes::WorkflowTaskStartedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.text("identity", &a.identity);
            line.flag("suggest-continue-as-new", a.suggest_continue_as_new);
        }
        Attributes::WorkflowTaskCompletedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.text("identity", &a.identity);
            updates::describe_worker(line, a);
        }
        Attributes::WorkflowTaskTimedOutEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.text("timeout", &format!("{:?}", a.timeout_type()));
        }
        Attributes::WorkflowTaskFailedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.text("cause", &format!("{:?}", a.cause()));
            line.failure("failure", a.failure.as_ref());
            line.text("base", &a.base_run_id);
            line.text("new", &a.new_run_id);
            line.text("identity", &a.identity);
        }
        Attributes::ActivityTaskScheduledEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("id", &a.activity_id);
            line.text("type", name(a.activity_type.as_ref().map(|activity_type| &activity_type.name)));
            line.text("queue", name(a.task_queue.as_ref().map(|queue| &queue.name)));
            line.payloads("input", a.input.as_ref());
            line.duration("schedule-to-close", a.schedule_to_close_timeout.as_ref());
            line.duration("schedule-to-start", a.schedule_to_start_timeout.as_ref());
            line.duration("start-to-close", a.start_to_close_timeout.as_ref());
            line.duration("heartbeat", a.heartbeat_timeout.as_ref());
            line.text("retry", &a.retry_policy.as_ref().map(retry_policy_text).unwrap_or_default());
            line.priority(a.priority.as_ref());
        }
        Attributes::ActivityTaskStartedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("attempt", a.attempt);
            line.text("identity", &a.identity);
            line.failure("last-failure", a.last_failure.as_ref());
        }
        Attributes::ActivityTaskCompletedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.payloads("result", a.result.as_ref());
            line.text("identity", &a.identity);
        }
        Attributes::ActivityTaskFailedEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.failure("failure", a.failure.as_ref());
            line.text("retry-state", &format!("{:?}", a.retry_state()));
            line.text("identity", &a.identity);
        }
        Attributes::ActivityTaskTimedOutEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.failure("failure", a.failure.as_ref());
            line.text("retry-state", &format!("{:?}", a.retry_state()));
        }
        Attributes::ActivityTaskCancelRequestedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.number("scheduled", a.scheduled_event_id);
        }
        Attributes::ActivityTaskCanceledEventAttributes(a) => {
            line.number("scheduled", a.scheduled_event_id);
            line.number("started", a.started_event_id);
            line.number("requested", a.latest_cancel_requested_event_id);
            line.payloads("details", a.details.as_ref());
            line.text("identity", &a.identity);
        }
        Attributes::TimerStartedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("id", &a.timer_id);
            line.duration("timeout", a.start_to_fire_timeout.as_ref());
        }
        Attributes::TimerFiredEventAttributes(a) => {
            line.text("id", &a.timer_id);
            line.number("started", a.started_event_id);
        }
        Attributes::TimerCanceledEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("id", &a.timer_id);
            line.number("started", a.started_event_id);
            line.text("identity", &a.identity);
        }
        _ => describe_others(line, attributes),
    }
}

/// Events of the workflow as a whole, and those that only record.
fn describe_others(line: &mut Line, attributes: &Attributes) {
    match attributes {
        Attributes::WorkflowExecutionSignaledEventAttributes(a) => {
            line.text("name", &a.signal_name);
            line.payloads("input", a.input.as_ref());
            line.header(a.header.as_ref());
            line.execution("from", a.external_workflow_execution.as_ref());
            line.text("identity", &a.identity);
        }
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(a) => {
            line.text("cause", &a.cause);
            line.execution("from", a.external_workflow_execution.as_ref());
            line.number("initiated", a.external_initiated_event_id);
            line.text("identity", &a.identity);
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.payloads("details", a.details.as_ref());
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(a) => {
            line.text("reason", &a.reason);
            line.text("identity", &a.identity);
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(a) => {
            line.text("retry-state", &format!("{:?}", a.retry_state()));
            line.text("new-run", &a.new_execution_run_id);
        }
        Attributes::WorkflowExecutionCompletedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.payloads("result", a.result.as_ref());
        }
        Attributes::WorkflowExecutionFailedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.failure("failure", a.failure.as_ref());
            line.text("retry-state", &format!("{:?}", a.retry_state()));
            line.text("new-run", &a.new_execution_run_id);
        }
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("new-run", &a.new_execution_run_id);
            line.text("type", name(a.workflow_type.as_ref().map(|workflow_type| &workflow_type.name)));
            line.text("queue", name(a.task_queue.as_ref().map(|queue| &queue.name)));
            line.payloads("input", a.input.as_ref());
            line.initiator(a.initiator());
            line.timeout("run-timeout", a.workflow_run_timeout.as_ref());
            line.duration("task-timeout", a.workflow_task_timeout.as_ref());
            line.duration("backoff", a.backoff_start_interval.as_ref());
            line.memo(a.memo.as_ref());
            line.search_attributes(a.search_attributes.as_ref());
            line.header(a.header.as_ref());
            line.failure("continued-failure", a.failure.as_ref());
            line.payloads("last-result", a.last_completion_result.as_ref());
        }
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(a) => {
            line.flag("unset-versioning-override", a.unset_versioning_override);
            line.priority(a.priority.as_ref());
            line.text("identity", &a.identity);
        }
        Attributes::MarkerRecordedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("name", &a.marker_name);
            line.text("details", &joined(a.details.keys().cloned()));
            line.failure("failure", a.failure.as_ref());
        }
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.search_attributes(a.search_attributes.as_ref());
        }
        Attributes::WorkflowPropertiesModifiedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.memo(a.upserted_memo.as_ref());
        }
        _ if other_workflows::describe(line, attributes) => (),
        _ if updates::describe(line, attributes) || nexus::describe(line, attributes) => (),
        _ => line.text("attributes", "not shown"),
    }
}
