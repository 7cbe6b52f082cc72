//! Errors of users become failures.

use std::any::type_name;
use std::error::Error;

use crate::disguised::look_behind;
use crate::failure::MAXIMUM_CAUSES;
use crate::{ApplicationFailure, ErrorCategory, Failure, FailureKind};

impl Failure {
    /// The failure that an error of users means.
    ///
    /// - A [`Failure`] and an [`ApplicationFailure`] stay what they are.
    /// - Any other error becomes an application failure: type = the last segment of the Rust type's name, message = what it
    ///   displays, cause = the same of its [`source`](Error::source), and so on.
    /// - Where such an error has an [`ApplicationFailure`] among its sources, it takes over that one's type, details, retry
    ///   settings and category, so that adding context to an error does not change what the server does with it. A received
    ///   [`Failure`] among the sources is only a cause.
    /// - An error that says the same as the [`Failure`] which is its source only passes that on, and adds no level.
    ///
    /// ```
    /// use timewright_converter::{Failure, FailureKind};
    ///
    /// let failure = Failure::from_error(&"x".parse::<u32>().expect_err("x is no number"));
    /// assert_eq!(failure.application_type(), Some("ParseIntError"));
    /// assert_eq!(failure.message, "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn from_error<E: Error + 'static>(error: &E) -> Self {
        from_chain(error, last_segment(type_name::<E>()))
    }

    /// As [`from_error`](Self::from_error) where the error's type is not known; the failure's type is then empty, unless an
    /// [`ApplicationFailure`] gives one.
    #[must_use]
    pub fn from_dyn_error(error: &(dyn Error + 'static)) -> Self {
        from_chain(error, "")
    }

    /// As [`from_error`](Self::from_error) for an error that was in a box or in something like `anyhow::Error`; the failure's type
    /// is then that one's name, and `Error` for boxes and texts, unless an [`ApplicationFailure`] gives another.
    #[must_use]
    pub fn from_boxed_error<E>(error: &(dyn Error + 'static)) -> Self {
        from_chain(
            error,
            match last_segment(type_name::<E>()) {
                "&str" | "Box" | "Report" | "String" => "Error",
                name => name,
            },
        )
    }
}

fn from_chain(error: &(dyn Error + 'static), type_name: &str) -> Failure {
    let mut levels: Vec<Failure> = Vec::new();
    let mut innermost = None;
    let mut next = Some(error);
    while let Some(error) = next {
        let behind = look_behind(error);
        let behind = behind.as_deref();
        if let Some(failure) = error.downcast_ref::<Failure>().or_else(|| behind?.downcast_ref()) {
            let text = failure.to_string();
            while levels.last().is_some_and(|wrapper| wrapper.message == text) {
                levels.pop();
            }
            innermost = Some(failure.clone());
            break;
        }
        if let Some(failure) = error.downcast_ref::<ApplicationFailure>().or_else(|| behind?.downcast_ref()) {
            if let Some(outermost) = levels.first_mut() {
                outermost.kind = failure.kind();
            }
            innermost = Some(Failure::from(failure.clone()));
            break;
        }
        // A chain can be endless; what is beyond is not looked at, let alone sent.
        if levels.len() > MAXIMUM_CAUSES {
            break;
        }
        let type_name = if levels.is_empty() { type_name } else { "" };
        levels.push(Failure::new(error.to_string(), application(type_name)));
        next = error.source();
    }
    levels
        .into_iter()
        .rev()
        .fold(innermost, |cause, level| Some(Failure { cause: cause.map(Box::new), ..level }))
        // There was at least the error itself.
        .unwrap_or_else(|| Failure::new(error.to_string(), application(type_name)))
}

fn application(type_name: &str) -> FailureKind {
    FailureKind::Application {
        type_name: type_name.to_owned(),
        non_retryable: false,
        details: Vec::new(),
        next_retry_delay: None,
        category: ErrorCategory::Unspecified,
    }
}

/// `Error` of `my_crate::io::Error<my_crate::Kind>`.
pub(crate) fn last_segment(type_name: &str) -> &str {
    let without_parameters = type_name.split('<').next().unwrap_or_default();
    without_parameters.rsplit("::").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::RetryState;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Wrapper {
        text: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    fn wrapper(text: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Wrapper {
        Wrapper { text, source: Some(source.into()) }
    }

    /// Types and messages of the chain.
    fn shown(failure: &Failure) -> Vec<(Option<&str>, &str)> {
        failure.chain().map(|failure| (failure.application_type(), failure.message.as_str())).collect()
    }

    fn declined() -> ApplicationFailure {
        ApplicationFailure::new("declined")
            .with_type("CardDeclined")
            .with_details(7_u32)
            .with_next_retry_delay(Duration::from_secs(9))
            .with_category(ErrorCategory::Benign)
            .non_retryable()
            .caused_by(std::fmt::Error)
    }

    #[test]
    fn an_error_becomes_an_application_failure_with_causes() {
        let failure = Failure::from_error(&wrapper("outer", wrapper("middle", "inner")));
        assert_eq!(shown(&failure), [(Some("Wrapper"), "outer"), (Some(""), "middle"), (Some(""), "inner")]);
        assert_eq!(failure.source, "Timewright");
        assert_eq!(Failure::from_dyn_error(&std::fmt::Error).application_type(), Some(""));
    }

    #[test]
    fn an_application_failure_stays_what_it_is() {
        assert_eq!(Failure::from_error(&declined()), Failure::from(declined()));
        assert_eq!(Failure::from_dyn_error(&declined()), Failure::from(declined()));
        assert_eq!(
            shown(&Failure::from(declined())),
            [(Some("CardDeclined"), "declined"), (Some("Error"), "an error occurred when formatting an argument")]
        );
    }

    #[test]
    fn an_application_failure_anywhere_decides() {
        let failure = Failure::from_error(&wrapper("outer", wrapper("middle", declined())));
        assert_eq!(
            shown(&failure)[..3],
            [(Some("CardDeclined"), "outer"), (Some(""), "middle"), (Some("CardDeclined"), "declined")]
        );
        assert_eq!(failure.kind, declined().kind());
        assert_eq!(failure.details::<u32>(), Ok(Some(7)));
    }

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct StandsFor(#[from] ApplicationFailure);

    #[test]
    fn an_application_failure_behind_a_wrapper_that_stands_for_it_stays_what_it_is() {
        let disguised: [Box<dyn Error>; 3] = [
            StandsFor(declined()).into(),
            anyhow::Error::from(declined()).into(),
            eyre::Report::new(declined()).into(),
        ];
        for error in disguised {
            assert!(error.downcast_ref::<ApplicationFailure>().is_none(), "it is in disguise");
            assert_eq!(Failure::from_dyn_error(&*error), Failure::from(declined()));
        }
        let with_context: Box<dyn Error> = anyhow::Error::from(declined()).context("charging").into();
        let failure = Failure::from_dyn_error(&*with_context);
        assert_eq!(shown(&failure)[..2], [(Some("CardDeclined"), "charging"), (Some("CardDeclined"), "declined")]);
        assert!(look_behind(&std::fmt::Error).is_none() && look_behind(&wrapper("outer", declined())).is_none());
    }

    #[test]
    fn a_received_failure_is_a_cause_and_stays_what_it_was() {
        let received = Failure::new(
            "Activity task failed",
            FailureKind::Activity {
                activity_type: "Charge".into(),
                activity_id: "1".into(),
                scheduled_event_id: 5,
                started_event_id: 6,
                identity: String::new(),
                retry_state: RetryState::NonRetryableFailure,
            },
        )
        .with_cause(declined());
        assert_eq!(Failure::from_error(&received), received);

        let passed_on = Failure::from_error(&wrapper("cannot order", received.clone()));
        assert_eq!(passed_on.application_type(), Some("Wrapper"));
        assert_eq!(passed_on.cause.as_deref(), Some(&received));
        // What only hands it over, with its own words, is no level.
        let text: &'static str = received.to_string().leak();
        assert_eq!(Failure::from_error(&wrapper(text, received.clone())), received);
        let handed_over = Failure::from_error(&wrapper("cannot order", wrapper(text, received.clone())));
        assert_eq!(handed_over.cause.as_deref(), Some(&received));
        // Not even a received application failure says what to do with this one.
        let passed_on = Failure::from_error(&wrapper("cannot order", Failure::from(declined())));
        assert_eq!(passed_on.kind, application("Wrapper"));
    }

    #[test]
    fn long_chains_end() {
        let mut error = wrapper("0", "innermost");
        for _ in 0..1000 {
            error = wrapper("more", error);
        }
        assert_eq!(Failure::from_error(&error).chain().count(), MAXIMUM_CAUSES + 1);
    }

    #[test]
    fn last_segments() {
        for (type_name, segment) in [
            ("u32", "u32"),
            ("alloc::string::String", "String"),
            ("my::Error<my::Kind, std::io::Error>", "Error"),
            ("my::outer::{{closure}}::Hidden", "Hidden"),
        ] {
            assert_eq!(last_segment(type_name), segment);
        }
    }
}
