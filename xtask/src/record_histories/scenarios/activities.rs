//! Timers and activities.

use super::super::peers::Sdk;
use super::super::scenario::{Scenario, scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario("timer", "a timer", "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionCompleted"),
        scenario(
            "timer_cancelled",
            "a timer that is cancelled when another has fired",
            "WorkflowExecutionStarted | TimerStarted TimerStarted TimerFired | TimerCanceled TimerStarted \
             TimerFired | WorkflowExecutionCompleted",
        )
        .shape_in(
            Sdk::TypeScript,
            "WorkflowExecutionStarted | TimerStarted TimerStarted TimerFired | TimerStarted TimerCanceled \
             TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "timer_cancelled_at_once",
            "a timer that is cancelled before anybody hears of it",
            "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "timers_race",
            "the first of two timers ends the workflow",
            "WorkflowExecutionStarted | TimerStarted TimerStarted TimerFired | TimerCanceled \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "timers_parallel",
            "three timers that fire in another order than they start",
            "WorkflowExecutionStarted | TimerStarted TimerStarted TimerStarted TimerFired | TimerFired | \
             TimerFired | WorkflowExecutionCompleted",
        ),
        scenario(
            "activity",
            "an activity",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_nothing",
            "an activity that takes nothing and gives nothing",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_custom_id",
            "an activity with an id of its own",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_retried",
            "an activity whose second attempt succeeds",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_failed",
            "an activity that fails for good",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskFailed | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_timed_out",
            "an activity that takes too long",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskStarted ActivityTaskTimedOut | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activities_parallel",
            "three activities that end in another order than they start",
            "WorkflowExecutionStarted | ActivityTaskScheduled ActivityTaskScheduled ActivityTaskScheduled \
             ActivityTaskStarted ActivityTaskCompleted | ActivityTaskStarted ActivityTaskCompleted | \
             ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_try_cancel",
            "an activity that is cancelled and not waited for",
            "WorkflowExecutionStarted | ActivityTaskScheduled TimerStarted TimerFired | \
             ActivityTaskCancelRequested TimerStarted ActivityTaskStarted ActivityTaskCanceled | TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_wait_cancelled",
            "an activity that is cancelled and waited for",
            "WorkflowExecutionStarted | ActivityTaskScheduled TimerStarted TimerFired | \
             ActivityTaskCancelRequested ActivityTaskStarted ActivityTaskCanceled | TimerStarted TimerFired | \
             WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_abandon",
            "an activity that is cancelled only in the eyes of its workflow",
            "WorkflowExecutionStarted | ActivityTaskScheduled TimerStarted TimerFired | TimerStarted TimerFired \
             | WorkflowExecutionCompleted",
        ),
        scenario(
            "activity_cancelled_at_once",
            "an activity that is cancelled before anybody hears of it",
            "WorkflowExecutionStarted | TimerStarted TimerFired | WorkflowExecutionCompleted",
        ),
    ]
}
