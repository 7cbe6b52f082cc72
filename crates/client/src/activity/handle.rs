//! Handles of activities that clients started.

use super::description::ActivityDescription;
use super::operations::{ActivityRequestError, Request, Target};
use crate::client::Client;
use crate::handle::is_not_found;
use crate::interceptor::ClientCall;
use crate::patience::Patience;
use crate::rpc_error::RpcError;
use crate::stack::CallKind;
use std::fmt;
use std::marker::PhantomData;
use timewright_converter::{CodecError, ConversionError, Failure, FailureKind, Payload};
use timewright_definition::ActivityDefinition;
use timewright_proto::temporal::api::activity::v1::activity_execution_outcome::Value as Outcome;
use timewright_proto::workflow_service::{
    DeleteActivityExecutionRequest, DescribeActivityExecutionRequest, PollActivityExecutionRequest,
    PollActivityExecutionResponse, RequestCancelActivityExecutionRequest, TerminateActivityExecutionRequest,
};

/// An activity that a client started, of a known type. Cloning is cheap; so is making one, with [`Client::activity_handle`],
/// which asks the server nothing.
///
/// What operators do with an activity — pause, unpause, reset, change its options — is on [`untyped`](Self::untyped) alone.
pub struct ActivityHandle<D> {
    untyped: UntypedActivityHandle,
    definition: PhantomData<fn() -> D>,
}

/// An activity that a client started, whose type is not known here.
#[derive(Clone, Debug)]
pub struct UntypedActivityHandle {
    pub(super) target: Target,
}

/// An activity without a result.
#[derive(Debug, thiserror::Error)]
pub enum ActivityResultError {
    /// It was cancelled, and stopped for that reason.
    #[error("activity `{activity_id}` was cancelled")]
    Cancelled {
        /// The Activity Id.
        activity_id: String,
        /// What it said.
        details: Vec<Payload>,
    },
    /// A Payload Codec failed.
    #[error("result of activity `{activity_id}`: {source}")]
    Codec {
        /// The Activity Id.
        activity_id: String,
        /// What failed.
        source: CodecError,
    },
    /// The result is not such a value.
    #[error("result of activity `{activity_id}`: {source}")]
    Conversion {
        /// The Activity Id.
        activity_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// Its last attempt failed.
    #[error("activity `{activity_id}` failed: {failure:#}")]
    Failed {
        /// The Activity Id.
        activity_id: String,
        /// Why, with the chain of causes.
        failure: Box<Failure>,
    },
    /// There is no such activity.
    #[error("there is no activity `{activity_id}` whose result could be waited for")]
    NotFound {
        /// The Activity Id.
        activity_id: String,
    },
    /// The server refused.
    #[error("result of activity `{activity_id}`: {source}")]
    Rpc {
        /// The Activity Id.
        activity_id: String,
        /// What failed.
        source: RpcError,
    },
    /// It was terminated.
    #[error("activity `{activity_id}` was terminated: {}", .failure.message)]
    Terminated {
        /// The Activity Id.
        activity_id: String,
        /// The reason is its message.
        failure: Box<Failure>,
    },
    /// It took longer than its timeouts allow.
    #[error("activity `{activity_id}` timed out: {failure:#}")]
    TimedOut {
        /// The Activity Id.
        activity_id: String,
        /// Which timeout, and what the last attempt failed with.
        failure: Box<Failure>,
    },
}

impl Client {
    /// The handle of an activity that a client started before, by anybody: of one run of it, or of the latest.
    #[must_use]
    pub fn activity_handle<D: ActivityDefinition>(
        &self,
        _activity: D,
        activity_id: impl Into<String>,
        run_id: Option<String>,
    ) -> ActivityHandle<D> {
        ActivityHandle::new(self.activity_handle_untyped(activity_id, run_id))
    }

    /// As [`activity_handle`](Self::activity_handle), of an activity whose type is not known here.
    #[must_use]
    pub fn activity_handle_untyped(
        &self,
        activity_id: impl Into<String>,
        run_id: Option<String>,
    ) -> UntypedActivityHandle {
        let target = Target { client: self.clone(), workflow_id: None, run_id, activity_id: activity_id.into() };
        UntypedActivityHandle { target }
    }
}

impl<D: ActivityDefinition> ActivityHandle<D> {
    pub(super) const fn new(untyped: UntypedActivityHandle) -> Self {
        Self { untyped, definition: PhantomData }
    }

    /// The same activity, without its type.
    #[must_use]
    pub const fn untyped(&self) -> &UntypedActivityHandle {
        &self.untyped
    }

    /// The Activity Id.
    #[must_use]
    pub fn activity_id(&self) -> &str {
        self.untyped.activity_id()
    }

    /// The Run Id: of the run that was started, or that was asked for; none for a handle of the latest run.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.untyped.run_id()
    }

    /// Waits until the activity is closed, after whatever attempts it takes.
    ///
    /// It goes on waiting while the server cannot be reached, saying so in the log less and less often. To wait for some time
    /// only, put `tokio::time::timeout` around it.
    ///
    /// # Errors
    /// If the activity did not complete, or its result is not such a value.
    pub async fn result(&self) -> Result<D::Output, ActivityResultError> {
        let payloads = self.untyped.result().await?;
        let converter = self.untyped.client().data_converter();
        // An activity that returns nothing may have no Payload; null is what that means.
        let output = match payloads.into_iter().next() {
            Some(payload) => converter.from_payload(payload),
            None => converter.to_payload(&()).and_then(|null| converter.from_payload(null)),
        };
        output.map_err(|source| ActivityResultError::Conversion { activity_id: self.activity_id().to_owned(), source })
    }

    /// Asks the activity to stop, which it may do in its own time, or not. One that no worker executes is cancelled at once.
    ///
    /// # Errors
    /// If no such activity is open, or the server cannot be asked.
    pub async fn cancel(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        self.untyped.cancel(reason).await
    }

    /// Ends the activity at once. An attempt that runs hears of it with its next heartbeat.
    ///
    /// # Errors
    /// If no such activity is open, or the server cannot be asked.
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        self.untyped.terminate(reason).await
    }

    /// What the server knows about the activity.
    ///
    /// # Errors
    /// If there is no such activity, or the server cannot be asked.
    pub async fn describe(&self) -> Result<ActivityDescription, ActivityRequestError> {
        self.untyped.describe().await
    }
}

impl UntypedActivityHandle {
    /// The client that it belongs to.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.target.client
    }

    /// The Activity Id.
    #[must_use]
    pub fn activity_id(&self) -> &str {
        &self.target.activity_id
    }

    /// The Run Id: of the run that was started, or that was asked for; none for a handle of the latest run.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.target.run_id.as_deref()
    }

    /// Waits until the activity is closed; what it gave, which is one Payload, or none. As [`ActivityHandle::result`].
    ///
    /// # Errors
    /// If the activity did not complete.
    pub async fn result(&self) -> Result<Vec<Payload>, ActivityResultError> {
        let call = ClientCall::ActivityResult { activity_id: self.activity_id() };
        let intercepted = self
            .client()
            .intercept(call)
            .map_err(|source| ActivityResultError::Rpc { activity_id: self.activity_id().to_owned(), source })?;
        let result = self.wait_for_result().await;
        intercepted.end(&result);
        result
    }

    async fn wait_for_result(&self) -> Result<Vec<Payload>, ActivityResultError> {
        let activity_id = || self.activity_id().to_owned();
        let mut patience = Patience::new(format!("waiting for the result of activity `{}`", self.activity_id()));
        // Of the latest run, until it is known which that is: looks and waits that follow each other must be about the same.
        let mut run_id = self.target.run_text();
        let mut response = loop {
            let asked = match patience.may_wait() {
                true => self.wait(run_id.clone()).await,
                false => self.look(run_id.clone()).await,
            };
            match asked {
                Ok(response) if response.outcome.is_some() => break response,
                // Nothing in all that time.
                Ok(response) => {
                    if !response.run_id.is_empty() {
                        run_id = response.run_id;
                    }
                    patience.handle_empty().await;
                }
                Err(error) if is_not_found(&error) => {
                    return Err(ActivityResultError::NotFound { activity_id: activity_id() });
                }
                Err(error) => patience
                    .bear(error)
                    .await
                    .map_err(|source| ActivityResultError::Rpc { activity_id: activity_id(), source })?,
            }
        };
        if let Err(source) = self.client().data_converter().decode(&mut response).await {
            return Err(ActivityResultError::Codec { activity_id: activity_id(), source });
        }
        let failure = match response.outcome.and_then(|outcome| outcome.value) {
            Some(Outcome::Result(result)) => return Ok(result.payloads),
            Some(Outcome::Failure(failure)) => failure,
            None => {
                let source = tonic::Status::data_loss("the server sent an outcome that is neither").into();
                return Err(ActivityResultError::Rpc { activity_id: activity_id(), source });
            }
        };
        let failure = Box::new(self.client().data_converter().failure_from_proto(failure));
        let activity_id = activity_id();
        Err(match failure.kind {
            FailureKind::Cancelled { details, .. } => ActivityResultError::Cancelled { activity_id, details },
            FailureKind::Terminated { .. } => ActivityResultError::Terminated { activity_id, failure },
            FailureKind::Timeout { .. } => ActivityResultError::TimedOut { activity_id, failure },
            _ => ActivityResultError::Failed { activity_id, failure },
        })
    }

    async fn wait(&self, run_id: String) -> Result<PollActivityExecutionResponse, RpcError> {
        let request = CallKind::LongPoll.request(PollActivityExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            activity_id: self.activity_id().to_owned(),
            run_id,
        });
        Ok(self.client().workflow_service().poll_activity_execution(request).await?.into_inner())
    }

    /// What there is now, without a wait.
    async fn look(&self, run_id: String) -> Result<PollActivityExecutionResponse, RpcError> {
        let request = DescribeActivityExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            activity_id: self.activity_id().to_owned(),
            run_id,
            include_outcome: true,
            ..DescribeActivityExecutionRequest::default()
        };
        let described = self.client().workflow_service().describe_activity_execution(request).await?.into_inner();
        Ok(PollActivityExecutionResponse { run_id: described.run_id, outcome: described.outcome })
    }

    /// Asks the activity to stop. As [`ActivityHandle::cancel`].
    ///
    /// # Errors
    /// As of [`ActivityHandle::cancel`].
    pub async fn cancel(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        let mut request = RequestCancelActivityExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            activity_id: self.activity_id().to_owned(),
            run_id: self.target.run_text(),
            identity: self.client().identity().to_owned(),
            request_id: crate::random::request_id(),
            reason: reason.into(),
        };
        let call = ClientCall::CancelActivity(&mut request);
        let intercepted =
            self.client().intercept(call).map_err(|error| self.target.rpc_error(Request::Cancel, error))?;
        let sent = self.client().workflow_service().request_cancel_activity_execution(request).await;
        let sent = sent.map(drop).map_err(|status| self.target.error(Request::Cancel, status));
        intercepted.end(&sent);
        sent
    }

    /// Ends the activity at once. As [`ActivityHandle::terminate`].
    ///
    /// # Errors
    /// As of [`ActivityHandle::terminate`].
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        let mut request = TerminateActivityExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            activity_id: self.activity_id().to_owned(),
            run_id: self.target.run_text(),
            identity: self.client().identity().to_owned(),
            request_id: crate::random::request_id(),
            reason: reason.into(),
        };
        let call = ClientCall::TerminateActivity(&mut request);
        let intercepted =
            self.client().intercept(call).map_err(|error| self.target.rpc_error(Request::Terminate, error))?;
        let sent = self.client().workflow_service().terminate_activity_execution(request).await;
        let sent = sent.map(drop).map_err(|status| self.target.error(Request::Terminate, status));
        intercepted.end(&sent);
        sent
    }

    /// Removes all that the server knows of the activity. One that is open is terminated first.
    ///
    /// # Errors
    /// If there is no such activity, or the server cannot be asked.
    pub async fn delete(&self) -> Result<(), ActivityRequestError> {
        let request = DeleteActivityExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            activity_id: self.activity_id().to_owned(),
            run_id: self.target.run_text(),
        };
        let sent = self.client().workflow_service().delete_activity_execution(request).await;
        sent.map(drop).map_err(|status| self.target.error(Request::Delete, status))
    }

    /// What the server knows about the activity, its input, outcome, heartbeat details and last failure included.
    ///
    /// # Errors
    /// If there is no such activity, or the server cannot be asked.
    pub async fn describe(&self) -> Result<ActivityDescription, ActivityRequestError> {
        let mut request = DescribeActivityExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            activity_id: self.activity_id().to_owned(),
            run_id: self.target.run_text(),
            include_input: true,
            include_outcome: true,
            include_heartbeat_details: true,
            include_last_failure: true,
            ..DescribeActivityExecutionRequest::default()
        };
        let call = ClientCall::DescribeActivity(&mut request);
        let intercepted =
            self.client().intercept(call).map_err(|error| self.target.rpc_error(Request::Describe, error))?;
        let response = self.client().workflow_service().describe_activity_execution(request).await;
        let response = response.map_err(|status| self.target.error(Request::Describe, status));
        intercepted.end(&response);
        let mut raw = response?.into_inner();
        match self.client().data_converter().decode(&mut raw).await {
            Ok(()) => Ok(ActivityDescription::new(self.client().data_converter().clone(), raw)),
            Err(source) => Err(self.target.codec_error(Request::Describe, source)),
        }
    }
}

impl<D> Clone for ActivityHandle<D> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), definition: PhantomData }
    }
}

impl<D: ActivityDefinition> fmt::Debug for ActivityHandle<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ActivityHandle")
            .field("activity_type", &D::NAME)
            .field("activity_id", &self.activity_id())
            .field("run_id", &self.run_id())
            .finish_non_exhaustive()
    }
}
