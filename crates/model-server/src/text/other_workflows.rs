//! Events about other workflows.

use timewright_proto::common::{WorkflowExecution, WorkflowType};
use timewright_proto::history::history_event::Attributes;

use super::line::{Line, name, retry_policy_text};

/// `false` for Events of other families.
pub(super) fn describe(line: &mut Line, attributes: &Attributes) -> bool {
    describe_child(line, attributes) || describe_end_of_child(line, attributes) || describe_external(line, attributes)
}

fn describe_child(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.text("namespace", &a.namespace);
            line.text("workflow", &a.workflow_id);
            line.text("type", type_name(a.workflow_type.as_ref()));
            line.text("queue", name(a.task_queue.as_ref().map(|queue| &queue.name)));
            line.payloads("input", a.input.as_ref());
            line.timeout("execution-timeout", a.workflow_execution_timeout.as_ref());
            line.timeout("run-timeout", a.workflow_run_timeout.as_ref());
            line.duration("task-timeout", a.workflow_task_timeout.as_ref());
            line.text("close-policy", &format!("{:?}", a.parent_close_policy()));
            line.text("reuse-policy", &format!("{:?}", a.workflow_id_reuse_policy()));
            line.text("retry", &a.retry_policy.as_ref().map(retry_policy_text).unwrap_or_default());
            line.memo(a.memo.as_ref());
            line.search_attributes(a.search_attributes.as_ref());
            line.header(a.header.as_ref());
            line.priority(a.priority.as_ref());
            line.text("control", &a.control);
        }
        Attributes::StartChildWorkflowExecutionFailedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.number("initiated", a.initiated_event_id);
            line.text("namespace", &a.namespace);
            line.text("workflow", &a.workflow_id);
            line.text("type", type_name(a.workflow_type.as_ref()));
            line.text("cause", &format!("{:?}", a.cause()));
            line.text("control", &a.control);
        }
        Attributes::ChildWorkflowExecutionStartedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.child(&a.namespace, a.workflow_execution.as_ref(), a.workflow_type.as_ref());
            line.header(a.header.as_ref());
        }
        _ => return false,
    }
    true
}

fn describe_end_of_child(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(a) => {
            line.ids_of_child(a.initiated_event_id, a.started_event_id);
            line.child(&a.namespace, a.workflow_execution.as_ref(), a.workflow_type.as_ref());
            line.payloads("result", a.result.as_ref());
        }
        Attributes::ChildWorkflowExecutionFailedEventAttributes(a) => {
            line.ids_of_child(a.initiated_event_id, a.started_event_id);
            line.child(&a.namespace, a.workflow_execution.as_ref(), a.workflow_type.as_ref());
            line.failure("failure", a.failure.as_ref());
            line.text("retry-state", &format!("{:?}", a.retry_state()));
        }
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(a) => {
            line.ids_of_child(a.initiated_event_id, a.started_event_id);
            line.child(&a.namespace, a.workflow_execution.as_ref(), a.workflow_type.as_ref());
            line.payloads("details", a.details.as_ref());
        }
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(a) => {
            line.ids_of_child(a.initiated_event_id, a.started_event_id);
            line.child(&a.namespace, a.workflow_execution.as_ref(), a.workflow_type.as_ref());
            line.text("retry-state", &format!("{:?}", a.retry_state()));
        }
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(a) => {
            line.ids_of_child(a.initiated_event_id, a.started_event_id);
            line.child(&a.namespace, a.workflow_execution.as_ref(), a.workflow_type.as_ref());
        }
        _ => return false,
    }
    true
}

fn describe_external(line: &mut Line, attributes: &Attributes) -> bool {
    match attributes {
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.external(&a.namespace, a.workflow_execution.as_ref());
            line.text("name", &a.signal_name);
            line.payloads("input", a.input.as_ref());
            line.flag("child-only", a.child_workflow_only);
            line.header(a.header.as_ref());
            line.text("control", &a.control);
        }
        Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.number("completed", a.workflow_task_completed_event_id);
            line.external(&a.namespace, a.workflow_execution.as_ref());
            line.text("cause", &format!("{:?}", a.cause()));
            line.text("control", &a.control);
        }
        Attributes::ExternalWorkflowExecutionSignaledEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.external(&a.namespace, a.workflow_execution.as_ref());
            line.text("control", &a.control);
        }
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            line.number("completed", a.workflow_task_completed_event_id);
            line.external(&a.namespace, a.workflow_execution.as_ref());
            line.flag("child-only", a.child_workflow_only);
            line.text("reason", &a.reason);
            line.text("control", &a.control);
        }
        Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.number("completed", a.workflow_task_completed_event_id);
            line.external(&a.namespace, a.workflow_execution.as_ref());
            line.text("cause", &format!("{:?}", a.cause()));
            line.text("control", &a.control);
        }
        Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
            line.number("initiated", a.initiated_event_id);
            line.external(&a.namespace, a.workflow_execution.as_ref());
        }
        _ => return false,
    }
    true
}

impl Line {
    /// `w/4f1c…`, or `w` where no run is named.
    pub(super) fn execution(&mut self, key: &str, execution: Option<&WorkflowExecution>) {
        let Some(WorkflowExecution { workflow_id, run_id }) = execution else { return };
        let separator = if run_id.is_empty() { "" } else { "/" };
        self.text(key, &format!("{workflow_id}{separator}{run_id}"));
    }

    fn ids_of_child(&mut self, initiated_event_id: i64, started_event_id: i64) {
        self.number("initiated", initiated_event_id);
        self.number("started", started_event_id);
    }

    fn child(&mut self, namespace: &str, execution: Option<&WorkflowExecution>, workflow_type: Option<&WorkflowType>) {
        self.external(namespace, execution);
        self.text("type", type_name(workflow_type));
    }

    fn external(&mut self, namespace: &str, execution: Option<&WorkflowExecution>) {
        self.text("namespace", namespace);
        self.execution("workflow", execution);
    }
}

fn type_name(workflow_type: Option<&WorkflowType>) -> &str {
    name(workflow_type.map(|workflow_type| &workflow_type.name))
}
