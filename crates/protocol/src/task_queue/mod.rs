//! The Task Queue Protocol: how a worker asks a Task Queue for tasks.
//!
//! A worker keeps some long polls open, each of which returns with a task, or after a minute with nothing. How many, on
//! which of its queues, how long to wait after an error, when to tell people, when to give up, and how to stop without
//! losing a task that is under way: that is [`Poller`]. [`Slots`] counts what the worker does at the same time. What the
//! errors mean is [`ErrorClass`]; how long to wait after them, [`Backoff`].
//!
//! <https://docs.temporal.io/task-queue>

mod backoff;
mod error_class;
mod groups;
mod lane;
mod poller;
mod rate_limit;
mod scaling;
mod slots;
mod snapshot;

pub use backoff::{Backoff, Jitter};
pub use error_class::ErrorClass;
pub use groups::PollerGroups;
pub use poller::{
    InvalidPollerOptions, PollFailure, PollHints, PollResult, PollSupport, PollWarning, Poller, PollerBehavior,
    PollerOptions, PollerOutput,
};
pub use rate_limit::{InvalidRate, RateLimit};
pub use slots::{QueueKind, SlotId, Slots};
pub use snapshot::{PollerSnapshot, QueueSnapshot, SlotsSnapshot};
