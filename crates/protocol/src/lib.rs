//! Temporal's worker protocols as pure state machines.
#![forbid(unsafe_code)]

#[cfg(feature = "activity")]
pub mod activity;
pub mod task_queue;
#[cfg(feature = "workflow")]
pub mod workflow;
