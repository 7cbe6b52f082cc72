//! How a workflow goes on after its end.

use std::time::Duration;

use timewright_proto::common::{Header, Memo, Payload, RetryPolicy, SearchAttributes};
use timewright_proto::enums::ContinueAsNewVersioningBehavior;

/// How the next run is to start. What is `None` or empty is as in this run.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ContinueAsNew {
    /// The workflow's type.
    pub workflow_type: String,
    /// Where it is to run.
    pub task_queue: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// The longest time that the next run may take.
    pub workflow_run_timeout: Option<Duration>,
    /// The longest time that one of its Workflow Tasks may take.
    pub workflow_task_timeout: Option<Duration>,
    /// How to try again if it fails; `None` takes over what this run was started with.
    pub retry_policy: Option<RetryPolicy>,
    /// What interceptors pass along.
    pub header: Option<Header>,
    /// Its memo; `None` takes over the one that this run has now.
    pub memo: Option<Memo>,
    /// Its search attributes; `None` takes over those that this run has now.
    pub search_attributes: Option<SearchAttributes>,
    /// How long to wait before the next run's first Workflow Task.
    pub backoff_start_interval: Option<Duration>,
    /// On which version of the worker's deployment the next run starts.
    pub initial_versioning_behavior: ContinueAsNewVersioningBehavior,
}
