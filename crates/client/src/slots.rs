//! Where the slots of a worker come from.

#[cfg(feature = "resource-slots")]
mod resource;
mod supplier;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use timewright_protocol::task_queue::PollerOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metric_meter::MetricMeter;
use crate::sdk_metrics::SlotGauges;
#[cfg(feature = "resource-slots")]
pub use resource::{
    InvalidResourceTarget, ResourceBasedSlots, ResourceController, ResourceMonitor, ResourceSlot, ResourceTargets,
    ResourceUsage,
};

pub(crate) use supplier::{DynSupplier, Permit};
pub use supplier::{SlotKind, SlotRequest, SlotSupplier, SlotTask};

/// The slots of one kind that a worker has: how many tasks it executes at the same time.
///
/// <https://docs.temporal.io/develop/worker-performance>
#[derive(Clone)]
pub struct WorkerSlots(Source);

#[derive(Clone)]
enum Source {
    Fixed(usize),
    Supplied(Arc<dyn DynSupplier>),
}

impl WorkerSlots {
    /// Always as many.
    #[must_use]
    pub const fn fixed(count: usize) -> Self {
        Self(Source::Fixed(count))
    }

    /// As many as a supplier gives.
    #[must_use]
    pub fn supplied(supplier: impl SlotSupplier) -> Self {
        Self(Source::Supplied(Arc::new(supplier)))
    }

    /// How many there are, if that is fixed.
    #[must_use]
    pub const fn count(&self) -> Option<usize> {
        match &self.0 {
            Source::Fixed(count) => Some(*count),
            Source::Supplied(_) => None,
        }
    }

    /// What kind of supplier it is: `Fixed`, or as the [supplier](SlotSupplier::name) says.
    #[must_use]
    pub fn supplier_name(&self) -> &str {
        match &self.0 {
            Source::Fixed(_) => "Fixed",
            Source::Supplied(supplier) => supplier.name(),
        }
    }

    /// For a poller that uses these slots.
    #[must_use]
    pub fn poller_options(&self) -> PollerOptions {
        match &self.0 {
            Source::Fixed(count) => PollerOptions::new(*count),
            Source::Supplied(_) => PollerOptions::supplied(),
        }
    }

    pub(crate) fn supplier(&self) -> Option<&Arc<dyn DynSupplier>> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Supplied(supplier) => Some(supplier),
        }
    }
}

impl fmt::Debug for WorkerSlots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(count) => formatter.debug_tuple("WorkerSlots").field(count).finish(),
            Source::Supplied(supplier) => formatter.debug_tuple("WorkerSlots").field(&supplier.name()).finish(),
        }
    }
}

/// Slots for tasks that no poll brings: Local Activities. Whoever wants one waits for it.
#[derive(Clone, Debug)]
pub struct SlotPool {
    slots: WorkerSlots,
    request: SlotRequest,
    semaphore: Arc<Semaphore>,
    usage: Arc<Mutex<Usage>>,
}

/// A slot of a [`SlotPool`], given back when it is dropped.
#[must_use = "a slot that is dropped is given to the next task"]
pub struct PoolSlot {
    usage: Arc<Mutex<Usage>>,
    // Dropped behind `Drop::drop`, so that what is counted as free is free.
    _held: Held,
}

/// How many slots of a pool are in use.
#[derive(Debug, Default)]
struct Usage {
    used: usize,
    /// How many there are, where that is fixed.
    count: Option<usize>,
    gauges: Option<SlotGauges>,
}

#[expect(dead_code, reason = "held until they are dropped")]
enum Held {
    Fixed(Option<OwnedSemaphorePermit>),
    Supplied(Permit),
}

impl SlotPool {
    /// A pool of these slots, which are asked for with this request.
    #[must_use]
    pub fn new(slots: WorkerSlots, request: SlotRequest) -> Self {
        let count = slots.count().map(|count| count.min(Semaphore::MAX_PERMITS));
        let usage = Usage { count, ..Usage::default() };
        let semaphore = Arc::new(Semaphore::new(count.unwrap_or_default()));
        Self { slots, request, semaphore, usage: Arc::new(Mutex::new(usage)) }
    }

    /// Measures from now on how many are in use. The meter has the labels of the namespace and the Task Queue.
    #[must_use]
    pub fn metered(self, meter: &MetricMeter) -> Self {
        let gauges = SlotGauges::new(meter, self.request.kind);
        change(&self.usage, |usage| usage.gauges = Some(gauges));
        self
    }

    /// Waits for a slot for this task. Nothing is lost if the future is dropped.
    pub async fn acquire(&self, task: &SlotTask) -> PoolSlot {
        let held = match self.slots.supplier() {
            // Nobody closes the semaphore; were it so, there would be no limit.
            None => Held::Fixed(Arc::clone(&self.semaphore).acquire_owned().await.ok()),
            Some(supplier) => Held::Supplied(self.supply(supplier, task).await),
        };
        change(&self.usage, |usage| usage.used += 1);
        PoolSlot { usage: Arc::clone(&self.usage), _held: held }
    }

    async fn supply(&self, supplier: &Arc<dyn DynSupplier>, task: &SlotTask) -> Permit {
        loop {
            let request = SlotRequest { held: self.used(), ..self.request.clone() };
            // On a task of its own, so that its panics stay its own; it ends with this future.
            let mut reserved = tokio::task::JoinSet::new();
            reserved.spawn(Arc::clone(supplier).reserve(request));
            match reserved.join_next().await {
                Some(Ok(mut permit)) => {
                    permit.mark_used(task);
                    return permit;
                }
                Some(Err(error)) => tracing::error!("the slot supplier `{}` failed: {error}", supplier.name()),
                None => (),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How many are in use.
    #[must_use]
    pub fn used(&self) -> usize {
        change(&self.usage, |usage| usage.used)
    }

    /// What kind of slots these are.
    #[must_use]
    pub fn supplier_name(&self) -> &str {
        self.slots.supplier_name()
    }

    /// How many could be taken now; `None` where only their supplier knows.
    #[must_use]
    pub fn free(&self) -> Option<usize> {
        match self.slots.supplier() {
            None => Some(self.semaphore.available_permits()),
            Some(supplier) => supplier.free(),
        }
    }
}

impl fmt::Debug for PoolSlot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PoolSlot")
    }
}

impl Drop for PoolSlot {
    fn drop(&mut self) {
        change(&self.usage, |usage| usage.used -= 1);
    }
}

/// Changes how many are in use, and shows it.
fn change<T>(usage: &Mutex<Usage>, change: impl FnOnce(&mut Usage) -> T) -> T {
    // Nobody panics with the lock held.
    let mut usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
    let result = change(&mut usage);
    let (used, available) = (usage.used, usage.count.map(|count| count.saturating_sub(usage.used)));
    if let Some(gauges) = &mut usage.gauges {
        gauges.show(used, available);
    }
    result
}

/// How long a supplier that failed is left in peace.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

#[cfg(test)]
mod tests;
