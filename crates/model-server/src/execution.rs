//! One run of a workflow, as the server knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use timewright_proto::common::Priority;
use timewright_proto::enums::WorkflowExecutionStatus;
use timewright_proto::history::WorkflowExecutionStartedEventAttributes;
use timewright_proto::temporal::api::nexus::v1::Endpoint;

use crate::activity::Activity;
use crate::child::Child;
use crate::completion_pages::CompletionPages;
use crate::error::ServerError;
use crate::events::Events;
use crate::external::{ExternalCancellation, ExternalSignal};
use crate::nexus::{NexusOperation, RequestKind};
use crate::random::Random;
use crate::server::ServerOptions;
use crate::start::NextRun;
use crate::time::Time;
use crate::timer::Timer;
use crate::transfer::Transfer;
use crate::update::{Progress, Updates};
use crate::workflow_task::{Sticky, WorkflowTask};

/// A run. What belongs to one subject stands in that subject's file: `workflow_task.rs`, `activity.rs`, `timer.rs`,
/// `child.rs`, `external.rs`, `nexus/`, `update.rs`, `start.rs`, `close.rs`, `reset.rs`, `command/`.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    /// What it was started with.
    pub(crate) started: WorkflowExecutionStartedEventAttributes,
    /// The present one.
    pub(crate) priority: Option<Priority>,
    /// When its first Workflow Task was due; without a back-off, when it started.
    pub(crate) execution_time: Time,
    /// The end of this run.
    pub(crate) run_expires: Option<Time>,
    /// The end of all runs.
    pub(crate) execution_expires: Option<Time>,
    pub(crate) status: WorkflowExecutionStatus,
    pub(crate) cancel_requested: bool,
    /// Ids of requests to signal.
    pub(crate) signal_requests: BTreeSet<String>,
    pub(crate) events: Events,

    /// When to schedule the first Workflow Task, while that has not been done.
    pub(crate) first_task_at: Option<Time>,
    /// The Workflow Task that is scheduled or started.
    pub(crate) task: Option<WorkflowTask>,
    /// Attempt of the next Workflow Task. Above 1, the task is transient.
    pub(crate) next_attempt: i32,
    /// Queue of the worker that has the run cached.
    pub(crate) sticky: Option<Sticky>,
    /// The `WorkflowTaskStarted` Event of the last completed task; 0 before.
    pub(crate) previous_started_event_id: i64,
    /// The last task tried to end the workflow, and was refused because something had happened.
    pub(crate) closing_attempted: bool,

    /// Running timers by the Event that started them.
    pub(crate) timers: BTreeMap<i64, Timer>,
    /// Activities without an outcome, by the Event that scheduled them.
    pub(crate) activities: BTreeMap<i64, Activity>,
    /// Children without an outcome, by the Event that initiated them. A closed run keeps them for its close policies.
    pub(crate) children: BTreeMap<i64, Child>,
    /// Signals to other workflows without an outcome, by the Event that initiated them.
    pub(crate) external_signals: BTreeMap<i64, ExternalSignal>,
    /// Requests to cancel other workflows without an outcome, by the Event that initiated them.
    pub(crate) external_cancellations: BTreeMap<i64, ExternalCancellation>,
    /// Nexus operations without an outcome, by the Event that scheduled them.
    pub(crate) nexus_operations: BTreeMap<i64, NexusOperation>,

    /// The run that goes on in its place since it was reset.
    pub(crate) reset_run_id: Option<String>,

    pub(crate) updates: Updates,
    /// Pages of the started task's completion.
    pub(crate) pages: Option<CompletionPages>,

    /// The request that is being done changes nothing that is recorded, so that a speculative task stays one.
    pub(crate) leaves_no_trace: bool,
    /// What the rest of the server must do.
    pub(crate) outbox: Vec<Effect>,
}

/// What a run asks of the rest of the server.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Put the scheduled Workflow Task into its queue.
    DispatchWorkflowTask,
    /// Put the attempt into the activity's queue.
    DispatchActivity { scheduled_event_id: i64 },
    /// Tell another run of something.
    Transfer(Transfer),
    /// Ask the operation's endpoint; an answer counts until the request expires.
    SendNexusRequest { scheduled_event_id: i64, kind: RequestKind, expires: Time },
    /// Start the next run of the workflow.
    StartRun(Box<NextRun>),
    /// Queries that waited for a Workflow Task get tasks of their own.
    ReleaseQueries,
    /// Tell those who wait for the Update.
    ReportUpdate { update_id: String, progress: Progress },
}

/// What every operation on a run needs to know.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) options: &'a ServerOptions,
    /// By name.
    pub(crate) nexus_endpoints: &'a BTreeMap<String, Endpoint>,
    pub(crate) random: &'a mut Random,
}

impl Execution {
    pub(crate) fn is_running(&self) -> bool {
        self.status == WorkflowExecutionStatus::Running
    }

    /// For requests that only a running workflow can take.
    pub(crate) fn check_running(&self) -> Result<(), ServerError> {
        if self.is_running() {
            return Ok(());
        }
        Err(ServerError::NotFound("workflow execution already completed".into()))
    }

    /// The end of a request: writes what can be written.
    pub(crate) fn settle(&mut self) {
        if !std::mem::take(&mut self.leaves_no_trace) {
            self.record_speculative_task();
        }
        if !self.has_started_task() {
            self.events.flush();
        }
        self.events.end_batch();
    }

    pub(crate) fn task_queue(&self) -> &str {
        self.started.task_queue.as_ref().map_or("", |queue| &queue.name)
    }

    pub(crate) fn workflow_type(&self) -> &str {
        self.started.workflow_type.as_ref().map_or("", |workflow_type| &workflow_type.name)
    }

    /// What happens next if nobody does anything.
    pub(crate) fn next_deadline(&self) -> Option<(Time, Deadline)> {
        if !self.is_running() {
            return None;
        }
        [
            self.first_task_at.map(|time| (time, Deadline::FirstWorkflowTask)),
            self.timers.values().map(|timer| timer.fires).min().map(|time| (time, Deadline::Timers)),
            self.next_activity_timeout().map(|time| (time, Deadline::ActivityTimeouts)),
            self.next_activity_retry().map(|time| (time, Deadline::ActivityRetries)),
            self.next_nexus_deadline().map(|time| (time, Deadline::NexusOperations)),
            self.task_timeout().map(|time| (time, Deadline::WorkflowTask)),
            self.execution_expires.map(|time| (time, Deadline::Execution)),
            self.run_expires.map(|time| (time, Deadline::Run)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    pub(crate) fn handle_deadline(&mut self, deadline: Deadline, context: &mut Context<'_>) {
        match deadline {
            Deadline::FirstWorkflowTask => self.schedule_first_task(context),
            Deadline::Timers => self.fire_timers(context),
            Deadline::ActivityTimeouts => self.time_out_activities(context),
            Deadline::ActivityRetries => self.retry_activities(context),
            Deadline::NexusOperations => self.handle_nexus_deadline(context),
            Deadline::WorkflowTask => self.time_out_task(context),
            Deadline::Execution => self.time_out_execution(context),
            Deadline::Run => self.time_out_run(context),
        }
    }
}

/// Something that happens by itself. Of what is due at the same moment, the first of this list comes first; the real
/// server keeps no order there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    FirstWorkflowTask,
    Timers,
    ActivityTimeouts,
    ActivityRetries,
    NexusOperations,
    Execution,
    Run,
    WorkflowTask,
}

/// A time-out of zero is none.
pub(crate) fn after(start: Time, timeout: Duration) -> Option<Time> {
    (!timeout.is_zero()).then(|| start + timeout)
}
