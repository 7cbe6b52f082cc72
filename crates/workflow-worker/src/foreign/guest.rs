//! The side on which the code is.

use timewright_converter::{DataConverter, Failure};
use timewright_definition::WorkflowDefinition;
use timewright_protocol::workflow::{Command, Job};

use super::log::Log;
use super::wire::{Description, ForeignWorkflow, Problem, Request, Response, Surroundings, read, write};
use crate::error::task_failure;
use crate::instance::{Environment, Instance, TaskProblem};
use crate::interceptor::{Interceptors, WorkflowInterceptor};
use crate::meter::MetricMeter;
use crate::registry::{Problem as InvalidWorkflow, Registry};
use crate::rollout::Rollout;
use crate::wait;
use crate::workflow::Workflow;

/// Executes one run of one of its workflows, for a worker that is somewhere else.
#[derive(Default)]
pub struct Guest {
    registry: Registry,
    workflows: Vec<ForeignWorkflow>,
    interceptors: Interceptors,
    converter: DataConverter,
    running: Option<Box<dyn Instance>>,
    log: Log,
}

impl Guest {
    /// Code without a workflow.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow's implementation.
    #[must_use]
    pub fn workflow<W: Workflow>(self) -> Self {
        self.named_workflow::<W>(<W::Definition as WorkflowDefinition>::NAME)
    }

    /// Adds a workflow's implementation for a Workflow Type of another name.
    #[must_use]
    pub fn named_workflow<W: Workflow>(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.workflows.push(ForeignWorkflow::new(name.clone(), W::VERSIONING_BEHAVIOR));
        self.registry.add_named::<W>(name);
        self
    }

    /// Lets an interceptor see what comes into the workflows and what they ask for. Those of the worker do not reach them.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl WorkflowInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// Reads and writes values and failures with this. Default: [`DataConverter::default`]. Payload Codecs are the worker's.
    #[must_use]
    pub fn data_converter(mut self, converter: DataConverter) -> Self {
        self.converter = converter;
        self
    }

    /// Which workflows there are, for [`Description::from_bytes`].
    #[must_use]
    pub fn describe(&self) -> Vec<u8> {
        let problem = self.registry.problem().map(|problem| match problem {
            InvalidWorkflow::Twice { workflow_type } => format!("workflow {workflow_type:?} is in it twice"),
            InvalidWorkflow::Invalid { workflow_type, problem } => format!("workflow {workflow_type:?}: {problem}"),
        });
        let description = Description {
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            workflows: self.workflows.clone(),
            problem,
        };
        // Names and numbers can always be written.
        write(&description).unwrap_or_default()
    }

    /// Takes an Activation, and gives the answer to it.
    #[must_use]
    pub fn activate(&mut self, request: &[u8]) -> Vec<u8> {
        let answer = match read::<Request>(request) {
            Ok(request) => self.execute(request),
            Err(error) => Err(unreadable(&format!("what the worker said cannot be read: {error}"))),
        };
        let response = Response { answer: answer.map_err(|problem| self.write(problem)), logged: self.log.take() };
        write(&response).unwrap_or_else(|error| {
            let problem = self.write(unreadable(&format!("the answer cannot be written: {error}")));
            write(&Response { answer: Err(problem), logged: Vec::new() }).unwrap_or_default()
        })
    }

    fn execute(&mut self, request: Request) -> Result<Vec<Command>, TaskProblem> {
        let Request { surroundings, mut activation } = request;
        let dispatch = self.log.dispatch();
        tracing::dispatcher::with_default(&dispatch, || {
            let _executing = wait::execute(1);
            if let Some(surroundings) = surroundings
                && matches!(activation.jobs.first(), Some(Job::Initialize(_)))
                && let Job::Initialize(initialize) = activation.jobs.remove(0)
            {
                let environment = self.environment(surroundings);
                let instance = self.registry.start(&environment, initialize, &activation)?;
                self.running = Some(instance);
            }
            match &mut self.running {
                Some(instance) => instance.activate(activation),
                None => Err(unreadable("the worker did not begin with the start of a workflow")),
            }
        })
    }

    fn environment(&self, surroundings: Surroundings) -> Environment {
        Environment {
            namespace: surroundings.namespace,
            task_queue: surroundings.task_queue,
            converter: self.converter.clone(),
            executes_local_activities: surroundings.executes_local_activities,
            interceptors: self.interceptors.clone(),
            detects_foreign_waits: surroundings.detects_foreign_waits,
            checks_determinism: false,
            deployment_version: surroundings.deployment_version,
            meter: MetricMeter::none(),
            rollout: Rollout::default(),
        }
    }

    fn write(&self, problem: TaskProblem) -> Problem {
        let TaskProblem { cause, failure, origin } = problem;
        Problem { cause, failure: Box::new(self.converter.failure_to_proto(&failure)), origin }
    }
}

fn unreadable(message: &str) -> TaskProblem {
    let failure: Failure = task_failure("ForeignWorkflow", message);
    TaskProblem::new(failure)
}
