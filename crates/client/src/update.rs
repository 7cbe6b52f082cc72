//! Updates: messages to a workflow that are answered.

mod look;

use std::fmt;
use std::marker::PhantomData;

use timewright_converter::{CodecError, ConversionError, Failure, Payload, Value};
use timewright_definition::{UpdateDefinition, WorkflowDefinition};
use timewright_proto::enums::UpdateWorkflowExecutionLifecycleStage as Stage;
use timewright_proto::temporal::api::update::v1::{Input, Meta, Outcome, Request, UpdateRef, WaitPolicy, outcome};
use timewright_proto::workflow_service::{PollWorkflowExecutionUpdateRequest, UpdateWorkflowExecutionRequest};

use crate::handle::{UntypedWorkflowHandle, WorkflowHandle, is_not_found};
use crate::interceptor::ClientCall;
use crate::patience::Patience;
use crate::random;
use crate::rpc_error::RpcError;
use crate::start::payloads;
use look::Seen;

/// How an Update is sent.
///
/// ```
/// use timewright_client::UpdateOptions;
///
/// // However often this is sent, the workflow gets it once.
/// let options = UpdateOptions::default().update_id("payment-17");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UpdateOptions {
    update_id: Option<String>,
}

impl UpdateOptions {
    /// The Update Id: a workflow's run takes an Update of the same id once, and answers all who send it. Default: a random one.
    pub fn update_id(mut self, update_id: impl Into<String>) -> Self {
        self.update_id = Some(update_id.into());
        self
    }
}

/// An Update without a result.
#[derive(Debug, thiserror::Error)]
pub enum UpdateWorkflowError {
    /// A Payload Codec failed.
    #[error("update `{update}` of workflow `{workflow_id}`: {source}")]
    Codec {
        /// The update.
        update: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// The input cannot be written as Payloads, or the result is not such a value.
    #[error("update `{update}` of workflow `{workflow_id}`: {source}")]
    Conversion {
        /// The update.
        update: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// The workflow rejected it, or its handler failed, or the workflow ended before it was done.
    #[error("update `{update}` failed in workflow `{workflow_id}`: {failure:#}")]
    Failed {
        /// The update.
        update: String,
        /// The Workflow Id.
        workflow_id: String,
        /// Why.
        failure: Box<Failure>,
    },
    /// There is no such workflow, or it is closed; or there is no such Update.
    #[error("update `{update}`: no workflow `{workflow_id}` is running, or it knows no such update")]
    NotFound {
        /// The update.
        update: String,
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused, or could not be reached.
    #[error("update `{update}` of workflow `{workflow_id}`: {source}")]
    Rpc {
        /// The update.
        update: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

/// An Update that the workflow has accepted, or that is known by its id.
pub struct UpdateHandle<U> {
    untyped: UntypedUpdateHandle,
    definition: PhantomData<fn() -> U>,
}

/// Like [`UpdateHandle`], with names and Payloads instead of definitions.
#[derive(Clone, Debug)]
pub struct UntypedUpdateHandle {
    workflow: UntypedWorkflowHandle,
    update: String,
    reference: UpdateRef,
    /// What is known already.
    outcome: Option<Outcome>,
}

impl<D: WorkflowDefinition> WorkflowHandle<D> {
    /// Sends an Update, and waits for its result. <https://docs.temporal.io/sending-messages#sending-updates>
    ///
    /// It goes on waiting while the server cannot be reached or has no answer yet, saying so in the log less and less often.
    /// To wait for some time only, put `tokio::time::timeout` around it.
    ///
    /// # Errors
    /// If the workflow rejects it, or fails to handle it, or no such workflow is running; or if something cannot be converted.
    pub async fn update<U>(&self, update: U, input: U::Input) -> Result<U::Output, UpdateWorkflowError>
    where
        U: UpdateDefinition<Workflow = D>,
    {
        self.update_with(update, input, UpdateOptions::default()).await
    }

    /// As [`update`](Self::update), with options.
    ///
    /// # Errors
    /// As of [`update`](Self::update).
    pub async fn update_with<U>(
        &self,
        _update: U,
        input: U::Input,
        options: UpdateOptions,
    ) -> Result<U::Output, UpdateWorkflowError>
    where
        U: UpdateDefinition<Workflow = D>,
    {
        let arguments = self.arguments::<U>(&input)?;
        read::<U>(self.untyped(), self.untyped().update(U::NAME, arguments, options).await?)
    }

    /// Sends an Update, and waits until the workflow has accepted it; the handle waits for the result.
    ///
    /// # Errors
    /// As of [`update`](Self::update); but if the workflow rejects it, the handle says so.
    pub async fn start_update<U>(
        &self,
        _update: U,
        input: U::Input,
        options: UpdateOptions,
    ) -> Result<UpdateHandle<U>, UpdateWorkflowError>
    where
        U: UpdateDefinition<Workflow = D>,
    {
        let arguments = self.arguments::<U>(&input)?;
        let untyped = self.untyped().start_update(U::NAME, arguments, options).await?;
        Ok(UpdateHandle { untyped, definition: PhantomData })
    }

    /// The handle of an Update that was sent before, by anybody.
    pub fn update_handle<U>(&self, _update: U, update_id: impl Into<String>) -> UpdateHandle<U>
    where
        U: UpdateDefinition<Workflow = D>,
    {
        UpdateHandle { untyped: self.untyped().update_handle(U::NAME, update_id), definition: PhantomData }
    }

    fn arguments<U: UpdateDefinition>(&self, input: &U::Input) -> Result<Vec<Payload>, UpdateWorkflowError> {
        let untyped = self.untyped();
        untyped.client().data_converter().to_arguments(input).map_err(|source| UpdateWorkflowError::Conversion {
            update: U::NAME.to_owned(),
            workflow_id: untyped.workflow_id().to_owned(),
            source,
        })
    }
}

impl UntypedWorkflowHandle {
    /// As [`WorkflowHandle::update_with`]; the result is one Payload, or none.
    ///
    /// # Errors
    /// As of [`WorkflowHandle::update`].
    pub async fn update(
        &self,
        update: &str,
        arguments: Vec<Payload>,
        options: UpdateOptions,
    ) -> Result<Vec<Payload>, UpdateWorkflowError> {
        self.send_update(update, arguments, options, Stage::Completed).await?.result().await
    }

    /// As [`WorkflowHandle::start_update`].
    ///
    /// # Errors
    /// As of [`WorkflowHandle::start_update`].
    pub async fn start_update(
        &self,
        update: &str,
        arguments: Vec<Payload>,
        options: UpdateOptions,
    ) -> Result<UntypedUpdateHandle, UpdateWorkflowError> {
        self.send_update(update, arguments, options, Stage::Accepted).await
    }

    /// As [`WorkflowHandle::update_handle`]. The name is for texts only.
    pub fn update_handle(&self, update: &str, update_id: impl Into<String>) -> UntypedUpdateHandle {
        let reference = UpdateRef { workflow_execution: Some(self.execution()), update_id: update_id.into() };
        UntypedUpdateHandle { workflow: self.clone(), update: update.to_owned(), reference, outcome: None }
    }

    /// Sends an Update until it is accepted at least. The same id each time, so that the workflow gets it once.
    async fn send_update(
        &self,
        update: &str,
        arguments: Vec<Payload>,
        options: UpdateOptions,
        stage: Stage,
    ) -> Result<UntypedUpdateHandle, UpdateWorkflowError> {
        let update_id = options.update_id.unwrap_or_else(random::request_id);
        let mut handle = self.update_handle(update, update_id.clone());
        let mut request = UpdateWorkflowExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            workflow_execution: Some(self.execution()),
            wait_policy: Some(WaitPolicy { lifecycle_stage: stage.into() }),
            request: Some(Request {
                meta: Some(Meta { update_id, identity: self.client().identity().to_owned() }),
                input: Some(Input { name: update.to_owned(), args: payloads(arguments), ..Input::default() }),
                ..Request::default()
            }),
            ..UpdateWorkflowExecutionRequest::default()
        };
        let intercepted =
            self.client().intercept(ClientCall::UpdateWorkflow(&mut request)).map_err(|source| handle.rpc(source))?;
        self.client().data_converter().encode(&mut request).await.map_err(|source| handle.codec(source))?;
        let mut patience = Patience::without_looks(handle.describe());
        loop {
            match self.client().workflow_service().update_workflow_execution(request.clone()).await {
                Ok(response) => {
                    let response = response.into_inner();
                    let is_accepted = matches!(response.stage(), Stage::Accepted | Stage::Completed);
                    if let Some(reference) = response.update_ref.filter(|reference| !reference.update_id.is_empty()) {
                        handle.reference = reference;
                    }
                    if is_accepted || response.outcome.is_some() {
                        handle.outcome = response.outcome;
                        intercepted.end(&Ok::<_, RpcError>(()));
                        return Ok(handle);
                    }
                    // No worker has looked at it in all that time. The server may have forgotten it, so it is sent again.
                    patience.handle_empty().await;
                }
                Err(status) => {
                    let error = RpcError::from(status);
                    if let Err(given_up) = handle.bear(&mut patience, error.clone()).await {
                        intercepted.end::<(), _>(&Err(error));
                        return Err(given_up);
                    }
                }
            }
        }
    }
}

impl<U: UpdateDefinition> UpdateHandle<U> {
    /// The Update Id.
    #[must_use]
    pub fn update_id(&self) -> &str {
        self.untyped.update_id()
    }

    /// The run that has it; none where it is known by its id only.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.untyped.run_id()
    }

    /// Waits until the Update is done, and for ever if need be, as [`WorkflowHandle::update`].
    ///
    /// # Errors
    /// As of [`WorkflowHandle::update`].
    pub async fn result(&self) -> Result<U::Output, UpdateWorkflowError> {
        read::<U>(&self.untyped.workflow, self.untyped.result().await?)
    }
}

impl UntypedUpdateHandle {
    /// The Update Id.
    #[must_use]
    pub fn update_id(&self) -> &str {
        &self.reference.update_id
    }

    /// The run that has it; none where it is known by its id only.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        let execution = self.reference.workflow_execution.as_ref()?;
        Some(execution.run_id.as_str()).filter(|run_id| !run_id.is_empty())
    }

    /// Waits until the Update is done; its result is one Payload, or none.
    ///
    /// # Errors
    /// As of [`WorkflowHandle::update`].
    pub async fn result(&self) -> Result<Vec<Payload>, UpdateWorkflowError> {
        let client = self.workflow.client();
        let request = PollWorkflowExecutionUpdateRequest {
            namespace: client.namespace().to_owned(),
            update_ref: Some(self.reference.clone()),
            identity: client.identity().to_owned(),
            wait_policy: Some(WaitPolicy { lifecycle_stage: Stage::Completed.into() }),
        };
        let mut patience = Patience::new(self.describe());
        let mut known = self.outcome.clone();
        let mut seen = Seen::default();
        let mut outcome = loop {
            if let Some(outcome) = known.take() {
                break outcome;
            }
            let asked = if patience.may_wait() { self.wait(&request).await } else { self.look(&mut seen).await };
            match asked {
                Ok(Some(outcome)) => known = Some(outcome),
                Ok(None) => patience.handle_empty().await,
                Err(error) => self.bear(&mut patience, error).await?,
            }
        };
        client.data_converter().decode(&mut outcome).await.map_err(|source| self.codec(source))?;
        match outcome.value {
            Some(outcome::Value::Failure(failure)) => Err(UpdateWorkflowError::Failed {
                update: self.update.clone(),
                workflow_id: self.workflow.workflow_id().to_owned(),
                failure: Box::new(client.data_converter().failure_from_proto(failure)),
            }),
            Some(outcome::Value::Success(result)) => Ok(result.payloads),
            None => Ok(Vec::new()),
        }
    }

    async fn wait(&self, request: &PollWorkflowExecutionUpdateRequest) -> Result<Option<Outcome>, RpcError> {
        let mut service = self.workflow.client().workflow_service();
        Ok(service.poll_workflow_execution_update(request.clone()).await?.into_inner().outcome)
    }

    /// Waits before the next try, if that makes sense.
    async fn bear(&self, patience: &mut Patience, error: RpcError) -> Result<(), UpdateWorkflowError> {
        let (update, workflow_id) = (self.update.clone(), self.workflow.workflow_id().to_owned());
        if is_not_found(&error) {
            return Err(UpdateWorkflowError::NotFound { update, workflow_id });
        }
        patience.bear(error).await.map_err(|source| UpdateWorkflowError::Rpc { update, workflow_id, source })
    }

    fn rpc(&self, source: RpcError) -> UpdateWorkflowError {
        let workflow_id = self.workflow.workflow_id().to_owned();
        UpdateWorkflowError::Rpc { update: self.update.clone(), workflow_id, source }
    }

    fn codec(&self, source: CodecError) -> UpdateWorkflowError {
        let workflow_id = self.workflow.workflow_id().to_owned();
        UpdateWorkflowError::Codec { update: self.update.clone(), workflow_id, source }
    }

    fn describe(&self) -> String {
        format!("waiting for update `{}` of workflow `{}`", self.update, self.workflow.workflow_id())
    }
}

/// What an Update gave, as its definition says.
fn read<U: UpdateDefinition>(
    workflow: &UntypedWorkflowHandle,
    result: Vec<Payload>,
) -> Result<U::Output, UpdateWorkflowError> {
    let output = match result.into_iter().next() {
        Some(payload) => U::Output::from_payload(payload),
        // A handler that returns nothing may give no Payload; null is what that means.
        None => ().to_payload().and_then(U::Output::from_payload),
    };
    output.map_err(|source| UpdateWorkflowError::Conversion {
        update: U::NAME.to_owned(),
        workflow_id: workflow.workflow_id().to_owned(),
        source,
    })
}

impl<U> Clone for UpdateHandle<U> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), definition: PhantomData }
    }
}

impl<U: UpdateDefinition> fmt::Debug for UpdateHandle<U> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UpdateHandle")
            .field("update", &U::NAME)
            .field("workflow_id", &self.untyped.workflow.workflow_id())
            .field("update_id", &self.update_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
