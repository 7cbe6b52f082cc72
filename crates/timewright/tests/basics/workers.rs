//! Workers: roles in one process, several on one connection, with and without a cache.

use std::time::Duration;

use timewright::Worker;
use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::proto::enums::TimeoutType;
use timewright::proto::history::history_event::Attributes;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};

use crate::support::background::{run_activities, run_both, run_workflows};
use crate::support::definitions::{activity, query, signal, workflow_definition};
use crate::support::history::event_types;
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

workflow_definition!(Journey: u32 => Vec<String>);
signal!(Stamp of Journey: String);
query!(Passport of Journey: () => Vec<String>);
activity!(Travel: u32 => String);

async fn travel(_context: ActivityContext, leg: u32) -> Result<String, ActivityError> {
    Ok(format!("leg {leg}"))
}

/// Something of everything: activities, timers, signals, queries, over many Workflow Tasks.
#[derive(Default)]
struct Traveller {
    passport: Vec<String>,
}

impl Workflow for Traveller {
    type Definition = Journey;

    fn init(_info: &WorkflowInfo, _legs: &u32) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, legs: u32) -> Result<Vec<String>, WorkflowError> {
        for leg in 1..=legs {
            let options = ActivityOptions::start_to_close(LIMIT);
            let done = context.execute_activity(Travel, leg, options).await?;
            context.state_mut(|state| state.passport.push(done));
            context.sleep(Duration::from_millis(1)).await?;
            context.state_mut(|state| state.passport.push(format!("rest {leg}")));
        }
        let all = 2 * legs as usize + 1;
        context.wait_condition(move |state| state.passport.len() == all).await?;
        Ok(context.state(|state| state.passport.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Stamp, |state, stamp| state.passport.push(stamp));
        handlers.query(Passport, |state, ()| Ok(state.passport.clone()));
    }
}

#[tokio::test]
async fn a_worker_without_a_cache_gives_what_one_with_a_cache_gives() {
    let mut histories = Vec::new();
    for maximum_cached_workflows in [1000, 0] {
        let (client, queue) = (client().await, unique("journey"));
        let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Traveller>();
        let workflows = workflows.maximum_cached_workflows(maximum_cached_workflows).build().unwrap();
        let activities = ActivityWorker::builder(client.clone(), &queue).activity(Travel, travel).build().unwrap();
        let _worker = run_both(workflows, activities);

        let journey = client.start_workflow(Journey, 1, start_options(&queue)).await.unwrap();
        // Only then is it stamped, so that the histories are the same Event for Event.
        poll_until("the end of the rest", || async {
            let passport = within("an answer", journey.query(Passport, ())).await.unwrap();
            (passport == ["leg 1", "rest 1"]).then_some(())
        })
        .await;
        journey.signal(Stamp, "seen".to_owned()).await.unwrap();
        let passport = ["leg 1", "rest 1", "seen"];
        assert_eq!(within("the result", journey.result()).await.unwrap(), passport);
        assert_eq!(within("an answer", journey.query(Passport, ())).await.unwrap(), passport);
        histories.push(event_types(journey.untyped()).await);
    }
    assert_eq!(histories[0], histories[1]);
}

#[tokio::test]
async fn many_workflows_in_a_small_cache() {
    let (client, queue) = (client().await, unique("journey"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Traveller>();
    let workflows = workflows
        .maximum_cached_workflows(2)
        .threads(2)
        .maximum_concurrent_workflow_tasks(3)
        .maximum_concurrent_polls(2)
        .build()
        .unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Travel, travel).build().unwrap();
    let _worker = run_both(workflows, activities);
    let mut journeys = Vec::new();
    for _ in 0..20 {
        journeys.push(client.start_workflow(Journey, 2, start_options(&queue)).await.unwrap());
    }
    for journey in &journeys {
        journey.signal(Stamp, "early".to_owned()).await.unwrap();
    }
    for journey in &journeys {
        let mut passport = within("a result", journey.result()).await.unwrap();
        passport.sort();
        assert_eq!(passport, ["early", "leg 1", "leg 2", "rest 1", "rest 2"]);
    }
}

#[tokio::test]
async fn several_workers_share_a_connection_and_stop_together() {
    let client = client().await;
    let queues = [unique("journey"), unique("journey")];
    let mut worker = Worker::new();
    for queue in &queues {
        let workflows = WorkflowWorker::builder(client.clone(), queue).workflow::<Traveller>().build().unwrap();
        let activities = ActivityWorker::builder(client.clone(), queue).activity(Travel, travel).build().unwrap();
        worker = worker.workflows(workflows).activities(activities);
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // That this compiles is part of the test: a worker can be spawned on any tokio runtime.
    let running = tokio::spawn(worker.run(async {
        let _ = stopped.await;
    }));
    for queue in &queues {
        let journey = client.start_workflow(Journey, 1, start_options(queue)).await.unwrap();
        journey.signal(Stamp, "early".to_owned()).await.unwrap();
        within("the result", journey.result()).await.unwrap();
    }
    stop.send(()).unwrap();
    within("the end of all workers", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_workflow_moves_to_another_worker_when_its_own_stops() {
    let (client, queue) = (client().await, unique("journey"));
    let workflows = || WorkflowWorker::builder(client.clone(), &queue).workflow::<Traveller>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Travel, travel).build().unwrap();
    let _activities = run_activities(activities);
    let first = run_workflows(workflows());
    let options = start_options(&queue).task_timeout(Duration::from_secs(2));
    let journey = client.start_workflow(Journey, 0, options).await.unwrap();
    assert_eq!(within("an answer", journey.query(Passport, ())).await.unwrap(), Vec::<String>::new());
    first.stop().await;

    let _second = run_workflows(workflows());
    journey.signal(Stamp, "seen".to_owned()).await.unwrap();
    assert_eq!(within("the result", journey.result()).await.unwrap(), ["seen"]);
    // The first worker has told the server that it leaves: the task did not wait in a queue that nobody polls.
    let history = journey.history().await.unwrap();
    let waited = history.events.iter().find(|event| {
        matches!(&event.attributes, Some(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out))
            if timed_out.timeout_type() == TimeoutType::ScheduleToStart)
    });
    assert_eq!(waited, None);
}
