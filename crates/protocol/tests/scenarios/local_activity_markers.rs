//! The markers of Local Activities: what becomes of a history, whoever wrote it.
//!
//! That a history which we wrote says the same again is checked in every scenario; here are those that others wrote, and those
//! that do not fit the code.

use crate::notation::{check, check_every_order};

/// The first task was completed with nothing but the wish for a second, in which the Local Activity ended.
#[test]
fn h1_heartbeats_before_the_outcome() {
    for index in ["", ",i0", ",i1"] {
        check(
            "start: local 1
             local 1: timer 1
             timer 1: complete",
            &format!(
                "> cache 0
                 > task WES WFT WFT LAM(1{index},at=6s) TS TF WFT*
                 3 replaying: Initialize
                 6 replaying: ResolveLocalActivity 1 completed
                 12 live: FireTimer 1
                 complete task 1: CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

#[test]
fn t1_a_timer_that_was_started_before_a_heartbeat_is_cancelled_behind_it() {
    check(
        "start: timer 1, local 1
         local 1: cancel timer 1, timer 2
         timer 2: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: StartTimer 1; asks for the next task
         > next
         > local 1 completes
         7 live at 11s: ResolveLocalActivity 1 completed
         complete task 2: RecordMarker LAM(1,i0), CancelTimer 1, StartTimer 2
         > next TF(2)
         14 live: FireTimer 2
         complete task 3: CompleteWorkflowExecution
         evict: closed",
    );
    // Within one task nothing of it is sent.
    check(
        "start: timer 1, local 1
         local 1: cancel timer 1, timer 2",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 completes
         3 live: ResolveLocalActivity 1 completed
         complete task 1: RecordMarker LAM(1,i1), StartTimer 2",
    );
}

/// Beside other news, where the SDK that wrote the history says so.
#[test]
fn t7_outcomes_of_local_activities_come_last() {
    check(
        "start: local 1, activity 2, timer 1
         local 1: nothing",
        "> task WES WFT ATS(2) TS SIG WTS WTSt TF AST(2) ATC(2) WTF(reset) WECR WFT LAM(1,i0) WFT*
         3 replaying: Initialize
         16 replaying: UpdateRandomSeed; Signal go; FireTimer 1; ResolveActivity 2 completed; RequestCancellation; ResolveLocalActivity 1 completed
         complete task 1: nothing",
    );
}

/// Live it comes by itself.
#[test]
fn t7_news_and_outcomes_live() {
    check(
        "start: local 1, activity 2, timer 1",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: ScheduleActivityTask 2 charge, StartTimer 1; asks for the next task
         > local 1 completes
         > next SIG(a) TF AST(2) ATC(2) WECR SIG(b) ?status
         14 live: Signal a; Signal b; FireTimer 1; ResolveActivity 2 completed; RequestCancellation
         14 live: ResolveLocalActivity 1 completed
         14 replaying: Query status
         complete task 2: RecordMarker LAM(1,i1); status answered",
    );
}

#[test]
fn l10_the_marker_stands_behind_what_was_cancelled_at_once() {
    check(
        "start: activity 1, local 2, timer 1
         timer 1: cancel activity 1
         activity 1: timer 2
         local 2: timer 3",
        "> task WES WFT ATS TS TF WFT ATCR TS(2) LAM(2,i2) TS(3) WFT*
         3 replaying: Initialize
         9 replaying: FireTimer 1
         9 replaying: ResolveActivity 1 cancelled
         9 replaying: ResolveLocalActivity 2 completed
         complete task 1: nothing",
    );
}

/// The second is asked for after the first, and ends before it; a timer decides.
#[test]
fn l11_markers_in_another_order_than_the_commands() {
    for (second, first) in [("i1", "i2"), ("", "")] {
        let marker = |number, index| match index {
            "" => format!("LAM({number})"),
            index => format!("LAM({number},{index})"),
        };
        check(
            "start: local 1, timer 1
             timer 1: local 2
             local 2: timer 2
             local 1: timer 3",
            &format!(
                "> task WES WFT TS TF WFT {} TS(2) {} TS(3) WFT*
                 3 replaying: Initialize
                 8 replaying: FireTimer 1
                 8 replaying: ResolveLocalActivity {}
                 complete task 1: nothing",
                marker(2, second),
                marker(1, first),
                match second {
                    "" => "2 completed; ResolveLocalActivity 1 completed",
                    _ => "2 completed\n8 replaying: ResolveLocalActivity 1 completed",
                },
            ),
        );
    }
}

/// As SDKs wrote it before they noted in which activation an outcome was heard of: all together whose Local Activities are
/// scheduled, in the order of the markers, and beside other news.
#[test]
fn l12_a_history_of_an_sdk_that_noted_no_activations() {
    for (markers, heard) in [
        ("LAM(2) LAM(1) LAM(3) LAM(4) LAM(5)", ["2; 1; 3", "4; 5", ""]),
        ("LAM(3) LAM(2) LAM(4) LAM(1) LAM(5)", ["3; 2", "4; 1", "5"]),
        ("LAM(2) LAM(4) LAM(1) LAM(3) LAM(5)", ["2", "4; 1; 3", "5"]),
        ("LAM(2) LAM(1) LAM(4) LAM(5) LAM(3)", ["2; 1", "4; 5; 3", ""]),
    ] {
        let heard: String = heard
            .iter()
            .filter(|numbers| !numbers.is_empty())
            .map(|numbers| {
                let jobs = numbers.split("; ").map(|number| format!("ResolveLocalActivity {number} completed"));
                format!("\n3 replaying: {}", jobs.collect::<Vec<_>>().join("; "))
            })
            .collect();
        check(
            "start: local 1, local 2, local 3
             local 2: local 4
             local 1: local 5
             local 5: timer 1",
            &format!(
                "> task WES WFT {markers} TS WFT*
                 3 replaying: Initialize{heard}
                 complete task 1: nothing"
            ),
        );
    }
    check(
        "start: local 1
         signal go: timer 1
         local 1: timer 2",
        "> task WES WFT SIG WFT TS LAM(1) TS(2) WFT*
         3 replaying: Initialize
         7 replaying: Signal go; ResolveLocalActivity 1 completed
         complete task 1: nothing",
    );
}

/// Other SDKs hand several outcomes over in one activation.
#[test]
fn l12_outcomes_that_were_heard_of_together() {
    check(
        "start: local 1, local 2, local 3
         local 2: local 4
         local 3: timer 1",
        "> task WES WFT LAM(2,i1) LAM(1,i1) LAM(4,i2) LAM(3,i4) TS WFT*
         3 replaying: Initialize
         3 replaying: ResolveLocalActivity 2 completed; ResolveLocalActivity 1 completed
         3 replaying: ResolveLocalActivity 4 completed
         3 replaying: ResolveLocalActivity 3 completed
         complete task 1: nothing",
    );
}

/// An SDK that counts otherwise: what is noted is heard of as soon as its Local Activity is scheduled, and in its order.
#[test]
fn l12_outcomes_whose_activations_were_counted_otherwise() {
    for (first, second) in [("i1", "i1"), ("i0", "i0"), ("i4", "i2")] {
        check(
            "start: local 1
             local 1: local 2
             local 2: timer 1",
            &format!(
                "> task WES WFT LAM(1,{first}) LAM(2,{second}) TS WFT*
                 3 replaying: Initialize
                 3 replaying: ResolveLocalActivity 1 completed
                 3 replaying: ResolveLocalActivity 2 completed
                 complete task 1: nothing"
            ),
        );
    }
}

/// What they write of a Local Activity that was cancelled and not waited for.
#[test]
fn markers_of_what_was_cancelled_at_once() {
    for kind in ["", " abandon"] {
        check(
            &format!(
                "start: local 1{kind}, local 2{kind}, cancel local 1, timer 1
                 local 1: nothing
                 timer 1: cancel local 2
                 local 2: timer 2"
            ),
            "> task WES WFT LAM(1,cancelled-at-once,i1) TS TF WFT LAM(2,cancelled-at-once,i1) TS(2) WFT*
             3 replaying: Initialize
             3 replaying: ResolveLocalActivity 1 cancelled
             9 replaying: FireTimer 1
             9 replaying: ResolveLocalActivity 2 cancelled
             complete task 1: nothing",
        );
    }
}

/// Waited for, one answers by itself, whatever that is.
#[test]
fn markers_of_what_was_cancelled_and_waited_for() {
    for (outcome, resolution) in
        [("cancelled", "cancelled"), ("", "completed"), ("failed", "failed"), ("timed-out", "failed")]
    {
        check(
            "start: local 1 wait, timer 1
             timer 1: cancel local 1
             local 1: timer 2",
            &format!(
                "> task WES WFT TS TF WFT LAM(1,{outcome},i1,at=9s) TS(2) WFT*
                 3 replaying: Initialize
                 8 replaying: FireTimer 1
                 8 replaying at 9s: ResolveLocalActivity 1 {resolution}
                 complete task 1: nothing"
            ),
        );
    }
}

#[test]
fn a_marker_of_a_back_off() {
    check(
        "start: local 1
         local 1: timer 1
         timer 1: local 2 attempt=2 since=2.5s
         local 2: timer 2",
        "> task WES WFT LAM(1,failed,backoff=1s,since=2.5s,i1) TS TF WFT LAM(2,attempt=2,since=2.5s,i1) TS(2) WFT*
         3 replaying: Initialize
         3 replaying: ResolveLocalActivity 1 backs off 1s, attempt 2 since 2.5s
         9 replaying: FireTimer 1
         9 replaying: ResolveLocalActivity 2 completed
         complete task 1: nothing",
    );
}

/// A worker's clock may be behind the server's, and ahead of it.
#[test]
fn time_never_goes_backwards() {
    check(
        "start: local 1
         local 1: local 2
         local 2: timer 1
         timer 1: complete",
        "> task WES WFT LAM(1,i1,at=1.5s) LAM(2,i2,at=20s) TS TF WFT*
         3 replaying: Initialize
         3 replaying: ResolveLocalActivity 1 completed
         3 replaying at 20s: ResolveLocalActivity 2 completed
         10 live at 20s: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
    check(
        "start: local 1, local 2
         local 2: timer 1",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         > show texts
         > local 1 completes at 2.5s
         3 live: ResolveLocalActivity 1 completed with [\"done\"]
         > local 2 completes at 20.5s
         3 live at 20.5s: ResolveLocalActivity 2 completed with [\"done\"]
         complete task 1: RecordMarker LAM(1,i1,at=3s,since=3s), RecordMarker LAM(2,i2,at=20.5s,since=3s), StartTimer 1
         > next TF
         10 live at 20.5s: FireTimer 1
         complete task 2: nothing",
    );
}

#[test]
fn what_user_code_reads_of_an_outcome() {
    for (outcome, text) in [
        ("nothing", "completed with nothing"),
        ("", "completed with [\"done\"]"),
        (
            "failed",
            "failed: Local Activity failed [activity invoice-7 charge, scheduled at 0, started at 0 by \"\", \
             UNSPECIFIED] ← card declined [CardDeclined]",
        ),
        (
            "failed-for-good",
            "failed: Local Activity failed [activity invoice-7 charge, scheduled at 0, started at 0 by \"\", \
             NON_RETRYABLE_FAILURE] ← card declined [CardDeclined]",
        ),
        (
            "timed-out",
            "failed: Local Activity timed out [activity invoice-7 charge, scheduled at 0, started at 0 by \"\", \
             TIMEOUT] ← Activity timed out [timeout]",
        ),
        (
            "cancelled",
            "cancelled: Local Activity cancelled [activity invoice-7 charge, scheduled at 0, started at 0 by \"\", \
             CANCEL_REQUESTED] ← Activity cancelled [cancelled with nothing]",
        ),
    ] {
        check(
            "signal go: local 1 id=invoice-7",
            &format!(
                "> show texts
                 > task WES WFT SIG WFT LAM(1,id=invoice-7,{outcome},i1) WFT*
                 {INITIALIZE}
                 7 replaying: Signal go
                 7 replaying: ResolveLocalActivity 1 {text}
                 complete task 1: nothing"
            ),
        );
    }
}

#[test]
fn a_marker_that_is_not_the_code_s_is_nondeterminism() {
    let marker = |name: &str, id: &str, number: &str| {
        format!("the marker of a Local Activity (type {name:?}, id {id:?}, number {number})")
    };
    let mine = marker("charge", "1", "1");
    let nothing = "no further command in this Workflow Task";
    let hears = "\n7 replaying: ResolveLocalActivity 1 completed with [\"done\"]";
    for (code, record, heard, recorded, issued) in [
        ("local 1", "LAM(1,type=refund,i1)", hears, marker("refund", "1", "1"), mine.as_str()),
        ("local 1", "LAM(1,id=invoice-7,i1)", hears, marker("charge", "invoice-7", "1"), &mine),
        ("local 1, timer 1", "LAM(1,type=refund,i1) TS", hears, marker("refund", "1", "1"), &mine),
        ("local 1", "LAM(2,i1)", "", marker("charge", "2", "2"), nothing),
        ("local 1", "TS", "", "TimerStarted (id \"1\")".to_owned(), nothing),
        ("timer 1", "LAM(1,i1)", "", mine.clone(), "StartTimer (id \"1\")"),
        ("activity 1", "LAM(1,i1)", "", mine.clone(), "ScheduleActivityTask (type \"charge\", id \"1\")"),
        ("nothing", "LAM(1,i1)", "", mine.clone(), nothing),
    ] {
        check(
            &format!("signal go: {code}"),
            &format!(
                "> show texts
                 > task WES WFT SIG WFT {record} WFT*
                 {INITIALIZE}
                 7 replaying: Signal go{heard}
                 fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 9: the history recorded {recorded}, \
                 the workflow code issued {issued}; both disagreed from the first command on. The code has changed since \
                 this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has \
                 not failed, and goes on when that code is back [Nondeterminism]
                 evict: task failed"
            ),
        );
    }
}

/// Whether a Local Activity was waited for shows only where its marker is missing.
#[test]
fn a_marker_that_is_missing_is_nondeterminism_once_user_code_has_heard_of_the_outcome() {
    check(
        "start: local 1, cancel local 1, timer 1
         local 1: nothing",
        "> task WES WFT TS TF WFT*
         3 replaying: Initialize
         3 replaying: ResolveLocalActivity 1 cancelled
         fail task 1: NON_DETERMINISTIC_ERROR
         evict: task failed",
    );
    // It may have been executed all the time.
    check(
        "start: local 1, timer 1
         timer 1: nothing",
        "> task WES WFT TS TF WFT*
         3 replaying: Initialize
         8 live: FireTimer 1
         start local 1 charge
         > evict A
         abandon task 1: evicted
         cancel local 1
         evict: requested",
    );
}

#[test]
fn a_marker_that_cannot_be_read_fails_its_task() {
    check(
        "",
        "> show texts
         > task WES WFT LAM(1,attempt=many) WFT*
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: event 5 is a marker \"core_local_activity\" without details `data`: the history is damaged, or written by an SDK that writes such markers differently [HistoryError]
         evict: task failed",
    );
}

const INITIALIZE: &str =
    "3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]";

/// Whatever comes when, a replay says what was said live.
#[test]
fn every_order_of_outcomes_heartbeats_and_news() {
    check_every_order(
        "start: local 1, local 2 wait, local 3 abandon, timer 1
         local 1: local 4, cancel local 2
         local 2: timer 2
         local 4: activity 5, cancel activity 5
         activity 5: local 6 wait, cancel local 6
         local 6: cancel timer 1
         signal go: cancel local 3",
        &[
            "local 1 completes",
            "local 1 fails",
            "local 2 is cancelled",
            "local 3 completes",
            "local 4 fails for good",
            "time 8s",
            "next",
            "next SIG",
            "code waits",
            "code answers",
            "evict A",
        ],
        5,
        1000,
    );
}
