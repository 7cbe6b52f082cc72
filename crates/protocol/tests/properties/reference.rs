//! What a history says that user code must have heard and asked for, worked out in another way than the Run does it.

use std::collections::{BTreeMap, BTreeSet};

use timewright_proto::common::Payload;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{HistoryEvent, StartChildWorkflowExecutionInitiatedEventAttributes};
use timewright_protocol::workflow::{
    ActivityCancellationType, ChildWorkflowCancellationType, ChildWorkflowStart, Command, Event, EventKind, Job,
    LocalActivityResolution, Marker, NexusOperationCancellationType, NexusOperationStart,
};

use crate::worker::Heard;

/// What a history says that user code must have heard, one entry a completed Workflow Task: its `WorkflowTaskStarted`, and
/// the news up to there.
pub fn news(history: &[HistoryEvent], heard: &[Heard]) -> Vec<(i64, Vec<String>)> {
    let mut others_news = Others::new(history, heard);
    let completed: BTreeSet<i64> = history
        .iter()
        .filter_map(|event| match event.attributes.as_ref()? {
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => Some(completed.started_event_id),
            _ => None,
        })
        .collect();
    let mut tasks = Vec::new();
    let (mut signals, mut others) = (Vec::new(), Vec::new());
    // Where each Update is heard is only known from its acceptance, in the record of the same task.
    let mut updates: Vec<(i64, String)> = Vec::new();
    for event in history {
        if let Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) = &event.attributes {
            let behind = accepted.accepted_request_sequencing_event_id;
            updates.push((behind, format!("update {}", accepted.protocol_instance_id)));
        }
    }
    updates.sort_by_key(|(behind, _)| *behind);
    let mut updates = updates.into_iter().peekable();
    for event in history {
        signals
            .extend(std::iter::from_fn(|| updates.next_if(|(behind, _)| *behind < event.event_id)).map(|(_, it)| it));
        match event.attributes.as_ref().expect("the model writes attributes") {
            Attributes::WorkflowExecutionStartedEventAttributes(_) => signals.push("initialize".to_owned()),
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
                signals.push(format!("signal {}", signal.signal_name));
            }
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(_) => others.push("cancel".to_owned()),
            Attributes::TimerFiredEventAttributes(fired) => others.push(format!("timer {}", fired.timer_id)),
            Attributes::WorkflowTaskStartedEventAttributes(_) if completed.contains(&event.event_id) => {
                signals.append(&mut others);
                tasks.push((event.event_id, std::mem::take(&mut signals)));
            }
            attributes => {
                others.extend(
                    end_of_activity(attributes)
                        .map(|scheduled| format!("activity {}", activity_id(history, scheduled))),
                );
                others.extend(others_news.hear(attributes));
            }
        }
    }
    tasks
}

/// What user code heard, in the words of [`news`]: what came from the history, without tasks that brought nothing.
/// `told` collects activities that were resolved because user code cancelled them, so that their ends are no news.
pub fn heard_news(heard: &[Heard], told: &mut BTreeMap<String, i64>) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    for Heard { activation, .. } in heard.iter().map(Heard::recorded) {
        let started = i64::try_from(activation.history_length).expect("histories are short");
        let jobs: Vec<String> = activation
            .jobs
            .iter()
            .filter(|job| !matches!(job, Job::ResolveLocalActivity { .. }))
            .map(|job| match job {
                Job::Initialize(_) => "initialize".to_owned(),
                Job::Signal { name, .. } => format!("signal {name}"),
                Job::Update(update) => format!("update {}", update.protocol_instance_id),
                Job::RequestCancellation { .. } => "cancel".to_owned(),
                Job::FireTimer { sequence } => format!("timer {sequence}"),
                Job::ResolveActivity { sequence, .. } => format!("activity {sequence}"),
                Job::ResolveChildWorkflowStart { sequence, .. } => format!("child {sequence} start"),
                Job::ResolveChildWorkflow { sequence, .. } => format!("child {sequence} end"),
                Job::ResolveSignalExternalWorkflow { sequence, .. } => format!("signal-workflow {sequence}"),
                Job::ResolveRequestCancelExternalWorkflow { sequence, .. } => format!("cancel-workflow {sequence}"),
                Job::ResolveNexusOperationStart { sequence, .. } => format!("nexus {sequence} start"),
                Job::ResolveNexusOperation { sequence, .. } => format!("nexus {sequence} end"),
                other => panic!("not a job of these programs: {other:?}"),
            })
            .collect();
        if tasks.last().is_some_and(|(last, _)| *last == started) {
            // The second Activation of a task: only what user code brought about itself.
            told.extend(jobs.iter().map(|job| (operation(job).to_owned(), started)));
        } else {
            tasks.push((started, jobs));
        }
    }
    tasks.retain(|(_, jobs)| !jobs.is_empty());
    tasks
}

/// The operation that a piece of news is about: what is said of its start and of its end is about the same.
pub fn operation(job: &str) -> &str {
    job.strip_suffix(" start").or_else(|| job.strip_suffix(" end")).unwrap_or(job)
}

/// The Commands that the history records, one entry a completion: the task's `WorkflowTaskStarted`, and the Commands.
pub fn recorded_commands(history: &[HistoryEvent]) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    for event in history {
        let text = match event.attributes.as_ref().expect("the model writes attributes") {
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => {
                tasks.push((completed.started_event_id, Vec::new()));
                continue;
            }
            Attributes::TimerStartedEventAttributes(timer) => format!("start timer {}", timer.timer_id),
            Attributes::TimerCanceledEventAttributes(timer) => format!("cancel timer {}", timer.timer_id),
            Attributes::ActivityTaskScheduledEventAttributes(activity) => {
                let kind = activity.activity_type.clone().unwrap_or_default().name;
                format!("schedule activity {} {kind}", activity.activity_id)
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
                format!("cancel activity {}", activity_id(history, request.scheduled_event_id))
            }
            Attributes::MarkerRecordedEventAttributes(_) => match marker(event) {
                Marker::Patch { patch_id, deprecated } => patch_text(&patch_id, deprecated),
                Marker::Version { change_id, version, .. } => format!("version {change_id} {version}"),
                Marker::SideEffect { sequence, .. } => format!("side effect {sequence}"),
                Marker::MutableSideEffect { id, call, .. } => format!("mutable side effect {id} {call}"),
                // Where it stands among the Commands says nothing.
                Marker::LocalActivity(_) => continue,
                other => panic!("not a marker of these programs: {other:?}"),
            },
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
                match upsert.search_attributes.as_ref().and_then(|it| it.indexed_fields.keys().next()) {
                    Some(name) if name == CHANGE_VERSION => continue,
                    name => format!("upsert {name:?}"),
                }
            }
            Attributes::WorkflowPropertiesModifiedEventAttributes(_) => "upsert the memo".to_owned(),
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(child) => {
                let kind = child.workflow_type.clone().unwrap_or_default().name;
                format!("start child {} {kind}", child_sequence(child))
            }
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(signal) => {
                format!("send signal-workflow {}", text(signal.input.as_ref().and_then(|input| input.payloads.first())))
            }
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(request) => {
                match request.reason.strip_prefix("child ") {
                    Some(_) => format!("cancel {}", request.reason),
                    None => format!("cancel workflow {}", request.reason),
                }
            }
            Attributes::NexusOperationScheduledEventAttributes(nexus) => {
                format!("schedule nexus {}", text(nexus.input.as_ref()))
            }
            Attributes::NexusOperationCancelRequestedEventAttributes(request) => {
                format!("cancel nexus {}", nexus_sequence(history, request.scheduled_event_id))
            }
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => {
                format!("accept update {}", accepted.protocol_instance_id)
            }
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed) => {
                let meta = completed.meta.clone().unwrap_or_default();
                format!("complete update {}", meta.update_id)
            }
            Attributes::WorkflowExecutionCompletedEventAttributes(_) => "complete".to_owned(),
            Attributes::WorkflowExecutionFailedEventAttributes(_) => "fail".to_owned(),
            Attributes::WorkflowExecutionCanceledEventAttributes(_) => "cancel".to_owned(),
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => "continue as new".to_owned(),
            _ => continue,
        };
        tasks.last_mut().expect("Commands follow a completion").1.push(text);
    }
    tasks
}

/// The Commands that user code's wishes come to, in the words of [`recorded_commands`], without tasks that have none:
/// what is started and cancelled at once is never asked for, what has an outcome is not cancelled, nor what was cancelled
/// before; what ends the workflow comes last.
pub fn issued_commands(heard: &[Heard]) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    let mut noted: BTreeSet<String> = BTreeSet::new();
    for Heard { activation, commands } in heard {
        for job in &activation.jobs {
            match job {
                Job::FireTimer { sequence } => drop(open.remove(&format!("timer {sequence}"))),
                Job::ResolveActivity { sequence, .. } => drop(open.remove(&format!("activity {sequence}"))),
                Job::ResolveChildWorkflowStart { start: ChildWorkflowStart::Started { .. }, .. }
                | Job::ResolveNexusOperationStart { start: NexusOperationStart::Started { .. }, .. } => (),
                Job::ResolveChildWorkflowStart { sequence, .. } | Job::ResolveChildWorkflow { sequence, .. } => {
                    open.remove(&format!("child {sequence}"));
                }
                Job::ResolveNexusOperationStart { sequence, .. } | Job::ResolveNexusOperation { sequence, .. } => {
                    open.remove(&format!("nexus {sequence}"));
                }
                Job::ResolveSignalExternalWorkflow { sequence, .. } => {
                    open.remove(&format!("signal-workflow {sequence}"));
                }
                _ => (),
            }
        }
        let started = i64::try_from(activation.history_length).expect("histories are short");
        if tasks.last().is_none_or(|(last, _)| *last != started) {
            tasks.push((started, Vec::new()));
        }
        let issued = &mut tasks.last_mut().expect("just pushed").1;
        let mut end = issued.pop_if(|last| ["complete", "fail", "cancel", "continue as new"].contains(&last.as_str()));
        for command in commands {
            match command {
                Command::StartTimer(timer) => {
                    open.insert(format!("timer {}", timer.sequence), true);
                    issued.push(format!("start timer {}", timer.sequence));
                }
                Command::ScheduleActivity(activity) => {
                    let name = format!("activity {}", activity.sequence);
                    open.insert(name.clone(), activity.cancellation_type != ActivityCancellationType::Abandon);
                    issued.push(format!("schedule {name} {}", activity.activity_type));
                }
                Command::CancelTimer { sequence } => cancel(&format!("timer {sequence}"), "start", &mut open, issued),
                Command::RequestCancelActivity { sequence } => {
                    cancel(&format!("activity {sequence}"), "schedule", &mut open, issued);
                }
                Command::StartChildWorkflow(child) => {
                    let name = format!("child {}", child.sequence);
                    let tells_server = child.cancellation_type != ChildWorkflowCancellationType::Abandon;
                    open.insert(name.clone(), tells_server);
                    issued.push(format!("start {name} {}", child.workflow_type));
                }
                Command::CancelChildWorkflow { sequence, .. } => {
                    cancel(&format!("child {sequence}"), "start", &mut open, issued);
                }
                Command::SignalExternalWorkflow(signal) => {
                    let name = format!("signal-workflow {}", signal.sequence);
                    open.insert(name.clone(), false);
                    issued.push(format!("send {name}"));
                }
                Command::CancelSignalExternalWorkflow { sequence } => {
                    let name = format!("signal-workflow {sequence}");
                    // Too late is no error, and it is heard of as ever.
                    if issued.contains(&format!("send {name}")) {
                        cancel(&name, "send", &mut open, issued);
                    }
                }
                Command::RequestCancelExternalWorkflow(request) => {
                    issued.push(format!("cancel workflow {}", request.sequence));
                }
                Command::ScheduleNexusOperation(nexus) => {
                    let name = format!("nexus {}", nexus.sequence);
                    let tells_server = nexus.cancellation_type != NexusOperationCancellationType::Abandon;
                    open.insert(name.clone(), tells_server);
                    issued.push(format!("schedule {name}"));
                }
                Command::RequestCancelNexusOperation { sequence } => {
                    cancel(&format!("nexus {sequence}"), "schedule", &mut open, issued);
                }
                Command::ScheduleLocalActivity(_) | Command::CancelLocalActivity { .. } => (),
                Command::SetPatch { patch_id, deprecated } => {
                    let text = patch_text(patch_id, *deprecated);
                    issued.extend(noted.insert(text.clone()).then_some(text));
                }
                Command::SetVersion { change_id, version } => {
                    let text = format!("version {change_id} {version}");
                    issued.extend(noted.insert(text.clone()).then_some(text));
                }
                Command::RecordSideEffect { sequence, .. } => issued.push(format!("side effect {sequence}")),
                Command::RecordMutableSideEffect { id, call, .. } => {
                    issued.push(format!("mutable side effect {id} {call}"));
                }
                Command::UpsertSearchAttributes(attributes) => {
                    issued.push(format!("upsert {:?}", attributes.indexed_fields.keys().next()));
                }
                Command::UpsertMemo(_) => issued.push("upsert the memo".to_owned()),
                Command::AcceptUpdate { protocol_instance_id } => {
                    issued.push(format!("accept update {protocol_instance_id}"));
                }
                Command::CompleteUpdate { protocol_instance_id, .. } => {
                    issued.push(format!("complete update {protocol_instance_id}"));
                }
                Command::RejectUpdate { .. } => (),
                Command::CompleteWorkflow { .. } => end = Some("complete".to_owned()),
                Command::FailWorkflow { .. } => end = Some("fail".to_owned()),
                Command::CancelWorkflow { .. } => end = Some("cancel".to_owned()),
                Command::ContinueAsNew(_) => end = Some("continue as new".to_owned()),
                other => panic!("not a Command of these programs: {other:?}"),
            }
        }
        issued.extend(end);
    }
    tasks.retain(|(_, commands)| !commands.is_empty());
    tasks
}

/// Without the numbers that the history does not have, so that a Run cannot mind that they are others.
pub fn without_numbers(mut tasks: Vec<(i64, Vec<String>)>) -> Vec<(i64, Vec<String>)> {
    for text in tasks.iter_mut().flat_map(|(_, commands)| commands) {
        let words: Vec<&str> = text.split(' ').collect();
        if let [verb, what @ ("child" | "nexus" | "signal-workflow" | "workflow"), ..] = words.as_slice() {
            *text = format!("{verb} {what} {}", words.get(3..).unwrap_or_default().join(" "));
        }
    }
    tasks
}

fn cancel(name: &str, start: &str, open: &mut BTreeMap<String, bool>, issued: &mut Vec<String>) {
    let Some(tells_server) = open.remove(name) else { return };
    let started = format!("{start} {name}");
    let of_this_task = issued.iter().position(|text| *text == started || text.starts_with(&format!("{started} ")));
    match of_this_task {
        Some(index) => drop(issued.remove(index)),
        None if tells_server => issued.push(format!("cancel {name}")),
        None => (),
    }
}

fn end_of_activity(attributes: &Attributes) -> Option<i64> {
    match attributes {
        Attributes::ActivityTaskCompletedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskFailedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskTimedOutEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskCanceledEventAttributes(end) => Some(end.scheduled_event_id),
        _ => None,
    }
}

fn activity_id(history: &[HistoryEvent], scheduled_event_id: i64) -> &str {
    match event(history, scheduled_event_id) {
        Attributes::ActivityTaskScheduledEventAttributes(activity) => &activity.activity_id,
        other => panic!("not an activity: {other:?}"),
    }
}

fn nexus_sequence(history: &[HistoryEvent], scheduled_event_id: i64) -> String {
    match event(history, scheduled_event_id) {
        Attributes::NexusOperationScheduledEventAttributes(nexus) => text(nexus.input.as_ref()),
        other => panic!("not a Nexus operation: {other:?}"),
    }
}

fn child_sequence(child: &StartChildWorkflowExecutionInitiatedEventAttributes) -> String {
    text(child.input.as_ref().and_then(|input| input.payloads.get(1)))
}

fn event(history: &[HistoryEvent], event_id: i64) -> &Attributes {
    let index = usize::try_from(event_id - 1).expect("ids count from 1");
    history[index].attributes.as_ref().expect("the model writes attributes")
}

fn text(payload: Option<&Payload>) -> String {
    payload.map(|payload| String::from_utf8_lossy(&payload.data).into_owned()).unwrap_or_default()
}

/// What the history says of Child Workflows, of other workflows and of Nexus operations.
struct Others<'a> {
    history: &'a [HistoryEvent],
    /// Children and Nexus operations for which user code waits until they were asked to cancel themselves.
    waits_for_request: BTreeSet<String>,
    started: BTreeSet<String>,
    /// Those of which user code hears no more.
    over: BTreeSet<String>,
}

impl<'a> Others<'a> {
    fn new(history: &'a [HistoryEvent], heard: &[Heard]) -> Self {
        let waits_for_request = heard.iter().flat_map(|heard| &heard.commands).filter_map(|command| match command {
            Command::StartChildWorkflow(child)
                if child.cancellation_type == ChildWorkflowCancellationType::WaitCancellationRequested =>
            {
                Some(format!("child {}", child.sequence))
            }
            Command::ScheduleNexusOperation(nexus)
                if nexus.cancellation_type == NexusOperationCancellationType::WaitCancellationRequested =>
            {
                Some(format!("nexus {}", nexus.sequence))
            }
            _ => None,
        });
        let waits_for_request = waits_for_request.collect();
        Self { history, waits_for_request, started: BTreeSet::new(), over: BTreeSet::new() }
    }

    fn hear(&mut self, attributes: &Attributes) -> Vec<String> {
        use Attributes as A;
        match attributes {
            A::StartChildWorkflowExecutionFailedEventAttributes(it) => {
                self.not_started(self.child(it.initiated_event_id))
            }
            A::ChildWorkflowExecutionStartedEventAttributes(it) => self.start(self.child(it.initiated_event_id)),
            A::ChildWorkflowExecutionCompletedEventAttributes(it) => self.end(self.child(it.initiated_event_id)),
            A::ChildWorkflowExecutionFailedEventAttributes(it) => self.end(self.child(it.initiated_event_id)),
            A::ChildWorkflowExecutionCanceledEventAttributes(it) => self.end(self.child(it.initiated_event_id)),
            A::ChildWorkflowExecutionTimedOutEventAttributes(it) => self.end(self.child(it.initiated_event_id)),
            A::ChildWorkflowExecutionTerminatedEventAttributes(it) => self.end(self.child(it.initiated_event_id)),
            A::ExternalWorkflowExecutionSignaledEventAttributes(it) => vec![self.signal(it.initiated_event_id)],
            A::SignalExternalWorkflowExecutionFailedEventAttributes(it) => vec![self.signal(it.initiated_event_id)],
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(it) => {
                let reason = self.reason(it.initiated_event_id);
                match reason.starts_with("child ") {
                    true => self.asked_to_cancel(reason),
                    false => vec![format!("cancel-workflow {reason}")],
                }
            }
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(it) => {
                let reason = self.reason(it.initiated_event_id);
                let is_child = reason.starts_with("child ");
                (!is_child).then(|| format!("cancel-workflow {reason}")).into_iter().collect()
            }
            A::NexusOperationStartedEventAttributes(it) => self.start(self.nexus(it.scheduled_event_id)),
            A::NexusOperationCompletedEventAttributes(it) => {
                let name = self.nexus(it.scheduled_event_id);
                let mut news = if self.started.contains(&name) { Vec::new() } else { self.start(name.clone()) };
                news.extend(self.end(name));
                news
            }
            A::NexusOperationFailedEventAttributes(it) => self.end_or_not_started(self.nexus(it.scheduled_event_id)),
            A::NexusOperationCanceledEventAttributes(it) => self.end_or_not_started(self.nexus(it.scheduled_event_id)),
            A::NexusOperationTimedOutEventAttributes(it) => self.end_or_not_started(self.nexus(it.scheduled_event_id)),
            A::NexusOperationCancelRequestCompletedEventAttributes(it) => {
                self.asked_to_cancel(self.nexus(it.scheduled_event_id))
            }
            A::NexusOperationCancelRequestFailedEventAttributes(it) => {
                self.asked_to_cancel(self.nexus(it.scheduled_event_id))
            }
            _ => Vec::new(),
        }
    }

    fn start(&mut self, name: String) -> Vec<String> {
        self.started.insert(name.clone());
        if self.over.contains(&name) { Vec::new() } else { vec![format!("{name} start")] }
    }

    fn not_started(&mut self, name: String) -> Vec<String> {
        if self.over.insert(name.clone()) { vec![format!("{name} start")] } else { Vec::new() }
    }

    fn end(&mut self, name: String) -> Vec<String> {
        if self.over.insert(name.clone()) { vec![format!("{name} end")] } else { Vec::new() }
    }

    fn end_or_not_started(&mut self, name: String) -> Vec<String> {
        if self.started.contains(&name) { self.end(name) } else { self.not_started(name) }
    }

    fn asked_to_cancel(&mut self, name: String) -> Vec<String> {
        if self.waits_for_request.contains(&name) { self.end_or_not_started(name) } else { Vec::new() }
    }

    fn child(&self, initiated_event_id: i64) -> String {
        match event(self.history, initiated_event_id) {
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(child) => {
                format!("child {}", child_sequence(child))
            }
            other => panic!("not a child: {other:?}"),
        }
    }

    fn signal(&self, initiated_event_id: i64) -> String {
        match event(self.history, initiated_event_id) {
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(signal) => {
                format!("signal-workflow {}", text(signal.input.as_ref().and_then(|input| input.payloads.first())))
            }
            other => panic!("not a signal: {other:?}"),
        }
    }

    fn reason(&self, initiated_event_id: i64) -> String {
        match event(self.history, initiated_event_id) {
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(request) => {
                request.reason.clone()
            }
            other => panic!("not a request to cancel: {other:?}"),
        }
    }

    fn nexus(&self, scheduled_event_id: i64) -> String {
        format!("nexus {}", nexus_sequence(self.history, scheduled_event_id))
    }
}

/// Whether the beginning of a history is another run's, so that nobody has lived it in this one.
pub fn comes_of_reset(history: &[HistoryEvent]) -> bool {
    history.iter().any(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
            failed.cause() == WorkflowTaskFailedCause::ResetWorkflow
        }
        _ => false,
    })
}

/// The Run Id of the next run, where a history ends with one.
pub fn next_run_id(history: &[HistoryEvent]) -> Option<&str> {
    match history.last()?.attributes.as_ref()? {
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued) => Some(&continued.new_execution_run_id),
        _ => None,
    }
}

/// The outcomes of Local Activities that the history notes, one entry a Workflow Task: its `WorkflowTaskStarted`, and the
/// outcomes in the order of their markers.
pub fn noted_outcomes(history: &[HistoryEvent]) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    for event in history {
        match event.attributes.as_ref().expect("the model writes attributes") {
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => {
                tasks.push((completed.started_event_id, Vec::new()));
            }
            Attributes::MarkerRecordedEventAttributes(_) => {
                if let Marker::LocalActivity(marker) = marker(event) {
                    let kind = match (&marker.outcome, &marker.backoff) {
                        (_, Some(_)) => "backoff",
                        (Ok(_), _) => "completed",
                        (Err(failure), _) if failure.message == "Activity cancelled" => "cancelled",
                        (Err(_), _) => "failed",
                    };
                    let outcome = format!("{} {kind}", marker.sequence);
                    tasks.last_mut().expect("Commands follow a completion").1.push(outcome);
                }
            }
            _ => (),
        }
    }
    tasks.retain(|(_, outcomes)| !outcomes.is_empty());
    tasks
}

/// The outcomes of Local Activities that user code heard of, in the words of [`noted_outcomes`].
pub fn heard_outcomes(heard: &[Heard]) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    for Heard { activation, .. } in heard {
        let started = i64::try_from(activation.history_length).expect("histories are short");
        if tasks.last().is_none_or(|(last, _)| *last != started) {
            tasks.push((started, Vec::new()));
        }
        let outcomes = activation.jobs.iter().filter_map(|job| match job {
            Job::ResolveLocalActivity { sequence, resolution } => {
                let kind = match resolution {
                    LocalActivityResolution::Backoff(_) => "backoff",
                    LocalActivityResolution::Completed(_) => "completed",
                    LocalActivityResolution::Cancelled(_) => "cancelled",
                    LocalActivityResolution::Failed(_) => "failed",
                };
                Some(format!("{sequence} {kind}"))
            }
            _ => None,
        });
        tasks.last_mut().expect("just pushed").1.extend(outcomes);
    }
    tasks.retain(|(_, outcomes)| !outcomes.is_empty());
    tasks
}

/// What is wrong with the changes of the search attribute `TemporalChangeVersion`: there must be one behind each patch and
/// each version, with all that there are by then, as long as there is room.
pub fn wrong_change_versions(history: &[HistoryEvent]) -> Option<String> {
    let mut all = BTreeSet::new();
    for (index, event) in history.iter().enumerate() {
        let Some(Attributes::MarkerRecordedEventAttributes(_)) = event.attributes else { continue };
        let new = match marker(event) {
            Marker::Patch { patch_id, .. } => patch_id,
            Marker::Version { change_id, version, .. } => format!("{change_id}-{version}"),
            _ => continue,
        };
        all.insert(format!("\"{new}\""));
        let expected = format!("[{}]", all.iter().map(String::as_str).collect::<Vec<_>>().join(","));
        let expected = (expected.len() < 2048).then_some(expected);
        let found = history.get(index + 1).and_then(|next| match next.attributes.as_ref()? {
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
                let fields = &upsert.search_attributes.as_ref()?.indexed_fields;
                Some(String::from_utf8_lossy(&fields.get(CHANGE_VERSION)?.data).into_owned())
            }
            _ => None,
        });
        if found != expected {
            return Some(format!("behind event {}: {found:?} instead of {expected:?}", event.event_id));
        }
    }
    None
}

/// What is wrong with what a run took over from the run before: memo and search attributes as they were at its end.
pub fn wrong_heritage(before: &[HistoryEvent], after: &[HistoryEvent]) -> Option<String> {
    let mut memo = BTreeMap::new();
    let mut attributes = BTreeMap::new();
    let data = |fields: &BTreeMap<String, Payload>| -> BTreeMap<String, String> {
        fields.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(&value.data).into_owned())).collect()
    };
    for event in before {
        match event.attributes.as_ref().expect("the model writes attributes") {
            Attributes::WorkflowExecutionStartedEventAttributes(started) => {
                memo = data(&started.memo.clone().unwrap_or_default().fields);
                attributes = data(&started.search_attributes.clone().unwrap_or_default().indexed_fields);
            }
            Attributes::WorkflowPropertiesModifiedEventAttributes(modified) => {
                memo.extend(data(&modified.upserted_memo.clone().unwrap_or_default().fields));
            }
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
                attributes.extend(data(&upsert.search_attributes.clone().unwrap_or_default().indexed_fields));
            }
            _ => (),
        }
    }
    // What a run says of its patches is its own.
    attributes.remove(CHANGE_VERSION);
    memo.retain(|_, value| value != "null");
    attributes.retain(|_, value| value != "null");
    match after.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            let found_memo = data(&started.memo.clone().unwrap_or_default().fields);
            let found_attributes = data(&started.search_attributes.clone().unwrap_or_default().indexed_fields);
            let is_right = memo == found_memo && attributes == found_attributes;
            (!is_right).then(|| format!("{memo:?} {attributes:?} became {found_memo:?} {found_attributes:?}"))
        }
        other => Some(format!("not the start of a history: {other:?}")),
    }
}

/// Updates that came with a reset and of which user code has not heard.
pub fn unheard_updates(history: &[HistoryEvent], heard: &[Heard]) -> Vec<String> {
    let last = heard.last().map_or(0, |heard| heard.activation.history_length);
    let told = |id: &str| {
        let mut jobs = heard.iter().flat_map(|heard| &heard.activation.jobs);
        jobs.any(|job| matches!(job, Job::Update(update) if update.id == id))
    };
    let admitted = history.iter().take_while(|event| event.event_id.unsigned_abs() <= last);
    let admitted = admitted.filter_map(|event| match event.attributes.as_ref()? {
        Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(admitted) => {
            Some(admitted.request.clone()?.meta?.update_id)
        }
        _ => None,
    });
    admitted.filter(|id| !told(id)).collect()
}

fn patch_text(patch_id: &str, deprecated: bool) -> String {
    let deprecated = if deprecated { "deprecated " } else { "" };
    format!("{deprecated}patch {patch_id}")
}

/// A marker, as the Run reads it.
fn marker(event: &HistoryEvent) -> Marker {
    match Event::try_from(event.clone()).expect("an Event that can be read").kind {
        EventKind::MarkerRecorded(marker) => marker,
        other => panic!("not a marker: {other:?}"),
    }
}

const CHANGE_VERSION: &str = "TemporalChangeVersion";
