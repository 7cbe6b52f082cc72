//! Commands, and what histories record of them, as text of one form: kind, ids, arguments, options, results.
//!
//! Left out is what a recording SDK or the server puts there by itself: Task Queues, namespaces, retry policies, policies
//! for ids. And what no equal workflow of another SDK can have alike:
//! - of failures only the innermost message, since each SDK wraps them as it does; of cancelled ones not even that;
//! - of a Local Activity's marker `original_schedule_time`, which is by the worker's clock, so that it only has to be there;
//!   `attempt` is at least 1; arguments (`input`) are not noted by us, and `activation_index` not by this TypeScript SDK;
//! - the reason for cancelling another workflow without what the shared core writes in front of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use timewright_proto::command::Command as WireCommand;
use timewright_proto::command::command::Attributes as C;
use timewright_proto::common::{Payload, Payloads, Priority};
use timewright_proto::enums::ParentClosePolicy;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes as E;
use timewright_proto::prost_types::Duration;
use timewright_proto::temporal::api::sdk::v1::UserMetadata;
use timewright_proto::temporal::api::update::v1::{Outcome, Request, outcome};
use timewright_protocol::workflow::{Command, UpdateBody, UpdateMessage};

use crate::histories::Sdk;

/// What an Event of this SDK's history says of the Command of which it is the record; `None` where it is no such record.
pub(crate) fn recorded(event: &HistoryEvent, sdk: Sdk) -> Option<String> {
    let shown = shown(event.user_metadata.as_deref());
    Some(match event.attributes.as_ref()? {
        E::TimerStartedEventAttributes(it) => timer(&it.timer_id, &it.start_to_fire_timeout) + &shown,
        E::TimerCanceledEventAttributes(it) => cancel_timer(&it.timer_id),
        E::ActivityTaskScheduledEventAttributes(it) => {
            let name = it.activity_type.as_ref().map(|it| &it.name);
            let timeouts = [&it.start_to_close_timeout, &it.heartbeat_timeout];
            activity(&it.activity_id, name, &it.input, timeouts, &it.priority) + &shown
        }
        E::ActivityTaskCancelRequestedEventAttributes(it) => cancel_activity(it.scheduled_event_id),
        E::MarkerRecordedEventAttributes(it) => marker(&it.marker_name, &it.details, &it.failure, sdk) + &shown,
        E::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
            let name = it.workflow_type.as_ref().map(|it| &it.name);
            child(&it.workflow_id, name, &it.input, it.parent_close_policy(), &it.priority) + &shown
        }
        E::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it) => {
            let other = it.workflow_execution.clone().unwrap_or_default();
            cancel_other(&other.workflow_id, &other.run_id, it.child_workflow_only, &it.reason)
        }
        E::SignalExternalWorkflowExecutionInitiatedEventAttributes(it) => {
            let other = it.workflow_execution.clone().unwrap_or_default();
            signal_other(&other.workflow_id, &other.run_id, it.child_workflow_only, &it.signal_name, &it.input)
        }
        E::NexusOperationScheduledEventAttributes(it) => nexus([&it.endpoint, &it.service, &it.operation], &it.input),
        E::NexusOperationCancelRequestedEventAttributes(it) => cancel_nexus(it.scheduled_event_id),
        E::UpsertWorkflowSearchAttributesEventAttributes(it) => {
            upsert("search attributes", it.search_attributes.as_ref().map(|it| &it.indexed_fields))
        }
        E::WorkflowPropertiesModifiedEventAttributes(it) => {
            upsert("memo", it.upserted_memo.as_ref().map(|it| &it.fields))
        }
        E::WorkflowExecutionUpdateAcceptedEventAttributes(it) => {
            let message = (&it.accepted_request_message_id, it.accepted_request_sequencing_event_id);
            accept_update(&it.protocol_instance_id, message, &it.accepted_request)
        }
        E::WorkflowExecutionUpdateCompletedEventAttributes(it) => {
            complete_update(it.meta.as_ref().map(|meta| &meta.update_id), &it.outcome)
        }
        E::WorkflowExecutionCompletedEventAttributes(it) => complete(&it.result),
        E::WorkflowExecutionFailedEventAttributes(it) => fail(&it.failure),
        E::WorkflowExecutionCanceledEventAttributes(_) => CANCELLED.to_owned(),
        E::WorkflowExecutionContinuedAsNewEventAttributes(it) => continue_as_new([
            it.workflow_type.as_ref().map(|it| json!(it.name)),
            Some(arguments(&it.input)),
            it.memo.as_ref().map(|it| fields(&it.fields)),
            it.search_attributes.as_ref().map(|it| fields(&it.indexed_fields)),
        ]),
        _ => return None,
    })
}

/// A Command that is sent, and the message that it announces, to be compared with what this SDK recorded.
pub(crate) fn issued(command: &WireCommand, messages: &[UpdateMessage], sdk: Sdk) -> String {
    let shown = shown(command.user_metadata.as_deref());
    match command.attributes.as_ref().expect("a Command says what it is") {
        C::StartTimerCommandAttributes(it) => timer(&it.timer_id, &it.start_to_fire_timeout) + &shown,
        C::CancelTimerCommandAttributes(it) => cancel_timer(&it.timer_id),
        C::ScheduleActivityTaskCommandAttributes(it) => {
            let name = it.activity_type.as_ref().map(|it| &it.name);
            let timeouts = [&it.start_to_close_timeout, &it.heartbeat_timeout];
            activity(&it.activity_id, name, &it.input, timeouts, &it.priority) + &shown
        }
        C::RequestCancelActivityTaskCommandAttributes(it) => cancel_activity(it.scheduled_event_id),
        C::RecordMarkerCommandAttributes(it) => marker(&it.marker_name, &it.details, &it.failure, sdk) + &shown,
        C::StartChildWorkflowExecutionCommandAttributes(it) => {
            let name = it.workflow_type.as_ref().map(|it| &it.name);
            child(&it.workflow_id, name, &it.input, it.parent_close_policy(), &it.priority) + &shown
        }
        C::RequestCancelExternalWorkflowExecutionCommandAttributes(it) => {
            cancel_other(&it.workflow_id, &it.run_id, it.child_workflow_only, &it.reason)
        }
        C::SignalExternalWorkflowExecutionCommandAttributes(it) => {
            let other = it.execution.clone().unwrap_or_default();
            signal_other(&other.workflow_id, &other.run_id, it.child_workflow_only, &it.signal_name, &it.input)
        }
        C::ScheduleNexusOperationCommandAttributes(it) => nexus([&it.endpoint, &it.service, &it.operation], &it.input),
        C::RequestCancelNexusOperationCommandAttributes(it) => cancel_nexus(it.scheduled_event_id),
        C::UpsertWorkflowSearchAttributesCommandAttributes(it) => {
            upsert("search attributes", it.search_attributes.as_ref().map(|it| &it.indexed_fields))
        }
        C::ModifyWorkflowPropertiesCommandAttributes(it) => {
            upsert("memo", it.upserted_memo.as_ref().map(|it| &it.fields))
        }
        C::ProtocolMessageCommandAttributes(it) => {
            let message = messages.iter().find(|message| message.id == it.message_id);
            message.map_or_else(|| format!("no message {}", it.message_id), update_message)
        }
        C::CompleteWorkflowExecutionCommandAttributes(it) => complete(&it.result),
        C::FailWorkflowExecutionCommandAttributes(it) => fail(&it.failure),
        C::CancelWorkflowExecutionCommandAttributes(_) => CANCELLED.to_owned(),
        C::ContinueAsNewWorkflowExecutionCommandAttributes(it) => continue_as_new([
            it.workflow_type.as_ref().map(|it| json!(it.name)),
            Some(arguments(&it.input)),
            it.memo.as_ref().map(|it| fields(&it.fields)),
            it.search_attributes.as_ref().map(|it| fields(&it.indexed_fields)),
        ]),
    }
}

/// The Command of user code that ends a workflow.
pub(crate) fn end(command: Command) -> String {
    match command {
        Command::CompleteWorkflow { result } => complete(&result.map(|result| Payloads { payloads: vec![result] })),
        Command::FailWorkflow { failure } => fail(&Some(*failure)),
        Command::CancelWorkflow { .. } => CANCELLED.to_owned(),
        Command::ContinueAsNew(next) => continue_as_new([
            Some(json!(next.workflow_type)),
            Some(json!(next.arguments.iter().map(value).collect::<Vec<_>>())),
            next.memo.map(|it| fields(&it.fields)),
            next.search_attributes.map(|it| fields(&it.indexed_fields)),
        ]),
        other => format!("{other:?} ends no workflow"),
    }
}

/// A workflow that returns this.
pub(crate) fn complete_with(result: &Value) -> String {
    format!("{WORKFLOW} completes with {result}")
}

/// Whether this is what becomes of a workflow.
pub(crate) fn ends_workflow(text: &str) -> bool {
    text.starts_with(WORKFLOW)
}

/// JSON, or null where there is nothing.
pub(crate) fn value(payload: &Payload) -> Value {
    match payload.metadata.get("encoding").map(|encoding| &**encoding) {
        Some(b"json/plain") => serde_json::from_slice(&payload.data).expect("JSON is JSON"),
        Some(b"binary/null") | None => Value::Null,
        Some(other) => json!(format!("a payload with encoding {:?}", String::from_utf8_lossy(other))),
    }
}

/// Only what went wrong at last: its wrapping is each SDK's own.
pub(crate) fn message(failure: &Failure) -> String {
    match (&failure.failure_info, &failure.cause) {
        (Some(FailureInfo::CanceledFailureInfo(_)), _) => "cancelled".to_owned(),
        (_, Some(cause)) => message(cause),
        (_, None) => failure.message.clone(),
    }
}

fn timer(id: &str, duration: &Option<Duration>) -> String {
    format!("start timer {id} {}", time(duration))
}

fn cancel_timer(id: &str) -> String {
    format!("cancel timer {id}")
}

fn activity(
    id: &str,
    name: Option<&String>,
    input: &Option<Payloads>,
    [start_to_close, heartbeat]: [&Option<Duration>; 2],
    priority: &Option<Priority>,
) -> String {
    let (start_to_close, heartbeat) = (time(start_to_close), time(heartbeat));
    let (input, priority) = (arguments(input), urgency(priority));
    format!("schedule activity {id} {name:?} {input} {start_to_close}, heartbeats {heartbeat}{priority}")
}

fn cancel_activity(scheduled_event_id: i64) -> String {
    format!("cancel activity of event {scheduled_event_id}")
}

fn marker(name: &str, details: &BTreeMap<String, Payloads>, failure: &Option<Failure>, sdk: Sdk) -> String {
    let mut details: BTreeMap<&str, Value> =
        details.iter().map(|(key, payloads)| (key.as_str(), arguments(&Some(payloads.clone())))).collect();
    if name == "core_local_activity" {
        details.remove("input");
        let data = details.get_mut("data").and_then(|data| data.get_mut(0)).and_then(Value::as_object_mut);
        let data = data.expect("the marker of a Local Activity says which it is");
        data["original_schedule_time"] = json!(!data["original_schedule_time"].is_null());
        if data["attempt"] == 0 {
            data["attempt"] = json!(1);
        }
        if sdk == Sdk::TypeScript {
            data.remove("activation_index");
        }
    }
    format!("marker {name} {} failure {:?}", json!(details), failure.as_ref().map(message))
}

fn child(
    id: &str,
    name: Option<&String>,
    input: &Option<Payloads>,
    policy: ParentClosePolicy,
    priority: &Option<Priority>,
) -> String {
    let policy = match policy {
        ParentClosePolicy::Unspecified => ParentClosePolicy::Terminate,
        said => said,
    };
    format!("start child {id} {name:?} {} {policy:?}{}", arguments(input), urgency(priority))
}

fn cancel_other(id: &str, run_id: &str, is_child: bool, reason: &str) -> String {
    let reason = reason.split_once(" with reason: ").map_or(reason, |(_, reason)| reason);
    format!("cancel workflow {id} {run_id:?}, a child: {is_child}, because {reason:?}")
}

fn signal_other(id: &str, run_id: &str, is_child: bool, name: &str, input: &Option<Payloads>) -> String {
    format!("signal workflow {id} {run_id:?}, a child: {is_child}, {name} {}", arguments(input))
}

fn nexus(operation: [&String; 3], input: &Option<Payload>) -> String {
    format!("schedule nexus operation {operation:?} {:?}", input.as_ref().map(value))
}

fn cancel_nexus(scheduled_event_id: i64) -> String {
    format!("cancel nexus operation of event {scheduled_event_id}")
}

fn upsert(what: &str, changed: Option<&BTreeMap<String, Payload>>) -> String {
    format!("upsert {what} {:?}", changed.map(fields))
}

fn update_message(message: &UpdateMessage) -> String {
    let id = &message.protocol_instance_id;
    match &message.body {
        UpdateBody::Acceptance(it) => {
            let message = (&it.accepted_request_message_id, it.accepted_request_sequencing_event_id);
            accept_update(id, message, &it.accepted_request)
        }
        UpdateBody::Response(it) => complete_update(it.meta.as_ref().map(|meta| &meta.update_id), &it.outcome),
        UpdateBody::Rejection(_) => format!("reject update {id}"),
    }
}

fn accept_update(id: &str, (message, behind): (&String, i64), request: &Option<Request>) -> String {
    let input = request.as_ref().and_then(|request| request.input.as_ref());
    let input = input.map(|input| (&input.name, arguments(&input.args)));
    format!("accept update {id} of message {message} behind event {behind}: {input:?}")
}

fn complete_update(id: Option<&String>, outcome: &Option<Outcome>) -> String {
    let outcome = match outcome.as_ref().and_then(|outcome| outcome.value.as_ref()) {
        Some(outcome::Value::Success(result)) => format!("result {}", arguments(&Some(result.clone()))),
        Some(outcome::Value::Failure(failure)) => format!("failure {:?}", message(failure)),
        None => "nothing".to_owned(),
    };
    format!("complete update {id:?} with {outcome}")
}

fn complete(result: &Option<Payloads>) -> String {
    complete_with(&result.as_ref().and_then(|result| result.payloads.first()).map_or(Value::Null, value))
}

fn fail(failure: &Option<Failure>) -> String {
    format!("{WORKFLOW} fails with {:?}", failure.as_ref().map(message))
}

fn continue_as_new(next: [Option<Value>; 4]) -> String {
    format!("{WORKFLOW} continues as new: {next:?}")
}

fn shown(metadata: Option<&UserMetadata>) -> String {
    let Some(metadata) = metadata else { return String::new() };
    let text = |payload: &Option<Payload>| payload.as_ref().map(value);
    format!(" shown as {:?}, {:?}", text(&metadata.summary), text(&metadata.details))
}

fn urgency(priority: &Option<Priority>) -> String {
    match priority {
        Some(priority) if *priority != Priority::default() => format!(" {priority:?}"),
        _ => String::new(),
    }
}

fn arguments(payloads: &Option<Payloads>) -> Value {
    payloads.as_ref().map_or_else(|| json!([]), |payloads| payloads.payloads.iter().map(value).collect())
}

/// Each value with its type, where it is one of a search attribute.
fn fields(fields: &BTreeMap<String, Payload>) -> Value {
    let field = |payload: &Payload| match payload.metadata.get("type") {
        Some(kind) => json!([value(payload), String::from_utf8_lossy(kind)]),
        None => value(payload),
    };
    fields.iter().map(|(name, payload)| (name.clone(), field(payload))).collect::<serde_json::Map<_, _>>().into()
}

fn time(duration: &Option<Duration>) -> String {
    let duration = duration.unwrap_or_default();
    format!("{}.{:09} s", duration.seconds, duration.nanos)
}

const WORKFLOW: &str = "the workflow";
const CANCELLED: &str = "the workflow is cancelled";
