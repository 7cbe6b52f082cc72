//! Local Activities.

use super::super::peers::Sdk;
use super::super::scenario::Step::{Cli, Until};
use super::super::scenario::{Scenario, scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario(
            "local_activity",
            "a Local Activity",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_nothing",
            "a Local Activity that takes nothing and gives nothing",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_custom_id",
            "a Local Activity with an id of its own",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionCompleted",
        )
        .not_in(Sdk::TypeScript),
        scenario(
            "local_activity_arguments",
            "a Local Activity whose marker holds its arguments too",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionCompleted",
        )
        .not_in(Sdk::Python)
        .not_in(Sdk::TypeScript),
        scenario(
            "local_activity_retried",
            "a Local Activity whose third attempt succeeds, all in one task",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_failed",
            "a Local Activity that fails for good",
            "WorkflowExecutionStarted | MarkerRecorded TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_failing_workflow",
            "the failure of a Local Activity is that of its workflow",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionFailed",
        ),
        scenario(
            "local_activity_timed_out",
            "a Local Activity that takes too long",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activities_parallel",
            "three Local Activities that end in another order than they start",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activities_chain_beside_slow",
            "three Local Activities one by one, beside a slow one",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded MarkerRecorded MarkerRecorded \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_backoff",
            "a Local Activity that is retried over two durable timers",
            "WorkflowExecutionStarted | MarkerRecorded TimerStarted TimerFired | MarkerRecorded TimerStarted \
             TimerFired | MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_heartbeat",
            "a Local Activity longer than its Workflow Task may take",
            "WorkflowExecutionStarted | | | MarkerRecorded WorkflowExecutionCompleted",
        )
        .start("--task-timeout 2s"),
        scenario(
            "local_activity_timer_race",
            "a timer fires while a Local Activity runs, which is then cancelled",
            "WorkflowExecutionStarted | TimerStarted | TimerFired | MarkerRecorded WorkflowExecutionCompleted",
        )
        .start("--task-timeout 2s"),
        scenario(
            "local_activity_try_cancel",
            "a Local Activity that is cancelled and not waited for",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_wait_cancelled",
            "a Local Activity that is cancelled and waited for",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_abandon",
            "a Local Activity that is cancelled only in the eyes of its workflow",
            "WorkflowExecutionStarted | MarkerRecorded MarkerRecorded TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_cancelled_at_once",
            "a Local Activity that is cancelled before it runs",
            "WorkflowExecutionStarted | MarkerRecorded TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_workflow_cancelled",
            "a workflow is cancelled while its Local Activity runs",
            "WorkflowExecutionStarted | WorkflowExecutionCancelRequested | MarkerRecorded \
             WorkflowExecutionCanceled",
        )
        .start("--task-timeout 2s")
        .steps([Until("WorkflowTaskStarted", 1), Cli("workflow cancel --workflow-id {id}")]),
        scenario(
            "local_activity_second_task",
            "a Local Activity in the second task, and one in the third",
            "WorkflowExecutionStarted | TimerStarted TimerFired | MarkerRecorded TimerStarted TimerFired | \
             MarkerRecorded WorkflowExecutionCompleted",
        ),
        scenario(
            "local_activity_beside_others",
            "a Local Activity between a timer and an activity, and what follows",
            "WorkflowExecutionStarted | TimerStarted ActivityTaskScheduled MarkerRecorded TimerStarted \
             ActivityTaskStarted ActivityTaskCompleted | TimerFired | TimerFired | WorkflowExecutionCompleted",
        ),
    ]
}
