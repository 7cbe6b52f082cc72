//! Child Workflows, other workflows, Nexus operations, notes and Updates, as words and lines.

use std::collections::BTreeMap;

use timewright_proto::command::command::Attributes as Wire;
use timewright_proto::common::{Memo, Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType};
use timewright_proto::enums::{
    CancelExternalWorkflowExecutionFailedCause, EventType as E, RetryState, SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
};
use timewright_proto::history::history_event::Attributes as A;
use timewright_proto::history::*;
use timewright_proto::temporal::api::update::v1::{Input, Meta, Request};
use timewright_protocol::workflow::{
    ChildWorkflowCancellationType, ChildWorkflowStart, Command, ExternalWorkflow, Job, NexusOperationCancellationType,
    NexusOperationStart, RequestCancelExternalWorkflow, ScheduleNexusOperation, SignalExternalWorkflow,
    SignalExternalWorkflowError, StartChildWorkflow,
};

use super::code::failure;
use super::render::Show;

/// News as the code's lines name it.
pub(super) fn news(job: &Job) -> Option<String> {
    Some(match job {
        Job::NotifyPatch { patch_id } => format!("patch {patch_id}"),
        Job::NotifyVersion { change_id, .. } => format!("version {change_id}"),
        Job::NotifySideEffect { sequence, .. } => format!("effect {sequence}"),
        Job::NotifyMutableSideEffect { id, .. } => format!("effect {id}"),
        Job::Update(update) => format!("update {}", update.name),
        Job::ResolveChildWorkflowStart { sequence, start } => match start {
            ChildWorkflowStart::Started { .. } => format!("child {sequence} started"),
            ChildWorkflowStart::Failed { .. } => format!("child {sequence} not started"),
            ChildWorkflowStart::Cancelled(_) => format!("child {sequence} cancelled"),
        },
        Job::ResolveChildWorkflow { sequence, .. } => format!("child {sequence}"),
        Job::ResolveSignalExternalWorkflow { sequence, .. } => format!("told {sequence}"),
        Job::ResolveRequestCancelExternalWorkflow { sequence, .. } => format!("stopped {sequence}"),
        Job::ResolveNexusOperationStart { sequence, .. } => format!("nexus {sequence} started"),
        Job::ResolveNexusOperation { sequence, .. } => format!("nexus {sequence}"),
        _ => return None,
    })
}

/// What the code does.
pub(super) fn command(words: &[&str], job: &Job) -> Option<Command> {
    Some(match words {
        ["child", sequence, options @ ..] => Command::StartChildWorkflow(Box::new(child(number(sequence), options))),
        ["cancel", "child", sequence] => {
            Command::CancelChildWorkflow { sequence: number(sequence), reason: "no time".to_owned() }
        }
        ["tell", sequence, workflow] => Command::SignalExternalWorkflow(Box::new(SignalExternalWorkflow {
            sequence: number(sequence),
            workflow: external(workflow),
            signal_name: "go".to_owned(),
            ..SignalExternalWorkflow::default()
        })),
        ["untell", sequence] => Command::CancelSignalExternalWorkflow { sequence: number(sequence) },
        ["stop", sequence, workflow] => {
            Command::RequestCancelExternalWorkflow(Box::new(RequestCancelExternalWorkflow {
                sequence: number(sequence),
                workflow: external(workflow),
                reason: "no time".to_owned(),
            }))
        }
        ["nexus", sequence, options @ ..] => {
            Command::ScheduleNexusOperation(Box::new(nexus(number(sequence), options)))
        }
        ["cancel", "nexus", sequence] => Command::RequestCancelNexusOperation { sequence: number(sequence) },
        ["patch", id] => Command::SetPatch { patch_id: (*id).to_owned(), deprecated: false },
        ["deprecate", id] => Command::SetPatch { patch_id: (*id).to_owned(), deprecated: true },
        ["version", id, version] => Command::SetVersion {
            change_id: (*id).to_owned(),
            version: version.parse().expect("a version is a number"),
        },
        ["effect", sequence, value] => {
            Command::RecordSideEffect { sequence: number(sequence), value: text_payload(value) }
        }
        ["effect", id, call, value] => {
            Command::RecordMutableSideEffect { id: (*id).to_owned(), call: number(call), value: text_payload(value) }
        }
        ["upsert", names @ ..] => {
            let indexed_fields = names.iter().map(|name| ((*name).to_owned(), text_payload("x"))).collect();
            Command::UpsertSearchAttributes(SearchAttributes { indexed_fields })
        }
        ["memo"] => Command::UpsertMemo(Memo { fields: [("note".to_owned(), text_payload("x"))].into() }),
        ["accept"] => Command::AcceptUpdate { protocol_instance_id: update(job) },
        ["accept", id] => Command::AcceptUpdate { protocol_instance_id: (*id).to_owned() },
        ["reject"] => {
            Command::RejectUpdate { protocol_instance_id: update(job), failure: Box::new(failure("not today")) }
        }
        ["reject", id] => {
            Command::RejectUpdate { protocol_instance_id: (*id).to_owned(), failure: Box::new(failure("not today")) }
        }
        ["finish"] => Command::CompleteUpdate { protocol_instance_id: update(job), outcome: Ok(None) },
        ["finish", id] => Command::CompleteUpdate { protocol_instance_id: (*id).to_owned(), outcome: Ok(None) },
        ["break", id] => Command::CompleteUpdate {
            protocol_instance_id: (*id).to_owned(),
            outcome: Err(Box::new(failure("out of stock"))),
        },
        _ => return None,
    })
}

fn update(job: &Job) -> String {
    match job {
        Job::Update(update) => update.protocol_instance_id.clone(),
        other => panic!("no update comes with {other:?}"),
    }
}

fn child(sequence: u32, options: &[&str]) -> StartChildWorkflow {
    let mut start = StartChildWorkflow {
        sequence,
        workflow_id: format!("child-{sequence}"),
        workflow_type: "parcel".to_owned(),
        ..StartChildWorkflow::default()
    };
    for option in options {
        match option.split_once('=') {
            Some(("id", id)) => start.workflow_id = id.to_owned(),
            Some(("type", name)) => start.workflow_type = name.to_owned(),
            _ => {
                start.cancellation_type = match *option {
                    "try" => ChildWorkflowCancellationType::TryCancel,
                    "abandon" => ChildWorkflowCancellationType::Abandon,
                    "requested" => ChildWorkflowCancellationType::WaitCancellationRequested,
                    other => panic!("{other:?} is no option of a child in this notation"),
                }
            }
        }
    }
    start
}

fn nexus(sequence: u32, options: &[&str]) -> ScheduleNexusOperation {
    let mut schedule = ScheduleNexusOperation {
        sequence,
        endpoint: "bank".to_owned(),
        service: "payments".to_owned(),
        operation: "charge".to_owned(),
        ..ScheduleNexusOperation::default()
    };
    for option in options {
        match option.split_once('=') {
            Some(("operation", name)) => schedule.operation = name.to_owned(),
            _ => {
                schedule.cancellation_type = match *option {
                    "try" => NexusOperationCancellationType::TryCancel,
                    "abandon" => NexusOperationCancellationType::Abandon,
                    "requested" => NexusOperationCancellationType::WaitCancellationRequested,
                    other => panic!("{other:?} is no option of a nexus operation in this notation"),
                }
            }
        }
    }
    schedule
}

fn external(workflow_id: &str) -> ExternalWorkflow {
    ExternalWorkflow { workflow_id: workflow_id.to_owned(), ..ExternalWorkflow::default() }
}

/// A job as a line.
pub(super) fn job(show: Show, job: &Job) -> Option<String> {
    Some(match job {
        Job::NotifyPatch { patch_id } => format!("NotifyPatch {patch_id}"),
        Job::NotifyVersion { change_id, version } => format!("NotifyVersion {change_id} {version}"),
        Job::NotifySideEffect { sequence, value } => {
            format!("NotifySideEffect {sequence} {}", String::from_utf8_lossy(&value.data))
        }
        Job::NotifyMutableSideEffect { id, call, value } => {
            format!("NotifyMutableSideEffect {id} {call} {}", String::from_utf8_lossy(&value.data))
        }
        Job::Update(update) => {
            let validator = if update.run_validator { "" } else { " again" };
            format!("Update {} {}{validator}", update.protocol_instance_id, update.name)
        }
        Job::ResolveChildWorkflowStart { sequence, start } => {
            let start = match start {
                ChildWorkflowStart::Started { run_id } if show.texts => format!("started as {run_id}"),
                ChildWorkflowStart::Started { .. } => "started".to_owned(),
                ChildWorkflowStart::Failed { cause } => {
                    format!(
                        "not started: {}",
                        short(cause.as_str_name(), "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_")
                    )
                }
                ChildWorkflowStart::Cancelled(failure) => show.cancelled(failure),
            };
            format!("ResolveChildWorkflowStart {sequence} {start}")
        }
        Job::ResolveChildWorkflow { sequence, resolution } => {
            format!("ResolveChildWorkflow {sequence} {}", show.resolution(resolution))
        }
        Job::ResolveSignalExternalWorkflow { sequence, outcome } => {
            let outcome = match outcome {
                Ok(()) => "arrived".to_owned(),
                Err(SignalExternalWorkflowError::Cancelled) => "cancelled".to_owned(),
                Err(SignalExternalWorkflowError::Failed(cause)) => {
                    short(cause.as_str_name(), "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_")
                }
            };
            format!("ResolveSignalExternalWorkflow {sequence} {outcome}")
        }
        Job::ResolveRequestCancelExternalWorkflow { sequence, outcome } => {
            let outcome = match outcome {
                Ok(()) => "arrived".to_owned(),
                Err(cause) => short(cause.as_str_name(), "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_"),
            };
            format!("ResolveRequestCancelExternalWorkflow {sequence} {outcome}")
        }
        Job::ResolveNexusOperationStart { sequence, start } => {
            let start = match start {
                NexusOperationStart::Started { operation_token: Some(token) } => format!("started as {token}"),
                NexusOperationStart::Started { operation_token: None } => "started".to_owned(),
                NexusOperationStart::Failed(failure) => show.failed(failure),
                NexusOperationStart::Cancelled(failure) => show.cancelled(failure),
            };
            format!("ResolveNexusOperationStart {sequence} {start}")
        }
        Job::ResolveNexusOperation { sequence, resolution } => {
            format!("ResolveNexusOperation {sequence} {}", show.resolution(resolution))
        }
        _ => return None,
    })
}

fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_owned()
}

/// A Command on its way to the server: its name, and what tells it from others.
pub(super) fn wire(attributes: &Wire) -> Option<(&'static str, String)> {
    Some(match attributes {
        Wire::StartChildWorkflowExecutionCommandAttributes(start) => {
            let name = start.workflow_type.as_ref().map(|name| name.name.as_str()).unwrap_or_default();
            ("StartChildWorkflowExecution", format!("{} {name}", start.workflow_id))
        }
        Wire::RequestCancelExternalWorkflowExecutionCommandAttributes(request) => {
            let child = if request.child_workflow_only { " child" } else { "" };
            ("RequestCancelExternalWorkflowExecution", format!("{}{child}", request.workflow_id))
        }
        Wire::SignalExternalWorkflowExecutionCommandAttributes(signal) => {
            let workflow_id = signal.execution.as_ref().map(|execution| execution.workflow_id.as_str());
            ("SignalExternalWorkflowExecution", format!("{} {}", workflow_id.unwrap_or_default(), signal.signal_name))
        }
        Wire::ScheduleNexusOperationCommandAttributes(schedule) => {
            ("ScheduleNexusOperation", schedule.operation.clone())
        }
        Wire::RequestCancelNexusOperationCommandAttributes(cancel) => {
            ("RequestCancelNexusOperation", format!("of {}", cancel.scheduled_event_id))
        }
        Wire::RecordMarkerCommandAttributes(marker) => ("RecordMarker", marker.marker_name.clone()),
        Wire::UpsertWorkflowSearchAttributesCommandAttributes(upsert) => {
            let fields = upsert.search_attributes.as_ref().map(|attributes| &attributes.indexed_fields);
            let names = fields.into_iter().flatten().map(|(name, value)| match name.as_str() {
                "TemporalChangeVersion" => format!("{name} {}", String::from_utf8_lossy(&value.data)),
                _ => name.clone(),
            });
            ("UpsertWorkflowSearchAttributes", names.collect::<Vec<_>>().join(" "))
        }
        Wire::ModifyWorkflowPropertiesCommandAttributes(_) => ("ModifyWorkflowProperties", String::new()),
        Wire::ProtocolMessageCommandAttributes(message) => ("ProtocolMessage", message.message_id.clone()),
        _ => return None,
    })
}

/// An Event of this name. `begun` knows with which Event an operation began.
pub(super) fn event(name: &str, arguments: &[&str], id: i64, begun: &mut BTreeMap<String, i64>) -> Option<(E, A)> {
    let first = arguments.first().copied().unwrap_or("1");
    let second = arguments.get(1).copied();
    let kind = match name {
        "CWI" | "CWS" | "CWSF" | "CWC" | "CWF" | "CWTO" | "CWTm" | "CWCd" => format!("child {first}"),
        "SEI" | "ESS" | "SEF" => format!("signal {first}"),
        "RCEI" | "ECR" | "RCEF" => format!("cancel {first}"),
        _ => format!("nexus {first}"),
    };
    if matches!(name, "CWI" | "SEI" | "RCEI" | "NXS") {
        begun.insert(kind.clone(), id);
    }
    let initiated_event_id = match first.strip_prefix('@') {
        Some(id) => id.parse().expect("a number behind @"),
        None => begun.get(&kind).copied().unwrap_or(0),
    };
    let scheduled_event_id = initiated_event_id;
    let execution = |workflow_id: &str, run_id: &str| {
        Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: run_id.to_owned() })
    };
    Some(match name {
        "CWI" => (
            E::StartChildWorkflowExecutionInitiated,
            A::StartChildWorkflowExecutionInitiatedEventAttributes(
                StartChildWorkflowExecutionInitiatedEventAttributes {
                    workflow_id: if first.parse::<u32>().is_ok() { format!("child-{first}") } else { first.to_owned() },
                    workflow_type: Some(WorkflowType { name: second.unwrap_or("parcel").to_owned() }),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "CWS" => (
            E::ChildWorkflowExecutionStarted,
            A::ChildWorkflowExecutionStartedEventAttributes(
                ChildWorkflowExecutionStartedEventAttributes {
                    initiated_event_id,
                    workflow_execution: execution(first, &format!("run-{id}")),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "CWSF" => (
            E::StartChildWorkflowExecutionFailed,
            A::StartChildWorkflowExecutionFailedEventAttributes(
                StartChildWorkflowExecutionFailedEventAttributes {
                    initiated_event_id,
                    cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists.into(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "CWC" => (
            E::ChildWorkflowExecutionCompleted,
            A::ChildWorkflowExecutionCompletedEventAttributes(
                ChildWorkflowExecutionCompletedEventAttributes {
                    initiated_event_id,
                    result: Some(Payloads { payloads: vec![text_payload("delivered")] }),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "CWF" => (
            E::ChildWorkflowExecutionFailed,
            A::ChildWorkflowExecutionFailedEventAttributes(
                ChildWorkflowExecutionFailedEventAttributes {
                    initiated_event_id,
                    failure: Some(failure("lost")),
                    retry_state: RetryState::MaximumAttemptsReached.into(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "CWTO" => (
            E::ChildWorkflowExecutionTimedOut,
            A::ChildWorkflowExecutionTimedOutEventAttributes(
                ChildWorkflowExecutionTimedOutEventAttributes {
                    initiated_event_id,
                    retry_state: RetryState::Timeout.into(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "CWTm" => (
            E::ChildWorkflowExecutionTerminated,
            A::ChildWorkflowExecutionTerminatedEventAttributes(
                ChildWorkflowExecutionTerminatedEventAttributes { initiated_event_id, ..Default::default() }.into(),
            ),
        ),
        "CWCd" => (
            E::ChildWorkflowExecutionCanceled,
            A::ChildWorkflowExecutionCanceledEventAttributes(
                ChildWorkflowExecutionCanceledEventAttributes { initiated_event_id, ..Default::default() }.into(),
            ),
        ),
        "SEI" => (
            E::SignalExternalWorkflowExecutionInitiated,
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(
                SignalExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_execution: execution(first, ""),
                    signal_name: second.unwrap_or("go").to_owned(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "ESS" => (
            E::ExternalWorkflowExecutionSignaled,
            A::ExternalWorkflowExecutionSignaledEventAttributes(
                ExternalWorkflowExecutionSignaledEventAttributes { initiated_event_id, ..Default::default() }.into(),
            ),
        ),
        "SEF" => (
            E::SignalExternalWorkflowExecutionFailed,
            A::SignalExternalWorkflowExecutionFailedEventAttributes(
                SignalExternalWorkflowExecutionFailedEventAttributes {
                    initiated_event_id,
                    cause: SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound.into(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "RCEI" => (
            E::RequestCancelExternalWorkflowExecutionInitiated,
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
                RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
                    workflow_execution: execution(first, ""),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "ECR" => (
            E::ExternalWorkflowExecutionCancelRequested,
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(
                ExternalWorkflowExecutionCancelRequestedEventAttributes { initiated_event_id, ..Default::default() }
                    .into(),
            ),
        ),
        "RCEF" => (
            E::RequestCancelExternalWorkflowExecutionFailed,
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(
                RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                    initiated_event_id,
                    cause: CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound.into(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXS" => (
            E::NexusOperationScheduled,
            A::NexusOperationScheduledEventAttributes(
                NexusOperationScheduledEventAttributes {
                    endpoint: "bank".to_owned(),
                    service: "payments".to_owned(),
                    operation: second.unwrap_or("charge").to_owned(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXSt" => (
            E::NexusOperationStarted,
            A::NexusOperationStartedEventAttributes(
                NexusOperationStartedEventAttributes {
                    scheduled_event_id,
                    operation_token: "token-1".to_owned(),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXC" => (
            E::NexusOperationCompleted,
            A::NexusOperationCompletedEventAttributes(
                NexusOperationCompletedEventAttributes {
                    scheduled_event_id,
                    result: Some(text_payload("charged")),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXF" => (
            E::NexusOperationFailed,
            A::NexusOperationFailedEventAttributes(
                NexusOperationFailedEventAttributes {
                    scheduled_event_id,
                    failure: Some(failure("declined")),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXCd" => (
            E::NexusOperationCanceled,
            A::NexusOperationCanceledEventAttributes(
                NexusOperationCanceledEventAttributes {
                    scheduled_event_id,
                    failure: Some(failure("cancelled")),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXTO" => (
            E::NexusOperationTimedOut,
            A::NexusOperationTimedOutEventAttributes(
                NexusOperationTimedOutEventAttributes {
                    scheduled_event_id,
                    failure: Some(failure("too late")),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        "NXCR" => (
            E::NexusOperationCancelRequested,
            A::NexusOperationCancelRequestedEventAttributes(
                NexusOperationCancelRequestedEventAttributes { scheduled_event_id, ..Default::default() }.into(),
            ),
        ),
        "NXCRC" => (
            E::NexusOperationCancelRequestCompleted,
            A::NexusOperationCancelRequestCompletedEventAttributes(
                NexusOperationCancelRequestCompletedEventAttributes { scheduled_event_id, ..Default::default() }.into(),
            ),
        ),
        "NXCRF" => (
            E::NexusOperationCancelRequestFailed,
            A::NexusOperationCancelRequestFailedEventAttributes(
                NexusOperationCancelRequestFailedEventAttributes {
                    scheduled_event_id,
                    failure: Some(failure("nobody there")),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        _ => return note(name, arguments),
    })
}

/// Markers, search attributes, memo, Updates.
fn note(name: &str, arguments: &[&str]) -> Option<(E, A)> {
    let first = arguments.first().copied().unwrap_or("1");
    let second = arguments.get(1).copied();
    let marker = |name: &str, details: Vec<(&str, String)>| {
        let details =
            details.into_iter().map(|(key, json)| (key.to_owned(), Payloads { payloads: vec![json_payload(&json)] }));
        let attributes = MarkerRecordedEventAttributes {
            marker_name: name.to_owned(),
            details: details.collect(),
            ..Default::default()
        };
        (E::MarkerRecorded, A::MarkerRecordedEventAttributes(attributes.into()))
    };
    let request = || Request {
        meta: Some(Meta { update_id: first.to_owned(), identity: "a client".to_owned() }),
        input: Some(Input { name: first.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    Some(match name {
        "PATCH" => {
            let deprecated = second == Some("deprecated");
            marker("core_patch", vec![("patch-data", format!("{{\"id\":{first:?},\"deprecated\":{deprecated}}}"))])
        }
        "VERSION" => {
            let version = second.unwrap_or("1").to_owned();
            marker("Version", vec![("change-id", format!("{first:?}")), ("version", version)])
        }
        "EFFECT" => marker(
            "SideEffect",
            vec![("side-effect-id", first.to_owned()), ("data", second.unwrap_or("value").to_owned())],
        ),
        "MUTABLE" => {
            let (call, value) = second.and_then(|second| second.split_once('=')).expect("MUTABLE(id,call=value)");
            let details = vec![
                ("side-effect-id", format!("{first:?}")),
                ("mutable-side-effect-call-counter", call.to_owned()),
                ("data", value.to_owned()),
            ];
            marker("MutableSideEffect", details)
        }
        "MRK" => marker(first, Vec::new()),
        "UPSERT" => {
            let indexed_fields = arguments.iter().map(|name| ((*name).to_owned(), text_payload("y"))).collect();
            let attributes = UpsertWorkflowSearchAttributesEventAttributes {
                search_attributes: Some(SearchAttributes { indexed_fields }),
                ..Default::default()
            };
            (E::UpsertWorkflowSearchAttributes, A::UpsertWorkflowSearchAttributesEventAttributes(attributes.into()))
        }
        "CHANGES" => return note("UPSERT", &["TemporalChangeVersion"]),
        "MEMO" => (E::WorkflowPropertiesModified, A::WorkflowPropertiesModifiedEventAttributes(Default::default())),
        "UAD" => (
            E::WorkflowExecutionUpdateAdmitted,
            A::WorkflowExecutionUpdateAdmittedEventAttributes(
                WorkflowExecutionUpdateAdmittedEventAttributes { request: Some(request()), ..Default::default() }
                    .into(),
            ),
        ),
        "UPA" => {
            let sequencing = arguments.iter().find_map(|argument| argument.strip_prefix('@'));
            let attributes = WorkflowExecutionUpdateAcceptedEventAttributes {
                protocol_instance_id: first.to_owned(),
                accepted_request_message_id: format!("{first}/request"),
                accepted_request_sequencing_event_id: sequencing.map_or(0, |id| id.parse().expect("a number behind @")),
                accepted_request: (!arguments.contains(&"admitted")).then(request),
            };
            (E::WorkflowExecutionUpdateAccepted, A::WorkflowExecutionUpdateAcceptedEventAttributes(attributes.into()))
        }
        "UPC" => (
            E::WorkflowExecutionUpdateCompleted,
            A::WorkflowExecutionUpdateCompletedEventAttributes(
                WorkflowExecutionUpdateCompletedEventAttributes {
                    meta: Some(Meta { update_id: first.to_owned(), ..Default::default() }),
                    ..Default::default()
                }
                .into(),
            ),
        ),
        _ => return None,
    })
}

/// What comes with a task as `!NAME`.
pub(super) fn update_request(name: &str) -> Request {
    Request {
        meta: Some(Meta { update_id: name.to_owned(), identity: "a client".to_owned() }),
        input: Some(Input { name: name.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

pub(super) fn text_payload(text: &str) -> Payload {
    Payload { data: text.to_owned().into(), ..Payload::default() }
}

fn json_payload(json: &str) -> Payload {
    let metadata = BTreeMap::from([("encoding".to_owned(), "json/plain".into())]);
    Payload { metadata, ..text_payload(json) }
}

fn number(word: &str) -> u32 {
    word.parse().unwrap_or_else(|_| panic!("{word:?} is no number"))
}
