//! What a worker executes, and how it is set up.

use std::sync::Arc;
use std::time::Duration;

use timewright_client::{
    AppliedSetUps, Client, InvalidWorkerDeployment, PollerBehavior, ReadinessSource, SetUp, SlotSupplier,
    WorkerDeployment, WorkerLifecycle, WorkerSlots, jitter_seed,
};
use timewright_converter::{RawArguments, RawValue};
use timewright_definition::ActivityDefinition;
use timewright_definition::session::opening_task_queue;
use timewright_protocol::activity::{ActivityOutcome, AttemptOptions};
use timewright_protocol::task_queue::{InvalidPollerOptions, Poller, RateLimit};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::blocking::BlockingPool;
use crate::eager::EagerActivities;
use crate::propagation::Propagation;
use crate::router::Router;
use crate::session::Sessions;
use crate::worker::{ActivityWorker, WorkerError};
use crate::{ActivityContext, ActivityError, ActivityRequest, ActivityService, handler};

/// Registers activities and sets options; [`build`](Self::build) makes an [`ActivityWorker`] of it.
#[must_use = "nothing is executed before the worker is built and run"]
pub struct ActivityWorkerBuilder {
    client: Client,
    task_queue: String,
    router: Router,
    /// The first name that was registered twice.
    duplicate: Option<String>,
    blocking_pool: BlockingPool,
    layers: Vec<Box<dyn FnOnce(ActivityService) -> ActivityService + Send>>,
    slots: WorkerSlots,
    /// How many polls are open; where it is not said, the server may ask for autoscaling.
    polls: Option<PollerBehavior>,
    activities_per_second: Option<f64>,
    task_queue_activities_per_second: Option<f64>,
    maximum_concurrent_sessions: usize,
    graceful_shutdown_timeout: Duration,
    attempt_options: AttemptOptions,
    deployment: Option<WorkerDeployment>,
    lifecycle: WorkerLifecycle<WorkerError>,
    applied: AppliedSetUps,
}

/// A worker that cannot be built. The application's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Two activities have the same name.
    #[error(
        "activity `{name}` is registered twice with the Activity Worker on task queue {task_queue:?}; remove or rename one of them"
    )]
    DuplicateActivity {
        /// The name.
        name: String,
        /// The worker's Task Queue.
        task_queue: String,
    },
    /// Nothing is registered.
    #[error("the Activity Worker on task queue {task_queue:?} has no activities; register one before build()")]
    NoActivities {
        /// The worker's Task Queue.
        task_queue: String,
    },
    /// The Task Queue has no name.
    #[error(
        "the Task Queue has no name; give ActivityWorker::builder the one that workflows schedule their activities on"
    )]
    NoTaskQueue,
    /// The version that the worker is said to be of cannot be.
    #[error("the Activity Worker on task queue {task_queue:?}: {problem}")]
    Deployment {
        /// The worker's Task Queue.
        task_queue: String,
        /// What is wrong with it.
        problem: InvalidWorkerDeployment,
    },
    /// There are too few slots or polls to do anything.
    #[error("the Activity Worker on task queue {task_queue:?}: {problem}")]
    Options {
        /// The worker's Task Queue.
        task_queue: String,
        /// What is wrong.
        problem: InvalidPollerOptions,
    },
}

/// What is executed.
impl ActivityWorkerBuilder {
    /// Registers an async function or closure for a definition.
    ///
    /// The function must not block: whoever computes or waits for long without an await wants
    /// [`blocking_activity`](Self::blocking_activity).
    ///
    /// A function that does not do what the definition says is refused when the program is compiled:
    ///
    /// ```compile_fail,E0631
    /// # use timewright_activity_worker::{ActivityContext, ActivityError, ActivityWorkerBuilder};
    /// # use timewright_definition::ActivityDefinition;
    /// # struct Charge;
    /// # impl ActivityDefinition for Charge {
    /// #     const NAME: &'static str = "Charge";
    /// #     type Input = u64;
    /// #     type Output = String;
    /// # }
    /// async fn charge(_context: ActivityContext, amount: String) -> Result<String, ActivityError> {
    ///     Ok(amount)
    /// }
    ///
    /// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
    /// builder.activity(Charge, charge) // the definition says that the input is an `u64`
    /// # }
    /// ```
    pub fn activity<D, F, Fut>(self, definition: D, function: F) -> Self
    where
        D: ActivityDefinition<Input: Send, Output: Send>,
        F: Fn(ActivityContext, D::Input) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<D::Output, ActivityError>> + Send + 'static,
    {
        // Definitions have no fields; the value is there to be read where it is registered.
        let _ = definition;
        self.activity_service(D::NAME, handler::asynchronous::<D, _, _>(function))
    }

    /// Registers an async method of something with state, such as a pool of connections.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use timewright_activity_worker::{ActivityContext, ActivityError, ActivityWorker, ActivityWorkerBuilder};
    /// # use timewright_definition::ActivityDefinition;
    /// # struct Charge;
    /// # impl ActivityDefinition for Charge {
    /// #     const NAME: &'static str = "Charge";
    /// #     type Input = u64;
    /// #     type Output = String;
    /// # }
    /// struct Billing { endpoint: String }
    ///
    /// impl Billing {
    ///     async fn charge(self: Arc<Self>, _context: ActivityContext, amount: u64) -> Result<String, ActivityError> {
    ///         Ok(format!("{amount} charged at {}", self.endpoint))
    ///     }
    /// }
    ///
    /// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
    /// let billing = Arc::new(Billing { endpoint: "https://billing.example".to_owned() });
    /// builder.activity_with_state(Charge, billing, Billing::charge)
    /// # }
    /// ```
    pub fn activity_with_state<D, S, F, Fut>(self, definition: D, state: Arc<S>, method: F) -> Self
    where
        D: ActivityDefinition<Input: Send, Output: Send>,
        S: Send + Sync + 'static,
        F: Fn(Arc<S>, ActivityContext, D::Input) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<D::Output, ActivityError>> + Send + 'static,
    {
        self.activity(definition, move |context, input| method(Arc::clone(&state), context, input))
    }

    /// Registers a function that blocks or computes. It runs on a thread of the worker's own, and holds a slot like any other
    /// activity: so there are never more such threads than the worker has slots, and nothing else that the process does in
    /// the background waits for them, as it would on tokio's blocking pool.
    ///
    /// It cannot be stopped from outside, so let it look at [`is_cancelled`](ActivityContext::is_cancelled).
    pub fn blocking_activity<D, F>(self, definition: D, function: F) -> Self
    where
        D: ActivityDefinition<Input: Send, Output: Send>,
        F: Fn(ActivityContext, D::Input) -> Result<D::Output, ActivityError> + Send + Sync + 'static,
    {
        let _ = definition;
        let pool = self.blocking_pool.clone();
        self.activity_service(D::NAME, handler::blocking::<D, _>(pool, function))
    }

    /// Registers an async function by a name that is known only at run time, from Payloads to a Payload.
    pub fn untyped_activity<F, Fut>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(ActivityContext, RawArguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<RawValue, ActivityError>> + Send + 'static,
    {
        self.activity_service(name, handler::untyped(function))
    }

    /// Registers an async function for all activities that are not registered by name. Which one it is,
    /// [`ActivityContext::info`] says. Of several, the last one counts.
    pub fn dynamic_activity<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(ActivityContext, RawArguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<RawValue, ActivityError>> + Send + 'static,
    {
        self.router.fallback = Some(handler::untyped(function));
        self
    }

    /// Registers a service under a name: what all other kinds of activities become.
    pub fn activity_service<S>(mut self, name: impl Into<String>, service: S) -> Self
    where
        S: Service<ActivityRequest, Response = ActivityOutcome> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let name = name.into();
        if self.router.by_name.insert(name.clone(), boxed(service)).is_some() {
            self.duplicate.get_or_insert(name);
        }
        self
    }

    /// Puts a [`tower::Layer`] around all activities, unknown ones included. Of several, the last is nearest to the activity.
    ///
    /// Timeouts, limits, tracing and so on come from the ecosystem. A layer's own error fails the attempt, which may be tried
    /// again.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use timewright_activity_worker::ActivityWorkerBuilder;
    /// # use tower::limit::ConcurrencyLimitLayer;
    /// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
    /// builder.layer(ConcurrencyLimitLayer::new(10))
    /// # }
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<ActivityService> + Send + 'static,
        L::Service: Service<ActivityRequest, Response = ActivityOutcome> + Clone + Send + Sync + 'static,
        <L::Service as Service<ActivityRequest>>::Error: Into<BoxError>,
        <L::Service as Service<ActivityRequest>>::Future: Send + 'static,
    {
        self.layers.push(Box::new(move |service| boxed(layer.layer(service))));
        self
    }
}

/// How it is executed.
impl ActivityWorkerBuilder {
    /// How many activities are executed at the same time: 100 if not set. No task is fetched that could not begin at once.
    pub fn maximum_concurrent_activities(mut self, maximum: usize) -> Self {
        self.slots = WorkerSlots::fixed(maximum);
        self
    }

    /// Lets this supplier decide how many activities are executed at the same time, in place of a fixed number. Workers may
    /// share one.
    pub fn slot_supplier(mut self, supplier: impl SlotSupplier) -> Self {
        self.slots = WorkerSlots::supplied(supplier);
        self
    }

    /// How many polls are open at the same time, at most: the same as
    /// [`poller_behavior`](Self::poller_behavior) with [`PollerBehavior::Fixed`].
    pub fn maximum_concurrent_polls(self, maximum: usize) -> Self {
        self.poller_behavior(PollerBehavior::Fixed { maximum })
    }

    /// How many polls are open at the same time: a fixed number, or as many as the server suggests. More of them fetch faster, if
    /// tasks are short. If not set, there are 5, or if the namespace asks for it, as many as
    /// [`PollerBehavior::AUTOSCALING`] gives.
    ///
    /// ```no_run
    /// # use timewright_activity_worker::{ActivityWorkerBuilder, PollerBehavior};
    /// # fn example(builder: ActivityWorkerBuilder) -> ActivityWorkerBuilder {
    /// builder.poller_behavior(PollerBehavior::Autoscaling { minimum: 2, initial: 5, maximum: 50 })
    /// # }
    /// ```
    pub fn poller_behavior(mut self, behavior: PollerBehavior) -> Self {
        self.polls = Some(behavior);
        self
    }

    /// The most activities that this worker begins in a second, however many polls are open; less than 1 is a pause between them.
    /// After a pause it may begin those of one more second at once. No limit if not set.
    pub fn maximum_activities_per_second(mut self, activities: f64) -> Self {
        self.activities_per_second = Some(activities);
        self
    }

    /// The most activities that the server gives out in a second on this Task Queue, to all workers together. They all
    /// should say the same: the server keeps to what it heard last. No limit if not set.
    /// <https://docs.temporal.io/develop/worker-performance>
    pub fn maximum_task_queue_activities_per_second(mut self, activities: f64) -> Self {
        self.task_queue_activities_per_second = Some(activities);
        self
    }

    /// How many sessions are open on this worker at the same time: 0, which is none, if not set. In a session a workflow executes
    /// several activities on one worker: `WorkflowContext::open_session`. They have slots of their own, as many as there are for
    /// all other activities.
    ///
    /// A worker that shuts down keeps its sessions until the grace period is over; then they are lost.
    pub const fn maximum_concurrent_sessions(mut self, maximum: usize) -> Self {
        self.maximum_concurrent_sessions = maximum;
        self
    }

    /// How long activities may go on after the worker has begun to shut down, before they are cancelled: 10 s if not set, which
    /// leaves a container time to clean up before it is killed after 30 s.
    pub const fn graceful_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.graceful_shutdown_timeout = timeout;
        self
    }

    /// What no interval between two heartbeats of an activity to the server exceeds: 60 s if not set. The interval is 80 % of
    /// the heartbeat timeout where that is less. The shorter it is, the sooner an activity hears that it is to stop.
    pub const fn maximum_heartbeat_throttle_interval(mut self, interval: Duration) -> Self {
        self.attempt_options.maximum_heartbeat_throttle_interval = interval;
        self
    }

    /// The interval between two heartbeats of an activity to the server where it has no heartbeat timeout: 30 s if not set.
    pub const fn default_heartbeat_throttle_interval(mut self, interval: Duration) -> Self {
        self.attempt_options.default_heartbeat_throttle_interval = interval;
        self
    }

    /// How much longer than its timeouts an activity may take before the worker itself tells it to stop: 5 s if not set. The
    /// server's word normally comes first; this is for when it does not arrive.
    pub const fn local_timeout_buffer(mut self, buffer: Duration) -> Self {
        self.attempt_options.local_timeout_buffer = buffer;
        self
    }

    /// Says which version of which Worker Deployment this worker is. <https://docs.temporal.io/worker-versioning>
    ///
    /// Workflows of a version give their activities to workers of the same version where those poll the activities' Task Queue.
    pub fn deployment(mut self, deployment: WorkerDeployment) -> Self {
        self.deployment = Some(deployment);
        self
    }

    /// Calls this when [`run`](ActivityWorker::run) is called, before anything else happens. Can be said several times: the first is called
    /// first.
    pub fn on_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.lifecycle.on_start(hook);
        self
    }

    /// Calls this when the worker has stopped and all that it executed is over, with the error that [`run`](ActivityWorker::run) returns
    /// then. Can be said several times: the first is called last.
    pub fn on_stop(mut self, hook: impl Fn(Result<(), &WorkerError>) + Send + Sync + 'static) -> Self {
        self.lifecycle.on_stop(hook);
        self
    }

    /// Lets a step set this worker up, unless one of its name has done so. Those that the client brings come first of all.
    pub fn set_up(self, step: &SetUp<Self>) -> Self {
        step.apply_once(self, |builder| &mut builder.applied)
    }

    /// Calls this when the worker cannot go on, with the error that [`run`](ActivityWorker::run) returns later: before the worker
    /// waits for the activities that it executes. An alarm belongs here, or a switch that takes the process out of service. Can be
    /// said several times: the first is called first.
    pub fn on_fatal_error(mut self, hook: impl FnOnce(&WorkerError) + Send + 'static) -> Self {
        self.lifecycle.on_fatal_error(hook);
        self
    }

    /// Checks everything, and makes a worker of it.
    ///
    /// # Errors
    /// If one name is registered twice, if there are no activities, or if an option cannot be.
    pub fn build(self) -> Result<ActivityWorker, BuildError> {
        let task_queue = self.task_queue;
        if task_queue.is_empty() {
            return Err(BuildError::NoTaskQueue);
        }
        if let Some(name) = self.duplicate {
            return Err(BuildError::DuplicateActivity { name, task_queue });
        }
        if self.router.by_name.is_empty() && self.router.fallback.is_none() {
            return Err(BuildError::NoActivities { task_queue });
        }
        if let Some(Err(problem)) = self.deployment.as_ref().map(WorkerDeployment::check) {
            return Err(BuildError::Deployment { task_queue, problem });
        }
        if let Some(Err(problem)) = self.task_queue_activities_per_second.map(RateLimit::new) {
            return Err(BuildError::Options { task_queue, problem: problem.into() });
        }
        // With a limit, activities come through polls only: the limit stands there, or in the server's Task Queue.
        let takes_eager = self.activities_per_second.is_none() && self.task_queue_activities_per_second.is_none();
        let known_types = Arc::new(self.router.known_types());
        let service = self.layers.into_iter().rev().fold(self.router.into_service(), |service, layer| layer(service));
        let propagators = self.client.propagators().clone();
        let service = match propagators.is_empty() {
            true => service,
            false => boxed(Propagation { inner: service, propagators }),
        };
        let worker = |task_queue: String, service, slots: WorkerSlots, polls: Option<PollerBehavior>| {
            let mut options = slots.poller_options().jitter_seed(jitter_seed());
            if let Some(behavior) = polls {
                options = options.behavior(behavior);
            }
            if let Some(activities) = self.activities_per_second {
                options = options.tasks_per_second(activities);
            }
            let poller = match Poller::new(options) {
                Ok(poller) => poller,
                Err(problem) => return Err(BuildError::Options { task_queue, problem }),
            };
            Ok(ActivityWorker {
                client: self.client.clone(),
                readiness: ReadinessSource::new(format!("the Activity Worker on task queue {task_queue:?}")),
                lifecycle: self.lifecycle.beside(),
                task_queue,
                metrics_task_queue: None,
                service,
                known_types: Arc::clone(&known_types),
                poller,
                slots,
                task_queue_activities_per_second: None,
                graceful_shutdown_timeout: self.graceful_shutdown_timeout,
                attempt_options: self.attempt_options,
                // What belongs to one worker alone is found by no version.
                deployment: None,
                eager: EagerActivities::default(),
                takes_eager,
                companions: Vec::new(),
            })
        };
        let mut companions = Vec::new();
        if let sessions @ 1.. = self.maximum_concurrent_sessions {
            let of_sessions = Sessions::new(&task_queue);
            let one_poll = Some(PollerBehavior::Fixed { maximum: 1 });
            let opening = (opening_task_queue(&task_queue), WorkerSlots::fixed(sessions));
            companions.push(worker(opening.0, of_sessions.opening(), opening.1, one_poll)?);
            // Each session is held by an activity of its own.
            let slots = self.slots.count().map(|activities| WorkerSlots::fixed(activities + sessions));
            let executing = of_sessions.executing(service.clone());
            let slots = slots.unwrap_or_else(|| self.slots.clone());
            let executing = worker(of_sessions.task_queue.clone(), executing, slots, self.polls)?;
            companions.push(ActivityWorker { metrics_task_queue: Some(task_queue.as_str().into()), ..executing });
        }
        let worker = worker(task_queue, service, self.slots.clone(), self.polls)?;
        let task_queue_activities_per_second = self.task_queue_activities_per_second;
        Ok(ActivityWorker {
            deployment: self.deployment,
            lifecycle: self.lifecycle,
            task_queue_activities_per_second,
            companions,
            ..worker
        })
    }

    pub(crate) fn new(client: Client, task_queue: String) -> Self {
        let steps: Vec<SetUp<Self>> = client.extensions().cloned().collect();
        steps.iter().fold(Self::with_defaults(client, task_queue), Self::set_up)
    }

    fn with_defaults(client: Client, task_queue: String) -> Self {
        Self {
            client,
            task_queue,
            router: Router::default(),
            duplicate: None,
            blocking_pool: BlockingPool::default(),
            layers: Vec::new(),
            slots: WorkerSlots::fixed(100),
            polls: None,
            activities_per_second: None,
            task_queue_activities_per_second: None,
            maximum_concurrent_sessions: 0,
            graceful_shutdown_timeout: Duration::from_secs(10),
            attempt_options: AttemptOptions::default(),
            deployment: None,
            lifecycle: WorkerLifecycle::default(),
            applied: AppliedSetUps::default(),
        }
    }
}

fn boxed<S>(service: S) -> ActivityService
where
    S: Service<ActivityRequest, Response = ActivityOutcome> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(ServiceExt::<ActivityRequest>::map_err(service, Into::into))
}

impl std::fmt::Debug for ActivityWorkerBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ActivityWorkerBuilder")
            .field("task_queue", &self.task_queue)
            .field("activities", &self.router.by_name.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
