//! Activities that the server hands out with the answer to the Workflow Task that asks for them.

use std::sync::Arc;

use timewright_converter::BoxFuture;
use timewright_proto::command::Command;
use timewright_proto::command::command::Attributes;
use timewright_proto::workflow_service::PollActivityTaskQueueResponse;

/// Executes activities in the same process, without the way over the Task Queue. The crate `timewright` has one that hands them to
/// an Activity Worker.
///
/// The server takes such an activity for started when it answers the Workflow Task. So a slot is reserved before it is asked for
/// one, and what comes is executed.
pub trait EagerActivityExecutor: Send + Sync + 'static {
    /// A slot for one activity, if there is one to spare now. This must not wait for one.
    fn reserve(&self) -> BoxFuture<'_, Option<Box<dyn EagerActivitySlot>>>;

    /// Where the server leaves commands for the worker that executes them, such as to cancel one; empty if nowhere.
    fn control_task_queue(&self) -> String {
        String::new()
    }
}

/// Room for one activity. Dropping it gives it back.
pub trait EagerActivitySlot: Send + 'static {
    /// Executes the activity and tells the server, as if a poll had brought it.
    fn execute(self: Box<Self>, task: PollActivityTaskQueueResponse);
}

/// What a worker does about it.
#[derive(Clone)]
pub(crate) struct EagerActivities {
    pub(crate) executor: Option<Arc<dyn EagerActivityExecutor>>,
    /// In one Workflow Task.
    pub(crate) maximum: usize,
}

/// The slots that were reserved for a Workflow Task.
pub(crate) struct Reserved {
    slots: Vec<Box<dyn EagerActivitySlot>>,
    /// Where the server leaves commands for their worker.
    pub(crate) control_task_queue: String,
}

impl EagerActivities {
    /// Reserves slots for those activities that may be executed at once, and takes the wish back for all others.
    pub(crate) async fn reserve(&self, commands: &mut [Command]) -> Reserved {
        let mut slots = Vec::new();
        for command in commands {
            let Some(Attributes::ScheduleActivityTaskCommandAttributes(schedule)) = &mut command.attributes else {
                continue;
            };
            if !schedule.request_eager_execution {
                continue;
            }
            let slot = match &self.executor {
                Some(executor) if slots.len() < self.maximum => executor.reserve().await,
                _ => None,
            };
            schedule.request_eager_execution = slot.is_some();
            slots.extend(slot);
        }
        let asking = self.executor.as_ref().filter(|_| !slots.is_empty());
        Reserved { control_task_queue: asking.map(|executor| executor.control_task_queue()).unwrap_or_default(), slots }
    }
}

impl Reserved {
    /// Executes what the server handed out. Slots that are left over are given back.
    pub(crate) fn execute(mut self, tasks: Vec<PollActivityTaskQueueResponse>) {
        for task in tasks {
            match self.slots.pop() {
                Some(slot) => slot.execute(task),
                None => tracing::error!(
                    activity_id = task.activity_id,
                    "the server handed out more activities with a Workflow Task than it was asked for; this one times out"
                ),
            }
        }
    }
}
