//! How many may do something at once.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::future::FusedFuture;

use super::wait_queue::WaitQueue;
use crate::mailbox::wake_all;

/// Lets so many parts of a workflow do something at once. Cheap to clone; clones share the permits. Fair: whoever waits first is
/// served first, also where somebody behind needs fewer permits.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError, try_join_all};
/// # struct Resize; impl ActivityDefinition for Resize { const NAME: &'static str = "resize"; type Input = u64; type Output = (); }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// use timewright_workflow_worker::sync::Semaphore;
///
/// let at_once = Semaphore::new(10);
/// try_join_all((0..1_000).map(async |image| {
///     let _permit = at_once.acquire().await;
///     context.execute_activity(Resize, image, options.clone()).await
/// }))
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Semaphore(Rc<RefCell<State>>);

struct State {
    available: usize,
    /// Each needs so many permits.
    queue: WaitQueue<usize, usize>,
}

impl Semaphore {
    /// A semaphore with so many permits.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self(Rc::new(RefCell::new(State { available: permits, queue: WaitQueue::default() })))
    }

    /// Waits for a permit, which is given back when it is dropped.
    pub fn acquire(&self) -> AcquireFuture {
        self.acquire_many(1)
    }

    /// Waits for several permits at once. More than there are is waited for, for ever or until
    /// [`add_permits`](Self::add_permits).
    pub fn acquire_many(&self, permits: usize) -> AcquireFuture {
        AcquireFuture { semaphore: self.clone(), permits, state: Acquiring::New }
    }

    /// A permit, if there is one and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Permit> {
        let mut state = self.0.borrow_mut();
        state.take(1).then(|| Permit { semaphore: self.clone(), permits: 1 })
    }

    /// How many permits nobody has.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.0.borrow().available
    }

    /// Adds permits.
    pub fn add_permits(&self, permits: usize) {
        let wakers = self.0.borrow_mut().give_back(permits);
        wake_all(wakers);
    }
}

impl State {
    /// Takes permits where nobody is before.
    fn take(&mut self, permits: usize) -> bool {
        let is_taken = self.queue.is_empty() && self.available >= permits;
        if is_taken {
            self.available -= permits;
        }
        is_taken
    }

    #[must_use]
    fn give_back(&mut self, permits: usize) -> Vec<Waker> {
        self.available += permits;
        let mut wakers = Vec::new();
        while let Some(needed) = self.queue.first().copied().filter(|needed| *needed <= self.available) {
            self.available -= needed;
            wakers.extend(self.queue.grant_first(|needed| needed));
        }
        wakers
    }
}

/// Waits for permits: [`Semaphore::acquire`]. It takes its place in the row when it is first awaited; dropping it gives that up.
#[must_use = "nothing is waited for before it is awaited"]
pub struct AcquireFuture {
    semaphore: Semaphore,
    permits: usize,
    state: Acquiring,
}

enum Acquiring {
    New,
    Waiting(u64),
    Done,
}

impl Future for AcquireFuture {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Permit> {
        let this = &mut *self;
        let mut semaphore = this.semaphore.0.borrow_mut();
        let is_granted = match this.state {
            Acquiring::New if semaphore.take(this.permits) => true,
            Acquiring::New => {
                this.state = Acquiring::Waiting(semaphore.queue.enter(this.permits, task));
                false
            }
            Acquiring::Waiting(ticket) => semaphore.queue.poll(ticket, task).is_ready(),
            Acquiring::Done => panic!("a permit was awaited again after it was given"),
        };
        drop(semaphore);
        if !is_granted {
            return Poll::Pending;
        }
        this.state = Acquiring::Done;
        Poll::Ready(Permit { semaphore: this.semaphore.clone(), permits: this.permits })
    }
}

impl FusedFuture for AcquireFuture {
    fn is_terminated(&self) -> bool {
        matches!(self.state, Acquiring::Done)
    }
}

impl Drop for AcquireFuture {
    fn drop(&mut self) {
        let Acquiring::Waiting(ticket) = self.state else { return };
        let mut semaphore = self.semaphore.0.borrow_mut();
        // Whoever stood behind may have waited only for this one's turn.
        let (_, granted) = semaphore.queue.leave(ticket);
        let wakers = semaphore.give_back(granted.unwrap_or(0));
        drop(semaphore);
        wake_all(wakers);
    }
}

/// Permits of a [`Semaphore`], given back when this is dropped.
#[must_use = "the permit is given back at once"]
pub struct Permit {
    semaphore: Semaphore,
    permits: usize,
}

impl Permit {
    /// Never gives it back.
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.semaphore.add_permits(self.permits);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Semaphore").field("available_permits", &self.available_permits()).finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permit").field("permits", &self.permits).finish()
    }
}
