//! The server's side: tasks and pages of a history that it goes through.

use timewright_proto::Bytes;
use timewright_proto::enums::EventType;
use timewright_proto::history::HistoryEvent;
use timewright_protocol::workflow::{HistoryPage, Query, TaskKind, WorkflowTask};

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
    previous_started_event_id: i64,
}

impl<'e> Server<'e> {
    pub(crate) fn new(events: &'e [HistoryEvent], run_id: String) -> Self {
        let task_ends = (1..=events.len()).filter(|end| ends_task(&events[..*end], &events[*end..])).collect();
        Self { events, run_id, task_ends, next_task: 0, happened: 0, previous_started_event_id: 0 }
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Whether the history has gone on to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.next_task >= self.task_ends.len()
    }

    /// The next Workflow Task, or, as the script wants it, another one. `sticky`: the worker has the Run in its cache.
    pub(crate) fn poll(&mut self, token: &str, sticky: bool, script: &mut Script<'_>) -> WorkflowTask {
        let known = if sticky { self.happened } else { 0 };
        let choice = script.below(8);
        let kind = match choice {
            5 => TaskKind::Query(query(script)),
            6 => {
                self.happened = self.events.len();
                TaskKind::Replay
            }
            _ => {
                let queries =
                    if choice == 7 { (0..script.below(3)).map(|_| query(script)).collect() } else { Vec::new() };
                self.go_on(script);
                TaskKind::Progress { started_event_id: self.last_event_id(), queries }
            }
        };
        let previous_started_event_id = match kind {
            TaskKind::Progress { started_event_id, .. } => {
                std::mem::replace(&mut self.previous_started_event_id, started_event_id)
            }
            _ => self.previous_started_event_id,
        };
        WorkflowTask {
            task_token: token.to_owned().into(),
            workflow_id: "workflow".into(),
            run_id: self.run_id.clone(),
            workflow_type: "type".into(),
            attempt: if script.rarely(16) { script.number() } else { 1 },
            previous_started_event_id: if script.rarely(32) { script.event_id() } else { previous_started_event_id },
            history: self.first_page(known, script),
            kind,
        }
    }

    /// The page of this token.
    pub(crate) fn page(&self, token: &Bytes, script: &mut Script<'_>) -> HistoryPage {
        let from = std::str::from_utf8(token).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        self.page_from(if script.rarely(32) { script.below(self.happened + 1) } else { from }, script)
    }

    fn go_on(&mut self, script: &mut Script<'_>) {
        // Tasks may be lost on their way to the worker.
        let next = self.next_task + if script.rarely(16) { script.below(4) } else { 0 };
        self.happened = self.task_ends.get(next).copied().unwrap_or(self.events.len());
        self.next_task = next.saturating_add(1);
        if script.rarely(32) {
            self.happened = script.below(self.events.len() + 1);
        }
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
        let from = from.min(self.happened);
        // Without a choice the page is the last one, so that whoever fetches comes to an end.
        let length = match script.below(4) {
            3 => script.below(9),
            _ => self.happened,
        };
        let end = from.saturating_add(length).min(self.happened);
        let is_last = end == self.happened && !script.rarely(16);
        HistoryPage {
            events: self.events[from..end].to_vec(),
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

fn query(script: &mut Script<'_>) -> Query {
    Query { id: script.text(), name: script.text(), ..Query::default() }
}
