//! Starting workflows.

use crate::client::Client;
use crate::error_details;
use crate::handle::{UntypedWorkflowHandle, WorkflowHandle};
use crate::interceptor::ClientCall;
use crate::random;
use crate::rpc_error::RpcError;
use std::collections::BTreeMap;
use std::time::Duration;
use timewright_converter::{CodecError, ConversionError, Payload, Value, WritableValue};
use timewright_definition::{RetryPolicy, SearchAttributeKey, SearchAttributeKind, WorkflowDefinition};
use timewright_proto::common::{Memo, Payloads, Priority, SearchAttributes, WorkflowType};
use timewright_proto::enums::{self, TaskQueueKind};
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::sdk::v1::UserMetadata;
use timewright_proto::temporal::api::workflow::v1::VersioningOverride;
use timewright_proto::to_duration;
use timewright_proto::workflow_service::{SignalWithStartWorkflowExecutionRequest, StartWorkflowExecutionRequest};
use tonic::Code;

/// How a workflow is started. Task Queue and Workflow Id must be given; the rest is as the server has it.
///
/// ```
/// use std::time::Duration;
/// use timewright_client::{RetryPolicy, StartWorkflowOptions, WorkflowIdConflictPolicy};
///
/// let options = StartWorkflowOptions::new("payments", "payment-of-order-17")
///     .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
///     .execution_timeout(Duration::from_secs(24 * 60 * 60))
///     .retry_policy(RetryPolicy::default().maximum_attempts(3))
///     .memo("order", 17)
///     .static_summary("Payment of order 17");
/// ```
#[derive(Clone, Debug)]
pub struct StartWorkflowOptions {
    task_queue: String,
    workflow_id: String,
    request_id: Option<String>,
    id_reuse_policy: WorkflowIdReusePolicy,
    id_conflict_policy: WorkflowIdConflictPolicy,
    execution_timeout: Option<Duration>,
    run_timeout: Option<Duration>,
    task_timeout: Option<Duration>,
    retry_policy: Option<RetryPolicy>,
    cron_schedule: String,
    start_delay: Option<Duration>,
    memo: BTreeMap<String, Payload>,
    search_attributes: BTreeMap<String, Payload>,
    priority: Option<Priority>,
    versioning_override: Option<VersioningOverride>,
    static_summary: Option<String>,
    static_details: Option<String>,
    request_eager_start: bool,
    /// Builder methods do not fail; starting does.
    error: Option<ConversionError>,
}

/// Whether a Workflow Id may be used again after the workflow that had it was closed.
/// <https://docs.temporal.io/workflow-execution/workflowid-runid#workflow-id-reuse-policy>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkflowIdReusePolicy {
    /// Yes.
    #[default]
    AllowDuplicate,
    /// Only if it did not complete successfully.
    AllowDuplicateFailedOnly,
    /// No.
    RejectDuplicate,
}

/// What happens if a workflow with this Workflow Id runs.
/// <https://docs.temporal.io/workflow-execution/workflowid-runid#workflow-id-conflict-policy>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkflowIdConflictPolicy {
    /// Starting fails with [`StartWorkflowError::AlreadyStarted`].
    #[default]
    Fail,
    /// The running one is terminated.
    TerminateExisting,
    /// Nothing is started; the handle is that of the running one.
    UseExisting,
}

/// A workflow that was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartWorkflowError {
    /// There is one with this Workflow Id already, and the policies do not allow another.
    #[error(
        "workflow `{workflow_id}` is started already{}. Use another Workflow Id, or set the policies for conflicts and \
         reuse in StartWorkflowOptions",
        run_text(.run_id)
    )]
    AlreadyStarted {
        /// The Workflow Id.
        workflow_id: String,
        /// Its run, if the server says.
        run_id: Option<String>,
    },
    /// A Payload Codec failed.
    #[error("workflow `{workflow_id}` was not started: {source}")]
    Codec {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// Input or memo cannot be written as Payloads.
    #[error("workflow `{workflow_id}` was not started: {source}")]
    Conversion {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// The server refused, or could not be reached.
    #[error("workflow `{workflow_id}` was not started: {source}")]
    Rpc {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

impl StartWorkflowOptions {
    /// A workflow with this Workflow Id, executed by the workers that poll this Task Queue.
    pub fn new(task_queue: impl Into<String>, workflow_id: impl Into<String>) -> Self {
        Self {
            task_queue: task_queue.into(),
            workflow_id: workflow_id.into(),
            request_id: None,
            id_reuse_policy: WorkflowIdReusePolicy::default(),
            id_conflict_policy: WorkflowIdConflictPolicy::default(),
            execution_timeout: None,
            run_timeout: None,
            task_timeout: None,
            retry_policy: None,
            cron_schedule: String::new(),
            start_delay: None,
            memo: BTreeMap::new(),
            search_attributes: BTreeMap::new(),
            priority: None,
            versioning_override: None,
            static_summary: None,
            static_details: None,
            request_eager_start: false,
            error: None,
        }
    }

    /// By what the server knows that a start is a repetition of one that it has done already. If not set, each call has its
    /// own; set it to be able to repeat a call after a crash.
    #[must_use]
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Whether the Workflow Id may be used again after a workflow that had it was closed.
    #[must_use]
    pub const fn id_reuse_policy(mut self, policy: WorkflowIdReusePolicy) -> Self {
        self.id_reuse_policy = policy;
        self
    }

    /// What happens if a workflow with the Workflow Id runs.
    #[must_use]
    pub const fn id_conflict_policy(mut self, policy: WorkflowIdConflictPolicy) -> Self {
        self.id_conflict_policy = policy;
        self
    }

    /// How long the workflow may take, with all runs that follow by retry, cron or continue-as-new. Without limit if not set.
    #[must_use]
    pub const fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.execution_timeout = Some(timeout);
        self
    }

    /// How long one run may take. As long as the execution if not set.
    #[must_use]
    pub const fn run_timeout(mut self, timeout: Duration) -> Self {
        self.run_timeout = Some(timeout);
        self
    }

    /// How long a worker may take for one Workflow Task before the server gives it to another: 10 s if not set.
    #[must_use]
    pub const fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = Some(timeout);
        self
    }

    /// Runs the workflow again when it fails. Not done if not set; it is seldom right, because a workflow can retry its
    /// own steps.
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = Some(policy);
        self
    }

    /// Runs the workflow again and again, at these times (UTC). <https://docs.temporal.io/cron-job>
    #[must_use]
    pub fn cron_schedule(mut self, cron_schedule: impl Into<String>) -> Self {
        self.cron_schedule = cron_schedule.into();
        self
    }

    /// Waits so long before the first Workflow Task.
    #[must_use]
    pub const fn start_delay(mut self, start_delay: Duration) -> Self {
        self.start_delay = Some(start_delay);
        self
    }

    /// Adds a note that lists and descriptions of the workflow show.
    #[must_use]
    pub fn memo(mut self, key: impl Into<String>, value: impl WritableValue) -> Self {
        match value.write_payload() {
            Ok(payload) => _ = self.memo.insert(key.into(), payload),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// Adds a search attribute, by which the workflow can be found. The server must know it, and reads it: nothing secret belongs
    /// here. <https://docs.temporal.io/search-attribute>
    ///
    /// ```
    /// use timewright_client::StartWorkflowOptions;
    /// use timewright_definition::{SearchAttributeKey, SearchAttributeValue, search_attribute_kind::Keyword};
    ///
    /// const CUSTOMER: SearchAttributeKey<Keyword> = SearchAttributeKey::new("CustomerId");
    /// let options = StartWorkflowOptions::new("payments", "payment-of-order-17")
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

    /// The workflow's place in its Task Queue, and that of what it starts.
    #[must_use]
    pub fn priority(mut self, priority: impl Into<Priority>) -> Self {
        self.priority = Some(priority.into());
        self
    }

    /// On which version of the worker's deployment it runs, whatever else would apply: a
    /// [`VersioningOverride`](timewright_definition::VersioningOverride), or the wire's own message.
    #[must_use]
    pub fn versioning_override(mut self, versioning_override: impl Into<VersioningOverride>) -> Self {
        self.versioning_override = Some(versioning_override.into());
        self
    }

    /// One line about this workflow, for the Web UI. Markdown.
    #[must_use]
    pub fn static_summary(mut self, summary: impl Into<String>) -> Self {
        self.static_summary = Some(summary.into());
        self
    }

    /// More about this workflow, for the Web UI. Markdown.
    #[must_use]
    pub fn static_details(mut self, details: impl Into<String>) -> Self {
        self.static_details = Some(details.into());
        self
    }

    /// Lets the workflow begin at once in this process, if there is a Workflow Worker on its Task Queue that was built with the same
    /// client, or a clone of it, and has room: the server then gives the first Workflow Task with its answer, without the way over
    /// the Task Queue. Else the workflow begins as any other. Nothing is lost if the process dies meanwhile: the task times out, and
    /// is handed out again. It has to time out, too, where the future of the start is dropped while the answer is on its way: by a
    /// timeout around it, say.
    ///
    /// Servers can forbid it: `system.enableEagerWorkflowStart`, on by default. Where the worker has a deployment version, the workflow
    /// begins on that one, also if another is the current one; where there are workers of several versions in this process, none of
    /// them is asked for.
    /// <https://docs.temporal.io/develop/worker-performance#eager-workflow-start>
    #[must_use]
    pub const fn request_eager_start(mut self, request: bool) -> Self {
        self.request_eager_start = request;
        self
    }

    /// The same for a workflow that is started only if it does not run, and gets a Signal; as a request that workflow code makes.
    #[doc(hidden)]
    pub fn into_signal_with_start(
        self,
        namespace: String,
        workflow_type: &str,
        input: Vec<Payload>,
        signal_name: String,
        signal_input: Vec<Payload>,
    ) -> Result<SignalWithStartWorkflowExecutionRequest, ConversionError> {
        // Whose the request is and which, the server says of a Nexus operation by itself; a replay could not say the same again.
        let request_id = self.request_id.clone().unwrap_or_default();
        // A workflow that runs gets the Signal, so `Fail`, the default of a start, makes no sense, and the server refuses it.
        let conflict_policy = match self.id_conflict_policy {
            WorkflowIdConflictPolicy::Fail => WorkflowIdConflictPolicy::UseExisting,
            policy => policy,
        };
        let start = self.into_start(namespace, workflow_type, input)?;
        Ok(SignalWithStartWorkflowExecutionRequest {
            namespace: start.namespace,
            workflow_id: start.workflow_id,
            workflow_type: start.workflow_type,
            task_queue: start.task_queue,
            input: start.input,
            workflow_execution_timeout: start.workflow_execution_timeout,
            workflow_run_timeout: start.workflow_run_timeout,
            workflow_task_timeout: start.workflow_task_timeout,
            request_id,
            workflow_id_reuse_policy: start.workflow_id_reuse_policy,
            workflow_id_conflict_policy: conflict_policy.to_proto().into(),
            signal_name,
            signal_input: payloads(signal_input),
            retry_policy: start.retry_policy,
            cron_schedule: start.cron_schedule,
            memo: start.memo,
            search_attributes: start.search_attributes,
            workflow_start_delay: start.workflow_start_delay,
            user_metadata: start.user_metadata,
            priority: start.priority,
            versioning_override: start.versioning_override,
            ..SignalWithStartWorkflowExecutionRequest::default()
        })
    }

    fn into_request(
        self,
        client: &Client,
        workflow_type: &str,
        input: Vec<Payload>,
    ) -> Result<StartWorkflowExecutionRequest, ConversionError> {
        let request_id = self.request_id.clone().unwrap_or_else(random::request_id);
        let start = self.into_start(client.namespace().to_owned(), workflow_type, input)?;
        Ok(StartWorkflowExecutionRequest { identity: client.identity().to_owned(), request_id, ..start })
    }

    /// Without what says who asks.
    fn into_start(
        self,
        namespace: String,
        workflow_type: &str,
        input: Vec<Payload>,
    ) -> Result<StartWorkflowExecutionRequest, ConversionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let text = |text: Option<String>| text.map(|text| text.to_payload()).transpose();
        let (summary, details) = (text(self.static_summary)?, text(self.static_details)?);
        let has_metadata = summary.is_some() || details.is_some();
        Ok(StartWorkflowExecutionRequest {
            namespace,
            workflow_id: self.workflow_id,
            workflow_type: Some(WorkflowType { name: workflow_type.to_owned() }),
            task_queue: Some(TaskQueue {
                name: self.task_queue,
                kind: TaskQueueKind::Normal.into(),
                ..TaskQueue::default()
            }),
            input: payloads(input),
            workflow_execution_timeout: self.execution_timeout.map(to_duration),
            workflow_run_timeout: self.run_timeout.map(to_duration),
            workflow_task_timeout: self.task_timeout.map(to_duration),
            workflow_id_reuse_policy: self.id_reuse_policy.to_proto().into(),
            workflow_id_conflict_policy: self.id_conflict_policy.to_proto().into(),
            retry_policy: self.retry_policy.map(Into::into),
            cron_schedule: self.cron_schedule,
            memo: (!self.memo.is_empty()).then_some(Memo { fields: self.memo }),
            search_attributes: (!self.search_attributes.is_empty())
                .then_some(SearchAttributes { indexed_fields: self.search_attributes }),
            priority: self.priority,
            versioning_override: self.versioning_override,
            workflow_start_delay: self.start_delay.map(to_duration),
            user_metadata: has_metadata.then_some(UserMetadata { summary, details }),
            ..StartWorkflowExecutionRequest::default()
        })
    }
}

impl Client {
    /// Starts a workflow.
    ///
    /// Input and definition must belong together:
    ///
    /// ```compile_fail,E0308
    /// # use timewright_client::{Client, StartWorkflowOptions};
    /// # struct Greeting;
    /// # impl timewright_definition::WorkflowDefinition for Greeting {
    /// #     const NAME: &'static str = "Greeting";
    /// #     type Input = String;
    /// #     type Output = String;
    /// # }
    /// # async fn example(client: Client) {
    /// let options = StartWorkflowOptions::new("greetings", "greeting-of-ada");
    /// client.start_workflow(Greeting, 42, options).await; // `Greeting` takes a `String`
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the input cannot be written, a workflow with this Workflow Id is in the way, or the server refuses.
    pub async fn start_workflow<D: WorkflowDefinition>(
        &self,
        _definition: D,
        input: D::Input,
        options: StartWorkflowOptions,
    ) -> Result<WorkflowHandle<D>, StartWorkflowError> {
        let input = self
            .data_converter()
            .to_arguments(&input)
            .map_err(|source| StartWorkflowError::Conversion { workflow_id: options.workflow_id.clone(), source })?;
        self.start_workflow_untyped(D::NAME, input, options).await.map(WorkflowHandle::new)
    }

    /// Starts a workflow whose type is known only at run time.
    ///
    /// # Errors
    /// As of [`start_workflow`](Self::start_workflow).
    pub async fn start_workflow_untyped(
        &self,
        workflow_type: &str,
        input: Vec<Payload>,
        options: StartWorkflowOptions,
    ) -> Result<UntypedWorkflowHandle, StartWorkflowError> {
        let (workflow_id, request_eager_start) = (options.workflow_id.clone(), options.request_eager_start);
        let mut request = match options.into_request(self, workflow_type, input) {
            Ok(request) => request,
            Err(source) => return Err(StartWorkflowError::Conversion { workflow_id, source }),
        };
        let intercepted = match self.intercept(ClientCall::StartWorkflow(&mut request)) {
            Ok(intercepted) => intercepted,
            Err(source) => return Err(StartWorkflowError::Rpc { workflow_id, source }),
        };
        if let Err(source) = self.data_converter().encode(&mut request).await {
            return Err(StartWorkflowError::Codec { workflow_id, source });
        }
        let eager_start = match request_eager_start {
            true => self.eager_workers().reserve(&mut request).await,
            false => None,
        };
        let started = self.workflow_service().start_workflow_execution(request).await.map_err(RpcError::from);
        intercepted.end(&started);
        match started {
            Ok(response) => {
                let mut response = response.into_inner();
                if let (Some(start), Some(task)) = (eager_start, response.eager_workflow_task.take()) {
                    start.execute(task);
                }
                Ok(UntypedWorkflowHandle::of_started(self.clone(), workflow_id, response))
            }
            Err(error) => Err(start_error(workflow_id, error)),
        }
    }
}

fn start_error(workflow_id: String, source: RpcError) -> StartWorkflowError {
    if source.code() == Code::AlreadyExists {
        let run_id = error_details::already_started(source.details());
        return StartWorkflowError::AlreadyStarted { workflow_id, run_id };
    }
    StartWorkflowError::Rpc { workflow_id, source }
}

impl WorkflowIdReusePolicy {
    const fn to_proto(self) -> enums::WorkflowIdReusePolicy {
        match self {
            Self::AllowDuplicate => enums::WorkflowIdReusePolicy::AllowDuplicate,
            Self::AllowDuplicateFailedOnly => enums::WorkflowIdReusePolicy::AllowDuplicateFailedOnly,
            Self::RejectDuplicate => enums::WorkflowIdReusePolicy::RejectDuplicate,
        }
    }
}

impl WorkflowIdConflictPolicy {
    const fn to_proto(self) -> enums::WorkflowIdConflictPolicy {
        match self {
            Self::Fail => enums::WorkflowIdConflictPolicy::Fail,
            Self::TerminateExisting => enums::WorkflowIdConflictPolicy::TerminateExisting,
            Self::UseExisting => enums::WorkflowIdConflictPolicy::UseExisting,
        }
    }
}

/// A list of Payloads as messages have it: absent where there are none.
pub(crate) fn payloads(payloads: Vec<Payload>) -> Option<Payloads> {
    (!payloads.is_empty()).then_some(Payloads { payloads })
}

fn run_text(run_id: &Option<String>) -> String {
    run_id.as_ref().map(|run_id| format!(" (run {run_id})")).unwrap_or_default()
}
