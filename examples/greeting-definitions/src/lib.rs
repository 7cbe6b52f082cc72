//! The contract of the greeting example: what its workflow and its activity are called, take and give.
#![forbid(unsafe_code)]
