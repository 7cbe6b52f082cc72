//! What user code has under way: the machines with their ids, and the Commands that make and answer them.
//!
//! A Command of user code comes in, becomes a Command for the server in the [queue](queue), and a machine. Events come in:
//! the record of a Command must be the Command that has waited longest; news is for the machine that it names. What user code
//! must be told becomes a [`Job`].
//!
//! Commands that history only records (the ways to end, search attributes, memo, markers) have no machine: they are issued,
//! then recorded.

mod activity;
mod child_workflow;
mod closing;
mod error;
mod external;
mod local_activity;
mod nexus_operation;
mod notes;
mod properties;
mod queue;
mod timer;
mod update;

use std::collections::BTreeMap;
use std::time::SystemTime;

use timewright_proto::command::Command as WireCommand;
use timewright_proto::common::{Payload, Payloads, RetryPolicy};
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;
use timewright_proto::task_queue::TaskQueue;

use super::activation::Job;
use super::command::Command;
use super::event::{Event, EventKind, Marker};
use super::machines::ProtocolError;
use super::nondeterminism::{Issued, Nondeterminism, Recorded};
use super::output::{Output, UpdateMessage};

pub use error::CommandError;
pub(crate) use local_activity::LocalActivityNews;
use queue::{Key, Queue, What};

/// All operations of a Run that have no outcome yet, and its Commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Operations {
    queue: Queue,
    timers: BTreeMap<u32, timer::Timer>,
    activities: BTreeMap<u32, activity::Activity>,
    local_activities: local_activity::LocalActivities,
    child_workflows: BTreeMap<u32, child_workflow::ChildWorkflow>,
    signals: BTreeMap<u32, external::Signal>,
    cancellations: BTreeMap<u32, external::Cancellation>,
    nexus_operations: BTreeMap<u32, nexus_operation::NexusOperation>,
    updates: update::Updates,
    notes: notes::Notes,
    /// Which operation an Event means that names the Event which started it.
    by_event: BTreeMap<i64, Key>,
    last_sequences: Sequences,
    carried: Carried,
    ended: bool,
    /// Another SDK has written the history so far.
    by_another_sdk: bool,
    /// The last Command whose record came, and where.
    last_match: Option<(i64, What)>,
    /// What the shell must do at once.
    outputs: Vec<Output>,
}

/// The last number of each kind.
#[derive(Debug, Clone, Default)]
struct Sequences {
    timer: u32,
    /// Local Activities, too.
    activity: u32,
    child_workflow: u32,
    signal: u32,
    cancellation: u32,
    nexus_operation: u32,
    side_effect: u32,
}

/// What a new run takes over where continue-as-new says nothing else.
#[derive(Debug, Clone, Default)]
struct Carried {
    /// As they are now.
    search_attributes: BTreeMap<String, Payload>,
    /// As it is now.
    memo: BTreeMap<String, Payload>,
    retry_policy: Option<RetryPolicy>,
}

/// Where user code is when it issues a Command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// It has done this before.
    pub(crate) replaying: bool,
    /// Its "now".
    pub(crate) time: SystemTime,
}

impl Operations {
    /// The workflow starts.
    pub(crate) fn initialize(&mut self, started: &WorkflowExecutionStartedEventAttributes) {
        let search_attributes = started.search_attributes.clone().unwrap_or_default();
        self.carried = Carried {
            search_attributes: search_attributes.indexed_fields,
            memo: started.memo.clone().unwrap_or_default().fields,
            retry_policy: started.retry_policy.clone(),
        };
    }

    /// Who has written the history so far.
    pub(crate) fn handle_author(&mut self, by_another_sdk: bool) {
        self.by_another_sdk = by_another_sdk;
    }

    /// Whether the workflow has issued the Command that ends it.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// How many bytes this takes. An estimate.
    pub(crate) fn bytes(&self) -> u64 {
        let open = self.timers.len()
            + self.activities.len()
            + self.child_workflows.len()
            + self.signals.len()
            + self.cancellations.len()
            + self.nexus_operations.len();
        (open as u64) * BYTES_OF_AN_OPERATION + self.queue.bytes() + self.local_activities.bytes()
    }

    /// What the shell must do at once, in order.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Takes a Command of user code; what user code must be told because of it goes to `jobs`.
    pub(crate) fn handle_command(
        &mut self,
        command: Command,
        place: Place,
        jobs: &mut Vec<Job>,
    ) -> Result<(), CommandError> {
        match command {
            Command::StartTimer(start) => self.start_timer(start)?,
            Command::CancelTimer { sequence } => self.cancel_timer(sequence),
            Command::ScheduleActivity(schedule) => self.schedule_activity(*schedule)?,
            Command::RequestCancelActivity { sequence } => self.cancel_activity(sequence, jobs),
            Command::ScheduleLocalActivity(schedule) => self.schedule_local_activity(*schedule, place)?,
            Command::CancelLocalActivity { sequence } => self.cancel_local_activity(sequence, jobs),
            Command::StartChildWorkflow(start) => self.start_child_workflow(*start)?,
            Command::CancelChildWorkflow { sequence, reason } => self.cancel_child_workflow(sequence, reason, jobs),
            Command::SignalExternalWorkflow(signal) => self.signal_external_workflow(*signal)?,
            Command::CancelSignalExternalWorkflow { sequence } => self.cancel_signal(sequence, jobs),
            Command::RequestCancelExternalWorkflow(request) => self.request_cancel_external_workflow(*request)?,
            Command::ScheduleNexusOperation(schedule) => self.schedule_nexus_operation(*schedule)?,
            Command::RequestCancelNexusOperation { sequence } => self.cancel_nexus_operation(sequence, jobs),
            Command::SetPatch { patch_id, deprecated } => self.set_patch(patch_id, deprecated, place),
            Command::SetVersion { change_id, version } => self.set_version(change_id, version, place),
            Command::RecordSideEffect { sequence, value } => self.record_side_effect(sequence, value)?,
            Command::RecordMutableSideEffect { id, call, value } => self.record_mutable_side_effect(id, call, value),
            Command::UpsertSearchAttributes(attributes) => self.upsert_search_attributes(attributes),
            Command::UpsertMemo(memo) => self.upsert_memo(memo),
            Command::AcceptUpdate { protocol_instance_id } => self.accept_update(protocol_instance_id)?,
            Command::RejectUpdate { protocol_instance_id, failure } => {
                self.reject_update(protocol_instance_id, *failure)?;
            }
            Command::CompleteUpdate { protocol_instance_id, outcome } => {
                self.complete_update(protocol_instance_id, outcome)?;
            }
            Command::InEventGroups { groups, command } => {
                let around = self.queue.enter_event_groups(groups);
                let handled = self.handle_command(*command, place, jobs);
                self.queue.enter_event_groups(around);
                handled?;
            }
            Command::AnswerQuery { id, .. } => return Err(CommandError::UnknownQuery { id }),
            Command::CompleteWorkflow { result } => self.complete_workflow(result)?,
            Command::FailWorkflow { failure } => self.fail_workflow(*failure)?,
            Command::CancelWorkflow { details } => self.cancel_workflow(details)?,
            Command::ContinueAsNew(next) => self.continue_as_new(*next)?,
        }
        Ok(())
    }

    /// Whether there is anything to send that somebody waits for.
    pub(crate) fn has_urgent(&self) -> bool {
        self.queue.has_urgent() || !self.updates.rejections.is_empty()
    }

    /// The Commands to send with this Workflow Task, and their messages. They stay in the queue until their record comes.
    pub(crate) fn take_commands(&mut self) -> (Vec<WireCommand>, Vec<UpdateMessage>) {
        let (commands, mut messages) = self.queue.take();
        messages.append(&mut self.updates.rejections);
        (commands, messages)
    }

    /// Takes an Event that is the record of a Command.
    pub(crate) fn handle_record(&mut self, event: &Event) -> Result<(), Box<Nondeterminism>> {
        let Some(what) = self.queue.match_record(&event.kind) else {
            if self.notes.may_be_missing(&event.kind) {
                return Ok(());
            }
            let recorded = Recorded::Command(event.kind.describe());
            return Err(self.nondeterminism(event.id, recorded, self.queue.next(Some(&event.kind))));
        };
        self.notes.matched();
        let moved = match &what {
            What::StartTimer { sequence, .. } => self.timer_started(*sequence, event.id),
            What::CancelTimer { sequence, .. } => self.timer_canceled(*sequence),
            What::ScheduleActivity { sequence, .. } => self.activity_scheduled(*sequence, event.id),
            What::RequestCancelActivity { sequence, .. } => self.activity_cancel_requested(*sequence),
            What::StartChildWorkflow { sequence, .. } => self.child_workflow_initiated(*sequence, event.id),
            What::CancelChildWorkflow { sequence, .. } => {
                self.by_event.insert(event.id, Key::CancelChildWorkflow(*sequence));
                Ok(())
            }
            What::SignalExternalWorkflow { sequence, .. } => self.signal_initiated(*sequence, event.id),
            What::RequestCancelExternalWorkflow { sequence, .. } => self.cancellation_initiated(*sequence, event.id),
            What::ScheduleNexusOperation { sequence, .. } => self.nexus_operation_scheduled(*sequence, event.id),
            What::AcceptUpdate { protocol_instance_id } => self.update_accepted(protocol_instance_id),
            What::CompleteUpdate { protocol_instance_id, .. } => self.update_completed(protocol_instance_id),
            _ => Ok(()),
        };
        self.last_match = Some((event.id, what));
        moved.map_err(|error| self.unexpected(event, error))
    }

    /// The record of a task's Commands is complete: whatever still waits was never recorded.
    pub(crate) fn handle_end_of_record(&mut self, event_id: i64) -> Result<(), Box<Nondeterminism>> {
        self.notes.matched();
        match self.queue.is_empty() {
            true => Ok(()),
            false => Err(self.nondeterminism(event_id, Recorded::NoCommand, self.queue.next(None))),
        }
    }

    /// Looks at the record of the task that user code is about to go through: what was noted then, user code is told in
    /// advance.
    pub(crate) fn look_ahead<'a>(&mut self, record: impl Iterator<Item = &'a Event>, jobs: &mut Vec<Job>) {
        let mut record = record.map(|event| &event.kind).peekable();
        while let Some(kind) = record.next() {
            let EventKind::MarkerRecorded(marker) = kind else { continue };
            match marker {
                Marker::LocalActivity(marker) => self.local_activities.note(marker.clone()),
                other => {
                    let upserts = record.peek().is_some_and(|next| notes::is_change_version_upsert(next));
                    jobs.extend(self.notes.look_ahead(other, upserts));
                }
            }
        }
    }

    /// Takes an Event that is news about an operation, and tells user code.
    pub(crate) fn handle_outcome(&mut self, event: Event, jobs: &mut Vec<Job>) -> Result<(), Box<Nondeterminism>> {
        use EventKind as E;
        let handled = match &event.kind {
            E::TimerFired { started_event_id } => self.timer_fired(*started_event_id, jobs),
            E::ActivityTaskStarted { scheduled_event_id }
            | E::ActivityTaskCompleted { scheduled_event_id, .. }
            | E::ActivityTaskFailed { scheduled_event_id, .. }
            | E::ActivityTaskTimedOut { scheduled_event_id, .. }
            | E::ActivityTaskCanceled { scheduled_event_id, .. } => {
                self.activity_news(*scheduled_event_id, &event.kind, jobs)
            }
            E::StartChildWorkflowExecutionFailed { initiated_event_id, .. }
            | E::ChildWorkflowExecutionStarted { initiated_event_id, .. }
            | E::ChildWorkflowExecutionCompleted { initiated_event_id, .. }
            | E::ChildWorkflowExecutionFailed { initiated_event_id, .. }
            | E::ChildWorkflowExecutionCanceled { initiated_event_id, .. }
            | E::ChildWorkflowExecutionTimedOut { initiated_event_id, .. }
            | E::ChildWorkflowExecutionTerminated { initiated_event_id } => {
                self.child_workflow_news(*initiated_event_id, &event, jobs)
            }
            E::ExternalWorkflowExecutionSignaled { initiated_event_id } => {
                self.signal_outcome(*initiated_event_id, Ok(()), jobs)
            }
            E::SignalExternalWorkflowExecutionFailed { initiated_event_id, cause } => {
                self.signal_outcome(*initiated_event_id, Err(*cause), jobs)
            }
            E::ExternalWorkflowExecutionCancelRequested { initiated_event_id } => {
                self.cancellation_outcome(*initiated_event_id, Ok(()), jobs)
            }
            E::RequestCancelExternalWorkflowExecutionFailed { initiated_event_id, cause } => {
                self.cancellation_outcome(*initiated_event_id, Err(*cause), jobs)
            }
            E::NexusOperationStarted { scheduled_event_id, .. }
            | E::NexusOperationCompleted { scheduled_event_id, .. }
            | E::NexusOperationFailed { scheduled_event_id, .. }
            | E::NexusOperationCanceled { scheduled_event_id, .. }
            | E::NexusOperationTimedOut { scheduled_event_id, .. }
            | E::NexusOperationCancelRequestCompleted { scheduled_event_id }
            | E::NexusOperationCancelRequestFailed { scheduled_event_id, .. } => {
                self.nexus_operation_news(*scheduled_event_id, &event.kind, jobs)
            }
            _ => Ok(()),
        };
        handled.map_err(|error| self.unexpected(&event, error))
    }

    fn unexpected(&self, event: &Event, error: ProtocolError) -> Box<Nondeterminism> {
        self.nondeterminism(event.id, Recorded::Outcome(event.kind.describe()), Issued::State(error.state))
    }

    fn nondeterminism(&self, event_id: i64, recorded: Recorded, issued: Issued) -> Box<Nondeterminism> {
        let last_match = self.last_match.as_ref().map(|(event_id, what)| (*event_id, what.describe()));
        Box::new(Nondeterminism { event_id, recorded, issued, last_match })
    }
}

/// Numbers count up.
fn count_up(kind: &'static str, last: &mut u32, sequence: u32) -> Result<(), CommandError> {
    if sequence <= *last {
        return Err(CommandError::SequenceReused { kind, sequence });
    }
    *last = sequence;
    Ok(())
}

/// News of something that user code has not asked for, as far as this code knows.
fn not_under_way() -> ProtocolError {
    ProtocolError { state: "it has no such operation under way".to_owned() }
}

/// News that names the wrong kind of operation.
fn another_kind(event_id: i64, key: Key) -> ProtocolError {
    ProtocolError { state: format!("event {event_id} is {key}") }
}

fn to_task_queue(name: String) -> TaskQueue {
    TaskQueue { name, kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}

fn to_payloads(payloads: Vec<Payload>) -> Option<Payloads> {
    (!payloads.is_empty()).then_some(Payloads { payloads })
}

/// Its machine, and its places in the maps.
const BYTES_OF_AN_OPERATION: u64 = 256;
