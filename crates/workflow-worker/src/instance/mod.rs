//! User code of one Run: takes an Activation, is polled until it can go no further, and answers with Commands.
//!
//! The order is fixed, since a replay must follow it: all jobs of the Activation are taken in, in order (handlers of Signals and
//! Updates begin then, and run to their first wait); after that the handlers that were woken, in the order in which they began,
//! then `run`, and then the coroutines that were spawned and woken, in the order of their start, are polled, round by round, until a
//! round neither changes the state nor wakes anything. What Updates nobody has registered a handler for by then are rejected.

mod built_in;
mod coroutines;
mod refused;
mod stack;
mod waits;

use std::any::Any;
use std::cell::RefCell;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use timewright_converter::{Arguments, DataConverter, Failure, FailureKind, Payload, Value};
use timewright_definition::WorkflowDefinition;
use timewright_proto::common::Header;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_protocol::workflow::{Activation, Command, Initialize, Job, Query, QueryAnswer};

use crate::context::{RunMeter, WorkflowContext};
use crate::error::{Kind, WorkflowError, task_failure};
use crate::handlers::Handlers;
use crate::info::WorkflowInfo;
use crate::interceptor::{Handling, Hooks, InboundCall, InboundKind, Intercepted, Interceptors};
use crate::mailbox::{Mailbox, Routine, SharedMailbox, wake_all};
use crate::meter::MetricMeter;
use crate::observed::{Names, is_heard, observed};
use crate::policy::Origin;
use crate::rollout::Rollout;
#[cfg(feature = "worker")]
use crate::watch;
use crate::workflow::Workflow;

use coroutines::Coroutines;
use refused::Refused;

pub(crate) use crate::wait::Polled;

/// User code of one Run, whatever its type.
pub(crate) trait Instance {
    /// Takes an Activation; `Err` fails the Workflow Task.
    fn activate(&mut self, activation: Activation) -> Result<Vec<Command>, TaskProblem>;

    /// Whether the code can execute nothing any more, though its workflow goes on.
    fn has_ended(&self) -> bool {
        false
    }

    /// Drops user code: handlers first, then `run`, then coroutines, then the state. What destructors ask for leads to nothing, and what panics
    /// is kept in.
    fn close(self: Box<Self>);
}

/// Why a Workflow Task cannot be completed.
#[derive(Debug)]
pub(crate) struct TaskProblem {
    pub(crate) cause: WorkflowTaskFailedCause,
    pub(crate) failure: Box<Failure>,
    /// For the policy that says whether the workflow ends with it.
    pub(crate) origin: Origin,
}

impl TaskProblem {
    /// Nothing that the workflow's author has said.
    pub(crate) fn new(failure: impl Into<Box<Failure>>) -> Self {
        let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
        Self { cause, failure: failure.into(), origin: Origin::Worker }
    }

    /// An error of the workflow's code, or of what it was given.
    pub(crate) fn of_error(failure: impl Into<Box<Failure>>) -> Self {
        Self { origin: Origin::Error, ..Self::new(failure) }
    }

    pub(crate) fn of_panic(what: &str, panic: &(dyn Any + Send)) -> Self {
        let text = panic_message(panic);
        let hint = if text.contains("Tokio 1.x runtime") { WITHOUT_TOKIO } else { "" };
        let failure = task_failure("Panic", format!("{what} panicked: {text}{hint}"));
        Self { origin: Origin::Panic, ..Self::new(failure) }
    }
}

/// What tokio itself says would send its reader the wrong way: to a runtime.
const WITHOUT_TOKIO: &str = ". Workflow code runs without tokio, whose timers, tasks and IO a replay does not have: use sleep, \
                             timeout and spawn of the WorkflowContext, and do everything that needs the outside world in activities";

/// What all instances of a worker share.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) namespace: String,
    pub(crate) task_queue: String,
    pub(crate) converter: DataConverter,
    pub(crate) executes_local_activities: bool,
    pub(crate) interceptors: Interceptors,
    /// Whether workflow code may wait for nothing but what is the SDK's.
    pub(crate) detects_foreign_waits: bool,
    /// Whether each Workflow Task is executed a second time, from the start.
    pub(crate) checks_determinism: bool,
    /// The version of the worker, where it has one.
    pub(crate) deployment_version: Option<WorkerDeploymentVersion>,
    /// What user code counts with.
    pub(crate) meter: MetricMeter,
    /// Which changes new runs go along with.
    pub(crate) rollout: Rollout,
}

/// What `run` returned, and how it is written.
type RunResult = Result<Option<Payload>, WorkflowError>;

/// User code of one Run of workflow `W`.
struct WorkflowInstance<W: Workflow> {
    context: WorkflowContext<W>,
    mailbox: SharedMailbox,
    /// `None` once it has returned.
    run: Option<Polled<RunResult>>,
    coroutines: Coroutines,
    detects_foreign_waits: bool,
    /// Whether nothing is counted.
    silence: Arc<AtomicBool>,
}

/// Starts user code of workflow `W`: the state, and `run` before its first poll.
pub(crate) fn start<W: Workflow>(
    environment: &Environment,
    mut initialize: Box<Initialize>,
    activation: &Activation,
) -> Result<Box<dyn Instance>, TaskProblem> {
    let arguments = std::mem::take(&mut initialize.arguments);
    let info = Rc::new(WorkflowInfo::new(environment, &mut initialize));
    let mailbox =
        Rc::new(RefCell::new(Mailbox::new(environment.converter.clone(), environment.deployment_version.clone())));
    mailbox.borrow_mut().set_properties(info.search_attributes.clone(), info.memo.clone());
    mailbox.borrow_mut().set_random_seed(initialize.random_seed);
    let (arguments, intercepted) = intercept_start(environment, &info, &mailbox, arguments, activation)?;
    let start = Start { environment, activation, info, mailbox, arguments, intercepted };
    match &start.intercepted {
        Some(intercepted) if intercepted.refusal.is_some() => start.begin::<Refused>(),
        _ => start.begin::<W>(),
    }
}

/// A workflow before its code begins.
struct Start<'a> {
    environment: &'a Environment,
    activation: &'a Activation,
    info: Rc<WorkflowInfo>,
    mailbox: SharedMailbox,
    arguments: Vec<Payload>,
    intercepted: Option<Intercepted>,
}

impl Start<'_> {
    fn begin<W: Workflow>(self) -> Result<Box<dyn Instance>, TaskProblem> {
        let Self { environment, activation, info, mailbox, arguments, mut intercepted } = self;
        let refusal = intercepted.as_mut().and_then(|intercepted| intercepted.refusal.take());
        let input = <W::Definition as WorkflowDefinition>::Input::from_payloads(arguments).map_err(|error| {
            let message =
                format!("the input of workflow {:?} (id {:?}): {error}", info.workflow_type, info.workflow_id);
            TaskProblem::of_error(task_failure("ConversionError", message))
        })?;
        let handlers = guard("handlers", Handlers::of_workflow)?;
        if let Some(problem) = handlers.problem() {
            let message = format!("the handlers of workflow {:?}: {problem}", info.workflow_type);
            return Err(TaskProblem::new(task_failure("InvalidHandlers", message)));
        }
        let silence = Arc::new(AtomicBool::new(activation.replaying));
        let meter = RunMeter::new(environment.meter.clone(), Arc::clone(&silence));
        let names_of_run = Rc::clone(&info);
        let begin = || {
            let state = W::init(&info, &input);
            let rollout = environment.rollout.clone();
            let context = WorkflowContext::new(Rc::clone(&mailbox), state, info, handlers, meter, rollout);
            let run: Handling = match refusal {
                Some(refusal) => Box::pin(ready(Err(refusal))),
                None => {
                    let context = context.clone();
                    // Called when it is polled: what an implementation by hand does before its future comes in its turn, too,
                    // when what the task noted before is there.
                    Box::pin(async move { Ok(Some(W::run(context, input).await?.to_payload()?)) })
                }
            };
            let run = match intercepted {
                None => run,
                Some(intercepted) => intercepted.around(run),
            };
            (context, Polled::new(run))
        };
        let (context, run) = observed(!activation.replaying, names(&names_of_run), || guard("init", begin))?;
        Ok(Box::new(WorkflowInstance {
            context,
            mailbox,
            run: Some(run),
            coroutines: Coroutines::default(),
            detects_foreign_waits: environment.detects_foreign_waits,
            silence,
        }))
    }
}

/// Lets interceptors see the start, before its arguments are read.
fn intercept_start(
    environment: &Environment,
    info: &Rc<WorkflowInfo>,
    mailbox: &SharedMailbox,
    arguments: Vec<Payload>,
    activation: &Activation,
) -> Result<(Vec<Payload>, Option<Intercepted>), TaskProblem> {
    let Some(hooks) = Hooks::new(&environment.interceptors, info) else { return Ok((arguments, None)) };
    let mut open = mailbox.borrow_mut();
    open.set_moment(activation);
    open.set_hooks(Some(Rc::clone(&hooks)));
    let scope = open.workflow_scope().clone();
    drop(open);
    let call = InboundCall::new(InboundKind::Workflow, &info.workflow_type, None, arguments, info.header.clone());
    let is_heard = !activation.replaying;
    let mut intercepted = observed(is_heard, names(info), || hooks.inbound(mailbox, &scope, call))?;
    mailbox.borrow_mut().set_workflow_values(intercepted.scope().values().clone());
    let arguments = std::mem::take(&mut intercepted.call.arguments);
    Ok((arguments, Some(intercepted)))
}

impl<W: Workflow> Instance for WorkflowInstance<W> {
    fn activate(&mut self, activation: Activation) -> Result<Vec<Command>, TaskProblem> {
        let context = self.context.clone();
        let is_heard = is_heard(&activation);
        self.silence.store(!is_heard, Ordering::Relaxed);
        observed(is_heard, names(context.info()), || self.go_on(activation))
    }

    fn close(self: Box<Self>) {
        let Self { context, mailbox, run, mut coroutines, silence, .. } = *self;
        silence.store(true, Ordering::Relaxed);
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
        for handler in context.messages().take_running() {
            let mut handler = Some(handler);
            drop_guarded(&mut || drop(handler.take()));
        }
        let mut run = run;
        drop_guarded(&mut || drop(run.take()));
        // What was spawned holds the context, which holds the mailbox.
        let mut spawned = mailbox.try_borrow_mut().map(|mut mailbox| mailbox.take_spawned()).unwrap_or_default();
        for coroutine in coroutines.take() {
            let mut coroutine = Some(coroutine);
            drop_guarded(&mut || drop(coroutine.take()));
        }
        drop_guarded(&mut || spawned.clear());
        // Handlers that were registered later may hold the context, and so themselves.
        let mut handlers = Some(context.messages().take_handlers());
        drop_guarded(&mut || drop(handlers.take()));
        // The state goes with it, unless user code has put a context somewhere else.
        let mut context = Some(context);
        drop_guarded(&mut || drop(context.take()));
        // Values that interceptors have put in are in its scopes.
        let mut mailbox = Some(mailbox);
        drop_guarded(&mut || drop(mailbox.take()));
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
    fn go_on(&mut self, activation: Activation) -> Result<Vec<Command>, TaskProblem> {
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
        self.context.conclude_messages()?;
        if let Some(refusal) = self.mailbox.borrow_mut().take_refusal() {
            return Err(refusal);
        }
        let mut commands = self.mailbox.borrow_mut().take_commands();
        if let Some(result) = end {
            commands.push(self.end(result)?);
        }
        Ok(commands)
    }
}

impl<W: Workflow> WorkflowInstance<W> {
    fn take_in(&mut self, mut job: Job) -> Result<(), TaskProblem> {
        let hooks = self.mailbox.borrow().hooks();
        if let Some(hooks) = hooks {
            hooks.resolved(&self.mailbox, &mut job)?;
        }
        let taken = self.mailbox.borrow_mut().take_in(job);
        match taken {
            Ok(wakers) => {
                wake_all(wakers);
                Ok(())
            }
            Err(Job::Signal { name, input, header, .. }) => self.context.take_signal(name, input, header),
            Err(Job::Update(update)) => self.context.take_update(update),
            // `start` took the first.
            Err(Job::Initialize(_) | Job::Query(_)) => Ok(()),
            Err(other) => {
                let message = format!("this version of the Workflow Worker does not know the job {other:?}");
                Err(TaskProblem::new(task_failure("UnknownJob", message)))
            }
        }
    }

    fn answer(&self, job: Job) -> Result<Command, TaskProblem> {
        let Job::Query(Query { id, name, input, header }) = job else {
            return Err(TaskProblem::new(task_failure("UnknownJob", "a Query came with another job")));
        };
        let answer = match self.built_in_answer(&name) {
            Some(answer) => answer.map_err(WorkflowError::from),
            None => self.answer_of_handler(&name, input, header),
        };
        // Whatever a handler asked for beside its answer leads to nothing.
        let answer = match answer {
            Ok(payload) => QueryAnswer::Succeeded(Some(payload)),
            Err(error) => QueryAnswer::Failed(Box::new(self.write(error.failure()))),
        };
        Ok(Command::AnswerQuery { id, answer })
    }

    fn answer_of_handler(&self, name: &str, input: Vec<Payload>, header: Header) -> Result<Payload, WorkflowError> {
        let Some(handler) = self.context.messages().query_handler(name) else {
            return Err(self.unknown_query(name).into());
        };
        let failed = |problem: TaskProblem| WorkflowError(Kind::Failed(problem.failure));
        let (input, intercepted) =
            self.context.intercept((InboundKind::Query, name, None), input, header).map_err(failed)?;
        if let Some(refusal) = intercepted.and_then(|intercepted| intercepted.refusal) {
            return Err(refusal);
        }
        guard(&format!("the handler of query {name:?}"), || self.context.state(|state| handler(state, name, input)))
            .unwrap_or_else(|problem| Err(failed(problem)))
    }

    fn unknown_query(&self, name: &str) -> Failure {
        let info = self.context.info();
        task_failure(
            "UnknownQuery",
            format!(
                "workflow {:?} (id {:?}) has no handler for query {name:?}; it has {}",
                info.workflow_type,
                info.workflow_id,
                self.context.messages().known_queries(),
            ),
        )
    }

    /// Polls handlers and `run` to their fixed point; gives what `run` returned, if it did, or with what the handler of a Signal
    /// failed the workflow before that. Handlers that can still end then do, so that their callers are answered.
    fn poll_to_fixed_point(&mut self) -> Result<Option<RunResult>, TaskProblem> {
        let messages = self.context.messages();
        let mut end = None;
        let mut is_first_round = true;
        loop {
            self.check_wake_ups()?;
            self.context.poll_handlers()?;
            end = end.or_else(|| messages.take_failed().map(Err));
            if end.is_none()
                && let Some(run) = self.run.as_mut().filter(|run| is_first_round || run.is_woken())
            {
                self.mailbox.borrow_mut().enter_routine(Routine::Run);
                let poll = guard("run", || run.poll())?;
                messages.check()?;
                // A handler that `run` registered may have begun, and failed.
                end = messages.take_failed().map(Err);
                if let Poll::Ready(result) = poll {
                    self.run = None;
                    end = end.or(Some(result));
                }
            }
            is_first_round = false;
            self.coroutines.poll(&self.mailbox, messages)?;
            end = end.or_else(|| messages.take_failed().map(Err));
            let goes_on = end.is_none() && self.run.as_ref().is_some_and(Polled::is_woken);
            if !goes_on && !messages.is_woken() && !self.coroutines.is_any_woken() {
                if end.is_none() {
                    self.check_waits()?;
                }
                return Ok(end);
            }
        }
    }

    /// The Command with which the workflow ends.
    fn end(&self, result: RunResult) -> Result<Command, TaskProblem> {
        let command = self.command_of_end(result)?;
        self.log_unfinished();
        Ok(command)
    }

    fn command_of_end(&self, result: RunResult) -> Result<Command, TaskProblem> {
        let error = match result {
            Ok(result) => return Ok(Command::CompleteWorkflow { result }),
            Err(error) => error,
        };
        let was_cancelled = self.mailbox.borrow().is_cancel_requested();
        match error.0 {
            Kind::ContinueAsNew(next) => Ok(Command::ContinueAsNew(next)),
            Kind::Cancelled(failure) if was_cancelled => Ok(Command::CancelWorkflow { details: details(*failure) }),
            Kind::Failed(failure) | Kind::Cancelled(failure) => {
                Ok(Command::FailWorkflow { failure: Box::new(self.write(Some(&failure))) })
            }
            Kind::Task(failure) => Err(TaskProblem::of_error(failure)),
        }
    }

    /// What the workflow leaves behind is said once, and not on replay.
    fn log_unfinished(&self) {
        if self.context.is_replaying() {
            return;
        }
        let (info, messages) = (self.context.info(), self.context.messages());
        let signals = messages.unhandled_signals();
        if !signals.is_empty() {
            tracing::warn!(
                workflow_type = info.workflow_type,
                workflow_id = info.workflow_id,
                run_id = info.run_id,
                ?signals,
                "the workflow ended with signals that it had no handlers for; how many of each name"
            );
        }
        let missed = messages.missed_handlers();
        if !missed.is_empty() {
            tracing::warn!(
                workflow_type = info.workflow_type,
                workflow_id = info.workflow_id,
                run_id = info.run_id,
                handlers = ?missed,
                "[TMPRL1102] the workflow ended before these handlers, which are abandoned: what they had still to do is not \
                 done, and whoever waits for an update gets no answer. Wait for all_handlers_finished() before the end, or \
                 register them with HandlerUnfinishedPolicy::Abandon"
            );
        }
    }

    fn write(&self, failure: Option<&Failure>) -> timewright_proto::failure::Failure {
        let continues = task_failure("ContinueAsNew", "a query handler cannot continue the workflow as new");
        self.context.write_failure(failure.unwrap_or(&continues))
    }
}

/// What a workflow says that ends as cancelled.
fn details(failure: Failure) -> Vec<Payload> {
    match failure.kind {
        FailureKind::Cancelled { details, .. } => details,
        _ => Vec::new(),
    }
}

fn names(info: &WorkflowInfo) -> Names<'_> {
    Names {
        workflow_type: &info.workflow_type,
        workflow_id: &info.workflow_id,
        run_id: &info.run_id,
        namespace: &info.namespace,
        task_queue: &info.task_queue,
    }
}

/// Calls user code; a panic becomes a problem of the Workflow Task.
pub(crate) fn guard<R>(what: &str, call: impl FnOnce() -> R) -> Result<R, TaskProblem> {
    #[cfg(feature = "worker")]
    watch::note(what);
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| TaskProblem::of_panic(what, &*panic))
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic without a message)")
}
