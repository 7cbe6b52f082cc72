//! Room for Local Activities: slots, and so many a second.

use timewright_client::{PoolSlot, SlotKind, SlotPool, SlotTask};
use timewright_protocol::task_queue::RateLimit;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// How many Local Activities may be executed.
#[derive(Debug)]
pub(crate) struct Room {
    /// At the same time.
    pub(crate) slots: SlotPool,
    /// In a second.
    pub(crate) limit: Option<RateLimit>,
}

/// What attempts wait at.
pub(super) struct Entrance {
    slots: SlotPool,
    /// Held while waiting, so that attempts go in as they came.
    limit: Option<Mutex<RateLimit>>,
}

impl From<Room> for Entrance {
    fn from(Room { slots, limit }: Room) -> Self {
        Self { slots, limit: limit.map(Mutex::new) }
    }
}

impl Entrance {
    /// Waits until an attempt may begin. Nothing is lost if the future is dropped, except that the limit counts an attempt which
    /// was given up while it waited for a slot.
    pub(super) async fn enter(&self, activity_type: &str) -> PoolSlot {
        if let Some(limit) = &self.limit {
            let mut limit = limit.lock().await;
            while !limit.take(Instant::now().into_std()) {
                match limit.ready_at(1) {
                    Some(at) => sleep_until(Instant::from_std(at)).await,
                    None => break,
                }
            }
        }
        self.slots.acquire(&SlotTask::new(SlotKind::LocalActivity, activity_type)).await
    }
}
