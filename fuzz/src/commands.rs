//! Commands: any, and those that a history records.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_proto::common::Payload;
use timewright_proto::enums::EventType;
use timewright_proto::failure::Failure;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_protocol::workflow::{
    ActivityCancellationType, Command, ContinueAsNew, QueryAnswer, ScheduleActivity, StartTimer,
};

use crate::script::Script;

/// The numbers that user code has given to its operations so far, by kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(BTreeMap<&'static str, u32>);

impl Numbers {
    pub(crate) fn note(&mut self, kind: &'static str, number: u32) {
        let last = self.0.entry(kind).or_default();
        *last = number.max(*last);
    }

    fn after_last(&self, kind: &'static str) -> u32 {
        self.0.get(kind).copied().unwrap_or(0).saturating_add(1)
    }
}

/// Any Command at all, sensible or not.
pub(crate) fn any(script: &mut Script<'_>, numbers: &Numbers) -> Command {
    let make = COMMANDS[script.below(COMMANDS.len())];
    make(&mut Choices { script, numbers })
}

/// One line for each kind of Command.
const COMMANDS: &[fn(&mut Choices<'_, '_>) -> Command] = &[
    |c| Command::StartTimer(StartTimer { sequence: c.next("timer"), duration: c.duration(), summary: c.payload() }),
    |c| Command::CancelTimer { sequence: c.number() },
    |c| Command::ScheduleActivity(Box::new(c.activity())),
    |c| Command::RequestCancelActivity { sequence: c.number() },
    |c| Command::AnswerQuery { id: c.text(), answer: QueryAnswer::Succeeded(c.payload()) },
    |c| Command::CompleteWorkflow { result: c.payload() },
    |_| Command::FailWorkflow { failure: Box::new(Failure::default()) },
    |c| Command::CancelWorkflow { details: c.payload().into_iter().collect() },
    |c| Command::ContinueAsNew(Box::new(ContinueAsNew { workflow_type: c.text(), ..ContinueAsNew::default() })),
];

/// What a line of [`COMMANDS`] may choose from.
struct Choices<'s, 'a> {
    script: &'s mut Script<'a>,
    numbers: &'s Numbers,
}

impl Choices<'_, '_> {
    /// The number of a new operation: mostly the next of its kind.
    fn next(&mut self, kind: &'static str) -> u32 {
        if self.script.rarely(16) { self.script.number() } else { self.numbers.after_last(kind) }
    }

    /// The number of an operation that may be there.
    fn number(&mut self) -> u32 {
        self.script.number()
    }

    fn text(&mut self) -> String {
        self.script.text()
    }

    fn payload(&mut self) -> Option<Payload> {
        self.script.rarely(2).then(Payload::default)
    }

    fn duration(&mut self) -> Duration {
        if self.script.rarely(8) { Duration::MAX } else { Duration::from_secs(self.script.number().into()) }
    }

    fn activity(&mut self) -> ScheduleActivity {
        ScheduleActivity {
            sequence: self.next("activity"),
            activity_id: self.script.rarely(4).then(|| self.script.text()),
            activity_type: self.text(),
            start_to_close_timeout: Some(self.duration()),
            cancellation_type: cancellation_type(self.script),
            ..ScheduleActivity::default()
        }
    }
}

/// The Commands that a history records, by the `WorkflowTaskStarted` Event of the Workflow Task that they answered: what user
/// code issues that agrees with this history.
pub(crate) fn recorded(events: &[HistoryEvent], script: &mut Script<'_>) -> BTreeMap<u64, Vec<Command>> {
    let mut commands: BTreeMap<u64, Vec<Command>> = BTreeMap::new();
    let mut record = Record {
        operations: BTreeMap::new(),
        numbers: Numbers::default(),
        cancellation_type: cancellation_type(script),
    };
    let mut started = 0;
    for event in events {
        if event.event_type() == EventType::WorkflowTaskStarted {
            started = u64::try_from(event.event_id).unwrap_or(0);
        } else if let Some(command) = record.command(event) {
            commands.entry(started).or_default().push(command);
        }
    }
    commands
}

/// What the Events so far say about operations.
struct Record {
    /// The number of an operation, by the Event that started it.
    operations: BTreeMap<i64, u32>,
    numbers: Numbers,
    cancellation_type: ActivityCancellationType,
}

impl Record {
    /// The Command of which this Event is the record.
    fn command(&mut self, event: &HistoryEvent) -> Option<Command> {
        match event.attributes.as_ref()? {
            Attributes::TimerStartedEventAttributes(started) => {
                let sequence = self.begin("timer", event.event_id, &started.timer_id);
                Some(Command::StartTimer(StartTimer { sequence, ..StartTimer::default() }))
            }
            Attributes::TimerCanceledEventAttributes(canceled) => {
                Some(Command::CancelTimer { sequence: self.operation(canceled.started_event_id) })
            }
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                let sequence = self.begin("activity", event.event_id, &scheduled.activity_id);
                Some(Command::ScheduleActivity(Box::new(ScheduleActivity {
                    sequence,
                    activity_id: Some(scheduled.activity_id.clone()).filter(|id| *id != sequence.to_string()),
                    activity_type: scheduled.activity_type.clone().unwrap_or_default().name,
                    cancellation_type: self.cancellation_type,
                    ..ScheduleActivity::default()
                })))
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
                Some(Command::RequestCancelActivity { sequence: self.operation(request.scheduled_event_id) })
            }
            Attributes::WorkflowExecutionCompletedEventAttributes(_) => {
                Some(Command::CompleteWorkflow { result: None })
            }
            Attributes::WorkflowExecutionFailedEventAttributes(_) => {
                Some(Command::FailWorkflow { failure: Box::default() })
            }
            Attributes::WorkflowExecutionCanceledEventAttributes(_) => {
                Some(Command::CancelWorkflow { details: Vec::new() })
            }
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => {
                Some(Command::ContinueAsNew(Box::default()))
            }
            _ => None,
        }
    }

    /// A new operation: its default id is its number.
    fn begin(&mut self, kind: &'static str, event_id: i64, id: &str) -> u32 {
        let next = self.numbers.after_last(kind);
        // Numbers of operations that were withdrawn before they were recorded are not in the history.
        let number = id.parse().unwrap_or(next).max(next);
        self.numbers.note(kind, number);
        self.operations.insert(event_id, number);
        number
    }

    fn operation(&self, event_id: i64) -> u32 {
        self.operations.get(&event_id).copied().unwrap_or(0)
    }
}

fn cancellation_type(script: &mut Script<'_>) -> ActivityCancellationType {
    match script.below(3) {
        // User code that is woken once more than it was does no harm; one that is not woken would.
        0 => ActivityCancellationType::WaitCancellationCompleted,
        1 => ActivityCancellationType::TryCancel,
        _ => ActivityCancellationType::Abandon,
    }
}
