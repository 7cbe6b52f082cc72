//! Child Workflows.

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    RequestCancelExternalWorkflowExecutionCommandAttributes, StartChildWorkflowExecutionCommandAttributes,
};
use timewright_proto::common::{WorkflowExecution, WorkflowType};
use timewright_proto::enums::{RetryState, TimeoutType};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{
    ChildWorkflowExecutionFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo,
};
use timewright_proto::to_duration;

use super::activity::cancelled;
use super::queue::{Key, What, user_metadata};
use super::{CommandError, Operations, another_kind, count_up, not_under_way, to_payloads, to_task_queue};
use crate::workflow::activation::{ChildWorkflowStart, Job, Resolution};
use crate::workflow::command::{ChildWorkflowCancellationType, StartChildWorkflow};
use crate::workflow::event::{Event, EventKind};
use crate::workflow::machines::child_workflow::{Input, State};
use crate::workflow::machines::{Effect, ProtocolError};

#[derive(Debug, Clone)]
pub(super) struct ChildWorkflow {
    state: State,
    namespace: String,
    workflow_id: String,
    workflow_type: String,
    cancellation_type: ChildWorkflowCancellationType,
    initiated_event_id: i64,
    started_event_id: i64,
    run_id: String,
}

impl Operations {
    pub(super) fn start_child_workflow(&mut self, start: StartChildWorkflow) -> Result<(), CommandError> {
        let sequence = start.sequence;
        count_up("child workflow", &mut self.last_sequences.child_workflow, sequence)?;
        let machine = ChildWorkflow {
            state: State::Issued,
            namespace: start.namespace.clone(),
            workflow_id: start.workflow_id.clone(),
            workflow_type: start.workflow_type.clone(),
            cancellation_type: start.cancellation_type,
            initiated_event_id: 0,
            started_event_id: 0,
            run_id: String::new(),
        };
        let what = What::StartChildWorkflow {
            sequence,
            workflow_id: start.workflow_id.clone(),
            workflow_type: start.workflow_type.clone(),
        };
        let attributes = StartChildWorkflowExecutionCommandAttributes {
            namespace: start.namespace,
            workflow_id: start.workflow_id,
            workflow_type: Some(WorkflowType { name: start.workflow_type }),
            task_queue: (!start.task_queue.is_empty()).then(|| to_task_queue(start.task_queue)),
            input: to_payloads(start.arguments),
            workflow_execution_timeout: start.workflow_execution_timeout.map(to_duration),
            workflow_run_timeout: start.workflow_run_timeout.map(to_duration),
            workflow_task_timeout: start.workflow_task_timeout.map(to_duration),
            parent_close_policy: start.parent_close_policy.into(),
            workflow_id_reuse_policy: start.workflow_id_reuse_policy.into(),
            retry_policy: start.retry_policy,
            cron_schedule: start.cron_schedule,
            header: Some(start.header),
            memo: start.memo,
            search_attributes: start.search_attributes,
            priority: start.priority,
            versioning_override: start.versioning_override,
            ..StartChildWorkflowExecutionCommandAttributes::default()
        };
        let attributes = Attributes::StartChildWorkflowExecutionCommandAttributes(attributes.into());
        self.queue.issue(what, attributes, user_metadata(start.summary, start.details));
        self.child_workflows.insert(sequence, machine);
        Ok(())
    }

    /// Too late, or never started: nothing to do.
    pub(super) fn cancel_child_workflow(&mut self, sequence: u32, reason: String, jobs: &mut Vec<Job>) {
        let Some(child) = self.child_workflows.get(&sequence).cloned() else { return };
        let Ok(effect) = self.move_child_workflow(sequence, Input::Cancel(child.cancellation_type)) else { return };
        if effect.tells_cancelled() {
            jobs.push(child.told_cancelled(sequence));
        }
        if effect.withdraws() {
            self.queue.withdraw(Key::ChildWorkflow(sequence));
        }
        if effect.issues_cancel() {
            let what = What::CancelChildWorkflow { sequence, workflow_id: child.workflow_id.clone() };
            let attributes = RequestCancelExternalWorkflowExecutionCommandAttributes {
                namespace: child.namespace,
                workflow_id: child.workflow_id,
                run_id: child.run_id,
                child_workflow_only: true,
                reason,
                ..RequestCancelExternalWorkflowExecutionCommandAttributes::default()
            };
            let attributes = Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(attributes.into());
            self.queue.issue(what, attributes, None);
        }
    }

    pub(super) fn child_workflow_initiated(&mut self, sequence: u32, event_id: i64) -> Result<(), ProtocolError> {
        self.by_event.insert(event_id, Key::ChildWorkflow(sequence));
        if let Some(child) = self.child_workflows.get_mut(&sequence) {
            child.initiated_event_id = event_id;
        }
        self.move_child_workflow(sequence, Input::Initiated).map(|_| ())
    }

    /// It was started, or was not, or has an outcome.
    pub(super) fn child_workflow_news(
        &mut self,
        initiated_event_id: i64,
        event: &Event,
        jobs: &mut Vec<Job>,
    ) -> Result<(), ProtocolError> {
        let sequence = match self.by_event.get(&initiated_event_id) {
            Some(Key::ChildWorkflow(sequence)) => *sequence,
            Some(other) => return Err(another_kind(initiated_event_id, *other)),
            None => return Err(not_under_way()),
        };
        let child = self.child_workflows.get_mut(&sequence).ok_or_else(not_under_way)?;
        let input = match &event.kind {
            EventKind::StartChildWorkflowExecutionFailed { .. } => Input::StartFailed,
            EventKind::ChildWorkflowExecutionStarted { run_id, .. } => {
                child.run_id.clone_from(run_id);
                child.started_event_id = event.id;
                Input::Started
            }
            _ => Input::Outcome,
        };
        let child = child.clone();
        match self.move_child_workflow(sequence, input)? {
            Effect::ResolveStart => {
                let start = match &event.kind {
                    EventKind::StartChildWorkflowExecutionFailed { cause, .. } => {
                        ChildWorkflowStart::Failed { cause: *cause }
                    }
                    _ => ChildWorkflowStart::Started { run_id: child.run_id },
                };
                jobs.push(Job::ResolveChildWorkflowStart { sequence, start });
            }
            Effect::Resolve => {
                jobs.push(Job::ResolveChildWorkflow { sequence, resolution: child.resolution(&event.kind) });
            }
            _ => (),
        }
        Ok(())
    }

    /// The request to cancel itself has reached the Child Workflow. It may have ended before. SDKs on Temporal's shared core wait
    /// for its end even where user code does not want to; what they have written must replay.
    pub(super) fn child_workflow_cancel_requested(
        &mut self,
        sequence: u32,
        jobs: &mut Vec<Job>,
    ) -> Result<(), ProtocolError> {
        if self.by_another_sdk {
            return Ok(());
        }
        let Some(child) = self.child_workflows.get(&sequence).cloned() else { return Ok(()) };
        let effect = self.move_child_workflow(sequence, Input::CancelRequested(child.cancellation_type))?;
        if effect.tells_cancelled() {
            jobs.push(child.told_cancelled(sequence));
        }
        Ok(())
    }

    /// A closed one is forgotten: nothing more can come for it, so that a bounded history keeps a bounded state.
    fn move_child_workflow(&mut self, sequence: u32, input: Input) -> Result<Effect, ProtocolError> {
        let child = self.child_workflows.get_mut(&sequence).ok_or_else(not_under_way)?;
        let (state, effect) = child.state.handle(input)?;
        child.state = state;
        if state == State::Closed {
            self.by_event.remove(&child.initiated_event_id);
            self.child_workflows.remove(&sequence);
        }
        Ok(effect)
    }
}

impl ChildWorkflow {
    /// User code waits for its start or for its outcome; one of them tells that it is cancelled.
    fn told_cancelled(&self, sequence: u32) -> Job {
        let failure = Box::new(self.failure(
            "Child Workflow execution cancelled",
            cancelled("Child Workflow cancelled", Vec::new()),
            RetryState::CancelRequested,
        ));
        match self.state {
            State::Issued | State::Initiated(_) => {
                Job::ResolveChildWorkflowStart { sequence, start: ChildWorkflowStart::Cancelled(failure) }
            }
            State::Started(_) | State::Closed => {
                Job::ResolveChildWorkflow { sequence, resolution: Resolution::Cancelled(failure) }
            }
        }
    }

    fn resolution(&self, outcome: &EventKind) -> Resolution {
        match outcome {
            EventKind::ChildWorkflowExecutionCompleted { result, .. } => Resolution::Completed(result.clone()),
            EventKind::ChildWorkflowExecutionCanceled { details, .. } => Resolution::Cancelled(Box::new(self.failure(
                "Child Workflow execution cancelled",
                cancelled("Child Workflow cancelled", details.clone()),
                RetryState::NonRetryableFailure,
            ))),
            EventKind::ChildWorkflowExecutionFailed { failure, retry_state, .. } => Resolution::Failed(Box::new(
                self.failure("Child Workflow execution failed", failure.as_ref().clone(), *retry_state),
            )),
            EventKind::ChildWorkflowExecutionTimedOut { retry_state, .. } => {
                let info = TimeoutFailureInfo {
                    timeout_type: TimeoutType::StartToClose.into(),
                    ..TimeoutFailureInfo::default()
                };
                let cause = with_info("Child Workflow timed out", FailureInfo::TimeoutFailureInfo(info));
                Resolution::Failed(Box::new(self.failure("Child Workflow execution timed out", cause, *retry_state)))
            }
            _ => {
                let info = FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default());
                let cause = with_info("Child Workflow terminated", info);
                let retry_state = RetryState::NonRetryableFailure;
                Resolution::Failed(Box::new(self.failure("Child Workflow execution terminated", cause, retry_state)))
            }
        }
    }

    fn failure(&self, message: &str, cause: Failure, retry_state: RetryState) -> Failure {
        let info = ChildWorkflowExecutionFailureInfo {
            namespace: self.namespace.clone(),
            workflow_execution: Some(WorkflowExecution {
                workflow_id: self.workflow_id.clone(),
                run_id: self.run_id.clone(),
            }),
            workflow_type: Some(WorkflowType { name: self.workflow_type.clone() }),
            initiated_event_id: self.initiated_event_id,
            started_event_id: self.started_event_id,
            retry_state: retry_state.into(),
        };
        Failure {
            cause: Some(Box::new(cause)),
            ..with_info(message, FailureInfo::ChildWorkflowExecutionFailureInfo(info))
        }
    }
}

fn with_info(message: &str, info: FailureInfo) -> Failure {
    Failure { message: message.to_owned(), failure_info: Some(info), ..Failure::default() }
}
