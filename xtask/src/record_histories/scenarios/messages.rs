//! Signals, queries, and Updates.

use super::super::peers::Sdk;
use super::super::scenario::Step::{Begin, Cli, Fails, Until};
use super::super::scenario::{Scenario, Step, scenario};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = signals();
    all.extend(updates());
    all.extend(in_one_task());
    all
}

fn signals() -> Vec<Scenario> {
    vec![
        scenario(
            "signals",
            "three signals, each in a task",
            "WorkflowExecutionStarted | WorkflowExecutionSignaled | WorkflowExecutionSignaled | \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .steps([
            COMPLETED,
            ADD_A,
            Until("WorkflowTaskCompleted", 2),
            ADD_B,
            Until("WorkflowTaskCompleted", 3),
            ADD_C,
        ]),
        scenario(
            "signals_first_task",
            "three signals in the first task",
            "WorkflowExecutionStarted WorkflowExecutionSignaled WorkflowExecutionSignaled \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("signals")
        .before_worker([ADD_A, ADD_B, ADD_C]),
        scenario(
            "signals_beside_local_activity",
            "three signals in the task after a Local Activity's",
            "WorkflowExecutionStarted | MarkerRecorded WorkflowExecutionSignaled WorkflowExecutionSignaled \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .steps([Until("WorkflowTaskStarted", 1), ADD_A, ADD_B, ADD_C]),
        scenario(
            "signal_with_start",
            "Signal-with-Start",
            "WorkflowExecutionStarted WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .before_worker([Cli("workflow signal-with-start --workflow-id {id} --type messages --task-queue histories \
                 --signal-name finish")]),
        scenario(
            "signal_handler_activity",
            "a signal's handler runs an activity",
            "WorkflowExecutionStarted | WorkflowExecutionSignaled | ActivityTaskScheduled ActivityTaskStarted \
             ActivityTaskCompleted | WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([COMPLETED, WORK_500, Until("ActivityTaskCompleted", 1), FINISH]),
        scenario(
            "signal_handlers_first_task",
            "two signals' handlers and the workflow itself run activities at once",
            "WorkflowExecutionStarted WorkflowExecutionSignaled WorkflowExecutionSignaled | \
             ActivityTaskScheduled ActivityTaskScheduled ActivityTaskScheduled ActivityTaskStarted \
             ActivityTaskCompleted | ActivityTaskStarted ActivityTaskCompleted | ActivityTaskStarted \
             ActivityTaskCompleted | WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages_beside_activity")
        .before_worker([WORK_500, WORK_1000])
        .steps([Until("ActivityTaskCompleted", 3), FINISH]),
        scenario(
            "query",
            "a query, which leaves no trace",
            "WorkflowExecutionStarted | WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([COMPLETED, Cli("workflow query --workflow-id {id} --type current"), FINISH]),
    ]
}

fn updates() -> Vec<Scenario> {
    vec![
        scenario(
            "update",
            "an Update that is accepted and completed at once",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([COMPLETED, SET_5, FINISH]),
        scenario(
            "update_rejected",
            "an Update that its validator refuses, which leaves no trace, and a good one",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([COMPLETED, SET_NEGATIVE, SET_5, FINISH]),
        scenario(
            "update_failed",
            "an Update that is accepted and fails",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([
            COMPLETED,
            Fails("workflow update execute --workflow-id {id} --update-id refuse --name refuse", "by the handler"),
            FINISH,
        ]),
        scenario(
            "update_activity",
            "an Update's handler runs an activity",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted ActivityTaskScheduled \
             ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([
            COMPLETED,
            Cli("workflow update execute --workflow-id {id} --update-id set-900 --name set_by_activity \
                 --input 900"),
            FINISH,
        ]),
        scenario(
            "update_local_activity",
            "an Update's handler runs a Local Activity",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted MarkerRecorded \
             WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([
            COMPLETED,
            Cli("workflow update execute --workflow-id {id} --update-id set-100 --name \
                 set_by_local_activity --input 100"),
            FINISH,
        ]),
        scenario(
            "update_timer",
            "an Update's handler starts a timer",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted TimerStarted TimerFired | \
             WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([
            COMPLETED,
            Cli("workflow update execute --workflow-id {id} --update-id set-7 --name set_by_timer --input \
                 7"),
            FINISH,
        ]),
        scenario(
            "updates_two",
            "two Updates, one after the other",
            "WorkflowExecutionStarted | | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted | \
             WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | \
             WorkflowExecutionCompleted",
        )
        .of("messages")
        .steps([COMPLETED, SET_5, SET_6, FINISH]),
    ]
}

fn in_one_task() -> Vec<Scenario> {
    vec![
        scenario(
            "update_first_task",
            "an Update in the first task",
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .before_worker([BEGIN_SET_5])
        .steps([Until("WorkflowExecutionUpdateCompleted", 1), FINISH]),
        scenario(
            "updates_first_task",
            "two Updates in the first task",
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | \
             WorkflowExecutionCompleted",
        )
        .shape_in(
            Sdk::Rust,
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateAccepted \
             WorkflowExecutionUpdateCompleted WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | \
             WorkflowExecutionCompleted",
        )
        .shape_in(
            Sdk::TypeScript,
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateAccepted \
             WorkflowExecutionUpdateCompleted WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | \
             WorkflowExecutionCompleted",
        )
        .of("messages")
        .before_worker([BEGIN_SET_5, BEGIN_SET_6])
        .steps([Until("WorkflowExecutionUpdateCompleted", 2), FINISH]),
        scenario(
            "update_rejected_beside_accepted",
            "an Update that is refused and one that is not, in one task",
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .before_worker([BEGIN_SET_NEGATIVE, BEGIN_SET_6])
        .steps([Until("WorkflowExecutionUpdateCompleted", 1), FINISH]),
        scenario(
            "update_beside_signal",
            "an Update and then a signal in the first task, whose handlers run activities",
            "WorkflowExecutionStarted WorkflowExecutionSignaled | ActivityTaskScheduled \
             WorkflowExecutionUpdateAccepted ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .shape_in(
            Sdk::Rust,
            "WorkflowExecutionStarted WorkflowExecutionSignaled | WorkflowExecutionUpdateAccepted \
             ActivityTaskScheduled ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | \
             ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .before_worker([BEGIN_SET_BY_ACTIVITY, WORK_500])
        .steps([Until("ActivityTaskCompleted", 2), FINISH]),
        scenario(
            "update_beside_main",
            "an Update's handler and the workflow itself run activities at once",
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted ActivityTaskScheduled \
             ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionUpdateCompleted \
             ActivityTaskStarted ActivityTaskCompleted | WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages_beside_activity")
        .before_worker([BEGIN_SET_BY_ACTIVITY])
        .steps([Until("ActivityTaskCompleted", 2), FINISH]),
        scenario(
            "update_timer_beside_update",
            "an Update with a timer and one without it in one task",
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted TimerStarted \
             WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted TimerFired | \
             WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .shape_in(
            Sdk::Rust,
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateAccepted \
             WorkflowExecutionUpdateCompleted TimerStarted TimerFired | WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .shape_in(
            Sdk::TypeScript,
            "WorkflowExecutionStarted | WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateAccepted \
             TimerStarted WorkflowExecutionUpdateCompleted TimerFired | WorkflowExecutionUpdateCompleted \
             WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages")
        .before_worker([BEGIN_SET_BY_TIMER, BEGIN_SET_5])
        .steps([Until("WorkflowExecutionUpdateCompleted", 2), FINISH]),
        scenario(
            "update_beside_local_activity",
            "an Update comes while a Local Activity runs",
            "WorkflowExecutionStarted | MarkerRecorded | WorkflowExecutionUpdateAccepted \
             WorkflowExecutionUpdateCompleted WorkflowExecutionSignaled | WorkflowExecutionCompleted",
        )
        .of("messages_beside_local_activity")
        .steps([Until("WorkflowTaskStarted", 1), SET_5, FINISH]),
    ]
}

const COMPLETED: Step = Until("WorkflowTaskCompleted", 1);
const ADD_A: Step = Cli("workflow signal --workflow-id {id} --name add --input \"a\"");
const ADD_B: Step = Cli("workflow signal --workflow-id {id} --name add --input \"b\"");
const ADD_C: Step = Cli("workflow signal --workflow-id {id} --name add --input \"c\"");
const WORK_500: Step = Cli("workflow signal --workflow-id {id} --name work --input 500");
const WORK_1000: Step = Cli("workflow signal --workflow-id {id} --name work --input 1000");
pub(super) const FINISH: Step = Cli("workflow signal --workflow-id {id} --name finish");
const SET_5: Step = Cli("workflow update execute --workflow-id {id} --update-id set-5 --name set --input 5");
const SET_6: Step = Cli("workflow update execute --workflow-id {id} --update-id set-6 --name set --input 6");
const SET_NEGATIVE: Step =
    Fails("workflow update execute --workflow-id {id} --update-id negative --name set --input=-1", "negative");
const BEGIN_SET_5: Step = Begin("workflow update execute --workflow-id {id} --update-id set-5 --name set --input 5");
const BEGIN_SET_6: Step = Begin("workflow update execute --workflow-id {id} --update-id set-6 --name set --input 6");
const BEGIN_SET_NEGATIVE: Step =
    Begin("workflow update execute --workflow-id {id} --update-id negative --name set --input=-1");
const BEGIN_SET_BY_ACTIVITY: Step = Begin(
    "workflow update execute --workflow-id {id} --update-id set-900 --name set_by_activity \
                 --input 900",
);
const BEGIN_SET_BY_TIMER: Step = Begin(
    "workflow update execute --workflow-id {id} --update-id set-7 --name set_by_timer --input \
                 7",
);
