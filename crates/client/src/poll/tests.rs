//! The polls of a scripted source, with tokio's clock stopped.

use super::{PollError, Polled, Slot, TaskPoller, TaskSource};
use crate::{MetricMeter, RpcError, SlotKind, SlotRequest, SlotSupplier, WorkerSlots};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timewright_proto::task_queue::{PollerGroupInfo, PollerGroupsInfo, PollerScalingDecision};
use timewright_proto::workflow_service::{PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse};
use timewright_protocol::task_queue::{
    PollHints, PollSupport, Poller, PollerBehavior, PollerGroups, PollerOptions, QueueKind,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};

/// What one poll does.
#[derive(Clone, Debug)]
enum Step {
    /// A task after so many milliseconds.
    Task(u64, &'static str),
    /// Nothing after so many milliseconds.
    Empty(u64),
    Error(u64, Code),
    Panic,
    Never,
}

#[derive(Default)]
struct Log {
    steps: VecDeque<Step>,
    opened: Vec<(Duration, QueueKind)>,
    groups: Vec<Option<String>>,
    open: usize,
    dropped: usize,
}

/// Does these steps, one with each poll, and then polls without an end.
#[derive(Clone)]
struct Script {
    log: Arc<Mutex<Log>>,
    began: Instant,
    meter: MetricMeter,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let log = Log { steps: steps.into_iter().collect(), ..Log::default() };
        Self { log: Arc::new(Mutex::new(log)), began: Instant::now(), meter: MetricMeter::none() }
    }

    fn opened(&self) -> usize {
        self.log.lock().unwrap().opened.len()
    }

    fn open(&self) -> usize {
        self.log.lock().unwrap().open
    }

    fn dropped(&self) -> usize {
        self.log.lock().unwrap().dropped
    }
}

/// Counts a poll that is dropped before it has returned.
struct Open {
    log: Arc<Mutex<Log>>,
    has_returned: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        log.open -= 1;
        log.dropped += usize::from(!self.has_returned);
    }
}

impl TaskSource for Script {
    type Task = &'static str;

    async fn poll(&self, queue: QueueKind, group: Option<&str>) -> Result<Polled<&'static str>, RpcError> {
        let step = {
            let mut log = self.log.lock().unwrap();
            log.opened.push((self.began.elapsed(), queue));
            log.groups.push(group.map(str::to_owned));
            log.open += 1;
            log.steps.pop_front().unwrap_or(Step::Never)
        };
        let mut open = Open { log: Arc::clone(&self.log), has_returned: false };
        let result = match step {
            Step::Task(after, task) => sleep(Duration::from_millis(after)).await_then(Ok(polled(Some(task)))).await,
            Step::Empty(after) => sleep(Duration::from_millis(after)).await_then(Ok(polled(None))).await,
            Step::Error(after, code) => {
                sleep(Duration::from_millis(after)).await_then(Err(Status::new(code, "no").into())).await
            }
            Step::Panic => panic!("as the script says"),
            Step::Never => std::future::pending().await,
        };
        open.has_returned = true;
        result
    }

    fn type_name<'a>(&self, task: &'a &'static str) -> &'a str {
        assert_ne!(*task, "impossible");
        task
    }

    fn describe(&self, queue: QueueKind) -> String {
        format!("{queue:?} tasks")
    }

    fn metric_meter(&self) -> MetricMeter {
        self.meter.clone()
    }
}

fn polled(task: Option<&'static str>) -> Polled<&'static str> {
    Polled { task, hints: PollHints::default() }
}

trait AwaitThen: Future + Sized {
    async fn await_then<T>(self, value: T) -> T {
        self.await;
        value
    }
}

impl AwaitThen for tokio::time::Sleep {}

fn start(script: &Script, slots: usize, maximum: usize, sticky: bool) -> TaskPoller<&'static str> {
    start_with(script, &WorkerSlots::fixed(slots), maximum, sticky)
}

fn start_with(script: &Script, slots: &WorkerSlots, maximum: usize, sticky: bool) -> TaskPoller<&'static str> {
    let options = slots.poller_options().behavior(PollerBehavior::Fixed { maximum }).sticky(sticky);
    let request = SlotRequest::new(SlotKind::Activity, "queue");
    TaskPoller::start(script.clone(), Poller::new(options).unwrap(), slots, request)
}

async fn next(poller: &mut TaskPoller<&'static str>) -> (&'static str, Slot) {
    poller.next().await.unwrap().unwrap()
}

/// Whatever still comes.
async fn rest(poller: &mut TaskPoller<&'static str>) -> Vec<Result<&'static str, PollError>> {
    let mut rest = Vec::new();
    while let Some(task) = poller.next().await {
        rest.push(task.map(|(task, _)| task));
    }
    rest
}

#[tokio::test(start_paused = true)]
async fn x18_no_poll_without_a_slot() {
    let script = Script::new([Step::Task(10, "a"), Step::Task(20, "b"), Step::Task(30, "c")]);
    let mut poller = start(&script, 2, 5, false);
    let (a, slot_of_a) = next(&mut poller).await;
    let (b, slot_of_b) = next(&mut poller).await;
    assert_eq!((a, b), ("a", "b"));
    assert!(timeout(Duration::from_secs(600), poller.next()).await.is_err(), "both slots are in use");
    assert_eq!(script.opened(), 2);

    drop(slot_of_a);
    let (c, _slot_of_c) = next(&mut poller).await;
    assert_eq!((c, script.opened()), ("c", 3));
    drop(slot_of_b);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(script.opened(), 4);
}

#[tokio::test(start_paused = true)]
async fn x18_a_task_that_waits_to_be_taken_holds_its_slot() {
    let script = Script::new([Step::Task(10, "a"), Step::Task(10, "b")]);
    let mut poller = start(&script, 1, 5, false);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(script.opened(), 1);
    drop(next(&mut poller).await);
    assert_eq!(next(&mut poller).await.0, "b");
}

#[tokio::test(start_paused = true)]
async fn x7_each_kind_of_queue_is_polled() {
    let script = Script::new([]);
    let _poller = start(&script, 2, 2, true);
    sleep(Duration::from_secs(1)).await;
    let mut kinds: Vec<_> = script.log.lock().unwrap().opened.iter().map(|(_, queue)| *queue).collect();
    kinds.sort();
    assert_eq!(kinds, [QueueKind::Normal, QueueKind::Sticky]);
}

#[tokio::test(start_paused = true)]
async fn x1_empty_polls_are_repeated_quietly() {
    let empties = std::iter::repeat_n(Step::Empty(60_000), 10);
    let script = Script::new(empties.chain([Step::Task(5, "at last")]));
    let mut poller = start(&script, 1, 1, false);
    let began = Instant::now();
    assert_eq!(next(&mut poller).await.0, "at last");
    assert_eq!(began.elapsed().as_secs(), 600);
}

#[tokio::test(start_paused = true)]
async fn x2_errors_are_retried_with_back_off() {
    let script = Script::new([
        Step::Error(1, Code::Unavailable),
        Step::Error(1, Code::Unknown),
        Step::Error(1, Code::ResourceExhausted),
        Step::Panic,
        Step::Task(1, "fine"),
    ]);
    let mut poller = start(&script, 1, 1, false);
    assert_eq!(next(&mut poller).await.0, "fine");
    let times: Vec<_> = script.log.lock().unwrap().opened.iter().map(|(at, _)| at.as_millis()).collect();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [160..=243, 320..=483, 3200..=4803, 1280..=1923];
    assert!(waits.iter().zip(&expected).all(|(wait, range)| range.contains(wait)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn c3_what_waiting_does_not_cure_ends_it_with_an_error() {
    let script = Script::new(std::iter::repeat_n(Step::Error(1, Code::PermissionDenied), 1000));
    let mut poller = start(&script, 1, 1, false);
    let error = poller.next().await.unwrap().unwrap_err();
    assert!((60..75).contains(&error.failing_for.as_secs()), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "polling Normal tasks has failed for {} s, {} times, and waiting will not help: no (PermissionDenied). Check \
             the API key or the client certificate, and what it is allowed to do in this namespace",
            error.failing_for.as_secs(),
            error.failures,
        )
    );
    assert!(poller.next().await.is_none(), "said once, then over");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_what_keeps_polls_open_is_no_silent_end() {
    let script = Script::new([Step::Task(10, "first"), Step::Task(10, "impossible")]);
    let mut poller = start(&script, 1, 1, false);
    let error = rest(&mut poller).await.into_iter().find_map(Result::err).expect("an error").to_string();
    assert!(error.starts_with("polling Normal tasks has failed") && error.contains("has panicked"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn s7_tasks_are_kept_that_arrive_while_it_stops() {
    let script = Script::new([Step::Task(10, "before"), Step::Task(500, "while"), Step::Empty(700), Step::Never]);
    let mut poller = start(&script, 4, 4, false);
    // Nobody takes the first task before the end.
    sleep(Duration::from_millis(100)).await;
    poller.shutdown(Duration::from_secs(1));
    let began = Instant::now();
    assert_eq!(rest(&mut poller).await, [Ok("before"), Ok("while")]);
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!((script.opened(), script.open(), script.dropped()), (4, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn s7_a_task_that_has_just_arrived_when_time_is_up_is_kept() {
    let script = Script::new([Step::Task(1000, "in time")]);
    let mut poller = start(&script, 1, 1, false);
    tokio::task::yield_now().await;
    poller.shutdown(Duration::from_millis(1000));
    assert_eq!(rest(&mut poller).await, [Ok("in time")]);
}

#[tokio::test(start_paused = true)]
async fn s5_it_stops_at_once_when_nothing_is_open() {
    let script = Script::new(std::iter::repeat_n(Step::Error(1, Code::Unavailable), 1000));
    let mut poller = start(&script, 2, 2, true);
    sleep(Duration::from_secs(30)).await;
    poller.shutdown(Duration::from_secs(600));
    let began = Instant::now();
    assert!(poller.next().await.is_none());
    assert!(began.elapsed() < Duration::from_secs(1));
    poller.shutdown(Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn s13_stopping_does_not_wait_for_tasks_that_run() {
    let script = Script::new([Step::Task(1, "long")]);
    let mut poller = start(&script, 1, 1, false);
    let (_, slot) = next(&mut poller).await;
    poller.shutdown(Duration::from_secs(600));
    assert!(poller.next().await.is_none(), "whoever holds the slot knows what runs");
    drop(slot);
}

#[tokio::test(start_paused = true)]
async fn c4_snapshots_say_how_it_is_doing_and_that_it_is_over() {
    let script = Script::new([Step::Task(1000, "a"), Step::Error(1000, Code::Unavailable)]);
    let mut poller = start(&script, 3, 2, false);
    let mut snapshots = poller.snapshots();
    let began = Instant::now().into_std();
    let seen = snapshots.wait_for(|seen| seen.normal.open_polls == 2).await.unwrap().slots;
    assert_eq!((seen.polling, seen.executing, seen.free), (2, 0, Some(1)));

    let (_, slot) = next(&mut poller).await;
    let seen = *snapshots.wait_for(|seen| !seen.is_well()).await.unwrap();
    assert_eq!(seen.slots.executing, 1);
    assert_eq!(seen.normal.last_task, Some(began + Duration::from_secs(1)));
    assert_eq!(seen.normal.failing_since, Some(began + Duration::from_secs(1)));
    drop(slot);
    poller.shutdown(Duration::ZERO);
    let seen = *snapshots.wait_for(|seen| !seen.is_polling && seen.normal.open_polls == 0).await.unwrap();
    assert_eq!(seen.slots.free, Some(3));
}

/// A supplier of so many slots, for whoever asks.
struct Counted(Arc<Semaphore>);

impl SlotSupplier for Counted {
    type Permit = OwnedSemaphorePermit;

    async fn reserve(&self, _request: SlotRequest) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_owned().await.unwrap()
    }

    fn try_reserve(&self, _request: &SlotRequest) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }

    fn free(&self) -> Option<usize> {
        Some(self.0.available_permits())
    }
}

#[tokio::test(start_paused = true)]
async fn x14_slots_of_a_supplier_come_back_whatever_becomes_of_the_worker() {
    let slots = Arc::new(Semaphore::new(3));
    let supplied = WorkerSlots::supplied(Counted(Arc::clone(&slots)));
    let script = Script::new([Step::Task(10, "a"), Step::Empty(10), Step::Panic, Step::Error(10, Code::Unavailable)]);
    let mut poller = start_with(&script, &supplied, 2, false);
    let (_, slot) = next(&mut poller).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!((slots.available_permits(), script.open()), (0, 2));
    assert_eq!(poller.snapshots().borrow().slots.free, Some(0));
    poller.shutdown(Duration::ZERO);
    assert!(poller.next().await.is_none());
    // The task is not done: its slot is not free, although its poller is gone.
    drop(poller);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(slots.available_permits(), 2);
    drop(slot);
    assert_eq!(slots.available_permits(), 3);
}

#[tokio::test(start_paused = true)]
async fn x14_two_workers_share_a_supplier_and_stopping_does_not_wait_for_a_slot() {
    let slots = Arc::new(Semaphore::new(1));
    let shared = WorkerSlots::supplied(Counted(Arc::clone(&slots)));
    let (one, two) = (Script::new([]), Script::new([]));
    let _holds_it = start_with(&one, &shared, 1, false);
    sleep(Duration::from_secs(1)).await;
    let mut waits = start_with(&two, &shared, 1, false);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((one.open(), two.opened()), (1, 0), "no poll without a slot");
    waits.shutdown(Duration::from_secs(600));
    let began = Instant::now();
    assert!(waits.next().await.is_none());
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn x15_a_task_without_a_poll_needs_a_slot() {
    let both = [WorkerSlots::fixed(3), WorkerSlots::supplied(Counted(Arc::new(Semaphore::new(3))))];
    for slots in both {
        let script = Script::new([]);
        let mut poller = start_with(&script, &slots, 1, false);
        let reserver = poller.slot_reserver();
        let first = reserver.reserve().await.expect("a slot is free");
        sleep(Duration::from_secs(1)).await;
        let second = reserver.reserve().await.expect("and another, beside that of the open poll");
        assert!(reserver.reserve().await.is_none(), "now all are in use");
        assert_eq!(poller.snapshots().borrow().slots.executing, 2);
        drop(first);
        sleep(Duration::from_millis(1)).await;
        assert!(reserver.reserve().await.is_some());
        poller.shutdown(Duration::ZERO);
        assert!(poller.next().await.is_none());
        assert!(reserver.reserve().await.is_none(), "the worker stops");
        drop(second);
    }
}

#[tokio::test(start_paused = true)]
async fn polls_go_to_the_groups_of_the_server() {
    let script = Script::new([]);
    let mut poller = Poller::new(PollerOptions::new(2)).unwrap();
    let groups = ["a", "b"].map(|id| PollerGroupInfo { id: id.into(), weight: 1.0 });
    poller.handle_support(PollSupport { groups: PollerGroups::read(None, groups.into()), ..PollSupport::default() });
    let request = SlotRequest::new(SlotKind::Activity, "queue");
    let _poller = TaskPoller::start(script.clone(), poller, &WorkerSlots::fixed(2), request);
    sleep(Duration::from_secs(1)).await;
    let mut groups = script.log.lock().unwrap().groups.clone();
    groups.sort();
    assert_eq!(groups, [Some("a".to_owned()), Some("b".to_owned())]);
}

#[test]
fn an_answer_is_read_for_what_it_says_of_polls() {
    let response = PollActivityTaskQueueResponse {
        poller_scaling_decision: Some(PollerScalingDecision { poll_request_delta_suggestion: 3 }),
        poller_groups_info: Some(PollerGroupsInfo { version: 7, poller_groups: Vec::new() }),
        ..PollActivityTaskQueueResponse::default()
    };
    let polled = Polled::from(response);
    assert_eq!((polled.task, polled.hints.delta), (None, Some(3)));
    assert!(polled.hints.groups.is_some());
    let task = PollWorkflowTaskQueueResponse { task_token: "token".into(), ..PollWorkflowTaskQueueResponse::default() };
    let polled = Polled::from(task.clone());
    assert_eq!(polled, Polled { task: Some(Box::new(task)), hints: PollHints::default() });
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_is_dropped_closes_its_polls() {
    let script = Script::new([Step::Task(1, "never taken")]);
    let poller = start(&script, 3, 3, false);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(script.open(), 2);
    drop(poller);
    sleep(Duration::from_millis(1)).await;
    assert_eq!((script.open(), script.dropped()), (0, 2));
    let opened = script.opened();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(script.opened(), opened);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_next_task_can_be_given_up() {
    let script = Script::new((0..50).map(|number| Step::Task(number * 7 % 13 + 1, "task")));
    let mut poller = start(&script, 5, 5, false);
    let mut tasks = 0;
    while tasks < 50 {
        // Much shorter than a poll: the future is dropped again and again.
        if let Ok(Some(Ok(_))) = timeout(Duration::from_micros(300), poller.next()).await {
            tasks += 1;
        }
    }
    assert!(timeout(Duration::from_secs(60), poller.next()).await.is_err(), "each task comes once");
}

#[test]
fn two_workers_do_not_get_the_same_seed() {
    assert_ne!(crate::jitter_seed(), crate::jitter_seed());
}

/// The lines of a metric, without its help.
fn shown(handle: &metrics_exporter_prometheus::PrometheusHandle, name: &str) -> Vec<String> {
    let text = handle.render();
    let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test(start_paused = true)]
async fn v12_polls_and_slots_are_shown_exactly_until_the_last_task_has_ended() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let meter = MetricMeter::to(recorder).with_label("task_queue", "queue");
    let mut script = Script::new([Step::Task(10, "a"), Step::Empty(20), Step::Panic]);
    script.meter = meter.clone();
    let of = |name: &str| shown(&handle, name).join("; ");
    let slots = || {
        let number = |name| of(name).rsplit_once(' ').map(|(_, number)| number.to_owned());
        let available = number("temporal_worker_task_slots_available").unwrap();
        format!("{} used, {available} available", number("temporal_worker_task_slots_used").unwrap())
    };

    let mut poller = start(&script, 3, 3, false);
    let (_, slot) = next(&mut poller).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(slots(), "1 used, 2 available");
    let labels = "{task_queue=\"queue\",poller_type=\"activity_task\"}";
    assert_eq!(of("temporal_num_pollers"), format!("temporal_num_pollers{labels} 2"));
    assert_eq!(of("temporal_poller_start"), format!("temporal_poller_start{labels} 3"));
    assert_eq!(of("temporal_activity_poll_no_task"), "temporal_activity_poll_no_task{task_queue=\"queue\"} 1");

    // A task that comes without a poll, and another worker on the same queue.
    let eager = poller.slot_reserver().reserve().await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!((eager.is_some(), slots().as_str()), (false, "1 used, 2 available"), "polls have the others");
    let mut other = Script::new([]);
    other.meter = meter;
    let other = start(&other, 5, 1, false);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(slots(), "1 used, 7 available");
    drop(other);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(slots(), "1 used, 2 available");

    // The shutdown is over for polls, and not for the task.
    poller.shutdown(Duration::ZERO);
    assert!(rest(&mut poller).await.is_empty());
    assert_eq!(
        (slots().as_str(), of("temporal_num_pollers")),
        ("1 used, 2 available", format!("temporal_num_pollers{labels} 0"))
    );
    drop(slot);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(slots(), "0 used, 3 available");
    drop(poller);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(slots(), "0 used, 0 available");
}
