//! What cancelling an activity means, by its cancellation type.

use std::time::Duration;

use timewright::activity::{ActivityContext, ActivityError, ActivityWorker, CancelReason};
use timewright::client::{Client, WorkflowHandle, WorkflowResultError};
use timewright::converter::Failure;
use timewright::proto::enums::EventType;
use timewright::workflow::{
    ActivityCancellationType, ActivityFailure, ActivityOptions, Handlers, Workflow, WorkflowContext, WorkflowError,
    WorkflowInfo, WorkflowWorker,
};
use tokio::sync::{mpsc, watch};

use crate::support::background::{Background, run_activities, run_workflows};
use crate::support::definitions::{activity, query, signal, workflow_definition};
use crate::support::history::{event_types, wait_for_event};
use crate::support::{LIMIT, client, poll_until, start_options, unique, within};

activity!(Brew: String => String);
workflow_definition!(Breakfast: String => String);
signal!(Hurry of Breakfast: ());
signal!(Eat of Breakfast: ());
query!(Brewed of Breakfast: () => Option<String>);

/// Brews until somebody hurries; then cancels that, and tells what came of it once somebody eats. Its input says how.
#[derive(Default)]
struct BreakfastWorkflow {
    in_a_hurry: bool,
    eating: bool,
    brewed: Option<String>,
}

impl Workflow for BreakfastWorkflow {
    type Definition = Breakfast;

    fn init(_info: &WorkflowInfo, _cancellation: &String) -> Self {
        Self::default()
    }

    async fn run(context: WorkflowContext<Self>, cancellation: String) -> Result<String, WorkflowError> {
        let cancellation_type = match cancellation.as_str() {
            "try" => ActivityCancellationType::TryCancel,
            "abandon" => ActivityCancellationType::Abandon,
            _ => ActivityCancellationType::WaitCancellationCompleted,
        };
        let options = ActivityOptions::start_to_close(LIMIT)
            .heartbeat_timeout(Duration::from_secs(10))
            .cancellation_type(cancellation_type);
        let coffee = context.execute_activity(Brew, "coffee".to_owned(), options);
        if cancellation == "wait and see" {
            return Ok(coffee.await?);
        }
        context.wait_condition(|state| state.in_a_hurry).await?;
        coffee.cancel();
        let brewed = match coffee.await {
            Ok(cup) => format!("a cup of {cup}"),
            Err(ActivityFailure::Cancelled(failure)) => {
                let details: Option<String> = failure.cause.as_deref().map(Failure::details).transpose()?.flatten();
                format!("cancelled with {details:?}")
            }
            Err(other) => return Err(other.into()),
        };
        context.state_mut(|state| state.brewed = Some(brewed.clone()));
        context.wait_condition(|state| state.eating).await?;
        Ok(brewed)
    }

    fn handlers(handlers: &mut Handlers<Self>) {
        handlers.signal(Hurry, |state, ()| state.in_a_hurry = true);
        handlers.signal(Eat, |state, ()| state.eating = true);
        handlers.query(Brewed, |state, ()| Ok(state.brewed.clone()));
    }
}

/// A breakfast whose coffee is brewing, and the kitchen.
struct Kitchen {
    breakfast: WorkflowHandle<Breakfast>,
    /// What the activity was told.
    told: mpsc::UnboundedReceiver<CancelReason>,
    /// Lets the activity end.
    end: watch::Sender<Option<End>>,
    _workers: (Background<timewright::activity::WorkerError>, Background<timewright::workflow::WorkerError>),
}

#[derive(Clone, Copy)]
enum End {
    Cancelled,
    Completed,
}

impl Kitchen {
    async fn open(cancellation: &str) -> Self {
        let (client, queue): (Client, _) = (client().await, unique("breakfast"));
        let (tell, told) = mpsc::unbounded_channel();
        let (end, ending) = watch::channel(None);
        let brew = move |context: ActivityContext, drink: String| brew(context, drink, tell.clone(), ending.clone());
        let activities = ActivityWorker::builder(client.clone(), &queue)
            .activity(Brew, brew)
            .maximum_heartbeat_throttle_interval(Duration::from_millis(50));
        let workflows = WorkflowWorker::builder(client.clone(), &queue).workflow::<BreakfastWorkflow>();
        let _workers = (run_activities(activities.build().unwrap()), run_workflows(workflows.build().unwrap()));
        let breakfast = client.start_workflow(Breakfast, cancellation.to_owned(), start_options(&queue)).await.unwrap();
        Self { breakfast, told, end, _workers }
    }

    /// Waits until the activity runs.
    async fn brewing(&self) {
        // An attempt that has started is in no history until it ends, so we ask.
        poll_until("the activity's start", || async {
            let description = self.breakfast.describe().await.unwrap();
            description
                .raw()
                .pending_activities
                .iter()
                .any(|activity| activity.last_heartbeat_time.is_some())
                .then_some(())
        })
        .await;
    }

    /// Cancels the activity once it runs.
    async fn hurry(&self) {
        self.brewing().await;
        self.breakfast.signal(Hurry, ()).await.unwrap();
    }

    async fn brewed(&self) -> Option<String> {
        within("an answer", self.breakfast.query(Brewed, ())).await.unwrap()
    }

    async fn eat(&self) -> String {
        self.breakfast.signal(Eat, ()).await.unwrap();
        within("the result", self.breakfast.result()).await.unwrap()
    }
}

/// Heartbeats until the test lets it end; tells the test when it is to stop.
async fn brew(
    context: ActivityContext,
    drink: String,
    tell: mpsc::UnboundedSender<CancelReason>,
    mut ending: watch::Receiver<Option<End>>,
) -> Result<String, ActivityError> {
    let told = async {
        tell.send(context.cancelled().await)?;
        std::future::pending::<Result<(), ActivityError>>().await
    };
    let heartbeats = async {
        loop {
            context.heartbeat("brewing".to_owned())?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        end = ending.wait_for(Option::is_some) => match *end? {
            Some(End::Cancelled) => Err(ActivityError::cancelled_with_details(format!("half a pot of {drink}"))),
            _ => Ok(drink),
        },
        failed = told => failed.map(|()| String::new()),
        failed = heartbeats => failed,
    }
}

#[tokio::test]
async fn try_cancel_tells_the_activity_and_waits_for_nothing() {
    let mut kitchen = Kitchen::open("try").await;
    kitchen.hurry().await;
    wait_for_event(kitchen.breakfast.untyped(), EventType::ActivityTaskCancelRequested).await;
    assert_eq!(kitchen.brewed().await.as_deref(), Some("cancelled with None"), "while the activity still runs");
    assert_eq!(within("the activity's cancellation", kitchen.told.recv()).await, Some(CancelReason::CancelRequested));
    // What the activity says afterwards is only for the history.
    kitchen.end.send_replace(Some(End::Cancelled));
    wait_for_event(kitchen.breakfast.untyped(), EventType::ActivityTaskCanceled).await;
    assert_eq!(kitchen.eat().await, "cancelled with None");
}

#[tokio::test]
async fn wait_cancellation_completed_waits_for_what_the_activity_says() {
    let mut kitchen = Kitchen::open("wait").await;
    kitchen.hurry().await;
    assert_eq!(within("the activity's cancellation", kitchen.told.recv()).await, Some(CancelReason::CancelRequested));
    assert_eq!(kitchen.brewed().await, None, "the activity still runs");
    kitchen.end.send_replace(Some(End::Cancelled));
    assert_eq!(kitchen.eat().await, "cancelled with Some(\"half a pot of coffee\")");
}

#[tokio::test]
async fn an_activity_that_completes_although_it_was_cancelled_has_completed() {
    let mut kitchen = Kitchen::open("wait").await;
    kitchen.hurry().await;
    assert_eq!(within("the activity's cancellation", kitchen.told.recv()).await, Some(CancelReason::CancelRequested));
    kitchen.end.send_replace(Some(End::Completed));
    assert_eq!(kitchen.eat().await, "a cup of coffee");
}

#[tokio::test]
async fn abandon_tells_the_activity_nothing() {
    let mut kitchen = Kitchen::open("abandon").await;
    kitchen.hurry().await;
    poll_until("the workflow to go on", || async { kitchen.brewed().await }).await;
    kitchen.end.send_replace(Some(End::Completed));
    wait_for_event(kitchen.breakfast.untyped(), EventType::ActivityTaskCompleted).await;
    assert_eq!(kitchen.eat().await, "cancelled with None");
    assert!(kitchen.told.try_recv().is_err(), "the activity was told to stop");
    let events = event_types(kitchen.breakfast.untyped()).await;
    assert!(!events.iter().any(|event| event == "ACTIVITY_TASK_CANCEL_REQUESTED"), "{events:?}");
}

#[tokio::test]
async fn an_activity_whose_workflow_has_ended_is_told_so() {
    let mut kitchen = Kitchen::open("wait").await;
    kitchen.brewing().await;
    kitchen.breakfast.terminate("no more coffee").await.unwrap();
    assert_eq!(within("the activity's cancellation", kitchen.told.recv()).await, Some(CancelReason::NotFound));
}

#[tokio::test]
async fn cancelling_a_workflow_reaches_its_activity() {
    let mut kitchen = Kitchen::open("wait and see").await;
    kitchen.brewing().await;
    kitchen.breakfast.cancel("closing time").await.unwrap();
    assert_eq!(within("the activity's cancellation", kitchen.told.recv()).await, Some(CancelReason::CancelRequested));
    kitchen.end.send_replace(Some(End::Cancelled));
    let error = within("the end", kitchen.breakfast.result()).await.unwrap_err();
    assert!(matches!(error, WorkflowResultError::Cancelled { .. }), "{error}");
    wait_for_event(kitchen.breakfast.untyped(), EventType::ActivityTaskCanceled).await;
}
