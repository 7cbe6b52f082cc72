//! What an operator counts on: no single workflow holds a worker up, on a real Temporal Server.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod cache;
mod codecs;
mod determinism;
mod gate;
mod heavy;
mod metrics;
mod policies;
#[path = "../support/mod.rs"]
mod support;
mod watchdog;
