//! A connection to a Temporal Service: its tower stack, the client API, and the open polls of workers.
#![forbid(unsafe_code)]
