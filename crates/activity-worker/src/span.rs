//! The span in which an attempt is executed.

use timewright_proto::workflow_service::PollActivityTaskQueueResponse;
use timewright_protocol::activity::ActivityInfo;
use tracing::Span;

/// Of an Activity Task, before anything has been checked.
pub(crate) fn of_task(task: &PollActivityTaskQueueResponse, namespace: &str, task_queue: &str) -> Span {
    let workflow = task.workflow_execution.as_ref();
    // Of the level of errors, so that it is there for them, too.
    tracing::error_span!(
        "activity",
        activity_type = task.activity_type.as_ref().map_or("", |known| known.name.as_str()),
        activity_id = task.activity_id,
        attempt = task.attempt,
        workflow_id = workflow.map(|workflow| workflow.workflow_id.as_str()),
        run_id = workflow.map(|workflow| workflow.run_id.as_str()),
        namespace,
        task_queue,
    )
}

/// Of a Local Activity.
pub(crate) fn of_local(info: &ActivityInfo) -> Span {
    let workflow = info.workflow.as_ref();
    tracing::error_span!(
        "local_activity",
        activity_type = info.activity_type,
        activity_id = info.activity_id,
        attempt = info.attempt,
        workflow_id = workflow.map(|workflow| workflow.workflow_id.as_str()),
        run_id = workflow.map(|workflow| workflow.run_id.as_str()),
        namespace = info.namespace,
        task_queue = info.task_queue,
    )
}
