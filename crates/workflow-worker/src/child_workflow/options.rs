//! How a Child Workflow is to be started.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_converter::{ConversionError, Payload, Value, WritableValue};
use timewright_definition::{SearchAttributeKey, SearchAttributeKind};
use timewright_proto::common::{Memo, Priority, RetryPolicy, SearchAttributes};
use timewright_proto::enums::{ParentClosePolicy, WorkflowIdReusePolicy};
use timewright_proto::temporal::api::workflow::v1::VersioningOverride;
use timewright_protocol::workflow::{ChildWorkflowCancellationType, StartChildWorkflow};

use super::Unstarted;

/// How a Child Workflow is to be started. Made from its Workflow Id, which must be the same on every replay: take it from the
/// input, or from the parent's own.
///
/// <https://docs.temporal.io/child-workflows>
///
/// ```
/// use timewright_workflow_worker::{ChildWorkflowOptions, ParentClosePolicy};
///
/// let options = ChildWorkflowOptions::new("order-7-ship")
///     .task_queue("shipping")
///     .parent_close_policy(ParentClosePolicy::Abandon);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ChildWorkflowOptions {
    start: StartChildWorkflow,
    memo: BTreeMap<String, Payload>,
    search_attributes: BTreeMap<String, Payload>,
    /// The first value that could not be written.
    error: Option<ConversionError>,
}

impl ChildWorkflowOptions {
    /// A Child Workflow with this Workflow Id, on the parent's Task Queue.
    pub fn new(workflow_id: impl Into<String>) -> Self {
        Self {
            start: StartChildWorkflow { workflow_id: workflow_id.into(), ..StartChildWorkflow::default() },
            memo: BTreeMap::new(),
            search_attributes: BTreeMap::new(),
            error: None,
        }
    }

    /// Where it runs. Default: the parent's Task Queue.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> Self {
        self.start.task_queue = task_queue.into();
        self
    }

    /// The namespace that it runs in. Default: the parent's. Servers refuse others unless they are set up for it.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.start.namespace = namespace.into();
        self
    }

    /// The longest time that all its runs may take together. Default: no limit.
    pub fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.start.workflow_execution_timeout = Some(timeout);
        self
    }

    /// The longest time that one run may take. Default: no limit.
    pub fn run_timeout(mut self, timeout: Duration) -> Self {
        self.start.workflow_run_timeout = Some(timeout);
        self
    }

    /// The longest time that one of its Workflow Tasks may take. Default: the server's, 10 s.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.start.workflow_task_timeout = Some(timeout);
        self
    }

    /// What becomes of it when its parent ends. Default: it is terminated.
    /// <https://docs.temporal.io/parent-close-policy>
    pub fn parent_close_policy(mut self, policy: ParentClosePolicy) -> Self {
        self.start.parent_close_policy = policy;
        self
    }

    /// What cancelling it means. Default: [`ChildWorkflowCancellationType::WaitCancellationCompleted`].
    pub fn cancellation_type(mut self, cancellation_type: ChildWorkflowCancellationType) -> Self {
        self.start.cancellation_type = cancellation_type;
        self
    }

    /// Whether its Workflow Id may have been used before. Default: the server's, it may.
    pub fn id_reuse_policy(mut self, policy: WorkflowIdReusePolicy) -> Self {
        self.start.workflow_id_reuse_policy = policy;
        self
    }

    /// How it is tried again when it fails. Default: not at all.
    pub fn retry_policy(mut self, retry_policy: impl Into<RetryPolicy>) -> Self {
        self.start.retry_policy = Some(retry_policy.into());
        self
    }

    /// Runs it again and again, at these times (UTC). <https://docs.temporal.io/cron-job>
    pub fn cron_schedule(mut self, cron_schedule: impl Into<String>) -> Self {
        self.start.cron_schedule = cron_schedule.into();
        self
    }

    /// Adds a note that lists and descriptions of it show.
    pub fn memo(mut self, key: impl Into<String>, value: impl WritableValue) -> Self {
        self.note(value.write_payload(), key.into(), |options| &mut options.memo);
        self
    }

    /// Adds a search attribute, by which it can be found.
    ///
    /// ```
    /// use timewright_definition::{SearchAttributeKey, SearchAttributeValue, search_attribute_kind::Keyword};
    /// use timewright_workflow_worker::ChildWorkflowOptions;
    ///
    /// const CUSTOMER: SearchAttributeKey<Keyword> = SearchAttributeKey::new("CustomerId");
    /// let options = ChildWorkflowOptions::new("order-7-ship")
    ///     .search_attribute(&CUSTOMER, "c-17")
    ///     .search_attribute("Amount", SearchAttributeValue::Int(100)); // by a name alone
    /// ```
    pub fn search_attribute<K: SearchAttributeKind>(
        mut self,
        key: impl Into<SearchAttributeKey<K>>,
        value: impl Into<K::Value>,
    ) -> Self {
        let (key, value) = (key.into(), K::to_search_attribute(value.into()));
        self.note(value.to_payload(), key.name().to_owned(), |options| &mut options.search_attributes);
        self
    }

    /// Its place in the Task Queue: a [`Priority`](timewright_definition::Priority), or the wire's own message. Default: the
    /// parent's.
    pub fn priority(mut self, priority: impl Into<Priority>) -> Self {
        self.start.priority = Some(priority.into());
        self
    }

    /// On which version of the worker's deployment it runs, whatever else would apply: a
    /// [`VersioningOverride`](timewright_definition::VersioningOverride), or the wire's own message.
    pub fn versioning_override(mut self, versioning_override: impl Into<VersioningOverride>) -> Self {
        self.start.versioning_override = Some(versioning_override.into());
        self
    }

    /// A line for the Web UI.
    pub fn static_summary(mut self, summary: impl Into<String>) -> Self {
        // A String is always written.
        self.start.summary = summary.into().to_payload().ok();
        self
    }

    /// More about it, for the Web UI.
    pub fn static_details(mut self, details: impl Into<String>) -> Self {
        self.start.details = details.into().to_payload().ok();
        self
    }

    fn note(
        &mut self,
        payload: Result<Payload, ConversionError>,
        key: String,
        fields: fn(&mut Self) -> &mut BTreeMap<String, Payload>,
    ) {
        match payload {
            Ok(payload) => _ = fields(self).insert(key, payload),
            Err(error) => _ = self.error.get_or_insert(error),
        }
    }

    pub(crate) fn into_start(
        self,
        workflow_type: &str,
        arguments: Result<Vec<Payload>, ConversionError>,
        workflow_task_queue: &str,
    ) -> Result<StartChildWorkflow, Box<Unstarted>> {
        let Self { mut start, memo, search_attributes, error } = self;
        start.workflow_type = workflow_type.to_owned();
        if start.task_queue.is_empty() {
            start.task_queue = workflow_task_queue.to_owned();
        }
        start.memo = (!memo.is_empty()).then_some(Memo { fields: memo });
        start.search_attributes =
            (!search_attributes.is_empty()).then_some(SearchAttributes { indexed_fields: search_attributes });
        match error.map_or(arguments, Err) {
            Ok(arguments) => Ok(StartChildWorkflow { arguments, ..start }),
            Err(error) => Err(Box::new(Unstarted { start, error })),
        }
    }
}
