//! Workflows from start to result: typed, untyped, with timers, over several runs.

use std::time::{Duration, SystemTime};

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{
    Client, ResultOptions, RetryPolicy, StartWorkflowError, WorkflowExecutionStatus, WorkflowIdConflictPolicy,
};
use timewright::converter::{ApplicationFailure, Multiple, RawArguments, RawValue, Value};
use timewright::workflow::{ActivityOptions, WorkflowWorker};

use crate::support::background::{Background, run_activities, run_workflows};
use crate::support::definitions::{activity, workflow};
use crate::support::history::event_types;
use crate::support::{LIMIT, client, start_options, unique, within};

activity!(Compose: Multiple<(String, String)> => String);

async fn compose(_context: ActivityContext, input: Multiple<(String, String)>) -> Result<String, ActivityError> {
    let Multiple((greeting, name)) = input;
    Ok(format!("{greeting}, {name}!"))
}

workflow!(Greet: String => String, |context, name| {
    let options = ActivityOptions::start_to_close(LIMIT);
    Ok(context.execute_activity(Compose, Multiple(("Hello".to_owned(), name)), options).await?)
});

workflow!(GreetByName: RawArguments => RawValue, |context, RawArguments(arguments)| {
    let arguments = [vec!["Good morning".to_owned().to_payload()?], arguments].concat();
    let options = ActivityOptions::schedule_to_close(LIMIT).activity_id("the-greeting").summary("finds the words");
    Ok(context.execute_activity_untyped("Compose", arguments, options).await?)
});

fn greeters(
    client: &Client,
    queue: &str,
) -> (Background<timewright::workflow::WorkerError>, Background<timewright::activity::WorkerError>) {
    let workflows = WorkflowWorker::builder(client.clone(), queue).workflow::<Greet>().workflow::<GreetByName>();
    let activities = ActivityWorker::builder(client.clone(), queue).activity(Compose, compose);
    (run_workflows(workflows.build().unwrap()), run_activities(activities.build().unwrap()))
}

#[tokio::test]
async fn a_workflow_with_an_activity_typed_by_definitions() {
    let (client, queue) = (client().await, unique("greet"));
    let _workers = greeters(&client, &queue);

    let greeting = client.start_workflow(Greet, "Ada".to_owned(), start_options(&queue)).await.unwrap();
    assert_eq!(within("the result", greeting.result()).await.unwrap(), "Hello, Ada!");

    // Whoever asks later, by the Workflow Id alone, gets the same.
    let found = client.workflow_handle(Greet, greeting.workflow_id(), None);
    assert_eq!(within("the result", found.result()).await.unwrap(), "Hello, Ada!");
    assert_eq!(
        event_types(greeting.untyped()).await,
        [
            "WORKFLOW_EXECUTION_STARTED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "ACTIVITY_TASK_SCHEDULED",
            "ACTIVITY_TASK_STARTED",
            "ACTIVITY_TASK_COMPLETED",
            "WORKFLOW_TASK_SCHEDULED",
            "WORKFLOW_TASK_STARTED",
            "WORKFLOW_TASK_COMPLETED",
            "WORKFLOW_EXECUTION_COMPLETED",
        ]
    );
}

#[tokio::test]
async fn the_same_by_names_that_are_known_only_at_run_time() {
    let (client, queue) = (client().await, unique("greet"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<GreetByName>();
    let activities = ActivityWorker::builder(client.clone(), &queue).dynamic_activity(
        async |context: ActivityContext, RawArguments(arguments): RawArguments| {
            let arguments: Vec<String> = arguments.into_iter().map(String::from_payload).collect::<Result<_, _>>()?;
            let (activity_type, id) = (&context.info().activity_type, &context.info().activity_id);
            Ok(RawValue(format!("{} from {activity_type} {id}", arguments.join(", ")).to_payload()?))
        },
    );
    let _workers = (run_workflows(workflows.build().unwrap()), run_activities(activities.build().unwrap()));

    let arguments = vec!["Ada".to_owned().to_payload().unwrap()];
    let greeting = client.start_workflow_untyped("GreetByName", arguments, start_options(&queue)).await.unwrap();
    let result = within("the result", greeting.result()).await.unwrap();
    assert_eq!(result, ["Good morning, Ada from Compose the-greeting".to_owned().to_payload().unwrap()]);
}

#[tokio::test]
async fn a_workflow_is_described() {
    let (client, queue) = (client().await, unique("greet"));
    let options = start_options(&queue).memo("order", 17).static_summary("greets **Ada**");
    let greeting = client.start_workflow(Greet, "Ada".to_owned(), options).await.unwrap();

    let open = greeting.describe().await.unwrap();
    assert_eq!(open.status(), WorkflowExecutionStatus::Running);
    assert_eq!((open.workflow_id(), Some(open.run_id())), (greeting.workflow_id(), greeting.run_id()));
    assert_eq!((open.workflow_type(), open.task_queue()), ("Greet", queue.as_str()));
    assert_eq!((open.memo::<u32>("order"), open.memo::<u32>("customer")), (Ok(Some(17)), Ok(None)));
    assert!(open.start_time() < Some(SystemTime::now() + LIMIT) && open.close_time().is_none());

    let _workers = greeters(&client, &queue);
    within("the result", greeting.result()).await.unwrap();
    let closed = greeting.describe().await.unwrap();
    assert_eq!(closed.status(), WorkflowExecutionStatus::Completed);
    assert_eq!(closed.history_length(), 11);
    assert!(closed.close_time() > closed.start_time());
}

#[tokio::test]
async fn a_workflow_id_is_taken_while_its_workflow_runs() {
    let (client, queue) = (client().await, unique("greet"));
    let options = start_options(&queue);
    let first = client.start_workflow(Greet, "Ada".to_owned(), options.clone()).await.unwrap();

    let error = client.start_workflow(Greet, "Bob".to_owned(), options.clone()).await.unwrap_err();
    assert!(matches!(&error, StartWorkflowError::AlreadyStarted { run_id, .. } if run_id.as_deref() == first.run_id()));
    assert_eq!(
        error.to_string(),
        format!(
            "workflow `{}` is started already (run {}). Use another Workflow Id, or set the policies for conflicts and \
             reuse in StartWorkflowOptions",
            first.workflow_id(),
            first.run_id().unwrap(),
        )
    );

    let options = options.id_conflict_policy(WorkflowIdConflictPolicy::UseExisting);
    let second = client.start_workflow(Greet, "Bob".to_owned(), options).await.unwrap();
    assert_eq!(second.run_id(), first.run_id());
    let _workers = greeters(&client, &queue);
    assert_eq!(within("the result", second.result()).await.unwrap(), "Hello, Ada!");
}

// --- Timers

workflow!(Naps: () => (u64, u64), |context, ()| {
    let start = context.time();
    let elapsed = |now: SystemTime| now.duration_since(start).map_or(0, |time| time.as_millis() as u64);
    let never = context.sleep(Duration::from_secs(3600));
    let short = context.sleep(Duration::from_millis(10));
    context.sleep(Duration::from_millis(300)).await?;
    let long = elapsed(context.time());
    short.await?; // has fired long ago
    never.cancel();
    assert!(never.await.is_err());
    Ok((long, elapsed(context.time())))
});

#[tokio::test]
async fn timers_fire_in_the_workflows_own_time() {
    let (client, queue) = (client().await, unique("naps"));
    let _worker = run_workflows(WorkflowWorker::builder(client.clone(), &queue).workflow::<Naps>().build().unwrap());
    let naps = client.start_workflow(Naps, (), start_options(&queue)).await.unwrap();
    let (long, all) = within("the result", naps.result()).await.unwrap();
    assert!((300..=LIMIT.as_millis() as u64).contains(&long), "300 ms took {long} ms");
    assert_eq!(long, all, "time stands still within a Workflow Task");

    let events = event_types(naps.untyped()).await;
    let timers: Vec<_> = events.iter().filter(|event| event.starts_with("TIMER")).collect();
    assert_eq!(
        timers,
        ["TIMER_STARTED", "TIMER_STARTED", "TIMER_STARTED", "TIMER_FIRED", "TIMER_FIRED", "TIMER_CANCELED"]
    );
}

// --- Several runs

workflow!(CountsDown: u32 => String, |context, count| {
    if count > 0 {
        return Err(context.continue_as_new(count - 1));
    }
    let info = context.info();
    assert_ne!(info.run_id, info.first_execution_run_id);
    Ok(format!("began as {}", info.first_execution_run_id))
});

#[tokio::test]
async fn the_result_is_that_of_the_last_run() {
    let (client, queue) = (client().await, unique("counts-down"));
    let _worker =
        run_workflows(WorkflowWorker::builder(client.clone(), &queue).workflow::<CountsDown>().build().unwrap());
    let counting = client.start_workflow(CountsDown, 1, start_options(&queue)).await.unwrap();
    let first_run = counting.run_id().unwrap();
    assert_eq!(within("the result", counting.result()).await.unwrap(), format!("began as {first_run}"));

    let this_run_only = ResultOptions::default().follow_runs(false);
    let error = within("the end of the first run", counting.result_with(this_run_only)).await.unwrap_err().to_string();
    let expected = format!("workflow `{}` (run {first_run}) continues as new in run ", counting.workflow_id());
    assert!(error.starts_with(&expected), "{error}");
}

workflow!(SecondTry: () => String, |context, ()| {
    match context.info().attempt {
        1 => Err(ApplicationFailure::new("not yet").into()),
        attempt => Ok(format!("done in attempt {attempt}")),
    }
});

#[tokio::test]
async fn a_workflow_with_a_retry_policy_is_run_again() {
    let (client, queue) = (client().await, unique("second-try"));
    let worker = WorkflowWorker::builder(client.clone(), &queue).workflow::<SecondTry>().build().unwrap();
    let _worker = run_workflows(worker);
    let policy = RetryPolicy::default().initial_interval(Duration::from_millis(10)).maximum_attempts(2);
    let options = start_options(&queue).retry_policy(policy);
    let tries = client.start_workflow(SecondTry, (), options).await.unwrap();
    assert_eq!(within("the result", tries.result()).await.unwrap(), "done in attempt 2");
}
