//! Handles of operations, as far as all kinds are alike.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use timewright_converter::Failure;

use super::slots::{
    Activity, AllPlaces, ChildWorkflow, ChildWorkflowStarting, Kind, LocalActivity, NexusOperation,
    NexusOperationStarting, Signal, Timer,
};
use super::{SharedMailbox, wake_all};

/// What can be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Timer(u32),
    Activity(u32),
    /// Named by the number of its first attempt.
    LocalActivity(u32),
    ChildWorkflow(u32),
    Signal(u32),
    Nexus(u32),
}

impl Operation {
    pub(super) fn is_pending(self, places: &mut AllPlaces) -> bool {
        match self {
            Self::Timer(sequence) => Timer::places(places).is_pending(sequence),
            Self::Activity(sequence) => Activity::places(places).is_pending(sequence),
            Self::LocalActivity(sequence) => LocalActivity::places(places).is_pending(sequence),
            Self::ChildWorkflow(sequence) => {
                ChildWorkflowStarting::places(places).is_pending(sequence)
                    || ChildWorkflow::places(places).is_pending(sequence)
            }
            Self::Signal(sequence) => Signal::places(places).is_pending(sequence),
            Self::Nexus(sequence) => {
                NexusOperationStarting::places(places).is_pending(sequence)
                    || NexusOperation::places(places).is_pending(sequence)
            }
        }
    }
}

/// An operation that was started, and whose outcome nobody has taken yet. Dropping it cancels nothing.
pub(crate) struct Handle<K: Kind> {
    mailbox: SharedMailbox,
    sequence: u32,
    kind: std::marker::PhantomData<K>,
}

impl<K: Kind> Handle<K> {
    pub(crate) fn new(mailbox: &SharedMailbox, sequence: u32) -> Self {
        Self { mailbox: Rc::clone(mailbox), sequence, kind: std::marker::PhantomData }
    }

    pub(crate) fn mailbox(&self) -> &SharedMailbox {
        &self.mailbox
    }

    /// Its outcome, once.
    pub(crate) fn poll(&self, task: &Context<'_>) -> Poll<K::Outcome> {
        match self.mailbox.borrow_mut().poll::<K>(self.sequence, task.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }

    /// Too late is no error.
    pub(crate) fn cancel(&self, reason: &str) {
        let waker: Option<Waker> = K::operation(self.sequence).and_then(|operation| {
            // Destructors may come here while a panic has left it borrowed.
            self.mailbox.try_borrow_mut().ok()?.cancel(operation, reason)
        });
        wake_all(waker);
    }
}

impl<K: Kind> Drop for Handle<K> {
    fn drop(&mut self) {
        // While a Run is being dropped its mailbox may be borrowed by nobody else, but a panic may have left it borrowed.
        if let Ok(mut mailbox) = self.mailbox.try_borrow_mut() {
            mailbox.forget::<K>(self.sequence);
        }
    }
}

/// A failure as user code sees it.
pub(crate) fn read_failure(mailbox: &SharedMailbox, failure: timewright_proto::failure::Failure) -> Box<Failure> {
    Box::new(mailbox.borrow().converter().failure_from_proto(failure))
}
