//! Python's replayer goes through what our workers recorded. `peers/python/operations.py` has the same workflows.

use std::time::Duration;

use timewright::client::UntypedWorkflowHandle;
use timewright::definition::{ActivityDefinition, UpdateDefinition, WorkflowDefinition};
use timewright::proto::common::RetryPolicy;
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ChildWorkflowOptions, Handlers, LocalActivityOptions, Replayer, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo,
};

use crate::Stage;
use crate::support::history::wait_for_event;
use crate::support::{LIMIT, python, start_options, within};

/// Names as Python writes them.
struct Operations;
impl WorkflowDefinition for Operations {
    const NAME: &'static str = "operations";
    type Input = ();
    type Output = Vec<String>;
}

struct OperationsChild;
impl WorkflowDefinition for OperationsChild {
    const NAME: &'static str = "operations_child";
    type Input = String;
    type Output = String;
}

struct Say;
impl UpdateDefinition for Say {
    const NAME: &'static str = "say";
    type Workflow = Operations;
    type Input = String;
    type Output = String;
}

struct Echo;
impl ActivityDefinition for Echo {
    const NAME: &'static str = "Echo";
    type Input = String;
    type Output = String;
}

struct Flaky;
impl ActivityDefinition for Flaky {
    const NAME: &'static str = "Flaky";
    type Input = u32;
    type Output = u32;
}

struct OperationsChildWorkflow;
impl Workflow for OperationsChildWorkflow {
    type Definition = OperationsChild;
    fn init(_info: &WorkflowInfo, _input: &String) -> Self {
        Self
    }
    async fn run(_context: WorkflowContext<Self>, input: String) -> Result<String, WorkflowError> {
        Ok(input + "!")
    }
}

/// A patch, a Local Activity with short and with long pauses, a child, and an Update that executes a Local Activity.
#[derive(Default)]
struct OperationsWorkflow {
    words: Vec<String>,
}

fn local() -> LocalActivityOptions {
    let retry_policy = RetryPolicy {
        initial_interval: Some(timewright::proto::to_duration(Duration::from_millis(50))),
        backoff_coefficient: 1.0,
        ..RetryPolicy::default()
    };
    LocalActivityOptions::start_to_close(LIMIT).retry_policy(retry_policy)
}

impl Workflow for OperationsWorkflow {
    type Definition = Operations;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        let mut words = Vec::new();
        if context.patched("greets") {
            words.push(context.execute_local_activity(Echo, "hello".to_owned(), local()).await?);
        }
        words.push(context.execute_local_activity(Flaky, 2, local()).await?.to_string());
        // Python gives the next attempt its number before the pause, and we behind it; so nothing may be numbered meanwhile.
        context.wait_condition(|state| !state.words.is_empty()).await?;
        let over_timer = local().local_retry_threshold(Duration::from_millis(10));
        words.push(context.execute_local_activity(Flaky, 2, over_timer).await?.to_string());
        let options = ChildWorkflowOptions::new(format!("{}-child", context.info().workflow_id));
        words.push(context.execute_child_workflow(OperationsChild, "child".to_owned(), options).await?);
        context.wait_condition(|state| state.words.len() >= 2).await?;
        words.extend(context.state(|state| state.words.clone()));
        Ok(words)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.update_async(Say, |context, word| async move {
            let word = context.execute_local_activity(Echo, word, local()).await?;
            context.state_mut(|state| state.words.push(word.clone()));
            Ok(word)
        });
    }
}

async fn play(cached: usize) -> UntypedWorkflowHandle {
    let replayer = Replayer::new().workflow::<OperationsWorkflow>().workflow::<OperationsChildWorkflow>();
    let workflows = |builder: timewright::workflow::WorkflowWorkerBuilder| {
        builder.workflow::<OperationsWorkflow>().workflow::<OperationsChildWorkflow>()
    };
    let stage = Stage::with(cached, workflows, replayer).await;
    let handle = stage.client.start_workflow(Operations, (), start_options(&stage.task_queue)).await.unwrap();
    assert_eq!(within("an answer", handle.update(Say, "one".to_owned())).await.unwrap(), "one");
    // The second one, too, comes when nothing pauses.
    wait_for_event(handle.untyped(), EventType::ChildWorkflowExecutionCompleted).await;
    assert_eq!(within("an answer", handle.update(Say, "two".to_owned())).await.unwrap(), "two");
    let words = within("the result", handle.result()).await.unwrap();
    assert_eq!(words, ["hello", "2", "2", "child!", "one", "two"]);
    stage.replay(handle.untyped()).await;
    stage.client.workflow_handle_untyped(handle.workflow_id(), handle.run_id().map(str::to_owned))
}

#[tokio::test]
async fn python_replays_our_operations() {
    let runs = [play(1000).await, play(0).await];
    for answer in python::replay(&runs, false).await {
        assert_eq!(answer["replayed"], true, "{answer}");
    }
    // Were it not so, the above would prove nothing.
    for answer in python::replay(&runs, true).await {
        assert_eq!(answer["replayed"], false, "{answer}");
    }
}
