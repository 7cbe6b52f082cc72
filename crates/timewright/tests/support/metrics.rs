//! What is counted and measured while a test runs, as Prometheus would see it.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::poll_until;

/// The metrics of those clients that were given its recorder.
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// And the recorder.
    pub(crate) fn new() -> (Self, PrometheusRecorder) {
        let recorder = PrometheusBuilder::new().build_recorder();
        (Self(recorder.handle()), recorder)
    }

    /// The sum of all that have this name and these labels; `None` where there is none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let text = self.0.render();
        let values = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let (found, shown) = key.split_once('{').unwrap_or((key, ""));
            let has = |(key, value): &(&str, &str)| shown.contains(&format!("{key}=\"{value}\""));
            (found == name && labels.iter().all(has)).then(|| value.parse::<f64>().ok()).flatten()
        });
        values.reduce(|sum, value| sum + value)
    }

    /// Waits until it is so much: what is counted behind an answer may come a moment later.
    pub(crate) async fn wait_for(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        poll_until(format!("{name} {labels:?} to be {value} in\n{}", self.text()), || async {
            (self.value(name, labels) == Some(value)).then_some(())
        })
        .await;
    }

    pub(crate) fn text(&self) -> String {
        self.0.render()
    }
}
