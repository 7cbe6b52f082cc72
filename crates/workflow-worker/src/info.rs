//! What a workflow knows about itself.

use std::time::{Duration, SystemTime};

use timewright_converter::{ConversionError, Failure, Payload, Value};
use timewright_definition::Priority;
use timewright_proto::common::{Header, Memo, RetryPolicy, SearchAttributes};
use timewright_proto::{from_duration, prost_types};
use timewright_protocol::workflow::Initialize;

use crate::instance::Environment;

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
    /// The workflow at the top of the chain of parents; `None` for one that is nobody's child.
    pub root: Option<RootWorkflow>,
    /// The Run Id that this run had before it was reset; as `run_id` where it was not.
    pub original_execution_run_id: String,
    /// The memo that it was started with.
    pub memo: Memo,
    /// The search attributes that it was started with.
    pub search_attributes: SearchAttributes,
    /// Its place in the Task Queue.
    pub priority: Priority,
    /// What the caller's interceptors passed along.
    pub header: Header,
    last_completion_result: Option<Payload>,
    last_failure: Option<Failure>,
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

/// The workflow at the top of a chain of parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootWorkflow {
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
    /// What the last run that completed gave, where the workflow runs again and again by a cron schedule or a schedule; `None` where
    /// there is none.
    ///
    /// ```
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let go_on_behind: Option<u64> = context.info().last_completion_result()?;
    /// # let _ = go_on_behind; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it is not of this type. With `?` that fails the Workflow Task.
    pub fn last_completion_result<T: Value>(&self) -> Result<Option<T>, ConversionError> {
        self.last_completion_result.clone().map(T::from_payload).transpose()
    }

    /// With what the run before this one failed, where this one is a further attempt, or the next of a cron schedule or a schedule.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref()
    }

    pub(crate) fn new(environment: &Environment, initialize: &mut Initialize) -> Self {
        let started = &mut *initialize.started;
        Self {
            namespace: environment.namespace.clone(),
            task_queue: environment.task_queue.clone(),
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
            root: started.root_workflow_execution.take().and_then(|root| {
                // The server names a workflow that is nobody's child as its own root.
                let is_itself = root.workflow_id == initialize.workflow_id && root.run_id == initialize.run_id;
                (!is_itself).then_some(RootWorkflow { workflow_id: root.workflow_id, run_id: root.run_id })
            }),
            original_execution_run_id: std::mem::take(&mut started.original_execution_run_id),
            last_completion_result: started
                .last_completion_result
                .take()
                .and_then(|result| result.payloads.into_iter().next()),
            last_failure: started
                .continued_failure
                .take()
                .map(|failure| environment.converter.failure_from_proto(failure)),
            memo: started.memo.take().unwrap_or_default(),
            search_attributes: started.search_attributes.take().unwrap_or_default(),
            priority: started.priority.take().unwrap_or_default().into(),
            header: std::mem::take(&mut initialize.header),
        }
    }
}

/// Temporal says "no limit" with zero.
fn to_duration(duration: Option<prost_types::Duration>) -> Option<Duration> {
    duration.as_ref().and_then(from_duration).filter(|duration| !duration.is_zero())
}
