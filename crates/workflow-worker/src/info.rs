//! What a workflow knows about itself.

use std::time::{Duration, SystemTime};

use timewright_proto::common::{Header, Memo, Priority, RetryPolicy, SearchAttributes};
use timewright_proto::{from_duration, prost_types};
use timewright_protocol::workflow::Initialize;

/// What a workflow knows about itself. None of it changes while the workflow runs.
///
/// <https://docs.temporal.io/workflow-execution>
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WorkflowInfo {
    /// The namespace that it runs in.
    pub namespace: String,
    /// The Task Queue of its worker.
    pub task_queue: String,
    /// The Workflow Id.
    pub workflow_id: String,
    /// The Run Id of this run.
    pub run_id: String,
    /// The Run Id of the first run of the chain, where this one was continued, retried or started by a schedule.
    pub first_execution_run_id: String,
    /// The Run Id of the run before this one; empty where there is none.
    pub continued_execution_run_id: String,
    /// The Workflow Type.
    pub workflow_type: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When this run was started.
    pub start_time: SystemTime,
    /// The longest time that all runs together may take; none where there is no limit.
    pub execution_timeout: Option<Duration>,
    /// The longest time that this run may take; none where there is no limit.
    pub run_timeout: Option<Duration>,
    /// The longest time that one Workflow Task may take.
    pub task_timeout: Option<Duration>,
    /// How the workflow is tried again when it fails.
    pub retry_policy: Option<RetryPolicy>,
    /// The cron schedule; empty where there is none.
    pub cron_schedule: String,
    /// The workflow that started this one as its child.
    pub parent: Option<ParentWorkflow>,
    /// The memo that it was started with.
    pub memo: Memo,
    /// The search attributes that it was started with.
    pub search_attributes: SearchAttributes,
    /// Its place in the Task Queue.
    pub priority: Option<Priority>,
    /// What the caller's interceptors passed along.
    pub header: Header,
}

/// The workflow that started another as its child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentWorkflow {
    /// The namespace that it runs in.
    pub namespace: String,
    /// Its Workflow Id.
    pub workflow_id: String,
    /// Its Run Id.
    pub run_id: String,
}

/// The Update that a handler handles: [`WorkflowContext::current_update`](crate::WorkflowContext::current_update).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateInfo {
    /// The Update Id, which its sender chose.
    pub id: String,
    /// The Update's name.
    pub name: String,
}

impl WorkflowInfo {
    pub(crate) fn new(namespace: &str, task_queue: &str, initialize: &mut Initialize) -> Self {
        let started = &mut *initialize.started;
        Self {
            namespace: namespace.to_owned(),
            task_queue: task_queue.to_owned(),
            workflow_id: initialize.workflow_id.clone(),
            run_id: initialize.run_id.clone(),
            first_execution_run_id: std::mem::take(&mut started.first_execution_run_id),
            continued_execution_run_id: std::mem::take(&mut started.continued_execution_run_id),
            workflow_type: initialize.workflow_type.clone(),
            attempt: u32::try_from(started.attempt).unwrap_or(1).max(1),
            start_time: initialize.start_time,
            execution_timeout: to_duration(started.workflow_execution_timeout),
            run_timeout: to_duration(started.workflow_run_timeout),
            task_timeout: to_duration(started.workflow_task_timeout),
            retry_policy: started.retry_policy.take(),
            cron_schedule: std::mem::take(&mut started.cron_schedule),
            parent: started.parent_workflow_execution.take().map(|parent| ParentWorkflow {
                namespace: std::mem::take(&mut started.parent_workflow_namespace),
                workflow_id: parent.workflow_id,
                run_id: parent.run_id,
            }),
            memo: started.memo.take().unwrap_or_default(),
            search_attributes: started.search_attributes.take().unwrap_or_default(),
            priority: started.priority.take(),
            header: std::mem::take(&mut initialize.header),
        }
    }
}

/// Temporal says "no limit" with zero.
fn to_duration(duration: Option<prost_types::Duration>) -> Option<Duration> {
    duration.as_ref().and_then(from_duration).filter(|duration| !duration.is_zero())
}
