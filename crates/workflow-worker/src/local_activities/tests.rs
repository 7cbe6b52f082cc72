//! Attempts, in virtual time: the clock stands still but where all wait for it.

use std::sync::Mutex;
use std::time::Duration;

use timewright_client::{MetricMeter, SlotKind, SlotPool, SlotRequest, SlotSupplier, SlotTask, WorkerSlots};
use timewright_converter::{BoxFuture, Payload};
use timewright_proto::enums::TimeoutType;
use timewright_protocol::task_queue::RateLimit;
use timewright_protocol::workflow::{CacheLimits, LocalActivityOutcome, Runs, TaskKind, WorkflowTask};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use super::*;

/// Executes what the activity's type says.
#[derive(Default)]
struct Scripted {
    seen: Arc<Mutex<Vec<LocalActivity>>>,
}

impl LocalActivityExecutor for Scripted {
    fn execute(
        &self,
        activity: LocalActivity,
        cancellation: LocalActivityCancellation,
    ) -> BoxFuture<'static, LocalActivityOutcome> {
        self.seen.lock().expect("not poisoned").push(activity.clone());
        Box::pin(async move {
            match activity.activity_type.as_str() {
                "echo" => LocalActivityOutcome::Completed(activity.arguments.into_iter().next()),
                "hang" => std::future::pending().await,
                "obey" => {
                    cancellation.cancelled().await;
                    LocalActivityOutcome::Cancelled { details: Vec::new() }
                }
                _ => panic!("at the disco"),
            }
        })
    }
}

fn activities(slots: usize) -> (LocalActivities, Arc<Mutex<Vec<LocalActivity>>>) {
    activities_with(WorkerSlots::fixed(slots), None)
}

fn activities_with(slots: WorkerSlots, limit: Option<RateLimit>) -> (LocalActivities, Arc<Mutex<Vec<LocalActivity>>>) {
    let executor = Scripted::default();
    let seen = Arc::clone(&executor.seen);
    let converter = DataConverter::default();
    let slots = SlotPool::new(slots, SlotRequest::new(SlotKind::LocalActivity, "queue"));
    let room = Room { slots, limit };
    let metrics = WorkflowMetrics::new(MetricMeter::none(), Arc::default());
    (LocalActivities::new(Arc::new(executor), "default".into(), "queue".into(), converter, room, metrics), seen)
}

/// A key, which only `Runs` can make.
fn key() -> RunKey {
    let mut runs = Runs::new(CacheLimits::runs(1));
    runs.handle_task(WorkflowTask {
        task_token: "token".into(),
        workflow_id: "id".into(),
        run_id: "run".into(),
        workflow_type: "type".into(),
        attempt: 1,
        previous_started_event_id: 0,
        history: Default::default(),
        received_at: std::time::Instant::now(),
        kind: TaskKind::Replay,
    });
    runs.key("run").expect("it was just made")
}

fn start(activity_type: &str, sequence: u32) -> StartLocalActivity {
    StartLocalActivity {
        sequence,
        attempt: 1,
        delay: Duration::ZERO,
        activity_id: sequence.to_string(),
        activity_type: activity_type.into(),
        header: Default::default(),
        arguments: vec![Payload { data: "argument".into(), ..Payload::default() }],
        schedule_to_close_timeout: None,
        schedule_to_start_timeout: None,
        start_to_close_timeout: Some(Duration::from_secs(10)),
        retry_policy: None,
        original_schedule_time: SystemTime::UNIX_EPOCH,
    }
}

async fn outcome_of(start: StartLocalActivity) -> (LocalActivityOutcome, Duration) {
    let (mut activities, _) = activities(1);
    activities.start(key(), WorkflowNames::default(), start, None);
    let ended = activities.next().await;
    (ended.attempt.outcome, ended.attempt.finished_at.duration_since(SystemTime::UNIX_EPOCH).expect("after"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_waits_for_its_time_and_gives_its_result() {
    let (outcome, finished) = outcome_of(StartLocalActivity { delay: seconds(3), ..start("echo", 1) }).await;
    assert!(matches!(outcome, LocalActivityOutcome::Completed(Some(payload)) if payload.data == "argument"));
    assert_eq!(finished, seconds(3), "the workflow's time goes on with the clock of this machine");
}

#[tokio::test(start_paused = true)]
async fn la9_each_timeout_is_enforced_here() {
    let timed_out = |kind, after| (LocalActivityOutcome::TimedOut(kind), seconds(after));
    assert_eq!(outcome_of(start("hang", 1)).await, timed_out(TimeoutType::StartToClose, 10));
    let all = StartLocalActivity { schedule_to_close_timeout: Some(seconds(4)), ..start("hang", 1) };
    assert_eq!(outcome_of(all.clone()).await, timed_out(TimeoutType::ScheduleToClose, 4));
    let only = StartLocalActivity { start_to_close_timeout: None, ..all.clone() };
    assert_eq!(outcome_of(only).await, timed_out(TimeoutType::ScheduleToClose, 4));
    let delayed = StartLocalActivity { delay: seconds(5), ..all };
    assert_eq!(outcome_of(delayed).await, timed_out(TimeoutType::ScheduleToClose, 4));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_waits_for_room_and_not_for_ever() {
    let (mut activities, seen) = activities(1);
    let patient = StartLocalActivity { schedule_to_start_timeout: Some(seconds(60)), ..start("echo", 2) };
    let impatient = StartLocalActivity { schedule_to_start_timeout: Some(seconds(2)), ..start("echo", 3) };
    for start in [start("obey", 1), patient, impatient] {
        activities.start(key(), WorkflowNames::default(), start, None);
    }
    let ended = activities.next().await;
    assert_eq!(ended.attempt.sequence, 3);
    assert_eq!(ended.attempt.outcome, LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToStart));
    activities.cancel(key(), 1);
    assert!(matches!(activities.next().await.attempt.outcome, LocalActivityOutcome::Cancelled { .. }));
    let ended = activities.next().await;
    assert!(matches!(ended.attempt.outcome, LocalActivityOutcome::Completed(_)), "there is room now");
    assert_eq!(seen.lock().expect("not poisoned").len(), 2);
}

/// Gives one slot at a time, and writes down what it was for.
struct OneAtATime {
    slot: Arc<Semaphore>,
    used_for: Arc<Mutex<Vec<String>>>,
}

impl SlotSupplier for OneAtATime {
    type Permit = OwnedSemaphorePermit;

    async fn reserve(&self, request: SlotRequest) -> OwnedSemaphorePermit {
        assert_eq!(request.kind, SlotKind::LocalActivity);
        Arc::clone(&self.slot).acquire_owned().await.expect("nobody closes it")
    }

    fn try_reserve(&self, _request: &SlotRequest) -> Option<OwnedSemaphorePermit> {
        None
    }

    fn mark_used(&self, _permit: &mut OwnedSemaphorePermit, task: &SlotTask) {
        self.used_for.lock().expect("not poisoned").push(task.type_name.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn slots_may_come_from_a_supplier() {
    let (slot, used_for) = (Arc::new(Semaphore::new(1)), Arc::new(Mutex::new(Vec::new())));
    let supplier = OneAtATime { slot: Arc::clone(&slot), used_for: Arc::clone(&used_for) };
    let (mut activities, _) = activities_with(WorkerSlots::supplied(supplier), None);
    activities.start(key(), WorkflowNames::default(), start("obey", 1), None);
    sleep(seconds(1)).await;
    activities.start(key(), WorkflowNames::default(), start("echo", 2), None);
    sleep(seconds(1)).await;
    assert_eq!(*used_for.lock().expect("not poisoned"), ["obey"]);
    activities.cancel(key(), 1);
    for _ in 0..2 {
        activities.next().await;
    }
    assert_eq!(*used_for.lock().expect("not poisoned"), ["obey", "echo"]);
    sleep(seconds(1)).await;
    assert_eq!(slot.available_permits(), 1, "each slot is back");
}

#[tokio::test(start_paused = true)]
async fn x19_a_limit_lets_so_many_begin_in_a_second() {
    let (mut activities, _) = activities_with(WorkerSlots::fixed(100), RateLimit::new(2.0).ok());
    let began = Instant::now();
    for sequence in 1..=20 {
        activities.start(key(), WorkflowNames::default(), start("echo", sequence), None);
    }
    let mut order = Vec::new();
    for _ in 0..20 {
        order.push(activities.next().await.attempt.sequence);
    }
    assert_eq!(began.elapsed().as_secs(), 9, "two at once, then one each half second");
    assert_eq!(order, (1..=20).collect::<Vec<_>>(), "as they came");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_before_its_time_is_not_begun() {
    let (mut activities, seen) = activities(1);
    let delayed = StartLocalActivity { delay: seconds(3600), ..start("echo", 1) };
    activities.start(key(), WorkflowNames::default(), delayed, None);
    activities.cancel(key(), 1);
    assert!(matches!(activities.next().await.attempt.outcome, LocalActivityOutcome::Cancelled { .. }));
    assert!(seen.lock().expect("not poisoned").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_attempt() {
    let (outcome, _) = outcome_of(start("broken", 1)).await;
    let LocalActivityOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.message, "local activity \"broken\" panicked: at the disco");
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_has_what_time_the_first_has_left() {
    let (mut activities, _) = activities(1);
    let all = StartLocalActivity { schedule_to_close_timeout: Some(seconds(15)), ..start("obey", 1) };
    activities.start(key(), WorkflowNames::default(), all.clone(), None);
    let first = activities.next().await;
    assert_eq!(first.attempt.outcome, LocalActivityOutcome::TimedOut(TimeoutType::StartToClose));
    let again = StartLocalActivity { attempt: 2, delay: seconds(1), ..all };
    activities.start(key(), WorkflowNames::default(), again, Some(first.clock));
    let second = activities.next().await;
    assert_eq!(second.attempt.outcome, LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToClose));
    assert_eq!(second.attempt.finished_at, SystemTime::UNIX_EPOCH + seconds(15));
}
