//! What activities can do beyond being executed, on a real Temporal Server.
#![cfg(all(feature = "activity", feature = "workflow"))]

#[path = "../support/mod.rs"]
mod support;

mod asynchronous_completion;
