//! Definitions and implementations that attributes write.

#![deny(clippy::pedantic, reason = "attributes write nothing that a careful user would be told off for")]

use std::sync::Arc;
use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker};
use timewright::converter::{ApplicationFailure, Value};
use timewright::definition::{
    ActivityDefinition, QueryDefinition, SignalDefinition, UpdateDefinition, WorkflowDefinition,
};
use timewright::workflow::{
    ActivityOptions, AnySignal, Handlers, UntypedMessage, WorkflowContext, WorkflowError, WorkflowInfo, WorkflowWorker,
};
use timewright::{
    activities, activity, activity_definition, query_definition, signal_definition, update_definition, workflow,
    workflow_definition,
};

use crate::support::background::run_both;
use crate::support::{client, start_options, unique, within};

// --- All at once: the definitions are made of the implementation.

/// A basket.
struct BasketWorkflow {
    owner: String,
    items: Vec<(String, u32)>,
    open: bool,
}

/// Collects things until somebody checks out.
#[workflow]
impl BasketWorkflow {
    #[init]
    fn new(info: &WorkflowInfo, owner: &str) -> Self {
        assert_eq!(info.workflow_type, "Basket");
        Self { owner: owner.to_owned(), items: Vec::new(), open: true }
    }

    #[run]
    async fn run(context: WorkflowContext<Self>, _owner: String) -> Result<String, WorkflowError> {
        context.wait_condition(|state| !state.open).await?;
        let cents = context.state(|state| state.items.iter().map(|(_, cents)| u64::from(*cents)).sum());
        let receipt = context.execute_activity(Charge, cents, options()).await?;
        let parcels = context.execute_activity(CountLetters, (receipt.clone(), 'c'), options());
        let note = context.execute_activity(Describe, (receipt, parcels.await?).into_multiple(), options());
        Ok(note.await?)
    }

    /// Puts something in.
    ///
    /// Its price is in cents.
    #[signal]
    fn put(&mut self, item: String, cents: u32) {
        self.items.push((item, cents));
    }

    #[signal(name = "check-out", define = CheckOut)]
    fn check_out(&mut self) {
        self.open = false;
    }

    #[query]
    fn count(&self) -> usize {
        self.items.len()
    }

    #[query]
    fn price(&self, item: String) -> Result<u32, NoSuchItem> {
        self.items.iter().find(|(name, _)| *name == item).map(|(_, cents)| *cents).ok_or(NoSuchItem(item))
    }

    #[update(validator = must_be_there)]
    fn discount(&mut self, item: String, cents: u32) -> u32 {
        let of_item = self.items.iter_mut().filter(|(name, _)| *name == item);
        of_item.map(|(_, price)| std::mem::replace(price, *price - cents)).sum()
    }

    fn must_be_there(&self, item: &str, cents: &u32) -> Result<(), WorkflowError> {
        if self.price(item.to_owned())? >= *cents {
            Ok(())
        } else {
            Err(ApplicationFailure::new("it does not cost that much").into())
        }
    }

    #[update]
    async fn owner(context: WorkflowContext<Self>) -> Result<String, WorkflowError> {
        context.sleep(Duration::from_millis(1)).await?;
        Ok(context.state(|state| state.owner.clone()))
    }

    /// Stays unfinished if nobody waits.
    #[signal(unfinished = Abandon)]
    async fn remind(context: WorkflowContext<Self>) -> Result<(), WorkflowError> {
        context.sleep(Duration::from_hours(1)).await?;
        Ok(())
    }

    #[signal(AnySignal)]
    fn other(&mut self, signal: UntypedMessage) {
        self.items.push((signal.name, 0));
    }

    #[cfg(not(test))]
    #[query]
    fn count(&self) -> NotThere {
        unreachable!()
    }

    #[handlers]
    fn by_hand(handlers: &mut Handlers<Self>) {
        handlers.query(IsOpen, |state, ()| Ok(state.open));
    }
}

#[query_definition(workflow = Basket, name = "is open", output = bool)]
struct IsOpen;

#[derive(Debug, thiserror::Error)]
#[error("there is no {0} in the basket")]
struct NoSuchItem(String);

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(Duration::from_secs(10))
}

/// Counts how often a letter occurs.
#[activity(name = "count letters")]
fn count_letters((text, letter): (String, char)) -> usize {
    text.matches(letter).count()
}

#[activity]
async fn describe(context: ActivityContext, text: String, letters: usize) -> Result<String, std::num::TryFromIntError> {
    Ok(format!("{text}, {} letters, {}", u8::try_from(letters)?, context.info().activity_type))
}

struct Till {
    country: String,
}

#[activities]
impl Till {
    #[activity]
    async fn charge(&self, context: ActivityContext, cents: u64) -> Result<String, ActivityError> {
        Ok(format!("{cents} cents in {} ({})", self.country, context.info().activity_type))
    }

    #[activity(Refund)]
    fn refund(self: Arc<Self>, receipt: String) -> Result<String, ActivityError> {
        Ok(format!("{receipt} given back in {}", self.country))
    }
}

/// The pair as two arguments.
trait IntoMultiple: Sized {
    fn into_multiple(self) -> timewright::definition::Multiple<Self> {
        timewright::definition::Multiple(self)
    }
}
impl IntoMultiple for (String, usize) {}

#[tokio::test]
async fn attributes_make_definitions_and_implementations_at_once() {
    let (client, queue) = (client().await, unique("basket"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<BasketWorkflow>().build().unwrap();
    let till = Arc::new(Till { country: "France".to_owned() });
    let activities = ActivityWorker::builder(client.clone(), &queue).register(till);
    let _worker = run_both(workflows, activities.register(CountLetters).register(Describe).build().unwrap());

    let basket = client.start_workflow(Basket, "Ada".to_owned(), start_options(&queue)).await.unwrap();
    let two = |item: &str, cents: u32| timewright::definition::Multiple((item.to_owned(), cents));
    basket.signal(Put, two("tea", 250)).await.unwrap();
    basket.signal(Put, two("cake", 400)).await.unwrap();
    assert_eq!(within("an answer", basket.query(Count, ())).await.unwrap(), 2);
    assert_eq!(within("an answer", basket.query(Price, "cake".to_owned())).await.unwrap(), 400);
    assert!(within("an answer", basket.query(IsOpen, ())).await.unwrap());
    let error = within("an answer", basket.query(Price, "soup".to_owned())).await.unwrap_err();
    assert!(error.to_string().ends_with("NoSuchItem: there is no soup in the basket"), "{error}");
    assert_eq!(within("an answer", basket.update(Discount, two("cake", 100))).await.unwrap(), 400);
    let error = within("an answer", basket.update(Discount, two("tea", 251))).await.unwrap_err();
    assert!(error.to_string().contains("it does not cost that much"), "{error}");
    assert_eq!(within("an answer", basket.update(Owner, ())).await.unwrap(), "Ada");
    basket.signal(Remind, ()).await.unwrap();
    basket.untyped().signal("sing", Vec::new()).await.unwrap();
    assert_eq!(within("an answer", basket.query(Price, "sing".to_owned())).await.unwrap(), 0);
    basket.signal(CheckOut, ()).await.unwrap();
    assert_eq!(
        within("the result", basket.result()).await.unwrap(),
        "550 cents in France (charge), 3 letters, describe"
    );
}

// --- The same, for definitions that stand elsewhere.

#[workflow_definition(name = "parcel", output = Vec<String>)]
struct Parcel;

#[signal_definition(workflow = Parcel, input = String)]
struct Arrived;

#[query_definition(workflow = Parcel, name = "where", output = Option<String>)]
struct Where;

#[update_definition(workflow = Parcel, input = bool)]
struct Deliver;

#[activity_definition(input = String, output = String)]
struct Refund;

#[derive(Default)]
struct Journey {
    places: Vec<String>,
    delivered: bool,
}

#[workflow(Parcel, versioning = Pinned)]
impl Journey {
    #[run]
    async fn run(context: WorkflowContext<Self>) -> Result<Vec<String>, WorkflowError> {
        context.wait_condition(|state| state.delivered).await?;
        let refund = context.execute_activity(Refund, "stamp".to_owned(), options()).await?;
        Ok(context.state(|state| state.places.iter().cloned().chain([refund]).collect()))
    }

    #[signal(Arrived)]
    fn arrived(&mut self, place: String) {
        self.places.push(place);
    }

    #[query(Where)]
    fn place(&self) -> Option<String> {
        self.places.last().cloned()
    }

    #[update(Deliver)]
    fn deliver(&mut self, delivered: bool) {
        self.delivered = delivered;
    }
}

#[tokio::test]
async fn attributes_implement_definitions_that_stand_elsewhere() {
    let (client, queue) = (client().await, unique("parcel"));
    let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<Journey>().build().unwrap();
    let activities = ActivityWorker::builder(client.clone(), &queue).register(Till { country: "Peru".to_owned() });
    let _worker = run_both(workflows, activities.build().unwrap());

    let parcel = client.start_workflow(Parcel, (), start_options(&queue)).await.unwrap();
    parcel.signal(Arrived, "Lima".to_owned()).await.unwrap();
    assert_eq!(within("an answer", parcel.query(Where, ())).await.unwrap().as_deref(), Some("Lima"));
    within("an answer", parcel.update(Deliver, true)).await.unwrap();
    assert_eq!(within("the result", parcel.result()).await.unwrap(), ["Lima", "stamp given back in Peru"]);
}

#[test]
fn names_are_what_the_user_wrote() {
    assert_eq!((Basket::NAME, Put::NAME, CheckOut::NAME, Price::NAME), ("Basket", "put", "check-out", "price"));
    assert_eq!((Discount::NAME, CountLetters::NAME, Charge::NAME), ("discount", "count letters", "charge"));
    assert_eq!((Parcel::NAME, Arrived::NAME, Where::NAME, Refund::NAME), ("parcel", "Arrived", "where", "Refund"));
    let pinned = Some(timewright::workflow::VersioningBehavior::Pinned);
    assert_eq!(<Journey as timewright::workflow::Workflow>::VERSIONING_BEHAVIOR, pinned);
    assert_eq!(count_letters(("aha".to_owned(), 'a')), 2, "a function stays a function");
}

#[test]
fn several_arguments_are_several_payloads() {
    let input: <Put as SignalDefinition>::Input = timewright::definition::Multiple(("tea".to_owned(), 250));
    let payloads = timewright::converter::Arguments::to_payloads(&input).unwrap();
    assert_eq!(payloads, ["tea".to_owned().to_payload().unwrap(), 250_u32.to_payload().unwrap()]);
}
