//! Activities, seen from a workflow.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use timewright_converter::{Arguments, ConversionError, Failure, FailureKind, Payload, RetryState, Value};
use timewright_proto::common::{Priority, RetryPolicy};
use timewright_protocol::workflow::{ActivityCancellationType, Resolution, ScheduleActivity};

use crate::error::ActivityFailure;
use crate::mailbox::{Operation, SharedMailbox};

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

    /// Its place in the Task Queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// A line for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    pub(crate) fn into_command(
        self,
        sequence: u32,
        activity_type: &str,
        arguments: Vec<Payload>,
        workflow_task_queue: &str,
    ) -> ScheduleActivity {
        ScheduleActivity {
            sequence,
            activity_id: self.activity_id,
            activity_type: activity_type.to_owned(),
            task_queue: self.task_queue.unwrap_or_else(|| workflow_task_queue.to_owned()),
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

/// An activity that was scheduled: [`WorkflowContext::execute_activity`](crate::WorkflowContext::execute_activity).
///
/// Gives its result. Dropping it does not cancel the activity.
#[must_use = "the activity runs, but nobody waits for it"]
pub struct ActivityHandle<O> {
    mailbox: SharedMailbox,
    activity_type: String,
    state: State,
    output: PhantomData<fn() -> O>,
}

enum State {
    Scheduled(u32),
    /// It was never scheduled, since the workflow had been cancelled.
    NeverScheduled,
    Unwritable(ConversionError),
    Done,
}

impl<O> ActivityHandle<O> {
    pub(crate) fn scheduled(mailbox: SharedMailbox, activity_type: &str, sequence: Option<u32>) -> Self {
        let state = sequence.map_or(State::NeverScheduled, State::Scheduled);
        Self { mailbox, activity_type: activity_type.to_owned(), state, output: PhantomData }
    }

    pub(crate) fn unwritable(mailbox: SharedMailbox, activity_type: &str, error: ConversionError) -> Self {
        Self { mailbox, activity_type: activity_type.to_owned(), state: State::Unwritable(error), output: PhantomData }
    }

    /// Cancels the activity as its [`ActivityCancellationType`] says. Too late is no error.
    pub fn cancel(&self) {
        if let State::Scheduled(sequence) = self.state {
            self.mailbox.borrow_mut().cancel_activity(sequence);
        }
    }
}

impl<O: Value> Future for ActivityHandle<O> {
    type Output = Result<O, ActivityFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let result = match std::mem::replace(&mut this.state, State::Done) {
            State::Scheduled(sequence) => {
                let resolution = this.mailbox.borrow_mut().poll_activity(sequence, task.waker());
                let Some(resolution) = resolution else {
                    this.state = State::Scheduled(sequence);
                    return Poll::Pending;
                };
                this.outcome(resolution)
            }
            State::NeverScheduled => Err(ActivityFailure::Cancelled(Box::new(this.never_scheduled()))),
            State::Unwritable(error) => {
                Err(ActivityFailure::Conversion { activity_type: this.activity_type.clone(), error })
            }
            State::Done => {
                panic!("the handle of activity {:?} was awaited again after it was done", this.activity_type)
            }
        };
        Poll::Ready(result)
    }
}

impl<O: Value> ActivityHandle<O> {
    fn outcome(&self, resolution: Resolution) -> Result<O, ActivityFailure> {
        match resolution {
            // A missing result is what an activity without one gives.
            Resolution::Completed(result) => match result {
                Some(payload) => O::from_payload(payload),
                None => O::from_payloads(Vec::new()),
            }
            .map_err(|error| ActivityFailure::Conversion { activity_type: self.activity_type.clone(), error }),
            Resolution::Failed(failure) => Err(ActivityFailure::Failed(Box::new(self.read(*failure)))),
            Resolution::Cancelled(failure) => Err(ActivityFailure::Cancelled(Box::new(self.read(*failure)))),
        }
    }
}

impl<O> ActivityHandle<O> {
    fn read(&self, failure: timewright_proto::failure::Failure) -> Failure {
        self.mailbox.borrow().converter().failure_from_proto(failure)
    }

    fn never_scheduled(&self) -> Failure {
        let mailbox = Rc::clone(&self.mailbox);
        let reason = mailbox.borrow().cancellation().unwrap_or_default().to_owned();
        let message = if reason.is_empty() { "the workflow was cancelled".to_owned() } else { reason };
        let cancelled = FailureKind::Cancelled { details: Vec::new(), identity: String::new() };
        let activity = FailureKind::Activity {
            activity_type: self.activity_type.clone(),
            activity_id: String::new(),
            scheduled_event_id: 0,
            started_event_id: 0,
            identity: String::new(),
            retry_state: RetryState::CancelRequested,
        };
        Failure::new("never scheduled", activity).with_cause(Failure::new(message, cancelled))
    }
}

impl<O> Drop for ActivityHandle<O> {
    fn drop(&mut self) {
        if let (State::Scheduled(sequence), Ok(mut mailbox)) = (&self.state, self.mailbox.try_borrow_mut()) {
            mailbox.forget(Operation::Activity(*sequence));
        }
    }
}
