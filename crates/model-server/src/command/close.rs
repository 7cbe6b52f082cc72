//! Commands that end the run.
//!
//! Fact (server 1.32): while Events are buffered, the worker does not know all, so none of these is taken: the task fails
//! with cause `UnhandledCommand` and another is scheduled.

use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::enums::WorkflowTaskFailedCause as Cause;

use super::{Completion, Refusal, WireAttributes, expect};
use crate::start::{checked_policy, typed_search_attributes};
use crate::time::duration;

impl Completion<'_, '_> {
    pub(super) fn complete_workflow(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        self.check_no_news()?;
        let attributes = match attributes {
            Some(CommandAttributes::CompleteWorkflowExecutionCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let cause = Cause::BadCompleteWorkflowExecutionAttributes;
        let result = expect(attributes, cause, "CompleteWorkflowExecution")?.result;
        self.run.complete(self.completed_event_id, result, self.context);
        Ok(())
    }

    pub(super) fn fail_workflow(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        self.check_no_news()?;
        let cause = Cause::BadFailWorkflowExecutionAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::FailWorkflowExecutionCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let Some(failure) = expect(attributes, cause, "FailWorkflowExecution")?.failure else {
            return Err(Refusal::new(cause, "Failure is not set on FailWorkflowExecutionCommand."));
        };
        self.run.fail(self.completed_event_id, failure, self.context);
        Ok(())
    }

    /// Fact (server 1.32): nobody needs to have asked for it.
    pub(super) fn cancel_workflow(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        self.check_no_news()?;
        let cause = Cause::BadCancelWorkflowExecutionAttributes;
        let attributes = match attributes {
            Some(CommandAttributes::CancelWorkflowExecutionCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let details = expect(attributes, cause, "CancelWorkflowExecution")?.details;
        self.run.cancel(self.completed_event_id, details, self.context);
        Ok(())
    }

    pub(super) fn continue_as_new(&mut self, attributes: WireAttributes) -> Result<(), Refusal> {
        self.check_no_news()?;
        let cause = Cause::BadContinueAsNewAttributes;
        let name = "ContinueAsNewWorkflowExecution";
        let attributes = match attributes {
            Some(CommandAttributes::ContinueAsNewWorkflowExecutionCommandAttributes(attributes)) => Some(attributes),
            _ => None,
        };
        let mut command = expect(attributes, cause, name)?;
        for (wire, field) in [
            (&command.workflow_run_timeout, "WorkflowRunTimeout"),
            (&command.workflow_task_timeout, "WorkflowTaskTimeout"),
            (&command.backoff_start_interval, "BackoffStartInterval"),
        ] {
            duration(wire.as_ref())
                .map_err(|error| Refusal::new(cause, format!("Invalid {field} on {name}Command: {error}.")))?;
        }
        if !command.cron_schedule.is_empty() {
            return Err(Refusal::new(cause, "the model of the server does not do cron schedules"));
        }
        command.retry_policy = command.retry_policy.map(checked_policy).transpose().map_err(|message| {
            Refusal::new(cause, format!("invalid WorkflowRetryPolicy on {name}Command: {message}."))
        })?;
        command.search_attributes = command
            .search_attributes
            .map(|attributes| typed_search_attributes(attributes, self.context.options))
            .transpose()
            .map_err(|message| Refusal::new(Cause::BadSearchAttributes, message))?;
        self.run.continue_as_new(self.completed_event_id, *command, self.context);
        Ok(())
    }

    fn check_no_news(&self) -> Result<(), Refusal> {
        if self.has_news {
            return Err(Refusal::new(Cause::UnhandledCommand, ""));
        }
        Ok(())
    }
}
