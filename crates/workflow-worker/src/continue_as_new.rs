//! How a workflow goes on as a new run.

use std::collections::BTreeMap;
use std::time::Duration;

use timewright_converter::{Arguments, ConversionError, Payload, WritableValue};
use timewright_definition::{SearchAttributeKey, SearchAttributeKind};
use timewright_proto::common::{Memo, RetryPolicy, SearchAttributes};
use timewright_proto::enums::ContinueAsNewVersioningBehavior;
use timewright_protocol::workflow::ContinueAsNew;

use crate::error::{Kind, WorkflowError};

/// How the next run is to start: [`WorkflowContext::continue_as_new_with`](crate::WorkflowContext::continue_as_new_with). What
/// is not set is as in this run.
///
/// ```
/// use std::time::Duration;
/// use timewright_workflow_worker::ContinueAsNewOptions;
///
/// let options = ContinueAsNewOptions::new().run_timeout(Duration::from_secs(3600)).memo("round", 2_u32);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ContinueAsNewOptions {
    next: ContinueAsNew,
    memo: Option<BTreeMap<String, Payload>>,
    search_attributes: Option<BTreeMap<String, Payload>>,
    /// The first value that could not be written.
    error: Option<ConversionError>,
}

impl ContinueAsNewOptions {
    /// As this run.
    pub fn new() -> Self {
        Self::default()
    }

    /// The type of the next run, which must take the same input.
    pub fn workflow_type(mut self, workflow_type: impl Into<String>) -> Self {
        self.next.workflow_type = workflow_type.into();
        self
    }

    /// Where the next run is.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> Self {
        self.next.task_queue = task_queue.into();
        self
    }

    /// The longest time that the next run may take.
    pub fn run_timeout(mut self, timeout: Duration) -> Self {
        self.next.workflow_run_timeout = Some(timeout);
        self
    }

    /// The longest time that one of its Workflow Tasks may take.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.next.workflow_task_timeout = Some(timeout);
        self
    }

    /// How it is tried again when it fails.
    pub fn retry_policy(mut self, retry_policy: impl Into<RetryPolicy>) -> Self {
        self.next.retry_policy = Some(retry_policy.into());
        self
    }

    /// Adds a field to its memo, which then has nothing of this run's.
    pub fn memo(mut self, key: impl Into<String>, value: impl WritableValue) -> Self {
        match value.write_payload() {
            Ok(payload) => _ = self.memo.get_or_insert_default().insert(key.into(), payload),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// Adds a search attribute; it then has none of this run's.
    pub fn search_attribute<K: SearchAttributeKind>(
        mut self,
        key: impl Into<SearchAttributeKey<K>>,
        value: impl Into<K::Value>,
    ) -> Self {
        let name = key.into().name().to_owned();
        match K::to_search_attribute(value.into()).to_payload() {
            Ok(payload) => _ = self.search_attributes.get_or_insert_default().insert(name, payload),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// How long to wait before its first Workflow Task.
    pub fn backoff_start_interval(mut self, interval: Duration) -> Self {
        self.next.backoff_start_interval = Some(interval);
        self
    }

    /// On which version of the worker's deployment it starts.
    pub fn initial_versioning_behavior(mut self, behavior: ContinueAsNewVersioningBehavior) -> Self {
        self.next.initial_versioning_behavior = behavior;
        self
    }

    pub(crate) fn into_error(
        self,
        workflow_type: &str,
        task_queue: &str,
        input: &impl Arguments,
        intercept: impl FnOnce(&mut ContinueAsNew),
    ) -> WorkflowError {
        let Self { mut next, memo, search_attributes, error } = self;
        let or_else = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        next.workflow_type = or_else(next.workflow_type, workflow_type);
        next.task_queue = or_else(next.task_queue, task_queue);
        next.memo = memo.map(|fields| Memo { fields });
        next.search_attributes = search_attributes.map(|indexed_fields| SearchAttributes { indexed_fields });
        match error.map_or_else(|| input.to_payloads(), Err) {
            Ok(arguments) => {
                next.arguments = arguments;
                intercept(&mut next);
                WorkflowError(Kind::ContinueAsNew(Box::new(next)))
            }
            Err(error) => error.into(),
        }
    }
}
