//! Starting activities without a workflow.

use super::handle::{ActivityHandle, ActivityResultError, UntypedActivityHandle};
use crate::client::Client;
use crate::error_details;
use crate::interceptor::ClientCall;
use crate::random;
use crate::rpc_error::RpcError;
use crate::start::payloads;
use std::collections::BTreeMap;
use std::time::Duration;
use timewright_converter::{CodecError, ConversionError, Payload, Value};
use timewright_definition::{ActivityDefinition, RetryPolicy, SearchAttributeKey, SearchAttributeKind};
use timewright_proto::common::{ActivityType, Priority, SearchAttributes};
use timewright_proto::enums::{self, TaskQueueKind};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::sdk::v1::UserMetadata;
use timewright_proto::to_duration;
use timewright_proto::workflow_service::StartActivityExecutionRequest;
use tonic::Code;

/// How a client starts an activity. Made of its Task Queue, its Activity Id, and the one timeout that every activity must have.
///
/// ```
/// use std::time::Duration;
/// use timewright_client::{RetryPolicy, StartActivityOptions};
///
/// let options = StartActivityOptions::start_to_close("mail", "welcome-ada", Duration::from_secs(30))
///     .heartbeat_timeout(Duration::from_secs(5))
///     .retry_policy(RetryPolicy::default().maximum_attempts(3))
///     .static_summary("Welcome mail for Ada");
/// ```
#[derive(Clone, Debug)]
pub struct StartActivityOptions {
    task_queue: String,
    activity_id: String,
    request_id: Option<String>,
    id_reuse_policy: ActivityIdReusePolicy,
    id_conflict_policy: ActivityIdConflictPolicy,
    schedule_to_close_timeout: Option<Duration>,
    schedule_to_start_timeout: Option<Duration>,
    start_to_close_timeout: Option<Duration>,
    heartbeat_timeout: Option<Duration>,
    retry_policy: Option<RetryPolicy>,
    start_delay: Option<Duration>,
    priority: Option<Priority>,
    search_attributes: BTreeMap<String, Payload>,
    static_summary: Option<String>,
    static_details: Option<String>,
    /// Builder methods do not fail; starting does.
    error: Option<ConversionError>,
}

/// Whether an Activity Id may be used again after the activity that had it was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActivityIdReusePolicy {
    /// Yes.
    #[default]
    AllowDuplicate,
    /// Only if it did not complete successfully.
    AllowDuplicateFailedOnly,
    /// No.
    RejectDuplicate,
}

/// What happens if an activity with this Activity Id runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActivityIdConflictPolicy {
    /// Starting fails with [`StartActivityError::AlreadyStarted`].
    #[default]
    Fail,
    /// Nothing is started; the handle is that of the running one.
    UseExisting,
}

/// An activity that was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartActivityError {
    /// There is one with this Activity Id already, and the policies do not allow another.
    #[error(
        "activity `{activity_id}` is started already{}. Use another Activity Id, or set the policies for conflicts and reuse in \
         StartActivityOptions",
        run_text(.run_id)
    )]
    AlreadyStarted {
        /// The Activity Id.
        activity_id: String,
        /// Its run, if the server says.
        run_id: Option<String>,
    },
    /// A Payload Codec failed.
    #[error("activity `{activity_id}` was not started: {source}")]
    Codec {
        /// The Activity Id.
        activity_id: String,
        /// What failed.
        source: CodecError,
    },
    /// The input cannot be written as Payloads.
    #[error("activity `{activity_id}` was not started: {source}")]
    Conversion {
        /// The Activity Id.
        activity_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// The server refused, or could not be reached. Servers before 1.30 start no activities without a workflow.
    #[error("activity `{activity_id}` was not started: {source}")]
    Rpc {
        /// The Activity Id.
        activity_id: String,
        /// What failed.
        source: RpcError,
    },
}

/// An activity that was not started, or has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteActivityError {
    /// It was not started.
    #[error(transparent)]
    Start(#[from] StartActivityError),
    /// It was started, and has no result.
    #[error(transparent)]
    Result(#[from] ActivityResultError),
}

impl StartActivityOptions {
    /// One attempt may take this long. The usual choice.
    #[must_use]
    pub fn start_to_close(
        task_queue: impl Into<String>,
        activity_id: impl Into<String>,
        start_to_close_timeout: Duration,
    ) -> Self {
        let start_to_close_timeout = Some(start_to_close_timeout);
        Self { start_to_close_timeout, ..Self::new(task_queue.into(), activity_id.into()) }
    }

    /// All attempts together, waiting included, may take this long.
    #[must_use]
    pub fn schedule_to_close(
        task_queue: impl Into<String>,
        activity_id: impl Into<String>,
        schedule_to_close_timeout: Duration,
    ) -> Self {
        let schedule_to_close_timeout = Some(schedule_to_close_timeout);
        Self { schedule_to_close_timeout, ..Self::new(task_queue.into(), activity_id.into()) }
    }

    fn new(task_queue: String, activity_id: String) -> Self {
        Self {
            task_queue,
            activity_id,
            request_id: None,
            id_reuse_policy: ActivityIdReusePolicy::default(),
            id_conflict_policy: ActivityIdConflictPolicy::default(),
            schedule_to_close_timeout: None,
            schedule_to_start_timeout: None,
            start_to_close_timeout: None,
            heartbeat_timeout: None,
            retry_policy: None,
            start_delay: None,
            priority: None,
            search_attributes: BTreeMap::new(),
            static_summary: None,
            static_details: None,
            error: None,
        }
    }

    /// By what the server knows a repeated start, which then does not start anything anew. If not set, each call has its own;
    /// set it to be able to repeat a call after a crash.
    #[must_use]
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Whether the Activity Id may be used again after an activity that had it was closed.
    #[must_use]
    pub const fn id_reuse_policy(mut self, policy: ActivityIdReusePolicy) -> Self {
        self.id_reuse_policy = policy;
        self
    }

    /// What happens if an activity with the Activity Id runs.
    #[must_use]
    pub const fn id_conflict_policy(mut self, policy: ActivityIdConflictPolicy) -> Self {
        self.id_conflict_policy = policy;
        self
    }

    /// All attempts together, waiting included, may take this long.
    #[must_use]
    pub const fn schedule_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.schedule_to_close_timeout = Some(timeout);
        self
    }

    /// It may wait this long for a worker. Not retried.
    #[must_use]
    pub const fn schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.schedule_to_start_timeout = Some(timeout);
        self
    }

    /// One attempt may take this long.
    #[must_use]
    pub const fn start_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.start_to_close_timeout = Some(timeout);
        self
    }

    /// The longest silence between two heartbeats. Without it, a dead worker is noticed only when the attempt times out.
    #[must_use]
    pub const fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = Some(timeout);
        self
    }

    /// How it is tried again. If not set, for ever with growing pauses.
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = Some(policy);
        self
    }

    /// Waits so long before the first attempt.
    #[must_use]
    pub const fn start_delay(mut self, start_delay: Duration) -> Self {
        self.start_delay = Some(start_delay);
        self
    }

    /// Before which others it is executed. <https://docs.temporal.io/develop/task-queue-priority-fairness>
    #[must_use]
    pub fn priority(mut self, priority: impl Into<Priority>) -> Self {
        self.priority = Some(priority.into());
        self
    }

    /// Adds a search attribute, by which the activity can be found. The server must know it, and reads it: nothing secret belongs
    /// here. <https://docs.temporal.io/search-attribute>
    ///
    /// ```
    /// use std::time::Duration;
    /// use timewright_client::StartActivityOptions;
    /// use timewright_definition::{SearchAttributeKey, SearchAttributeValue, search_attribute_kind::Keyword};
    ///
    /// const CUSTOMER: SearchAttributeKey<Keyword> = SearchAttributeKey::new("CustomerId");
    /// let options = StartActivityOptions::start_to_close("payments", "charge-17", Duration::from_secs(30))
    ///     .search_attribute(&CUSTOMER, "c-17")
    ///     .search_attribute("Amount", SearchAttributeValue::Int(100)); // by a name alone
    /// ```
    #[must_use]
    pub fn search_attribute<K: SearchAttributeKind>(
        mut self,
        key: impl Into<SearchAttributeKey<K>>,
        value: impl Into<K::Value>,
    ) -> Self {
        let name = key.into().name().to_owned();
        match K::to_search_attribute(value.into()).to_payload() {
            Ok(payload) => _ = self.search_attributes.insert(name, payload),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// One line about this activity, for the Web UI. Markdown.
    #[must_use]
    pub fn static_summary(mut self, summary: impl Into<String>) -> Self {
        self.static_summary = Some(summary.into());
        self
    }

    /// More about this activity, for the Web UI. Markdown.
    #[must_use]
    pub fn static_details(mut self, details: impl Into<String>) -> Self {
        self.static_details = Some(details.into());
        self
    }

    fn into_request(
        self,
        client: &Client,
        activity_type: &str,
        input: Vec<Payload>,
    ) -> Result<StartActivityExecutionRequest, ConversionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let text = |text: Option<String>| text.map(|text| text.to_payload()).transpose();
        let (summary, details) = (text(self.static_summary)?, text(self.static_details)?);
        let has_metadata = summary.is_some() || details.is_some();
        let search_attributes = self.search_attributes;
        Ok(StartActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            identity: client.identity().to_owned(),
            request_id: self.request_id.unwrap_or_else(random::request_id),
            activity_id: self.activity_id,
            activity_type: Some(ActivityType { name: activity_type.to_owned() }),
            task_queue: Some(TaskQueue {
                name: self.task_queue,
                kind: TaskQueueKind::Normal.into(),
                ..TaskQueue::default()
            }),
            schedule_to_close_timeout: self.schedule_to_close_timeout.map(to_duration),
            schedule_to_start_timeout: self.schedule_to_start_timeout.map(to_duration),
            start_to_close_timeout: self.start_to_close_timeout.map(to_duration),
            heartbeat_timeout: self.heartbeat_timeout.map(to_duration),
            retry_policy: self.retry_policy.map(Into::into),
            input: payloads(input),
            id_reuse_policy: self.id_reuse_policy.to_proto().into(),
            id_conflict_policy: self.id_conflict_policy.to_proto().into(),
            search_attributes: (!search_attributes.is_empty())
                .then_some(SearchAttributes { indexed_fields: search_attributes }),
            user_metadata: has_metadata.then_some(UserMetadata { summary, details }),
            priority: self.priority,
            start_delay: self.start_delay.map(to_duration),
            ..StartActivityExecutionRequest::default()
        })
    }
}

impl Client {
    /// Starts an activity that belongs to no workflow. <https://docs.temporal.io/standalone-activity>
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use timewright_client::{Client, StartActivityOptions};
    /// # struct SendMail;
    /// # impl timewright_definition::ActivityDefinition for SendMail {
    /// #     const NAME: &'static str = "SendMail";
    /// #     type Input = String;
    /// #     type Output = String;
    /// # }
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = StartActivityOptions::start_to_close("mail", "welcome-ada", Duration::from_secs(30));
    /// let mail = client.start_activity(SendMail, "ada@example.org".to_owned(), options).await?;
    /// println!("{}", mail.result().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the input cannot be written, an activity with this Activity Id is in the way, or the server refuses.
    pub async fn start_activity<D: ActivityDefinition>(
        &self,
        _definition: D,
        input: D::Input,
        options: StartActivityOptions,
    ) -> Result<ActivityHandle<D>, StartActivityError> {
        let input = self
            .data_converter()
            .to_arguments(&input)
            .map_err(|source| StartActivityError::Conversion { activity_id: options.activity_id.clone(), source })?;
        self.start_activity_untyped(D::NAME, input, options).await.map(ActivityHandle::new)
    }

    /// Starts an activity whose type is known only at run time.
    ///
    /// # Errors
    /// As of [`start_activity`](Self::start_activity).
    pub async fn start_activity_untyped(
        &self,
        activity_type: &str,
        input: Vec<Payload>,
        options: StartActivityOptions,
    ) -> Result<UntypedActivityHandle, StartActivityError> {
        let activity_id = options.activity_id.clone();
        let mut request = match options.into_request(self, activity_type, input) {
            Ok(request) => request,
            Err(source) => return Err(StartActivityError::Conversion { activity_id, source }),
        };
        let intercepted = match self.intercept(ClientCall::StartActivity(&mut request)) {
            Ok(intercepted) => intercepted,
            Err(source) => return Err(StartActivityError::Rpc { activity_id, source }),
        };
        if let Err(source) = self.data_converter().encode(&mut request).await {
            return Err(StartActivityError::Codec { activity_id, source });
        }
        let started = self.workflow_service().start_activity_execution(request).await.map_err(RpcError::from);
        intercepted.end(&started);
        match started {
            Ok(response) => {
                let run_id = Some(response.into_inner().run_id).filter(|run_id| !run_id.is_empty());
                Ok(self.activity_handle_untyped(activity_id, run_id))
            }
            Err(error) => Err(start_error(activity_id, error)),
        }
    }

    /// Starts an activity that belongs to no workflow, and waits for its result.
    ///
    /// # Errors
    /// If it was not started, or did not complete.
    pub async fn execute_activity<D: ActivityDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: StartActivityOptions,
    ) -> Result<D::Output, ExecuteActivityError> {
        Ok(self.start_activity(definition, input, options).await?.result().await?)
    }
}

fn start_error(activity_id: String, source: RpcError) -> StartActivityError {
    if source.code() == Code::AlreadyExists {
        let run_id = error_details::activity_already_started(source.details());
        return StartActivityError::AlreadyStarted { activity_id, run_id };
    }
    StartActivityError::Rpc { activity_id, source }
}

impl ActivityIdReusePolicy {
    const fn to_proto(self) -> enums::ActivityIdReusePolicy {
        match self {
            Self::AllowDuplicate => enums::ActivityIdReusePolicy::AllowDuplicate,
            Self::AllowDuplicateFailedOnly => enums::ActivityIdReusePolicy::AllowDuplicateFailedOnly,
            Self::RejectDuplicate => enums::ActivityIdReusePolicy::RejectDuplicate,
        }
    }
}

impl ActivityIdConflictPolicy {
    const fn to_proto(self) -> enums::ActivityIdConflictPolicy {
        match self {
            Self::Fail => enums::ActivityIdConflictPolicy::Fail,
            Self::UseExisting => enums::ActivityIdConflictPolicy::UseExisting,
        }
    }
}

fn run_text(run_id: &Option<String>) -> String {
    run_id.as_ref().map(|run_id| format!(" (run {run_id})")).unwrap_or_default()
}
