//! Activities that somebody outside completes.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::client::{ActivityCompletionError, ActivityReference, Client, HeartbeatResponse, WorkflowHandle};
use timewright::converter::{ApplicationFailure, Failure};
use timewright::proto::Bytes;
use timewright::proto::common::RetryPolicy;
use timewright::workflow::{ActivityCancellationType, ActivityFailure, ActivityOptions, WorkflowWorker};
use tokio::sync::mpsc;

use crate::support::background::{Background, run_both};
use crate::support::definitions::{activity, workflow};
use crate::support::{LIMIT, client, start_options, unique, within};

activity!(Approve: String => String);

workflow!(Order: String => String, |context, item| {
    let options = ActivityOptions::start_to_close(LIMIT)
        .heartbeat_timeout(LIMIT)
        .retry_policy(RetryPolicy { maximum_attempts: 2, ..RetryPolicy::default() })
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted);
    match context.execute_activity(Approve, item, options).await {
        Err(ActivityFailure::Cancelled(failure)) => {
            let details: Option<String> = failure.cause.as_deref().map(Failure::details).transpose()?.flatten();
            Ok(format!("cancelled: {}", details.unwrap_or_default()))
        }
        other => Ok(other?),
    }
});

/// What an attempt tells the test.
struct Asked {
    task_token: Bytes,
    attempt: u32,
    previous: Option<String>,
}

struct Office {
    client: Client,
    queue: String,
    asked: mpsc::UnboundedReceiver<Asked>,
    _worker: Background<timewright::WorkerError>,
}

impl Office {
    /// One slot, so that nothing else is executed before the attempt has given it back.
    async fn open(name: &str) -> Self {
        let (client, queue) = (client().await, unique(name));
        let (tell, asked) = mpsc::unbounded_channel();
        let approve = move |context: ActivityContext, _item: String| {
            let told = tell.send(Asked {
                task_token: context.task_token().clone(),
                attempt: context.info().attempt,
                previous: context.previous_heartbeat_details().unwrap(),
            });
            async move {
                told?;
                Err(ActivityError::will_complete_asynchronously())
            }
        };
        let activities = ActivityWorker::builder(client.clone(), &queue)
            .activity(Approve, approve)
            .maximum_concurrent_activities(1)
            .build()
            .unwrap();
        let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Order>().build().unwrap();
        Self { client, queue, asked, _worker: run_both(workflows, activities) }
    }

    async fn order(&mut self) -> (WorkflowHandle<Order>, Asked) {
        let order = self.client.start_workflow(Order, "a book".to_owned(), start_options(&self.queue)).await.unwrap();
        (order, self.asked().await)
    }

    async fn asked(&mut self) -> Asked {
        within("the question", self.asked.recv()).await.unwrap()
    }
}

async fn result(order: &WorkflowHandle<Order>) -> String {
    within("the result", order.result()).await.unwrap()
}

/// Everything of this order that can name its activity.
fn references(order: &WorkflowHandle<Order>, asked: &Asked) -> Vec<ActivityReference> {
    let by_id = ActivityReference::of_workflow(order.workflow_id(), "1");
    let by_run = by_id.clone().run_id(order.run_id().unwrap());
    vec![ActivityReference::task_token(asked.task_token.clone()), by_id, by_run]
}

#[tokio::test]
async fn by_token_and_by_id_an_activity_is_completed_from_outside() {
    let mut office = Office::open("complete").await;
    // All three wait at the same time, on one slot.
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(office.order().await);
    }
    for (which, (order, asked)) in waiting.iter().enumerate() {
        let reference = references(order, asked).swap_remove(which);
        let approval = office.client.activity_completion_handle::<Approve>(reference);
        assert_eq!(approval.heartbeat("reading".to_owned()).await.unwrap(), HeartbeatResponse::default());
        approval.complete(format!("approved {which}")).await.unwrap();
        assert_eq!(result(order).await, format!("approved {which}"));
    }
}

#[tokio::test]
async fn a_failure_from_outside_makes_another_attempt_which_has_the_last_details() {
    let mut office = Office::open("fail").await;
    let (order, first) = office.order().await;
    let approval =
        office.client.activity_completion_handle::<Approve>(ActivityReference::of_workflow(order.workflow_id(), "1"));
    approval.heartbeat("page 3".to_owned()).await.unwrap();
    approval.fail(ApplicationFailure::new("illegible").with_type("Illegible")).await.unwrap();
    let second = office.asked().await;
    assert_eq!((first.attempt, first.previous), (1, None));
    assert_eq!((second.attempt, second.previous.as_deref()), (2, Some("page 3")));

    // The first attempt's token is of no use for the second attempt.
    let stale = office.client.activity_completion_handle::<Approve>(ActivityReference::task_token(first.task_token));
    let error = stale.complete("approved".to_owned()).await.unwrap_err();
    assert!(matches!(error, ActivityCompletionError::NotFound { .. }), "{error}");

    approval.fail(ApplicationFailure::new("no").with_type("Refused").non_retryable()).await.unwrap();
    let error = within("the end", order.result()).await.unwrap_err().to_string();
    assert!(error.ends_with("Activity task failed: Refused: no"), "{error}");
}

#[tokio::test]
async fn a_cancellation_is_heard_in_a_heartbeat_and_reported() {
    let mut office = Office::open("cancel").await;
    let (order, asked) = office.order().await;
    let approval = office.client.activity_completion_handle::<Approve>(ActivityReference::task_token(asked.task_token));
    // Nobody has asked for it yet, so the server does not take it.
    let error = approval.report_cancellation(()).await.unwrap_err();
    assert!(matches!(error, ActivityCompletionError::Rpc { .. }), "{error}");

    order.cancel("out of business").await.unwrap();
    let cancel_requested = within("the cancellation", async {
        loop {
            let response = approval.heartbeat(()).await.unwrap();
            if response.cancel_requested {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(!cancel_requested.paused && !cancel_requested.reset);
    approval.report_cancellation("half read".to_owned()).await.unwrap();
    assert_eq!(result(&order).await, "cancelled: half read");
}

#[tokio::test]
async fn c23_what_is_over_or_never_was_is_not_found() {
    let mut office = Office::open("not-found").await;
    let (order, asked) = office.order().await;
    let references = references(&order, &asked);
    let handle = |reference: &ActivityReference| office.client.activity_completion_handle::<Approve>(reference.clone());
    handle(&references[0]).complete("approved".to_owned()).await.unwrap();
    result(&order).await;
    for reference in &references {
        let activity = handle(reference);
        let errors = [
            activity.complete("approved".to_owned()).await.unwrap_err(),
            activity.fail(ApplicationFailure::new("no")).await.unwrap_err(),
            activity.report_cancellation(()).await.unwrap_err(),
            activity.heartbeat(()).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, ActivityCompletionError::NotFound { .. }), "{error}");
        }
    }
    for unknown in
        [ActivityReference::of_workflow(unique("nobody"), "1"), ActivityReference::standalone(unique("nobody"))]
    {
        let error = handle(&unknown).complete("approved".to_owned()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{unknown} was not completed: no such attempt is under way. It has been completed, has timed out, or its \
                 workflow has ended"
            )
        );
    }
    // No token at all is the caller's fault, and so is a token that is none.
    for wrong in ["", "no token"] {
        let activity = handle(&ActivityReference::task_token(Bytes::from(wrong)));
        let error = activity.complete("approved".to_owned()).await.unwrap_err();
        assert!(matches!(error, ActivityCompletionError::Rpc { .. }), "{error}");
    }
}

#[tokio::test]
async fn v9_a_result_from_outside_that_is_too_large_is_refused_and_the_activity_goes_on() {
    let mut office = Office::open("too-large").await;
    let (order, asked) = office.order().await;
    let reference = ActivityReference::task_token(asked.task_token);
    let approval = office.client.activity_completion_handle::<Approve>(reference);
    let error = approval.complete("x".repeat(3_000_000)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the activity of a task token was not completed: its data has 3000036 bytes, but the server takes at most 2097152. \
         Store the data elsewhere, and pass a reference to it"
    );
    approval.complete("approved".to_owned()).await.unwrap();
    assert_eq!(result(&order).await, "approved");
}
