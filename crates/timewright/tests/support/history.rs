//! Event Histories: waiting for an Event, and reading what it says.

use timewright::client::{CallKind, Client, UntypedWorkflowHandle};
use timewright::converter::Failure;
use timewright::proto::common::WorkflowExecution;
use timewright::proto::enums::EventType;
use timewright::proto::history::history_event::Attributes;
use timewright::proto::history::{HistoryEvent, WorkflowTaskFailedEventAttributes};
use timewright::proto::workflow_service::GetWorkflowExecutionHistoryRequest;

use super::within;

/// Waits for the first Event of this type, by long poll.
pub(crate) async fn wait_for_event(handle: &UntypedWorkflowHandle, event_type: EventType) -> HistoryEvent {
    let what = format!("{} of workflow {}", event_type.as_str_name(), handle.workflow_id());
    within(what, next_event(handle, |event| event.event_type() == event_type)).await
}

/// Waits for the first Event of any of these types, by long poll.
pub(crate) async fn wait_for_one_of(handle: &UntypedWorkflowHandle, event_types: &[EventType]) -> HistoryEvent {
    let what = format!("one of {event_types:?} of workflow {}", handle.workflow_id());
    within(what, next_event(handle, |event| event_types.contains(&event.event_type()))).await
}

/// Waits for the failure of a Workflow Task: its cause's name, and its failure in full as people read it.
pub(crate) async fn wait_for_task_failure(handle: &UntypedWorkflowHandle) -> (String, String) {
    let failed = task_failure(handle).await;
    let Some(reason) = failed.failure.clone() else { panic!("the task failed without a failure: {failed:?}") };
    (cause_name(&failed), format!("{:#}", failure(handle.client(), reason)))
}

/// Waits for the failure of a Workflow Task by the server's own decision: its cause's name.
pub(crate) async fn wait_for_task_failure_cause(handle: &UntypedWorkflowHandle) -> String {
    cause_name(&task_failure(handle).await)
}

async fn task_failure(handle: &UntypedWorkflowHandle) -> WorkflowTaskFailedEventAttributes {
    let event = wait_for_event(handle, EventType::WorkflowTaskFailed).await;
    match event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => *failed,
        _ => panic!("{event:?} does not say why the task failed"),
    }
}

fn cause_name(failed: &WorkflowTaskFailedEventAttributes) -> String {
    failed.cause().as_str_name().trim_start_matches("WORKFLOW_TASK_FAILED_CAUSE_").to_owned()
}

/// A failure as people read it.
pub(crate) fn failure(client: &Client, failure: timewright::proto::failure::Failure) -> Failure {
    client.data_converter().failure_from_proto(failure)
}

/// The types of all Events so far: `TIMER_STARTED`, …
pub(crate) async fn event_types(handle: &UntypedWorkflowHandle) -> Vec<String> {
    let history = within("a history", handle.history()).await.unwrap_or_else(|error| panic!("{error}"));
    history.events.iter().map(type_name).collect()
}

/// `TIMER_STARTED` of an Event of that type.
pub(crate) fn type_name(event: &HistoryEvent) -> String {
    event.event_type().as_str_name().trim_start_matches("EVENT_TYPE_").to_owned()
}

async fn next_event(handle: &UntypedWorkflowHandle, wanted: impl Fn(&HistoryEvent) -> bool) -> HistoryEvent {
    let client = handle.client();
    let mut request = GetWorkflowExecutionHistoryRequest {
        namespace: client.namespace().to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: handle.workflow_id().to_owned(),
            run_id: handle.run_id().unwrap_or_default().to_owned(),
        }),
        wait_new_event: true,
        ..GetWorkflowExecutionHistoryRequest::default()
    };
    loop {
        let response = client
            .workflow_service()
            .get_workflow_execution_history(CallKind::LongPoll.request(request.clone()))
            .await
            .unwrap_or_else(|status| panic!("history of {}: {status}", handle.workflow_id()));
        let mut response = response.into_inner();
        let decoded = client.data_converter().decode(&mut response).await;
        decoded.unwrap_or_else(|error| panic!("history of {}: {error}", handle.workflow_id()));
        let events = response.history.unwrap_or_default().events;
        if let Some(event) = events.into_iter().find(&wanted) {
            return event;
        }
        assert!(!response.next_page_token.is_empty(), "workflow {} ended without it", handle.workflow_id());
        request.next_page_token = response.next_page_token;
    }
}
