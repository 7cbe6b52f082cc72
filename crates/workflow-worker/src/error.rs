//! How workflow code fails.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use timewright_converter::{
    ApplicationFailure, Arguments, ConversionError, Failure, FailureKind, look_behind, show_if_looked_for,
};
use timewright_protocol::workflow::ContinueAsNew;

use crate::child_workflow::ChildWorkflowFailure;
use crate::external_workflow::ExternalWorkflowError;
use crate::nexus_operation::NexusOperationFailure;

/// Why a workflow's `run`, or one of its handlers, did not return a value.
///
/// Any error becomes one by `?`: those of the standard library, boxed ones (`Box<dyn Error>`), those of `anyhow` and `eyre`, and
/// texts. What it means follows from what it is, also behind such a wrapper:
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

impl<E: Into<Box<dyn Error>> + 'static> From<E> for WorkflowError {
    fn from(error: E) -> Self {
        let boxed = error.into();
        let behind = look_behind(&*boxed);
        let known = behind.as_deref().and_then(known_error);
        Self::of(known.unwrap_or(&*boxed), Failure::from_boxed_error::<E>(&*boxed))
    }
}

impl WorkflowError {
    /// Fails the Workflow Task on purpose, not the workflow: it is tried again until its code is mended, or what it needs is there.
    /// <https://docs.temporal.io/references/failures#workflow-task-failure>
    ///
    /// ```
    /// use timewright_workflow_worker::WorkflowError;
    ///
    /// fn tax(country: &str) -> Result<f64, WorkflowError> {
    ///     match country {
    ///         "DE" => Ok(0.19),
    ///         other => Err(WorkflowError::fail_workflow_task(format!("no rule for {other} yet"))),
    ///     }
    /// }
    /// # assert!(tax("FR").is_err());
    /// ```
    #[must_use]
    pub fn fail_workflow_task<E: Into<Box<dyn Error>>>(error: E) -> Self {
        Self(Kind::Task(Box::new(Failure::from_boxed_error::<E>(&*error.into()))))
    }

    /// Ends the workflow as cancelled, if somebody has asked for that, with details for whoever waits for it; else it fails.
    /// Where they cannot be written there are none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// if context.sleep(Duration::from_secs(3600)).await.is_err() {
    ///     return Err(WorkflowError::cancelled_with_details("two of three were shipped".to_owned()));
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn cancelled_with_details(details: impl Arguments) -> Self {
        let kind =
            FailureKind::Cancelled { details: details.to_payloads().unwrap_or_default(), identity: String::new() };
        Self(Kind::Cancelled(Box::new(Failure::new("cancelled", kind))))
    }

    /// What an error means, and the failure that it makes.
    fn of(any: &(dyn Error + 'static), failure: Failure) -> Self {
        let any = crate::session::unwrapped(any);
        if any.is::<ConversionError>() || is_conversion_of_operation(any) {
            return Self(Kind::Task(Box::new(failure)));
        }
        match failure_of_operation(any) {
            Some(OperationFailure::Failed(failure)) => return Self(Kind::Failed(Box::new(failure.clone()))),
            Some(OperationFailure::Cancelled(failure)) => return Self(Kind::Cancelled(Box::new(failure.clone()))),
            None => (),
        }
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

impl WorkflowError {
    /// Whether it fails the Workflow Task, and not the workflow: code or data is to be mended, and it is tried again.
    #[must_use]
    pub fn fails_workflow_task(&self) -> bool {
        matches!(self.0, Kind::Task(_))
    }
}

/// An error of ours that was behind a wrapper.
fn known_error(behind: &dyn Any) -> Option<&(dyn Error + 'static)> {
    fn of<E: Error + 'static>(behind: &dyn Any) -> Option<&(dyn Error + 'static)> {
        behind.downcast_ref::<E>().map(|error| error as &(dyn Error + 'static))
    }
    of::<ActivityFailure>(behind)
        .or_else(|| of::<Cancelled>(behind))
        .or_else(|| of::<ChildWorkflowFailure>(behind))
        .or_else(|| of::<ExternalWorkflowError>(behind))
        .or_else(|| of::<NexusOperationFailure>(behind))
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// Why, in the words of whoever asked; often empty.
    pub reason: String,
}

impl fmt::Display for Cancelled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => formatter.write_str("cancelled"),
            reason => write!(formatter, "cancelled: {reason}"),
        }
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        show_if_looked_for(self);
        None
    }
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
        show_if_looked_for(self);
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
