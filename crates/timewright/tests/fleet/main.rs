//! What whoever runs workers needs: versions, and what workers show of themselves, on a real Temporal Server.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod addresses;
mod presence;
#[path = "../chaos/proxy.rs"]
#[allow(dead_code, reason = "only chaos knows all kinds of weather")]
mod proxy;
mod replacement;
mod shutdown;
#[path = "../support/mod.rs"]
mod support;
mod versioning;
