//! The slot that an attempt holds.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use timewright_client::Slot;

/// The slot of an attempt, which is free when the attempt has ended, unless something of the worker's keeps it for longer.
#[derive(Clone, Default)]
pub(crate) struct AttemptSlot(Arc<Mutex<Option<Slot>>>);

impl AttemptSlot {
    pub(crate) fn new(slot: Slot) -> Self {
        Self(Arc::new(Mutex::new(Some(slot))))
    }

    pub(crate) fn take(&self) -> Option<Slot> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for AttemptSlot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AttemptSlot").finish_non_exhaustive()
    }
}
