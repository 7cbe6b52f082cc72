//! What activities can do beyond being executed, on a real Temporal Server.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod asynchronous_completion;
mod commands;
mod eager;
mod load;
mod operators;
mod sessions;
mod standalone;
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
