//! What workers show of themselves: to the server, which lists them, and to whoever probes their process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, PollerBehavior, WorkerDeployment};
use timewright::proto::enums::WorkerStatus;
use timewright::proto::temporal::api::worker::v1::WorkerHeartbeat;
use timewright::proto::workflow_service::ListWorkersRequest;
use timewright::workflow::{ActivityOptions, LocalActivityOptions, WorkflowWorker};
use timewright::{Worker, WorkerError};
use timewright_testing::DevServer;
use tokio::sync::oneshot;

use crate::support::background::{run_both, run_worker};
use crate::support::definitions::{activity, workflow};
use crate::support::{LIMIT, connect, poll_until, server, start_options, unique, within};

activity!(Echo: u32 => u32);

async fn echo(_context: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    if number == 13 { Err(ActivityError::from(std::io::Error::other("bad luck"))) } else { Ok(number) }
}

workflow!(Echoes: Vec<u32> => u32, |context, numbers| {
    let mut sum = 0;
    for number in numbers {
        if number == 7 {
            let options = LocalActivityOptions::start_to_close(LIMIT);
            sum += context.execute_local_activity(Echo, number, options).await?;
            continue;
        }
        let once = timewright::client::RetryPolicy::default().maximum_attempts(1);
        let options = ActivityOptions::start_to_close(LIMIT).retry_policy(once);
        sum += context.execute_activity(Echo, number, options).await.unwrap_or(0);
    }
    Ok(sum)
});

/// The workers of this Task Queue, as the server knows them.
#[allow(deprecated, reason = "the list without deprecated fields does not show what workers are doing")]
async fn workers(client: &Client, queue: &str) -> Vec<WorkerHeartbeat> {
    let request = ListWorkersRequest {
        namespace: client.namespace().to_owned(),
        query: format!("TaskQueue = '{queue}'"),
        ..ListWorkersRequest::default()
    };
    let response = client.workflow_service().list_workers(request).await.unwrap().into_inner();
    response.workers_info.into_iter().filter_map(|info| info.worker_heartbeat).collect()
}

#[tokio::test]
async fn the_server_lists_workers_with_what_they_are_doing() {
    let options = ClientOptions::new(server()).worker_heartbeat_interval(Some(Duration::from_secs(1)));
    let (client, queue) = (connect(options).await, unique("shown"));
    let deployment = WorkerDeployment::unversioned("shown", "7");
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Echoes>().deployment(deployment);
    let workflows = workflows.poller_behavior(PollerBehavior::AUTOSCALING).maximum_concurrent_local_activities(3);
    let activities =
        ActivityWorker::builder(client.clone(), &queue).activity(Echo, echo).maximum_concurrent_activities(7);
    let worker = run_both(workflows.build().unwrap(), activities.build().unwrap());
    let sum = client.start_workflow(Echoes, vec![1, 13, 2, 7], start_options(&queue)).await.unwrap();
    assert_eq!(within("the sum", sum.result()).await.unwrap(), 10);

    let (of_workflows, of_activities) = poll_until("both workers with what they have done", || async {
        let workers = workers(&client, &queue).await;
        let of_workflows = workers.iter().find(|worker| worker.workflow_task_slots_info.is_some())?.clone();
        let of_activities = workers.iter().find(|worker| worker.activity_task_slots_info.is_some())?.clone();
        let processed = of_activities.activity_task_slots_info.as_ref()?.total_processed_tasks;
        let tasks = of_workflows.workflow_task_slots_info.as_ref()?.total_processed_tasks;
        (processed == 3 && tasks >= 4 && of_workflows.current_sticky_cache_size == 0)
            .then_some((of_workflows, of_activities))
    })
    .await;
    for worker in [&of_workflows, &of_activities] {
        assert_eq!((worker.status(), worker.sdk_name.as_str()), (WorkerStatus::Running, "timewright"));
        assert_eq!(worker.worker_identity, client.identity());
        let environment = worker.environment.as_ref().unwrap();
        assert_eq!(environment.runtimes.len(), 1);
        assert!(environment.platform.is_some() || !cfg!(target_os = "linux"));
        let host = worker.host_info.as_ref().unwrap();
        assert_eq!(host.process_id, std::process::id().to_string());
        assert!(!host.host_name.is_empty() && !host.worker_grouping_key.is_empty());
    }
    assert_eq!(of_workflows.deployment_version.clone().unwrap().build_id, "7");
    let sticky = of_workflows.workflow_sticky_poller_info.as_ref().unwrap();
    assert!(sticky.current_pollers > 0 && sticky.is_autoscaling);
    assert!(of_workflows.total_sticky_cache_hit >= 3, "{of_workflows:?}");
    assert_eq!((of_workflows.total_sticky_cache_miss, of_workflows.current_sticky_cache_size), (0, 0));
    let local = of_workflows.local_activity_slots_info.as_ref().unwrap();
    assert_eq!((local.current_available_slots, local.current_used_slots), (3, 0));
    assert_eq!((local.total_processed_tasks, local.total_failed_tasks), (1, 0));
    assert_eq!(local.slot_supplier_kind, "Fixed");
    let slots = of_activities.activity_task_slots_info.unwrap();
    assert_eq!((slots.current_available_slots, slots.current_used_slots, slots.total_failed_tasks), (7, 0, 1));
    assert_eq!(slots.slot_supplier_kind, "Fixed");
    assert!(of_activities.activity_poller_info.is_some_and(|polls| polls.current_pollers > 0 && !polls.is_autoscaling));

    worker.stop().await;
    let left = workers(&client, &queue).await;
    assert!(left.iter().all(|worker| worker.status() != WorkerStatus::Running), "{left:?}");
}

#[tokio::test]
async fn without_heartbeats_nobody_is_listed() {
    let (client, queue) =
        (connect(ClientOptions::new(server()).worker_heartbeat_interval(None)).await, unique("hidden"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Echoes>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Echo, echo).build().unwrap();
    let worker = run_both(workflows, activities);
    let sum = client.start_workflow(Echoes, vec![1], start_options(&queue)).await.unwrap();
    assert_eq!(within("the sum", sum.result()).await.unwrap(), 1);
    assert!(workers(&client, &queue).await.is_empty());
    worker.stop().await;
}

#[tokio::test]
async fn c3_readiness_follows_the_server_and_ends_with_the_shutdown() {
    let server = tokio::task::spawn_blocking(DevServer::start).await.unwrap();
    let mut server = server.unwrap_or_else(|error| panic!("{error}"));
    let client = connect(ClientOptions::new(server.address().to_string())).await;
    let workflows = WorkflowWorker::builder(client.clone(), "ready").workflow::<Echoes>().build().unwrap();
    let (let_go, held) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let hold = move |_: ActivityContext, number: u32| {
        let held = held.lock().unwrap().take();
        async move {
            if let Some(held) = held {
                let _ = held.await; // or the test is over
            }
            Ok::<_, ActivityError>(number)
        }
    };
    let activities = ActivityWorker::builder(client.clone(), "ready").activity(Echo, hold).build().unwrap();
    let worker = Worker::new().workflows(workflows).activities(activities);
    let readiness = worker.readiness().tolerating(Duration::from_secs(1));
    let why = |readiness: &timewright::client::Readiness| readiness.check().unwrap_err().to_string();
    let not_begun = "the Workflow Worker on task queue \"ready\" is not ready: it has not begun to poll";
    assert_eq!(why(&readiness), not_begun);

    let worker = run_worker(worker);
    within("readiness", readiness.ready()).await.unwrap();
    assert!(readiness.is_ready());
    server.kill();
    poll_until("polls to fail", || async { (!readiness.is_ready()).then_some(()) }).await;
    assert!(why(&readiness).contains("its polls have failed for "), "{}", why(&readiness));
    let server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap_or_else(|error| panic!("{error}"));
        server
    });
    let server = server.await.unwrap();
    poll_until("readiness", || async { readiness.is_ready().then_some(()) }).await;

    // From the beginning of a shutdown, and not only from its end: an activity goes on meanwhile.
    let echoes = client.start_workflow(Echoes, vec![1], start_options("ready")).await.unwrap();
    poll_until("the activity's start", || async {
        let description = echoes.describe().await.unwrap();
        description.raw().pending_activities.iter().any(|activity| activity.last_started_time.is_some()).then_some(())
    })
    .await;
    let stopped = tokio::spawn(worker.stop());
    poll_until("the shutdown", || async { (!readiness.is_ready()).then_some(()) }).await;
    assert!(!stopped.is_finished());
    let _ = let_go.send(()); // the activity waits for it
    stopped.await.unwrap();
    assert_eq!(why(&readiness), "the Workflow Worker on task queue \"ready\" is not ready: it has ended");
    drop(server);
}

#[tokio::test]
async fn a_worker_that_cannot_go_on_says_so_at_once() {
    let nowhere = connect(ClientOptions::new(server()).namespace("nowhere")).await;
    let said = Arc::new(Mutex::new(Vec::new()));
    let say = |said: &Arc<Mutex<Vec<String>>>| {
        let said = Arc::clone(said);
        move |error: String| said.lock().unwrap().push(error)
    };
    let (of_workflows, of_activities) = (say(&said), say(&said));
    let workflows = WorkflowWorker::builder(nowhere.clone(), "nothing")
        .workflow::<Echoes>()
        .on_fatal_error(move |error| of_workflows(error.to_string()));
    let activities = ActivityWorker::builder(nowhere, "nothing")
        .activity(Echo, echo)
        .on_fatal_error(move |error| of_activities(error.to_string()));
    let worker = Worker::new().workflows(workflows.build().unwrap());
    let error = within("the end", worker.run(std::future::pending())).await.unwrap_err();
    assert!(matches!(error, WorkerError::Workflow(_)), "{error:?}");
    let worker = Worker::new().activities(activities.build().unwrap());
    let error = within("the end", worker.run(std::future::pending())).await.unwrap_err();
    assert!(matches!(error, WorkerError::Activity(_)), "{error:?}");
    let said = said.lock().unwrap().clone();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("the Workflow Worker on task queue \"nothing\" did not start: "), "{said:?}");
    assert!(said[1].starts_with("the Activity Worker on task queue \"nothing\" did not start: "), "{said:?}");
}
