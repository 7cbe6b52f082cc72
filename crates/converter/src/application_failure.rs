//! The failure that users return.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::{Arguments, ErrorCategory, Failure, FailureKind, Payload};

/// A failure of user code that says more than an error does: by which type callers and retry policies know it, whether it is
/// worth another attempt, and data for the caller.
///
/// Any other error works as well; it becomes an application failure whose type is the last segment of its Rust type's name.
/// An `ApplicationFailure` that another error has as its [`source`](Error::source) keeps its effect: the failure made of the
/// whole chain has its type, details, retry settings and category, and the outer error's message. (Do not wrap it with
/// thiserror's `#[error(transparent)]`, which hides it from the chain.)
///
/// ```
/// use std::time::Duration;
/// use timewright_converter::{ApplicationFailure, ErrorCategory};
///
/// let failure = ApplicationFailure::new("the card was refused")
///     .with_type("CardDeclined")
///     .with_details("insufficient funds".to_owned())
///     .with_category(ErrorCategory::Benign)
///     .non_retryable();
/// assert_eq!(failure.to_string(), "CardDeclined: the card was refused");
///
/// let busy = ApplicationFailure::new("busy").with_next_retry_delay(Duration::from_secs(30));
/// # let _ = busy;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationFailure {
    message: String,
    type_name: String,
    non_retryable: bool,
    details: Vec<Payload>,
    next_retry_delay: Option<Duration>,
    category: ErrorCategory,
    cause: Option<Box<Failure>>,
}

impl ApplicationFailure {
    /// A failure with this message, retryable, of type `ApplicationFailure`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            type_name: "ApplicationFailure".to_owned(),
            non_retryable: false,
            details: Vec::new(),
            next_retry_delay: None,
            category: ErrorCategory::Unspecified,
            cause: None,
        }
    }

    /// By what callers tell this failure from others, and retry policies too (`non_retryable_error_types`).
    #[must_use]
    pub fn with_type(mut self, type_name: impl Into<String>) -> Self {
        self.type_name = type_name.into();
        self
    }

    /// Forbids further attempts.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        self.non_retryable = true;
        self
    }

    /// Data for the caller. Where it cannot be serialised, a text that says so takes its place: the failure itself matters more.
    #[must_use]
    pub fn with_details(mut self, details: impl Arguments) -> Self {
        self.details = details.to_payloads().unwrap_or_else(|error| {
            let text = format!("details are missing: {error}");
            text.to_payloads().unwrap_or_default()
        });
        self
    }

    /// How long the server waits before the next attempt, instead of what the retry policy says. At most 10 000 years, which is
    /// what a longer delay becomes.
    #[must_use]
    pub fn with_next_retry_delay(mut self, delay: Duration) -> Self {
        self.next_retry_delay = Some(delay);
        self
    }

    /// How much attention the failure deserves.
    #[must_use]
    pub fn with_category(mut self, category: ErrorCategory) -> Self {
        self.category = category;
        self
    }

    /// The error that led to this failure; its own sources come along.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + 'static) -> Self {
        self.cause = Some(Box::new(Failure::from_error(&cause)));
        self
    }

    /// What happened.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The failure's type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Whether further attempts are forbidden.
    #[must_use]
    pub fn is_non_retryable(&self) -> bool {
        self.non_retryable
    }

    /// How much attention the failure deserves.
    #[must_use]
    pub fn category(&self) -> ErrorCategory {
        self.category
    }

    /// The failure's kind, as [`Failure`]s know it.
    pub(crate) fn kind(&self) -> FailureKind {
        self.clone().into_parts().1
    }

    fn into_parts(self) -> (String, FailureKind, Option<Box<Failure>>) {
        let kind = FailureKind::Application {
            type_name: self.type_name,
            non_retryable: self.non_retryable,
            details: self.details,
            next_retry_delay: self.next_retry_delay,
            category: self.category,
        };
        (self.message, kind, self.cause)
    }
}

impl From<ApplicationFailure> for Failure {
    fn from(failure: ApplicationFailure) -> Self {
        let (message, kind, cause) = failure.into_parts();
        Self { cause, ..Failure::new(message, kind) }
    }
}

impl fmt::Display for ApplicationFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.type_name, self.message)
    }
}

impl Error for ApplicationFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
