//! Signals and Updates of one Run: what handles them, those that wait for a handler, and the handlers that have begun.
//!
//! A handler begins when its message is taken in, or, where there was none yet, when it is registered, and runs to its first
//! wait at once. After that handlers are polled in the order in which they began, always before `run`.

mod running;
mod signals;
mod updates;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use timewright_converter::Payload;
use timewright_proto::common::Header;
use timewright_protocol::workflow::Update;

use crate::context::WorkflowContext;
use crate::error::WorkflowError;
use crate::handlers::{Handlers, QueryHandler};
use crate::instance::TaskProblem;
use crate::mailbox::Routine;
use crate::wait::Foreign;
use crate::workflow::Workflow;

use running::Running;
pub(crate) use running::RunningHandler;

/// What a context shares with all its clones. Nothing in it is borrowed while user code runs.
pub(crate) struct Messages<W: Workflow> {
    handlers: RefCell<Handlers<W>>,
    /// Messages that nobody handles yet, in the order in which they came.
    waiting: RefCell<VecDeque<Waiting>>,
    running: RefCell<Running>,
    /// With what the handler of a Signal has failed the workflow.
    failed: RefCell<Option<WorkflowError>>,
    /// What went wrong with messages that were handled while user code registered their handlers.
    problem: RefCell<Option<TaskProblem>>,
}

/// A message that nobody handles yet.
enum Waiting {
    /// It stays until there is a handler.
    Signal { name: String, input: Vec<Payload>, header: Header, is_reported: bool },
    /// It is rejected at the end of the Activation.
    Update(Box<Update>),
}

impl<W: Workflow> Messages<W> {
    pub(crate) fn new(handlers: Handlers<W>) -> Self {
        Self {
            handlers: RefCell::new(handlers),
            waiting: RefCell::default(),
            running: RefCell::default(),
            failed: RefCell::default(),
            problem: RefCell::default(),
        }
    }

    pub(crate) fn are_all_finished(&self) -> bool {
        self.running.borrow().is_empty()
    }

    /// Whether a handler waits to be polled.
    pub(crate) fn is_woken(&self) -> bool {
        self.running.borrow().is_woken()
    }

    /// The handlers that wait for something that is not the workflow's own, and for what.
    pub(crate) fn foreign_waits(&self) -> Vec<(String, Foreign)> {
        self.running.borrow().foreign_waits()
    }

    /// With what the handler of a Signal has failed the workflow.
    pub(crate) fn take_failed(&self) -> Option<WorkflowError> {
        self.failed.take()
    }

    /// Why the Workflow Task cannot be completed, after user code has run.
    pub(crate) fn check(&self) -> Result<(), TaskProblem> {
        self.problem.take().map_or(Ok(()), Err)
    }

    pub(crate) fn query_handler(&self, name: &str) -> Option<QueryHandler<W>> {
        self.handlers.borrow().queries.find(name).map(|registered| registered.handler.clone())
    }

    pub(crate) fn look_at_handlers<R>(&self, look: impl FnOnce(&Handlers<W>) -> R) -> R {
        look(&self.handlers.borrow())
    }

    /// What the workflow has handlers for, as a text.
    pub(crate) fn known_queries(&self) -> String {
        format!("{:?}", self.handlers.borrow().queries.names())
    }

    /// How many Signals of each name have not been handled.
    pub(crate) fn unhandled_signals(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for message in &*self.waiting.borrow() {
            if let Waiting::Signal { name, .. } = message {
                *counts.entry(name.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// Handlers that have not returned, in the order in which they began.
    pub(crate) fn take_running(&self) -> Vec<RunningHandler> {
        self.running.borrow_mut().take()
    }

    /// Drops what may hold the context itself.
    pub(crate) fn take_handlers(&self) -> Handlers<W> {
        self.handlers.replace(Handlers::new())
    }

    /// The handlers that have not returned, and that the workflow should have waited for.
    pub(crate) fn missed_handlers(&self) -> Vec<String> {
        let running = self.running.borrow();
        running
            .iter()
            .filter(|(_, handler)| handler.is_missed())
            .map(|(_, handler)| handler.message.to_string())
            .collect()
    }

    /// The handlers that have not returned.
    pub(crate) fn running_handlers(&self) -> Vec<(Routine, String)> {
        self.running.borrow().iter().map(|(routine, handler)| (routine, handler.message.to_string())).collect()
    }
}

impl<W: Workflow> WorkflowContext<W> {
    /// Registers handlers while the workflow runs, beside those of [`Workflow::handlers`]; a handler replaces the one that was
    /// there for the same message.
    ///
    /// Signals that have come before and that nobody handled yet are handled now, in the order in which they came, before this
    /// returns: a handler that takes no time has done all by then, one that takes time has begun and waits for the first time.
    /// Likewise Updates that came with the Workflow Task which is being executed. So a Signal is never lost, whenever
    /// its handler is registered. Queries do not wait: they are answered, or refused, behind each Workflow Task.
    ///
    /// ```
    /// # use timewright_definition::WorkflowDefinition;
    /// # use timewright_workflow_worker::{NamedSignal, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// # struct Form; impl WorkflowDefinition for Form { const NAME: &'static str = "form"; type Input = Vec<String>; type Output = usize; }
    /// # struct FormWorkflow { answers: Vec<(String, String)> }
    /// # impl Workflow for FormWorkflow {
    /// #     type Definition = Form;
    /// #     fn init(_: &WorkflowInfo, _: &Vec<String>) -> Self { Self { answers: Vec::new() } }
    /// async fn run(context: WorkflowContext<Self>, questions: Vec<String>) -> Result<usize, WorkflowError> {
    ///     let count = questions.len();
    ///     context.register_handlers(|handlers| {
    ///         for question in questions {
    ///             let signal = NamedSignal::new(format!("answer-{question}"));
    ///             handlers.signal(signal, move |state, answer: String| state.answers.push((question.clone(), answer)));
    ///         }
    ///     });
    ///     context.wait_condition(|state| state.answers.len() >= count).await?;
    ///     Ok(count)
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    /// Inside [`state`](Self::state) or [`state_mut`](Self::state_mut), since handlers change the state; and if a name is
    /// reserved. That fails the Workflow Task.
    pub fn register_handlers(&self, register: impl FnOnce(&mut Handlers<W>)) {
        assert!(
            self.is_state_free(),
            "register_handlers() was called inside state() or state_mut(): Signals that wait are handled at once, which changes the state"
        );
        let mut later = Handlers::new();
        register(&mut later);
        if let Some(problem) = later.problem() {
            panic!("{problem}");
        }
        if self.mailbox().borrow().is_inert() {
            return;
        }
        self.messages().handlers.borrow_mut().merge(later);
        if let Err(problem) = self.handle_waiting() {
            self.messages().problem.borrow_mut().get_or_insert(problem);
        }
    }

    /// Handles messages that have waited and for which there are handlers now.
    fn handle_waiting(&self) -> Result<(), TaskProblem> {
        while let Some(message) = self.next_to_handle() {
            match message {
                Waiting::Signal { name, input, header, .. } => self.take_signal(name, input, header)?,
                Waiting::Update(update) => self.take_update(update)?,
            }
        }
        Ok(())
    }

    fn next_to_handle(&self) -> Option<Waiting> {
        let handlers = self.messages().handlers.borrow();
        let mut waiting = self.messages().waiting.borrow_mut();
        let position = waiting.iter().position(|message| match message {
            Waiting::Signal { name, .. } => handlers.signals.find(name).is_some(),
            Waiting::Update(update) => handlers.updates.find(&update.name).is_some(),
        })?;
        waiting.remove(position)
    }

    /// The Activation has come to its fixed point: nobody else will handle its Updates. Signals may wait longer.
    pub(crate) fn conclude_messages(&self) -> Result<(), TaskProblem> {
        let mut rejected = Vec::new();
        let mut reported = Vec::new();
        self.messages().waiting.borrow_mut().retain_mut(|message| match message {
            Waiting::Signal { name, is_reported, .. } => {
                if !std::mem::replace(is_reported, true) {
                    reported.push(name.clone());
                }
                true
            }
            Waiting::Update(update) => {
                rejected.push(std::mem::take(update));
                false
            }
        });
        if !reported.is_empty() && !self.is_replaying() {
            let info = self.info();
            tracing::warn!(
                workflow_type = info.workflow_type,
                workflow_id = info.workflow_id,
                run_id = info.run_id,
                signals = ?reported,
                known = ?self.messages().handlers.borrow().signals.names(),
                "signals came that the workflow has no handlers for; they wait until it registers some"
            );
        }
        rejected.into_iter().try_for_each(|update| self.refuse_unknown_update(&update))
    }
}
