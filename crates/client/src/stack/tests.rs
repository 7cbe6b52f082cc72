//! The stack under a generated stub, over a server that is scripted, with tokio's clock stopped.

use super::CallKind;
use crate::fake_server::{FakeServer, Reply};
use crate::{ClientOptions, HttpRequest, HttpResponse, RpcError, Stack};
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timewright_proto::workflow_service::{
    GetSystemInfoRequest, GetSystemInfoResponse, PollActivityTaskQueueRequest, SignalWorkflowExecutionRequest,
};
use tokio::time::Instant;
use tonic::{Code, Request, Status};
use tower::{BoxError, ServiceExt, layer, service_fn};

const ALL_CODES: [Code; 16] = [
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

async fn call(server: &FakeServer) -> Result<GetSystemInfoResponse, RpcError> {
    let response = server.client().workflow_service().get_system_info(GetSystemInfoRequest {}).await?;
    Ok(response.into_inner())
}

/// How a call fails against a server that always replies so, and after how many tries.
async fn tries(reply: Reply) -> (RpcError, usize) {
    let server = FakeServer::replying([reply]);
    let error = call(&server).await.unwrap_err();
    let tries = server.calls().len();
    assert_eq!(error.attempts() as usize, tries);
    (error, tries)
}

fn words(tries: usize) -> &'static str {
    // Jitter decides whether the ninth and the tenth try still fit into 10 s.
    match tries {
        1 => "once",
        4 => "4 tries",
        8..=10 => "8 to 10 tries",
        _ => "?",
    }
}

#[tokio::test(start_paused = true)]
async fn c1_retries_by_code_wherever_the_status_stands() {
    let mut table = String::new();
    for code in ALL_CODES {
        let (headers, in_headers) = tries(Reply::Status(Status::new(code, "no"))).await;
        let (trailers, in_trailers) = tries(Reply::Trailers(Status::new(code, "no"))).await;
        assert_eq!((headers.code(), headers.message()), (code, "no"));
        assert_eq!((trailers.code(), trailers.message()), (code, "no"));
        assert_eq!(words(in_headers), words(in_trailers), "{code:?}");
        writeln!(table, "{code:?}: {}", words(in_headers)).unwrap();
    }
    assert_eq!(
        table,
        "\
Cancelled: once
Unknown: 8 to 10 tries
InvalidArgument: once
DeadlineExceeded: once
NotFound: once
AlreadyExists: once
PermissionDenied: once
ResourceExhausted: 4 tries
FailedPrecondition: once
Aborted: 8 to 10 tries
OutOfRange: 8 to 10 tries
Unimplemented: once
Internal: 8 to 10 tries
Unavailable: 8 to 10 tries
DataLoss: 8 to 10 tries
Unauthenticated: once
"
    );
}

#[tokio::test(start_paused = true)]
async fn c1_no_try_begins_later_than_10_s() {
    for reply in [Reply::code(Code::Unavailable), Reply::code(Code::ResourceExhausted)] {
        let began = Instant::now();
        tries(reply).await;
        let took = began.elapsed();
        assert!(took > Duration::from_secs(4) && took < Duration::from_secs(10), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c1_waits_grow_and_a_retried_call_is_the_same_call() {
    let down = || Reply::code(Code::Unavailable);
    let server =
        FakeServer::replying([down(), down(), down(), down(), Reply::message(&GetSystemInfoResponse::default())]);
    let mut stub = server.client().workflow_service();
    let request = SignalWorkflowExecutionRequest { request_id: "r-1".into(), ..Default::default() };
    stub.signal_workflow_execution(request.clone()).await.unwrap();

    let calls = server.calls();
    let waits: Vec<_> = calls.windows(2).map(|pair| (pair[1].at - pair[0].at).as_millis()).collect();
    let expected = [80..=121, 136..=205, 231..=347, 393..=590];
    assert!(waits.iter().zip(&expected).all(|(wait, range)| range.contains(wait)), "{waits:?}");
    assert_eq!(waits.len(), 4);
    for call in &calls {
        assert_eq!(call.decode::<SignalWorkflowExecutionRequest>(), request);
        assert_eq!(call.headers, calls[0].headers);
    }
}

#[tokio::test(start_paused = true)]
async fn g1_deadlines_by_kind_of_call_and_none_is_tried_again() {
    for reply in [Reply::Silence, Reply::HeadersOnly] {
        for (kind, seconds) in [(CallKind::Unary, 30), (CallKind::LongPoll, 70), (CallKind::TaskPoll, 70)] {
            let server = FakeServer::replying([reply.clone()]);
            let began = Instant::now();
            let request = kind.request(GetSystemInfoRequest {});
            let status = server.client().workflow_service().get_system_info(request).await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded);
            assert_eq!(status.message(), format!("no answer within {seconds}.0 s"));
            assert_eq!(began.elapsed().as_secs(), seconds);
            // The server is told, so that it lets a long poll return in time.
            let timeouts: Vec<_> = server.calls().iter().map(|call| call.header("grpc-timeout").to_owned()).collect();
            assert_eq!(timeouts, [format!("{seconds}S")]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn x1_task_polls_are_known_by_name_and_tried_once() {
    let server = FakeServer::replying([Reply::code(Code::Unavailable)]);
    let mut stub = server.client().workflow_service();
    stub.poll_activity_task_queue(PollActivityTaskQueueRequest::default()).await.unwrap_err();
    let calls = server.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].header("grpc-timeout"), "70S");
}

#[tokio::test(start_paused = true)]
async fn g2_a_deadline_of_the_caller_is_for_all_tries_together() {
    let server = FakeServer::replying([Reply::code(Code::Unavailable), Reply::code(Code::Unavailable), Reply::Silence]);
    let mut request = Request::new(GetSystemInfoRequest {});
    request.set_timeout(Duration::from_secs(3));
    let began = Instant::now();
    let status = server.client().workflow_service().get_system_info(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), 3);
    let calls = server.calls();
    assert_eq!(calls[0].header("grpc-timeout"), "3000000u");
    let left: u64 = calls[2].header("grpc-timeout").strip_suffix('u').unwrap().parse().unwrap();
    let waited = (calls[2].at - calls[0].at).as_micros() as u64;
    assert!(left.abs_diff(3_000_000 - waited) <= 1, "{left} after {waited}");
}

#[tokio::test(start_paused = true)]
async fn g2_a_deadline_of_the_caller_ends_retries_early() {
    let server = FakeServer::replying([Reply::code(Code::Unavailable)]);
    let mut request = Request::new(GetSystemInfoRequest {});
    request.set_timeout(Duration::from_secs(1));
    let began = Instant::now();
    let status = server.client().workflow_service().get_system_info(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "what the server said is worth more than that time is up");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!((3..=6).contains(&server.calls().len()));
}

#[tokio::test]
async fn c12_an_answer_may_have_more_than_the_usual_4_mib() {
    let version = "1".repeat(5 * 1024 * 1024);
    let response = GetSystemInfoResponse { server_version: version.clone(), ..GetSystemInfoResponse::default() };
    let client = FakeServer::replying([Reply::message(&response)]).client();
    assert_eq!(client.server_info().await.unwrap().version, version);
}

#[tokio::test(start_paused = true)]
async fn g3_messages_that_are_too_large_are_sent_once() {
    let (error, tries_of_server) =
        tries(Reply::Status(Status::resource_exhausted("grpc: received message larger than max (9 vs. 4)"))).await;
    assert_eq!(tries_of_server, 1);
    assert_eq!(error.code(), Code::ResourceExhausted);

    // Our own limit, in the other direction.
    let (error, tries_of_ours) = tries(Reply::Large(super::MAXIMUM_MESSAGE_SIZE + 6)).await;
    assert_eq!(tries_of_ours, 1);
    assert!(error.message().starts_with("received message larger than max"), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("Pass less data: a reference to it instead of the data itself, or fewer items at a time")
    );
}

#[tokio::test(start_paused = true)]
async fn g8_the_next_attempt_uses_the_connection_that_has_taken_the_others_place() {
    let (old, new) = (
        FakeServer::replying([Reply::code(Code::Unavailable)]),
        FakeServer::replying([Reply::message(&GetSystemInfoResponse::default())]),
    );
    let client = old.client();
    let mut stub = client.workflow_service();
    let call = tokio::spawn(async move { stub.get_system_info(GetSystemInfoRequest {}).await });
    while old.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    let options = ClientOptions::new("fake-2:7233").api_key("second");
    client.replace_channel(options, new.clone()).unwrap();
    call.await.unwrap().unwrap();
    assert_eq!((old.calls().len(), new.calls().len()), (1, 1));
    assert_eq!(new.calls()[0].header("authorization"), "Bearer second");
    assert_eq!(client.address(), "http://fake-2:7233");
}

#[tokio::test(start_paused = true)]
async fn c27_a_call_that_is_under_way_ends_on_its_connection() {
    let (old, new) = (FakeServer::replying([Reply::Silence]), FakeServer::replying([Reply::code(Code::NotFound)]));
    let client = old.client();
    let mut stub = client.workflow_service();
    let call = tokio::spawn(async move { stub.get_system_info(GetSystemInfoRequest {}).await });
    while old.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    client.replace_channel(ClientOptions::new("fake-2:7233"), new.clone()).unwrap();
    assert_eq!(
        client.workflow_service().get_system_info(GetSystemInfoRequest {}).await.unwrap_err().code(),
        Code::NotFound
    );
    // The old server goes on to be waited for, until that call's own deadline.
    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "no answer within 30.0 s"));
    assert_eq!((old.calls().len(), new.calls().len()), (1, 1));

    let error = client.replace_channel(ClientOptions::new("fake-3:7233").namespace("other"), new).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this client is for namespace `default`, and cannot change to `other`: make another client for that"
    );
    assert_eq!(client.address(), "http://fake-2:7233");
}

#[tokio::test(start_paused = true)]
async fn g4_cancelled_by_the_transport_is_tried_again() {
    let (error, of_transport) = tries(Reply::Broken(Code::Cancelled, "connection closed")).await;
    assert_eq!((words(of_transport), error.is_from_transport()), ("8 to 10 tries", true));
    assert_eq!(
        error.message(),
        "connection closed: code: 'The operation was cancelled', message: \"connection closed\""
    );
    let (error, of_server) = tries(Reply::code(Code::Cancelled)).await;
    assert_eq!((words(of_server), error.is_from_transport()), ("once", false));
}

#[tokio::test(start_paused = true)]
async fn c3_proxies_that_do_not_speak_grpc_are_understood() {
    let mut table = String::new();
    for status in [200, 400, 401, 403, 404, 418, 429, 502, 503, 504] {
        let (error, tries) = tries(Reply::Http(status)).await;
        assert!(error.message().contains(&status.to_string()), "{error}");
        writeln!(table, "{status} {:?}: {}", error.code(), words(tries)).unwrap();
    }
    assert_eq!(
        table,
        "\
200 Unknown: 8 to 10 tries
400 Internal: 8 to 10 tries
401 Unauthenticated: once
403 PermissionDenied: once
404 Unimplemented: once
418 Unknown: 8 to 10 tries
429 Unavailable: 8 to 10 tries
502 Unavailable: 8 to 10 tries
503 Unavailable: 8 to 10 tries
504 Unavailable: 8 to 10 tries
"
    );
}

#[tokio::test(start_paused = true)]
async fn headers_say_who_calls() {
    let server = FakeServer::replying([Reply::message(&GetSystemInfoResponse::default())]);
    let client = server.client_with(|options| options.namespace("payments"));
    client.workflow_service().get_system_info(GetSystemInfoRequest {}).await.unwrap();
    let mut request = Request::new(GetSystemInfoRequest {});
    request.metadata_mut().insert("temporal-namespace", "other".parse().unwrap());
    client.workflow_service().get_system_info(request).await.unwrap();

    let calls = server.calls();
    for (header, expected) in [
        ("temporal-namespace", "payments"),
        ("client-name", "timewright"),
        ("client-version", env!("CARGO_PKG_VERSION")),
        ("supported-features", "follows-next-run-id"),
        ("authorization", ""),
    ] {
        assert_eq!(calls[0].header(header), expected, "{header}");
    }
    assert_eq!(calls[1].header("temporal-namespace"), "other", "what the caller says counts");
}

#[tokio::test(start_paused = true)]
async fn c28_the_api_key_is_asked_for_with_each_call() {
    let key = Arc::new(Mutex::new("first\n".to_owned()));
    let server = FakeServer::replying([Reply::message(&GetSystemInfoResponse::default())]);
    let provider = Arc::clone(&key);
    let client = server.client_with(|options| options.api_key_provider(move || provider.lock().unwrap().clone()));
    for next in ["second", "bad\nkey"] {
        client.workflow_service().get_system_info(GetSystemInfoRequest {}).await.unwrap();
        *key.lock().unwrap() = next.to_owned();
    }
    let status = client.workflow_service().get_system_info(GetSystemInfoRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(!format!("{status:?}").contains("bad"), "a key is never shown");
    let keys: Vec<_> = server.calls().iter().map(|call| call.header("authorization").to_owned()).collect();
    assert_eq!(keys, ["Bearer first", "Bearer second"]);
}

#[tokio::test(start_paused = true)]
async fn layers_of_the_user_see_each_call_once_the_last_nearest_to_the_caller() {
    let server = FakeServer::replying([
        Reply::code(Code::Unavailable),
        Reply::code(Code::Unavailable),
        Reply::message(&GetSystemInfoResponse::default()),
    ]);
    let seen = Arc::new(AtomicU32::new(0));
    let mark = |value: &'static str| {
        let seen = Arc::clone(&seen);
        layer::layer_fn(move |stack: Stack| {
            let seen = Arc::clone(&seen);
            stack.map_request(move |mut request: HttpRequest| {
                seen.fetch_add(1, Ordering::Relaxed);
                request.headers_mut().append("x-mark", http::HeaderValue::from_static(value));
                request
            })
        })
    };
    let client = server.client_with(|options| options.layer(mark("near the wire")).layer(mark("near the caller")));
    client.workflow_service().get_system_info(GetSystemInfoRequest {}).await.unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    let calls = server.calls();
    assert_eq!(calls.len(), 3);
    for call in calls {
        let marks: Vec<_> = call.headers.get_all("x-mark").iter().collect();
        assert_eq!(marks, ["near the caller", "near the wire"], "the last is nearest to the caller");
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_fail_a_call_with_any_error() {
    let server = FakeServer::replying([Reply::message(&GetSystemInfoResponse::default())]);
    let refusing = layer::layer_fn(|_: Stack| {
        service_fn(|_: HttpRequest| async { Err::<HttpResponse, BoxError>("not today".into()) })
    });
    let client = server.client_with(|options| options.layer(refusing));
    let status = client.workflow_service().get_system_info(GetSystemInfoRequest {}).await.unwrap_err();
    assert_eq!(status.message(), "not today");
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_try_is_counted_and_measured() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let unavailable = || Reply::code(Code::Unavailable);
    let replies = [unavailable(), unavailable(), Reply::message(&GetSystemInfoResponse::default()), Reply::Silence];
    let server = FakeServer::replying(replies);
    let client = server.client_with(|options| options.namespace("payments").metrics_recorder(recorder));
    let mut stub = client.workflow_service();
    stub.get_system_info(GetSystemInfoRequest {}).await.unwrap();
    stub.poll_activity_task_queue(PollActivityTaskQueueRequest::default()).await.unwrap_err();

    let text = handle.render();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.contains("quantile")).collect();
    let shown = |line: &str| assert!(lines.contains(&line), "{line} in {text}");
    let of = |operation: &str| format!("{{namespace=\"payments\",operation=\"{operation}\"}}");
    let failed = |operation: &str, code: &str| of(operation).replace('}', &format!(",status_code=\"{code}\"}}"));
    shown(&format!("temporal_request{} 3", of("GetSystemInfo")));
    shown(&format!("temporal_request_failure{} 2", failed("GetSystemInfo", "UNAVAILABLE")));
    shown(&format!("temporal_request_latency_count{} 3", of("GetSystemInfo")));
    shown(&format!("temporal_long_request{} 1", of("PollActivityTaskQueue")));
    shown(&format!("temporal_long_request_failure{} 1", failed("PollActivityTaskQueue", "DEADLINE_EXCEEDED")));
    shown(&format!("temporal_long_request_latency_sum{} 70", of("PollActivityTaskQueue")));
    assert!(text.contains("# HELP temporal_request_latency How long a try of a request took"), "{text}");
}
