//! Many Runs: the sticky cache, and tasks that come while their Run is busy.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;

use super::command::Command;
use super::history::HistoryPage;
use super::output::{AbandonReason, CompletionReceipt, EvictionReason, LocalActivityAttempt, Output};
use super::run::Run;
use super::task::{TaskKind, WorkflowTask};

/// All Runs of a worker, or of one of its threads.
///
/// The contract is that of [`Run`], with a [`RunKey`] beside each input and output. `Runs` adds:
///
/// - A task whose Run is busy waits. A newer task that makes progress replaces an older one that waits, and the Queries that
///   wait with it: the server does not expect their answers any more, and a Query must not see the future. A Run that only
///   waits for Local Activities is not waited for: what its task heard comes again with the newer one, so it starts anew. Nor is one
///   whose answer has ended it.
/// - A task which does not continue the cached Run starts it anew.
/// - No more Runs stay than [`CacheLimits`] allow; the one that was used longest ago leaves first. A Run that has a task open or
///   Local Activities under way never leaves, so there may be more for a while.
/// - A Run that was not used for as long as [`CacheLimits::idle`] leaves, also one with Local Activities: its forced task has gone
///   elsewhere, and nobody here will hear of it again.
/// - What comes for a Run that has left, also if another has taken its place, is ignored.
///
/// <https://docs.temporal.io/sticky-execution>
#[derive(Debug)]
pub struct Runs {
    /// In boxes: else each that comes or goes would move its neighbours in the tree, which are large.
    entries: BTreeMap<Arc<str>, Box<Entry>>,
    limits: CacheLimits,
    /// The Runs by their last use.
    by_use: BTreeMap<u64, Arc<str>>,
    /// When to wake which Run.
    by_timeout: BTreeSet<(Instant, Arc<str>)>,
    bytes: u64,
    /// Counts uses, so that they have an order.
    uses: u64,
    /// The latest time that was heard of.
    now: Option<Instant>,
    generations: u64,
    outputs: VecDeque<(RunKey, Output)>,
}

/// How much may stay when there is nothing to do for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// How many Runs. With none, each task is executed from the beginning of its history.
    pub runs: usize,
    /// How many bytes, as [`Run::bytes`] estimates them.
    pub bytes: u64,
    /// How long a Run may go unused; for ever where this is `None`.
    pub idle: Option<Duration>,
}

impl CacheLimits {
    /// So many Runs, whatever their size.
    pub const fn runs(runs: usize) -> Self {
        Self { runs, bytes: u64::MAX, idle: None }
    }
}

/// What a task finds in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheLookup {
    /// It is the first of its workflow, which can be in no cache yet.
    First,
    /// Its Run, to go on with.
    Hit,
    /// Nothing of use: user code goes through the history again.
    Miss,
}

/// One Run while it is cached. When it has left and is built again, it has another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunKey {
    run_id: Arc<str>,
    generation: u64,
}

impl RunKey {
    /// The Run Id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }
}

#[derive(Debug)]
struct Entry {
    run: Run,
    generation: u64,
    last_use: u64,
    /// When that was; `None` before any time was heard of.
    used_at: Option<Instant>,
    bytes: u64,
    timeout: Option<Instant>,
    /// Tasks that came while the Run was busy.
    waiting: VecDeque<WorkflowTask>,
}

impl Runs {
    /// Room for as much as `limits` say.
    pub fn new(limits: CacheLimits) -> Self {
        Self {
            entries: BTreeMap::new(),
            limits,
            by_use: BTreeMap::new(),
            by_timeout: BTreeSet::new(),
            bytes: 0,
            uses: 0,
            now: None,
            generations: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Generations count from here: so that keys of several `Runs` which follow each other differ.
    #[must_use]
    pub fn generations_above(mut self, last: u64) -> Self {
        self.generations = last;
        self
    }

    /// How many Runs there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no Run.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes all Runs together have, as [`Run::bytes`] estimates them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The key of the Run of this id, if there is one.
    pub fn key(&self, run_id: &str) -> Option<RunKey> {
        let (run_id, entry) = self.entries.get_key_value(run_id)?;
        Some(RunKey { run_id: run_id.clone(), generation: entry.generation })
    }

    /// What a task would find if it was handed in now.
    pub fn look_up(&self, task: &WorkflowTask) -> CacheLookup {
        if matches!(task.kind, TaskKind::Progress { .. }) && task.previous_started_event_id == 0 {
            return CacheLookup::First;
        }
        let goes_on = self.entries.get(task.run_id.as_str()).is_some_and(|entry| match entry.run.is_idle() {
            true => entry.run.continues(task),
            // It waits for the Run.
            false => !entry.run.waits_in_vain(task),
        });
        if goes_on { CacheLookup::Hit } else { CacheLookup::Miss }
    }

    /// Takes a task to execute.
    pub fn handle_task(&mut self, task: WorkflowTask) {
        self.now = self.now.max(Some(task.received_at));
        let Some(key) = self.key(&task.run_id) else {
            self.start(task);
            return;
        };
        let Some(entry) = self.entries.get_mut(&key.run_id) else { return };
        if !entry.run.is_idle() {
            if matches!(task.kind, TaskKind::Progress { .. }) {
                // Queries stay: the server does not ask again for those, and their answer may well be of a later moment.
                let waiting = std::mem::take(&mut entry.waiting).into_iter();
                let (superseded, queries) = waiting.partition(|task| matches!(task.kind, TaskKind::Progress { .. }));
                entry.waiting = queries;
                let superseded: VecDeque<WorkflowTask> = superseded;
                self.outputs.extend(superseded.into_iter().map(|task| abandon(&key, task, AbandonReason::Superseded)));
            }
            let is_in_vain = entry.run.waits_in_vain(&task);
            entry.waiting.push_back(task);
            if is_in_vain {
                self.with_run(&key, Run::supersede);
            }
            return;
        }
        if entry.run.continues(&task) {
            self.with_run(&key, |run| run.handle_task(task));
        } else {
            self.handle_eviction(&key, EvictionReason::HistoryMismatch);
            self.start(task);
        }
    }

    /// See [`Run::handle_history`].
    pub fn handle_history(&mut self, key: &RunKey, page: HistoryPage) {
        self.with_run(key, |run| run.handle_history(page));
    }

    /// See [`Run::handle_history_failure`].
    pub fn handle_history_failure(&mut self, key: &RunKey, reason: &str) {
        self.with_run(key, |run| run.handle_history_failure(reason));
    }

    /// See [`Run::handle_commands`].
    pub fn handle_commands(&mut self, key: &RunKey, commands: Vec<Command>) {
        self.with_run(key, |run| run.handle_commands(commands));
    }

    /// See [`Run::handle_failure`].
    pub fn handle_failure(&mut self, key: &RunKey, cause: WorkflowTaskFailedCause, failure: Failure) {
        self.with_run(key, |run| run.handle_failure(cause, failure));
    }

    /// See [`Run::handle_local_activity`].
    pub fn handle_local_activity(&mut self, key: &RunKey, attempt: LocalActivityAttempt) {
        self.with_run(key, |run| run.handle_local_activity(attempt));
    }

    /// See [`Run::handle_completed`].
    pub fn handle_completed(&mut self, key: &RunKey, receipt: CompletionReceipt) {
        self.with_run(key, |run| run.handle_completed(receipt));
    }

    /// See [`Run::handle_timeout`]: for each Run whose time has come. And Runs leave that were not used for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(Some(now));
        while let Some((due, run_id)) = self.by_timeout.first().cloned()
            && due <= now
            && let Some(key) = self.key(&run_id)
        {
            self.with_run(&key, |run| run.handle_timeout(now));
        }
        while let Some((due, run_id)) = self.next_to_expire()
            && due <= now
        {
            self.evict_idle(&run_id, EvictionReason::Unused);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let wake = self.by_timeout.first().map(|(due, _)| *due);
        let expiry = self.next_to_expire().map(|(due, _)| due);
        wake.into_iter().chain(expiry).min()
    }

    /// Memory is scarce: so many Runs leave, those first that were used longest ago. Fewer where fewer can.
    pub fn handle_pressure(&mut self, runs: usize) {
        for _ in 0..runs {
            let Some(run_id) = self.next_to_leave() else { return };
            self.evict_idle(&run_id, EvictionReason::Requested);
        }
    }

    /// Drops a Run. One that is not there is no error: it may have left in the meantime.
    pub fn handle_eviction(&mut self, key: &RunKey, reason: EvictionReason) {
        self.with_run(key, |run| run.handle_eviction(reason));
    }

    /// Drops all Runs.
    pub fn handle_shutdown(&mut self) {
        let run_ids: Vec<Arc<str>> = self.entries.keys().cloned().collect();
        for key in run_ids.iter().filter_map(|run_id| self.key(run_id)).collect::<Vec<_>>() {
            if let Some(entry) = self.entries.get_mut(&key.run_id) {
                let waiting = entry.waiting.drain(..).map(|task| abandon(&key, task, AbandonReason::Evicted));
                self.outputs.extend(waiting);
            }
            self.handle_eviction(&key, EvictionReason::Requested);
        }
    }

    /// What to do next, and for which Run.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<(RunKey, Output)> {
        self.outputs.pop_front()
    }

    fn start(&mut self, task: WorkflowTask) {
        self.generations += 1;
        let key = RunKey { run_id: task.run_id.as_str().into(), generation: self.generations };
        let entry = Entry {
            run: Run::new(),
            generation: key.generation,
            last_use: 0,
            used_at: None,
            bytes: 0,
            timeout: None,
            waiting: VecDeque::new(),
        };
        self.entries.insert(key.run_id.clone(), Box::new(entry));
        self.with_run(&key, |run| run.handle_task(task));
    }

    /// Does something with a Run, and what follows from it.
    fn with_run(&mut self, key: &RunKey, act: impl FnOnce(&mut Run)) {
        let Some(entry) = self.entries.get_mut(&key.run_id).filter(|entry| entry.generation == key.generation) else {
            return;
        };
        act(&mut entry.run);
        let mut evicted = false;
        while let Some(output) = entry.run.poll_output() {
            evicted |= matches!(output, Output::Evict { .. });
            self.outputs.push_back((key.clone(), output));
        }
        let next = if evicted { None } else { entry.waiting.pop_front_if(|_| entry.run.is_idle()) };
        self.note(&key.run_id);
        if evicted {
            for task in self.remove(&key.run_id).map(|entry| entry.waiting).unwrap_or_default() {
                self.handle_task(task);
            }
        } else if let Some(task) = next {
            let waiting = self.entries.get_mut(&key.run_id).map(|entry| std::mem::take(&mut entry.waiting));
            self.handle_task(task);
            for task in waiting.unwrap_or_default() {
                self.handle_task(task);
            }
        }
        self.evict_surplus();
    }

    /// Notes that a Run was used, how large it is, and when it wants to be woken.
    fn note(&mut self, run_id: &Arc<str>) {
        let Some(entry) = self.entries.get_mut(run_id) else { return };
        self.uses += 1;
        self.by_use.remove(&entry.last_use);
        self.by_use.insert(self.uses, run_id.clone());
        entry.last_use = self.uses;
        entry.used_at = self.now;

        let bytes = entry.run.bytes();
        self.bytes = self.bytes - entry.bytes + bytes;
        entry.bytes = bytes;

        let timeout = entry.run.poll_timeout();
        if timeout != entry.timeout {
            self.by_timeout.extend(timeout.map(|due| (due, run_id.clone())));
            if let Some(due) = std::mem::replace(&mut entry.timeout, timeout) {
                self.by_timeout.remove(&(due, run_id.clone()));
            }
        }
    }

    fn remove(&mut self, run_id: &Arc<str>) -> Option<Box<Entry>> {
        let entry = self.entries.remove(run_id)?;
        self.by_use.remove(&entry.last_use);
        self.bytes -= entry.bytes;
        if let Some(due) = entry.timeout {
            self.by_timeout.remove(&(due, run_id.clone()));
        }
        Some(entry)
    }

    fn evict_surplus(&mut self) {
        while self.entries.len() > self.limits.runs || self.bytes > self.limits.bytes {
            let Some(run_id) = self.next_to_leave() else { return };
            self.evict_idle(&run_id, EvictionReason::CacheFull);
        }
    }

    /// The Run that was used longest ago, of those that may leave for want of room.
    fn next_to_leave(&self) -> Option<Arc<str>> {
        let may_leave = |entry: &Entry| entry.run.is_idle() && !entry.run.has_local_activities();
        self.by_use.values().find(|run_id| self.entries.get(*run_id).is_some_and(|entry| may_leave(entry))).cloned()
    }

    /// The Run that was used longest ago, of those that have no task open, and when it has been unused for too long.
    fn next_to_expire(&self) -> Option<(Instant, Arc<str>)> {
        let idle = self.limits.idle?;
        self.by_use.values().find_map(|run_id| {
            let entry = self.entries.get(run_id).filter(|entry| entry.run.is_idle())?;
            Some((entry.used_at?.checked_add(idle)?, run_id.clone()))
        })
    }

    /// Drops a Run that has no task open.
    fn evict_idle(&mut self, run_id: &Arc<str>, reason: EvictionReason) {
        let Some(mut entry) = self.remove(run_id) else { return };
        let key = RunKey { run_id: run_id.clone(), generation: entry.generation };
        entry.run.handle_eviction(reason);
        while let Some(output) = entry.run.poll_output() {
            self.outputs.push_back((key.clone(), output));
        }
    }
}

fn abandon(key: &RunKey, task: WorkflowTask, reason: AbandonReason) -> (RunKey, Output) {
    (key.clone(), Output::AbandonTask { task_token: task.task_token, reason })
}
