//! Activities: their outcomes, and their cancellation in its three kinds.

use std::time::Duration;

use timewright_proto::command::command::Attributes;
use timewright_proto::common::{Payload, Priority, RetryPolicy};
use timewright_protocol::workflow::{Command, ScheduleActivity};

use crate::notation::{check, wire};

#[test]
fn a1_a_cancelled_activity_that_also_completes() {
    check(
        "start: activity 1
         signal go: cancel activity 1, timer 1",
        "> task WES WFT ATS SIG WFT ATCR TS AST ATC WFT*
         3 replaying: Initialize
         8 replaying: Signal go
         8 replaying: ResolveActivity 1 cancelled
         complete task 1: nothing",
    );
}

#[test]
fn a2_a_cancelled_activity_that_also_times_out() {
    check(
        "start: activity 1
         signal a: cancel activity 1, timer 1
         timer 1: complete",
        "> task WES WFT ATS SIG(a) WFT ATCR TS AST ATTO WTS SIG(b) WTSt WTO TF WFT*
         3 replaying: Initialize
         8 replaying: Signal a
         8 replaying: ResolveActivity 1 cancelled
         20 live: Signal b; FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a3_cancelling_what_has_an_outcome_already_is_no_command() {
    check(
        "start: activity 1
         signal go: cancel activity 1
         activity 1: complete",
        "> task WES WFT ATS SIG AST ATC WFT*
         3 replaying: Initialize
         10 live: Signal go; ResolveActivity 1 completed
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
    check(
        "start: timer 1
         signal go: cancel timer 1
         timer 1: complete",
        "> task WES WFT TS SIG TF WFT*
         3 replaying: Initialize
         9 live: Signal go; FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a3_cancelling_what_never_was_is_no_command() {
    check(
        "start: cancel activity 7, cancel timer 7",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing",
    );
}

#[test]
fn a4_an_abandoned_activity_is_cancelled_at_once_and_the_server_is_not_told() {
    // In the task that schedules it.
    check(
        "start: activity 1 abandon, cancel activity 1
         activity 1: timer 1",
        "> task WES WFT*
         3 live: Initialize
         3 live: ResolveActivity 1 cancelled
         complete task 1: StartTimer 1",
    );
    // When the server has it.
    check(
        "start: activity 1 abandon
         signal go: cancel activity 1
         activity 1: timer 1",
        "> task WES WFT ATS SIG WFT*
         3 replaying: Initialize
         8 live: Signal go
         8 live: ResolveActivity 1 cancelled
         complete task 1: StartTimer 1",
    );
}

#[test]
fn a5_what_comes_of_an_abandoned_activity_is_ignored() {
    for outcome in ["AST ATC", "AST ATF", "AST ATTO", "ATTO", "AST ATCd"] {
        let fired = 13 + outcome.split(' ').count();
        check(
            "start: activity 1 abandon
             signal go: cancel activity 1, timer 1
             timer 1: complete",
            &format!(
                "> task WES WFT ATS SIG WFT TS {outcome} TF WFT*
                 3 replaying: Initialize
                 8 replaying: Signal go
                 8 replaying: ResolveActivity 1 cancelled
                 {fired} live: FireTimer 1
                 complete task 1: CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

#[test]
fn a7_an_activity_with_an_id_of_its_own() {
    check(
        "start: activity 1 id=invoice-7
         signal go: cancel activity 1, timer 1
         activity 1: nothing",
        "> task WES WFT ATS(invoice-7) SIG AST(invoice-7) ATC(invoice-7) WFT*
         3 replaying: Initialize
         10 live: Signal go; ResolveActivity 1 completed
         complete task 1: StartTimer 1
         > task WES WFT ATS(invoice-7) SIG AST(invoice-7) ATC(invoice-7) WTS WTSt / WTC TS TF WFT*
         15 live: FireTimer 1
         complete task 2: nothing",
    );
    // An id may be used again once its activity is closed.
    check(
        "start: activity 1 id=invoice-7
         activity 1: activity 2 id=invoice-7
         activity 2: complete",
        "> task WES WFT ATS(invoice-7) AST(invoice-7) ATC(invoice-7) WFT ATS(invoice-7) AST(invoice-7) ATF(invoice-7) WFT*
         3 replaying: Initialize
         9 replaying: ResolveActivity 1 completed
         15 live: ResolveActivity 2 failed
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a8_an_activity_that_was_started_before_it_is_cancelled() {
    check(
        "start: activity 1 wait, timer 1
         timer 1: cancel activity 1
         activity 1: complete",
        "> task WES WFT ATS TS AST TF WFT ATCR ATCd WFT*
         3 replaying: Initialize
         10 replaying: FireTimer 1
         15 live: ResolveActivity 1 cancelled
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a9_a_cancel_between_two_operations_shifts_no_ids() {
    check(
        "start: timer 1
         cancel: cancel timer 1, activity 1
         activity 1: end cancelled",
        "> task WES WFT TS WECR WFT TCd ATS AST ATC WFT*
         3 replaying: Initialize
         8 replaying: RequestCancellation
         15 live: ResolveActivity 1 completed
         complete task 1: CancelWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a10_outcomes_in_the_task_of_a_cancellation_leave_nothing_to_cancel() {
    for (event, news, code) in [("WECR", "RequestCancellation", "cancel"), ("SIG", "Signal go", "signal go")] {
        let jobs = match event {
            "SIG" => format!("{news}; ResolveActivity 1 completed; FireTimer 1"),
            _ => format!("ResolveActivity 1 completed; FireTimer 1; {news}"),
        };
        check(
            &format!(
                "start: activity 1, timer 1
                 {code}: cancel activity 1, cancel timer 1, activity 2"
            ),
            &format!(
                "> task WES WFT ATS TS AST ATC TF {event} WFT*
                 3 replaying: Initialize
                 12 live: {jobs}
                 complete task 1: ScheduleActivityTask 2 charge"
            ),
        );
    }
}

#[test]
fn an_activity_that_waits_for_its_cancellation_hears_what_becomes_of_it() {
    for (outcome, resolution) in
        [("AST ATCd", "cancelled"), ("AST ATC", "completed"), ("AST ATF", "failed"), ("AST ATTO", "failed")]
    {
        check(
            "start: activity 1 wait
             signal go: cancel activity 1
             activity 1: complete",
            &format!(
                "> task WES WFT ATS SIG WFT ATCR {outcome} WFT*
                 3 replaying: Initialize
                 8 replaying: Signal go
                 14 live: ResolveActivity 1 {resolution}
                 complete task 1: CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

#[test]
fn cancelling_twice_is_cancelling_once() {
    for (kind, heard) in [("", "\n 8 live: ResolveActivity 1 cancelled"), (" wait", "")] {
        check(
            &format!(
                "start: activity 1{kind}
                 signal go: cancel activity 1, cancel activity 1"
            ),
            &format!(
                "> task WES WFT ATS SIG WFT*
                 3 replaying: Initialize
                 8 live: Signal go{heard}
                 complete task 1: RequestCancelActivityTask of 5
                 > task WES WFT ATS SIG WTS WTSt / WTC ATCR SIG WFT*
                 13 live: Signal go
                 complete task 2: nothing"
            ),
        );
    }
}

#[test]
fn what_user_code_reads_of_an_outcome() {
    for (outcome, text) in [
        ("ATC", "completed with [\"done\"]"),
        (
            "ATF",
            "failed: Activity task failed [activity 1 charge, scheduled at 5, started at 6 by \"an activity worker\", \
             NON_RETRYABLE_FAILURE] ← card declined [CardDeclined]",
        ),
        (
            "ATTO",
            "failed: Activity task timed out [activity 1 charge, scheduled at 5, started at 6 by \"\", TIMEOUT] \
             ← activity StartToClose timeout [timeout]",
        ),
        (
            "ATCd",
            "cancelled: Activity task cancelled [activity 1 charge, scheduled at 5, started at 6 by \
             \"an activity worker\", CANCEL_REQUESTED] ← Activity cancelled [cancelled with [\"half done\"]]",
        ),
    ] {
        check(
            "start: activity 1",
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 complete task 1: ScheduleActivityTask 1 charge
                 > show texts
                 > task WES WTS WTSt / WTC ATS AST {outcome} WFT*
                 9 live: ResolveActivity 1 {text}
                 complete task 2: nothing"
            ),
        );
    }
    check(
        "signal go: activity 1, cancel activity 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > show texts
         > task WES WTS WTSt / WTC SIG WFT*
         7 live: Signal go
         7 live: ResolveActivity 1 cancelled: Activity task cancelled [activity 1 charge, scheduled at 0, started at 0 by \"\", CANCEL_REQUESTED] ← Activity cancelled [cancelled with nothing]
         complete task 2: nothing",
    );
}

#[test]
fn a_schedule_command_carries_all_that_was_asked_for() {
    let payload = |text: &'static str| Payload { data: text.into(), ..Payload::default() };
    let schedule = ScheduleActivity {
        sequence: 3,
        activity_type: "charge".to_owned(),
        task_queue: "payments".to_owned(),
        arguments: vec![payload("amount")],
        schedule_to_close_timeout: Some(Duration::from_secs(60)),
        schedule_to_start_timeout: Some(Duration::from_secs(10)),
        start_to_close_timeout: Some(Duration::from_millis(1500)),
        heartbeat_timeout: Some(Duration::MAX),
        retry_policy: Some(RetryPolicy { maximum_attempts: 3, ..RetryPolicy::default() }),
        priority: Some(Priority { priority_key: 1, ..Priority::default() }),
        summary: Some(payload("charges the card")),
        ..ScheduleActivity::default()
    };
    let [command] = wire(vec![Command::ScheduleActivity(Box::new(schedule))]).try_into().expect("one Command");
    let summary = command.user_metadata.expect("metadata").summary;
    assert_eq!(summary, Some(payload("charges the card")));
    let Some(Attributes::ScheduleActivityTaskCommandAttributes(scheduled)) = command.attributes else {
        panic!("another Command");
    };
    assert_eq!(scheduled.activity_id, "3");
    assert_eq!(scheduled.activity_type.map(|name| name.name).as_deref(), Some("charge"));
    assert_eq!(scheduled.task_queue.map(|queue| queue.name).as_deref(), Some("payments"));
    assert_eq!(scheduled.input.map(|input| input.payloads), Some(vec![payload("amount")]));
    let durations = [
        scheduled.schedule_to_close_timeout,
        scheduled.schedule_to_start_timeout,
        scheduled.start_to_close_timeout,
        scheduled.heartbeat_timeout,
    ];
    let durations = durations.map(|duration| duration.map(|duration| (duration.seconds, duration.nanos)));
    assert_eq!(durations[..3], [Some((60, 0)), Some((10, 0)), Some((1, 500_000_000))]);
    assert_eq!(durations[3].map(|(seconds, _)| seconds), Some(315_576_000_000), "the longest that there is");
    assert_eq!(scheduled.retry_policy.map(|policy| policy.maximum_attempts), Some(3));
    assert_eq!(scheduled.priority.map(|priority| priority.priority_key), Some(1));
}
