//! Damages a history: as a bug of a server, a proxy or a tool could, and as code that has changed looks to a Run.

use std::collections::BTreeMap;

use timewright_proto::enums::{EventType, WorkflowTaskFailedCause};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{HistoryEvent, WorkflowTaskFailedEventAttributes, WorkflowTaskTimedOutEventAttributes};
use timewright_proto::prost_types::{Duration, Timestamp};

use crate::events::invent;
use crate::references::{names, references};
use crate::script::Script;

/// Does to the Events what the script says. They get the ids that a server would give them, unless it says otherwise.
pub(crate) fn damage(events: &mut Vec<HistoryEvent>, script: &mut Script<'_>) {
    for _ in 0..script.below(8) {
        if events.is_empty() {
            return;
        }
        let index = script.below(events.len());
        let damage = DAMAGES[script.below(DAMAGES.len())];
        damage(events, index, script);
        events.truncate(MOST_EVENTS);
    }
    match script.below(8) {
        6 => number(events, false),
        7 => (),
        _ => number(events, true),
    }
}

/// What can be done to the Event at an index that is there.
type Damage = fn(&mut Vec<HistoryEvent>, usize, &mut Script<'_>);

const DAMAGES: &[Damage] = &[
    |events, index, _| drop(events.remove(index)),
    |events, index, script| {
        let to = script.below(events.len() + 1);
        events.insert(to, events[index].clone());
    },
    |events, index, script| {
        let other = script.below(events.len());
        events.swap(index, other);
    },
    |events, index, _| events.truncate(index),
    |events, index, script| {
        let id = script.event_id();
        let mut ids = events[index].attributes.as_mut().map(references).unwrap_or_default();
        let which = script.below(ids.len());
        if let Some(reference) = ids.get_mut(which) {
            **reference = id;
        }
    },
    |events, index, script| {
        let text = script.text();
        let mut texts = events[index].attributes.as_mut().map(names).unwrap_or_default();
        let which = script.below(texts.len());
        if let Some(name) = texts.get_mut(which) {
            **name = text;
        }
    },
    |events, index, script| events[index].event_type = i32::from(script.byte()),
    |events, index, script| {
        let other = script.below(events.len());
        events[index].attributes = events[other].attributes.clone();
    },
    |events, index, _| events[index].attributes = None,
    |events, index, _| events[index].worker_may_ignore = true,
    |events, index, script| {
        let seconds = script.event_id();
        let nanos = i32::try_from(script.event_id()).unwrap_or(i32::MAX);
        events[index].event_time = (!script.rarely(4)).then_some(Timestamp { seconds, nanos });
    },
    |events, index, script| events[index].event_id = script.event_id(),
    repeat,
    invent,
    invent,
    invent,
    |events, index, script| {
        for _ in 0..4 {
            invent(events, index, script);
        }
    },
    |events, _, script| be_in_a_hurry(events, script),
    |events, index, script| do_not_complete(events, index, script),
];

/// Some Events happen again, somewhere else.
fn repeat(events: &mut Vec<HistoryEvent>, index: usize, script: &mut Script<'_>) {
    let end = (index + 1 + script.below(8)).min(events.len());
    let again: Vec<HistoryEvent> = events[index..end].to_vec();
    let to = script.below(events.len() + 1);
    events.splice(to..to, again);
}

/// The next Workflow Task that was completed, failed or timed out instead.
fn do_not_complete(events: &mut [HistoryEvent], index: usize, script: &mut Script<'_>) {
    let completed = EventType::WorkflowTaskCompleted;
    let Some(event) = events.iter_mut().skip(index).find(|event| event.event_type() == completed) else { return };
    if script.rarely(2) {
        event.set_event_type(EventType::WorkflowTaskTimedOut);
        let attributes = WorkflowTaskTimedOutEventAttributes::default();
        event.attributes = Some(Attributes::WorkflowTaskTimedOutEventAttributes(attributes.into()));
    } else {
        event.set_event_type(EventType::WorkflowTaskFailed);
        let mut attributes = WorkflowTaskFailedEventAttributes { new_run_id: script.text(), ..Default::default() };
        attributes.set_cause(if script.rarely(2) {
            WorkflowTaskFailedCause::ResetWorkflow
        } else {
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure
        });
        event.attributes = Some(Attributes::WorkflowTaskFailedEventAttributes(attributes.into()));
    }
}

/// Another Workflow Task Timeout: none, or one that lasts for ever.
fn be_in_a_hurry(events: &mut [HistoryEvent], script: &mut Script<'_>) {
    for event in events {
        if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &mut event.attributes {
            let (seconds, nanos) = (script.event_id(), script.number().cast_signed());
            started.workflow_task_timeout = (!script.rarely(4)).then_some(Duration { seconds, nanos });
        }
    }
}

/// Counts the Events from 1; what they name moves with them.
fn number(events: &mut [HistoryEvent], with_references: bool) {
    let mut moved = BTreeMap::new();
    for (event, id) in events.iter_mut().zip(1..) {
        moved.entry(event.event_id).or_insert(id);
        event.event_id = id;
    }
    if with_references {
        for reference in events.iter_mut().filter_map(|event| event.attributes.as_mut()).flat_map(references) {
            *reference = moved.get(reference).copied().unwrap_or(*reference);
        }
    }
}

/// However often Events are repeated, there are not more than a Run goes through in a moment.
const MOST_EVENTS: usize = 512;
