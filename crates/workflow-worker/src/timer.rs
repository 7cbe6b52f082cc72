//! Waiting for a timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::activity::reason;
use crate::error::Cancelled;
use crate::mailbox::{Handle, SharedMailbox, Timer, TimerEnd};

/// A timer that was started: [`WorkflowContext::sleep`](crate::WorkflowContext::sleep).
///
/// Gives `Ok` when it has fired, [`Cancelled`] when it was cancelled. Dropping it does not cancel the timer.
#[must_use = "the timer runs, but nobody waits for it"]
pub struct TimerHandle(State);

enum State {
    Started(Handle<Timer>),
    /// It has ended; or it was never started, since the workflow had been cancelled.
    Ended(TimerEnd),
}

impl TimerHandle {
    pub(crate) fn new(mailbox: &SharedMailbox, sequence: Option<u32>) -> Self {
        Self(match sequence {
            Some(sequence) => State::Started(Handle::new(mailbox, sequence)),
            None => State::Ended(TimerEnd::Cancelled { reason: reason(mailbox) }),
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
        if let State::Started(handle) = &self.0 {
            let end = ready!(handle.poll(task));
            self.0 = State::Ended(end);
        }
        match &self.0 {
            State::Ended(TimerEnd::Fired) => Poll::Ready(Ok(())),
            State::Ended(TimerEnd::Cancelled { reason }) => Poll::Ready(Err(Cancelled { reason: reason.clone() })),
            State::Started(_) => Poll::Pending,
        }
    }
}
