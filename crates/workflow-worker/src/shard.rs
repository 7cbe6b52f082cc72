//! A shard: one plain thread that owns some of the Runs, and their user code.
//!
//! No tokio context, so that tokio's timers and IO in workflow code fail at once. Messages in, messages out; between them
//! nothing awaits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use timewright_proto::Bytes;
use timewright_protocol::workflow::{
    AbandonReason, Activation, Command, Completion, EvictionReason, HistoryPage, Job, Output, QueryAnswer, Runs,
    TaskFailure, WorkflowTask,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::instance::{Environment, Instance, TaskProblem};
use crate::registry::Registry;

/// What a shard is told.
#[derive(Debug)]
pub(crate) enum Input {
    Task(Box<WorkflowTask>),
    History {
        run_id: String,
        page: Result<HistoryPage, String>,
    },
    /// The server took an answer.
    Completed {
        run_id: String,
    },
    /// The server did not take an answer.
    NotTaken {
        run_id: String,
    },
}

/// What a shard wants done.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    FetchHistory { next_page_token: Bytes },
    Complete(Completion),
    Fail(Box<TaskFailure>),
    RespondQuery { task_token: Bytes, answer: QueryAnswer },
    Abandon { task_token: Bytes, reason: AbandonReason },
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
        cached_runs: usize,
        outbox: UnboundedSender<Request>,
    ) -> std::io::Result<Self> {
        let (inbox, messages) = channel();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            State {
                code: UserCode::new(registry, environment),
                runs: Runs::new(cached_runs),
                outbox,
                ids: BTreeMap::new(),
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
    /// Run Id to Workflow Id.
    ids: BTreeMap<String, String>,
}

impl State {
    fn run(mut self, messages: &Receiver<Input>) {
        while let Ok(input) = messages.recv() {
            match input {
                Input::Task(task) => {
                    self.ids.insert(task.run_id.clone(), task.workflow_id.clone());
                    self.runs.handle_task(*task);
                }
                Input::History { run_id, page: Ok(page) } => self.runs.handle_history(&run_id, page),
                Input::History { run_id, page: Err(reason) } => self.runs.handle_history_failure(&run_id, &reason),
                Input::Completed { run_id } => self.runs.handle_completed(&run_id),
                Input::NotTaken { run_id } => {
                    self.runs.handle_eviction(&run_id, EvictionReason::CompletionNotTaken);
                }
            }
            self.drain();
        }
        self.runs.handle_shutdown();
        self.drain();
    }

    fn drain(&mut self) {
        while let Some((run_id, output)) = self.runs.poll_output() {
            let action = match output {
                Output::Activate(activation) => {
                    match self.code.activate(&run_id, activation) {
                        Ok(commands) => self.runs.handle_commands(&run_id, commands),
                        Err(problem) => {
                            let failure = self.code.environment.converter.failure_to_proto(&problem.failure);
                            self.runs.handle_failure(&run_id, problem.cause, failure);
                        }
                    }
                    continue;
                }
                Output::Evict { .. } => {
                    self.code.evict(&run_id);
                    if !self.runs.contains(&run_id) {
                        self.ids.remove(&run_id);
                    }
                    continue;
                }
                Output::FetchHistory { next_page_token } => Action::FetchHistory { next_page_token },
                Output::CompleteTask(completion) => Action::Complete(completion),
                Output::FailTask(failure) => Action::Fail(failure),
                Output::RespondQuery { task_token, answer } => Action::RespondQuery { task_token, answer },
                Output::AbandonTask { task_token, reason } => Action::Abandon { task_token, reason },
                other => {
                    tracing::error!(run_id, output = ?other, "the Workflow Worker cannot do this; this is a defect of it");
                    continue;
                }
            };
            let workflow_id = self.ids.get(&run_id).cloned().unwrap_or_default();
            // Nobody listens any more once the worker has been dropped.
            let _ = self.outbox.send(Request { workflow_id, run_id, action });
        }
    }
}

/// User code of all Runs of a thread. The replayer uses it, too.
pub(crate) struct UserCode {
    registry: Arc<Registry>,
    pub(crate) environment: Environment,
    instances: BTreeMap<String, Box<dyn Instance>>,
}

impl UserCode {
    pub(crate) fn new(registry: Arc<Registry>, environment: Environment) -> Self {
        Self { registry, environment, instances: BTreeMap::new() }
    }

    pub(crate) fn activate(&mut self, run_id: &str, mut activation: Activation) -> Result<Vec<Command>, TaskProblem> {
        // Always the first job of all, and the only one that is not for the instance itself.
        if matches!(activation.jobs.first(), Some(Job::Initialize(_)))
            && let Job::Initialize(initialize) = activation.jobs.remove(0)
        {
            let instance = self.registry.start(&self.environment, initialize)?;
            self.instances.insert(run_id.to_owned(), instance);
        }
        match self.instances.get_mut(run_id) {
            Some(instance) => instance.activate(activation),
            None => Err(TaskProblem::new(crate::error::task_failure(
                "NotStarted",
                "the history does not begin with the start of the workflow",
            ))),
        }
    }

    pub(crate) fn evict(&mut self, run_id: &str) {
        self.instances.remove(run_id);
    }
}
