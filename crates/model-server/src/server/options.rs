//! Options of workflows that run.

use timewright_proto::common::Priority;
use timewright_proto::history::WorkflowExecutionOptionsUpdatedEventAttributes;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionOptions;
use timewright_proto::workflow_service::{
    UpdateWorkflowExecutionOptionsRequest, UpdateWorkflowExecutionOptionsResponse,
};

use super::Server;
use crate::error::ServerError;

impl Server {
    /// `UpdateWorkflowExecutionOptions`, of which the model knows the priority only.
    ///
    /// Facts (server 1.32): what changes nothing is not recorded. The Event may be ignored by workers. It wakes no worker,
    /// but it is buffered like others while a Workflow Task runs, and then keeps the workflow from ending and brings
    /// another task. While a task waits in its queue, the Event stands between the task's Scheduled and Started.
    pub fn update_workflow_options(
        &mut self,
        request: UpdateWorkflowExecutionOptionsRequest,
    ) -> Result<UpdateWorkflowExecutionOptionsResponse, ServerError> {
        let run_id = self.resolve(request.workflow_execution.as_ref())?;
        let paths = request.update_mask.unwrap_or_default().paths;
        if paths != ["priority"] {
            return Err(ServerError::unsupported(format!("changing the workflow options {}", paths.join(", "))));
        }
        let priority = request.workflow_execution_options.unwrap_or_default().priority;
        self.change(&run_id, |run, context| {
            run.check_running()?;
            if run.started.priority != priority {
                run.started.priority.clone_from(&priority);
                let updated = WorkflowExecutionOptionsUpdatedEventAttributes {
                    unset_versioning_override: true,
                    identity: request.identity,
                    priority: priority.clone(),
                    ..WorkflowExecutionOptionsUpdatedEventAttributes::default()
                };
                run.events.buffer(context.now, Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(updated));
            }
            Ok(())
        })
        .unwrap_or(Ok(()))?;
        let options = WorkflowExecutionOptions { priority, ..WorkflowExecutionOptions::default() };
        Ok(UpdateWorkflowExecutionOptionsResponse {
            workflow_execution_options: Some(options),
            ..UpdateWorkflowExecutionOptionsResponse::default()
        })
    }
}

/// Fact (server 1.32): what an activity's priority leaves out is the workflow's, as it is when a worker gets the task.
pub(super) fn merged(priority: Option<Priority>, of_workflow: Option<&Priority>) -> Option<Priority> {
    let Some(inherited) = of_workflow else { return priority };
    let Some(own) = priority else { return Some(inherited.clone()) };
    Some(Priority {
        priority_key: if own.priority_key == 0 { inherited.priority_key } else { own.priority_key },
        fairness_key: if own.fairness_key.is_empty() { inherited.fairness_key.clone() } else { own.fairness_key },
        fairness_weight: if own.fairness_weight == 0.0 { inherited.fairness_weight } else { own.fairness_weight },
    })
}
