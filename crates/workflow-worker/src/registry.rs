//! The workflows that a worker knows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use timewright_definition::WorkflowDefinition;
use timewright_protocol::workflow::{Activation, Initialize};

use crate::error::task_failure;
use crate::handlers::{Handlers, is_reserved};
use crate::instance::{self, Environment, Instance, TaskProblem};
use crate::workflow::Workflow;

type StartNative = fn(&Environment, Box<Initialize>, &Activation) -> Result<Box<dyn Instance>, TaskProblem>;

/// How a workflow is started.
#[derive(Debug, Clone)]
enum Start {
    Native(StartNative),
    #[cfg(all(feature = "foreign", feature = "worker"))]
    Foreign(std::sync::Arc<dyn crate::foreign::ForeignWorkflows>),
}

impl Start {
    fn start(
        &self,
        environment: &Environment,
        initialize: Box<Initialize>,
        activation: &Activation,
    ) -> Result<Box<dyn Instance>, TaskProblem> {
        match self {
            Self::Native(start) => start(environment, initialize, activation),
            #[cfg(all(feature = "foreign", feature = "worker"))]
            Self::Foreign(workflows) => crate::foreign::start(&**workflows, environment, initialize),
        }
    }
}

/// Workflow Types, and how to start each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    workflows: BTreeMap<Cow<'static, str>, Start>,
    /// For all other types.
    dynamic: Option<Start>,
    problem: Option<Problem>,
}

/// Why a worker with these workflows could not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A name, or the place of the dynamic workflow, was taken twice.
    Twice { workflow_type: String },
    /// Something is wrong with a workflow, or with its handlers.
    Invalid { workflow_type: String, problem: String },
}

impl Registry {
    pub(crate) fn add<W: Workflow>(&mut self) {
        self.insert::<W>(Cow::Borrowed(<W::Definition as WorkflowDefinition>::NAME));
    }

    pub(crate) fn add_named<W: Workflow>(&mut self, name: String) {
        self.insert::<W>(Cow::Owned(name));
    }

    /// For all types that nothing else is for.
    pub(crate) fn add_dynamic<W: Workflow>(&mut self) {
        self.check_handlers::<W>("(dynamic)");
        if self.dynamic.replace(Start::Native(instance::start::<W>)).is_some() {
            self.note(Problem::Twice { workflow_type: "(dynamic)".to_owned() });
        }
    }

    /// All workflows of code that is somewhere else, which has checked their handlers itself.
    #[cfg(all(feature = "foreign", feature = "worker"))]
    pub(crate) fn add_foreign(&mut self, workflows: &std::sync::Arc<dyn crate::foreign::ForeignWorkflows>) {
        for workflow in workflows.workflows() {
            self.put(Cow::Owned(workflow.workflow_type), Start::Foreign(std::sync::Arc::clone(workflows)));
        }
    }

    fn insert<W: Workflow>(&mut self, name: Cow<'static, str>) {
        self.check_handlers::<W>(&name);
        self.put(name, Start::Native(instance::start::<W>));
    }

    fn put(&mut self, name: Cow<'static, str>, start: Start) {
        let invalid = |problem: &str| Problem::Invalid { workflow_type: name.to_string(), problem: problem.to_owned() };
        if name.is_empty() {
            self.note(invalid(
                "it has no name; register it with named_workflow, or with dynamic_workflow for all types",
            ));
        } else if is_reserved(&name) {
            self.note(invalid("this name is reserved for Temporal itself; choose another"));
        }
        if self.workflows.contains_key(&name) {
            self.note(Problem::Twice { workflow_type: name.to_string() });
        }
        self.workflows.insert(name, start);
    }

    fn check_handlers<W: Workflow>(&mut self, workflow_type: &str) {
        if let Some(problem) = Handlers::<W>::of_workflow().problem() {
            self.note(Problem::Invalid { workflow_type: workflow_type.to_owned(), problem });
        }
    }

    fn note(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    /// The first thing that is wrong.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workflows.is_empty() && self.dynamic.is_none()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let dynamic = self.dynamic.as_ref().map(|_| "(any other)");
        self.workflows.keys().map(AsRef::as_ref).chain(dynamic).collect()
    }

    pub(crate) fn start(
        &self,
        environment: &Environment,
        initialize: Box<Initialize>,
        activation: &Activation,
    ) -> Result<Box<dyn Instance>, TaskProblem> {
        match self.workflows.get(initialize.workflow_type.as_str()).or(self.dynamic.as_ref()) {
            Some(start) => start.start(environment, initialize, activation),
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
