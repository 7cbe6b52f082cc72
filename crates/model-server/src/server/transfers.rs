//! What arrives from run to run. How long that takes stands in `transfer.rs`.

use timewright_proto::common::{WorkflowExecution, callback};
use timewright_proto::enums::{ParentClosePolicy, StartChildWorkflowExecutionFailedCause, WorkflowIdConflictPolicy};
use timewright_proto::history::{
    WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionSignaledEventAttributes,
};

use super::Server;
use super::client_calls::{Admission, record_signal, request_cancel};
use crate::child::Child;
use crate::error::ServerError;
use crate::execution::Execution;
use crate::external::ExternalOutcome;
use crate::nexus::{OPERATION_TOKEN_HEADER, outcome_of_workflow};
use crate::start::run_of_child;
use crate::time::Time;
use crate::transfer::Transfer;

impl Server {
    /// Delivers what was to arrive first.
    pub(super) fn deliver_transfer(&mut self) {
        let Some((run_id, transfer)) = self.transfers.pop() else { return };
        match transfer {
            Transfer::StartChild(initiated_event_id) => self.start_child(&run_id, initiated_event_id),
            Transfer::SignalExternal(initiated_event_id) => self.signal_external(&run_id, initiated_event_id),
            Transfer::CancelExternal(initiated_event_id) => self.cancel_external(&run_id, initiated_event_id),
            Transfer::Close => self.tell_of_close(&run_id),
            Transfer::CallBack => self.call_back(&run_id),
        }
    }

    /// Facts (server 1.32): the parent hears of the start before the child has its first Workflow Task. An id that may not be
    /// used is the only thing that can be wrong.
    fn start_child(&mut self, parent_run_id: &str, initiated_event_id: i64) {
        let Some(parent) = self.runs.get(parent_run_id) else { return };
        let Some(Child { initiated, .. }) = parent.child_to_start(initiated_event_id) else { return };
        let no_policy = WorkflowIdConflictPolicy::Unspecified;
        match self.admit(&initiated.workflow_id, initiated.workflow_id_reuse_policy(), no_policy) {
            Ok(admission) => {
                let to_terminate = match admission {
                    Admission::Terminate(run_id) => Some(run_id),
                    Admission::Free | Admission::Use(_) => None,
                };
                let initiated = initiated.clone();
                let (mut context, runs) = self.parts();
                let Some(parent) = runs.get(parent_run_id) else { return };
                let child = run_of_child(parent, initiated_event_id, initiated, &mut context);
                let child_run_id = child.run_id.clone();
                self.change(parent_run_id, |run, context| {
                    run.child_started(initiated_event_id, child_run_id, context);
                });
                self.replace_run(to_terminate, child);
            }
            Err(_) => {
                let cause = StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists;
                self.change(parent_run_id, |run, context| run.child_not_started(initiated_event_id, cause, context));
            }
        }
    }

    /// Facts (server 1.32): the signal names the workflow that sent it, and history-service as the identity. A signal that
    /// cannot be taken now is sent again later.
    fn signal_external(&mut self, sender_run_id: &str, initiated_event_id: i64) {
        let Some(sender) = self.runs.get(sender_run_id).filter(|run| run.is_running()) else { return };
        let Some(initiated) = sender.external_signals.get(&initiated_event_id) else { return };
        let signaled = WorkflowExecutionSignaledEventAttributes {
            signal_name: initiated.signal_name.clone(),
            input: initiated.input.clone(),
            identity: IDENTITY.into(),
            header: initiated.header.clone(),
            external_workflow_execution: Some(execution_of(sender)),
            ..WorkflowExecutionSignaledEventAttributes::default()
        };
        let target = self
            .external_target(sender, initiated.workflow_execution.as_ref())
            .filter(|target| !initiated.child_workflow_only || is_child_of(target, sender))
            .map(|target| target.run_id.clone());
        let answer =
            target.and_then(|target| self.change(&target, |run, context| record_signal(run, signaled, context)));
        let outcome = match answer {
            Some(Ok(())) => ExternalOutcome::Delivered,
            Some(Err(ServerError::ResourceExhausted(_))) => {
                let transfer = Transfer::SignalExternal(initiated_event_id);
                self.transfers.push_at(self.now + RETRY, sender_run_id, transfer);
                return;
            }
            Some(Err(_)) | None => ExternalOutcome::NotFound,
        };
        self.change(sender_run_id, |run, context| run.external_signal_ended(initiated_event_id, outcome, context));
    }

    /// Facts (server 1.32): asking a closed workflow, or one that was asked before, is a success, and changes nothing.
    /// Whether a closed one is a child of the sender does not matter.
    fn cancel_external(&mut self, sender_run_id: &str, initiated_event_id: i64) {
        let Some(sender) = self.runs.get(sender_run_id).filter(|run| run.is_running()) else { return };
        let Some(initiated) = sender.external_cancellations.get(&initiated_event_id) else { return };
        let requested = WorkflowExecutionCancelRequestedEventAttributes {
            cause: initiated.reason.clone(),
            external_initiated_event_id: initiated_event_id,
            external_workflow_execution: Some(execution_of(sender)),
            identity: IDENTITY.into(),
        };
        let target = self
            .external_target(sender, initiated.workflow_execution.as_ref())
            .filter(|target| !initiated.child_workflow_only || !target.is_running() || is_child_of(target, sender))
            .map(|target| target.run_id.clone());
        let outcome = match &target {
            Some(_) => ExternalOutcome::Delivered,
            None => ExternalOutcome::NotFound,
        };
        if let Some(target) = target {
            self.change(&target, |run, context| request_cancel(run, requested, context));
        }
        self.change(sender_run_id, |run, context| {
            run.external_cancellation_ended(initiated_event_id, outcome, context);
        });
    }

    /// Fact (server 1.32): no run can mean its own workflow.
    fn external_target(&self, sender: &Execution, execution: Option<&WorkflowExecution>) -> Option<&Execution> {
        let run_id = self.resolve(execution).ok()?;
        self.runs.get(&run_id).filter(|target| target.workflow_id != sender.workflow_id)
    }

    /// Facts (server 1.32): the parent hears of it unless another run follows. Then the children are ended or asked to end, as
    /// their close policies say; also where the run continues as new or is tried again. None of this happens when the run
    /// ends because it is reset.
    fn tell_of_close(&mut self, run_id: &str) {
        let Some(run) = self.runs.get_mut(run_id).filter(|run| run.reset_run_id.is_none()) else { return };
        let children = std::mem::take(&mut run.children);
        self.tell_parent(run_id);
        for child in children.into_values() {
            self.apply_close_policy(run_id, &child);
        }
    }

    fn tell_parent(&mut self, run_id: &str) {
        let Some(run) = self.runs.get(run_id) else { return };
        let Some(parent) = &run.started.parent_workflow_execution else { return };
        let end = run.events.all().last().and_then(|event| event.attributes.clone());
        let Some((end, parent_run_id)) = end.zip(self.run_in_place_of(&parent.run_id)) else { return };
        let (child, initiated_event_id) = (execution_of(run), run.started.parent_initiated_event_id);
        self.change(&parent_run_id, |run, context| run.child_closed(initiated_event_id, child, &end, context));
    }

    /// Fact (server 1.32): the Nexus operations that the workflow was started for hear of its end, unless another run follows.
    fn call_back(&mut self, run_id: &str) {
        let Some(run) = self.runs.get(run_id).filter(|run| run.reset_run_id.is_none()) else { return };
        let end = run.events.all().last().and_then(|event| event.attributes.as_ref());
        let Some(outcome) = end.and_then(outcome_of_workflow) else { return };
        for callback in run.started.completion_callbacks.clone() {
            let Some(callback::Variant::Nexus(callback::Nexus { header, .. })) = callback.variant else { continue };
            let token = header.get(OPERATION_TOKEN_HEADER).cloned().unwrap_or_default();
            // Nobody may wait for it any more.
            self.handle_nexus_callback(&header, &token, outcome.clone()).ok();
        }
    }

    /// The run itself, or the one that goes on in its place since it was reset.
    pub(super) fn run_in_place_of(&self, run_id: &str) -> Option<String> {
        let mut run = self.runs.get(run_id)?;
        while let Some(next) = run.reset_run_id.as_ref().and_then(|run_id| self.runs.get(run_id)) {
            run = next;
        }
        Some(run.run_id.clone())
    }

    /// Fact (server 1.32): it applies to the present run of the child, and only if that names the closed run as its parent:
    /// a child that was started before its parent was reset goes on.
    fn apply_close_policy(&mut self, parent_run_id: &str, child: &Child) {
        let Some(parent) = self.runs.get(parent_run_id) else { return };
        let current = self.current.get(&child.initiated.workflow_id).and_then(|run_id| self.runs.get(run_id));
        let Some(target) = current.filter(|run| {
            run.is_running()
                && is_child_of(run, parent)
                && Some(&run.started.first_execution_run_id) == child.run_id.as_ref()
        }) else {
            return;
        };
        let (target_run_id, parent) = (target.run_id.clone(), execution_of(parent));
        match child.initiated.parent_close_policy() {
            ParentClosePolicy::Terminate => {
                self.change(&target_run_id, |run, context| {
                    run.terminate("by parent close policy".into(), None, IDENTITY.into(), context);
                });
            }
            ParentClosePolicy::RequestCancel => {
                let requested = WorkflowExecutionCancelRequestedEventAttributes {
                    external_workflow_execution: Some(parent),
                    identity: IDENTITY.into(),
                    ..WorkflowExecutionCancelRequestedEventAttributes::default()
                };
                self.change(&target_run_id, |run, context| request_cancel(run, requested, context));
            }
            ParentClosePolicy::Abandon | ParentClosePolicy::Unspecified => (),
        }
    }
}

fn execution_of(run: &Execution) -> WorkflowExecution {
    WorkflowExecution { workflow_id: run.workflow_id.clone(), run_id: run.run_id.clone() }
}

/// Fact (server 1.32): a child has the run that started it as its parent, not those that follow it.
fn is_child_of(run: &Execution, parent: &Execution) -> bool {
    run.started.parent_workflow_execution.as_ref() == Some(&execution_of(parent))
}

const IDENTITY: &str = "history-service";
/// About as long as the real server waits.
const RETRY: Time = Time::from_secs(1);
