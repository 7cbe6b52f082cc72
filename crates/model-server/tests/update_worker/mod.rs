//! A worker that handles Updates, follows the history, and checks that it can.

use std::collections::BTreeSet;

use timewright_model_server::{Server, ServerError};
use timewright_proto::Message as _;
use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::command::{Command, ProtocolMessageCommandAttributes, RecordMarkerCommandAttributes};
use timewright_proto::enums::{CommandType, EventType, TaskQueueKind};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::prost_types::{Any, Duration};
use timewright_proto::task_queue::{StickyExecutionAttributes, TaskQueue};
use timewright_proto::temporal::api::protocol::v1::Message;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::temporal::api::update::v1::{Acceptance, Meta, Outcome, Rejection, Request, Response, outcome};
use timewright_proto::workflow_service::respond_workflow_task_completed_request::Capabilities;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse, RespondWorkflowTaskFailedRequest,
};

use super::payloads;

/// What a worker can say about an Update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    Reject,
    Respond,
}

#[derive(Debug, Default)]
pub(crate) struct Worker {
    chance: u64,
    is_sticky: bool,
    /// The Started Event up to which it has the history; what is behind it will come.
    known: i64,
    /// Accepted, and not completed.
    open: BTreeSet<String>,
    /// What it took and has not answered.
    held: Option<PollWorkflowTaskQueueResponse>,
    pub(crate) vanished: usize,
    pub(crate) not_found: usize,
    pub(crate) speculative: usize,
}

impl Worker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { chance: seed, is_sticky: seed % 2 == 1, ..Self::default() }
    }

    /// A number by chance: a linear congruential generator, of which the upper bits are used.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % bound
    }

    /// Takes a task and does something with it, maybe later.
    pub(crate) fn work(&mut self, server: &mut Server, asks_for_next: bool) {
        let Some(mut task) = self.held.take().or_else(|| self.poll(server)) else { return };
        loop {
            let commands = if self.below(3) == 0 { vec![marker()] } else { vec![] };
            let answers: &[Answer] = match self.below(10) {
                0 => &[Answer::Accept],
                1 | 2 => &[Answer::Accept, Answer::Respond],
                3..=5 => &[Answer::Reject],
                6 => &[],
                _ => return self.fail_or_hold(server, task),
            };
            let request = RespondWorkflowTaskCompletedRequest {
                return_new_workflow_task: asks_for_next,
                ..self.completion(&task, answers, commands)
            };
            match self.send(server, request, &task, answers) {
                Ok(answered) if answered.workflow_task.is_some() => {
                    task = answered.workflow_task.unwrap();
                    self.check(&task, self.known + 1);
                }
                _ => return,
            }
        }
    }

    /// Takes all tasks, accepts what comes, and completes what is open.
    pub(crate) fn work_well(&mut self, server: &mut Server) {
        while let Some(task) = self.poll(server) {
            // It may be gone.
            let _gone = self.complete(server, &task, &[Answer::Accept, Answer::Respond], vec![]);
        }
    }

    /// A task from the sticky queue or the normal one, with a history that fits what the worker has.
    pub(crate) fn poll(&mut self, server: &mut Server) -> Option<PollWorkflowTaskQueueResponse> {
        if self.is_sticky
            && let Some(task) = server.poll_workflow_task(&poll_request("sticky", TaskQueueKind::Sticky))
        {
            self.check(&task, self.known + 1);
            return Some(task);
        }
        let task = server.poll_workflow_task(&poll_request("normal", TaskQueueKind::Normal))?;
        self.check(&task, 1);
        Some(task)
    }

    pub(crate) fn complete(
        &mut self,
        server: &mut Server,
        task: &PollWorkflowTaskQueueResponse,
        answers: &[Answer],
        commands: Vec<Command>,
    ) -> Result<RespondWorkflowTaskCompletedResponse, ServerError> {
        let request = self.completion(task, answers, commands);
        self.send(server, request, task, answers)
    }

    fn completion(
        &self,
        task: &PollWorkflowTaskQueueResponse,
        answers: &[Answer],
        mut commands: Vec<Command>,
    ) -> RespondWorkflowTaskCompletedRequest {
        let mut messages = Vec::new();
        let sequencing_event_id = task.started_event_id - 1;
        for sent in &task.messages {
            let (id, request) = (&sent.protocol_instance_id, request_of(sent));
            let answer = |answer: &Answer| message(id, *answer, sequencing_event_id, Some(request.clone()));
            messages.extend(answers.iter().map(answer));
        }
        if answers.contains(&Answer::Respond) {
            messages.extend(self.open.iter().map(|id| message(id, Answer::Respond, sequencing_event_id, None)));
        }
        let with_commands = messages.iter().filter(|message| !message.id.ends_with("Reject"));
        commands.extend(with_commands.map(|message| protocol_message(&message.id)));
        RespondWorkflowTaskCompletedRequest {
            task_token: task.task_token.clone(),
            commands,
            messages,
            sticky_attributes: self.is_sticky.then(|| StickyExecutionAttributes {
                worker_task_queue: queue("sticky", TaskQueueKind::Sticky),
                schedule_to_start_timeout: Some(Duration { seconds: 2, nanos: 0 }),
            }),
            capabilities: Some(Capabilities { discard_speculative_workflow_task_with_events: true }),
            ..RespondWorkflowTaskCompletedRequest::default()
        }
    }

    fn send(
        &mut self,
        server: &mut Server,
        request: RespondWorkflowTaskCompletedRequest,
        task: &PollWorkflowTaskQueueResponse,
        answers: &[Answer],
    ) -> Result<RespondWorkflowTaskCompletedResponse, ServerError> {
        let recorded = server.history("w", None).unwrap().len() as i64;
        let is_speculative = task.attempt == 1 && recorded < task.started_event_id;
        self.speculative += usize::from(is_speculative);
        let answered = server.handle_workflow_task_completed(request);
        match &answered {
            Ok(answered) if answered.reset_history_event_id > 0 => {
                assert!(is_speculative);
                assert_eq!(answered.reset_history_event_id, task.previous_started_event_id);
                self.vanished += 1;
            }
            Ok(_) => {
                self.known = task.started_event_id;
                let delivered = task.messages.iter().map(|message| message.protocol_instance_id.clone());
                match (answers.contains(&Answer::Accept), answers.contains(&Answer::Respond)) {
                    (true, false) => self.open.extend(delivered),
                    (_, true) => self.open.clear(),
                    (false, false) => (),
                }
            }
            Err(ServerError::NotFound(_)) => self.not_found += 1,
            Err(error) => panic!("{error}"),
        }
        answered
    }

    fn fail_or_hold(&mut self, server: &mut Server, task: PollWorkflowTaskQueueResponse) {
        if self.below(4) > 0 {
            self.held = Some(task);
        } else {
            let task_token = task.task_token;
            let failed = RespondWorkflowTaskFailedRequest { task_token, ..RespondWorkflowTaskFailedRequest::default() };
            assert!(matches!(server.handle_workflow_task_failed(failed), Ok(()) | Err(ServerError::NotFound(_))));
        }
    }

    /// The Events continue what the worker has, and end with the start of the task.
    fn check(&self, task: &PollWorkflowTaskQueueResponse, first: i64) {
        let events = &task.history.as_ref().unwrap().events;
        let ids: Vec<i64> = events.iter().map(|event| event.event_id).collect();
        assert_eq!(ids, (first..=task.started_event_id).collect::<Vec<i64>>());
        let last = events.last().unwrap();
        assert_eq!(last.event_type(), EventType::WorkflowTaskStarted);
        let Some(Attributes::WorkflowTaskStartedEventAttributes(started)) = &last.attributes else {
            panic!("{last:?}")
        };
        assert!(ids.contains(&started.scheduled_event_id));
        assert_eq!(task.previous_started_event_id, self.known);
        let sequencing = Some(SequencingId::EventId(task.started_event_id - 1));
        for message in &task.messages {
            assert_eq!(message.sequencing_id, sequencing);
            assert!(!self.open.contains(&message.protocol_instance_id), "it was accepted before");
        }
    }
}

pub(crate) fn request_of(message: &Message) -> Request {
    Request::decode(message.body.as_ref().unwrap().value.as_slice()).unwrap()
}

fn message(update_id: &str, answer: Answer, sequencing_event_id: i64, request: Option<Request>) -> Message {
    let body = match answer {
        Answer::Accept => Any::from_msg(&Acceptance {
            accepted_request_message_id: format!("{update_id}/request"),
            accepted_request_sequencing_event_id: sequencing_event_id,
            accepted_request: request,
        }),
        Answer::Reject => Any::from_msg(&Rejection { rejected_request: request, ..Rejection::default() }),
        Answer::Respond => Any::from_msg(&Response {
            meta: Some(Meta { update_id: update_id.to_owned(), ..Meta::default() }),
            outcome: Some(Outcome { value: Some(outcome::Value::Success(payloads(update_id))) }),
        }),
    };
    Message {
        id: format!("{update_id}/{answer:?}"),
        protocol_instance_id: update_id.to_owned(),
        body: Some(body.unwrap()),
        ..Message::default()
    }
}

fn protocol_message(id: &str) -> Command {
    let attributes = ProtocolMessageCommandAttributes { message_id: id.to_owned() };
    Command {
        command_type: CommandType::ProtocolMessage.into(),
        attributes: Some(CommandAttributes::ProtocolMessageCommandAttributes(attributes.into())),
        ..Command::default()
    }
}

fn marker() -> Command {
    let attributes = RecordMarkerCommandAttributes { marker_name: "m".into(), ..Default::default() };
    Command {
        command_type: CommandType::RecordMarker.into(),
        attributes: Some(CommandAttributes::RecordMarkerCommandAttributes(attributes.into())),
        ..Command::default()
    }
}

fn poll_request(name: &str, kind: TaskQueueKind) -> PollWorkflowTaskQueueRequest {
    PollWorkflowTaskQueueRequest { task_queue: queue(name, kind), ..PollWorkflowTaskQueueRequest::default() }
}

fn queue(name: &str, kind: TaskQueueKind) -> Option<TaskQueue> {
    Some(TaskQueue { name: name.into(), kind: kind.into(), normal_name: "normal".into() })
}
