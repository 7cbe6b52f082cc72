//! Handles: what can be done with a workflow that was started.

use crate::client::Client;
use crate::description::{DescribeWorkflowError, WorkflowDescription};
use crate::history::{HistoryPages, WorkflowHistoryError};
use crate::interceptor::ClientCall;
use crate::query::QueryWorkflowError;
use crate::random;
use crate::result::{ResultOptions, WorkflowResultError};
use crate::rpc_error::RpcError;
use crate::start::payloads;
use std::fmt;
use std::marker::PhantomData;
use timewright_converter::{CodecError, ConversionError, Payload};
use timewright_definition::{QueryDefinition, SignalDefinition, WorkflowDefinition};
use timewright_proto::common::WorkflowExecution;
use timewright_proto::history::History;
use timewright_proto::workflow_service::{
    RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest, StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
};
use tonic::Code;

/// A workflow of a known type. Cloning is cheap; so is making one, with [`Client::workflow_handle`], which asks the server
/// nothing.
///
/// A handle without a Run Id is about the Workflow Id: signals, queries and the like go to the run that is the latest then.
/// One from [`Client::start_workflow`] is that too, except that it waits for the result of what it started, and cancels and
/// terminates nothing that came later and is not a continuation of it. A handle with a Run Id is about that run.
///
/// Signals and queries must be of this workflow:
///
/// ```compile_fail,E0271
/// # use timewright_client::WorkflowHandle;
/// # use timewright_definition::{SignalDefinition, WorkflowDefinition};
/// # struct Greeting;
/// # impl WorkflowDefinition for Greeting {
/// #     const NAME: &'static str = "Greeting";
/// #     type Input = String;
/// #     type Output = String;
/// # }
/// # struct Payment;
/// # impl WorkflowDefinition for Payment {
/// #     const NAME: &'static str = "Payment";
/// #     type Input = u64;
/// #     type Output = ();
/// # }
/// struct Approve;
/// impl SignalDefinition for Approve {
///     const NAME: &'static str = "approve";
///     type Workflow = Payment;
///     type Input = ();
/// }
///
/// async fn example(greeting: WorkflowHandle<Greeting>) {
///     greeting.signal(Approve, ()).await; // `Approve` is a signal of `Payment`
/// }
/// ```
pub struct WorkflowHandle<D> {
    untyped: UntypedWorkflowHandle,
    definition: PhantomData<fn() -> D>,
}

/// A workflow whose type is not known here. Like [`WorkflowHandle`], with names and Payloads instead of definitions.
#[derive(Clone, Debug)]
pub struct UntypedWorkflowHandle {
    client: Client,
    workflow_id: String,
    /// What signals, queries and the like are for; none: the latest run.
    run_id: Option<String>,
    /// Where the wait for a result begins; none: at the latest run.
    result_run_id: Option<String>,
    /// The first run of the chain that is meant; guards cancel and terminate.
    first_execution_run_id: Option<String>,
}

/// A signal that was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum SignalWorkflowError {
    /// A Payload Codec failed.
    #[error("signal `{signal}` was not sent to workflow `{workflow_id}`: {source}")]
    Codec {
        /// The signal.
        signal: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// The input cannot be written as Payloads.
    #[error("signal `{signal}` was not sent to workflow `{workflow_id}`: {source}")]
    Conversion {
        /// The signal.
        signal: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// There is no such workflow, or it is closed.
    #[error("signal `{signal}` was not sent: no workflow `{workflow_id}` is running")]
    NotFound {
        /// The signal.
        signal: String,
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused, or could not be reached.
    #[error("signal `{signal}` was not sent to workflow `{workflow_id}`: {source}")]
    Rpc {
        /// The signal.
        signal: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

/// A workflow that was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelWorkflowError {
    /// There is no such workflow.
    #[error("there is no workflow `{workflow_id}` that could be cancelled")]
    NotFound {
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused, or could not be reached.
    #[error("workflow `{workflow_id}` was not cancelled: {source}")]
    Rpc {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

/// A workflow that was not terminated.
#[derive(Debug, thiserror::Error)]
pub enum TerminateWorkflowError {
    /// There is no such workflow, or it is closed.
    #[error("no workflow `{workflow_id}` is running that could be terminated")]
    NotFound {
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused, or could not be reached.
    #[error("workflow `{workflow_id}` was not terminated: {source}")]
    Rpc {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

impl Client {
    /// The handle of a workflow that was started before, by anybody: of one run of it, or of the latest.
    ///
    /// ```
    /// # use timewright_client::Client;
    /// # use timewright_definition::WorkflowDefinition;
    /// # struct Greeting;
    /// # impl WorkflowDefinition for Greeting {
    /// #     const NAME: &'static str = "Greeting";
    /// #     type Input = String;
    /// #     type Output = String;
    /// # }
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let greeting = client.workflow_handle(Greeting, "greeting-ada", None);
    /// println!("{}", greeting.result().await?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn workflow_handle<D: WorkflowDefinition>(
        &self,
        _workflow: D,
        workflow_id: impl Into<String>,
        run_id: Option<String>,
    ) -> WorkflowHandle<D> {
        WorkflowHandle::new(self.workflow_handle_untyped(workflow_id, run_id))
    }

    /// As [`workflow_handle`](Self::workflow_handle), of a workflow whose type is not known here.
    #[must_use]
    pub fn workflow_handle_untyped(
        &self,
        workflow_id: impl Into<String>,
        run_id: Option<String>,
    ) -> UntypedWorkflowHandle {
        UntypedWorkflowHandle {
            client: self.clone(),
            workflow_id: workflow_id.into(),
            result_run_id: run_id.clone(),
            first_execution_run_id: None,
            run_id,
        }
    }
}

impl<D: WorkflowDefinition> WorkflowHandle<D> {
    pub(crate) const fn new(untyped: UntypedWorkflowHandle) -> Self {
        Self { untyped, definition: PhantomData }
    }

    /// The same workflow, without its type.
    #[must_use]
    pub const fn untyped(&self) -> &UntypedWorkflowHandle {
        &self.untyped
    }

    /// The Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        self.untyped.workflow_id()
    }

    /// The Run Id: of the run that was started, or that was asked for; none for a handle of the latest run.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.untyped.run_id()
    }

    /// Waits until the workflow is closed. Runs that follow by retry, cron or continue-as-new belong to it.
    ///
    /// It goes on waiting while the server cannot be reached, saying so in the log less and less often. To wait for some
    /// time only, put `tokio::time::timeout` around it.
    ///
    /// # Errors
    /// If the workflow did not complete, or its result is not such a value.
    pub async fn result(&self) -> Result<D::Output, WorkflowResultError> {
        self.result_with(ResultOptions::default()).await
    }

    /// As [`result`](Self::result), with options.
    ///
    /// # Errors
    /// As of [`result`](Self::result).
    pub async fn result_with(&self, options: ResultOptions) -> Result<D::Output, WorkflowResultError> {
        let payloads = self.untyped.result_with(options).await?;
        let converter = self.untyped.client.data_converter();
        // A workflow that returns nothing has no Payload; null is what that means.
        let output = match payloads.into_iter().next() {
            Some(payload) => converter.from_payload(payload),
            None => converter.to_payload(&()).and_then(|null| converter.from_payload(null)),
        };
        output.map_err(|source| WorkflowResultError::Conversion { workflow_id: self.workflow_id().to_owned(), source })
    }

    /// Sends a signal. <https://docs.temporal.io/sending-messages#sending-signals>
    ///
    /// # Errors
    /// If no such workflow is running, or the signal cannot be written or sent.
    pub async fn signal<S>(&self, _signal: S, input: S::Input) -> Result<(), SignalWorkflowError>
    where
        S: SignalDefinition<Workflow = D>,
    {
        let arguments = self.untyped.client.data_converter().to_arguments(&input).map_err(|source| {
            SignalWorkflowError::Conversion {
                signal: S::NAME.to_owned(),
                workflow_id: self.workflow_id().to_owned(),
                source,
            }
        })?;
        self.untyped.signal(S::NAME, arguments).await
    }

    /// Asks the workflow something, which a worker answers. <https://docs.temporal.io/sending-messages#sending-queries>
    ///
    /// # Errors
    /// If there is no such workflow, no worker answers, the query fails, or its input or output cannot be converted.
    pub async fn query<Q>(&self, _query: Q, input: Q::Input) -> Result<Q::Output, QueryWorkflowError>
    where
        Q: QueryDefinition<Workflow = D>,
    {
        let converter = self.untyped.client.data_converter();
        let conversion = |source| QueryWorkflowError::Conversion {
            query: Q::NAME.to_owned(),
            workflow_id: self.workflow_id().to_owned(),
            source,
        };
        let arguments = converter.to_arguments(&input).map_err(conversion)?;
        let answer = self.untyped.query(Q::NAME, arguments).await?;
        let output = match answer.into_iter().next() {
            Some(payload) => converter.from_payload(payload),
            None => converter.to_payload(&()).and_then(|null| converter.from_payload(null)),
        };
        output.map_err(conversion)
    }

    /// Asks the workflow to stop, which it may do in its own time, or not. It is no error if it is closed already.
    /// <https://docs.temporal.io/evaluate/development-production-features/interrupt-workflow#cancel>
    ///
    /// # Errors
    /// If there is no such workflow, or the server cannot be asked.
    pub async fn cancel(&self, reason: impl Into<String>) -> Result<(), CancelWorkflowError> {
        self.untyped.cancel(reason).await
    }

    /// Ends the workflow at once, without asking it.
    ///
    /// # Errors
    /// If no such workflow is running, or the server cannot be asked.
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<(), TerminateWorkflowError> {
        self.untyped.terminate(reason).await
    }

    /// What the server knows about the workflow.
    ///
    /// # Errors
    /// If there is no such workflow, or the server cannot be asked.
    pub async fn describe(&self) -> Result<WorkflowDescription, DescribeWorkflowError> {
        self.untyped.describe().await
    }

    /// The whole Event History as it is now.
    ///
    /// # Errors
    /// If there is no such workflow, or the server cannot be asked.
    pub async fn history(&self) -> Result<History, WorkflowHistoryError> {
        self.untyped.history().await
    }

    /// The Event History as it is now, page by page, for histories that are long.
    #[must_use]
    pub fn history_pages(&self) -> HistoryPages {
        self.untyped.history_pages()
    }
}

impl UntypedWorkflowHandle {
    pub(crate) fn of_started(client: Client, workflow_id: String, response: StartWorkflowExecutionResponse) -> Self {
        let StartWorkflowExecutionResponse { run_id, first_execution_run_id, .. } = response;
        // Servers before 1.31 do not say it; then the run is the first of its chain, unless it existed before.
        let first = if first_execution_run_id.is_empty() { run_id.clone() } else { first_execution_run_id };
        Self { client, workflow_id, run_id: None, result_run_id: Some(run_id), first_execution_run_id: Some(first) }
    }

    /// The client that it belongs to.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// The Run Id: of the run that was started, or that was asked for; none for a handle of the latest run.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.result_run_id.as_deref()
    }

    /// Waits until the workflow is closed; what it returned, which is one Payload, or none. As
    /// [`WorkflowHandle::result`].
    ///
    /// # Errors
    /// If the workflow did not complete.
    pub async fn result(&self) -> Result<Vec<Payload>, WorkflowResultError> {
        self.result_with(ResultOptions::default()).await
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// As of [`WorkflowHandle::signal`].
    pub async fn signal(&self, signal: &str, arguments: Vec<Payload>) -> Result<(), SignalWorkflowError> {
        let mut request = SignalWorkflowExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_execution: Some(self.execution()),
            signal_name: signal.to_owned(),
            input: payloads(arguments),
            identity: self.client.identity().to_owned(),
            request_id: random::request_id(),
            ..SignalWorkflowExecutionRequest::default()
        };
        let (signal, workflow_id) = (signal.to_owned(), self.workflow_id.clone());
        let intercepted = match self.client.intercept(ClientCall::SignalWorkflow(&mut request)) {
            Ok(intercepted) => intercepted,
            Err(source) => return Err(SignalWorkflowError::Rpc { signal, workflow_id, source }),
        };
        if let Err(source) = self.client.data_converter().encode(&mut request).await {
            return Err(SignalWorkflowError::Codec { signal, workflow_id, source });
        }
        let sent = self.client.workflow_service().signal_workflow_execution(request).await.map_err(RpcError::from);
        intercepted.end(&sent);
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Err(SignalWorkflowError::NotFound { signal, workflow_id }),
            Err(source) => Err(SignalWorkflowError::Rpc { signal, workflow_id, source }),
        }
    }

    /// Asks the workflow to stop. As [`WorkflowHandle::cancel`].
    ///
    /// # Errors
    /// As of [`WorkflowHandle::cancel`].
    pub async fn cancel(&self, reason: impl Into<String>) -> Result<(), CancelWorkflowError> {
        let mut request = RequestCancelWorkflowExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_execution: Some(self.execution()),
            identity: self.client.identity().to_owned(),
            request_id: random::request_id(),
            first_execution_run_id: self.first_execution_run_id.clone().unwrap_or_default(),
            reason: reason.into(),
            ..RequestCancelWorkflowExecutionRequest::default()
        };
        let workflow_id = self.workflow_id.clone();
        let intercepted = match self.client.intercept(ClientCall::CancelWorkflow(&mut request)) {
            Ok(intercepted) => intercepted,
            Err(source) => return Err(CancelWorkflowError::Rpc { workflow_id, source }),
        };
        let sent =
            self.client.workflow_service().request_cancel_workflow_execution(request).await.map_err(RpcError::from);
        intercepted.end(&sent);
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Err(CancelWorkflowError::NotFound { workflow_id }),
            Err(source) => Err(CancelWorkflowError::Rpc { workflow_id, source }),
        }
    }

    /// Ends the workflow at once.
    ///
    /// # Errors
    /// As of [`WorkflowHandle::terminate`].
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<(), TerminateWorkflowError> {
        let mut request = TerminateWorkflowExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_execution: Some(self.execution()),
            reason: reason.into(),
            identity: self.client.identity().to_owned(),
            first_execution_run_id: self.first_execution_run_id.clone().unwrap_or_default(),
            ..TerminateWorkflowExecutionRequest::default()
        };
        let workflow_id = self.workflow_id.clone();
        let intercepted = match self.client.intercept(ClientCall::TerminateWorkflow(&mut request)) {
            Ok(intercepted) => intercepted,
            Err(source) => return Err(TerminateWorkflowError::Rpc { workflow_id, source }),
        };
        let sent = self.client.workflow_service().terminate_workflow_execution(request).await.map_err(RpcError::from);
        intercepted.end(&sent);
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Err(TerminateWorkflowError::NotFound { workflow_id }),
            Err(source) => Err(TerminateWorkflowError::Rpc { workflow_id, source }),
        }
    }

    /// What signals, queries and the like are for.
    pub(crate) fn execution(&self) -> WorkflowExecution {
        WorkflowExecution { workflow_id: self.workflow_id.clone(), run_id: self.run_id.clone().unwrap_or_default() }
    }

    /// Where the wait for a result begins.
    pub(crate) fn result_execution(&self) -> WorkflowExecution {
        WorkflowExecution {
            workflow_id: self.workflow_id.clone(),
            run_id: self.result_run_id.clone().unwrap_or_default(),
        }
    }
}

/// Whether a workflow, and not its namespace, is what was not found.
pub(crate) fn is_not_found(error: &RpcError) -> bool {
    error.code() == Code::NotFound && !error.is_namespace_not_found()
}

impl<D> Clone for WorkflowHandle<D> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), definition: PhantomData }
    }
}

impl<D: WorkflowDefinition> fmt::Debug for WorkflowHandle<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WorkflowHandle")
            .field("workflow_type", &D::NAME)
            .field("workflow_id", &self.workflow_id())
            .field("run_id", &self.run_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
