//! Servers that are not there, go away and come back; namespaces that do not exist.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, WorkflowHandle};
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};
use timewright_testing::DevServer;
use tokio::sync::watch;

use crate::support::background::{run_activities, run_both, run_workflows};
use crate::support::definitions::{activity, signal, workflow, workflow_definition};
use crate::support::history::{event_types, wait_for_event};
use crate::support::logs::Logs;
use crate::support::{LIMIT, client, connect, poll_until, server, start_options, unique, within};

activity!(Echo: u32 => u32);

async fn echo(_context: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

// One activity after the other.
workflow!(Adds: u32 => u32, |context, count| {
    let mut sum = 0;
    for number in 1..=count {
        // An attempt that is lost with the server is tried again soon.
        let options = ActivityOptions::start_to_close(Duration::from_secs(2));
        sum += context.execute_activity(Echo, number, options).await?;
    }
    Ok(sum)
});

// --- Not there

#[tokio::test]
async fn a_client_says_where_it_found_no_server_and_what_to_do() {
    let address = unused_address();
    let refused = TcpStream::connect(address).unwrap_err(); // in the operating system's words
    let error = Client::connect(ClientOptions::new(address.to_string())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no Temporal Server answers at http://{address}: tcp connect error: {refused}. Check the address, that the \
             server runs, and that it does not want https; to start one for development: temporal server start-dev"
        )
    );
}

#[tokio::test]
async fn what_answers_but_is_no_server_is_not_taken_for_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hangs_up = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let options = ClientOptions::new(address.to_string()).connect_timeout(Duration::from_millis(500));
    let error = within("an error", Client::connect(options)).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("no Temporal Server answers at http://{address}: ")), "{error}");
    hangs_up.abort();
}

#[tokio::test]
async fn workers_that_start_before_their_server_wait_for_it() {
    let logs = Logs::capture();
    let address = unused_address();
    let client = connect(ClientOptions::new(address.to_string()).lazy(true)).await;
    let workflows = WorkflowWorker::builder(client.clone(), "adds").workflow::<Adds>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), "adds").activity(Echo, echo).build().unwrap();
    let (workflows, activities) = (run_workflows(workflows), run_activities(activities));
    // They say what is the matter, and go on.
    let refused = format!("on http://{address}: tcp connect error: Connection refused");
    for line in logs.wait_for("the namespace's limits are not known; the worker goes on with the usual ones", 2).await {
        assert!(line.contains("WARN") && line.contains(&refused), "{line}");
    }
    assert!(workflows.is_running() && activities.is_running());

    let builder = DevServer::builder().port(address.port());
    let _server =
        tokio::task::spawn_blocking(|| builder.start()).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    let adds = client.start_workflow(Adds, 2, start_options("adds")).await.unwrap();
    assert_eq!(within("the result", adds.result()).await.unwrap(), 3);
}

/// An address at which nobody listens.
fn unused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there is a free port")
}

// --- Killed and started again

activity!(Cook: String => String);
workflow_definition!(Dinner: () => String);
signal!(Serve of Dinner: String);

/// Waits for a timer, an activity and a signal, at the same time.
#[derive(Default)]
struct DinnerWorkflow {
    guest: Option<String>,
}

impl Workflow for DinnerWorkflow {
    type Definition = Dinner;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<String, WorkflowError> {
        let rest = context.sleep(Duration::from_secs(2));
        let dish = context.execute_activity(Cook, "soup".to_owned(), ActivityOptions::start_to_close(LIMIT));
        context.wait_condition(|state| state.guest.is_some()).await?;
        let dish = dish.await?;
        rest.await?;
        Ok(format!("{dish} for {}", context.state(|state| state.guest.clone()).unwrap_or_default()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Serve, |state, guest| state.guest = Some(guest));
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_loses_nobody() {
    let file = std::env::temp_dir().join(unique("timewright-restart")).with_extension("db");
    let builder = DevServer::builder().db_filename(&file);
    let mut server =
        tokio::task::spawn_blocking(|| builder.start()).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    let client = connect(ClientOptions::new(server.address().to_string())).await;
    let queue = unique("restart");
    let (cooked, done) = watch::channel(false);
    let cook = move |context: ActivityContext, dish: String| {
        let mut done = done.clone();
        async move {
            done.wait_for(|done| *done).await?;
            Ok(format!("{dish} in attempt {}", context.info().attempt))
        }
    };
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Cook, cook).activity(Echo, echo);
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<DinnerWorkflow>().workflow::<Adds>();
    let worker = run_both(workflows.build().unwrap(), activities.build().unwrap());

    // One waits for everything, others are in the middle of their work, and somebody waits for all their results.
    let dinner = client.start_workflow(Dinner, (), start_options(&queue)).await.unwrap();
    wait_for_event(dinner.untyped(), EventType::TimerStarted).await;
    poll_until("the activity's start", || async {
        let description = dinner.describe().await.unwrap();
        description.raw().pending_activities.iter().any(|activity| activity.last_started_time.is_some()).then_some(())
    })
    .await;
    let mut sums = Vec::new();
    for _ in 0..5 {
        // A task that is lost with the server is handed out again soon.
        let options = start_options(&queue).task_timeout(Duration::from_secs(2));
        sums.push(client.start_workflow(Adds, 20, options).await.unwrap());
    }
    let result = |handle: &WorkflowHandle<Dinner>| {
        let handle = handle.clone();
        tokio::spawn(async move { handle.result().await })
    };
    let waiting = result(&dinner);
    wait_for_event(sums[4].untyped(), EventType::ActivityTaskCompleted).await;

    server.kill();
    cooked.send_replace(true); // with nobody there who could be told
    let vacant = tokio::net::TcpListener::bind(server.address()).await.unwrap();
    for _attempt in 1..=3 {
        drop(within("attempts to connect", vacant.accept()).await);
    }
    drop(vacant);
    let server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap_or_else(|error| panic!("{error}"));
        server
    });
    let server = server.await.unwrap();

    dinner.signal(Serve, "Ada".to_owned()).await.unwrap();
    assert_eq!(within("the result", waiting).await.unwrap().unwrap(), "soup in attempt 1 for Ada");
    for sum in sums {
        assert_eq!(within("the sum", sum.result()).await.unwrap(), 210);
    }
    let events = event_types(dinner.untyped()).await;
    assert!(!events.iter().any(|event| event.contains("TIMED_OUT") || event.contains("FAILED")), "{events:?}");
    worker.stop().await;
    drop(server);
    for suffix in ["db", "db-wal", "db-shm"] {
        // Which of them there are is the server's affair.
        let _ = std::fs::remove_file(file.with_extension(suffix));
    }
}

#[tokio::test]
async fn workers_stop_although_their_server_is_away() {
    let logs = Logs::capture();
    let server = tokio::task::spawn_blocking(DevServer::start).await.unwrap();
    let mut server = server.unwrap_or_else(|error| panic!("{error}"));
    let client = connect(ClientOptions::new(server.address().to_string())).await;
    let workflows = || WorkflowWorker::builder(client.clone(), "adds").workflow::<Adds>().build().unwrap();
    let activities = || ActivityWorker::builder(client.clone(), "adds").activity(Echo, echo).build().unwrap();
    let worker = run_both(workflows(), activities());
    logs.wait_for("Worker is polling", 2).await;

    server.kill();
    worker.stop().await;
    // Nor do they need one to stop that have never seen it.
    run_both(workflows(), activities()).stop().await;
}

// --- The wrong namespace

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_named_by_everybody() {
    let client = connect(ClientOptions::new(server()).namespace("nowhere")).await;
    let advice = "or create it: temporal operator namespace create --namespace";
    let address = server();

    let error = client.start_workflow(Adds, 1, start_options("adds")).await.unwrap_err().to_string();
    let id = error.split('`').nth(1).unwrap_or_default();
    assert_eq!(
        error,
        format!(
            "workflow `{id}` was not started: StartWorkflowExecution on {address}: Namespace nowhere is not found. \
             (NotFound). Check the namespace in ClientOptions, {advice} NAME"
        )
    );
    let workflows = WorkflowWorker::builder(client.clone(), "adds").workflow::<Adds>().build().unwrap();
    assert_eq!(
        run_workflows(workflows).ended().await.unwrap_err().to_string(),
        format!(
            "the Workflow Worker on task queue \"adds\" did not start: there is no namespace `nowhere` on {address}. \
             Check ClientOptions, {advice} nowhere"
        )
    );
    let activities = ActivityWorker::builder(client.clone(), "adds").activity(Echo, echo).build().unwrap();
    assert_eq!(
        run_activities(activities).ended().await.unwrap_err().to_string(),
        format!(
            "the Activity Worker on task queue \"adds\" did not start: there is no namespace `nowhere` on {address}. \
             Check ClientOptions, {advice} nowhere"
        )
    );
}

#[tokio::test]
async fn the_workers_of_a_process_end_when_one_of_them_cannot_work() {
    let (here, queue) = (client().await, unique("adds"));
    let nowhere = connect(ClientOptions::new(server()).namespace("nowhere")).await;
    let workflows = WorkflowWorker::builder(here, &queue).workflow::<Adds>().build().unwrap();
    let activities = ActivityWorker::builder(nowhere, &queue).activity(Echo, echo).build().unwrap();
    let worker = timewright::Worker::new().workflows(workflows).activities(activities);
    let error = within("the end", worker.run(std::future::pending())).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("the Activity Worker on task queue {queue:?} did not start: ")), "{error}");
}
