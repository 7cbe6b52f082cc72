//! What operators ask of the server.

use std::collections::BTreeMap;

use timewright_proto::history::WorkflowExecutionOptionsUpdatedEventAttributes;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionOptions;
use timewright_proto::workflow_service::{
    ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse, UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
};

use super::Server;
use crate::error::ServerError;
use crate::execution::Execution;
use crate::reset::Reset;

impl Server {
    /// `ResetWorkflowExecution`. What is asked again from the Event on is what `reset.rs` says; operations behind the reset
    /// are not modelled.
    ///
    /// Facts (server 1.32): the new run is in place at once. If the workflow has a running run, it is terminated; where that
    /// is not the one that is reset, it closes like any other. The same request id resets again.
    pub fn reset(
        &mut self,
        request: ResetWorkflowExecutionRequest,
    ) -> Result<ResetWorkflowExecutionResponse, ServerError> {
        if !request.post_reset_operations.is_empty() {
            return Err(ServerError::unsupported("operations after a reset"));
        }
        let base_run_id = self.resolve(request.workflow_execution.as_ref())?;
        let new_run_id = self.random.uuid();
        let reset = reset_of(&self.runs, &request, &base_run_id, &new_run_id)?;
        reset.check()?;
        let current_run_id = self.current.get(&reset.base.workflow_id).cloned().unwrap_or_default();
        self.change(&base_run_id, |run, _| {
            run.leaves_no_trace = true;
            run.reset_run_id = Some(new_run_id.clone());
        });
        self.change(&current_run_id, |run, context| {
            if run.is_running() {
                run.terminate(request.reason.clone(), None, "history-resetter".into(), context);
            }
        });
        let (mut context, runs) = self.parts();
        let run = reset_of(runs, &request, &base_run_id, &new_run_id)?.run(&mut context);
        self.add_run(run);
        Ok(ResetWorkflowExecutionResponse { run_id: new_run_id })
    }

    /// `UpdateWorkflowExecutionOptions`, for the priority. It cannot be taken away, and other options are not modelled.
    ///
    /// Facts (server 1.32): a change is recorded (and says that no versioning override is set); what is no change is not. The
    /// Event wakes no worker and may be ignored by workers, but it is buffered like others while a Workflow Task runs, and
    /// then keeps the workflow from ending and brings another task. The new priority is that of children that start and of a run that continues as new, not
    /// that of a run that is tried again.
    pub fn update_workflow_options(
        &mut self,
        request: UpdateWorkflowExecutionOptionsRequest,
    ) -> Result<UpdateWorkflowExecutionOptionsResponse, ServerError> {
        let run_id = self.resolve(request.workflow_execution.as_ref())?;
        let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        if let Some(path) = paths.iter().find(|path| *path != "priority") {
            return Err(ServerError::unsupported(format!("changes of the option {path:?}")));
        }
        let priority = request.workflow_execution_options.and_then(|options| options.priority);
        if !paths.is_empty() && priority.is_none() {
            return Err(ServerError::unsupported("taking a priority away"));
        }
        let options = self.change(&run_id, |run, context| {
            run.leaves_no_trace = true;
            run.check_running()?;
            if !paths.is_empty() && run.priority != priority {
                run.leaves_no_trace = false;
                run.priority.clone_from(&priority);
                let updated = WorkflowExecutionOptionsUpdatedEventAttributes {
                    unset_versioning_override: true,
                    priority,
                    identity: request.identity,
                    ..WorkflowExecutionOptionsUpdatedEventAttributes::default()
                };
                run.events
                    .buffer(context.now, Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(updated.into()));
            }
            Ok(WorkflowExecutionOptions { priority: run.priority.clone(), ..WorkflowExecutionOptions::default() })
        });
        let workflow_execution_options = Some(options.ok_or_else(not_found)??);
        Ok(UpdateWorkflowExecutionOptionsResponse {
            workflow_execution_options,
            ..UpdateWorkflowExecutionOptionsResponse::default()
        })
    }
}

fn reset_of<'a>(
    runs: &'a BTreeMap<String, Execution>,
    request: &'a ResetWorkflowExecutionRequest,
    base_run_id: &str,
    new_run_id: &'a str,
) -> Result<Reset<'a>, ServerError> {
    let base = runs.get(base_run_id).ok_or_else(not_found)?;
    Ok(Reset { request, base, later: later_runs(runs, base), new_run_id })
}

/// The runs that followed this one because it continued as new.
fn later_runs<'a>(runs: &'a BTreeMap<String, Execution>, base: &Execution) -> Vec<&'a Execution> {
    let next = |run: &Execution| runs.get(run.continued_as()?);
    std::iter::successors(next(base), |run| next(run)).collect()
}

fn not_found() -> ServerError {
    ServerError::NotFound("workflow execution not found".into())
}
