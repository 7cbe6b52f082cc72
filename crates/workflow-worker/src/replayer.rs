//! Goes through recorded histories with today's code.

use std::sync::Arc;
use std::time::Instant;

use timewright_client::{AppliedSetUps, Client, ContextPropagator, ContextPropagators, MetricMeter, SetUp};
use timewright_converter::{CodecError, DataConverter};
use timewright_proto::Bytes;
use timewright_proto::history::History;

use timewright_protocol::workflow::{CacheLimits, HistoryPage, Nondeterminism, Output, Runs, TaskKind, WorkflowTask};

use crate::child_workflow::AnyWorkflow;
use crate::instance::Environment;
use crate::interceptor::{Interceptors, WorkflowInterceptor};
use crate::local_activities::WorkflowNames;
use crate::registry::Registry;
use crate::shard::UserCode;
use crate::workflow::Workflow;

/// Goes through recorded histories with today's code, without a server: the test that a change of a workflow's code is
/// compatible with the workflows that run.
///
/// ```
/// # use timewright_definition::WorkflowDefinition;
/// # use timewright_workflow_worker::{Replayer, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
/// # struct Order; impl WorkflowDefinition for Order { const NAME: &'static str = "order"; type Input = (); type Output = (); }
/// # struct OrderWorkflow;
/// # impl Workflow for OrderWorkflow {
/// #     type Definition = Order;
/// #     fn init(_: &WorkflowInfo, _: &()) -> Self { Self }
/// #     async fn run(_: WorkflowContext<Self>, _: ()) -> Result<(), WorkflowError> { Ok(()) }
/// # }
/// # async fn check(history: timewright_proto::history::History) -> Result<(), timewright_workflow_worker::ReplayError> {
/// let replayer = Replayer::new().workflow::<OrderWorkflow>();
/// replayer.replay("order-7", history).await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Replayer {
    registry: Registry,
    converter: DataConverter,
    interceptors: Interceptors,
    propagators: ContextPropagators,
    applied: AppliedSetUps,
}

/// Why a history cannot be gone through.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The code does not do what the history says.
    #[error("workflow {workflow_id:?}: {disagreement}")]
    Nondeterminism {
        /// The workflow.
        workflow_id: String,
        /// Both sides.
        disagreement: Box<Nondeterminism>,
    },
    /// The code failed in a way that fails a Workflow Task: a panic, an unknown type, something that cannot be decoded; or
    /// the history is damaged.
    #[error("workflow {workflow_id:?}: {message}")]
    TaskFailed {
        /// The workflow.
        workflow_id: String,
        /// What happened.
        message: String,
    },
    /// A codec could not read the history's Payloads.
    #[error("workflow {workflow_id:?}: {error}")]
    Codec {
        /// The workflow.
        workflow_id: String,
        /// What the codec said.
        #[source]
        error: CodecError,
    },
}

impl Replayer {
    /// A replayer that knows no workflow yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow's implementation.
    #[must_use]
    pub fn workflow<W: Workflow>(mut self) -> Self {
        self.registry.add::<W>();
        self
    }

    /// As [`WorkflowWorkerBuilder::named_workflow`](crate::WorkflowWorkerBuilder::named_workflow).
    #[must_use]
    pub fn named_workflow<W: Workflow>(mut self, name: impl Into<String>) -> Self {
        self.registry.add_named::<W>(name.into());
        self
    }

    /// As [`WorkflowWorkerBuilder::dynamic_workflow`](crate::WorkflowWorkerBuilder::dynamic_workflow).
    #[must_use]
    pub fn dynamic_workflow<W: Workflow<Definition = AnyWorkflow>>(mut self) -> Self {
        self.registry.add_dynamic::<W>();
        self
    }

    /// As [`WorkflowWorkerBuilder::foreign_workflows`](crate::WorkflowWorkerBuilder::foreign_workflows).
    #[cfg(feature = "foreign")]
    #[must_use]
    pub fn foreign_workflows(mut self, workflows: impl crate::foreign::ForeignWorkflows) -> Self {
        let workflows: Arc<dyn crate::foreign::ForeignWorkflows> = Arc::new(workflows);
        self.registry.add_foreign(&workflows);
        self
    }

    /// Reads Payloads with this Data Converter. Default: [`DataConverter::default`].
    #[must_use]
    pub fn data_converter(mut self, converter: DataConverter) -> Self {
        self.converter = converter;
        self
    }

    /// As [`WorkflowWorkerBuilder::interceptor`](crate::WorkflowWorkerBuilder::interceptor): what changes calls belongs to what is
    /// tested.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl WorkflowInterceptor) -> Self {
        self.interceptors.push(interceptor);
        self
    }

    /// As [`ClientOptions::propagator`](timewright_client::ClientOptions::propagator): workflows that ask for context values need
    /// them here, too.
    #[must_use]
    pub fn propagator(mut self, propagator: impl ContextPropagator) -> Self {
        self.propagators.push(propagator);
        self
    }

    /// Lets a step set this replayer up, unless one of its name has done so.
    #[must_use]
    pub fn set_up(self, step: &SetUp<Self>) -> Self {
        step.apply_once(self, |replayer| &mut replayer.applied)
    }

    /// Goes through a history. A history of a workflow that still runs is as good as one of a workflow that has ended.
    ///
    /// # Errors
    /// When the code disagrees with the history, fails, or the history is damaged.
    pub async fn replay(&self, workflow_id: &str, mut history: History) -> Result<(), ReplayError> {
        let failed = |error| ReplayError::Codec { workflow_id: workflow_id.to_owned(), error };
        self.converter.decode(&mut history).await.map_err(failed)?;
        self.go_through_apart(workflow_id, history).await
    }

    /// Fetches a workflow's history from the server and goes through it; `run_id` names a run other than the latest.
    ///
    /// # Errors
    /// As [`replay`](Self::replay); and when the history cannot be fetched.
    pub async fn replay_from_server(
        &self,
        client: &Client,
        workflow_id: &str,
        run_id: Option<&str>,
    ) -> Result<(), ReplayError> {
        let failed = |message| ReplayError::TaskFailed { workflow_id: workflow_id.to_owned(), message };
        let handle = client.workflow_handle_untyped(workflow_id, run_id.map(str::to_owned));
        // The client has decoded the Payloads.
        let history = handle.history().await.map_err(|error| failed(error.to_string()))?;
        self.go_through_apart(workflow_id, history).await
    }

    /// On a plain thread, as in a worker: what has no place in workflow code, such as tokio's timers, fails here, too.
    async fn go_through_apart(&self, workflow_id: &str, history: History) -> Result<(), ReplayError> {
        let (replayer, id) = (self.clone(), workflow_id.to_owned());
        let (outcome, gone_through) = tokio::sync::oneshot::channel();
        let failed = |message| ReplayError::TaskFailed { workflow_id: workflow_id.to_owned(), message };
        std::thread::Builder::new()
            .name("replay".to_owned())
            .spawn(move || {
                // Whoever asked may have gone.
                let _ = outcome.send(replayer.go_through(&id, history));
            })
            .map_err(|error| failed(format!("no thread could be started: {error}")))?;
        gone_through.await.unwrap_or_else(|_| Err(failed("the replayer panicked, which is a defect of it".to_owned())))
    }

    fn go_through(&self, workflow_id: &str, history: History) -> Result<(), ReplayError> {
        let environment = Environment {
            deployment_version: None,
            namespace: "replay".to_owned(),
            task_queue: task_queue(&history),
            converter: self.converter.clone(),
            executes_local_activities: false,
            interceptors: self.interceptors.clone().with_propagators(&self.propagators),
            detects_foreign_waits: true,
            checks_determinism: false,
            meter: MetricMeter::none(),
            rollout: Default::default(),
        };
        let first_event_id = history.events.first().map(|event| event.event_id);
        let mut code = UserCode::new(Arc::new(self.registry.clone()), environment, None);
        let names = WorkflowNames { workflow_id: workflow_id.into(), ..WorkflowNames::default() };
        let mut runs = Runs::new(CacheLimits::runs(0));
        runs.handle_task(WorkflowTask {
            task_token: "replay".into(),
            workflow_id: workflow_id.to_owned(),
            run_id: "replay".to_owned(),
            workflow_type: String::new(),
            attempt: 1,
            previous_started_event_id: 0,
            history: HistoryPage { events: history.events, next_page_token: Bytes::new() },
            received_at: Instant::now(),
            kind: TaskKind::Replay,
        });
        let failed = |message| ReplayError::TaskFailed { workflow_id: workflow_id.to_owned(), message };
        while let Some((key, output)) = runs.poll_output() {
            match output {
                Output::Activate(activation) => match code.activate(&key, &names, activation) {
                    Ok(commands) => runs.handle_commands(&key, commands),
                    Err(problem) => return Err(failed(problem.failure.to_string())),
                },
                Output::FailTask(failure) => {
                    return Err(match failure.nondeterminism {
                        Some(disagreement) => {
                            ReplayError::Nondeterminism { workflow_id: workflow_id.to_owned(), disagreement }
                        }
                        None => failed(failure.failure.message),
                    });
                }
                // The beginning is asked for, and there is nothing else than what was given.
                Output::FetchHistory { .. } => return Err(failed(no_beginning(first_event_id))),
                Output::FinishReplay => return Ok(()),
                _ => (),
            }
        }
        Err(failed("the history could not be gone through to its end".to_owned()))
    }
}

fn no_beginning(first_event_id: Option<i64>) -> String {
    match first_event_id {
        None => "the history has no events".to_owned(),
        Some(first) => format!(
            "the history begins with event {first}, and not with event 1: a page is missing, or came in the wrong order"
        ),
    }
}

/// The Task Queue that the workflow was started on.
fn task_queue(history: &History) -> String {
    use timewright_proto::history::history_event::Attributes;
    match history.events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            started.task_queue.as_ref().map(|queue| queue.name.clone()).unwrap_or_default()
        }
        _ => String::new(),
    }
}
