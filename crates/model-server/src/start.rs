//! How a run starts: by a client's request, as a child, or as the next run of a workflow.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_proto::common::{Callback, Priority, RetryPolicy, SearchAttributes, WorkflowExecution, callback};
use timewright_proto::enums::{TaskQueueKind, WorkflowExecutionStatus};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    StartChildWorkflowExecutionInitiatedEventAttributes, WorkflowExecutionStartedEventAttributes,
};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::sdk::v1::UserMetadata;
use timewright_proto::workflow_service::StartWorkflowExecutionRequest;

use crate::error::ServerError;
use crate::events::Events;
use crate::execution::{Context, Execution, after};
use crate::retry;
use crate::search_attributes::is_reserved;
use crate::server::ServerOptions;
use crate::time::{Negative, Time, checked_duration, duration, timestamp, wire_duration};
use crate::update::Updates;

/// A run that is to start.
#[derive(Debug, Clone)]
pub(crate) struct NextRun {
    pub(crate) run_id: String,
    pub(crate) started: WorkflowExecutionStartedEventAttributes,
    /// What its first Event says to people.
    pub(crate) user_metadata: Option<UserMetadata>,
    /// The end of all runs.
    pub(crate) execution_expires: Option<Time>,
}

impl Execution {
    /// Facts (server 1.32): the first Workflow Task is scheduled in the same request, unless the run starts with a
    /// back-off.
    pub(crate) fn new(run: NextRun, context: &mut Context<'_>) -> Self {
        let mut execution = Self::empty(run.run_id, run.started, run.execution_expires, context.now);
        let started = execution.started.clone();
        execution.events.record(context.now, Attributes::WorkflowExecutionStartedEventAttributes(started.into()));
        if let Some(event) = execution.events.last_mut() {
            event.user_metadata = run.user_metadata.map(Box::new);
        }
        execution.wake_worker(context);
        execution
    }

    /// A run without a history.
    pub(crate) fn empty(
        run_id: String,
        started: WorkflowExecutionStartedEventAttributes,
        execution_expires: Option<Time>,
        now: Time,
    ) -> Self {
        let backoff = checked_duration(started.first_workflow_task_backoff.as_ref());
        let run_timeout = checked_duration(started.workflow_run_timeout.as_ref());
        Self {
            workflow_id: started.workflow_id.clone(),
            run_id,
            execution_time: now + backoff,
            run_expires: after(now + backoff, run_timeout),
            execution_expires,
            status: WorkflowExecutionStatus::Running,
            cancel_requested: false,
            signal_requests: Default::default(),
            events: Events::default(),
            first_task_at: after(now, backoff),
            task: None,
            next_attempt: 1,
            sticky: None,
            previous_started_event_id: 0,
            closing_attempted: false,
            timers: BTreeMap::new(),
            activities: BTreeMap::new(),
            children: BTreeMap::new(),
            external_signals: BTreeMap::new(),
            external_cancellations: BTreeMap::new(),
            reset_run_id: None,
            updates: Updates::default(),
            pages: None,
            leaves_no_trace: false,
            nexus_operations: BTreeMap::new(),
            outbox: Vec::new(),
            priority: started.priority.clone(),
            started,
        }
    }
}

/// Facts (server 1.32):
/// - A Workflow Task has ten seconds by default, two minutes at most, and never more than the run.
/// - A run has no more time than the execution, and all of it by default.
/// - A retry policy's gaps are filled in; without a policy the workflow is not tried again.
pub(crate) fn run_of_request(
    request: StartWorkflowExecutionRequest,
    context: &mut Context<'_>,
) -> Result<NextRun, ServerError> {
    let workflow_type = request.workflow_type.filter(|workflow_type| !workflow_type.name.is_empty());
    let task_queue = request.task_queue.filter(|queue| !queue.name.is_empty());
    if request.workflow_id.is_empty() {
        return Err(ServerError::InvalidArgument("WorkflowId is not set on request.".into()));
    }
    if workflow_type.is_none() {
        return Err(ServerError::InvalidArgument("WorkflowType is not set on request.".into()));
    }
    let Some(task_queue) = task_queue else {
        return Err(ServerError::InvalidArgument("taskQueue is not set".into()));
    };
    if !request.cron_schedule.is_empty() {
        return Err(ServerError::unsupported("cron schedules"));
    }
    let is_nexus = |callback: &Callback| matches!(callback.variant, Some(callback::Variant::Nexus(_)));
    if !request.completion_callbacks.iter().all(is_nexus) {
        return Err(ServerError::unsupported("callbacks that are not of Nexus"));
    }
    let duration_of = |wire, name: &str| {
        duration(wire).map_err(|error: Negative| {
            ServerError::InvalidArgument(format!("An invalid {name}Seconds is set on request. cause: {error}"))
        })
    };
    let execution_timeout = duration_of(request.workflow_execution_timeout.as_ref(), "WorkflowExecutionTimeout")?;
    let run_timeout =
        run_timeout(duration_of(request.workflow_run_timeout.as_ref(), "WorkflowRunTimeout")?, execution_timeout);
    let task_timeout =
        task_timeout(duration_of(request.workflow_task_timeout.as_ref(), "WorkflowTaskTimeout")?, run_timeout);
    let backoff = duration_of(request.workflow_start_delay.as_ref(), "WorkflowStartDelay")?;
    let retry_policy = request.retry_policy.map(checked_policy).transpose().map_err(ServerError::InvalidArgument)?;
    let search_attributes = request
        .search_attributes
        .map(|attributes| typed_search_attributes(attributes, context.options))
        .transpose()
        .map_err(ServerError::InvalidArgument)?;
    let run_id = context.random.uuid();
    let execution_expires = after(context.now + backoff, execution_timeout);
    Ok(NextRun {
        started: WorkflowExecutionStartedEventAttributes {
            workflow_type,
            task_queue: Some(TaskQueue {
                name: task_queue.name,
                kind: TaskQueueKind::Normal.into(),
                normal_name: String::new(),
            }),
            input: request.input,
            workflow_execution_timeout: Some(wire_duration(execution_timeout)),
            workflow_run_timeout: Some(wire_duration(run_timeout)),
            workflow_task_timeout: Some(wire_duration(task_timeout)),
            original_execution_run_id: run_id.clone(),
            first_execution_run_id: run_id.clone(),
            identity: request.identity,
            retry_policy,
            attempt: 1,
            workflow_execution_expiration_time: execution_expires.map(timestamp),
            first_workflow_task_backoff: Some(wire_duration(backoff)),
            memo: request.memo,
            search_attributes,
            header: request.header,
            workflow_id: request.workflow_id,
            priority: request.priority,
            completion_callbacks: request.completion_callbacks,
            ..WorkflowExecutionStartedEventAttributes::default()
        },
        run_id,
        user_metadata: request.user_metadata,
        execution_expires,
    })
}

/// The first run of a child. What the Command asked for was checked when it was initiated.
///
/// Facts (server 1.32): a child begins at once, is nobody's next run, and names its parent and the root of all. Where the
/// Command says nothing of its priority, it is the parent's.
pub(crate) fn run_of_child(
    parent: &Execution,
    initiated_event_id: i64,
    initiated: StartChildWorkflowExecutionInitiatedEventAttributes,
    context: &mut Context<'_>,
) -> NextRun {
    let run_id = context.random.uuid();
    let own = WorkflowExecution { workflow_id: parent.workflow_id.clone(), run_id: parent.run_id.clone() };
    let execution_timeout = checked_duration(initiated.workflow_execution_timeout.as_ref());
    let execution_expires = after(context.now, execution_timeout);
    let event = usize::try_from(initiated_event_id - 1).ok().and_then(|index| parent.events.all().get(index));
    NextRun {
        started: WorkflowExecutionStartedEventAttributes {
            workflow_type: initiated.workflow_type,
            parent_workflow_namespace: initiated.namespace,
            parent_workflow_execution: Some(own.clone()),
            parent_initiated_event_id: initiated_event_id,
            root_workflow_execution: parent.started.root_workflow_execution.clone().or(Some(own)),
            task_queue: initiated.task_queue,
            input: initiated.input,
            workflow_execution_timeout: initiated.workflow_execution_timeout,
            workflow_run_timeout: initiated.workflow_run_timeout,
            workflow_task_timeout: initiated.workflow_task_timeout,
            original_execution_run_id: run_id.clone(),
            first_execution_run_id: run_id.clone(),
            retry_policy: initiated.retry_policy,
            attempt: 1,
            workflow_execution_expiration_time: execution_expires.map(timestamp),
            first_workflow_task_backoff: Some(wire_duration(Duration::ZERO)),
            memo: initiated.memo,
            search_attributes: initiated.search_attributes,
            header: initiated.header,
            workflow_id: initiated.workflow_id,
            priority: merged_priority(initiated.priority, parent.priority.as_ref()),
            ..WorkflowExecutionStartedEventAttributes::default()
        },
        run_id,
        user_metadata: event.and_then(|event| event.user_metadata.as_deref().cloned()),
        execution_expires,
    }
}

/// Fills in what the priority of an activity or of a child does not say, part by part. Fact (server 1.32).
pub(crate) fn merged_priority(priority: Option<Priority>, defaults: Option<&Priority>) -> Option<Priority> {
    let (Some(mut priority), Some(defaults)) = (priority.clone(), defaults) else {
        return priority.or_else(|| defaults.cloned());
    };
    if priority.priority_key == 0 {
        priority.priority_key = defaults.priority_key;
    }
    if priority.fairness_key.is_empty() {
        priority.fairness_key.clone_from(&defaults.fairness_key);
    }
    if priority.fairness_weight == 0.0 {
        priority.fairness_weight = defaults.fairness_weight;
    }
    Some(priority)
}

pub(crate) fn run_timeout(requested: Duration, execution_timeout: Duration) -> Duration {
    match (requested.is_zero(), execution_timeout.is_zero()) {
        (_, true) => requested,
        (true, false) => execution_timeout,
        (false, false) => requested.min(execution_timeout),
    }
}

pub(crate) fn task_timeout(requested: Duration, run_timeout: Duration) -> Duration {
    let timeout = if requested.is_zero() { DEFAULT_TASK_TIMEOUT } else { requested.min(LONGEST_TASK_TIMEOUT) };
    if run_timeout.is_zero() { timeout } else { timeout.min(run_timeout) }
}

/// A policy without gaps, or what is wrong with it.
pub(crate) fn checked_policy(policy: RetryPolicy) -> Result<RetryPolicy, String> {
    let policy = retry::with_defaults(policy);
    retry::check(&policy).map(|()| policy)
}

/// Facts (server 1.32): search attributes must be registered with the namespace; in the history each Payload names its
/// type in its metadata.
pub(crate) fn typed_search_attributes(
    mut attributes: SearchAttributes,
    options: &ServerOptions,
) -> Result<SearchAttributes, String> {
    for (name, payload) in &mut attributes.indexed_fields {
        if is_reserved(name) {
            return Err(format!("{name} attribute can't be set in SearchAttributes"));
        }
        let Some(kind) = options.search_attributes.get(name) else {
            return Err(format!("Namespace {} has no mapping defined for search attribute {name}", options.namespace));
        };
        payload.metadata.insert("type".into(), kind.clone().into_bytes().into());
    }
    Ok(attributes)
}

const DEFAULT_TASK_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TASK_TIMEOUT: Duration = Duration::from_secs(120);
