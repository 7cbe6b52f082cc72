//! Patches, upserts, and what is said about a workflow and its parts.

use super::super::peers::Sdk;
use super::super::scenario::{Scenario, scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario(
            "patched",
            "a patch",
            "WorkflowExecutionStarted | MarkerRecorded UpsertWorkflowSearchAttributes TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "patch_deprecated",
            "a deprecated patch",
            "WorkflowExecutionStarted | MarkerRecorded UpsertWorkflowSearchAttributes TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "patches_two",
            "two patches in one task",
            "WorkflowExecutionStarted | MarkerRecorded UpsertWorkflowSearchAttributes MarkerRecorded \
             UpsertWorkflowSearchAttributes TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "patch_second_task",
            "a patch in the second task",
            "WorkflowExecutionStarted | TimerStarted TimerFired | MarkerRecorded UpsertWorkflowSearchAttributes \
             TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "patch_local_activity",
            "a patch before and one after a Local Activity, in one task",
            "WorkflowExecutionStarted | MarkerRecorded UpsertWorkflowSearchAttributes MarkerRecorded \
             MarkerRecorded UpsertWorkflowSearchAttributes TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "patch_two_places",
            "the same patch in two tasks",
            "WorkflowExecutionStarted | MarkerRecorded UpsertWorkflowSearchAttributes TimerStarted TimerFired | \
             TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "patch_between_timers",
            "a patch between the starts of two timers",
            "WorkflowExecutionStarted | TimerStarted MarkerRecorded UpsertWorkflowSearchAttributes TimerStarted \
             TimerFired | TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "patch_and_upsert",
            "a patch between two upserts of the workflow's own",
            "WorkflowExecutionStarted | UpsertWorkflowSearchAttributes MarkerRecorded \
             UpsertWorkflowSearchAttributes UpsertWorkflowSearchAttributes TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "upsert_search_attributes",
            "Search Attributes are set, and one is taken away",
            "WorkflowExecutionStarted | UpsertWorkflowSearchAttributes TimerStarted TimerFired | \
             UpsertWorkflowSearchAttributes WorkflowExecutionCompleted",
        )
        // This SDK takes one away with an empty payload, which the server refuses: the Workflow Task fails for ever.
        .not_in(Sdk::Rust),
        scenario(
            "upsert_memo",
            "memo fields are set, and one is taken away",
            "WorkflowExecutionStarted | WorkflowPropertiesModified TimerStarted TimerFired | \
             WorkflowPropertiesModified WorkflowExecutionCompleted",
        ),
        scenario(
            "summaries",
            "summaries of a timer, an activity, a Local Activity and a child",
            "WorkflowExecutionStarted | TimerStarted TimerFired | ActivityTaskScheduled ActivityTaskStarted \
             ActivityTaskCompleted | MarkerRecorded StartChildWorkflowExecutionInitiated \
             ChildWorkflowExecutionStarted | ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        )
        .start("--static-summary a-workflow --static-details with-details"),
        scenario(
            "priorities",
            "priorities of a workflow, an activity and a child",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted | \
             ChildWorkflowExecutionCompleted | WorkflowExecutionCompleted",
        )
        .start("--priority-key 1"),
        scenario(
            "random",
            "a UUID and a random number in activities' inputs",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionCompleted",
        ),
        scenario(
            "versioned",
            "a workflow that is pinned to its Worker Deployment Version",
            "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionCompleted",
        )
        .of("timer")
        .versioned(),
    ]
}
