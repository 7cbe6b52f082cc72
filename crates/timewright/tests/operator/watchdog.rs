//! Workflow code that does not come back.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
    WorkflowWorkerBuilder,
};

use crate::gate::{self, OpensInTheEnd};
use crate::support::background::{run_both, run_workflows};
use crate::support::definitions::{activity, query, signal, workflow, workflow_definition};
use crate::support::history::{event_types, wait_for_event, wait_for_task_failure};
use crate::support::logs::Logs;
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

/// Generous: other tests run at the same time, and code that does come back must not be taken for code that does not.
const TIMEOUT: Duration = Duration::from_secs(1);

workflow!(Blocks: String => String, |_context, gate| {
    gate::pass(&gate);
    Ok("came back".to_owned())
});

workflow_definition!(Waits: () => usize);
signal!(Go of Waits: ());
query!(Seen of Waits: () => usize);

/// Stays in the cache until it has heard two signals.
struct WaitsWorkflow {
    seen: usize,
}

impl Workflow for WaitsWorkflow {
    type Definition = Waits;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self { seen: 0 }
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<usize, WorkflowError> {
        context.wait_condition(|state| state.seen == 2).await?;
        Ok(context.state(|state| state.seen))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Go, |state, ()| state.seen += 1);
        handlers.query(Seen, |state, ()| Ok(state.seen));
    }
}

activity!(Beats: usize => usize);

async fn beats(context: ActivityContext, count: usize) -> Result<usize, ActivityError> {
    for beat in 0..count {
        context.heartbeat(beat)?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(count)
}

workflow!(HasBeats: usize => usize, |context, count| {
    let options = ActivityOptions::start_to_close(LIMIT).heartbeat_timeout(Duration::from_secs(5));
    Ok(context.execute_activity(Beats, count, options).await?)
});

fn workflows(client: &timewright::client::Client, queue: &str) -> WorkflowWorkerBuilder {
    WorkflowWorker::builder(client.clone(), queue)
        .workflow::<Blocks>()
        .workflow::<WaitsWorkflow>()
        .workflow::<HasBeats>()
        .deadlock_detection_timeout(Some(TIMEOUT))
}

#[tokio::test]
async fn c15_a_workflow_that_does_not_come_back_fails_its_task_and_nothing_else() {
    let logs = Logs::capture();
    let (client, queue, gate) = (client().await, unique("blocks"), unique("gate"));
    let _opens = OpensInTheEnd(&gate);
    // One thread, so that what is cached there must move; two slots are the fewest, and none may be lost.
    let workflows =
        workflows(&client, &queue).threads(1).maximum_concurrent_workflow_tasks(2).maximum_concurrent_polls(2);
    let workflows = workflows.build().unwrap();
    let monitor = workflows.monitor();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Beats, beats).build().unwrap();
    let worker = run_both(workflows, activities);

    let cached = client.start_workflow(Waits, (), start_options(&queue)).await.unwrap();
    cached.signal(Go, ()).await.unwrap();
    poll_until("the signal", || async { (cached.query(Seen, ()).await.unwrap() == 1).then_some(()) }).await;

    let options = start_options(&queue).task_timeout(Duration::from_secs(2));
    let blocks = client.start_workflow(Blocks, gate.clone(), options).await.unwrap();
    let (cause, text) = wait_for_task_failure(blocks.untyped()).await;
    assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
    assert_eq!(
        text,
        format!(
            "Deadlock: [TMPRL1101] Potential deadlock detected: workflow \"Blocks\" (id {:?}) did not come back from run \
             within 1s. Workflow code must not block its thread or compute for long: wait with the WorkflowContext, and do \
             the rest in activities. (WorkflowWorkerBuilder::deadlock_detection_timeout sets the limit.)",
            blocks.workflow_id()
        )
    );
    let line = &logs.wait_for("TMPRL1101: workflow code does not come back", 1).await[0];
    assert!(line.contains(&format!("workflow_id={:?}", blocks.workflow_id())), "{line}");
    assert!(line.contains("at=\"run\""), "{line}");
    assert_eq!((monitor.deadlocks(), monitor.held_threads()), (1, 1));

    // Everything else goes on: what was cached, activities with their heartbeats, new workflows.
    let beats = client.start_workflow(HasBeats, 10, start_options(&queue)).await.unwrap();
    assert_eq!(within("the beats", beats.result()).await.unwrap(), 10);
    cached.signal(Go, ()).await.unwrap();
    assert_eq!(within("what was cached", cached.result()).await.unwrap(), 2);

    // It is not executed a second time while it holds a thread. When it has come back, it goes on, and the thread ends.
    wait_for_event(blocks.untyped(), EventType::WorkflowTaskFailed).await;
    assert_eq!(gate::waiting(&gate), 1);
    gate::open(&gate);
    assert_eq!(within("the end", blocks.result()).await.unwrap(), "came back");
    poll_until("the end of the thread", || async {
        // Counted when the watchdog looks.
        let more = client.start_workflow(HasBeats, 1, start_options(&queue)).await.unwrap();
        within("the end", more.result()).await.unwrap();
        (monitor.held_threads() == 0).then_some(())
    })
    .await;
    assert_eq!(monitor.deadlocks(), 1);
    assert_eq!(event_types(cached.untyped()).await.iter().filter(|event| event.contains("FAILED")).count(), 0);
    worker.stop().await;
}

/// What waits on the same thread when one blocks: tasks that are on their way there, and Queries.
#[tokio::test]
async fn c15_tasks_behind_one_that_blocks_are_each_answered_once() {
    let (client, queue, gate) = (client().await, unique("blocks"), unique("gate"));
    let _opens = OpensInTheEnd(&gate);
    let workflows = workflows(&client, &queue).threads(1).build().unwrap();
    let monitor = workflows.monitor();
    let worker = run_workflows(workflows);
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(client.start_workflow(Waits, (), start_options(&queue)).await.unwrap());
    }
    for workflow in &waiting {
        wait_for_event(workflow.untyped(), EventType::WorkflowTaskCompleted).await;
    }
    let _blocks = client.start_workflow(Blocks, gate.clone(), start_options(&queue)).await.unwrap();
    poll_until("it is there", || async { (gate::waiting(&gate) == 1).then_some(()) }).await;
    // All of these are behind it.
    let signals = waiting.iter().map(|workflow| workflow.signal(Go, ()));
    futures::future::try_join_all(signals).await.unwrap();
    let queries = waiting.iter().map(|workflow| workflow.query(Seen, ()));
    let seen = within("answers", futures::future::try_join_all(queries)).await.unwrap();
    assert_eq!(seen, [1; 5]);
    for workflow in &waiting {
        workflow.signal(Go, ()).await.unwrap();
        assert_eq!(within("the end", workflow.result()).await.unwrap(), 2);
        let events = event_types(workflow.untyped()).await;
        assert!(!events.iter().any(|event| event.contains("TIMED_OUT") || event.contains("FAILED")), "{events:?}");
    }
    assert_eq!(monitor.deadlocks(), 1);
    gate::open(&gate);
    worker.stop().await;
}

/// With the watchdog off a blocked workflow delays nothing but its thread.
#[tokio::test]
async fn a_workflow_that_blocks_for_long_delays_nothing_but_its_thread() {
    let (client, queue, gate) = (client().await, unique("blocks"), unique("gate"));
    let _opens = OpensInTheEnd(&gate);
    let workflows = workflows(&client, &queue).deadlock_detection_timeout(None).threads(2).build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Beats, beats).build().unwrap();
    let worker = run_both(workflows, activities);
    let options = start_options(&queue).task_timeout(Duration::from_secs(60));
    let blocks = client.start_workflow(Blocks, gate.clone(), options).await.unwrap();
    poll_until("it is there", || async { (gate::waiting(&gate) == 1).then_some(()) }).await;
    for _ in 0..5 {
        let beats = client.start_workflow(HasBeats, 10, start_options(&queue)).await.unwrap();
        assert_eq!(within("the beats", beats.result()).await.unwrap(), 10);
    }
    gate::open(&gate);
    assert_eq!(within("the end", blocks.result()).await.unwrap(), "came back");
    assert!(!event_types(blocks.untyped()).await.iter().any(|event| event.contains("TIMED_OUT")));
    worker.stop().await;
}

#[tokio::test]
async fn c18_a_workflow_that_blocks_does_not_hold_a_shutdown_up() {
    let (client, gate) = (client().await, unique("gate"));
    let _opens = OpensInTheEnd(&gate);
    for timeout in [Some(TIMEOUT), None] {
        let queue = unique("blocks");
        let workflows = workflows(&client, &queue).graceful_shutdown_timeout(Duration::from_secs(3));
        let worker = run_workflows(workflows.deadlock_detection_timeout(timeout).build().unwrap());
        let before = gate::waiting(&gate);
        let options = start_options(&queue).execution_timeout(Duration::from_secs(20));
        let _blocks = client.start_workflow(Blocks, gate.clone(), options).await.unwrap();
        poll_until("it is there", || async { (gate::waiting(&gate) > before).then_some(()) }).await;
        worker.stop().await;
    }
}

#[tokio::test]
async fn threads_that_are_held_are_replaced_within_bounds() {
    let logs = Logs::capture();
    let (client, queue) = (client().await, unique("blocks"));
    let gate = unique("gate");
    let _opens = OpensInTheEnd(&gate);
    let workflows = workflows(&client, &queue).threads(1).maximum_held_threads(0);
    let worker = run_workflows(workflows.build().unwrap());
    let blocks = client.start_workflow(Blocks, gate.clone(), start_options(&queue)).await.unwrap();
    wait_for_task_failure(blocks.untyped()).await;
    logs.wait_for("workflow code holds more threads than are allowed", 1).await;
    // There is no thread, and the worker says so instead of keeping silent.
    let waits = client.start_workflow(Waits, (), start_options(&queue)).await.unwrap();
    let (_, text) = wait_for_task_failure(waits.untyped()).await;
    assert_eq!(
        text,
        format!(
            "Deadlock: [TMPRL1101] the worker on task queue {queue:?} cannot execute Workflow Tasks: 1 threads are held by \
             workflow code that does not come back; 0 are allowed. Restart the worker; its log names the workflows"
        )
    );
    gate::open(&gate);
    for _ in 0..2 {
        waits.signal(Go, ()).await.unwrap();
    }
    assert_eq!(within("the end", waits.result()).await.unwrap(), 2);
    assert_eq!(within("the end", blocks.result()).await.unwrap(), "came back");
    worker.stop().await;
}

workflow!(Meets: String => (), |_context, gate| {
    gate::meet(&gate, 2);
    Ok(())
});

/// Whatever the load of the machine: each computes until the other has begun to, so both end only if both run at the same time. On two
/// cores two seconds of work take one, then.
#[tokio::test]
async fn two_workflows_that_compute_run_beside_each_other() {
    let (client, queue, gate) = (client().await, unique("meets"), unique("gate"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Meets>().threads(2);
    let worker = run_workflows(workflows.deadlock_detection_timeout(None).build().unwrap());
    let first = client.start_workflow(Meets, gate.clone(), start_options(&queue)).await.unwrap();
    let second = client.start_workflow(Meets, gate.clone(), start_options(&queue)).await.unwrap();
    within("one end", first.result()).await.unwrap();
    within("the other", second.result()).await.unwrap();
    worker.stop().await;
}

workflow!(Computes: u32 => u32, |context, rounds| {
    for _ in 0..rounds {
        // What a replay costs: much in sum, little for each Workflow Task of the history.
        std::thread::sleep(Duration::from_millis(5));
        context.sleep(Duration::from_millis(1)).await?;
    }
    context.cancelled().await;
    Ok(rounds)
});

/// A worker that starts with a cold cache, on a single thread: each waits for the sum of all others.
#[tokio::test]
async fn c15_two_hundred_cold_replays_at_once_are_no_deadlock() {
    let (client, queue) = (client().await, unique("computes"));
    let worker = || {
        WorkflowWorker::builder(client.clone(), &queue)
            .workflow::<Computes>()
            .threads(1)
            .maximum_concurrent_workflow_tasks(200)
            .deadlock_detection_timeout(Some(Duration::from_millis(900)))
    };
    let first = run_workflows(worker().build().unwrap());
    let mut started = Vec::new();
    // Not all at once: the server has other tests to serve, too.
    for _ in 0..10 {
        let options = || start_options(&queue).task_timeout(2 * LIMIT);
        let starts = (0..20).map(|_| client.start_workflow(Computes, 2, options()));
        started.extend(futures::future::try_join_all(starts).await.unwrap());
    }
    for workflow in &started {
        poll_until("its last round", || async {
            let events = event_types(workflow.untyped()).await;
            let tasks = events.iter().filter(|event| *event == "WORKFLOW_TASK_COMPLETED").count();
            (tasks == 3).then_some(())
        })
        .await;
    }
    first.stop().await;
    for workflow in &started {
        workflow.cancel("").await.unwrap();
    }
    let second = worker().build().unwrap();
    let monitor = second.monitor();
    let second = run_workflows(second);
    for workflow in &started {
        within("the end", workflow.result()).await.unwrap();
    }
    assert_eq!(monitor.deadlocks(), 0);
    second.stop().await;
}
