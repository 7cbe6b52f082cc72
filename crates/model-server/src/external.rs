//! Signals and requests to cancel that a run has sent to other workflows.

use timewright_proto::enums::{CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    ExternalWorkflowExecutionCancelRequestedEventAttributes, ExternalWorkflowExecutionSignaledEventAttributes,
    HistoryEvent, RequestCancelExternalWorkflowExecutionFailedEventAttributes,
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    SignalExternalWorkflowExecutionFailedEventAttributes, SignalExternalWorkflowExecutionInitiatedEventAttributes,
};

use crate::execution::{Context, Execution};

/// A signal without an outcome.
pub(crate) type ExternalSignal = SignalExternalWorkflowExecutionInitiatedEventAttributes;

/// A request to cancel without an outcome.
pub(crate) type ExternalCancellation = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes;

/// What became of a signal or of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExternalOutcome {
    Delivered,
    /// There is no such workflow, or not any more, or it is not the sender's child, or it is the sender itself.
    NotFound,
}

impl Execution {
    pub(crate) fn external_signal_ended(
        &mut self,
        initiated_event_id: i64,
        outcome: ExternalOutcome,
        context: &mut Context<'_>,
    ) {
        let Some(initiated) = self.external_signals.remove(&initiated_event_id) else { return };
        let namespace = context.options.namespace.clone();
        let event = match outcome {
            ExternalOutcome::Delivered => Attributes::ExternalWorkflowExecutionSignaledEventAttributes(
                ExternalWorkflowExecutionSignaledEventAttributes {
                    initiated_event_id,
                    namespace,
                    workflow_execution: initiated.workflow_execution,
                    control: initiated.control,
                    ..ExternalWorkflowExecutionSignaledEventAttributes::default()
                }
                .into(),
            ),
            ExternalOutcome::NotFound => Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(
                SignalExternalWorkflowExecutionFailedEventAttributes {
                    cause: SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound.into(),
                    namespace,
                    workflow_execution: initiated.workflow_execution,
                    initiated_event_id,
                    control: initiated.control,
                    ..SignalExternalWorkflowExecutionFailedEventAttributes::default()
                }
                .into(),
            ),
        };
        self.events.buffer(context.now, event);
        self.wake_worker(context);
    }

    pub(crate) fn external_cancellation_ended(
        &mut self,
        initiated_event_id: i64,
        outcome: ExternalOutcome,
        context: &mut Context<'_>,
    ) {
        let Some(initiated) = self.external_cancellations.remove(&initiated_event_id) else { return };
        let namespace = context.options.namespace.clone();
        let event = match outcome {
            ExternalOutcome::Delivered => Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(
                ExternalWorkflowExecutionCancelRequestedEventAttributes {
                    initiated_event_id,
                    namespace,
                    workflow_execution: initiated.workflow_execution,
                    ..ExternalWorkflowExecutionCancelRequestedEventAttributes::default()
                }
                .into(),
            ),
            ExternalOutcome::NotFound => Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(
                RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                    cause: CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound.into(),
                    namespace,
                    workflow_execution: initiated.workflow_execution,
                    initiated_event_id,
                    control: initiated.control,
                    ..RequestCancelExternalWorkflowExecutionFailedEventAttributes::default()
                }
                .into(),
            ),
        };
        self.events.buffer(context.now, event);
        self.wake_worker(context);
    }

    /// What a recorded Event says of signals and requests to cancel.
    pub(crate) fn replay_external(&mut self, event: &HistoryEvent) {
        match &event.attributes {
            Some(Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(initiated)) => {
                self.external_signals.insert(event.event_id, (**initiated).clone());
            }
            Some(Attributes::ExternalWorkflowExecutionSignaledEventAttributes(end)) => {
                self.external_signals.remove(&end.initiated_event_id);
            }
            Some(Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(end)) => {
                self.external_signals.remove(&end.initiated_event_id);
            }
            Some(Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(initiated)) => {
                self.external_cancellations.insert(event.event_id, (**initiated).clone());
            }
            Some(Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(end)) => {
                self.external_cancellations.remove(&end.initiated_event_id);
            }
            Some(Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(end)) => {
                self.external_cancellations.remove(&end.initiated_event_id);
            }
            _ => (),
        }
    }
}
