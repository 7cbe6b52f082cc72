//! A Workflow Task, checked once at the edge.

use std::time::Instant;

use timewright_proto::query::WorkflowQuery;
use timewright_proto::temporal::api::protocol::v1::Message as ProtocolMessage;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::temporal::api::update::v1::Request;
use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;
use timewright_proto::{Bytes, Message};

use super::activation::Query;
use super::history::HistoryPage;

/// A Workflow Task as a worker got it, with everything that it must have.
///
/// <https://docs.temporal.io/tasks#workflow-task>
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowTask {
    /// What the answer must carry.
    pub task_token: Bytes,
    /// The Workflow Id.
    pub workflow_id: String,
    /// The Run Id.
    pub run_id: String,
    /// The Workflow Type.
    pub workflow_type: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The `WorkflowTaskStarted` Event of the last completed task; 0 where there is none.
    pub previous_started_event_id: i64,
    /// The first page of history: all of it, or what is new where the worker holds the run in its cache.
    pub history: HistoryPage,
    /// When it came: it must be answered within the workflow's Workflow Task Timeout.
    pub received_at: Instant,
    /// What is to be done.
    pub kind: TaskKind,
}

/// What is to be done with a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskKind {
    /// Make progress; and answer the Queries that came along, each named by its key.
    Progress {
        /// The `WorkflowTaskStarted` Event of this task: the last of its history.
        started_event_id: i64,
        /// Updates that user code is to hear of.
        updates: Vec<UpdateRequest>,
        /// Questions to answer once progress is made.
        queries: Vec<Query>,
    },
    /// Answer one Query, make no progress.
    Query(Query),
    /// Go through a history that has been recorded, answer to nobody.
    Replay,
}

/// An Update, as the server delivers it, or as the history has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateRequest {
    /// The message that brought it.
    pub message_id: String,
    /// What names it between server and worker.
    pub protocol_instance_id: String,
    /// It came behind this Event.
    pub sequencing_event_id: i64,
    /// What is asked. `None` where an Event `WorkflowExecutionUpdateAdmitted` says it.
    pub request: Option<Request>,
}

/// A poll response that is no task. The server's fault, or that of something between it and us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server sent a Workflow Task of workflow {workflow_id:?} without {missing}; it cannot be executed, \
     so the server will hand it out again when it times out"
)]
pub struct TaskError {
    /// What must be there and is not.
    pub missing: &'static str,
    /// The workflow, where that is known.
    pub workflow_id: String,
    /// The task, where that is known.
    pub task_token: Bytes,
}

impl WorkflowTask {
    /// Checks a poll response. An empty one is `None`: the poll timed out, which is not an error.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// use timewright_proto::workflow_service::PollWorkflowTaskQueueResponse;
    /// use timewright_protocol::workflow::WorkflowTask;
    ///
    /// assert_eq!(WorkflowTask::from_poll(PollWorkflowTaskQueueResponse::default(), Instant::now()), Ok(None));
    ///
    /// let damaged = PollWorkflowTaskQueueResponse { task_token: "token".into(), ..Default::default() };
    /// assert_eq!(WorkflowTask::from_poll(damaged, Instant::now()).unwrap_err().missing, "workflow_execution");
    /// ```
    pub fn from_poll(response: PollWorkflowTaskQueueResponse, received_at: Instant) -> Result<Option<Self>, TaskError> {
        if response.task_token.is_empty() {
            return Ok(None);
        }
        let task_token = response.task_token;
        let missing = |missing, workflow_id: &str| TaskError {
            missing,
            workflow_id: workflow_id.to_owned(),
            task_token: task_token.clone(),
        };
        let execution = response.workflow_execution.ok_or_else(|| missing("workflow_execution", ""))?;
        if execution.run_id.is_empty() {
            return Err(missing("run_id", &execution.workflow_id));
        }
        let workflow_type = response.workflow_type.ok_or_else(|| missing("workflow_type", &execution.workflow_id))?;
        let kind = match response.query {
            Some(query) => TaskKind::Query(to_query(String::new(), query)),
            None => TaskKind::Progress {
                started_event_id: response.started_event_id,
                updates: response
                    .messages
                    .into_iter()
                    .map(to_update)
                    .collect::<Option<_>>()
                    .ok_or_else(|| missing("messages that can be read", &execution.workflow_id))?,
                queries: response.queries.into_iter().map(|(id, query)| to_query(id, query)).collect(),
            },
        };
        Ok(Some(Self {
            workflow_id: execution.workflow_id,
            run_id: execution.run_id,
            workflow_type: workflow_type.name,
            attempt: u32::try_from(response.attempt).unwrap_or(1).max(1),
            previous_started_event_id: response.previous_started_event_id,
            history: HistoryPage {
                events: response.history.map(|history| history.events).unwrap_or_default(),
                next_page_token: response.next_page_token,
            },
            received_at,
            kind,
            task_token,
        }))
    }
}

/// `None` for what is no request of an Update.
fn to_update(message: ProtocolMessage) -> Option<UpdateRequest> {
    let body = message.body?;
    let is_request = body.type_url.ends_with("/temporal.api.update.v1.Request");
    Some(UpdateRequest {
        message_id: message.id,
        protocol_instance_id: message.protocol_instance_id,
        sequencing_event_id: match message.sequencing_id {
            Some(SequencingId::EventId(event_id)) => event_id,
            Some(SequencingId::CommandIndex(_)) | None => 0,
        },
        request: Some(Request::decode(body.value.as_slice()).ok().filter(|_| is_request)?),
    })
}

fn to_query(id: String, query: WorkflowQuery) -> Query {
    Query {
        id,
        name: query.query_type,
        input: query.query_args.map(|arguments| arguments.payloads).unwrap_or_default(),
        header: query.header.unwrap_or_default(),
    }
}
