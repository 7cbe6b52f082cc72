//! Child Workflows, Signals to other workflows and their cancellation.

use crate::notation::check;

#[test]
fn a_child_is_started_and_completes() {
    check(
        "start: child 1
         child 1 started: timer 1
         child 1: complete",
        "> show texts
         > task WES WFT*
         3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         complete task 1: StartChildWorkflowExecution child-1 parcel
         > task WES WTS WTSt / WTC CWI CWS WFT*
         8 live: ResolveChildWorkflowStart 1 started as run-6
         complete task 2: StartTimer 1
         > task WES WFT CWI CWS WTS WTSt / WTC TS CWC WFT*
         13 live: ResolveChildWorkflow 1 completed with [\"delivered\"]
         complete task 3: CompleteWorkflowExecution
         evict: closed",
    );
}

/// `wait`: the outcome is waited for. `try`, `abandon`: told at once, and what comes is swallowed.
#[test]
fn c1_a_child_that_is_cancelled_before_it_was_started() {
    check(
        "start: child 1
         cancel: cancel child 1
         child 1 started: nothing
         child 1: end cancelled",
        "> task WES WFT CWI WECR WFT*
         3 replaying: Initialize
         8 live: RequestCancellation
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child
         > task WES WFT CWI WECR WTS WTSt / WTC RCEI(child-1) CWS WFT*
         13 live: ResolveChildWorkflowStart 1 started
         complete task 2: nothing
         > task WES WFT CWI WECR WFT RCEI(child-1) CWS WTS WTSt / WTC ECR(child-1) CWCd WFT*
         18 live: ResolveChildWorkflow 1 cancelled
         complete task 3: CancelWorkflowExecution
         evict: closed
         > replay B WES WFT CWI WECR WFT RCEI(child-1) CWS ECR(child-1) CWCd WFT WECd
         B: 3 replaying: Initialize
         B: 8 replaying: RequestCancellation
         B: 15 replaying: ResolveChildWorkflowStart 1 started; ResolveChildWorkflow 1 cancelled
         B: finish task 4
         B: evict: closed",
    );
    check(
        "start: child 1 try
         cancel: cancel child 1
         child 1 cancelled: timer 1",
        "> task WES WFT CWI WECR WFT*
         3 replaying: Initialize
         8 live: RequestCancellation
         8 live: ResolveChildWorkflowStart 1 cancelled
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child, StartTimer 1
         > task WES WFT CWI WECR WTS WTSt / WTC RCEI(child-1) TS CWS ECR(child-1) CWCd SIG WFT*
         17 live: Signal go
         complete task 2: nothing
         > replay B WES WFT CWI WECR WFT RCEI(child-1) TS CWS ECR(child-1) CWCd SIG WFT
         B: 3 replaying: Initialize
         B: 8 replaying: RequestCancellation
         B: 8 replaying: ResolveChildWorkflowStart 1 cancelled
         B: 17 replaying: Signal go
         B: finish task 3
         B: evict: closed",
    );
    check(
        "start: child 1 try
         cancel: cancel child 1
         child 1 cancelled: timer 1",
        "> replay WES WFT CWI WECR WFT RCEI(child-1) TS CWSF RCEF(child-1) SIG WFT
         3 replaying: Initialize
         8 replaying: RequestCancellation
         8 replaying: ResolveChildWorkflowStart 1 cancelled
         16 replaying: Signal go
         finish task 1
         evict: closed",
    );
    check(
        "start: child 1 abandon
         cancel: cancel child 1
         child 1 cancelled: timer 1",
        "> task WES WFT CWI WECR WFT*
         3 replaying: Initialize
         8 live: RequestCancellation
         8 live: ResolveChildWorkflowStart 1 cancelled
         complete task 1: StartTimer 1
         > task WES WFT CWI WECR WTS WTSt / WTC TS CWS CWC SIG WFT*
         15 live: Signal go
         complete task 2: nothing
         > replay B WES WFT CWI WECR WFT TS CWSF SIG WFT
         B: 3 replaying: Initialize
         B: 8 replaying: RequestCancellation
         B: 8 replaying: ResolveChildWorkflowStart 1 cancelled
         B: 14 replaying: Signal go
         B: finish task 3
         B: evict: closed",
    );
    check(
        "start: child 1 requested
         cancel: cancel child 1
         child 1 cancelled: timer 1",
        "> task WES WFT CWI WECR WFT*
         3 replaying: Initialize
         8 live: RequestCancellation
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child
         > task WES WFT CWI WECR WTS WTSt / WTC RCEI(child-1) ECR(child-1) WFT*
         13 live: ResolveChildWorkflowStart 1 cancelled
         complete task 2: StartTimer 1
         > task WES WFT CWI WECR WFT RCEI(child-1) ECR(child-1) WTS WTSt / WTC TS CWS CWCd WFT*
         complete task 3: nothing",
    );
}

#[test]
fn c2_an_abandoned_child_closes_in_any_way() {
    check(
        "start: child 1 abandon
         signal go: cancel child 1
         child 1 started: nothing
         child 1: timer 1",
        "> task WES WFT CWI CWS SIG WFT*
         3 replaying: Initialize
         9 live: Signal go; ResolveChildWorkflowStart 1 started
         9 live: ResolveChildWorkflow 1 cancelled
         complete task 1: StartTimer 1
         > replay B WES WFT CWI CWS SIG WFT TS CWC SIG(x) WFT
         B: 3 replaying: Initialize
         B: 9 replaying: Signal go; ResolveChildWorkflowStart 1 started
         B: 9 replaying: ResolveChildWorkflow 1 cancelled
         B: 15 replaying: Signal x
         B: finish task 2
         B: evict: closed
         > replay C WES WFT CWI CWS SIG WFT TS CWF SIG(x) WFT
         C: 3 replaying: Initialize
         C: 9 replaying: Signal go; ResolveChildWorkflowStart 1 started
         C: 9 replaying: ResolveChildWorkflow 1 cancelled
         C: 15 replaying: Signal x
         C: finish task 3
         C: evict: closed
         > replay D WES WFT CWI CWS SIG WFT TS CWTO SIG(x) WFT
         D: 3 replaying: Initialize
         D: 9 replaying: Signal go; ResolveChildWorkflowStart 1 started
         D: 9 replaying: ResolveChildWorkflow 1 cancelled
         D: 15 replaying: Signal x
         D: finish task 4
         D: evict: closed
         > replay E WES WFT CWI CWS SIG WFT TS CWTm SIG(x) WFT
         E: 3 replaying: Initialize
         E: 9 replaying: Signal go; ResolveChildWorkflowStart 1 started
         E: 9 replaying: ResolveChildWorkflow 1 cancelled
         E: 15 replaying: Signal x
         E: finish task 5
         E: evict: closed
         > replay F WES WFT CWI CWS SIG WFT TS CWCd SIG(x) WFT
         F: 3 replaying: Initialize
         F: 9 replaying: Signal go; ResolveChildWorkflowStart 1 started
         F: 9 replaying: ResolveChildWorkflow 1 cancelled
         F: 15 replaying: Signal x
         F: finish task 6
         F: evict: closed",
    );
}

#[test]
fn c3_a_cancelled_child_closes_in_any_way() {
    check(
        "start: child 1 try
         child 1 started: nothing
         signal go: cancel child 1
         child 1: timer 1",
        "> task WES WFT CWI CWS WFT SIG WFT*
         3 replaying: Initialize
         8 replaying: ResolveChildWorkflowStart 1 started
         12 live: Signal go
         12 live: ResolveChildWorkflow 1 cancelled
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child, StartTimer 1
         > replay B WES WFT CWI CWS WFT SIG WFT RCEI(child-1) TS CWC SIG(x) WFT
         B: 3 replaying: Initialize
         B: 8 replaying: ResolveChildWorkflowStart 1 started
         B: 12 replaying: Signal go
         B: 12 replaying: ResolveChildWorkflow 1 cancelled
         B: 19 replaying: Signal x
         B: finish task 2
         B: evict: closed
         > replay C WES WFT CWI CWS WFT SIG WFT RCEI(child-1) TS ECR(child-1) CWF SIG(x) WFT
         C: 3 replaying: Initialize
         C: 8 replaying: ResolveChildWorkflowStart 1 started
         C: 12 replaying: Signal go
         C: 12 replaying: ResolveChildWorkflow 1 cancelled
         C: 20 replaying: Signal x
         C: finish task 3
         C: evict: closed
         > replay D WES WFT CWI CWS WFT SIG WFT RCEI(child-1) TS CWTO RCEF(child-1) SIG(x) WFT
         D: 3 replaying: Initialize
         D: 8 replaying: ResolveChildWorkflowStart 1 started
         D: 12 replaying: Signal go
         D: 12 replaying: ResolveChildWorkflow 1 cancelled
         D: 20 replaying: Signal x
         D: finish task 4
         D: evict: closed
         > replay E WES WFT CWI CWS WFT SIG WFT RCEI(child-1) TS CWTm SIG(x) WFT
         E: 3 replaying: Initialize
         E: 8 replaying: ResolveChildWorkflowStart 1 started
         E: 12 replaying: Signal go
         E: 12 replaying: ResolveChildWorkflow 1 cancelled
         E: 19 replaying: Signal x
         E: finish task 5
         E: evict: closed
         > replay F WES WFT CWI CWS WFT SIG WFT RCEI(child-1) TS ECR(child-1) CWCd SIG(x) WFT
         F: 3 replaying: Initialize
         F: 8 replaying: ResolveChildWorkflowStart 1 started
         F: 12 replaying: Signal go
         F: 12 replaying: ResolveChildWorkflow 1 cancelled
         F: 20 replaying: Signal x
         F: finish task 6
         F: evict: closed",
    );
}

/// The Signal's handler cancels a child that it does not know to be started.
#[test]
fn c4_a_signal_and_the_start_in_one_task() {
    check(
        "start: child 1 try
         signal go: cancel child 1
         child 1 started: nothing
         child 1: complete",
        "> task WES WFT CWI SIG CWS WFT*
         3 replaying: Initialize
         9 live: Signal go; ResolveChildWorkflowStart 1 started
         9 live: ResolveChildWorkflow 1 cancelled
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child, CompleteWorkflowExecution
         evict: closed
         > replay B WES WFT CWI SIG CWS WFT RCEI(child-1) WEC
         B: 3 replaying: Initialize
         B: 9 replaying: Signal go; ResolveChildWorkflowStart 1 started
         B: 9 replaying: ResolveChildWorkflow 1 cancelled
         B: finish task 2
         B: evict: closed",
    );
    check(
        "start: child 1
         signal go: cancel child 1
         child 1 started: nothing
         child 1: complete",
        "> task WES WFT CWI SIG CWS WFT*
         3 replaying: Initialize
         9 live: Signal go; ResolveChildWorkflowStart 1 started
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child
         > task WES WFT CWI SIG CWS WTS WTSt / WTC RCEI(child-1) ECR(child-1) CWCd WFT*
         15 live: ResolveChildWorkflow 1 cancelled
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn c5_a_child_whose_start_has_failed_is_cancelled() {
    check(
        "start: child 1
         child 1 not started: timer 1
         timer 1: cancel child 1, complete",
        "> task WES WFT CWI CWSF WFT TS TF WFT*
         3 replaying: Initialize
         8 replaying: ResolveChildWorkflowStart 1 not started: WORKFLOW_ALREADY_EXISTS
         13 live: FireTimer 1
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn c6_started_and_completed_in_one_task() {
    check(
        "start: child 1
         child 1 started: nothing
         child 1: complete",
        "> task WES WFT CWI CWS CWC WFT*
         3 replaying: Initialize
         9 live: ResolveChildWorkflowStart 1 started; ResolveChildWorkflow 1 completed
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn c7_numbers_of_children_and_of_cancellations_are_their_own() {
    check(
        "start: stop 1 w2
         stopped 1: child 1
         child 1 started: cancel child 1
         child 1: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: RequestCancelExternalWorkflowExecution w2
         > task WES WTS WTSt / WTC RCEI(w2) ECR(w2) WFT*
         8 live: ResolveRequestCancelExternalWorkflow 1 arrived
         complete task 2: StartChildWorkflowExecution child-1 parcel
         > task WES WFT RCEI(w2) ECR(w2) WTS WTSt / WTC CWI CWS WFT*
         13 live: ResolveChildWorkflowStart 1 started
         complete task 3: RequestCancelExternalWorkflowExecution child-1 child
         > task WES WFT RCEI(w2) ECR(w2) WFT CWI CWS WTS WTSt / WTC RCEI(child-1) ECR(child-1) CWCd WFT*
         19 live: ResolveChildWorkflow 1 cancelled
         complete task 4: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn c8_canceled_before_the_request_to_cancel_it_has_arrived() {
    check(
        "start: child 1
         child 1 started: cancel child 1
         child 1: timer 1",
        "> replay WES WFT CWI CWS WFT RCEI(child-1) CWCd ECR(child-1) WFT TS SIG WFT
         3 replaying: Initialize
         8 replaying: ResolveChildWorkflowStart 1 started
         14 replaying: ResolveChildWorkflow 1 cancelled
         19 replaying: Signal go
         finish task 1
         evict: closed
         > replay B WES WFT CWI CWS WFT RCEI(child-1) CWCd WFT TS ECR(child-1) SIG WFT
         B: 3 replaying: Initialize
         B: 8 replaying: ResolveChildWorkflowStart 1 started
         B: 13 replaying: ResolveChildWorkflow 1 cancelled
         B: 19 replaying: Signal go
         B: finish task 2
         B: evict: closed",
    );
}

/// The request to the child leaves at once; the server keeps it behind the start.
#[test]
fn c9_the_scope_of_a_child_is_cancelled_between_its_request_and_its_start() {
    check(
        "start: child 1, child 2 type=invoice
         cancel: cancel child 1, cancel child 2
         child 1 started: nothing
         child 2 started: nothing
         child 1: nothing
         child 2: end cancelled",
        "> task WES WFT CWI CWI(2,invoice) WECR WFT*
         3 replaying: Initialize
         9 live: RequestCancellation
         complete task 1: RequestCancelExternalWorkflowExecution child-1 child, RequestCancelExternalWorkflowExecution child-2 child
         > task WES WFT CWI CWI(2,invoice) WECR WTS WTSt / WTC RCEI(child-1) RCEI(child-2) CWS CWS(2) ECR(child-1) ECR(child-2) CWCd CWCd(2) WFT*
         20 live: ResolveChildWorkflowStart 1 started; ResolveChildWorkflowStart 2 started; ResolveChildWorkflow 1 cancelled; ResolveChildWorkflow 2 cancelled
         complete task 2: CancelWorkflowExecution
         evict: closed",
    );
}

#[test]
fn c10_a_cancellation_stands_where_it_was_asked_for() {
    check(
        "start: child 1
         child 1 started: nothing
         signal go: activity 1, cancel child 1, timer 1",
        "> task WES WFT CWI CWS WFT SIG WFT*
         3 replaying: Initialize
         8 replaying: ResolveChildWorkflowStart 1 started
         12 live: Signal go
         complete task 1: ScheduleActivityTask 1 charge, RequestCancelExternalWorkflowExecution child-1 child, StartTimer 1",
    );
}

#[test]
fn c11_a_child_that_is_started_and_cancelled_at_once_never_is() {
    check(
        "start: child 1, cancel child 1, child 2 abandon, cancel child 2, child 3 try
         child 1 cancelled: nothing
         child 2 cancelled: timer 1",
        "> show texts
         > task WES WFT*
         3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         3 live: ResolveChildWorkflowStart 1 cancelled: Child Workflow execution cancelled [child child-1 parcel run \"\", initiated at 0, started at 0, CANCEL_REQUESTED] ← Child Workflow cancelled [cancelled with nothing]; ResolveChildWorkflowStart 2 cancelled: Child Workflow execution cancelled [child child-2 parcel run \"\", initiated at 0, started at 0, CANCEL_REQUESTED] ← Child Workflow cancelled [cancelled with nothing]
         complete task 1: StartChildWorkflowExecution child-3 parcel, StartTimer 1
         > replay B WES WFT CWI(3) TS
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: 3 replaying: ResolveChildWorkflowStart 1 cancelled: Child Workflow execution cancelled [child child-1 parcel run \"\", initiated at 0, started at 0, CANCEL_REQUESTED] ← Child Workflow cancelled [cancelled with nothing]; ResolveChildWorkflowStart 2 cancelled: Child Workflow execution cancelled [child child-2 parcel run \"\", initiated at 0, started at 0, CANCEL_REQUESTED] ← Child Workflow cancelled [cancelled with nothing]
         B: finish task 2
         B: evict: closed",
    );
}

#[test]
fn c12_two_children_with_the_same_id() {
    check(
        "start: child 1 id=parcel-1, child 2 id=parcel-1
         child 2 not started: timer 1
         child 1 started: nothing
         child 1: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: StartChildWorkflowExecution parcel-1 parcel, StartChildWorkflowExecution parcel-1 parcel
         > task WES WTS WTSt / WTC CWI(parcel-1) #6 CWI(parcel-1) CWS(@5) CWSF(@6) WFT*
         10 live: ResolveChildWorkflowStart 1 started; ResolveChildWorkflowStart 2 not started: WORKFLOW_ALREADY_EXISTS
         complete task 2: StartTimer 1
         > task WES WFT CWI(parcel-1) CWI(parcel-1) CWS(@5) CWSF(@6) WTS WTSt / WTC TS CWC(@5) WFT*
         15 live: ResolveChildWorkflow 1 completed
         complete task 3: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn c14_another_type_or_id_of_a_child() {
    check(
        "start: child 1",
        "> show texts
         > replay WES WFT CWI(1,invoice)
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded StartChildWorkflowExecutionInitiated (type \"invoice\", id \"child-1\"), the workflow code issued StartChildWorkflowExecution (type \"parcel\", id \"child-1\"); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed
         > replay B WES WFT CWI(other)
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: fail task 2: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded StartChildWorkflowExecutionInitiated (type \"parcel\", id \"other\"), the workflow code issued StartChildWorkflowExecution (type \"parcel\", id \"child-1\"); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         B: evict: task failed
         > replay C WES WFT SEI(w2)
         C: 3 replaying: Initialize order of workflow order-7 run C, seed af63fe4c86022652, started at 1 with [\"order 7\"]
         C: fail task 3: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded SignalExternalWorkflowExecutionInitiated (signal \"go\" to workflow \"w2\"), the workflow code issued StartChildWorkflowExecution (type \"parcel\", id \"child-1\"); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         C: evict: task failed
         > replay D WES WFT CWI TS
         D: 3 replaying: Initialize order of workflow order-7 run D, seed af63f94c86021dd3, started at 1 with [\"order 7\"]
         D: fail task 4: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded TimerStarted (id \"1\"), the workflow code issued no further command in this Workflow Task; both agreed up to event 5, StartChildWorkflowExecution (type \"parcel\", id \"child-1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         D: evict: task failed",
    );
}

#[test]
fn c16_a_signal_or_a_cancellation_of_a_workflow_that_is_not_there() {
    check(
        "start: tell 1 w2, stop 1 w3, tell 2 w4, stop 2 w5
         told 1: nothing
         stopped 1: nothing
         told 2: nothing
         stopped 2: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: SignalExternalWorkflowExecution w2 go, RequestCancelExternalWorkflowExecution w3, SignalExternalWorkflowExecution w4 go, RequestCancelExternalWorkflowExecution w5
         > task WES WTS WTSt / WTC SEI(w2) RCEI(w3) SEI(w4) RCEI(w5) SEF(w2) RCEF(w3) ESS(w4) ECR(w5) WFT*
         14 live: ResolveSignalExternalWorkflow 1 EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND; ResolveRequestCancelExternalWorkflow 1 EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND; ResolveSignalExternalWorkflow 2 arrived; ResolveRequestCancelExternalWorkflow 2 arrived
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

/// Before it left it never leaves; later it is too late.
#[test]
fn a_signal_that_is_taken_back() {
    check(
        "start: tell 1 w2, untell 1, tell 2 w3, untell 9
         told 1: nothing
         signal go: untell 2
         told 2: complete",
        "> task WES WFT*
         3 live: Initialize
         3 live: ResolveSignalExternalWorkflow 1 cancelled
         complete task 1: SignalExternalWorkflowExecution w3 go
         > task WES WTS WTSt / WTC SEI(w3) SIG ESS(w3) WFT*
         9 live: Signal go; ResolveSignalExternalWorkflow 2 arrived
         complete task 2: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn what_came_of_a_child_names_it() {
    check(
        "start: child 1, child 2, child 3, child 4
         child 1 started: nothing
         child 2 started: nothing
         child 3 started: nothing
         child 4 started: nothing
         child 1: nothing
         child 2: nothing
         child 3: nothing
         child 4: complete",
        "> show texts
         > task WES WFT CWI CWI(2) CWI(3) CWI(4) CWS CWS(2) CWS(3) CWS(4) CWF CWTO(2) CWTm(3) CWCd(4) WFT*
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         18 live: ResolveChildWorkflowStart 1 started as run-9; ResolveChildWorkflowStart 2 started as run-10; ResolveChildWorkflowStart 3 started as run-11; ResolveChildWorkflowStart 4 started as run-12; ResolveChildWorkflow 1 failed: Child Workflow execution failed [child child-1 parcel run \"run-9\", initiated at 5, started at 9, MAXIMUM_ATTEMPTS_REACHED] ← lost; ResolveChildWorkflow 2 failed: Child Workflow execution timed out [child child-2 parcel run \"run-10\", initiated at 6, started at 10, TIMEOUT] ← Child Workflow timed out [timeout]; ResolveChildWorkflow 3 failed: Child Workflow execution terminated [child child-3 parcel run \"run-11\", initiated at 7, started at 11, NON_RETRYABLE_FAILURE] ← Child Workflow terminated [terminated]; ResolveChildWorkflow 4 cancelled: Child Workflow execution cancelled [child child-4 parcel run \"run-12\", initiated at 8, started at 12, NON_RETRYABLE_FAILURE] ← Child Workflow cancelled [cancelled with nothing]
         complete task 1: CompleteWorkflowExecution
         evict: closed",
    );
}

#[test]
fn news_of_children_that_were_never_started() {
    check(
        "start: timer 1",
        "> show texts
         > replay WES WFT TS CWS(@99) WFT
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded ChildWorkflowExecutionStarted (of event 99), the workflow code issued nothing that this fits (it has no such operation under way); both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed
         > replay B WES WFT TS CWC(@5) WFT
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: fail task 2: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded ChildWorkflowExecutionCompleted (of event 5), the workflow code issued nothing that this fits (event 5 is timer 1); both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         B: evict: task failed
         > replay C WES WFT TS ESS(@5) WFT
         C: 3 replaying: Initialize order of workflow order-7 run C, seed af63fe4c86022652, started at 1 with [\"order 7\"]
         C: fail task 3: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded ExternalWorkflowExecutionSignaled (of event 5), the workflow code issued nothing that this fits (event 5 is timer 1); both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         C: evict: task failed
         > replay D WES WFT TS ECR(@99) WFT
         D: 3 replaying: Initialize order of workflow order-7 run D, seed af63f94c86021dd3, started at 1 with [\"order 7\"]
         D: fail task 4: NON_DETERMINISTIC_ERROR: nondeterminism at event 6: the history recorded ExternalWorkflowExecutionCancelRequested (of event 99), the workflow code issued nothing that this fits (it has no such operation under way); both agreed up to event 5, StartTimer (id \"1\"). The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         D: evict: task failed",
    );
}

/// Those on Temporal's shared core wait for the end of a child although user code wants to go on as soon as it was asked.
#[test]
fn a_child_that_another_sdk_did_not_leave_when_it_was_asked() {
    check(
        "start: child 1 requested
         child 1 started: nothing
         cancel: cancel child 1
         child 1: timer 1",
        "> replay WES WTS WTSt WTC(temporal-python,1.35.0) CWI CWS WECR WFT RCEI(child-1) ECR(child-1) WFT CWCd WFT TS
         3 replaying: Initialize
         9 replaying: ResolveChildWorkflowStart 1 started; RequestCancellation
         18 replaying: ResolveChildWorkflow 1 cancelled
         finish task 1
         evict: closed
         > replay B WES WTS WTSt WTC(timewright,0.1.0) CWI CWS WECR WFT RCEI(child-1) ECR(child-1) WFT TS CWCd WFT
         B: 3 replaying: Initialize
         B: 9 replaying: ResolveChildWorkflowStart 1 started; RequestCancellation
         B: 14 replaying: ResolveChildWorkflow 1 cancelled
         B: finish task 2
         B: evict: closed",
    );
}
