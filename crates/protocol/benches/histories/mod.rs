//! Long histories, and the user code that agrees with them.

use timewright_proto::Bytes;
use timewright_proto::common::{ActivityType, WorkflowType};
use timewright_proto::enums::EventType;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::*;
use timewright_proto::prost_types::Timestamp;
use timewright_protocol::workflow::{
    Command, HistoryPage, Job, Output, Run, ScheduleActivity, StartTimer, TaskKind, WorkflowTask,
};

/// What happens in each round of a history; a round is one Workflow Task, and what comes of it.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One activity after the other.
    Activities,
    /// Two timers, of which one fires and the other is cancelled.
    Timers,
    /// An activity, a timer and three Signals at once.
    Mixed,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Activities, Self::Timers, Self::Mixed];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Timers => "timers",
            Self::Mixed => "activities, timers and signals",
        }
    }

    /// How many Events a round has.
    const fn round(self) -> usize {
        match self {
            Self::Activities => 6,
            Self::Timers => 7,
            Self::Mixed => 11,
        }
    }
}

/// A history of about so many Events, in pages as a server sends them.
#[derive(Debug, Clone)]
pub struct LongHistory {
    kind: Kind,
    rounds: u32,
    /// In reverse order.
    pages: Vec<HistoryPage>,
    pub events: usize,
}

impl LongHistory {
    pub fn new(kind: Kind, events: usize) -> Self {
        let rounds = u32::try_from(events / kind.round()).expect("a history that fits into memory");
        let events = record(kind, rounds);
        let chunks: Vec<_> = events.chunks(EVENTS_IN_A_PAGE).collect();
        let page = |(index, events): (usize, &&[HistoryEvent])| HistoryPage {
            events: events.to_vec(),
            next_page_token: if index + 1 < chunks.len() { Bytes::from_static(b"next") } else { Bytes::new() },
        };
        Self { kind, rounds, pages: chunks.iter().enumerate().rev().map(page).collect(), events: events.len() }
    }

    /// Goes through the history from its beginning to its end; how often user code was woken.
    pub fn replay(mut self) -> usize {
        let mut run = Run::new();
        run.handle_task(WorkflowTask {
            task_token: Bytes::from_static(b"task"),
            workflow_id: "workflow".to_owned(),
            run_id: "run".to_owned(),
            workflow_type: "workflow".to_owned(),
            attempt: 1,
            previous_started_event_id: 0,
            history: self.pages.pop().expect("a history has a first page"),
            received_at: now(),
            kind: TaskKind::Replay,
        });
        let (mut woken, mut round) = (0, 0);
        loop {
            match run.poll_output().expect("a replay goes on to its end") {
                Output::Activate(activation) => {
                    woken += 1;
                    let heard = activation.jobs.len();
                    let news = matches!(
                        activation.jobs[0],
                        Job::Initialize(_) | Job::Signal { .. } | Job::FireTimer { .. } | Job::ResolveActivity { .. }
                    );
                    assert!(news && heard > 0, "user code was woken without news");
                    round += 1;
                    run.handle_commands(self.commands(round));
                }
                Output::FetchHistory { .. } => {
                    run.handle_history(self.pages.pop().expect("the last page has no token"));
                }
                Output::FinishReplay => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(round, self.rounds + 1, "user code heard of every round");
        woken
    }

    /// What user code issues in this round, counted from 1; behind the last round the workflow ends.
    fn commands(&self, round: u32) -> Vec<Command> {
        let timer = |sequence| Command::StartTimer(StartTimer { sequence, ..StartTimer::default() });
        let activity = |sequence| {
            let activity_type = ACTIVITY_TYPE.to_owned();
            Command::ScheduleActivity(Box::new(ScheduleActivity {
                sequence,
                activity_type,
                ..ScheduleActivity::default()
            }))
        };
        let ends = round > self.rounds;
        let mut commands = match self.kind {
            _ if ends => vec![Command::CompleteWorkflow { result: None }],
            Kind::Activities => vec![activity(round)],
            Kind::Timers => vec![timer(2 * round - 1), timer(2 * round)],
            Kind::Mixed => vec![activity(round), timer(round)],
        };
        if matches!(self.kind, Kind::Timers) && round > 1 {
            commands.insert(0, Command::CancelTimer { sequence: 2 * round - 2 });
        }
        commands
    }
}

fn record(kind: Kind, rounds: u32) -> Vec<HistoryEvent> {
    let mut scribe = Scribe::default();
    let started = WorkflowExecutionStartedEventAttributes {
        workflow_type: Some(WorkflowType { name: "workflow".to_owned() }),
        ..Default::default()
    };
    scribe.write(
        EventType::WorkflowExecutionStarted,
        Attributes::WorkflowExecutionStartedEventAttributes(started.into()),
    );
    let mut timer_to_cancel = None;
    for round in 1..=rounds {
        scribe.write_task();
        match kind {
            Kind::Activities => {
                let scheduled = scribe.write_scheduled(round);
                scribe.write_outcome(scheduled);
            }
            Kind::Timers => {
                scribe.write_canceled(timer_to_cancel);
                let fires = scribe.write_started(2 * round - 1);
                timer_to_cancel = Some(scribe.write_started(2 * round));
                scribe.write_fired(fires);
            }
            Kind::Mixed => {
                let scheduled = scribe.write_scheduled(round);
                let fires = scribe.write_started(round);
                (0..3).for_each(|_| scribe.write_signal());
                scribe.write_outcome(scheduled);
                scribe.write_fired(fires);
            }
        }
    }
    scribe.write_task();
    scribe.write_canceled(timer_to_cancel);
    let completed = WorkflowExecutionCompletedEventAttributes::default();
    scribe.write(
        EventType::WorkflowExecutionCompleted,
        Attributes::WorkflowExecutionCompletedEventAttributes(completed.into()),
    );
    scribe.events
}

#[derive(Default)]
struct Scribe {
    events: Vec<HistoryEvent>,
}

impl Scribe {
    fn write(&mut self, event_type: EventType, attributes: Attributes) -> i64 {
        let event_id = i64::try_from(self.events.len()).expect("a history that fits into memory") + 1;
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some(Timestamp { seconds: 1_700_000_000 + event_id, nanos: 0 }),
            event_type: event_type.into(),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        });
        event_id
    }

    fn write_task(&mut self) {
        use Attributes::{
            WorkflowTaskCompletedEventAttributes as Completed, WorkflowTaskScheduledEventAttributes as Scheduled,
            WorkflowTaskStartedEventAttributes as Started,
        };
        self.write(EventType::WorkflowTaskScheduled, Scheduled(Default::default()));
        self.write(EventType::WorkflowTaskStarted, Started(Default::default()));
        self.write(EventType::WorkflowTaskCompleted, Completed(Default::default()));
    }

    fn write_scheduled(&mut self, number: u32) -> i64 {
        let scheduled = ActivityTaskScheduledEventAttributes {
            activity_id: number.to_string(),
            activity_type: Some(ActivityType { name: ACTIVITY_TYPE.to_owned() }),
            ..Default::default()
        };
        self.write(EventType::ActivityTaskScheduled, Attributes::ActivityTaskScheduledEventAttributes(scheduled.into()))
    }

    fn write_outcome(&mut self, scheduled_event_id: i64) {
        let started = ActivityTaskStartedEventAttributes { scheduled_event_id, ..Default::default() };
        self.write(EventType::ActivityTaskStarted, Attributes::ActivityTaskStartedEventAttributes(started.into()));
        let completed = ActivityTaskCompletedEventAttributes { scheduled_event_id, ..Default::default() };
        self.write(
            EventType::ActivityTaskCompleted,
            Attributes::ActivityTaskCompletedEventAttributes(completed.into()),
        );
    }

    fn write_started(&mut self, number: u32) -> i64 {
        let started = TimerStartedEventAttributes { timer_id: number.to_string(), ..Default::default() };
        self.write(EventType::TimerStarted, Attributes::TimerStartedEventAttributes(started.into()))
    }

    fn write_fired(&mut self, started_event_id: i64) {
        let fired = TimerFiredEventAttributes { started_event_id, ..Default::default() };
        self.write(EventType::TimerFired, Attributes::TimerFiredEventAttributes(fired.into()));
    }

    fn write_canceled(&mut self, started_event_id: Option<i64>) {
        let Some(started_event_id) = started_event_id else { return };
        let canceled = TimerCanceledEventAttributes { started_event_id, ..Default::default() };
        self.write(EventType::TimerCanceled, Attributes::TimerCanceledEventAttributes(canceled.into()));
    }

    fn write_signal(&mut self) {
        let signal = WorkflowExecutionSignaledEventAttributes { signal_name: "news".to_owned(), ..Default::default() };
        self.write(
            EventType::WorkflowExecutionSignaled,
            Attributes::WorkflowExecutionSignaledEventAttributes(signal.into()),
        );
    }
}

const ACTIVITY_TYPE: &str = "activity";
const EVENTS_IN_A_PAGE: usize = 1_000;

/// Any moment will do: nothing here waits.
#[allow(clippy::disallowed_methods, reason = "whoever drives the protocol brings the time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
