//! The lines about Nexus operations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use timewright_model_server::ServerError;
use timewright_proto::Bytes;
use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    RequestCancelNexusOperationCommandAttributes, ScheduleNexusOperationCommandAttributes,
};
use timewright_proto::common::Payload;
use timewright_proto::enums::{CommandType, NexusHandlerErrorRetryBehavior, TaskQueueKind};
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{
    CanceledFailureInfo, Failure, NexusHandlerFailureInfo, TerminatedFailureInfo, TimeoutFailureInfo,
};
use timewright_proto::temporal::api::nexus::v1 as nexus;
use timewright_proto::temporal::api::nexus::v1::request::Variant as Asked;
use timewright_proto::temporal::api::nexus::v1::response::Variant as Answered;
use timewright_proto::temporal::api::nexus::v1::start_operation_response::Variant as Start;
use timewright_proto::temporal::api::operatorservice::v1::{CreateNexusEndpointRequest, DeleteNexusEndpointRequest};
use timewright_proto::workflow_service::{
    PollNexusTaskQueueRequest, RespondNexusTaskCompletedRequest, RespondNexusTaskFailedRequest,
};

use crate::{Conversation, Words, failure, id, payloads, task_queue, upper_case};

/// What a Nexus worker and the operator of its endpoint know.
#[derive(Default)]
pub(crate) struct Handler {
    endpoint_id: String,
    tasks: BTreeMap<String, Bytes>,
    /// Tasks that were polled before somebody asked for them, by operation.
    fetched: BTreeMap<String, (Bytes, nexus::Request)>,
    callback_headers: BTreeMap<String, BTreeMap<String, String>>,
}

/// Whether a line is about Nexus.
pub(crate) fn is_verb(verb: &str) -> bool {
    verb.contains("nexus") || verb.contains("endpoint")
}

pub(crate) fn command(words: &Words<'_>) -> (CommandType, Attributes) {
    if words.verb == "cancel-nexus" {
        let attributes =
            RequestCancelNexusOperationCommandAttributes { scheduled_event_id: words.first().parse().unwrap() };
        let attributes = Attributes::RequestCancelNexusOperationCommandAttributes(attributes.into());
        return (CommandType::RequestCancelNexusOperation, attributes);
    }
    let attributes = ScheduleNexusOperationCommandAttributes {
        endpoint: words.option("endpoint").unwrap_or("endpoint").into(),
        service: "S".into(),
        operation: id(words.first()),
        input: words.option("input").map(payload),
        schedule_to_close_timeout: words.duration("schedule-to-close"),
        nexus_header: words.option("header").map(|key| (key.to_owned(), "h".to_owned())).into_iter().collect(),
        schedule_to_start_timeout: words.duration("schedule-to-start"),
        start_to_close_timeout: words.duration("start-to-close"),
    };
    (CommandType::ScheduleNexusOperation, Attributes::ScheduleNexusOperationCommandAttributes(attributes.into()))
}

impl Conversation {
    pub(crate) fn nexus(&mut self, words: &Words<'_>) -> Result<Vec<String>, ServerError> {
        match words.verb {
            "endpoint" => {
                let created =
                    self.server.create_nexus_endpoint(CreateNexusEndpointRequest { spec: Some(endpoint()) })?;
                self.nexus.endpoint_id = created.endpoint.unwrap_or_default().id;
            }
            "delete-endpoint" => {
                let id = self.nexus.endpoint_id.clone();
                self.server.delete_nexus_endpoint(&DeleteNexusEndpointRequest { id, version: 1 });
            }
            "poll-nexus" => return Ok(vec![self.poll_nexus(words)]),
            "nexus-callback" => {
                // The real server calls itself back; what it answers itself then, nobody sees.
                let header = &self.nexus.callback_headers[words.first()];
                let outcome = end(words.plain.get(1).copied()).map_err(|failure| *failure);
                self.server.handle_nexus_callback(header, "", outcome).ok();
            }
            "nexus-error" => {
                let mut request = RespondNexusTaskFailedRequest {
                    task_token: self.nexus.tasks[words.first()].clone(),
                    ..Default::default()
                };
                fail(&mut request, words);
                self.server.handle_nexus_task_failed(request)?;
            }
            _ => {
                self.server.handle_nexus_task_completed(RespondNexusTaskCompletedRequest {
                    task_token: self.nexus.tasks[words.first()].clone(),
                    response: Some(nexus::Response { variant: Some(answer(words)) }),
                    ..Default::default()
                })?;
            }
        }
        Ok(Vec::new())
    }

    /// Polls until the operation's task comes; time passes as needed, as it does for a real poll.
    fn poll_nexus(&mut self, words: &Words<'_>) -> String {
        let wanted = words.first();
        let request =
            PollNexusTaskQueueRequest { task_queue: task_queue("nexus", TaskQueueKind::Normal), ..Default::default() };
        let mut waited = Duration::ZERO;
        let (token, request) = loop {
            while let Some(task) = self.server.poll_nexus_task(&request) {
                let request = task.request.unwrap_or_default();
                let operation = match &request.variant {
                    Some(Asked::StartOperation(start)) => start.operation.clone(),
                    Some(Asked::CancelOperation(cancel)) => cancel.operation.clone(),
                    None => panic!("a task that asks for nothing"),
                };
                self.nexus.fetched.insert(operation, (task.task_token, request));
            }
            if let Some(task) = self.nexus.fetched.remove(wanted) {
                break task;
            }
            let next = self.server.poll_timeout().filter(|_| waited < Duration::from_secs(30));
            let Some(next) = next else { return "nothing".into() };
            waited += next - self.server.now();
            self.server.handle_timeout(next);
        };
        self.nexus.tasks.insert(words.option("as").unwrap_or(wanted).into(), token);
        if let Some(Asked::StartOperation(start)) = &request.variant {
            self.nexus.callback_headers.insert(wanted.into(), start.callback_header.clone());
        }
        task_text(&request)
    }
}

fn endpoint() -> nexus::EndpointSpec {
    let worker = nexus::endpoint_target::Worker { namespace: "default".into(), task_queue: "nexus".into() };
    nexus::EndpointSpec {
        name: "endpoint".into(),
        target: Some(nexus::EndpointTarget { variant: Some(nexus::endpoint_target::Variant::Worker(worker)) }),
        ..Default::default()
    }
}

fn answer(words: &Words<'_>) -> Answered {
    let variant = match words.verb {
        "nexus-cancel-taken" => return Answered::CancelOperation(nexus::CancelOperationResponse {}),
        "nexus-started" => Start::AsyncSuccess(nexus::start_operation_response::Async {
            operation_token: words.option("token").unwrap_or("tok").into(),
            ..Default::default()
        }),
        "nexus-result" => Start::SyncSuccess(nexus::start_operation_response::Sync {
            payload: (!words.has("none")).then(|| payload("r")),
            ..Default::default()
        }),
        "nexus-failed" if words.has("old") => Start::OperationError(nexus::UnsuccessfulOperationError {
            operation_state: words.option("state").unwrap_or("failed").into(),
            failure: Some(nexus::Failure { message: "oops".into(), ..Default::default() }),
        }),
        "nexus-failed" if words.has("canceled") => Start::Failure(cancelled("bye")),
        "nexus-failed" => {
            let mut failure = failure("oops");
            if let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info {
                info.non_retryable = words.has("non-retryable");
            }
            Start::Failure(failure)
        }
        verb => panic!("what is {verb:?}?"),
    };
    Answered::StartOperation(nexus::StartOperationResponse { variant: Some(variant) })
}

fn fail(request: &mut RespondNexusTaskFailedRequest, words: &Words<'_>) {
    let kind = upper_case(words.option("type").unwrap_or("internal"));
    let behavior = upper_case(words.option("retry").unwrap_or("unspecified"));
    let behavior = format!("NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_{behavior}");
    let retry_behavior = NexusHandlerErrorRetryBehavior::from_str_name(&behavior).expect("a behaviour").into();
    if words.has("old") {
        let failure = Some(nexus::Failure { message: "oops".into(), ..Default::default() });
        request.error = Some(nexus::HandlerError { error_type: kind, failure, retry_behavior });
    } else if words.has("application") {
        request.failure = Some(failure("oops"));
    } else {
        let info = NexusHandlerFailureInfo { r#type: kind, retry_behavior };
        request.failure = Some(Failure {
            message: "bad".into(),
            cause: words.has("cause").then(|| Box::new(failure("oops"))),
            failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
            ..Default::default()
        });
    }
}

/// How the workflow ends that handles an operation, as the real server says it to the callback.
fn end(end: Option<&str>) -> Result<Option<Payload>, Box<Failure>> {
    let (message, failure_info) = match end {
        None => return Ok(Some(payload("r"))),
        Some("failed") => return Err(Box::new(failure("oops"))),
        Some("canceled") => return Err(Box::new(cancelled("operation canceled"))),
        Some("terminated") => {
            ("operation terminated", FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default()))
        }
        Some("timed-out") => {
            let info = TimeoutFailureInfo::default();
            ("operation exceeded internal timeout", FailureInfo::TimeoutFailureInfo(info))
        }
        Some(end) => panic!("what is {end:?}?"),
    };
    Err(Box::new(Failure { message: message.into(), failure_info: Some(failure_info), ..Default::default() }))
}

fn cancelled(message: &str) -> Failure {
    let failure_info = Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default()));
    Failure { message: message.into(), failure_info, ..Default::default() }
}

fn payload(text: &str) -> Payload {
    payloads(text).unwrap().payloads.remove(0)
}

fn task_text(request: &nexus::Request) -> String {
    let mut text = match &request.variant {
        Some(Asked::StartOperation(start)) => {
            let mut text = format!("nexus start {}/{}", start.service, start.operation);
            let data = start.payload.as_ref().map(|payload| String::from_utf8_lossy(&payload.data)).unwrap_or_default();
            if !data.is_empty() {
                write!(text, " input={}", data.trim_matches('"')).unwrap();
            }
            text
        }
        Some(Asked::CancelOperation(cancel)) => format!(
            "nexus cancel {}/{} id={} token={}",
            cancel.service, cancel.operation, cancel.operation_id, cancel.operation_token
        ),
        None => panic!("a task that asks for nothing"),
    };
    if request.header.contains_key("k") {
        text.push_str(" header=k");
    }
    if let Some(timeout) = request.header.get("operation-timeout") {
        let milliseconds: u64 = timeout.strip_suffix("ms").expect("milliseconds").parse().unwrap();
        write!(text, " operation-timeout<={}0s", milliseconds.div_ceil(10_000)).unwrap();
    }
    text
}
