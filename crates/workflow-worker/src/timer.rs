//! Waiting for a timer.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::Cancelled;
use crate::mailbox::{Operation, SharedMailbox, TimerEnd, wake_all};

/// A timer that was started: [`WorkflowContext::sleep`](crate::WorkflowContext::sleep).
///
/// Gives `Ok` when it has fired, [`Cancelled`] when it was cancelled. Dropping it does not cancel the timer.
#[must_use = "the timer runs, but nobody waits for it"]
pub struct TimerHandle {
    mailbox: SharedMailbox,
    /// `None` where it was never started, since the workflow had been cancelled.
    sequence: Option<u32>,
    end: Option<TimerEnd>,
}

impl TimerHandle {
    pub(crate) fn new(mailbox: SharedMailbox, sequence: Option<u32>) -> Self {
        Self { mailbox, sequence, end: None }
    }

    /// Cancels the timer; whoever awaits it gets [`Cancelled`]. Too late is no error.
    pub fn cancel(&self) {
        let Some(sequence) = self.sequence else { return };
        let waker = self.mailbox.borrow_mut().cancel_timer(sequence, String::new());
        wake_all(waker);
    }
}

impl Future for TimerHandle {
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.end.is_none() {
            let mailbox = Rc::clone(&this.mailbox);
            let mut mailbox = mailbox.borrow_mut();
            this.end = match this.sequence {
                Some(sequence) => mailbox.poll_timer(sequence, task.waker()),
                None => Some(TimerEnd::Cancelled { reason: mailbox.cancellation().unwrap_or_default().to_owned() }),
            };
        }
        match &this.end {
            Some(TimerEnd::Fired) => Poll::Ready(Ok(())),
            Some(TimerEnd::Cancelled { reason }) => Poll::Ready(Err(Cancelled { reason: reason.clone() })),
            None => Poll::Pending,
        }
    }
}

impl Drop for TimerHandle {
    fn drop(&mut self) {
        // While a Run is being dropped its mailbox may be borrowed by nobody else, but a panic may have left it borrowed.
        if let (Some(sequence), Ok(mut mailbox)) = (self.sequence, self.mailbox.try_borrow_mut()) {
            mailbox.forget(Operation::Timer(sequence));
        }
    }
}
