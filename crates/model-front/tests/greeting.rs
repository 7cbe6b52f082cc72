//! The product's own workers and client on the model: what a first program does.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, WorkflowExecutionStatus};
use timewright::definition::{ActivityDefinition, QueryDefinition, SignalDefinition, WorkflowDefinition};
use timewright::proto::workflow_service::ListWorkflowExecutionsRequest;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};
use timewright_model_front::{ModelServer, ServerOptions};
use tokio::sync::oneshot;
use tokio::time::timeout;

struct Greeting;

impl WorkflowDefinition for Greeting {
    const NAME: &'static str = "Greeting";
    type Input = String;
    type Output = String;
}

struct Greet;

impl ActivityDefinition for Greet {
    const NAME: &'static str = "Greet";
    type Input = String;
    type Output = String;
}

struct Go;

impl SignalDefinition for Go {
    const NAME: &'static str = "Go";
    type Workflow = Greeting;
    type Input = ();
}

struct Waits;

impl QueryDefinition for Waits {
    const NAME: &'static str = "Waits";
    type Workflow = Greeting;
    type Input = ();
    type Output = bool;
}

#[derive(Default)]
struct GreetingWorkflow {
    may_go: bool,
}

impl Workflow for GreetingWorkflow {
    type Definition = Greeting;

    fn init(_: &WorkflowInfo, _: &String) -> Self {
        Self::default()
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Go, |state, ()| state.may_go = true);
        handlers.query(Waits, |state, ()| Ok(!state.may_go));
    }

    async fn run(context: WorkflowContext<Self>, name: String) -> Result<String, WorkflowError> {
        context.wait_condition(|state| state.may_go).await?;
        context.sleep(Duration::from_millis(50)).await?;
        Ok(context.execute_activity(Greet, name, ActivityOptions::start_to_close(LIMIT)).await?)
    }
}

async fn greet(_: ActivityContext, name: String) -> Result<String, ActivityError> {
    Ok(format!("Hello, {name}!"))
}

#[tokio::test]
async fn a_workflow_with_all_that_the_first_programs_need() {
    let server = ModelServer::start(ServerOptions::default()).unwrap();
    let client = Client::connect(ClientOptions::new(format!("http://{}", server.address()))).await.unwrap();
    assert_eq!(client.server_info().await.unwrap().version, "1.32.0");
    let workflows = WorkflowWorker::builder(client.clone(), "queue").workflow::<GreetingWorkflow>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), "queue").activity(Greet, greet).build().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = timewright::Worker::new().workflows(workflows).activities(activities);
    let running = tokio::spawn(worker.run(async {
        let _ = stopped.await;
    }));

    let options = StartWorkflowOptions::new("queue", "greeting-of-ada");
    let greeting = client.start_workflow(Greeting, "Ada".to_owned(), options.clone()).await.unwrap();
    client.start_workflow(Greeting, "Bob".to_owned(), options).await.unwrap_err();
    assert!(greeting.query(Waits, ()).await.unwrap());
    assert_eq!(greeting.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    greeting.signal(Go, ()).await.unwrap();
    assert_eq!(timeout(LIMIT, greeting.result()).await.unwrap().unwrap(), "Hello, Ada!");
    assert_eq!(greeting.describe().await.unwrap().status(), WorkflowExecutionStatus::Completed);
    let history = greeting.untyped().history().await.unwrap();
    assert_eq!(history.events.len(), 20);

    // The polls of a worker that shuts down end at once: it does not wait for them.
    stop.send(()).unwrap();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn what_the_model_does_not_do_is_said() {
    let server = ModelServer::start(ServerOptions::default()).unwrap();
    let client = Client::connect(ClientOptions::new(format!("http://{}", server.address()))).await.unwrap();
    let status =
        client.workflow_service().list_workflow_executions(ListWorkflowExecutionsRequest::default()).await.unwrap_err();
    assert_eq!(
        status.message(),
        "unknown method ListWorkflowExecutions: the model of the server has none; use a real server for that"
    );
}

const LIMIT: Duration = Duration::from_secs(20);
