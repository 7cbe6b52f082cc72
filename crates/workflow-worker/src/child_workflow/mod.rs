//! Child Workflows, seen from their parent.

mod failure;
mod options;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::future::FusedFuture;
use timewright_converter::{ConversionError, Payload, RawArguments, RawValue};
use timewright_definition::{SignalDefinition, WorkflowDefinition};
use timewright_protocol::workflow::{ChildWorkflowStart, Command, ExternalWorkflow, Resolution, StartChildWorkflow};

use crate::activity::{read_result, reason};
use crate::external_workflow::{Sender, SignalHandle, SignalOptions};
use crate::interceptor::{OutboundCall, intercept_outbound, note_started};
use crate::mailbox::{self, ChildWorkflowStarting, Handle, Scope, SharedMailbox, read_failure};

pub use failure::ChildWorkflowFailure;
pub use options::ChildWorkflowOptions;

/// Stands for the definition of a workflow whose type is known only at run time: its handles give Payloads as they are, and what
/// implements it is for [all types](crate::WorkflowWorkerBuilder::dynamic_workflow).
#[derive(Debug)]
pub enum AnyWorkflow {}

impl WorkflowDefinition for AnyWorkflow {
    /// Never used: the name is what was said at run time.
    const NAME: &'static str = "";
    type Input = RawArguments;
    type Output = RawValue;
}

/// A Child Workflow on its way to be started:
/// [`WorkflowContext::start_child_workflow`](crate::WorkflowContext::start_child_workflow).
///
/// Gives the handle of what was started. Dropping it cancels nothing.
#[must_use = "the Child Workflow is started, but nobody waits for it"]
pub struct StartingChildWorkflow<D> {
    identity: Identity,
    mailbox: SharedMailbox,
    scope: Scope,
    state: Starting,
    definition: PhantomData<fn() -> D>,
}

/// What a Child Workflow is, for texts and for signals.
#[derive(Clone)]
struct Identity {
    workflow_type: String,
    workflow_id: String,
    namespace: String,
}

enum Starting {
    /// On its way; the second is for its outcome.
    Issued(Handle<ChildWorkflowStarting>, Handle<mailbox::ChildWorkflow>),
    /// It was never started, since the workflow had been cancelled; why.
    Never(String),
    Unwritable(ConversionError),
    Done,
}

impl<D> StartingChildWorkflow<D> {
    #[track_caller]
    pub(crate) fn new(
        mailbox: &SharedMailbox,
        scope: &Scope,
        start: Result<StartChildWorkflow, Box<Unstarted>>,
    ) -> Self {
        let (identity, state) = match start {
            Ok(mut start) => {
                let started = intercept_outbound(mailbox, scope, OutboundCall::ChildWorkflow(&mut start));
                let identity = Identity::of(&start);
                let sequence = mailbox.borrow_mut().start::<ChildWorkflowStarting>(scope, |sequence| {
                    Command::StartChildWorkflow(Box::new(StartChildWorkflow { sequence, ..start }))
                });
                note_started(mailbox, scope, started, sequence);
                let state = match sequence {
                    Some(sequence) => Starting::Issued(Handle::new(mailbox, sequence), Handle::new(mailbox, sequence)),
                    None => Starting::Never(reason(scope)),
                };
                (identity, state)
            }
            Err(unstarted) => (Identity::of(&unstarted.start), Starting::Unwritable(unstarted.error)),
        };
        Self { identity, mailbox: Rc::clone(mailbox), scope: scope.clone(), state, definition: PhantomData }
    }

    /// Its Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.identity.workflow_id
    }

    /// Cancels the Child Workflow as its [`ChildWorkflowCancellationType`](crate::ChildWorkflowCancellationType) says; if it has
    /// not left yet, it is never started. Too late is no error.
    pub fn cancel(&self, reason: &str) {
        if let Starting::Issued(starting, _) = &self.state {
            starting.cancel(reason);
        }
    }
}

/// A Child Workflow that cannot be written.
pub(crate) struct Unstarted {
    pub(crate) start: StartChildWorkflow,
    pub(crate) error: ConversionError,
}

impl Identity {
    fn of(start: &StartChildWorkflow) -> Self {
        Self {
            workflow_type: start.workflow_type.clone(),
            workflow_id: start.workflow_id.clone(),
            namespace: start.namespace.clone(),
        }
    }
}

impl<D: WorkflowDefinition> Future for StartingChildWorkflow<D> {
    type Output = Result<ChildWorkflowHandle<D>, ChildWorkflowFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let start = match &this.state {
            Starting::Issued(starting, _) => ready!(starting.poll(task)),
            _ => return Poll::Ready(Err(this.end_without_outcome())),
        };
        let Starting::Issued(_, ending) = std::mem::replace(&mut this.state, Starting::Done) else {
            return Poll::Pending;
        };
        let Identity { workflow_type, workflow_id, .. } = this.identity.clone();
        Poll::Ready(match start {
            ChildWorkflowStart::Started { run_id } => Ok(ChildWorkflowHandle {
                identity: this.identity.clone(),
                run_id,
                mailbox: Rc::clone(&this.mailbox),
                scope: this.scope.clone(),
                ending: Some(ending),
                definition: PhantomData,
            }),
            ChildWorkflowStart::Failed { cause } => {
                Err(ChildWorkflowFailure::NotStarted { workflow_type, workflow_id, cause })
            }
            ChildWorkflowStart::Cancelled(failure) => {
                Err(ChildWorkflowFailure::Cancelled(read_failure(&this.mailbox, *failure)))
            }
        })
    }
}

impl<D: WorkflowDefinition> FusedFuture for StartingChildWorkflow<D> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, Starting::Done)
    }
}

impl<D> StartingChildWorkflow<D> {
    fn end_without_outcome(&mut self) -> ChildWorkflowFailure {
        let Identity { workflow_type, workflow_id, .. } = self.identity.clone();
        match std::mem::replace(&mut self.state, Starting::Done) {
            Starting::Never(reason) => ChildWorkflowFailure::never_started(
                workflow_type,
                workflow_id,
                self.identity.namespace.clone(),
                &reason,
            ),
            Starting::Unwritable(error) => ChildWorkflowFailure::Conversion { workflow_type, workflow_id, error },
            Starting::Issued(..) | Starting::Done => {
                panic!("the start of Child Workflow {workflow_id:?} was awaited again after it was done")
            }
        }
    }
}

/// A Child Workflow that was started. Awaiting it gives its result; dropping it cancels nothing.
///
/// ```
/// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{ChildWorkflowOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = String; }
/// # struct Ship; impl WorkflowDefinition for Ship { const NAME: &'static str = "ship"; type Input = u64; type Output = String; }
/// # struct Hurry; impl SignalDefinition for Hurry { const NAME: &'static str = "hurry"; type Workflow = Ship; type Input = (); }
/// # struct OrderWorkflow;
/// # impl Workflow for OrderWorkflow {
/// #     type Definition = Order;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
/// async fn run(context: WorkflowContext<Self>, _: ()) -> Result<String, WorkflowError> {
///     let options = ChildWorkflowOptions::new(format!("{}-ship", context.info().workflow_id));
///     let child = context.start_child_workflow(Ship, 7, options).await?;
///     child.signal(Hurry, ()).await?;
///     Ok(child.await?)
/// }
/// # }
/// ```
#[must_use = "the Child Workflow runs, but nobody waits for it"]
pub struct ChildWorkflowHandle<D> {
    identity: Identity,
    run_id: String,
    mailbox: SharedMailbox,
    scope: Scope,
    /// `None` once it has given its outcome.
    ending: Option<Handle<mailbox::ChildWorkflow>>,
    definition: PhantomData<fn() -> D>,
}

impl<D: WorkflowDefinition> ChildWorkflowHandle<D> {
    /// Its Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.identity.workflow_id
    }

    /// The Run Id of its first run.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Cancels the Child Workflow as its [`ChildWorkflowCancellationType`](crate::ChildWorkflowCancellationType) says. Too late
    /// is no error.
    pub fn cancel(&self, reason: &str) {
        if let Some(ending) = &self.ending {
            ending.cancel(reason);
        }
    }

    /// Sends it a Signal. Its handle gives `Ok` when the Signal has arrived.
    #[track_caller]
    pub fn signal<S: SignalDefinition<Workflow = D>>(&self, definition: S, input: S::Input) -> SignalHandle {
        self.sender().signal(definition, input, SignalOptions::new())
    }

    /// As [`signal`](Self::signal), with a line about it for the Web UI.
    #[track_caller]
    pub fn signal_with<S: SignalDefinition<Workflow = D>>(
        &self,
        definition: S,
        input: S::Input,
        options: SignalOptions,
    ) -> SignalHandle {
        self.sender().signal(definition, input, options)
    }

    /// As [`signal`](Self::signal), with a name that is known only at run time and Payloads as they are.
    #[track_caller]
    pub fn signal_untyped(&self, signal: &str, arguments: Vec<Payload>) -> SignalHandle {
        self.sender().signal_untyped(signal, arguments, SignalOptions::new())
    }

    /// As [`signal_untyped`](Self::signal_untyped), with a line about it for the Web UI.
    #[track_caller]
    pub fn signal_untyped_with(&self, signal: &str, arguments: Vec<Payload>, options: SignalOptions) -> SignalHandle {
        self.sender().signal_untyped(signal, arguments, options)
    }

    fn sender(&self) -> Sender<'_> {
        let workflow = ExternalWorkflow {
            namespace: self.identity.namespace.clone(),
            workflow_id: self.identity.workflow_id.clone(),
            run_id: String::new(),
            child_workflow_only: true,
        };
        Sender { mailbox: &self.mailbox, scope: &self.scope, workflow }
    }
}

impl<D: WorkflowDefinition> Future for ChildWorkflowHandle<D> {
    type Output = Result<D::Output, ChildWorkflowFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(ending) = &this.ending else {
            panic!("the handle of Child Workflow {:?} was awaited again after it was done", this.identity.workflow_id)
        };
        let resolution = ready!(ending.poll(task));
        this.ending = None;
        Poll::Ready(match resolution {
            Resolution::Completed(result) => read_result(result).map_err(|error| ChildWorkflowFailure::Conversion {
                workflow_type: this.identity.workflow_type.clone(),
                workflow_id: this.identity.workflow_id.clone(),
                error,
            }),
            Resolution::Failed(failure) => Err(ChildWorkflowFailure::Failed(read_failure(&this.mailbox, *failure))),
            Resolution::Cancelled(failure) => {
                Err(ChildWorkflowFailure::Cancelled(read_failure(&this.mailbox, *failure)))
            }
        })
    }
}

impl<D: WorkflowDefinition> FusedFuture for ChildWorkflowHandle<D> {
    fn is_terminated(&self) -> bool {
        self.ending.is_none()
    }
}

impl<D> fmt::Debug for ChildWorkflowHandle<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ChildWorkflowHandle")
            .field("workflow_id", &self.identity.workflow_id)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}
