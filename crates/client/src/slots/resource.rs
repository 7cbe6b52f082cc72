//! Slots as long as the machine, or the container, has CPU and memory to spare.

mod cgroup;
mod monitor;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use pid::Pid;
use tokio::time::{Instant, sleep_until};

pub use monitor::{ResourceMonitor, ResourceUsage};

use super::{SlotRequest, SlotSupplier};
use crate::metric_meter::MetricMeter;
use crate::sdk_metrics::{CPU_USAGE, MEMORY_USAGE, RESOURCE_METRICS};
use monitor::SystemMonitor;

/// How much of the machine, or of the container, workers are to use. Shares, from 0 to 1.
///
/// Memory is counted without what the system only keeps in case it is asked for again, such as pages of files: in a container its
/// anonymous memory against its limit, elsewhere what is not available.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResourceTargets {
    /// The memory, of the container's limit if there is one, else of the machine.
    pub memory: f64,
    /// The CPU, of the container's quota if there is one, else of the machine.
    pub cpu: f64,
}

/// A target that is none. The application's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a target of {share} for the {resource} cannot be met; give a share above 0, and up to 1")]
pub struct InvalidResourceTarget {
    resource: &'static str,
    share: String,
}

/// Decides whether the machine has room for one more task. Cheap to clone; all workers of a process should share one, since they
/// share the machine.
///
/// It measures five times a second, and steers with a PID controller for each resource, which sees in time that a target is about
/// to be passed.
#[derive(Clone)]
pub struct ResourceController(Arc<Mutex<State>>);

struct State {
    monitor: Box<dyn ResourceMonitor>,
    memory: Pid<f64>,
    cpu: Pid<f64>,
    has_room: bool,
    usage: ResourceUsage,
    measured_at: Option<Instant>,
    gauges: Option<(Gauge, Gauge)>,
}

/// Gives slots as long as a [`ResourceController`] sees room.
///
/// ```
/// use std::time::Duration;
/// use timewright_client::{ResourceBasedSlots, ResourceController, ResourceTargets};
///
/// let controller = ResourceController::new(ResourceTargets { memory: 0.8, cpu: 0.9 })?;
/// let activities = ResourceBasedSlots::new(&controller).minimum(2).maximum(200).ramp_throttle(Duration::from_millis(50));
/// let local_activities = ResourceBasedSlots::new(&controller);
/// # let _ = (activities, local_activities);
/// # Ok::<(), timewright_client::InvalidResourceTarget>(())
/// ```
#[derive(Clone)]
pub struct ResourceBasedSlots {
    controller: ResourceController,
    minimum: usize,
    maximum: usize,
    ramp_throttle: Duration,
    given: Arc<Given>,
}

#[derive(Default)]
struct Given {
    count: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

/// A slot of [`ResourceBasedSlots`].
pub struct ResourceSlot(Arc<Given>);

impl ResourceController {
    /// For the machine, or the container, that this process runs in.
    ///
    /// # Errors
    /// If a target is not a share of something.
    pub fn new(targets: ResourceTargets) -> Result<Self, InvalidResourceTarget> {
        Self::with_monitor(targets, SystemMonitor::default())
    }

    /// For what this monitor sees.
    ///
    /// # Errors
    /// If a target is not a share of something.
    pub fn with_monitor(
        targets: ResourceTargets,
        monitor: impl ResourceMonitor,
    ) -> Result<Self, InvalidResourceTarget> {
        for (resource, share) in [("memory", targets.memory), ("CPU", targets.cpu)] {
            if !(share > 0.0 && share <= 1.0) {
                return Err(InvalidResourceTarget { resource, share: share.to_string() });
            }
        }
        Ok(Self(Arc::new(Mutex::new(State {
            monitor: Box::new(monitor),
            memory: steering(targets.memory),
            cpu: steering(targets.cpu),
            has_room: false,
            usage: ResourceUsage::default(),
            measured_at: None,
            gauges: None,
        }))))
    }

    /// Shows what it measures, in percent: Temporal's metrics `resource_slots_mem_usage` and `resource_slots_cpu_usage`. It measures while
    /// slots beyond the minimum are asked for.
    ///
    /// ```
    /// # use timewright_client::{Client, ResourceController};
    /// # fn example(controller: ResourceController, client: &Client) -> ResourceController {
    /// controller.metered(client.metric_meter())
    /// # }
    /// ```
    #[must_use]
    pub fn metered(self, meter: &MetricMeter) -> Self {
        meter.describe(RESOURCE_METRICS);
        self.lock().gauges = Some((meter.gauge(MEMORY_USAGE), meter.gauge(CPU_USAGE)));
        self
    }

    /// What was measured last.
    #[must_use]
    pub fn usage(&self) -> ResourceUsage {
        self.lock().usage
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for one more task.
    fn has_room(&self) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        if state.measured_at.is_none_or(|at| now >= at + MEASURE_EVERY) {
            state.measured_at = Some(now);
            state.usage = state.monitor.measure();
            let ResourceUsage { memory, cpu } = state.usage;
            if let Some((memory_gauge, cpu_gauge)) = &state.gauges {
                memory_gauge.set(memory * 100.0);
                cpu_gauge.set(cpu * 100.0);
            }
            let memory = state.memory.next_control_output(memory).output;
            let cpu = state.cpu.next_control_output(cpu).output;
            state.has_room = memory > MEMORY_THRESHOLD && cpu > CPU_THRESHOLD;
        }
        state.has_room
    }
}

/// Mostly proportional; what grows fast is braked before it is there. Without the integral term: it would remember a time in which
/// there was nothing to do as room that is there to be used.
fn steering(target: f64) -> Pid<f64> {
    let mut pid = Pid::new(target, 100.0);
    pid.p(5.0, 100.0).d(1.0, 100.0);
    pid
}

impl ResourceBasedSlots {
    /// From 5 to 500 slots, as fast as the controller allows it.
    #[must_use]
    pub fn new(controller: &ResourceController) -> Self {
        Self {
            controller: controller.clone(),
            minimum: 5,
            maximum: 500,
            ramp_throttle: Duration::ZERO,
            given: Arc::default(),
        }
    }

    /// So many are given whatever the machine does, so that a worker is never at a standstill because of what others do.
    /// A Workflow Worker needs 2, one for each of its queues.
    #[must_use]
    pub const fn minimum(mut self, minimum: usize) -> Self {
        self.minimum = minimum;
        self
    }

    /// Never more than so many.
    #[must_use]
    pub const fn maximum(mut self, maximum: usize) -> Self {
        self.maximum = maximum;
        self
    }

    /// The least time between two slots beyond the minimum: long enough for a task to show what it needs. 50 ms is right for most
    /// activities, nothing for Workflow Tasks.
    #[must_use]
    pub const fn ramp_throttle(mut self, throttle: Duration) -> Self {
        self.ramp_throttle = throttle;
        self
    }

    /// How many are given out.
    #[must_use]
    pub fn given(&self) -> usize {
        self.given.count.load(Ordering::Relaxed)
    }

    /// A slot, or when to ask again.
    fn give(&self, request: &SlotRequest) -> Result<ResourceSlot, Instant> {
        let now = Instant::now();
        // Held while it decides, so that two who ask at once do not both get the last one.
        let mut last = self.given.last.lock().unwrap_or_else(PoisonError::into_inner);
        let given = self.given();
        let later = now + MEASURE_EVERY;
        if given >= self.maximum {
            return Err(later);
        }
        // Who has none at all would wait for a queue that nobody serves.
        if given >= self.minimum && request.held > 0 {
            let ramp_ends = last.map_or(now, |last| last + self.ramp_throttle);
            if now < ramp_ends {
                return Err(ramp_ends);
            }
            if !self.controller.has_room() {
                return Err(later);
            }
        }
        *last = Some(now);
        self.given.count.fetch_add(1, Ordering::Relaxed);
        Ok(ResourceSlot(Arc::clone(&self.given)))
    }
}

impl SlotSupplier for ResourceBasedSlots {
    type Permit = ResourceSlot;

    async fn reserve(&self, request: SlotRequest) -> ResourceSlot {
        loop {
            match self.give(&request) {
                Ok(slot) => return slot,
                Err(later) => sleep_until(later).await,
            }
        }
    }

    fn try_reserve(&self, request: &SlotRequest) -> Option<ResourceSlot> {
        // It is no first slot, whatever the worker holds: nothing waits for it.
        self.give(&SlotRequest { held: request.held.max(1), ..request.clone() }).ok()
    }

    fn name(&self) -> &str {
        "ResourceBased"
    }
}

impl Drop for ResourceSlot {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for ResourceController {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ResourceController").field(&self.usage()).finish()
    }
}

impl fmt::Debug for ResourceBasedSlots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResourceBasedSlots")
            .field("given", &self.given())
            .field("minimum", &self.minimum)
            .field("maximum", &self.maximum)
            .finish_non_exhaustive()
    }
}

/// Not more often than the system itself counts.
const MEASURE_EVERY: Duration = Duration::from_millis(200);
/// With a gain of 5: room for one more is where usage is 5 % below the target, since memory that is gone does not come back soon;
const MEMORY_THRESHOLD: f64 = 0.25;
/// and 1 % for CPU, which only makes things slower.
const CPU_THRESHOLD: f64 = 0.05;

#[cfg(test)]
mod tests;
