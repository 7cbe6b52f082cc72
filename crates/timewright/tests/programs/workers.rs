//! Our workers for the programs.

use std::time::Duration;

use greeting_definitions::{ComposeGreeting, activity_task_queue};
use timewright::Worker;
use timewright::activity::{ActivityWorker, ActivityWorkerBuilder};
use timewright::client::Client;
use timewright::workflow::{WorkflowWorker, WorkflowWorkerBuilder};

use super::activities;
use super::definitions::{ProgramEcho, ProgramFlaky, ProgramRefuse, ProgramWait};
use super::workflows::{
    ApprovalsWorkflow, CancelActivitiesWorkflow, CleanUpWorkflow, CompensationWorkflow, FailingWorkflow,
    FanOutWorkflow, GreetingWorkflow, RoundsWorkflow, TimeoutsWorkflow, TimersWorkflow,
};
use crate::support::background::{Background, run_worker};

/// Starts workers for all programs and their activities.
pub(crate) fn start(client: &Client, task_queue: &str) -> Background<timewright::WorkerError> {
    let workflows = workflows::<false>(client, task_queue).build().unwrap_or_else(|error| panic!("{error}"));
    run_worker(with_activities(client, task_queue).workflows(workflows))
}

/// All programs.
pub(crate) fn workflows<const CHANGED: bool>(client: &Client, task_queue: &str) -> WorkflowWorkerBuilder {
    WorkflowWorker::builder(client.clone(), task_queue)
        .workflow::<GreetingWorkflow<CHANGED>>()
        .workflow::<ApprovalsWorkflow<CHANGED>>()
        .workflow::<TimersWorkflow<CHANGED>>()
        .workflow::<FanOutWorkflow<CHANGED>>()
        .workflow::<CompensationWorkflow<CHANGED>>()
        .workflow::<FailingWorkflow<CHANGED>>()
        .workflow::<CleanUpWorkflow<CHANGED>>()
        .workflow::<CancelActivitiesWorkflow<CHANGED>>()
        .workflow::<RoundsWorkflow<CHANGED>>()
        .workflow::<TimeoutsWorkflow<CHANGED>>()
}

/// The activities, on both Task Queues that programs call them on.
pub(crate) fn with_activities(client: &Client, task_queue: &str) -> Worker {
    let build = |builder: ActivityWorkerBuilder| builder.build().unwrap_or_else(|error| panic!("{error}"));
    Worker::new()
        .activities(build(activities_on(client, task_queue)))
        .activities(build(activities_on(client, &activity_task_queue(task_queue))))
}

fn activities_on(client: &Client, task_queue: &str) -> ActivityWorkerBuilder {
    ActivityWorker::builder(client.clone(), task_queue)
        .activity(ComposeGreeting, activities::compose_greeting)
        .activity(ProgramEcho, activities::echo)
        .activity(ProgramFlaky, activities::flaky)
        .activity(ProgramRefuse, activities::refuse)
        .activity(ProgramWait, activities::wait)
        .maximum_heartbeat_throttle_interval(Duration::from_millis(100))
        .graceful_shutdown_timeout(Duration::ZERO)
}
