//! How an activity says that it did not work.

use std::error::Error;
use std::fmt;

use timewright_converter::{
    ApplicationFailure, Arguments, DefaultFailureConverter, Failure, FailureConverter, FailureKind, Payload,
};
use timewright_protocol::activity::ActivityOutcome;

/// How an activity ends without a result: it failed, or stopped because it had been told to.
///
/// Any error becomes one by `?`: those of the standard library, boxed ones (`Box<dyn Error + Send + Sync>`), those of `anyhow`
/// and `eyre`, and texts. It is then an application failure whose type is the last segment of the Rust type's name (`Error` for
/// what is boxed), retryable unless the retry policy lists that type. To say more, return an [`ApplicationFailure`], or have one
/// among the error's sources. (That is why this type is not itself an `Error`: it could not be made of every error if it were one.)
///
/// ```
/// use timewright_activity_worker::{ActivityContext, ActivityError};
/// use timewright_converter::ApplicationFailure;
///
/// async fn charge(context: ActivityContext, amount: String) -> Result<u64, ActivityError> {
///     let amount: u64 = amount.parse()?; // fails as `ParseIntError`
///     if amount > 10_000 {
///         return Err(ApplicationFailure::new("too much").with_type("AmountTooHigh").non_retryable().into());
///     }
///     if context.is_cancelled() {
///         return Err(ActivityError::cancelled());
///     }
///     Ok(amount)
/// }
/// ```
pub struct ActivityError(Kind);

enum Kind {
    Cancelled(Vec<Payload>),
    Failed(Box<Failure>),
    WillCompleteAsynchronously,
}

impl ActivityError {
    /// The activity stopped because it had been told to.
    ///
    /// It counts as cancelled only if the server had asked for that. Where the worker shuts down, or an operator paused or
    /// reset the activity, the attempt has failed, and another one follows.
    #[must_use]
    pub fn cancelled() -> Self {
        Self(Kind::Cancelled(Vec::new()))
    }

    /// The same, with details for whoever waits for the activity. Where they cannot be serialised there are none.
    #[must_use]
    pub fn cancelled_with_details(details: impl Arguments) -> Self {
        Self(Kind::Cancelled(details.to_payloads().unwrap_or_default()))
    }

    /// Not an end: somebody else will complete the activity, by its [task token](crate::ActivityContext::task_token) or its ids.
    ///
    /// The slot is free then, and the worker tells the server nothing. The activity's timeouts go on, so give it a
    /// start-to-close timeout for the whole wait. If nobody completes it, it times out and is tried again.
    /// A Local Activity cannot be completed so.
    /// <https://docs.temporal.io/activity-execution#asynchronous-activity-completion>
    ///
    /// ```
    /// # use timewright_activity_worker::{ActivityContext, ActivityError};
    /// # async fn ask(question: String, token: &[u8]) -> Result<(), std::fmt::Error> { Ok(()) }
    /// async fn approve(context: ActivityContext, order: String) -> Result<String, ActivityError> {
    ///     // Whoever answers sends the token back, and `Client::activity_completion_handle` takes it.
    ///     ask(order, context.task_token()).await?;
    ///     Err(ActivityError::will_complete_asynchronously())
    /// }
    /// ```
    #[must_use]
    pub const fn will_complete_asynchronously() -> Self {
        Self(Kind::WillCompleteAsynchronously)
    }

    /// The failure that the server will be told; `None` for a cancellation, and where somebody else will complete the activity.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.0 {
            Kind::Cancelled(_) | Kind::WillCompleteAsynchronously => None,
            Kind::Failed(failure) => Some(failure),
        }
    }

    /// Whether it says that the activity stopped because it had been told to.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Kind::Cancelled(_))
    }

    fn failed(failure: Failure) -> Self {
        Self(Kind::Failed(Box::new(as_application_failure(failure))))
    }

    pub(crate) fn into_outcome(self) -> ActivityOutcome {
        match self.0 {
            Kind::Cancelled(details) => ActivityOutcome::Cancelled(details),
            Kind::WillCompleteAsynchronously => ActivityOutcome::WillCompleteAsynchronously,
            Kind::Failed(failure) => {
                ActivityOutcome::Failed(Box::new(DefaultFailureConverter::default().serialize(&failure)))
            }
        }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>> + 'static> From<E> for ActivityError {
    fn from(error: E) -> Self {
        Self::failed(Failure::from_boxed_error::<E>(&*error.into()))
    }
}

impl fmt::Display for ActivityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cancelled(_) => formatter.write_str("cancelled"),
            Kind::WillCompleteAsynchronously => formatter.write_str("will complete asynchronously"),
            Kind::Failed(failure) => fmt::Display::fmt(failure, formatter),
        }
    }
}

impl fmt::Debug for ActivityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cancelled(_) => formatter.write_str("ActivityError(cancelled)"),
            Kind::WillCompleteAsynchronously => formatter.write_str("ActivityError(will complete asynchronously)"),
            Kind::Failed(failure) => write!(formatter, "ActivityError({failure:#})"),
        }
    }
}

/// An activity fails with an application failure. What it got from elsewhere, from a workflow that it waited for, say, is the
/// cause: a cancellation or a timeout there is none here.
pub(crate) fn as_application_failure(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Application { .. } => failure,
        _ => Failure::from(ApplicationFailure::new(failure.to_string()).with_type("Failure")).with_cause(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(work: impl FnOnce() -> Result<(), ActivityError>) -> Failure {
        work().unwrap_err().failure().unwrap().clone()
    }

    #[test]
    fn any_error_becomes_one() {
        let failure = of(|| {
            "x".parse::<u32>()?;
            Ok(())
        });
        assert_eq!(failure.application_type(), Some("ParseIntError"));
        assert_eq!(
            of(|| Err(ApplicationFailure::new("no").with_type("Refused").into())).application_type(),
            Some("Refused")
        );
    }

    #[test]
    fn errors_of_applications_become_one() {
        let boxed: Box<dyn Error + Send + Sync> = "no paper".into();
        for failure in [of(|| Err(boxed)?), of(|| Err("no paper")?), of(|| Err(anyhow::anyhow!("no paper"))?)] {
            assert_eq!((failure.application_type(), failure.message.as_str()), (Some("Error"), "no paper"));
        }
        let refused = ApplicationFailure::new("no").with_type("Refused");
        let failure = of(|| Err(anyhow::Error::new(refused).context("while charging"))?);
        assert_eq!((failure.application_type(), failure.message.as_str()), (Some("Refused"), "while charging"));
    }

    #[test]
    fn a_failure_from_elsewhere_is_a_cause() {
        let cancelled = Failure::new("stop", FailureKind::Cancelled { details: Vec::new(), identity: String::new() });
        let failure = of(|| Err(cancelled.clone().into()));
        assert_eq!((failure.application_type(), failure.message.as_str()), (Some("Failure"), "stop"));
        assert_eq!(failure.cause.as_deref(), Some(&cancelled));

        let application = Failure::from(ApplicationFailure::new("no").with_type("Refused"));
        assert_eq!(of(|| Err(application.clone().into())), application);
    }

    #[test]
    fn shown_for_people() {
        let error = ActivityError::from(ApplicationFailure::new("no").with_type("Refused").caused_by(std::fmt::Error));
        assert_eq!(error.to_string(), "Refused: no");
        assert_eq!(
            format!("{error:?}"),
            "ActivityError(Refused: no: Error: an error occurred when formatting an argument)"
        );
        assert_eq!(ActivityError::cancelled().to_string(), "cancelled");
        assert!(ActivityError::cancelled().is_cancelled());
    }
}
