//! A modelled Nexus Worker: takes what an endpoint's Task Queue has, and answers at seeded times with seeded outcomes.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_proto::common::Payload;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure, NexusHandlerFailureInfo};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::nexus::v1 as nexus;
use timewright_proto::temporal::api::nexus::v1::request::Variant as Asked;
use timewright_proto::temporal::api::nexus::v1::response::Variant as Answered;
use timewright_proto::temporal::api::nexus::v1::start_operation_response::Variant as Start;
use timewright_proto::workflow_service::{
    PollNexusTaskQueueRequest, PollNexusTaskQueueResponse, RespondNexusTaskCompletedRequest,
    RespondNexusTaskFailedRequest,
};

use crate::nexus::{operation_cancelled, operation_terminated, operation_timed_out};
use crate::random::{Random, named};
use crate::server::Server;
use crate::time::Time;

/// Handles Nexus Tasks of one Task Queue in virtual time.
///
/// What becomes of a task is chosen by the seed and by the names of request, operation and attempt, and by nothing else.
/// Operations complete with their own input as the result, at once or later; fail, or are cancelled, at once or later; or
/// the handler fails, for good or so that it can be tried again, or says nothing. Some operations end when their
/// cancellation is asked for; others go on, and some handlers refuse the request.
///
/// Call [`handle_timeout`](Self::handle_timeout) whenever the server may have new tasks, and when
/// [`poll_timeout`](Self::poll_timeout) says.
#[derive(Debug)]
pub struct NexusWorker {
    seed: u64,
    poll: PollNexusTaskQueueRequest,
    /// How many tasks of an operation came, by its request id and kind.
    attempts: BTreeMap<String, u32>,
    tasks: Vec<Task>,
    operations: BTreeMap<String, Operation>,
}

/// A task that waits for its answer.
#[derive(Debug)]
struct Task {
    task: PollNexusTaskQueueResponse,
    answer_at: Time,
    random: Random,
}

/// An operation that goes on.
#[derive(Debug)]
struct Operation {
    callback_header: BTreeMap<String, String>,
    input: Option<Payload>,
    ends: Time,
    end: End,
    heeds_cancellation: bool,
}

/// How an operation that goes on ends, if a workflow handles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Failed,
    Canceled,
    Terminated,
    TimedOut,
    Never,
}

/// What the worker says to a task.
enum Reply {
    Answered(Box<Answered>),
    /// Of this type.
    HandlerError(&'static str),
    Nothing,
}

impl NexusWorker {
    /// A worker of this Task Queue.
    pub fn new(seed: u64, task_queue: &str) -> Self {
        let poll = PollNexusTaskQueueRequest {
            task_queue: Some(TaskQueue { name: task_queue.into(), ..TaskQueue::default() }),
            identity: IDENTITY.into(),
            ..PollNexusTaskQueueRequest::default()
        };
        Self { seed, poll, attempts: BTreeMap::new(), tasks: Vec::new(), operations: BTreeMap::new() }
    }

    /// When the worker has something to do next.
    pub fn poll_timeout(&self) -> Option<Time> {
        let answers = self.tasks.iter().map(|task| task.answer_at);
        let ends = self.operations.values().filter(|operation| operation.end != End::Never);
        answers.chain(ends.map(|operation| operation.ends)).min()
    }

    /// Takes new tasks, and does what is due at the server's time.
    pub fn handle_timeout(&mut self, server: &mut Server) {
        while let Some(task) = server.poll_nexus_task(&self.poll) {
            let mut random = self.random_of(&task);
            let answer_at = server.now() + duration(&mut random);
            self.tasks.push(Task { task, answer_at, random });
        }
        let (due, later) = std::mem::take(&mut self.tasks).into_iter().partition(|t| t.answer_at <= server.now());
        self.tasks = later;
        let mut due: Vec<Task> = due;
        due.sort_by_key(|task| task.answer_at);
        for task in due {
            self.answer(task, server);
        }
        let ended = |operation: &Operation| operation.end != End::Never && operation.ends <= server.now();
        let tokens: Vec<String> =
            self.operations.iter().filter(|(_, operation)| ended(operation)).map(|(token, _)| token.clone()).collect();
        for token in tokens {
            if let Some(operation) = self.operations.remove(&token) {
                call_back(&token, operation, server);
            }
        }
    }

    fn random_of(&mut self, task: &PollNexusTaskQueueResponse) -> Random {
        let names = match task.request.as_ref().and_then(|request| request.variant.as_ref()) {
            Some(Asked::StartOperation(start)) => format!("start|{}|{}", start.operation, start.request_id),
            Some(Asked::CancelOperation(cancel)) => format!("cancel|{}|{}", cancel.operation, cancel.operation_token),
            None => String::new(),
        };
        let attempt = self.attempts.entry(names.clone()).or_default();
        *attempt += 1;
        named(self.seed, &[&names, &attempt.to_string()])
    }

    fn answer(&mut self, task: Task, server: &mut Server) {
        let Task { task, random, .. } = task;
        let asked = task.request.and_then(|request| request.variant);
        let answer = match asked {
            Some(Asked::StartOperation(start)) => self.start(start, random, server.now()),
            Some(Asked::CancelOperation(cancel)) => self.cancel(&cancel, random, server.now()),
            None => return,
        };
        let (task_token, identity) = (task.task_token, IDENTITY.to_owned());
        // An answer that came too late is nobody's concern.
        match answer {
            Reply::Nothing => (),
            Reply::Answered(variant) => {
                let response = Some(nexus::Response { variant: Some(*variant) });
                let completed =
                    RespondNexusTaskCompletedRequest { task_token, identity, response, ..Default::default() };
                server.handle_nexus_task_completed(completed).ok();
            }
            Reply::HandlerError(kind) => {
                let failure = Some(handler_error(kind));
                let failed = RespondNexusTaskFailedRequest { task_token, identity, failure, ..Default::default() };
                server.handle_nexus_task_failed(failed).ok();
            }
        }
    }

    fn start(&mut self, start: nexus::StartOperationRequest, mut random: Random, now: Time) -> Reply {
        let answered = |variant| {
            let start = nexus::StartOperationResponse { variant: Some(variant) };
            Reply::Answered(Box::new(Answered::StartOperation(start)))
        };
        match random.below(20) {
            0..=3 => answered(Start::SyncSuccess(nexus::start_operation_response::Sync {
                payload: start.payload,
                links: Vec::new(),
            })),
            4 => answered(Start::Failure(failure(End::Failed))),
            5 => answered(Start::Failure(failure(End::Canceled))),
            6..=8 => Reply::HandlerError("INTERNAL"),
            9 => Reply::HandlerError("BAD_REQUEST"),
            10 => Reply::Nothing,
            _ => {
                let ends = [End::Completed, End::Failed, End::Canceled, End::Terminated, End::TimedOut, End::Never];
                let operation = Operation {
                    callback_header: start.callback_header,
                    input: start.payload,
                    ends: now + duration(&mut random),
                    end: ends[[0, 0, 0, 0, 1, 1, 2, 3, 4, 5][random.below(10) as usize]],
                    heeds_cancellation: random.chance(70),
                };
                let operation_token = random.uuid();
                self.operations.insert(operation_token.clone(), operation);
                answered(Start::AsyncSuccess(nexus::start_operation_response::Async {
                    operation_token,
                    ..nexus::start_operation_response::Async::default()
                }))
            }
        }
    }

    fn cancel(&mut self, cancel: &nexus::CancelOperationRequest, mut random: Random, now: Time) -> Reply {
        let operation = self.operations.get_mut(&cancel.operation_token);
        if let Some(operation) = operation.filter(|operation| operation.heeds_cancellation) {
            operation.ends = now + duration(&mut random);
            operation.end = End::Canceled;
        }
        match random.below(10) {
            0 => Reply::HandlerError("UNAVAILABLE"),
            1 => Reply::HandlerError("NOT_FOUND"),
            2 => Reply::Nothing,
            _ => Reply::Answered(Box::new(Answered::CancelOperation(nexus::CancelOperationResponse {}))),
        }
    }
}

fn call_back(token: &str, operation: Operation, server: &mut Server) {
    let outcome = match operation.end {
        End::Completed => Ok(operation.input),
        end => Err(failure(end)),
    };
    // A workflow that has ended meanwhile does not wait for this.
    server.handle_nexus_callback(&operation.callback_header, token, outcome).ok();
}

fn failure(end: End) -> Failure {
    match end {
        End::Canceled => operation_cancelled(),
        End::Terminated => operation_terminated(),
        End::TimedOut => operation_timed_out(),
        End::Completed | End::Failed | End::Never => {
            let info = ApplicationFailureInfo { r#type: "Modelled".into(), ..ApplicationFailureInfo::default() };
            Failure {
                message: "the modelled operation failed".into(),
                failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
                ..Failure::default()
            }
        }
    }
}

fn handler_error(kind: &str) -> Failure {
    let info = NexusHandlerFailureInfo { r#type: kind.into(), ..NexusHandlerFailureInfo::default() };
    Failure {
        message: "the modelled handler failed".into(),
        failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
        ..Failure::default()
    }
}

/// Short and long ones, often equal, so that things happen at the same moment too.
fn duration(random: &mut Random) -> Duration {
    let seconds = [0, 0, 1, 1, 2, 3, 8, 20];
    Duration::from_secs(seconds[random.below(seconds.len() as u64) as usize])
}

const IDENTITY: &str = "modelled-nexus-worker";
