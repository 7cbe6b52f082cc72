//! What clients and workers do when all is well, on a real Temporal Server.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod activities;
mod activity_cancellation;
mod codecs;
mod endings;
mod macros;
mod messages;
mod size_limit;
#[path = "../support/mod.rs"]
mod support;
mod workers;
mod workflows;
