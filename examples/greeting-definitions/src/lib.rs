//! The contract of the greeting example: what its workflow and its activity are called, what they take and what they give.
//!
//! Both workers and the starter depend on this crate, and on nothing of each other.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use timewright_definition::{ActivityDefinition, QueryDefinition, SignalDefinition, WorkflowDefinition};

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
pub struct Greeting;

impl WorkflowDefinition for Greeting {
    const NAME: &'static str = "greeting";
    type Input = GreetingInput;
    type Output = String;
}

/// Asks for another language.
pub struct SetLanguage;

impl SignalDefinition for SetLanguage {
    const NAME: &'static str = "set_language";
    type Workflow = Greeting;
    type Input = String;
}

/// The greeting so far; empty before there is one.
pub struct CurrentGreeting;

impl QueryDefinition for CurrentGreeting {
    const NAME: &'static str = "current_greeting";
    type Workflow = Greeting;
    type Input = ();
    type Output = String;
}

/// Finds the words.
pub struct ComposeGreeting;

impl ActivityDefinition for ComposeGreeting {
    const NAME: &'static str = "compose_greeting";
    type Input = GreetingInput;
    type Output = String;
}
