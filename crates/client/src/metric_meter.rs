//! Metric meters: what counts and measures, with the labels that belong there.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use crate::caught::panic_text;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Label, Level, Metadata, NoopRecorder,
    Recorder, SharedString, Unit,
};

/// Makes counters, gauges and histograms that carry certain labels, and go where the metrics of the SDK go.
///
/// That is the process's recorder, which an exporter installs, such as the crate `metrics-exporter-prometheus`; or the one that
/// [`ClientOptions::metrics_recorder`](crate::ClientOptions::metrics_recorder) has named. Where there is none, nothing is counted, and
/// that costs next to nothing. Cloning is cheap.
///
/// Get one from a client ([`Client::metric_meter`](crate::Client::metric_meter)), or from the context of an activity or a workflow. That
/// of a workflow counts nothing on replay, since it has been counted before.
///
/// ```
/// # fn example(meter: timewright_client::MetricMeter) {
/// meter.counter("orders_shipped").increment(1);
/// meter.with_label("warehouse", "north").gauge("orders_waiting").set(17.0);
/// meter.histogram("order_bytes").record(512.0);
/// # }
/// ```
///
/// A handle may be kept; making one costs a look into the recorder's tables. A label whose values have no bound, such as a
/// Workflow Id, makes a metric of its own of each value: that is what logs are for.
///
/// What the SDK itself measures is in Temporal's [reference](https://docs.temporal.io/references/sdk-metrics).
#[derive(Clone)]
pub struct MetricMeter {
    destination: Destination,
    labels: Arc<[Label]>,
    /// Nothing is counted while it is true.
    silence: Option<Arc<AtomicBool>>,
}

#[derive(Clone)]
enum Destination {
    /// Whatever is the process's recorder when a handle is made.
    Process,
    Own(Arc<Own>),
    Nowhere,
}

struct Own {
    recorder: Box<dyn Recorder + Send + Sync>,
    panics: AtomicU32,
}

/// Tells recorders apart, by where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecorderId(usize);

/// What a metric is, for those who show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDescription {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// In one line.
    pub text: &'static str,
}

impl MetricDescription {
    /// That of a counter.
    #[must_use]
    pub const fn counter(name: &'static str, text: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, text }
    }

    /// That of a gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, text: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, text }
    }

    /// That of a histogram of times, which are in seconds.
    #[must_use]
    pub const fn latency(name: &'static str, text: &'static str) -> Self {
        Self { name, kind: MetricKind::Latency, text }
    }
}

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// As it is now.
    Gauge,
    /// Times, in seconds.
    Latency,
}

/// A part of a gauge in which others may have parts, too: several workers on one Task Queue share their gauges, which show the
/// sum. Dropped, it has no part in it any more.
#[derive(Debug)]
pub struct GaugePart {
    gauge: Gauge,
    part: usize,
}

impl MetricMeter {
    /// One without labels, for the recorder of the process.
    #[must_use]
    pub fn new() -> Self {
        Self { destination: Destination::Process, labels: Arc::new([]), silence: None }
    }

    /// One without labels, for this recorder.
    #[must_use]
    pub fn to(recorder: impl Recorder + Send + Sync + 'static) -> Self {
        let own = Own { recorder: Box::new(recorder), panics: AtomicU32::new(0) };
        Self { destination: Destination::Own(Arc::new(own)), ..Self::new() }
    }

    /// One that counts nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { destination: Destination::Nowhere, ..Self::new() }
    }

    /// The same with one label more, or with another value of it.
    #[must_use]
    pub fn with_label(&self, key: impl Into<SharedString>, value: impl Into<SharedString>) -> Self {
        let label = Label::new(key, value);
        let others = self.labels.iter().filter(|other| other.key() != label.key()).cloned();
        Self { labels: others.chain([label.clone()]).collect(), ..self.clone() }
    }

    /// The same, but nothing is counted while `silence` is true. For whoever executes workflows: they must not count on replay.
    #[must_use]
    pub fn silenced_by(&self, silence: Arc<AtomicBool>) -> Self {
        Self { silence: Some(silence), ..self.clone() }
    }

    /// A counter, which only grows.
    pub fn counter(&self, name: impl Into<SharedString>) -> Counter {
        match self.handle(name, Destination::counter) {
            Some(handle) => Counter::from_arc(Arc::new(handle)),
            None => Counter::noop(),
        }
    }

    /// A gauge, which shows how something is now.
    pub fn gauge(&self, name: impl Into<SharedString>) -> Gauge {
        match self.handle(name, Destination::gauge) {
            Some(handle) => Gauge::from_arc(Arc::new(handle)),
            None => Gauge::noop(),
        }
    }

    /// A histogram, which shows how values are distributed. A [`Duration`](std::time::Duration) is recorded in seconds.
    pub fn histogram(&self, name: impl Into<SharedString>) -> Histogram {
        match self.handle(name, Destination::histogram) {
            Some(handle) => Histogram::from_arc(Arc::new(handle)),
            None => Histogram::noop(),
        }
    }

    /// Counts once: a handle that is not kept.
    pub(crate) fn count(&self, name: &'static str) {
        let key = self.key(name);
        self.destination.guarded(|destination| destination.counter(&key).increment(1));
    }

    /// A part of a gauge.
    #[must_use]
    pub fn gauge_part(&self, name: impl Into<SharedString>) -> GaugePart {
        GaugePart { gauge: self.gauge(name), part: 0 }
    }

    /// Tells the recorder what metrics are, so that exporters can show it.
    pub fn describe(&self, metrics: &[MetricDescription]) {
        self.destination.guarded(|destination| {
            destination.with(|recorder| {
                for MetricDescription { name, kind, text } in metrics {
                    let (name, text) = (KeyName::from(*name), SharedString::const_str(text));
                    match kind {
                        MetricKind::Counter => recorder.describe_counter(name, None, text),
                        MetricKind::Gauge => recorder.describe_gauge(name, None, text),
                        MetricKind::Latency => recorder.describe_histogram(name, Some(Unit::Seconds), text),
                    }
                }
            })
        });
    }

    /// Where handles that are made now go.
    pub(crate) fn recorder_id(&self) -> RecorderId {
        self.destination.with(|recorder| RecorderId(std::ptr::from_ref(recorder).cast::<()>() as usize))
    }

    fn key(&self, name: impl Into<SharedString>) -> Key {
        Key::from_parts(name, self.labels.to_vec())
    }

    /// `None` where nothing is counted.
    fn handle<H>(&self, name: impl Into<SharedString>, make: fn(&Destination, &Key) -> H) -> Option<Handle<H>> {
        if matches!(self.destination, Destination::Nowhere) {
            return None;
        }
        let (destination, silence) = (self.destination.clone(), self.silence.clone());
        let handle = Handle { destination, key: self.key(name), silence, make, made: OnceLock::new() };
        if handle.silence.is_none() {
            handle.act(|_| ());
        }
        Some(handle)
    }
}

impl Default for MetricMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MetricMeter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels.iter().map(|label| (label.key(), label.value()));
        formatter.debug_map().entries(labels).finish()
    }
}

impl GaugePart {
    /// What this part is now.
    pub fn set(&mut self, part: usize) {
        // Differences of integers: exact, so that the sum is, too.
        if part > self.part {
            self.gauge.increment((part - self.part) as f64);
        } else if part < self.part {
            self.gauge.decrement((self.part - part) as f64);
        }
        self.part = part;
    }
}

impl Drop for GaugePart {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Compiled once, and not for each call that is guarded.
fn note_panic(panics: &AtomicU32, panic: &(dyn Any + Send)) {
    let count = panics.fetch_add(1, Ordering::Relaxed) + 1;
    let text = panic_text(panic);
    if count == MAXIMUM_PANICS {
        tracing::error!("the metrics recorder panicked {count} times, and gets nothing any more: {text}");
    } else {
        tracing::error!("the metrics recorder panicked: {text}");
    }
}

impl Destination {
    /// Whatever a recorder does that somebody has installed, it costs metrics and nothing else. One that panics again and again is not
    /// asked any more: each panic is work, and a line of the process's panic hook.
    fn guarded(&self, call: impl FnOnce(&Self)) {
        let panics = match self {
            Self::Process => &PANICS_OF_THE_PROCESS,
            Self::Own(own) => &own.panics,
            Self::Nowhere => return,
        };
        if panics.load(Ordering::Relaxed) >= MAXIMUM_PANICS {
            return;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(self))) {
            note_panic(panics, &*panic);
        }
    }

    fn with<T>(&self, call: impl FnOnce(&dyn Recorder) -> T) -> T {
        match self {
            Self::Process => metrics::with_recorder(call),
            Self::Own(own) => call(&*own.recorder),
            Self::Nowhere => call(&NoopRecorder),
        }
    }

    fn counter(&self, key: &Key) -> Counter {
        self.with(|recorder| recorder.register_counter(key, &METADATA))
    }

    fn gauge(&self, key: &Key) -> Gauge {
        self.with(|recorder| recorder.register_gauge(key, &METADATA))
    }

    fn histogram(&self, key: &Key) -> Histogram {
        self.with(|recorder| recorder.register_histogram(key, &METADATA))
    }
}

/// A recorder's handle, whose panics stay here, and which does nothing while there is silence.
///
/// Where there may be silence, the recorder's own handle is made when it is needed first, and so never in the silence, in which plain
/// macros of the crate `metrics` may go to no recorder.
struct Handle<H> {
    destination: Destination,
    key: Key,
    silence: Option<Arc<AtomicBool>>,
    make: fn(&Destination, &Key) -> H,
    made: OnceLock<H>,
}

impl<H> Handle<H> {
    fn act(&self, act: impl FnOnce(&H)) {
        if self.silence.as_ref().is_some_and(|silence| silence.load(Ordering::Relaxed)) {
            return;
        }
        self.destination.guarded(|destination| act(self.made.get_or_init(|| (self.make)(destination, &self.key))));
    }
}

impl CounterFn for Handle<Counter> {
    fn increment(&self, value: u64) {
        self.act(|counter| counter.increment(value));
    }

    fn absolute(&self, value: u64) {
        self.act(|counter| counter.absolute(value));
    }
}

impl GaugeFn for Handle<Gauge> {
    fn increment(&self, value: f64) {
        self.act(|gauge| gauge.increment(value));
    }

    fn decrement(&self, value: f64) {
        self.act(|gauge| gauge.decrement(value));
    }

    fn set(&self, value: f64) {
        self.act(|gauge| gauge.set(value));
    }
}

impl HistogramFn for Handle<Histogram> {
    fn record(&self, value: f64) {
        self.act(|histogram| histogram.record(value));
    }
}

static PANICS_OF_THE_PROCESS: AtomicU32 = AtomicU32::new(0);
const MAXIMUM_PANICS: u32 = 10;
static METADATA: Metadata<'static> = Metadata::new("timewright", Level::INFO, Some(module_path!()));

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn handles_are_silent_and_heard_and_a_label_has_one_value() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let silence = Arc::new(AtomicBool::new(true));
        let meter = MetricMeter::to(recorder).with_label("a", "1").with_label("b", "2").with_label("a", "3");
        let replayed = meter.silenced_by(Arc::clone(&silence));
        let (counter, gauge, histogram) = (replayed.counter("c"), replayed.gauge("g"), replayed.histogram("h"));
        let count = || {
            counter.increment(1);
            gauge.increment(2.0);
            histogram.record(3.0);
        };
        // As on a replay: what macros count goes nowhere, and a handle that is made there is no worse for it.
        metrics::with_local_recorder(&NoopRecorder, count);
        assert_eq!(handle.render(), "");
        silence.store(false, Ordering::Relaxed);
        count();
        silence.store(true, Ordering::Relaxed);
        count();
        let text = handle.render();
        for line in ["c{b=\"2\",a=\"3\"} 1", "g{b=\"2\",a=\"3\"} 2", "h_count{b=\"2\",a=\"3\"} 1"] {
            assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        }
    }

    #[test]
    fn parts_of_a_gauge_add_up_and_go() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let meter = MetricMeter::to(recorder);
        let (mut one, mut other) = (meter.gauge_part("g"), meter.gauge_part("g"));
        one.set(7);
        other.set(3);
        one.set(5);
        let text = handle.render();
        assert!(text.contains("g 8\n"), "{text}");
        drop(one);
        assert!(handle.render().contains("g 3\n"));
        drop(other);
        assert!(handle.render().contains("g 0\n"));
    }

    /// Panics whatever it is asked, or only what its handles are asked.
    struct Panicking {
        registers: bool,
        asked: Arc<AtomicU32>,
    }

    impl Panicking {
        fn register<H>(&self, handle: H) -> H {
            if self.registers {
                return handle;
            }
            self.asked.fetch_add(1, Ordering::Relaxed);
            panic!("no registration")
        }
    }

    struct PanickingHandle(Arc<AtomicU32>);

    impl PanickingHandle {
        fn panic(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("no value");
        }
    }

    impl CounterFn for PanickingHandle {
        fn increment(&self, _: u64) {
            self.panic();
        }

        fn absolute(&self, _: u64) {
            self.panic();
        }
    }

    impl GaugeFn for PanickingHandle {
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

    impl HistogramFn for PanickingHandle {
        fn record(&self, _: f64) {
            self.panic();
        }
    }

    impl Recorder for Panicking {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            self.register(());
        }

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            self.register(());
        }

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
            self.register(());
        }

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            self.register(Counter::from_arc(Arc::new(PanickingHandle(Arc::clone(&self.asked)))))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            self.register(Gauge::from_arc(Arc::new(PanickingHandle(Arc::clone(&self.asked)))))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            self.register(Histogram::from_arc(Arc::new(PanickingHandle(Arc::clone(&self.asked)))))
        }
    }

    #[test]
    fn a_recorder_that_panics_costs_nobody_anything_and_is_left_alone_at_last() {
        for registers in [true, false] {
            let asked = Arc::new(AtomicU32::new(0));
            let meter = MetricMeter::to(Panicking { registers, asked: Arc::clone(&asked) });
            meter.describe(&[MetricDescription::counter("c", "counts")]);
            meter.count("c");
            let silence = Arc::new(AtomicBool::new(false));
            for meter in [meter.clone(), meter.silenced_by(silence)] {
                let (counter, gauge, histogram) = (meter.counter("c"), meter.gauge("g"), meter.histogram("h"));
                counter.increment(1);
                counter.absolute(1);
                gauge.set(1.0);
                histogram.record(1.0);
                // Its part leaves while another panic is on its way, which would abort the process.
                let part = std::thread::spawn(move || {
                    let mut part = meter.gauge_part("g");
                    part.set(3);
                    panic!("something else");
                });
                assert_eq!(part.join().unwrap_err().downcast_ref(), Some(&"something else"));
            }
            assert_eq!(asked.load(Ordering::Relaxed), MAXIMUM_PANICS);
        }
    }

    #[test]
    fn without_a_recorder_nothing_happens() {
        let meter = MetricMeter::new();
        meter.describe(&[MetricDescription { name: "c", kind: MetricKind::Counter, text: "counts" }]);
        meter.counter("c").increment(1);
        assert_eq!(format!("{:?}", meter.with_label("a", "1")), "{\"a\": \"1\"}");
    }
}
