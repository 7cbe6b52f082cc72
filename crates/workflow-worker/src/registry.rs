//! The workflows that a worker knows.

use std::collections::BTreeMap;

use timewright_definition::WorkflowDefinition;
use timewright_protocol::workflow::Initialize;

use crate::error::task_failure;
use crate::instance::{self, Environment, Instance, TaskProblem};
use crate::workflow::Workflow;

type Start = fn(&Environment, Box<Initialize>) -> Result<Box<dyn Instance>, TaskProblem>;

/// Workflow Types, and how to start each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    workflows: BTreeMap<&'static str, Start>,
    twice: Option<&'static str>,
}

impl Registry {
    pub(crate) fn add<W: Workflow>(&mut self) {
        let name = <W::Definition as WorkflowDefinition>::NAME;
        if self.workflows.insert(name, instance::start::<W>).is_some() {
            self.twice = Some(name);
        }
    }

    /// A name that was registered twice.
    pub(crate) fn twice(&self) -> Option<&'static str> {
        self.twice
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workflows.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.workflows.keys().copied().collect()
    }

    pub(crate) fn start(
        &self,
        environment: &Environment,
        initialize: Box<Initialize>,
    ) -> Result<Box<dyn Instance>, TaskProblem> {
        match self.workflows.get(initialize.workflow_type.as_str()) {
            Some(start) => start(environment, initialize),
            None => Err(TaskProblem::new(task_failure(
                "NotFoundError",
                format!(
                    "workflow type {:?} (id {:?}) is not registered with this worker on task queue {:?}; it knows {:?}. \
                     Register it, or start the workflow on the task queue of a worker that has it",
                    initialize.workflow_type,
                    initialize.workflow_id,
                    environment.task_queue,
                    self.names(),
                ),
            ))),
        }
    }
}
