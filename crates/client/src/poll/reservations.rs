//! Slots that a supplier is asked for, and those that it gave.

use super::{Permit, QueueKind, SlotId, SlotRequest, SlotTask, WorkerSlots};
use crate::slots::DynSupplier;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// Does nothing where the number of slots is fixed.
pub(super) struct Reservations {
    supplier: Option<Arc<dyn DynSupplier>>,
    request: SlotRequest,
    waiting: JoinSet<Permit>,
    asked: BTreeMap<Id, (SlotId, AbortHandle)>,
    /// Those of open polls, and those that are about to be.
    permits: BTreeMap<SlotId, Permit>,
}

impl Reservations {
    pub(super) fn new(slots: &WorkerSlots, request: SlotRequest) -> Self {
        Self {
            supplier: slots.supplier().cloned(),
            request,
            waiting: JoinSet::new(),
            asked: BTreeMap::new(),
            permits: BTreeMap::new(),
        }
    }

    pub(super) fn reserve(&mut self, slot: SlotId, queue: QueueKind, held: usize) {
        let Some(supplier) = &self.supplier else { return };
        let request = SlotRequest { is_sticky: queue == QueueKind::Sticky, held, ..self.request.clone() };
        let task = self.waiting.spawn(Arc::clone(supplier).reserve(request));
        self.asked.insert(task.id(), (slot, task));
    }

    /// The next slot that is there, or that will not come; `None` where none is asked for.
    pub(super) async fn next(&mut self) -> Option<(SlotId, bool)> {
        loop {
            let end = self.waiting.join_next_with_id().await?;
            let id = end.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
            // What is not asked for any more is dropped.
            let Some((slot, _)) = self.asked.remove(&id) else { continue };
            let is_there = match end {
                Ok((_, permit)) => {
                    self.permits.insert(slot, permit);
                    true
                }
                Err(error) => {
                    let name = self.supplier.as_ref().map_or("", |supplier| supplier.name());
                    tracing::error!("the slot supplier `{name}` failed, and is asked again in a second: {error}");
                    false
                }
            };
            return Some((slot, is_there));
        }
    }

    /// What the supplier says that is free; `None` where it does not know, or there is none.
    pub(super) fn free(&self) -> Option<usize> {
        self.supplier.as_ref()?.free()
    }

    /// Gives a slot back, or asks for it no longer.
    pub(super) fn release(&mut self, slot: SlotId) {
        self.permits.remove(&slot);
        // What is under way is dropped with its task, and also if it has just ended.
        self.asked.retain(|_, (asked, task)| {
            if *asked == slot {
                task.abort();
            }
            *asked != slot
        });
    }

    /// The slot of a poll that returned with a task.
    pub(super) fn use_for(&mut self, slot: SlotId, type_name: &str) -> Option<Permit> {
        let mut permit = self.permits.remove(&slot)?;
        permit.mark_used(&SlotTask::new(self.request.kind, type_name));
        Some(permit)
    }

    /// `None` where there is no supplier, else what it says.
    pub(super) fn try_reserve(&self) -> Option<Option<Permit>> {
        let supplier = self.supplier.as_ref()?;
        Some(Arc::clone(supplier).try_reserve(&self.request))
    }
}
