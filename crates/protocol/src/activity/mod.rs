//! The Activity Task Processing Protocol, pure: no clock, no randomness, no IO.
//!
//! A poll's answer becomes an [`ActivityTask`], in which nothing is missing that must be there. User code executes it and
//! says an [`ActivityOutcome`]. Between the two, an [`Attempt`] decides which heartbeats reach the server, when user code is
//! told to stop and why, and which [`Completion`] the server gets in the end.
//!
//! ```text
//!   PollActivityTaskQueueResponse ─▶ ActivityTask ─────────────▶ user code
//!                                         │                      │ heartbeats, outcome
//!                                         ▼                      ▼
//!   server ◀── heartbeats, Completion ── Attempt ◀───────────────┘
//!          ──  cancelled? paused? ─────▶    ────── Cancel ──▶ user code
//! ```
//!
//! <https://docs.temporal.io/activity-execution>

mod attempt;
mod cancellation;
mod deadlines;
mod heartbeat;
mod outcome;
mod task;

pub use attempt::{Attempt, AttemptOptions, AttemptOutput, HeartbeatAnswer};
pub use cancellation::{CancelReason, LocalTimeout};
pub use heartbeat::Heartbeat;
pub use outcome::{ActivityOutcome, Completion};
pub use task::{
    ActivityInfo, ActivityPriority, ActivityRetryPolicy, ActivityTask, InvalidActivityTask, TaskProblem, WorkflowOrigin,
};
