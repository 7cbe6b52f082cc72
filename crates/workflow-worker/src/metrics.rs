//! The metrics of Temporal's SDKs that are recorded here. Names and labels are Temporal's:
//! <https://docs.temporal.io/references/sdk-metrics>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use timewright_client::metrics::{Counter, Histogram};
use timewright_client::{Client, GaugePart, MetricDescription, MetricMeter};
use timewright_converter::is_benign;
use timewright_proto::command::Command;
use timewright_proto::command::command::Attributes;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::prost_types::Timestamp;
use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;
use timewright_protocol::workflow::{CacheLookup, EvictionReason, LocalActivityOutcome};

use crate::local_activities::WorkflowNames;
use crate::monitor::Counters;

/// What the Workflow Tasks of a worker are measured with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct WorkflowMetrics(Arc<Shared>);

struct Shared {
    /// With the namespace and the Task Queue.
    meter: MetricMeter,
    /// For those who look on in other ways.
    counters: Arc<Counters>,
    schedule_to_start: Histogram,
    cache_hits: Counter,
    cache_misses: Counter,
    forced_evictions: Counter,
    workflows: Mutex<BTreeMap<String, Arc<OfWorkflow>>>,
    local_activities: Mutex<BTreeMap<String, Arc<OfLocalActivity>>>,
}

/// Of one Workflow Type.
struct OfWorkflow {
    task_execution: Histogram,
    task_replay: Histogram,
    task_disagreed: Counter,
    task_failed: Counter,
    completed: Counter,
    failed: Counter,
    cancelled: Counter,
    continued: Counter,
    end_to_end: Histogram,
}

/// Of one type of Local Activities.
struct OfLocalActivity {
    total: Counter,
    failed: Counter,
    cancelled: Counter,
    execution: Histogram,
    end_to_end: Histogram,
}

/// An attempt of a Local Activity that is executed.
pub(crate) struct MeasuredLocalActivity {
    metrics: Arc<OfLocalActivity>,
    counters: Arc<Counters>,
    began: tokio::time::Instant,
}

/// How a workflow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    /// It failed in a way that its author calls harmless.
    FailedBenignly,
    Cancelled,
    Continued,
}

impl WorkflowMetrics {
    /// Of a worker on this Task Queue, which starts.
    pub(crate) fn of_worker(client: &Client, task_queue: &str, counters: Arc<Counters>) -> Self {
        let meter = client.worker_metric_meter(task_queue);
        meter.describe(METRICS);
        meter.with_label("worker_type", "WorkflowWorker").counter(WORKER_START).increment(1);
        Self::new(meter, counters)
    }

    /// With a meter that has the labels of the namespace and the Task Queue.
    pub(crate) fn new(meter: MetricMeter, counters: Arc<Counters>) -> Self {
        Self(Arc::new(Shared {
            counters,
            schedule_to_start: meter.histogram(SCHEDULE_TO_START),
            cache_hits: meter.counter(CACHE_HIT),
            cache_misses: meter.counter(CACHE_MISS),
            forced_evictions: meter.counter(FORCED_EVICTION),
            workflows: Mutex::default(),
            local_activities: Mutex::default(),
            meter,
        }))
    }

    pub(crate) fn meter(&self) -> &MetricMeter {
        &self.0.meter
    }

    /// A task has come.
    pub(crate) fn task_received(&self, task: &PollWorkflowTaskQueueResponse) {
        if let (Some(scheduled), Some(started)) = (task.scheduled_time.and_then(time), task.started_time.and_then(time))
        {
            // Both by the server's clocks.
            self.0.schedule_to_start.record(started.duration_since(scheduled).unwrap_or_default());
        }
    }

    /// A task has looked for its workflow in the cache.
    pub(crate) fn cache_looked_up(&self, lookup: CacheLookup) {
        self.0.counters.count_lookup(lookup);
        match lookup {
            CacheLookup::Hit => self.0.cache_hits.increment(1),
            CacheLookup::Miss => self.0.cache_misses.increment(1),
            CacheLookup::First => (),
        }
    }

    /// A gauge for how many workflows are cached.
    pub(crate) fn cache_size(&self) -> GaugePart {
        self.0.meter.gauge_part(CACHE_SIZE)
    }

    /// A workflow has left the cache.
    pub(crate) fn evicted(&self, reason: EvictionReason) {
        if reason != EvictionReason::Closed {
            self.0.forced_evictions.increment(1);
        }
    }

    /// User code has caught up with the history.
    pub(crate) fn replayed(&self, workflow_type: &str, passed: Duration) {
        self.of_workflow(workflow_type).task_replay.record(passed);
    }

    /// A task was executed, well or not, so long after it had come.
    pub(crate) fn task_executed(&self, workflow_type: &str, passed: Duration) {
        self.of_workflow(workflow_type).task_execution.record(passed);
    }

    /// An attempt of a task has failed.
    pub(crate) fn task_failed(&self, workflow_type: &str, cause: WorkflowTaskFailedCause) {
        let metrics = self.of_workflow(workflow_type);
        match cause {
            WorkflowTaskFailedCause::NonDeterministicError => metrics.task_disagreed.increment(1),
            _ => metrics.task_failed.increment(1),
        }
    }

    /// A workflow has ended, and the server knows.
    pub(crate) fn workflow_ended(&self, workflow: &WorkflowNames, end: End) {
        let metrics = self.of_workflow(&workflow.workflow_type);
        match end {
            End::Completed => metrics.completed.increment(1),
            End::Failed => metrics.failed.increment(1),
            End::FailedBenignly => (),
            End::Cancelled => metrics.cancelled.increment(1),
            End::Continued => metrics.continued.increment(1),
        }
        if let Some(started) = workflow.started {
            metrics.end_to_end.record(SystemTime::now().duration_since(started).unwrap_or_default());
        }
    }

    /// An attempt of a Local Activity begins.
    pub(crate) fn local_activity_begins(&self, activity_type: &str) -> MeasuredLocalActivity {
        let metrics = made(&self.0.local_activities, activity_type, |activity_type| {
            let meter = self.0.meter.with_label("activity_type", activity_type.to_owned());
            OfLocalActivity {
                total: meter.counter(LOCAL_TOTAL),
                failed: meter.counter(LOCAL_FAILED),
                cancelled: meter.counter(LOCAL_CANCELLED),
                execution: meter.histogram(LOCAL_EXECUTION),
                end_to_end: meter.histogram(LOCAL_END_TO_END),
            }
        });
        metrics.total.increment(1);
        let counters = Arc::clone(&self.0.counters);
        MeasuredLocalActivity { metrics, counters, began: tokio::time::Instant::now() }
    }

    fn of_workflow(&self, workflow_type: &str) -> Arc<OfWorkflow> {
        made(&self.0.workflows, workflow_type, |workflow_type| {
            let meter = self.0.meter.with_label("workflow_type", workflow_type.to_owned());
            let task_failed = |reason| meter.with_label("failure_reason", reason).counter(TASK_FAILED);
            OfWorkflow {
                task_execution: meter.histogram(TASK_EXECUTION),
                task_replay: meter.histogram(TASK_REPLAY),
                task_disagreed: task_failed("NonDeterminismError"),
                task_failed: task_failed("WorkflowError"),
                completed: meter.counter(COMPLETED),
                failed: meter.counter(FAILED),
                cancelled: meter.counter(CANCELLED),
                continued: meter.counter(CONTINUED),
                end_to_end: meter.histogram(END_TO_END),
            }
        })
    }
}

impl MeasuredLocalActivity {
    /// It ended so, or is given up. `asked_for` says how long ago its workflow asked for it.
    pub(crate) fn end(&self, outcome: &LocalActivityOutcome, asked_for: Duration) {
        let Self { metrics, counters, began } = self;
        metrics.execution.record(began.elapsed());
        counters.count_local_activity(matches!(
            outcome,
            LocalActivityOutcome::Failed(_) | LocalActivityOutcome::TimedOut(_)
        ));
        match outcome {
            LocalActivityOutcome::Completed(_) => metrics.end_to_end.record(asked_for),
            LocalActivityOutcome::Failed(failure) if is_benign(failure) => (),
            LocalActivityOutcome::Failed(_) | LocalActivityOutcome::TimedOut(_) => metrics.failed.increment(1),
            LocalActivityOutcome::Cancelled { .. } => metrics.cancelled.increment(1),
        }
    }
}

impl End {
    /// How a workflow ends with these Commands, if it does.
    pub(crate) fn of(commands: &[Command]) -> Option<Self> {
        commands.iter().find_map(|command| match command.attributes.as_ref()? {
            Attributes::CompleteWorkflowExecutionCommandAttributes(_) => Some(Self::Completed),
            Attributes::FailWorkflowExecutionCommandAttributes(failed) => {
                let is_benign = failed.failure.as_ref().is_some_and(is_benign);
                Some(if is_benign { Self::FailedBenignly } else { Self::Failed })
            }
            Attributes::CancelWorkflowExecutionCommandAttributes(_) => Some(Self::Cancelled),
            Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => Some(Self::Continued),
            _ => None,
        })
    }
}

/// What there is of this name; made when it is asked for first. Names come with tasks, so anybody can make up any number: beyond some
/// they all are one.
fn made<T>(all: &Mutex<BTreeMap<String, Arc<T>>>, name: &str, make: impl FnOnce(&str) -> T) -> Arc<T> {
    // Nothing panics while it is locked.
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let name = if all.len() >= MAXIMUM_TYPES && !all.contains_key(name) { OTHER_TYPES } else { name };
    match all.get(name) {
        Some(known) => Arc::clone(known),
        None => Arc::clone(all.entry(name.to_owned()).or_insert(Arc::new(make(name)))),
    }
}

fn time(timestamp: Timestamp) -> Option<SystemTime> {
    SystemTime::try_from(timestamp).ok()
}

/// More types than a worker has are only told apart where nobody has registered them.
const MAXIMUM_TYPES: usize = 1000;
const OTHER_TYPES: &str = "(other types)";
const WORKER_START: &str = "temporal_worker_start";
const SCHEDULE_TO_START: &str = "temporal_workflow_task_schedule_to_start_latency";
const TASK_EXECUTION: &str = "temporal_workflow_task_execution_latency";
const TASK_REPLAY: &str = "temporal_workflow_task_replay_latency";
const TASK_FAILED: &str = "temporal_workflow_task_execution_failed";
const COMPLETED: &str = "temporal_workflow_completed";
const FAILED: &str = "temporal_workflow_failed";
/// As all SDKs write it; the reference has `cancelled`.
const CANCELLED: &str = "temporal_workflow_canceled";
const CONTINUED: &str = "temporal_workflow_continue_as_new";
const END_TO_END: &str = "temporal_workflow_endtoend_latency";
const CACHE_HIT: &str = "temporal_sticky_cache_hit";
const CACHE_MISS: &str = "temporal_sticky_cache_miss";
const CACHE_SIZE: &str = "temporal_sticky_cache_size";
const FORCED_EVICTION: &str = "temporal_sticky_cache_total_forced_eviction";
const LOCAL_TOTAL: &str = "temporal_local_activity_total";
const LOCAL_FAILED: &str = "temporal_local_activity_execution_failed";
const LOCAL_CANCELLED: &str = "temporal_local_activity_execution_cancelled";
const LOCAL_EXECUTION: &str = "temporal_local_activity_execution_latency";
/// As all SDKs write it; the reference has `succeeded`.
const LOCAL_END_TO_END: &str = "temporal_local_activity_succeed_endtoend_latency";

/// What they are.
const METRICS: &[MetricDescription] = &[
    MetricDescription::counter(WORKER_START, "Workers that were started"),
    MetricDescription::latency(SCHEDULE_TO_START, "How long Workflow Tasks waited on the Task Queue"),
    MetricDescription::latency(TASK_EXECUTION, "How long Workflow Tasks took, replay included"),
    MetricDescription::latency(
        TASK_REPLAY,
        "How long it took to catch up with the history of a workflow that was not cached",
    ),
    MetricDescription::counter(TASK_FAILED, "Attempts of Workflow Tasks that failed"),
    MetricDescription::counter(COMPLETED, "Workflows that completed"),
    MetricDescription::counter(FAILED, "Workflows that failed"),
    MetricDescription::counter(CANCELLED, "Workflows that ended as cancelled"),
    MetricDescription::counter(CONTINUED, "Workflows that continued as new"),
    MetricDescription::latency(END_TO_END, "How long runs of workflows took, from start to end"),
    MetricDescription::counter(CACHE_HIT, "Workflow Tasks that found their workflow in the cache"),
    MetricDescription::counter(
        CACHE_MISS,
        "Workflow Tasks, but for the first of a workflow, that did not find it in the cache",
    ),
    MetricDescription::gauge(CACHE_SIZE, "Workflows in the cache"),
    MetricDescription::counter(FORCED_EVICTION, "Workflows that left the cache before their end"),
    MetricDescription::counter(LOCAL_TOTAL, "Attempts of Local Activities that were begun"),
    MetricDescription::counter(LOCAL_FAILED, "Attempts of Local Activities that failed"),
    MetricDescription::counter(LOCAL_CANCELLED, "Local Activities that ended as cancelled"),
    MetricDescription::latency(LOCAL_EXECUTION, "How long attempts of Local Activities took"),
    MetricDescription::latency(LOCAL_END_TO_END, "How long Local Activities took that succeeded, over all attempts"),
];
