//! The metrics of Temporal's SDKs that are recorded here. Names and labels are Temporal's:
//! <https://docs.temporal.io/references/sdk-metrics>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use timewright_client::metrics::{Counter, Histogram};
use timewright_client::{Client, MetricDescription, MetricMeter};
use timewright_proto::enums::ApplicationErrorCategory;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::prost_types::Timestamp;
use timewright_proto::workflow_service::PollActivityTaskQueueResponse;
use timewright_protocol::activity::Completion;
use tokio::time::Instant;

/// What the activities of a worker are measured with.
pub(crate) struct ActivityMetrics {
    /// With the namespace and the Task Queue.
    meter: MetricMeter,
    schedule_to_start: Histogram,
    /// Made when a type is met first.
    types: Mutex<BTreeMap<String, Arc<TypeMetrics>>>,
}

/// Of one Activity Type.
struct TypeMetrics {
    execution: Histogram,
    end_to_end: Histogram,
    failed: Counter,
    cancelled: Counter,
}

/// An attempt that is under way.
pub(crate) struct MeasuredAttempt {
    metrics: Arc<TypeMetrics>,
    received_at: Instant,
    /// When the activity was asked for, by the server's clock.
    scheduled: Option<SystemTime>,
    end: End,
}

/// What is known of the end of an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Unknown,
    Completed,
    Cancelled,
    /// It failed in a way that its author calls harmless.
    Benign,
    /// Somebody else completes it.
    Elsewhere,
}

impl ActivityMetrics {
    /// Of a worker that starts; the meter is [its own](worker_meter).
    pub(crate) fn of_worker(meter: MetricMeter) -> Self {
        meter.describe(METRICS);
        meter.with_label("worker_type", "ActivityWorker").counter(WORKER_START).increment(1);
        Self { schedule_to_start: meter.histogram(SCHEDULE_TO_START), meter, types: Mutex::default() }
    }

    /// An attempt has arrived.
    pub(crate) fn begin(&self, task: &PollActivityTaskQueueResponse) -> MeasuredAttempt {
        let asked_for = task.current_attempt_scheduled_time.or(task.scheduled_time).and_then(time);
        if let (Some(asked_for), Some(started)) = (asked_for, task.started_time.and_then(time)) {
            // Both by the server's clocks.
            self.schedule_to_start.record(started.duration_since(asked_for).unwrap_or_default());
        }
        MeasuredAttempt {
            metrics: self.of_type(task.activity_type.as_ref().map_or("", |known| known.name.as_str())),
            received_at: Instant::now(),
            scheduled: task.scheduled_time.and_then(time),
            end: End::Unknown,
        }
    }

    fn of_type(&self, activity_type: &str) -> Arc<TypeMetrics> {
        // Nothing panics while it is locked but a recorder, and then the others still go on.
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = types.get(activity_type) {
            return Arc::clone(known);
        }
        let meter = self.meter.with_label("activity_type", activity_type.to_owned());
        let metrics = Arc::new(TypeMetrics {
            execution: meter.histogram(EXECUTION),
            end_to_end: meter.histogram(END_TO_END),
            failed: meter.counter(FAILED),
            cancelled: meter.counter(CANCELLED),
        });
        types.insert(activity_type.to_owned(), Arc::clone(&metrics));
        metrics
    }
}

impl MeasuredAttempt {
    /// User code has ended so.
    pub(crate) fn executed(&mut self, completion: &Completion) {
        self.metrics.execution.record(self.received_at.elapsed());
        self.end = match completion {
            Completion::Completed { .. } => End::Completed,
            Completion::Cancelled { .. } => End::Cancelled,
            Completion::WillCompleteAsynchronously { .. } => End::Elsewhere,
            Completion::Failed { failure, .. } if is_benign(failure) => End::Benign,
            Completion::Failed { .. } => End::Unknown,
        };
    }

    /// The server has been told; that it failed, or something else.
    pub(crate) fn end(self, has_failed: bool) {
        let Self { metrics, scheduled, end, .. } = self;
        match end {
            End::Benign | End::Elsewhere => (),
            // Also where what it gave could not be sent.
            _ if has_failed => metrics.failed.increment(1),
            End::Cancelled => metrics.cancelled.increment(1),
            End::Completed => {
                let passed = scheduled.and_then(|at| SystemTime::now().duration_since(at).ok());
                metrics.end_to_end.record(passed.unwrap_or_default());
            }
            End::Unknown => (),
        }
    }
}

/// Counts with the labels of a worker.
pub(crate) fn worker_meter(client: &Client, task_queue: &str) -> MetricMeter {
    client.metric_meter().with_label("task_queue", task_queue.to_owned())
}

fn is_benign(failure: &Failure) -> bool {
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else { return false };
    info.category == i32::from(ApplicationErrorCategory::Benign)
}

fn time(timestamp: Timestamp) -> Option<SystemTime> {
    SystemTime::try_from(timestamp).ok()
}

const WORKER_START: &str = "temporal_worker_start";
const SCHEDULE_TO_START: &str = "temporal_activity_schedule_to_start_latency";
const EXECUTION: &str = "temporal_activity_execution_latency";
const END_TO_END: &str = "temporal_activity_succeed_endtoend_latency";
const FAILED: &str = "temporal_activity_execution_failed";
const CANCELLED: &str = "temporal_activity_execution_cancelled";

/// What they are.
const METRICS: &[MetricDescription] = &[
    MetricDescription::counter(WORKER_START, "Workers that were started"),
    MetricDescription::latency(SCHEDULE_TO_START, "How long Activity Tasks waited on the Task Queue"),
    MetricDescription::latency(EXECUTION, "How long attempts of activities took"),
    MetricDescription::latency(
        END_TO_END,
        "How long activities took that succeeded, from when they were asked for, over all attempts",
    ),
    MetricDescription::counter(FAILED, "Attempts of activities that failed"),
    MetricDescription::counter(CANCELLED, "Activities that ended as cancelled"),
];
