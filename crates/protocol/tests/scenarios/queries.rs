//! Queries: those that come with a task, and tasks that are nothing else.

use crate::notation::check;

#[test]
fn q1_a_query_with_the_end_of_a_history_that_is_not_cached() {
    check(
        "start: timer 1
         timer 1: timer 2",
        "> task WES WTS WTSt / WTC TS TF WFT* ?status
         fetch the first page
         3 replaying: Initialize
         8 live: FireTimer 1
         8 replaying: Query status
         complete task 1: StartTimer 2; status answered",
    );
}

#[test]
fn q2_the_end_of_the_workflow_and_a_query_are_answered_together() {
    for (end, command) in
        [("complete", "CompleteWorkflowExecution"), ("continue as new", "ContinueAsNewWorkflowExecution")]
    {
        check(
            &format!("start: {end}"),
            &format!(
                "> task WES WFT* ?status
                 3 live: Initialize
                 3 replaying: Query status
                 complete task 1: {command}; status answered
                 evict: closed"
            ),
        );
    }
}

/// `RespondQueryTaskCompleted` is answered with `NotFound`: the asker has gone. The run is as it was.
#[test]
fn q3_an_answer_that_nobody_waits_for() {
    check(
        "start: timer 1",
        "> server waits
         > query status WES WFT TS
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered
         > server takes
         > query status WES WFT TS
         3 replaying: Query status
         respond task 2: answered",
    );
}

#[test]
fn q4_nondeterminism_on_the_way_to_a_query_is_its_answer() {
    check(
        "",
        "> show texts
         > query status WES WFT UNKNOWN(ignorable) TS
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         respond task 1: refused: nondeterminism at event 6: the history recorded TimerStarted (id \"1\"), the workflow code issued no further command in this Workflow Task; both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed",
    );
}

#[test]
fn q4_nondeterminism_fails_a_task_that_a_query_came_with_once() {
    check(
        "",
        "> task WES WFT TS WFT* ?status
         3 replaying: Initialize
         fail task 1: NON_DETERMINISTIC_ERROR
         evict: task failed
         > task x2 WES WFT TS WFT* ?status
         3 replaying: Initialize
         abandon task 2: failed again on attempt 2
         evict: task failed",
    );
}

#[test]
fn q5_queries_of_a_busy_run_wait_and_none_is_lost() {
    check(
        "",
        "> code waits
         > task WES WFT*
         3 live: Initialize
         > query a WES WTS WTSt /
         > query b WES WTS WTSt /
         > query c WES WTS WTSt /
         > code answers
         complete task 1: nothing
         3 replaying: Query a
         respond task 2: answered
         3 replaying: Query b
         respond task 3: answered
         3 replaying: Query c
         respond task 4: answered",
    );
    // A query for a query's run, and the cache is full.
    check(
        "",
        "> cache 0
         > code waits
         > query a WES WFT
         3 replaying: Initialize
         > query b WES WFT
         > query c WES WFT
         > code answers
         3 replaying: Query a
         respond task 1: answered
         3 replaying: Query b
         respond task 2: answered
         3 replaying: Query c
         respond task 3: answered
         evict: cache full",
    );
}

/// The server does not ask again for what is dropped: whoever asked would wait until the call times out.
#[test]
fn q5_queries_that_wait_are_answered_before_the_task_that_came_behind_them() {
    check(
        "signal go: complete",
        "> server waits
         > task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > query a WES WTS WTSt / WTC
         > query b WES WTS WTSt / WTC
         > task WES WTS WTSt / WTC SIG WFT*
         > query c WES WTS WTSt / WTC SIG WTS WTSt
         > server takes
         3 replaying: Query a
         respond task 2: answered
         3 replaying: Query b
         respond task 3: answered
         7 live: Signal go
         complete task 4: CompleteWorkflowExecution
         evict: closed
         fetch the first page
         3 replaying: Initialize
         7 replaying: Signal go
         7 replaying: Query c
         respond task 5: answered
         evict: closed",
    );
}

#[test]
fn q6_a_query_while_the_outcome_of_a_cancellation_is_under_way() {
    check(
        "start: activity 1, timer 1
         timer 1: cancel activity 1
         activity 1: timer 2",
        "> query status WES WFT ATS TS TF WFT ATCR TS(2)
         3 replaying: Initialize
         9 replaying: FireTimer 1
         9 replaying: ResolveActivity 1 cancelled
         9 replaying: Query status
         respond task 1: answered",
    );
    // Likewise in the task that the query comes with.
    check(
        "start: activity 1, timer 1
         timer 1: cancel activity 1
         activity 1: timer 2",
        "> task WES WFT ATS TS TF WFT* ?status
         3 replaying: Initialize
         9 live: FireTimer 1
         9 live: ResolveActivity 1 cancelled
         9 replaying: Query status
         complete task 1: RequestCancelActivityTask of 5, StartTimer 2; status answered",
    );
}

#[test]
fn q7_a_task_that_fails_does_not_ask_its_queries() {
    check(
        "start: panic",
        "> task WES WFT* ?status ?owner
         3 live: Initialize
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed",
    );
}

#[test]
fn q9_queries_after_the_workflow_has_ended() {
    check(
        "start: timer 1
         timer 1: complete",
        "> query status WES WFT TS TF WFT WEC
         3 replaying: Initialize
         8 replaying: FireTimer 1
         8 replaying: Query status
         respond task 1: answered
         evict: closed
         > query status WES WFT TS TF WFT WEC
         3 replaying: Initialize
         8 replaying: FireTimer 1
         8 replaying: Query status
         respond task 2: answered
         evict: closed",
    );
    for end in ["WETm", "WETO", "WTS WETm", "WTS WTSt WETm"] {
        check(
            "start: timer 1",
            &format!(
                "> query status WES WFT TS TF {end}
                 3 replaying: Initialize
                 3 replaying: Query status
                 respond task 1: answered"
            ),
        );
    }
}

#[test]
fn q10_a_run_that_was_built_for_a_query_only_leaves_with_the_cache_full() {
    check(
        "start: timer 1",
        "> cache 0
         > query status WES WFT TS
         3 replaying: Initialize
         3 replaying: Query status
         respond task 1: answered
         evict: cache full
         > query status WES WFT TS
         3 replaying: Initialize
         3 replaying: Query status
         respond task 2: answered
         evict: cache full",
    );
}

/// It comes alone, behind the news, one at a time.
#[test]
fn q11_a_query_never_comes_with_news() {
    check(
        "signal go: timer 1",
        "> task WES SIG WFT* ?status ?owner ?total
         4 live: Initialize; Signal go
         4 replaying: Query status
         4 replaying: Query owner
         4 replaying: Query total
         complete task 1: StartTimer 1; status answered; owner answered; total answered",
    );
}

#[test]
fn q12_a_query_may_only_answer() {
    for (deeds, text) in [
        ("timer 1", "query \"status\" issued StartTimer: a query may only answer"),
        ("answer, complete", "query \"status\" issued CompleteWorkflow: a query may only answer"),
        ("answer, answer", "query \"status\" issued AnswerQuery: a query may only answer"),
        ("nothing", "query \"status\" was not answered"),
        ("answer owner", "query \"owner\" was answered, but it was not asked now"),
    ] {
        check(
            &format!("query status: {deeds}"),
            &format!(
                "> task WES WFT*
                 3 live: Initialize
                 complete task 1: nothing
                 > show texts
                 > query status WES WTS WTSt / WTC
                 3 replaying: Query status
                 respond task 2: refused: {text} [CommandError]
                 evict: task failed"
            ),
        );
    }
    check(
        "query status: timer 1",
        "> task WES WFT* ?status
         3 live: Initialize
         3 replaying: Query status
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed",
    );
}

#[test]
fn an_answer_without_a_question_fails_the_task() {
    check(
        "signal go: answer owner",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > show texts
         > task WES WTS WTSt / WTC SIG WFT*
         7 live: Signal go
         fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE: query \"owner\" was answered, but it was not asked now [CommandError]
         evict: task failed",
    );
}

#[test]
fn a_query_that_is_refused_or_panics_harms_nobody() {
    check(
        "query status: refuse
         query owner: panic",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > show texts
         > task WES WTS WTSt / WTC SIG WFT* ?status ?owner ?total
         7 live: Signal go
         7 replaying: Query status
         7 replaying: Query owner
         7 replaying: Query total
         complete task 2: nothing; status refused: no such query; owner refused: the workflow panicked; total answered
         > query owner WES WTS WTSt WTC SIG WTS WTSt / WTC
         7 replaying: Query owner
         respond task 3: refused: the workflow panicked
         > query total WES WTS WTSt WTC SIG WTS WTSt / WTC
         7 replaying: Query total
         respond task 4: answered",
    );
}

/// Who comes next need not wait for the confirmation, which finds nobody.
#[test]
fn a_run_that_failed_at_a_query_leaves_with_the_answer() {
    check(
        "query bad: timer 1",
        "> server waits
         > query bad WES WFT
         3 replaying: Initialize
         3 replaying: Query bad
         respond task 1: refused
         evict: task failed
         > query status WES WFT
         3 replaying: Initialize
         3 replaying: Query status
         respond task 2: answered
         > server takes",
    );
}

#[test]
fn a_query_of_a_workflow_that_has_not_begun_is_refused() {
    for (history, last) in [("WES WTS", 2), ("WES WETm", 2), ("WES WTS WTSt WTF", 4)] {
        check(
            "",
            &format!(
                "> show texts
                 > query status {history}
                 respond task 1: refused: the history ends at event {last}, before the first Workflow Task: there is no state yet that could be asked for [HistoryError]
                 evict: task failed"
            ),
        );
    }
}

#[test]
fn a_query_whose_history_does_not_come_is_refused() {
    check(
        "",
        "> history fails
         > show texts
         > query status WES WTS WTSt / WTC
         fetch the first page
         respond task 1: refused: the history of this workflow could not be fetched: the server is away
         evict: task failed",
    );
}
