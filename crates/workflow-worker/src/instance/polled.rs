//! A future of user code, and whether something that it waits for has become ready.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) struct Polled<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    woken: Arc<Woken>,
    waker: Waker,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl<T> Polled<T> {
    pub(crate) fn new(future: Pin<Box<dyn Future<Output = T>>>) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        Self { future, waker: Waker::from(Arc::clone(&woken)), woken }
    }

    /// One that is to be polled at its next turn.
    pub(super) fn woken(future: Pin<Box<dyn Future<Output = T>>>) -> Self {
        let polled = Self::new(future);
        polled.waker.wake_by_ref();
        polled
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Acquire)
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        self.woken.0.store(false, Ordering::Release);
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }
}
