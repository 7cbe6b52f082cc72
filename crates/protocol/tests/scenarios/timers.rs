//! Timers, the order of Commands, the order of news.

use std::time::Duration;

use timewright_proto::command::command::Attributes;
use timewright_proto::common::Payload;
use timewright_protocol::workflow::{Command, StartTimer};

use crate::notation::{check, wire};

/// In the one activation it is started, in the next, of the same task, cancelled.
#[test]
fn t1_a_timer_that_is_cancelled_before_the_task_is_completed_is_not_sent() {
    check(
        "start: timer 1, activity 1 abandon, cancel activity 1
         activity 1: cancel timer 1, timer 2
         timer 2: complete",
        "> task WES WFT*
         3 live: Initialize
         3 live: ResolveActivity 1 cancelled
         complete task 1: StartTimer 2
         > task B WES WFT TS(2) TF(2) WFT*
         B: 3 replaying: Initialize
         B: 3 replaying: ResolveActivity 1 cancelled
         B: 8 live: FireTimer 2
         B: complete task 2: CompleteWorkflowExecution
         B: evict: closed",
    );
}

#[test]
fn t2_two_timers_fire_at_once_and_the_first_cancels_the_second() {
    check(
        "start: timer 1, timer 2
         timer 1: cancel timer 2, timer 3",
        "> task WES WFT TS TS(2) TF TF(2) WFT*
         3 replaying: Initialize
         10 live: FireTimer 1; FireTimer 2
         complete task 1: StartTimer 3",
    );
}

#[test]
fn t3_what_is_started_and_cancelled_in_one_task_leaves_no_trace() {
    check(
        "start: timer 1, cancel timer 1, timer 2, activity 1, cancel activity 1, activity 2 wait, cancel activity 2",
        "> task WES WFT*
         3 live: Initialize
         3 live: ResolveActivity 1 cancelled; ResolveActivity 2 cancelled
         complete task 1: StartTimer 2",
    );
    check(
        "start: timer 1, cancel timer 1, timer 2, activity 1, cancel activity 1
         timer 2: complete",
        "> task WES WFT TS(2) TF(2) WFT*
         3 replaying: Initialize
         3 replaying: ResolveActivity 1 cancelled
         8 live: FireTimer 2
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn t4_commands_come_in_the_order_of_the_calls() {
    for (calls, commands) in [
        (
            "cancel timer 1, activity 1, timer 2, cancel timer 2, timer 3",
            "CancelTimer 1, ScheduleActivityTask 1 charge, StartTimer 3",
        ),
        ("activity 1, timer 2, cancel timer 1", "ScheduleActivityTask 1 charge, StartTimer 2, CancelTimer 1"),
    ] {
        check(
            &format!(
                "start: timer 1
                 signal go: {calls}"
            ),
            &format!(
                "> task WES WFT TS SIG WFT*
                 3 replaying: Initialize
                 8 live: Signal go
                 complete task 1: {commands}"
            ),
        );
    }
    check(
        "start: timer 1
         signal go: cancel timer 1, activity 1, timer 2",
        "> replay WES WFT TS SIG WFT TCd ATS TS(2)
         3 replaying: Initialize
         8 replaying: Signal go
         finish task 1
         evict: closed
         > replay WES WFT TS SIG WFT ATS TCd TS(2)
         3 replaying: Initialize
         8 replaying: Signal go
         fail task 2: NON_DETERMINISTIC_ERROR
         evict: task failed",
    );
}

#[test]
fn t7_news_comes_in_the_documented_order() {
    check(
        "start: timer 1, activity 1",
        "> task WES WFT TS ATS WTS WTSt TF SIG(a) AST ATC WTF(reset) WECR SIG(b) WFT* ?status
         3 replaying: Initialize
         17 live: UpdateRandomSeed; Signal a; Signal b; FireTimer 1; ResolveActivity 1 completed; RequestCancellation
         17 replaying: Query status
         complete task 1: nothing; status answered",
    );
    check(
        "",
        "> task WES SIG WECR WTS WTSt WTF(reset) WFT*
         8 live: Initialize; UpdateRandomSeed; Signal go; RequestCancellation
         complete task 1: nothing",
    );
}

/// FNV-1a of the Run Ids: what a run drew before it was reset, the run that goes on draws again; then both differ.
#[test]
fn t8_a_reset_seeds_random_numbers_anew_and_not_before() {
    check(
        "start: timer 1",
        "> show texts
         > task A WES WFT*
         A: 3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         A: complete task 1: StartTimer 1
         > task B WES(A) WFT TS WTS WTSt WTF(reset) WFT*
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         B: 10 live: UpdateRandomSeed 3d31c03f1af2c85f
         B: complete task 2: nothing",
    );
}

#[test]
fn a_cancelled_timer_is_heard_of_no_more() {
    check(
        "start: timer 1
         signal go: cancel timer 1, cancel timer 1
         signal on: cancel timer 1, complete",
        "> task WES WFT TS SIG WFT TCd SIG(on) WFT*
         3 replaying: Initialize
         8 replaying: Signal go
         13 live: Signal on
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn numbers_of_one_kind_count_up() {
    for (deeds, text) in [
        ("timer 1, timer 1", "timer number 1 was started twice, or out of order: numbers of one kind count up by one"),
        ("timer 2, timer 1", "timer number 1 was started twice, or out of order: numbers of one kind count up by one"),
        (
            "activity 1, activity 1",
            "activity number 1 was started twice, or out of order: numbers of one kind count up by one",
        ),
    ] {
        check(
            &format!("signal go: {deeds}"),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 complete task 1: nothing
                 > show texts
                 > task WES WTS WTSt / WTC SIG WFT*
                 7 live: Signal go
                 fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE: {text} [CommandError]
                 evict: task failed"
            ),
        );
    }
}

#[test]
fn a_timer_command_carries_all_that_was_asked_for() {
    let summary = Payload { data: "waits for the truck".into(), ..Payload::default() };
    let timers = [
        (Duration::ZERO, (0, 1_000_000)),
        (Duration::from_micros(999), (0, 1_000_000)),
        (Duration::from_millis(1500), (1, 500_000_000)),
        (Duration::from_secs(u64::MAX), (315_576_000_000, 0)),
    ];
    let commands = timers.iter().zip(1..).map(|((duration, _), sequence)| {
        Command::StartTimer(StartTimer { sequence, duration: *duration, summary: Some(summary.clone()) })
    });
    let sent = wire(commands.collect());
    assert_eq!(sent.len(), timers.len());
    for (((_, expected), sequence), command) in timers.iter().zip(1..).zip(sent) {
        assert_eq!(command.user_metadata.expect("metadata").summary.as_ref(), Some(&summary));
        let Some(Attributes::StartTimerCommandAttributes(start)) = command.attributes else {
            panic!("another Command")
        };
        assert_eq!(start.timer_id, sequence.to_string());
        assert_eq!(start.start_to_fire_timeout.map(|duration| (duration.seconds, duration.nanos)), Some(*expected));
    }
}
