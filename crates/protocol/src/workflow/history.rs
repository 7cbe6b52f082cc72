//! Cuts a history into Workflow Tasks.
//!
//! What a worker once did live, task by task, it must do again on replay, at the same places. A live task is: hear what
//! happened since the task before, up to this task's `WorkflowTaskStarted`; answer with Commands. So the places to cut
//! are the `WorkflowTaskStarted` Events that were **completed**, and the last one where it is still open. A started Event
//! that is followed by a failure or a time-out was never answered: what it delivered is delivered again with the next.
//!
//! ```text
//!   1 WorkflowExecutionStarted ┐
//!   2 WorkflowTaskScheduled    │ first task
//!   3 WorkflowTaskStarted      ┘
//!   4 WorkflowTaskCompleted    ┐
//!   5 TimerStarted             │ the record of its Commands   ┐
//!   6 TimerFired               │                              │ second task; open, since nothing follows
//!   7 WorkflowTaskScheduled    │                              │
//!   8 WorkflowTaskStarted      ┘                              ┘
//! ```
//!
//! Every completed task is cut for itself, also one whose completion held no Commands (a heartbeat): merging such tasks is
//! where other implementations went wrong, and there is no need for it, since a task without news wakes nobody.
//!
//! Histories come in pages of any size, empty ones among them. Whether a task was completed stands in the Event behind its
//! start, and the record of its Commands behind that, so a task is cut only when all of this is there, or the end is.

use std::collections::VecDeque;

use timewright_proto::Bytes;
use timewright_proto::history::HistoryEvent;

use super::event::{Event, EventError, EventKind};

/// A page of history, as a poll or `GetWorkflowExecutionHistory` answers it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPage {
    /// The Events, in order.
    pub events: Vec<HistoryEvent>,
    /// What to ask with for the next page; empty where this is the last.
    pub next_page_token: Bytes,
}

/// What [`History::cut`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Cut {
    /// The Events of the next Workflow Task.
    Task(TaskEvents),
    /// The completion of the last Workflow Task and the record of its Commands. No task has delivered what comes after.
    Record(Vec<Event>),
    /// More Events are needed before a cut: fetch the page of this token.
    NeedPage(Bytes),
    /// There is nothing to cut until more arrives.
    End,
}

/// The Events of one Workflow Task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEvents {
    /// The first is the completion of the task before (or `WorkflowExecutionStarted`, or what comes behind a
    /// [`Cut::Record`]), the last is `WorkflowTaskStarted`.
    pub events: Vec<Event>,
    /// Whether this task was completed already, so that what user code does now has been done before.
    pub replaying: bool,
}

/// Why a page cannot be taken. The server's fault, or that of whoever wrote the history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Event ids must count up by one.
    #[error("the history goes from event {after} to event {found}: a page is missing, or came in the wrong order")]
    Gap {
        /// The last Event that came.
        after: i64,
        /// The Event that came next.
        found: i64,
    },
    /// A page without Events and without a token, where Events are needed.
    #[error("the history ends at event {last}, but the Workflow Task was started by event {started}")]
    EndsTooEarly {
        /// The last Event there is.
        last: i64,
        /// The `WorkflowTaskStarted` Event that the Workflow Task names.
        started: i64,
    },
    /// A page without Events and without a token, where anything would do.
    #[error("this workflow has no history")]
    Empty,
    /// A Query of a workflow of which no worker has executed a Workflow Task.
    #[error(
        "the history ends at event {last}, before the first Workflow Task: there is no state yet that could be asked for"
    )]
    NotBegun {
        /// The last Event there is.
        last: i64,
    },
    /// The first Event is not the start.
    #[error(
        "the history begins with {found} instead of WorkflowExecutionStarted: it is damaged, or not from a Temporal Server"
    )]
    NoStart {
        /// The first Event.
        found: String,
    },
    /// A run starts once.
    #[error("event {event_id} starts the workflow once more: the history is damaged, or not from a Temporal Server")]
    StartedAgain {
        /// The Event.
        event_id: i64,
    },
    /// An Event that cannot be understood.
    #[error(transparent)]
    Event(#[from] EventError),
}

/// The history of one Run, as far as it has arrived: Events in, Workflow Tasks out.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What has arrived and has not been cut.
    events: VecDeque<Event>,
    /// Empty where the last page is there.
    next_page_token: Bytes,
    /// Id of the last Event that arrived.
    last_id: i64,
    /// Id of the last Event that was cut.
    last_cut_id: i64,
}

impl History {
    /// Takes the next page. Events that came before are skipped; a gap is an error, and then nothing is taken.
    pub fn handle_page(&mut self, page: HistoryPage) -> Result<(), HistoryError> {
        let mut last_id = self.last_id;
        let mut taken = Vec::with_capacity(page.events.len());
        for event in page.events.into_iter().skip_while(|event| event.event_id <= self.last_id) {
            if event.event_id != last_id + 1 {
                return Err(HistoryError::Gap { after: last_id, found: event.event_id });
            }
            last_id = event.event_id;
            let event = Event::try_from(event)?;
            if event.id > 1 && matches!(event.kind, EventKind::WorkflowExecutionStarted(_)) {
                return Err(HistoryError::StartedAgain { event_id: event.id });
            }
            taken.push(event);
        }
        if let Some(Event { id: 1, kind, .. }) = taken.first()
            && !matches!(kind, EventKind::WorkflowExecutionStarted(_))
        {
            return Err(HistoryError::NoStart { found: kind.describe() });
        }
        self.events.extend(taken);
        self.last_id = last_id;
        self.next_page_token = page.next_page_token;
        Ok(())
    }

    /// Id of the last Event that arrived; 0 before any.
    pub fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Forgets what has arrived and was not cut: it comes again with the task that delivers it.
    ///
    /// It may not even be real yet. While a failed Workflow Task is tried again, the server shows the Events of that try behind
    /// the history, with the ids that they would get; if something else happens first, that gets those ids.
    pub fn forget_uncut(&mut self) {
        // With its room: what waits in a cache for days is to be small.
        self.events = VecDeque::new();
        self.last_id = self.last_cut_id;
    }

    /// What was cut last left nothing in the history, which goes on behind this Event.
    pub fn roll_back(&mut self, event_id: i64) {
        self.last_cut_id = event_id;
        self.forget_uncut();
    }

    /// The completion of the task that was cut last, and the record of its Commands, if it was completed.
    pub(crate) fn record(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().take(self.record_length())
    }

    /// Cuts the next Workflow Task off.
    pub fn cut(&mut self) -> Cut {
        match self.find_end() {
            Some((end, replaying)) => Cut::Task(TaskEvents { events: self.take_first(end + 1), replaying }),
            None if !self.next_page_token.is_empty() => Cut::NeedPage(self.next_page_token.clone()),
            None => match self.record_length() {
                0 => Cut::End,
                length => Cut::Record(self.take_first(length)),
            },
        }
    }

    fn take_first(&mut self, count: usize) -> Vec<Event> {
        let events: Vec<Event> = self.events.drain(..count).collect();
        self.last_cut_id = events.last().map_or(self.last_cut_id, |event| event.id);
        events
    }

    /// How many Events stand between here and the end of the record of the last completion: that completion, its Commands,
    /// and Events that say nothing. What comes after waits for the Workflow Task that will deliver it.
    fn record_length(&self) -> usize {
        let silent = self.events.iter().take_while(|event| matches!(event.kind, EventKind::Ignored(_))).count();
        match self.events.get(silent).map(|event| &event.kind) {
            Some(EventKind::WorkflowTaskCompleted(_)) => {
                let record = self.events.iter().skip(silent + 1).take_while(|event| event.kind.continues_record());
                silent + 1 + record.count()
            }
            _ => 0,
        }
    }

    /// Index of the `WorkflowTaskStarted` that ends the next task, and whether that task was completed.
    fn find_end(&self) -> Option<(usize, bool)> {
        let at_end = self.next_page_token.is_empty();
        for (index, event) in self.events.iter().enumerate() {
            if !matches!(event.kind, EventKind::WorkflowTaskStarted(_)) {
                continue;
            }
            let mut behind =
                self.events.iter().skip(index + 1).skip_while(|event| matches!(event.kind, EventKind::Ignored(_)));
            match behind.next().map(|event| &event.kind) {
                Some(EventKind::WorkflowTaskCompleted(_)) => {
                    let record_ends_here = behind.any(|event| !event.kind.continues_record());
                    return (at_end || record_ends_here).then_some((index, true));
                }
                // It failed or timed out: what it delivered belongs to the next. Or the workflow was closed from outside
                // while the task was open: nobody will hear of it.
                Some(_) => (),
                None => return at_end.then_some((index, false)),
            }
        }
        None
    }
}
