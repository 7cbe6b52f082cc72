//! Suppliers that give, wait, and panic.

use super::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// So many slots, whose life it writes down.
struct Scripted {
    free: Arc<Semaphore>,
    story: Arc<Mutex<Vec<String>>>,
    panics: AtomicUsize,
}

struct Written {
    _permit: OwnedSemaphorePermit,
    story: Arc<Mutex<Vec<String>>>,
}

impl Drop for Written {
    fn drop(&mut self) {
        self.story.lock().unwrap().push("released".to_owned());
    }
}

impl SlotSupplier for Scripted {
    type Permit = Written;

    async fn reserve(&self, request: SlotRequest) -> Written {
        let panics = self.panics.load(Ordering::Relaxed);
        if panics > 0 {
            self.panics.store(panics - 1, Ordering::Relaxed);
            panic!("as the script says");
        }
        let permit = Arc::clone(&self.free).acquire_owned().await.unwrap();
        self.story.lock().unwrap().push(format!("reserved for {}, which has {}", request.task_queue, request.held));
        Written { _permit: permit, story: Arc::clone(&self.story) }
    }

    fn try_reserve(&self, _request: &SlotRequest) -> Option<Written> {
        None
    }

    fn mark_used(&self, _permit: &mut Written, task: &SlotTask) {
        self.story.lock().unwrap().push(format!("used for {}", task.type_name));
        assert_ne!(task.type_name, "panic");
    }
}

fn scripted(slots: usize, panics: usize) -> (SlotPool, Arc<Mutex<Vec<String>>>) {
    let story = Arc::new(Mutex::new(Vec::new()));
    let free = Arc::new(Semaphore::new(slots));
    let supplier = Scripted { free, story: Arc::clone(&story), panics: AtomicUsize::new(panics) };
    let request = SlotRequest::new(SlotKind::LocalActivity, "queue");
    (SlotPool::new(WorkerSlots::supplied(supplier), request), story)
}

fn task(name: &str) -> SlotTask {
    SlotTask::new(SlotKind::LocalActivity, name)
}

#[tokio::test(start_paused = true)]
async fn x14_each_slot_is_reserved_used_and_released_once() {
    let (pool, story) = scripted(2, 0);
    let (first, second) = (pool.acquire(&task("a")).await, pool.acquire(&task("b")).await);
    assert_eq!((pool.used(), pool.free()), (2, None));
    // Waiting for a third is called off.
    assert!(timeout(Duration::from_secs(60), pool.acquire(&task("c"))).await.is_err());
    drop(first);
    drop(second);
    assert_eq!(pool.used(), 0);
    let story = story.lock().unwrap().join(", ");
    assert_eq!(
        story,
        "reserved for queue, which has 0, used for a, reserved for queue, which has 1, used for b, released, released"
    );
}

#[tokio::test(start_paused = true)]
async fn x14_a_supplier_that_panics_loses_no_slot_and_is_asked_again() {
    let (pool, story) = scripted(1, 2);
    let began = Instant::now();
    let slot = pool.acquire(&task("panic")).await;
    assert_eq!(began.elapsed().as_secs(), 2);
    drop(slot);
    drop(pool.acquire(&task("a")).await);
    assert_eq!(story.lock().unwrap().iter().filter(|line| *line == "released").count(), 2);
}

#[tokio::test]
async fn a_fixed_number_is_kept() {
    let pool = SlotPool::new(WorkerSlots::fixed(2), SlotRequest::new(SlotKind::LocalActivity, "queue"));
    let slots = (pool.acquire(&task("a")).await, pool.acquire(&task("b")).await);
    assert_eq!((pool.used(), pool.free()), (2, Some(0)));
    drop(slots);
    assert_eq!((pool.used(), pool.free()), (0, Some(2)));
}

#[tokio::test(start_paused = true)]
async fn v12_slots_of_local_activities_are_shown_exactly() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let shown = || {
        let text = handle.render();
        let lines = text.lines().filter(|line| line.starts_with("temporal_worker_task_slots"));
        let mut numbers: Vec<_> = lines.map(|line| line.replace("{worker_type=\"LocalActivityWorker\"}", "")).collect();
        numbers.sort();
        numbers.join("; ").replace("temporal_worker_task_slots_", "")
    };
    let pool = SlotPool::new(WorkerSlots::fixed(2), SlotRequest::new(SlotKind::LocalActivity, "queue"))
        .metered(&MetricMeter::to(recorder));
    assert_eq!(shown(), "available 2; used 0");
    let task = SlotTask::new(SlotKind::LocalActivity, "activity");
    let (first, second) = (pool.acquire(&task).await, pool.acquire(&task).await);
    assert!(timeout(Duration::from_secs(1), pool.acquire(&task)).await.is_err());
    assert_eq!(shown(), "available 0; used 2");
    drop(first);
    assert_eq!(shown(), "available 1; used 1");
    drop(pool);
    assert_eq!(shown(), "available 1; used 1");
    drop(second);
    assert_eq!(shown(), "available 0; used 0");
}
