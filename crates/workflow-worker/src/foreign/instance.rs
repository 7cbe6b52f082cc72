//! A run whose code is somewhere else, as the worker sees it.

use timewright_converter::DataConverter;
use timewright_protocol::workflow::{Activation, Command, Initialize, Job};

use super::log::MOST_RECORDS;
use super::wire::{LogLevel, LogRecord, Request, Response, Surroundings, read, write};
use super::{ForeignProblem, ForeignRun, ForeignWorkflows};
use crate::error::task_failure;
use crate::instance::{Environment, Instance, TaskProblem};
use crate::observed::{Names, is_heard, observed};
use crate::policy::Origin;

/// Starts a workflow: the code is told with the first Activation.
pub(crate) fn start(
    workflows: &dyn ForeignWorkflows,
    environment: &Environment,
    initialize: Box<Initialize>,
) -> Result<Box<dyn Instance>, TaskProblem> {
    let (workflow_type, workflow_id) = (initialize.workflow_type.clone(), initialize.workflow_id.clone());
    let run_id = initialize.run_id.clone();
    let run = workflows.start(&workflow_type).map_err(|problem| failed(&workflow_type, &workflow_id, problem))?;
    let surroundings = Surroundings {
        namespace: environment.namespace.clone(),
        task_queue: environment.task_queue.clone(),
        executes_local_activities: environment.executes_local_activities,
        detects_foreign_waits: environment.detects_foreign_waits,
        deployment_version: environment.deployment_version.clone(),
    };
    Ok(Box::new(ForeignInstance {
        run,
        converter: environment.converter.clone(),
        namespace: surroundings.namespace.clone(),
        task_queue: surroundings.task_queue.clone(),
        workflow_type,
        workflow_id,
        run_id,
        start: Some((surroundings, initialize)),
    }))
}

struct ForeignInstance {
    run: Box<dyn ForeignRun>,
    converter: DataConverter,
    namespace: String,
    task_queue: String,
    workflow_type: String,
    workflow_id: String,
    run_id: String,
    /// What goes with the first Activation.
    start: Option<(Surroundings, Box<Initialize>)>,
}

impl Instance for ForeignInstance {
    fn activate(&mut self, mut activation: Activation) -> Result<Vec<Command>, TaskProblem> {
        let is_heard = is_heard(&activation);
        // Code that panics is ended, and cannot answer for itself. But no Query ends a workflow, whatever a policy says of panics.
        let is_query = matches!(activation.jobs[..], [Job::Query(_)]);
        let mut surroundings = None;
        if let Some((place, initialize)) = self.start.take() {
            activation.jobs.insert(0, Job::Initialize(initialize));
            surroundings = Some(place);
        }
        let request = write(&Request { surroundings, activation })
            .map_err(|error| self.failed(ForeignProblem::Broken(format!("it cannot be told what is new: {error}"))))?;
        let answer = self.run.activate(&request).map_err(|problem| {
            let problem = self.failed(problem);
            if is_query { TaskProblem { origin: Origin::Worker, ..problem } } else { problem }
        })?;
        let response: Response = read(&answer).map_err(|error| {
            self.failed(ForeignProblem::Broken(format!(
                "its answer cannot be read, so it follows another version: {error}"
            )))
        })?;
        observed(is_heard, self.names(), || response.logged.iter().take(MOST_RECORDS).for_each(log));
        response.answer.map_err(|problem| TaskProblem {
            cause: problem.cause,
            failure: Box::new(self.converter.failure_from_proto(*problem.failure)),
            origin: problem.origin,
        })
    }

    fn has_ended(&self) -> bool {
        self.run.has_ended()
    }

    fn close(self: Box<Self>) {}
}

impl ForeignInstance {
    fn names(&self) -> Names<'_> {
        Names {
            workflow_type: &self.workflow_type,
            workflow_id: &self.workflow_id,
            run_id: &self.run_id,
            namespace: &self.namespace,
            task_queue: &self.task_queue,
        }
    }

    fn failed(&self, problem: ForeignProblem) -> TaskProblem {
        failed(&self.workflow_type, &self.workflow_id, problem)
    }
}

fn failed(workflow_type: &str, workflow_id: &str, problem: ForeignProblem) -> TaskProblem {
    let workflow = format!("workflow {workflow_type:?} (id {workflow_id:?})");
    let (failure_type, message, origin) = match problem {
        ForeignProblem::Panicked(what) => ("Panic", format!("{workflow} panicked: {what}"), Origin::Panic),
        ForeignProblem::Interrupted(what) => ("Deadlock", format!("[TMPRL1101] {workflow}: {what}"), Origin::Worker),
        ForeignProblem::Broken(what) => ("ForeignWorkflow", format!("{workflow}: {what}"), Origin::Worker),
    };
    TaskProblem { origin, ..TaskProblem::new(task_failure(failure_type, message)) }
}

/// The target, which `tracing` wants to know when it is compiled, becomes a field.
fn log(record: &LogRecord) {
    let LogRecord { level, target, text } = record;
    match level {
        LogLevel::Error => tracing::error!(from = target, "{text}"),
        LogLevel::Warn => tracing::warn!(from = target, "{text}"),
        LogLevel::Info => tracing::info!(from = target, "{text}"),
        LogLevel::Debug => tracing::debug!(from = target, "{text}"),
        LogLevel::Trace => tracing::trace!(from = target, "{text}"),
    }
}
