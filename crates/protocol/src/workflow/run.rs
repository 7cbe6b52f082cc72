//! One Run of a workflow: Events in, Activations out; Commands in, the answer to the Workflow Task out.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use timewright_proto::common::Payload;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::failure::{ApplicationFailureInfo, Failure};
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_proto::{Bytes, enums::SuggestContinueAsNewReason};

use super::activation::{Activation, Initialize, Job, LocalActivityResolution, Query, Resolution};
use super::command::{Command, QueryAnswer};
use super::event::{Event, EventKind, WorkflowTaskCompleted};
use super::flags::Flags;
use super::history::{Cut, History, HistoryError, HistoryPage, TaskEvents};
use super::nondeterminism::Nondeterminism;
use super::operations::{CommandError, LocalActivityNews, Operations, Place};
use super::output::{
    AbandonReason, Completion, CompletionReceipt, EvictionReason, LocalActivityAttempt, Output, TaskFailure,
};
use super::retry::to_std;
use super::task::{TaskKind, UpdateRequest, WorkflowTask};

/// A Run of a workflow, as a pure state machine: no clock, no randomness, no IO.
///
/// # Contract
///
/// - Methods named `handle_*` take something in. After each of them call [`poll_output`](Self::poll_output) until it is
///   `None`, and do what it says, in that order.
/// - [`handle_task`](Self::handle_task) may be called while [`is_idle`](Self::is_idle). [`Runs`](super::Runs) keeps that
///   rule for many Runs, and the cache.
/// - Each [`Output::Activate`] is answered by one [`handle_commands`](Self::handle_commands) or
///   [`handle_failure`](Self::handle_failure), each [`Output::FetchHistory`] by one
///   [`handle_history`](Self::handle_history) or [`handle_history_failure`](Self::handle_history_failure), each
///   [`Output::CompleteTask`] or [`Output::RespondQuery`] by one [`handle_completed`](Self::handle_completed), or by
///   dropping the Run where the server did not take it, each [`Output::StartLocalActivity`] by one
///   [`handle_local_activity`](Self::handle_local_activity). An answer that nobody waits for is ignored.
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
    /// The answer to the task is on its way to the server. When it has arrived the Run is dropped, if there is a reason.
    Completing(Option<EvictionReason>),
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
    updates: Vec<UpdateRequest>,
    queries: VecDeque<Query>,
    answers: Vec<(String, QueryAnswer)>,
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
    Flags(super::flags::UnknownFlag),
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
        let Phase::Completing(eviction) = self.phase else { return };
        self.phase = Phase::Idle;
        self.task = None;
        if receipt.reset_history_event_id.is_some()
            && let Some((started_event_id, moment)) = self.before.take()
        {
            // What the task was started with is not in the history.
            self.history.roll_back(self.last_scheduled_event_id - 1);
            self.last_started_event_id = started_event_id;
            self.moment = moment;
        }
        if let Some(reason) = eviction {
            self.evict(reason);
        }
    }

    /// Drops the Run: what is open is abandoned.
    pub fn handle_eviction(&mut self, reason: EvictionReason) {
        if self.phase == Phase::Evicted {
            return;
        }
        let answered = matches!(self.phase, Phase::Completing(_));
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

    fn take_page(&mut self, page: HistoryPage) {
        match self.history.handle_page(page) {
            Ok(()) => self.advance(),
            Err(error) => self.fail_with(Problem::History(error)),
        }
    }

    /// Goes on until user code, a page or the server is needed.
    fn advance(&mut self) {
        if let Err(problem) = self.try_advance() {
            self.fail_with(problem);
        }
    }

    fn try_advance(&mut self) -> Result<(), Problem> {
        loop {
            if !self.next_jobs.is_empty() {
                let jobs = std::mem::take(&mut self.next_jobs);
                let beside = self.operations.recall_local_activities(false);
                self.tell(jobs, beside);
                return Ok(());
            }
            let recalled = self.operations.recall_local_activities(true);
            if !recalled.jobs.is_empty() {
                self.tell(Vec::new(), recalled);
                return Ok(());
            }
            if self.is_live()
                && let Some(finished) = self.operations.next_finished_local_activity(self.place())
            {
                self.tell(Vec::new(), finished);
                return Ok(());
            }
            match self.history.cut() {
                Cut::NeedPage(token) => {
                    self.fetch(token);
                    return Ok(());
                }
                Cut::Task(task) if self.goes_beyond_task(&task) => {
                    self.supersede();
                    return Ok(());
                }
                Cut::Task(task) => {
                    let mut jobs = self.apply_task(task)?;
                    jobs.sort_by_key(Job::rank);
                    self.next_jobs = jobs;
                }
                Cut::Record(events) => self.apply_record(events)?,
                Cut::End => return self.answer(),
            }
        }
    }

    /// Whether these Events belong to a later Workflow Task than the one that is being executed.
    fn goes_beyond_task(&self, events: &TaskEvents) -> bool {
        let ours = self.task.as_ref().and_then(|task| task.started_event_id);
        ours.zip(events.events.last()).is_some_and(|(ours, last)| last.id > ours)
    }

    /// Takes the Events of one Workflow Task in: first the record of the Commands before, then the news.
    fn apply_task(&mut self, task: TaskEvents) -> Result<Vec<Job>, Problem> {
        let mut jobs = Vec::new();
        // What a Query makes user code do on the way counts for nothing: another task will do it.
        let replaying = task.replaying || self.task.as_ref().is_some_and(|task| task.only_query);
        self.operations.begin_task();
        self.operations.look_ahead(self.history.record(), &mut jobs);
        let mut updates = self.updates(task.replaying).into_iter().peekable();
        // Seen the completion of the task before, so that its record must be complete with the first Event of another kind.
        let mut record_is_open = false;
        for event in task.events {
            while let Some(update) = updates.next_if(|update| update.sequencing_event_id < event.id) {
                jobs.extend(self.operations.request_update(update, !replaying));
            }
            if record_is_open && !event.kind.continues_record() {
                self.operations.handle_end_of_record(event.id).map_err(Problem::Nondeterminism)?;
                record_is_open = false;
            }
            record_is_open |= matches!(event.kind, EventKind::WorkflowTaskCompleted(_));
            self.apply_event(event, replaying, &mut jobs)?;
        }
        for update in updates {
            jobs.extend(self.operations.request_update(update, !replaying));
        }
        Ok(jobs)
    }

    /// The Updates of the task that was cut: those that it accepted when it was executed before, or those that came with it.
    fn updates(&mut self, replaying: bool) -> Vec<UpdateRequest> {
        if !replaying {
            return self.task.as_mut().map(|task| std::mem::take(&mut task.updates)).unwrap_or_default();
        }
        let accepted = self.history.record().filter_map(|event| match &event.kind {
            EventKind::WorkflowExecutionUpdateAccepted(accepted) => Some(UpdateRequest {
                message_id: accepted.message_id.clone(),
                protocol_instance_id: accepted.protocol_instance_id.clone(),
                sequencing_event_id: accepted.sequencing_event_id,
                request: accepted.request.clone(),
            }),
            _ => None,
        });
        let mut accepted: Vec<_> = accepted.collect();
        accepted.sort_by_key(|update| update.sequencing_event_id);
        accepted
    }

    fn apply_event(&mut self, event: Event, replaying: bool, jobs: &mut Vec<Job>) -> Result<(), Problem> {
        if event.kind.is_command() {
            return self.operations.handle_record(&event).map_err(Problem::Nondeterminism);
        }
        match event.kind {
            EventKind::WorkflowExecutionStarted(started) => {
                jobs.push(Job::Initialize(Box::new(self.initialize(event.time, started))));
            }
            EventKind::WorkflowExecutionSignaled(signal) => jobs.push(Job::Signal {
                name: signal.name,
                input: signal.input,
                header: signal.header,
                identity: signal.identity,
            }),
            EventKind::WorkflowExecutionCancelRequested { reason } => jobs.push(Job::RequestCancellation { reason }),
            EventKind::WorkflowTaskFailed { cause: WorkflowTaskFailedCause::ResetWorkflow, new_run_id } => {
                jobs.push(Job::UpdateRandomSeed { seed: seed(&new_run_id) });
            }
            EventKind::WorkflowExecutionUpdateAdmitted(request) => {
                let update = self.operations.admit_update(event.id, *request);
                // The server sends no message for it. Where the task was completed, its record says what became of it.
                if !replaying {
                    jobs.extend(self.operations.request_update(update, true));
                }
            }
            EventKind::WorkflowTaskCompleted(completed) => self.apply_completion(&completed)?,
            EventKind::WorkflowTaskScheduled => self.last_scheduled_event_id = event.id,
            EventKind::WorkflowTaskStarted(started) => {
                let started_before = std::mem::replace(&mut self.last_started_event_id, event.id);
                let moment = Moment {
                    // Never backwards, though a worker's clock, which says when a Local Activity ended, may be ahead.
                    time: event.time.max(self.moment.time),
                    replaying,
                    history_length: u64::try_from(event.id).unwrap_or(0),
                    history_bytes: started.history_bytes,
                    continue_as_new_suggested: started.continue_as_new_suggested,
                    continue_as_new_reasons: started.continue_as_new_reasons,
                    target_worker_deployment_version_changed: started.target_worker_deployment_version_changed,
                    deployment_version: self.completing_deployment_version(),
                };
                self.before = Some((started_before, std::mem::replace(&mut self.moment, moment)));
            }
            _ => self.operations.handle_outcome(event, jobs).map_err(Problem::Nondeterminism)?,
        }
        Ok(())
    }

    fn apply_completion(&mut self, completed: &WorkflowTaskCompleted) -> Result<(), Problem> {
        self.flags.handle(completed).map_err(Problem::Flags)?;
        self.operations.handle_author(self.flags.is_by_another_sdk());
        Ok(())
    }

    /// Takes the record of the last completion in, which no later task has delivered yet.
    fn apply_record(&mut self, events: Vec<Event>) -> Result<(), Problem> {
        for event in events {
            match event.kind {
                EventKind::WorkflowTaskCompleted(completed) => self.apply_completion(&completed)?,
                EventKind::Ignored(_) => (),
                _ => self.operations.handle_record(&event).map_err(Problem::Nondeterminism)?,
            }
        }
        // Completion and record are written at once, so all of the record is here.
        self.operations.handle_end_of_record(self.history.last_id()).map_err(Problem::Nondeterminism)
    }

    /// All history is taken in. Answers Queries, then the task.
    fn answer(&mut self) -> Result<(), Problem> {
        let last = self.history.last_id();
        let Some(task) = &mut self.task else { return Ok(()) };
        match task.started_event_id {
            Some(started) if started == self.last_started_event_id && !self.moment.replaying => (),
            Some(started) if started < last => {
                self.supersede();
                return Ok(());
            }
            Some(started) => return Err(Problem::History(HistoryError::EndsTooEarly { last, started })),
            None if last == 0 => return Err(Problem::History(HistoryError::Empty)),
            None if task.only_query && self.last_started_event_id == 0 => {
                return Err(Problem::History(HistoryError::NotBegun { last }));
            }
            None => (),
        }
        if task.started_event_id.is_some() {
            self.operations.execute_local_activities();
            self.outputs.extend(self.operations.take_outputs());
            // Those that were cancelled before anyone executed them.
            if let Some(finished) = self.operations.next_finished_local_activity(self.place()) {
                self.tell(Vec::new(), finished);
                return Ok(());
            }
        }
        let Some(task) = &mut self.task else { return Ok(()) };
        if let Some(query) = task.queries.pop_front() {
            // Whoever asks is not to wait for Local Activities.
            task.is_due = true;
            self.activate(vec![Job::Query(query.clone())], Phase::Querying(query));
            return Ok(());
        }
        let has_local_activities = task.started_event_id.is_some() && self.operations.has_local_activities();
        if has_local_activities && !task.is_due {
            self.phase = Phase::AwaitingLocalActivities;
            return Ok(());
        }
        self.history.forget_uncut();
        // No task makes progress any more once the workflow has ended, and a Query can have the Run built again.
        self.phase = Phase::Completing(self.operations.ended().then_some(EvictionReason::Closed));
        if task.replay {
            self.task = None;
            self.outputs.push_back(Output::FinishReplay);
            self.evict(EvictionReason::Closed);
            return Ok(());
        }
        let answers = std::mem::take(&mut task.answers);
        let task_token = task.token.clone();
        if task.only_query {
            let answer = answers.into_iter().next().map(|(_, answer)| answer).unwrap_or(QueryAnswer::Succeeded(None));
            self.outputs.push_back(Output::RespondQuery { task_token, answer });
            return Ok(());
        }
        let (commands, messages) = self.operations.take_commands();
        self.outputs.push_back(Output::CompleteTask(Completion {
            task_token,
            commands,
            messages,
            query_answers: answers,
            force_new_task: has_local_activities,
            sdk: self.flags.sdk_to_note(),
        }));
        Ok(())
    }

    fn take_commands(&mut self, commands: Vec<Command>) -> Result<(), CommandError> {
        let mut jobs = Vec::new();
        let place = self.place();
        for command in commands {
            self.operations.handle_command(command, place, &mut jobs)?;
        }
        self.outputs.extend(self.operations.take_outputs());
        // Nobody is there to hear it once the workflow has ended.
        if self.operations.ended() {
            return Ok(());
        }
        self.next_jobs = jobs;
        match self.operations.unanswered_update() {
            Some(id) => Err(CommandError::UpdateNotAnswered { protocol_instance_id: id.to_owned() }),
            None => Ok(()),
        }
    }

    fn take_query_answer(&mut self, query: Query, commands: Vec<Command>) -> Result<(), CommandError> {
        let mut commands = commands.into_iter();
        match (commands.next(), commands.next()) {
            (Some(Command::AnswerQuery { id, answer }), None) if id == query.id => {
                self.answer_query(id, answer);
                Ok(())
            }
            (Some(Command::AnswerQuery { id, .. }), None) => Err(CommandError::UnknownQuery { id }),
            (Some(Command::AnswerQuery { .. }), Some(other)) | (Some(other), _) => {
                Err(CommandError::CommandInQuery { name: query.name, command: other.name().to_owned() })
            }
            (None, _) => Err(CommandError::QueryNotAnswered { name: query.name }),
        }
    }

    fn answer_query(&mut self, id: String, answer: QueryAnswer) {
        if let Some(task) = &mut self.task {
            task.answers.push((id, answer));
        }
    }

    /// Tells user code what is new.
    fn tell(&mut self, mut jobs: Vec<Job>, local_activities: LocalActivityNews) {
        jobs.extend(local_activities.jobs);
        self.moment.time = self.moment.time.max(local_activities.time.unwrap_or(self.moment.time));
        self.operations.count_activation();
        self.told_bytes += jobs.iter().map(Job::bytes).sum::<u64>();
        self.activate(jobs, Phase::Activating);
    }

    fn place(&self) -> Place {
        Place { replaying: self.moment.replaying, time: self.moment.time }
    }

    /// Whether user code is at the task that is to be answered.
    fn is_live(&self) -> bool {
        let started = self.task.as_ref().and_then(|task| task.started_event_id);
        started.is_some_and(|started| started == self.last_started_event_id) && !self.moment.replaying
    }

    /// The version of the worker that completed the task that was cut last.
    fn completing_deployment_version(&self) -> Option<WorkerDeploymentVersion> {
        self.history.record().find_map(|event| match &event.kind {
            EventKind::WorkflowTaskCompleted(completed) => completed.deployment_version.clone(),
            _ => None,
        })
    }

    fn activate(&mut self, jobs: Vec<Job>, phase: Phase) {
        // A Query looks at what was done before; nothing that it does is for the first time.
        let replaying = self.moment.replaying || matches!(phase, Phase::Querying(_));
        self.phase = phase;
        self.outputs.push_back(Output::Activate(Activation {
            jobs,
            time: self.moment.time,
            replaying,
            history_length: self.moment.history_length,
            history_bytes: self.moment.history_bytes,
            continue_as_new_suggested: self.moment.continue_as_new_suggested,
            continue_as_new_reasons: self.moment.continue_as_new_reasons.clone(),
            target_worker_deployment_version_changed: self.moment.target_worker_deployment_version_changed,
            deployment_version: self.moment.deployment_version.clone(),
        }));
    }

    fn initialize(
        &mut self,
        start_time: SystemTime,
        mut started: Box<timewright_proto::history::WorkflowExecutionStartedEventAttributes>,
    ) -> Initialize {
        let (workflow_id, run_id) =
            self.task.as_ref().map(|task| (task.workflow_id.clone(), task.run_id.clone())).unwrap_or_default();
        self.operations.initialize(&started);
        let task_timeout = started.workflow_task_timeout.as_ref().and_then(to_std);
        self.task_timeout = task_timeout.filter(|timeout| !timeout.is_zero());
        // A reset copies the history into a new run: what was drawn before the reset must be drawn again.
        let random_seed = seed(match started.original_execution_run_id.as_str() {
            "" => &run_id,
            original => original,
        });
        Initialize {
            workflow_id,
            run_id,
            workflow_type: started.workflow_type.clone().unwrap_or_default().name,
            start_time,
            arguments: started.input.take().map(|input| input.payloads).unwrap_or_default(),
            header: started.header.take().unwrap_or_default(),
            random_seed,
            started,
        }
    }

    fn fetch(&mut self, next_page_token: Bytes) {
        self.phase = Phase::Fetching;
        self.outputs.push_back(Output::FetchHistory { next_page_token });
    }

    fn fail_with(&mut self, problem: Problem) {
        use WorkflowTaskFailedCause::{NonDeterministicError, WorkflowWorkerUnhandledFailure};
        let (cause, kind, message) = match &problem {
            Problem::Nondeterminism(error) => (NonDeterministicError, "Nondeterminism", error.to_string()),
            Problem::History(error) => (WorkflowWorkerUnhandledFailure, "HistoryError", error.to_string()),
            Problem::Flags(error) => (WorkflowWorkerUnhandledFailure, "UnknownFlag", error.to_string()),
            Problem::Command(error) => (WorkflowWorkerUnhandledFailure, "CommandError", error.to_string()),
        };
        let failure = Failure {
            message,
            source: SOURCE.to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                r#type: kind.to_owned(),
                ..ApplicationFailureInfo::default()
            })),
            ..Failure::default()
        };
        let nondeterminism = match problem {
            Problem::Nondeterminism(error) => Some(error),
            _ => None,
        };
        self.fail(cause, failure, nondeterminism);
    }

    fn fail(&mut self, cause: WorkflowTaskFailedCause, failure: Failure, nondeterminism: Option<Box<Nondeterminism>>) {
        if let Some(task) = self.task.take() {
            let task_token = task.token;
            if task.only_query {
                // Whoever asked waits for an answer, not for a worker that agrees.
                let answer = QueryAnswer::Failed(Box::new(failure));
                self.outputs.push_back(Output::RespondQuery { task_token, answer });
                self.phase = Phase::Completing(Some(EvictionReason::TaskFailed));
                return;
            }
            let output = if task.attempt > 1 {
                let reason = AbandonReason::FailedAgain { attempt: task.attempt, cause, message: failure.message };
                Output::AbandonTask { task_token, reason }
            } else {
                Output::FailTask(Box::new(TaskFailure { task_token, cause, failure, nondeterminism }))
            };
            self.outputs.push_back(output);
        }
        self.evict(EvictionReason::TaskFailed);
    }

    /// The task that is being executed was answered or timed out while its history was on its way: nobody waits for it.
    fn supersede(&mut self) {
        if let Some(task) = self.task.take() {
            self.abandon(task.token, AbandonReason::Superseded);
        }
        self.evict(EvictionReason::HistoryMismatch);
    }

    fn abandon(&mut self, task_token: Bytes, reason: AbandonReason) {
        self.outputs.push_back(Output::AbandonTask { task_token, reason });
    }

    fn evict(&mut self, reason: EvictionReason) {
        self.phase = Phase::Evicted;
        self.operations.give_up_local_activities();
        self.outputs.extend(self.operations.take_outputs());
        self.outputs.push_back(Output::Evict { reason });
    }
}

impl Job {
    /// The documented order within an Activation.
    fn rank(&self) -> u8 {
        match self {
            Self::Initialize(_) => 0,
            Self::NotifyPatch { .. } | Self::NotifyVersion { .. } | Self::NotifySideEffect { .. } => 1,
            Self::UpdateRandomSeed { .. } => 2,
            Self::Signal { .. } | Self::Update(_) => 3,
            Self::RequestCancellation { .. }
            | Self::FireTimer { .. }
            | Self::ResolveActivity { .. }
            | Self::ResolveChildWorkflowStart { .. }
            | Self::ResolveChildWorkflow { .. }
            | Self::ResolveSignalExternalWorkflow { .. }
            | Self::ResolveRequestCancelExternalWorkflow { .. }
            | Self::ResolveNexusOperationStart { .. }
            | Self::ResolveNexusOperation { .. } => 4,
            Self::ResolveLocalActivity { .. } => 5,
            Self::Query(_) => 6,
        }
    }

    /// The bytes of its Payloads.
    fn bytes(&self) -> u64 {
        let payloads: Vec<&Payload> = match self {
            Self::Initialize(initialize) => initialize.arguments.iter().collect(),
            Self::Signal { input, .. } => input.iter().collect(),
            Self::Update(update) => update.input.iter().collect(),
            Self::NotifySideEffect { value, .. } => vec![value],
            Self::ResolveActivity { resolution: Resolution::Completed(Some(result)), .. }
            | Self::ResolveChildWorkflow { resolution: Resolution::Completed(Some(result)), .. }
            | Self::ResolveNexusOperation { resolution: Resolution::Completed(Some(result)), .. }
            | Self::ResolveLocalActivity { resolution: LocalActivityResolution::Completed(Some(result)), .. } => {
                vec![result]
            }
            _ => Vec::new(),
        };
        payloads.into_iter().map(|payload| payload.data.len() as u64).sum()
    }
}

/// FNV-1a: the same on every machine and in every version, which a replay needs.
fn seed(run_id: &str) -> u64 {
    run_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// As the server's.
const DEFAULT_TASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Commands and answers to Updates wait for Local Activities that may end soon, and save a Workflow Task by that.
const URGENT_WAIT: Duration = Duration::from_millis(200);

/// Part of the Workflow Task Timeout after which a task is answered though Local Activities go on, as in other SDKs.
const HEARTBEAT_AFTER: f64 = 0.8;

/// The `source` of failures that the SDK itself makes.
const SOURCE: &str = "Timewright";
