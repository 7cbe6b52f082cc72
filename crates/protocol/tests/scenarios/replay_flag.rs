//! Whether user code is told that it has done this before.

use crate::notation::check;

#[test]
fn r1_a_query_whose_history_ends_with_the_record_of_commands() {
    check(
        "start: timer 1",
        "> query status WES WFT TS
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered",
    );
    // The consequence is there, no task has delivered it.
    check(
        "start: timer 1",
        "> query status WES WFT TS TF WTS
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered",
    );
}

#[test]
fn r1_a_query_is_replaying_also_where_its_task_is_live() {
    check(
        "start: timer 1",
        "> task WES WFT* ?status
         3 live: Initialize
         3 replaying: Query status
         complete task 1: StartTimer 1; status answered
         > query status WES WTS WTSt / WTC TS
         3 replaying: Query status
         respond task 2: answered
         > task WES WTS WTSt / WTC TS TF WFT*
         8 live: FireTimer 1
         complete task 3: nothing",
    );
}

/// It will be done by the task, so what is done for the query must leave no trace; the run is built again.
#[test]
fn r1_a_query_whose_history_ends_with_an_open_task() {
    check(
        "signal go: complete",
        "> query status WES WFT SIG(a) WFT*
         3 replaying: Initialize
         7 replaying: Signal a
         7 replaying: Query status
         respond task 1: answered
         > task WES WFT SIG(a) WFT* WTO SIG WFT*
         evict: history mismatch
         3 replaying: Initialize
         11 live: Signal a; Signal go
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn r2_a_signal_before_a_query_whose_history_ends_with_a_completed_task() {
    check(
        "",
        "> query status WES WFT SIG WTS WTSt WTC
         3 replaying: Initialize
         7 replaying: Signal go
         7 replaying: Query status
         respond task 1: answered",
    );
}

#[test]
fn r3_the_retry_of_a_failed_task_replays_what_was_completed_before_it() {
    check(
        "start: activity 1
         activity 1: timer 1",
        "> task WES WFT ATS AST ATC WTS WTSt WTF WTS WTSt
         3 replaying: Initialize
         12 live: ResolveActivity 1 completed
         complete task 1: StartTimer 1",
    );
}

#[test]
fn r4_the_first_task_of_a_workflow_is_live() {
    check(
        "start: timer 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > task B WES WTS WTSt WTF WFT*
         B: 6 live: Initialize
         B: complete task 2: StartTimer 1",
    );
}

#[test]
fn what_a_command_brings_about_at_once_is_as_live_as_the_command() {
    check(
        "start: activity 1, cancel activity 1
         signal go: activity 2, cancel activity 2
         activity 2: complete",
        "> task WES WFT SIG WFT*
         3 replaying: Initialize
         3 replaying: ResolveActivity 1 cancelled
         7 live: Signal go
         7 live: ResolveActivity 2 cancelled
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

/// Whether the last task of a page is open stands at the beginning of the next.
#[test]
fn the_page_behind_a_started_task_decides() {
    check(
        "",
        "> task WES WTS WTSt | WTC SIG WTS WTSt |
         fetch page 2
         3 replaying: Initialize
         fetch page 3
         7 live: Signal go
         complete task 1: nothing",
    );
}

#[test]
fn a_cached_run_is_live_from_task_to_task() {
    check(
        "start: timer 1
         timer 1: timer 2
         timer 2: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartTimer 1
         > task WES WTS WTSt / WTC TS TF WFT*
         8 live: FireTimer 1
         complete task 2: StartTimer 2
         > task WES WFT TS TF WTS WTSt / WTC TS(2) TF(2) WFT*
         13 live: FireTimer 2
         complete task 3: CompleteWorkflowExecution
         evict: closed",
    );
}
