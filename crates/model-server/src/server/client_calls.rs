//! What clients ask of the server.

use timewright_proto::enums::{WorkflowExecutionStatus, WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionSignaledEventAttributes,
};
use timewright_proto::workflow_service::{
    RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse, TerminateWorkflowExecutionRequest,
};

use super::Server;
use crate::error::ServerError;
use crate::execution::{Context, Execution};
use crate::start::run_of_request;

impl Server {
    /// `StartWorkflowExecution`.
    ///
    /// Facts (server 1.32): the id of a running workflow cannot be used again; that of a closed one can, as the reuse
    /// policy says. (Conflict policies other than failing, and the deprecated reuse policy "terminate if running", are not
    /// modelled.)
    pub fn start_workflow(
        &mut self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<StartWorkflowExecutionResponse, ServerError> {
        self.check_start(&request)?;
        let mut context = Context { now: self.now, options: &self.options, random: &mut self.random };
        let run = run_of_request(request, &mut context)?;
        let run_id = run.run_id.clone();
        let run = Execution::new(run, &mut context);
        self.add_run(run);
        Ok(StartWorkflowExecutionResponse {
            run_id,
            started: true,
            status: WorkflowExecutionStatus::Running.into(),
            ..StartWorkflowExecutionResponse::default()
        })
    }

    /// `SignalWorkflowExecution`.
    ///
    /// Facts (server 1.32): a request id counts once. A signal during the back-off before the first Workflow Task waits for
    /// that task. While a task runs that follows a refused end of the workflow, no signal is taken.
    pub fn signal(&mut self, request: SignalWorkflowExecutionRequest) -> Result<(), ServerError> {
        let run_id = self.resolve(request.workflow_execution.as_ref())?;
        self.change(&run_id, |run, context| signal(run, request, context)).unwrap_or(Ok(()))
    }

    /// `RequestCancelWorkflowExecution`.
    ///
    /// Facts (server 1.32): it is recorded once, further requests change nothing, nor do requests to a closed workflow. It
    /// ends the back-off before the first Workflow Task.
    pub fn request_cancel(&mut self, request: RequestCancelWorkflowExecutionRequest) -> Result<(), ServerError> {
        let run_id = self.resolve(request.workflow_execution.as_ref())?;
        self.change(&run_id, |run, context| {
            if !run.is_running() || run.cancel_requested {
                run.leaves_no_trace = true;
                return;
            }
            run.cancel_requested = true;
            let requested = WorkflowExecutionCancelRequestedEventAttributes {
                cause: request.reason,
                identity: request.identity,
                ..WorkflowExecutionCancelRequestedEventAttributes::default()
            };
            let event = Attributes::WorkflowExecutionCancelRequestedEventAttributes(requested);
            run.events.buffer(context.now, event);
            run.schedule_first_task(context);
            run.wake_worker(context);
        });
        Ok(())
    }

    /// `TerminateWorkflowExecution`.
    pub fn terminate(&mut self, request: TerminateWorkflowExecutionRequest) -> Result<(), ServerError> {
        let run_id = self.resolve(request.workflow_execution.as_ref())?;
        self.change(&run_id, |run, context| {
            run.check_running()?;
            run.terminate(request.reason, request.details, request.identity, context);
            Ok(())
        })
        .unwrap_or(Ok(()))
    }

    fn check_start(&self, request: &StartWorkflowExecutionRequest) -> Result<(), ServerError> {
        let conflict_policy = request.workflow_id_conflict_policy();
        if !matches!(conflict_policy, WorkflowIdConflictPolicy::Unspecified | WorkflowIdConflictPolicy::Fail) {
            return Err(ServerError::unsupported(format!("the Workflow Id conflict policy {conflict_policy:?}")));
        }
        let Some(run) = self.current.get(&request.workflow_id).and_then(|run_id| self.runs.get(run_id)) else {
            return Ok(());
        };
        let names = format!("WorkflowId: {}, RunId: {}.", run.workflow_id, run.run_id);
        if run.is_running() {
            return Err(ServerError::AlreadyExists(format!("Workflow execution is already running. {names}")));
        }
        let succeeded =
            matches!(run.status, WorkflowExecutionStatus::Completed | WorkflowExecutionStatus::ContinuedAsNew);
        match request.workflow_id_reuse_policy() {
            WorkflowIdReusePolicy::Unspecified | WorkflowIdReusePolicy::AllowDuplicate => Ok(()),
            WorkflowIdReusePolicy::AllowDuplicateFailedOnly if !succeeded => Ok(()),
            WorkflowIdReusePolicy::AllowDuplicateFailedOnly => Err(ServerError::AlreadyExists(format!(
                "Workflow execution already finished successfully. {names} \
                 Workflow Id reuse policy: allow duplicate workflow Id if last run failed."
            ))),
            WorkflowIdReusePolicy::RejectDuplicate => Err(ServerError::AlreadyExists(format!(
                "Workflow execution already finished. {names} \
                 Workflow Id reuse policy: reject duplicate workflow Id."
            ))),
            WorkflowIdReusePolicy::TerminateIfRunning => {
                Err(ServerError::unsupported("the Workflow Id reuse policy TerminateIfRunning"))
            }
        }
    }
}

fn signal(
    run: &mut Execution,
    request: SignalWorkflowExecutionRequest,
    context: &mut Context<'_>,
) -> Result<(), ServerError> {
    run.leaves_no_trace = true;
    if !request.request_id.is_empty() && run.signal_requests.contains(&request.request_id) {
        return Ok(());
    }
    run.check_running()?;
    if run.closing_attempted && run.has_started_task() {
        return Err(ServerError::workflow_is_closing());
    }
    run.leaves_no_trace = false;
    if !request.request_id.is_empty() {
        run.signal_requests.insert(request.request_id);
    }
    let signaled = WorkflowExecutionSignaledEventAttributes {
        signal_name: request.signal_name,
        input: request.input,
        identity: request.identity,
        header: request.header,
        ..WorkflowExecutionSignaledEventAttributes::default()
    };
    run.events.buffer(context.now, Attributes::WorkflowExecutionSignaledEventAttributes(signaled));
    run.wake_worker(context);
    Ok(())
}
