//! Activities, seen from a workflow.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::future::FusedFuture;
use timewright_converter::{Arguments, ConversionError, Failure, FailureKind, Payload, RetryState, Value};
use timewright_proto::common::{Priority, RetryPolicy};
use timewright_protocol::workflow::{ActivityCancellationType, Resolution, ScheduleActivity};

use crate::error::ActivityFailure;
use crate::mailbox::{Activity, Handle, LocalActivity, Scope, SharedMailbox, read_failure};

/// How an activity is to be executed. Made from the one timeout that every activity must have:
/// [`start_to_close`](Self::start_to_close) or [`schedule_to_close`](Self::schedule_to_close).
///
/// <https://docs.temporal.io/encyclopedia/detecting-activity-failures>
///
/// ```
/// use std::time::Duration;
/// use timewright_workflow_worker::ActivityOptions;
///
/// let options = ActivityOptions::start_to_close(Duration::from_secs(30))
///     .task_queue("gpu")
///     .heartbeat_timeout(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct ActivityOptions {
    activity_id: Option<String>,
    task_queue: Option<String>,
    schedule_to_close_timeout: Option<Duration>,
    schedule_to_start_timeout: Option<Duration>,
    start_to_close_timeout: Option<Duration>,
    heartbeat_timeout: Option<Duration>,
    retry_policy: Option<RetryPolicy>,
    cancellation_type: ActivityCancellationType,
    eager_execution: bool,
    priority: Option<Priority>,
    summary: Option<String>,
}

impl ActivityOptions {
    /// One attempt may take this long. The usual choice.
    pub fn start_to_close(timeout: Duration) -> Self {
        Self { start_to_close_timeout: Some(timeout), ..Self::empty() }
    }

    /// All attempts together, waiting included, may take this long.
    pub fn schedule_to_close(timeout: Duration) -> Self {
        Self { schedule_to_close_timeout: Some(timeout), ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            activity_id: None,
            task_queue: None,
            schedule_to_close_timeout: None,
            schedule_to_start_timeout: None,
            start_to_close_timeout: None,
            heartbeat_timeout: None,
            retry_policy: None,
            cancellation_type: ActivityCancellationType::default(),
            eager_execution: true,
            priority: None,
            summary: None,
        }
    }

    /// The id in the history. Default: a number that counts the workflow's activities.
    pub fn activity_id(mut self, id: impl Into<String>) -> Self {
        self.activity_id = Some(id.into());
        self
    }

    /// Where it is executed. Default: the workflow's own Task Queue.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> Self {
        self.task_queue = Some(task_queue.into());
        self
    }

    /// One attempt may take this long.
    pub fn start_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.start_to_close_timeout = Some(timeout);
        self
    }

    /// All attempts together, waiting included, may take this long.
    pub fn schedule_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.schedule_to_close_timeout = Some(timeout);
        self
    }

    /// It may wait this long for a worker. Not retried.
    pub fn schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.schedule_to_start_timeout = Some(timeout);
        self
    }

    /// The longest silence between two heartbeats. Without it, a dead worker is noticed only when the attempt times out.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = Some(timeout);
        self
    }

    /// How it is tried again. Default: the server's, which tries for ever with growing pauses.
    /// Takes a [`RetryPolicy`](timewright_definition::RetryPolicy), or the wire's own message.
    /// <https://docs.temporal.io/encyclopedia/retry-policies>
    pub fn retry_policy(mut self, retry_policy: impl Into<RetryPolicy>) -> Self {
        self.retry_policy = Some(retry_policy.into());
        self
    }

    /// What cancelling it means. Default: [`ActivityCancellationType::TryCancel`].
    pub fn cancellation_type(mut self, cancellation_type: ActivityCancellationType) -> Self {
        self.cancellation_type = cancellation_type;
        self
    }

    /// Whether the worker may execute it at once, where it has room, without the way over the Task Queue. It never is on another
    /// Task Queue than the workflow's. Default: true.
    pub fn eager_execution(mut self, eager: bool) -> Self {
        self.eager_execution = eager;
        self
    }

    /// Its place in the Task Queue: a [`Priority`](timewright_definition::Priority), or the wire's own message. Default: the
    /// workflow's.
    pub fn priority(mut self, priority: impl Into<Priority>) -> Self {
        self.priority = Some(priority.into());
        self
    }

    /// A line for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    pub(crate) fn into_command(
        self,
        activity_type: &str,
        arguments: Vec<Payload>,
        workflow_task_queue: &str,
    ) -> ScheduleActivity {
        let task_queue = self.task_queue.unwrap_or_else(|| workflow_task_queue.to_owned());
        ScheduleActivity {
            activity_id: self.activity_id,
            activity_type: activity_type.to_owned(),
            eager_execution: self.eager_execution && task_queue == workflow_task_queue,
            task_queue,
            arguments,
            schedule_to_close_timeout: self.schedule_to_close_timeout,
            schedule_to_start_timeout: self.schedule_to_start_timeout,
            start_to_close_timeout: self.start_to_close_timeout,
            heartbeat_timeout: self.heartbeat_timeout,
            retry_policy: self.retry_policy,
            cancellation_type: self.cancellation_type,
            priority: self.priority,
            // A String is always written.
            summary: self.summary.and_then(|summary| summary.to_payload().ok()),
            ..ScheduleActivity::default()
        }
    }
}

/// An activity, or a Local Activity, that was scheduled:
/// [`WorkflowContext::execute_activity`](crate::WorkflowContext::execute_activity) and
/// [`execute_local_activity`](crate::WorkflowContext::execute_local_activity).
///
/// Gives its result. Dropping it does not cancel the activity.
#[must_use = "the activity runs, but nobody waits for it"]
pub struct ActivityHandle<O> {
    activity_type: String,
    state: State,
    output: PhantomData<fn() -> O>,
}

enum State {
    Scheduled(Handle<Activity>),
    Local(Handle<LocalActivity>),
    /// It was never scheduled, since the workflow had been cancelled; why.
    NeverScheduled(String),
    Unwritable(ConversionError),
    Done,
}

impl<O> ActivityHandle<O> {
    pub(crate) fn scheduled(
        mailbox: &SharedMailbox,
        scope: &Scope,
        activity_type: &str,
        sequence: Option<u32>,
    ) -> Self {
        let state = sequence.map(|sequence| State::Scheduled(Handle::new(mailbox, sequence)));
        Self::new(activity_type, state.unwrap_or_else(|| State::NeverScheduled(reason(scope))))
    }

    pub(crate) fn local(mailbox: &SharedMailbox, scope: &Scope, activity_type: &str, sequence: Option<u32>) -> Self {
        let state = sequence.map(|sequence| State::Local(Handle::new(mailbox, sequence)));
        Self::new(activity_type, state.unwrap_or_else(|| State::NeverScheduled(reason(scope))))
    }

    pub(crate) fn unwritable(activity_type: &str, error: ConversionError) -> Self {
        Self::new(activity_type, State::Unwritable(error))
    }

    fn new(activity_type: &str, state: State) -> Self {
        Self { activity_type: activity_type.to_owned(), state, output: PhantomData }
    }

    /// Cancels the activity as its [`ActivityCancellationType`] says. Too late is no error.
    pub fn cancel(&self) {
        match &self.state {
            State::Scheduled(handle) => handle.cancel(""),
            State::Local(handle) => handle.cancel(""),
            State::NeverScheduled(_) | State::Unwritable(_) | State::Done => (),
        }
    }
}

impl<O: Value> Future for ActivityHandle<O> {
    type Output = Result<O, ActivityFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (mailbox, resolution) = match &this.state {
            State::Scheduled(handle) => (Rc::clone(handle.mailbox()), ready!(handle.poll(task))),
            State::Local(handle) => (Rc::clone(handle.mailbox()), ready!(handle.poll(task))),
            _ => return Poll::Ready(Err(this.end_without_outcome())),
        };
        this.state = State::Done;
        Poll::Ready(this.outcome(&mailbox, resolution))
    }
}

impl<O: Value> FusedFuture for ActivityHandle<O> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

impl<O: Value> ActivityHandle<O> {
    fn outcome(&self, mailbox: &SharedMailbox, resolution: Resolution) -> Result<O, ActivityFailure> {
        match resolution {
            Resolution::Completed(result) => read_result(result)
                .map_err(|error| ActivityFailure::Conversion { activity_type: self.activity_type.clone(), error }),
            Resolution::Failed(failure) => Err(ActivityFailure::Failed(read_failure(mailbox, *failure))),
            Resolution::Cancelled(failure) => Err(ActivityFailure::Cancelled(read_failure(mailbox, *failure))),
        }
    }

    fn end_without_outcome(&mut self) -> ActivityFailure {
        match std::mem::replace(&mut self.state, State::Done) {
            State::NeverScheduled(reason) => ActivityFailure::Cancelled(Box::new(self.never_scheduled(&reason))),
            State::Unwritable(error) => {
                ActivityFailure::Conversion { activity_type: self.activity_type.clone(), error }
            }
            State::Scheduled(_) | State::Local(_) | State::Done => {
                panic!("the handle of activity {:?} was awaited again after it was done", self.activity_type)
            }
        }
    }

    fn never_scheduled(&self, reason: &str) -> Failure {
        let activity = FailureKind::Activity {
            activity_type: self.activity_type.clone(),
            activity_id: String::new(),
            scheduled_event_id: 0,
            started_event_id: 0,
            identity: String::new(),
            retry_state: RetryState::CancelRequested,
        };
        Failure::new("never scheduled", activity).with_cause(workflow_cancelled(reason))
    }
}

/// Why an operation is cancelled at once.
pub(crate) fn reason(scope: &Scope) -> String {
    scope.cancellation().unwrap_or_default()
}

/// Why an operation was never started.
pub(crate) fn workflow_cancelled(reason: &str) -> Failure {
    let message = if reason.is_empty() { "the workflow was cancelled" } else { reason };
    Failure::new(message, FailureKind::Cancelled { details: Vec::new(), identity: String::new() })
}

/// A missing result is what something without one gives.
pub(crate) fn read_result<O: Value>(result: Option<Payload>) -> Result<O, ConversionError> {
    match result {
        Some(payload) => O::from_payload(payload),
        None => O::from_payloads(Vec::new()),
    }
}
