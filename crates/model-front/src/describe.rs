//! `DescribeWorkflowExecution`: what the history tells.

use timewright_proto::enums::{EventType, WorkflowExecutionStatus};
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use timewright_proto::workflow_service::{DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse};
use tonic::Status;

use crate::front::Front;
use crate::history::is_close;

impl Front {
    /// Without what is pending, and with memo and search attributes as they were at the start.
    pub(crate) fn describe_workflow(
        &self,
        request: DescribeWorkflowExecutionRequest,
    ) -> Result<DescribeWorkflowExecutionResponse, Status> {
        let run = self.run_of(request.execution.unwrap_or_default())?;
        let info = self.call(|inside| {
            let events = inside.server.history(&run.workflow_id, Some(&run.run_id)).unwrap_or_default();
            WorkflowExecutionInfo { execution: Some(run.clone()), ..described(events) }
        });
        Ok(DescribeWorkflowExecutionResponse {
            workflow_execution_info: Some(info),
            ..DescribeWorkflowExecutionResponse::default()
        })
    }
}

fn described(events: &[HistoryEvent]) -> WorkflowExecutionInfo {
    let start = events.first();
    let close = events.last().filter(|event| is_close(event));
    let mut info = WorkflowExecutionInfo {
        start_time: start.and_then(|event| event.event_time),
        execution_time: start.and_then(|event| event.event_time),
        close_time: close.and_then(|event| event.event_time),
        status: close.map_or(WorkflowExecutionStatus::Running, status).into(),
        history_length: events.last().map_or(0, |event| event.event_id),
        ..WorkflowExecutionInfo::default()
    };
    if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
        start.and_then(|event| event.attributes.clone())
    {
        info.r#type = started.workflow_type;
        info.task_queue = started.task_queue.unwrap_or_default().name;
        info.memo = started.memo;
        info.search_attributes = started.search_attributes;
        info.first_run_id = started.first_execution_run_id;
    }
    info
}

fn status(close: &HistoryEvent) -> WorkflowExecutionStatus {
    match close.event_type() {
        EventType::WorkflowExecutionCompleted => WorkflowExecutionStatus::Completed,
        EventType::WorkflowExecutionFailed => WorkflowExecutionStatus::Failed,
        EventType::WorkflowExecutionTimedOut => WorkflowExecutionStatus::TimedOut,
        EventType::WorkflowExecutionCanceled => WorkflowExecutionStatus::Canceled,
        EventType::WorkflowExecutionTerminated => WorkflowExecutionStatus::Terminated,
        EventType::WorkflowExecutionContinuedAsNew => WorkflowExecutionStatus::ContinuedAsNew,
        _ => WorkflowExecutionStatus::Running,
    }
}
