//! What an operator can see of a running worker, and ask of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use timewright_client::{ExecutedTasks, LocalActivityFigures, SlotPool, WorkerFigures};
use timewright_protocol::workflow::CacheLookup;
use tokio::sync::mpsc::UnboundedSender;

/// Looks at a Workflow Worker while it runs, from anywhere: [`WorkflowWorker::monitor`](crate::WorkflowWorker::monitor).
///
/// ```no_run
/// # use timewright_workflow_worker::{WorkerError, WorkflowWorker};
/// # async fn run(worker: WorkflowWorker, memory_is_scarce: impl Fn() -> bool + Send + 'static) -> Result<(), WorkerError> {
/// let monitor = worker.monitor();
/// tokio::spawn(async move {
///     loop {
///         tokio::time::sleep(std::time::Duration::from_secs(10)).await;
///         if memory_is_scarce() {
///             monitor.evict_cached_workflows(monitor.cached_workflows() / 2);
///         }
///     }
/// });
/// worker.run(std::future::pending()).await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct WorkflowWorkerMonitor {
    pub(crate) counters: Arc<Counters>,
    pub(crate) pressure: UnboundedSender<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    cached_workflows: AtomicUsize,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    local_activities: AtomicU64,
    failed_local_activities: AtomicU64,
    deadlocks: AtomicU64,
    held_threads: AtomicUsize,
}

impl WorkflowWorkerMonitor {
    /// How many workflows are in the cache, those included whose task is being executed.
    #[must_use]
    pub fn cached_workflows(&self) -> usize {
        self.counters.cached_workflows.load(Ordering::Relaxed)
    }

    /// How many Workflow Tasks found their workflow in the cache.
    #[must_use]
    pub fn cache_hits(&self) -> u64 {
        self.counters.cache_hits.load(Ordering::Relaxed)
    }

    /// How many Workflow Tasks did not find their workflow in the cache, and had to go through its history again. The first task of a
    /// workflow is not among them.
    #[must_use]
    pub fn cache_misses(&self) -> u64 {
        self.counters.cache_misses.load(Ordering::Relaxed)
    }

    /// Lets about so many cached workflows leave at once, those first that were used longest ago: memory is scarce. Workflows
    /// with an open task or with Local Activities stay. The next task of one that has left goes through its history again.
    pub fn evict_cached_workflows(&self, count: usize) {
        // Nobody listens once the worker has ended; then nothing is cached.
        let _ = self.pressure.send(count);
    }

    /// How often workflow code did not come back in time (TMPRL1101).
    #[must_use]
    pub fn deadlocks(&self) -> u64 {
        self.counters.deadlocks.load(Ordering::Relaxed)
    }

    /// How many threads are held now by workflow code that did not come back.
    #[must_use]
    pub fn held_threads(&self) -> usize {
        self.counters.held_threads.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn set_cached_workflows(&self, count: usize) {
        self.cached_workflows.store(count, Ordering::Relaxed);
    }

    pub(crate) fn count_lookup(&self, lookup: CacheLookup) {
        match lookup {
            CacheLookup::First => (),
            CacheLookup::Hit => drop(self.cache_hits.fetch_add(1, Ordering::Relaxed)),
            CacheLookup::Miss => drop(self.cache_misses.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(crate) fn count_local_activity(&self, has_failed: bool) {
        self.local_activities.fetch_add(1, Ordering::Relaxed);
        if has_failed {
            self.failed_local_activities.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What the server is shown.
    pub(crate) fn figures(&self, local_activity_slots: Option<&SlotPool>) -> WorkerFigures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkerFigures {
            cached_workflows: self.cached_workflows.load(Ordering::Relaxed),
            cache_hits: of(&self.cache_hits),
            cache_misses: of(&self.cache_misses),
            local_activities: local_activity_slots.map(|slots| LocalActivityFigures {
                used_slots: slots.used(),
                free_slots: slots.free(),
                slot_supplier: slots.supplier_name().to_owned(),
                tasks: ExecutedTasks {
                    processed: of(&self.local_activities),
                    failed: of(&self.failed_local_activities),
                },
            }),
        }
    }

    pub(crate) fn count_deadlock(&self) {
        self.deadlocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_held_threads(&self, count: usize) {
        self.held_threads.store(count, Ordering::Relaxed);
    }
}
