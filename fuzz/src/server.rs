//! The server's side: tasks and pages of a history that it goes through.

use std::time::Instant;

use timewright_proto::Bytes;
use timewright_proto::enums::EventType;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    HistoryEvent, WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes,
};
use timewright_proto::temporal::api::update::v1::{Input, Meta, Request};
use timewright_protocol::workflow::{HistoryPage, Query, TaskKind, UpdateRequest, WorkflowTask};

use crate::recorded::is_record;
use crate::script::Script;

/// One Run of a workflow, as the server sees it: a history, of which more and more has happened.
#[derive(Debug)]
pub(crate) struct Server<'e> {
    events: &'e [HistoryEvent],
    run_id: String,
    /// Where the Workflow Tasks end that a worker gets to see: behind their `WorkflowTaskStarted`.
    task_ends: Vec<usize>,
    next_task: usize,
    /// How many Events have happened.
    happened: usize,
    /// How many of them the last task that is in the history has delivered.
    delivered: usize,
    /// What a speculative task shows behind them.
    speculative: Vec<HistoryEvent>,
    previous_started_event_id: i64,
}

/// A task, and how it was made.
pub(crate) struct Poll {
    pub(crate) task: WorkflowTask,
    /// Where the history goes on if the answer leaves nothing in it.
    pub(crate) resets_to: Option<i64>,
}

impl<'e> Server<'e> {
    pub(crate) fn new(events: &'e [HistoryEvent], run_id: String) -> Self {
        let task_ends = (1..=events.len()).filter(|end| ends_task(&events[..*end], &events[*end..])).collect();
        Self {
            events,
            run_id,
            task_ends,
            next_task: 0,
            happened: 0,
            delivered: 0,
            speculative: Vec::new(),
            previous_started_event_id: 0,
        }
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Whether the history has gone on to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.next_task >= self.task_ends.len()
    }

    /// The next Workflow Task, or, as the script wants it, another one. `sticky`: the worker has the Run in its cache.
    pub(crate) fn poll(&mut self, token: &str, sticky: bool, now: Instant, script: &mut Script<'_>) -> Poll {
        let known = if sticky { self.delivered } else { 0 };
        self.speculative.clear();
        let mut resets_to = None;
        let choice = script.below(8);
        let kind = match choice {
            4 if self.next_task > 0 => {
                resets_to = Some(self.previous_started_event_id);
                self.speculate(script)
            }
            5 => TaskKind::Query(query(script)),
            6 => {
                self.happened = self.events.len();
                TaskKind::Replay
            }
            _ => {
                let queries =
                    if choice == 7 { (0..script.below(3)).map(|_| query(script)).collect() } else { Vec::new() };
                self.go_on(script);
                self.delivered = self.happened;
                TaskKind::Progress { started_event_id: self.last_event_id(), updates: self.updates(script), queries }
            }
        };
        let previous_started_event_id = match kind {
            TaskKind::Progress { started_event_id, .. } if resets_to.is_none() => {
                std::mem::replace(&mut self.previous_started_event_id, started_event_id)
            }
            _ => self.previous_started_event_id,
        };
        let task = WorkflowTask {
            task_token: token.to_owned().into(),
            workflow_id: "workflow".into(),
            run_id: self.run_id.clone(),
            workflow_type: "type".into(),
            attempt: if script.rarely(16) { script.number() } else { 1 },
            previous_started_event_id: if script.rarely(32) { script.event_id() } else { previous_started_event_id },
            history: self.first_page(known, script),
            received_at: now,
            kind,
        };
        Poll { task, resets_to }
    }

    /// The page of this token.
    pub(crate) fn page(&self, token: &Bytes, script: &mut Script<'_>) -> HistoryPage {
        let from = std::str::from_utf8(token).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        self.page_from(if script.rarely(32) { script.below(self.happened + 1) } else { from }, script)
    }

    fn go_on(&mut self, script: &mut Script<'_>) {
        // Tasks may be lost on their way to the worker, and one that failed comes once more.
        let next = match script.below(16) {
            14 => self.next_task.saturating_sub(1),
            15 => self.next_task + script.below(4),
            _ => self.next_task,
        };
        self.happened = self.task_ends.get(next).copied().unwrap_or(self.events.len());
        self.next_task = next.saturating_add(1);
        if script.rarely(32) {
            self.happened = script.below(self.events.len() + 1);
        }
    }

    /// A task for nothing but an Update: if that is rejected, nothing of the task stays.
    fn speculate(&mut self, script: &mut Script<'_>) -> TaskKind {
        self.happened = self.delivered + self.record_behind(self.delivered).len();
        let last = self.last_event_id();
        let time = self.events[..self.happened].last().and_then(|event| event.event_time);
        let event = |event_id, event_type: EventType, attributes| HistoryEvent {
            event_id,
            event_time: time,
            event_type: event_type.into(),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        };
        let scheduled = last.saturating_add(1);
        let started = last.saturating_add(2);
        self.speculative = vec![
            event(
                scheduled,
                EventType::WorkflowTaskScheduled,
                Attributes::WorkflowTaskScheduledEventAttributes(
                    WorkflowTaskScheduledEventAttributes::default().into(),
                ),
            ),
            event(
                started,
                EventType::WorkflowTaskStarted,
                Attributes::WorkflowTaskStartedEventAttributes(
                    WorkflowTaskStartedEventAttributes {
                        scheduled_event_id: scheduled,
                        ..WorkflowTaskStartedEventAttributes::default()
                    }
                    .into(),
                ),
            ),
        ];
        let updates = vec![update(script.text(), scheduled)];
        TaskKind::Progress { started_event_id: started, updates, queries: Vec::new() }
    }

    /// The Updates that a worker accepted when it was given this task; or others.
    fn updates(&self, script: &mut Script<'_>) -> Vec<UpdateRequest> {
        let mut updates: Vec<UpdateRequest> =
            self.record_behind(self.happened).iter().filter_map(accepted).map(to_update).collect();
        match script.below(16) {
            12 => updates.clear(),
            13 => updates.extend(updates.clone()),
            14 => {
                let before: Vec<_> = self.events[..self.happened].iter().filter_map(accepted).collect();
                updates.extend(before.get(script.below(before.len())).copied().map(to_update));
            }
            15 => {
                let more = (0..script.below(4)).map(|_| update(script.text(), script.event_id()));
                updates.extend(more.collect::<Vec<_>>());
            }
            _ => (),
        }
        updates
    }

    /// The completion of a task that ends here, and the record of its Commands.
    fn record_behind(&self, task_end: usize) -> &'e [HistoryEvent] {
        let rest = &self.events[task_end.min(self.events.len())..];
        let length = match rest.split_first() {
            Some((first, rest)) if first.event_type() == EventType::WorkflowTaskCompleted => {
                1 + rest.iter().take_while(|event| is_record(event.event_type())).count()
            }
            _ => 0,
        };
        &rest[..length]
    }

    fn last_event_id(&self) -> i64 {
        self.events[..self.happened].last().map_or(0, |event| event.event_id)
    }

    fn first_page(&self, known: usize, script: &mut Script<'_>) -> HistoryPage {
        match script.below(16) {
            14 => HistoryPage::default(),
            15 => self.page_from(script.below(self.happened + 1), script),
            _ => self.page_from(known, script),
        }
    }

    fn page_from(&self, from: usize, script: &mut Script<'_>) -> HistoryPage {
        let visible = self.happened + self.speculative.len();
        let from = from.min(visible);
        // Without a choice the page is the last one, so that whoever fetches comes to an end.
        let length = match script.below(4) {
            3 => script.below(9),
            _ => visible,
        };
        let end = from.saturating_add(length).min(visible);
        let is_last = end == visible && !script.rarely(16);
        let events = self.events[..self.happened].iter().chain(&self.speculative);
        HistoryPage {
            events: events.skip(from).take(end - from).cloned().collect(),
            next_page_token: if is_last { Bytes::new() } else { end.to_string().into() },
        }
    }
}

/// Whether a worker gets the Events so far as a Workflow Task, which did not fail and did not time out.
fn ends_task(events: &[HistoryEvent], rest: &[HistoryEvent]) -> bool {
    let is_started = events.last().is_some_and(|event| event.event_type() == EventType::WorkflowTaskStarted);
    let failed = [EventType::WorkflowTaskFailed, EventType::WorkflowTaskTimedOut];
    is_started && !rest.first().is_some_and(|event| failed.contains(&event.event_type()))
}

fn accepted(event: &HistoryEvent) -> Option<&WorkflowExecutionUpdateAcceptedEventAttributes> {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) => Some(accepted),
        _ => None,
    }
}

fn to_update(accepted: &WorkflowExecutionUpdateAcceptedEventAttributes) -> UpdateRequest {
    UpdateRequest {
        message_id: accepted.accepted_request_message_id.clone(),
        protocol_instance_id: accepted.protocol_instance_id.clone(),
        sequencing_event_id: accepted.accepted_request_sequencing_event_id,
        request: accepted.accepted_request.clone(),
    }
}

fn update(id: String, sequencing_event_id: i64) -> UpdateRequest {
    UpdateRequest {
        message_id: format!("{id}/request"),
        protocol_instance_id: id.clone(),
        sequencing_event_id,
        request: Some(Request {
            meta: Some(Meta { update_id: id, ..Meta::default() }),
            input: Some(Input::default()),
            ..Request::default()
        }),
    }
}

fn query(script: &mut Script<'_>) -> Query {
    Query { id: script.text(), name: script.text(), ..Query::default() }
}
