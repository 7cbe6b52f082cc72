//! Temporal's failure tree, decoded.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use timewright_proto::enums::ApplicationErrorCategory;
use timewright_proto::failure::failure::FailureInfo;

use crate::disguised::show_if_looked_for;
use crate::{Arguments, ConversionError, Payload};

/// What failures made here name as their source; other SDKs name themselves.
pub const SOURCE: &str = "Timewright";

/// How many causes below each other a failure keeps when it is sent; deeper ones are counted, not sent. Protobuf readers
/// refuse messages that are nested a hundred levels deep, so that a longer chain would make a whole history unreadable.
pub const MAXIMUM_CAUSES: usize = 40;

/// Whether whoever made a failure, as it is sent, calls it harmless: [`ErrorCategory::Benign`]. It counts as no failure then, in metrics,
/// logs and traces.
#[must_use]
pub fn is_benign(failure: &timewright_proto::failure::Failure) -> bool {
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else { return false };
    info.category() == ApplicationErrorCategory::Benign
}

/// Why a workflow, an activity, an update, … failed: what the server and other SDKs say, as a tree of causes.
///
/// A failure that was received and is passed on stays what it was. `{}` shows this failure alone, `{:#}` the whole chain.
/// See <https://docs.temporal.io/references/failures>.
///
/// ```
/// use timewright_converter::{ApplicationFailure, Failure};
///
/// let failure = Failure::from(
///     ApplicationFailure::new("payment refused").with_type("CardDeclined").caused_by(std::fmt::Error),
/// );
/// assert_eq!(failure.application_type(), Some("CardDeclined"));
/// assert_eq!(
///     format!("{failure:#}"),
///     "CardDeclined: payment refused: Error: an error occurred when formatting an argument"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What happened, for people.
    pub message: String,
    /// Which SDK, or the server, made the failure.
    pub source: String,
    /// Where it happened; empty where that is not known.
    pub stack_trace: String,
    /// Message and stack trace as a Payload, where they arrived so and could not be read here; kept to be passed on.
    pub encoded_attributes: Option<Payload>,
    /// What kind of failure it is, with the data of that kind.
    pub kind: FailureKind,
    /// The failure that led to this one.
    pub cause: Option<Box<Failure>>,
}

/// The kinds of failures, and what each knows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FailureKind {
    /// An activity failed; the cause says why. What callers of an activity get.
    Activity {
        /// The activity's type.
        activity_type: String,
        /// The activity's id, unique within its workflow.
        activity_id: String,
        /// The Event that scheduled it.
        scheduled_event_id: i64,
        /// The Event that started its last attempt.
        started_event_id: i64,
        /// Who ran the last attempt.
        identity: String,
        /// Why there was no further attempt.
        retry_state: RetryState,
    },
    /// User code failed.
    Application {
        /// By what retry policies (`non_retryable_error_types`) and callers tell failures apart.
        type_name: String,
        /// Whether the server must not try again.
        non_retryable: bool,
        /// Data for the caller.
        details: Vec<Payload>,
        /// When the next attempt starts, instead of what the retry policy says.
        next_retry_delay: Option<Duration>,
        /// How much attention the failure deserves.
        category: ErrorCategory,
    },
    /// The workflow or activity was cancelled, and stopped for that reason.
    Cancelled {
        /// Data for the caller.
        details: Vec<Payload>,
        /// Who asked for it.
        identity: String,
    },
    /// A Child Workflow failed; the cause says why. What callers of a Child Workflow get.
    ChildWorkflow {
        /// The child's namespace.
        namespace: String,
        /// The child's Workflow Id.
        workflow_id: String,
        /// The child's Run Id.
        run_id: String,
        /// The child's type.
        workflow_type: String,
        /// The Event that initiated it.
        initiated_event_id: i64,
        /// The Event that says that it had started.
        started_event_id: i64,
        /// Why it was not run again.
        retry_state: RetryState,
    },
    /// A Nexus handler refused or failed an operation.
    NexusHandler {
        /// The handler's own name for it, such as `BAD_REQUEST`.
        type_name: String,
        /// Whether to try again.
        retry_behavior: NexusRetryBehavior,
    },
    /// A Nexus Operation failed; the cause says why.
    NexusOperation {
        /// The Event that scheduled it.
        scheduled_event_id: i64,
        /// The Nexus Endpoint.
        endpoint: String,
        /// The Nexus service.
        service: String,
        /// The operation's name.
        operation: String,
        /// The operation's id, as older servers name it.
        operation_id: String,
        /// The token of an operation that had started.
        operation_token: String,
    },
    /// The run was reset; what ran then was given up.
    ResetWorkflow {
        /// The last details that the activity had heartbeated; `None` where it had not.
        last_heartbeat_details: Option<Vec<Payload>>,
    },
    /// The server failed it.
    Server {
        /// Whether the server will not try again.
        non_retryable: bool,
    },
    /// The workflow was terminated.
    Terminated {
        /// By whom.
        identity: String,
    },
    /// It took too long.
    Timeout {
        /// Which of the timeouts it was.
        timeout_type: TimeoutType,
        /// The last details that the activity had heartbeated; `None` where it had not.
        last_heartbeat_details: Option<Vec<Payload>>,
    },
    /// A failure without a kind, or of one that a newer server knows.
    Unknown,
}

/// Which timeout it was. <https://docs.temporal.io/encyclopedia/detecting-activity-failures>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimeoutType {
    /// No heartbeat arrived for too long.
    Heartbeat,
    /// All attempts together took too long.
    ScheduleToClose,
    /// No worker took it for too long.
    ScheduleToStart,
    /// One attempt took too long.
    StartToClose,
    /// The server does not say.
    #[default]
    Unspecified,
    /// One that a newer server knows.
    Other(i32),
}

/// Why the server does or does not try again. <https://docs.temporal.io/encyclopedia/retry-policies>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RetryState {
    /// Cancellation was requested.
    CancelRequested,
    /// There will be another attempt.
    InProgress,
    /// The server had a problem of its own.
    InternalServerError,
    /// The retry policy allows no more attempts.
    MaximumAttemptsReached,
    /// The failure forbids another attempt.
    NonRetryableFailure,
    /// There is no retry policy.
    RetryPolicyNotSet,
    /// Another attempt would not fit into the timeout.
    Timeout,
    /// The server does not say.
    #[default]
    Unspecified,
    /// One that a newer server knows.
    Other(i32),
}

/// How much attention an application failure deserves.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorCategory {
    /// An expected outcome: logged quietly, not counted as a failure.
    Benign,
    /// A failure like others.
    #[default]
    Unspecified,
    /// One that a newer SDK knows.
    Other(i32),
}

/// Whether a Nexus handler's failure is to be tried again.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NexusRetryBehavior {
    /// No.
    NonRetryable,
    /// Yes.
    Retryable,
    /// As the failure's type says.
    #[default]
    Unspecified,
    /// One that a newer server knows.
    Other(i32),
}

impl Failure {
    /// A failure made here, without cause and stack trace.
    pub fn new(message: impl Into<String>, kind: FailureKind) -> Self {
        Self {
            message: message.into(),
            source: SOURCE.to_owned(),
            stack_trace: String::new(),
            encoded_attributes: None,
            kind,
            cause: None,
        }
    }

    /// The same failure with this cause.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Failure>) -> Self {
        self.cause = Some(Box::new(cause.into()));
        self
    }

    /// This failure, its cause, its cause's cause, …
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        std::iter::successors(Some(self), |failure| failure.cause.as_deref())
    }

    /// The innermost cause; the failure itself where it has none.
    #[must_use]
    pub fn root_cause(&self) -> &Failure {
        let mut failure = self;
        while let Some(cause) = &failure.cause {
            failure = cause;
        }
        failure
    }

    /// The type of an application failure; `None` for other kinds.
    #[must_use]
    pub fn application_type(&self) -> Option<&str> {
        match &self.kind {
            FailureKind::Application { type_name, .. } => Some(type_name),
            _ => None,
        }
    }

    /// Whether this failure is a cancellation, or an activity, Child Workflow or Nexus Operation that was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match &self.kind {
            FailureKind::Cancelled { .. } => true,
            FailureKind::Activity { .. } | FailureKind::ChildWorkflow { .. } | FailureKind::NexusOperation { .. } => {
                self.cause.as_ref().is_some_and(|cause| cause.is_cancelled())
            }
            _ => false,
        }
    }

    /// The data that came with an application failure, a cancellation, or the last heartbeat before a timeout.
    ///
    /// `None` when this kind carries none, or none was given.
    ///
    /// # Errors
    /// When they are not of type `A`.
    pub fn details<A: Arguments>(&self) -> Result<Option<A>, ConversionError> {
        match self.detail_payloads() {
            Some(payloads) if !payloads.is_empty() => A::from_payloads(payloads.to_vec()).map(Some),
            _ => Ok(None),
        }
    }

    fn detail_payloads(&self) -> Option<&[Payload]> {
        match &self.kind {
            FailureKind::Application { details, .. } | FailureKind::Cancelled { details, .. } => Some(details),
            FailureKind::ResetWorkflow { last_heartbeat_details }
            | FailureKind::Timeout { last_heartbeat_details, .. } => last_heartbeat_details.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message;
        match &self.kind {
            FailureKind::Activity { activity_type, activity_id, .. } => {
                write!(formatter, "activity {activity_type} (id {activity_id}) did not complete: {message}")
            }
            FailureKind::Application { type_name, .. } if !type_name.is_empty() => {
                write!(formatter, "{type_name}: {message}")
            }
            FailureKind::ChildWorkflow { workflow_type, workflow_id, .. } => {
                write!(formatter, "child workflow {workflow_type} (id {workflow_id}) did not complete: {message}")
            }
            FailureKind::NexusOperation { service, operation, endpoint, .. } => {
                write!(formatter, "Nexus operation {service}/{operation} at {endpoint} did not complete: {message}")
            }
            FailureKind::Timeout { timeout_type, .. } => write!(formatter, "{timeout_type} timeout: {message}"),
            _ => formatter.write_str(message),
        }?;
        match (&self.cause, formatter.alternate()) {
            (Some(cause), true) => write!(formatter, ": {cause:#}"),
            _ => Ok(()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        show_if_looked_for(self);
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl fmt::Display for TimeoutType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Heartbeat => "heartbeat",
            Self::ScheduleToClose => "schedule-to-close",
            Self::ScheduleToStart => "schedule-to-start",
            Self::StartToClose => "start-to-close",
            Self::Unspecified | Self::Other(_) => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApplicationFailure, Multiple};

    fn cancelled() -> Failure {
        Failure::new("cancelled", FailureKind::Cancelled { details: Vec::new(), identity: String::new() })
    }

    fn activity() -> FailureKind {
        FailureKind::Activity {
            activity_type: "Charge".into(),
            activity_id: "7".into(),
            scheduled_event_id: 5,
            started_event_id: 6,
            identity: "worker".into(),
            retry_state: RetryState::MaximumAttemptsReached,
        }
    }

    #[test]
    fn shown_alone_and_as_a_chain() {
        let failure = Failure::new("Activity task failed", activity())
            .with_cause(ApplicationFailure::new("refused").with_type("CardDeclined"));
        assert_eq!(failure.to_string(), "activity Charge (id 7) did not complete: Activity task failed");
        assert_eq!(
            format!("{failure:#}"),
            "activity Charge (id 7) did not complete: Activity task failed: CardDeclined: refused"
        );
        assert_eq!(Error::source(&failure).map(ToString::to_string), Some("CardDeclined: refused".into()));
        let timeout = FailureKind::Timeout { timeout_type: TimeoutType::StartToClose, last_heartbeat_details: None };
        assert_eq!(Failure::new("too slow", timeout).to_string(), "start-to-close timeout: too slow");
    }

    #[test]
    fn chain_and_root_cause() {
        let failure = Failure::new("1", FailureKind::Unknown)
            .with_cause(Failure::new("2", FailureKind::Unknown).with_cause(Failure::new("3", FailureKind::Unknown)));
        assert_eq!(failure.chain().map(|failure| failure.message.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!(failure.root_cause().message, "3");
        assert_eq!(failure.root_cause().root_cause().message, "3");
    }

    #[test]
    fn cancelled_itself_or_what_was_called() {
        assert!(cancelled().is_cancelled());
        assert!(Failure::new("", activity()).with_cause(cancelled()).is_cancelled());
        assert!(!Failure::new("", activity()).is_cancelled());
        // A failure that merely mentions a cancellation among its causes is a failure.
        assert!(!Failure::from(ApplicationFailure::new("gave up")).with_cause(cancelled()).is_cancelled());
    }

    #[test]
    fn details_are_read_as_what_they_are() {
        let failure = Failure::from(ApplicationFailure::new("").with_details(Multiple((1_u32, "two".to_owned()))));
        assert_eq!(failure.details(), Ok(Some(Multiple((1_u32, "two".to_owned())))));
        assert!(failure.details::<u32>().is_err());
        assert_eq!(Failure::from(ApplicationFailure::new("")).details::<u32>(), Ok(None));
        assert_eq!(Failure::new("", FailureKind::Unknown).details::<u32>(), Ok(None));
    }
}
