//! Any number of futures.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::wait;

/// Waits for all of them; gives what they gave, in the order of the list.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
/// # struct Quote; impl ActivityDefinition for Quote { const NAME: &'static str = "quote"; type Input = String; type Output = u64; }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// use timewright_workflow_worker::join_all;
///
/// let shops = ["a", "b", "c"];
/// let quotes = join_all(shops.map(|shop| context.execute_activity(Quote, shop.to_owned(), options.clone()))).await;
/// let cheapest = quotes.into_iter().flatten().min();
/// # let _ = cheapest; Ok(()) }
/// ```
pub fn join_all<I>(futures: I) -> impl Future<Output = Vec<<I::Item as IntoFuture>::Output>>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let mut children = Children::new(futures);
    let mut outputs: Vec<_> = children.futures.iter().map(|_| None).collect();
    poll_fn(move |task| {
        children.poll::<()>(task, |index, output| {
            outputs[index] = Some(output);
            None
        });
        if children.are_all_done() {
            Poll::Ready(outputs.iter_mut().filter_map(Option::take).collect())
        } else {
            Poll::Pending
        }
    })
}

/// Waits for all of them, or for the first that fails; of several that fail at once, the first of the list. The others go on.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_workflow_worker::{Workflow, WorkflowContext, WorkflowError, try_join_all};
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// try_join_all((1..=3).map(|minutes| context.sleep(Duration::from_secs(60 * minutes)))).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// What the first one that fails gives.
pub fn try_join_all<I, T, E>(futures: I) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    let mut children = Children::new(futures);
    let mut outputs: Vec<_> = children.futures.iter().map(|_| None).collect();
    poll_fn(move |task| {
        let failed = children.poll(task, |index, output| match output {
            Ok(output) => {
                outputs[index] = Some(output);
                None
            }
            Err(error) => Some(error),
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if children.are_all_done() => Poll::Ready(Ok(outputs.iter_mut().filter_map(Option::take).collect())),
            None => Poll::Pending,
        }
    })
}

/// Waits for the first that is ready; of several at once, the first of the list. Gives its place in the list, and what it gave.
/// The others go on; lend them (`iter_mut()`) to keep what they can be cancelled by.
///
/// ```
/// # use std::time::Duration;
/// # use timewright_definition::ActivityDefinition;
/// # use timewright_workflow_worker::{ActivityOptions, Workflow, WorkflowContext, WorkflowError};
/// # struct Quote; impl ActivityDefinition for Quote { const NAME: &'static str = "quote"; type Input = String; type Output = u64; }
/// # async fn example<W: Workflow>(context: WorkflowContext<W>) -> Result<(), WorkflowError> {
/// # let options = ActivityOptions::start_to_close(Duration::from_secs(10));
/// use timewright_workflow_worker::race;
///
/// let asked = context.child_scope();
/// let quotes = ["a", "b"].map(|shop| asked.execute_activity(Quote, shop.to_owned(), options.clone()));
/// let (shop, quote) = race(quotes).await;
/// asked.cancellation_token().cancel("another was faster");
/// # let _ = (shop, quote?); Ok(()) }
/// ```
///
/// # Panics
/// Of an empty list nothing will ever be ready: that fails the Workflow Task.
pub fn race<I>(futures: I) -> impl Future<Output = (usize, <I::Item as IntoFuture>::Output)>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let mut children = Children::new(futures);
    assert!(!children.futures.is_empty(), "race() was called with nothing, of which nothing will ever be ready");
    poll_fn(move |task| match children.poll(task, |index, output| Some((index, output))) {
        Some(first) => Poll::Ready(first),
        None => Poll::Pending,
    })
}

/// Futures of which only those are polled that were woken, always in the order of the list.
struct Children<F> {
    /// `None` once done.
    futures: Vec<Option<Child<F>>>,
    parent: Arc<Mutex<Waker>>,
}

struct Child<F> {
    future: Pin<Box<F>>,
    waker: Arc<ChildWaker>,
}

struct ChildWaker {
    is_woken: AtomicBool,
    parent: Arc<Mutex<Waker>>,
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        let parent = self.parent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        parent.wake();
    }
}

impl<F: Future> Children<F> {
    fn new<I: IntoIterator<Item: IntoFuture<IntoFuture = F>>>(futures: I) -> Self {
        let parent = Arc::new(Mutex::new(Waker::noop().clone()));
        let futures = futures
            .into_iter()
            .map(|future| {
                let waker = ChildWaker { is_woken: AtomicBool::new(true), parent: Arc::clone(&parent) };
                Some(Child { future: Box::pin(future.into_future()), waker: Arc::new(waker) })
            })
            .collect();
        Self { futures, parent }
    }

    /// Polls those that were woken, until `take` has seen enough.
    fn poll<R>(&mut self, task: &Context<'_>, mut take: impl FnMut(usize, F::Output) -> Option<R>) -> Option<R> {
        *self.parent.lock().unwrap_or_else(PoisonError::into_inner) = wait::keep(task.waker());
        for (index, place) in self.futures.iter_mut().enumerate() {
            let Some(Child { future, waker }) = place else { continue };
            if !waker.is_woken.swap(false, Ordering::AcqRel) {
                continue;
            }
            let own = Waker::from(Arc::clone(waker));
            if let Poll::Ready(output) = wait::poll_child(future.as_mut(), &own) {
                *place = None;
                if let Some(enough) = take(index, output) {
                    return Some(enough);
                }
            }
        }
        None
    }

    fn are_all_done(&self) -> bool {
        self.futures.iter().all(Option::is_none)
    }
}
