//! The Commands that a history records: what user code issues that agrees with this history.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use timewright_proto::enums::EventType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_protocol::workflow::{
    ActivityCancellationType, ChildWorkflowCancellationType, Command, Event, EventKind, ExternalWorkflow, Marker,
    NexusOperationCancellationType, RequestCancelExternalWorkflow, ScheduleActivity, ScheduleLocalActivity,
    ScheduleNexusOperation, SignalExternalWorkflow, StartChildWorkflow, StartTimer,
};

use crate::commands::{activity_cancellation_type, child_cancellation_type, nexus_cancellation_type};
use crate::operations::{Kind, Numbers, begun_by, ends_workflow};
use crate::script::Script;

/// What a history records as the answer to a Workflow Task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    pub(crate) commands: Vec<Command>,
    /// Issued when these Local Activities have been told, whose outcomes are recorded before.
    pub(crate) end: Option<Command>,
    pub(crate) local_activities: BTreeSet<u32>,
}

/// The Commands that a history records, by the `WorkflowTaskStarted` Event of the Workflow Task that they answered.
pub(crate) fn recorded(events: &[HistoryEvent], script: &mut Script<'_>) -> BTreeMap<u64, Task> {
    let mut record = Record::new(events, script);
    let mut commands = Vec::new();
    let mut tasks: BTreeMap<u64, Task> = BTreeMap::new();
    // The task that is answered, and the last one with news: without any, nobody is woken.
    let (mut started, mut woken, mut has_news) = (0, 0, false);
    for (index, event) in events.iter().enumerate() {
        match event.event_type() {
            EventType::WorkflowTaskStarted => {
                started = u64::try_from(event.event_id).unwrap_or(0);
                has_news |= tells_in_advance(&events[index + 1..]);
                woken = if std::mem::take(&mut has_news) { started } else { woken };
            }
            other => has_news |= is_news(other),
        }
        match record.command(event) {
            Some(end) if ends_workflow(&end) => tasks.entry(started).or_default().end = Some(end),
            Some(command @ Command::ScheduleLocalActivity(_)) => {
                let number = begun_by(&command).map(|(_, number)| number);
                tasks.entry(started).or_default().local_activities.extend(number);
                put(&mut commands, woken, command);
            }
            Some(command) => commands.push((started, command)),
            None => (),
        }
    }
    for (started, command) in commands {
        tasks.entry(started).or_default().commands.push(command);
    }
    tasks
}

/// Where a Local Activity was scheduled stands nowhere, but it was before any activity with a greater number.
fn put(commands: &mut Vec<(u64, Command)>, started: u64, local_activity: Command) {
    let number = begun_by(&local_activity).map_or(0, |(_, number)| number);
    let is_later = |(_, other): &(u64, Command)| match begun_by(other) {
        Some((Kind::Activity | Kind::LocalActivity, other)) => other > number,
        _ => false,
    };
    match commands.iter().position(is_later) {
        Some(index) => commands.insert(index, (commands[index].0.min(started), local_activity)),
        None => commands.push((started, local_activity)),
    }
}

/// What the Events so far say about operations.
struct Record {
    /// The number of an operation, by the Event that started it.
    operations: BTreeMap<i64, u32>,
    /// Child Workflows by their Workflow Id.
    children: BTreeMap<String, u32>,
    /// Updates by the Event that says that they were accepted.
    updates: BTreeMap<i64, String>,
    numbers: Numbers,
    /// Numbers that activities cannot have.
    local_activities: BTreeSet<u32>,
    /// The last Event was the marker of a patch or a version.
    behind_note: bool,
    activity_cancellation: ActivityCancellationType,
    child_cancellation: ChildWorkflowCancellationType,
    nexus_cancellation: NexusOperationCancellationType,
}

impl Record {
    fn new(events: &[HistoryEvent], script: &mut Script<'_>) -> Self {
        let mut child_cancellation = child_cancellation_type(script);
        if is_woken_by(events, EventType::ExternalWorkflowExecutionCancelRequested)
            && child_cancellation == ChildWorkflowCancellationType::WaitCancellationCompleted
        {
            child_cancellation = ChildWorkflowCancellationType::WaitCancellationRequested;
        }
        let mut nexus_cancellation = nexus_cancellation_type(script);
        if is_woken_by(events, EventType::NexusOperationCancelRequestCompleted)
            && nexus_cancellation == NexusOperationCancellationType::WaitCancellationCompleted
        {
            nexus_cancellation = NexusOperationCancellationType::WaitCancellationRequested;
        }
        Self {
            operations: BTreeMap::new(),
            children: BTreeMap::new(),
            updates: BTreeMap::new(),
            numbers: Numbers::default(),
            local_activities: events.iter().filter_map(marker).filter_map(|marker| local_activity(&marker)).collect(),
            behind_note: false,
            activity_cancellation: activity_cancellation_type(script),
            child_cancellation,
            nexus_cancellation,
        }
    }

    /// The Command of which this Event is the record.
    fn command(&mut self, event: &HistoryEvent) -> Option<Command> {
        let behind_note = std::mem::take(&mut self.behind_note);
        match event.attributes.as_ref()? {
            Attributes::TimerStartedEventAttributes(started) => {
                let sequence = self.begin(Kind::Timer, event.event_id, &started.timer_id);
                Some(Command::StartTimer(StartTimer { sequence, ..StartTimer::default() }))
            }
            Attributes::TimerCanceledEventAttributes(canceled) => {
                Some(Command::CancelTimer { sequence: self.operation(canceled.started_event_id) })
            }
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                let sequence = self.begin(Kind::Activity, event.event_id, &scheduled.activity_id);
                Some(Command::ScheduleActivity(Box::new(ScheduleActivity {
                    sequence,
                    activity_id: Some(scheduled.activity_id.clone()).filter(|id| *id != sequence.to_string()),
                    activity_type: scheduled.activity_type.clone().unwrap_or_default().name,
                    cancellation_type: self.activity_cancellation,
                    ..ScheduleActivity::default()
                })))
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
                Some(Command::RequestCancelActivity { sequence: self.operation(request.scheduled_event_id) })
            }
            Attributes::MarkerRecordedEventAttributes(_) => self.noted(marker(event)?),
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
                let attributes = upsert.search_attributes.clone().unwrap_or_default();
                // The one that goes with a patch or a version needs no Command of its own.
                let goes_with_it = behind_note && attributes.indexed_fields.keys().eq(["TemporalChangeVersion"]);
                (!goes_with_it).then_some(Command::UpsertSearchAttributes(attributes))
            }
            Attributes::WorkflowPropertiesModifiedEventAttributes(modified) => {
                Some(Command::UpsertMemo(modified.upserted_memo.clone().unwrap_or_default()))
            }
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => {
                let protocol_instance_id = accepted.protocol_instance_id.clone();
                self.updates.insert(event.event_id, protocol_instance_id.clone());
                Some(Command::AcceptUpdate { protocol_instance_id })
            }
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed) => {
                let protocol_instance_id = self.updates.get(&completed.accepted_event_id).cloned().unwrap_or_default();
                Some(Command::CompleteUpdate { protocol_instance_id, outcome: Ok(None) })
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
            other => self.command_to_another(event.event_id, other),
        }
    }

    /// Child Workflows, other workflows, Nexus operations.
    fn command_to_another(&mut self, event_id: i64, attributes: &Attributes) -> Option<Command> {
        match attributes {
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated) => {
                let sequence = self.begin(Kind::ChildWorkflow, event_id, "");
                self.children.insert(initiated.workflow_id.clone(), sequence);
                Some(Command::StartChildWorkflow(Box::new(StartChildWorkflow {
                    sequence,
                    workflow_id: initiated.workflow_id.clone(),
                    workflow_type: initiated.workflow_type.clone().unwrap_or_default().name,
                    cancellation_type: self.child_cancellation,
                    ..StartChildWorkflow::default()
                })))
            }
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(initiated) => {
                let workflow_id = initiated.workflow_execution.clone().unwrap_or_default().workflow_id;
                Some(Command::SignalExternalWorkflow(Box::new(SignalExternalWorkflow {
                    sequence: self.begin(Kind::Signal, event_id, ""),
                    workflow: ExternalWorkflow { workflow_id, ..ExternalWorkflow::default() },
                    signal_name: initiated.signal_name.clone(),
                    ..SignalExternalWorkflow::default()
                })))
            }
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(initiated) => {
                let workflow_id = initiated.workflow_execution.clone().unwrap_or_default().workflow_id;
                let reason = initiated.reason.clone();
                match self.children.get(&workflow_id).filter(|_| initiated.child_workflow_only) {
                    Some(sequence) => Some(Command::CancelChildWorkflow { sequence: *sequence, reason }),
                    None => Some(Command::RequestCancelExternalWorkflow(Box::new(RequestCancelExternalWorkflow {
                        sequence: self.begin(Kind::Cancellation, event_id, ""),
                        workflow: ExternalWorkflow { workflow_id, ..ExternalWorkflow::default() },
                        reason,
                    }))),
                }
            }
            Attributes::NexusOperationScheduledEventAttributes(scheduled) => {
                Some(Command::ScheduleNexusOperation(Box::new(ScheduleNexusOperation {
                    sequence: self.begin(Kind::NexusOperation, event_id, ""),
                    endpoint: scheduled.endpoint.clone(),
                    service: scheduled.service.clone(),
                    operation: scheduled.operation.clone(),
                    cancellation_type: self.nexus_cancellation,
                    ..ScheduleNexusOperation::default()
                })))
            }
            Attributes::NexusOperationCancelRequestedEventAttributes(request) => {
                Some(Command::RequestCancelNexusOperation { sequence: self.operation(request.scheduled_event_id) })
            }
            _ => None,
        }
    }

    /// The Command behind a marker.
    fn noted(&mut self, marker: Marker) -> Option<Command> {
        self.behind_note = matches!(marker, Marker::Patch { .. } | Marker::Version { .. });
        match marker {
            Marker::LocalActivity(marker) => {
                self.numbers.note(Kind::LocalActivity, marker.sequence);
                Some(Command::ScheduleLocalActivity(Box::new(ScheduleLocalActivity {
                    sequence: marker.sequence,
                    activity_id: Some(marker.activity_id),
                    activity_type: marker.activity_type,
                    start_to_close_timeout: Some(Duration::from_secs(1)),
                    original_schedule_time: marker.original_schedule_time,
                    cancellation_type: self.activity_cancellation,
                    ..ScheduleLocalActivity::default()
                })))
            }
            Marker::Patch { patch_id, deprecated } => Some(Command::SetPatch { patch_id, deprecated }),
            Marker::Version { change_id, version, .. } => Some(Command::SetVersion { change_id, version }),
            Marker::SideEffect { sequence, value } => {
                Some(Command::RecordSideEffect { sequence, value: value.unwrap_or_default() })
            }
            Marker::MutableSideEffect { id, call, value } => {
                Some(Command::RecordMutableSideEffect { id, call, value: value.unwrap_or_default() })
            }
            _ => None,
        }
    }

    /// A new operation: its default id is its number.
    fn begin(&mut self, kind: Kind, event_id: i64, id: &str) -> u32 {
        let next = self.numbers.after_last(kind);
        let is_free = |number: &u32| kind != Kind::Activity || !self.local_activities.contains(number);
        let next = (next..u32::MAX).find(is_free).unwrap_or(next);
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

/// Whether user code is told something because it stands in the record that follows.
fn tells_in_advance(behind: &[HistoryEvent]) -> bool {
    let record = behind.iter().skip(1).take_while(|event| is_record(event.event_type()));
    record.clone().any(|event| event.event_type() == EventType::WorkflowExecutionUpdateAccepted)
        || record.filter_map(marker).any(|marker| !matches!(marker, Marker::LocalActivity(_)))
}

/// Whether user code did something when such an Event, and nothing else, was news.
fn is_woken_by(events: &[HistoryEvent], event_type: EventType) -> bool {
    let (mut woken_by, mut news) = (Vec::new(), Vec::new());
    events.iter().any(|event| {
        match event.event_type() {
            EventType::WorkflowTaskStarted => woken_by = std::mem::take(&mut news),
            other if is_news(other) => news.push(other),
            _ => (),
        }
        is_record(event.event_type()) && !woken_by.is_empty() && woken_by.iter().all(|it| *it == event_type)
    })
}

fn is_news(event_type: EventType) -> bool {
    use EventType as E;
    let is_task = matches!(
        event_type,
        E::WorkflowTaskScheduled
            | E::WorkflowTaskStarted
            | E::WorkflowTaskCompleted
            | E::WorkflowTaskFailed
            | E::WorkflowTaskTimedOut
    );
    !is_task && !is_record(event_type)
}

/// Whether such Events are what the server makes of Commands.
pub(crate) fn is_record(event_type: EventType) -> bool {
    use EventType as E;
    matches!(
        event_type,
        E::ActivityTaskScheduled
            | E::ActivityTaskCancelRequested
            | E::TimerStarted
            | E::TimerCanceled
            | E::StartChildWorkflowExecutionInitiated
            | E::SignalExternalWorkflowExecutionInitiated
            | E::RequestCancelExternalWorkflowExecutionInitiated
            | E::MarkerRecorded
            | E::UpsertWorkflowSearchAttributes
            | E::WorkflowPropertiesModified
            | E::WorkflowExecutionUpdateAccepted
            | E::WorkflowExecutionUpdateCompleted
            | E::NexusOperationScheduled
            | E::NexusOperationCancelRequested
            | E::WorkflowExecutionCompleted
            | E::WorkflowExecutionFailed
            | E::WorkflowExecutionCanceled
            | E::WorkflowExecutionContinuedAsNew
    )
}

fn marker(event: &HistoryEvent) -> Option<Marker> {
    if event.event_type() != EventType::MarkerRecorded {
        return None;
    }
    match Event::try_from(event.clone()).ok()?.kind {
        EventKind::MarkerRecorded(marker) => Some(marker),
        _ => None,
    }
}

fn local_activity(marker: &Marker) -> Option<u32> {
    if let Marker::LocalActivity(marker) = marker { Some(marker.sequence) } else { None }
}
