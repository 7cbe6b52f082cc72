//! Queries.

use crate::error_details;
use crate::handle::{UntypedWorkflowHandle, is_not_found};
use crate::interceptor::ClientCall;
use crate::rpc_error::RpcError;
use crate::start::payloads;
use timewright_converter::{CodecError, ConversionError, Failure, Payload};
use timewright_proto::enums::{QueryRejectCondition, WorkflowExecutionStatus};
use timewright_proto::query::WorkflowQuery;
use timewright_proto::workflow_service::QueryWorkflowRequest;
use tonic::Code;

/// A query without an answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryWorkflowError {
    /// A Payload Codec failed.
    #[error("query `{query}` of workflow `{workflow_id}`: {source}")]
    Codec {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// The input cannot be written as Payloads, or the answer is not such a value.
    #[error("query `{query}` of workflow `{workflow_id}`: {source}")]
    Conversion {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// The workflow's code failed to answer, or knows no such query.
    #[error("query `{query}` failed in workflow `{workflow_id}`: {failure:#}")]
    Failed {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        failure: Box<Failure>,
    },
    /// No worker has answered in time, or none seems to be there.
    #[error(
        "query `{query}` of workflow `{workflow_id}` has no answer: {}. Is a worker running that polls its Task Queue?",
        .source.message()
    )]
    NoWorker {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The workflow has no state that could be asked for: its Workflow Task fails, or it was closed before it had begun.
    #[error("query `{query}` of workflow `{workflow_id}` cannot be answered: {}", not_ready_text(.source))]
    NotReady {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// There is no such workflow.
    #[error("query `{query}`: there is no workflow `{workflow_id}`")]
    NotFound {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The workflow is in a state in which the caller did not want to query it.
    #[error("query `{query}` of workflow `{workflow_id}` was rejected because the workflow's status is {status:?}")]
    Rejected {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// The workflow's status.
        status: WorkflowExecutionStatus,
    },
    /// The server refused, or could not be reached.
    #[error("query `{query}` of workflow `{workflow_id}`: {source}")]
    Rpc {
        /// The query.
        query: String,
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

impl UntypedWorkflowHandle {
    /// Asks the workflow something, whatever its status; the answer is one Payload, or none.
    ///
    /// # Errors
    /// As of [`WorkflowHandle::query`](crate::WorkflowHandle::query).
    pub async fn query(&self, query: &str, arguments: Vec<Payload>) -> Result<Vec<Payload>, QueryWorkflowError> {
        self.query_unless(QueryRejectCondition::None, query, arguments).await
    }

    /// As [`query`](Self::query), but not if the workflow's status is one that `condition` names.
    ///
    /// # Errors
    /// As of [`WorkflowHandle::query`](crate::WorkflowHandle::query); [`QueryWorkflowError::Rejected`] in such a status.
    pub async fn query_unless(
        &self,
        condition: QueryRejectCondition,
        query: &str,
        arguments: Vec<Payload>,
    ) -> Result<Vec<Payload>, QueryWorkflowError> {
        let converter = self.client().data_converter();
        let (name, workflow_id) = (query.to_owned(), self.workflow_id().to_owned());
        let mut request = QueryWorkflowRequest {
            namespace: self.client().namespace().to_owned(),
            execution: Some(self.execution()),
            query: Some(WorkflowQuery {
                query_type: query.to_owned(),
                query_args: payloads(arguments),
                ..WorkflowQuery::default()
            }),
            query_reject_condition: condition.into(),
        };
        let intercepted = match self.client().intercept(ClientCall::QueryWorkflow(&mut request)) {
            Ok(intercepted) => intercepted,
            Err(source) => return Err(QueryWorkflowError::Rpc { query: name, workflow_id, source }),
        };
        if let Err(source) = converter.encode(&mut request).await {
            return Err(QueryWorkflowError::Codec { query: name, workflow_id, source });
        }
        let answered = self.client().workflow_service().query_workflow(request).await.map_err(RpcError::from);
        intercepted.end(&answered);
        let mut response = match answered {
            Ok(response) => response.into_inner(),
            Err(error) => return Err(self.query_error(name, error).await),
        };
        if let Some(rejected) = response.query_rejected {
            return Err(QueryWorkflowError::Rejected { query: name, workflow_id, status: rejected.status() });
        }
        match converter.decode(&mut response).await {
            Ok(()) => Ok(response.query_result.map(|result| result.payloads).unwrap_or_default()),
            Err(source) => Err(QueryWorkflowError::Codec { query: name, workflow_id, source }),
        }
    }

    async fn query_error(&self, query: String, source: RpcError) -> QueryWorkflowError {
        let workflow_id = self.workflow_id().to_owned();
        if let Some(mut failure) = error_details::query_failed(source.details(), source.message()) {
            let converter = self.client().data_converter();
            return match converter.decode(&mut failure).await {
                Ok(()) => {
                    let failure = Box::new(converter.failure_from_proto(failure));
                    QueryWorkflowError::Failed { query, workflow_id, failure }
                }
                Err(source) => QueryWorkflowError::Codec { query, workflow_id, source },
            };
        }
        match source.code() {
            _ if is_not_found(&source) => QueryWorkflowError::NotFound { query, workflow_id },
            // The same code stands for several things; only the text tells them apart.
            Code::FailedPrecondition if !source.message().contains("poller") => {
                QueryWorkflowError::NotReady { query, workflow_id, source }
            }
            Code::DeadlineExceeded | Code::FailedPrecondition => {
                QueryWorkflowError::NoWorker { query, workflow_id, source }
            }
            _ => QueryWorkflowError::Rpc { query, workflow_id, source },
        }
    }
}

fn not_ready_text(source: &RpcError) -> String {
    let message = source.message().trim_end_matches('.');
    match message.contains("Workflow Task in failed state") {
        true => format!("{message}. The WorkflowTaskFailed Event in its history says why"),
        false => message.to_owned(),
    }
}
