//! Layers of users around all activities.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{FakeServer, Text, failure, task, value, while_running};
use timewright_activity_worker::{
    ActivityContext, ActivityInfo, ActivityOutcome, ActivityRequest, ActivityService, ActivityWorker,
};
use timewright_client::{Client, ClientOptions, PropagatedValue};
use timewright_proto::common::Header;
use timewright_proto::workflow_service::{
    PollActivityTaskQueueResponse, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
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

#[tokio::test(start_paused = true)]
async fn a_layer_can_change_what_user_code_is_told_and_says() {
    let server = FakeServer::new();
    server.give(task("Text", "Ada".to_owned()));
    let said = Arc::new(Mutex::new(Vec::new()));
    let hook = |name: &'static str| {
        let said = Arc::clone(&said);
        layer_fn(move |inner: ActivityService| {
            let said = Arc::clone(&said);
            inner.map_request(move |request: ActivityRequest| {
                let said = Arc::clone(&said);
                let info =
                    ActivityInfo { attempt: request.context.info().attempt + 6, ..request.context.info().clone() };
                let context = request.context.with_info(info).with_value(name).on_heartbeat(move |details| {
                    details.push(support::payload(name));
                    said.lock().unwrap().push(format!("{name}: {}", details.len()));
                });
                ActivityRequest { context, ..request }
            })
        })
    };
    let builder = server.worker().layer(hook("outer")).layer(hook("inner")).activity(
        Text,
        |context: ActivityContext, _: String| async move {
            context.heartbeat("here".to_owned()).unwrap();
            Ok(format!("attempt {} {:?}", context.info().attempt, context.value::<&str>()))
        },
    );
    let told = while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    assert_eq!(value::<String>(told[0].result.clone()), r#"attempt 13 Some("inner")"#);
    assert_eq!(*said.lock().unwrap(), ["inner: 2", "outer: 3"], "user code is nearest to the inner one");
}

#[tokio::test(start_paused = true)]
async fn a_context_value_that_cannot_be_read_fails_the_attempt() {
    let server = FakeServer::new();
    let header = Header { fields: [("number".to_owned(), support::payload("none"))].into() };
    server.give(PollActivityTaskQueueResponse { header: Some(header), ..task("Text", "Ada".to_owned()) });
    let options = ClientOptions::new("http://fake").propagator(PropagatedValue::<u64>::new("number"));
    let client = Client::with_channel(options, server.clone()).unwrap();
    let builder = ActivityWorker::builder(client, "queue").activity(Text, |_, text: String| async move { Ok(text) });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    let message = failure(told.remove(0)).message;
    assert!(message.contains("the activity's header has a context value that cannot be read"), "{message}");
}
