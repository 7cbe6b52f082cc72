//! Local Activities: attempts, and what follows them.

use crate::notation::check;

/// What waits for room counts from each attempt on, all attempts together from when the first was scheduled.
#[test]
fn l4_one_that_is_tried_again_over_a_durable_timer() {
    for (passes, fails, resolution, outcome) in [
        (300, 393, "backs off 180s, attempt 3 since 3s", "failed,attempt=2,backoff=180s"),
        (420, 513, "failed", "failed,attempt=2"),
    ] {
        check(
            "start: local 1 threshold=1s interval=90s queue=3600s timeout=600s
             local 1: timer 1
             timer 1: local 2 attempt=2 since=3s threshold=1s interval=90s queue=3600s timeout=600s
             local 2: complete",
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 > local 1 fails
                 3 live: ResolveLocalActivity 1 backs off 90s, attempt 2 since 3s
                 complete task 1: RecordMarker LAM(1,failed,backoff=90s,i1), StartTimer 1
                 > time 90s
                 > next TF
                 9 live: FireTimer 1
                 start local 2 charge, attempt 2
                 > time {passes}s
                 complete task 2: nothing; asks for the next task
                 > next
                 > local 2 fails
                 12 live at {fails}s: ResolveLocalActivity 2 {resolution}
                 complete task 3: RecordMarker LAM(2,{outcome},i0), CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

#[test]
fn l5_an_attempt_that_takes_too_long_is_followed_by_another() {
    check(
        "start: local 1 attempts=5
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 times out
         start local 1 charge, attempt 2, in 1s
         > local 1 times out
         start local 1 charge, attempt 3, in 2s
         > local 1 times out
         start local 1 charge, attempt 4, in 4s
         > local 1 times out
         start local 1 charge, attempt 5, in 8s
         > local 1 times out
         3 live: ResolveLocalActivity 1 failed
         complete task 1: RecordMarker LAM(1,timed-out,attempt=5,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn l5_all_attempts_together_or_the_wait_for_room_are_not_tried_again() {
    for outcome in ["waits too long", "takes too long"] {
        check(
            "start: local 1
             local 1: complete",
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 > local 1 {outcome}
                 3 live: ResolveLocalActivity 1 failed
                 complete task 1: RecordMarker LAM(1,timed-out,i1), CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

#[test]
fn l19_attempts_count_from_one_and_the_last_is_the_one_that_the_policy_names() {
    check(
        "start: local 1 attempts=3
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 fails
         start local 1 charge, attempt 2, in 1s
         > local 1 fails x1
         > local 1 fails x3
         > local 1 fails
         start local 1 charge, attempt 3, in 2s
         > local 1 fails
         3 live: ResolveLocalActivity 1 failed
         complete task 1: RecordMarker LAM(1,failed,attempt=3,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

/// As whoever executes it says: then it is as any other failure.
#[test]
fn l20_one_that_panics() {
    check(
        "start: local 1 attempts=2
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 panics
         start local 1 charge, attempt 2, in 1s
         > local 1 panics
         3 live: ResolveLocalActivity 1 failed
         complete task 1: RecordMarker LAM(1,failed,attempt=2,i1), CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn retries_end_where_the_policy_or_the_failure_says_so_or_no_time_is_left() {
    for (options, fails, marker) in [
        ("attempts=1", "fails", "failed"),
        ("", "fails for good", "failed-for-good"),
        // The next attempt would begin when all attempts together have taken too long.
        ("timeout=1s", "fails", "failed"),
        ("timeout=1s threshold=0s", "fails", "failed"),
        ("timeout=1s", "times out", "timed-out"),
        // It stops by itself.
        ("", "is cancelled", "cancelled"),
    ] {
        let resolution = if marker == "cancelled" { "cancelled" } else { "failed" };
        check(
            &format!(
                "start: local 1 {options}
                 local 1: complete"
            ),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 start local 1 charge
                 > local 1 {fails}
                 3 live: ResolveLocalActivity 1 {resolution}
                 complete task 1: RecordMarker LAM(1,{marker},i1), CompleteWorkflowExecution
                 evict: closed"
            ),
        );
    }
}

/// A delay as long as the threshold is still spent here.
#[test]
fn a_back_off_takes_a_new_number_and_goes_on_with_the_attempts() {
    check(
        "start: local 1 threshold=1s
         local 1: timer 1
         timer 1: local 2 attempt=3 since=3s threshold=3s attempts=4
         local 2: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > local 1 fails
         start local 1 charge, attempt 2, in 1s
         > local 1 fails
         3 live: ResolveLocalActivity 1 backs off 2s, attempt 3 since 3s
         complete task 1: RecordMarker LAM(1,failed,attempt=2,backoff=2s,i1), StartTimer 1
         > next TF
         9 live: FireTimer 1
         start local 2 charge, attempt 3
         > local 2 fails
         9 live: ResolveLocalActivity 2 backs off 4s, attempt 4 since 3s
         complete task 2: RecordMarker LAM(2,failed,attempt=3,backoff=4s,i1), CompleteWorkflowExecution
         evict: closed",
    );
}
