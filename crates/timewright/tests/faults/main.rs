//! What happens, and what users read, when something goes wrong, on a real Temporal Server.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod building;
mod code_changed;
mod connection;
mod panics;
mod shutdown;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod types;
