//! Many Runs: the sticky cache, and tasks that come while their Run is busy.

use std::collections::{BTreeMap, VecDeque};

use timewright_proto::Bytes;

use super::command::Command;
use super::history::HistoryPage;
use super::output::{AbandonReason, EvictionReason, Output};
use super::run::Run;
use super::task::{TaskKind, WorkflowTask};
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;

/// All Runs of a worker, or of one of its threads, by Run Id.
///
/// The contract is that of [`Run`], with the Run Id beside each input and output. `Runs` adds:
///
/// - A task whose Run is busy waits. A newer task that makes progress replaces an older one that waits, and the Queries that
///   wait with it: the server does not expect their answers any more, and a Query must not see the future.
/// - A task which does not continue the cached Run starts it anew.
/// - At most `capacity` Runs stay when they are idle; the one that was used longest ago leaves first. A Run that has a task
///   open never leaves, so there may be more for a while.
///
/// What is still on its way to a Run that [`handle_eviction`](Self::handle_eviction) drops must not be handed in any more: it
/// would find the Run that takes its place.
///
/// <https://docs.temporal.io/sticky-execution>
#[derive(Debug)]
pub struct Runs {
    entries: BTreeMap<String, Entry>,
    capacity: usize,
    /// Counts uses, so that they have an order.
    uses: u64,
    outputs: VecDeque<(String, Output)>,
}

#[derive(Debug)]
struct Entry {
    run: Run,
    last_use: u64,
    /// Tasks that came while the Run was busy.
    waiting: VecDeque<WorkflowTask>,
}

impl Runs {
    /// Room for `capacity` idle Runs. With none, each task is executed from the beginning of its history.
    pub fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), capacity, uses: 0, outputs: VecDeque::new() }
    }

    /// How many Runs there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no Run.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is a Run of this id.
    pub fn contains(&self, run_id: &str) -> bool {
        self.entries.contains_key(run_id)
    }

    /// Takes a task to execute.
    pub fn handle_task(&mut self, task: WorkflowTask) {
        let run_id = task.run_id.clone();
        let Some(entry) = self.entries.get_mut(&run_id) else {
            self.start(task);
            return;
        };
        if !entry.run.is_idle() {
            if matches!(task.kind, TaskKind::Progress { .. }) {
                let superseded: Vec<_> = entry.waiting.drain(..).map(|task| task.task_token).collect();
                for task_token in superseded {
                    self.abandon(&run_id, task_token, AbandonReason::Superseded);
                }
            }
            if let Some(entry) = self.entries.get_mut(&run_id) {
                entry.waiting.push_back(task);
            }
            return;
        }
        if entry.run.continues(&task) {
            self.with_run(&run_id, |run| run.handle_task(task));
        } else {
            self.handle_eviction(&run_id, EvictionReason::HistoryMismatch);
            self.start(task);
        }
    }

    /// See [`Run::handle_history`].
    pub fn handle_history(&mut self, run_id: &str, page: HistoryPage) {
        self.with_run(run_id, |run| run.handle_history(page));
    }

    /// See [`Run::handle_history_failure`].
    pub fn handle_history_failure(&mut self, run_id: &str, reason: &str) {
        self.with_run(run_id, |run| run.handle_history_failure(reason));
    }

    /// See [`Run::handle_commands`].
    pub fn handle_commands(&mut self, run_id: &str, commands: Vec<Command>) {
        self.with_run(run_id, |run| run.handle_commands(commands));
    }

    /// See [`Run::handle_failure`].
    pub fn handle_failure(&mut self, run_id: &str, cause: WorkflowTaskFailedCause, failure: Failure) {
        self.with_run(run_id, |run| run.handle_failure(cause, failure));
    }

    /// See [`Run::handle_completed`].
    pub fn handle_completed(&mut self, run_id: &str) {
        self.with_run(run_id, Run::handle_completed);
    }

    /// Drops a Run. A Run that is not there is no error: it may have left in the meantime.
    pub fn handle_eviction(&mut self, run_id: &str, reason: EvictionReason) {
        self.with_run(run_id, |run| run.handle_eviction(reason));
    }

    /// Drops all Runs.
    pub fn handle_shutdown(&mut self) {
        let run_ids: Vec<String> = self.entries.keys().cloned().collect();
        for run_id in run_ids {
            if let Some(entry) = self.entries.get_mut(&run_id) {
                let waiting: Vec<_> = entry.waiting.drain(..).map(|task| task.task_token).collect();
                for task_token in waiting {
                    self.abandon(&run_id, task_token, AbandonReason::Evicted);
                }
            }
            self.handle_eviction(&run_id, EvictionReason::Requested);
        }
    }

    /// What to do next, and for which Run.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(String, Output)> {
        self.outputs.pop_front()
    }

    fn start(&mut self, task: WorkflowTask) {
        let run_id = task.run_id.clone();
        let mut run = Run::new();
        run.handle_task(task);
        self.entries.insert(run_id.clone(), Entry { run, last_use: 0, waiting: VecDeque::new() });
        self.with_run(&run_id, |_| ());
    }

    /// Does something with a Run, and what follows from it.
    fn with_run(&mut self, run_id: &str, act: impl FnOnce(&mut Run)) {
        let Some(entry) = self.entries.get_mut(run_id) else { return };
        self.uses += 1;
        entry.last_use = self.uses;
        act(&mut entry.run);
        let mut evicted = false;
        while let Some(output) = entry.run.poll_output() {
            evicted |= matches!(output, Output::Evict { .. });
            self.outputs.push_back((run_id.to_owned(), output));
        }
        if evicted {
            let waiting = self.entries.remove(run_id).map(|entry| entry.waiting).unwrap_or_default();
            for task in waiting {
                self.handle_task(task);
            }
        } else if entry.run.is_idle()
            && let Some(task) = entry.waiting.pop_front()
        {
            let rest = std::mem::take(&mut entry.waiting);
            self.handle_task(task);
            for task in rest {
                self.handle_task(task);
            }
        }
        self.evict_surplus();
    }

    fn evict_surplus(&mut self) {
        while self.entries.len() > self.capacity {
            let idle = self.entries.iter().filter(|(_, entry)| entry.run.is_idle());
            let Some(run_id) = idle.min_by_key(|(_, entry)| entry.last_use).map(|(run_id, _)| run_id.clone()) else {
                return;
            };
            if let Some(mut entry) = self.entries.remove(&run_id) {
                entry.run.handle_eviction(EvictionReason::CacheFull);
                while let Some(output) = entry.run.poll_output() {
                    self.outputs.push_back((run_id.clone(), output));
                }
            }
        }
    }

    fn abandon(&mut self, run_id: &str, task_token: Bytes, reason: AbandonReason) {
        self.outputs.push_back((run_id.to_owned(), Output::AbandonTask { task_token, reason }));
    }
}
