//! Attempts as text: each line says when, what happened, and after the arrow what there was to do.

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use timewright_proto::Bytes;
use timewright_proto::common::Payload;
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;

use super::{Attempt, AttemptOptions, AttemptOutput, HeartbeatAnswer};
use crate::activity::{ActivityInfo, ActivityOutcome, ActivityPriority, CancelReason, Completion, LocalTimeout};

/// Runs a script of `<milliseconds> <what happens>` lines and expects it back with what there was to do. Times at which the
/// attempt itself wanted to act appear as lines of their own, `<milliseconds> time`.
#[track_caller]
fn check(start_to_close: u64, heartbeat_timeout: u64, expected: &str) {
    let mut driver = Driver::new(start_to_close, heartbeat_timeout, 0);
    let mut transcript = String::new();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let input = line.split("->").next().unwrap().trim();
        let (at, what) = input.split_once(' ').unwrap();
        let at: u64 = at.parse().unwrap();
        while let Some((due, outputs)) = driver.act_before(at) {
            writeln!(transcript, "{due} time -> {outputs}").unwrap();
        }
        if what == "time" {
            continue;
        }
        let outputs = driver.input(at, what);
        writeln!(transcript, "{input} -> {outputs}").unwrap();
    }
    // Columns may be aligned for reading.
    let tidy = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let tidy = |text: &str| text.lines().map(tidy).filter(|line| !line.is_empty()).collect();
    let (shown, expected): (Vec<String>, Vec<String>) = (tidy(&transcript), tidy(expected));
    assert_eq!(shown.join("\n"), expected.join("\n"));
}

struct Driver {
    start: Instant,
    attempt: Attempt,
}

impl Driver {
    fn new(start_to_close: u64, heartbeat_timeout: u64, buffer: u64) -> Self {
        let options = AttemptOptions {
            maximum_heartbeat_throttle_interval: milliseconds(600),
            default_heartbeat_throttle_interval: milliseconds(300),
            local_timeout_buffer: milliseconds(buffer),
        };
        let start = now();
        Self { start, attempt: Attempt::new(&info(start_to_close, heartbeat_timeout), options, start) }
    }

    /// Lets the attempt act of its own accord, if it wants to before or at this time.
    fn act_before(&mut self, at: u64) -> Option<(u64, String)> {
        let due = self.attempt.poll_timeout().filter(|due| *due <= self.start + milliseconds(at))?;
        self.attempt.handle_timeout(due);
        let outputs = self.outputs();
        assert_ne!(outputs, "", "it asked to be called at a time when there was nothing to do");
        Some((u64::try_from((due - self.start).as_millis()).unwrap(), outputs))
    }

    fn input(&mut self, at: u64, what: &str) -> String {
        let now = self.start + milliseconds(at);
        let confirmed =
            |cancel_requested, paused, reset| HeartbeatAnswer::Confirmed { cancel_requested, paused, reset };
        let (attempt, details) = (&mut self.attempt, payloads(what));
        match what.split(' ').next().unwrap() {
            "heartbeat" => attempt.handle_heartbeat(details, now),
            "confirmed" => attempt.handle_heartbeat_answer(confirmed(false, false, false), now),
            "cancel-requested" => attempt.handle_heartbeat_answer(confirmed(true, true, true), now),
            "paused" => attempt.handle_heartbeat_answer(confirmed(false, true, false), now),
            "reset" => attempt.handle_heartbeat_answer(confirmed(false, true, true), now),
            "lost" => attempt.handle_heartbeat_answer(HeartbeatAnswer::Lost, now),
            "not-found" => attempt.handle_heartbeat_answer(HeartbeatAnswer::NotFound, now),
            "command" => attempt.handle_cancel_requested(now),
            "shutdown" => attempt.handle_worker_shutdown(now),
            "completed" => attempt.handle_outcome(ActivityOutcome::Completed(Payload::default())),
            "cancelled" => attempt.handle_outcome(ActivityOutcome::Cancelled(details)),
            "failed" => attempt.handle_outcome(ActivityOutcome::Failed(Box::default())),
            "asynchronous" => attempt.handle_outcome(ActivityOutcome::WillCompleteAsynchronously),
            other => panic!("what is {other}?"),
        }
        self.outputs()
    }

    fn outputs(&mut self) -> String {
        let outputs: Vec<String> =
            std::iter::from_fn(|| self.attempt.poll_output()).map(|output| shown(&output)).collect();
        outputs.join(", ")
    }
}

fn shown(output: &AttemptOutput) -> String {
    match output {
        AttemptOutput::SendHeartbeat(details) => format!("send{}", texts(details)),
        AttemptOutput::Cancel(reason) => format!("tell: {reason}"),
        AttemptOutput::Complete(Completion::Completed { .. }) => "complete".into(),
        AttemptOutput::Complete(Completion::Cancelled { details }) => format!("cancel{}", texts(details)),
        AttemptOutput::Complete(Completion::WillCompleteAsynchronously { unconfirmed_heartbeat }) => {
            let but = unconfirmed_heartbeat.as_ref().map_or(String::new(), |details| format!(" but{}", texts(details)));
            format!("say nothing{but}")
        }
        AttemptOutput::Complete(Completion::Failed { failure, last_heartbeat_details }) => {
            let with =
                last_heartbeat_details.as_ref().map_or(String::new(), |details| format!(" with{}", texts(details)));
            format!("fail{}{with}", why(failure))
        }
    }
}

fn why(failure: &Failure) -> String {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            assert!(!info.non_retryable);
            let details = info.details.as_ref().map_or(&[][..], |details| &details.payloads);
            format!(" {}{}", info.r#type, texts(details))
        }
        _ => String::new(),
    }
}

/// The words after the first one.
fn payloads(what: &str) -> Vec<Payload> {
    let payload = |word: &str| Payload { data: Bytes::copy_from_slice(word.as_bytes()), ..Payload::default() };
    what.split(' ').skip(1).map(payload).collect()
}

fn texts(payloads: &[Payload]) -> String {
    payloads.iter().map(|payload| format!(" {}", payload.data.escape_ascii())).collect()
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
fn now() -> Instant {
    Instant::now()
}

fn info(start_to_close: u64, heartbeat_timeout: u64) -> ActivityInfo {
    let timeout = |timeout| Some(milliseconds(timeout)).filter(|timeout| !timeout.is_zero());
    ActivityInfo {
        activity_type: "Charge".into(),
        activity_id: "1".into(),
        attempt: 1,
        namespace: "default".into(),
        task_queue: "queue".into(),
        workflow: None,
        activity_run_id: Some("run".into()),
        scheduled_time: SystemTime::UNIX_EPOCH,
        current_attempt_scheduled_time: SystemTime::UNIX_EPOCH,
        started_time: SystemTime::UNIX_EPOCH,
        schedule_to_close_timeout: None,
        start_to_close_timeout: timeout(start_to_close),
        heartbeat_timeout: timeout(heartbeat_timeout),
        retry_policy: None,
        priority: ActivityPriority::default(),
    }
}

#[test]
fn c22_the_first_heartbeat_goes_at_once_and_then_the_newest_in_each_interval() {
    check(
        0,
        100,
        "
        5 heartbeat one     -> send one
        6 heartbeat two     ->
        7 confirmed         ->
        50 heartbeat three  ->
        85 time             -> send three
        86 confirmed        ->
        184 heartbeat four  -> send four
        185 confirmed       ->
        190 completed       -> complete
        ",
    );
}

#[test]
fn c22_without_heartbeat_timeout_there_is_a_default_interval() {
    check(
        0,
        0,
        "
        0 heartbeat one    -> send one
        1 confirmed        ->
        2 heartbeat two    ->
        300 time           -> send two
        9000 completed     -> complete
        ",
    );
}

#[test]
fn c22_two_heartbeats_are_never_under_way_at_once() {
    check(
        0,
        0,
        "
        0 heartbeat one    -> send one
        10 heartbeat two   ->
        900 heartbeat more ->
        905 confirmed      -> send more
        906 lost           ->
        1205 time          -> send more
        1206 heartbeat new ->
        1207 lost          ->
        1505 time          -> send new
        1506 confirmed     ->
        9000 completed     -> complete
        ",
    );
}

#[test]
fn v1_the_newest_details_go_along_with_a_failure() {
    check(
        0,
        1000,
        "
        0 heartbeat one  -> send one
        1 confirmed      ->
        2 heartbeat two  ->
        3 failed         -> fail with two
        ",
    );
    // Even those that the server has confirmed: it is one request, and the next attempt starts from it.
    check(
        0,
        1000,
        "
        0 heartbeat one  -> send one
        1 confirmed      ->
        3 failed         -> fail with one
        ",
    );
}

#[test]
fn v1_no_heartbeat_differs_from_an_empty_one() {
    check(0, 0, "0 failed -> fail");
    check(0, 0, "0 heartbeat -> send \n 1 failed -> fail with");
}

#[test]
fn v3_cancellation_is_told_once() {
    check(
        0,
        100,
        "
        0 heartbeat one     -> send one
        1 cancel-requested  -> tell: cancellation was requested
        2 heartbeat two     ->
        80 time             -> send two
        81 cancel-requested ->
        82 shutdown         ->
        83 cancelled done   -> cancel done
        ",
    );
}

/// Whoever never heartbeats hears of it as well, and is believed.
#[test]
fn v3_a_command_cancels_without_a_heartbeat_and_once() {
    check(
        0,
        100,
        "
        10 command          -> tell: cancellation was requested
        20 command          ->
        30 heartbeat a      -> send a
        40 cancel-requested ->
        50 cancelled done   -> cancel done
        ",
    );
    check(0, 0, "0 command -> tell: cancellation was requested\n 1 completed -> complete");
}

/// It counts as asked for, although something else was the first reason to stop.
#[test]
fn v6_a_command_after_another_reason_makes_it_a_cancellation() {
    check(
        0,
        0,
        "
        0 shutdown  -> tell: the worker shuts down
        1 command   ->
        2 cancelled -> cancel
        ",
    );
}

#[test]
fn v8_pause_and_reset_are_reasons_and_no_cancellation() {
    check(
        0,
        100,
        "
        0 heartbeat one -> send one
        1 paused        -> tell: the activity was paused
        2 cancelled so  -> fail ActivityPaused so with one
        ",
    );
    check(
        0,
        100,
        "
        0 heartbeat one -> send one
        1 reset         -> tell: the activity was reset
        2 cancelled     -> fail ActivityReset with one
        ",
    );
}

#[test]
fn v6_cancelled_is_believed_only_if_the_server_asked() {
    check(0, 0, "0 cancelled -> fail CancelledWithoutRequest");
    check(
        0,
        0,
        "
        0 shutdown  -> tell: the worker shuts down
        1 cancelled -> fail WorkerShutdown
        ",
    );
    // The server asked later, and the first reason stays the one that user code was told.
    check(
        0,
        0,
        "
        0 shutdown         -> tell: the worker shuts down
        1 heartbeat one    -> send one
        2 cancel-requested ->
        3 cancelled        -> cancel
        ",
    );
    // Whoever was told to stop may still complete, or fail.
    check(
        0,
        0,
        "
        0 heartbeat one    -> send one
        1 cancel-requested -> tell: cancellation was requested
        2 completed        -> complete
        ",
    );
}

#[test]
fn v5_start_to_close_fires_although_heartbeats_are_confirmed() {
    check(
        300,
        100,
        "
        0 heartbeat a   -> send a
        1 confirmed     ->
        80 heartbeat b  -> send b
        81 confirmed    ->
        160 heartbeat c -> send c
        161 confirmed   ->
        240 heartbeat d -> send d
        241 confirmed   ->
        300 time        -> tell: the start-to-close timeout is over
        301 cancelled   -> fail ActivityTimedOut with d
        ",
    );
}

#[test]
fn c20_the_heartbeat_timeout_is_enforced_here_too() {
    check(
        0,
        100,
        "
        100 time      -> tell: no heartbeat was confirmed within the heartbeat timeout
        150 completed -> complete
        ",
    );
    // Only a confirmed heartbeat counts.
    check(
        0,
        100,
        "
        10 heartbeat a  -> send a
        20 confirmed    ->
        90 heartbeat b  -> send b
        95 lost         ->
        120 time        -> tell: no heartbeat was confirmed within the heartbeat timeout
        170 time        -> send b
        171 failed      -> fail with b
        ",
    );
}

#[test]
fn c20_the_servers_word_has_the_buffer_to_arrive() {
    let mut driver = Driver::new(300, 0, 50);
    assert_eq!(driver.attempt.poll_timeout(), Some(driver.start + milliseconds(350)));
    assert_eq!(driver.act_before(350).unwrap(), (350, "tell: the start-to-close timeout is over".into()));
    assert_eq!(driver.attempt.cancel_reason(), Some(CancelReason::TimedOut(LocalTimeout::StartToClose)));
}

#[test]
fn v2_an_attempt_that_the_server_does_not_know_stops_and_heartbeats_no_more() {
    check(
        0,
        100,
        "
        0 heartbeat a -> send a
        1 not-found   -> tell: the server does not know this attempt any more
        2 heartbeat b ->
        900 shutdown  ->
        901 cancelled -> fail CancelledWithoutRequest with b
        ",
    );
}

#[test]
fn after_the_end_nothing_happens() {
    check(
        300,
        100,
        "
        0 heartbeat a       -> send a
        1 asynchronous      -> say nothing but a
        2 heartbeat b       ->
        3 cancel-requested  ->
        4 failed            ->
        5 shutdown          ->
        999 completed       ->
        ",
    );
    // A reason to stop that user code cannot hear any more is not told.
    let mut driver = Driver::new(0, 0, 0);
    driver.attempt.handle_worker_shutdown(driver.start);
    assert_eq!(driver.input(0, "completed"), "complete");
}

#[test]
fn v1_nothing_is_kept_back_from_whoever_completes_the_attempt() {
    check(
        0,
        0,
        "
        0 heartbeat a   -> send a
        1 confirmed     ->
        2 asynchronous  -> say nothing
        ",
    );
    check(
        0,
        0,
        "
        0 heartbeat a   -> send a
        1 confirmed     ->
        2 heartbeat b   ->
        3 asynchronous  -> say nothing but b
        ",
    );
    check(
        0,
        0,
        "
        0 heartbeat a   -> send a
        1 heartbeat b   ->
        2 not-found     -> tell: the server does not know this attempt any more
        3 asynchronous  -> say nothing
        ",
    );
}

#[test]
fn absurd_timeouts_are_no_timeouts() {
    let mut info = info(0, 0);
    info.start_to_close_timeout = Some(Duration::MAX);
    info.heartbeat_timeout = Some(Duration::MAX);
    let attempt = Attempt::new(&info, AttemptOptions::default(), now());
    assert_eq!(attempt.poll_timeout(), None);
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Heartbeat,
    Answer(&'static str),
    Command,
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..150).prop_map(Step::Wait),
        4 => Just(Step::Heartbeat),
        4 => prop::sample::select(vec!["confirmed", "confirmed", "confirmed", "lost", "paused", "cancel-requested", "not-found"])
            .prop_map(Step::Answer),
        1 => Just(Step::Command),
        1 => Just(Step::Shutdown),
    ]
}

proptest! {
    /// The oracle knows what user code said and what the server answered, and nothing of how the attempt works.
    #[test]
    fn attempts_keep_their_promises(
        start_to_close in prop_oneof![Just(0_u64), 50_u64..2000],
        heartbeat_timeout in prop_oneof![Just(0_u64), (2_u64..200).prop_map(|fives| fives * 5)],
        steps in prop::collection::vec(step(), 0..60),
        outcome in prop::sample::select(vec!["completed", "failed", "cancelled"]),
    ) {
        let mut driver = Driver::new(start_to_close, heartbeat_timeout, 0);
        let interval = match heartbeat_timeout { 0 => 300, timeout => (timeout * 4 / 5).min(600) };
        let (mut at, mut newest, mut count) = (0, None, 0);
        let (mut sends, mut cancels) = (Vec::<(u64, u64)>::new(), 0);
        let (mut in_flight, mut asked, mut gone) = (false, false, false);

        for step in steps {
            let mut seen: Vec<(u64, String)> = Vec::new();
            match step {
                Step::Wait(milliseconds) => {
                    at += milliseconds;
                    seen.extend(std::iter::from_fn(|| driver.act_before(at)));
                }
                Step::Heartbeat => {
                    count += 1;
                    newest = Some(count);
                    seen.push((at, driver.input(at, &format!("heartbeat {count}"))));
                }
                Step::Answer(answer) if in_flight => {
                    in_flight = false;
                    asked |= answer == "cancel-requested";
                    gone |= answer == "not-found";
                    seen.push((at, driver.input(at, answer)));
                }
                Step::Answer(_) => (),
                Step::Command => {
                    asked = true;
                    seen.push((at, driver.input(at, "command")));
                }
                Step::Shutdown => seen.push((at, driver.input(at, "shutdown"))),
            }
            for (at, outputs) in seen {
                for output in outputs.split(", ").filter(|output| !output.is_empty()) {
                    if let Some(details) = output.strip_prefix("send ") {
                        prop_assert!(!in_flight, "two heartbeats under way");
                        prop_assert!(!gone, "a heartbeat that nobody listens to");
                        prop_assert_eq!(details.parse().ok(), newest, "not the newest details");
                        if let Some((last, _)) = sends.last() {
                            prop_assert!(at - last >= interval, "{last} and {at} are closer than {interval}");
                        }
                        sends.push((at, count));
                        in_flight = true;
                    } else {
                        prop_assert!(output.starts_with("tell"), "{output}");
                        cancels += 1;
                    }
                }
            }
            // Nothing waits longer than it must.
            let waiting = newest > sends.last().map(|(_, count)| *count) && !in_flight && !gone;
            if waiting {
                let (last, _) = sends.last().copied().unwrap_or_default();
                prop_assert!(at < last + interval, "heartbeat {newest:?} should have been sent");
            }
        }
        prop_assert!(cancels <= 1, "told to stop {cancels} times");

        let end = driver.input(at, outcome);
        let with = newest.map_or(String::new(), |newest| format!(" with {newest}"));
        match outcome {
            "completed" => prop_assert_eq!(end, "complete"),
            "failed" => prop_assert_eq!(end, format!("fail{with}")),
            _ if asked => prop_assert_eq!(end, "cancel"),
            _ => {
                prop_assert!(end.starts_with("fail "), "{end}");
                prop_assert!(end.ends_with(&with), "{end}");
            }
        }
        prop_assert_eq!(driver.attempt.poll_timeout(), None);
    }
}
