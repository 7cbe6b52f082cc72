//! What a Workflow Worker and an Activity Worker agree on about sessions. For workers, not for applications.

use crate::ActivityDefinition;

/// Opens a session on the worker that executes it. Its result is the Task Queue of that worker alone, and the session's id.
#[derive(Debug)]
pub struct OpenSession;

impl ActivityDefinition for OpenSession {
    const NAME: &'static str = "__timewright_open_session";
    type Input = ();
    type Output = (String, String);
}

/// Runs as long as the session is open. Takes the session's id.
#[derive(Debug)]
pub struct HoldSession;

impl ActivityDefinition for HoldSession {
    const NAME: &'static str = "__timewright_hold_session";
    type Input = String;
    type Output = ();
}

/// Closes a session. Takes the session's id.
#[derive(Debug)]
pub struct CloseSession;

impl ActivityDefinition for CloseSession {
    const NAME: &'static str = "__timewright_close_session";
    type Input = String;
    type Output = ();
}

/// Where sessions for the workers of a Task Queue are opened.
#[must_use]
pub fn opening_task_queue(task_queue: &str) -> String {
    format!("{task_queue}__session_creation")
}
