//! A machine that is as full as the test says.

use super::*;
use crate::SlotKind;
use tokio::time::{sleep, timeout};

/// A controller with targets of 80 %, and what the machine is to say.
fn machine(memory: f64, cpu: f64) -> (ResourceController, Arc<Mutex<ResourceUsage>>) {
    let usage = Arc::new(Mutex::new(ResourceUsage { memory, cpu }));
    let seen = Arc::clone(&usage);
    let targets = ResourceTargets { memory: 0.8, cpu: 0.8 };
    (ResourceController::with_monitor(targets, move || *seen.lock().unwrap()).unwrap(), usage)
}

/// From a worker that has some already.
fn request() -> SlotRequest {
    SlotRequest { held: 1, ..SlotRequest::new(SlotKind::Activity, "queue") }
}

async fn reserve(slots: &ResourceBasedSlots) -> Option<ResourceSlot> {
    timeout(Duration::from_secs(60), slots.reserve(request())).await.ok()
}

#[tokio::test(start_paused = true)]
async fn slots_are_given_as_long_as_there_is_room_and_up_to_the_maximum() {
    let (controller, _) = machine(0.2, 0.2);
    let slots = ResourceBasedSlots::new(&controller).minimum(1).maximum(3);
    let given = [reserve(&slots).await, reserve(&slots).await, reserve(&slots).await];
    assert!(given.iter().all(Option::is_some));
    assert!(reserve(&slots).await.is_none(), "three are all");
    drop(given);
    assert_eq!(slots.given(), 0);
    assert!(reserve(&slots).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn x10_the_minimum_is_given_whatever_the_machine_does_and_a_first_slot_of_a_kind_too() {
    for (memory, cpu) in [(0.99, 0.1), (0.1, 0.99), (0.78, 0.1)] {
        let (controller, usage) = machine(memory, cpu);
        let slots = ResourceBasedSlots::new(&controller).minimum(2);
        let given = [reserve(&slots).await, reserve(&slots).await];
        assert!(given.iter().all(Option::is_some));
        assert!(reserve(&slots).await.is_none(), "{:?}", controller.usage());
        assert!(slots.try_reserve(&request()).is_none());
        let first = SlotRequest { held: 0, ..request() };
        let first = timeout(Duration::from_secs(1), slots.reserve(first)).await.expect("the other kind has none");

        *usage.lock().unwrap() = ResourceUsage { memory: 0.3, cpu: 0.3 };
        assert!(reserve(&slots).await.is_some(), "there is room again");
        drop((given, first));
    }
}

#[tokio::test(start_paused = true)]
async fn what_grows_fast_is_braked_before_it_has_reached_the_target() {
    let (controller, usage) = machine(0.1, 0.1);
    assert!(controller.has_room());
    *usage.lock().unwrap() = ResourceUsage { memory: 0.7, cpu: 0.1 };
    sleep(MEASURE_EVERY).await;
    assert!(!controller.has_room(), "60 % more in a fifth of a second");
    sleep(MEASURE_EVERY).await;
    assert!(controller.has_room(), "it stays there");
}

#[tokio::test(start_paused = true)]
async fn slots_beyond_the_minimum_come_one_after_the_other() {
    let (controller, _) = machine(0.2, 0.2);
    let throttled = ResourceBasedSlots::new(&controller).minimum(2).ramp_throttle(Duration::from_millis(50));
    let began = Instant::now();
    let mut given = Vec::new();
    for _ in 0..12 {
        given.push(reserve(&throttled).await.unwrap());
    }
    assert_eq!(began.elapsed(), Duration::from_millis(500), "ten of them");
}

#[tokio::test(start_paused = true)]
async fn two_suppliers_share_what_their_controller_sees() {
    let (controller, usage) = machine(0.2, 0.2);
    let suppliers = [ResourceBasedSlots::new(&controller).minimum(0), ResourceBasedSlots::new(&controller).minimum(0)];
    let held = [reserve(&suppliers[0]).await, reserve(&suppliers[1]).await];
    *usage.lock().unwrap() = ResourceUsage { memory: 0.9, cpu: 0.2 };
    sleep(MEASURE_EVERY).await;
    assert!(reserve(&suppliers[0]).await.is_none() && reserve(&suppliers[1]).await.is_none());
    drop(held);
}

#[test]
fn targets_that_are_none_are_refused() {
    let error = |memory, cpu| ResourceController::new(ResourceTargets { memory, cpu }).unwrap_err().to_string();
    assert_eq!(error(80.0, 0.9), "a target of 80 for the memory cannot be met; give a share above 0, and up to 1");
    assert_eq!(error(0.8, 0.0), "a target of 0 for the CPU cannot be met; give a share above 0, and up to 1");
    assert_eq!(error(0.8, f64::NAN), "a target of NaN for the CPU cannot be met; give a share above 0, and up to 1");
}

#[tokio::test(start_paused = true)]
async fn what_is_measured_is_shown_in_percent() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let (controller, _) = machine(0.25, 0.5);
    let controller = controller.metered(&MetricMeter::to(recorder));
    assert!(controller.has_room());
    let text = shown.render();
    for line in ["temporal_resource_slots_mem_usage 25", "temporal_resource_slots_cpu_usage 50"] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
}
