//! Task Queues: what waits for a worker to poll.
//!
//! Facts (server 1.32): what is in a queue names a task of a run and may be out of date; such entries are dropped when
//! they are polled. Entries of different tasks come in no promised order: a Query that was asked before a Workflow Task was
//! scheduled may come after it, and then carries a history that contains the started task. So the model chooses by its
//! seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::random::Random;

#[derive(Debug, Default)]
pub(crate) struct TaskQueues {
    workflow_tasks: BTreeMap<String, VecDeque<(String, u64)>>,
    queries: BTreeMap<String, VecDeque<u64>>,
    activity_tasks: BTreeMap<String, VecDeque<ActivityEntry>>,
    sticky_workers: BTreeSet<String>,
}

/// What a poll for workflows can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WorkflowEntry {
    /// A dispatch of a run's Workflow Task.
    Task { run_id: String, dispatch: u64 },
    /// A Query's number.
    Query(u64),
}

/// An attempt of an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActivityEntry {
    pub(crate) run_id: String,
    pub(crate) scheduled_event_id: i64,
    pub(crate) attempt: i32,
}

impl TaskQueues {
    /// Somebody polls this sticky queue, and goes on doing so.
    pub(crate) fn add_sticky_worker(&mut self, queue: &str) {
        self.sticky_workers.insert(queue.to_owned());
    }

    pub(crate) fn remove_sticky_worker(&mut self, queue: &str) {
        self.sticky_workers.remove(queue);
    }

    pub(crate) fn has_sticky_worker(&self, queue: &str) -> bool {
        self.sticky_workers.contains(queue)
    }

    pub(crate) fn push_workflow_task(&mut self, queue: &str, run_id: &str, dispatch: u64) {
        self.workflow_tasks.entry(queue.to_owned()).or_default().push_back((run_id.to_owned(), dispatch));
    }

    pub(crate) fn push_query(&mut self, queue: &str, query: u64) {
        self.queries.entry(queue.to_owned()).or_default().push_back(query);
    }

    pub(crate) fn push_activity(&mut self, queue: &str, entry: ActivityEntry) {
        self.activity_tasks.entry(queue.to_owned()).or_default().push_back(entry);
    }

    pub(crate) fn pop_workflow_entry(&mut self, queue: &str, random: &mut Random) -> Option<WorkflowEntry> {
        let tasks = self.workflow_tasks.get_mut(queue).filter(|tasks| !tasks.is_empty());
        let queries = self.queries.get_mut(queue).filter(|queries| !queries.is_empty());
        let task_first = match (&tasks, &queries) {
            (Some(_), Some(_)) => random.chance(50),
            (tasks, _) => tasks.is_some(),
        };
        if task_first {
            let (run_id, dispatch) = tasks?.pop_front()?;
            Some(WorkflowEntry::Task { run_id, dispatch })
        } else {
            queries?.pop_front().map(WorkflowEntry::Query)
        }
    }

    pub(crate) fn pop_activity(&mut self, queue: &str) -> Option<ActivityEntry> {
        self.activity_tasks.get_mut(queue)?.pop_front()
    }
}
