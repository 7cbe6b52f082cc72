//! User code of one Run: takes an Activation, is polled until it can go no further, and answers with Commands.
//!
//! The order is fixed, since a replay must follow it: all jobs of the Activation are taken in, in order (Signal handlers run
//! then, and handlers of Updates begin); after that the handlers that were woken, in the order in which they began, and `run`
//! are polled, round by round, until a round neither changes the state nor wakes anything.

mod updates;
mod waits;

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use timewright_converter::{Arguments, DataConverter, Failure, Payload, Value};
use timewright_definition::WorkflowDefinition;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_protocol::workflow::{Activation, Command, Initialize, Job, Query, QueryAnswer};

use crate::context::WorkflowContext;
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::Handlers;
use crate::info::WorkflowInfo;
use crate::mailbox::{Mailbox, SharedMailbox, wake_all};
use crate::wait::Polled;
use crate::watch;
use crate::workflow::{Output, Workflow};

use updates::RunningUpdate;

/// User code of one Run, whatever its type.
pub(crate) trait Instance {
    /// Takes an Activation; `Err` fails the Workflow Task.
    fn activate(&mut self, activation: Activation) -> Result<Vec<Command>, TaskProblem>;

    /// Drops user code: handlers first, then `run`, then the state. What destructors ask for leads to nothing, and what panics
    /// is kept in.
    fn close(self: Box<Self>);
}

/// Why a Workflow Task cannot be completed.
#[derive(Debug)]
pub(crate) struct TaskProblem {
    pub(crate) cause: WorkflowTaskFailedCause,
    pub(crate) failure: Box<Failure>,
}

impl TaskProblem {
    pub(crate) fn new(failure: impl Into<Box<Failure>>) -> Self {
        Self { cause: WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, failure: failure.into() }
    }
}

/// What all instances of a worker share.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) namespace: String,
    pub(crate) task_queue: String,
    pub(crate) converter: DataConverter,
    pub(crate) executes_local_activities: bool,
    /// Whether workflow code may wait for nothing but what is the SDK's.
    pub(crate) detects_foreign_waits: bool,
}

/// What `run` returned.
type RunResult<W> = Result<Output<W>, WorkflowError>;

/// User code of one Run of workflow `W`.
struct WorkflowInstance<W: Workflow> {
    context: WorkflowContext<W>,
    mailbox: SharedMailbox,
    handlers: Handlers<W>,
    /// `None` once it has returned.
    run: Option<Polled<RunResult<W>>>,
    /// Handlers of Updates that have not returned, in the order in which they began.
    updates: Vec<RunningUpdate>,
    /// Signals that nobody handles, by name.
    unhandled_signals: Vec<String>,
    detects_foreign_waits: bool,
}

/// Starts user code of workflow `W`: the state, and `run` before its first poll.
pub(crate) fn start<W: Workflow>(
    environment: &Environment,
    mut initialize: Box<Initialize>,
) -> Result<Box<dyn Instance>, TaskProblem> {
    let arguments = std::mem::take(&mut initialize.arguments);
    let info = WorkflowInfo::new(&environment.namespace, &environment.task_queue, &mut initialize);
    let input = <W::Definition as WorkflowDefinition>::Input::from_payloads(arguments).map_err(|error| {
        let message = format!("the input of workflow {:?} (id {:?}): {error}", info.workflow_type, info.workflow_id);
        TaskProblem::new(task_failure("ConversionError", message))
    })?;
    let mailbox = Rc::new(RefCell::new(Mailbox::new(environment.converter.clone())));
    mailbox.borrow_mut().set_properties(info.search_attributes.clone(), info.memo.clone());
    let (context, run) = guard("init", || {
        let state = W::init(&info, &input);
        let context = WorkflowContext::new(Rc::clone(&mailbox), state, info);
        let run = Polled::new(Box::pin(W::run(context.clone(), input)));
        (context, run)
    })?;
    Ok(Box::new(WorkflowInstance {
        context,
        mailbox,
        handlers: Handlers::of_workflow(),
        run: Some(run),
        updates: Vec::new(),
        unhandled_signals: Vec::new(),
        detects_foreign_waits: environment.detects_foreign_waits,
    }))
}

impl<W: Workflow> Instance for WorkflowInstance<W> {
    fn activate(&mut self, activation: Activation) -> Result<Vec<Command>, TaskProblem> {
        self.mailbox.borrow_mut().set_moment(&activation);
        if let [Job::Query(_)] = activation.jobs.as_slice() {
            // A Query looks; it never lets the workflow go on.
            self.mailbox.borrow_mut().set_inert(true);
            let answers = activation.jobs.into_iter().map(|job| self.answer(job)).collect();
            self.mailbox.borrow_mut().set_inert(false);
            return answers;
        }
        for job in activation.jobs {
            self.take_in(job)?;
        }
        let end = self.poll_to_fixed_point()?;
        let mut commands = self.mailbox.borrow_mut().take_commands();
        if let Some(result) = end {
            commands.push(self.end(result)?);
        }
        Ok(commands)
    }

    fn close(self: Box<Self>) {
        let Self { context, mailbox, handlers, run, updates, .. } = *self;
        // A panic may have left it borrowed.
        if let Ok(mut mailbox) = mailbox.try_borrow_mut() {
            mailbox.close();
        }
        let info = context.info().clone();
        let mut panicked: Vec<String> = Vec::new();
        let mut drop_guarded = |part: &mut dyn FnMut()| {
            if let Err(problem) = guard("a destructor", part) {
                panicked.push(problem.failure.message.clone());
            }
        };
        let mut parts: Vec<Option<RunningUpdate>> = updates.into_iter().map(Some).collect();
        for update in &mut parts {
            drop_guarded(&mut || drop(update.take()));
        }
        let (mut run, mut handlers, mut context) = (run, Some(handlers), Some(context));
        drop_guarded(&mut || drop(run.take()));
        drop_guarded(&mut || drop(handlers.take()));
        // The state goes with it, unless user code has put a context somewhere else.
        drop_guarded(&mut || drop(context.take()));
        if !panicked.is_empty() {
            tracing::warn!(
                workflow_type = info.workflow_type,
                workflow_id = info.workflow_id,
                run_id = info.run_id,
                ?panicked,
                "a destructor of workflow code panicked while the workflow left the cache; nothing is lost, but what it was to \
                 do was not done: destructors in workflows should not panic"
            );
        }
    }
}

impl<W: Workflow> WorkflowInstance<W> {
    fn take_in(&mut self, job: Job) -> Result<(), TaskProblem> {
        let taken = self.mailbox.borrow_mut().take_in(job);
        match taken {
            Ok(wakers) => {
                wake_all(wakers);
                Ok(())
            }
            Err(Job::Signal { name, input, .. }) => self.signal(&name, input),
            Err(Job::Update(update)) => self.update(*update),
            // `start` took the first; there are no random numbers yet that a seed could be for.
            Err(Job::Initialize(_) | Job::UpdateRandomSeed { .. } | Job::Query(_)) => Ok(()),
            Err(other) => {
                let message = format!("this version of the Workflow Worker does not know the job {other:?}");
                Err(TaskProblem::new(task_failure("UnknownJob", message)))
            }
        }
    }

    fn signal(&mut self, name: &str, input: Vec<Payload>) -> Result<(), TaskProblem> {
        let Some(handler) = self.handlers.signal_handler(name) else {
            let info = self.context.info();
            if !self.context.is_replaying() {
                tracing::warn!(
                    workflow_type = info.workflow_type,
                    workflow_id = info.workflow_id,
                    run_id = info.run_id,
                    signal = name,
                    "a signal came that the workflow has no handler for; register one in Workflow::handlers"
                );
            }
            self.unhandled_signals.push(name.to_owned());
            return Ok(());
        };
        let handled = guard(&format!("the handler of signal {name:?}"), || {
            self.context.state_mut(|state| handler(state, input))
        })?;
        handled.map_err(|error| {
            let info = self.context.info();
            let message =
                format!("signal {name:?} of workflow {:?} (id {:?}): {error}", info.workflow_type, info.workflow_id);
            TaskProblem::new(task_failure("ConversionError", message))
        })
    }

    fn answer(&self, job: Job) -> Result<Command, TaskProblem> {
        let Job::Query(Query { id, name, input, .. }) = job else {
            return Err(TaskProblem::new(task_failure("UnknownJob", "a Query came with another job")));
        };
        let answer = match self.handlers.query_handler(&name) {
            Some(handler) => {
                guard(&format!("the handler of query {name:?}"), || self.context.state(|state| handler(state, input)))
                    .unwrap_or_else(|problem| Err(WorkflowError(Kind::Failed(problem.failure))))
            }
            None => Err(self.unknown_query(&name).into()),
        };
        // Whatever a handler asked for beside its answer leads to nothing.
        let answer = match answer {
            Ok(payload) => QueryAnswer::Succeeded(Some(payload)),
            Err(error) => QueryAnswer::Failed(Box::new(self.write(error.failure()))),
        };
        Ok(Command::AnswerQuery { id, answer })
    }

    fn unknown_query(&self, name: &str) -> Failure {
        let info = self.context.info();
        task_failure(
            "UnknownQuery",
            format!(
                "workflow {:?} (id {:?}) has no handler for query {name:?}; it has {:?}",
                info.workflow_type,
                info.workflow_id,
                self.handlers.query_names(),
            ),
        )
    }

    /// Polls handlers and `run` to their fixed point; gives what `run` returned, if it did. Handlers that can still end then do,
    /// so that their callers are answered.
    fn poll_to_fixed_point(&mut self) -> Result<Option<RunResult<W>>, TaskProblem> {
        let mut end = None;
        let mut is_first_round = true;
        loop {
            self.check_wake_ups()?;
            self.poll_updates()?;
            if let Some(run) = self.run.as_mut().filter(|run| is_first_round || run.is_woken())
                && let Poll::Ready(result) = guard("run", || run.poll())?
            {
                self.run = None;
                end = Some(result);
            }
            is_first_round = false;
            if !self.run.as_ref().is_some_and(Polled::is_woken) && !self.updates.iter().any(RunningUpdate::is_woken) {
                if end.is_none() {
                    self.check_waits()?;
                }
                return Ok(end);
            }
        }
    }

    /// The Command with which the workflow ends.
    fn end(&self, result: Result<Output<W>, WorkflowError>) -> Result<Command, TaskProblem> {
        self.log_unfinished();
        let error = match result {
            Ok(output) => match output.to_payload() {
                Ok(payload) => return Ok(Command::CompleteWorkflow { result: Some(payload) }),
                Err(error) => error.into(),
            },
            Err(error) => error,
        };
        let was_cancelled = self.mailbox.borrow().cancellation().is_some();
        match error.0 {
            Kind::ContinueAsNew(next) => Ok(Command::ContinueAsNew(next)),
            Kind::Cancelled(_) if was_cancelled => Ok(Command::CancelWorkflow { details: Vec::new() }),
            Kind::Failed(failure) | Kind::Cancelled(failure) => {
                Ok(Command::FailWorkflow { failure: Box::new(self.write(Some(&failure))) })
            }
            Kind::Task(failure) => Err(TaskProblem::new(failure)),
        }
    }

    fn log_unfinished(&self) {
        if self.context.is_replaying() {
            return;
        }
        let info = self.context.info();
        if !self.unhandled_signals.is_empty() {
            tracing::warn!(
                workflow_type = info.workflow_type,
                workflow_id = info.workflow_id,
                run_id = info.run_id,
                signals = ?self.unhandled_signals,
                "the workflow ended without having handled these signals"
            );
        }
        if !self.updates.is_empty() {
            let updates: Vec<&str> = self.updates.iter().map(RunningUpdate::name).collect();
            tracing::warn!(
                workflow_type = info.workflow_type,
                workflow_id = info.workflow_id,
                run_id = info.run_id,
                ?updates,
                "the workflow ended while these updates were being handled; wait for all_handlers_finished() before the end"
            );
        }
    }

    fn write(&self, failure: Option<&Failure>) -> timewright_proto::failure::Failure {
        let continues = task_failure("ContinueAsNew", "a query handler cannot continue the workflow as new");
        self.mailbox.borrow().converter().failure_to_proto(failure.unwrap_or(&continues))
    }
}

/// Calls user code; a panic becomes a problem of the Workflow Task.
fn guard<R>(what: &str, call: impl FnOnce() -> R) -> Result<R, TaskProblem> {
    watch::note(what);
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        TaskProblem::new(task_failure("Panic", format!("{what} panicked: {}", panic_message(&*panic))))
    })
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic without a message)")
}
