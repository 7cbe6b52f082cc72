//! Whether an Update is done, without a wait for it.

use timewright_proto::failure::ApplicationFailureInfo;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::update::v1::{Meta, Outcome, outcome};
use timewright_proto::workflow_service::GetWorkflowExecutionHistoryReverseRequest;

use super::UntypedUpdateHandle;
use crate::rpc_error::RpcError;

/// What earlier looks have found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The newest Event that was read, with all before it that matter.
    newest: i64,
    is_accepted: bool,
}

impl UntypedUpdateHandle {
    /// The outcome that the history has, read from its end back to where the Update was accepted, or to what an earlier look has read.
    /// All calls that are about Updates count among those that wait, also if they do not.
    pub(super) async fn look(&self, seen: &mut Seen) -> Result<Option<Outcome>, RpcError> {
        if self.run_id().is_none() {
            // Where only the latest run is meant, this may be another than the one that was looked at before.
            *seen = Seen::default();
        }
        let client = self.workflow.client();
        let mut request = GetWorkflowExecutionHistoryReverseRequest {
            namespace: client.namespace().to_owned(),
            execution: self.reference.workflow_execution.clone(),
            ..GetWorkflowExecutionHistoryReverseRequest::default()
        };
        let is_this = |meta: Option<&Meta>| meta.is_some_and(|meta| meta.update_id == self.reference.update_id);
        let mut newest = None;
        'pages: loop {
            let page =
                client.workflow_service().get_workflow_execution_history_reverse(request.clone()).await?.into_inner();
            for event in page.history.unwrap_or_default().events {
                newest.get_or_insert((event.event_id, is_close(&event)));
                if event.event_id <= seen.newest {
                    break 'pages;
                }
                match event.attributes {
                    Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(done))
                        if is_this(done.meta.as_ref()) =>
                    {
                        return Ok(done.outcome);
                    }
                    Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted))
                        // One that an earlier run, before a reset, has admitted has its request elsewhere.
                        if accepted.protocol_instance_id == self.reference.update_id
                            || is_this(accepted.accepted_request.as_ref().and_then(|request| request.meta.as_ref())) =>
                    {
                        seen.is_accepted = true;
                        break 'pages;
                    }
                    _ => (),
                }
            }
            if page.next_page_token.is_empty() {
                break;
            }
            request.next_page_token = page.next_page_token;
        }
        let (newest, is_closed) = newest.unwrap_or_default();
        match (is_closed, seen.is_accepted) {
            (true, true) => return Ok(Some(not_completed())),
            (true, false) => {
                return Err(tonic::Status::not_found("the workflow has ended, and never accepted it").into());
            }
            (false, _) => (),
        }
        seen.newest = newest;
        Ok(None)
    }
}

fn is_close(event: &HistoryEvent) -> bool {
    matches!(
        event.attributes,
        Some(
            Attributes::WorkflowExecutionCompletedEventAttributes(_)
                | Attributes::WorkflowExecutionFailedEventAttributes(_)
                | Attributes::WorkflowExecutionTimedOutEventAttributes(_)
                | Attributes::WorkflowExecutionCanceledEventAttributes(_)
                | Attributes::WorkflowExecutionTerminatedEventAttributes(_)
                | Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_)
        )
    )
}

/// What the server answers whoever waits for an Update whose workflow has ended first. No Event says it.
fn not_completed() -> Outcome {
    let info = ApplicationFailureInfo {
        r#type: "AcceptedUpdateCompletedWorkflow".into(),
        non_retryable: true,
        ..ApplicationFailureInfo::default()
    };
    let failure = Failure {
        message: "Workflow Update failed because the Workflow completed before the Update completed.".into(),
        source: "Server".into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    };
    Outcome { value: Some(outcome::Value::Failure(failure)) }
}
