//! Events in words.

use super::EventKind;

impl EventKind {
    /// The Event's type and the ids that tell it from others of its type, as an error text shows it.
    pub fn describe(&self) -> String {
        match self {
            Self::WorkflowExecutionStarted(_) => "WorkflowExecutionStarted".to_owned(),
            Self::WorkflowExecutionCompleted => "WorkflowExecutionCompleted".to_owned(),
            Self::WorkflowExecutionFailed => "WorkflowExecutionFailed".to_owned(),
            Self::WorkflowExecutionTimedOut => "WorkflowExecutionTimedOut".to_owned(),
            Self::WorkflowExecutionCanceled => "WorkflowExecutionCanceled".to_owned(),
            Self::WorkflowExecutionTerminated => "WorkflowExecutionTerminated".to_owned(),
            Self::WorkflowExecutionContinuedAsNew => "WorkflowExecutionContinuedAsNew".to_owned(),
            Self::WorkflowExecutionSignaled(signal) => format!("WorkflowExecutionSignaled ({:?})", signal.name),
            Self::WorkflowExecutionCancelRequested { .. } => "WorkflowExecutionCancelRequested".to_owned(),
            Self::WorkflowTaskScheduled => "WorkflowTaskScheduled".to_owned(),
            Self::WorkflowTaskStarted(_) => "WorkflowTaskStarted".to_owned(),
            Self::WorkflowTaskCompleted(_) => "WorkflowTaskCompleted".to_owned(),
            Self::WorkflowTaskFailed { cause, .. } => format!("WorkflowTaskFailed ({})", cause.as_str_name()),
            Self::WorkflowTaskTimedOut => "WorkflowTaskTimedOut".to_owned(),
            Self::ActivityTaskScheduled { activity_id, activity_type } => {
                format!("ActivityTaskScheduled (type {activity_type:?}, id {activity_id:?})")
            }
            Self::ActivityTaskStarted { scheduled_event_id } => about("ActivityTaskStarted", *scheduled_event_id),
            Self::ActivityTaskCompleted { scheduled_event_id, .. } => {
                about("ActivityTaskCompleted", *scheduled_event_id)
            }
            Self::ActivityTaskFailed { scheduled_event_id, .. } => about("ActivityTaskFailed", *scheduled_event_id),
            Self::ActivityTaskTimedOut { scheduled_event_id, .. } => about("ActivityTaskTimedOut", *scheduled_event_id),
            Self::ActivityTaskCancelRequested { scheduled_event_id } => {
                about("ActivityTaskCancelRequested", *scheduled_event_id)
            }
            Self::ActivityTaskCanceled { scheduled_event_id, .. } => about("ActivityTaskCanceled", *scheduled_event_id),
            Self::TimerStarted { timer_id } => format!("TimerStarted (id {timer_id:?})"),
            Self::TimerFired { started_event_id } => about("TimerFired", *started_event_id),
            Self::TimerCanceled { started_event_id } => about("TimerCanceled", *started_event_id),
            Self::StartChildWorkflowExecutionInitiated { workflow_id, workflow_type } => {
                format!("StartChildWorkflowExecutionInitiated (type {workflow_type:?}, id {workflow_id:?})")
            }
            Self::StartChildWorkflowExecutionFailed { initiated_event_id, cause } => {
                format!("StartChildWorkflowExecutionFailed (of event {initiated_event_id}, {})", cause.as_str_name())
            }
            Self::ChildWorkflowExecutionStarted { initiated_event_id, .. } => {
                about("ChildWorkflowExecutionStarted", *initiated_event_id)
            }
            Self::ChildWorkflowExecutionCompleted { initiated_event_id, .. } => {
                about("ChildWorkflowExecutionCompleted", *initiated_event_id)
            }
            Self::ChildWorkflowExecutionFailed { initiated_event_id, .. } => {
                about("ChildWorkflowExecutionFailed", *initiated_event_id)
            }
            Self::ChildWorkflowExecutionCanceled { initiated_event_id, .. } => {
                about("ChildWorkflowExecutionCanceled", *initiated_event_id)
            }
            Self::ChildWorkflowExecutionTimedOut { initiated_event_id, .. } => {
                about("ChildWorkflowExecutionTimedOut", *initiated_event_id)
            }
            Self::ChildWorkflowExecutionTerminated { initiated_event_id } => {
                about("ChildWorkflowExecutionTerminated", *initiated_event_id)
            }
            Self::SignalExternalWorkflowExecutionInitiated { workflow_id, signal_name } => {
                format!("SignalExternalWorkflowExecutionInitiated (signal {signal_name:?} to workflow {workflow_id:?})")
            }
            Self::SignalExternalWorkflowExecutionFailed { initiated_event_id, .. } => {
                about("SignalExternalWorkflowExecutionFailed", *initiated_event_id)
            }
            Self::ExternalWorkflowExecutionSignaled { initiated_event_id } => {
                about("ExternalWorkflowExecutionSignaled", *initiated_event_id)
            }
            Self::RequestCancelExternalWorkflowExecutionInitiated { workflow_id } => {
                format!("RequestCancelExternalWorkflowExecutionInitiated (of workflow {workflow_id:?})")
            }
            Self::RequestCancelExternalWorkflowExecutionFailed { initiated_event_id, .. } => {
                about("RequestCancelExternalWorkflowExecutionFailed", *initiated_event_id)
            }
            Self::ExternalWorkflowExecutionCancelRequested { initiated_event_id } => {
                about("ExternalWorkflowExecutionCancelRequested", *initiated_event_id)
            }
            Self::MarkerRecorded(marker) => marker.describe(),
            Self::UpsertWorkflowSearchAttributes { names } => {
                format!("UpsertWorkflowSearchAttributes ({})", names.join(", "))
            }
            Self::WorkflowPropertiesModified => "WorkflowPropertiesModified".to_owned(),
            Self::WorkflowExecutionUpdateAdmitted(_) => "WorkflowExecutionUpdateAdmitted".to_owned(),
            Self::WorkflowExecutionUpdateAccepted(accepted) => {
                format!("WorkflowExecutionUpdateAccepted (id {:?})", accepted.protocol_instance_id)
            }
            Self::WorkflowExecutionUpdateCompleted { update_id } => {
                format!("WorkflowExecutionUpdateCompleted (id {update_id:?})")
            }
            Self::NexusOperationScheduled { endpoint, service, operation } => {
                format!("NexusOperationScheduled ({operation:?} of service {service:?} at endpoint {endpoint:?})")
            }
            Self::NexusOperationStarted { scheduled_event_id, .. } => {
                about("NexusOperationStarted", *scheduled_event_id)
            }
            Self::NexusOperationCompleted { scheduled_event_id, .. } => {
                about("NexusOperationCompleted", *scheduled_event_id)
            }
            Self::NexusOperationFailed { scheduled_event_id, .. } => about("NexusOperationFailed", *scheduled_event_id),
            Self::NexusOperationCanceled { scheduled_event_id, .. } => {
                about("NexusOperationCanceled", *scheduled_event_id)
            }
            Self::NexusOperationTimedOut { scheduled_event_id, .. } => {
                about("NexusOperationTimedOut", *scheduled_event_id)
            }
            Self::NexusOperationCancelRequested { scheduled_event_id } => {
                about("NexusOperationCancelRequested", *scheduled_event_id)
            }
            Self::NexusOperationCancelRequestCompleted { scheduled_event_id } => {
                about("NexusOperationCancelRequestCompleted", *scheduled_event_id)
            }
            Self::NexusOperationCancelRequestFailed { scheduled_event_id, .. } => {
                about("NexusOperationCancelRequestFailed", *scheduled_event_id)
            }
            Self::Ignored(kind) => kind.as_str_name().to_owned(),
        }
    }
}

fn about(name: &str, event_id: i64) -> String {
    format!("{name} (of event {event_id})")
}
