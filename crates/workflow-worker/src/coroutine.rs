//! Work of a workflow that goes on beside `run`.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::future::FusedFuture;

use crate::wait;

/// A coroutine that was started: [`WorkflowContext::spawn`](crate::WorkflowContext::spawn).
///
/// Gives what the coroutine returned. Dropping it stops nothing.
#[must_use = "the coroutine goes on, but nobody hears what it returns"]
pub struct JoinHandle<T>(Rc<RefCell<Join<T>>>);

enum Join<T> {
    Running(Option<Waker>),
    Returned(T),
    Taken,
}

/// As the executor has it.
pub(crate) struct Coroutine {
    /// Where it was started.
    pub(crate) location: &'static Location<'static>,
    pub(crate) future: Pin<Box<dyn Future<Output = ()>>>,
}

impl<T: 'static> JoinHandle<T> {
    #[track_caller]
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> (Self, Coroutine) {
        let location = Location::caller();
        let join = Rc::new(RefCell::new(Join::Running(None)));
        let handle = Self(Rc::clone(&join));
        let future = Box::pin(async move {
            let output = future.await;
            let before = join.replace(Join::Returned(output));
            if let Join::Running(Some(waker)) = before {
                waker.wake();
            }
        });
        (handle, Coroutine { location, future })
    }
}

impl<T> JoinHandle<T> {
    /// Whether the coroutine has returned.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(*self.0.borrow(), Join::Running(_))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<T> {
        let mut join = self.0.borrow_mut();
        if let Join::Running(waker) = &mut *join {
            *waker = Some(wait::keep(task.waker()));
            return Poll::Pending;
        }
        match std::mem::replace(&mut *join, Join::Taken) {
            Join::Returned(output) => Poll::Ready(output),
            Join::Running(_) | Join::Taken => panic!("the handle of a coroutine was awaited again after it was done"),
        }
    }
}

impl<T> FusedFuture for JoinHandle<T> {
    fn is_terminated(&self) -> bool {
        matches!(*self.0.borrow(), Join::Taken)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinHandle").field("is_finished", &self.is_finished()).finish()
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Coroutine").finish_non_exhaustive()
    }
}
