//! When something that failed is run again by the server.

use std::time::Duration;
use timewright_proto::{common, to_duration};

/// How the server tries a workflow or an activity again. <https://docs.temporal.io/encyclopedia/retry-policies>
///
/// ```
/// use std::time::Duration;
/// use timewright_definition::RetryPolicy;
///
/// // After 1 s, 2 s, 4 s, … up to 30 s; ten times at most; never after a refusal.
/// let policy = RetryPolicy::default()
///     .maximum_interval(Duration::from_secs(30))
///     .maximum_attempts(10)
///     .non_retryable_error_types(["CardDeclined"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    initial_interval: Duration,
    backoff_coefficient: f64,
    maximum_interval: Option<Duration>,
    maximum_attempts: u32,
    non_retryable_error_types: Vec<String>,
}

impl Default for RetryPolicy {
    /// After 1 s, then each time twice as long up to 100 s, without end.
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_secs(1),
            backoff_coefficient: 2.0,
            maximum_interval: None,
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// The wait before the second attempt.
    #[must_use]
    pub const fn initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval = interval;
        self
    }

    /// By how much each wait is longer than the one before it; at least 1.
    #[must_use]
    pub const fn backoff_coefficient(mut self, coefficient: f64) -> Self {
        self.backoff_coefficient = coefficient;
        self
    }

    /// The longest wait: a hundred times the first if not set.
    #[must_use]
    pub const fn maximum_interval(mut self, interval: Duration) -> Self {
        self.maximum_interval = Some(interval);
        self
    }

    /// The most attempts, the first included; 0 is without limit.
    #[must_use]
    pub const fn maximum_attempts(mut self, attempts: u32) -> Self {
        self.maximum_attempts = attempts;
        self
    }

    /// The types of failures after which there is no further attempt.
    #[must_use]
    pub fn non_retryable_error_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.non_retryable_error_types = types.into_iter().map(Into::into).collect();
        self
    }
}

impl From<RetryPolicy> for common::RetryPolicy {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            initial_interval: Some(to_duration(policy.initial_interval)),
            backoff_coefficient: policy.backoff_coefficient,
            maximum_interval: policy.maximum_interval.map(to_duration),
            maximum_attempts: i32::try_from(policy.maximum_attempts).unwrap_or(i32::MAX),
            non_retryable_error_types: policy.non_retryable_error_types,
        }
    }
}
