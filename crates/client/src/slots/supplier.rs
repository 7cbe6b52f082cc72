//! Suppliers of slots: who else may decide how much a worker does at the same time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

/// Decides how many tasks a worker executes at the same time, one slot after the other.
///
/// A worker asks for a slot before it opens a poll, and gives it back when the poll brought nothing, or when the task that it
/// brought has been answered. One supplier may serve many workers and several kinds of slots.
///
/// A slot is whatever the supplier takes for one, and giving it back is dropping it: exactly once, whatever happens, also if user
/// code panics or the worker is dropped. Waiting for a slot is called off by dropping the future.
///
/// ```
/// use std::sync::Arc;
/// use timewright_client::{SlotRequest, SlotSupplier};
/// use tokio::sync::{OwnedSemaphorePermit, Semaphore};
///
/// /// So many for all workers of the process together.
/// struct Shared(Arc<Semaphore>);
///
/// impl SlotSupplier for Shared {
///     type Permit = OwnedSemaphorePermit;
///
///     async fn reserve(&self, _request: SlotRequest) -> OwnedSemaphorePermit {
///         Arc::clone(&self.0).acquire_owned().await.expect("nobody closes it")
///     }
///
///     fn try_reserve(&self, _request: &SlotRequest) -> Option<OwnedSemaphorePermit> {
///         Arc::clone(&self.0).try_acquire_owned().ok()
///     }
/// }
/// ```
///
/// A Workflow Worker with a cache needs two slots at least, one for each of its queues. The worker sees to it that neither queue
/// takes all slots; a supplier helps by being quick where [`SlotRequest::held`] is 0.
///
/// A supplier that panics is asked again after a second; until then there is no new slot.
pub trait SlotSupplier: Send + Sync + 'static {
    /// A slot. It is given back by being dropped.
    type Permit: Send + 'static;

    /// Waits until there is a slot.
    fn reserve(&self, request: SlotRequest) -> impl Future<Output = Self::Permit> + Send;

    /// A slot, if there is one now: for tasks that come without a poll, such as eager ones.
    fn try_reserve(&self, request: &SlotRequest) -> Option<Self::Permit>;

    /// A slot that was given out is used for this task from now on. One that is given back without this call held a poll that
    /// brought nothing.
    fn mark_used(&self, permit: &mut Self::Permit, task: &SlotTask) {
        let _ = (permit, task);
    }

    /// How many slots could be had now, for those who look on; `None` if that is not known.
    fn free(&self) -> Option<usize> {
        None
    }

    /// What kind of supplier it is, for those who look on.
    fn name(&self) -> &str {
        "Custom"
    }
}

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SlotKind {
    /// An Activity Task.
    Activity,
    /// A Local Activity.
    LocalActivity,
    /// A Workflow Task.
    Workflow,
}

/// Who asks for a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotRequest {
    /// What it is for.
    pub kind: SlotKind,
    /// The worker's namespace.
    pub namespace: String,
    /// The worker's Task Queue.
    pub task_queue: String,
    /// The worker's identity.
    pub identity: String,
    /// It is for a poll of the worker's sticky queue.
    pub is_sticky: bool,
    /// How many slots of this kind, for this queue, the worker has already. If it has none, nothing is fetched from that queue
    /// until it gets this one.
    pub held: usize,
}

impl SlotRequest {
    /// For a worker on this Task Queue.
    #[must_use]
    pub fn new(kind: SlotKind, task_queue: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: String::new(),
            task_queue: task_queue.into(),
            identity: String::new(),
            is_sticky: false,
            held: 0,
        }
    }

    /// With this client's namespace and identity.
    #[must_use]
    pub fn of(self, client: &crate::Client) -> Self {
        Self { namespace: client.namespace().to_owned(), identity: client.identity().to_owned(), ..self }
    }
}

/// What a slot is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotTask {
    /// Which kind of task.
    pub kind: SlotKind,
    /// The type of the workflow, or of the activity.
    pub type_name: String,
}

impl SlotTask {
    /// A task of this kind and type.
    #[must_use]
    pub fn new(kind: SlotKind, type_name: impl Into<String>) -> Self {
        Self { kind, type_name: type_name.into() }
    }
}

/// A [`SlotSupplier`] of whatever type.
pub(crate) trait DynSupplier: Send + Sync {
    fn reserve(self: Arc<Self>, request: SlotRequest) -> Pin<Box<dyn Future<Output = Permit> + Send>>;
    fn try_reserve(self: Arc<Self>, request: &SlotRequest) -> Option<Permit>;
    fn free(&self) -> Option<usize>;
    fn name(&self) -> &str;
}

impl<S: SlotSupplier> DynSupplier for S {
    fn reserve(self: Arc<Self>, request: SlotRequest) -> Pin<Box<dyn Future<Output = Permit> + Send>> {
        Box::pin(async move {
            let permit = SlotSupplier::reserve(&*self, request).await;
            Permit::new(self, permit)
        })
    }

    fn try_reserve(self: Arc<Self>, request: &SlotRequest) -> Option<Permit> {
        let permit = guarded(&*self, || SlotSupplier::try_reserve(&*self, request)).flatten()?;
        Some(Permit::new(self, permit))
    }

    fn free(&self) -> Option<usize> {
        guarded(self, || SlotSupplier::free(self)).flatten()
    }

    fn name(&self) -> &str {
        SlotSupplier::name(self)
    }
}

/// A slot of whatever supplier, given back when it is dropped.
pub(crate) struct Permit(Box<dyn DynPermit>);

impl Permit {
    fn new<S: SlotSupplier>(supplier: Arc<S>, permit: S::Permit) -> Self {
        Self(Box::new(Supplied { supplier, permit: Some(permit) }))
    }

    pub(crate) fn mark_used(&mut self, task: &SlotTask) {
        self.0.mark_used(task);
    }
}

trait DynPermit: Send {
    fn mark_used(&mut self, task: &SlotTask);
}

struct Supplied<S: SlotSupplier> {
    supplier: Arc<S>,
    permit: Option<S::Permit>,
}

impl<S: SlotSupplier> DynPermit for Supplied<S> {
    fn mark_used(&mut self, task: &SlotTask) {
        let Self { supplier, permit } = self;
        if let Some(permit) = permit {
            guarded(&**supplier, || supplier.mark_used(permit, task));
        }
    }
}

impl<S: SlotSupplier> Drop for Supplied<S> {
    fn drop(&mut self) {
        let permit = self.permit.take();
        guarded(&*self.supplier, || drop(permit));
    }
}

/// A supplier that panics must not take the loop along that drives all polls.
fn guarded<S: SlotSupplier, T>(supplier: &S, call: impl FnOnce() -> T) -> Option<T> {
    // What was under way is left to the supplier, whose state it is.
    let result = catch_unwind(AssertUnwindSafe(call));
    if result.is_err() {
        tracing::error!("the slot supplier `{}` panicked", supplier.name());
    }
    result.ok()
}
