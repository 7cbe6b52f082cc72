//! The Workflow Worker: executes Workflow Tasks from a Task Queue.
#![forbid(unsafe_code)]
