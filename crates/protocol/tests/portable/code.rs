//! Plays the part of user code: a program, polled to a fixed point at each Activation, in the order of the SDK that it is of.
//!
//! All three take in signals and Updates first, and what they wait for behind them; handlers go on before the workflow itself.
//! - Python and TypeScript begin each handler at once: what it asks for comes before what the next one asks for.
//! - Rust answers all Updates of an Activation before all else that is asked for in it, accepts all before it begins any
//!   handler, and begins handlers when all news has been taken in.
//! - TypeScript answers a finished Update only when all handlers of the Activation have begun.

use std::task::{Context as Poller, Waker};

use serde_json::Value;
use timewright_proto::common::Payload;
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{
    Activation, ChildWorkflowStart, Command, Job, LocalActivityResolution, NexusOperationStart, QueryAnswer,
    Resolution, Update,
};

use crate::context::{Context, Done, Running, Stop, failure, payload};
use crate::histories::{History, Sdk};
use crate::normal;
use crate::operation::{Key, Kind};
use crate::programs::{self, Program};

/// User code's state of one Run.
pub(crate) struct Code {
    context: Context,
    program: Option<Program>,
    handlers: Vec<Running>,
    end: Option<Command>,
}

impl Code {
    /// Goes on in the order of this SDK.
    pub(crate) fn new(history: &'static History, sdk: Sdk) -> Self {
        Self { context: Context::new(history, sdk), program: None, handlers: Vec::new(), end: None }
    }

    /// The Command that ended the workflow.
    pub(crate) fn end(&self) -> Option<Command> {
        self.end.clone()
    }

    /// Takes in the jobs, goes on as far as possible, and says what to ask for; or why the task fails.
    pub(crate) fn activate(&mut self, activation: &Activation) -> Result<Vec<Command>, Box<Failure>> {
        if let [Job::Query(query)] = activation.jobs.as_slice() {
            let answer = self.program.as_ref().and_then(|program| program.handlers.query(&query.name));
            let answer = match answer {
                Some(value) => QueryAnswer::Succeeded(Some(payload(&value))),
                None => QueryAnswer::Failed(failure("there is no such query")),
            };
            return Ok(vec![Command::AnswerQuery { id: query.id.clone(), answer }]);
        }
        let mut shared = self.context.shared.borrow_mut();
        shared.replaying = activation.replaying;
        shared.history_length = activation.history_length;
        drop(shared);
        for job in &activation.jobs {
            self.hear(job);
        }
        self.go_on()?;
        let mut shared = self.context.shared.borrow_mut();
        let mut commands = std::mem::take(&mut shared.answers);
        commands.append(&mut shared.commands);
        Ok(commands)
    }

    fn hear(&mut self, job: &Job) {
        let (key, done) = match job {
            Job::Initialize(initialize) => {
                self.context.shared.borrow_mut().arguments.clone_from(&initialize.arguments);
                self.program = programs::program(&initialize.workflow_type, &self.context);
                return;
            }
            Job::NotifyPatch { patch_id } => {
                self.context.shared.borrow_mut().patches.insert(patch_id.clone());
                return;
            }
            Job::UpdateRandomSeed { .. } => return,
            Job::Signal { name, input, .. } => {
                let handlers = self.program.as_ref().map(|program| program.handlers.clone());
                let handler = handlers.and_then(|handlers| handlers.signal(&self.context, name, argument(input)));
                self.begin(handler.unwrap_or_else(|| panic!("there is no signal {name:?}")));
                return;
            }
            Job::Update(update) => return self.update(update),
            Job::RequestCancellation { .. } => {
                self.context.shared.borrow_mut().cancel_requested = true;
                return;
            }
            Job::FireTimer { sequence } => (Key(Kind::Timer, *sequence), Ok(Value::Null)),
            Job::ResolveActivity { sequence, resolution } => (Key(Kind::Activity, *sequence), done(resolution)),
            Job::ResolveLocalActivity { sequence, resolution } => {
                (Key(Kind::LocalActivity, *sequence), local_done(resolution))
            }
            Job::ResolveChildWorkflowStart { sequence, start } => {
                let done = match start {
                    ChildWorkflowStart::Started { .. } => Ok(Value::Null),
                    ChildWorkflowStart::Failed { .. } => Err(Stop::Failed(failure("the child was not started"))),
                    ChildWorkflowStart::Cancelled(_) => Err(Stop::Cancelled),
                };
                (Key(Kind::ChildStart, *sequence), done)
            }
            Job::ResolveChildWorkflow { sequence, resolution } => (Key(Kind::Child, *sequence), done(resolution)),
            Job::ResolveSignalExternalWorkflow { sequence, outcome } => {
                let done = outcome.as_ref().map(|()| Value::Null);
                (Key(Kind::Signal, *sequence), done.map_err(|_| Stop::Failed(failure("the signal did not arrive"))))
            }
            Job::ResolveRequestCancelExternalWorkflow { sequence, outcome } => {
                let done = outcome.as_ref().map(|()| Value::Null);
                (Key(Kind::Cancellation, *sequence), done.map_err(|_| Stop::Failed(failure("it was not asked"))))
            }
            Job::ResolveNexusOperationStart { sequence, start } => {
                let done = match start {
                    NexusOperationStart::Started { .. } => Ok(Value::Null),
                    NexusOperationStart::Failed(failure) => Err(Stop::Failed(failure.clone())),
                    NexusOperationStart::Cancelled(_) => Err(Stop::Cancelled),
                };
                (Key(Kind::NexusStart, *sequence), done)
            }
            Job::ResolveNexusOperation { sequence, resolution } => (Key(Kind::Nexus, *sequence), done(resolution)),
            other => panic!("a job that these programs do not expect: {other:?}"),
        };
        let before = self.context.shared.borrow_mut().outcomes.insert(key, done);
        assert!(before.is_none(), "{key:?} has an outcome twice");
    }

    /// Accepts an Update and begins its handler, or rejects it.
    fn update(&mut self, update: &Update) {
        let handlers = self.program.as_ref().map(|program| program.handlers.clone()).expect("it was initialized");
        let (id, input) = (update.protocol_instance_id.clone(), argument(&update.input));
        if update.run_validator
            && let Err(why) = handlers.validate(&update.name, &input)
        {
            self.context.answer(Command::RejectUpdate { protocol_instance_id: id, failure: failure(why) });
            return;
        }
        self.context.answer(Command::AcceptUpdate { protocol_instance_id: id.clone() });
        let handler = handlers.update(&self.context, &update.name, input);
        let handler = handler.unwrap_or_else(|| panic!("there is no update {:?}", update.name));
        let context = self.context.clone();
        self.begin(Box::pin(async move {
            let done = handler.await;
            if context.is(Sdk::TypeScript) {
                context.give_way().await;
            }
            let outcome = match done {
                Ok(value) => Ok(Some(payload(&value))),
                Err(Stop::Failed(failure)) => Err(failure),
                Err(other) => panic!("a handler that stops with {other:?}"),
            };
            context.answer(Command::CompleteUpdate { protocol_instance_id: id, outcome });
            Ok(Value::Null)
        }));
    }

    fn begin(&mut self, mut handler: Running) {
        let begins_at_once = !self.context.is(Sdk::Rust);
        let mut poller = Poller::from_waker(Waker::noop());
        if !begins_at_once || handler.as_mut().poll(&mut poller).is_pending() {
            self.handlers.push(handler);
        }
    }

    /// Handlers first, then the workflow itself, until nothing changes any more.
    fn go_on(&mut self) -> Result<(), Box<Failure>> {
        let mut poller = Poller::from_waker(Waker::noop());
        let Some(program) = &mut self.program else { return Err(failure("there is no such workflow")) };
        loop {
            let before = self.context.shared.borrow().progress;
            let handlers = self.handlers.len();
            self.handlers.retain_mut(|handler| handler.as_mut().poll(&mut poller).is_pending());
            if self.end.is_none()
                && let std::task::Poll::Ready(done) = program.main.as_mut().poll(&mut poller)
            {
                let end = ending(done)?;
                self.end = Some(end.clone());
                self.context.issue(end);
            }
            if self.context.shared.borrow().progress == before && self.handlers.len() == handlers {
                return Ok(());
            }
        }
    }
}

fn ending(done: Done) -> Result<Command, Box<Failure>> {
    Ok(match done {
        Ok(result) => Command::CompleteWorkflow { result: Some(payload(&result)) },
        Err(Stop::Failed(failure)) => Command::FailWorkflow { failure },
        Err(Stop::Cancelled) => Command::CancelWorkflow { details: Vec::new() },
        Err(Stop::ContinueAsNew(next)) => Command::ContinueAsNew(next),
        Err(Stop::Bug(what)) => return Err(failure(what)),
        Err(Stop::Backoff(_)) => return Err(failure("a Local Activity that backs off is no end")),
    })
}

fn done(resolution: &Resolution) -> Done {
    match resolution {
        Resolution::Completed(result) => Ok(result.as_ref().map_or(Value::Null, normal::value)),
        Resolution::Failed(failure) => Err(Stop::Failed(failure.clone())),
        Resolution::Cancelled(_) => Err(Stop::Cancelled),
    }
}

fn local_done(resolution: &LocalActivityResolution) -> Done {
    match resolution {
        LocalActivityResolution::Completed(result) => Ok(result.as_ref().map_or(Value::Null, normal::value)),
        LocalActivityResolution::Failed(failure) => Err(Stop::Failed(failure.clone())),
        LocalActivityResolution::Cancelled(_) => Err(Stop::Cancelled),
        LocalActivityResolution::Backoff(backoff) => Err(Stop::Backoff(backoff.clone())),
    }
}

fn argument(input: &[Payload]) -> Value {
    input.first().map_or(Value::Null, normal::value)
}
