//! So many a second, and no more.

use std::time::{Duration, Instant};

/// A limit of tasks a second, whose time is an argument.
///
/// In any time of `t` seconds at most `rate * t` tasks are let through, plus those that were saved up while nothing happened: as
/// many as one second brings, and at least one.
///
/// It is ten lines, which is why it is no crate: those have clocks of their own, and none of them can keep a permit for a poll
/// that may come back without a task.
///
/// ```
/// use std::time::{Duration, Instant};
/// use timewright_protocol::task_queue::RateLimit;
///
/// let start = Instant::now();
/// let mut limit = RateLimit::new(2.0)?;
/// assert!(limit.take(start) && limit.take(start) && !limit.take(start));
/// assert!(limit.take(start + Duration::from_millis(500)));
/// # Ok::<(), timewright_protocol::task_queue::InvalidRate>(())
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit {
    per_second: f64,
    /// What may be taken now.
    tokens: f64,
    updated_at: Option<Instant>,
}

/// A rate that is not above zero. The application's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} tasks a second are no limit; give a number above 0, or none where there is no limit")]
pub struct InvalidRate(String);

impl RateLimit {
    /// Lets this many through a second; less than one is a longer pause between them.
    ///
    /// # Errors
    /// If it is not above zero.
    pub fn new(per_second: f64) -> Result<Self, InvalidRate> {
        if !(per_second.is_finite() && per_second > 0.0) {
            return Err(InvalidRate(per_second.to_string()));
        }
        Ok(Self { per_second, tokens: burst(per_second), updated_at: None })
    }

    /// Takes one, if it is there.
    pub fn take(&mut self, now: Instant) -> bool {
        let is_there = self.has(1, now);
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }

    /// Whether so many could be taken now.
    pub(super) fn has(&mut self, count: usize, now: Instant) -> bool {
        let last = *self.updated_at.get_or_insert(now);
        let grown = now.saturating_duration_since(last).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + grown).min(burst(self.per_second));
        self.updated_at = Some(now.max(last));
        self.tokens + ROUNDING >= count as f64
    }

    /// When so many can be taken, if none is taken before; `None` if there are never so many.
    #[must_use]
    pub fn ready_at(&self, count: usize) -> Option<Instant> {
        let missing = (count as f64 - self.tokens).max(0.0);
        if count as f64 > burst(self.per_second) + ROUNDING {
            return None;
        }
        let wait = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(LONGEST_WAIT);
        self.updated_at.map(|at| at + wait.min(LONGEST_WAIT))
    }
}

/// What one second brings, and at least one.
fn burst(per_second: f64) -> f64 {
    per_second.max(1.0)
}

/// Sums of fractions are never quite what they should be.
const ROUNDING: f64 = 1e-6;
/// Short enough to be added to any time.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any point in time will do, and there is no other way to get one")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_rate_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(RateLimit::new(rate).is_err(), "{rate}");
        }
        assert_eq!(
            RateLimit::new(0.0).unwrap_err().to_string(),
            "0 tasks a second are no limit; give a number above 0, or none where there is no limit"
        );
    }

    #[test]
    fn whoever_waits_until_it_is_ready_gets_one() {
        let start = Instant::now();
        for rate in [0.01, 0.3, 1.0, 7.0, 1234.5] {
            let mut limit = RateLimit::new(rate).unwrap();
            let mut now = start;
            while limit.take(now) {}
            for taken in 1..100 {
                now = limit.ready_at(1).unwrap();
                assert!(limit.take(now), "{rate}: {taken}");
            }
            let expected = 99.0 / rate;
            let took = now.duration_since(start).as_secs_f64();
            assert!((took - expected).abs() < 0.01 * expected + 0.01, "{rate}: {took} s");
        }
    }

    proptest! {
        #[test]
        fn x19_no_window_lets_more_through(
            rate in prop_oneof![0.1f64..1.0, 1.0f64..8.0],
            steps in prop::collection::vec(0u64..2000, 1..40),
        ) {
            let start = Instant::now();
            let mut limit = RateLimit::new(rate).unwrap();
            let mut now = start;
            let mut taken = Vec::new();
            for step in steps {
                now += Duration::from_millis(step);
                while limit.take(now) {
                    taken.push(now);
                }
            }
            for first in 0..taken.len() {
                for last in first..taken.len() {
                    let window = taken[last].duration_since(taken[first]).as_secs_f64();
                    let most = rate.max(1.0) + window * rate + 0.001;
                    prop_assert!((last - first + 1) as f64 <= most, "{} in {window} s", last - first + 1);
                }
            }
        }
    }
}
