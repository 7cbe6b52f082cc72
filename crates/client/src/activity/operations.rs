//! What operators do with an activity that is open: pause, unpause, reset, change its options. The same for activities of
//! workflows and for those that clients started.

use super::handle::UntypedActivityHandle;
use crate::client::Client;
use crate::handle::{UntypedWorkflowHandle, WorkflowHandle, is_not_found};
use crate::random;
use crate::rpc_error::RpcError;
use std::fmt;
use std::time::Duration;
use timewright_converter::CodecError;
use timewright_definition::{RetryPolicy, WorkflowDefinition};
use timewright_proto::common::Priority;
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::prost_types::FieldMask;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::activity::v1::ActivityOptions;
use timewright_proto::to_duration;
use timewright_proto::workflow_service::{
    PauseActivityExecutionRequest, ResetActivityExecutionRequest, UnpauseActivityExecutionRequest,
    UpdateActivityExecutionOptionsRequest,
};
use tonic::{Code, Status};

/// An activity of a workflow, for operators: [`WorkflowHandle::activity`]. Making it asks the server nothing.
///
/// ```no_run
/// # use timewright_client::{ResetActivityOptions, UntypedWorkflowHandle};
/// # async fn example(order: UntypedWorkflowHandle) -> Result<(), Box<dyn std::error::Error>> {
/// let charge = order.activity("1");
/// charge.pause("the bank is down").await?; // no further attempt is made
/// charge.unpause("the bank is back").await?;
/// charge.reset(ResetActivityOptions::default().reset_heartbeat(true)).await?; // from the first attempt on
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct WorkflowActivityHandle {
    target: Target,
}

/// Which activity is meant.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) workflow_id: Option<String>,
    /// Of the workflow, or of an activity without one; none: of the latest.
    pub(super) run_id: Option<String>,
    pub(super) activity_id: String,
}

/// A request about an activity that the server did not fulfil.
#[derive(Debug, thiserror::Error)]
pub enum ActivityRequestError {
    /// A Payload Codec failed.
    #[error("{activity} was not {request}: {source}")]
    Codec {
        /// Which activity.
        activity: String,
        /// What was to be done: `paused`, say.
        request: &'static str,
        /// What failed.
        source: CodecError,
    },
    /// There is no such activity, or it is closed.
    #[error("{activity} was not {request}: no such activity is open")]
    NotFound {
        /// Which activity.
        activity: String,
        /// What was to be done.
        request: &'static str,
    },
    /// The server refused, or could not be reached.
    #[error("{activity} was not {request}: {source}")]
    Rpc {
        /// Which activity.
        activity: String,
        /// What was to be done.
        request: &'static str,
        /// What failed.
        source: RpcError,
    },
}

/// How an activity is reset. By default its attempts count from 1 again, and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ResetActivityOptions {
    keep_paused: bool,
    reset_heartbeat: bool,
    restore_original_options: bool,
    jitter: Option<Duration>,
}

impl ResetActivityOptions {
    /// Whether an activity that is paused stays so.
    pub const fn keep_paused(mut self, keep: bool) -> Self {
        self.keep_paused = keep;
        self
    }

    /// Whether the details that it has heartbeated are forgotten, so that it begins from the beginning.
    pub const fn reset_heartbeat(mut self, reset: bool) -> Self {
        self.reset_heartbeat = reset;
        self
    }

    /// Whether it gets the options again that it was started with.
    pub const fn restore_original_options(mut self, restore: bool) -> Self {
        self.restore_original_options = restore;
        self
    }

    /// The next attempt begins at a random time within so long, so that many that are reset do not begin at once.
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }
}

/// Changes to the options of an activity that is open. What is not set stays as it is.
///
/// ```
/// use std::time::Duration;
/// use timewright_client::UpdateActivityOptions;
///
/// let changes = UpdateActivityOptions::default().start_to_close_timeout(Duration::from_secs(60)).task_queue("large");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct UpdateActivityOptions {
    options: ActivityOptions,
    paths: Vec<String>,
}

impl UpdateActivityOptions {
    /// Where the next attempt is executed.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> Self {
        let kind = TaskQueueKind::Normal.into();
        self.options.task_queue = Some(TaskQueue { name: task_queue.into(), kind, ..TaskQueue::default() });
        self.sets("task_queue.name")
    }

    /// How long all attempts together may take.
    pub fn schedule_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.options.schedule_to_close_timeout = Some(to_duration(timeout));
        self.sets("schedule_to_close_timeout")
    }

    /// How long it may wait for a worker.
    pub fn schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.options.schedule_to_start_timeout = Some(to_duration(timeout));
        self.sets("schedule_to_start_timeout")
    }

    /// How long one attempt may take.
    pub fn start_to_close_timeout(mut self, timeout: Duration) -> Self {
        self.options.start_to_close_timeout = Some(to_duration(timeout));
        self.sets("start_to_close_timeout")
    }

    /// The longest silence between two heartbeats.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.options.heartbeat_timeout = Some(to_duration(timeout));
        self.sets("heartbeat_timeout")
    }

    /// How it is tried again.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.options.retry_policy = Some(policy.into());
        self.sets("retry_policy")
    }

    /// Before which others it is executed.
    pub fn priority(mut self, priority: impl Into<Priority>) -> Self {
        self.options.priority = Some(priority.into());
        self.sets("priority")
    }

    fn sets(mut self, path: &str) -> Self {
        if !self.paths.iter().any(|known| known == path) {
            self.paths.push(path.to_owned());
        }
        self
    }
}

impl<D: WorkflowDefinition> WorkflowHandle<D> {
    /// An activity of this workflow, by its Activity Id, to be paused, unpaused, reset, or given other options.
    #[must_use]
    pub fn activity(&self, activity_id: impl Into<String>) -> WorkflowActivityHandle {
        self.untyped().activity(activity_id)
    }
}

impl UntypedWorkflowHandle {
    /// An activity of this workflow, by its Activity Id. As [`WorkflowHandle::activity`].
    #[must_use]
    pub fn activity(&self, activity_id: impl Into<String>) -> WorkflowActivityHandle {
        let execution = self.execution();
        WorkflowActivityHandle {
            target: Target {
                client: self.client().clone(),
                workflow_id: Some(execution.workflow_id),
                run_id: Some(execution.run_id).filter(|run_id| !run_id.is_empty()),
                activity_id: activity_id.into(),
            },
        }
    }
}

impl WorkflowActivityHandle {
    /// The Activity Id.
    #[must_use]
    pub fn activity_id(&self) -> &str {
        &self.target.activity_id
    }

    /// The Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        self.target.workflow_id.as_deref().unwrap_or_default()
    }

    /// Makes no further attempt until it is unpaused. An attempt that runs hears of it with its next heartbeat, and may go on; if
    /// it completes, that counts.
    ///
    /// # Errors
    /// If no such activity is open, or the server cannot be asked.
    pub async fn pause(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        self.target.pause(reason.into()).await
    }

    /// Goes on where it was paused. The next attempt begins at once.
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn unpause(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        self.target.unpause(reason.into(), None).await
    }

    /// As [`unpause`](Self::unpause), but the next attempt begins at a random time within `jitter`, so that many do not begin at
    /// once.
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn unpause_within(
        &self,
        reason: impl Into<String>,
        jitter: Duration,
    ) -> Result<(), ActivityRequestError> {
        self.target.unpause(reason.into(), Some(jitter)).await
    }

    /// Counts attempts from 1 again. An attempt that runs hears of it with its next heartbeat.
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn reset(&self, options: ResetActivityOptions) -> Result<(), ActivityRequestError> {
        self.target.reset(options).await
    }

    /// Changes the options, from the next attempt on; gives them as they are then.
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn update_options(
        &self,
        changes: UpdateActivityOptions,
    ) -> Result<ActivityOptions, ActivityRequestError> {
        self.target.update_options(changes, false).await
    }

    /// Gives the options back that the activity was started with; gives them as they are then.
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn restore_options(&self) -> Result<ActivityOptions, ActivityRequestError> {
        self.target.update_options(UpdateActivityOptions::default(), true).await
    }
}

impl UntypedActivityHandle {
    /// Makes no further attempt until it is unpaused. As [`WorkflowActivityHandle::pause`].
    ///
    /// # Errors
    /// If no such activity is open, or the server cannot be asked.
    pub async fn pause(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        self.target.pause(reason.into()).await
    }

    /// Goes on where it was paused. As [`WorkflowActivityHandle::unpause`].
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn unpause(&self, reason: impl Into<String>) -> Result<(), ActivityRequestError> {
        self.target.unpause(reason.into(), None).await
    }

    /// As [`unpause`](Self::unpause), at a random time within `jitter`. As [`WorkflowActivityHandle::unpause_within`].
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn unpause_within(
        &self,
        reason: impl Into<String>,
        jitter: Duration,
    ) -> Result<(), ActivityRequestError> {
        self.target.unpause(reason.into(), Some(jitter)).await
    }

    /// Counts attempts from 1 again. As [`WorkflowActivityHandle::reset`].
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn reset(&self, options: ResetActivityOptions) -> Result<(), ActivityRequestError> {
        self.target.reset(options).await
    }

    /// Changes the options. As [`WorkflowActivityHandle::update_options`].
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn update_options(
        &self,
        changes: UpdateActivityOptions,
    ) -> Result<ActivityOptions, ActivityRequestError> {
        self.target.update_options(changes, false).await
    }

    /// Gives the options back that the activity was started with. As [`WorkflowActivityHandle::restore_options`].
    ///
    /// # Errors
    /// As of [`pause`](Self::pause).
    pub async fn restore_options(&self) -> Result<ActivityOptions, ActivityRequestError> {
        self.target.update_options(UpdateActivityOptions::default(), true).await
    }
}

impl Target {
    async fn pause(&self, reason: String) -> Result<(), ActivityRequestError> {
        let request = PauseActivityExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_id: self.workflow_text(),
            activity_id: self.activity_id.clone(),
            run_id: self.run_text(),
            identity: self.client.identity().to_owned(),
            reason,
            request_id: random::request_id(),
            ..PauseActivityExecutionRequest::default()
        };
        let sent = self.client.workflow_service().pause_activity_execution(request).await;
        sent.map(drop).map_err(|status| self.error(Request::Pause, status))
    }

    async fn unpause(&self, reason: String, jitter: Option<Duration>) -> Result<(), ActivityRequestError> {
        let request = UnpauseActivityExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_id: self.workflow_text(),
            activity_id: self.activity_id.clone(),
            run_id: self.run_text(),
            identity: self.client.identity().to_owned(),
            reason,
            jitter: jitter.map(to_duration),
            request_id: random::request_id(),
            ..UnpauseActivityExecutionRequest::default()
        };
        let sent = self.client.workflow_service().unpause_activity_execution(request).await;
        sent.map(drop).map_err(|status| self.error(Request::Unpause, status))
    }

    async fn reset(&self, options: ResetActivityOptions) -> Result<(), ActivityRequestError> {
        let request = ResetActivityExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_id: self.workflow_text(),
            activity_id: self.activity_id.clone(),
            run_id: self.run_text(),
            identity: self.client.identity().to_owned(),
            keep_paused: options.keep_paused,
            jitter: options.jitter.map(to_duration),
            restore_original_options: options.restore_original_options,
            request_id: random::request_id(),
            reset_heartbeat: options.reset_heartbeat,
            ..ResetActivityExecutionRequest::default()
        };
        let sent = self.client.workflow_service().reset_activity_execution(request).await;
        sent.map(drop).map_err(|status| self.error(Request::Reset, status))
    }

    async fn update_options(
        &self,
        UpdateActivityOptions { options, paths }: UpdateActivityOptions,
        restore_original: bool,
    ) -> Result<ActivityOptions, ActivityRequestError> {
        let request = UpdateActivityExecutionOptionsRequest {
            namespace: self.client.namespace().to_owned(),
            workflow_id: self.workflow_text(),
            activity_id: self.activity_id.clone(),
            run_id: self.run_text(),
            identity: self.client.identity().to_owned(),
            activity_options: (!restore_original).then_some(options),
            update_mask: (!restore_original).then_some(FieldMask { paths }),
            restore_original,
            request_id: random::request_id(),
            ..UpdateActivityExecutionOptionsRequest::default()
        };
        let sent = self.client.workflow_service().update_activity_execution_options(request).await;
        match sent {
            Ok(response) => Ok(response.into_inner().activity_options.unwrap_or_default()),
            Err(status) => Err(self.error(Request::UpdateOptions, status)),
        }
    }

    pub(super) fn error(&self, request: Request, status: Status) -> ActivityRequestError {
        let (activity, request, source) = (self.to_string(), request.done(), RpcError::from(status));
        // An activity without a workflow that is closed is still known, and said to be so.
        let is_closed = source.code() == Code::FailedPrecondition && source.message().contains("terminal state");
        if is_not_found(&source) || is_closed {
            return ActivityRequestError::NotFound { activity, request };
        }
        ActivityRequestError::Rpc { activity, request, source }
    }

    /// It was not even sent.
    pub(super) fn rpc_error(&self, request: Request, source: RpcError) -> ActivityRequestError {
        ActivityRequestError::Rpc { activity: self.to_string(), request: request.done(), source }
    }

    pub(super) fn codec_error(&self, request: Request, source: CodecError) -> ActivityRequestError {
        ActivityRequestError::Codec { activity: self.to_string(), request: request.done(), source }
    }

    pub(super) fn run_text(&self) -> String {
        self.run_id.clone().unwrap_or_default()
    }

    fn workflow_text(&self) -> String {
        self.workflow_id.clone().unwrap_or_default()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.workflow_id {
            Some(workflow_id) => write!(formatter, "activity `{}` of workflow `{workflow_id}`", self.activity_id),
            None => write!(formatter, "activity `{}`", self.activity_id),
        }
    }
}

/// What is asked of the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Cancel,
    Delete,
    Describe,
    Pause,
    Reset,
    Terminate,
    Unpause,
    UpdateOptions,
}

impl Request {
    /// What has been done to the activity then.
    const fn done(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Delete => "deleted",
            Self::Describe => "described",
            Self::Pause => "paused",
            Self::Reset => "reset",
            Self::Terminate => "terminated",
            Self::Unpause => "unpaused",
            Self::UpdateOptions => "given other options",
        }
    }
}
