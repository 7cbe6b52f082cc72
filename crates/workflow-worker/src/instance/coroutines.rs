//! Coroutines that user code has spawned.

use std::panic::Location;

use super::{Polled, TaskProblem, guard};
use crate::mailbox::{Routine, SharedMailbox};
use crate::messages::Messages;
use crate::wait::Foreign;
use crate::workflow::Workflow;

/// Coroutines that have not returned, in the order of their start.
#[derive(Default)]
pub(super) struct Coroutines {
    started: u64,
    running: Vec<RunningCoroutine>,
}

pub(super) struct RunningCoroutine {
    pub(super) routine: Routine,
    /// Where it was started.
    pub(super) location: &'static Location<'static>,
    polled: Polled<()>,
}

impl RunningCoroutine {
    pub(super) fn foreign(&self) -> Option<Foreign> {
        self.polled.foreign()
    }
}

impl Coroutines {
    /// Polls those that were woken, in their order; those that are started meanwhile come last.
    pub(super) fn poll<W: Workflow>(
        &mut self,
        mailbox: &SharedMailbox,
        messages: &Messages<W>,
    ) -> Result<(), TaskProblem> {
        let mut index = 0;
        loop {
            self.take_spawned(mailbox);
            let Some(coroutine) = self.running.get_mut(index) else { return Ok(()) };
            if !coroutine.polled.is_woken() {
                index += 1;
                continue;
            }
            mailbox.borrow_mut().enter_routine(coroutine.routine);
            let is_ended = guard("a coroutine", || coroutine.polled.poll())?.is_ready();
            messages.check()?;
            if is_ended {
                let ended = self.running.remove(index);
                guard("a destructor", || drop(ended))?;
            } else {
                index += 1;
            }
        }
    }

    fn take_spawned(&mut self, mailbox: &SharedMailbox) {
        let spawned = mailbox.borrow_mut().take_spawned();
        self.running.extend(spawned.into_iter().map(|coroutine| {
            self.started += 1;
            RunningCoroutine {
                routine: Routine::Coroutine(self.started),
                location: coroutine.location,
                polled: Polled::woken(coroutine.future),
            }
        }));
    }

    pub(super) fn is_any_woken(&self) -> bool {
        self.running.iter().any(|coroutine| coroutine.polled.is_woken())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RunningCoroutine> {
        self.running.iter()
    }

    pub(super) fn take(&mut self) -> Vec<RunningCoroutine> {
        std::mem::take(&mut self.running)
    }
}
