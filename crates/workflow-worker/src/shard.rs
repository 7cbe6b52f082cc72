//! A shard: one plain thread that owns some of the Runs, and their user code.
//!
//! No tokio context, so that tokio's timers and IO in workflow code fail at once. Messages in, messages out; between them
//! nothing awaits.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use timewright_proto::Bytes;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{
    AbandonReason, Activation, CacheLimits, Command, Completion, CompletionReceipt, EvictionReason, HistoryPage, Job,
    Output, QueryAnswer, RunKey, Runs, StartLocalActivity, TaskFailure, WorkflowTask,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::error::task_failure;
use crate::instance::{Environment, Instance, TaskProblem};
use crate::local_activities::{Clock, Ended, WorkflowNames};
use crate::metrics::WorkflowMetrics;
use crate::policy::{Origin, Policies, fail_workflow};
use crate::registry::Registry;
use crate::rehearsal::Rehearsal;
use crate::wait;
use crate::watch::{Execution, Watch, watch_this_thread};

/// What a shard is told.
#[derive(Debug)]
pub(crate) enum Input {
    Task(Box<WorkflowTask>),
    History {
        key: RunKey,
        page: Result<HistoryPage, String>,
    },
    /// The server took an answer.
    Completed {
        key: RunKey,
        receipt: CompletionReceipt,
    },
    /// The server did not take an answer.
    NotTaken {
        key: RunKey,
    },
    /// An attempt of a Local Activity is over.
    LocalActivity(Box<Ended>),
    /// Memory is scarce: so many cached Runs are to leave.
    Pressure(usize),
}

/// A thread of a worker. One that was abandoned has another in its place, with the same index and another life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardId {
    pub(crate) index: usize,
    pub(crate) life: u32,
}

/// What a shard wants done.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) shard: ShardId,
    pub(crate) workflow: WorkflowNames,
    pub(crate) key: RunKey,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    FetchHistory {
        next_page_token: Bytes,
    },
    Complete(Completion),
    Fail(Box<TaskFailure>),
    RespondQuery {
        task_token: Bytes,
        answer: QueryAnswer,
    },
    Abandon {
        task_token: Bytes,
        reason: AbandonReason,
    },
    StartLocalActivity {
        start: Box<StartLocalActivity>,
        clock: Option<Clock>,
    },
    CancelLocalActivity {
        sequence: u32,
    },
    /// The Run is gone from here, with all that user code had of it.
    Left,
}

/// The handle of a shard's thread.
#[derive(Debug)]
pub(crate) struct Shard {
    inbox: Sender<Input>,
    pub(crate) watch: Arc<Watch>,
    /// Ready when the thread has ended.
    ended: oneshot::Receiver<()>,
}

/// What each shard of a worker is made with.
#[derive(Clone)]
pub(crate) struct ShardSettings {
    pub(crate) registry: Arc<Registry>,
    pub(crate) environment: Environment,
    pub(crate) policies: Arc<Policies>,
    pub(crate) cache: CacheLimits,
    pub(crate) outbox: UnboundedSender<Request>,
    pub(crate) metrics: WorkflowMetrics,
}

impl Shard {
    pub(crate) fn spawn(id: ShardId, settings: ShardSettings) -> std::io::Result<Self> {
        let (inbox, messages) = channel();
        let (end, ended) = oneshot::channel();
        let watch = Arc::new(Watch::default());
        let thread_end = ThreadEnd { watch: Arc::clone(&watch), _end: end };
        let name = format!("workflow-{}", id.index);
        // Not joined: whoever waits for it waits for `ended`, and not for ever.
        std::thread::Builder::new().name(name).spawn(move || {
            let watch = Arc::clone(&thread_end.watch);
            watch_this_thread(Arc::clone(&watch));
            let ShardSettings { registry, environment, policies, cache, outbox, metrics } = settings;
            State {
                id,
                code: UserCode::new(registry, environment, Some(watch)),
                // Keys of the life before must mean nothing in this one.
                runs: Runs::new(cache).generations_above(u64::from(id.life) << 40),
                outbox,
                policies,
                ends: None,
                names: BTreeMap::new(),
                clock: None,
                replays: BTreeMap::new(),
                has_cache: cache.runs > 0,
                metrics,
            }
            .run(&messages);
        })?;
        Ok(Self { inbox, watch, ended })
    }

    /// Tells the shard something; `false` where its thread has died.
    #[must_use]
    pub(crate) fn send(&self, input: Input) -> bool {
        self.inbox.send(input).is_ok()
    }

    /// Ends the thread, on which all Runs are dropped; and waits for that.
    pub(crate) async fn end(self) {
        drop(self.inbox);
        // An error means that the thread has ended, too.
        let _ = self.ended.await;
    }
}

/// Says that the thread has ended, also where that was by a panic, which is a defect of ours.
struct ThreadEnd {
    watch: Arc<Watch>,
    _end: oneshot::Sender<()>,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.watch.end_thread();
    }
}

struct State {
    id: ShardId,
    code: UserCode,
    runs: Runs,
    outbox: UnboundedSender<Request>,
    policies: Arc<Policies>,
    /// The Run that ends with the problem which its code has just had, and the failure to end with.
    ends: Option<(RunKey, Failure)>,
    /// The workflows, by their Run Id.
    names: BTreeMap<String, WorkflowNames>,
    /// The clock of the attempt that came last, for the next attempt of the same Local Activity.
    clock: Option<(RunKey, u32, Clock)>,
    /// The Runs whose code goes through its history, and since when.
    replays: BTreeMap<RunKey, Instant>,
    has_cache: bool,
    metrics: WorkflowMetrics,
}

impl State {
    fn run(mut self, messages: &Receiver<Input>) {
        loop {
            let input = match self.runs.poll_timeout() {
                Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            // Also before a message: many of them must not keep a Run waiting whose time has come.
            self.runs.handle_timeout(Instant::now());
            match input {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.drain();
            if self.code.is_abandoned() {
                // All Runs have gone to another thread; here only user code is left, and it is dropped where it was made.
                return;
            }
        }
        self.runs.handle_shutdown();
        // Nobody forces anything out of a cache that ends.
        self.has_cache = false;
        self.drain();
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Task(task) => {
                if !self.names.contains_key(&task.run_id) {
                    let (workflow_id, workflow_type) = (&*task.workflow_id, &*task.workflow_type);
                    let names = WorkflowNames {
                        workflow_id: workflow_id.into(),
                        workflow_type: workflow_type.into(),
                        started: None,
                    };
                    self.names.insert(task.run_id.clone(), names);
                }
                self.metrics.cache_looked_up(self.runs.look_up(&task));
                self.runs.handle_task(*task);
            }
            Input::History { key, page: Ok(page) } => self.runs.handle_history(&key, page),
            Input::History { key, page: Err(reason) } => self.runs.handle_history_failure(&key, &reason),
            // What a Query has ended is not asked again: whatever comes next begins from the history.
            Input::Completed { key, .. } if self.code.has_ended(&key) => {
                self.runs.handle_eviction(&key, EvictionReason::Requested);
            }
            Input::Completed { key, receipt } => self.runs.handle_completed(&key, receipt),
            Input::NotTaken { key } => self.runs.handle_eviction(&key, EvictionReason::CompletionNotTaken),
            Input::LocalActivity(ended) => {
                let Ended { key, attempt, clock } = *ended;
                self.clock = Some((key.clone(), attempt.sequence, clock));
                self.runs.handle_local_activity(&key, attempt);
            }
            Input::Pressure(runs) => self.runs.handle_pressure(runs),
        }
    }

    fn drain(&mut self) {
        while !self.code.is_abandoned()
            && let Some((key, output)) = self.runs.poll_output()
        {
            let action = match output {
                Output::Activate(activation) => {
                    self.note_activation(&key, &activation);
                    let names = self.names.get(key.run_id()).cloned().unwrap_or_default();
                    let replaying = activation.replaying;
                    let answer = self.code.activate(&key, &names, activation);
                    match answer.and_then(|commands| self.keep_workflow(&names, commands, replaying)) {
                        Ok(commands) => self.runs.handle_commands(&key, commands),
                        Err(problem) => {
                            let failure = self.code.environment.converter.failure_to_proto(&problem.failure);
                            if self.policies.ends_workflow(&names.workflow_type, problem.origin, &problem.failure) {
                                self.ends = Some((key.clone(), failure.clone()));
                            }
                            self.runs.handle_failure(&key, problem.cause, failure);
                        }
                    }
                    continue;
                }
                Output::Evict { reason } => {
                    self.replays.remove(&key);
                    if self.has_cache {
                        self.metrics.evicted(reason);
                    }
                    let names = self.names.get(key.run_id()).cloned().unwrap_or_default();
                    self.code.evict(&key, &names);
                    if self.runs.key(key.run_id()).is_some() {
                        // Another life of the Run has begun.
                        continue;
                    }
                    self.names.remove(key.run_id());
                    Action::Left
                }
                Output::FetchHistory { next_page_token } => Action::FetchHistory { next_page_token },
                Output::CompleteTask(completion) => {
                    self.caught_up(&key);
                    Action::Complete(completion)
                }
                Output::FailTask(failure) => {
                    self.replays.remove(&key);
                    self.fail_task(&key, failure)
                }
                Output::RespondQuery { task_token, answer } => Action::RespondQuery { task_token, answer },
                Output::AbandonTask { task_token, reason } => self.abandon_task(&key, task_token, reason),
                Output::StartLocalActivity(start) if !self.code.environment.executes_local_activities => {
                    let failure = self.nobody_executes(&start.activity_type);
                    let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
                    self.runs.handle_failure(&key, cause, failure);
                    continue;
                }
                Output::StartLocalActivity(start) => {
                    let clock = self.clock.take_if(|(of, sequence, _)| *of == key && *sequence == start.sequence);
                    Action::StartLocalActivity { start, clock: clock.map(|(_, _, clock)| clock) }
                }
                Output::CancelLocalActivity { sequence } => Action::CancelLocalActivity { sequence },
                other => {
                    let run_id = key.run_id();
                    tracing::error!(run_id, output = ?other, "the Workflow Worker cannot do this; this is a defect of it");
                    continue;
                }
            };
            let workflow = self.names.get(key.run_id()).cloned().unwrap_or_default();
            // Nobody listens any more once the worker has been dropped.
            let _ = self.outbox.send(Request { shard: self.id, workflow, key, action });
        }
        self.clock = None;
    }

    /// Notes when a workflow was started, and how long its code takes to catch up with the history.
    fn note_activation(&mut self, key: &RunKey, activation: &Activation) {
        if let Some(Job::Initialize(initialize)) = activation.jobs.first()
            && let Some(names) = self.names.get_mut(key.run_id())
        {
            names.started = Some(initialize.start_time);
        }
        // A Query comes when that is done.
        if activation.replaying && !matches!(activation.jobs.as_slice(), [Job::Query(_)]) {
            self.replays.entry(key.clone()).or_insert_with(Instant::now);
        } else {
            self.caught_up(key);
        }
    }

    /// The history has been gone through, also where nothing new stands at its end.
    fn caught_up(&mut self, key: &RunKey) {
        if let Some(began) = self.replays.remove(key) {
            let workflow_type = self.names.get(key.run_id()).map_or("", |names| &names.workflow_type);
            self.metrics.replayed(workflow_type, began.elapsed());
        }
    }

    /// Where a policy says that the error with which the workflow ends only fails its Workflow Task, that is a problem. What a
    /// history has recorded is not asked about.
    fn keep_workflow(
        &self,
        names: &WorkflowNames,
        commands: Vec<Command>,
        replaying: bool,
    ) -> Result<Vec<Command>, TaskProblem> {
        let Some(Command::FailWorkflow { failure }) = commands.last().filter(|_| !replaying) else {
            return Ok(commands);
        };
        let read = || self.code.environment.converter.failure_from_proto((**failure).clone());
        if self.policies.keeps_workflow(&names.workflow_type, read) {
            return Err(TaskProblem::new(read()));
        }
        Ok(commands)
    }

    /// Answers a task that has failed, or ends the workflow where a policy says so.
    fn fail_task(&mut self, key: &RunKey, failed: Box<TaskFailure>) -> Action {
        match self.end_of_workflow(key, failed.cause, &failed.failure.message) {
            Some(failure) => end_workflow(failed.task_token, failure),
            None => Action::Fail(failed),
        }
    }

    /// A later attempt may be the first one that is made under the policy.
    fn abandon_task(&mut self, key: &RunKey, task_token: Bytes, reason: AbandonReason) -> Action {
        let end = match &reason {
            AbandonReason::FailedAgain { cause, message, .. } => self.end_of_workflow(key, *cause, message),
            AbandonReason::Superseded | AbandonReason::Evicted => None,
        };
        match end {
            Some(failure) => end_workflow(task_token, failure),
            None => Action::Abandon { task_token, reason },
        }
    }

    /// With what the workflow ends, where it does not only fail its task.
    fn end_of_workflow(&mut self, key: &RunKey, cause: WorkflowTaskFailedCause, message: &str) -> Option<Failure> {
        if let Some((_, failure)) = self.ends.take_if(|(of, _)| of == key) {
            return Some(failure);
        }
        let workflow_type = self.names.get(key.run_id()).map_or("", |names| &names.workflow_type);
        let failure = task_failure("Nondeterminism", message);
        let is_end = cause == WorkflowTaskFailedCause::NonDeterministicError
            && self.policies.ends_workflow(workflow_type, Origin::Nondeterminism, &failure);
        is_end.then(|| self.code.environment.converter.failure_to_proto(&failure))
    }

    fn nobody_executes(&self, activity_type: &str) -> Failure {
        let Environment { task_queue, converter, .. } = &self.code.environment;
        let message = format!(
            "the workflow asks for the Local Activity {activity_type:?}, and the Workflow Worker on task queue \
             {task_queue:?} executes none; run it in one `Worker` with an Activity Worker on the same task queue, or say \
             `.local_activities(LocalActivities::of(&activity_worker))` where it is built"
        );
        converter.failure_to_proto(&task_failure("NoLocalActivities", message))
    }
}

/// The answer to a task that ends the workflow, whatever its code did.
fn end_workflow(task_token: Bytes, failure: Failure) -> Action {
    Action::Complete(Completion {
        task_token,
        commands: vec![fail_workflow(failure)],
        messages: Vec::new(),
        query_answers: Vec::new(),
        force_new_task: false,
        may_wait: Duration::ZERO,
        sdk: None,
    })
}

/// User code of all Runs of a thread. The replayer uses it, too.
pub(crate) struct UserCode {
    registry: Arc<Registry>,
    pub(crate) environment: Environment,
    instances: BTreeMap<RunKey, Started>,
    /// Counts the instances.
    started: u64,
    /// Counts what was executed.
    executions: u64,
    watch: Option<Arc<Watch>>,
}

struct Started {
    instance: Box<dyn Instance>,
    number: u64,
    /// Empty, unless determinism is checked.
    rehearsal: Rehearsal,
}

impl UserCode {
    pub(crate) fn new(registry: Arc<Registry>, environment: Environment, watch: Option<Arc<Watch>>) -> Self {
        Self { registry, environment, instances: BTreeMap::new(), started: 0, executions: 0, watch }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.is_abandoned())
    }

    pub(crate) fn activate(
        &mut self,
        key: &RunKey,
        workflow: &WorkflowNames,
        activation: Activation,
    ) -> Result<Vec<Command>, TaskProblem> {
        // What user code is called by is guarded there, where more is known; this is for the rest, a value's `Deserialize` say.
        let answer = catch_unwind(AssertUnwindSafe(|| match self.environment.checks_determinism {
            true => self.execute_twice(key, workflow, activation),
            false => self.execute(key, workflow, activation),
        }));
        self.end();
        answer.unwrap_or_else(|panic| Err(TaskProblem::of_panic("workflow code", &*panic)))
    }

    /// And a second time, from the start of the workflow, where this is not a replay itself.
    fn execute_twice(
        &mut self,
        key: &RunKey,
        workflow: &WorkflowNames,
        activation: Activation,
    ) -> Result<Vec<Command>, TaskProblem> {
        if matches!(activation.jobs.as_slice(), [Job::Query(_)]) {
            return self.execute(key, workflow, activation);
        }
        let replaying = activation.replaying;
        let answer = self.execute(key, workflow, activation.clone())?;
        let steps = match self.instances.get_mut(key) {
            Some(started) => {
                started.rehearsal.note(activation, &answer);
                if replaying { Vec::new() } else { started.rehearsal.steps() }
            }
            None => Vec::new(),
        };
        let lived = self.instances.remove(key);
        let rehearsed = steps.iter().try_for_each(|step| {
            let again = self.execute(key, workflow, step.activation.clone())?;
            step.compare(workflow, &again)
        });
        self.evict(key, workflow);
        self.instances.extend(lived.map(|lived| (key.clone(), lived)));
        rehearsed.map(|()| answer)
    }

    fn execute(
        &mut self,
        key: &RunKey,
        workflow: &WorkflowNames,
        mut activation: Activation,
    ) -> Result<Vec<Command>, TaskProblem> {
        self.begin(key, workflow, "its start");
        // Always the first job of all, and the only one that is not for the instance itself.
        if matches!(activation.jobs.first(), Some(Job::Initialize(_)))
            && let Job::Initialize(initialize) = activation.jobs.remove(0)
        {
            self.started += 1;
            let number = self.started;
            let _executing = wait::execute(number);
            let instance = self.registry.start(&self.environment, initialize, &activation)?;
            self.instances.insert(key.clone(), Started { instance, number, rehearsal: Rehearsal::default() });
        }
        match self.instances.get_mut(key) {
            Some(started) => {
                let _executing = wait::execute(started.number);
                started.instance.activate(activation)
            }
            None => Err(TaskProblem::new(task_failure(
                "NotStarted",
                "the history does not begin with the start of the workflow",
            ))),
        }
    }

    pub(crate) fn has_ended(&self, key: &RunKey) -> bool {
        self.instances.get(key).is_some_and(|started| started.instance.has_ended())
    }

    pub(crate) fn evict(&mut self, key: &RunKey, workflow: &WorkflowNames) {
        let Some(Started { instance, number, .. }) = self.instances.remove(key) else { return };
        self.begin(key, workflow, "a destructor");
        let _executing = wait::execute(number);
        instance.close();
        self.end();
    }

    fn begin(&mut self, key: &RunKey, workflow: &WorkflowNames, at: &str) {
        self.executions += 1;
        if let Some(watch) = &self.watch {
            watch.begin(Execution {
                number: self.executions,
                key: key.clone(),
                workflow: workflow.clone(),
                at: at.to_owned(),
            });
        }
    }

    fn end(&self) {
        if let Some(watch) = &self.watch {
            watch.end();
        }
    }
}

impl Drop for UserCode {
    fn drop(&mut self) {
        for (_, Started { instance, number, .. }) in std::mem::take(&mut self.instances) {
            let _executing = wait::execute(number);
            instance.close();
        }
    }
}
