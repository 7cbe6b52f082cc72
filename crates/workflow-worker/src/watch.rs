//! What a thread that executes workflow code is at, for the watchdog to see.
//!
//! Only the execution of user code is measured, one Activation at a time. So many tasks that wait for a thread, and long
//! histories that are replayed, raise no alarm.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timewright_protocol::workflow::RunKey;

use crate::local_activities::WorkflowNames;

/// Shared by a thread that executes workflow code and whoever watches it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    execution: Mutex<Option<Execution>>,
    abandoned: AtomicBool,
    ended: AtomicBool,
}

/// User code that is being executed.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    /// Counts executions, so that two looks see whether it is the same one.
    pub(crate) number: u64,
    pub(crate) key: RunKey,
    pub(crate) workflow: WorkflowNames,
    /// Which part of the user's code, in words.
    pub(crate) at: String,
}

impl Watch {
    /// What is being executed.
    pub(crate) fn execution(&self) -> Option<Execution> {
        self.lock().clone()
    }

    /// Whether execution `number` goes on. Cheaper than [`execution`](Self::execution).
    pub(crate) fn number(&self) -> Option<u64> {
        self.lock().as_ref().map(|execution| execution.number)
    }

    pub(crate) fn begin(&self, execution: Execution) {
        *self.lock() = Some(execution);
    }

    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    /// Nobody waits for the thread any more: it is to end as soon as user code comes back.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// The thread ends.
    pub(crate) fn end_thread(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Execution>> {
        self.execution.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From now on what this thread is at is noted there.
pub(crate) fn watch_this_thread(watch: Arc<Watch>) {
    WATCH.set(Some(watch));
}

/// Notes which part of the user's code is executed now, in words such as `run`.
pub(crate) fn note(what: &str) {
    WATCH.with_borrow(|watch| {
        if let Some(watch) = watch
            && let Some(execution) = &mut *watch.lock()
        {
            what.clone_into(&mut execution.at);
        }
    });
}

thread_local! {
    static WATCH: RefCell<Option<Arc<Watch>>> = const { RefCell::new(None) };
}
