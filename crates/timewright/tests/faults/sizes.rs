//! Data that is too large.

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::WorkflowExecutionStatus;
use timewright::proto::common::RetryPolicy;
use timewright::workflow::{
    ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};

use crate::support::background::{run_activities, run_workflows};
use crate::support::definitions::{activity, query, workflow_definition};
use crate::support::history::wait_for_task_failure;
use crate::support::{LIMIT, client, start_options, unique, within};

const MEGABYTE: usize = 1024 * 1024;

workflow_definition!(Grow: (String, usize) => String);
query!(Draft of Grow: usize => String);
activity!(Print: (String, usize) => String);
activity!(Read: String => usize);

/// Makes something large, wherever its input says.
struct GrowWorkflow;

impl Workflow for GrowWorkflow {
    type Definition = Grow;

    fn init(_info: &WorkflowInfo, _input: &(String, usize)) -> Self {
        Self
    }

    async fn run(context: WorkflowContext<Self>, (what, size): (String, usize)) -> Result<String, WorkflowError> {
        let once = RetryPolicy { maximum_attempts: 1, ..RetryPolicy::default() };
        let options = ActivityOptions::start_to_close(LIMIT).retry_policy(once);
        match what.as_str() {
            "the result" => Ok("x".repeat(size)),
            "the arguments" => {
                // Each is small enough, but all together are more than a message may have.
                let reads: Vec<_> =
                    (0..3).map(|_| context.execute_activity(Read, "x".repeat(size), options.clone())).collect();
                for read in reads {
                    read.await?;
                }
                Ok(String::new())
            }
            _ => Ok(context.execute_activity(Print, (what, size), options).await?),
        }
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.query(Draft, |_, size| Ok("x".repeat(size)));
    }
}

/// Makes something large, wherever its input says.
async fn print(context: ActivityContext, (what, size): (String, usize)) -> Result<String, ActivityError> {
    use timewright::converter::ApplicationFailure;
    let large = "x".repeat(size);
    match what.as_str() {
        "the activity's result" => Ok(large),
        "the activity's heartbeat" => {
            context.heartbeat(large)?;
            Ok(String::new())
        }
        _ => Err(ApplicationFailure::new("the printer burns").with_type("Fire").with_details(large).into()),
    }
}

async fn read(_context: ActivityContext, text: String) -> Result<usize, ActivityError> {
    Ok(text.len())
}

#[tokio::test]
async fn what_a_workflow_makes_too_large_fails_its_task() {
    let (client, queue) = (client().await, unique("grow"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<GrowWorkflow>().build().unwrap();
    let _workflows = run_workflows(workflows);

    let input = ("the result".to_owned(), 2 * MEGABYTE);
    let grow = client.start_workflow(Grow, input, start_options(&queue)).await.unwrap();
    assert_eq!(
        wait_for_task_failure(grow.untyped()).await,
        (
            "PAYLOADS_TOO_LARGE".to_owned(),
            "PayloadsTooLarge: the Payloads of COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION have 2097183 bytes; the server \
             allows 2097152. Pass less data, or a reference to it"
                .to_owned()
        )
    );
    assert_eq!(grow.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);

    // Each of them is small enough, but all together are more than a message may have.
    let input = ("the arguments".to_owned(), 3 * MEGABYTE / 2);
    let grow = client.start_workflow(Grow, input, start_options(&queue)).await.unwrap();
    let (cause, text) = wait_for_task_failure(grow.untyped()).await;
    assert_eq!(cause, "PAYLOADS_TOO_LARGE");
    for part in ["the answer of this Workflow Task is too large to be sent", "Pass less data"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(grow.describe().await.unwrap().status(), WorkflowExecutionStatus::Running);
}

#[tokio::test]
async fn without_a_limit_of_the_worker_the_server_ends_the_workflow() {
    let (client, queue) = (client().await, unique("grow"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<GrowWorkflow>();
    let _workflows = run_workflows(workflows.payload_size_limit(None).build().unwrap());
    let input = ("the result".to_owned(), 2 * MEGABYTE);
    let grow = client.start_workflow(Grow, input, start_options(&queue)).await.unwrap();
    let error = within("the end", grow.result()).await.unwrap_err().to_string();
    let expected = "was terminated by history-service: BadScheduleActivityAttributes: CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.";
    assert!(error.ends_with(expected), "{error}");
    let error = within("an answer", grow.query(Draft, 1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Draft` of workflow `{}` cannot be answered: Workflow execution closed before WorkflowTaskStarted event",
            grow.workflow_id()
        )
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_the_query() {
    let (client, queue) = (client().await, unique("grow"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<GrowWorkflow>().build().unwrap();
    let _workflows = run_workflows(workflows);
    let grow = client.start_workflow(Grow, ("the result".to_owned(), 1), start_options(&queue)).await.unwrap();
    within("the result", grow.result()).await.unwrap();
    let error = within("an answer", grow.query(Draft, 2 * MEGABYTE)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "query `Draft` failed in workflow `{}`: PayloadsTooLarge: the answer has 2097183 bytes; 2097152 are allowed",
            grow.workflow_id()
        )
    );
}

#[tokio::test]
async fn what_an_activity_makes_too_large_fails_the_attempt() {
    let (client, queue) = (client().await, unique("grow"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<GrowWorkflow>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).activity(Print, print).activity(Read, read);
    let _workers = (run_workflows(workflows), run_activities(activities.build().unwrap()));
    let too_large = |what: &str, size: usize| {
        format!(
            "{what} of activity `Print` has {size} bytes, but the server takes at most 2097152. Store the data elsewhere, \
             and pass a reference to it"
        )
    };
    for (what, megabytes, expected) in [
        ("the activity's result", 2, format!("PayloadsTooLarge: {}", too_large("the result", 2_097_188))),
        ("the activity's result", 5, format!("PayloadsTooLarge: {}", too_large("the result", 5_242_916))),
        // What there was to say is kept as far as possible.
        (
            "the activity's failure",
            2,
            format!("PayloadsTooLarge: {}: Fire: the printer burns", too_large("the failure", 2_097_235)),
        ),
        (
            "the activity's heartbeat",
            2,
            "HeartbeatError: the heartbeat details of activity `Print` have 2097183 bytes, but the server takes at most \
             2097152. Store the data elsewhere, and heartbeat a reference to it"
                .to_owned(),
        ),
    ] {
        let input = (what.to_owned(), megabytes * MEGABYTE);
        let grow = client.start_workflow(Grow, input, start_options(&queue)).await.unwrap();
        let error = within("the end", grow.result()).await.unwrap_err().to_string();
        let expected = format!("failed: activity Print (id 1) did not complete: Activity task failed: {expected}");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn input_that_is_too_large_is_refused_before_it_can_do_harm() {
    let (client, queue) = (client().await, unique("grow"));
    for (megabytes, expected) in
        [(3, "Blob data size exceeds limit. (InvalidArgument)"), (5, " vs. 4194304) (ResourceExhausted)")]
    {
        let input = ("x".repeat(megabytes * MEGABYTE), 0);
        let error = client.start_workflow(Grow, input, start_options(&queue)).await.unwrap_err().to_string();
        let advice = "Pass less data: a reference to it instead of the data itself, or fewer items at a time";
        assert!(error.contains(" was not started: StartWorkflowExecution on "), "{error}");
        assert!(error.ends_with(&format!("{expected}. {advice}")), "{error}");
    }
}
