//! Signals to other workflows, and requests to cancel them.

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    RequestCancelExternalWorkflowExecutionCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
};
use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::{CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause};

use super::queue::{Key, What, user_metadata};
use super::{CommandError, Operations, another_kind, count_up, not_under_way, to_payloads};
use crate::workflow::activation::{Job, SignalExternalWorkflowError};
use crate::workflow::command::{RequestCancelExternalWorkflow, SignalExternalWorkflow};
use crate::workflow::machines::external::{Input, State};
use crate::workflow::machines::{Effect, ProtocolError};

#[derive(Debug, Clone)]
pub(super) struct Signal {
    state: State,
    initiated_event_id: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Cancellation {
    state: State,
    initiated_event_id: i64,
}

impl Operations {
    pub(super) fn signal_external_workflow(&mut self, signal: SignalExternalWorkflow) -> Result<(), CommandError> {
        let SignalExternalWorkflow { sequence, workflow, signal_name, arguments, header, summary } = signal;
        count_up("signal to another workflow", &mut self.last_sequences.signal, sequence)?;
        let what = What::SignalExternalWorkflow {
            sequence,
            workflow_id: workflow.workflow_id.clone(),
            signal_name: signal_name.clone(),
        };
        let attributes = SignalExternalWorkflowExecutionCommandAttributes {
            namespace: workflow.namespace,
            execution: Some(WorkflowExecution { workflow_id: workflow.workflow_id, run_id: workflow.run_id }),
            signal_name,
            input: to_payloads(arguments),
            child_workflow_only: workflow.child_workflow_only,
            header: Some(header),
            ..SignalExternalWorkflowExecutionCommandAttributes::default()
        };
        let attributes = Attributes::SignalExternalWorkflowExecutionCommandAttributes(attributes.into());
        self.queue.issue(what, attributes, user_metadata(summary, None));
        self.signals.insert(sequence, Signal { state: State::Issued, initiated_event_id: 0 });
        Ok(())
    }

    /// Too late, or never sent: nothing to do.
    pub(super) fn cancel_signal(&mut self, sequence: u32, jobs: &mut Vec<Job>) {
        let Ok(effect) = self.move_signal(sequence, Input::Cancel) else { return };
        if effect.withdraws() {
            self.queue.withdraw(Key::SignalExternalWorkflow(sequence));
        }
        if effect.tells_cancelled() {
            let outcome = Err(SignalExternalWorkflowError::Cancelled);
            jobs.push(Job::ResolveSignalExternalWorkflow { sequence, outcome });
        }
    }

    pub(super) fn signal_initiated(&mut self, sequence: u32, event_id: i64) -> Result<(), ProtocolError> {
        self.by_event.insert(event_id, Key::SignalExternalWorkflow(sequence));
        if let Some(signal) = self.signals.get_mut(&sequence) {
            signal.initiated_event_id = event_id;
        }
        self.move_signal(sequence, Input::Initiated).map(|_| ())
    }

    pub(super) fn signal_outcome(
        &mut self,
        initiated_event_id: i64,
        outcome: Result<(), SignalExternalWorkflowExecutionFailedCause>,
        jobs: &mut Vec<Job>,
    ) -> Result<(), ProtocolError> {
        let sequence = match self.by_event.get(&initiated_event_id) {
            Some(Key::SignalExternalWorkflow(sequence)) => *sequence,
            Some(other) => return Err(another_kind(initiated_event_id, *other)),
            None => return Err(not_under_way()),
        };
        if self.move_signal(sequence, Input::Outcome)? == Effect::Resolve {
            let outcome = outcome.map_err(SignalExternalWorkflowError::Failed);
            jobs.push(Job::ResolveSignalExternalWorkflow { sequence, outcome });
        }
        Ok(())
    }

    /// A closed one is forgotten: nothing more can come for it.
    fn move_signal(&mut self, sequence: u32, input: Input) -> Result<Effect, ProtocolError> {
        let signal = self.signals.get_mut(&sequence).ok_or_else(not_under_way)?;
        let (state, effect) = signal.state.handle(input)?;
        signal.state = state;
        if state == State::Closed {
            self.by_event.remove(&signal.initiated_event_id);
            self.signals.remove(&sequence);
        }
        Ok(effect)
    }

    pub(super) fn request_cancel_external_workflow(
        &mut self,
        request: RequestCancelExternalWorkflow,
    ) -> Result<(), CommandError> {
        let RequestCancelExternalWorkflow { sequence, workflow, reason } = request;
        count_up("cancellation of another workflow", &mut self.last_sequences.cancellation, sequence)?;
        let what = What::RequestCancelExternalWorkflow { sequence, workflow_id: workflow.workflow_id.clone() };
        let attributes = RequestCancelExternalWorkflowExecutionCommandAttributes {
            namespace: workflow.namespace,
            workflow_id: workflow.workflow_id,
            run_id: workflow.run_id,
            child_workflow_only: workflow.child_workflow_only,
            reason,
            ..RequestCancelExternalWorkflowExecutionCommandAttributes::default()
        };
        let attributes = Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(attributes.into());
        self.queue.issue(what, attributes, None);
        self.cancellations.insert(sequence, Cancellation { state: State::Issued, initiated_event_id: 0 });
        Ok(())
    }

    pub(super) fn cancellation_initiated(&mut self, sequence: u32, event_id: i64) -> Result<(), ProtocolError> {
        self.by_event.insert(event_id, Key::RequestCancelExternalWorkflow(sequence));
        if let Some(cancellation) = self.cancellations.get_mut(&sequence) {
            cancellation.initiated_event_id = event_id;
        }
        self.move_cancellation(sequence, Input::Initiated).map(|_| ())
    }

    /// For a Child Workflow it only matters that it was asked: that it cannot be asked means that it has ended.
    pub(super) fn cancellation_outcome(
        &mut self,
        initiated_event_id: i64,
        outcome: Result<(), CancelExternalWorkflowExecutionFailedCause>,
        jobs: &mut Vec<Job>,
    ) -> Result<(), ProtocolError> {
        match self.by_event.get(&initiated_event_id).copied() {
            Some(Key::CancelChildWorkflow(sequence)) => {
                self.by_event.remove(&initiated_event_id);
                match outcome {
                    Ok(()) => self.child_workflow_cancel_requested(sequence, jobs),
                    Err(_) => Ok(()),
                }
            }
            Some(Key::RequestCancelExternalWorkflow(sequence)) => {
                if self.move_cancellation(sequence, Input::Outcome)? == Effect::Resolve {
                    jobs.push(Job::ResolveRequestCancelExternalWorkflow { sequence, outcome });
                }
                Ok(())
            }
            Some(other) => Err(another_kind(initiated_event_id, other)),
            None => Err(not_under_way()),
        }
    }

    /// A closed one is forgotten: nothing more can come for it.
    fn move_cancellation(&mut self, sequence: u32, input: Input) -> Result<Effect, ProtocolError> {
        let cancellation = self.cancellations.get_mut(&sequence).ok_or_else(not_under_way)?;
        let (state, effect) = cancellation.state.handle(input)?;
        cancellation.state = state;
        if state == State::Closed {
            self.by_event.remove(&cancellation.initiated_event_id);
            self.cancellations.remove(&sequence);
        }
        Ok(effect)
    }
}
