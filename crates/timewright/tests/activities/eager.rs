//! Activities that begin with the Workflow Task that asks for them, without a poll.

use std::sync::Arc;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, EagerActivities};
use timewright::client::{Client, ClientOptions, HttpRequest, Stack, WorkflowHandle};
use timewright::definition::WorkflowDefinition;
use timewright::workflow::{ActivityOptions, WorkflowWorker, WorkflowWorkerBuilder};
use tokio::sync::{Semaphore, mpsc, watch};
use tower::{ServiceExt, service_fn};

use crate::support::background::{Background, run_both};
use crate::support::definitions::{activity, workflow};
use crate::support::{LIMIT, client, connect, poll_until, server, start_options, unique, within};

activity!(Press: u32 => u32);

workflow!(Juice: u32 => u32, |context, oranges| {
    let options = ActivityOptions::start_to_close(LIMIT);
    let pressed: Vec<_> =
        (0..oranges).map(|orange| context.execute_activity(Press, orange, options.clone())).collect();
    let mut glasses = 0;
    for orange in pressed {
        orange.await?;
        glasses += 1;
    }
    Ok(glasses)
});

workflow!(PatientJuice: u32 => u32, |context, orange| {
    let options = ActivityOptions::start_to_close(LIMIT).eager_execution(false);
    Ok(context.execute_activity(Press, orange, options).await?)
});

/// Two workers on one Task Queue. The polls for activities get nowhere before the test lets them: until then there are eager
/// activities only.
struct Kitchen {
    client: Client,
    queue: String,
    begun: mpsc::UnboundedReceiver<u32>,
    press: Arc<Semaphore>,
    polls: watch::Sender<bool>,
    slots: EagerActivities,
    worker: Background<timewright::WorkerError>,
}

impl Kitchen {
    /// With four slots, of which the poll holds one.
    async fn open(set_up: impl FnOnce(WorkflowWorkerBuilder) -> WorkflowWorkerBuilder) -> Self {
        let (client, queue) = (client().await, unique("eager"));
        let (polls, allowed) = watch::channel(false);
        let (tell, begun) = mpsc::unbounded_channel();
        let press = Arc::new(Semaphore::new(0));
        let presses = Arc::clone(&press);
        let pressing = move |_context: ActivityContext, orange: u32| {
            let (told, press) = (tell.send(orange), Arc::clone(&presses));
            async move {
                told?;
                press.acquire().await?.forget();
                Ok::<u32, ActivityError>(orange)
            }
        };
        let activities = ActivityWorker::builder(slow_to_poll(allowed).await, &queue)
            .activity(Press, pressing)
            .maximum_concurrent_activities(4)
            .maximum_concurrent_polls(1)
            .build()
            .unwrap();
        let slots = activities.eager_activities();
        let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Juice>().workflow::<PatientJuice>();
        let worker = run_both(set_up(workflows).build().unwrap(), activities);
        Self { client, queue, begun, press, polls, slots, worker }
    }

    async fn start<D: WorkflowDefinition<Input = u32>>(&self, definition: D, oranges: u32) -> WorkflowHandle<D> {
        self.client.start_workflow(definition, oranges, start_options(&self.queue)).await.unwrap()
    }

    async fn begun(&mut self) -> u32 {
        within("an orange", self.begun.recv()).await.unwrap()
    }

    /// How many slots can be taken, which are then given back.
    async fn free_slots(&self) -> usize {
        let mut taken = Vec::new();
        while let Some(slot) = self.slots.reserve().await {
            taken.push(slot);
        }
        taken.len()
    }
}

/// A client whose polls for Activity Tasks wait until it is allowed.
async fn slow_to_poll(allowed: watch::Receiver<bool>) -> Client {
    let layer = tower::layer::layer_fn(move |stack: Stack| {
        let allowed = allowed.clone();
        service_fn(move |request: HttpRequest| {
            let (stack, mut allowed) = (stack.clone(), allowed.clone());
            async move {
                if request.uri().path().ends_with("/PollActivityTaskQueue") {
                    // Whoever could allow it is gone with the test.
                    let _ = allowed.wait_for(|allowed| *allowed).await;
                }
                stack.oneshot(request).await
            }
        })
    });
    connect(ClientOptions::new(server()).layer(layer)).await
}

async fn scheduled(juice: &WorkflowHandle<impl WorkflowDefinition>) {
    poll_until("the workflow's first task", || async {
        (juice.describe().await.unwrap().raw().pending_activities.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn x15_v12_activities_begin_without_a_poll_while_there_are_slots_which_come_back() {
    let mut kitchen = Kitchen::open(|builder| builder.maximum_eager_activities_per_workflow_task(10)).await;
    poll_until("the worker to run", || async { (kitchen.free_slots().await == 3).then_some(()) }).await;
    let juice = kitchen.start(Juice, 5).await;
    let mut begun = [kitchen.begun().await, kitchen.begun().await, kitchen.begun().await];
    begun.sort_unstable();
    assert_eq!(begun, [0, 1, 2], "the first ones that were asked for");
    assert_eq!(kitchen.free_slots().await, 0);

    kitchen.press.add_permits(3);
    poll_until("the slots to come back", || async { (kitchen.free_slots().await == 3).then_some(()) }).await;
    assert!(kitchen.begun.try_recv().is_err(), "for the others there was no slot, so they wait for a poll");
    kitchen.press.add_permits(2);
    kitchen.polls.send_replace(true);
    assert_eq!(within("the result", juice.result()).await.unwrap(), 5);
    poll_until("the slots to come back", || async { (kitchen.free_slots().await == 3).then_some(()) }).await;
    kitchen.worker.stop().await;
}

#[tokio::test]
async fn x15_of_one_workflow_task_only_so_many_begin_at_once() {
    let mut kitchen = Kitchen::open(|builder| builder.maximum_eager_activities_per_workflow_task(1)).await;
    poll_until("the worker to run", || async { (kitchen.free_slots().await == 3).then_some(()) }).await;
    let juice = kitchen.start(Juice, 3).await;
    assert_eq!(kitchen.begun().await, 0);
    assert_eq!(kitchen.free_slots().await, 2);
    kitchen.press.add_permits(3);
    kitchen.polls.send_replace(true);
    assert_eq!(within("the result", juice.result()).await.unwrap(), 3);
}

#[tokio::test]
async fn an_activity_may_be_told_to_wait_for_a_poll() {
    let mut kitchen = Kitchen::open(|builder| builder).await;
    poll_until("the worker to run", || async { (kitchen.free_slots().await == 3).then_some(()) }).await;
    let juice = kitchen.start(PatientJuice, 7).await;
    scheduled(&juice).await;
    assert_eq!(kitchen.free_slots().await, 3);
    assert!(kitchen.begun.try_recv().is_err());
    kitchen.press.add_permits(1);
    kitchen.polls.send_replace(true);
    assert_eq!(kitchen.begun().await, 7);
    assert_eq!(within("the result", juice.result()).await.unwrap(), 7);
}

#[tokio::test]
async fn what_began_without_a_poll_is_waited_for_at_a_shutdown() {
    let mut kitchen = Kitchen::open(|builder| builder).await;
    poll_until("the worker to run", || async { (kitchen.free_slots().await == 3).then_some(()) }).await;
    let juice = kitchen.start(Juice, 1).await;
    assert_eq!(kitchen.begun().await, 0);
    let press = Arc::clone(&kitchen.press);
    let slots = kitchen.slots.clone();
    let stopping = tokio::spawn(kitchen.worker.stop());
    poll_until("the shutdown", || async { slots.reserve().await.is_none().then_some(()) }).await;
    press.add_permits(1);
    within("the end of the worker", stopping).await.unwrap();

    // The result is in the history; another worker takes it from there.
    let workflows = WorkflowWorker::builder(kitchen.client.clone(), &kitchen.queue).workflow::<Juice>();
    let _worker = crate::support::background::run_workflows(workflows.build().unwrap());
    assert_eq!(within("the result", juice.result()).await.unwrap(), 1);
}
