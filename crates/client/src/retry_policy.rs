//! When something that failed is run again by the server.

use std::time::Duration;
use timewright_proto::{common, prost_types};

/// How the server retries a workflow. <https://docs.temporal.io/encyclopedia/retry-policies>
///
/// ```
/// use std::time::Duration;
/// use timewright_client::RetryPolicy;
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

    pub(crate) fn into_proto(self) -> common::RetryPolicy {
        common::RetryPolicy {
            initial_interval: Some(proto_duration(self.initial_interval)),
            backoff_coefficient: self.backoff_coefficient,
            maximum_interval: self.maximum_interval.map(proto_duration),
            maximum_attempts: i32::try_from(self.maximum_attempts).unwrap_or(i32::MAX),
            non_retryable_error_types: self.non_retryable_error_types,
        }
    }
}

/// A duration as it travels. What is longer than protobuf can say is as long as it can say, which is 10 000 years.
pub(crate) fn proto_duration(duration: Duration) -> prost_types::Duration {
    const LONGEST: u64 = 315_576_000_000;
    prost_types::Duration {
        seconds: duration.as_secs().min(LONGEST).cast_signed(),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}
