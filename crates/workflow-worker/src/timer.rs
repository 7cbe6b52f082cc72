//! Waiting for a timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::future::FusedFuture;

use crate::activity::reason;
use crate::error::Cancelled;
use crate::mailbox::{Handle, Scope, SharedMailbox, Timer, TimerEnd};

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
