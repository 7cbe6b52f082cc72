//! The ways to end.

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    CancelWorkflowExecutionCommandAttributes, CompleteWorkflowExecutionCommandAttributes,
    ContinueAsNewWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes,
};
use timewright_proto::common::{Memo, Payload, Payloads, SearchAttributes, WorkflowType};
use timewright_proto::enums::ContinueAsNewInitiator;
use timewright_proto::failure::Failure;
use timewright_proto::to_duration;

use super::queue::What;
use super::{CommandError, Operations, to_payloads, to_task_queue};
use crate::workflow::command::ContinueAsNew;

impl Operations {
    pub(super) fn complete_workflow(&mut self, result: Option<Payload>) -> Result<(), CommandError> {
        let result = result.map(|payload| Payloads { payloads: vec![payload] });
        let attributes = CompleteWorkflowExecutionCommandAttributes { result };
        self.end(What::CompleteWorkflow, Attributes::CompleteWorkflowExecutionCommandAttributes(attributes.into()))
    }

    pub(super) fn fail_workflow(&mut self, failure: Failure) -> Result<(), CommandError> {
        let attributes = FailWorkflowExecutionCommandAttributes { failure: Some(failure) };
        self.end(What::FailWorkflow, Attributes::FailWorkflowExecutionCommandAttributes(attributes.into()))
    }

    pub(super) fn cancel_workflow(&mut self, details: Vec<Payload>) -> Result<(), CommandError> {
        let attributes = CancelWorkflowExecutionCommandAttributes { details: to_payloads(details) };
        self.end(What::CancelWorkflow, Attributes::CancelWorkflowExecutionCommandAttributes(attributes.into()))
    }

    /// What is not said is taken over from this run: the server would leave it out.
    pub(super) fn continue_as_new(&mut self, next: ContinueAsNew) -> Result<(), CommandError> {
        let carried = &self.carried;
        let attributes = ContinueAsNewWorkflowExecutionCommandAttributes {
            workflow_type: Some(WorkflowType { name: next.workflow_type }),
            task_queue: Some(to_task_queue(next.task_queue)),
            input: to_payloads(next.arguments),
            workflow_run_timeout: next.workflow_run_timeout.map(to_duration),
            workflow_task_timeout: next.workflow_task_timeout.map(to_duration),
            backoff_start_interval: next.backoff_start_interval.map(to_duration),
            retry_policy: next.retry_policy.or_else(|| carried.retry_policy.clone()),
            initiator: ContinueAsNewInitiator::Workflow.into(),
            header: next.header,
            memo: next.memo.or_else(|| (!carried.memo.is_empty()).then(|| Memo { fields: carried.memo.clone() })),
            search_attributes: next.search_attributes.or_else(|| {
                let indexed_fields = &carried.search_attributes;
                (!indexed_fields.is_empty()).then(|| SearchAttributes { indexed_fields: indexed_fields.clone() })
            }),
            initial_versioning_behavior: next.initial_versioning_behavior.into(),
            ..ContinueAsNewWorkflowExecutionCommandAttributes::default()
        };
        self.end(What::ContinueAsNew, Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(attributes.into()))
    }

    /// What the worker still executes is of no use any more.
    fn end(&mut self, what: What, attributes: Attributes) -> Result<(), CommandError> {
        if self.ended {
            return Err(CommandError::EndedTwice);
        }
        self.ended = true;
        self.queue.issue(what, attributes, None);
        self.give_up_local_activities();
        Ok(())
    }
}
