//! Tokens of cancellation scopes.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::Cancelled;
use crate::mailbox::{Scope, SharedMailbox, WaitNote, wake_all};

/// Cancels what was started in one cancellation scope, and tells whether that was done:
/// [`WorkflowContext::cancellation_token`](crate::WorkflowContext::cancellation_token).
///
/// Cheap to clone; clones are the same token. Dropping it cancels nothing.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError, join_all};
/// # struct Quote; impl ActivityDefinition for Quote { const NAME: &'static str = "quote"; type Input = String; type Output = u64; }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// let asking = context.child_scope();
/// let quotes = ["a", "b", "c"].map(|shop| asking.execute_activity(Quote, shop.to_owned(), options.clone()));
/// let token = asking.cancellation_token();
/// context.spawn({
///     let context = context.clone();
///     async move {
///         if context.sleep(Duration::from_secs(60)).await.is_ok() {
///             token.cancel("nobody waits any longer");
///         }
///     }
/// });
/// let answers = join_all(quotes).await; // those that were cancelled are errors among them
/// # let _ = answers;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CancellationToken {
    mailbox: SharedMailbox,
    scope: Scope,
}

impl CancellationToken {
    pub(crate) fn new(mailbox: &SharedMailbox, scope: &Scope) -> Self {
        Self { mailbox: Rc::clone(mailbox), scope: scope.clone() }
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Cancels everything that was started in the scope and in scopes below it, in the order in which it was started. What is
    /// started there later ends at once. A second cancellation, or one behind that of a scope around it, changes nothing.
    pub fn cancel(&self, reason: impl Into<String>) {
        // Destructors may come here while a panic has left it borrowed.
        let wakers = self.mailbox.try_borrow_mut().map(|mut mailbox| mailbox.cancel_scope(&self.scope, reason.into()));
        wake_all(wakers.unwrap_or_default());
    }

    /// A token of a new scope below this one: cancelled with it, or by itself.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { mailbox: Rc::clone(&self.mailbox), scope: self.scope.child() }
    }

    /// Whether the scope was cancelled, or one around it.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.scope.is_cancelled()
    }

    /// Why, in the words of whoever cancelled it; often empty. `None` where nobody has.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.scope.cancellation()
    }

    /// Waits until the scope is cancelled; gives the reason.
    #[track_caller]
    pub fn cancelled(&self) -> impl Future<Output = String> + use<> {
        let (this, location) = (self.clone(), Location::caller());
        // Held while it waits.
        let mut _note = None;
        std::future::poll_fn(move |task| {
            let poll = poll_cancelled(&this.mailbox, &this.scope, task).map(|cancelled| cancelled.reason);
            _note = poll.is_pending().then(|| WaitNote::new(&this.mailbox, "cancellation", location));
            poll
        })
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CancellationToken").field("reason", &self.reason()).finish_non_exhaustive()
    }
}

/// Ready when the scope is cancelled.
pub(crate) fn poll_cancelled(mailbox: &SharedMailbox, scope: &Scope, task: &Context<'_>) -> Poll<Cancelled> {
    match scope.cancellation() {
        Some(reason) => Poll::Ready(Cancelled { reason }),
        None => {
            mailbox.borrow_mut().wake_on_change(task.waker());
            Poll::Pending
        }
    }
}
