//! Nexus operations, on the side of their caller.

use crate::notation::check;

#[test]
fn an_operation_is_started_and_completes_later() {
    check(
        "start: nexus 1
         nexus 1 started: timer 1
         nexus 1: complete",
        "> task WES WFT*
         3 live: Initialize
         complete task 1: ScheduleNexusOperation charge
         > task WES WTS WTSt / WTC NXS NXSt WFT*
         8 live: ResolveNexusOperationStart 1 started as token-1
         complete task 2: StartTimer 1
         > task WES WFT NXS NXSt WTS WTSt / WTC TS NXC WFT*
         13 live: ResolveNexusOperation 1 completed
         complete task 3: CompleteWorkflowExecution
         evict: closed
         > replay B WES WFT NXS NXSt WFT TS NXC WFT WEC
         B: 3 replaying: Initialize
         B: 8 replaying: ResolveNexusOperationStart 1 started as token-1
         B: 13 replaying: ResolveNexusOperation 1 completed
         B: finish task 4
         B: evict: closed",
    );
}

#[test]
fn an_operation_that_completes_at_once() {
    check(
        "start: nexus 1
         nexus 1 started: nothing
         nexus 1: complete",
        "> task WES WFT NXS NXC WFT*
         3 replaying: Initialize
         8 live: ResolveNexusOperationStart 1 started; ResolveNexusOperation 1 completed
         complete task 1: CompleteWorkflowExecution
         evict: closed
         > replay B WES WFT NXS NXSt NXC WFT WEC
         B: 3 replaying: Initialize
         B: 9 replaying: ResolveNexusOperationStart 1 started as token-1; ResolveNexusOperation 1 completed
         B: finish task 2
         B: evict: closed",
    );
}

#[test]
fn an_operation_that_fails_before_it_is_started_has_no_further_outcome() {
    check(
        "start: nexus 1
         nexus 1 started: complete",
        "> show texts
         > replay WES WFT NXS NXF WFT WEC
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         8 replaying: ResolveNexusOperationStart 1 failed: declined
         finish task 1
         evict: closed
         > replay B WES WFT NXS NXTO WFT WEC
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: 8 replaying: ResolveNexusOperationStart 1 failed: too late
         B: finish task 2
         B: evict: closed
         > replay C WES WFT NXS NXCd WFT WEC
         C: 3 replaying: Initialize order of workflow order-7 run C, seed af63fe4c86022652, started at 1 with [\"order 7\"]
         C: 8 replaying: ResolveNexusOperationStart 1 cancelled: cancelled
         C: finish task 3
         C: evict: closed",
    );
}

#[test]
fn an_operation_that_fails_after_its_start() {
    check(
        "start: nexus 1
         nexus 1 started: nothing
         nexus 1: complete",
        "> show texts
         > replay WES WFT NXS NXSt WFT NXF WFT WEC
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         8 replaying: ResolveNexusOperationStart 1 started as token-1
         12 replaying: ResolveNexusOperation 1 failed: declined
         finish task 1
         evict: closed
         > replay B WES WFT NXS NXSt WFT NXTO WFT WEC
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: 8 replaying: ResolveNexusOperationStart 1 started as token-1
         B: 12 replaying: ResolveNexusOperation 1 failed: too late
         B: finish task 2
         B: evict: closed
         > replay C WES WFT NXS NXSt WFT NXCd WFT WEC
         C: 3 replaying: Initialize order of workflow order-7 run C, seed af63fe4c86022652, started at 1 with [\"order 7\"]
         C: 8 replaying: ResolveNexusOperationStart 1 started as token-1
         C: 12 replaying: ResolveNexusOperation 1 cancelled: cancelled
         C: finish task 3
         C: evict: closed",
    );
}

#[test]
fn cancelling_as_its_type_says() {
    check(
        "start: nexus 1
         nexus 1 started: nothing
         cancel: cancel nexus 1
         nexus 1: end cancelled",
        "> task WES WFT NXS NXSt WFT WECR WFT*
         3 replaying: Initialize
         8 replaying: ResolveNexusOperationStart 1 started as token-1
         12 live: RequestCancellation
         complete task 1: RequestCancelNexusOperation of 5
         > task WES WFT NXS NXSt WFT WECR WTS WTSt / WTC NXCR NXCRC NXCd WFT*
         18 live: ResolveNexusOperation 1 cancelled
         complete task 2: CancelWorkflowExecution
         evict: closed",
    );
    check(
        "start: nexus 1 try
         nexus 1 started: nothing
         cancel: cancel nexus 1
         nexus 1: timer 1",
        "> task WES WFT NXS NXSt WFT WECR WFT*
         3 replaying: Initialize
         8 replaying: ResolveNexusOperationStart 1 started as token-1
         12 live: RequestCancellation
         12 live: ResolveNexusOperation 1 cancelled
         complete task 1: RequestCancelNexusOperation of 5, StartTimer 1
         > task WES WFT NXS NXSt WFT WECR WTS WTSt / WTC NXCR TS NXCRF NXC SIG WFT*
         20 live: Signal go
         complete task 2: nothing",
    );
    check(
        "start: nexus 1 abandon
         nexus 1 started: nothing
         cancel: cancel nexus 1
         nexus 1: timer 1",
        "> task WES WFT NXS NXSt WFT WECR WFT*
         3 replaying: Initialize
         8 replaying: ResolveNexusOperationStart 1 started as token-1
         12 live: RequestCancellation
         12 live: ResolveNexusOperation 1 cancelled
         complete task 1: StartTimer 1
         > task WES WFT NXS NXSt WFT WECR WTS WTSt / WTC TS NXF SIG WFT*
         18 live: Signal go
         complete task 2: nothing",
    );
    check(
        "start: nexus 1 requested
         nexus 1 started: nothing
         cancel: cancel nexus 1
         nexus 1: timer 1",
        "> task WES WFT NXS NXSt WFT WECR WFT*
         3 replaying: Initialize
         8 replaying: ResolveNexusOperationStart 1 started as token-1
         12 live: RequestCancellation
         complete task 1: RequestCancelNexusOperation of 5
         > task WES WFT NXS NXSt WFT WECR WTS WTSt / WTC NXCR NXCRC WFT*
         17 live: ResolveNexusOperation 1 cancelled
         complete task 2: StartTimer 1
         > task WES WFT NXS NXSt WFT WECR WFT NXCR NXCRC WTS WTSt / WTC TS NXCd SIG WFT*
         23 live: Signal go
         complete task 3: nothing
         > show texts
         > replay B WES WFT NXS NXSt WFT WECR WFT NXCR NXCRF WFT TS NXC SIG WFT
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: 8 replaying: ResolveNexusOperationStart 1 started as token-1
         B: 12 replaying: RequestCancellation \"\"
         B: 17 replaying: ResolveNexusOperation 1 failed: the request to cancel the Nexus operation failed [operation charge of payments at bank, scheduled at 5, token \"token-1\"] ← nobody there
         B: 23 replaying: Signal go
         B: finish task 4
         B: evict: closed",
    );
}

#[test]
fn cancelled_before_it_was_started() {
    check(
        "start: nexus 1
         cancel: cancel nexus 1
         nexus 1 started: end cancelled",
        "> task WES WFT NXS WECR WFT*
         3 replaying: Initialize
         8 live: RequestCancellation
         complete task 1: RequestCancelNexusOperation of 5
         > task WES WFT NXS WECR WTS WTSt / WTC NXCR NXCd WFT*
         13 live: ResolveNexusOperationStart 1 cancelled
         complete task 2: CancelWorkflowExecution
         evict: closed",
    );
    check(
        "start: nexus 1 try
         cancel: cancel nexus 1
         nexus 1 started: timer 1",
        "> task WES WFT NXS WECR WFT*
         3 replaying: Initialize
         8 live: RequestCancellation
         8 live: ResolveNexusOperationStart 1 cancelled
         complete task 1: RequestCancelNexusOperation of 5, StartTimer 1
         > task WES WFT NXS WECR WTS WTSt / WTC NXCR TS NXSt NXC SIG WFT*
         16 live: Signal go
         complete task 2: nothing",
    );
    check(
        "start: nexus 1, cancel nexus 1
         nexus 1 started: timer 1",
        "> show texts
         > task WES WFT*
         3 live: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         3 live: ResolveNexusOperationStart 1 cancelled: Nexus operation cancelled [operation charge of payments at bank, scheduled at 0, token \"\"] ← Nexus operation cancelled [cancelled with nothing]
         complete task 1: StartTimer 1",
    );
}

#[test]
fn an_answer_to_the_request_to_cancel_after_the_outcome() {
    check(
        "start: nexus 1
         nexus 1 started: cancel nexus 1
         nexus 1: timer 1",
        "> replay WES WFT NXS NXSt WFT NXCR NXC WFT TS NXCRC SIG WFT
         3 replaying: Initialize
         8 replaying: ResolveNexusOperationStart 1 started as token-1
         13 replaying: ResolveNexusOperation 1 completed
         19 replaying: Signal go
         finish task 1
         evict: closed
         > replay B WES WFT NXS NXSt WFT NXCR NXC NXCRF WFT TS
         B: 3 replaying: Initialize
         B: 8 replaying: ResolveNexusOperationStart 1 started as token-1
         B: 14 replaying: ResolveNexusOperation 1 completed
         B: finish task 2
         B: evict: closed",
    );
}

#[test]
fn another_operation() {
    check(
        "start: nexus 1",
        "> show texts
         > replay WES WFT NXS(1,refund)
         3 replaying: Initialize order of workflow order-7 run A, seed af63fc4c860222ec, started at 1 with [\"order 7\"]
         fail task 1: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded NexusOperationScheduled (\"refund\" of service \"payments\" at endpoint \"bank\"), the workflow code issued ScheduleNexusOperation (\"charge\" of service \"payments\" at endpoint \"bank\"); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         evict: task failed
         > replay B WES WFT CWI
         B: 3 replaying: Initialize order of workflow order-7 run B, seed af63ff4c86022805, started at 1 with [\"order 7\"]
         B: fail task 2: NON_DETERMINISTIC_ERROR: nondeterminism at event 5: the history recorded StartChildWorkflowExecutionInitiated (type \"parcel\", id \"child-1\"), the workflow code issued ScheduleNexusOperation (\"charge\" of service \"payments\" at endpoint \"bank\"); both disagreed from the first command on. The code has changed since this history was recorded, or it is not deterministic. Run the code that recorded it: the workflow has not failed, and goes on when that code is back [Nondeterminism]
         B: evict: task failed",
    );
}
