//! How a Workflow Worker is set up.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use timewright_client::{
    AppliedSetUps, Client, InvalidWorkerDeployment, PollerBehavior, SetUp, SlotSupplier, VersioningBehavior,
    WorkerDeployment, WorkerLifecycle, WorkerSlots,
};
use timewright_definition::WorkflowDefinition;
use timewright_protocol::task_queue::RateLimit;

use crate::child_workflow::AnyWorkflow;
use crate::eager_activities::{EagerActivities, EagerActivityExecutor};
use crate::interceptor::{Interceptors, WorkflowInterceptor};
use crate::local_activities::LocalActivityExecutor;
use crate::policy::{FailurePolicy, Policies};
use crate::registry::{Problem, Registry};
use crate::rollout::{PatchActivation, Rollout, VersionChoice};
use crate::versioning::Versioning;
use crate::worker::{WorkerError, WorkflowWorker};
use crate::workflow::Workflow;

/// Sets a [`WorkflowWorker`] up: [`WorkflowWorker::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WorkflowWorkerBuilder {
    pub(crate) client: Client,
    pub(crate) registry: Registry,
    pub(crate) options: Options,
}

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) task_queue: String,
    pub(crate) slots: WorkerSlots,
    /// How many polls are open; where it is not said, the server may ask for autoscaling.
    pub(crate) polls: Option<PollerBehavior>,
    pub(crate) sticky_poll_share: f64,
    pub(crate) maximum_cached_workflows: usize,
    pub(crate) maximum_cached_bytes: u64,
    pub(crate) cached_workflow_idle_timeout: Option<Duration>,
    pub(crate) threads: usize,
    pub(crate) deadlock_detection_timeout: Option<Duration>,
    pub(crate) maximum_held_threads: usize,
    pub(crate) sticky_schedule_to_start_timeout: Duration,
    pub(crate) graceful_shutdown_timeout: Duration,
    pub(crate) maximum_signal_wait: Duration,
    pub(crate) payload_size_limit: PayloadSizeLimit,
    pub(crate) paged_completions: bool,
    pub(crate) eager_activities: EagerActivities,
    pub(crate) local_activities: Option<Arc<dyn LocalActivityExecutor>>,
    pub(crate) local_activity_slots: WorkerSlots,
    pub(crate) local_activities_per_second: Option<f64>,
    pub(crate) interceptors: Interceptors,
    pub(crate) detects_foreign_waits: bool,
    pub(crate) checks_determinism: bool,
    pub(crate) policies: Policies,
    pub(crate) codec_timeout: Duration,
    pub(crate) versioning: Versioning,
    pub(crate) rollout: Rollout,
    pub(crate) lifecycle: WorkerLifecycle<WorkerError>,
    applied: AppliedSetUps,
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Options").field("task_queue", &self.task_queue).finish_non_exhaustive()
    }
}

/// How many bytes of Payloads are too many.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PayloadSizeLimit {
    /// As many as the server says.
    OfServer,
    Of(Option<usize>),
}

impl PayloadSizeLimit {
    pub(crate) fn limit(self, of_server: usize) -> Option<usize> {
        match self {
            Self::OfServer => Some(of_server),
            Self::Of(limit) => limit,
        }
    }
}

/// A Workflow Worker that cannot work. The application's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nothing to do.
    #[error("the Workflow Worker on task queue {task_queue:?} has no workflows; register one with `workflow::<W>()`")]
    NoWorkflows {
        /// Its Task Queue.
        task_queue: String,
    },
    /// Two workflows of one type.
    #[error(
        "workflow type {workflow_type:?} is registered twice with the worker on task queue {task_queue:?}; remove or rename one of them"
    )]
    DuplicateWorkflow {
        /// The type.
        workflow_type: String,
        /// The worker's Task Queue.
        task_queue: String,
    },
    /// Something is wrong with a workflow's name, or with its handlers.
    #[error("workflow type {workflow_type:?} of the worker on task queue {task_queue:?}: {problem}")]
    InvalidWorkflow {
        /// The type.
        workflow_type: String,
        /// The worker's Task Queue.
        task_queue: String,
        /// What is wrong, and what would do.
        problem: String,
    },
    /// A name is needed.
    #[error("a Workflow Worker needs the name of a task queue")]
    NoTaskQueue,
    /// The version that the worker is said to be of cannot be.
    #[error("the Workflow Worker on task queue {task_queue:?}: {problem}")]
    Deployment {
        /// Its Task Queue.
        task_queue: String,
        /// What is wrong with it.
        problem: InvalidWorkerDeployment,
    },
    /// A workflow of a worker with versions that says neither that it stays on its version nor that it does not.
    #[error(
        "the Workflow Worker on task queue {task_queue:?} has versions, and workflow type {workflow_type:?} does not say whether \
         it is pinned to one or auto-upgraded; give it a Workflow::VERSIONING_BEHAVIOR, or the worker's deployment a \
         default_versioning_behavior"
    )]
    NoVersioningBehavior {
        /// The type.
        workflow_type: String,
        /// The worker's Task Queue.
        task_queue: String,
    },
    /// Numbers that do not go together.
    #[error("the Workflow Worker on task queue {task_queue:?}: {problem}")]
    Options {
        /// Its Task Queue.
        task_queue: String,
        /// Which, and what would do.
        problem: String,
    },
}

impl WorkflowWorkerBuilder {
    pub(crate) fn new(client: Client, task_queue: String) -> Self {
        let steps: Vec<SetUp<Self>> = client.extensions().cloned().collect();
        steps.iter().fold(Self::with_defaults(client, task_queue), Self::set_up)
    }

    fn with_defaults(client: Client, task_queue: String) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            client,
            registry: Registry::default(),
            options: Options {
                task_queue,
                slots: WorkerSlots::fixed(100),
                polls: None,
                sticky_poll_share: 0.5,
                maximum_cached_workflows: 1000,
                maximum_cached_bytes: 512 * 1024 * 1024,
                cached_workflow_idle_timeout: Some(Duration::from_secs(60 * 60)),
                threads,
                // As in other SDKs: who debugs stops threads for as long as it takes.
                deadlock_detection_timeout: std::env::var_os("TEMPORAL_DEBUG")
                    .is_none()
                    .then_some(DEADLOCK_DETECTION_TIMEOUT),
                maximum_held_threads: 32,
                sticky_schedule_to_start_timeout: Duration::from_secs(10),
                graceful_shutdown_timeout: Duration::from_secs(10),
                maximum_signal_wait: Duration::from_millis(50),
                payload_size_limit: PayloadSizeLimit::OfServer,
                paged_completions: false,
                eager_activities: EagerActivities { executor: None, maximum: 3 },
                local_activities: None,
                local_activity_slots: WorkerSlots::fixed(100),
                local_activities_per_second: None,
                interceptors: Interceptors::default(),
                detects_foreign_waits: true,
                checks_determinism: false,
                policies: Policies::default(),
                codec_timeout: Duration::from_secs(30),
                versioning: Versioning::default(),
                rollout: Rollout::default(),
                lifecycle: WorkerLifecycle::default(),
                applied: AppliedSetUps::default(),
            },
        }
    }

    /// Executes workflow `W`.
    pub fn workflow<W: Workflow>(mut self) -> Self {
        self.registry.add::<W>();
        self.options.versioning.declare(W::Definition::NAME, W::VERSIONING_BEHAVIOR);
        self
    }

    /// Executes workflow `W` under a name that is known only at run time, instead of the one of its definition.
    pub fn named_workflow<W: Workflow>(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.options.versioning.declare(&name, W::VERSIONING_BEHAVIOR);
        self.registry.add_named::<W>(name);
        self
    }

    /// Executes workflow `W` for all Workflow Types that no other workflow is registered for. It finds the type's name in
    /// [`WorkflowInfo::workflow_type`](crate::WorkflowInfo::workflow_type), and gets the arguments as they are.
    /// <https://docs.temporal.io/dynamic-handler>
    ///
    /// ```
    /// # use timewright_converter::{RawArguments, RawValue, Value};
    /// # use timewright_workflow_worker::{AnyWorkflow, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
    /// struct Interpreter;
    ///
    /// impl Workflow for Interpreter {
    ///     type Definition = AnyWorkflow;
    ///
    ///     fn init(_info: &WorkflowInfo, _arguments: &RawArguments) -> Self {
    ///         Self
    ///     }
    ///
    ///     async fn run(context: WorkflowContext<Self>, arguments: RawArguments) -> Result<RawValue, WorkflowError> {
    ///         let text = format!("{} with {} arguments", context.info().workflow_type, arguments.0.len());
    ///         Ok(RawValue(text.to_payload()?))
    ///     }
    /// }
    /// ```
    pub fn dynamic_workflow<W: Workflow<Definition = AnyWorkflow>>(mut self) -> Self {
        self.options.versioning.declare_dynamic(W::VERSIONING_BEHAVIOR);
        self.registry.add_dynamic::<W>();
        self
    }

    /// Adds all workflows of code that is not part of this program, such as a WebAssembly module: `timewright_wasm::WasmWorkflows`. They
    /// are executed as all others are; interceptors, propagators, metrics, and what is said here of patches and versions, do not
    /// reach into them. With the feature `foreign`.
    #[cfg(feature = "foreign")]
    pub fn foreign_workflows(mut self, workflows: impl crate::foreign::ForeignWorkflows) -> Self {
        for workflow in workflows.workflows() {
            self.options.versioning.declare(&workflow.workflow_type, workflow.versioning_behavior());
        }
        let workflows: Arc<dyn crate::foreign::ForeignWorkflows> = Arc::new(workflows);
        self.registry.add_foreign(&workflows);
        self
    }

    /// How many Workflow Tasks are executed at the same time. Default: 100.
    pub fn maximum_concurrent_workflow_tasks(mut self, count: usize) -> Self {
        self.options.slots = WorkerSlots::fixed(count);
        self
    }

    /// Lets this supplier decide how many Workflow Tasks are executed at the same time, in place of a fixed number. Workers may
    /// share one. It must have two slots at least, one for the Task Queue and one for the sticky queue.
    pub fn workflow_task_slot_supplier(mut self, supplier: impl SlotSupplier) -> Self {
        self.options.slots = WorkerSlots::supplied(supplier);
        self
    }

    /// How many polls are open at the same time, on the Task Queue and on the worker's sticky queue together: the same as
    /// [`poller_behavior`](Self::poller_behavior) with [`PollerBehavior::Fixed`].
    pub fn maximum_concurrent_polls(self, count: usize) -> Self {
        self.poller_behavior(PollerBehavior::Fixed { maximum: count })
    }

    /// How many polls are open at the same time: a fixed number for both queues together, or for each queue as many as the server
    /// suggests. Default: 5, or if the namespace asks for it, as many as [`PollerBehavior::AUTOSCALING`] gives.
    ///
    /// ```no_run
    /// # use timewright_workflow_worker::{PollerBehavior, WorkflowWorkerBuilder};
    /// # fn example(builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
    /// builder.poller_behavior(PollerBehavior::Autoscaling { minimum: 2, initial: 5, maximum: 50 })
    /// # }
    /// ```
    pub fn poller_behavior(mut self, behavior: PollerBehavior) -> Self {
        self.options.polls = Some(behavior);
        self
    }

    /// Which part of the polls is on the worker's sticky queue, between 0 and 1, where polls or slots are too few for all that
    /// both queues could use. Each queue has one at least. Other SDKs call the rest the ratio of nonsticky to sticky polls.
    /// Default: 0.5.
    pub fn sticky_poll_share(mut self, share: f64) -> Self {
        self.options.sticky_poll_share = share;
        self
    }

    /// How many workflows stay in memory between their tasks, so that their history needs no replay. 0 replays each task
    /// from the beginning: slow, and a good test of determinism. Default: 1000.
    /// <https://docs.temporal.io/sticky-execution>
    pub fn maximum_cached_workflows(mut self, count: usize) -> Self {
        self.options.maximum_cached_workflows = count;
        self
    }

    /// How many bytes the cached workflows may take together; each thread has its share of them. It is an estimate: the Payloads that they were given, and the
    /// SDK's own state; not what workflow code makes of them. Default: 512 MiB.
    pub fn maximum_cached_bytes(mut self, bytes: u64) -> Self {
        self.options.maximum_cached_bytes = bytes;
        self
    }

    /// How long a workflow stays in memory after its last task: one that was terminated, or that sleeps for long, needs no room.
    /// `None` lets it stay as long as there is room. Default: 1 h.
    pub fn cached_workflow_idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.cached_workflow_idle_timeout = timeout;
        self
    }

    /// For how long workflow code may keep its thread without waiting for anything, when one Workflow Task of the history is
    /// executed. Longer is taken for a deadlock, a loop without end, or a call that blocks: the Workflow Task fails, with
    /// TMPRL1101, and is tried again once the code has come back; its thread is abandoned, and all other workflows go on
    /// without it. Time in which a task waits for a thread does not count. `None` turns this off. Default: 2 s, and off where
    /// the environment variable `TEMPORAL_DEBUG` is set.
    /// <https://github.com/temporalio/rules/blob/main/rules/TMPRL1101.md>
    pub fn deadlock_detection_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.deadlock_detection_timeout = timeout;
        self
    }

    /// How many threads may be held by workflow code that does not come back, and be replaced all the same. Beyond that they
    /// are not replaced until some have come back, which the log says loudly; without any thread left, Workflow Tasks fail.
    /// Default: 32.
    pub fn maximum_held_threads(mut self, count: usize) -> Self {
        self.options.maximum_held_threads = count;
        self
    }

    /// On how many threads workflow code runs. Default: as many as there are cores.
    pub fn threads(mut self, count: usize) -> Self {
        self.options.threads = count.max(1);
        self
    }

    /// After this time the server gives a task of a cached workflow to any worker. Default: 10 s.
    pub fn sticky_schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.options.sticky_schedule_to_start_timeout = timeout;
        self
    }

    /// How long a shutdown waits for tasks that are being executed. Default: 10 s.
    pub fn graceful_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.options.graceful_shutdown_timeout = timeout;
        self
    }

    /// How much later a workflow may hear a Signal, so that several come in one Workflow Task. While Signals come one after the other,
    /// and the workflow has no Commands for them, nobody waits for the answers to its Workflow Tasks. Such an answer is held back,
    /// for a quarter of the time that they have been coming and at most for this, since the server keeps what comes
    /// until then for one next task: that saves Events in the history, and work for server and worker. Whatever else comes in that
    /// time waits, too: timers, results, Updates, Queries. Answers with Commands, or to Updates and Queries, are sent at once; so are
    /// all when half of the worker's slots execute tasks, when their supplier does not know how many are free, and on shutdown. Zero
    /// turns it off; more than 200 ms, or a twentieth of the Workflow Task Timeout, it never is. Default: 50 ms.
    pub fn maximum_signal_wait(mut self, wait: Duration) -> Self {
        self.options.maximum_signal_wait = wait;
        self
    }

    /// The most bytes that the Payloads of one Command, or one Query's answer, may have. More fails the Workflow Task, which
    /// is tried again, instead of letting the server end the workflow. `None` leaves it to the server. Default: what the
    /// server says that it takes, usually 2 MiB.
    pub fn payload_size_limit(mut self, limit: Option<usize>) -> Self {
        self.options.payload_size_limit = PayloadSizeLimit::Of(limit);
        self
    }

    /// Whether the answer to a Workflow Task that is too large for one message goes in pages, where the server takes pages. Off
    /// by default: such a task then fails, and mended code can go on.
    ///
    /// A server takes pages if `history.enableWorkflowTaskCompletionPagination` is on. It stores all of them in one
    /// transaction, whose limit it tells nobody: `system.transactionSizeLimit`, 4 MiB unless it was set. Beyond that limit it
    /// **terminates the workflow**, so turn this on only where that limit was raised, too.
    pub fn paged_completions(mut self, paged: bool) -> Self {
        self.options.paged_completions = paged;
        self
    }

    /// Lets an interceptor see what comes into workflows and what they ask for. Of several, the last is nearest to workflow code.
    /// Context values are carried by the client's own [propagators](timewright_client::ClientOptions::propagator), outside all of
    /// them.
    pub fn interceptor(mut self, interceptor: impl WorkflowInterceptor) -> Self {
        self.options.interceptors.push(interceptor);
        self
    }

    /// Executes activities of the worker's own Task Queue with this, without the way over the Task Queue, where there is room.
    /// Default: none; `timewright::Worker` sets it where it runs an Activity Worker on the same Task Queue.
    ///
    /// If the answer to a Workflow Task is lost on its way, so are the activities in it, until they time out. An activity for
    /// which that takes too long says [`eager_execution(false)`](crate::ActivityOptions::eager_execution).
    pub fn eager_activities(mut self, executor: impl EagerActivityExecutor) -> Self {
        self.options.eager_activities.executor = Some(Arc::new(executor));
        self
    }

    /// How many activities of one Workflow Task are executed so at most; 0: none. Default: 3.
    pub fn maximum_eager_activities_per_workflow_task(mut self, count: usize) -> Self {
        self.options.eager_activities.maximum = count;
        self
    }

    /// Executes Local Activities with this: with the crate `timewright`, `LocalActivities::of(&activity_worker)`. Its `Worker` does so
    /// by itself where both workers are on the same Task Queue. Default: none, so that a workflow which asks for one fails its
    /// Workflow Task.
    pub fn local_activities(mut self, executor: impl LocalActivityExecutor) -> Self {
        self.options.local_activities = Some(Arc::new(executor));
        self
    }

    /// How many Local Activities are executed at the same time; further ones wait. Default: 100.
    pub fn maximum_concurrent_local_activities(mut self, count: usize) -> Self {
        self.options.local_activity_slots = WorkerSlots::fixed(count);
        self
    }

    /// Lets this supplier decide how many Local Activities are executed at the same time, in place of a fixed number.
    pub fn local_activity_slot_supplier(mut self, supplier: impl SlotSupplier) -> Self {
        self.options.local_activity_slots = WorkerSlots::supplied(supplier);
        self
    }

    /// The most attempts of Local Activities that this worker begins in a second; further ones wait. After a pause it may begin
    /// those of one more second at once. Default: no limit.
    pub fn maximum_local_activities_per_second(mut self, activities: f64) -> Self {
        self.options.local_activities_per_second = Some(activities);
        self
    }

    /// Whether each Workflow Task is executed a second time, from the start of its workflow, and compared, before its answer is
    /// sent. Code that does something else then, since it depends on a clock, on randomness, on the order of a hash map or on
    /// a static, fails that task, with TMPRL1100 and the first difference. Local Activities and side effects are not executed
    /// again. It costs memory and time that grow with the square of the history, so it is for development and tests.
    /// Default: false.
    pub fn check_determinism(mut self, check: bool) -> Self {
        self.options.checks_determinism = check;
        self
    }

    /// How long the Payload Codecs may take for one Workflow Task, or for its answer, before that task fails and is tried again:
    /// a codec that never answers must not hold a task for ever. Default: 30 s.
    pub fn codec_timeout(mut self, timeout: Duration) -> Self {
        self.options.codec_timeout = timeout;
        self
    }

    /// What becomes of workflows whose code panics, returns errors, or does not do what the history says.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.options.policies.of_all = policy;
        self
    }

    /// The same for workflow `W` alone, in place of what holds for all.
    pub fn failure_policy_of<W: Workflow>(self, policy: FailurePolicy) -> Self {
        self.failure_policy_named(<W::Definition as WorkflowDefinition>::NAME, policy)
    }

    /// The same for a Workflow Type whose name is known only at run time.
    pub fn failure_policy_named(mut self, workflow_type: impl Into<String>, policy: FailurePolicy) -> Self {
        self.options.policies.by_type.insert(workflow_type.into(), policy);
        self
    }

    /// Whether a Workflow Task fails, with TMPRL1100, when its workflow waits for something that is not its own: a channel,
    /// timer, task or connection of tokio or of another library, or a thread. A replay could not repeat that. Default: true.
    ///
    /// Local channels and locks of other libraries are found, too, although those may be deterministic; turn this off where
    /// workflows must use such.
    /// <https://github.com/temporalio/rules/blob/main/rules/TMPRL1100.md>
    pub fn detect_foreign_waits(mut self, detect: bool) -> Self {
        self.options.detects_foreign_waits = detect;
        self
    }

    /// Says which version of which Worker Deployment this worker is. <https://docs.temporal.io/worker-versioning>
    ///
    /// ```no_run
    /// # use timewright_client::Client;
    /// # use timewright_workflow_worker::{VersioningBehavior, WorkerDeployment, WorkflowWorker, WorkflowWorkerBuilder};
    /// # fn example(client: Client) -> WorkflowWorkerBuilder {
    /// let deployment = WorkerDeployment::versioned("orders", "1.4.0")
    ///     .default_versioning_behavior(VersioningBehavior::AutoUpgrade);
    /// WorkflowWorker::builder(client, "orders").deployment(deployment)
    /// # }
    /// ```
    pub fn deployment(mut self, deployment: WorkerDeployment) -> Self {
        self.options.versioning.deployment = Some(deployment);
        self
    }

    /// Says for workflows of this type whether they stay on the version on which they started, whatever they say themselves
    /// ([`Workflow::VERSIONING_BEHAVIOR`]).
    pub fn versioning_behavior(mut self, workflow_type: impl Into<String>, behavior: VersioningBehavior) -> Self {
        self.options.versioning.choose(workflow_type.into(), behavior);
        self
    }

    /// Calls this when [`run`](WorkflowWorker::run) is called, before anything else happens. Can be said several times: the first is called
    /// first.
    pub fn on_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.options.lifecycle.on_start(hook);
        self
    }

    /// Calls this when the worker has stopped and all that it executed is over, with the error that [`run`](WorkflowWorker::run) returns
    /// then. Can be said several times: the first is called last.
    pub fn on_stop(mut self, hook: impl Fn(Result<(), &WorkerError>) + Send + Sync + 'static) -> Self {
        self.options.lifecycle.on_stop(hook);
        self
    }

    /// Lets a step set this worker up, unless one of its name has done so. Those that the client brings come first of all.
    pub fn set_up(self, step: &SetUp<Self>) -> Self {
        step.apply_once(self, |builder| &mut builder.options.applied)
    }

    /// Says for each Workflow Type of a dynamic workflow whether its runs stay on the version on which they started; `None`: what the
    /// workflow itself says ([`Workflow::VERSIONING_BEHAVIOR`]). Types that [`versioning_behavior`](Self::versioning_behavior) names are
    /// not asked for. The answer for a type must not change while the worker runs.
    ///
    /// ```no_run
    /// # use timewright_workflow_worker::{VersioningBehavior, WorkflowWorkerBuilder};
    /// # fn example(builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
    /// builder.dynamic_versioning_behavior(|workflow_type| {
    ///     workflow_type.starts_with("report-").then_some(VersioningBehavior::AutoUpgrade)
    /// })
    /// # }
    /// ```
    pub fn dynamic_versioning_behavior(
        mut self,
        behavior: impl Fn(&str) -> Option<VersioningBehavior> + Send + Sync + 'static,
    ) -> Self {
        self.options.versioning.choose_dynamically(behavior);
        self
    }

    /// Decides which runs go the new way of a [patch](crate::WorkflowContext::patched) when they come to it for the first time: so a
    /// patch can be deployed first, and activated for more and more of the runs later, without another deployment. A run that was let
    /// off stays so. Default: all do.
    ///
    /// Activate a patch only when all workers know it: a worker without it cannot go on with a run that has it.
    /// <https://docs.temporal.io/patching>
    ///
    /// ```no_run
    /// # use timewright_workflow_worker::WorkflowWorkerBuilder;
    /// # fn example(builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
    /// builder.patch_activation(|patch| {
    ///     patch.patch_id != "by-email" || patch.workflow.workflow_id.ends_with('7') // a tenth of the orders
    /// })
    /// # }
    /// ```
    pub fn patch_activation(
        mut self,
        activates: impl Fn(&PatchActivation<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.rollout.patches = Some(Arc::new(activates));
        self
    }

    /// Decides which [version](crate::WorkflowContext::version) of a change runs follow that come to it for the first time. What lies
    /// outside of the versions that the code knows counts as the nearest of them. Default: the newest.
    ///
    /// ```no_run
    /// # use timewright_workflow_worker::WorkflowWorkerBuilder;
    /// # fn example(builder: WorkflowWorkerBuilder) -> WorkflowWorkerBuilder {
    /// builder.preferred_version(|change| match change.change_id {
    ///     "shipping" => 2, // until all workers know 3
    ///     _ => change.newest,
    /// })
    /// # }
    /// ```
    pub fn preferred_version(mut self, prefers: impl Fn(&VersionChoice<'_>) -> i32 + Send + Sync + 'static) -> Self {
        self.options.rollout.versions = Some(Arc::new(prefers));
        self
    }

    /// Calls this when the worker cannot go on, with the error that [`run`](WorkflowWorker::run) returns later: before the worker
    /// waits for the tasks that it executes. An alarm belongs here, or a switch that takes the process out of service. Can be
    /// said several times: the first is called first.
    pub fn on_fatal_error(mut self, hook: impl FnOnce(&WorkerError) + Send + 'static) -> Self {
        self.options.lifecycle.on_fatal_error(hook);
        self
    }

    /// Checks what was set.
    ///
    /// # Errors
    /// When the worker could not work.
    pub fn build(self) -> Result<WorkflowWorker, BuildError> {
        let task_queue = self.options.task_queue.clone();
        if task_queue.is_empty() {
            return Err(BuildError::NoTaskQueue);
        }
        if self.registry.is_empty() {
            return Err(BuildError::NoWorkflows { task_queue });
        }
        match self.registry.problem().cloned() {
            Some(Problem::Twice { workflow_type }) => {
                return Err(BuildError::DuplicateWorkflow { workflow_type, task_queue });
            }
            Some(Problem::Invalid { workflow_type, problem }) => {
                return Err(BuildError::InvalidWorkflow { workflow_type, task_queue, problem });
            }
            None => (),
        }
        if self.options.local_activity_slots.count() == Some(0) {
            let problem = "maximum_concurrent_local_activities is 0; set 1 or more".to_owned();
            return Err(BuildError::Options { task_queue, problem });
        }
        if let Some(Err(error)) = self.options.local_activities_per_second.map(RateLimit::new) {
            let problem = format!("maximum_local_activities_per_second: {error}");
            return Err(BuildError::Options { task_queue, problem });
        }
        if let Some(Err(problem)) = self.options.versioning.deployment.as_ref().map(WorkerDeployment::check) {
            return Err(BuildError::Deployment { task_queue, problem });
        }
        if let Some(name) = self.registry.names().into_iter().find(|name| self.options.versioning.is_missing(name)) {
            return Err(BuildError::NoVersioningBehavior { workflow_type: name.to_owned(), task_queue });
        }
        WorkflowWorker::new(self.client, Arc::new(self.registry), self.options)
    }
}

/// As in other SDKs.
const DEADLOCK_DETECTION_TIMEOUT: Duration = Duration::from_secs(2);
