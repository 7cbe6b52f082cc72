//! Temporal's worker protocols as pure state machines.
#![forbid(unsafe_code)]
