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
use crate::start::{NextRun, run_of_request};

impl Server {
    /// `StartWorkflowExecution`.
    ///
    /// Facts (server 1.32): whether the id of a running workflow can be used is the conflict policy's, that of a closed one the
    /// reuse policy's; the deprecated reuse policy "terminate if running" is both. (Options on a conflict are not modelled.)
    pub fn start_workflow(
        &mut self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<StartWorkflowExecutionResponse, ServerError> {
        let (reuse_policy, conflict_policy) =
            (request.workflow_id_reuse_policy(), request.workflow_id_conflict_policy());
        check_policies(reuse_policy, conflict_policy)?;
        if request.on_conflict_options.is_some() {
            return Err(ServerError::unsupported("options on a conflict of Workflow Ids"));
        }
        let to_terminate = match self.admit(&request.workflow_id, reuse_policy, conflict_policy)? {
            Admission::Free => None,
            Admission::Terminate(run_id) => Some(run_id),
            Admission::Use(run_id) => {
                let status = WorkflowExecutionStatus::Running.into();
                return Ok(StartWorkflowExecutionResponse { run_id, status, ..Default::default() });
            }
        };
        let run = run_of_request(request, &mut self.parts().0)?;
        let run_id = run.run_id.clone();
        self.replace_run(to_terminate, run);
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
    /// that task.
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
        let requested = WorkflowExecutionCancelRequestedEventAttributes {
            cause: request.reason,
            identity: request.identity,
            ..WorkflowExecutionCancelRequestedEventAttributes::default()
        };
        self.change(&run_id, |run, context| request_cancel(run, requested, context));
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

    /// Whether a workflow of this id may start.
    pub(super) fn admit(
        &self,
        workflow_id: &str,
        reuse_policy: WorkflowIdReusePolicy,
        conflict_policy: WorkflowIdConflictPolicy,
    ) -> Result<Admission, ServerError> {
        let Some(run) = self.current.get(workflow_id).and_then(|run_id| self.runs.get(run_id)) else {
            return Ok(Admission::Free);
        };
        let names = format!("WorkflowId: {}, RunId: {}.", run.workflow_id, run.run_id);
        if run.is_running() {
            return match (conflict_policy, reuse_policy) {
                (WorkflowIdConflictPolicy::UseExisting, _) => Ok(Admission::Use(run.run_id.clone())),
                (WorkflowIdConflictPolicy::TerminateExisting, _) | (_, WorkflowIdReusePolicy::TerminateIfRunning) => {
                    Ok(Admission::Terminate(run.run_id.clone()))
                }
                (WorkflowIdConflictPolicy::Unspecified | WorkflowIdConflictPolicy::Fail, _) => {
                    Err(ServerError::AlreadyExists(format!("Workflow execution is already running. {names}")))
                }
            };
        }
        let succeeded =
            matches!(run.status, WorkflowExecutionStatus::Completed | WorkflowExecutionStatus::ContinuedAsNew);
        match reuse_policy {
            WorkflowIdReusePolicy::AllowDuplicateFailedOnly if succeeded => Err(ServerError::AlreadyExists(format!(
                "Workflow execution already finished successfully. {names} \
                 Workflow Id reuse policy: allow duplicate workflow Id if last run failed."
            ))),
            WorkflowIdReusePolicy::RejectDuplicate => Err(ServerError::AlreadyExists(format!(
                "Workflow execution already finished. {names} \
                 Workflow Id reuse policy: reject duplicate workflow Id."
            ))),
            WorkflowIdReusePolicy::Unspecified
            | WorkflowIdReusePolicy::AllowDuplicate
            | WorkflowIdReusePolicy::AllowDuplicateFailedOnly
            | WorkflowIdReusePolicy::TerminateIfRunning => Ok(Admission::Free),
        }
    }

    /// Starts a run, and ends the one that must make room for it.
    pub(super) fn replace_run(&mut self, to_terminate: Option<String>, next: NextRun) {
        if let Some(run_id) = to_terminate {
            self.change(&run_id, |run, context| {
                let reason = "TerminateIfRunning WorkflowIdReusePolicy".into();
                run.terminate(reason, None, "history-service".into(), context);
            });
        }
        let run = Execution::new(next, &mut self.parts().0);
        self.add_run(run);
    }
}

/// What is to be done that a workflow may start.
pub(super) enum Admission {
    Free,
    /// This run must end first.
    Terminate(String),
    /// This run takes its place.
    Use(String),
}

fn check_policies(reuse: WorkflowIdReusePolicy, conflict: WorkflowIdConflictPolicy) -> Result<(), ServerError> {
    let other = match (reuse, conflict) {
        (WorkflowIdReusePolicy::TerminateIfRunning, WorkflowIdConflictPolicy::Unspecified) => return Ok(()),
        (WorkflowIdReusePolicy::TerminateIfRunning, _) => "a WorkflowIDConflictPolicy".to_owned(),
        (WorkflowIdReusePolicy::RejectDuplicate, WorkflowIdConflictPolicy::TerminateExisting) => {
            format!("WorkflowIdConflictPolicy {}", conflict.as_str_name())
        }
        _ => return Ok(()),
    };
    Err(ServerError::InvalidArgument(format!(
        "Invalid WorkflowIDReusePolicy: {} cannot be used together with {other}",
        reuse.as_str_name()
    )))
}

pub(super) fn request_cancel(
    run: &mut Execution,
    requested: WorkflowExecutionCancelRequestedEventAttributes,
    context: &mut Context<'_>,
) {
    if !run.is_running() || run.cancel_requested {
        run.leaves_no_trace = true;
        return;
    }
    run.cancel_requested = true;
    run.events.buffer(context.now, Attributes::WorkflowExecutionCancelRequestedEventAttributes(requested.into()));
    run.schedule_first_task(context);
    run.wake_worker(context);
}

/// Fact (server 1.32): while a task runs that follows a refused end of the workflow, no signal is taken.
fn signal(
    run: &mut Execution,
    request: SignalWorkflowExecutionRequest,
    context: &mut Context<'_>,
) -> Result<(), ServerError> {
    if !request.request_id.is_empty() && run.signal_requests.contains(&request.request_id) {
        run.leaves_no_trace = true;
        return Ok(());
    }
    let signaled = WorkflowExecutionSignaledEventAttributes {
        signal_name: request.signal_name,
        input: request.input,
        identity: request.identity,
        header: request.header,
        ..WorkflowExecutionSignaledEventAttributes::default()
    };
    record_signal(run, signaled, context)?;
    if !request.request_id.is_empty() {
        run.signal_requests.insert(request.request_id);
    }
    Ok(())
}

pub(super) fn record_signal(
    run: &mut Execution,
    signaled: WorkflowExecutionSignaledEventAttributes,
    context: &mut Context<'_>,
) -> Result<(), ServerError> {
    run.leaves_no_trace = true;
    run.check_running()?;
    if run.closing_attempted && run.has_started_task() {
        return Err(ServerError::workflow_is_closing());
    }
    run.leaves_no_trace = false;
    run.events.buffer(context.now, Attributes::WorkflowExecutionSignaledEventAttributes(signaled.into()));
    run.wake_worker(context);
    Ok(())
}
