//! Metric meters: what counts and measures, with the labels that belong there.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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
    Own(Arc<dyn Recorder + Send + Sync>),
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
        Self { destination: Destination::Own(Arc::new(recorder)), ..Self::new() }
    }

    /// One that counts nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::to(NoopRecorder)
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
        let key = self.key(name);
        match &self.silence {
            None => self.destination.counter(&key),
            Some(silence) => Counter::from_arc(Arc::new(self.silenced(key, silence))),
        }
    }

    /// A gauge, which shows how something is now.
    pub fn gauge(&self, name: impl Into<SharedString>) -> Gauge {
        let key = self.key(name);
        match &self.silence {
            None => self.destination.gauge(&key),
            Some(silence) => Gauge::from_arc(Arc::new(self.silenced(key, silence))),
        }
    }

    /// A histogram, which shows how values are distributed. A [`Duration`](std::time::Duration) is recorded in seconds.
    pub fn histogram(&self, name: impl Into<SharedString>) -> Histogram {
        let key = self.key(name);
        match &self.silence {
            None => self.destination.histogram(&key),
            Some(silence) => Histogram::from_arc(Arc::new(self.silenced(key, silence))),
        }
    }

    /// A part of a gauge.
    #[must_use]
    pub fn gauge_part(&self, name: impl Into<SharedString>) -> GaugePart {
        GaugePart { gauge: self.gauge(name), part: 0 }
    }

    /// Tells the recorder what metrics are, so that exporters can show it.
    pub fn describe(&self, metrics: &[MetricDescription]) {
        self.destination.with(|recorder| {
            for MetricDescription { name, kind, text } in metrics {
                let (name, text) = (KeyName::from(*name), SharedString::const_str(text));
                match kind {
                    MetricKind::Counter => recorder.describe_counter(name, None, text),
                    MetricKind::Gauge => recorder.describe_gauge(name, None, text),
                    MetricKind::Latency => recorder.describe_histogram(name, Some(Unit::Seconds), text),
                }
            }
        });
    }

    /// Where handles that are made now go.
    pub(crate) fn recorder_id(&self) -> RecorderId {
        self.destination.with(|recorder| RecorderId(std::ptr::from_ref(recorder).cast::<()>() as usize))
    }

    fn key(&self, name: impl Into<SharedString>) -> Key {
        Key::from_parts(name, self.labels.to_vec())
    }

    fn silenced<H>(&self, key: Key, silence: &Arc<AtomicBool>) -> Silenced<H> {
        Silenced { destination: self.destination.clone(), key, silence: Arc::clone(silence), handle: OnceLock::new() }
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

impl Destination {
    fn with<T>(&self, call: impl FnOnce(&dyn Recorder) -> T) -> T {
        match self {
            Self::Process => metrics::with_recorder(call),
            Self::Own(recorder) => call(&**recorder),
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

/// A handle that does nothing while there is silence. The recorder's own handle is made when it is needed first, and so never in
/// the silence, in which plain macros of the crate `metrics` may go to no recorder.
struct Silenced<H> {
    destination: Destination,
    key: Key,
    silence: Arc<AtomicBool>,
    handle: OnceLock<H>,
}

impl<H> Silenced<H> {
    fn unless_silent(&self, make: impl FnOnce(&Destination, &Key) -> H, act: impl FnOnce(&H)) {
        if !self.silence.load(Ordering::Relaxed) {
            act(self.handle.get_or_init(|| make(&self.destination, &self.key)));
        }
    }
}

impl CounterFn for Silenced<Counter> {
    fn increment(&self, value: u64) {
        self.unless_silent(Destination::counter, |counter| counter.increment(value));
    }

    fn absolute(&self, value: u64) {
        self.unless_silent(Destination::counter, |counter| counter.absolute(value));
    }
}

impl GaugeFn for Silenced<Gauge> {
    fn increment(&self, value: f64) {
        self.unless_silent(Destination::gauge, |gauge| gauge.increment(value));
    }

    fn decrement(&self, value: f64) {
        self.unless_silent(Destination::gauge, |gauge| gauge.decrement(value));
    }

    fn set(&self, value: f64) {
        self.unless_silent(Destination::gauge, |gauge| gauge.set(value));
    }
}

impl HistogramFn for Silenced<Histogram> {
    fn record(&self, value: f64) {
        self.unless_silent(Destination::histogram, |histogram| histogram.record(value));
    }
}

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

    #[test]
    fn without_a_recorder_nothing_happens() {
        let meter = MetricMeter::new();
        meter.describe(&[MetricDescription { name: "c", kind: MetricKind::Counter, text: "counts" }]);
        meter.counter("c").increment(1);
        assert_eq!(format!("{:?}", meter.with_label("a", "1")), "{\"a\": \"1\"}");
    }
}
