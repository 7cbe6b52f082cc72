//! Commands between their issue and their record.
//!
//! They stand in one queue, in the order in which user code issued them. There they are taken for sending, and there they
//! wait for their record in the history, which must come in the same order.

use std::collections::VecDeque;
use std::fmt;

use timewright_proto::Message;
use timewright_proto::command::Command as WireCommand;
use timewright_proto::command::command::Attributes;
use timewright_proto::common::Payload;
use timewright_proto::enums::CommandType;
use timewright_proto::temporal::api::sdk::v1::{EventGroupMarker, UserMetadata};

use crate::workflow::event::{
    EventKind, Marker, describe_local_activity, describe_mutable_side_effect, describe_patch, describe_side_effect,
    describe_version,
};
use crate::workflow::nondeterminism::Issued;
use crate::workflow::output::UpdateMessage;

/// A Command in the queue.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) what: What,
    /// Taken when it is sent.
    command: Option<WireCommand>,
    /// What is sent along.
    message: Option<Box<UpdateMessage>>,
    /// How large the Command is.
    bytes: u64,
}

/// Which operation a Command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Timer(u32),
    Activity(u32),
    ChildWorkflow(u32),
    /// The request to a Child Workflow to cancel itself.
    CancelChildWorkflow(u32),
    SignalExternalWorkflow(u32),
    RequestCancelExternalWorkflow(u32),
    NexusOperation(u32),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer(sequence) => write!(f, "timer {sequence}"),
            Self::Activity(sequence) => write!(f, "activity {sequence}"),
            Self::ChildWorkflow(sequence) => write!(f, "child workflow {sequence}"),
            Self::CancelChildWorkflow(sequence) => write!(f, "the cancellation of child workflow {sequence}"),
            Self::SignalExternalWorkflow(sequence) => write!(f, "signal {sequence} to another workflow"),
            Self::RequestCancelExternalWorkflow(sequence) => write!(f, "cancellation {sequence} of another workflow"),
            Self::NexusOperation(sequence) => write!(f, "nexus operation {sequence}"),
        }
    }
}

/// What a Command's record in the history must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    StartTimer { sequence: u32, timer_id: String },
    CancelTimer { sequence: u32, started_event_id: i64 },
    ScheduleActivity { sequence: u32, activity_id: String, activity_type: String },
    RequestCancelActivity { sequence: u32, scheduled_event_id: i64 },
    StartChildWorkflow { sequence: u32, workflow_id: String, workflow_type: String },
    CancelChildWorkflow { sequence: u32, workflow_id: String },
    SignalExternalWorkflow { sequence: u32, workflow_id: String, signal_name: String },
    RequestCancelExternalWorkflow { sequence: u32, workflow_id: String },
    ScheduleNexusOperation { sequence: u32, endpoint: String, service: String, operation: String },
    RequestCancelNexusOperation { sequence: u32, scheduled_event_id: i64 },
    LocalActivityMarker { sequence: u32, activity_id: String, activity_type: String },
    PatchMarker { patch_id: String },
    VersionMarker { change_id: String, version: i32 },
    SideEffectMarker { sequence: u32 },
    MutableSideEffectMarker { id: String, call: u32 },
    UpsertSearchAttributes { names: Vec<String> },
    UpsertMemo,
    AcceptUpdate { protocol_instance_id: String },
    CompleteUpdate { protocol_instance_id: String, update_id: String },
    CompleteWorkflow,
    FailWorkflow,
    CancelWorkflow,
    ContinueAsNew,
}

/// The Commands that wait for their record.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    commands: VecDeque<Queued>,
    /// Of all Commands that have not been sent.
    bytes: u64,
    /// What Commands that are issued now belong to.
    event_groups: Vec<EventGroupMarker>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// How many bytes this takes. An estimate.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + (self.commands.len() * size_of::<Queued>()) as u64
    }

    /// From now on Commands belong to these groups; to which they belonged before.
    pub(super) fn enter_event_groups(&mut self, groups: Vec<EventGroupMarker>) -> Vec<EventGroupMarker> {
        std::mem::replace(&mut self.event_groups, groups)
    }

    pub(super) fn event_groups(&self) -> &[EventGroupMarker] {
        &self.event_groups
    }

    pub(super) fn issue(&mut self, what: What, attributes: Attributes, metadata: Option<Box<UserMetadata>>) {
        self.issue_with_message(what, attributes, metadata, None);
    }

    pub(super) fn issue_with_message(
        &mut self,
        what: What,
        attributes: Attributes,
        user_metadata: Option<Box<UserMetadata>>,
        message: Option<UpdateMessage>,
    ) {
        let command = WireCommand {
            command_type: command_type(&attributes).into(),
            user_metadata,
            event_group_markers: self.event_groups.clone(),
            attributes: Some(attributes),
        };
        let bytes = command.encoded_len() as u64;
        self.bytes += bytes;
        let queued = Queued { what, command: Some(command), message: message.map(Box::new), bytes };
        // What ends the workflow comes last, whatever else was issued after it.
        match self.commands.back() {
            Some(last) if last.what.ends_workflow() => self.commands.insert(self.commands.len() - 1, queued),
            _ => self.commands.push_back(queued),
        }
    }

    /// Whether there are Commands that have not been sent and that somebody waits for. Nobody waits for notes.
    pub(super) fn has_urgent(&self) -> bool {
        self.commands.iter().any(|queued| queued.command.is_some() && !queued.what.is_note())
    }

    /// Takes a Command back that has not been recorded.
    pub(super) fn withdraw(&mut self, key: Key) {
        self.commands.retain(|queued| {
            let stays = queued.what.key() != Some(key);
            self.bytes -= if stays { 0 } else { queued.unsent_bytes() };
            stays
        });
    }

    /// The Commands to send with this Workflow Task, and their messages. They stay in the queue until their record comes.
    pub(super) fn take(&mut self) -> (Vec<WireCommand>, Vec<UpdateMessage>) {
        let mut messages = Vec::new();
        let commands = self.commands.iter_mut().filter_map(|queued| {
            messages.extend(queued.message.take().map(|message| *message));
            queued.command.take()
        });
        self.bytes = 0;
        (commands.collect(), messages)
    }

    /// Takes the Command off whose record `event` is: the one that has waited longest. Markers of Local Activities are none of
    /// this order: where one stands among other Commands says nothing that its number does not say.
    pub(super) fn match_record(&mut self, event: &EventKind) -> Option<What> {
        let is_marker = is_local_activity_marker(event);
        let mut candidates = self.commands.iter().enumerate().filter(|(_, queued)| queued.is_marker() == is_marker);
        let (index, _) = match is_marker {
            true => candidates.find(|(_, queued)| queued.what.is_recorded_by(event))?,
            false => candidates.next().filter(|(_, queued)| queued.what.is_recorded_by(event))?,
        };
        let queued = self.commands.remove(index)?;
        self.bytes -= queued.unsent_bytes();
        Some(queued.what)
    }

    /// The Command whose record is expected next; where another was recorded, the one to compare that with.
    pub(super) fn next(&self, instead: Option<&EventKind>) -> Issued {
        let alike = instead.and_then(|event| {
            let is_marker = is_local_activity_marker(event);
            self.commands.iter().find(|queued| queued.is_marker() == is_marker)
        });
        let next = alike.or(self.commands.front());
        next.map_or(Issued::NoCommand, |queued| Issued::Command(queued.what.describe()))
    }
}

impl Queued {
    /// How large the Command is, while it is here.
    fn unsent_bytes(&self) -> u64 {
        if self.command.is_some() { self.bytes } else { 0 }
    }

    /// Whether it is the marker of a Local Activity.
    fn is_marker(&self) -> bool {
        matches!(self.what, What::LocalActivityMarker { .. })
    }
}

impl What {
    fn key(&self) -> Option<Key> {
        match self {
            Self::StartTimer { sequence, .. } | Self::CancelTimer { sequence, .. } => Some(Key::Timer(*sequence)),
            Self::ScheduleActivity { sequence, .. } | Self::RequestCancelActivity { sequence, .. } => {
                Some(Key::Activity(*sequence))
            }
            Self::StartChildWorkflow { sequence, .. } => Some(Key::ChildWorkflow(*sequence)),
            Self::CancelChildWorkflow { sequence, .. } => Some(Key::CancelChildWorkflow(*sequence)),
            Self::SignalExternalWorkflow { sequence, .. } => Some(Key::SignalExternalWorkflow(*sequence)),
            Self::RequestCancelExternalWorkflow { sequence, .. } => Some(Key::RequestCancelExternalWorkflow(*sequence)),
            Self::ScheduleNexusOperation { sequence, .. } | Self::RequestCancelNexusOperation { sequence, .. } => {
                Some(Key::NexusOperation(*sequence))
            }
            _ => None,
        }
    }

    fn is_note(&self) -> bool {
        matches!(
            self,
            Self::LocalActivityMarker { .. }
                | Self::PatchMarker { .. }
                | Self::VersionMarker { .. }
                | Self::SideEffectMarker { .. }
                | Self::MutableSideEffectMarker { .. }
        )
    }

    fn ends_workflow(&self) -> bool {
        matches!(self, Self::CompleteWorkflow | Self::FailWorkflow | Self::CancelWorkflow | Self::ContinueAsNew)
    }

    /// Whether `event` is the record of this Command: of its kind, and with its ids.
    fn is_recorded_by(&self, event: &EventKind) -> bool {
        use EventKind as E;
        match (self, event) {
            (Self::StartTimer { timer_id, .. }, E::TimerStarted { timer_id: recorded }) => timer_id == recorded,
            (Self::CancelTimer { started_event_id, .. }, E::TimerCanceled { started_event_id: recorded }) => {
                started_event_id == recorded
            }
            (
                Self::ScheduleActivity { activity_id, activity_type, .. },
                E::ActivityTaskScheduled { activity_id: recorded_id, activity_type: recorded_type },
            ) => activity_id == recorded_id && activity_type == recorded_type,
            (
                Self::RequestCancelActivity { scheduled_event_id, .. },
                E::ActivityTaskCancelRequested { scheduled_event_id: recorded },
            )
            | (
                Self::RequestCancelNexusOperation { scheduled_event_id, .. },
                E::NexusOperationCancelRequested { scheduled_event_id: recorded },
            ) => scheduled_event_id == recorded,
            (
                Self::StartChildWorkflow { workflow_id, workflow_type, .. },
                E::StartChildWorkflowExecutionInitiated { workflow_id: recorded_id, workflow_type: recorded_type },
            ) => workflow_id == recorded_id && workflow_type == recorded_type,
            (
                Self::CancelChildWorkflow { workflow_id, .. } | Self::RequestCancelExternalWorkflow { workflow_id, .. },
                E::RequestCancelExternalWorkflowExecutionInitiated { workflow_id: recorded },
            ) => workflow_id == recorded,
            (
                Self::SignalExternalWorkflow { workflow_id, signal_name, .. },
                E::SignalExternalWorkflowExecutionInitiated { workflow_id: recorded_id, signal_name: recorded_name },
            ) => workflow_id == recorded_id && signal_name == recorded_name,
            (
                Self::ScheduleNexusOperation { endpoint, service, operation, .. },
                E::NexusOperationScheduled {
                    endpoint: recorded_endpoint,
                    service: recorded_service,
                    operation: recorded_operation,
                },
            ) => endpoint == recorded_endpoint && service == recorded_service && operation == recorded_operation,
            (_, E::MarkerRecorded(marker)) => self.is_marker(marker),
            (Self::UpsertSearchAttributes { names }, E::UpsertWorkflowSearchAttributes { names: recorded }) => {
                names == recorded
            }
            (Self::AcceptUpdate { protocol_instance_id, .. }, E::WorkflowExecutionUpdateAccepted(accepted)) => {
                *protocol_instance_id == accepted.protocol_instance_id
            }
            (Self::CompleteUpdate { update_id, .. }, E::WorkflowExecutionUpdateCompleted { update_id: recorded }) => {
                update_id == recorded
            }
            (Self::UpsertMemo, E::WorkflowPropertiesModified)
            | (Self::CompleteWorkflow, E::WorkflowExecutionCompleted)
            | (Self::FailWorkflow, E::WorkflowExecutionFailed)
            | (Self::CancelWorkflow, E::WorkflowExecutionCanceled)
            | (Self::ContinueAsNew, E::WorkflowExecutionContinuedAsNew) => true,
            _ => false,
        }
    }

    fn is_marker(&self, marker: &Marker) -> bool {
        match (self, marker) {
            (Self::LocalActivityMarker { sequence, activity_id, activity_type }, Marker::LocalActivity(recorded)) => {
                *sequence == recorded.sequence
                    && *activity_id == recorded.activity_id
                    && *activity_type == recorded.activity_type
            }
            (Self::PatchMarker { patch_id }, Marker::Patch { patch_id: recorded, .. }) => patch_id == recorded,
            (
                Self::VersionMarker { change_id, version },
                Marker::Version { change_id: recorded_id, version: recorded_version, .. },
            ) => change_id == recorded_id && version == recorded_version,
            (Self::SideEffectMarker { sequence }, Marker::SideEffect { sequence: recorded, .. }) => {
                sequence == recorded
            }
            (
                Self::MutableSideEffectMarker { id, call },
                Marker::MutableSideEffect { id: recorded_id, call: recorded_call, .. },
            ) => id == recorded_id && call == recorded_call,
            _ => false,
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::StartTimer { timer_id, .. } => format!("StartTimer (id {timer_id:?})"),
            Self::CancelTimer { started_event_id, .. } => format!("CancelTimer (of event {started_event_id})"),
            Self::ScheduleActivity { activity_id, activity_type, .. } => {
                format!("ScheduleActivityTask (type {activity_type:?}, id {activity_id:?})")
            }
            Self::RequestCancelActivity { scheduled_event_id, .. } => {
                format!("RequestCancelActivityTask (of event {scheduled_event_id})")
            }
            Self::StartChildWorkflow { workflow_id, workflow_type, .. } => {
                format!("StartChildWorkflowExecution (type {workflow_type:?}, id {workflow_id:?})")
            }
            Self::CancelChildWorkflow { workflow_id, .. } => {
                format!("RequestCancelExternalWorkflowExecution (of child workflow {workflow_id:?})")
            }
            Self::SignalExternalWorkflow { workflow_id, signal_name, .. } => {
                format!("SignalExternalWorkflowExecution (signal {signal_name:?} to workflow {workflow_id:?})")
            }
            Self::RequestCancelExternalWorkflow { workflow_id, .. } => {
                format!("RequestCancelExternalWorkflowExecution (of workflow {workflow_id:?})")
            }
            Self::ScheduleNexusOperation { endpoint, service, operation, .. } => {
                format!("ScheduleNexusOperation ({operation:?} of service {service:?} at endpoint {endpoint:?})")
            }
            Self::RequestCancelNexusOperation { scheduled_event_id, .. } => {
                format!("RequestCancelNexusOperation (of event {scheduled_event_id})")
            }
            Self::LocalActivityMarker { sequence, activity_id, activity_type } => {
                describe_local_activity(activity_type, activity_id, *sequence)
            }
            Self::PatchMarker { patch_id } => describe_patch(patch_id),
            Self::VersionMarker { change_id, version } => describe_version(change_id, *version),
            Self::SideEffectMarker { sequence } => describe_side_effect(*sequence),
            Self::MutableSideEffectMarker { id, call } => describe_mutable_side_effect(id, *call),
            Self::UpsertSearchAttributes { names } => {
                format!("UpsertWorkflowSearchAttributes ({})", names.join(", "))
            }
            Self::UpsertMemo => "ModifyWorkflowProperties".to_owned(),
            Self::AcceptUpdate { protocol_instance_id, .. } => {
                format!("the acceptance of an update (id {protocol_instance_id:?})")
            }
            Self::CompleteUpdate { update_id, .. } => format!("the completion of an update (id {update_id:?})"),
            Self::CompleteWorkflow => "CompleteWorkflowExecution".to_owned(),
            Self::FailWorkflow => "FailWorkflowExecution".to_owned(),
            Self::CancelWorkflow => "CancelWorkflowExecution".to_owned(),
            Self::ContinueAsNew => "ContinueAsNewWorkflowExecution".to_owned(),
        }
    }
}

fn is_local_activity_marker(event: &EventKind) -> bool {
    matches!(event, EventKind::MarkerRecorded(Marker::LocalActivity(_)))
}

/// What is shown of a Command in the Web UI, where there is anything.
pub(super) fn user_metadata(summary: Option<Payload>, details: Option<Payload>) -> Option<Box<UserMetadata>> {
    (summary.is_some() || details.is_some()).then(|| Box::new(UserMetadata { summary, details }))
}

fn command_type(attributes: &Attributes) -> CommandType {
    use CommandType as T;
    match attributes {
        Attributes::ScheduleActivityTaskCommandAttributes(_) => T::ScheduleActivityTask,
        Attributes::RequestCancelActivityTaskCommandAttributes(_) => T::RequestCancelActivityTask,
        Attributes::StartTimerCommandAttributes(_) => T::StartTimer,
        Attributes::CancelTimerCommandAttributes(_) => T::CancelTimer,
        Attributes::CompleteWorkflowExecutionCommandAttributes(_) => T::CompleteWorkflowExecution,
        Attributes::FailWorkflowExecutionCommandAttributes(_) => T::FailWorkflowExecution,
        Attributes::CancelWorkflowExecutionCommandAttributes(_) => T::CancelWorkflowExecution,
        Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => T::ContinueAsNewWorkflowExecution,
        Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(_) => {
            T::RequestCancelExternalWorkflowExecution
        }
        Attributes::RecordMarkerCommandAttributes(_) => T::RecordMarker,
        Attributes::StartChildWorkflowExecutionCommandAttributes(_) => T::StartChildWorkflowExecution,
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(_) => T::SignalExternalWorkflowExecution,
        Attributes::UpsertWorkflowSearchAttributesCommandAttributes(_) => T::UpsertWorkflowSearchAttributes,
        Attributes::ProtocolMessageCommandAttributes(_) => T::ProtocolMessage,
        Attributes::ModifyWorkflowPropertiesCommandAttributes(_) => T::ModifyWorkflowProperties,
        Attributes::ScheduleNexusOperationCommandAttributes(_) => T::ScheduleNexusOperation,
        Attributes::RequestCancelNexusOperationCommandAttributes(_) => T::RequestCancelNexusOperation,
    }
}
