//! How workflow code fails.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use timewright_converter::{ApplicationFailure, ConversionError, Failure};
use timewright_protocol::workflow::ContinueAsNew;

use crate::child_workflow::ChildWorkflowFailure;
use crate::external_workflow::ExternalWorkflowError;
use crate::nexus_operation::NexusOperationFailure;

/// Why a workflow's `run`, or one of its handlers, did not return a value.
///
/// Any error becomes one by `?`. What it means follows from what it is:
///
/// | error | means |
/// |---|---|
/// | [`ApplicationFailure`], [`Failure`], [`ActivityFailure::Failed`], any other error | the workflow fails with it |
/// | [`Cancelled`], [`ActivityFailure::Cancelled`] | the workflow ends as cancelled, if somebody asked for that; else it fails |
/// | [`ConversionError`], [`ActivityFailure::Conversion`] | the Workflow Task fails and is tried again: code or data can be mended |
/// | [`ChildWorkflowFailure`], [`NexusOperationFailure`], [`ExternalWorkflowError`] | likewise, by their variants |
/// | [`WorkflowContext::continue_as_new`](crate::WorkflowContext::continue_as_new) | the workflow goes on as a new run |
///
/// A panic is no error of the workflow either: it fails the Workflow Task, which is tried again.
///
/// ```
/// use timewright_workflow_worker::{ApplicationFailure, WorkflowError};
///
/// fn check(amount: i64) -> Result<(), WorkflowError> {
///     if amount <= 0 {
///         return Err(ApplicationFailure::new("nothing to pay").with_type("BadAmount").into());
///     }
///     let _: u8 = "12".parse()?; // any error
///     Ok(())
/// }
/// assert!(check(0).is_err());
/// ```
///
/// Like other types that take any error, it is none itself.
#[derive(Debug)]
pub struct WorkflowError(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Failed(Box<Failure>),
    Cancelled(Box<Failure>),
    /// Fails the task, not the workflow.
    Task(Box<Failure>),
    ContinueAsNew(Box<ContinueAsNew>),
}

impl<E: Error + 'static> From<E> for WorkflowError {
    fn from(error: E) -> Self {
        let any = crate::session::unwrapped(&error);
        if any.is::<ConversionError>() || is_conversion_of_operation(any) {
            return Self(Kind::Task(Box::new(Failure::from_error(&error))));
        }
        match failure_of_operation(any) {
            Some(OperationFailure::Failed(failure)) => return Self(Kind::Failed(Box::new(failure.clone()))),
            Some(OperationFailure::Cancelled(failure)) => return Self(Kind::Cancelled(Box::new(failure.clone()))),
            None => (),
        }
        let failure = Failure::from_error(&error);
        let is_cancelled = any.is::<Cancelled>()
            || matches!(any.downcast_ref(), Some(TimeoutError::Cancelled(_)))
            || matches!(any.downcast_ref(), Some(ExternalWorkflowError::Cancelled { .. }))
            || failure.is_cancelled();
        if is_cancelled {
            return Self(Kind::Cancelled(Box::new(failure)));
        }
        Self(Kind::Failed(Box::new(failure)))
    }
}

impl WorkflowError {
    /// The failure that it means, as whoever waits for the workflow sees it; `None` where the workflow continues as new.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.0 {
            Kind::Failed(failure) | Kind::Cancelled(failure) | Kind::Task(failure) => Some(failure),
            Kind::ContinueAsNew(_) => None,
        }
    }
}

/// How an operation ended, as the server says it.
enum OperationFailure<'a> {
    Failed(&'a Failure),
    Cancelled(&'a Failure),
}

/// The failure that names the operation, and has what went wrong as its cause.
fn failure_of_operation<'a>(error: &'a (dyn Error + 'static)) -> Option<OperationFailure<'a>> {
    use OperationFailure::{Cancelled, Failed};
    let activity = match error.downcast_ref() {
        Some(ActivityFailure::Failed(failure)) => Some(Failed(failure)),
        Some(ActivityFailure::Cancelled(failure)) => Some(Cancelled(failure)),
        _ => None,
    };
    let child_workflow = match error.downcast_ref() {
        Some(ChildWorkflowFailure::Failed(failure)) => Some(Failed(failure)),
        Some(ChildWorkflowFailure::Cancelled(failure)) => Some(Cancelled(failure)),
        _ => None,
    };
    let nexus_operation = match error.downcast_ref() {
        Some(NexusOperationFailure::Failed(failure)) => Some(Failed(failure)),
        Some(NexusOperationFailure::Cancelled(failure)) => Some(Cancelled(failure)),
        _ => None,
    };
    activity.or(child_workflow).or(nexus_operation)
}

/// Whether both sides of an operation disagree about types.
fn is_conversion_of_operation(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(ActivityFailure::Conversion { .. }))
        || matches!(error.downcast_ref(), Some(ChildWorkflowFailure::Conversion { .. }))
        || matches!(error.downcast_ref(), Some(NexusOperationFailure::Conversion { .. }))
        || matches!(error.downcast_ref(), Some(ExternalWorkflowError::Conversion { .. }))
}

/// The workflow, or the one operation that was waited for, was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cancelled{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
pub struct Cancelled {
    /// Why, in the words of whoever asked; often empty.
    pub reason: String,
}

/// Why something was not waited for to its end: [`WorkflowContext::timeout`](crate::WorkflowContext::timeout).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeoutError {
    /// Time was over.
    #[error("timed out after {after:?}")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The scope was cancelled meanwhile.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why an activity gave no result.
#[derive(Debug, Clone, PartialEq)]
pub enum ActivityFailure {
    /// It failed or timed out, and is not tried again. The failure says which activity it was and why there is no further
    /// attempt; its cause is what went wrong there.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
    /// Its arguments could not be written, or its result not be read: this workflow and the activity disagree about types.
    Conversion {
        /// The activity's type.
        activity_type: String,
        /// What was found, and what was expected.
        error: ConversionError,
    },
}

impl fmt::Display for ActivityFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => failure.fmt(formatter),
            Self::Conversion { activity_type, error } => write!(formatter, "activity {activity_type:?}: {error}"),
        }
    }
}

impl Error for ActivityFailure {
    /// The [`Failure`] itself and not its box, so that whoever wraps this passes it on as what it is.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => Some(&**failure),
            Self::Conversion { error, .. } => Some(error),
        }
    }
}

impl ActivityFailure {
    /// The failure of the activity itself, without what the workflow knows about it: what user code returned there.
    ///
    /// ```
    /// # use timewright_workflow_worker::ActivityFailure;
    /// fn is_declined(failure: &ActivityFailure) -> bool {
    ///     failure.cause().is_some_and(|cause| cause.application_type() == Some("CardDeclined"))
    /// }
    /// ```
    pub fn cause(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => failure.cause.as_deref(),
            Self::Conversion { .. } => None,
        }
    }
}

/// An application failure that the SDK itself makes for a Workflow Task which cannot go on.
pub(crate) fn task_failure(type_name: &str, message: impl Into<String>) -> Failure {
    ApplicationFailure::new(message).with_type(type_name).into()
}
