//! How workflows end, go on as another run, and recover.

use super::super::scenario::Step::{Cli, Until};
use super::super::scenario::{Scenario, scenario};
use super::messages::FINISH;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario("workflow_failed", "a workflow that fails", "WorkflowExecutionStarted | WorkflowExecutionFailed"),
        scenario(
            "workflow_cancelled",
            "a workflow that is cancelled",
            "WorkflowExecutionStarted | TimerStarted WorkflowExecutionCancelRequested | TimerCanceled \
             WorkflowExecutionCanceled",
        )
        .steps([Until("TimerStarted", 1), Cli("workflow cancel --workflow-id {id}")]),
        scenario(
            "workflow_cancelled_first_task",
            "a workflow that is cancelled before its first task",
            "WorkflowExecutionStarted WorkflowExecutionCancelRequested | WorkflowExecutionCanceled",
        )
        .of("workflow_cancelled")
        .before_worker([Cli("workflow cancel --workflow-id {id}")]),
        scenario(
            "workflow_cancelled_cleanup",
            "a workflow that is cancelled and cleans up first",
            "WorkflowExecutionStarted | TimerStarted WorkflowExecutionCancelRequested | TimerCanceled \
             ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionCanceled",
        )
        .steps([Until("TimerStarted", 1), Cli("workflow cancel --workflow-id {id}")]),
        scenario(
            "workflow_cancelled_completes",
            "a workflow that is cancelled and completes",
            "WorkflowExecutionStarted | TimerStarted WorkflowExecutionCancelRequested | TimerCanceled \
             WorkflowExecutionCompleted",
        )
        .steps([Until("TimerStarted", 1), Cli("workflow cancel --workflow-id {id}")]),
        scenario(
            "continue_as_new",
            "the first of two runs, with memo and Search Attributes for the next",
            "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionContinuedAsNew",
        )
        .start("--input 1")
        .first_run(),
        scenario(
            "continued_as_new",
            "the second of two runs",
            "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionCompleted",
        )
        .of("continue_as_new")
        .start("--input 1"),
        scenario(
            "workflow_task_failed",
            "a Workflow Task that fails, and one that then does not",
            "WorkflowExecutionStarted | TimerStarted TimerFired WorkflowTaskFailed | TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "reset",
            "a reset to the second task, which is done once more",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded UpsertWorkflowSearchAttributes \
             TimerStarted TimerFired WorkflowTaskFailed | ActivityTaskScheduled ActivityTaskStarted \
             ActivityTaskCompleted | WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("resettable")
        .steps([
            Until("ActivityTaskCompleted", 1),
            Until("WorkflowTaskCompleted", 3),
            Cli("workflow reset --workflow-id {id} --event-id {completed:2} --reason why-not"),
            Until("ActivityTaskCompleted", 1),
            Until("WorkflowTaskCompleted", 3),
            FINISH,
        ]),
        scenario(
            "not_reset",
            "the workflow of `reset`, without the reset",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded UpsertWorkflowSearchAttributes \
             TimerStarted TimerFired | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("resettable")
        .steps([Until("ActivityTaskCompleted", 1), Until("WorkflowTaskCompleted", 3), FINISH]),
    ]
}
