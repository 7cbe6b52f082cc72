//! What is too large, and what the Payload Codecs cannot do: the attempt fails with a clear text, and nothing hangs.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::atomic::Ordering;

use support::{FakeServer, Invert, Nothing, Reply, Text, failure, task, value, while_running};
use timewright_activity_worker::{ActivityContext, ActivityWorker};
use timewright_converter::{
    ApplicationFailure, BoxFuture, CodecError, DataConverter, DefaultFailureConverter, FailureKind, Payload,
    PayloadCodec,
};
use timewright_proto::common::Payloads;
use timewright_proto::temporal::api::namespace::v1::{NamespaceInfo, namespace_info::Limits};
use timewright_proto::workflow_service::{
    DescribeNamespaceResponse, PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
use tonic::Code;

fn encoded(text: &str) -> Payloads {
    let mut payload = support::payload(text);
    payload.data = payload.data.iter().map(|byte| !byte).collect();
    Payloads { payloads: vec![payload] }
}

fn encoded_task(text: &str) -> PollActivityTaskQueueResponse {
    PollActivityTaskQueueResponse { input: Some(encoded(text)), ..task("Text", ()) }
}

#[tokio::test(start_paused = true)]
async fn v9_a_result_that_is_too_large_fails_the_attempt_retryably() {
    let server = FakeServer::new();
    server.give(task("Text", "x".to_owned()));
    let builder = server.worker().activity(Text, |context: ActivityContext, text: String| async move {
        context.heartbeat(1_u64)?;
        context.heartbeat(2_u64)?;
        Ok(text.repeat(3_000_000))
    });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(server.sent::<RespondActivityTaskCompletedRequest>().len(), 0);
    assert_eq!(value::<u64>(told[0].last_heartbeat_details.clone()), 2, "progress is not lost");
    let failure = failure(told.remove(0));
    assert_eq!(
        failure.to_string(),
        "PayloadsTooLarge: the result of activity `Text` has 3000036 bytes, but the server takes at most 2097152. Store the \
         data elsewhere, and pass a reference to it"
    );
    assert!(matches!(failure.kind, FailureKind::Application { non_retryable: false, .. }));
}

#[tokio::test(start_paused = true)]
async fn c11_the_namespaces_own_limit_counts() {
    let server = FakeServer::new();
    let limits = Limits { blob_size_limit_error: 100, ..Default::default() };
    let info = NamespaceInfo { limits: Some(limits), ..Default::default() };
    let response = DescribeNamespaceResponse { namespace_info: Some(info), ..Default::default() };
    server.reply_to("DescribeNamespace", Reply::message(&response));
    server.give(task("Text", "x".to_owned()));
    let builder = server.worker().activity(Text, |_, text: String| async move { Ok(text.repeat(200)) });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert!(failure(told.remove(0)).message.contains("but the server takes at most 100."));
}

/// Makes every Payload that it encodes of this size, whatever was in it.
struct Resize(usize);

impl PayloadCodec for Resize {
    fn name(&self) -> &'static str {
        "Resize"
    }

    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        let resized = payloads.into_iter().map(|payload| Payload { data: vec![b'x'; self.0].into(), ..payload });
        let resized = resized.collect();
        Box::pin(async move { Ok(resized) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { Ok(payloads) })
    }
}

/// What the server gets of an activity that heartbeats a text of this length, and then fails: in the heartbeat, and with the failure.
async fn details_told(length: usize, encoded: usize) -> (Vec<usize>, Option<usize>) {
    let server = FakeServer::new();
    let limits = Limits { blob_size_limit_error: 1000, ..Default::default() };
    let info = NamespaceInfo { limits: Some(limits), ..Default::default() };
    let response = DescribeNamespaceResponse { namespace_info: Some(info), ..Default::default() };
    server.reply_to("DescribeNamespace", Reply::message(&response));
    server.give(task("Nothing", ()));
    let client = server.client_with(DataConverter::default().with_codec(Resize(encoded)));
    let builder =
        ActivityWorker::builder(client, "queue").activity(Nothing, move |context: ActivityContext, ()| async move {
            context.heartbeat("x".repeat(length))?;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            Err(ApplicationFailure::new("done").into())
        });
    let told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert!(format!("{:#}", failure(told[0].clone())).contains("done"), "{told:?}");
    let size = |details: &Option<Payloads>| details.as_ref().map(|details| details.payloads[0].data.len());
    let heartbeats = server.sent::<RecordActivityTaskHeartbeatRequest>();
    (heartbeats.iter().filter_map(|(_, sent)| size(&sent.details)).collect(), size(&told[0].last_heartbeat_details))
}

#[tokio::test(start_paused = true)]
async fn v9_the_size_of_heartbeat_details_counts_behind_the_codecs() {
    assert_eq!(details_told(10_000, 100).await, (vec![100], Some(100)), "in the heartbeat and with the failure");
    assert_eq!(details_told(100, 2000).await, (vec![], None), "neither of them has room for it");
}

#[tokio::test(start_paused = true)]
async fn c10_a_message_that_grpc_refuses_is_not_tried_again() {
    let server = FakeServer::new();
    server.give(task("Text", "x".to_owned()));
    let text = "grpc: received message larger than max (5000000 vs. 4194304)";
    server.reply::<RespondActivityTaskCompletedRequest>(Reply::error(Code::ResourceExhausted, text));
    let builder = server.worker().activity(Text, |_, text: String| async move { Ok(text) });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    assert_eq!(server.sent::<RespondActivityTaskCompletedRequest>().len(), 1);
    assert_eq!(
        failure(told.remove(0)).to_string(),
        "PayloadsTooLarge: the result of activity `Text` is larger than the server takes. Store the data elsewhere, and pass a \
         reference to it"
    );
}

#[tokio::test(start_paused = true)]
async fn v9_a_failure_that_is_too_large_is_told_in_short() {
    let server = FakeServer::new();
    server.give(task("Nothing", ()));
    let builder = server.worker().activity(Nothing, |_, ()| async {
        Err(ApplicationFailure::new("x".repeat(3_000_000)).with_type("Verbose").non_retryable().into())
    });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    let failure = failure(told.remove(0));
    assert_eq!(failure.application_type(), Some("PayloadsTooLarge"));
    assert!(matches!(failure.kind, FailureKind::Application { non_retryable: true, .. }), "as user code wanted");
    let cause = failure.cause.unwrap();
    assert_eq!((cause.application_type(), cause.message.len()), (Some("Verbose"), 1000));
}

#[tokio::test(start_paused = true)]
async fn g9_a_codec_that_cannot_decode_fails_the_attempt_retryably() {
    let server = FakeServer::new();
    let codec = Invert::default();
    codec.failing_decodes.store(1, Ordering::Relaxed);
    server.give(encoded_task("Ada"));
    server.give(encoded_task("Grace"));
    let client = server.client_with(DataConverter::default().with_codec(codec));
    let builder = ActivityWorker::builder(client, "queue")
        .maximum_concurrent_activities(1)
        .activity(Text, |_, text: String| async move { Ok(text) });
    let told = while_running(builder, server.wait_for::<RespondActivityTaskCompletedRequest>(1)).await;
    assert_eq!(told[0].result, Some(encoded("Grace")));
    let failure = failure(server.sent::<RespondActivityTaskFailedRequest>().remove(0).1);
    assert_eq!(
        failure.to_string(),
        "CodecError: the input of activity `Text`: Payload Codec Invert could not decode: the key service is away"
    );
    assert!(matches!(failure.kind, FailureKind::Application { non_retryable: false, .. }));
}

#[tokio::test(start_paused = true)]
async fn g9_a_codec_that_cannot_encode_fails_the_attempt_retryably() {
    let server = FakeServer::new();
    let codec = Invert::default();
    // Whatever it is asked, from now on.
    codec.failing_encodes.store(1000, Ordering::Relaxed);
    server.give(encoded_task("Ada"));
    let client = server.client_with(
        DataConverter::default()
            .with_codec(codec)
            .with_failure_converter(DefaultFailureConverter { encode_common_attributes: true }),
    );
    let builder =
        ActivityWorker::builder(client, "queue").activity(Text, |context: ActivityContext, text: String| async move {
            context.heartbeat(text.clone())?;
            Ok(text)
        });
    let mut told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    // Without Payloads, since none can be encoded; and nothing in the clear.
    assert_eq!(told[0].last_heartbeat_details, None);
    assert_eq!(server.sent::<RecordActivityTaskHeartbeatRequest>().len(), 0);
    assert_eq!(
        failure(told.remove(0)).to_string(),
        "CodecError: the result of activity `Text`: Payload Codec Invert could not encode: the key service is away"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_of_users_leaves_in_the_clear() {
    let server = FakeServer::new();
    server.give(encoded_task("secret"));
    let client = server.client_with(
        DataConverter::default()
            .with_codec(Invert::default())
            .with_failure_converter(DefaultFailureConverter { encode_common_attributes: true }),
    );
    let builder =
        ActivityWorker::builder(client, "queue").activity(Text, |context: ActivityContext, text: String| async move {
            context.heartbeat(text.clone())?;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            Err(ApplicationFailure::new(text.clone()).with_details(text).into())
        });
    let told = while_running(builder, server.wait_for::<RespondActivityTaskFailedRequest>(1)).await;
    let heartbeats = server.sent::<RecordActivityTaskHeartbeatRequest>();
    assert_eq!(heartbeats.len(), 1);
    let shown = format!("{told:?} {heartbeats:?}");
    assert!(shown.contains("Encoded failure") && !shown.contains("secret"), "{shown}");
    // Whoever has the codec can read it.
    let converter = DataConverter::default().with_codec(Invert::default());
    let mut failed = told[0].clone();
    converter.decode(&mut failed).await.unwrap();
    let failure = failure(failed);
    assert_eq!((failure.message.as_str(), failure.details::<String>()), ("secret", Ok(Some("secret".to_owned()))));
}
