//! What becomes of a Workflow Task: completed, failed, abandoned; and what it says about itself.

use timewright_proto::common::WorkflowExecution;
use timewright_proto::common::WorkflowType;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::query::WorkflowQuery;
use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;
use timewright_protocol::workflow::{TaskKind, WorkflowTask};

use crate::notation::{check, now};

#[test]
fn w1_a_task_times_out_while_user_code_runs_and_comes_again() {
    let code = "start: activity 1
         activity 1: complete";
    check(
        code,
        "> task WES WFT*
         3 live: Initialize
         complete task 1: ScheduleActivityTask 1 charge
         > code waits
         > task WES WTS WTSt / WTC ATS SIG(a) WTS SIG(b) AST ATC WTSt
         11 live: Signal a; Signal b; ResolveActivity 1 completed
         > task WES WTS WTSt / WTC ATS SIG(a) WTS SIG(b) AST ATC WTSt WTO WFT*
         > server waits
         > code answers
         complete task 2: CompleteWorkflowExecution
         evict: closed
         fetch the first page
         3 replaying: Initialize
         14 live: Signal a; Signal b; ResolveActivity 1 completed
         complete task 3: CompleteWorkflowExecution
         evict: closed
         > server refuses",
    );
    // Several times in a row, only the newest counts.
    check(
        code,
        "> code waits
         > task WES WFT ATS AST ATC WFT*
         3 replaying: Initialize
         > task WES WFT ATS AST ATC WFT* WTO WFT*
         > task WES WFT ATS AST ATC WFT* WTO WFT* WTO WFT*
         abandon task 2: superseded
         > server waits
         > code answers
         9 live: ResolveActivity 1 completed
         complete task 1: CompleteWorkflowExecution
         evict: closed
         3 replaying: Initialize
         15 live: ResolveActivity 1 completed
         complete task 3: CompleteWorkflowExecution
         evict: closed
         > server refuses",
    );
}

/// Signals came while the workflow completed itself, so the server refuses that with `UnhandledCommand`.
#[test]
fn w2_a_refused_completion_is_done_again_with_the_news() {
    check(
        "start: timer 1
         timer 1: complete
         signal go: timer 2",
        "> server waits
         > task WES WFT TS TF WFT*
         3 replaying: Initialize
         8 live: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed
         > server refuses
         > task WES WFT TS TF WTS WTSt WTF SIG WFT*
         3 replaying: Initialize
         12 live: Signal go; FireTimer 1
         complete task 2: StartTimer 2, CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn w2_a_refused_answer_is_given_again_with_the_news() {
    check(
        "start: timer 1
         timer 1: timer 3
         signal go: timer 2",
        "> server waits
         > task WES WFT TS TF WFT*
         3 replaying: Initialize
         8 live: FireTimer 1
         complete task 1: StartTimer 3
         > late commands A
         > late failure A
         > late history A
         > late history failure A
         > task WES WFT TS TF WTS WTSt WTF SIG WFT*
         > server refuses
         evict: completion not taken
         3 replaying: Initialize
         12 live: Signal go; FireTimer 1
         complete task 2: StartTimer 2, StartTimer 3",
    );
}

#[test]
fn w3_a_history_that_cannot_be_applied_fails_its_task_and_nothing_else() {
    check(
        "",
        "> task A WES WFT TF(@99) WFT*
         A: 3 replaying: Initialize
         A: fail task 1: NON_DETERMINISTIC_ERROR
         A: evict: task failed
         > task B WES UNKNOWN WFT*
         B: fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE
         B: evict: task failed
         > task C WES WFT*
         C: 3 live: Initialize
         C: complete task 3: nothing",
    );
}

#[test]
fn w4_a_task_that_fails_again_and_again_is_reported_once() {
    check(
        "signal go: panic",
        "> show texts
         > task WES SIG WFT*
         4 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]; Signal go
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: the workflow panicked
         evict: task failed
         > task x2 WES SIG WTS WTSt WTF WFT*
         7 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]; Signal go
         abandon task 2: failed again on attempt 2: the workflow panicked
         evict: task failed
         > task x3 WES SIG WTS WTSt WTF WFT*
         7 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]; Signal go
         abandon task 3: failed again on attempt 3: the workflow panicked
         evict: task failed",
    );
}

#[test]
fn w8_an_answer_that_comes_after_the_run_has_left() {
    check(
        "start: timer 1",
        "> code waits
         > task WES WFT TS TF WFT*
         3 replaying: Initialize
         > evict A
         abandon task 1: evicted
         evict: requested
         > late commands A
         > late failure A
         > late completed A
         > code answers
         > task WES WFT TS TF WFT*
         3 replaying: Initialize
         8 live: FireTimer 1
         complete task 2: nothing",
    );
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    check(
        "signal go: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > late commands A
         > late failure A
         > late completed A
         > late history A
         > late history failure A
         > history waits
         > task WES WTS WTSt / WTC SIG | WFT*
         fetch page 2
         > late commands A
         > late failure A
         > late completed A
         > code waits
         > history comes
         7 live: Signal go
         > late completed A
         > late history A
         > late history failure A
         > server waits
         > code answers
         complete task 2: CompleteWorkflowExecution
         evict: closed
         > late commands A
         > late failure A
         > late history A
         > late history failure A
         > server takes",
    );
}

#[test]
fn w9_answers_after_the_shutdown() {
    check(
        "",
        "> cache 0
         > code waits
         > task A WES WFT*
         A: 3 live: Initialize
         > history waits
         > task B WES | WFT SIG WFT*
         B: fetch page 2
         > task A WES WFT* WTO WFT*
         > shutdown
         A: abandon task 3: evicted
         A: abandon task 1: evicted
         A: evict: requested
         B: abandon task 2: evicted
         B: evict: requested
         > late commands A
         > late failure A
         > late completed A
         > late history B
         > late history failure B",
    );
}

/// What is on its way to the server has been answered; the server's word does not matter any more.
#[test]
fn w9_a_shutdown_while_a_completion_is_on_its_way() {
    check(
        "",
        "> server waits
         > task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > query status WES WTS WTSt / WTC
         > shutdown
         abandon task 2: evicted
         evict: requested
         > late completed A",
    );
}

#[test]
fn w10_an_eviction_stands_alone() {
    check(
        "start: panic",
        "> task WES WFT*
         3 live: Initialize
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed",
    );
}

#[test]
fn w14_a_reset_in_the_middle_of_a_history() {
    check(
        "start: timer 1
         timer 1: activity 1
         activity 1: complete",
        "> task WES(original) WFT TS TF WTS WTSt WTF(reset) WFT ATS AST ATC WFT*
         3 replaying: Initialize
         11 replaying: UpdateRandomSeed; FireTimer 1
         17 live: ResolveActivity 1 completed
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn w16_each_failure_has_its_cause() {
    check(
        "signal a: panic
         signal b: timer 7, timer 7
         signal c: nothing",
        "> task A WES SIG(a) WFT*
         A: 4 live: Initialize; Signal a
         A: fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE
         A: evict: task failed
         > task B WES SIG(b) WFT*
         B: 4 live: Initialize; Signal b
         B: fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE
         B: evict: task failed
         > task C WES SIG(c) WFT TS WFT*
         C: 4 replaying: Initialize; Signal c
         C: fail task 3: NON_DETERMINISTIC_ERROR
         C: evict: task failed",
    );
}

#[test]
fn w17_a_run_whose_task_failed_is_never_used_again() {
    check(
        "signal go: panic",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: nothing
         > task WES WTS WTSt / WTC SIG WFT*
         7 live: Signal go
         fail task 2: WORKFLOW_WORKER_UNHANDLED_FAILURE
         evict: task failed
         > query status WES WTS WTSt WTC SIG WTS WTSt WTF /
         fetch the first page
         3 replaying: Initialize
         3 replaying: Query status
         respond task 3: answered",
    );
}

#[test]
fn w24_a_task_without_news_is_completed_without_user_code() {
    check(
        "start: activity 1
         signal go: cancel activity 1",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: ScheduleActivityTask 1 charge
         > task WES WTS WTSt / WTC ATS SIG WFT*
         8 live: Signal go
         8 live: ResolveActivity 1 cancelled
         complete task 2: RequestCancelActivityTask of 5
         > task WES WFT ATS SIG WTS WTSt / WTC ATCR ATCd WFT*
         complete task 3: nothing
         > task WES WFT ATS SIG WFT ATCR ATCd WTS WTSt / WTC WFT*
         complete task 4: nothing",
    );
}

/// Noted once, and only where the history does not say it yet.
#[test]
fn a_completion_notes_which_sdk_wrote_it() {
    let noted = format!("timewright {}", timewright_protocol::workflow::SDK_VERSION);
    let ours = format!("WTC(timewright,{})", timewright_protocol::workflow::SDK_VERSION);
    check(
        "",
        &format!(
            "> show sdk
             > task A WES WFT*
             A: 3 live: Initialize
             A: complete task 1: nothing; notes {noted}
             > task A WES WTS WTSt / {ours} SIG WFT*
             A: 7 live: Signal go
             A: complete task 2: nothing
             > task A WES WTS WTSt {ours} SIG WTS WTSt / WTC SIG WFT*
             A: 11 live: Signal go
             A: complete task 3: nothing
             > task B WES WFT*
             B: 3 live: Initialize
             B: complete task 4: nothing; notes {noted}
             > task B WES WTS WTSt / WTC SIG WFT*
             B: 7 live: Signal go
             B: complete task 5: nothing
             > task E WES WTS WTSt {ours} SIG WFT WFT*
             E: 3 replaying: Initialize
             E: 7 replaying: Signal go
             E: complete task 6: nothing
             > task C WES WTS WTSt WTC(temporal-python,1.9.0) SIG WFT*
             C: 3 replaying: Initialize
             C: 7 live: Signal go
             C: complete task 7: nothing; notes {noted}
             > task D WES WTS WTSt WTC(timewright,0.0.1) SIG WFT*
             D: 3 replaying: Initialize
             D: 7 live: Signal go
             D: complete task 8: nothing; notes {noted}"
        ),
    );
}

/// Flags of other SDKs are theirs; of ours there are none yet, so one is of a later version.
#[test]
fn an_unknown_flag_fails_the_task() {
    let version = timewright_protocol::workflow::SDK_VERSION;
    check(
        "",
        &format!(
            "> code waits
             > task A WES WTS WTSt WTC(timewright,9.0.0,7) SIG WFT*
             A: 3 replaying: Initialize
             > show texts
             > code answers
             A: fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: this history was written by timewright 9.0.0 with flag 7, which version {version} does not know; run a worker of that version or a later one [UnknownFlag]
             A: evict: task failed"
        ),
    );
    check(
        "",
        "> task WES WTS WTSt WTC(temporal-python,1.9.0,7) SIG WFT*
         3 replaying: Initialize
         7 live: Signal go
         complete task 1: nothing",
    );
}

#[test]
fn a_poll_response_that_lacks_something_names_it() {
    let complete = || PollWorkflowTaskQueueResponse {
        task_token: "token".into(),
        workflow_execution: Some(WorkflowExecution { workflow_id: "order-7".to_owned(), run_id: "A".to_owned() }),
        workflow_type: Some(WorkflowType { name: "order".to_owned() }),
        ..Default::default()
    };
    let without_run_id = WorkflowExecution { workflow_id: "order-7".to_owned(), ..Default::default() };
    for (response, workflow_id, missing) in [
        (PollWorkflowTaskQueueResponse { workflow_execution: None, ..complete() }, "", "workflow_execution"),
        (PollWorkflowTaskQueueResponse { workflow_execution: Some(without_run_id), ..complete() }, "order-7", "run_id"),
        (PollWorkflowTaskQueueResponse { workflow_type: None, ..complete() }, "order-7", "workflow_type"),
    ] {
        let error = WorkflowTask::from_poll(response, now()).expect_err("something is missing");
        assert_eq!(
            error.to_string(),
            format!(
                "the server sent a Workflow Task of workflow {workflow_id:?} without {missing}; it cannot be executed, so the \
                 server will hand it out again when it times out"
            ),
        );
        assert_eq!(error.task_token, "token", "so that somebody can say so to the server");
    }
}

#[test]
fn a_poll_response_becomes_a_task() {
    let query = |name: &str| WorkflowQuery { query_type: name.to_owned(), ..Default::default() };
    let response = PollWorkflowTaskQueueResponse {
        task_token: "token".into(),
        workflow_execution: Some(WorkflowExecution { workflow_id: "order-7".to_owned(), run_id: "A".to_owned() }),
        workflow_type: Some(WorkflowType { name: "order".to_owned() }),
        previous_started_event_id: 3,
        started_event_id: 7,
        attempt: 0,
        history: Some(History { events: vec![HistoryEvent { event_id: 4, ..Default::default() }] }),
        next_page_token: "page 2".into(),
        queries: [("b".to_owned(), query("owner")), ("a".to_owned(), query("status"))].into(),
        ..Default::default()
    };
    let task = WorkflowTask::from_poll(response.clone(), now()).expect("a task").expect("not empty");
    assert_eq!(
        (task.workflow_id.as_str(), task.run_id.as_str(), task.workflow_type.as_str()),
        ("order-7", "A", "order")
    );
    assert_eq!((task.attempt, task.previous_started_event_id), (1, 3), "attempts count from 1");
    assert_eq!(task.history.events.len(), 1);
    assert_eq!(task.history.next_page_token, "page 2");
    let TaskKind::Progress { started_event_id: 7, queries, .. } = task.kind else { panic!("not to make progress") };
    let queries: Vec<_> = queries.iter().map(|query| (query.id.as_str(), query.name.as_str())).collect();
    assert_eq!(queries, [("a", "status"), ("b", "owner")], "in the order of their ids");

    let response = PollWorkflowTaskQueueResponse { query: Some(query("status")), ..response };
    let task = WorkflowTask::from_poll(response, now()).expect("a task").expect("not empty");
    assert!(matches!(task.kind, TaskKind::Query(query) if query.name == "status" && query.id.is_empty()));
}
