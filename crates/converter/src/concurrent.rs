//! Runs some futures at the same time, not too many, without a runtime.

use std::future::poll_fn;
use std::task::Poll;

use crate::BoxFuture;

/// Awaits all futures, at most `limit` (one or more) at a time, and gives their outputs in the order of the futures. The first
/// error drops what still runs.
///
/// Each wake-up polls all that run; the limit keeps that cheap.
pub(crate) async fn try_all<'a, T, E>(
    futures: impl Iterator<Item = BoxFuture<'a, Result<T, E>>> + Send,
    limit: usize,
) -> Result<Vec<T>, E>
where
    T: Send,
    E: Send,
{
    let mut waiting = futures.enumerate();
    let mut running: Vec<(usize, BoxFuture<'a, Result<T, E>>)> = Vec::new();
    let mut outputs: Vec<Option<T>> = Vec::new();
    poll_fn(|context| {
        loop {
            while running.len() < limit
                && let Some(started) = waiting.next()
            {
                running.push(started);
                outputs.push(None);
            }
            let mut index = 0;
            let before = running.len();
            while let Some((position, future)) = running.get_mut(index) {
                match future.as_mut().poll(context) {
                    Poll::Ready(Ok(output)) => {
                        outputs[*position] = Some(output);
                        drop(running.swap_remove(index));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => index += 1,
                }
            }
            if running.is_empty() && before == 0 {
                return Poll::Ready(Ok(()));
            }
            // Nothing ended, so nothing new can start: every future that runs has this task's waker.
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await?;
    Ok(outputs.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use super::*;

    thread_local! {
        static RUNNING: Cell<usize> = const { Cell::new(0) };
        static MOST: Cell<usize> = const { Cell::new(0) };
    }

    /// Pends `times`, then gives the number.
    fn pending(times: usize, output: Result<usize, &'static str>) -> BoxFuture<'static, Result<usize, &'static str>> {
        Box::pin(async move {
            let mut left = times;
            RUNNING.set(RUNNING.get() + 1);
            MOST.set(MOST.get().max(RUNNING.get()));
            poll_fn(|_| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                Poll::Pending
            })
            .await;
            RUNNING.set(RUNNING.get() - 1);
            output
        })
    }

    /// The outcome, and how many polls it took.
    fn run(
        futures: Vec<(usize, Result<usize, &'static str>)>,
        limit: usize,
    ) -> (Result<Vec<usize>, &'static str>, usize) {
        let mut future = pin!(try_all(futures.into_iter().map(|(times, output)| pending(times, output)), limit));
        let mut context = Context::from_waker(Waker::noop());
        for polls in 1..1000 {
            if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                return (outcome, polls);
            }
        }
        panic!("never ready");
    }

    #[test]
    fn outputs_keep_the_order_and_the_limit_holds() {
        assert_eq!(run(vec![], 4), (Ok(vec![]), 1));
        assert_eq!(run(vec![(0, Ok(1)), (0, Ok(2)), (0, Ok(3))], 1), (Ok(vec![1, 2, 3]), 1));
        let (outcome, polls) = run(vec![(3, Ok(1)), (1, Ok(2)), (2, Ok(3)), (0, Ok(4)), (3, Ok(5))], 2);
        assert_eq!(outcome, Ok(vec![1, 2, 3, 4, 5]));
        assert!(polls < 9, "futures ran one after the other: {polls} polls");
        assert_eq!(MOST.get(), 2);
    }

    #[test]
    fn the_first_error_ends_it() {
        let dropped = Arc::new(AtomicUsize::new(0));
        struct CountDrop(Arc<AtomicUsize>);
        impl Drop for CountDrop {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let guard = CountDrop(dropped.clone());
        let never: BoxFuture<'static, Result<usize, &'static str>> = Box::pin(async move {
            let _guard = guard;
            std::future::pending().await
        });
        let mut future = pin!(try_all([never, pending(1, Err("broken"))].into_iter(), 8));
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(Err("broken")));
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}
