//! Saga: when a later step fails, what was done before is undone, in reverse order.

use std::time::Duration;

use capabilities::{Outcome, beside};
use timewright::activity::{ActivityError, ActivityWorker};
use timewright::client::{Client, ClientOptions, StartWorkflowOptions, random_id};
use timewright::converter::ApplicationFailure;
use timewright::workflow::{ActivityOptions, WorkflowContext, WorkflowError, WorkflowWorker};
use timewright::{Worker, activity, workflow};

#[derive(Default)]
struct TripWorkflow;

/// Books a flight, a hotel and a car, or nothing.
#[workflow]
impl TripWorkflow {
    #[run]
    async fn run(context: WorkflowContext<Self>, destination: String) -> Result<Vec<String>, WorkflowError> {
        let mut begun = Vec::new();
        let booked = Self::book_all(&context, &destination, &mut begun).await;
        if booked.is_err() {
            // Detached, so that it is done when the workflow was cancelled, too.
            let context = context.detached();
            while let Some(booking) = begun.pop() {
                context.execute_activity(CancelBooking, booking, options()).await?;
            }
        }
        booked
    }

    async fn book_all(
        context: &WorkflowContext<Self>,
        destination: &str,
        begun: &mut Vec<String>,
    ) -> Result<Vec<String>, WorkflowError> {
        let mut confirmations = Vec::new();
        for thing in ["flight", "hotel", "car"] {
            let booking = format!("{thing} in {destination}");
            // Before it is done: an activity that failed in the end may have had its effect all the same.
            begun.push(booking.clone());
            confirmations.push(context.execute_activity(Book, booking, options()).await?);
        }
        Ok(confirmations)
    }
}

#[activity]
async fn book(booking: String) -> Result<String, ActivityError> {
    if booking == "car in Venice" {
        return Err(ApplicationFailure::new("there are no streets").with_type("NoCars").non_retryable().into());
    }
    println!("booked: {booking}");
    Ok(format!("confirmation of {booking}"))
}

/// Must not mind a booking that there never was.
#[activity]
async fn cancel_booking(booking: String) {
    println!("cancelled: {booking}");
}

fn options() -> ActivityOptions {
    ActivityOptions::start_to_close(Duration::from_secs(10))
}

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::connect(ClientOptions::from_environment()?).await?;
    let workflows = WorkflowWorker::builder(client.clone(), TASK_QUEUE).workflow::<TripWorkflow>().build()?;
    let activities =
        ActivityWorker::builder(client.clone(), TASK_QUEUE).register(Book).register(CancelBooking).build()?;

    beside(Worker::new().workflows(workflows).activities(activities), async {
        for destination in ["Lisbon", "Venice"] {
            let options = StartWorkflowOptions::new(TASK_QUEUE, format!("trip-{}", random_id()));
            match client.start_workflow(Trip, destination.to_owned(), options).await?.result().await {
                Ok(confirmations) => println!("{confirmations:?}"),
                Err(error) => println!("no trip: {error}"),
            }
        }
        Ok(())
    })
    .await
}

const TASK_QUEUE: &str = "saga";
