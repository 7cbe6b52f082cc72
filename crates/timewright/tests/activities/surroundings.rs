//! What an activity has around it: limits that the server keeps, and a client.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::StartActivityOptions;
use timewright::workflow::WorkflowWorker;
use timewright::workflow::{ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};
use tokio::sync::mpsc;

use crate::support::background::{run_activities, run_both};
use crate::support::definitions::{activity, signal, workflow_definition};
use crate::support::{LIMIT, client, start_options, unique, within};

activity!(Tick: u32 => ());

/// The server gives out no more than it is told, however many slots, polls and activities there are.
#[tokio::test]
async fn x19_the_server_keeps_the_limit_of_a_task_queue() {
    const LIMIT_A_SECOND: f64 = 4.0;
    const COUNT: u32 = 20;
    let (client, queue) = (client().await, unique("limited"));
    let (tell, mut told) = mpsc::unbounded_channel();
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Tick, move |context: ActivityContext, number| {
            // By the server's clock: an activity that reaches us late was not handed out late.
            let told = tell.send((number, context.info().started_time));
            async move { Ok::<(), ActivityError>(told?) }
        })
        .maximum_task_queue_activities_per_second(LIMIT_A_SECOND)
        .build()
        .unwrap();
    let readiness = activities.readiness();
    let worker = run_activities(activities);
    // The server hears of the limit with the polls.
    within("the polls", readiness.ready()).await.unwrap();
    for number in 0..COUNT {
        let options = StartActivityOptions::start_to_close(&queue, format!("{queue}-{number}"), LIMIT);
        client.start_activity(Tick, number, options).await.unwrap();
    }
    let mut began = Vec::new();
    for _ in 0..COUNT {
        began.push(within("an activity", told.recv()).await.unwrap().1);
    }
    // Those of one second may begin at once. A busy machine only makes it slower.
    let took = began.iter().max().unwrap().duration_since(*began.iter().min().unwrap()).unwrap();
    let least = Duration::from_secs_f64((f64::from(COUNT) - LIMIT_A_SECOND * 2.0) / LIMIT_A_SECOND);
    assert!(took >= least, "{COUNT} activities began within {took:?}, and not {least:?}");
    worker.stop().await;
}

activity!(Ring: String => String);
workflow_definition!(Door: () => String);
signal!(Knock of Door: String);

/// Waits for what its activity has to say behind its back.
struct DoorWorkflow {
    heard: Option<String>,
}

impl Workflow for DoorWorkflow {
    type Definition = Door;

    fn init(_info: &WorkflowInfo, _input: &()) -> Self {
        Self { heard: None }
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<String, WorkflowError> {
        let ringing = context.execute_activity(Ring, "ding".to_owned(), ActivityOptions::start_to_close(LIMIT));
        context.wait_condition(|state| state.heard.is_some()).await?;
        let rung = ringing.await?;
        Ok(context.state(|state| format!("{rung}, {}", state.heard.clone().unwrap_or_default())))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Knock, |state, who| state.heard = Some(who));
    }
}

#[tokio::test]
async fn an_activity_has_the_client_of_its_worker() {
    let (client, queue) = (client().await, unique("door"));
    let ring = |context: ActivityContext, sound: String| async move {
        let workflow = context.info().workflow.clone().expect("it is an activity of a workflow");
        let door = context.client().workflow_handle(Door, workflow.workflow_id, Some(workflow.run_id));
        door.signal(Knock, "somebody".to_owned()).await?;
        Ok::<String, ActivityError>(sound)
    };
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Ring, ring).build().unwrap();
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<DoorWorkflow>().build().unwrap();
    let worker = run_both(workflows, activities);
    let door = client.start_workflow(Door, (), start_options(&queue)).await.unwrap();
    assert_eq!(within("the door", door.result()).await.unwrap(), "ding, somebody");
    worker.stop().await;
}
