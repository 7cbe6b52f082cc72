//! Nexus endpoints, and the requests to them that have no answer yet.

use std::collections::{BTreeMap, VecDeque};

use timewright_proto::common::Payload;
use timewright_proto::temporal::api::nexus::v1 as nexus;
use timewright_proto::temporal::api::nexus::v1::request::Variant as Asked;
use timewright_proto::temporal::api::nexus::v1::response::Variant as Answered;
use timewright_proto::temporal::api::nexus::v1::start_operation_response::Variant as Start;
use timewright_proto::workflow_service::RespondNexusTaskFailedRequest;

use super::failure::{handler_failure, operation_failure};
use super::{NexusOperation, RequestKind, StartOutcome};
use crate::error::ServerError;
use crate::time::{Time, timestamp};
use crate::token::NexusCallbackToken;

/// What is between operations and the workers that handle them.
///
/// Fact (server 1.32): a request is there until it is answered or its time is over, whatever becomes of the operation
/// and of its workflow meanwhile; whoever answers then hears of nothing. (A worker's answer counts for a second or two
/// less than that on the real server, as the header `request-timeout` says; not so in the model.)
#[derive(Debug, Default)]
pub(crate) struct NexusRequests {
    /// Endpoints by name.
    pub(crate) endpoints: BTreeMap<String, nexus::Endpoint>,
    open: BTreeMap<u64, NexusRequest>,
    queues: BTreeMap<String, VecDeque<u64>>,
    count: u64,
}

/// One attempt of a request.
#[derive(Debug, Clone)]
pub(crate) struct NexusRequest {
    pub(crate) run_id: String,
    pub(crate) scheduled_event_id: i64,
    pub(crate) kind: RequestKind,
    pub(crate) attempt: i32,
    pub(crate) expires: Time,
    pub(crate) request: nexus::Request,
}

/// An answer to a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Start(StartOutcome),
    Cancel(Result<(), timewright_proto::failure::Failure>),
}

impl NexusRequests {
    pub(crate) fn push(&mut self, queue: &str, request: NexusRequest) {
        self.count += 1;
        self.open.insert(self.count, request);
        self.queues.entry(queue.to_owned()).or_default().push_back(self.count);
    }

    /// The next request of the queue, and its number.
    pub(crate) fn pop(&mut self, queue: &str, now: Time) -> Option<(u64, nexus::Request)> {
        let waiting = self.queues.get_mut(queue)?;
        loop {
            let number = waiting.pop_front()?;
            match self.open.get(&number) {
                Some(request) if request.expires > now => return Some((number, request.request.clone())),
                _ => self.open.remove(&number),
            };
        }
    }

    pub(crate) fn open(&self, number: u64, now: Time) -> Result<&NexusRequest, ServerError> {
        self.open.get(&number).filter(|request| request.expires > now).ok_or_else(not_found)
    }

    /// It has been answered.
    pub(crate) fn close(&mut self, number: u64) -> Result<NexusRequest, ServerError> {
        self.open.remove(&number).ok_or_else(not_found)
    }
}

impl NexusRequest {
    /// The answer of a completed task.
    ///
    /// Facts (server 1.32): an answer of another kind starts nothing and is tried again; to a cancellation every answer is
    /// one. A start needs an operation token.
    pub(crate) fn answer(&self, response: Option<nexus::Response>) -> Result<Answer, ServerError> {
        if self.kind == RequestKind::Cancel {
            return Ok(Answer::Cancel(Ok(())));
        }
        let start = match response.and_then(|response| response.variant) {
            Some(Answered::StartOperation(start)) => start.variant,
            _ => None,
        };
        Ok(Answer::Start(match start {
            None => StartOutcome::NoOutcome,
            Some(Start::SyncSuccess(success)) => StartOutcome::Completed(Some(success.payload.unwrap_or_else(null))),
            Some(Start::AsyncSuccess(started)) if started.operation_token.is_empty() => {
                return Err(ServerError::InvalidArgument("missing opration token in response".into()));
            }
            Some(Start::AsyncSuccess(started)) => StartOutcome::Started { token: started.operation_token },
            Some(Start::OperationError(error)) => StartOutcome::Failed(operation_failure(error)?),
            Some(Start::Failure(failure)) => StartOutcome::Failed(failure),
        }))
    }

    /// The answer of a failed task.
    pub(crate) fn failed_answer(&self, request: RespondNexusTaskFailedRequest) -> Result<Answer, ServerError> {
        let failure = handler_failure(request, self.kind)?;
        Ok(match self.kind {
            RequestKind::Start => Answer::Start(StartOutcome::HandlerError(failure)),
            RequestKind::Cancel => Answer::Cancel(Err(failure)),
        })
    }
}

impl NexusOperation {
    /// Facts (server 1.32): both requests carry the operation's header, in lower case; the one to start carries how long
    /// the operation may take, unless the workflow has said that itself. No input is a Payload of encoding `binary/null`.
    pub(crate) fn message(
        &self,
        kind: RequestKind,
        callback: &NexusCallbackToken,
        now: Time,
        expires: Time,
    ) -> nexus::Request {
        let scheduled = &self.scheduled;
        let mut header = scheduled.nexus_header.clone();
        header.insert("request-timeout".into(), milliseconds(expires.saturating_sub(now)));
        let (service, operation) = (scheduled.service.clone(), scheduled.operation.clone());
        let asked = match kind {
            RequestKind::Start => {
                if let Some(time) = self.time_for_handler(now) {
                    header.entry("operation-timeout".into()).or_insert_with(|| milliseconds(time));
                }
                Asked::StartOperation(nexus::StartOperationRequest {
                    service,
                    operation,
                    request_id: scheduled.request_id.clone(),
                    callback: CALLBACK_URL.into(),
                    payload: Some(scheduled.input.clone().unwrap_or_else(null)),
                    callback_header: [(CALLBACK_TOKEN_HEADER.into(), callback.encode())].into_iter().collect(),
                    links: Vec::new(),
                })
            }
            RequestKind::Cancel => {
                let token = self.started.as_ref().map(|started| started.token.clone()).unwrap_or_default();
                let (operation_id, operation_token) = (token.clone(), token);
                Asked::CancelOperation(nexus::CancelOperationRequest {
                    service,
                    operation,
                    operation_id,
                    operation_token,
                })
            }
        };
        nexus::Request {
            header,
            scheduled_time: Some(timestamp(now)),
            capabilities: Some(nexus::request::Capabilities { temporal_failure_responses: true }),
            endpoint: scheduled.endpoint.clone(),
            variant: Some(asked),
        }
    }
}

fn not_found() -> ServerError {
    ServerError::NotFound("Nexus task not found or already expired".into())
}

fn null() -> Payload {
    let metadata = [("encoding".to_owned(), "binary/null".into())].into_iter().collect();
    Payload { metadata, ..Payload::default() }
}

fn milliseconds(duration: std::time::Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// The header that a callback must bring.
pub(crate) const CALLBACK_TOKEN_HEADER: &str = "temporal-callback-token";

/// The header of a callback that says the operation's token.
pub(crate) const OPERATION_TOKEN_HEADER: &str = "nexus-operation-token";

const CALLBACK_URL: &str = "temporal://system";
