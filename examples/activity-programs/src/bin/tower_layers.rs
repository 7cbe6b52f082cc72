//! Layers around activities: limits and timeouts from the tower ecosystem, and one of our own that logs.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program shows what it does")]

use std::time::{Duration, Instant};

use activity_programs::{connect, task_queue};
use timewright::activity::{
    ActivityContext, ActivityError, ActivityOutcome, ActivityRequest, ActivityService, ActivityWorker,
};
use timewright::client::{RetryPolicy, StartActivityOptions, random_id};
use timewright::definition::ActivityDefinition;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

/// Takes so many milliseconds.
struct Work;

impl ActivityDefinition for Work {
    const NAME: &'static str = "Work";
    type Input = u64;
    type Output = String;
}

async fn work(_context: ActivityContext, milliseconds: u64) -> Result<String, ActivityError> {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Ok(format!("worked for {milliseconds} ms"))
}

/// An interceptor is a layer: it sees each attempt before and after user code, and may change either.
fn logging() -> impl Layer<
    ActivityService,
    Service: Service<ActivityRequest, Response = ActivityOutcome, Error = BoxError, Future: Send> + Clone + Send + Sync,
> + Send {
    tower::layer::layer_fn(|inner: ActivityService| {
        service_fn(move |request: ActivityRequest| {
            let inner = inner.clone();
            async move {
                let (name, began) = (request.context.info().activity_type.clone(), Instant::now());
                let outcome = inner.oneshot(request).await;
                let how = match &outcome {
                    Ok(ActivityOutcome::Completed(_)) => "completed".to_owned(),
                    Ok(other) => format!("{other:?}"),
                    Err(error) => error.to_string(),
                };
                tracing::info!(activity_type = name, took = ?began.elapsed(), "{how}");
                outcome
            }
        })
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, task_queue) = (connect().await?, task_queue("tower-layers"));
    let worker = ActivityWorker::builder(client.clone(), &task_queue)
        .activity(Work, work)
        .layer(logging()) // the outermost: it sees what the others make of it
        .layer(ConcurrencyLimitLayer::new(2)) // of all attempts on this worker
        .layer(TimeoutLayer::new(Duration::from_millis(500)))
        .build()?;
    let options = || {
        let id = format!("work-{}", random_id());
        StartActivityOptions::start_to_close(&task_queue, id, Duration::from_secs(10))
            .retry_policy(RetryPolicy::default().maximum_attempts(1))
    };
    let both = async {
        println!("{}", client.execute_activity(Work, 10, options()).await?);
        match client.execute_activity(Work, 60_000, options()).await {
            Ok(text) => println!("{text}"),
            Err(error) => println!("the other one did not: {error}"),
        }
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    tokio::select! {
        ended = worker.run(timewright::shutdown_signal()) => ended?,
        ended = both => ended?,
    }
    Ok(())
}
