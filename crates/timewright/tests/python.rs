//! Our workers and our client together with those of Temporal's Python SDK.
//!
//! `peers/python` is the other side. Names that begin with `Python` and names of Python's activities are its own; those that
//! begin with `our_` are ours.

mod programs;
mod support;

mod python {
    mod calls;
    mod definitions;
    mod failures;
    mod json;
    mod ours;
    mod replays;
    mod tracing;
    mod values;
}
