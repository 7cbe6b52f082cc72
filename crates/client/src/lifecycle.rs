//! Who is told when a worker starts, cannot go on, and stops.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a worker calls before it starts, when it cannot go on, and after it has stopped; `E` is the error that it may stop with. For
/// the crates of workers. Clones share what is called once, when a worker cannot go on.
pub struct WorkerLifecycle<E> {
    on_start: Vec<Arc<dyn Fn() + Send + Sync>>,
    on_stop: Vec<StopHook<E>>,
    on_fatal_error: Arc<Mutex<Vec<FatalErrorHook<E>>>>,
}

type FatalErrorHook<E> = Box<dyn FnOnce(&E) + Send>;

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

    /// Adds something to call, once, when the worker cannot go on.
    pub fn on_fatal_error(&mut self, hook: impl FnOnce(&E) + Send + 'static) {
        self.fatal_error_hooks(|hooks| hooks.push(Box::new(hook)));
    }

    /// For a worker that runs beside this one: only that it cannot go on is said, by whichever comes first.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { on_fatal_error: Arc::clone(&self.on_fatal_error), ..Self::default() }
    }

    /// Tells all who want to know at once that the worker cannot go on, those first that were added first.
    pub fn say_fatal(&self, error: E) -> E {
        // Not while it is locked: whatever they do is their own affair.
        self.fatal_error_hooks(std::mem::take).into_iter().for_each(|hook| hook(&error));
        error
    }

    fn fatal_error_hooks<T>(&self, act: impl FnOnce(&mut Vec<FatalErrorHook<E>>) -> T) -> T {
        act(&mut self.on_fatal_error.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a worker between the first and the last: those that were added first are called first before, and last behind it. Where the future is
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
        Self { on_start: Vec::new(), on_stop: Vec::new(), on_fatal_error: Arc::default() }
    }
}

impl<E> Clone for WorkerLifecycle<E> {
    fn clone(&self) -> Self {
        let (on_start, on_stop) = (self.on_start.clone(), self.on_stop.clone());
        Self { on_start, on_stop, on_fatal_error: Arc::clone(&self.on_fatal_error) }
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

    #[test]
    fn all_who_want_to_know_of_a_fatal_error_hear_of_the_first_one_once() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut lifecycle = WorkerLifecycle::<String>::default();
        for name in ["first", "second"] {
            let calls = Arc::clone(&calls);
            lifecycle.on_fatal_error(move |error| calls.lock().unwrap().push(format!("{name}: {error}")));
        }
        let beside = lifecycle.beside();
        assert_eq!(beside.say_fatal("broken".to_owned()), "broken");
        lifecycle.say_fatal("broken, too".to_owned());
        assert_eq!(*calls.lock().unwrap(), ["first: broken", "second: broken"]);
    }
}
