//! Local Activities that are cancelled, or given up because the workflow ends.

use crate::notation::check;

/// The outcome comes last, behind what the cancellation brings about at once.
#[test]
fn l10_one_ends_in_the_task_in_which_an_activity_is_cancelled() {
    check(
        "start: activity 1, timer 1, local 2
         timer 1: cancel activity 1
         activity 1: timer 2
         local 2: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 2 charge
         > time 8s
         complete task 1: ScheduleActivityTask 1 charge, StartTimer 1; asks for the next task
         > code waits
         > next TF
         9 live: FireTimer 1
         > local 2 completes
         > code answers
         9 live: ResolveActivity 1 cancelled
         9 live at 11s: ResolveLocalActivity 2 completed
         complete task 2: RequestCancelActivityTask of 5, StartTimer 2, RecordMarker LAM(2,i2), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l15_the_workflow_ends_while_some_are_executed() {
    check(
        "start: local 1, local 2 wait, local 3
         local 3: cancel local 2, complete, local 4",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         start local 3 charge
         > local 3 completes
         3 live: ResolveLocalActivity 3 completed
         cancel local 2
         cancel local 1
         complete task 1: RecordMarker LAM(3,i1), CompleteWorkflowExecution
         evict: closed",
    );
    // What has ended and was not heard of is not noted.
    check(
        "start: local 1, local 2
         local 1: fail",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         > code waits
         > local 1 completes
         3 live: ResolveLocalActivity 1 completed
         > local 2 completes
         > code answers
         cancel local 2
         complete task 1: RecordMarker LAM(1,i1), FailWorkflowExecution
         evict: closed",
    );
    // What was scheduled in the same breath never starts.
    check(
        "start: local 1, continue as new, local 2",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: ContinueAsNewWorkflowExecution
         evict: closed",
    );
}

/// TryCancel tells it, Abandon does not; user code goes on at once, and what becomes of it is no news.
#[test]
fn cancelling_without_waiting_is_an_outcome_at_once() {
    for (kind, told) in [("", "\n cancel local 1"), (" abandon", "")] {
        check(
            &format!(
                "start: local 1{kind}, local 2
                 local 2: cancel local 1, cancel local 1
                 local 1: timer 1"
            ),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 start local 2 charge
                 > local 2 completes
                 3 live: ResolveLocalActivity 2 completed{told}
                 3 live: ResolveLocalActivity 1 cancelled
                 complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM(1,cancelled-at-once,i2), StartTimer 1
                 > local 1 is cancelled
                 > next SIG
                 10 live: Signal go
                 complete task 2: nothing"
            ),
        );
    }
}

#[test]
fn what_is_cancelled_before_anybody_executes_it_is_not_executed() {
    for kind in ["", " abandon"] {
        check(
            &format!(
                "start: local 1{kind}, cancel local 1
                 local 1: timer 1"
            ),
            "> task WES WFT*
             3 live: Initialize
             3 live: ResolveLocalActivity 1 cancelled
             complete task 1: RecordMarker LAM(1,cancelled-at-once,i1), StartTimer 1",
        );
    }
    check(
        "start: local 1 wait, cancel local 1, local 2 wait, cancel local 2, local 3
         local 1: timer 1
         local 2: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 3 charge
         3 live: ResolveLocalActivity 1 cancelled
         3 live: ResolveLocalActivity 2 cancelled
         cancel local 3
         complete task 1: RecordMarker LAM(1,cancelled,i1), StartTimer 1, RecordMarker LAM(2,cancelled,i2), CompleteWorkflowExecution
         evict: closed",
    );
    // One that never began is not cancelled when the workflow ends.
    check(
        "start: local 1 wait, cancel local 1, local 2 wait, cancel local 2
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         3 live: ResolveLocalActivity 1 cancelled
         complete task 1: RecordMarker LAM(1,cancelled,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn one_that_waits_for_its_cancellation_is_heard_of_when_it_has_ended() {
    for (ends, outcome, resolution) in [
        ("is cancelled", "cancelled", "cancelled"),
        ("completes", "", "completed"),
        // There is no further attempt.
        ("fails", "failed", "failed"),
        ("times out", "timed-out", "failed"),
    ] {
        let outcome = if outcome.is_empty() { String::new() } else { format!("{outcome},") };
        check(
            "start: local 1 wait threshold=0s, local 2
             local 2: cancel local 1, cancel local 1
             local 1: timer 1",
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 start local 2 charge
                 > local 2 completes
                 3 live: ResolveLocalActivity 2 completed
                 cancel local 1
                 > time 1s
                 > local 1 {ends}
                 3 live at 4s: ResolveLocalActivity 1 {resolution}
                 complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM(1,{outcome}i2), StartTimer 1"
            ),
        );
    }
}

/// In the task in which it is cancelled nobody executes it yet: the history might have its outcome.
#[test]
fn one_that_is_cancelled_by_a_run_that_was_built_again_is_not_executed_again() {
    for (kind, marker) in [(" wait", "cancelled"), ("", "cancelled-at-once"), (" abandon", "cancelled-at-once")] {
        check(
            &format!(
                "start: local 1{kind}
                 signal go: cancel local 1
                 local 1: complete"
            ),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 > time 8s
                 complete task 1: nothing; asks for the next task
                 > evict A
                 cancel local 1
                 evict: requested
                 > next SIG
                 3 replaying: Initialize
                 7 live: Signal go
                 7 live: ResolveLocalActivity 1 cancelled
                 complete task 2: RecordMarker LAM(1,{marker},i1), CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

#[test]
fn cancelled_while_its_outcome_waits() {
    for (kind, resolution, marker) in [
        ("", "cancelled", "1,cancelled-at-once"),
        (" abandon", "cancelled", "1,cancelled-at-once"),
        (" wait", "completed", "1"),
    ] {
        let told = if kind == " abandon" { "" } else { "\n cancel local 1" };
        check(
            &format!(
                "start: local 1{kind}, local 2
                 local 2: cancel local 1
                 local 1: timer 1"
            ),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 start local 2 charge
                 > code waits
                 > local 2 completes
                 3 live: ResolveLocalActivity 2 completed
                 > local 1 completes
                 > code answers{told}
                 3 live: ResolveLocalActivity 1 {resolution}
                 complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM({marker},i2), StartTimer 1"
            ),
        );
    }
}

#[test]
fn cancelled_between_two_attempts() {
    check(
        "start: local 1 wait, local 2
         local 2: cancel local 1
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         start local 2 charge
         > local 1 fails
         start local 1 charge, attempt 2, in 1s
         > local 2 completes
         3 live: ResolveLocalActivity 2 completed
         cancel local 1
         > local 1 is cancelled
         3 live: ResolveLocalActivity 1 cancelled
         complete task 1: RecordMarker LAM(2,i1), RecordMarker LAM(1,cancelled,attempt=2,i2), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn cancelling_what_is_over_or_never_was_is_nothing() {
    check(
        "start: local 1, cancel local 7
         local 1: cancel local 1, timer 1",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 completes
         3 live: ResolveLocalActivity 1 completed
         complete task 1: RecordMarker LAM(1,i1), StartTimer 1",
    );
}
