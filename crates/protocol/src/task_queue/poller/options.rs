//! How a poller is set up, and how it cannot be.

use super::super::rate_limit::InvalidRate;
use std::time::Duration;

/// How a [`Poller`](super::Poller) is to poll.
///
/// ```
/// use timewright_protocol::task_queue::{Poller, PollerBehavior, PollerOptions};
///
/// let options = PollerOptions::new(100).behavior(PollerBehavior::Fixed { maximum: 4 }).sticky(true).jitter_seed(17);
/// assert!(Poller::new(options).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct PollerOptions {
    pub(super) slots: Option<usize>,
    pub(super) behavior: Option<PollerBehavior>,
    pub(super) sticky: bool,
    pub(super) sticky_share: f64,
    pub(super) tasks_per_second: Option<f64>,
    pub(super) fatal_grace: Duration,
    pub(super) jitter_seed: u64,
}

impl PollerOptions {
    /// For a worker that executes up to `slots` tasks at the same time, with up to 5 polls open, and no sticky queue.
    #[must_use]
    pub const fn new(slots: usize) -> Self {
        Self {
            slots: Some(slots),
            behavior: None,
            sticky: false,
            sticky_share: 0.5,
            tasks_per_second: None,
            fatal_grace: Duration::from_secs(60),
            jitter_seed: 0,
        }
    }

    /// For a worker that asks somebody else for each slot: [`PollerOutput::Reserve`](super::PollerOutput::Reserve).
    #[must_use]
    pub const fn supplied() -> Self {
        Self { slots: None, ..Self::new(0) }
    }

    /// How many polls are open at the same time. If it is not said, a server may ask for
    /// [autoscaling](PollerBehavior::AUTOSCALING); else it is [`PollerBehavior::FIXED`].
    #[must_use]
    pub const fn behavior(mut self, behavior: PollerBehavior) -> Self {
        self.behavior = Some(behavior);
        self
    }

    /// Which part of the polls is to be on the sticky queue, between 0 and 1, where polls or slots are too few for all that
    /// both kinds could use: a half if not set. Each kind has one at least.
    #[must_use]
    pub const fn sticky_share(mut self, share: f64) -> Self {
        self.sticky_share = share;
        self
    }

    /// The most tasks that are to come in a second, from all polls together: see [`RateLimit`](super::super::RateLimit). No limit
    /// if not set.
    ///
    /// An open poll holds one task of the limit, and gives it back if it returns with nothing.
    #[must_use]
    pub const fn tasks_per_second(mut self, tasks: f64) -> Self {
        self.tasks_per_second = Some(tasks);
        self
    }

    /// Whether there is a sticky queue to poll as well.
    #[must_use]
    pub const fn sticky(mut self, sticky: bool) -> Self {
        self.sticky = sticky;
        self
    }

    /// For how long errors are tolerated that waiting does not cure, such as a permission denied: 60 s if not set.
    /// Proxies and authorizers say so in passing.
    #[must_use]
    pub const fn fatal_grace(mut self, fatal_grace: Duration) -> Self {
        self.fatal_grace = fatal_grace;
        self
    }

    /// Where the random part of waiting times comes from. Give each worker another one.
    #[must_use]
    pub const fn jitter_seed(mut self, jitter_seed: u64) -> Self {
        self.jitter_seed = jitter_seed;
        self
    }
}

/// How the number of open polls is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PollerBehavior {
    /// As many as there are free slots, up to a maximum.
    Fixed {
        /// The most polls, of all kinds together, that are open at the same time.
        maximum: usize,
    },
    /// As many as the server suggests in its answers to polls, within these bounds, for each kind of queue; never more than
    /// there are free slots.
    Autoscaling {
        /// The fewest.
        minimum: usize,
        /// How many there are before the server has suggested anything.
        initial: usize,
        /// The most.
        maximum: usize,
    },
}

impl PollerBehavior {
    /// Up to 5 polls.
    pub const FIXED: Self = Self::Fixed { maximum: 5 };
    /// Between 1 and 100 polls, 5 at first: what the other SDKs have where nothing else is said.
    pub const AUTOSCALING: Self = Self::Autoscaling { minimum: 1, initial: 5, maximum: 100 };
}

/// A [`Poller`](super::Poller) that could not do its work. The application's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPollerOptions {
    /// Bounds that are none.
    #[error(
        "autoscaling from {minimum} to {maximum} polls, with {initial} at first, cannot be; \
         the least must be 1 or more, the most not below it, and the first number between them"
    )]
    Autoscaling {
        /// The fewest that were asked for.
        minimum: usize,
        /// The first number that was asked for.
        initial: usize,
        /// The most that were asked for.
        maximum: usize,
    },
    /// A limit that is none.
    #[error(transparent)]
    Rate(#[from] InvalidRate),
    /// A share that is none.
    #[error("a share of the polls must be between 0 and 1")]
    StickyShare,
    /// Too few polls.
    #[error("at most {maximum} polls may be open, but at least {needed} are needed{}; allow more", sticky_reason(.needed))]
    TooFewPolls {
        /// What was asked for.
        maximum: usize,
        /// What is needed.
        needed: usize,
    },
    /// Too few slots.
    #[error("there are {slots} slots, but at least {needed} are needed{}; allow more tasks at the same time", sticky_reason(.needed))]
    TooFewSlots {
        /// What was asked for.
        slots: usize,
        /// What is needed.
        needed: usize,
    },
}

fn sticky_reason(needed: &usize) -> &'static str {
    if *needed == 2 { ", one for the Task Queue and one for the sticky queue" } else { "" }
}
