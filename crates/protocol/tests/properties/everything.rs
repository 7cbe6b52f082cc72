//! The random programs and schedules get to everything that can happen; else the properties would say little.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;

use crate::generate::program;
use crate::reference::noted_outcomes;
use crate::worker;
use crate::world::{Conditions, World, schedule};

#[test]
fn everything_happens() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let rare = |seen: &BTreeMap<String, usize>| -> Vec<&str> {
        EVERYTHING.into_iter().filter(|what| seen.get(*what).is_none_or(|times| *times < 3)).collect()
    };
    for seed in 0..WORLDS {
        if seed % 100 == 0 && rare(&seen).is_empty() {
            return;
        }
        let (program, schedule) = (program(), schedule()).new_tree(&mut runner).expect("a tree").current();
        let world =
            World::live(&program, Conditions { wants_next: seed % 3 == 0, ..Conditions::undisturbed(seed) }, &schedule);
        see(&world, |what, times| *seen.entry(what).or_default() += times);
    }
    assert!(rare(&seen).is_empty(), "{:?} are too rare: {seen:#?}", rare(&seen));
}

fn see(world: &World, mut seen: impl FnMut(String, usize)) {
    seen("answered Query".into(), world.answered_queries());
    seen("vanished task".into(), world.worker.vanished_tasks);
    for what in &world.worker.local_activities.seen {
        seen((*what).to_owned(), 1);
    }
    for answer in world.update_answers() {
        seen(format!("Update: {}", answer.split(['(', '{', '.']).take(3).collect::<String>()), 1);
    }
    let histories = world.histories();
    for (_, outcomes) in histories.iter().flat_map(|(_, history)| noted_outcomes(history)) {
        for outcome in outcomes {
            seen(format!("Local Activity {}", outcome.split(' ').next_back().unwrap_or_default()), 1);
        }
    }
    for event in histories.into_iter().flat_map(|(_, history)| history) {
        see_event(&event, &mut seen);
    }
}

fn see_event(event: &HistoryEvent, seen: &mut impl FnMut(String, usize)) {
    seen(format!("{:?}", event.event_type()), 1);
    match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => seen(format!("{:?}", failed.cause()), 1),
        Some(Attributes::WorkflowTaskScheduledEventAttributes(scheduled)) => {
            seen("retried task".into(), usize::from(scheduled.attempt > 1));
            let is_sticky = scheduled.task_queue.as_ref().is_some_and(|queue| queue.name == worker::STICKY);
            seen("sticky task".into(), usize::from(is_sticky));
        }
        Some(Attributes::MarkerRecordedEventAttributes(marker)) => seen(marker.marker_name.clone(), 1),
        _ => (),
    }
}

const WORLDS: u64 = 5_000;

const EVERYTHING: [&str; 71] = [
    "ActivityTaskCancelRequested",
    "ActivityTaskCanceled",
    "ActivityTaskCompleted",
    "ActivityTaskFailed",
    "ActivityTaskScheduled",
    "ActivityTaskStarted",
    "ActivityTaskTimedOut",
    "ChildWorkflowExecutionCanceled",
    "ChildWorkflowExecutionCompleted",
    "ChildWorkflowExecutionFailed",
    "ChildWorkflowExecutionStarted",
    "ChildWorkflowExecutionTerminated",
    "ChildWorkflowExecutionTimedOut",
    "ExternalWorkflowExecutionCancelRequested",
    "ExternalWorkflowExecutionSignaled",
    "ForceCloseCommand",
    "Local Activity backoff",
    "Local Activity cancelled",
    "Local Activity completed",
    "Local Activity failed",
    "Local Activity told to stop",
    "MarkerRecorded",
    "MutableSideEffect",
    "NexusOperationCancelRequestCompleted",
    "NexusOperationCancelRequestFailed",
    "NexusOperationCancelRequested",
    "NexusOperationCanceled",
    "NexusOperationCompleted",
    "NexusOperationFailed",
    "NexusOperationScheduled",
    "NexusOperationStarted",
    "NexusOperationTimedOut",
    "RequestCancelExternalWorkflowExecutionFailed",
    "RequestCancelExternalWorkflowExecutionInitiated",
    "ResetWorkflow",
    "SideEffect",
    "SignalExternalWorkflowExecutionFailed",
    "SignalExternalWorkflowExecutionInitiated",
    "StartChildWorkflowExecutionFailed",
    "StartChildWorkflowExecutionInitiated",
    "TimerCanceled",
    "TimerFired",
    "TimerStarted",
    "UnhandledCommand",
    "UpsertWorkflowSearchAttributes",
    "Version",
    "WorkflowExecutionCancelRequested",
    "WorkflowExecutionCanceled",
    "WorkflowExecutionCompleted",
    "WorkflowExecutionContinuedAsNew",
    "WorkflowExecutionFailed",
    "WorkflowExecutionSignaled",
    "WorkflowExecutionStarted",
    "WorkflowExecutionTerminated",
    "WorkflowExecutionTimedOut",
    "WorkflowExecutionUpdateAccepted",
    "WorkflowExecutionUpdateAdmitted",
    "WorkflowExecutionUpdateCompleted",
    "WorkflowPropertiesModified",
    "WorkflowTaskCompleted",
    "WorkflowTaskFailed",
    "WorkflowTaskScheduled",
    "WorkflowTaskStarted",
    "WorkflowTaskTimedOut",
    "WorkflowWorkerUnhandledFailure",
    "answered Query",
    "core_patch",
    "retried Local Activity",
    "retried task",
    "sticky task",
    "vanished task",
];
