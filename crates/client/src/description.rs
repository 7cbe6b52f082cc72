//! What the server knows about a workflow.

use crate::handle::{UntypedWorkflowHandle, is_not_found};
use crate::interceptor::ClientCall;
use crate::rpc_error::RpcError;
use std::time::{Duration, SystemTime};
use timewright_converter::{CodecError, ConversionError, Value};
use timewright_proto::enums::WorkflowExecutionStatus;
use timewright_proto::prost_types::Timestamp;
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use timewright_proto::workflow_service::{DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse};

/// A workflow that could not be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeWorkflowError {
    /// A Payload Codec failed.
    #[error("description of workflow `{workflow_id}`: {source}")]
    Codec {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// There is no such workflow.
    #[error("there is no workflow `{workflow_id}` that could be described")]
    NotFound {
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused, or could not be reached.
    #[error("description of workflow `{workflow_id}`: {source}")]
    Rpc {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

/// What the server knew about a workflow when it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowDescription {
    info: WorkflowExecutionInfo,
    raw: DescribeWorkflowExecutionResponse,
}

impl WorkflowDescription {
    /// The Workflow Id.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        self.info.execution.as_ref().map_or("", |execution| &execution.workflow_id)
    }

    /// The Run Id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.info.execution.as_ref().map_or("", |execution| &execution.run_id)
    }

    /// The Workflow Type's name.
    #[must_use]
    pub fn workflow_type(&self) -> &str {
        self.info.r#type.as_ref().map_or("", |workflow_type| &workflow_type.name)
    }

    /// The Task Queue.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.info.task_queue
    }

    /// Whether it runs, or how it was closed.
    #[must_use]
    pub fn status(&self) -> WorkflowExecutionStatus {
        self.info.status()
    }

    /// When it was started, by the server's clock.
    #[must_use]
    pub fn start_time(&self) -> Option<SystemTime> {
        self.info.start_time.and_then(time)
    }

    /// When it was closed, by the server's clock; `None` while it runs.
    #[must_use]
    pub fn close_time(&self) -> Option<SystemTime> {
        self.info.close_time.and_then(time)
    }

    /// How many Events its history has. Some servers say it only of closed workflows.
    #[must_use]
    pub fn history_length(&self) -> u64 {
        self.info.history_length.try_into().unwrap_or_default()
    }

    /// A note that was given at the start, or by the workflow itself; `None` if there is none by this name.
    ///
    /// # Errors
    /// If it is not such a value.
    pub fn memo<T: Value>(&self, key: &str) -> Result<Option<T>, ConversionError> {
        let payload = self.info.memo.as_ref().and_then(|memo| memo.fields.get(key));
        payload.map(|payload| T::from_payload(payload.clone())).transpose()
    }

    /// Everything that the server said: pending activities and children, search attributes, and so on. Payloads are
    /// decoded.
    #[must_use]
    pub const fn raw(&self) -> &DescribeWorkflowExecutionResponse {
        &self.raw
    }
}

impl UntypedWorkflowHandle {
    /// What the server knows about the workflow.
    ///
    /// # Errors
    /// If there is no such workflow, or the server cannot be asked.
    pub async fn describe(&self) -> Result<WorkflowDescription, DescribeWorkflowError> {
        let mut request = DescribeWorkflowExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            execution: Some(self.execution()),
        };
        let workflow_id = || self.workflow_id().to_owned();
        let intercepted = self
            .client()
            .intercept(ClientCall::DescribeWorkflow(&mut request))
            .map_err(|source| DescribeWorkflowError::Rpc { workflow_id: workflow_id(), source })?;
        let response = self.client().workflow_service().describe_workflow_execution(request).await;
        let response = response.map_err(RpcError::from);
        intercepted.end(&response);
        let mut raw = match response {
            Ok(response) => response.into_inner(),
            Err(error) if is_not_found(&error) => {
                return Err(DescribeWorkflowError::NotFound { workflow_id: workflow_id() });
            }
            Err(source) => return Err(DescribeWorkflowError::Rpc { workflow_id: workflow_id(), source }),
        };
        match self.client().data_converter().decode(&mut raw).await {
            Ok(()) => {
                let info = raw.workflow_execution_info.clone().unwrap_or_default();
                Ok(WorkflowDescription { info, raw })
            }
            Err(source) => Err(DescribeWorkflowError::Codec { workflow_id: workflow_id(), source }),
        }
    }
}

pub(crate) fn time(timestamp: Timestamp) -> Option<SystemTime> {
    let seconds = Duration::from_secs(timestamp.seconds.try_into().ok()?);
    let nanos = Duration::from_nanos(timestamp.nanos.try_into().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(seconds)?.checked_add(nanos)
}
