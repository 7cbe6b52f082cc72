//! Timewright: the Temporal worker SDK, one crate per protocol.
#![forbid(unsafe_code)]
