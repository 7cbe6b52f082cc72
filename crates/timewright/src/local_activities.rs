//! The activities of an Activity Worker, as Local Activities of a Workflow Worker.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_activity_worker::{
    ActivityInfo, ActivityOutcome, ActivityPriority, ActivityRetryPolicy, ActivityWorker, LocalActivityTask,
    WorkflowOrigin,
};
use timewright_converter::{ApplicationFailure, BoxFuture, DefaultFailureConverter, FailureConverter, Payload};
use timewright_proto::common::RetryPolicy;
use timewright_workflow_worker::{
    LocalActivity, LocalActivityCancellation, LocalActivityExecutor, LocalActivityOutcome,
};

/// The activities of an [`ActivityWorker`], for a Workflow Worker to execute as Local Activities. The Activity Worker itself may
/// be run, or not.
///
/// ```no_run
/// # use timewright::{LocalActivities, Worker, activity::ActivityWorkerBuilder, workflow::WorkflowWorkerBuilder};
/// # async fn run(
/// #     activities: ActivityWorkerBuilder, workflows: WorkflowWorkerBuilder,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let activities = activities.build()?;
/// let workflows = workflows.local_activities(LocalActivities::of(&activities)).build()?;
/// Worker::new().workflows(workflows).activities(activities).run(timewright::shutdown_signal()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LocalActivities(timewright_activity_worker::LocalActivities);

impl LocalActivities {
    /// Those of this worker, with its layers.
    #[must_use]
    pub fn of(worker: &ActivityWorker) -> Self {
        Self(worker.local_activities())
    }
}

impl LocalActivityExecutor for LocalActivities {
    fn execute(
        &self,
        activity: LocalActivity,
        cancellation: LocalActivityCancellation,
    ) -> BoxFuture<'static, LocalActivityOutcome> {
        let told = cancellation.clone();
        let executed = self.0.execute(to_task(activity), async move { cancellation.cancelled().await });
        Box::pin(async move {
            match executed.await {
                ActivityOutcome::Completed(result) => LocalActivityOutcome::Completed(Some(result)),
                ActivityOutcome::Failed(failure) => LocalActivityOutcome::Failed(failure),
                ActivityOutcome::Cancelled(details) if told.is_cancelled() => LocalActivityOutcome::Cancelled { details },
                ActivityOutcome::Cancelled(_) => failed(
                    ApplicationFailure::new(
                        "the activity ended as cancelled, although nobody had asked for that: return an error of your own \
                         instead",
                    )
                    .with_type("CancelledWithoutRequest"),
                ),
                ActivityOutcome::WillCompleteAsynchronously => failed(
                    ApplicationFailure::new(
                        "a Local Activity cannot be completed by somebody else: execute it as an activity instead",
                    )
                    .with_type("NotLocal")
                    .non_retryable(),
                ),
            }
        })
    }
}

fn failed(failure: ApplicationFailure) -> LocalActivityOutcome {
    LocalActivityOutcome::Failed(Box::new(DefaultFailureConverter::default().serialize(&failure.into())))
}

fn to_task(activity: LocalActivity) -> LocalActivityTask {
    LocalActivityTask {
        info: ActivityInfo {
            activity_type: activity.activity_type,
            activity_id: activity.activity_id,
            attempt: activity.attempt,
            namespace: activity.namespace,
            task_queue: activity.task_queue,
            workflow: Some(WorkflowOrigin {
                workflow_id: activity.workflow_id,
                run_id: activity.run_id,
                workflow_type: activity.workflow_type,
            }),
            activity_run_id: None,
            scheduled_time: activity.scheduled_time,
            current_attempt_scheduled_time: activity.current_attempt_scheduled_time,
            started_time: activity.started_time,
            schedule_to_close_timeout: activity.schedule_to_close_timeout,
            start_to_close_timeout: activity.start_to_close_timeout,
            heartbeat_timeout: None,
            retry_policy: activity.retry_policy.map(to_retry_policy),
            priority: ActivityPriority::default(),
        },
        header: activity.header.fields.into_iter().collect::<BTreeMap<String, Payload>>(),
        input: activity.arguments,
    }
}

/// What the workflow said; what is not a duration is left to the worker.
fn to_retry_policy(policy: RetryPolicy) -> ActivityRetryPolicy {
    let duration = |duration: Option<timewright_proto::prost_types::Duration>| -> Option<Duration> {
        duration.as_ref().and_then(timewright_proto::from_duration)
    };
    ActivityRetryPolicy {
        initial_interval: duration(policy.initial_interval).unwrap_or(Duration::from_secs(1)),
        backoff_coefficient: policy.backoff_coefficient,
        maximum_interval: duration(policy.maximum_interval),
        maximum_attempts: u32::try_from(policy.maximum_attempts).ok().filter(|maximum| *maximum > 0),
        non_retryable_error_types: policy.non_retryable_error_types,
    }
}
