//! Activities of an Activity Worker, executed at once by a Workflow Worker on the same Task Queue.

use timewright_activity_worker::{ActivityWorker, EagerSlot};
use timewright_converter::BoxFuture;
use timewright_proto::workflow_service::PollActivityTaskQueueResponse;
use timewright_workflow_worker::{EagerActivityExecutor, EagerActivitySlot, WorkflowWorker};

/// The slots of an [`ActivityWorker`], for a Workflow Worker on the same Task Queue: activities that the one asks for go straight
/// to the other while it has room. [`Worker`](crate::Worker) sets this up by itself; it is for workers that are run apart.
///
/// ```no_run
/// # use timewright::{EagerActivities, activity::ActivityWorkerBuilder, workflow::WorkflowWorkerBuilder};
/// # async fn run(
/// #     activities: ActivityWorkerBuilder, workflows: WorkflowWorkerBuilder,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let activities = activities.build()?;
/// let workflows = workflows.eager_activities(EagerActivities::of(&activities)).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct EagerActivities(timewright_activity_worker::EagerActivities);

impl EagerActivities {
    /// Those of this worker. It must be of the same server, namespace and Task Queue as the Workflow Worker.
    #[must_use]
    pub fn of(worker: &ActivityWorker) -> Self {
        Self(worker.eager_activities())
    }
}

/// Whether what the one asks for is what the other executes.
pub(crate) fn belong_together(workflows: &WorkflowWorker, activities: &ActivityWorker) -> bool {
    let (asking, executing) = (workflows.client(), activities.client());
    workflows.task_queue() == activities.task_queue()
        && asking.namespace() == executing.namespace()
        && asking.address() == executing.address()
}

impl EagerActivityExecutor for EagerActivities {
    fn reserve(&self) -> BoxFuture<'_, Option<Box<dyn EagerActivitySlot>>> {
        Box::pin(async {
            let slot = self.0.reserve().await?;
            Some(Box::new(Reserved(slot)) as Box<dyn EagerActivitySlot>)
        })
    }

    fn control_task_queue(&self) -> String {
        self.0.control_task_queue()
    }
}

struct Reserved(EagerSlot);

impl EagerActivitySlot for Reserved {
    fn execute(self: Box<Self>, task: PollActivityTaskQueueResponse) {
        self.0.execute(task);
    }
}
