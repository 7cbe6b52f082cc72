//! Cancellation scopes, seen from a context.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use super::WorkflowContext;
use crate::cancellation::{CancellationToken, poll_cancelled};
use crate::error::Cancelled;
use crate::mailbox::Scope;
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowContext<W> {
    /// The token of the scope that this context starts operations in. That of the context which `run` and handlers get is the
    /// workflow's own; it is cancelled when somebody asks the workflow to cancel itself.
    #[must_use]
    pub fn cancellation_token(&self) -> CancellationToken {
        CancellationToken::new(&self.shared.mailbox, &self.scope)
    }

    /// The same context with a scope of its own below this one's: what is started from it is cancelled with this one's, or alone,
    /// by [`cancel`](CancellationToken::cancel) on its [`cancellation_token`](Self::cancellation_token).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let reminders = context.child_scope();
    /// let daily = reminders.sleep(Duration::from_secs(86_400));
    /// let weekly = reminders.sleep(Duration::from_secs(7 * 86_400));
    /// reminders.cancellation_token().cancel("it was paid"); // both
    /// assert_eq!(daily.await.expect_err("cancelled").reason, "it was paid");
    /// # let _ = weekly; Ok(()) }
    /// ```
    #[must_use]
    pub fn child_scope(&self) -> Self {
        self.in_scope(self.scope.child())
    }

    /// The same context with a scope of its own below none: what is started from it does not end with the workflow's
    /// cancellation. For cleaning up.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::ActivityDefinition;
    /// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
    /// # struct Release; impl ActivityDefinition for Release { const NAME: &'static str = "release"; type Input = (); type Output = (); }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
    /// let work = context.sleep(Duration::from_secs(3600)).await;
    /// if work.is_err() {
    ///     context.detached().execute_activity(Release, (), options).await?;
    /// }
    /// work?; // ends the workflow as cancelled
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn detached(&self) -> Self {
        self.in_scope(self.scope.detached())
    }

    /// The same context, whose operations are cancelled with `token`.
    #[must_use]
    pub fn with_cancellation_token(&self, token: &CancellationToken) -> Self {
        self.in_scope(token.scope().with_values(self.scope.values().clone()))
    }

    /// The reason, once this context's scope was cancelled; it is often empty.
    #[must_use]
    pub fn cancellation(&self) -> Option<String> {
        self.scope.cancellation()
    }

    /// Waits until this context's scope is cancelled; gives the reason.
    #[track_caller]
    pub fn cancelled(&self) -> impl Future<Output = String> + use<W> {
        self.cancellation_token().cancelled()
    }

    /// Waits for `future`, but no longer than until this context's scope is cancelled: for what knows nothing of cancellation, such
    /// as a channel or a lock. `future` is dropped then; what it has started goes on.
    ///
    /// ```
    /// # use timewright_workflow_worker::sync::Receiver;
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>, orders: Receiver<u64>) -> Result<(), WorkflowError> {
    /// while let Some(order) = context.cancellable(orders.receive()).await? {
    ///     // …
    /// #   let _ = order;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] when the scope is cancelled while `future` is not ready.
    pub fn cancellable<F: IntoFuture>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Cancelled>> + use<W, F> {
        let context = self.clone();
        async move {
            let mut future = pin!(future.into_future());
            std::future::poll_fn(|task| match future.as_mut().poll(task) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending => context.poll_cancelled(task).map(Err),
            })
            .await
        }
    }

    pub(super) fn poll_cancelled(&self, task: &Context<'_>) -> Poll<Cancelled> {
        poll_cancelled(&self.shared.mailbox, &self.scope, task)
    }

    fn in_scope(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }
}
