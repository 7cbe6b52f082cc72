//! Local Activities: executed by the worker within Workflow Tasks, noted in the history with their outcome.
//!
//! How they are tried again is in `local_activity_retries`, how they are cancelled in `local_activity_cancellation`, and what is
//! special about replaying them in `local_activity_markers`.

use std::time::{Duration, SystemTime};

use timewright_proto::common::{Header, Payload, RetryPolicy};
use timewright_protocol::workflow::{
    Command, HistoryPage, LocalActivityAttempt, LocalActivityOutcome, Output, Run, ScheduleLocalActivity,
    StartLocalActivity, TaskKind, WorkflowTask,
};

use crate::notation::{check, events, now};

/// The first task asks for the next because it takes long; it ends before that has come.
#[test]
fn l1_one_that_ends_while_no_task_is_open() {
    for (event, news) in [("", ""), ("SIG", "\n 7 live: Signal go")] {
        let (started, index) = if event.is_empty() { (6, 0) } else { (7, 1) };
        check(
            "start: local 1
             local 1: timer 1",
            &format!(
                "> server waits
                 > task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 > time 8s
                 complete task 1: nothing; asks for the next task
                 > local 1 completes
                 > server takes
                 > next {event}{news}
                 {started} live at 11s: ResolveLocalActivity 1 completed
                 complete task 2: RecordMarker LAM(1,i{index}), StartTimer 1
                 > server takes"
            ),
        );
    }
}

#[test]
fn l2_a_heartbeat_task_with_a_query_while_one_ends() {
    // The Query is asked first; what has ended comes by itself.
    check(
        "start: local 1
         local 1: local 2
         local 2: complete
         query status: answer",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: nothing; asks for the next task
         > code waits
         > next ?status
         6 replaying: Query status
         > local 1 completes
         > code answers
         6 live at 11s: ResolveLocalActivity 1 completed
         start local 2 charge
         complete task 2: RecordMarker LAM(1,i0); asks for the next task; status answered
         > next
         > local 2 completes
         10 live at 11s: ResolveLocalActivity 2 completed
         complete task 3: RecordMarker LAM(2,i0), CompleteWorkflowExecution
         evict: closed",
    );
    // It has ended before the task came.
    check(
        "start: local 1
         local 1: timer 1",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: nothing; asks for the next task
         > local 1 completes
         > next ?status
         6 live at 11s: ResolveLocalActivity 1 completed
         6 replaying at 11s: Query status
         complete task 2: RecordMarker LAM(1,i0), StartTimer 1; status answered",
    );
}

#[test]
fn l2_a_query_with_a_task_does_not_wait_for_local_activities() {
    check(
        "start: local 1
         local 1: complete",
        "> task WES WFT* ?status
         3 live: Initialize
         start local 1 charge
         3 replaying: Query status
         complete task 1: nothing; asks for the next task; status answered
         > next
         > local 1 completes
         6 live: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(1,i0), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l2_a_query_between_two_tasks_hears_nothing_of_what_has_ended() {
    check(
        "start: local 1
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: nothing; asks for the next task
         > local 1 completes
         > query status WES WTS WTSt / WTC
         3 replaying: Query status
         respond task 2: answered
         > next
         6 live at 11s: ResolveLocalActivity 1 completed
         complete task 3: RecordMarker LAM(1,i0), CompleteWorkflowExecution
         evict: closed",
    );
}

/// One that comes by itself while a task is open: the server would not send it, so nobody hurries.
#[test]
fn l2_a_query_by_itself_waits_until_the_task_is_answered() {
    check(
        "start: local 1",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > query status WES WTS WTSt /
         > time 8s
         complete task 1: nothing; asks for the next task
         3 replaying: Query status
         respond task 2: answered",
    );
}

#[test]
fn l3_one_that_returns_nothing() {
    check(
        "start: local 1
         local 1: timer 1
         signal go: complete",
        "> show texts
         > task A WES WFT*
         A: 3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         A: start local 1 charge, id 1, scheduled at 3s, start-to-close 60s
         > local A 1 returns nothing
         A: 3 live: ResolveLocalActivity 1 completed with nothing
         A: complete task 1: RecordMarker LAM(1,nothing,i1,at=3s,since=3s), StartTimer 1
         > evict A
         A: evict: requested
         > next A SIG
         A: 3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         A: 3 replaying: ResolveLocalActivity 1 completed with nothing
         A: 9 live: Signal go
         A: complete task 2: CompleteWorkflowExecution
         A: evict: closed",
    );
}

#[test]
fn l6_a_task_that_fails_cancels_what_it_started_and_notes_nothing() {
    check(
        "start: local 1, local 2, local 3
         local 1: panic",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         start local 3 charge
         > code waits
         > local 1 completes
         3 live: ResolveLocalActivity 1 completed
         > local 2 completes
         > code answers
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         cancel local 2
         cancel local 3
         evict: task failed
         > local 3 completes stale
         > task WES WTS WTSt WTF WFT* x2
         6 live: Initialize
         start local 1 charge
         start local 2 charge
         start local 3 charge
         > local 3 completes stale
         > local 2 completes
         6 live: ResolveLocalActivity 2 completed
         > local 1 completes
         6 live: ResolveLocalActivity 1 completed
         abandon task 2: failed again on attempt 2
         cancel local 3
         evict: task failed",
    );
}

#[test]
fn l7_a_run_stays_while_its_local_activities_are_executed() {
    check(
        "start: local 1
         local 1: timer 1",
        "> cache 1
         > task A WES WFT*
         A: 3 live: Initialize
         A: start local 1 charge
         > time 8s
         A: complete task 1: nothing; asks for the next task
         > task B WES WFT* ?status
         B: 3 live: Initialize
         B: start local 1 charge
         B: 3 replaying: Query status
         B: complete task 2: nothing; asks for the next task; status answered
         > next A
         > local A 1 completes
         A: 6 live at 11s: ResolveLocalActivity 1 completed
         A: complete task 3: RecordMarker LAM(1,i0), StartTimer 1
         A: evict: cache full
         > local B 1 completes
         > next B
         B: 6 live at 11s: ResolveLocalActivity 1 completed
         B: complete task 4: RecordMarker LAM(1,i0), StartTimer 1",
    );
}

/// Whoever has it dropped has it cancelled, so that at most one attempt counts.
#[test]
fn l7_a_run_that_is_built_again_asks_again() {
    check(
        "start: local 1
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 fails
         start local 1 charge, attempt 2, in 1s
         > time 8s
         complete task 1: nothing; asks for the next task
         > evict A
         cancel local 1
         evict: requested
         > next
         3 replaying: Initialize
         start local 1 charge
         > local 1 completes x2 stale
         > local 1 completes
         6 live at 11s: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(1,i0), CompleteWorkflowExecution
         evict: closed",
    );
}

/// Who only asks has nothing executed, and the Run leaves as any other.
#[test]
fn l7_a_run_that_was_built_for_a_query_executes_nothing_and_leaves() {
    check(
        "start: local 1",
        "> cache 0
         > query status WES WFT
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered
         evict: cache full",
    );
    check(
        "start: local 1
         local 1: complete",
        "> query status WES WFT
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered
         > task WES WTS WTSt / WTC WFT*
         start local 1 charge
         > local 1 completes
         6 live: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(1,i0), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l8_a_completion_that_is_refused_while_one_is_executed() {
    check(
        "start: local 1, timer 1
         local 1: cancel timer 1",
        "> server waits
         > task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: StartTimer 1; asks for the next task
         > local 1 completes
         > server refuses
         cancel local 1
         evict: completion not taken
         > local 1 completes stale
         > task WES WTS WTSt WTO WFT* x2
         6 live: Initialize
         start local 1 charge
         > local 1 completes stale
         > local 1 completes
         6 live at 11s: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(1,i1)
         > server takes
         > next
         complete task 3: nothing",
    );
}

/// The server has given the task up, so nothing comes of what is executed for it.
#[test]
fn a_newer_task_does_not_wait_for_the_local_activities_of_a_stale_one() {
    check(
        "start: local 1
         local 1: complete
         signal go: nothing",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > query status WES WTS WTSt /
         > task WES WFT* WTO SIG WFT*
         abandon task 1: superseded
         cancel local 1
         evict: history mismatch
         fetch the first page
         7 replaying: Initialize; Signal go
         7 replaying: Query status
         respond task 2: answered
         evict: history mismatch
         7 live: Initialize; Signal go
         start local 1 charge
         > local 1 completes stale
         > local 1 completes
         7 live: ResolveLocalActivity 1 completed
         complete task 3: RecordMarker LAM(1,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

/// The attempts behind the first have the same Events: only one of them is recorded.
#[test]
fn another_attempt_does_not_wait_either() {
    check(
        "start: local 1
         local 1: complete",
        "> task x2 WES WTS WTSt WTF WFT*
         6 live: Initialize
         start local 1 charge
         > task x3 WES WTS WTSt WTF WFT*
         abandon task 1: superseded
         cancel local 1
         evict: history mismatch
         6 live: Initialize
         start local 1 charge
         > local 1 completes
         6 live: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(1,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l9_a_heartbeat_is_due_while_user_code_hears_of_an_outcome() {
    check(
        "start: local 1, local 2
         local 1: local 3
         local 2: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         > code waits
         > time 2s
         > local 1 completes
         3 live at 5s: ResolveLocalActivity 1 completed
         > time 7s
         > code answers
         start local 3 charge
         > time 0s
         complete task 1: RecordMarker LAM(1,i1); asks for the next task
         > next
         > local 2 completes
         7 live at 12s: ResolveLocalActivity 2 completed
         cancel local 3
         complete task 2: RecordMarker LAM(2,i0), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l12_a_long_one_beside_a_chain_of_short_ones() {
    check(
        "start: local 1, local 2
         local 2: local 3
         local 3: local 4
         local 4: timer 1
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         > time 1s
         > local 2 completes
         3 live at 4s: ResolveLocalActivity 2 completed
         start local 3 charge
         > time 1s
         > local 3 completes
         3 live at 5s: ResolveLocalActivity 3 completed
         start local 4 charge
         > time 6s
         complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM(3,i2); asks for the next task
         > next
         > local 4 completes
         8 live at 11s: ResolveLocalActivity 4 completed
         > local 1 completes
         8 live at 11s: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(4,i0), StartTimer 1, RecordMarker LAM(1,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l13_several_chains_side_by_side() {
    check(
        "start: local 1 type=a, local 2 type=x
         local 2: local 3 type=y
         local 1: local 4 type=b
         local 4: timer 1
         local 3: timer 2",
        "> task WES WFT*
         3 live: Initialize
         start local 1 a
         start local 2 x
         > code waits
         > local 2 completes
         3 live: ResolveLocalActivity 2 completed
         > local 1 completes
         > code answers
         3 live: ResolveLocalActivity 1 completed
         start local 3 y
         start local 4 b
         > local 4 completes
         3 live: ResolveLocalActivity 4 completed
         > local 3 completes
         3 live: ResolveLocalActivity 3 completed
         complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM(1,i2), RecordMarker LAM(4,i3), StartTimer 1, RecordMarker LAM(3,i4), StartTimer 2",
    );
}

#[test]
fn l14_a_second_one_ends_while_user_code_hears_of_the_first_without_a_cache() {
    check(
        "start: local 1, local 2, local 3
         local 3: timer 1",
        "> cache 0
         > task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         start local 3 charge
         > code waits
         > local 2 completes
         3 live: ResolveLocalActivity 2 completed
         > local 1 completes
         > code answers
         3 live: ResolveLocalActivity 1 completed
         > time 8s
         complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM(1,i2); asks for the next task
         > next
         > local 3 completes
         8 live at 11s: ResolveLocalActivity 3 completed
         complete task 2: RecordMarker LAM(3,i0), StartTimer 1
         evict: cache full",
    );
}

/// What a task asks for is executed; only who drops all Runs has it cancelled.
#[test]
fn l16_a_shutdown_while_some_are_executed() {
    check(
        "start: local 1",
        "> task A WES WFT*
         A: 3 live: Initialize
         A: start local 1 charge
         > task B WES WFT*
         B: 3 live: Initialize
         B: start local 1 charge
         > time 8s
         A: complete task 1: nothing; asks for the next task
         B: complete task 2: nothing; asks for the next task
         > next B
         > shutdown
         A: cancel local 1
         A: evict: requested
         B: abandon task 3: evicted
         B: cancel local 1
         B: evict: requested
         > local A 1 completes stale",
    );
}

#[test]
fn l17_one_that_is_asked_for_when_a_heartbeat_is_due() {
    check(
        "start: local 1
         local 1: local 2
         local 2: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > code waits
         > time 7.9s
         > local 1 completes
         3 live at 10.9s: ResolveLocalActivity 1 completed
         > time 0.2s
         > code answers
         start local 2 charge
         > time 0s
         complete task 1: RecordMarker LAM(1,i1); asks for the next task
         > next
         > local 2 completes
         7 live at 11.1s: ResolveLocalActivity 2 completed
         complete task 2: RecordMarker LAM(2,i0), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l18_several_in_one_task_beside_an_activity() {
    check(
        "start: local 1, activity 2, local 3 type=pack, timer 1
         local 3: complete",
        "> show texts
         > task A WES WFT*
         A: 3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         A: start local 1 charge, id 1, scheduled at 3s, start-to-close 60s
         A: start local 3 pack, id 3, scheduled at 3s, start-to-close 60s
         > local 1 completes
         A: 3 live: ResolveLocalActivity 1 completed with [\"done\"]
         > local 3 completes
         A: 3 live: ResolveLocalActivity 3 completed with [\"done\"]
         A: complete task 1: ScheduleActivityTask 2 charge, StartTimer 1, RecordMarker LAM(1,i1,at=3s,since=3s), RecordMarker LAM(3,i2,at=3s,since=3s), CompleteWorkflowExecution
         A: evict: closed",
    );
    check(
        "start: activity 1, local 1",
        "> show texts
         > task A WES WFT*
         A: 3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         A: fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: activity number 1 was started twice, or out of order: numbers of one kind count up by one [CommandError]
         A: evict: task failed",
    );
}

/// Workflow Task Timeout 1 s: one asks for the next after 0.8 s.
#[test]
fn l21_a_long_one_and_signals_meanwhile() {
    check(
        "start: local 1
         signal a: timer 1
         signal b: cancel timer 1
         local 1: complete",
        "> task WES(timeout=1s) WFT*
         3 live: Initialize
         start local 1 charge
         > time 0.7s
         > time 0.1s
         complete task 1: nothing; asks for the next task
         > next
         > time 0.8s
         complete task 2: nothing; asks for the next task
         > next SIG(a)
         10 live: Signal a
         > time 0.8s
         complete task 3: StartTimer 1; asks for the next task
         > next SIG(b)
         15 live: Signal b
         > time 0.1s
         > local 1 completes
         15 live at 15.1s: ResolveLocalActivity 1 completed
         complete task 4: CancelTimer 1, RecordMarker LAM(1,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l22_many_heartbeats_wake_nobody() {
    let beats: String = (1..=20)
        .map(|task| {
            format!(
                "> time 8s
                 complete task {task}: nothing; asks for the next task
                 > next
                 "
            )
        })
        .collect();
    check(
        "start: local 1
         local 1: complete",
        &format!(
            "> task WES WFT*
             3 live: Initialize
             start local 1 charge
             {beats}
             > local 1 completes
             63 live at 163s: ResolveLocalActivity 1 completed
             complete task 21: RecordMarker LAM(1,i0), CompleteWorkflowExecution
             evict: closed"
        ),
    );
}

#[test]
fn an_outcome_that_nobody_waits_for_is_ignored() {
    check(
        "start: local 1
         local 1: local 3",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 2 completes
         > local 1 completes x2
         > code waits
         > local 1 completes
         3 live: ResolveLocalActivity 1 completed
         > local 1 fails
         > code answers
         start local 3 charge
         > local 1 completes
         > local 2 completes
         > time 8s
         complete task 1: RecordMarker LAM(1,i1); asks for the next task
         > local 3 completes
         > local 3 fails
         > next
         7 live at 11s: ResolveLocalActivity 3 completed
         complete task 2: RecordMarker LAM(3,i0)",
    );
}

#[test]
fn news_and_outcomes_while_heartbeats_go_on() {
    check(
        "start: local 1, timer 1
         signal go: activity 2
         timer 1: cancel activity 2
         activity 2: timer 2
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: StartTimer 1; asks for the next task
         > next SIG
         8 live: Signal go
         > time 8s
         complete task 2: ScheduleActivityTask 2 charge; asks for the next task
         > evict A
         cancel local 1
         evict: requested
         > next TF
         3 replaying: Initialize
         8 replaying: Signal go
         13 live: FireTimer 1
         13 live: ResolveActivity 2 cancelled
         start local 1 charge
         > local 1 completes
         13 live at 19s: ResolveLocalActivity 1 completed
         complete task 3: RequestCancelActivityTask of 10, StartTimer 2, RecordMarker LAM(1,i2), CompleteWorkflowExecution
         evict: closed",
    );
}

/// Part of the Workflow Task Timeout; of the server's default where the history has none.
#[test]
fn when_a_task_is_answered_though_local_activities_go_on() {
    for (start, before, due) in
        [("WES", "7.9s", "0.1s"), ("WES(timeout=0s)", "7.9s", "0.1s"), ("WES(timeout=100s)", "79s", "1s")]
    {
        check(
            "start: local 1",
            &format!(
                "> task {start} WFT*
                 3 live: Initialize
                 start local 1 charge
                 > time {before}
                 > time {due}
                 complete task 1: nothing; asks for the next task"
            ),
        );
    }
}

#[test]
fn without_a_timeout_it_is_not_scheduled() {
    check(
        "signal go: local 1 untimed",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > show texts
         > next SIG
         7 live: Signal go
         fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE: local activity of type \"charge\" has no timeout: set its start-to-close or its schedule-to-close timeout [CommandError]
         evict: task failed",
    );
    check(
        "start: local 1 untimed timeout=5s",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > evict A
         abandon task 1: evicted
         cancel local 1
         evict: requested",
    );
}

#[test]
fn what_is_to_be_executed_carries_all_that_was_asked_for() {
    let payload = |text: &'static str| Payload { data: text.into(), ..Payload::default() };
    let header = Header { fields: [("trace".to_owned(), payload("7"))].into() };
    let retry_policy = Some(RetryPolicy { maximum_attempts: 3, ..RetryPolicy::default() });
    let schedule = ScheduleLocalActivity {
        sequence: 3,
        activity_id: Some("invoice-7".to_owned()),
        activity_type: "charge".to_owned(),
        header: header.clone(),
        arguments: vec![payload("amount")],
        schedule_to_close_timeout: Some(Duration::from_secs(60)),
        schedule_to_start_timeout: Some(Duration::from_secs(10)),
        start_to_close_timeout: Some(Duration::from_millis(1500)),
        retry_policy: retry_policy.clone(),
        summary: Some(payload("charges the card")),
        ..ScheduleLocalActivity::default()
    };
    let mut run = Run::new();
    run.handle_task(WorkflowTask {
        task_token: "task 1".into(),
        workflow_id: "order-7".to_owned(),
        run_id: "A".to_owned(),
        workflow_type: "order".to_owned(),
        attempt: 1,
        previous_started_event_id: 0,
        history: HistoryPage { events: events("WES WFT*"), ..HistoryPage::default() },
        received_at: now(),
        kind: TaskKind::Progress { started_event_id: 3, updates: Vec::new(), queries: Vec::new() },
    });
    assert!(matches!(run.poll_output(), Some(Output::Activate(_))));
    run.handle_commands(vec![Command::ScheduleLocalActivity(Box::new(schedule))]);
    let started = StartLocalActivity {
        sequence: 3,
        attempt: 1,
        delay: Duration::ZERO,
        activity_id: "invoice-7".to_owned(),
        activity_type: "charge".to_owned(),
        header,
        arguments: vec![payload("amount")],
        schedule_to_close_timeout: Some(Duration::from_secs(60)),
        schedule_to_start_timeout: Some(Duration::from_secs(10)),
        start_to_close_timeout: Some(Duration::from_millis(1500)),
        retry_policy,
        original_schedule_time: SystemTime::UNIX_EPOCH + Duration::from_secs(3),
    };
    assert_eq!(run.poll_output(), Some(Output::StartLocalActivity(Box::new(started))));

    run.handle_local_activity(LocalActivityAttempt {
        sequence: 3,
        attempt: 1,
        outcome: LocalActivityOutcome::Completed(Some(payload("done"))),
        finished_at: SystemTime::UNIX_EPOCH + Duration::from_secs(4),
    });
    assert!(matches!(run.poll_output(), Some(Output::Activate(_))));
    run.handle_commands(Vec::new());
    let Some(Output::CompleteTask(completion)) = run.poll_output() else { panic!("the task is done") };
    let [marker] = completion.commands.try_into().expect("one Command");
    assert_eq!(marker.user_metadata.expect("metadata").summary, Some(payload("charges the card")));
}

/// Nobody can execute it: the shell says so in place of an outcome.
#[test]
fn one_that_cannot_be_executed_fails_its_task() {
    check(
        "start: local 1, timer 1",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > late failure A
         fail task 1: UNSPECIFIED
         cancel local 1
         evict: task failed",
    );
}
