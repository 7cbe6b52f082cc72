//! Updates.

use std::time::Duration;

use timewright::client::{UpdateOptions, WorkflowHandle};
use timewright::converter::ApplicationFailure;
use timewright::workflow::{ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError, WorkflowInfo};

use crate::support::definitions::{query, signal, update, workflow_definition};
use crate::support::history::event_types;
use crate::support::{LIMIT, start_options, within};
use crate::{CACHES, Echo, Stage};

workflow_definition!(Cart: () => Vec<String>);
update!(Put of Cart: String => usize);
update!(Order of Cart: String => String);
update!(Unhandled of Cart: () => ());
signal!(Close of Cart: ());
query!(Items of Cart: () => Vec<String>);

#[derive(Default)]
struct CartWorkflow {
    items: Vec<String>,
    closed: bool,
}

impl Workflow for CartWorkflow {
    type Definition = Cart;

    fn init(_info: &WorkflowInfo, (): &()) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, (): ()) -> Result<Vec<String>, WorkflowError> {
        context.wait_condition(|state| state.closed).await?;
        context.wait_condition(|_| context.all_handlers_finished()).await?;
        Ok(context.state(|state| state.items.clone()))
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Close, |state, ()| state.closed = true);
        handlers.query(Items, |state, ()| Ok(state.items.clone()));
        handlers.validate_update(Put, |state, item| match state.items.contains(item) {
            true => Err(ApplicationFailure::new(format!("{item} is there already")).with_type("Twice").into()),
            false => Ok(()),
        });
        handlers.update(Put, |state, item| {
            state.items.push(item);
            Ok(state.items.len())
        });
        handlers.update_async(Order, |context, item| async move {
            if item == "poison" {
                return Err(ApplicationFailure::new("nobody sells that").into());
            }
            context.sleep(Duration::from_millis(1)).await?;
            let item = context.execute_activity(Echo, item, ActivityOptions::start_to_close(LIMIT)).await?;
            context.state_mut(|state| state.items.push(item.clone()));
            Ok(item)
        });
    }
}

async fn start(stage: &Stage) -> WorkflowHandle<Cart> {
    stage.client.start_workflow(Cart, (), start_options(&stage.task_queue)).await.unwrap()
}

async fn close(stage: &Stage, cart: &WorkflowHandle<Cart>) -> Vec<String> {
    cart.signal(Close, ()).await.unwrap();
    let items = within("the result", cart.result()).await.unwrap();
    stage.replay(cart.untyped()).await;
    items
}

fn count(events: &[String], name: &str) -> usize {
    events.iter().filter(|event| *event == name).count()
}

#[tokio::test]
async fn an_update_is_answered_also_in_the_first_task() {
    for cached in CACHES {
        let stage = Stage::of::<CartWorkflow>(cached).await;
        let cart = start(&stage).await;
        assert_eq!(within("an answer", cart.update(Put, "tea".to_owned())).await.unwrap(), 1);
        assert_eq!(within("an answer", cart.update(Put, "milk".to_owned())).await.unwrap(), 2);
        assert_eq!(close(&stage, &cart).await, ["tea", "milk"]);
        let events = event_types(cart.untyped()).await;
        let accepted = count(&events, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED");
        assert_eq!((accepted, count(&events, "WORKFLOW_EXECUTION_UPDATE_COMPLETED")), (2, 2), "{events:?}");
    }
}

#[tokio::test]
async fn what_is_rejected_leaves_nothing_in_the_history() {
    for cached in CACHES {
        let stage = Stage::of::<CartWorkflow>(cached).await;
        let cart = start(&stage).await;
        assert_eq!(within("an answer", cart.update(Put, "tea".to_owned())).await.unwrap(), 1);
        let before = event_types(cart.untyped()).await;
        for _ in 0..2 {
            let error = within("an answer", cart.update(Put, "tea".to_owned())).await.unwrap_err();
            let expected =
                format!("update `Put` failed in workflow `{}`: Twice: tea is there already", cart.workflow_id());
            assert_eq!(error.to_string(), expected);
        }
        let error = within("an answer", cart.update(Unhandled, ())).await.unwrap_err().to_string();
        let expected = "has no handler for update \"Unhandled\"; it has [\"Order\", \"Put\"]";
        assert!(error.ends_with(expected), "{error}");
        assert_eq!(within("an answer", cart.query(Items, ())).await.unwrap(), ["tea"]);
        if cached > 0 {
            // Speculative Workflow Tasks are for workers that hold the workflow.
            assert_eq!(event_types(cart.untyped()).await, before);
        }
        assert_eq!(within("an answer", cart.update(Put, "milk".to_owned())).await.unwrap(), 2);
        assert_eq!(close(&stage, &cart).await, ["tea", "milk"]);
    }
}

#[tokio::test]
async fn two_at_once_with_activities_inside() {
    for cached in CACHES {
        let stage = Stage::of::<CartWorkflow>(cached).await;
        let cart = start(&stage).await;
        let both = tokio::join!(cart.update(Order, "tea".to_owned()), cart.update(Order, "milk".to_owned()));
        assert_eq!((both.0.unwrap(), both.1.unwrap()), ("tea".to_owned(), "milk".to_owned()));
        let error = within("an answer", cart.update(Order, "poison".to_owned())).await.unwrap_err().to_string();
        assert!(error.ends_with("nobody sells that"), "{error}");
        let mut items = close(&stage, &cart).await;
        items.sort();
        assert_eq!(items, ["milk", "tea"]);
    }
}

#[tokio::test]
async fn an_update_is_handled_once_however_often_it_is_sent() {
    let stage = Stage::of::<CartWorkflow>(1000).await;
    let cart = start(&stage).await;
    let options = UpdateOptions::default().update_id("put-1");
    let first = cart.start_update(Order, "tea".to_owned(), options.clone()).await.unwrap();
    assert_eq!(within("an answer", cart.update_with(Order, "tea".to_owned(), options)).await.unwrap(), "tea");
    assert_eq!(within("an answer", first.result()).await.unwrap(), "tea");
    assert_eq!(within("an answer", cart.update_handle(Order, "put-1").result()).await.unwrap(), "tea");
    assert_eq!(close(&stage, &cart).await, ["tea"]);
    let error = cart.update(Put, "late".to_owned()).await.unwrap_err().to_string();
    let expected = format!("update `Put`: no workflow `{}` is running, or it knows no such update", cart.workflow_id());
    assert_eq!(error, expected);
}

/// The end waits for its handlers.
#[tokio::test]
async fn the_workflow_ends_when_its_handlers_have() {
    for cached in CACHES {
        let stage = Stage::of::<CartWorkflow>(cached).await;
        let cart = start(&stage).await;
        let order = cart.start_update(Order, "tea".to_owned(), UpdateOptions::default()).await.unwrap();
        assert_eq!(close(&stage, &cart).await, ["tea"]);
        assert_eq!(within("an answer", order.result()).await.unwrap(), "tea");
    }
}
