//! Waiting for a timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::future::FusedFuture;
use timewright_converter::{Payload, Value};

use crate::activity::reason;
use crate::error::Cancelled;
use crate::mailbox::{Handle, Scope, SharedMailbox, Timer, TimerEnd};

/// More about a timer: [`WorkflowContext::sleep_with`](crate::WorkflowContext::sleep_with).
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct TimerOptions {
    summary: Option<String>,
}

impl TimerOptions {
    /// Nothing more.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    pub(crate) fn into_summary(self) -> Option<Payload> {
        // A String is always written.
        self.summary.and_then(|summary| summary.to_payload().ok())
    }
}

/// How long something is waited for: a [`Duration`], or one with a line about its timer for the Web UI.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::WorkflowDefinition;
/// # use timewright_workflow_worker::{TimeLimit, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Approval; impl WorkflowDefinition for Approval { const NAME: &'static str = "a"; type Input = (); type Output = bool; }
/// # struct ApprovalWorkflow { approved: bool }
/// # impl Workflow for ApprovalWorkflow {
/// #     type Definition = Approval;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { approved: false } }
/// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<bool, WorkflowError> {
///     let day = TimeLimit::new(Duration::from_secs(86_400)).summary("time to approve");
///     Ok(context.wait_condition_with_timeout(day, |state| state.approved).await?)
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct TimeLimit {
    pub(crate) duration: Duration,
    pub(crate) timer: TimerOptions,
}

impl TimeLimit {
    /// So long.
    pub fn new(duration: Duration) -> Self {
        Self { duration, timer: TimerOptions::new() }
    }

    /// A line about its timer, for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.timer = self.timer.summary(summary);
        self
    }
}

impl From<Duration> for TimeLimit {
    fn from(duration: Duration) -> Self {
        Self::new(duration)
    }
}

/// A timer that was started: [`WorkflowContext::sleep`](crate::WorkflowContext::sleep).
///
/// Gives `Ok` when it has fired, [`Cancelled`] when it was cancelled. Dropping it does not cancel the timer.
#[must_use = "the timer runs, but nobody waits for it"]
pub struct TimerHandle(State);

enum State {
    Started(Handle<Timer>),
    /// It was never started, since its scope had been cancelled; why.
    NeverStarted(String),
    Done,
}

impl TimerHandle {
    pub(crate) fn new(mailbox: &SharedMailbox, scope: &Scope, sequence: Option<u32>) -> Self {
        Self(match sequence {
            Some(sequence) => State::Started(Handle::new(mailbox, sequence)),
            None => State::NeverStarted(reason(scope)),
        })
    }

    /// Cancels the timer; whoever awaits it gets [`Cancelled`]. Too late is no error.
    pub fn cancel(&self) {
        if let State::Started(handle) = &self.0 {
            handle.cancel("");
        }
    }
}

impl Future for TimerHandle {
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let end = match &mut self.0 {
            State::Started(handle) => ready!(handle.poll(task)),
            State::NeverStarted(reason) => TimerEnd::Cancelled { reason: std::mem::take(reason) },
            State::Done => panic!("the handle of a timer was awaited again after it was done"),
        };
        self.0 = State::Done;
        Poll::Ready(match end {
            TimerEnd::Fired => Ok(()),
            TimerEnd::Cancelled { reason } => Err(Cancelled { reason }),
        })
    }
}

impl FusedFuture for TimerHandle {
    fn is_terminated(&self) -> bool {
        matches!(self.0, State::Done)
    }
}
