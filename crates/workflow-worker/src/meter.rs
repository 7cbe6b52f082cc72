//! What user code counts with. Without a worker there is nothing to count with.

#[cfg(feature = "worker")]
pub(crate) use timewright_client::MetricMeter;

/// Stands in for the meter where there is none.
#[cfg(not(feature = "worker"))]
#[derive(Debug, Clone)]
pub(crate) struct MetricMeter;

#[cfg(not(feature = "worker"))]
impl MetricMeter {
    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) fn with_label(&self, _name: &'static str, _value: String) -> Self {
        Self
    }

    pub(crate) fn silenced_by(self, _silence: std::sync::Arc<std::sync::atomic::AtomicBool>) -> Self {
        self
    }
}
