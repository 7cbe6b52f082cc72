//! Cutting histories into Workflow Tasks; pages, and what happens when they do not come.

use crate::notation::{check, check_cuts, check_every_split};

#[test]
fn h1_an_empty_heartbeat_is_a_task_of_its_own_and_wakes_nobody() {
    check(
        "signal go: timer 1
         timer 1: complete",
        "> task WES WFT WFT SIG WFT TS TF WFT*
         3 replaying: Initialize
         10 replaying: Signal go
         15 live: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
    check_cuts(
        "WES WFT WFT SIG WFT TS TF WFT*",
        "task 1-3 replaying
         task 4-6 replaying
         task 7-10 replaying
         task 11-15 live",
    );
}

/// Three tasks with Commands, then heartbeats; the page ends at Event 18, 19, 20, 21.
#[test]
fn h2_a_page_that_ends_inside_a_chain_of_heartbeats() {
    let before = "task 1-3 replaying
         task 4-8 replaying
         task 9-13 replaying";
    let behind = "task 18-20 replaying
         task 21-23 replaying
         record 24";
    // Whether the completion of 18 has Commands is not known yet.
    check_cuts(
        "WES WFT TS TF WFT TS TF WFT TS WTS WTSt WTC | WFT WFT",
        &format!("{before}\n need page 2\n task 14-17 replaying\n {behind}"),
    );
    for page in ["WTS | WTSt WTC", "WTS WTSt | WTC", "WTS WTSt WTC |"] {
        check_cuts(
            &format!("WES WFT TS TF WFT TS TF WFT TS WFT {page} WFT"),
            &format!("{before}\n task 14-17 replaying\n need page 2\n {behind}"),
        );
    }
}

#[test]
fn h3_an_empty_first_task_is_not_merged_with_the_news_of_the_second() {
    check(
        "signal go: complete",
        "> task WES WFT SIG WFT WFT*
         3 replaying: Initialize
         7 replaying: Signal go
         fail task 1: NON_DETERMINISTIC_ERROR
         evict: task failed
         > task WES WFT WFT SIG WFT*
         3 replaying: Initialize
         10 live: Signal go
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn h4_a_task_that_failed_or_timed_out_is_no_place_to_cut() {
    for failed in ["WTF", "WTO"] {
        check_cuts(
            &format!("WES WTS WTSt {failed} WFT TS TF WTS WTSt {failed} WFT*"),
            "task 1-6 replaying
             task 7-14 live",
        );
    }
    check_cuts(
        "WES WFT WFT TS TF WFT*",
        "task 1-3 replaying
         task 4-6 replaying
         task 7-11 live",
    );
}

#[test]
fn h5_empty_pages_around_a_failed_task() {
    check(
        "signal a: timer 1
         signal b: timer 2",
        "> task WES WFT | | SIG(a) WTS WTSt WTF | | SIG(b) WTS WTSt |
         fetch page 2
         fetch page 3
         3 replaying: Initialize
         fetch page 4
         fetch page 5
         fetch page 6
         11 live: Signal a; Signal b
         complete task 1: StartTimer 1, StartTimer 2",
    );
}

#[test]
fn h6_each_event_on_a_page_of_its_own_and_an_empty_one_behind_it() {
    check(
        "",
        "> hide fetches
         > task WES | | WTS | | WTSt | | WTC | | SIG(a) | | WTS | | WTSt | | WTF | | SIG(b) | | SIG(c) | | SIG(d) | | SIG(e) | | SIG(f) | | WTS | | WTSt | |
         3 replaying: Initialize
         15 live: Signal a; Signal b; Signal c; Signal d; Signal e; Signal f
         complete task 1: nothing",
    );
}

#[test]
fn h7_a_token_that_leads_to_an_empty_page() {
    check(
        "signal go: complete",
        "> task WES WFT SIG WFT* |
         3 replaying: Initialize
         fetch page 2
         7 live: Signal go
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
    check(
        "start: timer 1",
        "> replay WES WFT TS |
         fetch page 2
         3 replaying: Initialize
         finish task 1
         evict: closed",
    );
}

#[test]
fn h8_no_events_and_no_token_fails_the_task() {
    check(
        "",
        "> show texts
         > task started=3
         fetch the first page
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: the history ends at event 0, but the Workflow Task was started by event 3 [HistoryError]
         evict: task failed
         > query status
         fetch the first page
         respond task 2: refused: this workflow has no history [HistoryError]
         evict: task failed
         > replay
         fetch the first page
         fail task 3: WORKFLOW_WORKER_UNHANDLED_FAILURE: this workflow has no history [HistoryError]
         evict: task failed",
    );
}

#[test]
fn h8_no_events_but_a_token_asks_for_the_next_page() {
    check(
        "",
        "> task / | | WES WFT*
         fetch the first page
         fetch page 2
         fetch page 3
         3 live: Initialize
         complete task 1: nothing
         > task WES WTS WTSt / | | WTC SIG WFT*
         fetch page 2
         fetch page 3
         7 live: Signal go
         complete task 2: nothing",
    );
}

#[test]
fn h9_a_page_that_does_not_come_while_user_code_has_answered() {
    check(
        "signal b: complete",
        "> history waits
         > task WES WFT SIG(a) | WFT SIG(b) WFT*
         3 replaying: Initialize
         fetch page 2
         > history fails
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed
         > history comes
         > task x2 WES WFT SIG(a) | WFT SIG(b) WFT*
         3 replaying: Initialize
         fetch page 2
         7 replaying: Signal a
         11 live: Signal b
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn h10_a_page_that_does_not_come_is_reported_once() {
    // Of a Run in the cache; on the second attempt it is there no more.
    check(
        "",
        "> show texts
         > task WES WFT*
         3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         complete task 1: nothing
         > history fails
         > task WES WTS WTSt / WTC SIG | WFT*
         fetch page 2
         fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE: the history of this workflow could not be fetched: the server is away
         evict: task failed
         > task x2 WES WTS WTSt / WTC SIG | WFT*
         fetch the first page
         abandon task 3: failed again on attempt 2: the history of this workflow could not be fetched: the server is away
         evict: task failed",
    );
    // Of a Run that never was in the cache.
    check(
        "",
        "> history fails
         > task WES WTS WTSt / WTC SIG WFT*
         fetch the first page
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed
         > task x2 WES WTS WTSt / WTC SIG WFT*
         fetch the first page
         abandon task 2: failed again on attempt 2
         evict: task failed",
    );
}

#[test]
fn h11_a_page_that_does_not_come_after_the_run_was_evicted() {
    check(
        "",
        "> cache 0
         > history waits
         > task WES WTS WTSt / WTC SIG WFT*
         fetch the first page
         > evict A
         abandon task 1: evicted
         evict: requested
         > late history failure A
         > history comes
         > task WES WFT SIG WFT*
         3 replaying: Initialize
         7 live: Signal go
         complete task 2: nothing
         evict: cache full",
    );
}

#[test]
fn h12_looking_ahead_for_a_failed_task_across_empty_pages() {
    check(
        "start: timer 1
         timer 1: complete",
        "> task WES WTS WTSt | | WTO | | WTS WTSt | | WTC | | TS | | TF WTS WTSt
         fetch page 2
         fetch page 3
         fetch page 4
         fetch page 5
         fetch page 6
         fetch page 7
         fetch page 8
         fetch page 9
         fetch page 10
         fetch page 11
         6 replaying: Initialize
         11 live: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn h13_a_gap_between_events_fails_the_task_and_nothing_is_applied() {
    check(
        "",
        "> show texts
         > task WES WFT #9 SIG WFT*
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: the history goes from event 4 to event 9: a page is missing, or came in the wrong order [HistoryError]
         evict: task failed",
    );
    check(
        "",
        "> task WES WFT SIG WTS | #9 SIG WFT*
         3 replaying: Initialize
         fetch page 2
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed",
    );
}

#[test]
fn h13_events_that_came_before_are_skipped() {
    check(
        "",
        "> task WES WFT SIG(a) | #4 WTC SIG(a) WTS | #6 WTS WTSt WTC SIG(b) WFT*
         3 replaying: Initialize
         fetch page 2
         fetch page 3
         7 replaying: Signal a
         11 live: Signal b
         complete task 1: nothing",
    );
}

/// A poll says which task was the last to be completed, not which Events the worker has.
#[test]
fn h14_one_history_holds_several_tasks() {
    check(
        "",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > task WES WTS WTSt / WTC SIG(a) WTS WTSt WTF SIG(b) WTS WTSt WTO WFT*
         14 live: Signal a; Signal b
         complete task 2: nothing
         > task WES WTS WTSt WTC SIG(a) WTS WTSt WTF SIG(b) WTS WTSt WTO WFT SIG(c) WFT SIG(d) WFT*
         evict: history mismatch
         3 replaying: Initialize
         14 replaying: Signal a; Signal b
         18 replaying: Signal c
         22 live: Signal d
         complete task 3: nothing",
    );
}

#[test]
fn h15_events_that_may_be_ignored() {
    check(
        "start: timer 1",
        "> task WES OPT WFT UNKNOWN(ignorable) TS OPT TF UNKNOWN(ignorable) WTS WTSt OPT
         4 replaying: Initialize
         12 live: FireTimer 1
         complete task 1: nothing",
    );
}

#[test]
fn h15_events_that_may_be_ignored_end_no_record() {
    check_cuts(
        "WES WFT TS UNKNOWN(ignorable) | TS(2) TF WTS WTSt OPT WTC OPT TS(3) OPT",
        "need page 2
         task 1-3 replaying
         task 4-10 replaying
         record 11-15",
    );
}

#[test]
fn h15_events_that_may_not_be_ignored() {
    check(
        "",
        "> show texts
         > task WES UNKNOWN WFT*
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: event 2 is of type number 9999, which this version of Timewright does not support; workflows that use it need a newer version [HistoryError]
         evict: task failed
         > task WES WFT UNKNOWN WFT*
         fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE: event 5 is of type number 9999, which this version of Timewright does not support; workflows that use it need a newer version [HistoryError]
         evict: task failed",
    );
}

#[test]
fn h16_a_task_without_history_or_with_its_end_only_of_a_run_that_is_not_cached() {
    check(
        "start: timer 1",
        "> query status WES WFT TS /
         fetch the first page
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered
         > task B WES WTS WTSt / WTC TS TF WFT*
         B: fetch the first page
         B: 3 replaying: Initialize
         B: 8 live: FireTimer 1
         B: complete task 2: nothing",
    );
}

#[test]
fn h17_replays_end_wherever_the_history_ends() {
    let outcome = |history: &str, activations: &str, code: &str| {
        check(code, &format!("> replay {history}\n {activations}\n finish task 1\n evict: closed"));
    };
    let (start, fire) = ("3 replaying: Initialize", "8 replaying: FireTimer 1");
    let both = format!("{start}\n{fire}");
    let code = "start: timer 1";
    outcome("WES WFT TS", start, code);
    outcome("WES WFT TS TF", start, code);
    outcome("WES WFT TS TF WTS", start, code);
    outcome("WES WFT TS TF WFT", &both, code);
    outcome("WES WFT TS TF WFT WETm", &both, code);
    outcome("WES WFT TS TF WFT* WETm", start, code);
    outcome("WES WFT TS WETO", start, code);
    outcome("WES WFT TS TF WFT* WTF", start, code);
    outcome("WES WFT TS TF WFT WEC", &both, "start: timer 1\n timer 1: complete");
    outcome("WES WFT TS TF WFT*", &format!("{start}\n 8 live: FireTimer 1"), code);
    outcome("WES WTS", "", "");
    outcome("WES WETm", "", "");
}

#[test]
fn h18_histories_with_the_same_run_id() {
    check(
        "start: timer 1
         timer 1: complete",
        "> code waits
         > replay WES WFT TS TF WFT WEC
         3 replaying: Initialize
         > replay WES WFT TS
         > replay WES WFT TS TF WFT WEC
         > code answers
         8 replaying: FireTimer 1
         finish task 1
         evict: closed
         3 replaying: Initialize
         finish task 2
         evict: closed
         3 replaying: Initialize
         8 replaying: FireTimer 1
         finish task 3
         evict: closed",
    );
}

#[test]
fn a_history_that_ends_before_its_task_fails_the_task() {
    check(
        "",
        "> show texts
         > task started=7 WES WFT SIG WTS
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: the history ends at event 6, but the Workflow Task was started by event 7 [HistoryError]
         evict: task failed",
    );
}

/// The task timed out, or was completed, while its history was fetched.
#[test]
fn a_history_that_goes_beyond_its_task_abandons_the_task() {
    check(
        "",
        "> task started=7 WES WTS WTSt / WTC SIG(a) WTS WTSt WTO SIG(b) WTS
         fetch the first page
         3 replaying: Initialize
         abandon task 1: superseded
         evict: history mismatch
         > task started=7 WES WTS WTSt / WTC SIG(a) WTS WTSt WTO SIG(b) WTS WTSt
         fetch the first page
         3 replaying: Initialize
         abandon task 2: superseded
         evict: history mismatch
         > task started=7 WES WTS WTSt / WTC SIG(a) WFT
         fetch the first page
         3 replaying: Initialize
         7 replaying: Signal a
         abandon task 3: superseded
         evict: history mismatch",
    );
}

#[test]
fn a_history_must_begin_with_the_start() {
    check(
        "",
        "> show texts
         > task SIG WFT*
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: the history begins with WorkflowExecutionSignaled (\"go\") instead of WorkflowExecutionStarted: it is damaged, or not from a Temporal Server [HistoryError]
         evict: task failed",
    );
}

#[test]
fn every_split_into_pages_gives_the_same_activations() {
    check_every_split("start: timer 1\n timer 1: complete", "WES WFT TS TF WFT*");
    check_every_split("signal a: timer 1\n signal b: complete", "WES WFT SIG(a) WTS WTSt WTF SIG(b) WFT*");
    check_every_split("start: activity 1\n activity 1: complete", "WES WTS WTSt WTO WFT ATS AST ATC WFT*");
    check_every_split("signal go: timer 1", "WES WFT WFT SIG WFT TS WFT*");
    check_every_split(
        "start: activity 1\n signal go: cancel activity 1, timer 1",
        "WES WFT ATS SIG WFT ATCR TS ATCd WFT*",
    );
    check_every_split("start: timer 1, timer 2\n timer 1: cancel timer 2", "WES OPT WFT TS TS(2) TF WFT TCd(2) WFT*");
}

#[test]
fn a_run_starts_once() {
    check(
        "",
        "> show texts
         > task WES WFT TS WES WFT*
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: event 6 starts the workflow once more: the history is damaged, or not from a Temporal Server [HistoryError]
         evict: task failed",
    );
}
