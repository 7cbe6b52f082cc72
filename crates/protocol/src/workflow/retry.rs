//! Whether an attempt that failed is followed by another, and when: for Local Activities, whose server the worker is.
//!
//! <https://docs.temporal.io/encyclopedia/retry-policies>

use std::time::Duration;

use timewright_proto::common::RetryPolicy;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::from_duration;

/// What follows an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt.
    Retry {
        /// After this time.
        delay: Duration,
    },
    /// None.
    GiveUp,
}

/// What follows attempt number `attempt`, which failed with `failure`, or timed out where there is none.
pub(crate) fn next_attempt(policy: Option<&RetryPolicy>, attempt: u32, failure: Option<&Failure>) -> Next {
    let default = RetryPolicy::default();
    let policy = policy.unwrap_or(&default);
    let maximum = u32::try_from(policy.maximum_attempts).unwrap_or(0);
    if (maximum > 0 && attempt >= maximum) || failure.is_some_and(|failure| !is_retryable(policy, failure)) {
        return Next::GiveUp;
    }
    let explicit = failure.and_then(|failure| match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info.next_retry_delay.as_ref().and_then(from_duration),
        _ => None,
    });
    Next::Retry { delay: explicit.unwrap_or_else(|| delay(policy, attempt)) }
}

fn is_retryable(policy: &RetryPolicy, failure: &Failure) -> bool {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            !info.non_retryable && !policy.non_retryable_error_types.contains(&info.r#type)
        }
        Some(FailureInfo::CanceledFailureInfo(_) | FailureInfo::TerminatedFailureInfo(_)) => false,
        _ => true,
    }
}

/// The first delay, times the coefficient for each attempt before this one, and at most the longest.
fn delay(policy: &RetryPolicy, attempt: u32) -> Duration {
    let initial = policy.initial_interval.as_ref().and_then(from_duration).filter(|initial| !initial.is_zero());
    let initial = initial.unwrap_or(Duration::from_secs(1));
    let coefficient = if policy.backoff_coefficient >= 1.0 { policy.backoff_coefficient } else { 2.0 };
    let longest = policy.maximum_interval.as_ref().and_then(from_duration).filter(|longest| !longest.is_zero());
    let longest = longest.unwrap_or_else(|| initial.saturating_mul(100)).max(initial);
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    Duration::try_from_secs_f64(initial.as_secs_f64() * coefficient.powi(exponent))
        .map_or(longest, |it| it.min(longest))
}

#[cfg(test)]
mod tests {
    use timewright_proto::failure::ApplicationFailureInfo;
    use timewright_proto::to_duration;

    use super::*;

    fn application(info: ApplicationFailureInfo) -> Failure {
        Failure { failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..Failure::default() }
    }

    fn delays(policy: Option<&RetryPolicy>, attempts: std::ops::Range<u32>) -> Vec<Option<f64>> {
        let next = attempts.map(|attempt| match next_attempt(policy, attempt, None) {
            Next::Retry { delay } => Some(delay.as_secs_f64()),
            Next::GiveUp => None,
        });
        next.collect()
    }

    #[test]
    fn by_default_delays_double_from_a_second_to_a_hundred() {
        let expected = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0, 100.0].map(Some);
        assert_eq!(delays(None, 1..10), expected);
        assert_eq!(delays(None, u32::MAX - 1..u32::MAX), [Some(100.0)]);
    }

    #[test]
    fn l19_the_last_attempt_is_the_one_that_the_policy_names() {
        let policy = RetryPolicy {
            initial_interval: Some(to_duration(Duration::from_millis(500))),
            backoff_coefficient: 3.0,
            maximum_interval: Some(to_duration(Duration::from_secs(2))),
            maximum_attempts: 4,
            ..RetryPolicy::default()
        };
        assert_eq!(delays(Some(&policy), 1..6), [Some(0.5), Some(1.5), Some(2.0), None, None]);
    }

    #[test]
    fn what_must_not_be_tried_again_is_not() {
        let policy = RetryPolicy { non_retryable_error_types: vec!["Bug".into()], ..RetryPolicy::default() };
        let next = |info| next_attempt(Some(&policy), 1, Some(&application(info)));
        let bug = ApplicationFailureInfo { r#type: "Bug".into(), ..ApplicationFailureInfo::default() };
        let non_retryable = ApplicationFailureInfo { non_retryable: true, ..ApplicationFailureInfo::default() };
        let other = ApplicationFailureInfo { r#type: "Other".into(), ..ApplicationFailureInfo::default() };
        assert_eq!(next(bug), Next::GiveUp);
        assert_eq!(next(non_retryable), Next::GiveUp);
        assert_eq!(next(other), Next::Retry { delay: Duration::from_secs(1) });
    }

    #[test]
    fn a_failure_may_say_when_to_try_again() {
        let delay = Duration::from_secs(7);
        let info = ApplicationFailureInfo { next_retry_delay: Some(to_duration(delay)), ..Default::default() };
        assert_eq!(next_attempt(None, 3, Some(&application(info))), Next::Retry { delay });
    }
}
