//! The sticky cache: who leaves it, and what becomes of workflows when their worker goes.

use std::time::Duration;

use timewright::proto::enums::{EventType, TimeoutType};
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::{
    Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker, WorkflowWorkerBuilder,
};

use crate::support::background::run_workflows;
use crate::support::definitions::{query, signal, workflow, workflow_definition};
use crate::support::history::wait_for_event;
use crate::support::{client, poll_until, start_options, unique, within};

workflow_definition!(Waits: () => usize);
signal!(Go of Waits: ());
query!(Seen of Waits: () => usize);

#[derive(Default)]
struct WaitsWorkflow {
    seen: usize,
}

impl Workflow for WaitsWorkflow {
    type Definition = Waits;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<usize, WorkflowError> {
        context.wait_condition(|state| state.seen >= 2).await?;
        Ok(context.state(|state| state.seen))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Go, |state, ()| state.seen += 1);
        handlers.query(Seen, |state, ()| Ok(state.seen));
    }
}

fn builder(client: &timewright::client::Client, queue: &str) -> WorkflowWorkerBuilder {
    WorkflowWorker::builder(client.clone(), queue).workflow::<WaitsWorkflow>()
}

#[tokio::test]
async fn c16_cached_workflows_leave_when_they_are_asked_to() {
    let (client, queue) = (client().await, unique("cache"));
    let workflows = builder(&client, &queue).build().unwrap();
    let monitor = workflows.monitor();
    let worker = run_workflows(workflows);
    let mut cached = Vec::new();
    for _ in 0..4 {
        let waits = client.start_workflow(Waits, (), start_options(&queue)).await.unwrap();
        wait_for_event(waits.untyped(), EventType::WorkflowTaskCompleted).await;
        cached.push(waits);
    }
    poll_until("all are cached", || async { (monitor.cached_workflows() == 4).then_some(()) }).await;
    poll_until("none is cached", || async {
        monitor.evict_cached_workflows(4);
        (monitor.cached_workflows() == 0).then_some(())
    })
    .await;
    // They come back.
    for waits in &cached {
        waits.signal(Go, ()).await.unwrap();
        assert_eq!(within("an answer", waits.query(Seen, ())).await.unwrap(), 1);
    }
    assert_eq!(monitor.cached_workflows(), 4);
    // One that ends leaves by itself.
    cached[0].signal(Go, ()).await.unwrap();
    assert_eq!(within("the end", cached[0].result()).await.unwrap(), 2);
    poll_until("it has left", || async { (monitor.cached_workflows() == 3).then_some(()) }).await;
    worker.stop().await;
}

workflow!(Holds: String => usize, |context, text| {
    context.cancelled().await;
    Ok(text.len())
});

#[tokio::test]
async fn c16_workflows_leave_when_they_are_too_large_together() {
    let (client, queue) = (client().await, unique("cache"));
    let builder = WorkflowWorker::builder(client.clone(), &queue).workflow::<Holds>();
    // Each thread has its share of the bytes.
    let workflows = builder.threads(1).maximum_cached_bytes(250_000).build().unwrap();
    let monitor = workflows.monitor();
    let worker = run_workflows(workflows);
    let mut all = Vec::new();
    for _ in 0..3 {
        let holds = client.start_workflow(Holds, "x".repeat(100_000), start_options(&queue)).await.unwrap();
        wait_for_event(holds.untyped(), EventType::WorkflowTaskCompleted).await;
        all.push(holds);
    }
    poll_until("two are cached", || async { (monitor.cached_workflows() == 2).then_some(()) }).await;
    // Also the one that has left goes on, and makes another leave.
    for holds in &all {
        holds.cancel("").await.unwrap();
        assert_eq!(within("the end", holds.result()).await.unwrap(), 100_000);
    }
    poll_until("none is cached", || async { (monitor.cached_workflows() == 0).then_some(()) }).await;
    worker.stop().await;
}

/// Nobody tells the worker that a workflow was terminated.
#[tokio::test]
async fn c16_a_workflow_that_was_terminated_leaves_by_age() {
    let (client, queue) = (client().await, unique("cache"));
    let workflows =
        builder(&client, &queue).cached_workflow_idle_timeout(Some(Duration::from_secs(1))).build().unwrap();
    let monitor = workflows.monitor();
    let worker = run_workflows(workflows);
    let waits = client.start_workflow(Waits, (), start_options(&queue)).await.unwrap();
    poll_until("it is cached", || async { (monitor.cached_workflows() == 1).then_some(()) }).await;
    waits.terminate("enough").await.unwrap();
    poll_until("it has left", || async { (monitor.cached_workflows() == 0).then_some(()) }).await;
    worker.stop().await;
}

/// A worker that dies says nothing to the server, whose sticky queue then waits for it; after the sticky timeout another worker
/// goes through the history.
#[tokio::test]
async fn c17_a_workflow_whose_worker_has_died_goes_to_another_after_the_sticky_timeout() {
    let (client, queue) = (client().await, unique("cache"));
    let dies = run_workflows(
        builder(&client, &queue).sticky_schedule_to_start_timeout(Duration::from_secs(1)).build().unwrap(),
    );
    let waits = client.start_workflow(Waits, (), start_options(&queue)).await.unwrap();
    wait_for_event(waits.untyped(), EventType::WorkflowTaskCompleted).await;
    drop(dies);
    let _other = run_workflows(builder(&client, &queue).build().unwrap());
    for _ in 0..2 {
        waits.signal(Go, ()).await.unwrap();
    }
    assert_eq!(within("the end", waits.result()).await.unwrap(), 2);
    let history = waits.history().await.unwrap();
    let waited = history.events.iter().filter(|event| {
        matches!(&event.attributes, Some(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out))
            if timed_out.timeout_type() == TimeoutType::ScheduleToStart)
    });
    assert_eq!(waited.count(), 1);
}
