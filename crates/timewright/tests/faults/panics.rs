//! Panics in each kind of user code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{ClientOptions, HttpRequest, Stack, WorkflowExecutionStatus};
use timewright::proto::common::RetryPolicy;
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};
use tower::ServiceExt;
use tower::layer::layer_fn;

use crate::support::background::{run_activities, run_workflows};
use crate::support::definitions::{activity, query, signal, workflow, workflow_definition};
use crate::support::history::{wait_for_event, wait_for_task_failure};
use crate::support::{LIMIT, client, connect, server, start_options, unique, within};

workflow_definition!(Panics: String => String);
signal!(Shout of Panics: String);
query!(Ask of Panics: String => String);

/// Panics where its input says so.
struct PanicsWorkflow {
    shouted: String,
}

impl Workflow for PanicsWorkflow {
    type Definition = Panics;

    fn init(_info: &WorkflowInfo, place: &String) -> Self {
        assert_ne!(place, "init", "at the beginning");
        Self { shouted: String::new() }
    }

    async fn run(context: WorkflowContext<Self>, place: String) -> Result<String, WorkflowError> {
        if place == "run" {
            context.sleep(Duration::from_millis(1)).await?;
            panic!("after the timer");
        }
        if place == "tokio" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        context.wait_condition(|state| !state.shouted.is_empty()).await?;
        Ok(context.state(|state| state.shouted.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Shout, |state, word| match word.as_str() {
            "" => panic!("there is nothing to shout"),
            _ => state.shouted = word,
        });
        handlers.query(Ask, |state, question| match question.as_str() {
            "" => panic!("there is no question"),
            _ => Ok(format!("{question} {:?}", state.shouted)),
        });
    }
}

#[tokio::test]
async fn panics_of_a_workflow_fail_its_task_and_nothing_else() {
    let (client, queue) = (client().await, unique("panics"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<PanicsWorkflow>().build().unwrap();
    let worker = run_workflows(worker);
    for (place, expected) in [
        ("init", "Panic: init panicked: assertion `left != right` failed: at the beginning"),
        ("run", "Panic: run panicked: after the timer"),
        (
            "tokio",
            "Panic: run panicked: there is no reactor running, must be called from the context of a Tokio 1.x runtime. Workflow \
             code runs without tokio, whose timers, tasks and IO a replay does not have: use sleep, timeout and spawn of the \
             WorkflowContext, and do everything that needs the outside world in activities",
        ),
    ] {
        let panics = client.start_workflow(Panics, place.to_owned(), start_options(&queue)).await.unwrap();
        let (cause, text) = wait_for_task_failure(panics.untyped()).await;
        assert_eq!(cause, "WORKFLOW_WORKER_UNHANDLED_FAILURE");
        assert_eq!(text.lines().next(), Some(expected));
        assert_eq!(panics.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
    }

    let panics = client.start_workflow(Panics, "handlers".to_owned(), start_options(&queue)).await.unwrap();
    wait_for_event(panics.untyped(), EventType::WorkflowTaskCompleted).await;
    let error = within("an answer", panics.query(Ask, String::new())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Ask` failed in workflow `{}`: Panic: the handler of query \"Ask\" panicked: there is no question",
            panics.workflow_id()
        )
    );
    assert_eq!(within("an answer", panics.query(Ask, "what?".to_owned())).await.unwrap(), "what? \"\"");
    panics.signal(Shout, String::new()).await.unwrap();
    let (_, text) = wait_for_task_failure(panics.untyped()).await;
    assert_eq!(text, "Panic: the handler of signal \"Shout\" panicked: there is nothing to shout");

    // The worker has taken no harm.
    let calm = client.start_workflow(Panics, "nowhere".to_owned(), start_options(&queue)).await.unwrap();
    calm.signal(Shout, "hello".to_owned()).await.unwrap();
    assert_eq!(within("the result", calm.result()).await.unwrap(), "hello");
    worker.stop().await;
}

activity!(Async: () => ());
activity!(Blocking: () => ());

workflow!(Calls: String => (), |context, activity_type| {
    let once = RetryPolicy { maximum_attempts: 1, ..RetryPolicy::default() };
    let options = ActivityOptions::start_to_close(LIMIT).retry_policy(once);
    context.execute_activity_untyped(&activity_type, Vec::new(), options).await?;
    Ok(())
});

async fn panics(_context: ActivityContext, (): ()) -> Result<(), ActivityError> {
    panic!("out of paper")
}

#[tokio::test]
async fn panics_of_activities_fail_the_attempt() {
    let (client, queue) = (client().await, unique("panics"));
    let activities = ActivityWorker::builder(client.clone(), &queue)
        .activity(Async, panics)
        .blocking_activity(Blocking, |_, ()| panic!("out of {}", "ink"))
        .build();
    let activities = run_activities(activities.unwrap());
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Calls>().build().unwrap();
    let _workflows = run_workflows(workflows);
    for (activity_type, text) in [("Async", "out of paper"), ("Blocking", "out of ink")] {
        let calls = client.start_workflow(Calls, activity_type.to_owned(), start_options(&queue)).await.unwrap();
        let error = within("the end", calls.result()).await.unwrap_err().to_string();
        let expected = format!(
            "failed: activity {activity_type} (id 1) did not complete: Activity task failed: Panic: activity \
             `{activity_type}` panicked: {text}"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
    activities.stop().await;
}

/// A `tower::Layer` of the user's, say. The task that it lost is handed out again when it times out, and its slot is free.
#[tokio::test]
async fn a_panic_below_the_worker_costs_one_task_and_nothing_else() {
    let panicked = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&panicked);
    let layer = layer_fn(move |stack: Stack| {
        let once = Arc::clone(&once);
        stack.map_request(move |request: HttpRequest| {
            let completes = request.uri().path().ends_with("/RespondWorkflowTaskCompleted");
            assert!(!completes || once.swap(true, Ordering::Relaxed), "not this one");
            request
        })
    });
    let client = connect(ClientOptions::new(server()).layer(layer)).await;
    let queue = unique("panics");
    // Two slots are the fewest; if the panic kept one, the workflow could not end.
    let workflows = WorkflowWorker::builder(client.clone(), &queue)
        .workflow::<PanicsWorkflow>()
        .maximum_concurrent_workflow_tasks(2)
        .maximum_concurrent_polls(2);
    let _workflows = run_workflows(workflows.build().unwrap());
    let options = start_options(&queue).task_timeout(Duration::from_secs(1));
    let panics = client.start_workflow(Panics, String::new(), options).await.unwrap();
    wait_for_event(panics.untyped(), EventType::WorkflowTaskTimedOut).await;
    assert!(panicked.load(Ordering::Relaxed));
    panics.signal(Shout, "at last".to_owned()).await.unwrap();
    assert_eq!(within("the end", panics.result()).await.unwrap(), "at last");
}
