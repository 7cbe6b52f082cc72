//! What the fuzz targets do with the bytes that they get; `cargo xtask fuzz` runs them.
//!
//! | target | input | must hold |
//! |---|---|---|
//! | [`polls`] | a poll's response | it is a task, no task, or an error with a text; an attempt at the activity ends |
//! | [`history_json`] | a history, as JSON or binary | what is read can be written, and is read again as it was |
//! | [`history_pages`] | a script and a history | however it is split into pages, it gives the same Workflow Tasks and Activations |
//! | [`runs`] | a script and a history | each task is answered exactly once, nothing goes on for ever, user code hears no nonsense |
//!
//! A **script** is bytes that choose: how the recorded history is damaged, where pages end, what user code answers, what the
//! server does next. Where a script is over it chooses what is right, so an empty one replays the history as it was recorded,
//! and every script comes to its end.
//!
//! Nothing here panics by itself on bad input; a panic is a finding.
#![forbid(unsafe_code)]

mod commands;
mod damage;
mod events;
mod executor;
mod input;
mod json;
mod operations;
mod pages;
mod polls;
mod recorded;
mod references;
mod runs;
mod script;
mod seeds;
mod server;
mod user_code;

#[cfg(test)]
mod tests;

pub use input::mutate;
pub use json::history_json;
pub use pages::history_pages;
pub use polls::polls;
pub use runs::runs;
pub use seeds::seeds;
