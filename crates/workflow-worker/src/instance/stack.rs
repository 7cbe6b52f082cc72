//! What a workflow waits for: the closest thing to its stack while nothing runs.

use std::fmt::Write;

use serde_json::{Value as Json, json};
use timewright_protocol::workflow::{SDK_NAME, SDK_VERSION};

use super::WorkflowInstance;
use crate::mailbox::{Routine, Wait};
use crate::workflow::Workflow;

/// Something that is polled for itself, and what it waits for.
struct Stack {
    title: String,
    waits: Vec<Wait>,
}

impl<W: Workflow> WorkflowInstance<W> {
    /// As text, a paragraph for each of them.
    pub(super) fn stack_trace(&self) -> String {
        let mut text = String::new();
        for Stack { title, waits } in self.stacks() {
            let _ = writeln!(text, "{title}");
            for wait in &waits {
                let _ = writeln!(text, "  waits for {}, at {}", wait.what, wait.location);
            }
            if waits.is_empty() {
                text.push_str("  waits for something that is not of its context, such as a lock, a channel or another coroutine\n");
            }
        }
        if text.is_empty() {
            text.push_str("nothing is waited for: the workflow has ended\n");
        }
        text
    }

    /// As the message `temporal.api.sdk.v1.EnhancedStackTrace`. The sources are not where workers run, so it has none.
    pub(super) fn enhanced_stack_trace(&self) -> Json {
        let stacks = self.stacks().into_iter().map(|Stack { title, waits }| {
            let locations = waits.iter().map(|wait| {
                json!({
                    "filePath": wait.location.file(),
                    "line": wait.location.line(),
                    "column": wait.location.column(),
                    "functionName": format!("{title} waits for {}", wait.what),
                })
            });
            json!({ "locations": locations.collect::<Json>() })
        });
        json!({ "sdk": { "name": SDK_NAME, "version": SDK_VERSION }, "stacks": stacks.collect::<Json>() })
    }

    fn stacks(&self) -> Vec<Stack> {
        let waits = self.mailbox.borrow().waits();
        let of = |routine| waits.iter().filter(|wait| wait.routine == routine).cloned().collect();
        let run = self.run.iter().map(|_| (Routine::Run, "run".to_owned()));
        let handlers = self.context.messages().running_handlers().into_iter();
        let handlers = handlers.map(|(routine, message)| (routine, format!("the handler of {message}")));
        let coroutines = self
            .coroutines
            .iter()
            .map(|coroutine| (coroutine.routine, format!("the coroutine that was started at {}", coroutine.location)));
        run.chain(handlers).chain(coroutines).map(|(routine, title)| Stack { title, waits: of(routine) }).collect()
    }
}
