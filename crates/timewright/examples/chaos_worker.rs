//! A worker of one role for `cargo xtask chaos`, which starts, kills, stops, and rolls it.
//!
//! `CHAOS_ROLE` is `workflows` or `activities`, `CHAOS_TASK_QUEUE` its Task Queue, and `CHAOS_FOLDER` where it notes what its
//! activities did. Where the server is, says `TEMPORAL_ADDRESS`. When it has ended as it was asked to, it prints an account of what
//! it holds still: nothing.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the harness reads what it prints")]

#[path = "../tests/conform/chance.rs"]
#[allow(dead_code, reason = "chance is the harness's, too")]
mod chance;
#[path = "../tests/chaos/ledger.rs"]
#[allow(dead_code, reason = "ledgers are read by the harness")]
mod ledger;
#[path = "../tests/chaos/trip.rs"]
#[allow(dead_code, reason = "results are compared by the harness")]
mod trip;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, HttpRequest, HttpResponse, Stack};
use timewright::proto::Message;
use timewright::proto::workflow_service::PollActivityTaskQueueResponse;
use timewright::workflow::{
    ActivityOptions, ChildWorkflowOptions, Handlers, LocalActivityOptions, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo, WorkflowWorker,
};
use timewright::{LocalActivities, Worker};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use ledger::Ledger;
use trip::{Beating, Double, Quick, Ring, Step, Trip, Work};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let level = if std::env::var_os("CHAOS_DEBUG").is_some() { tracing::Level::DEBUG } else { tracing::Level::INFO };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_max_level(level).init();
    let variable = |name: &str| std::env::var(name).map_err(|error| format!("{name}: {error}"));
    let task_queue = variable("CHAOS_TASK_QUEUE")?;
    let site = Arc::new(Site {
        ledger: Ledger::create(&PathBuf::from(variable("CHAOS_FOLDER")?))?,
        running: AtomicUsize::new(0),
        begun: AtomicUsize::new(0),
    });
    // It may be started while its server is away, and is to see soon that nobody answers.
    let options =
        ClientOptions::from_environment()?.lazy(true).keep_alive(Duration::from_secs(5), Duration::from_secs(3));
    let polls = Arc::new(Polls::default());
    let options = options.layer(CountPolls(Arc::clone(&polls)));
    let client = Client::connect(options).await?;
    let activities = ActivityWorker::builder(client.clone(), &task_queue)
        .activity_with_state(Quick, Arc::clone(&site), Site::quick)
        .activity_with_state(Beating, Arc::clone(&site), Site::beating)
        .maximum_concurrent_activities(50)
        .build()?;
    let role = variable("CHAOS_ROLE")?;
    let worker = match role.as_str() {
        "activities" => {
            drop(client);
            Worker::new().activities(activities)
        }
        "workflows" => {
            let builder = WorkflowWorker::builder(client, &task_queue)
                .workflow::<TripWorkflow>()
                .maximum_cached_workflows(30)
                .local_activities(LocalActivities::of(&activities));
            drop(activities);
            Worker::new().workflows(builder.build()?)
        }
        other => return Err(format!("CHAOS_ROLE is workflows or activities, not `{other}`").into()),
    };
    println!("ready");
    worker.run(timewright::shutdown_signal()).await?;

    let metrics = tokio::runtime::Handle::current().metrics();
    // What was told to end has to be let end: the connection, for one.
    for _ in 0..100 {
        if metrics.num_alive_tasks() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!(
        "account: {} activities, {} references to the application's state, {} tokio tasks",
        site.running.load(Ordering::SeqCst),
        Arc::strong_count(&site) - 1,
        metrics.num_alive_tasks(),
    );
    println!("dropped polls: {}", polls.dropped.load(Ordering::SeqCst));
    // Local Activities begin without having come by a poll.
    let (brought, begun) = (polls.brought.load(Ordering::SeqCst), site.begun.load(Ordering::SeqCst));
    if role == "activities" {
        println!("activities that came and did not begin: {}", brought - begun);
    }
    Ok(())
}

/// What became of the polls.
#[derive(Default)]
struct Polls {
    /// They did not return before they were dropped: each may have taken a task with it.
    dropped: AtomicUsize,
    /// They returned with an activity.
    brought: AtomicUsize,
}

/// Looks at all polls as they leave the process, and come back.
#[derive(Clone)]
struct CountPolls(Arc<Polls>);

impl Layer<Stack> for CountPolls {
    type Service = BoxCloneSyncService<HttpRequest, HttpResponse, BoxError>;

    fn layer(&self, stack: Stack) -> Self::Service {
        let polls = Arc::clone(&self.0);
        BoxCloneSyncService::new(service_fn(move |request: HttpRequest| {
            let path = request.uri().path();
            let (is_poll, is_of_activities) = (path.ends_with("TaskQueue"), path.ends_with("PollActivityTaskQueue"));
            let (stack, polls) = (stack.clone(), Arc::clone(&polls));
            async move {
                let mut unless_it_returns = CountOnDrop(is_poll.then_some(&polls.dropped));
                let response = stack.oneshot(request).await;
                unless_it_returns.0 = None;
                let (parts, body) = response?.into_parts();
                let body = body.collect().await?;
                let trailers = body.trailers().cloned();
                let bytes = body.to_bytes();
                // Behind the five bytes that gRPC puts before a message.
                let message = bytes.get(5..).unwrap_or_default();
                if is_of_activities && !PollActivityTaskQueueResponse::decode(message)?.task_token.is_empty() {
                    polls.brought.fetch_add(1, Ordering::SeqCst);
                }
                let body = Full::new(bytes).with_trailers(std::future::ready(trailers.map(Ok)));
                Ok::<_, BoxError>(HttpResponse::from_parts(parts, Body::new(body)))
            }
        }))
    }
}

struct CountOnDrop<'a>(Option<&'a AtomicUsize>);

impl Drop for CountOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Where activities work.
struct Site {
    ledger: Ledger,
    running: AtomicUsize,
    begun: AtomicUsize,
}

impl Site {
    async fn quick(self: Arc<Self>, _context: ActivityContext, work: Work) -> Result<u64, ActivityError> {
        let _at_work = AtWork::begin(&self.running);
        self.ledger.note_begin(work)?;
        self.begun.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(work.time()).await;
        self.ledger.note_effect(work)?;
        Ok(work.value())
    }

    async fn beating(self: Arc<Self>, context: ActivityContext, work: Work) -> Result<u64, ActivityError> {
        let _at_work = AtWork::begin(&self.running);
        self.ledger.note_begin(work)?;
        self.begun.fetch_add(1, Ordering::SeqCst);
        let work_itself = async {
            tokio::time::sleep(work.time()).await;
            self.ledger.note_effect(work)
        };
        let mut beats = tokio::time::interval(Duration::from_millis(200));
        let mut work_itself = std::pin::pin!(work_itself);
        loop {
            tokio::select! {
                done = &mut work_itself => {
                    done?;
                    return Ok(work.value());
                }
                _ = beats.tick() => context.heartbeat(work.step)?,
                reason = context.cancelled() => {
                    tracing::info!(%reason, "told to stop");
                    return Err(ActivityError::cancelled());
                }
            }
        }
    }
}

/// Counts one activity for as long as it lives.
struct AtWork<'a>(&'a AtomicUsize);

impl<'a> AtWork<'a> {
    fn begin(running: &'a AtomicUsize) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct TripWorkflow {
    rung: BTreeSet<u64>,
    doubled: BTreeSet<u64>,
}

impl Workflow for TripWorkflow {
    type Definition = Trip;

    fn init(_info: &WorkflowInfo, _trip: &Trip) -> Self {
        Self { rung: BTreeSet::new(), doubled: BTreeSet::new() }
    }

    async fn run(context: WorkflowContext<Self>, trip: Trip) -> Result<Vec<u64>, WorkflowError> {
        let plan = trip.plan();
        let mut values = Vec::new();
        for (index, step) in plan.steps.into_iter().enumerate() {
            values.push(take(&context, trip, index, step).await?);
        }
        let (signals, updates) = (plan.signals as usize, plan.updates as usize);
        context.wait_condition(move |state| state.rung.len() >= signals && state.doubled.len() >= updates).await?;
        values.extend(context.state(|state| [state.rung.len() as u64, state.doubled.len() as u64]));
        Ok(values)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Ring, |state, number| {
            state.rung.insert(number);
        });
        handlers.update(Double, |state, number| {
            state.doubled.insert(number);
            Ok(number * 2)
        });
    }
}

async fn take(
    context: &WorkflowContext<TripWorkflow>,
    trip: Trip,
    index: usize,
    step: Step,
) -> Result<u64, WorkflowError> {
    // An attempt whose worker was killed is tried again soon.
    let options = || ActivityOptions::start_to_close(Duration::from_secs(15));
    match step {
        Step::Quick(time) => Ok(context.execute_activity(Quick, trip.work(index, 0, time), options()).await?),
        Step::Pair(one, other) => {
            let one = context.execute_activity(Quick, trip.work(index, 0, one), options());
            let other = context.execute_activity(Quick, trip.work(index, 1, other), options());
            Ok(one.await?.wrapping_add(other.await?))
        }
        Step::Beating(time) => {
            let options = options().heartbeat_timeout(Duration::from_secs(4));
            Ok(context.execute_activity(Beating, trip.work(index, 0, time), options).await?)
        }
        Step::Local(time) => {
            let options = LocalActivityOptions::start_to_close(Duration::from_secs(5));
            Ok(context.execute_local_activity(Quick, trip.work(index, 0, time), options).await?)
        }
        Step::Timer(milliseconds) => {
            context.sleep(Duration::from_millis(milliseconds)).await?;
            Ok(milliseconds)
        }
        Step::Child => {
            let child = trip.child(index);
            let options = ChildWorkflowOptions::new(child.workflow_id());
            let values = context.execute_child_workflow(child, child, options).await?;
            Ok(values.iter().fold(0, |sum: u64, value| sum.wrapping_add(*value)))
        }
    }
}
