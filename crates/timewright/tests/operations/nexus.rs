//! Nexus operations, from the side of the workflow that asks for them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use timewright::client::WorkflowResultError;
use timewright::converter::ApplicationFailure;
use timewright::workflow::{NexusOperationCancellationType, NexusOperationFailure, NexusOperationOptions};

use crate::support::definitions::workflow;
use crate::support::history::{event_types, wait_for_task_failure_cause};
use crate::support::nexus::{Deed, Endpoint, Order, SERVICE};
use crate::support::{start_options, within};
use crate::{CACHES, Stage};

/// What the workflow does about its operation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum About {
    Wait,
    TimeOut,
    /// Cancels it, once it has been started.
    Cancel(Type),
    /// Cancels it at once.
    Withdraw,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Type {
    WaitCompleted,
    WaitRequested,
    Try,
    Abandon,
}

workflow!(Caller: (String, Deed, About) => String, |context, (endpoint, deed, about)| {
    let mut options = NexusOperationOptions::new(endpoint, SERVICE, "do").header("colour", "red").summary("a deed");
    if about == About::TimeOut {
        options = options.start_to_close_timeout(Duration::from_secs(1));
    }
    if let About::Cancel(kind) = about {
        options = options.cancellation_type(match kind {
            Type::WaitCompleted => NexusOperationCancellationType::WaitCancellationCompleted,
            Type::WaitRequested => NexusOperationCancellationType::WaitCancellationRequested,
            Type::Try => NexusOperationCancellationType::TryCancel,
            Type::Abandon => NexusOperationCancellationType::Abandon,
        });
    }
    let order: Order = (deed, 0);
    let starting = context.start_nexus_operation::<String>(options, order);
    if about == About::Withdraw {
        starting.cancel();
    }
    let outcome = match starting.await {
        Err(error) => Err(error),
        Ok(operation) => {
            let token = operation.operation_token().is_some();
            if matches!(about, About::Cancel(_)) {
                operation.cancel();
            }
            operation.await.map(|result| format!("{result}, with a token: {token}"))
        }
    };
    match outcome {
        Err(NexusOperationFailure::Cancelled(_)) if about != About::Wait => Ok("cancelled".to_owned()),
        outcome => Ok(outcome?),
    }
});

workflow!(Handling: String => String, |context, what| {
    match what.as_str() {
        "wait" => context.sleep(Duration::from_secs(3600)).await?,
        "fail" => return Err(ApplicationFailure::new("the workflow is ill").with_type("Ill").into()),
        _ => context.sleep(Duration::from_millis(10)).await?,
    }
    Ok(format!("handled {what}"))
});

/// What came of a caller, whose history is replayed.
struct Played {
    endpoint: String,
    result: Result<String, WorkflowResultError>,
    /// The types of its Events.
    events: Vec<String>,
}

async fn played(deed: Deed, about: About, cached: usize) -> Played {
    let stage = Stage::of_both::<Caller, Handling>(cached).await;
    let endpoint = stage.task_queue.clone();
    let _handler = Endpoint::create(&stage.client, &endpoint).await;
    let input = (endpoint.clone(), deed, about);
    let caller = stage.client.start_workflow(Caller, input, start_options(&stage.task_queue)).await.unwrap();
    let result = within("the result", caller.result()).await;
    stage.replay(caller.untyped()).await;
    Played { endpoint, result, events: event_types(caller.untyped()).await }
}

/// The endpoint, and why the workflow failed.
async fn failed(deed: Deed, about: About, cached: usize) -> (String, String) {
    let Played { endpoint, result, .. } = played(deed, about, cached).await;
    match result {
        Err(WorkflowResultError::Failed { failure, .. }) => (endpoint, format!("{failure:#}")),
        other => panic!("the operation was to fail: {other:?}"),
    }
}

fn run(what: &str) -> Deed {
    Deed::Run("Handling".to_owned(), what.to_owned())
}

#[tokio::test]
async fn an_operation_completes_at_once_or_later() {
    for cached in CACHES {
        let Played { result, events, .. } = played(Deed::Complete("done".to_owned()), About::Wait, cached).await;
        assert_eq!(result.unwrap(), "done, with a token: false");
        assert!(!events.contains(&"NEXUS_OPERATION_STARTED".to_owned()), "{events:?}");

        let Played { result, events, .. } = played(run("x"), About::Wait, cached).await;
        assert_eq!(result.unwrap(), "handled x, with a token: true");
        assert!(events.contains(&"NEXUS_OPERATION_STARTED".to_owned()), "{events:?}");
    }
}

#[tokio::test]
async fn what_went_wrong_reaches_the_caller() {
    for cached in CACHES {
        for (deed, about, expected) in [
            (Deed::Fail, About::Wait, "Planned: as planned"),
            (Deed::Cancel, About::Wait, "not today"),
            (Deed::Refuse, About::Wait, "not like this"),
            (run("fail"), About::Wait, "Ill: the workflow is ill"),
            (Deed::Start, About::TimeOut, "start-to-close timeout: operation timed out"),
        ] {
            let (endpoint, failure) = failed(deed, about, cached).await;
            let unsuccessful = "nexus operation completed unsuccessfully";
            let expected =
                format!("Nexus operation deeds/do at {endpoint} did not complete: {unsuccessful}: {expected}");
            assert_eq!(failure, expected);
        }
    }
}

#[tokio::test]
async fn a_cancellation_means_what_its_type_says() {
    for cached in CACHES {
        for (kind, is_asked) in
            [(Type::WaitCompleted, true), (Type::WaitRequested, true), (Type::Try, true), (Type::Abandon, false)]
        {
            let Played { result, events, .. } = played(run("wait"), About::Cancel(kind), cached).await;
            assert_eq!(result.unwrap(), "cancelled", "{kind:?}");
            let has = |event: &str| events.iter().any(|it| it == event);
            assert_eq!(has("NEXUS_OPERATION_CANCEL_REQUESTED"), is_asked, "{kind:?}: {events:?}");
            // The others do not wait for it.
            assert!(has("NEXUS_OPERATION_CANCELED") || kind != Type::WaitCompleted, "{events:?}");
        }
        let Played { result, events, .. } = played(run("wait"), About::Withdraw, cached).await;
        assert_eq!(result.unwrap(), "cancelled");
        assert!(!events.iter().any(|event| event.starts_with("NEXUS")), "it was never asked for: {events:?}");
    }
}

/// The server does not take the Command; the task is tried again, so that the workflow goes on once there is one.
#[tokio::test]
async fn without_an_endpoint_the_workflow_waits_for_one() {
    let stage = Stage::of_both::<Caller, Handling>(1000).await;
    let input = (stage.task_queue.clone(), Deed::Complete("done".to_owned()), About::Wait);
    let caller = stage.client.start_workflow(Caller, input, start_options(&stage.task_queue)).await.unwrap();
    let cause = wait_for_task_failure_cause(caller.untyped()).await;
    assert_eq!(cause, "BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES");
    let _endpoint = Endpoint::create(&stage.client, &stage.task_queue).await;
    assert_eq!(within("the result", caller.result()).await.unwrap(), "done, with a token: false");
    stage.replay(caller.untyped()).await;
}
