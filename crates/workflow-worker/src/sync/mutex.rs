//! One at a time.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::semaphore::{Permit, Semaphore};

/// A value that one part of a workflow has at a time, also while that waits. Cheap to clone; clones share the value. Fair: whoever
/// waits first is served first.
///
/// The workflow's own state needs none of this: nothing else runs inside
/// [`state_mut`](crate::WorkflowContext::state_mut). A mutex is for what must not change over an `await`.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
/// # struct Charge; impl ActivityDefinition for Charge { const NAME: &'static str = "charge"; type Input = u64; type Output = (); }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// use timewright_workflow_worker::sync::Mutex;
///
/// let credit = Mutex::new(100_u64);
/// // … in handlers and coroutines that have a clone of it:
/// let mut left = credit.lock().await;
/// if *left >= 30 {
///     context.execute_activity(Charge, 30, options).await?; // nobody else charges meanwhile
///     *left -= 30;
/// }
/// # Ok(()) }
/// ```
pub struct Mutex<T> {
    turn: Semaphore,
    /// Not here while somebody has it.
    value: Rc<RefCell<Option<T>>>,
}

impl<T> Mutex<T> {
    /// A mutex with this value.
    pub fn new(value: T) -> Self {
        Self { turn: Semaphore::new(1), value: Rc::new(RefCell::new(Some(value))) }
    }

    /// Waits for the value. Others get it when the guard is dropped.
    pub fn lock(&self) -> impl Future<Output = MutexGuard<T>> + use<T> {
        let (acquire, value) = (self.turn.acquire(), Rc::clone(&self.value));
        async move { MutexGuard::new(acquire.await, value) }
    }

    /// The value, if nobody has it or waits for it.
    pub fn try_lock(&self) -> Option<MutexGuard<T>> {
        self.turn.try_acquire().map(|permit| MutexGuard::new(permit, Rc::clone(&self.value)))
    }

    /// Whether somebody has the value.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.value.borrow().is_none()
    }
}

/// The value of a [`Mutex`], for as long as this is held.
#[must_use = "the mutex is unlocked at once"]
pub struct MutexGuard<T> {
    /// `Some` until it is given back.
    value: Option<T>,
    home: Rc<RefCell<Option<T>>>,
    /// Dropped last, when the value is at home again.
    _permit: Permit,
}

impl<T> MutexGuard<T> {
    fn new(permit: Permit, home: Rc<RefCell<Option<T>>>) -> Self {
        let value = home.borrow_mut().take();
        Self { value, home, _permit: permit }
    }
}

impl<T> Deref for MutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("whoever has the permit has the value")
    }
}

impl<T> DerefMut for MutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("whoever has the permit has the value")
    }
}

impl<T> Drop for MutexGuard<T> {
    fn drop(&mut self) {
        self.home.replace(self.value.take());
    }
}

impl<T> Clone for Mutex<T> {
    fn clone(&self) -> Self {
        Self { turn: self.turn.clone(), value: Rc::clone(&self.value) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mutex").field("value", &self.value.borrow()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}
