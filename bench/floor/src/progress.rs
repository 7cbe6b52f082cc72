//! How far a workflow is: counters, instead of state machines.

use anyhow::{Context, Result, bail};
use timewright_proto::command::Command;
use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::common::Payloads;
use timewright_proto::enums::CommandType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::temporal::api::protocol::v1::Message;

use crate::answers;

/// A workflow of one of the kinds that are measured.
pub(crate) struct Progress {
    kind: Kind,
    workflow_id: String,
    input: Option<Payloads>,
    /// How many activities, messages, or milliseconds.
    count: usize,
    done: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    InSequence,
    InParallel,
    Locally,
    Messages,
    Timer,
    Child,
    Given,
    Payload,
}

/// What is to be sent.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) commands: Vec<Command>,
    pub(crate) messages: Vec<Message>,
    pub(crate) is_end: bool,
}

impl Progress {
    /// From the first Event of its history.
    pub(crate) fn begin(workflow_id: &str, first: &HistoryEvent) -> Result<Self> {
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &first.attributes else {
            bail!("a history that does not begin at its beginning");
        };
        let kind = match started.workflow_type.as_ref().map(|workflow_type| workflow_type.name.as_str()) {
            Some("activities_in_sequence") => Kind::InSequence,
            Some("activities_in_parallel") => Kind::InParallel,
            Some("local_activities") => Kind::Locally,
            Some("messages") => Kind::Messages,
            Some("timer") => Kind::Timer,
            Some("child") => Kind::Child,
            Some("given") => Kind::Given,
            Some("payload") => Kind::Payload,
            other => bail!("the floor has no workflow {other:?}"),
        };
        let first = started.input.as_ref().and_then(|input| input.payloads.first());
        let count = match kind {
            Kind::Child | Kind::Given | Kind::Payload => 1,
            _ => std::str::from_utf8(&first.context("a workflow without input")?.data)?.parse()?,
        };
        Ok(Self { kind, workflow_id: workflow_id.to_owned(), input: started.input.clone(), count, done: 0 })
    }

    const fn gives_something(&self) -> bool {
        matches!(self.kind, Kind::Child | Kind::Given | Kind::Payload)
    }

    /// What comes next, when this has happened.
    pub(crate) fn go_on(&mut self, events: &[HistoryEvent], messages: Vec<Message>, task_queue: &str) -> Answer {
        let begins = events.first().is_some_and(|event| event.event_id == 1);
        let before = self.done;
        let mut result = None;
        for event in events {
            match &event.attributes {
                Some(Attributes::ActivityTaskCompletedEventAttributes(completed)) => {
                    result = completed.result.clone();
                    self.done += 1;
                }
                Some(Attributes::ChildWorkflowExecutionCompletedEventAttributes(completed)) => {
                    result = completed.result.clone();
                    self.done += 1;
                }
                Some(Attributes::WorkflowExecutionSignaledEventAttributes(_)) => self.done += 1,
                Some(Attributes::TimerFiredEventAttributes(_)) => self.done = self.count,
                _ => (),
            }
        }
        let mut answer = Answer::default();
        for message in messages {
            self.done += 1;
            answers::answer_update(message, self.done, &mut answer);
        }
        let advanced = begins || self.done > before;
        match self.kind {
            Kind::InSequence if advanced && self.done < self.count => {
                answer.commands.push(answers::echo(self.done, answers::hello(), task_queue, true));
            }
            Kind::InParallel if begins => {
                let activities =
                    (0..self.count).map(|number| answers::echo(number, answers::hello(), task_queue, number < EAGER));
                answer.commands.extend(activities);
            }
            Kind::Locally => {
                answer.commands.extend((1..=self.count).map(answers::local_activity));
                self.done = self.count;
            }
            Kind::Timer if begins => answer.commands.push(answers::timer(self.count)),
            Kind::Child if begins => {
                answer.commands.push(answers::child(&self.workflow_id, self.input.clone(), task_queue));
            }
            Kind::Given => {
                result = self.input.clone();
                self.done = self.count;
            }
            Kind::Payload if begins => {
                answer.commands.push(answers::echo(0, self.input.clone().unwrap_or_default(), task_queue, true));
            }
            _ => (),
        }
        if self.done >= self.count {
            answer.is_end = true;
            answer.commands.push(answers::command(
                CommandType::CompleteWorkflowExecution,
                CommandAttributes::CompleteWorkflowExecutionCommandAttributes(
                    answers::completion(result.filter(|_| self.gives_something())).into(),
                ),
            ));
        }
        answer
    }
}

/// How many activities of a Workflow Task SDKs ask to get at once.
const EAGER: usize = 3;
