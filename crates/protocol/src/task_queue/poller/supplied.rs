//! Slots that somebody else supplies.

use super::super::slots::{QueueKind, SlotId, Slots};
use super::PollerOutput;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was asked of a supplier of slots, and what of it is there and not in use.
///
/// For each kind of queue one slot is asked for at a time. Whichever comes first is used by the kind that needs it most, so that
/// a supplier which serves its callers in turn cannot starve a kind.
#[derive(Debug, Default)]
pub(super) struct Supplied {
    asked: BTreeMap<SlotId, QueueKind>,
    spare: Vec<SlotId>,
    /// A supplier that failed is left in peace until then.
    not_before: Option<Instant>,
}

impl Supplied {
    /// Asks for a slot for one of these kinds, the first of which needs it most.
    pub(super) fn reserve(&mut self, wanted: &[QueueKind], slots: &mut Slots, now: Instant) -> Option<PollerOutput> {
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        // A first slot of one kind does not wait behind a second one of the other.
        let someone_has_none = wanted.iter().any(|queue| slots.used(*queue) == 0);
        let queue = *wanted
            .iter()
            .filter(|queue| !someone_has_none || slots.used(**queue) == 0)
            .find(|queue| !self.asked.values().any(|asked| asked == *queue))?;
        let slot = slots.name();
        self.asked.insert(slot, queue);
        Some(PollerOutput::Reserve { slot, queue, held: slots.used(queue) })
    }

    /// False if it was not asked for, or is not any more.
    pub(super) fn handle_reserved(&mut self, slot: SlotId) -> bool {
        let was_asked = self.asked.remove(&slot).is_some();
        if was_asked {
            self.spare.push(slot);
        }
        was_asked
    }

    pub(super) fn handle_not_reserved(&mut self, slot: SlotId, now: Instant) {
        if self.asked.remove(&slot).is_some() {
            self.not_before = Some(now + PAUSE);
        }
    }

    pub(super) fn take_spare(&mut self) -> Option<SlotId> {
        self.spare.pop()
    }

    /// All that is not in use, and all that was asked for.
    pub(super) fn take_all(&mut self) -> Vec<SlotId> {
        let mut all = std::mem::take(&mut self.spare);
        all.extend(std::mem::take(&mut self.asked).into_keys());
        all
    }

    /// When a supplier that failed is asked again.
    pub(super) const fn asks_at(&self) -> Option<Instant> {
        self.not_before
    }
}

/// How long a supplier that failed is left in peace.
const PAUSE: Duration = Duration::from_secs(1);
