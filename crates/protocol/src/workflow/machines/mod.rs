//! The machines: one for each operation that user code has under way.
//!
//! A machine is a `State` and one `match` on (state, input). It knows nothing of ids, Payloads or Commands: it answers with
//! an [`Effect`], and [`Machines`] does it. What a `match` does not list is a [`ProtocolError`].
//!
//! Commands stand in one queue, in the order in which user code issued them. There they are taken for sending, and there
//! they wait for their record in the history, which must come in the same order. Commands that history only records (the
//! four ways to end) have no machine: they are issued, then recorded.

mod activity;
#[cfg(test)]
mod table;
mod timer;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    CancelTimerCommandAttributes, CancelWorkflowExecutionCommandAttributes, Command as WireCommand,
    CompleteWorkflowExecutionCommandAttributes, ContinueAsNewWorkflowExecutionCommandAttributes,
    FailWorkflowExecutionCommandAttributes, RequestCancelActivityTaskCommandAttributes,
    ScheduleActivityTaskCommandAttributes, StartTimerCommandAttributes,
};
use timewright_proto::common::{ActivityType, Payload, Payloads, WorkflowType};
use timewright_proto::enums::{CommandType, ContinueAsNewInitiator, RetryState, TaskQueueKind};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ActivityFailureInfo, CanceledFailureInfo, Failure};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::sdk::v1::UserMetadata;
use timewright_proto::to_duration;

use super::activation::{Job, Resolution};
use super::command::{ActivityCancellationType, Command, ContinueAsNew, ScheduleActivity, StartTimer};
use super::event::{Event, EventKind};
use super::nondeterminism::{Issued, Nondeterminism, Recorded};

/// What a transition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    /// Take the Command that has not been sent out of the queue.
    Withdraw,
    /// Likewise, and tell user code that the operation was cancelled.
    WithdrawAndTellCancelled,
    /// Put the Command that cancels the operation into the queue.
    IssueCancel,
    /// Likewise, and tell user code that the operation was cancelled.
    IssueCancelAndTellCancelled,
    /// Tell user code that the operation was cancelled.
    TellCancelled,
    /// Tell user code the outcome.
    Resolve,
}

/// A transition that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProtocolError {
    /// Where the machine stood, for a person.
    state: String,
}

/// A Command of user code that cannot be carried out. User code's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Numbers must count up.
    #[error("{kind} number {sequence} was started twice, or out of order: numbers of one kind count up by one")]
    SequenceReused {
        /// `timer` or `activity`.
        kind: &'static str,
        /// The number.
        sequence: u32,
    },
    /// An answer that nobody waits for.
    #[error("query {id:?} was answered, but it was not asked now")]
    UnknownQuery {
        /// The Query.
        id: String,
    },
    /// A Query changed something.
    #[error("query {name:?} issued {command}: a query may only answer")]
    CommandInQuery {
        /// The Query.
        name: String,
        /// What it issued.
        command: String,
    },
    /// A Query was not answered.
    #[error("query {name:?} was not answered")]
    QueryNotAnswered {
        /// The Query.
        name: String,
    },
    /// A second end of the same workflow.
    #[error("the workflow ended twice")]
    EndedTwice,
}

/// Which machine a Command belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Timer(u32),
    Activity(u32),
    /// A Command that history only records.
    Recorded,
}

/// A Command in the queue.
#[derive(Debug, Clone)]
struct Queued {
    key: Key,
    what: What,
    /// Taken when it is sent.
    command: Option<WireCommand>,
}

/// What a Command's record in the history must say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    StartTimer { timer_id: String },
    CancelTimer { started_event_id: i64 },
    ScheduleActivity { activity_id: String, activity_type: String },
    RequestCancelActivity { scheduled_event_id: i64 },
    CompleteWorkflow,
    FailWorkflow,
    CancelWorkflow,
    ContinueAsNew,
}

#[derive(Debug, Clone)]
struct Timer {
    state: timer::State,
    timer_id: String,
    started_event_id: i64,
}

#[derive(Debug, Clone)]
struct Activity {
    state: activity::State,
    activity_id: String,
    activity_type: String,
    cancellation_type: ActivityCancellationType,
    scheduled_event_id: i64,
}

/// All operations of a Run that have no outcome yet, and its Commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machines {
    queue: VecDeque<Queued>,
    timers: BTreeMap<u32, Timer>,
    activities: BTreeMap<u32, Activity>,
    /// Which operation an Event means that names the Event which started it.
    by_event: BTreeMap<i64, Key>,
    last_timer: u32,
    last_activity: u32,
    ended: bool,
    last_match: Option<i64>,
}

impl Machines {
    /// Whether the workflow has issued the Command that ends it.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Takes a Command of user code; what user code must be told because of it goes to `jobs`.
    pub(crate) fn handle_command(&mut self, command: Command, jobs: &mut Vec<Job>) -> Result<(), CommandError> {
        match command {
            Command::StartTimer(start) => self.start_timer(start),
            Command::CancelTimer { sequence } => {
                self.cancel_timer(sequence);
                Ok(())
            }
            Command::ScheduleActivity(schedule) => self.schedule_activity(*schedule),
            Command::RequestCancelActivity { sequence } => {
                self.cancel_activity(sequence, jobs);
                Ok(())
            }
            Command::AnswerQuery { id, .. } => Err(CommandError::UnknownQuery { id }),
            Command::CompleteWorkflow { result } => self.end(
                What::CompleteWorkflow,
                Attributes::CompleteWorkflowExecutionCommandAttributes(CompleteWorkflowExecutionCommandAttributes {
                    result: result.map(|payload| Payloads { payloads: vec![payload] }),
                }),
            ),
            Command::FailWorkflow { failure } => self.end(
                What::FailWorkflow,
                Attributes::FailWorkflowExecutionCommandAttributes(FailWorkflowExecutionCommandAttributes {
                    failure: Some(*failure),
                }),
            ),
            Command::CancelWorkflow { details } => self.end(
                What::CancelWorkflow,
                Attributes::CancelWorkflowExecutionCommandAttributes(CancelWorkflowExecutionCommandAttributes {
                    details: to_payloads(details),
                }),
            ),
            Command::ContinueAsNew(next) => self.end(
                What::ContinueAsNew,
                Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(continue_as_new(*next)),
            ),
        }
    }

    fn start_timer(&mut self, start: StartTimer) -> Result<(), CommandError> {
        if start.sequence <= self.last_timer {
            return Err(CommandError::SequenceReused { kind: "timer", sequence: start.sequence });
        }
        self.last_timer = start.sequence;
        let timer_id = start.sequence.to_string();
        let attributes = Attributes::StartTimerCommandAttributes(StartTimerCommandAttributes {
            timer_id: timer_id.clone(),
            start_to_fire_timeout: Some(to_duration(start.duration.max(Duration::from_millis(1)))),
        });
        let what = What::StartTimer { timer_id: timer_id.clone() };
        self.issue(Key::Timer(start.sequence), what, attributes, start.summary);
        self.timers.insert(start.sequence, Timer { state: timer::State::Issued, timer_id, started_event_id: 0 });
        Ok(())
    }

    fn schedule_activity(&mut self, schedule: ScheduleActivity) -> Result<(), CommandError> {
        let sequence = schedule.sequence;
        if sequence <= self.last_activity {
            return Err(CommandError::SequenceReused { kind: "activity", sequence });
        }
        self.last_activity = sequence;
        let activity_id = schedule.activity_id.unwrap_or_else(|| sequence.to_string());
        let activity_type = schedule.activity_type;
        let attributes = Attributes::ScheduleActivityTaskCommandAttributes(ScheduleActivityTaskCommandAttributes {
            activity_id: activity_id.clone(),
            activity_type: Some(ActivityType { name: activity_type.clone() }),
            task_queue: Some(to_task_queue(schedule.task_queue)),
            header: Some(schedule.header),
            input: to_payloads(schedule.arguments),
            schedule_to_close_timeout: schedule.schedule_to_close_timeout.map(to_duration),
            schedule_to_start_timeout: schedule.schedule_to_start_timeout.map(to_duration),
            start_to_close_timeout: schedule.start_to_close_timeout.map(to_duration),
            heartbeat_timeout: schedule.heartbeat_timeout.map(to_duration),
            retry_policy: schedule.retry_policy,
            request_eager_execution: false,
            use_workflow_build_id: false,
            priority: schedule.priority,
        });
        let what = What::ScheduleActivity { activity_id: activity_id.clone(), activity_type: activity_type.clone() };
        self.issue(Key::Activity(sequence), what, attributes, schedule.summary);
        let machine = Activity {
            state: activity::State::Issued,
            activity_id,
            activity_type,
            cancellation_type: schedule.cancellation_type,
            scheduled_event_id: 0,
        };
        self.activities.insert(sequence, machine);
        Ok(())
    }

    /// Too late, or never started: nothing to do.
    fn cancel_timer(&mut self, sequence: u32) {
        let Some(timer) = self.timers.get_mut(&sequence) else { return };
        let (started_event_id, timer_id) = (timer.started_event_id, timer.timer_id.clone());
        let Ok((state, effect)) = timer.state.handle(timer::Input::Cancel) else { return };
        timer.state = state;
        match effect {
            Effect::Withdraw => self.withdraw(Key::Timer(sequence)),
            Effect::IssueCancel => self.issue(
                Key::Timer(sequence),
                What::CancelTimer { started_event_id },
                Attributes::CancelTimerCommandAttributes(CancelTimerCommandAttributes { timer_id }),
                None,
            ),
            _ => (),
        }
        self.forget_closed_timer(sequence);
    }

    /// Too late, or never scheduled: nothing to do.
    fn cancel_activity(&mut self, sequence: u32, jobs: &mut Vec<Job>) {
        let Some(activity) = self.activities.get_mut(&sequence) else { return };
        let input = activity::Input::Cancel(activity.cancellation_type);
        let Ok((state, effect)) = activity.state.handle(input) else { return };
        activity.state = state;
        let scheduled_event_id = activity.scheduled_event_id;
        if matches!(
            effect,
            Effect::TellCancelled | Effect::WithdrawAndTellCancelled | Effect::IssueCancelAndTellCancelled
        ) {
            let failure = Box::new(activity.cancelled(0, String::new(), Vec::new()));
            jobs.push(Job::ResolveActivity { sequence, resolution: Resolution::Cancelled(failure) });
        }
        match effect {
            Effect::WithdrawAndTellCancelled => self.withdraw(Key::Activity(sequence)),
            Effect::IssueCancel | Effect::IssueCancelAndTellCancelled => self.issue(
                Key::Activity(sequence),
                What::RequestCancelActivity { scheduled_event_id },
                Attributes::RequestCancelActivityTaskCommandAttributes(RequestCancelActivityTaskCommandAttributes {
                    scheduled_event_id,
                }),
                None,
            ),
            _ => (),
        }
        self.forget_closed_activity(sequence);
    }

    fn end(&mut self, what: What, attributes: Attributes) -> Result<(), CommandError> {
        if self.ended {
            return Err(CommandError::EndedTwice);
        }
        self.ended = true;
        self.issue(Key::Recorded, what, attributes, None);
        Ok(())
    }

    fn issue(&mut self, key: Key, what: What, attributes: Attributes, summary: Option<Payload>) {
        let command = WireCommand {
            command_type: command_type(&attributes).into(),
            user_metadata: summary.map(|summary| UserMetadata { summary: Some(summary), details: None }),
            event_group_markers: Vec::new(),
            attributes: Some(attributes),
        };
        let queued = Queued { key, what, command: Some(command) };
        // What ends the workflow comes last, whatever else was issued after it.
        match self.queue.back() {
            Some(last) if last.key == Key::Recorded => self.queue.insert(self.queue.len() - 1, queued),
            _ => self.queue.push_back(queued),
        }
    }

    fn withdraw(&mut self, key: Key) {
        self.queue.retain(|queued| queued.key != key);
    }

    /// The Commands to send with this Workflow Task. They stay in the queue until their record comes.
    pub(crate) fn take_commands(&mut self) -> Vec<WireCommand> {
        self.queue.iter_mut().filter_map(|queued| queued.command.take()).collect()
    }

    /// Takes an Event that is the record of a Command: it must be the Command which has waited longest.
    pub(crate) fn handle_record(&mut self, event: &Event) -> Result<(), Box<Nondeterminism>> {
        let Some(queued) = self.queue.pop_front_if(|queued| queued.what.is_recorded_by(&event.kind)) else {
            let recorded = Recorded::Command(event.kind.describe());
            return Err(self.nondeterminism(event.id, recorded, self.next_issued()));
        };
        self.last_match = Some(event.id);
        let moved = match (queued.key, &queued.what) {
            (Key::Timer(sequence), What::StartTimer { .. }) => {
                self.started(event.id, queued.key);
                self.timer_event(sequence, timer::Input::TimerStarted).map(|_| ())
            }
            (Key::Timer(sequence), _) => self.timer_event(sequence, timer::Input::TimerCanceled).map(|_| ()),
            (Key::Activity(sequence), What::ScheduleActivity { .. }) => {
                self.started(event.id, queued.key);
                self.activity_event(sequence, activity::Input::Scheduled).map(|_| ())
            }
            (Key::Activity(sequence), _) => self.activity_event(sequence, activity::Input::CancelRequested).map(|_| ()),
            (Key::Recorded, _) => Ok(()),
        };
        moved.map_err(|error| self.unexpected(event, error))
    }

    /// The record of a task's Commands is complete: whatever still waits was never recorded.
    pub(crate) fn handle_end_of_record(&self, event_id: i64) -> Result<(), Box<Nondeterminism>> {
        match self.queue.is_empty() {
            true => Ok(()),
            false => Err(self.nondeterminism(event_id, Recorded::NoCommand, self.next_issued())),
        }
    }

    /// Takes an Event that is news about an operation, and tells user code.
    pub(crate) fn handle_outcome(&mut self, event: Event, jobs: &mut Vec<Job>) -> Result<(), Box<Nondeterminism>> {
        let unknown = || ProtocolError { state: "it has no such operation under way".to_owned() };
        let named = match &event.kind {
            EventKind::TimerFired { started_event_id } => *started_event_id,
            EventKind::ActivityTaskStarted { scheduled_event_id }
            | EventKind::ActivityTaskCompleted { scheduled_event_id, .. }
            | EventKind::ActivityTaskFailed { scheduled_event_id, .. }
            | EventKind::ActivityTaskTimedOut { scheduled_event_id, .. }
            | EventKind::ActivityTaskCanceled { scheduled_event_id, .. } => *scheduled_event_id,
            _ => return Ok(()),
        };
        let handled = match (self.by_event.get(&named).copied(), &event.kind) {
            (Some(Key::Timer(sequence)), EventKind::TimerFired { .. }) => self.fire_timer(sequence, jobs),
            (Some(Key::Activity(sequence)), EventKind::ActivityTaskStarted { .. }) => {
                self.activity_event(sequence, activity::Input::Started).map(|_| ())
            }
            (Some(Key::Timer(sequence)), _) => {
                Err(ProtocolError { state: format!("event {named} is timer {sequence}") })
            }
            (Some(Key::Activity(sequence)), EventKind::TimerFired { .. }) => {
                Err(ProtocolError { state: format!("event {named} is activity {sequence}") })
            }
            (Some(Key::Activity(sequence)), kind) => self.resolve_activity(sequence, kind, jobs),
            (Some(Key::Recorded) | None, _) => Err(unknown()),
        };
        handled.map_err(|error| self.unexpected(&event, error))
    }

    fn fire_timer(&mut self, sequence: u32, jobs: &mut Vec<Job>) -> Result<(), ProtocolError> {
        if self.timer_event(sequence, timer::Input::TimerFired)? == Effect::Resolve {
            jobs.push(Job::FireTimer { sequence });
        }
        Ok(())
    }

    fn resolve_activity(&mut self, sequence: u32, kind: &EventKind, jobs: &mut Vec<Job>) -> Result<(), ProtocolError> {
        let Some(activity) = self.activities.get(&sequence).cloned() else { return Ok(()) };
        if self.activity_event(sequence, activity::Input::Outcome)? == Effect::Resolve {
            jobs.push(Job::ResolveActivity { sequence, resolution: activity.resolution(kind) });
        }
        Ok(())
    }

    fn started(&mut self, event_id: i64, key: Key) {
        self.by_event.insert(event_id, key);
        match key {
            Key::Timer(sequence) => {
                if let Some(timer) = self.timers.get_mut(&sequence) {
                    timer.started_event_id = event_id;
                }
            }
            Key::Activity(sequence) => {
                if let Some(activity) = self.activities.get_mut(&sequence) {
                    activity.scheduled_event_id = event_id;
                }
            }
            Key::Recorded => (),
        }
    }

    fn timer_event(&mut self, sequence: u32, input: timer::Input) -> Result<Effect, ProtocolError> {
        let timer = self.timers.get_mut(&sequence).ok_or_else(|| gone("timer", sequence))?;
        let (state, effect) = timer.state.handle(input)?;
        timer.state = state;
        self.forget_closed_timer(sequence);
        Ok(effect)
    }

    fn activity_event(&mut self, sequence: u32, input: activity::Input) -> Result<Effect, ProtocolError> {
        let activity = self.activities.get_mut(&sequence).ok_or_else(|| gone("activity", sequence))?;
        let (state, effect) = activity.state.handle(input)?;
        activity.state = state;
        self.forget_closed_activity(sequence);
        Ok(effect)
    }

    /// Nothing more can come for it, so that a bounded history keeps a bounded state.
    fn forget_closed_timer(&mut self, sequence: u32) {
        if let Some(timer) = self.timers.get(&sequence).filter(|timer| timer.state == timer::State::Closed) {
            self.by_event.remove(&timer.started_event_id);
            self.timers.remove(&sequence);
        }
    }

    fn forget_closed_activity(&mut self, sequence: u32) {
        let closed = self.activities.get(&sequence).filter(|activity| activity.state == activity::State::Closed);
        if let Some(activity) = closed {
            self.by_event.remove(&activity.scheduled_event_id);
            self.activities.remove(&sequence);
        }
    }

    fn next_issued(&self) -> Issued {
        self.queue.front().map_or(Issued::NoCommand, |queued| Issued::Command(queued.what.describe()))
    }

    fn unexpected(&self, event: &Event, error: ProtocolError) -> Box<Nondeterminism> {
        self.nondeterminism(event.id, Recorded::Outcome(event.kind.describe()), Issued::State(error.state))
    }

    fn nondeterminism(&self, event_id: i64, recorded: Recorded, issued: Issued) -> Box<Nondeterminism> {
        Box::new(Nondeterminism { event_id, recorded, issued, last_match: self.last_match })
    }
}

impl Activity {
    fn resolution(&self, outcome: &EventKind) -> Resolution {
        match outcome {
            EventKind::ActivityTaskCompleted { result, .. } => Resolution::Completed(result.clone()),
            EventKind::ActivityTaskFailed { closed, .. } => {
                Resolution::Failed(Box::new(self.failure("Activity task failed", closed)))
            }
            EventKind::ActivityTaskTimedOut { closed, .. } => {
                Resolution::Failed(Box::new(self.failure("Activity task timed out", closed)))
            }
            EventKind::ActivityTaskCanceled { started_event_id, identity, details, .. } => {
                Resolution::Cancelled(Box::new(self.cancelled(*started_event_id, identity.clone(), details.clone())))
            }
            other => Resolution::Failed(Box::new(Failure { message: other.describe(), ..Failure::default() })),
        }
    }

    fn failure(&self, message: &str, closed: &super::event::ActivityClosed) -> Failure {
        let info = self.info(closed.started_event_id, closed.identity.clone(), closed.retry_state);
        Failure {
            message: message.to_owned(),
            cause: Some(Box::new(closed.failure.clone())),
            failure_info: Some(FailureInfo::ActivityFailureInfo(info)),
            ..Failure::default()
        }
    }

    fn cancelled(&self, started_event_id: i64, identity: String, details: Vec<Payload>) -> Failure {
        let cause = Failure {
            message: "Activity cancelled".to_owned(),
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details: to_payloads(details),
                ..CanceledFailureInfo::default()
            })),
            ..Failure::default()
        };
        Failure {
            message: "Activity task cancelled".to_owned(),
            cause: Some(Box::new(cause)),
            failure_info: Some(FailureInfo::ActivityFailureInfo(self.info(
                started_event_id,
                identity,
                RetryState::CancelRequested,
            ))),
            ..Failure::default()
        }
    }

    fn info(&self, started_event_id: i64, identity: String, retry_state: RetryState) -> ActivityFailureInfo {
        ActivityFailureInfo {
            scheduled_event_id: self.scheduled_event_id,
            started_event_id,
            identity,
            activity_type: Some(ActivityType { name: self.activity_type.clone() }),
            activity_id: self.activity_id.clone(),
            retry_state: retry_state.into(),
        }
    }
}

impl What {
    /// Whether `event` is the record of this Command: of its kind, and with its ids.
    fn is_recorded_by(&self, event: &EventKind) -> bool {
        match (self, event) {
            (Self::StartTimer { timer_id }, EventKind::TimerStarted { timer_id: recorded }) => timer_id == recorded,
            (Self::CancelTimer { started_event_id }, EventKind::TimerCanceled { started_event_id: recorded })
            | (
                Self::RequestCancelActivity { scheduled_event_id: started_event_id },
                EventKind::ActivityTaskCancelRequested { scheduled_event_id: recorded },
            ) => started_event_id == recorded,
            (
                Self::ScheduleActivity { activity_id, activity_type },
                EventKind::ActivityTaskScheduled { activity_id: recorded_id, activity_type: recorded_type },
            ) => activity_id == recorded_id && activity_type == recorded_type,
            (Self::CompleteWorkflow, EventKind::WorkflowExecutionCompleted)
            | (Self::FailWorkflow, EventKind::WorkflowExecutionFailed)
            | (Self::CancelWorkflow, EventKind::WorkflowExecutionCanceled)
            | (Self::ContinueAsNew, EventKind::WorkflowExecutionContinuedAsNew) => true,
            _ => false,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::StartTimer { timer_id } => format!("StartTimer (id {timer_id:?})"),
            Self::CancelTimer { started_event_id } => format!("CancelTimer (of event {started_event_id})"),
            Self::ScheduleActivity { activity_id, activity_type } => {
                format!("ScheduleActivityTask (type {activity_type:?}, id {activity_id:?})")
            }
            Self::RequestCancelActivity { scheduled_event_id } => {
                format!("RequestCancelActivityTask (of event {scheduled_event_id})")
            }
            Self::CompleteWorkflow => "CompleteWorkflowExecution".to_owned(),
            Self::FailWorkflow => "FailWorkflowExecution".to_owned(),
            Self::CancelWorkflow => "CancelWorkflowExecution".to_owned(),
            Self::ContinueAsNew => "ContinueAsNewWorkflowExecution".to_owned(),
        }
    }
}

fn gone(kind: &str, sequence: u32) -> ProtocolError {
    ProtocolError { state: format!("{kind} {sequence} is closed") }
}

fn continue_as_new(next: ContinueAsNew) -> ContinueAsNewWorkflowExecutionCommandAttributes {
    ContinueAsNewWorkflowExecutionCommandAttributes {
        workflow_type: Some(WorkflowType { name: next.workflow_type }),
        task_queue: Some(to_task_queue(next.task_queue)),
        input: to_payloads(next.arguments),
        workflow_run_timeout: next.workflow_run_timeout.map(to_duration),
        workflow_task_timeout: next.workflow_task_timeout.map(to_duration),
        retry_policy: next.retry_policy,
        initiator: ContinueAsNewInitiator::Workflow.into(),
        header: next.header,
        memo: next.memo,
        search_attributes: next.search_attributes,
        ..ContinueAsNewWorkflowExecutionCommandAttributes::default()
    }
}

fn command_type(attributes: &Attributes) -> CommandType {
    match attributes {
        Attributes::ScheduleActivityTaskCommandAttributes(_) => CommandType::ScheduleActivityTask,
        Attributes::RequestCancelActivityTaskCommandAttributes(_) => CommandType::RequestCancelActivityTask,
        Attributes::StartTimerCommandAttributes(_) => CommandType::StartTimer,
        Attributes::CancelTimerCommandAttributes(_) => CommandType::CancelTimer,
        Attributes::CompleteWorkflowExecutionCommandAttributes(_) => CommandType::CompleteWorkflowExecution,
        Attributes::FailWorkflowExecutionCommandAttributes(_) => CommandType::FailWorkflowExecution,
        Attributes::CancelWorkflowExecutionCommandAttributes(_) => CommandType::CancelWorkflowExecution,
        Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => CommandType::ContinueAsNewWorkflowExecution,
        Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(_) => {
            CommandType::RequestCancelExternalWorkflowExecution
        }
        Attributes::RecordMarkerCommandAttributes(_) => CommandType::RecordMarker,
        Attributes::StartChildWorkflowExecutionCommandAttributes(_) => CommandType::StartChildWorkflowExecution,
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(_) => CommandType::SignalExternalWorkflowExecution,
        Attributes::UpsertWorkflowSearchAttributesCommandAttributes(_) => CommandType::UpsertWorkflowSearchAttributes,
        Attributes::ProtocolMessageCommandAttributes(_) => CommandType::ProtocolMessage,
        Attributes::ModifyWorkflowPropertiesCommandAttributes(_) => CommandType::ModifyWorkflowProperties,
        Attributes::ScheduleNexusOperationCommandAttributes(_) => CommandType::ScheduleNexusOperation,
        Attributes::RequestCancelNexusOperationCommandAttributes(_) => CommandType::RequestCancelNexusOperation,
    }
}

fn to_task_queue(name: String) -> TaskQueue {
    TaskQueue { name, kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}

fn to_payloads(payloads: Vec<Payload>) -> Option<Payloads> {
    (!payloads.is_empty()).then_some(Payloads { payloads })
}
