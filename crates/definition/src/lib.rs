//! The contract that callers and implementers share: names and types of workflows, activities, signals, queries, updates.
#![forbid(unsafe_code)]
