//! Who waits for what: the wakers of user code, and how the SDK's own operations are told from anything else.
//!
//! A workflow may only wait for what its history says again on a replay: the SDK's operations, and what its own code does
//! with them. A future of somebody else's, such as a channel of tokio or a timer of another library, keeps a clone of the
//! waker that it is polled with. So whatever is ours keeps another one: [`keep`] exchanges it. Then a clone of the waker
//! that lives on after a poll is in somebody else's hands, and a poll that leaves no clone at all will never be repeated.
//!
//! Combinators that have wakers of their own, such as `FuturesUnordered`, keep ours and hand out theirs; a future that was
//! seen under such a waker is not judged any more, only its wake-ups are.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

/// A clone of `waker` for an operation of the SDK's to keep until it has news. Everything that is ours and is waited for
/// must keep this, and not a clone of its own.
pub(crate) fn keep(waker: &Waker) -> Waker {
    POLLED.with_borrow(|polled| match polled {
        Some(polled) if waker.will_wake(&polled.theirs) => polled.ours.clone(),
        Some(polled) => {
            polled.through_others.set(true);
            waker.clone()
        }
        None => waker.clone(),
    })
}

/// Polls a child under a waker of ours, which wakes its parent: what is ours and keeps it stays ours.
pub(crate) fn poll_child<F: Future>(child: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    let through_others = POLLED.with_borrow(|polled| polled.as_ref().map(|polled| Rc::clone(&polled.through_others)));
    let wakers =
        Wakers { theirs: waker.clone(), ours: waker.clone(), through_others: through_others.unwrap_or_default() };
    let _polling = Polling::begin(wakers);
    child.poll(&mut Context::from_waker(waker))
}

/// Says which Run's user code this thread executes until the answer is dropped: a wake-up from anywhere else is a foreign one.
#[must_use]
pub(crate) fn execute(run: u64) -> Executing {
    Executing { before: RUN.replace(run) }
}

pub(crate) struct Executing {
    before: u64,
}

impl Drop for Executing {
    fn drop(&mut self) {
        RUN.set(self.before);
    }
}

/// What is wrong with what a future waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// It was woken from another thread, or while its workflow had nothing to do.
    WokenFromOutside,
    /// It waits for something that is not the SDK's.
    Wait,
    /// It waits, and nothing is there that could wake it.
    NeverWoken,
}

/// A future of user code, and whether something that it waits for has become ready.
pub(crate) struct Polled<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    state: Arc<State>,
    ours: Arc<Ours>,
    ours_as_waker: Waker,
    /// It waits for ours under a waker of somebody else's.
    through_others: Rc<Cell<bool>>,
    /// Somebody else kept the waker of the last poll.
    waits_for_others: bool,
}

struct State {
    woken: AtomicBool,
    woken_from_outside: AtomicBool,
    thread: ThreadId,
    run: u64,
}

impl State {
    fn wake(&self) {
        if self.thread != std::thread::current().id() || self.run != RUN.get() {
            self.woken_from_outside.store(true, Ordering::Release);
        }
        self.woken.store(true, Ordering::Release);
    }
}

/// What operations of the SDK's keep.
struct Ours(Arc<State>);

impl Wake for Ours {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

/// What a future is polled with: one for each poll, so that it is known what was kept of it.
struct Theirs(Arc<State>);

impl Wake for Theirs {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

impl<T> Polled<T> {
    pub(crate) fn new(future: Pin<Box<dyn Future<Output = T>>>) -> Self {
        let state = Arc::new(State {
            woken: AtomicBool::new(false),
            woken_from_outside: AtomicBool::new(false),
            thread: std::thread::current().id(),
            run: RUN.get(),
        });
        let ours = Arc::new(Ours(Arc::clone(&state)));
        let ours_as_waker = Waker::from(Arc::clone(&ours));
        Self { future, state, ours, ours_as_waker, through_others: Rc::default(), waits_for_others: false }
    }

    /// One that is to be polled at its next turn.
    pub(crate) fn woken(future: Pin<Box<dyn Future<Output = T>>>) -> Self {
        let polled = Self::new(future);
        polled.state.wake();
        polled
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.state.woken.load(Ordering::Acquire)
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        let polled = self.poll_once();
        // What was kept may lie about unused, in a combinator that has ended but has not been dropped. What is waited for now
        // keeps the next waker, too.
        if polled.is_pending() && self.waits_for_others && !self.through_others.get() && !self.is_woken() {
            return self.poll_once();
        }
        polled
    }

    /// What is wrong with what it waits for, since it is pending.
    pub(crate) fn foreign(&self) -> Option<Foreign> {
        if self.state.woken_from_outside.load(Ordering::Acquire) {
            return Some(Foreign::WokenFromOutside);
        }
        if self.through_others.get() {
            return None;
        }
        if self.waits_for_others {
            return Some(Foreign::Wait);
        }
        // This one has the two.
        (Arc::strong_count(&self.ours) <= 2).then_some(Foreign::NeverWoken)
    }

    fn poll_once(&mut self) -> Poll<T> {
        self.state.woken.store(false, Ordering::Release);
        let theirs = Arc::new(Theirs(Arc::clone(&self.state)));
        let waker = Waker::from(Arc::clone(&theirs));
        let polling = Polling::begin(Wakers {
            theirs: waker.clone(),
            ours: self.ours_as_waker.clone(),
            through_others: Rc::clone(&self.through_others),
        });
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        drop((polling, waker));
        self.waits_for_others = Arc::strong_count(&theirs) > 1;
        polled
    }
}

/// The wakers of the future that is being polled.
struct Wakers {
    theirs: Waker,
    ours: Waker,
    through_others: Rc<Cell<bool>>,
}

/// While a future is polled, also if that panics.
struct Polling {
    before: Option<Wakers>,
}

impl Polling {
    fn begin(wakers: Wakers) -> Self {
        Self { before: POLLED.replace(Some(wakers)) }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLED.set(self.before.take());
    }
}

thread_local! {
    static POLLED: RefCell<Option<Wakers>> = const { RefCell::new(None) };
    static RUN: Cell<u64> = const { Cell::new(0) };
}
