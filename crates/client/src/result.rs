//! Waiting for the end of a workflow.

use crate::handle::{UntypedWorkflowHandle, is_not_found};
use crate::history::{Page, PageRequest};
use crate::interceptor::ClientCall;
use crate::patience::Patience;
use crate::rpc_error::RpcError;
use bytes::Bytes;
use std::mem;
use timewright_converter::{CodecError, ConversionError, Failure, Payload};
use timewright_proto::common::{Payloads, WorkflowExecution};
use timewright_proto::enums::HistoryEventFilterType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::workflow_service::DescribeWorkflowExecutionRequest;

/// How to wait for a workflow's result.
///
/// ```
/// use timewright_client::ResultOptions;
///
/// let this_run_only = ResultOptions::default().follow_runs(false);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResultOptions {
    follow_runs: bool,
}

impl Default for ResultOptions {
    fn default() -> Self {
        Self { follow_runs: true }
    }
}

impl ResultOptions {
    /// Whether runs that follow by retry, cron or continue-as-new are waited for too. If not set, yes; so the result of
    /// a workflow with a cron schedule, which never ends, needs no.
    #[must_use]
    pub const fn follow_runs(mut self, follow_runs: bool) -> Self {
        self.follow_runs = follow_runs;
        self
    }
}

/// A workflow without a result.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowResultError {
    /// It was cancelled, and stopped for that reason.
    #[error("workflow `{workflow_id}`{} was cancelled", run_text(.run_id))]
    Cancelled {
        /// The Workflow Id.
        workflow_id: String,
        /// The run.
        run_id: String,
        /// What it said.
        details: Vec<Payload>,
    },
    /// A Payload Codec failed.
    #[error("result of workflow `{workflow_id}`: {source}")]
    Codec {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// It goes on in another run, which the caller did not want to wait for.
    #[error("workflow `{workflow_id}`{} continues as new in run {new_run_id}", run_text(.run_id))]
    ContinuedAsNew {
        /// The Workflow Id.
        workflow_id: String,
        /// The run.
        run_id: String,
        /// The run in which it goes on.
        new_run_id: String,
    },
    /// The result is not such a value.
    #[error("result of workflow `{workflow_id}`: {source}")]
    Conversion {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: ConversionError,
    },
    /// Its code failed.
    #[error("workflow `{workflow_id}`{} failed: {failure:#}", run_text(.run_id))]
    Failed {
        /// The Workflow Id.
        workflow_id: String,
        /// The run.
        run_id: String,
        /// Why, with the chain of causes.
        failure: Box<Failure>,
    },
    /// There is no such workflow.
    #[error("there is no workflow `{workflow_id}` whose result could be waited for")]
    NotFound {
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused.
    #[error("result of workflow `{workflow_id}`: {source}")]
    Rpc {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
    /// It was terminated.
    #[error("workflow `{workflow_id}`{} was terminated by {identity}: {reason}", run_text(.run_id))]
    Terminated {
        /// The Workflow Id.
        workflow_id: String,
        /// The run.
        run_id: String,
        /// Why.
        reason: String,
        /// By whom.
        identity: String,
        /// What the one who terminated it said.
        details: Vec<Payload>,
    },
    /// It took longer than its timeouts allow.
    #[error("workflow `{workflow_id}`{} timed out", run_text(.run_id))]
    TimedOut {
        /// The Workflow Id.
        workflow_id: String,
        /// The run.
        run_id: String,
    },
}

impl UntypedWorkflowHandle {
    /// As [`result`](Self::result), with options.
    ///
    /// # Errors
    /// As of [`result`](Self::result).
    pub async fn result_with(&self, options: ResultOptions) -> Result<Vec<Payload>, WorkflowResultError> {
        let call = ClientCall::WorkflowResult { workflow_id: self.workflow_id() };
        let intercepted = self
            .client()
            .intercept(call)
            .map_err(|source| WorkflowResultError::Rpc { workflow_id: self.workflow_id().to_owned(), source })?;
        let result = self.wait_for_result(options).await;
        intercepted.end(&result);
        result
    }

    async fn wait_for_result(&self, options: ResultOptions) -> Result<Vec<Payload>, WorkflowResultError> {
        let mut request = PageRequest {
            execution: self.result_execution(),
            waits: true,
            filter: HistoryEventFilterType::CloseEvent,
            token: Bytes::new(),
        };
        loop {
            let event = self.close_event(&mut request).await?;
            let next_run_id = next_run_id(&event).filter(|_| options.follow_runs).map(str::to_owned);
            let Some(run_id) = next_run_id else {
                return self.outcome(mem::take(&mut request.execution), event);
            };
            request.execution.run_id = run_id;
            request.token = Bytes::new();
        }
    }

    /// Waits for the Event that closes a run.
    async fn close_event(&self, request: &mut PageRequest) -> Result<HistoryEvent, WorkflowResultError> {
        let workflow_id = || self.workflow_id().to_owned();
        let mut patience = Patience::new(format!("waiting for the result of workflow `{}`", self.workflow_id()));
        loop {
            let fetched =
                if patience.may_wait() { request.fetch(self.client()).await } else { self.look(request).await };
            let page = match fetched {
                Ok(page) => page,
                Err(error) if is_not_found(&error) => {
                    return Err(WorkflowResultError::NotFound { workflow_id: workflow_id() });
                }
                Err(error) => {
                    patience
                        .bear(error)
                        .await
                        .map_err(|source| WorkflowResultError::Rpc { workflow_id: workflow_id(), source })?;
                    continue;
                }
            };
            let mut history = page.history;
            if patience.may_wait() {
                request.token = page.next_token.unwrap_or_default();
            }
            if history.events.is_empty() {
                // Nothing in all that time. The token, if there is one, goes on where this wait has ended.
                patience.handle_empty().await;
                continue;
            }
            if let Err(source) = self.client().data_converter().decode(&mut history).await {
                return Err(WorkflowResultError::Codec { workflow_id: workflow_id(), source });
            }
            if let Some(event) = history.events.pop() {
                return Ok(event);
            }
        }
    }

    /// What there is now, without a wait.
    async fn look(&self, request: &mut PageRequest) -> Result<Page, RpcError> {
        if request.execution.run_id.is_empty() {
            // Looks and waits that follow each other must be about the same run: another may be the latest by then.
            request.execution.run_id = self.latest_run_id().await?;
            request.token = Bytes::new();
        }
        // Without the token of a wait, which remembers that the run goes on.
        PageRequest { waits: false, token: Bytes::new(), ..request.clone() }.fetch(self.client()).await
    }

    async fn latest_run_id(&self) -> Result<String, RpcError> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.client().namespace().to_owned(),
            execution: Some(self.result_execution()),
        };
        let described = self.client().workflow_service().describe_workflow_execution(request).await?.into_inner();
        let execution = described.workflow_execution_info.and_then(|info| info.execution);
        Ok(execution.unwrap_or_default().run_id)
    }

    fn outcome(&self, execution: WorkflowExecution, event: HistoryEvent) -> Result<Vec<Payload>, WorkflowResultError> {
        let WorkflowExecution { workflow_id, run_id } = execution;
        let list = |payloads: Option<Payloads>| payloads.map(|payloads| payloads.payloads).unwrap_or_default();
        Err(match event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(completed)) => {
                return Ok(list(completed.result));
            }
            Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) => {
                let failure = failed.failure.unwrap_or_default();
                let failure = Box::new(self.client().data_converter().failure_from_proto(failure));
                WorkflowResultError::Failed { workflow_id, run_id, failure }
            }
            Some(Attributes::WorkflowExecutionCanceledEventAttributes(cancelled)) => {
                WorkflowResultError::Cancelled { workflow_id, run_id, details: list(cancelled.details) }
            }
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(terminated)) => {
                WorkflowResultError::Terminated {
                    workflow_id,
                    run_id,
                    reason: terminated.reason,
                    identity: terminated.identity,
                    details: list(terminated.details),
                }
            }
            Some(Attributes::WorkflowExecutionTimedOutEventAttributes(_)) => {
                WorkflowResultError::TimedOut { workflow_id, run_id }
            }
            Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued)) => {
                let new_run_id = continued.new_execution_run_id;
                WorkflowResultError::ContinuedAsNew { workflow_id, run_id, new_run_id }
            }
            _ => {
                let text = format!("the server sent an Event of type {} as the last", event.event_type);
                WorkflowResultError::Rpc { workflow_id, source: tonic::Status::data_loss(text).into() }
            }
        })
    }
}

/// The run that follows, by retry, cron or continue-as-new.
fn next_run_id(event: &HistoryEvent) -> Option<&str> {
    let run_id = match event.attributes.as_ref()? {
        Attributes::WorkflowExecutionCompletedEventAttributes(completed) => &completed.new_execution_run_id,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued) => &continued.new_execution_run_id,
        Attributes::WorkflowExecutionFailedEventAttributes(failed) => &failed.new_execution_run_id,
        Attributes::WorkflowExecutionTimedOutEventAttributes(timed_out) => &timed_out.new_execution_run_id,
        _ => return None,
    };
    Some(run_id.as_str()).filter(|run_id| !run_id.is_empty())
}

/// Nothing for the latest run, whose id is not known here.
fn run_text(run_id: &str) -> String {
    if run_id.is_empty() { String::new() } else { format!(" (run {run_id})") }
}

#[cfg(test)]
mod tests;
