//! Our workers and our client together with those of Temporal's Python SDK.

mod programs;
mod support;
