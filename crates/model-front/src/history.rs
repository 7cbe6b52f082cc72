//! `GetWorkflowExecutionHistory`, with the waiting that the model leaves out.

use timewright_proto::common::WorkflowExecution;
use timewright_proto::enums::HistoryEventFilterType;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::workflow_service::{GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse};
use tonic::Status;

use crate::front::{Front, Inside, status};
use crate::routes::LONG_POLL;

impl Front {
    /// Facts (server 1.32): whoever waits gets what is there at once, and then a token with which to wait for more, until the
    /// run is closed. Whoever wants the last Event only and waits gets it when the run is closed. What does not come in
    /// twenty seconds is answered by nothing, and a token to wait on.
    pub(crate) async fn history(
        &self,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<GetWorkflowExecutionHistoryResponse, Status> {
        let only_last = request.history_event_filter_type() == HistoryEventFilterType::CloseEvent;
        let follow = Follow::from_token(&request.next_page_token);
        if follow.is_none() && !request.wait_new_event && !only_last {
            return self.try_call(|server| server.history_page(&request));
        }
        let follow = match follow {
            Some(follow) => follow,
            None => Follow { run: self.run_of(request.execution.unwrap_or_default())?, next_event_id: 1 },
        };
        let waits = request.wait_new_event;
        let news = self.wait(LONG_POLL, |inside| follow.news(inside, waits, only_last)).await;
        Ok(news.unwrap_or_else(|| follow.response(Vec::new(), Some(follow.next_event_id))))
    }

    /// The execution with its Run Id.
    pub(crate) fn run_of(&self, mut execution: WorkflowExecution) -> Result<WorkflowExecution, Status> {
        self.call(|Inside { server, .. }| {
            if execution.run_id.is_empty() {
                execution.run_id = server.latest_run(&execution.workflow_id).unwrap_or_default().to_owned();
            }
            server.history(&execution.workflow_id, Some(&execution.run_id)).is_some()
        })
        .then_some(())
        .ok_or_else(|| status(timewright_model_server::ServerError::NotFound("workflow not found".into())))?;
        Ok(execution)
    }
}

/// How far somebody has read who follows a run.
struct Follow {
    run: WorkflowExecution,
    next_event_id: i64,
}

impl Follow {
    fn from_token(token: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(token).ok()?.strip_prefix(TOKEN)?;
        let mut parts = text.splitn(3, '/');
        let next_event_id = parts.next()?.parse().ok()?;
        let run_id = parts.next()?.to_owned();
        Some(Self { run: WorkflowExecution { run_id, workflow_id: parts.next()?.to_owned() }, next_event_id })
    }

    fn news(
        &self,
        Inside { server, .. }: &mut Inside,
        waits: bool,
        only_last: bool,
    ) -> Option<GetWorkflowExecutionHistoryResponse> {
        let WorkflowExecution { workflow_id, run_id } = &self.run;
        let events = server.history(workflow_id, Some(run_id))?;
        let is_closed = events.last().is_some_and(is_close);
        if only_last {
            return (is_closed || !waits).then(|| self.response(events.last().cloned().into_iter().collect(), None));
        }
        let news: Vec<HistoryEvent> =
            events.iter().filter(|event| event.event_id >= self.next_event_id).cloned().collect();
        let next_event_id = events.last().map_or(1, |event| event.event_id + 1);
        (is_closed || !news.is_empty()).then(|| self.response(news, (!is_closed).then_some(next_event_id)))
    }

    fn response(&self, events: Vec<HistoryEvent>, next: Option<i64>) -> GetWorkflowExecutionHistoryResponse {
        let WorkflowExecution { workflow_id, run_id } = &self.run;
        let token = next.map(|next| format!("{TOKEN}{next}/{run_id}/{workflow_id}"));
        GetWorkflowExecutionHistoryResponse {
            history: Some(History { events }),
            next_page_token: token.unwrap_or_default().into(),
            ..GetWorkflowExecutionHistoryResponse::default()
        }
    }
}

/// Whether nothing can come behind this Event.
pub(crate) fn is_close(event: &HistoryEvent) -> bool {
    use timewright_proto::enums::EventType as Type;
    matches!(
        event.event_type(),
        Type::WorkflowExecutionCompleted
            | Type::WorkflowExecutionFailed
            | Type::WorkflowExecutionTimedOut
            | Type::WorkflowExecutionCanceled
            | Type::WorkflowExecutionTerminated
            | Type::WorkflowExecutionContinuedAsNew
    )
}

/// What the tokens of those who follow begin with; the model's own tokens do not.
const TOKEN: &str = "follow/";
