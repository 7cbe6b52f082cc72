//! Asynchronous completion: telling from outside what became of an activity.

use crate::client::Client;
use crate::handle::is_not_found;
use crate::interceptor::{ClientCall, Intercepted};
use crate::rpc_error::RpcError;
use crate::start::payloads;
use bytes::Bytes;
use std::fmt;
use std::marker::PhantomData;
use timewright_converter::{ApplicationFailure, Arguments, CodecError, ConversionError, Failure, Payload};
use timewright_definition::ActivityDefinition;
use timewright_proto::Message;
use timewright_proto::common::Payloads;
use timewright_proto::workflow_service::{
    RecordActivityTaskHeartbeatByIdRequest, RecordActivityTaskHeartbeatRequest, RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedByIdRequest, RespondActivityTaskFailedRequest,
};
use tonic::{Response, Status};

/// Which activity somebody outside completes.
///
/// ```
/// use timewright_client::ActivityReference;
///
/// // In the activity: `context.task_token()`, kept with the request that somebody will answer.
/// let exactly_one_attempt = ActivityReference::task_token("the token".as_bytes().to_vec());
/// // Whatever attempt runs when it is completed:
/// let by_id = ActivityReference::of_workflow("order-17", "1");
/// assert_eq!(by_id.to_string(), "activity `1` of workflow `order-17`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActivityReference(Box<Kind>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    TaskToken(Bytes),
    /// An activity that a client started has no Workflow Id.
    Id {
        workflow_id: String,
        run_id: String,
        activity_id: String,
    },
}

impl ActivityReference {
    /// One attempt of an activity, as its task token says. Tokens are bytes without meaning; they can be stored anywhere.
    #[must_use]
    pub fn task_token(token: impl Into<Bytes>) -> Self {
        Self(Box::new(Kind::TaskToken(token.into())))
    }

    /// An activity of a workflow: of its latest run, unless [`run_id`](Self::run_id) says another.
    #[must_use]
    pub fn of_workflow(workflow_id: impl Into<String>, activity_id: impl Into<String>) -> Self {
        Self(Box::new(Kind::Id {
            workflow_id: workflow_id.into(),
            run_id: String::new(),
            activity_id: activity_id.into(),
        }))
    }

    /// An activity that a client started: its latest run, unless [`run_id`](Self::run_id) says another.
    #[must_use]
    pub fn standalone(activity_id: impl Into<String>) -> Self {
        Self::of_workflow(String::new(), activity_id)
    }

    /// Of which run: the workflow's, or that of an activity that a client started. A task token knows its run.
    #[must_use]
    pub fn run_id(mut self, run: impl Into<String>) -> Self {
        if let Kind::Id { run_id, .. } = &mut *self.0 {
            *run_id = run.into();
        }
        self
    }
}

impl fmt::Display for ActivityReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::TaskToken(_) => formatter.write_str("the activity of a task token"),
            Kind::Id { workflow_id, activity_id, .. } if workflow_id.is_empty() => {
                write!(formatter, "activity `{activity_id}`")
            }
            Kind::Id { workflow_id, activity_id, .. } => {
                write!(formatter, "activity `{activity_id}` of workflow `{workflow_id}`")
            }
        }
    }
}

/// Completes an activity from outside: [`Client::activity_completion_handle`]. Cloning is cheap.
///
/// An activity whose result somebody else will have — a person who approves, a service that calls back — keeps its task token
/// (or its ids) where that somebody finds it, and ends with `ActivityError::will_complete_asynchronously()`. Its slot is free
/// then. Its timeouts go on: start-to-close is how long the answer may take, and with a heartbeat timeout somebody has to
/// [`heartbeat`](Self::heartbeat). <https://docs.temporal.io/activity-execution#asynchronous-activity-completion>
///
/// ```no_run
/// # use timewright_client::{ActivityReference, Client};
/// # use timewright_converter::ApplicationFailure;
/// # struct Approve;
/// # impl timewright_definition::ActivityDefinition for Approve {
/// #     const NAME: &'static str = "Approve";
/// #     type Input = u64;
/// #     type Output = String;
/// # }
/// # async fn example(client: Client, token: Vec<u8>, approved: bool) -> Result<(), Box<dyn std::error::Error>> {
/// let approval = client.activity_completion_handle::<Approve>(ActivityReference::task_token(token));
/// if approved {
///     approval.complete("Ada".to_owned()).await?;
/// } else {
///     approval.fail(ApplicationFailure::new("refused").with_type("Refused").non_retryable()).await?;
/// }
/// # Ok(()) }
/// ```
///
/// What it is completed with must be what the definition says:
///
/// ```compile_fail,E0308
/// # use timewright_client::ActivityCompletionHandle;
/// # struct Approve;
/// # impl timewright_definition::ActivityDefinition for Approve {
/// #     const NAME: &'static str = "Approve";
/// #     type Input = u64;
/// #     type Output = String;
/// # }
/// # async fn example(approval: ActivityCompletionHandle<Approve>) {
/// approval.complete(42).await; // `Approve` gives a `String`
/// # }
/// ```
pub struct ActivityCompletionHandle<D> {
    untyped: UntypedActivityCompletionHandle,
    definition: PhantomData<fn() -> D>,
}

/// As [`ActivityCompletionHandle`], of an activity whose type is not known here.
#[derive(Clone, Debug)]
pub struct UntypedActivityCompletionHandle {
    client: Client,
    activity: ActivityReference,
}

/// What the server says to a heartbeat from outside. Whoever does the activity's work should know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HeartbeatResponse {
    /// The workflow, or a client, asked for the activity's cancellation: stop, and
    /// [say so](ActivityCompletionHandle::report_cancellation).
    pub cancel_requested: bool,
    /// An operator paused the activity.
    pub paused: bool,
    /// An operator reset the activity: its attempts are counted from 1 again.
    pub reset: bool,
}

/// An activity that was not completed, failed, cancelled or heartbeated from outside.
#[derive(Debug, thiserror::Error)]
pub enum ActivityCompletionError {
    /// A Payload Codec failed.
    #[error("{activity} was not {action}: {source}")]
    Codec {
        /// Which activity.
        activity: ActivityReference,
        /// What was to be done: `completed`, `failed`, `reported as cancelled` or `heartbeated`.
        action: &'static str,
        /// What failed.
        source: CodecError,
    },
    /// The result, or the details, cannot be written as Payloads.
    #[error("{activity} was not {action}: {source}")]
    Conversion {
        /// Which activity.
        activity: ActivityReference,
        /// What was to be done.
        action: &'static str,
        /// What failed.
        source: ConversionError,
    },
    /// The server does not know such an attempt. Somebody may have completed it already, or a timeout or its workflow has ended
    /// it; a task token is of one attempt, and the next attempt has another.
    #[error(
        "{activity} was not {action}: no such attempt is under way. It has been completed, has timed out, or its workflow has \
         ended"
    )]
    NotFound {
        /// Which activity.
        activity: ActivityReference,
        /// What was to be done.
        action: &'static str,
    },
    /// The server refused, or could not be reached. A cancellation that nobody asked for is refused, too.
    #[error("{activity} was not {action}: {source}")]
    Rpc {
        /// Which activity.
        activity: ActivityReference,
        /// What was to be done.
        action: &'static str,
        /// What failed.
        source: RpcError,
    },
    /// It is larger than the server takes: it would fail the activity for good. Store the data elsewhere, and pass a reference.
    #[error(
        "{activity} was not {action}: its data has {size} bytes, but the server takes at most {limit}. Store the data elsewhere, \
         and pass a reference to it"
    )]
    TooLarge {
        /// Which activity.
        activity: ActivityReference,
        /// What was to be done.
        action: &'static str,
        /// How large it is, in bytes.
        size: usize,
        /// How large it may be, in bytes.
        limit: usize,
    },
}

impl Client {
    /// The handle by which an activity is completed from outside. Making it asks the server nothing.
    #[must_use]
    pub fn activity_completion_handle<D: ActivityDefinition>(
        &self,
        activity: ActivityReference,
    ) -> ActivityCompletionHandle<D> {
        ActivityCompletionHandle { untyped: self.activity_completion_handle_untyped(activity), definition: PhantomData }
    }

    /// As [`activity_completion_handle`](Self::activity_completion_handle), of an activity whose type is not known here.
    #[must_use]
    pub fn activity_completion_handle_untyped(&self, activity: ActivityReference) -> UntypedActivityCompletionHandle {
        UntypedActivityCompletionHandle { client: self.clone(), activity }
    }
}

impl<D: ActivityDefinition> ActivityCompletionHandle<D> {
    /// The same activity, without its type.
    #[must_use]
    pub const fn untyped(&self) -> &UntypedActivityCompletionHandle {
        &self.untyped
    }

    /// Which activity it is.
    #[must_use]
    pub const fn activity(&self) -> &ActivityReference {
        self.untyped.activity()
    }

    /// The activity has given this.
    ///
    /// # Errors
    /// If no such attempt is under way, or the result cannot be written or sent.
    pub async fn complete(&self, output: D::Output) -> Result<(), ActivityCompletionError> {
        let converted = self.untyped.client.data_converter().to_payload(&output);
        let result = converted.map_err(|source| self.untyped.conversion(COMPLETED, source))?;
        self.untyped.complete(result).await
    }

    /// The activity has failed. Another attempt follows where its retry policy says so.
    ///
    /// # Errors
    /// As of [`complete`](Self::complete).
    pub async fn fail(&self, failure: ApplicationFailure) -> Result<(), ActivityCompletionError> {
        self.untyped.fail(failure).await
    }

    /// The activity has stopped, because its cancellation had been asked for: `()`, or details for whoever waits for it.
    ///
    /// # Errors
    /// As of [`complete`](Self::complete); and if nobody had asked for it.
    pub async fn report_cancellation(&self, details: impl Arguments) -> Result<(), ActivityCompletionError> {
        self.untyped.report_cancellation(details).await
    }

    /// The activity is alive, and has got this far: `()`, or details that the next attempt gets. Each call is sent; send one
    /// in half of the heartbeat timeout, say.
    ///
    /// # Errors
    /// As of [`complete`](Self::complete).
    pub async fn heartbeat(&self, details: impl Arguments) -> Result<HeartbeatResponse, ActivityCompletionError> {
        self.untyped.heartbeat(details).await
    }
}

impl UntypedActivityCompletionHandle {
    /// Which activity it is.
    #[must_use]
    pub const fn activity(&self) -> &ActivityReference {
        &self.activity
    }

    /// The activity has given this.
    ///
    /// # Errors
    /// As of [`ActivityCompletionHandle::complete`].
    pub async fn complete(&self, mut result: Payload) -> Result<(), ActivityCompletionError> {
        let call = ClientCall::CompleteActivity { activity: &self.activity, result: &mut result };
        let intercepted = self.intercept(COMPLETED, call)?;
        let result = self.encoded(COMPLETED, vec![result]).await?;
        let (namespace, identity) = self.caller();
        let mut service = self.client.workflow_service();
        let sent = match (*self.activity.0).clone() {
            Kind::TaskToken(task_token) => {
                let request = RespondActivityTaskCompletedRequest {
                    task_token,
                    result,
                    identity,
                    namespace,
                    ..RespondActivityTaskCompletedRequest::default()
                };
                service.respond_activity_task_completed(request).await.map(drop)
            }
            Kind::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskCompletedByIdRequest {
                    workflow_id,
                    run_id,
                    activity_id,
                    result,
                    identity,
                    namespace,
                    ..RespondActivityTaskCompletedByIdRequest::default()
                };
                service.respond_activity_task_completed_by_id(request).await.map(drop)
            }
        };
        self.ended(COMPLETED, intercepted, sent)
    }

    /// The activity has failed. Another attempt follows where its retry policy says so.
    ///
    /// # Errors
    /// As of [`ActivityCompletionHandle::complete`].
    pub async fn fail(&self, failure: ApplicationFailure) -> Result<(), ActivityCompletionError> {
        let mut failure = self.client.data_converter().failure_to_proto(&Failure::from(failure));
        let call = ClientCall::FailActivity { activity: &self.activity, failure: &mut failure };
        let intercepted = self.intercept(FAILED, call)?;
        self.encode(FAILED, &mut failure).await?;
        let failure = Some(failure);
        let (namespace, identity) = self.caller();
        let mut service = self.client.workflow_service();
        let sent = match (*self.activity.0).clone() {
            Kind::TaskToken(task_token) => {
                let request = RespondActivityTaskFailedRequest {
                    task_token,
                    failure,
                    identity,
                    namespace,
                    ..RespondActivityTaskFailedRequest::default()
                };
                service.respond_activity_task_failed(request).await.map(drop)
            }
            Kind::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskFailedByIdRequest {
                    workflow_id,
                    run_id,
                    activity_id,
                    failure,
                    identity,
                    namespace,
                    ..RespondActivityTaskFailedByIdRequest::default()
                };
                service.respond_activity_task_failed_by_id(request).await.map(drop)
            }
        };
        self.ended(FAILED, intercepted, sent)
    }

    /// The activity has stopped, because its cancellation had been asked for.
    ///
    /// # Errors
    /// As of [`ActivityCompletionHandle::report_cancellation`].
    pub async fn report_cancellation(&self, details: impl Arguments) -> Result<(), ActivityCompletionError> {
        let mut details = self.written(CANCELLED, &details)?;
        let call = ClientCall::ReportActivityCancellation { activity: &self.activity, details: &mut details };
        let intercepted = self.intercept(CANCELLED, call)?;
        let details = self.encoded(CANCELLED, details).await?;
        let (namespace, identity) = self.caller();
        let mut service = self.client.workflow_service();
        let sent = match (*self.activity.0).clone() {
            Kind::TaskToken(task_token) => {
                let request = RespondActivityTaskCanceledRequest {
                    task_token,
                    details,
                    identity,
                    namespace,
                    ..RespondActivityTaskCanceledRequest::default()
                };
                service.respond_activity_task_canceled(request).await.map(drop)
            }
            Kind::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskCanceledByIdRequest {
                    workflow_id,
                    run_id,
                    activity_id,
                    details,
                    identity,
                    namespace,
                    ..RespondActivityTaskCanceledByIdRequest::default()
                };
                service.respond_activity_task_canceled_by_id(request).await.map(drop)
            }
        };
        self.ended(CANCELLED, intercepted, sent)
    }

    /// The activity is alive, and has got this far.
    ///
    /// # Errors
    /// As of [`ActivityCompletionHandle::heartbeat`].
    pub async fn heartbeat(&self, details: impl Arguments) -> Result<HeartbeatResponse, ActivityCompletionError> {
        let mut details = self.written(HEARTBEATED, &details)?;
        let call = ClientCall::HeartbeatActivity { activity: &self.activity, details: &mut details };
        let intercepted = self.intercept(HEARTBEATED, call)?;
        let details = self.encoded(HEARTBEATED, details).await?;
        let (namespace, identity) = self.caller();
        let mut service = self.client.workflow_service();
        let answered = |cancel_requested, paused, reset| HeartbeatResponse { cancel_requested, paused, reset };
        let sent = match (*self.activity.0).clone() {
            Kind::TaskToken(task_token) => {
                let request = RecordActivityTaskHeartbeatRequest {
                    task_token,
                    details,
                    identity,
                    namespace,
                    ..RecordActivityTaskHeartbeatRequest::default()
                };
                let sent = service.record_activity_task_heartbeat(request).await.map(Response::into_inner);
                sent.map(|answer| answered(answer.cancel_requested, answer.activity_paused, answer.activity_reset))
            }
            Kind::Id { workflow_id, run_id, activity_id } => {
                let request = RecordActivityTaskHeartbeatByIdRequest {
                    workflow_id,
                    run_id,
                    activity_id,
                    details,
                    identity,
                    namespace,
                    ..RecordActivityTaskHeartbeatByIdRequest::default()
                };
                let sent = service.record_activity_task_heartbeat_by_id(request).await.map(Response::into_inner);
                sent.map(|answer| answered(answer.cancel_requested, answer.activity_paused, answer.activity_reset))
            }
        };
        self.ended(HEARTBEATED, intercepted, sent)
    }

    /// What became of it, for those who intercept calls and for the caller.
    fn ended<T>(
        &self,
        action: &'static str,
        intercepted: Intercepted,
        sent: Result<T, Status>,
    ) -> Result<T, ActivityCompletionError> {
        let sent = sent.map_err(|status| self.error(action, status.into()));
        intercepted.end(&sent);
        sent
    }

    /// What is sent of these Payloads, if the server takes so much.
    async fn encoded(
        &self,
        action: &'static str,
        list: Vec<Payload>,
    ) -> Result<Option<Payloads>, ActivityCompletionError> {
        let Some(mut list) = payloads(list) else { return Ok(None) };
        self.encode(action, &mut list).await?;
        self.check_size(action, &list).await?;
        Ok(Some(list))
    }

    fn intercept(&self, action: &'static str, call: ClientCall<'_>) -> Result<Intercepted, ActivityCompletionError> {
        let refused = |source| ActivityCompletionError::Rpc { activity: self.activity.clone(), action, source };
        self.client.intercept(call).map_err(refused)
    }

    /// Namespace and identity.
    fn caller(&self) -> (String, String) {
        (self.client.namespace().to_owned(), self.client.identity().to_owned())
    }

    fn written(&self, action: &'static str, details: &impl Arguments) -> Result<Vec<Payload>, ActivityCompletionError> {
        let converter = self.client.data_converter();
        converter.to_arguments(details).map_err(|source| self.conversion(action, source))
    }

    async fn encode(
        &self,
        action: &'static str,
        payloads: &mut impl timewright_proto::CollectPayloads,
    ) -> Result<(), ActivityCompletionError> {
        let encoded = self.client.data_converter().encode(payloads).await;
        encoded.map_err(|source| ActivityCompletionError::Codec { activity: self.activity.clone(), action, source })
    }

    /// What is too large would not only be refused: the server would fail the activity for good.
    async fn check_size(&self, action: &'static str, list: &Payloads) -> Result<(), ActivityCompletionError> {
        let size = list.encoded_len();
        if size < SMALL {
            return Ok(());
        }
        // Where the limit cannot be asked for, the server has the last word.
        let limit = self.client.worker_namespace().await.map_or(usize::MAX, |namespace| namespace.payload_size_limit);
        if size > limit {
            return Err(ActivityCompletionError::TooLarge { activity: self.activity.clone(), action, size, limit });
        }
        Ok(())
    }

    fn conversion(&self, action: &'static str, source: ConversionError) -> ActivityCompletionError {
        ActivityCompletionError::Conversion { activity: self.activity.clone(), action, source }
    }

    fn error(&self, action: &'static str, source: RpcError) -> ActivityCompletionError {
        let activity = self.activity.clone();
        if is_not_found(&source) {
            return ActivityCompletionError::NotFound { activity, action };
        }
        ActivityCompletionError::Rpc { activity, action, source }
    }
}

const COMPLETED: &str = "completed";
const FAILED: &str = "failed";
const CANCELLED: &str = "reported as cancelled";
const HEARTBEATED: &str = "heartbeated";

/// What is smaller than this, in bytes, is sent without asking: usual limits are megabytes.
const SMALL: usize = 64 * 1024;

impl<D> Clone for ActivityCompletionHandle<D> {
    fn clone(&self) -> Self {
        Self { untyped: self.untyped.clone(), definition: PhantomData }
    }
}

impl<D: ActivityDefinition> fmt::Debug for ActivityCompletionHandle<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ActivityCompletionHandle")
            .field("activity_type", &D::NAME)
            .field("activity", &self.untyped.activity)
            .finish_non_exhaustive()
    }
}
