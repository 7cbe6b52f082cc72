//! Layers of users around all activities.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{FakeServer, Text, failure, task, value, while_running};
use timewright_activity_worker::{ActivityContext, ActivityOutcome, ActivityRequest, ActivityService};
use timewright_proto::workflow_service::{RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest};
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, ServiceExt, layer::layer_fn, service_fn};

/// A layer that notes when it is entered and left.
fn noting(
    name: &'static str,
    notes: &Arc<Mutex<Vec<String>>>,
) -> impl tower::Layer<ActivityService, Service = ActivityService> + Send + 'static {
    let notes = Arc::clone(notes);
    layer_fn(move |inner: ActivityService| {
        let notes = Arc::clone(&notes);
        ActivityService::new(service_fn(move |request: ActivityRequest| {
            let (inner, notes) = (inner.clone(), Arc::clone(&notes));
            async move {
                notes.lock().unwrap().push(format!("{name} in {}", request.context.info().activity_type));
                let outcome = inner.oneshot(request).await?;
                let failed = matches!(outcome, ActivityOutcome::Failed(_));
                notes.lock().unwrap().push(format!("{name} out{}", if failed { " failed" } else { "" }));
                Ok::<_, BoxError>(outcome)
            }
        }))
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_layer_is_the_outermost_and_sees_unknown_types_too() {
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    let notes = Arc::new(Mutex::new(Vec::new()));
    let builder = server
        .worker()
        .layer(noting("first", &notes))
        .activity(Text, |_, text: String| async move { Ok(text) })
        .layer(noting("second", &notes))
        .layer(ConcurrencyLimitLayer::new(1));
    while_running(builder, async {
        server.wait_for::<RespondActivityTaskCompletedRequest>(1).await;
        server.give(task("Missing", ()));
        server.wait_for::<RespondActivityTaskFailedRequest>(1).await;
    })
    .await;
    assert_eq!(
        *notes.lock().unwrap(),
        [
            "first in Text",
            "second in Text",
            "second out",
            "first out",
            "first in Missing",
            "second in Missing",
            "second out failed",
            "first out failed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_layer_can_change_what_goes_in_and_out() {
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    let builder = server.worker().activity(Text, |_, text: String| async move { Ok(text) }).layer(layer_fn(
        |inner: ActivityService| {
            inner.map_request(|mut request: ActivityRequest| {
                request.input = vec![support::payload("Grace")];
                request
            })
        },
    ));
    let told = while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    assert_eq!(value::<String>(told[0].result.clone()), "Grace");
}

#[tokio::test(start_paused = true)]
async fn a_layers_error_fails_the_attempt_retryably() {
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    let builder = server
        .worker()
        .activity(Text, |_: ActivityContext, text: String| async move {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(text)
        })
        .layer(TimeoutLayer::new(Duration::from_secs(5)));
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(failure(told.remove(0)).message, "request timed out");
}
