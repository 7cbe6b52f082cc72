//! Nexus operations, on the side of their caller.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::future::FusedFuture;
use timewright_converter::{ConversionError, Failure, FailureKind, Value, WritableValue, show_if_looked_for};
use timewright_protocol::workflow::{
    Command, NexusOperationCancellationType, NexusOperationStart, Resolution, ScheduleNexusOperation,
};

use crate::activity::{read_result, reason, workflow_cancelled};
use crate::interceptor::{OutboundCall, intercept_outbound, note_started};
use crate::mailbox::{self, Handle, NexusOperationStarting, Scope, SharedMailbox, read_failure};

/// Which Nexus operation, and how it is to be executed.
///
/// <https://docs.temporal.io/nexus>
///
/// ```
/// use std::time::Duration;
/// use timewright_workflow_worker::NexusOperationOptions;
///
/// let options = NexusOperationOptions::new("payments-endpoint", "payments", "charge")
///     .schedule_to_close_timeout(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct NexusOperationOptions(ScheduleNexusOperation);

impl NexusOperationOptions {
    /// This operation of this service, at this endpoint.
    pub fn new(endpoint: impl Into<String>, service: impl Into<String>, operation: impl Into<String>) -> Self {
        Self(ScheduleNexusOperation {
            endpoint: endpoint.into(),
            service: service.into(),
            operation: operation.into(),
            ..ScheduleNexusOperation::default()
        })
    }

    /// From scheduling to its outcome. Default: the server's.
    pub fn schedule_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.0.schedule_to_close_timeout = Some(timeout);
        self
    }

    /// From scheduling until it is started. Default: no limit.
    pub fn schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.0.schedule_to_start_timeout = Some(timeout);
        self
    }

    /// From its start to its outcome. Default: no limit.
    pub fn start_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.0.start_to_close_timeout = Some(timeout);
        self
    }

    /// Passes a text along. No Payload Codec reaches it, since it goes over HTTP.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.header.insert(name.into(), value.into());
        self
    }

    /// What cancelling it means. Default: [`NexusOperationCancellationType::WaitCancellationCompleted`].
    pub fn cancellation_type(mut self, cancellation_type: NexusOperationCancellationType) -> Self {
        self.0.cancellation_type = cancellation_type;
        self
    }

    /// A line for the Web UI.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        // A String is always written.
        self.0.summary = summary.into().to_payload().ok();
        self
    }
}

/// Which operation, for texts.
#[derive(Clone)]
struct Identity {
    endpoint: String,
    service: String,
    operation: String,
}

impl Identity {
    fn conversion(&self, error: ConversionError) -> NexusOperationFailure {
        let Self { endpoint, service, operation } = self.clone();
        NexusOperationFailure::Conversion { endpoint, service, operation, error }
    }
}

/// A Nexus operation on its way to be started:
/// [`WorkflowContext::start_nexus_operation`](crate::WorkflowContext::start_nexus_operation).
///
/// Gives the handle of what was started. Dropping it cancels nothing.
#[must_use = "the Nexus operation is started, but nobody waits for it"]
pub struct StartingNexusOperation<O> {
    identity: Identity,
    mailbox: SharedMailbox,
    state: Starting,
    output: PhantomData<fn() -> O>,
}

enum Starting {
    /// On its way; the second is for its outcome.
    Issued(Handle<NexusOperationStarting>, Handle<mailbox::NexusOperation>),
    /// It was never started, since the workflow had been cancelled; why.
    Never(String),
    Unwritable(ConversionError),
    Done,
}

impl<O> StartingNexusOperation<O> {
    #[track_caller]
    pub(crate) fn new(
        mailbox: &SharedMailbox,
        scope: &Scope,
        options: NexusOperationOptions,
        input: &impl WritableValue,
    ) -> Self {
        let schedule = options.0;
        let identity = Identity {
            endpoint: schedule.endpoint.clone(),
            service: schedule.service.clone(),
            operation: schedule.operation.clone(),
        };
        let state = match input.write_payload() {
            Ok(input) => {
                let mut schedule = ScheduleNexusOperation { input: Some(input), ..schedule };
                let started = intercept_outbound(mailbox, scope, OutboundCall::NexusOperation(&mut schedule));
                let sequence = mailbox.borrow_mut().start::<NexusOperationStarting>(scope, |sequence| {
                    Command::ScheduleNexusOperation(Box::new(ScheduleNexusOperation { sequence, ..schedule }))
                });
                note_started(mailbox, scope, started, sequence);
                match sequence {
                    Some(sequence) => Starting::Issued(Handle::new(mailbox, sequence), Handle::new(mailbox, sequence)),
                    None => Starting::Never(reason(scope)),
                }
            }
            Err(error) => Starting::Unwritable(error),
        };
        Self { identity, mailbox: Rc::clone(mailbox), state, output: PhantomData }
    }

    /// Cancels the operation as its [`NexusOperationCancellationType`] says. Too late is no error.
    pub fn cancel(&self) {
        if let Starting::Issued(starting, _) = &self.state {
            starting.cancel("");
        }
    }

    fn end_without_outcome(&mut self) -> NexusOperationFailure {
        match std::mem::replace(&mut self.state, Starting::Done) {
            Starting::Never(reason) => {
                let Identity { endpoint, service, operation } = self.identity.clone();
                let kind = FailureKind::NexusOperation {
                    scheduled_event_id: 0,
                    endpoint,
                    service,
                    operation,
                    operation_id: String::new(),
                    operation_token: String::new(),
                };
                let failure = Failure::new("never started", kind).with_cause(workflow_cancelled(&reason));
                NexusOperationFailure::Cancelled(Box::new(failure))
            }
            Starting::Unwritable(error) => self.identity.conversion(error),
            Starting::Issued(..) | Starting::Done => {
                panic!("the start of Nexus operation {:?} was awaited again after it was done", self.identity.operation)
            }
        }
    }
}

impl<O> Future for StartingNexusOperation<O> {
    type Output = Result<NexusOperationHandle<O>, NexusOperationFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let start = match &this.state {
            Starting::Issued(starting, _) => ready!(starting.poll(task)),
            _ => return Poll::Ready(Err(this.end_without_outcome())),
        };
        let Starting::Issued(_, ending) = std::mem::replace(&mut this.state, Starting::Done) else {
            return Poll::Pending;
        };
        Poll::Ready(match start {
            NexusOperationStart::Started { operation_token } => Ok(NexusOperationHandle {
                identity: this.identity.clone(),
                operation_token,
                mailbox: Rc::clone(&this.mailbox),
                ending: Some(ending),
                output: PhantomData,
            }),
            NexusOperationStart::Failed(failure) => {
                Err(NexusOperationFailure::Failed(read_failure(&this.mailbox, *failure)))
            }
            NexusOperationStart::Cancelled(failure) => {
                Err(NexusOperationFailure::Cancelled(read_failure(&this.mailbox, *failure)))
            }
        })
    }
}

impl<O> FusedFuture for StartingNexusOperation<O> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, Starting::Done)
    }
}

/// A Nexus operation that was started. Awaiting it gives its result; dropping it cancels nothing.
#[must_use = "the Nexus operation runs, but nobody waits for it"]
pub struct NexusOperationHandle<O> {
    identity: Identity,
    operation_token: Option<String>,
    mailbox: SharedMailbox,
    /// `None` once it has given its outcome.
    ending: Option<Handle<mailbox::NexusOperation>>,
    output: PhantomData<fn() -> O>,
}

impl<O> NexusOperationHandle<O> {
    /// What names it at its handler; `None` for one that had its outcome at once.
    #[must_use]
    pub fn operation_token(&self) -> Option<&str> {
        self.operation_token.as_deref()
    }

    /// Cancels the operation as its [`NexusOperationCancellationType`] says. Too late is no error.
    pub fn cancel(&self) {
        if let Some(ending) = &self.ending {
            ending.cancel("");
        }
    }
}

impl<O: Value> Future for NexusOperationHandle<O> {
    type Output = Result<O, NexusOperationFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(ending) = &this.ending else {
            panic!("the handle of Nexus operation {:?} was awaited again after it was done", this.identity.operation)
        };
        let resolution = ready!(ending.poll(task));
        this.ending = None;
        Poll::Ready(match resolution {
            Resolution::Completed(result) => read_result(result).map_err(|error| this.identity.conversion(error)),
            Resolution::Failed(failure) => Err(NexusOperationFailure::Failed(read_failure(&this.mailbox, *failure))),
            Resolution::Cancelled(failure) => {
                Err(NexusOperationFailure::Cancelled(read_failure(&this.mailbox, *failure)))
            }
        })
    }
}

impl<O: Value> FusedFuture for NexusOperationHandle<O> {
    fn is_terminated(&self) -> bool {
        self.ending.is_none()
    }
}

/// Why a Nexus operation gave no result.
#[derive(Debug, Clone, PartialEq)]
pub enum NexusOperationFailure {
    /// It failed or timed out. The failure says which operation it was; its cause is what went wrong there.
    Failed(Box<Failure>),
    /// It was cancelled.
    Cancelled(Box<Failure>),
    /// Its input could not be written, or its result not be read.
    Conversion {
        /// Its endpoint.
        endpoint: String,
        /// Its service.
        service: String,
        /// The operation.
        operation: String,
        /// What was found, and what was expected.
        error: ConversionError,
    },
}

impl fmt::Display for NexusOperationFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => failure.fmt(formatter),
            Self::Conversion { endpoint, service, operation, error } => {
                write!(formatter, "Nexus operation {service}/{operation} at {endpoint}: {error}")
            }
        }
    }
}

impl Error for NexusOperationFailure {
    /// The [`Failure`] itself and not its box, so that whoever wraps this passes it on as what it is.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        show_if_looked_for(self);
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => Some(&**failure),
            Self::Conversion { error, .. } => Some(error),
        }
    }
}

impl NexusOperationFailure {
    /// The failure of the operation itself, without what the workflow knows about it.
    pub fn cause(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Cancelled(failure) => failure.cause.as_deref(),
            Self::Conversion { .. } => None,
        }
    }
}
