//! Slots: how much a worker does at the same time, counted exactly.

use std::collections::BTreeMap;

/// Which queue a poll is on.
///
/// A Workflow Worker polls two: the Task Queue that everybody knows, and its own, where the server puts the next
/// Workflow Task of a Workflow Execution that this worker has in its cache.
/// <https://docs.temporal.io/sticky-execution>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueKind {
    /// The Task Queue.
    Normal,
    /// The worker's own queue.
    Sticky,
}

impl QueueKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Sticky];
}

/// One slot in use. It is never given out again, so that giving back twice is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u64);

impl SlotId {
    /// The number, for logs.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The slots of a worker: a task is executed only by who holds one, and so is a poll, which may return a task.
///
/// Where there is a sticky queue, each kind of queue has one slot that the other cannot take, so that neither starves;
/// the rest goes to whoever asks first.
///
/// ```
/// use timewright_protocol::task_queue::{QueueKind, Slots};
///
/// let mut slots = Slots::new(3, true);
/// let first = slots.reserve(QueueKind::Sticky).unwrap();
/// let second = slots.reserve(QueueKind::Sticky).unwrap();
/// assert_eq!(slots.reserve(QueueKind::Sticky), None, "the last one is the normal queue's");
/// assert!(slots.reserve(QueueKind::Normal).is_some());
/// assert!(slots.release(first));
/// assert!(!slots.release(first), "once only");
/// assert_eq!((slots.used(QueueKind::Sticky), slots.used(QueueKind::Normal)), (1, 1));
/// # let _ = second;
/// ```
#[derive(Clone, Debug)]
pub struct Slots {
    capacity: Capacity,
    held: BTreeMap<SlotId, QueueKind>,
    next: u64,
}

impl Slots {
    /// `total` slots; `sticky` says that there is a sticky queue, for which `total` must be 2 or more to be of use.
    #[must_use]
    pub const fn new(total: usize, sticky: bool) -> Self {
        Self { capacity: Capacity::new(total, sticky), held: BTreeMap::new(), next: 0 }
    }

    /// All slots, free or not.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.capacity.total
    }

    pub(super) const fn has_sticky(&self) -> bool {
        self.capacity.sticky
    }

    /// The slots that are in use for what comes, or came, from this kind of queue.
    #[must_use]
    pub const fn used(&self, queue: QueueKind) -> usize {
        self.capacity.used[queue as usize]
    }

    /// Whether [`reserve`](Self::reserve) would give a slot.
    #[must_use]
    pub fn is_free(&self, queue: QueueKind) -> bool {
        self.capacity.is_free(queue)
    }

    /// Takes a slot, if one is free for this kind of queue.
    pub fn reserve(&mut self, queue: QueueKind) -> Option<SlotId> {
        if !self.capacity.take(queue) {
            return None;
        }
        let slot = self.name();
        self.held.insert(slot, queue);
        Some(slot)
    }

    /// A name for a slot that is not taken yet.
    pub(super) fn name(&mut self) -> SlotId {
        let slot = SlotId(self.next);
        self.next += 1;
        slot
    }

    /// Takes a slot under a name that was given out, whether one is free or not: somebody else has seen to it.
    pub(super) fn hold(&mut self, slot: SlotId, queue: QueueKind) {
        self.capacity.used[queue as usize] += 1;
        self.held.insert(slot, queue);
    }

    /// Gives a slot back. False, and nothing happens, if it is not in use.
    pub fn release(&mut self, slot: SlotId) -> bool {
        let Some(queue) = self.held.remove(&slot) else { return false };
        self.capacity.give_back(queue);
        true
    }
}

/// A number of equal things shared by the kinds of queues: one for each kind, the rest for whoever asks.
///
/// Slots are shared out so, and so are the polls that may be open.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    total: usize,
    sticky: bool,
    used: [usize; 2],
}

impl Capacity {
    pub(super) const fn new(total: usize, sticky: bool) -> Self {
        Self { total, sticky, used: [0; 2] }
    }

    pub(super) const fn used(&self, queue: QueueKind) -> usize {
        self.used[queue as usize]
    }

    pub(super) fn is_free(&self, queue: QueueKind) -> bool {
        let kinds = if self.sticky { 2 } else { 1 };
        match (queue, self.used(queue)) {
            (QueueKind::Sticky, _) if !self.sticky => false,
            (_, 0) => self.used.iter().sum::<usize>() < self.total,
            _ => self.used.iter().map(|used| used.saturating_sub(1)).sum::<usize>() + kinds < self.total,
        }
    }

    pub(super) const fn set_total(&mut self, total: usize) {
        self.total = total;
    }

    pub(super) fn take(&mut self, queue: QueueKind) -> bool {
        let free = self.is_free(queue);
        self.used[queue as usize] += usize::from(free);
        free
    }

    pub(super) fn give_back(&mut self, queue: QueueKind) {
        let used = &mut self.used[queue as usize];
        *used = used.checked_sub(1).expect("only what was taken is given back");
    }
}

#[cfg(test)]
mod tests {
    use super::{QueueKind, Slots};
    use proptest::prelude::*;

    #[test]
    fn x7_two_slots_are_one_of_each() {
        let mut slots = Slots::new(2, true);
        assert!(slots.reserve(QueueKind::Sticky).is_some());
        assert!(slots.reserve(QueueKind::Sticky).is_none());
        assert!(slots.reserve(QueueKind::Normal).is_some());
        assert!(slots.reserve(QueueKind::Normal).is_none());
    }

    #[test]
    fn without_a_sticky_queue_all_slots_are_for_the_normal_one() {
        let mut slots = Slots::new(3, false);
        assert!(slots.reserve(QueueKind::Sticky).is_none());
        let taken = (0..5).filter(|_| slots.reserve(QueueKind::Normal).is_some()).count();
        assert_eq!(taken, 3);
    }

    proptest! {
        #[test]
        fn x14_slots_are_conserved(
            total in 0usize..8,
            sticky: bool,
            steps in prop::collection::vec((any::<bool>(), any::<bool>(), any::<prop::sample::Index>()), 0..200),
        ) {
            let mut slots = Slots::new(total, sticky);
            let mut held = Vec::new();
            let mut given_back = Vec::new();
            for (reserve, of_sticky, which) in steps {
                let queue = if of_sticky { QueueKind::Sticky } else { QueueKind::Normal };
                if reserve {
                    let free = slots.is_free(queue);
                    let slot = slots.reserve(queue);
                    prop_assert_eq!(free, slot.is_some());
                    held.extend(slot.map(|slot| (slot, queue)));
                } else if !held.is_empty() {
                    let (slot, _) = held.swap_remove(which.index(held.len()));
                    prop_assert!(slots.release(slot));
                    given_back.push(slot);
                }
                for slot in &given_back {
                    prop_assert!(!slots.release(*slot), "nothing is given back twice");
                }
                for queue in QueueKind::ALL {
                    prop_assert_eq!(slots.used(queue), held.iter().filter(|(_, of)| *of == queue).count());
                }
                prop_assert!(held.len() <= total);
                // The last slot of a kind is never another's.
                if total >= 2 && slots.used(QueueKind::Normal) == 0 {
                    prop_assert!(slots.is_free(QueueKind::Normal));
                }
                if sticky && total >= 2 && slots.used(QueueKind::Sticky) == 0 {
                    prop_assert!(slots.is_free(QueueKind::Sticky));
                }
            }
        }
    }
}
