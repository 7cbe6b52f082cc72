//! Threads for activities that block.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The threads of a worker on which its blocking activities run.
///
/// There is one for each that runs, so there are never more than the worker has slots; and unlike tokio's blocking pool nobody else
/// uses them: whatever else the process does in the background waits for no activity, and no activity for it. A thread that
/// has had nothing to do for a while ends.
#[derive(Clone, Default)]
pub(crate) struct BlockingPool(Arc<Mutex<Idle>>);

/// Threads that have nothing to do.
#[derive(Default)]
struct Idle {
    threads: Vec<(u64, Sender<Job>)>,
    next: u64,
}

type Job = Box<dyn FnOnce() + Send>;

/// What became of a function, if it ran.
pub(crate) enum Ran<T> {
    Returned(T),
    Panicked(Box<dyn Any + Send>),
    /// The operating system has no more threads.
    NoThread(io::Error),
}

impl BlockingPool {
    /// Runs a function that may block. It runs to its end, whether or not anybody waits for it.
    pub(crate) async fn run<T: Send + 'static>(&self, function: impl FnOnce() -> T + Send + 'static) -> Ran<T> {
        let (tell, told) = oneshot::channel();
        // So that what the function asks of tokio finds the runtime.
        let runtime = Handle::current();
        let job = Box::new(move || {
            let _entered = runtime.enter();
            // Whoever does not wait any more does not need it.
            let _ = tell.send(catch_unwind(AssertUnwindSafe(function)));
        });
        if let Err(error) = self.start(job) {
            return Ran::NoThread(error);
        }
        match told.await {
            Ok(Ok(value)) => Ran::Returned(value),
            Ok(Err(panic)) => Ran::Panicked(panic),
            Err(_) => Ran::Panicked(Box::new("the thread ended before the activity did")),
        }
    }

    fn start(&self, job: Job) -> io::Result<()> {
        let mut job = job;
        loop {
            let Some((_, thread)) = self.idle().threads.pop() else { break };
            match thread.send(job) {
                Ok(()) => return Ok(()),
                Err(unsent) => job = unsent.0,
            }
        }
        let pool = self.clone();
        thread::Builder::new().name("blocking-activity".to_owned()).spawn(move || pool.serve(job)).map(drop)
    }

    /// A thread's life.
    fn serve(&self, first: Job) {
        first();
        let (sender, jobs) = channel();
        while let Some(job) = self.wait(&sender, &jobs) {
            job();
        }
    }

    fn wait(&self, sender: &Sender<Job>, jobs: &Receiver<Job>) -> Option<Job> {
        let number = {
            let mut idle = self.idle();
            idle.next += 1;
            let number = idle.next;
            idle.threads.push((number, sender.clone()));
            number
        };
        match jobs.recv_timeout(LONGEST_IDLE) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                let mut idle = self.idle();
                match idle.threads.iter().position(|(known, _)| *known == number) {
                    Some(position) => {
                        idle.threads.remove(position);
                        None
                    }
                    // Somebody has just taken it: a job is on its way.
                    None => {
                        drop(idle);
                        jobs.recv().ok()
                    }
                }
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LONGEST_IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_are_used_again_and_there_are_as_many_as_run_at_once() {
        let pool = BlockingPool::default();
        let name = || thread::current().id();
        let (Ran::Returned(first), Ran::Returned(second)) = (pool.run(name).await, pool.run(name).await) else {
            panic!("it did not run")
        };
        // The first thread may just be on its way back.
        let known = pool.idle().threads.len();
        assert!(first == second || known <= 2, "{first:?} {second:?} {known}");

        let barrier = Arc::new(std::sync::Barrier::new(8));
        let together: Vec<_> = (0..8)
            .map(|_| {
                let (pool, barrier) = (pool.clone(), Arc::clone(&barrier));
                tokio::spawn(async move { matches!(pool.run(move || barrier.wait()).await, Ran::Returned(_)) })
            })
            .collect();
        for ran in together {
            assert!(ran.await.unwrap());
        }
    }

    #[tokio::test]
    async fn what_blocks_finds_the_runtime_and_may_panic() {
        let pool = BlockingPool::default();
        let Ran::Returned(seven) = pool.run(|| Handle::current().block_on(async { 7 })).await else {
            panic!("it did not run")
        };
        assert_eq!(seven, 7);
        let Ran::Panicked(panic) = pool.run(|| -> u32 { panic!("at the disco") }).await else { panic!("it ran") };
        assert_eq!(panic.downcast_ref(), Some(&"at the disco"));
    }
}
