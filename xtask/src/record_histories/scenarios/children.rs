//! Child Workflows, other workflows, and Nexus Operations.

use super::super::scenario::Step::{Cli, Until};
use super::super::scenario::{Scenario, scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = children();
    all.extend(others());
    all.extend(nexus_operations());
    all
}

fn children() -> Vec<Scenario> {
    vec![
        scenario(
            "child",
            "a child",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_default_id",
            "a child whose id the SDK makes",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        ),
        scenario(
            "children_two",
            "two children at once",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated \
             StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted ChildWorkflowExecutionStarted | \
             ChildWorkflowExecutionCompleted | ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_failed",
            "a child that fails",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             ChildWorkflowExecutionFailed | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_terminated",
            "a child that is terminated",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             ChildWorkflowExecutionTerminated | WorkflowExecutionCompleted",
        )
        .steps([
            Until("ChildWorkflowExecutionStarted", 1),
            Cli("workflow terminate --workflow-id {id}-child --reason no-more"),
        ]),
        scenario(
            "child_try_cancel",
            "a child that is cancelled and not waited for",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             RequestCancelExternalWorkflowExecutionInitiated TimerStarted \
             ExternalWorkflowExecutionCancelRequested | ChildWorkflowExecutionCanceled | TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "child_wait_cancelled",
            "a child that is cancelled and waited for",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             RequestCancelExternalWorkflowExecutionInitiated ExternalWorkflowExecutionCancelRequested | \
             ChildWorkflowExecutionCanceled | TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_wait_requested",
            "a child that is waited for until it is asked to cancel itself",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             RequestCancelExternalWorkflowExecutionInitiated ExternalWorkflowExecutionCancelRequested | \
             ChildWorkflowExecutionCanceled | TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_abandon",
            "a child that is cancelled only in the eyes of its parent",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_cancelled_at_once",
            "a child that is cancelled before anybody hears of it",
            "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_left_alone",
            "a child that outlives its parent",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "child_already_started",
            "a child with an id that is taken; and a signal to the one that has it",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             StartChildWorkflowExecutionInitiated StartChildWorkflowExecutionFailed | \
             SignalExternalWorkflowExecutionInitiated ExternalWorkflowExecutionSignaled | \
             ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        ),
        scenario(
            "child_signalled",
            "a signal to a child",
            "WorkflowExecutionStarted | StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             SignalExternalWorkflowExecutionInitiated ExternalWorkflowExecutionSignaled | \
             ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        ),
    ]
}

fn others() -> Vec<Scenario> {
    vec![
        scenario(
            "external_signal",
            "a signal to another workflow",
            "WorkflowExecutionStarted | SignalExternalWorkflowExecutionInitiated \
             ExternalWorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .start("--input \"external_signal-other\"")
        .before_worker([Cli("workflow start --task-queue histories --type child_waits --workflow-id {id}-other")]),
        scenario(
            "external_signal_not_found",
            "a signal to a workflow that is not there",
            "WorkflowExecutionStarted | SignalExternalWorkflowExecutionInitiated \
             SignalExternalWorkflowExecutionFailed | WorkflowExecutionCompleted",
        )
        .of("external_signal")
        .start("--input \"nobody\""),
        scenario(
            "external_cancel",
            "the cancellation of another workflow",
            "WorkflowExecutionStarted | RequestCancelExternalWorkflowExecutionInitiated \
             ExternalWorkflowExecutionCancelRequested | WorkflowExecutionCompleted",
        )
        .start("--input \"external_cancel-other\"")
        .before_worker([Cli("workflow start --task-queue histories --type child_waits --workflow-id {id}-other")]),
        scenario(
            "external_cancel_not_found",
            "the cancellation of a workflow that is not there",
            "WorkflowExecutionStarted | RequestCancelExternalWorkflowExecutionInitiated \
             RequestCancelExternalWorkflowExecutionFailed | WorkflowExecutionCompleted",
        )
        .of("external_cancel")
        .start("--input \"nobody\""),
    ]
}

fn nexus_operations() -> Vec<Scenario> {
    vec![
        scenario(
            "nexus_sync",
            "a Nexus Operation that answers at once",
            "WorkflowExecutionStarted | NexusOperationScheduled NexusOperationCompleted | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "nexus_failed",
            "a Nexus Operation that fails",
            "WorkflowExecutionStarted | NexusOperationScheduled NexusOperationFailed | WorkflowExecutionCompleted",
        ),
        scenario(
            "nexus_async",
            "a Nexus Operation behind which a workflow stands",
            "WorkflowExecutionStarted | NexusOperationScheduled NexusOperationStarted | NexusOperationCompleted \
             | WorkflowExecutionCompleted",
        ),
        scenario(
            "nexus_wait_cancelled",
            "a Nexus Operation that is cancelled and waited for",
            "WorkflowExecutionStarted | NexusOperationScheduled NexusOperationStarted | TimerStarted TimerFired \
             | NexusOperationCancelRequested NexusOperationCancelRequestCompleted | NexusOperationCanceled | \
             TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "nexus_wait_requested",
            "a Nexus Operation that is waited for until it is asked to cancel itself",
            "WorkflowExecutionStarted | NexusOperationScheduled NexusOperationStarted | TimerStarted TimerFired \
             | NexusOperationCancelRequested NexusOperationCancelRequestCompleted | TimerStarted \
             NexusOperationCanceled | TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "nexus_try_cancel",
            "a Nexus Operation that is cancelled and not waited for",
            "WorkflowExecutionStarted | NexusOperationScheduled NexusOperationStarted | TimerStarted TimerFired \
             | NexusOperationCancelRequested TimerStarted NexusOperationCancelRequestCompleted | \
             NexusOperationCanceled | TimerFired | WorkflowExecutionCompleted",
        ),
    ]
}
