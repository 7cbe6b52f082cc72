//! Workflows that begin in the process that starts them, without a poll.

use timewright::client::{Client, ClientOptions, HttpRequest, Stack, UntypedWorkflowHandle, WorkflowHandle};
use timewright::proto::enums::EventType;
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::{WorkerError, WorkflowWorker};
use timewright_testing::DevServer;
use tokio::sync::watch;
use tower::{ServiceExt, service_fn};

use crate::support::background::{Background, run_workflows};
use crate::support::definitions::workflow;
use crate::support::history::wait_for_event;
use crate::support::metrics::Metrics;
use crate::support::{client, connect, poll_until, server, start_options, unique, within};

workflow!(Sprint: u32 => u32, |_context, laps| { Ok(laps) });

/// A worker, and a client whose calls wait where the test wants it.
struct Track {
    client: Client,
    queue: String,
    gates: Gates,
    worker: Background<WorkerError>,
}

#[derive(Clone)]
struct Gates {
    /// Polls get nowhere before this is true; how many wait.
    polls: watch::Sender<(bool, usize)>,
    /// The server's answers to starts are held back before this is true; how many wait.
    starts: watch::Sender<(bool, usize)>,
    /// The server has been told that the worker stops.
    stops: watch::Sender<bool>,
}

impl Track {
    /// With two polls, one of them on the sticky queue.
    async fn open(slots: usize) -> Self {
        let gates = Gates {
            polls: watch::Sender::new((false, 0)),
            starts: watch::Sender::new((true, 0)),
            stops: watch::Sender::new(false),
        };
        let (client, queue) = (client_through(gates.clone()).await, unique("eager-start"));
        let worker = WorkflowWorker::builder(client.clone(), &queue)
            .workflow::<Sprint>()
            .maximum_concurrent_workflow_tasks(slots)
            .maximum_concurrent_polls(2)
            .build()
            .unwrap();
        let worker = run_workflows(worker);
        within("two polls", gates.polls.subscribe().wait_for(|(_, waiting)| *waiting == 2)).await.unwrap();
        Self { client, queue, gates, worker }
    }

    async fn start(&self, laps: u32) -> WorkflowHandle<Sprint> {
        start(&self.client, &self.queue, laps).await
    }
}

async fn client_through(gates: Gates) -> Client {
    let layer = tower::layer::layer_fn(move |stack: Stack| {
        let gates = gates.clone();
        service_fn(move |request: HttpRequest| {
            let (stack, gates) = (stack.clone(), gates.clone());
            async move {
                let path = request.uri().path().to_owned();
                if path.ends_with("/PollWorkflowTaskQueue") {
                    pass(&gates.polls).await;
                }
                let response = stack.oneshot(request).await;
                if path.ends_with("/StartWorkflowExecution") {
                    pass(&gates.starts).await;
                } else if path.ends_with("/ShutdownWorker") {
                    gates.stops.send_replace(true);
                }
                response
            }
        })
    });
    connect(ClientOptions::new(server()).layer(layer)).await
}

async fn pass(gate: &watch::Sender<(bool, usize)>) {
    gate.send_modify(|(_, waiting)| *waiting += 1);
    // Whoever could open it is gone with the test.
    let _ = gate.subscribe().wait_for(|(is_open, _)| *is_open).await;
}

async fn start(client: &Client, queue: &str, laps: u32) -> WorkflowHandle<Sprint> {
    client.start_workflow(Sprint, laps, start_options(queue).request_eager_start(true)).await.unwrap()
}

/// Whether the first Workflow Task came with the answer to the start.
async fn began_at_once(workflow: &UntypedWorkflowHandle) -> bool {
    let event = wait_for_event(workflow, EventType::WorkflowExecutionStarted).await;
    match event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started.eager_execution_accepted,
        _ => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn x16_a_workflow_begins_in_the_process_that_starts_it_without_a_poll() {
    let track = Track::open(3).await;
    for laps in 1..=3 {
        // The one slot that no poll has comes back a moment after the result.
        let sprint = poll_until("a workflow that begins at once", || async {
            let sprint = track.start(laps).await;
            began_at_once(sprint.untyped()).await.then_some(sprint)
        })
        .await;
        assert_eq!(within("the result", sprint.result()).await.unwrap(), laps);
    }
    // Others start workflows as ever.
    let elsewhere = client().await;
    assert!(!began_at_once(start(&elsewhere, &track.queue, 4).await.untyped()).await);
    track.worker.stop().await;
}

#[tokio::test]
async fn x16_without_room_a_workflow_begins_as_any_other() {
    let track = Track::open(2).await;
    let sprint = track.start(7).await;
    assert!(!began_at_once(sprint.untyped()).await, "both slots are held by polls");
    track.gates.polls.send_modify(|(is_open, _)| *is_open = true);
    assert_eq!(within("the result", sprint.result()).await.unwrap(), 7);
    track.worker.stop().await;
}

#[tokio::test]
async fn x16_what_is_on_its_way_to_a_worker_that_stops_is_executed() {
    let track = Track::open(3).await;
    track.gates.starts.send_modify(|(is_open, _)| *is_open = false);
    let (client, queue) = (track.client.clone(), track.queue.clone());
    let starting = tokio::spawn(async move { start(&client, &queue, 7).await });
    within("the server's answer", track.gates.starts.subscribe().wait_for(|(_, waiting)| *waiting == 1)).await.unwrap();
    let mut told = track.gates.stops.subscribe();
    let gates = track.gates.clone();
    let stopping = tokio::spawn(track.worker.stop());
    within("the worker to stop", told.wait_for(|told| *told)).await.unwrap();
    gates.starts.send_modify(|(is_open, _)| *is_open = true);
    let sprint = within("the start", starting).await.unwrap();
    assert!(began_at_once(sprint.untyped()).await);
    assert_eq!(within("the result", sprint.result()).await.unwrap(), 7);
    within("the worker's end", stopping).await.unwrap();

    let late = start(&track.client, &track.queue, 8).await;
    assert!(!began_at_once(late.untyped()).await, "a worker that has stopped takes nothing");
}

#[tokio::test]
async fn x16_a_server_may_forbid_it() {
    let forbidding = DevServer::builder()
        .argument("--dynamic-config-value=system.enableEagerWorkflowStart=false")
        .start()
        .unwrap_or_else(|error| panic!("{error}"));
    let (metrics, recorder) = Metrics::new();
    let address = format!("http://{}", forbidding.address());
    let client = connect(ClientOptions::new(address).metrics_recorder(recorder)).await;
    let queue = unique("eager-start");
    let worker =
        WorkflowWorker::builder(client.clone(), &queue).workflow::<Sprint>().maximum_concurrent_workflow_tasks(3);
    let worker = run_workflows(worker.maximum_concurrent_polls(2).build().unwrap());
    for laps in 1..=4 {
        let sprint = start(&client, &queue, laps).await;
        assert_eq!(within("the result", sprint.result()).await.unwrap(), laps);
        assert!(!began_at_once(sprint.untyped()).await);
    }
    // The slots that were reserved in vain have come back.
    let slots = [("task_queue", queue.as_str()), ("worker_type", "WorkflowWorker")];
    metrics.wait_for("temporal_worker_task_slots_available", &slots, 3.0).await;
    metrics.wait_for("temporal_worker_task_slots_used", &slots, 0.0).await;
    worker.stop().await;
}
