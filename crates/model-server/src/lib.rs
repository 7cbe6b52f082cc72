//! A pure model of the server half of the Workflow Task protocol.
#![forbid(unsafe_code)]
