//! Child Workflows to start.

use std::time::Duration;

use timewright_proto::common::{Header, Memo, Payload, Priority, RetryPolicy, SearchAttributes};
use timewright_proto::enums::{ParentClosePolicy, WorkflowIdReusePolicy};
use timewright_proto::temporal::api::workflow::v1::VersioningOverride;

/// A Child Workflow to start.
///
/// <https://docs.temporal.io/child-workflows>
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StartChildWorkflow {
    /// Its number.
    pub sequence: u32,
    /// The namespace to start it in; the parent's where this is empty.
    pub namespace: String,
    /// Its Workflow Id. Must be the same on every replay.
    pub workflow_id: String,
    /// Its type.
    pub workflow_type: String,
    /// Where it is to run; the parent's Task Queue where this is empty.
    pub task_queue: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// The longest time that all its runs may take together.
    pub workflow_execution_timeout: Option<Duration>,
    /// The longest time that one run may take.
    pub workflow_run_timeout: Option<Duration>,
    /// The longest time that one of its Workflow Tasks may take.
    pub workflow_task_timeout: Option<Duration>,
    /// What becomes of it when its parent ends.
    pub parent_close_policy: ParentClosePolicy,
    /// What cancelling it means.
    pub cancellation_type: ChildWorkflowCancellationType,
    /// Whether its Workflow Id may have been used before.
    pub workflow_id_reuse_policy: WorkflowIdReusePolicy,
    /// How to try again if it fails.
    pub retry_policy: Option<RetryPolicy>,
    /// When to start it again and again; empty is once.
    pub cron_schedule: String,
    /// What interceptors pass along.
    pub header: Header,
    /// Its memo.
    pub memo: Option<Memo>,
    /// Its search attributes.
    pub search_attributes: Option<SearchAttributes>,
    /// Its place in the Task Queue.
    pub priority: Option<Priority>,
    /// On which version of the worker's deployment it runs, whatever else would apply.
    pub versioning_override: Option<VersioningOverride>,
    /// A line for the Web UI, as one Payload.
    pub summary: Option<Payload>,
    /// A text for the Web UI, as one Payload.
    pub details: Option<Payload>,
}

/// What cancelling a Child Workflow means for the workflow that waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ChildWorkflowCancellationType {
    /// Do not tell the child; go on at once.
    Abandon,
    /// Ask the child to cancel itself, and go on at once as if it had.
    TryCancel,
    /// Ask the child to cancel itself, and wait for its end.
    #[default]
    WaitCancellationCompleted,
    /// Ask the child to cancel itself, and go on when it has been asked.
    WaitCancellationRequested,
}
