//! What a workflow counts and measures with.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::meter::MetricMeter;

/// The meter of a Run. Most workflows never ask for it, so its labels are only made then.
pub(crate) struct RunMeter {
    of_worker: MetricMeter,
    silence: Arc<AtomicBool>,
    made: OnceCell<MetricMeter>,
}

impl RunMeter {
    /// Counts nothing while `silence` is true.
    pub(crate) fn new(of_worker: MetricMeter, silence: Arc<AtomicBool>) -> Self {
        Self { of_worker, silence, made: OnceCell::new() }
    }

    pub(super) fn of(&self, workflow_type: &str) -> &MetricMeter {
        self.made.get_or_init(|| {
            let meter = self.of_worker.with_label("workflow_type", workflow_type.to_owned());
            meter.silenced_by(Arc::clone(&self.silence))
        })
    }
}
