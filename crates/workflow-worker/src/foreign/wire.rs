//! What goes over the boundary: MessagePack with the names of the fields. Fields that one side does not know are passed over; whoever
//! adds one says `#[serde(default)]`, so that it may be missing.

use serde::{Deserialize, Serialize};
use timewright_definition::VersioningBehavior;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_protocol::workflow::{Activation, Command};

use crate::policy::Origin;

/// Which workflows code has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// The version of the SDK with which the code was compiled.
    pub sdk_version: String,
    /// The workflows.
    pub workflows: Vec<ForeignWorkflow>,
    /// What is wrong with them, so that none can be executed.
    #[serde(default)]
    pub problem: Option<String>,
}

/// A workflow whose code is somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ForeignWorkflow {
    /// The Workflow Type.
    pub workflow_type: String,
    /// Whether it stays on the version of the worker on which it started: 1 pinned, 2 upgraded automatically.
    #[serde(default)]
    versioning_behavior: Option<u8>,
}

/// A description that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the list of its workflows cannot be read: {0}")]
pub struct MalformedDescription(String);

impl Description {
    /// Reads what [`Guest::describe`](super::Guest::describe) has written.
    ///
    /// # Errors
    /// If it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedDescription> {
        rmp_serde::from_slice(bytes).map_err(|error| MalformedDescription(error.to_string()))
    }
}

impl ForeignWorkflow {
    pub(super) fn new(workflow_type: String, behavior: Option<VersioningBehavior>) -> Self {
        let number = |behavior| match behavior {
            VersioningBehavior::Pinned => 1,
            VersioningBehavior::AutoUpgrade => 2,
        };
        Self { workflow_type, versioning_behavior: behavior.map(number) }
    }

    /// What the workflow says itself of new versions of its workers.
    #[must_use]
    pub fn versioning_behavior(&self) -> Option<VersioningBehavior> {
        match self.versioning_behavior? {
            1 => Some(VersioningBehavior::Pinned),
            2 => Some(VersioningBehavior::AutoUpgrade),
            _ => None,
        }
    }
}

/// What a worker says to the code of one run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// With the first Activation of a run.
    pub(super) surroundings: Option<Surroundings>,
    pub(super) activation: Activation,
}

/// Where a run is executed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Surroundings {
    pub(super) namespace: String,
    pub(super) task_queue: String,
    pub(super) executes_local_activities: bool,
    pub(super) detects_foreign_waits: bool,
    pub(super) deployment_version: Option<WorkerDeploymentVersion>,
}

/// What the code answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) answer: Result<Vec<Command>, Problem>,
    /// What it has said to `tracing`.
    #[serde(default)]
    pub(super) logged: Vec<LogRecord>,
}

/// Why a Workflow Task cannot be completed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) cause: WorkflowTaskFailedCause,
    pub(super) failure: Box<Failure>,
    pub(super) origin: Origin,
}

/// An event of `tracing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogRecord {
    pub(super) level: LogLevel,
    pub(super) target: String,
    /// The message, and behind it the fields.
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

pub(super) fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}
