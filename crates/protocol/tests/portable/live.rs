//! Workflow Tasks as they were handed out then, and the answers to them.

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use serde_json::Value;
use timewright_proto::Bytes;
use timewright_proto::common::Payloads;
use timewright_proto::enums::{EventType, WorkflowTaskFailedCause};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::update::v1::{Input, Request};
use timewright_protocol::workflow::{
    Completion, CompletionReceipt, Event, EventKind, HistoryPage, LocalActivityAttempt, LocalActivityMarker,
    LocalActivityOutcome, Marker, Output, Query, QueryAnswer, Run, StartLocalActivity, TaskKind, UpdateBody,
    UpdateMessage, UpdateRequest,
};

use crate::code::Code;
use crate::context::{failure, payload};
use crate::histories::{History, Task};
use crate::normal;
use crate::programs;

/// Each task that was completed, for a Run that knows nothing but the history before. Where the workflow has Updates, one that
/// it rejects comes along, and leaves no trace.
pub(crate) fn each_task_by_a_new_run(history: &'static History) -> Result<(), String> {
    let mut failed = Vec::new();
    for task in history.tasks() {
        let events = &history.events[..task.events];
        let refused = programs::has_query(&history.workflow_type).then(|| refused_update(task));
        let is_refused = refused.is_some();
        let executed = Worker::new(history).execute(task, events, refused.into_iter().collect());
        let executed =
            executed.and_then(|completion| match completion.messages.iter().any(is_rejection) == is_refused {
                true => Ok(()),
                false => {
                    Err(format!("an Update is to be rejected: {is_refused}; answered is {:?}", completion.messages))
                }
            });
        if let Err(why) = executed {
            failed.push(format!("task of event {}: {why}", task.started_event_id));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n    ")) }
}

/// All tasks that were completed, for a Run that is kept. Before the last it is asked for its value, where it has one.
pub(crate) fn all_tasks_by_one_run(history: &'static History) -> Result<(), String> {
    let mut worker = Worker::new(history);
    let tasks = history.tasks();
    let mut answer = None;
    let mut from = 0;
    for task in &tasks {
        let is_last = task.events == tasks[tasks.len() - 1].events;
        if is_last && tasks.len() > 1 && programs::has_query(&history.workflow_type) {
            answer = Some(worker.ask("current")?);
        }
        let events = &history.events[from..task.events];
        from = task.events;
        let executed = worker.execute(*task, events, Vec::new());
        executed.map_err(|why| format!("task of event {}: {why}", task.started_event_id))?;
    }
    match answer {
        Some(answer) if worker.code.end().map(normal::end) != Some(normal::complete_with(&answer)) => {
            Err(format!("the query was answered with {answer}"))
        }
        _ => Ok(()),
    }
}

/// Each task that failed because of the workflow's code, for a Run that knows nothing but the history before.
pub(crate) fn each_failed_task(history: &'static History) -> Result<(), String> {
    for (task, recorded) in history.failed_tasks() {
        let mut worker = Worker::new(history);
        let started_event_id = task.started_event_id;
        let kind = TaskKind::Progress { started_event_id, updates: Vec::new(), queries: Vec::new() };
        worker.hand_in(task.previous_started_event_id, &history.events[..task.events], kind);
        let answer = worker.go_on();
        if answer.as_ref().err() != Some(recorded) {
            return Err(format!("task of event {started_event_id} failed with {recorded:?}, and now: {answer:?}"));
        }
    }
    Ok(())
}

/// A worker with one Run.
struct Worker {
    history: &'static History,
    run: Run,
    code: Code,
    /// Local Activities that are executed.
    executed: BTreeMap<u32, StartLocalActivity>,
}

impl Worker {
    fn new(history: &'static History) -> Self {
        Self { history, run: Run::new(), code: Code::new(history, history.sdk), executed: BTreeMap::new() }
    }

    /// Hands the task in, with these Updates beside those of then, and compares the answer with what the history has of the
    /// one that was given then.
    fn execute(
        &mut self,
        task: Task,
        events: &[HistoryEvent],
        more_updates: Vec<UpdateRequest>,
    ) -> Result<Completion, String> {
        let sdk = self.history.sdk;
        let behind = self.history.behind(task);
        let recorded: Vec<String> = behind.iter().map_while(|event| normal::recorded(event, sdk)).collect();
        let (record, behind) = behind.split_at(recorded.len());
        let mut outcomes = outcomes(record);
        let mut updates = updates(record);
        updates.extend(more_updates);
        let started_event_id = task.started_event_id;
        let kind = TaskKind::Progress { started_event_id, updates, queries: Vec::new() };
        self.hand_in(task.previous_started_event_id, events, kind);
        let completion = self.answer(&mut outcomes)?;
        self.run.handle_completed(CompletionReceipt::default());

        let issued = completion.commands.iter().map(|command| normal::issued(command, &completion.messages, sdk));
        let issued: Vec<String> = issued.collect();
        // An Update, too, can bring the next task at once.
        let is_followed = behind.first().is_some_and(|next| next.event_type() == EventType::WorkflowTaskScheduled);
        let is_heartbeat = is_followed && !self.history.has_updates();
        if issued != recorded {
            Err(format!("issued\n        {issued:#?}\n    recorded\n        {recorded:#?}"))
        } else if !outcomes.is_empty() {
            Err(format!("Local Activities that did not run: {outcomes:?}"))
        } else if is_heartbeat && !completion.force_new_task {
            Err("another task was asked for then".to_owned())
        } else {
            Ok(completion)
        }
    }

    /// Goes on until the task is answered. Local Activities end in the order in which they ended then.
    fn answer(&mut self, outcomes: &mut VecDeque<LocalActivityMarker>) -> Result<Completion, String> {
        loop {
            if let Some(completion) = self.go_on()? {
                return Ok(completion);
            }
            let is_executed = |marker: &LocalActivityMarker| self.executed.contains_key(&marker.sequence);
            if let Some(marker) = outcomes.front().is_some_and(is_executed).then(|| outcomes.pop_front()).flatten() {
                self.finish(&marker);
            } else if let Some(due) = self.run.poll_timeout() {
                self.run.handle_timeout(due);
            } else {
                return Err("the Run waits for nothing".to_owned());
            }
        }
    }

    /// Asks for something between two tasks.
    fn ask(&mut self, name: &str) -> Result<Value, String> {
        self.hand_in(0, &[], TaskKind::Query(Query { name: name.to_owned(), ..Query::default() }));
        while let Some(output) = self.run.poll_output() {
            match output {
                Output::Activate(activation) => {
                    let commands = self.code.activate(&activation).map_err(|failure| failure.message)?;
                    self.run.handle_commands(commands);
                }
                Output::RespondQuery { answer: QueryAnswer::Succeeded(Some(answer)), .. } => {
                    self.run.handle_completed(CompletionReceipt::default());
                    return Ok(normal::value(&answer));
                }
                other => return Err(format!("the query leads to {other:?}")),
            }
        }
        Err("the query has no answer".to_owned())
    }

    fn hand_in(&mut self, previous_started_event_id: i64, events: &[HistoryEvent], kind: TaskKind) {
        let page = HistoryPage { events: events.to_vec(), next_page_token: Bytes::new() };
        self.run.handle_task(self.history.task(previous_started_event_id, page, kind));
    }

    /// Goes on until there is an answer, or until Local Activities are waited for.
    fn go_on(&mut self) -> Result<Option<Completion>, String> {
        while let Some(output) = self.run.poll_output() {
            match output {
                Output::Activate(activation) => match self.code.activate(&activation) {
                    Ok(commands) => self.run.handle_commands(commands),
                    Err(failure) => self.run.handle_failure(CAUSE, *failure),
                },
                Output::StartLocalActivity(start) => drop(self.executed.insert(start.sequence, *start)),
                Output::CancelLocalActivity { .. } => (),
                Output::CompleteTask(completion) => return Ok(Some(completion)),
                Output::FailTask(failed) => return Err(failed.failure.message),
                other => return Err(format!("unexpected: {other:?}")),
            }
        }
        Ok(None)
    }

    /// A Local Activity ends as it did then. Of attempts before the last nothing is known but that they failed.
    fn finish(&mut self, marker: &LocalActivityMarker) {
        while let Some(start) = self.executed.remove(&marker.sequence) {
            let is_last = start.attempt >= marker.attempt;
            let outcome = if is_last { outcome(marker) } else { LocalActivityOutcome::Failed(failure("not yet")) };
            self.run.handle_local_activity(LocalActivityAttempt {
                sequence: marker.sequence,
                attempt: start.attempt,
                outcome,
                finished_at: marker.complete_time.unwrap_or(SystemTime::UNIX_EPOCH),
            });
            if is_last {
                return;
            }
            match self.run.poll_output() {
                Some(Output::StartLocalActivity(again)) => drop(self.executed.insert(again.sequence, *again)),
                other => panic!("an attempt that failed is followed by {other:?}"),
            }
        }
    }
}

/// An Update that the validator refuses.
fn refused_update(task: Task) -> UpdateRequest {
    let (name, args) = ("set".to_owned(), Some(Payloads { payloads: vec![payload(&(-1).into())] }));
    UpdateRequest {
        message_id: "refused/request".to_owned(),
        protocol_instance_id: "refused".to_owned(),
        sequencing_event_id: task.started_event_id - 1,
        request: Some(Request { input: Some(Input { name, args, header: None }), ..Request::default() }),
    }
}

fn is_rejection(message: &UpdateMessage) -> bool {
    message.protocol_instance_id == "refused" && matches!(message.body, UpdateBody::Rejection(_))
}

/// What Local Activities gave, in order. What is cancelled without waiting ends by itself.
fn outcomes(record: &[HistoryEvent]) -> VecDeque<LocalActivityMarker> {
    let markers = record.iter().filter_map(|event| match Event::try_from(event.clone()).expect("an Event").kind {
        EventKind::MarkerRecorded(Marker::LocalActivity(marker)) => Some(*marker),
        _ => None,
    });
    markers.filter(|marker| marker.complete_time.is_some()).collect()
}

fn outcome(marker: &LocalActivityMarker) -> LocalActivityOutcome {
    let failure = match &marker.outcome {
        Ok(result) => return LocalActivityOutcome::Completed(result.clone()),
        Err(failure) => failure,
    };
    match &failure.failure_info {
        Some(FailureInfo::CanceledFailureInfo(_)) => LocalActivityOutcome::Cancelled { details: Vec::new() },
        Some(FailureInfo::TimeoutFailureInfo(info)) => LocalActivityOutcome::TimedOut(info.timeout_type()),
        _ => LocalActivityOutcome::Failed(failure.clone()),
    }
}

/// The Updates that the task brought, as its record tells of those that were accepted.
fn updates(record: &[HistoryEvent]) -> Vec<UpdateRequest> {
    let accepted = record.iter().filter_map(|event| match event.attributes.as_ref() {
        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(it)) => Some(UpdateRequest {
            message_id: it.accepted_request_message_id.clone(),
            protocol_instance_id: it.protocol_instance_id.clone(),
            sequencing_event_id: it.accepted_request_sequencing_event_id,
            request: it.accepted_request.clone(),
        }),
        _ => None,
    });
    accepted.collect()
}

const CAUSE: WorkflowTaskFailedCause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
