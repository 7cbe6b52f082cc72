//! Retry policies, of activities and of workflows.

use std::time::Duration;

use timewright_proto::common::RetryPolicy;
use timewright_proto::enums::{RetryState, TimeoutType};
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::prost_types;

use crate::time::{Time, checked_duration, duration, wire_duration};

/// Fills in what a policy does not say: one second at first, doubled each time, a hundred times the first at most, without
/// end. Facts (server 1.32).
pub(crate) fn with_defaults(mut policy: RetryPolicy) -> RetryPolicy {
    if is_zero(policy.initial_interval.as_ref()) {
        policy.initial_interval = Some(wire_duration(Duration::from_secs(1)));
    }
    if is_zero(policy.maximum_interval.as_ref()) {
        policy.maximum_interval = Some(wire_duration(checked_duration(policy.initial_interval.as_ref()) * 100));
    }
    if policy.backoff_coefficient == 0.0 {
        policy.backoff_coefficient = 2.0;
    }
    policy
}

/// What the server says about a policy that cannot be. A policy of one attempt is not looked at any closer.
pub(crate) fn check(policy: &RetryPolicy) -> Result<(), String> {
    if policy.maximum_attempts == 1 {
        return Ok(());
    }
    let initial = duration(policy.initial_interval.as_ref())
        .map_err(|error| format!("invalid InitialInterval set on retry policy: {error}"))?;
    if policy.backoff_coefficient < 1.0 {
        return Err("BackoffCoefficient cannot be less than 1 on retry policy.".into());
    }
    let maximum = duration(policy.maximum_interval.as_ref())
        .map_err(|error| format!("invalid MaximumInterval set on retry policy: {error}"))?;
    if !maximum.is_zero() && maximum < initial {
        return Err("MaximumInterval cannot be less than InitialInterval on retry policy.".into());
    }
    if policy.maximum_attempts < 0 {
        return Err("MaximumAttempts cannot be negative on retry policy.".into());
    }
    Ok(())
}

/// How long to wait before the next attempt, or why there is none. `expires` is the end of all attempts.
///
/// Facts (server 1.32): whether the failure may be tried again comes first, then the number of attempts, then the time
/// that is left. A delay that the failure asks for replaces the policy's, also above its maximum.
pub(crate) fn next_interval(
    policy: &RetryPolicy,
    attempt: i32,
    failure: &Failure,
    now: Time,
    expires: Option<Time>,
) -> Result<Duration, RetryState> {
    if !is_retryable(failure, &policy.non_retryable_error_types) {
        return Err(RetryState::NonRetryableFailure);
    }
    if policy.maximum_attempts > 0 && attempt >= policy.maximum_attempts {
        return Err(RetryState::MaximumAttemptsReached);
    }
    let interval = requested_delay(failure).unwrap_or_else(|| policy_interval(policy, attempt));
    if expires.is_some_and(|expires| now + interval > expires) {
        return Err(RetryState::Timeout);
    }
    Ok(interval)
}

/// Facts (server 1.32): failures that are cancellations or terminations are final, and those that say so, and those of a
/// type that the policy names. Of time-outs, only start-to-close and heartbeat can be tried again.
fn is_retryable(failure: &Failure, final_types: &[String]) -> bool {
    let named = |name: &str| final_types.iter().any(|final_type| final_type == name);
    match &failure.failure_info {
        Some(FailureInfo::TerminatedFailureInfo(_) | FailureInfo::CanceledFailureInfo(_)) => false,
        Some(FailureInfo::TimeoutFailureInfo(timeout)) => {
            let timeout_type = timeout.timeout_type();
            matches!(timeout_type, TimeoutType::StartToClose | TimeoutType::Heartbeat)
                && !named(&format!("TemporalTimeout:{timeout_type:?}"))
        }
        Some(FailureInfo::ServerFailureInfo(server)) => !server.non_retryable,
        Some(FailureInfo::ApplicationFailureInfo(application)) => {
            !application.non_retryable && !named(&application.r#type)
        }
        _ => true,
    }
}

fn requested_delay(failure: &Failure) -> Option<Duration> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(application)) => {
            application.next_retry_delay.as_ref().map(|delay| checked_duration(Some(delay)))
        }
        _ => None,
    }
}

fn is_zero(wire: Option<&prost_types::Duration>) -> bool {
    duration(wire) == Ok(Duration::ZERO)
}

fn policy_interval(policy: &RetryPolicy, attempt: i32) -> Duration {
    let initial = checked_duration(policy.initial_interval.as_ref());
    let maximum = checked_duration(policy.maximum_interval.as_ref());
    let seconds = initial.as_secs_f64() * policy.backoff_coefficient.powi(attempt.max(1) - 1);
    let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if maximum.is_zero() { interval } else { interval.min(maximum) }
}
