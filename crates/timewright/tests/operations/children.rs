//! Child Workflows.

use std::time::Duration;

use timewright::client::WorkflowResultError;
use timewright::converter::ApplicationFailure;
use timewright::workflow::{ChildWorkflowFailure, ChildWorkflowOptions};

use crate::support::definitions::workflow;
use crate::support::history::{event_types, wait_for_event};
use crate::support::{start_options, within};
use crate::{CACHES, Stage};
use timewright::proto::enums::EventType;

workflow!(Child: String => String, |context, what| {
    match what.as_str() {
        "fail" => Err(ApplicationFailure::new("the child is ill").with_type("Ill").into()),
        "wait" | "twice" => {
            context.sleep(Duration::from_secs(3600)).await?;
            Ok(what)
        }
        _ => Ok(what + "!"),
    }
});

workflow!(Parent: String => String, |context, what| {
    let options = ChildWorkflowOptions::new(format!("{}-child", context.info().workflow_id));
    let child = context.start_child_workflow(Child, what.clone(), options.clone()).await?;
    match what.as_str() {
        "wait" => child.cancel("enough"),
        "twice" => {
            let error = context.execute_child_workflow(Child, what, options).await.expect_err("it is there already");
            return Ok(error.to_string());
        }
        _ => (),
    }
    match child.await {
        Ok(result) => Ok(result),
        Err(ChildWorkflowFailure::Cancelled(_)) if what == "wait" => Ok("cancelled".to_owned()),
        Err(error) => Err(error.into()),
    }
});

/// What the parent gives, whose history is replayed; and the name of its last Event.
async fn played(what: &str, cached: usize) -> (Result<String, WorkflowResultError>, String) {
    let stage = Stage::of_both::<Parent, Child>(cached).await;
    let parent = stage.client.start_workflow(Parent, what.to_owned(), start_options(&stage.task_queue)).await.unwrap();
    let result = within("the result", parent.result()).await;
    stage.replay(parent.untyped()).await;
    let events = event_types(parent.untyped()).await;
    (result, events.last().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_child_completes() {
    for cached in CACHES {
        assert_eq!(played("ok", cached).await.0.unwrap(), "ok!");
    }
}

#[tokio::test]
async fn a_child_fails_and_its_parent_says_why() {
    for cached in CACHES {
        let (result, last) = played("fail", cached).await;
        let Err(WorkflowResultError::Failed { failure, .. }) = result else { panic!("{result:?}") };
        let text = format!("{failure:#}");
        assert!(text.starts_with("child workflow Child (id ") && text.ends_with("Ill: the child is ill"), "{text}");
        assert_eq!(last, "WORKFLOW_EXECUTION_FAILED");
    }
}

#[tokio::test]
async fn a_child_is_cancelled() {
    for cached in CACHES {
        assert_eq!(played("wait", cached).await.0.unwrap(), "cancelled");
    }
}

#[tokio::test]
async fn a_child_whose_id_is_taken_is_not_started() {
    for cached in CACHES {
        let text = played("twice", cached).await.0.unwrap();
        assert!(text.starts_with("Child Workflow \"Child\" (id \""), "{text}");
        assert!(text.ends_with("was not started: a workflow with this Workflow Id exists already"), "{text}");
    }
}

workflow!(Patient: () => (), |context, ()| {
    let options = ChildWorkflowOptions::new(format!("{}-child", context.info().workflow_id));
    context.execute_child_workflow(Child, "wait".to_owned(), options).await?;
    Ok(())
});

#[tokio::test]
async fn a_parents_cancellation_reaches_its_child() {
    for cached in CACHES {
        let stage = Stage::of_both::<Patient, Child>(cached).await;
        let parent = stage.client.start_workflow(Patient, (), start_options(&stage.task_queue)).await.unwrap();
        wait_for_event(parent.untyped(), EventType::ChildWorkflowExecutionStarted).await;
        parent.cancel("closing time").await.unwrap();
        let result = within("the end", parent.result()).await;
        assert!(matches!(result, Err(WorkflowResultError::Cancelled { .. })), "{result:?}");
        stage.replay(parent.untyped()).await;
        let child = stage.client.workflow_handle_untyped(format!("{}-child", parent.workflow_id()), None);
        let result = within("the child's end", child.result()).await;
        assert!(matches!(result, Err(WorkflowResultError::Cancelled { .. })), "{result:?}");
    }
}
