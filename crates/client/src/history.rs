//! Event Histories, page by page.

use crate::client::Client;
use crate::handle::{UntypedWorkflowHandle, is_not_found};
use crate::rpc_error::RpcError;
use crate::stack::CallKind;
use bytes::Bytes;
use timewright_converter::CodecError;
use timewright_proto::Message;
use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::HistoryEventFilterType;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::workflow_service::GetWorkflowExecutionHistoryRequest;

/// An Event History that was not received.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowHistoryError {
    /// A Payload Codec failed.
    #[error("history of workflow `{workflow_id}`: {source}")]
    Codec {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: CodecError,
    },
    /// There is no such workflow.
    #[error("there is no workflow `{workflow_id}` whose history could be read")]
    NotFound {
        /// The Workflow Id.
        workflow_id: String,
    },
    /// The server refused, or could not be reached.
    #[error("history of workflow `{workflow_id}`: {source}")]
    Rpc {
        /// The Workflow Id.
        workflow_id: String,
        /// What failed.
        source: RpcError,
    },
}

/// The pages of an Event History, in order, one with each [`next`](Self::next). Payloads are decoded.
///
/// ```no_run
/// # async fn example(handle: timewright_client::UntypedWorkflowHandle) -> Result<(), Box<dyn std::error::Error>> {
/// let mut pages = handle.history_pages();
/// while let Some(events) = pages.next().await? {
///     for event in events {
///         println!("{} {}", event.event_id, event.event_type().as_str_name());
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct HistoryPages {
    handle: UntypedWorkflowHandle,
    /// `None` at the end.
    request: Option<PageRequest>,
}

impl HistoryPages {
    /// The next page, which can be empty; `None` after the last.
    ///
    /// # Errors
    /// If there is no such workflow, or the server cannot be asked. The same page can then be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<HistoryEvent>>, WorkflowHistoryError> {
        let Some(request) = &mut self.request else { return Ok(None) };
        let workflow_id = || self.handle.workflow_id().to_owned();
        let client = self.handle.client();
        let page = match request.fetch(client).await {
            Ok(page) => page,
            Err(error) if is_not_found(&error) => {
                return Err(WorkflowHistoryError::NotFound { workflow_id: workflow_id() });
            }
            Err(source) => return Err(WorkflowHistoryError::Rpc { workflow_id: workflow_id(), source }),
        };
        let mut history = page.history;
        if let Err(source) = client.data_converter().decode(&mut history).await {
            return Err(WorkflowHistoryError::Codec { workflow_id: workflow_id(), source });
        }
        match page.next_token {
            Some(token) => request.token = token,
            None => self.request = None,
        }
        Ok(Some(history.events))
    }
}

impl UntypedWorkflowHandle {
    /// The Event History as it is now, page by page, for histories that are long.
    #[must_use]
    pub fn history_pages(&self) -> HistoryPages {
        let request = PageRequest {
            execution: self.execution(),
            waits: false,
            filter: HistoryEventFilterType::AllEvent,
            token: Bytes::new(),
        };
        HistoryPages { handle: self.clone(), request: Some(request) }
    }

    /// The whole Event History as it is now.
    ///
    /// # Errors
    /// If there is no such workflow, or the server cannot be asked.
    pub async fn history(&self) -> Result<History, WorkflowHistoryError> {
        let mut pages = self.history_pages();
        let mut history = History::default();
        while let Some(events) = pages.next().await? {
            history.events.extend(events);
        }
        Ok(history)
    }
}

/// What to ask the server for.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest {
    pub(crate) execution: WorkflowExecution,
    /// Whether the server answers only when there is something new.
    pub(crate) waits: bool,
    pub(crate) filter: HistoryEventFilterType,
    pub(crate) token: Bytes,
}

/// What the server answers. Payloads are as they came.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) history: History,
    pub(crate) next_token: Option<Bytes>,
}

impl PageRequest {
    pub(crate) async fn fetch(&self, client: &Client) -> Result<Page, RpcError> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: client.namespace().to_owned(),
            execution: Some(self.execution.clone()),
            next_page_token: self.token.clone(),
            wait_new_event: self.waits,
            history_event_filter_type: self.filter.into(),
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        let kind = if self.waits { CallKind::LongPoll } else { CallKind::Unary };
        let response = client.workflow_service().get_workflow_execution_history(kind.request(request)).await?;
        let response = response.into_inner();
        let mut history = response.history.unwrap_or_default();
        // A server can be set up to send Events as it stores them.
        for blob in response.raw_history {
            let raw = History::decode(blob.data).map_err(|error| {
                RpcError::from(tonic::Status::data_loss(format!("the server sent a history that is none: {error}")))
            })?;
            history.events.extend(raw.events);
        }
        let next_token = Some(response.next_page_token).filter(|token| !token.is_empty());
        Ok(Page { history, next_token })
    }
}
