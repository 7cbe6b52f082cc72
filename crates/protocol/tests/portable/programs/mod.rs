//! The recipes of `../histories/recipes.md`, as code. Where an SDK does it in another order, the code asks which it is.

mod children_and_others;
mod endings_and_options;
mod local_activities;
mod messages;
mod nexus_operations;
mod patches_and_upserts;
mod timers_and_activities;

use std::future::Future;
use std::rc::Rc;

use serde_json::Value;

use crate::context::{Context, Done, Running};

/// A workflow that has been started.
pub(crate) struct Program {
    pub(crate) main: Running,
    pub(crate) handlers: Rc<dyn Handlers>,
}

/// What a workflow does beside its main code. Without more, it has no handlers.
pub(crate) trait Handlers {
    fn signal(&self, _context: &Context, _name: &str, _argument: Value) -> Option<Running> {
        None
    }

    fn validate(&self, _name: &str, _argument: &Value) -> Result<(), &'static str> {
        Ok(())
    }

    fn update(&self, _context: &Context, _name: &str, _argument: Value) -> Option<Running> {
        None
    }

    fn query(&self, _name: &str) -> Option<Value> {
        None
    }
}

/// Starts the workflow of this type.
pub(crate) fn program(workflow_type: &str, context: &Context) -> Option<Program> {
    FILES.iter().find_map(|file| file(workflow_type, context))
}

/// Whether there is a workflow of this type.
pub(crate) fn knows(workflow_type: &str) -> bool {
    crate::histories::all()
        .first()
        .is_some_and(|history| program(workflow_type, &Context::new(history, history.sdk)).is_some())
}

/// Whether it can be asked for its value.
pub(crate) fn has_query(workflow_type: &str) -> bool {
    workflow_type.starts_with("messages")
}

struct NoHandlers;

impl Handlers for NoHandlers {}

/// A workflow that is nothing but its main code.
fn plain(main: impl Future<Output = Done> + 'static) -> Program {
    Program { main: Box::pin(main), handlers: Rc::new(NoHandlers) }
}

const FILES: &[fn(&str, &Context) -> Option<Program>] = &[
    timers_and_activities::program,
    local_activities::program,
    children_and_others::program,
    nexus_operations::program,
    patches_and_upserts::program,
    messages::program,
    endings_and_options::program,
];
