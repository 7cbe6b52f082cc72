//! What workflow code can ask for beside timers and activities, on a real Temporal Server: each with the cache on and off, and
//! each history gone through again by the replayer.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what helps tests may panic as they do")]

mod author;
mod children;
mod eager_start;
mod event_groups;
mod external;
mod interceptors;
mod local_activities;
mod messages;
mod nexus;
mod notes;
mod pages;
mod python;
mod signal_with_start;
#[path = "../support/mod.rs"]
mod support;
mod traces;
mod updates;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, UntypedWorkflowHandle};
use timewright::converter::ApplicationFailure;
use timewright::workflow::{Replayer, Workflow, WorkflowWorker, WorkflowWorkerBuilder};

use support::background::{Background, run_both};
use support::definitions::activity;
use support::{LIMIT, client, unique, within};

/// How many workflows stay in memory: with the cache, and without.
const CACHES: [usize; 2] = [1000, 0];

activity!(Echo: String => String);
activity!(Flaky: u32 => u32);
activity!(Refuse: String => String);
activity!(Slow: u64 => bool);
activity!(Obey: () => ());

/// Workers for a test: workflows, and the same activities for Activity Tasks and as Local Activities.
struct Stage {
    client: Client,
    task_queue: String,
    replayer: Replayer,
    _worker: Background<timewright::WorkerError>,
}

impl Stage {
    /// With one workflow.
    async fn of<W: Workflow>(cached: usize) -> Self {
        Self::with(cached, |builder| builder.workflow::<W>(), Replayer::new().workflow::<W>()).await
    }

    /// With two.
    async fn of_both<V: Workflow, W: Workflow>(cached: usize) -> Self {
        let replayer = Replayer::new().workflow::<V>().workflow::<W>();
        Self::with(cached, |builder| builder.workflow::<V>().workflow::<W>(), replayer).await
    }

    async fn with(
        cached: usize,
        workflows: impl FnOnce(WorkflowWorkerBuilder) -> WorkflowWorkerBuilder,
        replayer: Replayer,
    ) -> Self {
        let (client, task_queue) = (client().await, unique("operations"));
        let activities = activities(&client, &task_queue);
        // Local Activities are those of the Activity Worker: `Worker` sees to that.
        let builder = WorkflowWorker::builder(client.clone(), &task_queue).maximum_cached_workflows(cached);
        let workflows = workflows(builder).build().unwrap();
        let worker = run_both(workflows, activities);
        Self { client, task_queue, replayer, _worker: worker }
    }

    /// Today's code agrees with the history of this workflow.
    async fn replay(&self, handle: &UntypedWorkflowHandle) {
        let (id, run_id) = (handle.workflow_id(), handle.run_id());
        let replayed = within("a replay", self.replayer.replay_from_server(&self.client, id, run_id)).await;
        replayed.unwrap_or_else(|error| panic!("{error}"));
    }
}

fn activities(client: &Client, task_queue: &str) -> ActivityWorker {
    ActivityWorker::builder(client.clone(), task_queue)
        .activity(Echo, echo)
        .activity(Flaky, flaky)
        .activity(Refuse, refuse)
        .activity(Slow, slow)
        .activity(Obey, obey)
        .build()
        .unwrap()
}

async fn echo(_context: ActivityContext, text: String) -> Result<String, ActivityError> {
    Ok(text)
}

/// Fails until this attempt, which it gives.
async fn flaky(context: ActivityContext, good: u32) -> Result<u32, ActivityError> {
    let attempt = context.info().attempt;
    if attempt < good {
        return Err(ApplicationFailure::new(format!("not at attempt {attempt}")).with_type("NotYet").into());
    }
    Ok(attempt)
}

async fn refuse(_context: ActivityContext, text: String) -> Result<String, ActivityError> {
    Err(ApplicationFailure::new(format!("{text} is refused")).with_type("Refused").non_retryable().into())
}

/// Takes its time; says whether it is local.
async fn slow(context: ActivityContext, milliseconds: u64) -> Result<bool, ActivityError> {
    context.heartbeat(()).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
    Ok(context.is_local())
}

/// Works until it is told to stop.
async fn obey(context: ActivityContext, (): ()) -> Result<(), ActivityError> {
    let _ = tokio::time::timeout(LIMIT, context.cancelled()).await;
    Err(ActivityError::cancelled())
}
