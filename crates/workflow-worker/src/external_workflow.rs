//! Other workflows, which this one did not start: Signals to them, and requests to cancel themselves.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::future::FusedFuture;
use timewright_converter::{Arguments, ConversionError, Payload, Value, show_if_looked_for};
use timewright_definition::{SignalDefinition, WorkflowDefinition};
use timewright_proto::enums::{
    CancelExternalWorkflowExecutionFailedCause as CancelCause,
    SignalExternalWorkflowExecutionFailedCause as SignalCause,
};
use timewright_protocol::workflow::{
    Command, ExternalWorkflow, RequestCancelExternalWorkflow, SignalExternalWorkflow, SignalExternalWorkflowError,
};

use crate::activity::reason;
use crate::interceptor::{OutboundCall, intercept_outbound};
use crate::mailbox::{Cancellation, Handle, Scope, SharedMailbox, Signal};

/// Another workflow: [`WorkflowContext::external_workflow`](crate::WorkflowContext::external_workflow).
///
/// <https://docs.temporal.io/sending-messages>
pub struct ExternalWorkflowHandle<D> {
    mailbox: SharedMailbox,
    scope: Scope,
    workflow: ExternalWorkflow,
    definition: PhantomData<fn() -> D>,
}

impl<D: WorkflowDefinition> ExternalWorkflowHandle<D> {
    pub(crate) fn new(mailbox: &SharedMailbox, scope: &Scope, workflow_id: String, run_id: Option<String>) -> Self {
        let run_id = run_id.unwrap_or_default();
        let workflow = ExternalWorkflow { workflow_id, run_id, ..ExternalWorkflow::default() };
        Self { mailbox: Rc::clone(mailbox), scope: scope.clone(), workflow, definition: PhantomData }
    }

    /// The namespace that it runs in. Default: this workflow's. Servers refuse others unless they are set up for it.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.workflow.namespace = namespace.into();
        self
    }

    /// Its Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.workflow.workflow_id
    }

    /// The run that is meant; `None`: the one that is current when the server looks.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        Some(self.workflow.run_id.as_str()).filter(|run_id| !run_id.is_empty())
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

    /// Asks it to cancel itself. Its handle gives `Ok` when the request has arrived; what the workflow makes of it is not
    /// waited for.
    #[track_caller]
    pub fn request_cancel(&self, reason: &str) -> CancelRequestHandle {
        let mut request =
            RequestCancelExternalWorkflow { sequence: 0, workflow: self.workflow.clone(), reason: reason.to_owned() };
        let call = OutboundCall::RequestCancelExternalWorkflow(&mut request);
        intercept_outbound(&self.mailbox, &self.scope, call);
        let sequence = self.mailbox.borrow_mut().start::<Cancellation>(&self.scope, |sequence| {
            Command::RequestCancelExternalWorkflow(Box::new(RequestCancelExternalWorkflow { sequence, ..request }))
        });
        let what = Message { what: "the request to cancel".to_owned(), workflow_id: self.workflow.workflow_id.clone() };
        let state = match sequence {
            Some(sequence) => RequestState::Sent(Handle::new(&self.mailbox, sequence)),
            None => RequestState::NeverSent(crate::activity::reason(&self.scope)),
        };
        CancelRequestHandle { what, state }
    }

    fn sender(&self) -> Sender<'_> {
        Sender { mailbox: &self.mailbox, scope: &self.scope, workflow: self.workflow.clone() }
    }
}

/// More about a Signal: [`ExternalWorkflowHandle::signal_with`],
/// [`ChildWorkflowHandle::signal_with`](crate::ChildWorkflowHandle::signal_with).
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct SignalOptions {
    summary: Option<String>,
}

impl SignalOptions {
    /// Nothing more.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }
}

/// Sends Signals to one workflow.
pub(crate) struct Sender<'a> {
    pub(crate) mailbox: &'a SharedMailbox,
    pub(crate) scope: &'a Scope,
    pub(crate) workflow: ExternalWorkflow,
}

impl Sender<'_> {
    #[track_caller]
    pub(crate) fn signal<S: SignalDefinition>(
        self,
        definition: S,
        input: S::Input,
        options: SignalOptions,
    ) -> SignalHandle {
        let _ = definition;
        match input.to_payloads() {
            Ok(arguments) => self.signal_untyped(S::NAME, arguments, options),
            Err(error) => SignalHandle { what: self.message(S::NAME), state: SignalState::Unwritable(error) },
        }
    }

    #[track_caller]
    pub(crate) fn signal_untyped(self, signal: &str, arguments: Vec<Payload>, options: SignalOptions) -> SignalHandle {
        let what = self.message(signal);
        let mut call = SignalExternalWorkflow {
            workflow: self.workflow,
            signal_name: signal.to_owned(),
            arguments,
            // A String is always written.
            summary: options.summary.and_then(|summary| summary.to_payload().ok()),
            ..SignalExternalWorkflow::default()
        };
        intercept_outbound(self.mailbox, self.scope, OutboundCall::SignalExternalWorkflow(&mut call));
        let sequence = self.mailbox.borrow_mut().start::<Signal>(self.scope, |sequence| {
            Command::SignalExternalWorkflow(Box::new(SignalExternalWorkflow { sequence, ..call }))
        });
        let state = match sequence {
            Some(sequence) => SignalState::Sent(Handle::new(self.mailbox, sequence)),
            None => SignalState::NeverSent(reason(self.scope)),
        };
        SignalHandle { what, state }
    }

    fn message(&self, signal: &str) -> Message {
        Message { what: format!("signal {signal:?}"), workflow_id: self.workflow.workflow_id.clone() }
    }
}

/// What was sent to whom, for texts.
#[derive(Clone)]
struct Message {
    what: String,
    workflow_id: String,
}

impl Message {
    fn failed(&self, reason: &str) -> ExternalWorkflowError {
        let Self { what, workflow_id } = self.clone();
        ExternalWorkflowError::Failed { what, workflow_id, reason: reason.to_owned() }
    }

    fn cancelled(&self, reason: &str) -> ExternalWorkflowError {
        let Self { what, workflow_id } = self.clone();
        ExternalWorkflowError::Cancelled { what, workflow_id, reason: reason.to_owned() }
    }
}

/// A Signal on its way to another workflow. Gives `Ok` when it has arrived; dropping it does not take the Signal back.
#[must_use = "the Signal is sent, but nobody waits for it"]
pub struct SignalHandle {
    what: Message,
    state: SignalState,
}

enum SignalState {
    Sent(Handle<Signal>),
    /// The workflow had been cancelled; why.
    NeverSent(String),
    Unwritable(ConversionError),
    Done,
}

impl SignalHandle {
    /// Takes the Signal back if it has not left. Too late is no error.
    pub fn cancel(&self) {
        if let SignalState::Sent(handle) = &self.state {
            handle.cancel("");
        }
    }
}

impl Future for SignalHandle {
    type Output = Result<(), ExternalWorkflowError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let outcome = match &this.state {
            SignalState::Sent(handle) => Some(ready!(handle.poll(task))),
            _ => None,
        };
        Poll::Ready(match (std::mem::replace(&mut this.state, SignalState::Done), outcome) {
            (SignalState::Sent(_), Some(Ok(()))) => Ok(()),
            (SignalState::Sent(_), Some(Err(SignalExternalWorkflowError::Cancelled))) => Err(this.what.cancelled("")),
            (SignalState::Sent(_), Some(Err(SignalExternalWorkflowError::Failed(cause)))) => {
                Err(this.what.failed(&signal_cause(cause)))
            }
            (SignalState::NeverSent(reason), _) => Err(this.what.cancelled(&reason)),
            (SignalState::Unwritable(error), _) => {
                let Message { what, workflow_id } = this.what.clone();
                Err(ExternalWorkflowError::Conversion { what, workflow_id, error })
            }
            (SignalState::Sent(_) | SignalState::Done, _) => {
                panic!("the handle of {} was awaited again after it was done", this.what.what)
            }
        })
    }
}

impl FusedFuture for SignalHandle {
    fn is_terminated(&self) -> bool {
        matches!(self.state, SignalState::Done)
    }
}

/// A request to cancel another workflow, on its way. Gives `Ok` when it has arrived; dropping it does not take it back.
#[must_use = "the request is sent, but nobody waits for it"]
pub struct CancelRequestHandle {
    what: Message,
    state: RequestState,
}

enum RequestState {
    Sent(Handle<Cancellation>),
    /// The scope had been cancelled; why.
    NeverSent(String),
    Done,
}

impl Future for CancelRequestHandle {
    type Output = Result<(), ExternalWorkflowError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match &self.state {
            RequestState::Sent(handle) => {
                ready!(handle.poll(task)).map_err(|cause| self.what.failed(&cancel_cause(cause)))
            }
            RequestState::NeverSent(reason) => Err(self.what.cancelled(reason)),
            RequestState::Done => panic!("the handle of {} was awaited again after it was done", self.what.what),
        };
        self.state = RequestState::Done;
        Poll::Ready(outcome)
    }
}

impl FusedFuture for CancelRequestHandle {
    fn is_terminated(&self) -> bool {
        matches!(self.state, RequestState::Done)
    }
}

/// Why another workflow did not get what was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum ExternalWorkflowError {
    /// It did not arrive.
    Failed {
        /// What was sent.
        what: String,
        /// To whom.
        workflow_id: String,
        /// Why it did not arrive.
        reason: String,
    },
    /// It did not leave, since it was taken back, or since the workflow was cancelled.
    Cancelled {
        /// What was to be sent.
        what: String,
        /// To whom.
        workflow_id: String,
        /// Why the workflow was cancelled; often empty.
        reason: String,
    },
    /// The Signal's arguments could not be written.
    Conversion {
        /// What was to be sent.
        what: String,
        /// To whom.
        workflow_id: String,
        /// What was found, and what was expected.
        error: ConversionError,
    },
}

impl fmt::Display for ExternalWorkflowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { what, workflow_id, reason } => {
                write!(formatter, "{what} did not reach workflow {workflow_id:?}: {reason}")
            }
            Self::Cancelled { what, workflow_id, reason } => {
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                write!(formatter, "{what} was not sent to workflow {workflow_id:?}, since it was cancelled{reason}")
            }
            Self::Conversion { what, workflow_id, error } => {
                write!(formatter, "{what} was not sent to workflow {workflow_id:?}: {error}")
            }
        }
    }
}

impl std::error::Error for ExternalWorkflowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        show_if_looked_for(self);
        match self {
            Self::Failed { .. } | Self::Cancelled { .. } => None,
            Self::Conversion { error, .. } => Some(error),
        }
    }
}

fn signal_cause(cause: SignalCause) -> String {
    match cause {
        SignalCause::ExternalWorkflowExecutionNotFound => NOT_FOUND.to_owned(),
        SignalCause::NamespaceNotFound => NO_NAMESPACE.to_owned(),
        SignalCause::SignalCountLimitExceeded => "it has been sent as many signals as one run may get".to_owned(),
        other => format!("the server says {}", other.as_str_name()),
    }
}

fn cancel_cause(cause: CancelCause) -> String {
    match cause {
        CancelCause::ExternalWorkflowExecutionNotFound => NOT_FOUND.to_owned(),
        CancelCause::NamespaceNotFound => NO_NAMESPACE.to_owned(),
        other => format!("the server says {}", other.as_str_name()),
    }
}

const NOT_FOUND: &str = "no such workflow is running";
const NO_NAMESPACE: &str = "there is no such namespace";
