//! Updates.

use crate::notation::check;

#[test]
fn an_update_is_accepted_and_completed() {
    check(
        "start: timer 1
         update u1: accept, finish",
        "> task WES WFT TS WFT* !u1
         3 replaying: Initialize
         7 live: Update u1 u1
         complete task 1: ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete; says u1/request/accept, u1/request/complete
         > replay B WES WFT TS WFT UPA(u1,@6) UPC(u1)
         B: 3 replaying: Initialize
         B: 7 replaying: Update u1 u1 again
         B: finish task 2
         B: evict: closed",
    );
    check(
        "start: timer 1
         update u1: accept, activity 1
         activity 1: finish u1",
        "> task WES WFT TS WFT* !u1
         3 replaying: Initialize
         7 live: Update u1 u1
         complete task 1: ProtocolMessage u1/request/accept, ScheduleActivityTask 1 charge; says u1/request/accept
         > task WES WFT TS WTS WTSt / WTC UPA(u1,@6) ATS ATC WFT*
         13 live: ResolveActivity 1 completed
         complete task 2: ProtocolMessage u1/request/complete; says u1/request/complete
         > replay B WES WFT TS WFT UPA(u1,@6) ATS ATC WFT UPC(u1)
         B: 3 replaying: Initialize
         B: 7 replaying: Update u1 u1 again
         B: 13 replaying: ResolveActivity 1 completed
         B: finish task 3
         B: evict: closed",
    );
    check(
        "start: timer 1
         update u1: accept, break u1",
        "> task WES WFT TS WFT* !u1
         3 replaying: Initialize
         7 live: Update u1 u1
         complete task 1: ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete; says u1/request/accept, u1/request/complete",
    );
}

#[test]
fn u1_nothing_is_said_on_replay() {
    check(
        "start: timer 1
         update u1: accept, finish
         timer 1: complete",
        "> task WES WFT TS WFT UPA(u1,@6) UPC(u1) TF WFT*
         3 replaying: Initialize
         7 replaying: Update u1 u1 again
         13 live: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn u2_accepted_by_one_worker_completed_by_another() {
    check(
        "start: timer 1
         update u1: accept, activity 1
         activity 1: finish u1",
        "> task WES WFT TS WFT UPA(u1,@6) ATS ATC WFT*
         3 replaying: Initialize
         7 replaying: Update u1 u1 again
         13 live: ResolveActivity 1 completed
         complete task 1: ProtocolMessage u1/request/complete; says u1/request/complete",
    );
}

/// That a validator that panics rejects, elsewhere: `workflow-worker`.
#[test]
fn u3_an_update_that_is_rejected_leaves_nothing() {
    check(
        "start: timer 1
         update u1: reject
         timer 1: complete",
        "> task WES WFT TS WTS WTSt !u1
         3 replaying: Initialize
         7 live: Update u1 u1
         complete task 1: nothing; says u1/request/reject
         > task WES WFT TS WTS WTSt / WTC TF WFT*
         11 live: FireTimer 1
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

/// It brought the record of the task before, and nothing else: the history goes on behind that.
#[test]
fn u4_a_speculative_task_that_vanishes() {
    check(
        "start: activity 1
         update u1: reject
         update u2: accept, finish
         activity 1: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: ScheduleActivityTask 1 charge
         > task WES WTS WTSt / WTC ATS WTS WTSt !u1 vanishes=3
         7 live: Update u1 u1
         complete task 2: nothing; says u1/request/reject
         > query status WES WFT ATS
         3 replaying: Query status
         respond task 3: answered
         > task WES WFT ATS / WTS WTSt !u1 vanishes=3
         7 live: Update u1 u1
         complete task 4: nothing; says u1/request/reject
         > task WES WFT ATS / AST ATC WFT* !u2
         9 live: Update u2 u2; ResolveActivity 1 completed
         complete task 5: ProtocolMessage u2/request/accept, ProtocolMessage u2/request/complete, CompleteWorkflowExecution; says u2/request/accept, u2/request/complete
         evict: closed",
    );
    check(
        "start: timer 1
         update u1: reject
         update u2: accept, finish
         timer 1: complete",
        "> task WES WFT TS WTS WTSt !u1 vanishes=3
         3 replaying: Initialize
         7 live: Update u1 u1
         complete task 1: nothing; says u1/request/reject
         > task WES WFT TS / WTS WTSt !u2
         7 live: Update u2 u2
         complete task 2: ProtocolMessage u2/request/accept, ProtocolMessage u2/request/complete; says u2/request/accept, u2/request/complete
         > task WES WFT TS WTS WTSt / WTC UPA(u2,@6) UPC(u2) TF WFT*
         13 live: FireTimer 1
         complete task 3: CompleteWorkflowExecution
         evict: closed",
    );
}

/// In the order in which they came.
#[test]
fn u5_with_a_signal_in_one_task() {
    check(
        "start: timer 1
         signal go: timer 2
         signal x: nothing
         update u1: accept
         update u2: reject
         timer 2: finish u1, complete",
        "> replay WES WFT TS SIG WFT TS(2) UPA(u1,@7) TF(2) WFT UPC(u1) WEC
         3 replaying: Initialize
         8 replaying: Signal go; Update u1 u1 again
         14 replaying: FireTimer 2
         finish task 1
         evict: closed
         > task B WES WFT TS SIG SIG(x) TF WFT* !u1@6
         B: 3 replaying: Initialize
         B: 10 live: Signal go; Update u1 u1; Signal x; FireTimer 1
         B: complete task 2: StartTimer 2, ProtocolMessage u1/request/accept; says u1/request/accept
         > task C WES WFT TS SIG WFT* !u1 !u2@5
         C: 3 replaying: Initialize
         C: 8 live: Update u2 u2; Signal go; Update u1 u1
         C: complete task 3: StartTimer 2, ProtocolMessage u1/request/accept; says u1/request/accept, u2/request/reject",
    );
}

#[test]
fn t7_notes_come_first_and_updates_with_signals() {
    check(
        "start: timer 1, activity 1
         signal go: nothing
         cancel: nothing
         timer 1: patched p ? timer 2 : timer 3
         update u1: accept",
        "> replay WES WFT TS ATS WECR TF SIG ATC WTS WTSt WTF(reset) WFT UPA(u1,@13) PATCH(p) CHANGES TS(2)
         3 replaying: Initialize
         15 replaying: NotifyPatch p; UpdateRandomSeed; Signal go; Update u1 u1 again; RequestCancellation; FireTimer 1; ResolveActivity 1 completed
         finish task 1
         evict: closed",
    );
}

#[test]
fn u6_in_the_first_task() {
    check(
        "start: timer 1
         update u1: accept, finish",
        "> task WES WFT* !u1
         3 live: Initialize; Update u1 u1
         complete task 1: StartTimer 1, ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete; says u1/request/accept, u1/request/complete
         > replay B WES WFT TS UPA(u1,@2) UPC(u1)
         B: 3 replaying: Initialize; Update u1 u1 again
         B: finish task 2
         B: evict: closed",
    );
}

#[test]
fn h3_an_update_in_the_second_task_behind_an_empty_one() {
    check(
        "update u1: accept, finish",
        "> replay WES WFT WFT UPA(u1,@5) UPC(u1)
         3 replaying: Initialize
         6 replaying: Update u1 u1 again
         finish task 1
         evict: closed",
    );
}

/// A task that failed is no place to cut, so the Update belongs to the next.
#[test]
fn h4_an_update_behind_a_task_that_failed() {
    check(
        "start: timer 1
         update u1: accept
         timer 1: finish u1",
        "> replay WES WTS WTSt WTF WFT TS UPA(u1,@5) TF WFT UPC(u1)
         6 replaying: Initialize; Update u1 u1 again
         12 replaying: FireTimer 1
         finish task 1
         evict: closed",
    );
    check(
        "start: timer 1
         update u1: accept
         timer 1: finish u1",
        "> replay WES WFT TS WTS WTSt WTF WFT UPA(u1,@9) TF WFT UPC(u1)
         3 replaying: Initialize
         10 replaying: Update u1 u1 again
         15 replaying: FireTimer 1
         finish task 1
         evict: closed",
    );
}

/// That handlers run before the workflow goes on, elsewhere: `workflow-worker`. What they say comes before the end.
#[test]
fn u7_an_update_with_the_signal_that_lets_the_workflow_end() {
    check(
        "start: timer 1
         signal go: complete
         update u1: accept, finish",
        "> task WES WFT TS SIG WFT* !u1
         3 replaying: Initialize
         8 live: Signal go; Update u1 u1
         complete task 1: ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete, CompleteWorkflowExecution; says u1/request/accept, u1/request/complete
         evict: closed
         > replay B WES WFT TS SIG WFT UPA(u1,@7) UPC(u1) WEC
         B: 3 replaying: Initialize
         B: 8 replaying: Signal go; Update u1 u1 again
         B: finish task 2
         B: evict: closed",
    );
    check(
        "start: timer 1
         signal go: complete
         update u1: nothing",
        "> task WES WFT TS SIG WFT* !u1
         3 replaying: Initialize
         8 live: Signal go; Update u1 u1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn u8_between_the_outcomes_of_two_activities() {
    check(
        "start: timer 1
         signal go: activity 1
         activity 1: activity 2
         update u1: accept
         activity 2: finish u1",
        "> replay WES WFT TS SIG WFT ATS ATC WFT ATS(2) WFT UPA(u1,@17) AST(2) ATC(2) WFT UPC(u1)
         3 replaying: Initialize
         8 replaying: Signal go
         13 replaying: ResolveActivity 1 completed
         17 replaying: Update u1 u1 again
         23 replaying: ResolveActivity 2 completed
         finish task 1
         evict: closed",
    );
}

/// The history has it before anybody has heard of it; what accepted it names it.
#[test]
fn u9_admitted_again_by_a_reset() {
    check(
        "start: timer 1
         update u1: accept, finish",
        "> task WES WFT TS WTS WTSt WTF(reset) UAD(u1) WFT*
         3 replaying: Initialize
         11 live: UpdateRandomSeed; Update u1 u1
         complete task 1: ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete; says u1/request/accept, u1/request/complete
         > replay B WES WFT TS WTS WTSt WTF(reset) UAD(u1) WFT UPA(u1,@9,admitted) UPC(u1)
         B: 3 replaying: Initialize
         B: 11 replaying: UpdateRandomSeed; Update u1 u1 again
         B: finish task 2
         B: evict: closed",
    );
}

#[test]
fn u10_the_run_leaves_the_cache_between_two() {
    check(
        "start: timer 1
         update u1: accept, timer 2
         update u2: accept, timer 3
         timer 2: finish u1
         timer 3: finish u2",
        "> cache 0
         > task WES WFT TS WFT UPA(u1,@6) TS(2) WFT* !u2
         3 replaying: Initialize
         7 replaying: Update u1 u1 again
         12 live: Update u2 u2
         complete task 1: ProtocolMessage u2/request/accept, StartTimer 3; says u2/request/accept
         evict: cache full
         > task WES WFT TS WFT UPA(u1,@6) TS(2) WFT UPA(u2,@12) TS(3) TF(2) TF(3) WFT*
         3 replaying: Initialize
         7 replaying: Update u1 u1 again
         12 replaying: Update u2 u2 again
         19 live: FireTimer 2; FireTimer 3
         complete task 2: ProtocolMessage u1/request/complete, ProtocolMessage u2/request/complete; says u1/request/complete, u2/request/complete
         evict: cache full",
    );
}

/// One that is rejected may come again.
#[test]
fn u11_delivered_twice() {
    check(
        "start: timer 1
         update u1: accept
         update u2: reject
         timer 1: finish u1",
        "> task WES WFT TS WFT* !u1 !u1
         3 replaying: Initialize
         7 live: Update u1 u1
         complete task 1: ProtocolMessage u1/request/accept; says u1/request/accept
         > task WES WFT TS WTS WTSt / WTC UPA(u1,@6) TF WFT* !u1
         12 live: FireTimer 1
         complete task 2: ProtocolMessage u1/request/complete; says u1/request/complete
         > task WES WFT TS WFT UPA(u1,@6) TF WTS WTSt / WTC UPC(u1) SIG WFT* !u1 !u2
         17 live: Signal go; Update u2 u2
         complete task 3: nothing; says u2/request/reject
         > task WES WFT TS WFT UPA(u1,@6) TF WFT UPC(u1) SIG WTS WTSt / WTC WFT* !u2
         20 live: Update u2 u2
         complete task 4: nothing; says u2/request/reject",
    );
}

#[test]
fn u13_behind_a_failed_task_the_history_says_what_was_accepted() {
    check(
        "start: timer 1
         update u1: accept
         update u2: accept, finish",
        "> task WES WTS WTSt WTF WFT TS UPA(u1,@5) WFT* !u2
         6 replaying: Initialize; Update u1 u1 again
         11 live: Update u2 u2
         complete task 1: ProtocolMessage u2/request/accept, ProtocolMessage u2/request/complete; says u2/request/accept, u2/request/complete",
    );
}

#[test]
fn an_update_must_be_answered_when_it_comes() {
    check(
        "start: timer 1
         update u1: nothing",
        "> show texts
         > task WES WFT TS WFT* !u1
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         7 live: Update u1 u1
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: update \"u1\" was neither accepted nor rejected when it came: that cannot wait, since the server records it with this Workflow Task or not at all [CommandError]
         evict: task failed",
    );
    check(
        "start: timer 1
         update u1: accept, accept",
        "> show texts
         > task WES WFT TS WFT* !u1
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         7 live: Update u1 u1
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: update \"u1\" was accepted, but the update is AcceptIssued [CommandError]
         evict: task failed",
    );
    check(
        "start: finish u9",
        "> show texts
         > task WES WFT*
         3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: update \"u9\" was completed, but there is no such update [CommandError]
         evict: task failed",
    );
    check(
        "start: timer 1
         update u1: accept, finish u1, finish u1",
        "> show texts
         > task WES WFT TS WFT* !u1
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         7 live: Update u1 u1
         fail task 1: WORKFLOW_WORKER_UNHANDLED_FAILURE: update \"u1\" was completed, but the update is AcceptAndCompleteIssued [CommandError]
         evict: task failed",
    );
}

#[test]
fn code_that_rejects_what_was_accepted_disagrees() {
    check(
        "start: timer 1
         update u1: reject",
        "> show texts
         > replay WES WFT TS WFT UPA(u1,@6)
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         7 replaying: Update u1 u1 again
         fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 9: the history recorded WorkflowExecutionUpdateAccepted (id \"u1\"), the workflow code issued no further command in this Workflow Task; both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed",
    );
    check(
        "start: timer 1
         update u1: accept",
        "> show texts
         > replay WES WFT TS WFT UPA(u1,@6) UPC(u1)
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         7 replaying: Update u1 u1 again
         fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 10: the history recorded WorkflowExecutionUpdateCompleted (id \"u1\"), the workflow code issued no further command in this Workflow Task; both agreed up to event 9, the acceptance of an update (id \"u1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed
         > replay B WES WFT TS WFT UPC(u1)
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: fail task 2: NON_DETERMINISTIC_ERROR: nondeterminism at event 9: the history recorded WorkflowExecutionUpdateCompleted (id \"u1\"), the workflow code issued no further command in this Workflow Task; both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         B: evict: task failed",
    );
}

#[test]
fn updates_and_queries_in_one_task() {
    check(
        "start: timer 1
         update u1: accept, finish",
        "> task WES WFT TS WFT* !u1 ?status
         3 replaying: Initialize
         7 live: Update u1 u1
         7 replaying: Query status
         complete task 1: ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete; says u1/request/accept, u1/request/complete; status answered",
    );
}

/// Whoever sent an Update does not wait for a Local Activity: its answer leaves after a moment.
#[test]
fn l21_a_long_local_activity_and_updates_meanwhile() {
    check(
        "start: local 1
         update u1: accept, finish
         update u2: accept, timer 1
         timer 1: finish u2
         local 1: complete",
        "> task WES WFT*
         3 live: Initialize
         start local 1 charge
         > time 8s
         complete task 1: nothing; asks for the next task
         > task WES WTS WTSt / WTC WFT* !u1 !u2
         6 live: Update u1 u1; Update u2 u2
         > time 0.1s
         > time 0.1s
         complete task 2: ProtocolMessage u1/request/accept, ProtocolMessage u1/request/complete, ProtocolMessage u2/request/accept, StartTimer 1; says u1/request/accept, u1/request/complete, u2/request/accept; asks for the next task
         > task WES WFT WTS WTSt / WTC UPA(u1,@5) UPC(u1) UPA(u2,@5) TS TF WFT*
         14 live: FireTimer 1
         > local 1 completes
         14 live: ResolveLocalActivity 1 completed
         complete task 3: ProtocolMessage u2/request/complete, RecordMarker LAM(1,i1), CompleteWorkflowExecution; says u2/request/complete
         evict: closed",
    );
}
