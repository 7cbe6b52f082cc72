//! The life of a run's Workflow Tasks.
//!
//! ```text
//!              schedule                 start                  complete
//!   no task ─────────────▶ scheduled ─────────────▶ started ───────────────▶ no task
//!      ▲                       │                       │
//!      └───────────────────────┴───── fail, time out ──┘   (then scheduled again at once)
//! ```
//!
//! Facts (server 1.32):
//! - A task that fails or times out is scheduled again at once. If it was on the normal queue, the retry counts as the
//!   next attempt; if the run had a sticky queue, the run loses it, and the retry is a first attempt on the normal queue.
//!   A failure while Events are buffered also leads to a first attempt, behind those Events.
//! - Attempts above the first are transient: their Scheduled and Started Events are not in the history. They are shown
//!   behind it, with the ids that they would have, and are written when the attempt completes. A transient attempt that
//!   fails or times out leaves no trace.
//! - If Events were written after a transient attempt was scheduled, starting it makes an ordinary first attempt of it.
//! - What a speculative task is, which exists for an Update alone, stands in `speculative_task.rs`.
//! - From the fourth attempt on a task gets five seconds more to start with, doubled each time up to ten minutes, so that
//!   a worker that says nothing fails more slowly. (The server adds chance to that; the model does not.)

use std::time::Duration;

use timewright_proto::enums::{TaskQueueKind, TimeoutType, WorkflowTaskFailedCause};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    HistoryEvent, WorkflowTaskFailedEventAttributes, WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes, WorkflowTaskTimedOutEventAttributes,
};
use timewright_proto::task_queue::TaskQueue;

use crate::events::new_event;
use crate::execution::{Context, Effect, Execution, after};
use crate::time::{Time, checked_duration, wire_duration};
use crate::token::WorkflowTaskToken;

/// A Workflow Task that has no outcome yet.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowTask {
    pub(crate) scheduled_event_id: i64,
    pub(crate) attempt: i32,
    pub(crate) scheduled_at: Time,
    /// When the task was scheduled that this one prolongs; when it was itself, if it prolongs none.
    pub(crate) first_scheduled_at: Time,
    /// Not in the history, because it exists for an Update alone.
    pub(crate) is_speculative: bool,
    /// What it is called between the run and the queue, where ids and attempt may not be unique.
    pub(crate) dispatch: u64,
    /// Where the Event says that it is; the queue that it is really in may be another.
    queue: TaskQueue,
    start_to_close: Duration,
    /// Until when somebody must have started it.
    pub(crate) expires: Option<Time>,
    pub(crate) started: Option<StartedTask>,
}

/// What is known of a task since it was started.
#[derive(Debug, Clone)]
pub(crate) struct StartedTask {
    pub(crate) event_id: i64,
    pub(crate) at: Time,
    pub(crate) attributes: WorkflowTaskStartedEventAttributes,
}

impl WorkflowTask {
    /// Not in the history, because it is a retry.
    pub(crate) fn is_transient(&self) -> bool {
        self.attempt > 1
    }

    pub(crate) fn is_recorded(&self) -> bool {
        !self.is_transient() && !self.is_speculative
    }
}

/// The queue of the worker that has a run cached.
#[derive(Debug, Clone)]
pub(crate) struct Sticky {
    pub(crate) queue: String,
    /// How long a task may wait there.
    pub(crate) schedule_to_start: Duration,
}

impl Execution {
    pub(crate) fn has_started_task(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.started.is_some())
    }

    /// The first task of a run, when its back-off is over or something cannot wait.
    pub(crate) fn schedule_first_task(&mut self, context: &mut Context<'_>) {
        if self.first_task_at.take().is_some() && self.task.is_none() {
            self.schedule_task(context);
        }
    }

    /// Makes the worker hear of what has happened, unless it will anyway.
    ///
    /// Fact (server 1.32): a signal during the back-off before a run's first task waits for that task, a request to
    /// cancel schedules it at once. If an Update has brought a task before, there is no other first task.
    pub(crate) fn wake_worker(&mut self, context: &mut Context<'_>) {
        if self.first_task_at.is_none() && self.task.is_none() {
            self.schedule_task(context);
        }
    }

    pub(crate) fn schedule_task(&mut self, context: &mut Context<'_>) {
        self.first_task_at = None;
        if self.events.has_buffered() {
            self.next_attempt = 1;
            self.events.flush();
        }
        let mut task = self.new_task(context);
        if !task.is_transient() {
            task.scheduled_event_id = self.record_scheduled(&task, context.now);
        }
        self.task = Some(task);
        self.outbox.push(Effect::DispatchWorkflowTask);
    }

    pub(crate) fn new_task(&self, context: &mut Context<'_>) -> WorkflowTask {
        WorkflowTask {
            scheduled_event_id: self.events.next_id(),
            attempt: self.next_attempt,
            scheduled_at: context.now,
            first_scheduled_at: context.now,
            is_speculative: false,
            dispatch: context.random.next(),
            queue: self.current_task_queue(),
            start_to_close: self.start_to_close(self.next_attempt),
            expires: self.sticky.as_ref().and_then(|sticky| after(context.now, sticky.schedule_to_start)),
            started: None,
        }
    }

    /// Gives the scheduled task to a worker that polled `queue`.
    pub(crate) fn start_task(&mut self, queue: &str, identity: &str, context: &mut Context<'_>) {
        let Some(mut task) = self.task.take() else { return };
        if self.sticky.as_ref().is_some_and(|sticky| sticky.queue != queue) {
            // It was put into the normal queue because nobody polls the sticky one.
            self.sticky = None;
            if task.is_speculative {
                task.queue = self.current_task_queue();
            }
        }
        if task.is_transient() && task.scheduled_event_id != self.events.next_id() {
            self.next_attempt = 1;
            task.attempt = 1;
            task.queue = self.current_task_queue();
            task.scheduled_event_id = self.record_scheduled(&task, context.now);
        }
        let suggestion = context.options.suggest_continue_as_new(self.events.next_id());
        let attributes = WorkflowTaskStartedEventAttributes {
            scheduled_event_id: task.scheduled_event_id,
            identity: identity.to_owned(),
            request_id: context.random.uuid(),
            suggest_continue_as_new: suggestion.is_some(),
            suggest_continue_as_new_reasons: suggestion.into_iter().map(Into::into).collect(),
            history_size_bytes: self.events.bytes(),
            ..WorkflowTaskStartedEventAttributes::default()
        };
        let event_id = if task.is_recorded() {
            self.events.record(context.now, Attributes::WorkflowTaskStartedEventAttributes(attributes.clone().into()))
        } else {
            task.scheduled_event_id + 1
        };
        self.leaves_no_trace = task.is_speculative;
        task.started = Some(StartedTask { event_id, at: context.now, attributes });
        self.task = Some(task);
    }

    /// The task that a token names, if its answer still counts.
    pub(crate) fn started_task(&self, token: &WorkflowTaskToken) -> Option<(&WorkflowTask, &StartedTask)> {
        let task = self.task.as_ref()?;
        let started = task.started.as_ref()?;
        (self.task_token(task, started) == *token).then_some((task, started))
    }

    pub(crate) fn task_token(&self, task: &WorkflowTask, started: &StartedTask) -> WorkflowTaskToken {
        WorkflowTaskToken {
            run_id: self.run_id.clone(),
            scheduled_event_id: task.scheduled_event_id,
            started_event_id: started.event_id,
            attempt: task.attempt,
            dispatch: task.dispatch,
        }
    }

    /// Events of a transient or speculative task, which stand behind the history and not in it.
    ///
    /// Fact (server 1.32): whoever asks for the history sees them too, without the worker's identity.
    pub(crate) fn transient_events(&self, show_identity: bool) -> Vec<HistoryEvent> {
        let Some(task) = self.task.as_ref().filter(|task| !task.is_recorded()) else { return Vec::new() };
        if task.scheduled_event_id != self.events.next_id() {
            return Vec::new();
        }
        let mut scheduled = new_event(task.scheduled_at, scheduled_attributes(task));
        scheduled.event_id = task.scheduled_event_id;
        let started = task.started.as_ref().map(|started| {
            let mut attributes = started.attributes.clone();
            if !show_identity {
                attributes.identity.clear();
            }
            let mut event = new_event(started.at, Attributes::WorkflowTaskStartedEventAttributes(attributes.into()));
            event.event_id = started.event_id;
            event
        });
        std::iter::once(scheduled).chain(started).collect()
    }

    /// Ends the started task with a failure. Whether it is tried again is the caller's.
    pub(crate) fn fail_task(
        &mut self,
        cause: WorkflowTaskFailedCause,
        failure: Option<Failure>,
        identity: &str,
        context: &mut Context<'_>,
    ) {
        self.record_speculative_task_as(identity);
        let Some((task, started)) = self.take_started_task() else { return };
        if !task.is_transient() {
            let failed = WorkflowTaskFailedEventAttributes {
                scheduled_event_id: task.scheduled_event_id,
                started_event_id: started.event_id,
                cause: cause.into(),
                failure,
                identity: identity.to_owned(),
                ..WorkflowTaskFailedEventAttributes::default()
            };
            self.events.record(context.now, Attributes::WorkflowTaskFailedEventAttributes(failed.into()));
        }
        self.prepare_retry(task.attempt, true);
        self.closing_attempted = cause == WorkflowTaskFailedCause::UnhandledCommand;
    }

    /// When the task's time is over: that to start it on a sticky queue, or that to answer it.
    pub(crate) fn task_timeout(&self) -> Option<Time> {
        let task = self.task.as_ref()?;
        match &task.started {
            None => task.expires,
            Some(started) => after(started.at, task.start_to_close),
        }
    }

    pub(crate) fn time_out_task(&mut self, context: &mut Context<'_>) {
        self.record_time_out(context);
        self.schedule_task(context);
    }

    pub(crate) fn record_time_out(&mut self, context: &mut Context<'_>) {
        self.record_speculative_task();
        let Some(task) = self.task.take() else { return };
        let timeout_type = if task.started.is_some() {
            self.closing_attempted = false;
            TimeoutType::StartToClose
        } else {
            TimeoutType::ScheduleToStart
        };
        if !task.is_transient() {
            let timed_out = WorkflowTaskTimedOutEventAttributes {
                scheduled_event_id: task.scheduled_event_id,
                started_event_id: task.started.as_ref().map_or(0, |started| started.event_id),
                timeout_type: timeout_type.into(),
            };
            self.events.record(context.now, Attributes::WorkflowTaskTimedOutEventAttributes(timed_out.into()));
        }
        self.prepare_retry(task.attempt, task.started.is_some());
    }

    pub(crate) fn take_started_task(&mut self) -> Option<(WorkflowTask, StartedTask)> {
        if !self.has_started_task() {
            return None;
        }
        let mut task = self.task.take()?;
        let started = task.started.take()?;
        self.closing_attempted = false;
        Some((task, started))
    }

    /// Fact (server 1.32): a task that nobody has started counts for nothing.
    fn prepare_retry(&mut self, attempt: i32, was_started: bool) {
        let was_sticky = self.sticky.take().is_some();
        self.next_attempt = if was_sticky || !was_started { 1 } else { attempt + 1 };
    }

    pub(crate) fn record_scheduled(&mut self, task: &WorkflowTask, at: Time) -> i64 {
        self.events.record(at, scheduled_attributes(task))
    }

    fn current_task_queue(&self) -> TaskQueue {
        let normal = self.task_queue();
        match &self.sticky {
            None => {
                TaskQueue { name: normal.to_owned(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
            }
            Some(sticky) => TaskQueue {
                name: sticky.queue.clone(),
                kind: TaskQueueKind::Sticky.into(),
                normal_name: normal.to_owned(),
            },
        }
    }

    fn start_to_close(&self, attempt: i32) -> Duration {
        let timeout = checked_duration(self.started.workflow_task_timeout.as_ref());
        match u32::try_from(attempt - FIRST_SLOWED_ATTEMPT) {
            Ok(slower) => timeout + (FIRST_SLOWING * 2_u32.saturating_pow(slower.min(16))).min(LONGEST_SLOWING),
            Err(_) => timeout,
        }
    }
}

fn scheduled_attributes(task: &WorkflowTask) -> Attributes {
    Attributes::WorkflowTaskScheduledEventAttributes(
        WorkflowTaskScheduledEventAttributes {
            task_queue: Some(task.queue.clone()),
            start_to_close_timeout: Some(wire_duration(task.start_to_close)),
            attempt: task.attempt,
        }
        .into(),
    )
}

const FIRST_SLOWED_ATTEMPT: i32 = 4;
const FIRST_SLOWING: Duration = Duration::from_secs(5);
const LONGEST_SLOWING: Duration = Duration::from_secs(600);
