//! Temporal's SDK metrics, and what users count.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use timewright::LocalActivities;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use timewright::client::{ClientOptions, RetryPolicy};
use timewright::converter::ApplicationFailure;
use timewright::workflow::{
    ActivityOptions, Handlers, LocalActivityOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo,
    WorkflowWorker,
};

use crate::support::background::{run_both, run_workflows};
use crate::support::definitions::{activity, signal, workflow, workflow_definition};
use crate::support::history::event_types;
use crate::support::metrics::Metrics;
use crate::support::{LIMIT, connect, poll_until, server, start_options, unique, within};

activity!(Work: String => String);

async fn work(context: ActivityContext, how: String) -> Result<String, ActivityError> {
    context.metric_meter().with_label("how", how.clone()).counter("worked").increment(1);
    match how.as_str() {
        "fails first" if context.info().attempt == 1 => Err(ApplicationFailure::new("not yet").into()),
        _ => Ok(how),
    }
}

workflow_definition!(Measured: String => u32);
signal!(Go of Measured: ());

struct MeasuredWorkflow {
    gone: u32,
}

impl Workflow for MeasuredWorkflow {
    type Definition = Measured;

    fn init(_info: &WorkflowInfo, _how: &String) -> Self {
        Self { gone: 0 }
    }

    async fn run(context: WorkflowContext<Self>, how: String) -> Result<u32, WorkflowError> {
        // Made once, on a replay perhaps, and used later.
        let steps = context.metric_meter().counter("steps");
        steps.increment(1);
        match how.as_str() {
            "works" => {
                let retries = RetryPolicy::default().initial_interval(Duration::from_millis(10));
                let options = ActivityOptions::start_to_close(LIMIT).retry_policy(retries);
                for how in ["works", "fails first"] {
                    context.execute_activity(Work, how.to_owned(), options.clone()).await?;
                }
                let options = LocalActivityOptions::start_to_close(LIMIT);
                context.execute_local_activity(Work, "locally".to_owned(), options).await?;
            }
            "fails" => return Err(ApplicationFailure::new("as it was told").into()),
            "continues" => return Err(context.continue_as_new("ends".to_owned())),
            "waits" => {
                for round in 1..=3 {
                    context.wait_condition(|state| state.gone >= round).await?;
                    steps.increment(1);
                }
            }
            _ => (),
        }
        Ok(context.state(|state| state.gone))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Go, |state, ()| state.gone += 1);
    }
}

type Label<'a> = (&'a str, &'a str);

fn with<'a>([namespace, task_queue]: [Label<'a>; 2], label: Label<'a>) -> [Label<'a>; 3] {
    [namespace, task_queue, label]
}

#[tokio::test]
async fn v12_all_that_workers_do_is_counted_under_temporals_names_and_gauges_end_at_zero() {
    let (metrics, recorder) = Metrics::new();
    let (client, queue) = (connect(ClientOptions::new(server()).metrics_recorder(recorder)).await, unique("measured"));
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Work, work)
        .maximum_concurrent_activities(7)
        .build()
        .unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue)
        .workflow::<MeasuredWorkflow>()
        .local_activities(LocalActivities::of(&activities))
        .build()
        .unwrap();
    let worker = run_both(workflows, activities);
    let start = |how: &str| client.start_workflow(Measured, how.to_owned(), start_options(&queue));
    within("the works", start("works").await.unwrap().result()).await.unwrap();
    within("the failure", start("fails").await.unwrap().result()).await.unwrap_err();
    within("the next run", start("continues").await.unwrap().result()).await.unwrap();
    let waits = start("waits").await.unwrap();
    waits.cancel("enough").await.unwrap();
    within("the cancellation", waits.result()).await.unwrap_err();

    let common = [("namespace", "default"), ("task_queue", queue.as_str())];
    let with = |label| with(common, label);
    let of_workflow = with(("workflow_type", "Measured"));
    let of_activity = with(("activity_type", "Work"));
    for (name, labels, value) in [
        ("temporal_workflow_completed", of_workflow, 2.0),
        ("temporal_workflow_failed", of_workflow, 1.0),
        ("temporal_workflow_canceled", of_workflow, 1.0),
        ("temporal_workflow_continue_as_new", of_workflow, 1.0),
        ("temporal_workflow_endtoend_latency_count", of_workflow, 5.0),
        ("steps", of_workflow, 5.0),
        ("temporal_activity_execution_latency_count", of_activity, 3.0),
        ("temporal_activity_execution_failed", of_activity, 1.0),
        ("temporal_activity_succeed_endtoend_latency_count", of_activity, 2.0),
        ("temporal_local_activity_total", of_activity, 1.0),
        ("temporal_local_activity_execution_latency_count", of_activity, 1.0),
        ("temporal_local_activity_succeed_endtoend_latency_count", of_activity, 1.0),
        ("worked", with(("how", "fails first")), 2.0),
        ("worked", with(("how", "locally")), 1.0),
        ("temporal_worker_start", with(("worker_type", "WorkflowWorker")), 1.0),
        ("temporal_worker_start", with(("worker_type", "ActivityWorker")), 1.0),
        ("temporal_worker_task_slots_available", with(("worker_type", "ActivityWorker")), 7.0),
        ("temporal_worker_task_slots_used", with(("worker_type", "ActivityWorker")), 0.0),
        ("temporal_worker_task_slots_used", with(("worker_type", "LocalActivityWorker")), 0.0),
        ("temporal_worker_task_slots_used", with(("worker_type", "WorkflowWorker")), 0.0),
        ("temporal_sticky_cache_size", with(common[0]), 0.0),
    ] {
        metrics.wait_for(name, &labels, value).await;
    }
    metrics.wait_for("temporal_activity_schedule_to_start_latency_count", &common, 3.0).await;
    let starts = [common[0], ("operation", "StartWorkflowExecution")];
    // Each try is counted, and a busy server may let one be tried again.
    poll_until("the starts to be counted", || async {
        let counted = |name| metrics.value(name, &starts).is_some_and(|count| count >= 4.0);
        (counted("temporal_request") && counted("temporal_request_latency_count")).then_some(())
    })
    .await;
    let there = |name: &str, labels: &[(&str, &str)]| {
        assert!(metrics.value(name, labels).is_some_and(|value| value > 0.0), "{name} in {}", metrics.text());
    };
    for poller_type in ["workflow_task", "sticky_workflow_task", "activity_task"] {
        there("temporal_num_pollers", &with(("poller_type", poller_type)));
        there("temporal_poller_start", &with(("poller_type", poller_type)));
    }
    there("temporal_workflow_task_queue_poll_succeed", &common);
    there("temporal_workflow_task_schedule_to_start_latency_count", &common);
    there("temporal_workflow_task_execution_latency_count", &of_workflow);
    there("temporal_sticky_cache_hit", &common);
    there("temporal_long_request", &[("operation", "PollWorkflowTaskQueue")]);

    worker.stop().await;
    for gauge in [
        "temporal_num_pollers",
        "temporal_worker_task_slots_available",
        "temporal_worker_task_slots_used",
        "temporal_sticky_cache_size",
    ] {
        metrics.wait_for(gauge, &common, 0.0).await;
    }
}

#[tokio::test]
async fn r4_the_first_task_is_no_hit_and_no_replay_and_nothing_is_counted_again_on_replay() {
    let (metrics, recorder) = Metrics::new();
    let (client, queue) = (connect(ClientOptions::new(server()).metrics_recorder(recorder)).await, unique("measured"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<MeasuredWorkflow>().build().unwrap();
    let monitor = workflows.monitor();
    let worker = run_workflows(workflows);
    let waits = client.start_workflow(Measured, "waits".to_owned(), start_options(&queue)).await.unwrap();
    let queue = [("task_queue", queue.as_str())];
    let cache = |hits: f64, misses: f64| {
        let of = |name| metrics.value(name, &queue).unwrap_or(0.0);
        let found = (of("temporal_sticky_cache_hit"), of("temporal_sticky_cache_miss"));
        assert_eq!(found, (hits, misses), "{}", metrics.text());
        assert_eq!((monitor.cache_hits() as f64, monitor.cache_misses() as f64), found);
    };
    metrics.wait_for("steps", &queue, 1.0).await;
    cache(0.0, 0.0);
    waits.signal(Go, ()).await.unwrap();
    metrics.wait_for("steps", &queue, 2.0).await;
    cache(1.0, 0.0);
    let replays = metrics.value("temporal_workflow_task_replay_latency_count", &queue);
    assert_eq!(replays.unwrap_or(0.0), 0.0, "{}", metrics.text());
    for round in [1.0, 2.0] {
        poll_until("it is not cached", || async {
            monitor.evict_cached_workflows(1);
            (metrics.value("temporal_sticky_cache_size", &queue) == Some(0.0)).then_some(())
        })
        .await;
        waits.signal(Go, ()).await.unwrap();
        metrics.wait_for("steps", &queue, 2.0 + round).await;
        cache(1.0, round);
        metrics.wait_for("temporal_workflow_task_replay_latency_count", &queue, round).await;
        metrics.wait_for("temporal_sticky_cache_total_forced_eviction", &queue, round).await;
    }
    assert_eq!(within("the end", waits.result()).await.unwrap(), 3);
    assert_eq!(metrics.value("steps", &queue), Some(4.0));
    worker.stop().await;
    // Neither that it has ended, nor the end of the worker, is forced.
    assert_eq!(metrics.value("temporal_sticky_cache_total_forced_eviction", &queue), Some(2.0));
}

/// Knows the names of all metrics, and panics when it is told of some for the first time.
#[derive(Clone)]
struct PanicsOf {
    some: Arc<Mutex<BTreeSet<String>>>,
    names: Arc<Mutex<BTreeSet<String>>>,
    panics: Arc<AtomicU32>,
}

impl PanicsOf {
    fn note(&self, name: KeyName) {
        self.names.lock().unwrap().insert(name.as_str().to_owned());
    }

    fn handle(&self, key: &Key) -> Option<Arc<Panics>> {
        let name = key.name().to_owned();
        let is_one = self.some.lock().unwrap().contains(&name);
        is_one.then(|| Arc::new(Panics { name, recorder: self.clone() }))
    }
}

impl Recorder for PanicsOf {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.note(name);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.note(name);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.note(name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.handle(key).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.handle(key).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.handle(key).map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

struct Panics {
    name: String,
    recorder: PanicsOf,
}

impl Panics {
    fn panic(&self) {
        let is_first = self.recorder.some.lock().unwrap().remove(&self.name);
        if is_first {
            self.recorder.panics.fetch_add(1, Ordering::Relaxed);
            // Not `panic!`, which would fill the log of the tests.
            std::panic::resume_unwind(Box::new("the recorder is broken"));
        }
    }
}

impl CounterFn for Panics {
    fn increment(&self, _: u64) {
        self.panic();
    }

    fn absolute(&self, _: u64) {
        self.panic();
    }
}

impl GaugeFn for Panics {
    fn increment(&self, _: f64) {
        self.panic();
    }

    fn decrement(&self, _: f64) {
        self.panic();
    }

    fn set(&self, _: f64) {
        self.panic();
    }
}

impl HistogramFn for Panics {
    fn record(&self, _: f64) {
        self.panic();
    }
}

/// All that workers do is done by workers with one slot of each kind, whose recorder panics of these metrics. The names of all metrics, and
/// how often it has panicked.
async fn work_in_spite_of(some: &[String]) -> (BTreeSet<String>, u32) {
    let some = some.iter().cloned().collect();
    let recorder = PanicsOf { some: Arc::new(Mutex::new(some)), names: Arc::default(), panics: Arc::default() };
    let options = ClientOptions::new(server()).metrics_recorder(recorder.clone());
    let (client, queue) = (connect(options).await, unique("broken"));
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Work, work)
        .maximum_concurrent_activities(1)
        .build()
        .unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue)
        .workflow::<MeasuredWorkflow>()
        .local_activities(LocalActivities::of(&activities))
        .maximum_concurrent_local_activities(1)
        .threads(1)
        .build()
        .unwrap();
    let worker = run_both(workflows, activities);
    let start = |how: &str| client.start_workflow(Measured, how.to_owned(), start_options(&queue));
    // What an activity counts itself is guarded, too: "worked".
    within("the works", start("works").await.unwrap().result()).await.unwrap();
    within("the failure", start("fails").await.unwrap().result()).await.unwrap_err();
    within("the next run", start("continues").await.unwrap().result()).await.unwrap();
    worker.stop().await;
    let names = recorder.names.lock().unwrap().clone();
    (names, recorder.panics.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_recorder_that_panics_costs_no_task_no_result_and_no_slot() {
    let (mut names, none) = work_in_spite_of(&[]).await;
    assert_eq!(none, 0);
    names.insert("worked".to_owned());
    assert!(names.len() > 30, "{names:?}");
    // Not so many of one recorder that it is asked for nothing any more.
    let names: Vec<String> = names.into_iter().collect();
    let broken = names.chunks(9).map(work_in_spite_of);
    let panics: u32 = futures::future::join_all(broken).await.into_iter().map(|(_, panics)| panics).sum();
    assert!(panics > 25, "only {panics} panics of {names:?}");
}

static TRIES: AtomicU32 = AtomicU32::new(0);

workflow!(Breaks: () => u32, |_context, ()| {
    let tries = TRIES.fetch_add(1, Ordering::Relaxed) + 1;
    assert!(tries > 2, "not yet");
    Ok(tries)
});

#[tokio::test]
async fn h10_each_failed_attempt_of_a_task_is_counted_though_the_history_has_one() {
    let (metrics, recorder) = Metrics::new();
    let (client, queue) = (connect(ClientOptions::new(server()).metrics_recorder(recorder)).await, unique("measured"));
    let worker = run_workflows(WorkflowWorker::builder(client.clone(), &queue).workflow::<Breaks>().build().unwrap());
    // The second failure is not told to the server, which waits for so long.
    let options = start_options(&queue).task_timeout(Duration::from_secs(5));
    let breaks = client.start_workflow(Breaks, (), options).await.unwrap();
    let tries = within("the end", breaks.result()).await.unwrap();
    let failed = |reason| {
        let labels = [("task_queue", queue.as_str()), ("workflow_type", "Breaks"), ("failure_reason", reason)];
        metrics.value("temporal_workflow_task_execution_failed", &labels)
    };
    // Only the first two fail. A third that comes too late is followed by more, which do not fail either.
    assert_eq!((failed("WorkflowError"), failed("NonDeterminismError")), (Some(2.0), Some(0.0)));
    assert!(tries >= 3, "{tries}");
    // The history has the first: as a failure, or as a timeout if that one came too late.
    let events = event_types(breaks.untyped()).await;
    let in_vain =
        events.iter().filter(|event| ["WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_TIMED_OUT"].contains(&event.as_str()));
    assert_eq!(in_vain.count(), 1, "{events:?}");
    worker.stop().await;
}
