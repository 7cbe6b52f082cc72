//! What fails when something is wrong: the Workflow Task, or the workflow.

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use timewright_converter::Failure;
use timewright_proto::command::Command;
use timewright_proto::command::FailWorkflowExecutionCommandAttributes;
use timewright_proto::command::command::Attributes;
use timewright_proto::enums::CommandType;

/// What fails when something is wrong with a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureTarget {
    /// The Workflow Task. The server tries it again and again, so that mended code or another worker can go on.
    /// <https://docs.temporal.io/references/failures#workflow-task-failures>
    WorkflowTask,
    /// The workflow: it ends, and whoever waits for it is told why.
    Workflow,
}

/// What becomes of a workflow whose code panics, returns an error, or does not do what its history says. For all workflows of a
/// worker: [`failure_policy`](crate::WorkflowWorkerBuilder::failure_policy); for one type:
/// [`failure_policy_of`](crate::WorkflowWorkerBuilder::failure_policy_of).
///
/// Without one, panics, nondeterminism and values that cannot be read fail the Workflow Task, and all other errors that `run`
/// returns fail the workflow.
///
/// ```
/// use timewright_workflow_worker::{ConversionError, FailurePolicy, FailureTarget};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the rates are not there yet")]
/// struct NoRates;
///
/// let policy = FailurePolicy::new()
///     .panics(FailureTarget::Workflow)
///     .nondeterminism(FailureTarget::Workflow)
///     .errors::<ConversionError>(FailureTarget::Workflow)
///     // Somebody will see to it; until then the workflow waits.
///     .errors::<NoRates>(FailureTarget::WorkflowTask)
///     .errors_where(|failure| failure.message.contains("disk is full"), FailureTarget::WorkflowTask);
/// # let _ = policy;
/// ```
#[derive(Clone)]
#[must_use]
pub struct FailurePolicy {
    nondeterminism: FailureTarget,
    panics: FailureTarget,
    errors: Vec<(Matches, FailureTarget)>,
}

type Matches = Arc<dyn Fn(&Failure) -> bool + Send + Sync>;

impl Default for FailurePolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FailurePolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nondeterminism, panics, errors } = self;
        formatter
            .debug_struct("FailurePolicy")
            .field("nondeterminism", nondeterminism)
            .field("panics", panics)
            .field("rules for errors", &errors.len())
            .finish()
    }
}

impl FailurePolicy {
    /// As without a policy.
    pub const fn new() -> Self {
        let task = FailureTarget::WorkflowTask;
        Self { nondeterminism: task, panics: task, errors: Vec::new() }
    }

    /// When code does not do what the history says, or waits for something that a replay cannot repeat.
    pub const fn nondeterminism(mut self, target: FailureTarget) -> Self {
        self.nondeterminism = target;
        self
    }

    /// When `init`, `run` or a handler panics.
    pub const fn panics(mut self, target: FailureTarget) -> Self {
        self.panics = target;
        self
    }

    /// When an error of type `E` gets out of `run`, or out of the handler of a Signal: one that became a
    /// [`WorkflowError`](crate::WorkflowError) by `?` or `into()`. The name counts, as it stands in the failure: the last segment
    /// of the type's path. The first rule that fits an error decides.
    pub fn errors<E: std::error::Error + 'static>(self, target: FailureTarget) -> Self {
        let path = type_name::<E>();
        let without_parameters = path.split('<').next().unwrap_or(path);
        self.errors_named(without_parameters.rsplit("::").next().unwrap_or(without_parameters), target)
    }

    /// When an error gets out whose failure has this type: what [`ApplicationFailure::with_type`] gave it, or the name of its Rust
    /// type.
    ///
    /// [`ApplicationFailure::with_type`]: crate::ApplicationFailure::with_type
    pub fn errors_named(self, application_type: impl Into<String>, target: FailureTarget) -> Self {
        let name = application_type.into();
        self.errors_where(move |failure| failure.application_type() == Some(&name), target)
    }

    /// When an error gets out whose failure is meant by this.
    pub fn errors_where(
        mut self,
        is_meant: impl Fn(&Failure) -> bool + Send + Sync + 'static,
        target: FailureTarget,
    ) -> Self {
        self.errors.push((Arc::new(is_meant), target));
        self
    }

    fn of_error(&self, failure: &Failure) -> Option<FailureTarget> {
        self.errors.iter().find(|(is_meant, _)| is_meant(failure)).map(|(_, target)| *target)
    }
}

/// Where a problem comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "foreign", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Origin {
    /// User code panicked.
    Panic,
    /// User code returned an error.
    Error,
    /// User code does something that a replay cannot repeat.
    Nondeterminism,
    /// Nothing that the workflow's author has said.
    Worker,
}

/// The policies of a worker.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    pub(crate) of_all: FailurePolicy,
    pub(crate) by_type: BTreeMap<String, FailurePolicy>,
}

impl Policies {
    /// Whether a problem ends the workflow.
    pub(crate) fn ends_workflow(&self, workflow_type: &str, origin: Origin, failure: &Failure) -> bool {
        let policy = self.of(workflow_type);
        let target = match origin {
            Origin::Panic => policy.panics,
            Origin::Nondeterminism => policy.nondeterminism,
            Origin::Error => policy.of_error(failure).unwrap_or(FailureTarget::WorkflowTask),
            Origin::Worker => FailureTarget::WorkflowTask,
        };
        target == FailureTarget::Workflow
    }

    /// Whether an error with which a workflow would end fails only its Workflow Task.
    pub(crate) fn keeps_workflow(&self, workflow_type: &str, failure: impl FnOnce() -> Failure) -> bool {
        let policy = self.of(workflow_type);
        !policy.errors.is_empty() && policy.of_error(&failure()) == Some(FailureTarget::WorkflowTask)
    }

    fn of(&self, workflow_type: &str) -> &FailurePolicy {
        self.by_type.get(workflow_type).unwrap_or(&self.of_all)
    }
}

/// The Command that ends a workflow with a failure.
pub(crate) fn fail_workflow(failure: timewright_proto::failure::Failure) -> Command {
    Command {
        command_type: CommandType::FailWorkflowExecution.into(),
        attributes: Some(Attributes::FailWorkflowExecutionCommandAttributes(
            FailWorkflowExecutionCommandAttributes { failure: Some(failure) }.into(),
        )),
        ..Command::default()
    }
}
