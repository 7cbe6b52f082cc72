//! One Run of a workflow: Events in, Activations out; Commands in, the answer to the Workflow Task out.

mod answer;
mod burst;
mod progress;
mod user_code;

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_proto::{Bytes, enums::SuggestContinueAsNewReason};

use answer::SOURCE;
use burst::Burst;

use crate::workflow::activation::{Job, Query};
use crate::workflow::command::{Command, QueryAnswer};
use crate::workflow::flags::Flags;
use crate::workflow::history::{History, HistoryError, HistoryPage};
use crate::workflow::nondeterminism::Nondeterminism;
use crate::workflow::operations::{CommandError, Operations};
use crate::workflow::output::{AbandonReason, CompletionReceipt, EvictionReason, LocalActivityAttempt, Output};
use crate::workflow::task::{TaskKind, UpdateRequest, WorkflowTask};

/// A Run of a workflow, as a pure state machine: no clock, no randomness, no IO.
///
/// # Contract
///
/// - Methods named `handle_*` take something in. After each of them call [`poll_output`](Self::poll_output) until it is
///   `None`, and do what it says, in that order.
/// - [`handle_task`](Self::handle_task) may be called while [`is_idle`](Self::is_idle). [`Runs`](crate::workflow::Runs) keeps that
///   rule for many Runs, and the cache.
/// - Each [`Output::Activate`] is answered by one [`handle_commands`](Self::handle_commands) or
///   [`handle_failure`](Self::handle_failure), each [`Output::FetchHistory`] by one
///   [`handle_history`](Self::handle_history) or [`handle_history_failure`](Self::handle_history_failure), each
///   [`Output::CompleteTask`] or [`Output::RespondQuery`] by one [`handle_completed`](Self::handle_completed), or by
///   dropping the Run where the server did not take it, unless an [`Output::Evict`] came with it; each
///   [`Output::StartLocalActivity`] by one [`handle_local_activity`](Self::handle_local_activity). An answer that nobody waits for is ignored.
/// - After each of them [`poll_timeout`](Self::poll_timeout) says when to call [`handle_timeout`](Self::handle_timeout).
/// - After [`Output::Evict`] the Run does nothing any more; drop it.
///
/// The same Events give the same Activations whenever they are fed, however they are split into pages, and wherever the
/// Run was dropped and built again in between. That is what makes a workflow survive its worker.
///
/// # Example
///
/// ```
/// use std::time::Instant;
///
/// use timewright_protocol::workflow::{HistoryPage, Output, Run, TaskKind, WorkflowTask};
///
/// let mut run = Run::new();
/// run.handle_task(WorkflowTask {
///     task_token: "token".into(),
///     workflow_id: "order-7".into(),
///     run_id: "a run".into(),
///     workflow_type: "order".into(),
///     attempt: 1,
///     previous_started_event_id: 0,
///     history: HistoryPage::default(), // nothing came with the task: the Run asks for it
///     received_at: Instant::now(),
///     kind: TaskKind::Progress { started_event_id: 3, updates: Vec::new(), queries: Vec::new() },
/// });
/// assert!(matches!(run.poll_output(), Some(Output::FetchHistory { .. })));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Run {
    history: History,
    operations: Operations,
    flags: Flags,
    phase: Phase,
    /// The task that is being executed.
    task: Option<OpenTask>,
    /// The Workflow Task of the history that user code is at.
    moment: Moment,
    /// `WorkflowTaskStarted` of the last task that user code went through.
    last_started_event_id: i64,
    /// `WorkflowTaskScheduled` of that task.
    last_scheduled_event_id: i64,
    /// Where user code was before that task: where it is again if the task leaves nothing.
    before: Option<(i64, Moment)>,
    /// How long a Workflow Task may take.
    task_timeout: Option<Duration>,
    /// Signals that come one after the other.
    burst: Burst,
    /// Bytes of what user code was told, which it may hold.
    told_bytes: u64,
    /// What user code must hear next, in the same Workflow Task: outcomes that its own Commands brought about.
    next_jobs: Vec<Job>,
    outputs: VecDeque<Output>,
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Phase {
    /// No task is open.
    #[default]
    Idle,
    /// A page of history is on its way.
    Fetching,
    /// User code runs.
    Activating,
    /// User code answers a Query.
    Querying(Query),
    /// Everything is done but Local Activities: for an outcome, or until the task must be answered.
    AwaitingLocalActivities,
    /// The answer to the task is on its way to the server.
    Completing,
    /// Of no further use.
    Evicted,
}

#[derive(Debug, Clone)]
struct OpenTask {
    token: Bytes,
    attempt: u32,
    workflow_id: String,
    run_id: String,
    /// `WorkflowTaskStarted` of this task; `None` where it makes no progress.
    started_event_id: Option<i64>,
    /// The Query of a task that is nothing else.
    only_query: bool,
    replay: bool,
    received_at: Instant,
    /// It must be answered now, whatever Local Activities do.
    is_due: bool,
    /// What user code was told for the first time.
    news: News,
    updates: Vec<UpdateRequest>,
    queries: VecDeque<Query>,
    answers: Vec<(String, QueryAnswer)>,
}

/// What a task brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum News {
    #[default]
    None,
    /// Signals, and nothing else.
    Signals,
    Other,
}

/// What user code sees of the Workflow Task that it is at.
#[derive(Debug, Clone)]
struct Moment {
    time: SystemTime,
    replaying: bool,
    history_length: u64,
    history_bytes: u64,
    continue_as_new_suggested: bool,
    continue_as_new_reasons: Vec<SuggestContinueAsNewReason>,
    target_worker_deployment_version_changed: bool,
    deployment_version: Option<WorkerDeploymentVersion>,
}

impl Default for Moment {
    fn default() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            replaying: true,
            history_length: 0,
            history_bytes: 0,
            continue_as_new_suggested: false,
            continue_as_new_reasons: Vec::new(),
            target_worker_deployment_version_changed: false,
            deployment_version: None,
        }
    }
}

/// Why a task fails, from inside.
enum Problem {
    Nondeterminism(Box<Nondeterminism>),
    History(HistoryError),
    Flags(crate::workflow::flags::UnknownFlag),
    Command(CommandError),
}

impl Run {
    /// A Run of which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a task may be handed in.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.task.is_none()
    }

    /// Whether this Run can go on with a task: the task's history continues what the Run has. Otherwise drop the Run, and
    /// hand the task to a new one.
    pub fn continues(&self, task: &WorkflowTask) -> bool {
        let first = task.history.events.first().map_or(self.history.last_id() + 1, |event| event.event_id);
        let is_contiguous = first <= self.history.last_id() + 1;
        match task.kind {
            // What was started after the last task that we know of was completed by somebody else, or is gone.
            TaskKind::Progress { .. } => is_contiguous && task.previous_started_event_id == self.last_started_event_id,
            TaskKind::Query(_) => is_contiguous,
            TaskKind::Replay => false,
        }
    }

    /// Takes a task to execute. While another is open this is a mistake of the caller's, and the task is abandoned.
    pub fn handle_task(&mut self, task: WorkflowTask) {
        if !self.is_idle() {
            self.abandon(task.task_token, AbandonReason::Superseded);
            return;
        }
        let (started_event_id, only_query, mut updates, queries) = match task.kind {
            TaskKind::Progress { started_event_id, updates, queries } => {
                (Some(started_event_id), false, updates, queries)
            }
            TaskKind::Query(query) => (None, true, Vec::new(), vec![query]),
            TaskKind::Replay => (None, false, Vec::new(), Vec::new()),
        };
        updates.sort_by_key(|update| update.sequencing_event_id);
        self.task = Some(OpenTask {
            token: task.task_token,
            attempt: task.attempt,
            workflow_id: task.workflow_id,
            run_id: task.run_id,
            started_event_id,
            only_query,
            replay: started_event_id.is_none() && !only_query,
            received_at: task.received_at,
            is_due: false,
            news: News::default(),
            updates,
            queries: queries.into(),
            answers: Vec::new(),
        });
        let first = task.history.events.first().map(|event| event.event_id);
        let starts_too_late = first.is_some_and(|first| first > self.history.last_id() + 1);
        let starts_nowhere = first.is_none() && self.history.last_id() == 0;
        if starts_too_late || starts_nowhere {
            // The server thinks that we have the beginning in our cache.
            self.fetch(Bytes::new());
        } else {
            self.take_page(task.history);
        }
    }

    /// Takes the page that [`Output::FetchHistory`] asked for.
    pub fn handle_history(&mut self, page: HistoryPage) {
        if self.phase != Phase::Fetching {
            return;
        }
        self.phase = Phase::Idle;
        self.take_page(page);
    }

    /// The page that [`Output::FetchHistory`] asked for cannot be had, for the reason given.
    pub fn handle_history_failure(&mut self, reason: &str) {
        if self.phase != Phase::Fetching {
            return;
        }
        let failure = Failure {
            message: format!("the history of this workflow could not be fetched: {reason}"),
            source: SOURCE.to_owned(),
            ..Failure::default()
        };
        self.fail(WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, failure, None);
    }

    /// Takes what user code answered to an Activation.
    pub fn handle_commands(&mut self, commands: Vec<Command>) {
        let taken = match std::mem::take(&mut self.phase) {
            Phase::Activating => self.take_commands(commands),
            Phase::Querying(query) => self.take_query_answer(query, commands),
            other => {
                self.phase = other;
                return;
            }
        };
        match taken {
            Ok(()) => self.advance(),
            Err(error) => self.fail_with(Problem::Command(error)),
        }
    }

    /// User code could not answer an Activation: it panicked, its type is not known, something could not be decoded. Or it asked
    /// for a Local Activity that cannot be executed.
    pub fn handle_failure(&mut self, cause: WorkflowTaskFailedCause, failure: Failure) {
        match std::mem::take(&mut self.phase) {
            Phase::Activating | Phase::AwaitingLocalActivities => self.fail(cause, failure, None),
            Phase::Querying(query) => {
                self.answer_query(query.id, QueryAnswer::Failed(Box::new(failure)));
                self.advance();
            }
            other => self.phase = other,
        }
    }

    /// Takes an attempt of a Local Activity that is over.
    pub fn handle_local_activity(&mut self, attempt: LocalActivityAttempt) {
        if self.phase == Phase::Evicted {
            return;
        }
        self.operations.handle_attempt(attempt);
        self.outputs.extend(self.operations.take_outputs());
        if self.phase == Phase::AwaitingLocalActivities {
            self.phase = Phase::Idle;
            self.advance();
        }
    }

    /// It is as late as [`poll_timeout`](Self::poll_timeout) said. Before that, nothing happens.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        if let Some(task) = &mut self.task {
            task.is_due = true;
        }
        self.phase = Phase::Idle;
        self.advance();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): the task must be answered then, though Local Activities go on.
    /// Never, where the clock does not go so far.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let task = self.task.as_ref().filter(|_| self.phase == Phase::AwaitingLocalActivities)?;
        let latest = self.task_timeout.unwrap_or(DEFAULT_TASK_TIMEOUT).mul_f64(HEARTBEAT_AFTER);
        // What the server is to begin meanwhile must not wait for long.
        let after = if self.operations.has_urgent() { latest.min(URGENT_WAIT) } else { latest };
        task.received_at.checked_add(after)
    }

    /// Whether a task that came meanwhile shows that the one which waits for Local Activities has timed out, or is forgotten.
    pub(crate) fn waits_in_vain(&self, newcomer: &WorkflowTask) -> bool {
        let task = self.task.as_ref().filter(|_| self.phase == Phase::AwaitingLocalActivities);
        // Events do not tell all attempts apart, nor a task that the server has forgotten from the next.
        task.is_some_and(|task| match newcomer.kind {
            TaskKind::Progress { started_event_id, .. } => {
                newcomer.task_token != task.token
                    && (Some(started_event_id), newcomer.attempt) >= (task.started_event_id, task.attempt)
            }
            TaskKind::Query(_) | TaskKind::Replay => false,
        })
    }

    /// Whether Local Activities are executed for it. Dropping the Run would be in vain then: a task asks for them at once.
    pub fn has_local_activities(&self) -> bool {
        self.operations.has_local_activities()
    }

    /// How many bytes the Run holds, and user code may hold of what it was told. An estimate.
    pub fn bytes(&self) -> u64 {
        self.told_bytes + self.operations.bytes() + size_of::<Self>() as u64
    }

    /// The server took the answer to the task.
    pub fn handle_completed(&mut self, receipt: CompletionReceipt) {
        if self.phase != Phase::Completing {
            return;
        }
        self.phase = Phase::Idle;
        self.task = None;
        if self.outputs.is_empty() {
            // With its room, as that of the history.
            self.outputs = VecDeque::new();
        }
        if receipt.reset_history_event_id.is_some()
            && let Some((started_event_id, moment)) = self.before.take()
        {
            // What the task was started with is not in the history.
            self.history.roll_back(self.last_scheduled_event_id - 1);
            self.last_started_event_id = started_event_id;
            self.moment = moment;
        }
    }

    /// Drops the Run: what is open is abandoned.
    pub fn handle_eviction(&mut self, reason: EvictionReason) {
        if self.phase == Phase::Evicted {
            return;
        }
        let answered = self.phase == Phase::Completing;
        if let Some(task) = self.task.take().filter(|_| !answered) {
            self.abandon(task.token, AbandonReason::Evicted);
        }
        self.evict(reason);
    }

    /// What to do next; `None` when there is nothing until the next `handle_*`.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

/// As the server's.
const DEFAULT_TASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Commands and answers to Updates wait for Local Activities that may end soon, and save a Workflow Task by that.
const URGENT_WAIT: Duration = Duration::from_millis(200);

/// Part of the Workflow Task Timeout after which a task is answered though Local Activities go on, as in other SDKs.
const HEARTBEAT_AFTER: f64 = 0.8;
