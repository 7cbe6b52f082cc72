//! Who is told when a worker starts and stops.

use std::fmt;
use std::sync::Arc;

/// What a worker calls before it starts, and after it has stopped; `E` is the error that it may stop with. For the crates of
/// workers.
pub struct WorkerLifecycle<E> {
    on_start: Vec<Arc<dyn Fn() + Send + Sync>>,
    on_stop: Vec<StopHook<E>>,
}

type StopHook<E> = Arc<dyn Fn(Result<(), &E>) + Send + Sync>;

impl<E> WorkerLifecycle<E> {
    /// Adds something to call before the worker starts.
    pub fn on_start(&mut self, hook: impl Fn() + Send + Sync + 'static) {
        self.on_start.push(Arc::new(hook));
    }

    /// Adds something to call after the worker has stopped.
    pub fn on_stop(&mut self, hook: impl Fn(Result<(), &E>) + Send + Sync + 'static) {
        self.on_stop.push(Arc::new(hook));
    }

    /// Runs a worker between the two: those that were added first are called first before, and last behind it. Where the future is
    /// dropped, nobody is told that the worker has stopped.
    ///
    /// # Errors
    /// The worker's.
    pub async fn around(self, worker: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        self.on_start.iter().for_each(|hook| hook());
        let result = worker.await;
        self.on_stop.iter().rev().for_each(|hook| hook(result.as_ref().copied()));
        result
    }
}

impl<E> Default for WorkerLifecycle<E> {
    fn default() -> Self {
        Self { on_start: Vec::new(), on_stop: Vec::new() }
    }
}

impl<E> Clone for WorkerLifecycle<E> {
    fn clone(&self) -> Self {
        Self { on_start: self.on_start.clone(), on_stop: self.on_stop.clone() }
    }
}

impl<E> fmt::Debug for WorkerLifecycle<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WorkerLifecycle").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn hooks_stand_around_the_worker_like_an_onion() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let note = |text: &'static str| {
            let calls = Arc::clone(&calls);
            move || calls.lock().unwrap().push(text.to_owned())
        };
        let mut lifecycle = WorkerLifecycle::<String>::default();
        lifecycle.on_start(note("first"));
        lifecycle.on_start(note("second"));
        for name in ["first", "second"] {
            let calls = Arc::clone(&calls);
            lifecycle.on_stop(move |result| calls.lock().unwrap().push(format!("{name}: {result:?}")));
        }
        let work = async {
            note("works")();
            Err("broken".to_owned())
        };
        assert_eq!(lifecycle.around(work).await, Err("broken".to_owned()));
        let expected = ["first", "second", "works", "second: Err(\"broken\")", "first: Err(\"broken\")"];
        assert_eq!(*calls.lock().unwrap(), expected);
    }
}
