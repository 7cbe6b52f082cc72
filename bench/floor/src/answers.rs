//! Prepared Commands and messages.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    Command, CompleteWorkflowExecutionCommandAttributes, ProtocolMessageCommandAttributes,
    RecordMarkerCommandAttributes, ScheduleActivityTaskCommandAttributes, StartChildWorkflowExecutionCommandAttributes,
    StartTimerCommandAttributes,
};
use timewright_proto::common::{ActivityType, Payload, Payloads, WorkflowType};
use timewright_proto::enums::CommandType;
use timewright_proto::prost_types::Any;
use timewright_proto::temporal::api::protocol::v1::Message as ProtocolMessage;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::temporal::api::update::v1::{Acceptance, Outcome, Request, Response, outcome};
use timewright_proto::{Bytes, Message, to_duration};

use crate::normal;
use crate::progress::Answer;

pub(crate) fn command(command_type: CommandType, attributes: Attributes) -> Command {
    Command { command_type: command_type.into(), attributes: Some(attributes), ..Command::default() }
}

pub(crate) fn hello() -> Payloads {
    Payloads { payloads: vec![json(Bytes::from_static(b"\"hello\""))] }
}

fn json(data: Bytes) -> Payload {
    let metadata = BTreeMap::from([("encoding".to_owned(), Bytes::from_static(b"json/plain"))]);
    Payload { metadata, data, ..Payload::default() }
}

pub(crate) fn echo(number: usize, input: Payloads, task_queue: &str, eager: bool) -> Command {
    let attributes = ScheduleActivityTaskCommandAttributes {
        activity_id: (number + 1).to_string(),
        activity_type: Some(ActivityType { name: "echo".to_owned() }),
        task_queue: Some(normal(task_queue)),
        input: Some(input),
        start_to_close_timeout: Some(to_duration(Duration::from_secs(60))),
        request_eager_execution: eager,
        ..ScheduleActivityTaskCommandAttributes::default()
    };
    command(CommandType::ScheduleActivityTask, Attributes::ScheduleActivityTaskCommandAttributes(attributes.into()))
}

pub(crate) fn local_activity(number: usize) -> Command {
    let data = format!(
        "{{\"seq\":{number},\"attempt\":1,\"activity_id\":\"{number}\",\"activity_type\":\"echo\",\
         \"complete_time\":\"2026-01-01T00:00:00.000000000Z\",\"original_schedule_time\":\"2026-01-01T00:00:00.000000000Z\"}}"
    );
    let attributes = RecordMarkerCommandAttributes {
        marker_name: "core_local_activity".to_owned(),
        details: BTreeMap::from([
            ("data".to_owned(), Payloads { payloads: vec![json(data.into())] }),
            ("result".to_owned(), hello()),
        ]),
        ..RecordMarkerCommandAttributes::default()
    };
    command(CommandType::RecordMarker, Attributes::RecordMarkerCommandAttributes(attributes.into()))
}

pub(crate) fn timer(milliseconds: usize) -> Command {
    let attributes = StartTimerCommandAttributes {
        timer_id: "1".to_owned(),
        start_to_fire_timeout: Some(to_duration(Duration::from_millis(milliseconds as u64))),
    };
    command(CommandType::StartTimer, Attributes::StartTimerCommandAttributes(attributes.into()))
}

pub(crate) fn child(workflow_id: &str, input: Option<Payloads>, task_queue: &str) -> Command {
    let attributes = StartChildWorkflowExecutionCommandAttributes {
        namespace: "default".to_owned(),
        workflow_id: format!("{workflow_id}-child"),
        workflow_type: Some(WorkflowType { name: "given".to_owned() }),
        task_queue: Some(normal(task_queue)),
        input,
        ..StartChildWorkflowExecutionCommandAttributes::default()
    };
    command(
        CommandType::StartChildWorkflowExecution,
        Attributes::StartChildWorkflowExecutionCommandAttributes(attributes.into()),
    )
}

pub(crate) fn completion(result: Option<Payloads>) -> CompleteWorkflowExecutionCommandAttributes {
    CompleteWorkflowExecutionCommandAttributes { result }
}

/// Accepts an Update and answers it with the number of messages so far.
pub(crate) fn answer_update(message: ProtocolMessage, done: usize, answer: &mut Answer) {
    let body = message.body.unwrap_or_default();
    let Ok(request) = Request::decode(body.value.as_slice()) else { return };
    let acceptance = Acceptance {
        accepted_request_message_id: message.id.clone(),
        accepted_request_sequencing_event_id: match message.sequencing_id {
            Some(SequencingId::EventId(event_id)) => event_id,
            _ => 0,
        },
        accepted_request: Some(request.clone()),
    };
    let success = Payloads { payloads: vec![json(done.to_string().into())] };
    let response =
        Response { meta: request.meta, outcome: Some(Outcome { value: Some(outcome::Value::Success(success)) }) };
    let bodies = [
        ("accept", any("temporal.api.update.v1.Acceptance", &acceptance)),
        ("respond", any("temporal.api.update.v1.Response", &response)),
    ];
    for (what, body) in bodies {
        let id = format!("{}/{what}", message.id);
        answer.commands.push(command(
            CommandType::ProtocolMessage,
            Attributes::ProtocolMessageCommandAttributes(
                ProtocolMessageCommandAttributes { message_id: id.clone() }.into(),
            ),
        ));
        let protocol_instance_id = message.protocol_instance_id.clone();
        answer.messages.push(ProtocolMessage { id, protocol_instance_id, body: Some(body), sequencing_id: None });
    }
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}
