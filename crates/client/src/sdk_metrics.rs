//! The metrics of Temporal's SDKs that are recorded here: requests, polls, slots. Names and labels are Temporal's:
//! <https://docs.temporal.io/references/sdk-metrics>

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Histogram};
use timewright_protocol::task_queue::{PollerSnapshot, QueueKind};
use tokio::time::Instant;
use tonic::Code;

use crate::metric_meter::{GaugePart, MetricDescription, MetricMeter, RecorderId};
use crate::slots::SlotKind;
use crate::stack::CallKind;

/// What a client's requests are measured with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RequestMetrics(Arc<Requests>);

struct Requests {
    meter: MetricMeter,
    /// By the RPC's name, and whether it waits for something.
    kinds: Mutex<BTreeMap<String, [Option<Arc<OfRequest>>; 2]>>,
}

/// Of the requests of one RPC that wait, or do not.
struct OfRequest {
    /// Of the recorder that its handles are of: a client may be older than its recorder.
    recorder: RecorderId,
    meter: MetricMeter,
    names: &'static RequestNames,
    requests: Counter,
    latency: Histogram,
}

/// A try of a request that is under way.
pub(crate) struct MeasuredRequest {
    metrics: Arc<OfRequest>,
    began: Instant,
}

/// What polls and slots of a worker are measured with.
pub(crate) struct PollMetrics {
    meter: MetricMeter,
    kind: SlotKind,
    polls: [Option<OpenPolls>; 2],
    slots: SlotGauges,
    succeeded: Counter,
    empty: Counter,
}

/// The open polls on one kind of queue.
struct OpenPolls {
    started: Counter,
    open: GaugePart,
    /// The most that were open at the same time.
    most: usize,
}

/// The slots of one kind.
#[derive(Debug)]
pub(crate) struct SlotGauges {
    meter: MetricMeter,
    used: GaugePart,
    /// Only where that is known.
    available: Option<GaugePart>,
}

struct RequestNames {
    request: &'static str,
    failure: &'static str,
    latency: &'static str,
}

impl RequestMetrics {
    /// The meter has the label of the namespace.
    pub(crate) fn new(meter: MetricMeter) -> Self {
        meter.describe(METRICS);
        Self(Arc::new(Requests { meter, kinds: Mutex::default() }))
    }

    /// A try begins.
    pub(crate) fn begin(&self, operation: &str, kind: CallKind) -> MeasuredRequest {
        let metrics = self.of(operation, kind);
        metrics.requests.increment(1);
        MeasuredRequest { metrics, began: Instant::now() }
    }

    fn of(&self, operation: &str, kind: CallKind) -> Arc<OfRequest> {
        let Requests { meter, kinds } = &*self.0;
        let recorder = meter.recorder_id();
        let waits = kind != CallKind::Unary;
        // Nobody panics with the lock held.
        let mut kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(known)) = kinds.get(operation).map(|known| &known[usize::from(waits)])
            && known.recorder == recorder
        {
            return Arc::clone(known);
        }
        let names = if waits { &LONG } else { &UNARY };
        let meter = meter.with_label("operation", operation.to_owned());
        let (requests, latency) = (meter.counter(names.request), meter.histogram(names.latency));
        let made = Arc::new(OfRequest { recorder, meter, names, requests, latency });
        kinds.entry(operation.to_owned()).or_default()[usize::from(waits)] = Some(Arc::clone(&made));
        made
    }
}

impl fmt::Debug for RequestMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RequestMetrics").field(&self.0.meter).finish()
    }
}

impl MeasuredRequest {
    /// It ended with this code.
    pub(crate) fn end(self, code: Code) {
        let Self { metrics, began } = self;
        metrics.latency.record(began.elapsed());
        if code != Code::Ok {
            metrics.meter.with_label("status_code", status_code(code)).count(metrics.names.failure);
        }
    }
}

impl PollMetrics {
    /// The meter has the labels of the namespace and the Task Queue.
    pub(crate) fn new(meter: MetricMeter, kind: SlotKind) -> Self {
        // Once more: the client may be older than the recorder.
        meter.describe(METRICS);
        let (succeeded, empty) = match kind {
            SlotKind::Workflow => (meter.counter(WORKFLOW_POLL_SUCCEED), meter.counter(WORKFLOW_POLL_EMPTY)),
            SlotKind::Activity | SlotKind::LocalActivity => (Counter::noop(), meter.counter(ACTIVITY_POLL_NO_TASK)),
        };
        Self { slots: SlotGauges::new(&meter, kind), polls: [None, None], meter, kind, succeeded, empty }
    }

    /// A poll returned without an error, with a task or with nothing.
    pub(crate) fn count_poll(&self, has_task: bool) {
        if has_task { self.succeeded.increment(1) } else { self.empty.increment(1) }
    }

    /// How polls and slots are now.
    pub(crate) fn show(&mut self, snapshot: &PollerSnapshot) {
        self.show_polls(QueueKind::Normal, snapshot.normal.open_polls);
        if let Some(sticky) = snapshot.sticky {
            self.show_polls(QueueKind::Sticky, sticky.open_polls);
        }
        let slots = snapshot.slots;
        self.slots.show(slots.executing, slots.free.map(|free| free + slots.polling));
    }

    fn show_polls(&mut self, queue: QueueKind, open: usize) {
        let (meter, kind) = (&self.meter, self.kind);
        let polls = self.polls[queue as usize].get_or_insert_with(|| {
            let meter = meter.with_label("poller_type", poller_type(kind, queue));
            OpenPolls { started: meter.counter(POLLER_START), open: meter.gauge_part(NUM_POLLERS), most: 0 }
        });
        polls.open.set(open);
        if let Some(more) = open.checked_sub(polls.most) {
            polls.started.increment(more as u64);
            polls.most = open;
        }
    }
}

impl SlotGauges {
    /// The meter has the labels of the namespace and the Task Queue.
    pub(crate) fn new(meter: &MetricMeter, kind: SlotKind) -> Self {
        let meter = meter.with_label("worker_type", worker_type(kind));
        Self { used: meter.gauge_part(SLOTS_USED), available: None, meter }
    }

    /// How many slots are used, and how many tasks could come beside them; `None` where only their supplier knows.
    pub(crate) fn show(&mut self, used: usize, available: Option<usize>) {
        self.used.set(used);
        if let Some(available) = available {
            self.available.get_or_insert_with(|| self.meter.gauge_part(SLOTS_AVAILABLE)).set(available);
        }
    }
}

/// Which kind of worker uses such slots, in Temporal's words.
const fn worker_type(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Activity => "ActivityWorker",
        SlotKind::LocalActivity => "LocalActivityWorker",
        SlotKind::Workflow => "WorkflowWorker",
    }
}

const fn poller_type(kind: SlotKind, queue: QueueKind) -> &'static str {
    match (kind, queue) {
        (SlotKind::Workflow, QueueKind::Normal) => "workflow_task",
        (SlotKind::Workflow, QueueKind::Sticky) => "sticky_workflow_task",
        (SlotKind::Activity | SlotKind::LocalActivity, _) => "activity_task",
    }
}

/// As gRPC's specification writes them, and other SDKs.
const fn status_code(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

static UNARY: RequestNames = RequestNames {
    request: "temporal_request",
    failure: "temporal_request_failure",
    latency: "temporal_request_latency",
};
static LONG: RequestNames = RequestNames {
    request: "temporal_long_request",
    failure: "temporal_long_request_failure",
    latency: "temporal_long_request_latency",
};

const NUM_POLLERS: &str = "temporal_num_pollers";
const POLLER_START: &str = "temporal_poller_start";
const SLOTS_AVAILABLE: &str = "temporal_worker_task_slots_available";
const SLOTS_USED: &str = "temporal_worker_task_slots_used";
const WORKFLOW_POLL_EMPTY: &str = "temporal_workflow_task_queue_poll_empty";
const WORKFLOW_POLL_SUCCEED: &str = "temporal_workflow_task_queue_poll_succeed";
const ACTIVITY_POLL_NO_TASK: &str = "temporal_activity_poll_no_task";

/// What they are.
pub(crate) const METRICS: &[MetricDescription] = &[
    MetricDescription::counter(UNARY.request, "Requests that were made, each try of them"),
    MetricDescription::counter(UNARY.failure, "Tries of requests that failed"),
    MetricDescription::latency(UNARY.latency, "How long a try of a request took"),
    MetricDescription::counter(LONG.request, "Long polls that were made"),
    MetricDescription::counter(LONG.failure, "Long polls that failed"),
    MetricDescription::latency(LONG.latency, "How long a long poll took"),
    MetricDescription::gauge(NUM_POLLERS, "Polls that are open"),
    MetricDescription::counter(POLLER_START, "Pollers that were started"),
    MetricDescription::gauge(SLOTS_AVAILABLE, "Tasks that could be executed beside those that are"),
    MetricDescription::gauge(SLOTS_USED, "Tasks that are executed"),
    MetricDescription::counter(WORKFLOW_POLL_EMPTY, "Polls for Workflow Tasks that returned without one"),
    MetricDescription::counter(WORKFLOW_POLL_SUCCEED, "Polls for Workflow Tasks that returned with one"),
    MetricDescription::counter(ACTIVITY_POLL_NO_TASK, "Polls for Activity Tasks that returned without one"),
];

#[cfg(feature = "resource-slots")]
pub(crate) const MEMORY_USAGE: &str = "temporal_resource_slots_mem_usage";
#[cfg(feature = "resource-slots")]
pub(crate) const CPU_USAGE: &str = "temporal_resource_slots_cpu_usage";

/// What those of a resource controller are.
#[cfg(feature = "resource-slots")]
pub(crate) const RESOURCE_METRICS: &[MetricDescription] = &[
    MetricDescription::gauge(MEMORY_USAGE, "The memory in use, in percent, by which slots are given"),
    MetricDescription::gauge(CPU_USAGE, "The CPU in use, in percent, by which slots are given"),
];
