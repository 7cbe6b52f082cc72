//! Why a Child Workflow gave no result.

use std::error::Error;
use std::fmt;

use timewright_converter::{ConversionError, Failure, FailureKind, RetryState, show_if_looked_for};
use timewright_proto::enums::StartChildWorkflowExecutionFailedCause;

use crate::activity::workflow_cancelled;

/// Why a Child Workflow gave no result.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChildWorkflowFailure {
    /// It was not started.
    NotStarted {
        /// Its type.
        workflow_type: String,
        /// Its Workflow Id.
        workflow_id: String,
        /// Why.
        cause: StartChildWorkflowExecutionFailedCause,
    },
    /// It failed, timed out or was terminated. The failure says which Child Workflow it was; its cause is what went wrong there.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
    /// Its arguments could not be written, or its result not be read: this workflow and the child disagree about types.
    Conversion {
        /// Its type.
        workflow_type: String,
        /// Its Workflow Id.
        workflow_id: String,
        /// What was found, and what was expected.
        error: ConversionError,
    },
}

impl fmt::Display for ChildWorkflowFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { workflow_type, workflow_id, cause } => {
                let why = match cause {
                    StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists => {
                        "a workflow with this Workflow Id exists already".to_owned()
                    }
                    StartChildWorkflowExecutionFailedCause::NamespaceNotFound => {
                        "there is no such namespace".to_owned()
                    }
                    other => format!("the server says {}", other.as_str_name()),
                };
                write!(formatter, "Child Workflow {workflow_type:?} (id {workflow_id:?}) was not started: {why}")
            }
            Self::Failed(failure) | Self::Cancelled(failure) => failure.fmt(formatter),
            Self::Conversion { workflow_type, workflow_id, error } => {
                write!(formatter, "Child Workflow {workflow_type:?} (id {workflow_id:?}): {error}")
            }
        }
    }
}

impl Error for ChildWorkflowFailure {
    /// The [`Failure`] itself and not its box, so that whoever wraps this passes it on as what it is.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        show_if_looked_for(self);
        match self {
            Self::NotStarted { .. } => None,
            Self::Failed(failure) | Self::Cancelled(failure) => Some(&**failure),
            Self::Conversion { error, .. } => Some(error),
        }
    }
}

impl ChildWorkflowFailure {
    /// The failure of the Child Workflow itself, without what its parent knows about it.
    pub fn cause(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => failure.cause.as_deref(),
            Self::NotStarted { .. } | Self::Conversion { .. } => None,
        }
    }

    pub(super) fn never_started(workflow_type: String, workflow_id: String, namespace: String, reason: &str) -> Self {
        let kind = FailureKind::ChildWorkflow {
            namespace,
            workflow_id,
            run_id: String::new(),
            workflow_type,
            initiated_event_id: 0,
            started_event_id: 0,
            retry_state: RetryState::CancelRequested,
        };
        Self::Cancelled(Box::new(Failure::new("never started", kind).with_cause(workflow_cancelled(reason))))
    }
}
