//! Queries that have no answer yet.
//!
//! Facts (server 1.32):
//! - A Query to a run that has no Workflow Task pending gets a task of its own: on the sticky queue without any history,
//!   else on the normal queue with all of it. If nobody takes it from the sticky queue in time, it goes to the normal
//!   one, and the run loses its sticky queue.
//! - A Query to a run whose task is pending, or whose first task was never completed, comes with that task, once that is
//!   started; if the task was started before, with the next. If no next task follows, or the worker leaves it unanswered,
//!   it gets a task of its own.
//! - The history in a task of its own ends with all that is shown at that moment, also of a Workflow Task that is not
//!   recorded.
//! - After a refused completion it is asked again, whatever the answer was.
//! - From the third attempt of a Workflow Task on, Queries are refused at once. A run that was closed before a task was
//!   completed cannot be asked.

use std::collections::BTreeMap;

use timewright_proto::query::WorkflowQuery;
use timewright_proto::workflow_service::QueryWorkflowResponse;

use crate::error::ServerError;
use crate::time::Time;

/// Names a Query that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(crate) u64);

/// All Queries that were asked.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    queries: BTreeMap<u64, Query>,
}

#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) run_id: String,
    /// Its name within a Workflow Task.
    pub(crate) key: String,
    pub(crate) query: WorkflowQuery,
    pub(crate) place: Place,
}

/// Where a Query is.
#[derive(Debug)]
pub(crate) enum Place {
    /// It goes with the run's Workflow Task.
    WithTask,
    /// It is in a queue, if in the sticky one only until then.
    InQueue { expires: Option<Time> },
    /// A worker has it in a task of its own.
    WithWorker,
    /// It has been answered.
    Answered(Result<QueryWorkflowResponse, ServerError>),
}

impl Queries {
    pub(crate) fn add(&mut self, run_id: &str, key: String, query: WorkflowQuery) -> QueryId {
        let id = self.queries.len() as u64;
        self.queries.insert(id, Query { run_id: run_id.to_owned(), key, query, place: Place::WithTask });
        QueryId(id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Query> {
        self.queries.get_mut(&id)
    }

    pub(crate) fn answer(&self, id: QueryId) -> Option<&Result<QueryWorkflowResponse, ServerError>> {
        match &self.queries.get(&id.0)?.place {
            Place::Answered(answer) => Some(answer),
            Place::WithTask | Place::InQueue { .. } | Place::WithWorker => None,
        }
    }

    /// Those that go with the run's Workflow Task.
    pub(crate) fn with_task(&mut self, run_id: &str) -> impl Iterator<Item = (u64, &mut Query)> {
        self.queries
            .iter_mut()
            .filter(move |(_, query)| query.run_id == run_id && matches!(query.place, Place::WithTask))
            .map(|(id, query)| (*id, query))
    }

    /// The Query that is next to be given up by its sticky queue.
    pub(crate) fn next_expiry(&self) -> Option<(Time, u64)> {
        let expiry = |(id, query): (&u64, &Query)| match query.place {
            Place::InQueue { expires: Some(expires) } => Some((expires, *id)),
            _ => None,
        };
        self.queries.iter().filter_map(expiry).min()
    }
}
