//! The Activity Worker: executes Activity Tasks from a Task Queue.
#![forbid(unsafe_code)]
