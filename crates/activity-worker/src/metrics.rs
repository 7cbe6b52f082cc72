//! The metrics of Temporal's SDKs that are recorded here. Names and labels are Temporal's:
//! <https://docs.temporal.io/references/sdk-metrics>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use timewright_client::metrics::{Counter, Histogram};
use timewright_client::{MetricDescription, MetricMeter};
use timewright_converter::is_benign;
use timewright_proto::prost_types::Timestamp;
use timewright_proto::workflow_service::PollActivityTaskQueueResponse;
use timewright_protocol::activity::Completion;
use tokio::time::Instant;

use crate::execution::Ended;
use crate::router::KnownTypes;

/// What the activities of a worker are measured with.
pub(crate) struct ActivityMetrics {
    /// With the namespace and the Task Queue.
    meter: MetricMeter,
    schedule_to_start: Histogram,
    unregistered: Counter,
    task_error: Counter,
    known_types: Arc<KnownTypes>,
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
    task_error: Counter,
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
    /// Of a worker that starts, with [its own meter](timewright_client::Client::worker_metric_meter).
    pub(crate) fn of_worker(meter: MetricMeter, known_types: Arc<KnownTypes>) -> Self {
        meter.describe(METRICS);
        meter.with_label("worker_type", "ActivityWorker").counter(WORKER_START).increment(1);
        Self {
            schedule_to_start: meter.histogram(SCHEDULE_TO_START),
            unregistered: meter.counter(UNREGISTERED),
            task_error: meter.counter(TASK_ERROR),
            meter,
            known_types,
            types: Mutex::default(),
        }
    }

    /// An attempt has arrived.
    pub(crate) fn begin(&self, task: &PollActivityTaskQueueResponse) -> MeasuredAttempt {
        let asked_for = task.current_attempt_scheduled_time.or(task.scheduled_time).and_then(time);
        if let (Some(asked_for), Some(started)) = (asked_for, task.started_time.and_then(time)) {
            // Both by the server's clocks.
            self.schedule_to_start.record(started.duration_since(asked_for).unwrap_or_default());
        }
        let activity_type = task.activity_type.as_ref().map_or("", |known| known.name.as_str());
        if !self.known_types.has_fallback && !self.known_types.names.contains(activity_type) {
            self.unregistered.increment(1);
        }
        MeasuredAttempt {
            metrics: self.of_type(activity_type),
            task_error: self.task_error.clone(),
            received_at: Instant::now(),
            scheduled: task.scheduled_time.and_then(time),
            end: End::Unknown,
        }
    }

    fn of_type(&self, activity_type: &str) -> Arc<TypeMetrics> {
        // Nothing panics while it is locked.
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = types.len() < self.known_types.names.len() + MAXIMUM_OTHER_TYPES;
        // Names come with tasks, so anybody can make up any number of them.
        let activity_type = match self.known_types.names.contains(activity_type) || types.contains_key(activity_type) {
            true => activity_type,
            false if self.known_types.has_fallback && has_room => activity_type,
            false => OTHER_TYPES,
        };
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
    /// Something went wrong around user code.
    pub(crate) fn handling_failed(&self) {
        self.task_error.increment(1);
    }

    /// User code has ended so.
    pub(crate) fn executed(&mut self, ended: &Ended) {
        if ended.has_panicked {
            self.task_error.increment(1);
        }
        self.metrics.execution.record(self.received_at.elapsed());
        self.end = match &ended.completion {
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

fn time(timestamp: Timestamp) -> Option<SystemTime> {
    SystemTime::try_from(timestamp).ok()
}

/// Of the types of dynamic activities, so many are told apart.
const MAXIMUM_OTHER_TYPES: usize = 1000;
const OTHER_TYPES: &str = "(other types)";

const WORKER_START: &str = "temporal_worker_start";
const SCHEDULE_TO_START: &str = "temporal_activity_schedule_to_start_latency";
const EXECUTION: &str = "temporal_activity_execution_latency";
const END_TO_END: &str = "temporal_activity_succeed_endtoend_latency";
const FAILED: &str = "temporal_activity_execution_failed";
const CANCELLED: &str = "temporal_activity_execution_cancelled";

const UNREGISTERED: &str = "temporal_unregistered_activity_invocation";
const TASK_ERROR: &str = "temporal_activity_task_error";

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
    MetricDescription::counter(UNREGISTERED, "Attempts of activities of types that the worker does not have"),
    MetricDescription::counter(TASK_ERROR, "Attempts around which something went wrong, or that panicked"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use timewright_client::metrics::{CounterFn, Gauge, Key, KeyName, Metadata, Recorder, SharedString, Unit};
    use timewright_proto::common::ActivityType;

    /// Counts each metric with its Activity Type.
    #[derive(Clone, Default)]
    struct Counts(Arc<Mutex<BTreeMap<String, Arc<Count>>>>);

    #[derive(Default)]
    struct Count(AtomicU64);

    impl CounterFn for Count {
        fn increment(&self, value: u64) {
            self.0.fetch_add(value, Ordering::Relaxed);
        }

        fn absolute(&self, value: u64) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    impl Counts {
        fn of(&self, name: &str) -> Option<u64> {
            self.0.lock().unwrap().get(name).map(|count| count.0.load(Ordering::Relaxed))
        }
    }

    impl Recorder for Counts {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let activity_type = key.labels().find(|label| label.key() == "activity_type").map(|label| label.value());
            let name = format!("{} {}", key.name(), activity_type.unwrap_or_default());
            Counter::from_arc(Arc::clone(self.0.lock().unwrap().entry(name.trim().to_owned()).or_default()))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    fn metrics(names: &[&str], has_fallback: bool) -> (ActivityMetrics, Counts) {
        let counts = Counts::default();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let known_types = Arc::new(KnownTypes { names, has_fallback });
        (ActivityMetrics::of_worker(MetricMeter::to(counts.clone()), known_types), counts)
    }

    fn fail(metrics: &ActivityMetrics, activity_type: &str) {
        let activity_type = Some(ActivityType { name: activity_type.to_owned() });
        metrics.begin(&PollActivityTaskQueueResponse { activity_type, ..Default::default() }).end(true);
    }

    #[test]
    fn types_that_nobody_has_registered_are_counted_and_make_one_series() {
        let (metrics, counts) = metrics(&["Charge"], false);
        for number in 0..5 {
            fail(&metrics, &format!("Made up {number}"));
            fail(&metrics, "Charge");
        }
        assert_eq!(counts.of("temporal_unregistered_activity_invocation"), Some(5));
        assert_eq!(counts.of("temporal_activity_execution_failed (other types)"), Some(5));
        assert_eq!(counts.of("temporal_activity_execution_failed Charge"), Some(5));
        assert_eq!(counts.of("temporal_activity_execution_failed Made up 0"), None);
    }

    #[test]
    fn types_of_dynamic_activities_are_told_apart_up_to_a_number() {
        let (metrics, counts) = metrics(&["Charge"], true);
        for number in 0..MAXIMUM_OTHER_TYPES + 5 {
            fail(&metrics, &format!("Dynamic {number}"));
        }
        // What is registered is told apart whatever came before it.
        fail(&metrics, "Charge");
        fail(&metrics, "Dynamic 0");
        assert_eq!(counts.of("temporal_unregistered_activity_invocation"), Some(0));
        assert_eq!(counts.of("temporal_activity_execution_failed Dynamic 0"), Some(2));
        assert_eq!(counts.of("temporal_activity_execution_failed (other types)"), Some(4));
        assert_eq!(counts.of("temporal_activity_execution_failed Charge"), Some(1));
        assert_eq!(metrics.types.lock().unwrap().len(), MAXIMUM_OTHER_TYPES + 3);
    }

    #[test]
    fn panics_and_what_goes_wrong_around_user_code_are_task_errors() {
        let (metrics, counts) = metrics(&["Charge"], false);
        let mut measured = metrics.begin(&PollActivityTaskQueueResponse::default());
        let ended = |has_panicked| {
            // Of the type that panics become: user code may name its own failures so.
            let failure = crate::failures::plain(&crate::failures::panicked("Charge", &"at the disco").into());
            let completion = Completion::Failed { failure, last_heartbeat_details: None };
            Ended { completion, newest_heartbeat: None, has_panicked }
        };
        measured.executed(&ended(true));
        assert_eq!(counts.of("temporal_activity_task_error"), Some(1));
        measured.handling_failed();
        assert_eq!(counts.of("temporal_activity_task_error"), Some(2));
        measured.executed(&ended(false));
        assert_eq!(counts.of("temporal_activity_task_error"), Some(2));
    }
}
