//! Activities that come with the answer to a Workflow Task, not from a poll.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timewright_client::{Slot, SlotKind, SlotReserver, SlotTask};
use timewright_proto::workflow_service::PollActivityTaskQueueResponse;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A way into a worker past its Task Queue, for whoever completes Workflow Tasks in the same process:
/// [`ActivityWorker::eager_activities`](crate::ActivityWorker::eager_activities). Cheap to clone.
///
/// The server hands an activity out with the answer to the Workflow Task that asks for it, if that is wished, and takes it for
/// started then. So a slot is reserved first, and only as many activities are wished so as there are slots.
#[derive(Clone, Default)]
pub struct EagerActivities(Arc<Mutex<Option<Open>>>);

/// A slot of a worker, reserved for one activity. Dropping it gives it back.
#[must_use = "a slot that is dropped is given to the next task"]
pub struct EagerSlot {
    slot: Slot,
    tasks: UnboundedSender<Task>,
}

/// The tasks that come to a worker by its [`EagerActivities`]. Dropped, nothing more is taken: whoever else holds those would keep
/// alive what polls for the worker.
pub(crate) struct EagerTasks {
    activities: EagerActivities,
    tasks: UnboundedReceiver<Task>,
}

/// A task with its slot.
type Task = (PollActivityTaskQueueResponse, Slot);

struct Open {
    slots: SlotReserver,
    control_task_queue: String,
    tasks: UnboundedSender<Task>,
}

impl EagerActivities {
    /// A slot, if the worker runs and has one to spare now.
    pub async fn reserve(&self) -> Option<EagerSlot> {
        let (slots, tasks) = {
            let open = self.open_part();
            let open = open.as_ref()?;
            (open.slots.clone(), open.tasks.clone())
        };
        let slot = slots.reserve().await?;
        Some(EagerSlot { slot, tasks })
    }

    /// Where the server leaves commands for the worker; empty if it gives none, or the worker does not run. Who asks for eager
    /// activities says it, so that the server can have them cancelled.
    #[must_use]
    pub fn control_task_queue(&self) -> String {
        self.open_part().as_ref().map(|open| open.control_task_queue.clone()).unwrap_or_default()
    }

    /// From now on slots can be reserved.
    pub(crate) fn open(&self, slots: SlotReserver, control_task_queue: String) -> EagerTasks {
        // It cannot grow without bound: there is at most one task for each slot.
        let (tasks, receiver) = unbounded_channel();
        *self.open_part() = Some(Open { slots, control_task_queue, tasks });
        EagerTasks { activities: self.clone(), tasks: receiver }
    }

    fn open_part(&self) -> MutexGuard<'_, Option<Open>> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EagerTasks {
    /// The next task, with its slot; `None` when [`close`](Self::close) was called and all slots are back.
    pub(crate) async fn next(&mut self) -> Option<Task> {
        self.tasks.recv().await
    }

    /// No more slots can be reserved.
    pub(crate) fn close(&self) {
        *self.activities.open_part() = None;
    }
}

impl Drop for EagerTasks {
    fn drop(&mut self) {
        self.close();
    }
}

impl EagerSlot {
    /// Executes this task, as if a poll had brought it.
    pub fn execute(self, task: PollActivityTaskQueueResponse) {
        let Self { mut slot, tasks } = self;
        let activity_type = task.activity_type.as_ref().map_or("", |known| known.name.as_str());
        slot.mark_used(&SlotTask::new(SlotKind::Activity, activity_type));
        if let Err(lost) = tasks.send((task, slot)) {
            let (task, _) = lost.0;
            tracing::error!(
                activity_id = task.activity_id,
                "the worker was dropped while an activity was on its way to it; the activity times out"
            );
        }
    }
}

impl fmt::Debug for EagerActivities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EagerActivities").field("is_open", &self.open_part().is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for EagerSlot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EagerSlot").field("slot", &self.slot).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use timewright_client::{Polled, RpcError, SlotRequest, TaskPoller, TaskSource, WorkerSlots};
    use timewright_protocol::task_queue::{Poller, QueueKind};

    use super::*;

    struct NeverAny;

    impl TaskSource for NeverAny {
        type Task = PollActivityTaskQueueResponse;

        async fn poll(&self, _queue: QueueKind, _group: Option<&str>) -> Result<Polled<Self::Task>, RpcError> {
            std::future::pending().await
        }

        fn type_name<'a>(&self, _task: &'a Self::Task) -> &'a str {
            ""
        }
    }

    /// Whoever completes Workflow Tasks may go on for long without it.
    #[tokio::test]
    async fn a_worker_that_is_dropped_leaves_nothing_that_polls() {
        let slots = WorkerSlots::fixed(10);
        let poller = Poller::new(slots.poller_options()).unwrap();
        let request = SlotRequest::new(SlotKind::Activity, "queue");
        let polls = TaskPoller::start(NeverAny, poller, &slots, request);
        let mut snapshots = polls.snapshots();
        let eager = EagerActivities::default();
        let tasks = eager.open(polls.slot_reserver(), String::new());
        assert!(eager.reserve().await.is_some());
        drop((tasks, polls));
        assert!(eager.reserve().await.is_none());
        // Until whoever shows them has ended.
        while snapshots.changed().await.is_ok() {}
    }
}
