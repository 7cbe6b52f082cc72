//! Coroutines that user code has spawned.

use super::{Polled, TaskProblem, guard};
use crate::mailbox::SharedMailbox;
use crate::messages::Messages;
use crate::workflow::Workflow;

/// Polls the coroutines that were woken, in the order of their start; those that are started meanwhile come last.
pub(super) fn poll_coroutines<W: Workflow>(
    coroutines: &mut Vec<Polled<()>>,
    mailbox: &SharedMailbox,
    messages: &Messages<W>,
) -> Result<(), TaskProblem> {
    let mut index = 0;
    loop {
        let spawned = mailbox.borrow_mut().take_spawned();
        coroutines.extend(spawned.into_iter().map(|coroutine| Polled::woken(coroutine.0)));
        let Some(coroutine) = coroutines.get_mut(index) else { return Ok(()) };
        if !coroutine.is_woken() {
            index += 1;
            continue;
        }
        let is_ended = guard("a coroutine", || coroutine.poll())?.is_ready();
        messages.check()?;
        if is_ended {
            let ended = coroutines.remove(index);
            guard("a destructor", || drop(ended))?;
        } else {
            index += 1;
        }
    }
}

pub(super) fn is_any_coroutine_woken(coroutines: &[Polled<()>]) -> bool {
    coroutines.iter().any(Polled::is_woken)
}
