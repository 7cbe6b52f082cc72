//! Who waits first is served first.
//!
//! What somebody is given waits for them by their ticket, so that nobody who comes later can take it away.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use crate::wait;

/// Waiters who need an `N` each, and are given a `G`.
#[derive(Debug)]
pub(super) struct WaitQueue<N, G> {
    last_ticket: u64,
    waiting: BTreeMap<u64, (N, Waker)>,
    granted: BTreeMap<u64, G>,
}

impl<N, G> Default for WaitQueue<N, G> {
    fn default() -> Self {
        Self { last_ticket: 0, waiting: BTreeMap::new(), granted: BTreeMap::new() }
    }
}

impl<N, G> WaitQueue<N, G> {
    /// Waits behind all others; gives the ticket.
    pub(super) fn enter(&mut self, need: N, task: &Context<'_>) -> u64 {
        self.last_ticket += 1;
        self.waiting.insert(self.last_ticket, (need, wait::keep(task.waker())));
        self.last_ticket
    }

    /// What the first one needs.
    pub(super) fn first(&self) -> Option<&N> {
        self.waiting.first_key_value().map(|(_, (need, _))| need)
    }

    /// Serves the first one: whom to wake when nothing is borrowed.
    #[must_use]
    pub(super) fn grant_first(&mut self, grant: impl FnOnce(N) -> G) -> Option<Waker> {
        let (ticket, (need, waker)) = self.waiting.pop_first()?;
        self.granted.insert(ticket, grant(need));
        Some(waker)
    }

    pub(super) fn poll(&mut self, ticket: u64, task: &Context<'_>) -> Poll<G> {
        if let Some(granted) = self.granted.remove(&ticket) {
            return Poll::Ready(granted);
        }
        if let Some((_, waker)) = self.waiting.get_mut(&ticket) {
            *waker = wait::keep(task.waker());
        }
        Poll::Pending
    }

    /// The ticket's owner does not wait any more: what they needed, or what they were given.
    pub(super) fn leave(&mut self, ticket: u64) -> (Option<N>, Option<G>) {
        (self.waiting.remove(&ticket).map(|(need, _)| need), self.granted.remove(&ticket))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
