//! Whether an Update is done, without a wait for it.

use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::update::v1::{Meta, Outcome};
use timewright_proto::workflow_service::GetWorkflowExecutionHistoryReverseRequest;

use super::UntypedUpdateHandle;
use crate::rpc_error::RpcError;

impl UntypedUpdateHandle {
    /// The outcome that the history has, read from its end back to where the Update was accepted. All calls that are about Updates
    /// count among those that wait, also if they do not.
    pub(super) async fn look(&self) -> Result<Option<Outcome>, RpcError> {
        let client = self.workflow.client();
        let mut request = GetWorkflowExecutionHistoryReverseRequest {
            namespace: client.namespace().to_owned(),
            execution: self.reference.workflow_execution.clone(),
            ..GetWorkflowExecutionHistoryReverseRequest::default()
        };
        let is_this = |meta: Option<&Meta>| meta.is_some_and(|meta| meta.update_id == self.reference.update_id);
        loop {
            let page =
                client.workflow_service().get_workflow_execution_history_reverse(request.clone()).await?.into_inner();
            for event in page.history.unwrap_or_default().events {
                match event.attributes {
                    Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(done))
                        if is_this(done.meta.as_ref()) =>
                    {
                        return Ok(done.outcome);
                    }
                    Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted))
                        if is_this(accepted.accepted_request.as_ref().and_then(|request| request.meta.as_ref())) =>
                    {
                        return Ok(None);
                    }
                    _ => (),
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(None);
            }
            request.next_page_token = page.next_page_token;
        }
    }
}
