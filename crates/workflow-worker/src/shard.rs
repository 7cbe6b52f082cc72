//! A shard: one plain thread that owns some of the Runs, and their user code.
//!
//! No tokio context, so that tokio's timers and IO in workflow code fail at once. Messages in, messages out; between them
//! nothing awaits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use timewright_proto::Bytes;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_proto::failure::Failure;
use timewright_protocol::workflow::{
    AbandonReason, Activation, CacheLimits, Command, Completion, CompletionReceipt, EvictionReason, HistoryPage, Job,
    Output, QueryAnswer, RunKey, Runs, StartLocalActivity, TaskFailure, WorkflowTask,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::error::task_failure;
use crate::instance::{Environment, Instance, TaskProblem};
use crate::local_activities::{Clock, Ended, WorkflowNames};
use crate::registry::Registry;

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
}

/// What a shard wants done.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) workflow: WorkflowNames,
    pub(crate) key: RunKey,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    FetchHistory { next_page_token: Bytes },
    Complete(Completion),
    Fail(Box<TaskFailure>),
    RespondQuery { task_token: Bytes, answer: QueryAnswer },
    Abandon { task_token: Bytes, reason: AbandonReason },
    StartLocalActivity { start: Box<StartLocalActivity>, clock: Option<Clock> },
    CancelLocalActivity { sequence: u32 },
}

/// The handle of a shard's thread.
#[derive(Debug)]
pub(crate) struct Shard {
    inbox: Sender<Input>,
    thread: JoinHandle<()>,
}

impl Shard {
    pub(crate) fn spawn(
        name: String,
        registry: Arc<Registry>,
        environment: Environment,
        cache: CacheLimits,
        outbox: UnboundedSender<Request>,
    ) -> std::io::Result<Self> {
        let (inbox, messages) = channel();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            State {
                code: UserCode::new(registry, environment),
                runs: Runs::new(cache),
                outbox,
                names: BTreeMap::new(),
                clock: None,
            }
            .run(&messages);
        })?;
        Ok(Self { inbox, thread })
    }

    /// Tells the shard something. A shard whose thread is gone has been joined already, or has died; `false` then.
    #[must_use]
    pub(crate) fn send(&self, input: Input) -> bool {
        self.inbox.send(input).is_ok()
    }

    /// Ends the thread: all Runs are dropped there.
    pub(crate) fn join(self) {
        drop(self.inbox);
        // A panic of the shard itself is a defect of ours; it has been printed, and there is nothing left to save.
        let _ = self.thread.join();
    }
}

struct State {
    code: UserCode,
    runs: Runs,
    outbox: UnboundedSender<Request>,
    /// The workflows, by their Run Id.
    names: BTreeMap<String, WorkflowNames>,
    /// The clock of the attempt that came last, for the next attempt of the same Local Activity.
    clock: Option<(RunKey, u32, Clock)>,
}

impl State {
    fn run(mut self, messages: &Receiver<Input>) {
        loop {
            let input = match self.runs.poll_timeout() {
                Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match input {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // Also behind a message: many of them must not keep a Run waiting whose time has come.
            self.runs.handle_timeout(Instant::now());
            self.drain();
        }
        self.runs.handle_shutdown();
        self.drain();
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Task(task) => {
                let names =
                    WorkflowNames { workflow_id: task.workflow_id.clone(), workflow_type: task.workflow_type.clone() };
                self.names.insert(task.run_id.clone(), names);
                self.runs.handle_task(*task);
            }
            Input::History { key, page: Ok(page) } => self.runs.handle_history(&key, page),
            Input::History { key, page: Err(reason) } => self.runs.handle_history_failure(&key, &reason),
            Input::Completed { key, receipt } => self.runs.handle_completed(&key, receipt),
            Input::NotTaken { key } => self.runs.handle_eviction(&key, EvictionReason::CompletionNotTaken),
            Input::LocalActivity(ended) => {
                let Ended { key, attempt, clock } = *ended;
                self.clock = Some((key.clone(), attempt.sequence, clock));
                self.runs.handle_local_activity(&key, attempt);
            }
        }
    }

    fn drain(&mut self) {
        while let Some((key, output)) = self.runs.poll_output() {
            let action = match output {
                Output::Activate(activation) => {
                    match self.code.activate(&key, activation) {
                        Ok(commands) => self.runs.handle_commands(&key, commands),
                        Err(problem) => {
                            let failure = self.code.environment.converter.failure_to_proto(&problem.failure);
                            self.runs.handle_failure(&key, problem.cause, failure);
                        }
                    }
                    continue;
                }
                Output::Evict { .. } => {
                    self.code.evict(&key);
                    if self.runs.key(key.run_id()).is_none() {
                        self.names.remove(key.run_id());
                    }
                    continue;
                }
                Output::FetchHistory { next_page_token } => Action::FetchHistory { next_page_token },
                Output::CompleteTask(completion) => Action::Complete(completion),
                Output::FailTask(failure) => Action::Fail(failure),
                Output::RespondQuery { task_token, answer } => Action::RespondQuery { task_token, answer },
                Output::AbandonTask { task_token, reason } => Action::Abandon { task_token, reason },
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
            let _ = self.outbox.send(Request { workflow, key, action });
        }
        self.clock = None;
    }

    fn nobody_executes(&self, activity_type: &str) -> Failure {
        let Environment { task_queue, converter, .. } = &self.code.environment;
        let message = format!(
            "the workflow asks for the Local Activity {activity_type:?}, and the Workflow Worker on task queue \
             {task_queue:?} executes none; give it an executor with `local_activities(…)`"
        );
        converter.failure_to_proto(&task_failure("NoLocalActivities", message))
    }
}

/// User code of all Runs of a thread. The replayer uses it, too.
pub(crate) struct UserCode {
    registry: Arc<Registry>,
    pub(crate) environment: Environment,
    instances: BTreeMap<RunKey, Box<dyn Instance>>,
}

impl UserCode {
    pub(crate) fn new(registry: Arc<Registry>, environment: Environment) -> Self {
        Self { registry, environment, instances: BTreeMap::new() }
    }

    pub(crate) fn activate(&mut self, key: &RunKey, mut activation: Activation) -> Result<Vec<Command>, TaskProblem> {
        // Always the first job of all, and the only one that is not for the instance itself.
        if matches!(activation.jobs.first(), Some(Job::Initialize(_)))
            && let Job::Initialize(initialize) = activation.jobs.remove(0)
        {
            let instance = self.registry.start(&self.environment, initialize)?;
            self.instances.insert(key.clone(), instance);
        }
        match self.instances.get_mut(key) {
            Some(instance) => instance.activate(activation),
            None => Err(TaskProblem::new(task_failure(
                "NotStarted",
                "the history does not begin with the start of the workflow",
            ))),
        }
    }

    pub(crate) fn evict(&mut self, key: &RunKey) {
        self.instances.remove(key);
    }
}
