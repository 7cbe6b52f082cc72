//! Coroutines that user code has spawned.

use super::{TaskProblem, WorkflowInstance, guard};
use crate::instance::polled::Polled;
use crate::workflow::Workflow;

impl<W: Workflow> WorkflowInstance<W> {
    /// Polls the coroutines that were woken, in the order of their start; those that are started meanwhile come last.
    pub(super) fn poll_coroutines(&mut self) -> Result<(), TaskProblem> {
        let mut index = 0;
        loop {
            let spawned = self.mailbox.borrow_mut().take_spawned();
            self.coroutines.extend(spawned.into_iter().map(|coroutine| Polled::woken(coroutine.0)));
            let Some(coroutine) = self.coroutines.get_mut(index) else { return Ok(()) };
            if coroutine.is_woken() && guard("a coroutine", || coroutine.poll())?.is_ready() {
                let ended = self.coroutines.remove(index);
                guard("a destructor", || drop(ended))?;
            } else {
                index += 1;
            }
        }
    }

    pub(super) fn is_any_coroutine_woken(&self) -> bool {
        self.coroutines.iter().any(Polled::is_woken) || self.mailbox.borrow().has_spawned()
    }
}
