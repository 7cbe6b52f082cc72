//! The contract of the greeting example: what its workflow and its activity are called, what they take and what they give.
//!
//! Both workers and the starter depend on this crate, and on nothing of each other.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use timewright_definition::{activity_definition, query_definition, signal_definition, workflow_definition};

/// The Task Queue of the workflow worker.
pub const TASK_QUEUE: &str = "greetings";

/// The Task Queue of the activity worker that belongs to a workflow worker's Task Queue.
///
/// ```
/// assert_eq!(greeting_definitions::activity_task_queue("greetings"), "greetings-activities");
/// ```
pub fn activity_task_queue(workflow_task_queue: &str) -> String {
    format!("{workflow_task_queue}-activities")
}

/// Whom to greet, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GreetingInput {
    /// Whom.
    pub name: String,
    /// In which language: `en`, `de`, `fr`, …
    pub language: String,
}

/// Greets somebody, in the language that was asked for last.
#[workflow_definition(name = "greeting", input = GreetingInput, output = String)]
pub struct Greeting;

/// Asks for another language.
#[signal_definition(name = "set_language", workflow = Greeting, input = String)]
pub struct SetLanguage;

/// The greeting so far; empty before there is one.
#[query_definition(name = "current_greeting", workflow = Greeting, output = String)]
pub struct CurrentGreeting;

/// Finds the words.
#[activity_definition(name = "compose_greeting", input = GreetingInput, output = String)]
pub struct ComposeGreeting;
