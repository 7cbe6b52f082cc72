//! Many Runs: which stay, which leave, and tasks that come while their Run is busy.
//!
//! That each task is answered exactly once is checked at the end of every scenario, here and elsewhere.

use crate::notation::check;

#[test]
fn w18_a_run_leaves_only_when_there_are_more_than_there_is_room_for() {
    check(
        "",
        "> cache 2
         > task A WES WFT*
         A: 3 live: Initialize
         A: complete task 1: nothing
         > task B WES WFT*
         B: 3 live: Initialize
         B: complete task 2: nothing
         > task C WES WFT*
         C: 3 live: Initialize
         A: evict: cache full
         C: complete task 3: nothing",
    );
}

#[test]
fn the_run_that_was_used_longest_ago_leaves_first() {
    check(
        "",
        "> cache 2
         > task A WES WFT*
         A: 3 live: Initialize
         A: complete task 1: nothing
         > task B WES WFT*
         B: 3 live: Initialize
         B: complete task 2: nothing
         > query status A WES WTS WTSt / WTC
         A: 3 replaying: Query status
         A: respond task 3: answered
         > task C WES WFT*
         C: 3 live: Initialize
         B: evict: cache full
         C: complete task 4: nothing
         > task A WES WTS WTSt / WTC SIG WFT*
         A: 7 live: Signal go
         A: complete task 5: nothing",
    );
}

#[test]
fn without_a_cache_each_task_begins_anew() {
    check(
        "start: timer 1
         timer 1: timer 2",
        "> cache 0
         > task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         evict: cache full
         > task WES WFT TS TF WFT*
         3 replaying: Initialize
         8 live: FireTimer 1
         complete task 2: StartTimer 2
         evict: cache full",
    );
}

#[test]
fn w6_busy_runs_never_leave_and_none_is_refused() {
    check(
        "",
        "> cache 1
         > code waits
         > task A WES WFT*
         A: 3 live: Initialize
         > task B WES WFT*
         B: 3 live: Initialize
         > task C WES WFT*
         C: 3 live: Initialize
         > server waits
         > code answers
         A: complete task 1: nothing
         B: complete task 2: nothing
         C: complete task 3: nothing
         > server takes
         A: evict: cache full
         B: evict: cache full
         > query status C WES WTS WTSt / WTC
         C: 3 replaying: Query status
         C: respond task 4: answered",
    );
}

#[test]
fn w5_a_cache_miss_on_a_sticky_task_again_and_again() {
    check(
        "",
        "> cache 0
         > task WES WTS WTSt / WTC SIG WFT*
         fetch the first page
         3 replaying: Initialize
         7 live: Signal go
         complete task 1: nothing
         evict: cache full
         > task WES WFT SIG WTS WTSt / WTC WFT*
         fetch the first page
         3 replaying: Initialize
         7 replaying: Signal go
         complete task 2: nothing
         evict: cache full
         > task WES WFT SIG WFT WTS WTSt / WTC WFT*
         fetch the first page
         3 replaying: Initialize
         7 replaying: Signal go
         complete task 3: nothing
         evict: cache full
         > evict A
         > evict B",
    );
}

#[test]
fn w7_a_run_that_is_evicted_while_tasks_wait_starts_again_with_them() {
    check(
        "",
        "> code waits
         > task WES WFT*
         3 live: Initialize
         > task WES WFT* WTO WFT*
         > query status WES WFT* WTO WTS WTSt /
         > evict A
         abandon task 1: evicted
         evict: requested
         6 live: Initialize
         > code answers
         complete task 2: nothing
         6 replaying: Query status
         respond task 3: answered",
    );
}

/// User code's state is dropped before the next activation of that run. (The notation checks `Initialize`.)
#[test]
fn w11_the_old_state_is_dropped_before_the_run_starts_again() {
    check(
        "start: panic",
        "> code waits
         > task WES WFT*
         3 live: Initialize
         > task x2 WES WTS WTSt WTF WFT*
         > code answers
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed
         6 live: Initialize
         abandon task 2: failed again on attempt 2
         evict: task failed",
    );
}

#[test]
fn a_task_that_comes_before_the_completion_is_confirmed_waits_for_it() {
    check(
        "start: timer 1
         timer 1: complete",
        "> cache 0
         > server waits
         > task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > task WES WTS WTSt / WTC TS TF WFT*
         > server takes
         8 live: FireTimer 1
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn a_task_that_does_not_continue_the_run_starts_it_anew() {
    // Another worker did the task in between.
    check(
        "start: timer 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > task WES WFT TS SIG WTS WTSt / WTC TF WFT*
         evict: history mismatch
         fetch the first page
         3 replaying: Initialize
         8 replaying: Signal go
         12 live: FireTimer 1
         complete task 2: nothing",
    );
    // A gap: Events between those that the run has and those that come.
    check(
        "start: timer 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > query status WES WFT TS SIG WTS WTSt / WTC
         evict: history mismatch
         fetch the first page
         3 replaying: Initialize
         8 replaying: Signal go
         8 replaying: Query status
         respond task 2: answered",
    );
}

#[test]
fn a_recorded_history_of_a_run_that_is_cached_is_gone_through_from_its_beginning() {
    check(
        "start: timer 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > replay WES WFT TS
         evict: history mismatch
         3 replaying: Initialize
         finish task 2
         evict: closed",
    );
}

#[test]
fn a_query_with_all_of_the_history_goes_on_with_the_run() {
    check(
        "start: timer 1
         timer 1: timer 2",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > query status WES WFT TS TF WFT TS(2)
         8 replaying: FireTimer 1
         8 replaying: Query status
         respond task 2: answered
         > task WES WFT TS TF WTS WTSt / WTC TS(2) TF(2) WFT*
         13 live: FireTimer 2
         complete task 3: nothing",
    );
}

#[test]
fn events_that_came_with_a_query_come_again_with_the_task() {
    check(
        "start: timer 1
         timer 1: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > query status WES WTS WTSt / WTC TS TF WTS
         3 replaying: Query status
         respond task 2: answered
         > task WES WTS WTSt / WTC TS TF WFT*
         8 live: FireTimer 1
         complete task 3: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn w13_a_run_that_no_task_comes_for_leaves_in_the_end() {
    check(
        "",
        "> idle 60s
         > task A WES WFT*
         A: 3 live: Initialize
         A: complete task 1: nothing
         > time 40s
         > task B WES WFT*
         B: 3 live: Initialize
         B: complete task 2: nothing
         > time 19s
         > time 1s
         A: evict: unused
         > time 39s
         > time 1s
         B: evict: unused",
    );
}

/// Its forced task has gone to another worker, which does all of it anew.
#[test]
fn a_run_with_local_activities_that_hears_no_more_of_them_leaves_in_the_end() {
    check(
        "start: local 1",
        "> idle 60s
         > task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: nothing; asks for the next task
         > time 60s
         cancel local 1
         evict: unused",
    );
}

#[test]
fn where_memory_is_scarce_those_leave_that_were_used_longest_ago() {
    check(
        "",
        "> task A WES WFT*
         A: 3 live: Initialize
         A: complete task 1: nothing
         > task B WES WFT*
         B: 3 live: Initialize
         B: complete task 2: nothing
         > code waits
         > task C WES WFT*
         C: 3 live: Initialize
         > pressure 1
         A: evict: requested
         > pressure 10
         B: evict: requested
         > code answers
         C: complete task 3: nothing",
    );
}
