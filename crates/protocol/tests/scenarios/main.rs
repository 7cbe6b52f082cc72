//! The Workflow Task Execution Protocol in scenarios: sequences on which implementations of it have failed, and others.
//!
//! Each scenario is text, in the notation that [`notation`] explains. Names such as `h7_…` are ids of `../regressions.md`.

mod activities;
mod cache;
mod child_workflows;
mod damaged;
mod endings;
mod events;
mod history;
mod local_activities;
mod local_activity_cancellation;
mod local_activity_markers;
mod local_activity_retries;
mod nexus_operations;
mod nondeterminism;
mod notation;
mod patches;
mod queries;
mod regressions;
mod replay_flag;
mod signals;
mod task_life_cycle;
mod timers;
mod updates;
