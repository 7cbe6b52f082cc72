//! Waiting no longer than a while, and work beside `run`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use super::WorkflowContext;
use crate::coroutine::JoinHandle;
use crate::error::{Cancelled, TimeoutError};
use crate::timer::{TimeLimit, TimerHandle};
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowContext<W> {
    /// Waits for `future`, but no longer than this durable time. The timer starts now, and is cancelled when it is not needed any
    /// more. `future` is dropped when time is over; what it has started goes on — see
    /// [`scope_with_timeout`](Self::scope_with_timeout) for what is to be cancelled then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::ActivityDefinition;
    /// # use timewright_workflow_worker::{ActivityOptions, TimeoutError, Workflow, WorkflowContext, WorkflowError};
    /// # struct Quote; impl ActivityDefinition for Quote { const NAME: &'static str = "quote"; type Input = (); type Output = u64; }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
    /// let asked = context.execute_activity(Quote, (), options);
    /// let price = match context.timeout(Duration::from_secs(60), asked).await {
    ///     Ok(price) => price?,
    ///     Err(TimeoutError::TimedOut { .. }) => 100,
    ///     Err(cancelled) => return Err(cancelled.into()),
    /// };
    /// # let _ = price; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`TimeoutError`] when time is over, or the context's scope is cancelled, while `future` is not ready. If both happen at
    /// once, what `future` gives counts.
    #[track_caller]
    pub fn timeout<F: IntoFuture, L: Into<TimeLimit>>(
        &self,
        limit: L,
        future: F,
    ) -> impl Future<Output = Result<F::Output, TimeoutError>> + use<W, F, L> {
        let TimeLimit { duration, timer } = limit.into();
        let mut timer = OwnTimer(self.sleep_with(duration, timer));
        async move {
            let mut future = pin!(future.into_future());
            poll_fn(|task| {
                if let Poll::Ready(output) = future.as_mut().poll(task) {
                    return Poll::Ready(Ok(output));
                }
                Poll::Ready(Err(match ready!(Pin::new(&mut timer.0).poll(task)) {
                    Ok(()) => TimeoutError::TimedOut { after: duration },
                    Err(cancelled) => TimeoutError::Cancelled(cancelled),
                }))
            })
            .await
        }
    }

    /// Does `work` in a [`child_scope`](Self::child_scope) that is cancelled after this durable time, and waits for its end either
    /// way, so that it may clean up. The timer starts when this is awaited, and is cancelled when it is not needed any more.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::ActivityDefinition;
    /// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
    /// # struct Reserve; impl ActivityDefinition for Reserve { const NAME: &'static str = "reserve"; type Input = u64; type Output = (); }
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
    /// let reserved = context
    ///     .scope_with_timeout(Duration::from_secs(60), async |scope| {
    ///         scope.execute_activity(Reserve, 1, options.clone()).await?;
    ///         scope.execute_activity(Reserve, 2, options.clone()).await // cancelled where it takes too long
    ///     })
    ///     .await;
    /// # let _ = reserved; Ok(()) }
    /// ```
    pub async fn scope_with_timeout<T>(&self, limit: impl Into<TimeLimit>, work: impl AsyncFnOnce(Self) -> T) -> T {
        let TimeLimit { duration, timer } = limit.into();
        let mut timer = Some(OwnTimer(self.sleep_with(duration, timer)));
        let scope = self.child_scope();
        let token = scope.cancellation_token();
        let mut work = pin!(work(scope));
        poll_fn(|task| {
            if let Poll::Ready(output) = work.as_mut().poll(task) {
                return Poll::Ready(output);
            }
            if let Some(OwnTimer(waiting)) = &mut timer
                && let Poll::Ready(end) = Pin::new(waiting).poll(task)
            {
                // One that was cancelled was so with a scope around, and the work's scope with it.
                if end.is_ok() {
                    token.cancel(format!("timed out after {duration:?}"));
                }
                timer = None;
            }
            Poll::Pending
        })
        .await
    }

    /// Waits until the state is as `condition` says, but no longer than this durable time: `true` if it is so, `false` if time is
    /// over. The timer starts now, and is cancelled when it is not needed any more.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_definition::WorkflowDefinition;
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Approval; impl WorkflowDefinition for Approval { const NAME: &'static str = "a"; type Input = (); type Output = bool; }
    /// # struct ApprovalWorkflow { approved: bool }
    /// # impl Workflow for ApprovalWorkflow {
    /// #     type Definition = Approval;
    /// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self { approved: false } }
    /// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<bool, WorkflowError> {
    ///     let day = Duration::from_secs(86_400);
    ///     Ok(context.wait_condition_with_timeout(day, |state| state.approved).await?)
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] when the context's scope is cancelled before.
    #[track_caller]
    pub fn wait_condition_with_timeout<F: FnMut(&W) -> bool + Unpin, L: Into<TimeLimit>>(
        &self,
        limit: L,
        condition: F,
    ) -> impl Future<Output = Result<bool, Cancelled>> + use<W, F, L> {
        let waiting = self.timeout(limit, self.wait_condition(condition));
        async move {
            match waiting.await {
                Ok(holds) => holds.map(|()| true),
                Err(TimeoutError::TimedOut { .. }) => Ok(false),
                Err(TimeoutError::Cancelled(cancelled)) => Err(cancelled),
            }
        }
    }

    /// Starts a coroutine of this workflow: work that goes on beside `run` and handlers. Its handle gives what it returned.
    ///
    /// It is polled for the first time when `run` or the handler that called this waits or ends; then, as all coroutines in the
    /// order of their start, behind handlers and `run`. Dropping the handle stops nothing; to stop a coroutine, cancel the
    /// [`child_scope`](Self::child_scope) that it works in. The workflow does not wait for it at its end, and a panic in it
    /// fails the Workflow Task, as anywhere.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError};
    /// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
    /// let reminder = context.spawn({
    ///     let context = context.clone();
    ///     async move {
    ///         context.sleep(Duration::from_secs(3600)).await?;
    ///         // … remind …
    ///         Ok::<_, WorkflowError>("reminded")
    ///     }
    /// });
    /// // … other work …
    /// let done = reminder.await?;
    /// # let _ = done; Ok(()) }
    /// ```
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let (handle, coroutine) = JoinHandle::new(future);
        let refused = self.shared.mailbox.borrow_mut().spawn(coroutine);
        drop(refused);
        handle
    }
}

/// A timer that was started on behalf of something else, and is cancelled with it. Nobody else could cancel it.
struct OwnTimer(TimerHandle);

impl Drop for OwnTimer {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
