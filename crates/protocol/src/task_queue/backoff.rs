//! How long to wait before the next attempt.

use std::time::Duration;

/// Waiting times that grow by a factor up to a maximum, spread at random so that a fleet does not return in step.
///
/// ```
/// use std::time::Duration;
/// use timewright_protocol::task_queue::{Backoff, Jitter};
///
/// let mut jitter = Jitter::none();
/// assert_eq!(Backoff::POLL.delay(1, &mut jitter), Duration::from_millis(200));
/// assert_eq!(Backoff::POLL.delay(2, &mut jitter), Duration::from_millis(400));
/// assert_eq!(Backoff::POLL.delay(99, &mut jitter), Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub initial: Duration,
    /// By how much each wait is longer than the one before it.
    pub factor: f64,
    /// No wait is longer than this, before jitter.
    pub maximum: Duration,
    /// Which share of the wait is random: 0.2 means between 80 % and 120 %.
    pub jitter: f64,
}

impl Backoff {
    /// For polls that fail.
    pub const POLL: Self =
        Self { initial: Duration::from_millis(200), factor: 2.0, maximum: Duration::from_secs(10), jitter: 0.2 };
    /// For whatever the server refused because it has too much to do.
    pub const THROTTLED: Self =
        Self { initial: Duration::from_secs(1), factor: 2.0, maximum: Duration::from_secs(10), jitter: 0.2 };
    /// For all other calls.
    pub const UNARY: Self =
        Self { initial: Duration::from_millis(100), factor: 1.7, maximum: Duration::from_secs(5), jitter: 0.2 };

    /// How long to wait after the `failures`-th failure in a row; no wait after none.
    #[must_use]
    pub fn delay(&self, failures: u32, jitter: &mut Jitter) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        // 64 doublings are longer than any maximum; the bound keeps the power finite.
        let grown = self.initial.as_secs_f64() * self.factor.powi(failures.min(64) as i32 - 1);
        let seconds = grown.min(self.maximum.as_secs_f64());
        Duration::from_secs_f64(seconds * jitter.between(1.0 - self.jitter, 1.0 + self.jitter))
    }
}

/// A small generator of random numbers for [`Backoff`], from a seed that the caller brings.
///
/// Good enough to keep machines from acting in step, and for nothing else.
#[derive(Clone, Debug)]
pub struct Jitter(Option<u64>);

impl Jitter {
    /// Starts the sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Some(seed))
    }

    /// No randomness at all, for tests that look at exact times.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// A number from `least` to below `most`; without randomness the one in the middle.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.fraction()
    }

    /// A number from 0 to below 1; without randomness the middle.
    pub(super) fn fraction(&mut self) -> f64 {
        let Some(state) = &mut self.0 else { return 0.5 };
        (split_mix(state) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Jitter};

    #[test]
    fn c1_the_numbers_are_those_of_the_other_sdks() {
        let table = [("poll", Backoff::POLL), ("throttled", Backoff::THROTTLED), ("unary", Backoff::UNARY)].map(
            |(name, backoff)| {
                let delays: Vec<_> = (0..=9)
                    .map(|failures| backoff.delay(failures, &mut Jitter::none()).as_millis().to_string())
                    .collect();
                format!("{name}: {}", delays.join(" "))
            },
        );
        assert_eq!(
            table,
            [
                "poll: 0 200 400 800 1600 3200 6400 10000 10000 10000",
                "throttled: 0 1000 2000 4000 8000 10000 10000 10000 10000 10000",
                "unary: 0 100 170 289 491 835 1419 2413 4103 5000",
            ]
        );
    }

    #[test]
    fn jitter_spreads_within_its_share_and_follows_the_seed() {
        let delays = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..1000).map(|_| Backoff::POLL.delay(3, &mut jitter).as_millis()).collect::<Vec<_>>()
        };
        let (least, most) = (*delays(1).iter().min().unwrap(), *delays(1).iter().max().unwrap());
        assert!((640..660).contains(&least) && (940..=960).contains(&most), "{least}..{most}");
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut jitter = Jitter::new(3);
        for failures in [0, 1, 63, 64, 65, 1_000_000, u32::MAX] {
            assert!(Backoff::POLL.delay(failures, &mut jitter) <= Backoff::POLL.maximum.mul_f64(1.2));
        }
    }
}
