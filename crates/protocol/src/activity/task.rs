//! An Activity Task, checked.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use timewright_proto::Bytes;
use timewright_proto::common::{self, Payload};
use timewright_proto::workflow_service::PollActivityTaskQueueResponse;
use timewright_proto::{from_duration, prost_types};

/// One attempt of an activity, to be executed now.
///
/// Made of a poll's answer; what a worker relies on is there, and times and durations are such.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityTask {
    /// By what the server knows this attempt.
    pub task_token: Bytes,
    /// What the activity is, and when it has to be done.
    pub info: ActivityInfo,
    /// Context that interceptors of the caller put in.
    pub header: BTreeMap<String, Payload>,
    /// The arguments.
    pub input: Vec<Payload>,
    /// The last details that the previous attempt heartbeated; `None` if it had not, or there was none.
    pub heartbeat_details: Option<Vec<Payload>>,
}

/// What an activity is, and when it has to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityInfo {
    /// The Activity Type's name.
    pub activity_type: String,
    /// The activity's id, unique among the open activities of its workflow or, standing alone, of its namespace.
    pub activity_id: String,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// The namespace.
    pub namespace: String,
    /// The Task Queue that the task came from.
    pub task_queue: String,
    /// The workflow that asked for it; `None` for an activity that a client started.
    pub workflow: Option<WorkflowOrigin>,
    /// The run of an activity that a client started; `None` for an activity of a workflow.
    pub activity_run_id: Option<String>,
    /// When the activity was asked for, by the server's clock.
    pub scheduled_time: SystemTime,
    /// When this attempt was asked for, by the server's clock.
    pub current_attempt_scheduled_time: SystemTime,
    /// When this attempt was handed out, by the server's clock.
    pub started_time: SystemTime,
    /// How long all attempts together may take, waiting included.
    pub schedule_to_close_timeout: Option<Duration>,
    /// How long this attempt may take.
    pub start_to_close_timeout: Option<Duration>,
    /// How long the server waits for the next heartbeat.
    pub heartbeat_timeout: Option<Duration>,
    /// Whether and when another attempt follows a failure; `None`: none does.
    pub retry_policy: Option<ActivityRetryPolicy>,
    /// Before which others it is executed.
    pub priority: ActivityPriority,
}

/// The workflow that asked for an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowOrigin {
    /// Its Workflow Id.
    pub workflow_id: String,
    /// Its Run Id.
    pub run_id: String,
    /// Its type.
    pub workflow_type: String,
}

/// Whether and when another attempt follows a failure. <https://docs.temporal.io/encyclopedia/retry-policies>
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityRetryPolicy {
    /// The time between the first failure and the second attempt.
    pub initial_interval: Duration,
    /// By what each further interval is longer than the one before.
    pub backoff_coefficient: f64,
    /// What no interval exceeds; `None` leaves it to the server (100 times the initial interval).
    pub maximum_interval: Option<Duration>,
    /// How many attempts there are; `None`: as many as fit into the timeouts.
    pub maximum_attempts: Option<u32>,
    /// The types of failures after which there is no further attempt.
    pub non_retryable_error_types: Vec<String>,
}

/// Before which other tasks of its queue one is executed. <https://docs.temporal.io/develop/task-queue-priority-fairness>
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivityPriority {
    /// 1 is the most urgent; `None` leaves it to the server.
    pub priority_key: Option<u32>,
    /// Tasks of different keys get their turns; `None`: all such share one.
    pub fairness_key: Option<String>,
    /// How often this key gets its turn, compared with others; `None`: 1.
    pub fairness_weight: Option<f32>,
}

/// A poll's answer that is no Activity Task. The server's fault, or that of a proxy in between.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent an Activity Task ({}) that cannot be executed: {problem}", named(.activity_type))]
pub struct InvalidActivityTask {
    /// By what the task can be failed; empty if the server did not even send that.
    pub task_token: Bytes,
    /// Which type, where that much is known.
    pub activity_type: String,
    /// What is wrong.
    pub problem: TaskProblem,
}

/// What is wrong with an Activity Task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskProblem {
    /// A field is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A time, a duration or a number is not one.
    #[error("`{0}` is out of range")]
    OutOfRange(&'static str),
}

impl ActivityTask {
    /// Checks a poll's answer. The namespace is that of the poll, for answers that do not say it; so is the Task Queue, which
    /// none does.
    ///
    /// # Errors
    /// If something is missing without which the task cannot be executed.
    pub fn new(
        response: PollActivityTaskQueueResponse,
        namespace: &str,
        task_queue: &str,
    ) -> Result<Self, InvalidActivityTask> {
        let task_token = response.task_token.clone();
        let activity_type = response.activity_type.as_ref().map(|known| known.name.clone()).unwrap_or_default();
        checked(response, namespace, task_queue).map_err(|problem| InvalidActivityTask {
            task_token,
            activity_type,
            problem,
        })
    }
}

fn checked(
    response: PollActivityTaskQueueResponse,
    namespace: &str,
    task_queue: &str,
) -> Result<ActivityTask, TaskProblem> {
    if response.task_token.is_empty() {
        return Err(TaskProblem::Missing("task_token"));
    }
    let workflow = response.workflow_execution.filter(|execution| !execution.workflow_id.is_empty());
    let info = ActivityInfo {
        activity_type: text("activity_type", response.activity_type.unwrap_or_default().name)?,
        activity_id: text("activity_id", response.activity_id)?,
        attempt: attempt(response.attempt)?,
        namespace: non_empty(response.workflow_namespace).unwrap_or_else(|| namespace.to_owned()),
        task_queue: task_queue.to_owned(),
        workflow: workflow
            .map(|execution| {
                Ok(WorkflowOrigin {
                    workflow_id: execution.workflow_id,
                    run_id: text("workflow_execution.run_id", execution.run_id)?,
                    workflow_type: text("workflow_type", response.workflow_type.unwrap_or_default().name)?,
                })
            })
            .transpose()?,
        activity_run_id: non_empty(response.activity_run_id),
        scheduled_time: time("scheduled_time", response.scheduled_time)?,
        current_attempt_scheduled_time: time(
            "current_attempt_scheduled_time",
            response.current_attempt_scheduled_time,
        )?,
        started_time: time("started_time", response.started_time)?,
        schedule_to_close_timeout: duration("schedule_to_close_timeout", response.schedule_to_close_timeout)?,
        start_to_close_timeout: duration("start_to_close_timeout", response.start_to_close_timeout)?,
        heartbeat_timeout: duration("heartbeat_timeout", response.heartbeat_timeout)?,
        retry_policy: response.retry_policy.map(retry_policy).transpose()?,
        priority: response.priority.map(priority).unwrap_or_default(),
    };
    if info.workflow.is_none() && info.activity_run_id.is_none() {
        return Err(TaskProblem::Missing("workflow_execution"));
    }
    Ok(ActivityTask {
        task_token: response.task_token,
        info,
        header: response.header.unwrap_or_default().fields,
        input: response.input.unwrap_or_default().payloads,
        heartbeat_details: response.heartbeat_details.map(|details| details.payloads),
    })
}

fn retry_policy(policy: common::RetryPolicy) -> Result<ActivityRetryPolicy, TaskProblem> {
    const FIRST: &str = "retry_policy.initial_interval";
    Ok(ActivityRetryPolicy {
        initial_interval: duration(FIRST, policy.initial_interval)?.unwrap_or_default(),
        backoff_coefficient: policy.backoff_coefficient,
        maximum_interval: duration("retry_policy.maximum_interval", policy.maximum_interval)?,
        maximum_attempts: positive(policy.maximum_attempts),
        non_retryable_error_types: policy.non_retryable_error_types,
    })
}

fn priority(priority: common::Priority) -> ActivityPriority {
    ActivityPriority {
        priority_key: positive(priority.priority_key),
        fairness_key: non_empty(priority.fairness_key),
        fairness_weight: Some(priority.fairness_weight).filter(|weight| *weight > 0.0),
    }
}

fn text(field: &'static str, text: String) -> Result<String, TaskProblem> {
    non_empty(text).ok_or(TaskProblem::Missing(field))
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn attempt(number: i32) -> Result<u32, TaskProblem> {
    match u32::try_from(number) {
        Ok(0) => Err(TaskProblem::Missing("attempt")),
        Ok(attempt) => Ok(attempt),
        Err(_) => Err(TaskProblem::OutOfRange("attempt")),
    }
}

fn positive(number: i32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number > 0)
}

fn time(field: &'static str, time: Option<prost_types::Timestamp>) -> Result<SystemTime, TaskProblem> {
    let time = time.ok_or(TaskProblem::Missing(field))?;
    // What protobuf calls a time: the years 1 to 9999. Beyond, what user code computes with it might overflow.
    let is_time = TIMES.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
    time.try_into().ok().filter(|_| is_time).ok_or(TaskProblem::OutOfRange(field))
}

/// In seconds since 1970.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Zero and absent both mean that there is no such limit.
fn duration(field: &'static str, duration: Option<prost_types::Duration>) -> Result<Option<Duration>, TaskProblem> {
    let Some(duration) = duration else { return Ok(None) };
    let duration = from_duration(&duration).ok_or(TaskProblem::OutOfRange(field))?;
    Ok((!duration.is_zero()).then_some(duration))
}

fn named(activity_type: &str) -> &str {
    if activity_type.is_empty() { "of unknown type" } else { activity_type }
}

#[cfg(test)]
mod tests {
    use timewright_proto::common::{ActivityType, Payloads, WorkflowExecution, WorkflowType};

    use super::*;

    fn response() -> PollActivityTaskQueueResponse {
        let time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 });
        PollActivityTaskQueueResponse {
            task_token: Bytes::from_static(b"token"),
            workflow_namespace: "orders".into(),
            workflow_type: Some(WorkflowType { name: "Order".into() }),
            workflow_execution: Some(WorkflowExecution { workflow_id: "order-1".into(), run_id: "run".into() }),
            activity_type: Some(ActivityType { name: "Charge".into() }),
            activity_id: "7".into(),
            scheduled_time: time,
            current_attempt_scheduled_time: time,
            started_time: time,
            attempt: 2,
            ..Default::default()
        }
    }

    fn standalone() -> PollActivityTaskQueueResponse {
        PollActivityTaskQueueResponse {
            workflow_type: None,
            workflow_execution: None,
            activity_run_id: "run".into(),
            ..response()
        }
    }

    fn task(response: PollActivityTaskQueueResponse) -> ActivityTask {
        ActivityTask::new(response, "default", "queue").unwrap()
    }

    #[test]
    fn what_is_absent_has_one_meaning() {
        let ActivityTask { info, heartbeat_details, .. } = task(response());
        assert_eq!((info.attempt, info.namespace.as_str(), info.task_queue.as_str()), (2, "orders", "queue"));
        assert_eq!(info.started_time.duration_since(SystemTime::UNIX_EPOCH).unwrap(), Duration::new(1_700_000_000, 5));
        assert_eq!(
            (info.heartbeat_timeout, info.retry_policy, info.priority),
            (None, None, ActivityPriority::default())
        );
        assert_eq!(heartbeat_details, None);

        let zero = Some(prost_types::Duration::default());
        let info = task(PollActivityTaskQueueResponse {
            heartbeat_timeout: zero,
            workflow_namespace: String::new(),
            retry_policy: Some(common::RetryPolicy { initial_interval: zero, ..Default::default() }),
            ..response()
        })
        .info;
        assert_eq!((info.heartbeat_timeout, info.namespace.as_str()), (None, "default"));
        assert_eq!(info.retry_policy.unwrap().maximum_attempts, None);
    }

    #[test]
    fn no_heartbeat_differs_from_an_empty_one() {
        let details = Some(Payloads::default());
        let task = task(PollActivityTaskQueueResponse { heartbeat_details: details, ..response() });
        assert_eq!(task.heartbeat_details, Some(Vec::new()));
    }

    #[test]
    fn an_activity_may_stand_alone() {
        let info = task(standalone()).info;
        assert_eq!((info.workflow, info.activity_run_id.as_deref()), (None, Some("run")));
        assert_eq!(task(response()).info.activity_run_id, None);
    }

    #[test]
    fn bad_answers_say_what_is_missing_and_keep_the_token() {
        type Change = fn(&mut PollActivityTaskQueueResponse);
        let table: [(Change, &str); 9] = [
            (|r| r.activity_type = None, "(of unknown type) that cannot be executed: `activity_type` is missing"),
            (|r| r.activity_id.clear(), "(Charge) that cannot be executed: `activity_id` is missing"),
            (|r| r.attempt = 0, "(Charge) that cannot be executed: `attempt` is missing"),
            (|r| r.attempt = -1, "(Charge) that cannot be executed: `attempt` is out of range"),
            (|r| r.workflow_execution = None, "(Charge) that cannot be executed: `workflow_execution` is missing"),
            (|r| r.workflow_type = None, "(Charge) that cannot be executed: `workflow_type` is missing"),
            (|r| r.started_time = None, "(Charge) that cannot be executed: `started_time` is missing"),
            (
                |r| r.heartbeat_timeout = Some(prost_types::Duration { seconds: -1, nanos: 0 }),
                "(Charge) that cannot be executed: `heartbeat_timeout` is out of range",
            ),
            (
                |r| r.start_to_close_timeout = Some(prost_types::Duration { seconds: i64::MIN, nanos: 0 }),
                "(Charge) that cannot be executed: `start_to_close_timeout` is out of range",
            ),
        ];
        for (change, text) in table {
            let mut response = response();
            change(&mut response);
            let error = ActivityTask::new(response, "default", "queue").unwrap_err();
            assert_eq!(error.to_string(), format!("the server sent an Activity Task {text}"));
            assert_eq!(error.task_token.as_ref(), b"token");
        }
        let error = ActivityTask::new(PollActivityTaskQueueResponse::default(), "default", "queue").unwrap_err();
        assert_eq!(error.problem, TaskProblem::Missing("task_token"));
    }
}
