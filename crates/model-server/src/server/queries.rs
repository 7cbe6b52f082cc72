//! Queries between clients and workers. What the model knows of them stands in `query.rs`.

use std::collections::BTreeMap;

use timewright_proto::common::Payloads;
use timewright_proto::enums::QueryResultType;
use timewright_proto::history::History;
use timewright_proto::query::WorkflowQueryResult;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueResponse, QueryWorkflowRequest, QueryWorkflowResponse, RespondQueryTaskCompletedRequest,
};

use super::Server;
use super::workflow_tasks::{recorded_after, task_of};
use crate::error::ServerError;
use crate::query::{Place, QueryId};
use crate::token::QueryToken;

impl Server {
    /// `QueryWorkflow`, its first half: the question. Reject conditions are not modelled.
    pub fn query(&mut self, request: QueryWorkflowRequest) -> Result<QueryId, ServerError> {
        let run_id = self.resolve(request.execution.as_ref())?;
        let not_found = || ServerError::NotFound(format!("workflow not found for run ID: {run_id}"));
        let run = self.runs.get(&run_id).ok_or_else(not_found)?;
        let had_task = run.previous_started_event_id > 0;
        if !run.is_running() && !had_task {
            return Err(closed_too_early());
        }
        if run.next_attempt >= FIRST_ATTEMPT_WITHOUT_QUERIES {
            return Err(ServerError::FailedPrecondition(
                "Unable to query workflow due to Workflow Task in failed state.".into(),
            ));
        }
        let is_idle = !run.is_running() || run.task.is_none();
        let key = self.random.uuid();
        let query = self.queries.add(&run_id, key, request.query.unwrap_or_default());
        if had_task && is_idle {
            self.dispatch_query(query.0);
        }
        Ok(query)
    }

    /// `QueryWorkflow`, its second half: the answer, `None` while there is none.
    pub fn query_answer(&self, query: QueryId) -> Option<&Result<QueryWorkflowResponse, ServerError>> {
        self.queries.answer(query)
    }

    /// `RespondQueryTaskCompleted`.
    ///
    /// Fact (server 1.32): only the first answer is taken.
    pub fn handle_query_task_completed(
        &mut self,
        request: RespondQueryTaskCompletedRequest,
    ) -> Result<(), ServerError> {
        let token = QueryToken::decode(&request.task_token)?;
        let query = self
            .queries
            .get_mut(token.query)
            .filter(|query| matches!(query.place, Place::WithWorker))
            .ok_or_else(|| ServerError::NotFound("query task not found, or already expired".into()))?;
        let result_type = request.completed_type();
        query.place = Place::Answered(answer(result_type, request.query_result, request.error_message));
        Ok(())
    }

    /// Answers that came with a Workflow Task.
    pub(super) fn answer_queries(&mut self, run_id: &str, mut results: BTreeMap<String, WorkflowQueryResult>) {
        for (_, query) in self.queries.with_task(run_id) {
            if let Some(result) = results.remove(&query.key) {
                query.place = Place::Answered(answer(result.result_type(), result.answer, result.error_message));
            }
        }
    }

    /// Gives Queries that have no Workflow Task to go with tasks of their own.
    pub(super) fn release_queries(&mut self, run_id: &str) {
        let queries: Vec<u64> = self.queries.with_task(run_id).map(|(id, _)| id).collect();
        for query in queries {
            self.dispatch_query(query);
        }
    }

    /// Gives a Query to the worker that polled the queue. `None` if it does not wait there any more.
    pub(super) fn hand_out_query(&mut self, id: u64, queue: &str) -> Option<PollWorkflowTaskQueueResponse> {
        let query = self.queries.get_mut(id)?;
        let run = self.runs.get(&query.run_id)?;
        let is_sticky = match query.place {
            Place::InQueue { expires } => expires.is_some(),
            Place::WithTask | Place::WithWorker | Place::Answered(_) => return None,
        };
        if is_sticky && queue == run.task_queue() {
            return None;
        }
        query.place = Place::WithWorker;
        let knows_run = run.sticky.as_ref().is_some_and(|sticky| sticky.queue == queue);
        let events =
            if knows_run { Vec::new() } else { recorded_after(run, 0).chain(run.transient_events(true)).collect() };
        let (events, next_page_token) = self.deliveries.first(events, self.options.pages);
        Some(PollWorkflowTaskQueueResponse {
            task_token: QueryToken { query: id }.encode(),
            attempt: 1,
            history: Some(History { events }),
            next_page_token,
            query: Some(query.query.clone()),
            ..task_of(run)
        })
    }

    /// The sticky queue did not hand the Query out in time.
    pub(super) fn take_back_query(&mut self, id: u64) {
        let Some(query) = self.queries.get_mut(id) else { return };
        let run_id = query.run_id.clone();
        query.place = Place::WithTask;
        self.change(&run_id, |run, _| run.sticky = None);
        self.dispatch_query(id);
    }

    fn dispatch_query(&mut self, id: u64) {
        let Some(query) = self.queries.get_mut(id) else { return };
        let Some(run) = self.runs.get_mut(&query.run_id) else { return };
        if !run.is_running() && run.previous_started_event_id == 0 {
            query.place = Place::Answered(Err(closed_too_early()));
            return;
        }
        if run.sticky.as_ref().is_some_and(|sticky| !self.queues.has_sticky_worker(&sticky.queue)) {
            run.sticky = None;
        }
        let expires = run.sticky.as_ref().map(|sticky| self.now + sticky.schedule_to_start);
        query.place = Place::InQueue { expires };
        let queue = run.sticky.as_ref().map_or(run.task_queue(), |sticky| &sticky.queue);
        self.queues.push_query(queue, id);
    }
}

fn closed_too_early() -> ServerError {
    ServerError::FailedPrecondition("Workflow execution closed before WorkflowTaskStarted event".into())
}

fn answer(
    result_type: QueryResultType,
    result: Option<Payloads>,
    error_message: String,
) -> Result<QueryWorkflowResponse, ServerError> {
    if result_type == QueryResultType::Failed {
        return Err(ServerError::InvalidArgument(error_message));
    }
    Ok(QueryWorkflowResponse { query_result: result, ..QueryWorkflowResponse::default() })
}

const FIRST_ATTEMPT_WITHOUT_QUERIES: i32 = 3;
