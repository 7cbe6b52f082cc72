//! Waiting for results, against a server that is scripted, with tokio's clock stopped.

use super::{ResultOptions, WorkflowResultError};
use crate::fake_server::{FakeServer, Reply};
use std::time::Duration;
use timewright_converter::Value;
use timewright_definition::WorkflowDefinition;
use timewright_proto::common::{DataBlob, Payload, Payloads, WorkflowExecution};
use timewright_proto::failure::Failure;
use timewright_proto::failure::failure::FailureInfo;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    History, HistoryEvent, WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionStartedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
};
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use timewright_proto::workflow_service::{
    DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
};
use timewright_proto::{Bytes, Message};
use tokio::time::Instant;
use tonic::{Code, Status};

struct Greeting;

impl WorkflowDefinition for Greeting {
    const NAME: &'static str = "Greeting";
    type Input = String;
    type Output = Option<String>;
}

fn page(events: Vec<Attributes>, token: &'static str) -> Reply {
    let events =
        events.into_iter().map(|attributes| HistoryEvent { attributes: Some(attributes), ..HistoryEvent::default() });
    Reply::message(&GetWorkflowExecutionHistoryResponse {
        history: Some(History { events: events.collect() }),
        next_page_token: Bytes::from_static(token.as_bytes()),
        ..GetWorkflowExecutionHistoryResponse::default()
    })
}

fn closed(attributes: Attributes) -> Reply {
    page(vec![attributes], "")
}

fn list(value: &str) -> Option<Payloads> {
    Some(Payloads { payloads: vec![value.to_owned().to_payload().unwrap()] })
}

fn completed(result: Option<Payloads>, next: &str) -> Attributes {
    Attributes::WorkflowExecutionCompletedEventAttributes(
        WorkflowExecutionCompletedEventAttributes {
            result,
            new_execution_run_id: next.to_owned(),
            ..Default::default()
        }
        .into(),
    )
}

fn failed(next: &str) -> Attributes {
    let cause = Failure { message: "card refused".into(), ..Failure::default() };
    let failure_info = FailureInfo::ApplicationFailureInfo(timewright_proto::failure::ApplicationFailureInfo {
        r#type: "PaymentFailed".into(),
        ..Default::default()
    });
    let failure = Failure {
        message: "no payment".into(),
        cause: Some(Box::new(cause)),
        failure_info: Some(failure_info),
        ..Failure::default()
    };
    Attributes::WorkflowExecutionFailedEventAttributes(
        WorkflowExecutionFailedEventAttributes {
            failure: Some(failure),
            new_execution_run_id: next.to_owned(),
            ..Default::default()
        }
        .into(),
    )
}

fn timed_out(next: &str) -> Attributes {
    Attributes::WorkflowExecutionTimedOutEventAttributes(
        WorkflowExecutionTimedOutEventAttributes { new_execution_run_id: next.to_owned(), ..Default::default() }.into(),
    )
}

fn continued(next: &str) -> Attributes {
    Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
        WorkflowExecutionContinuedAsNewEventAttributes { new_execution_run_id: next.to_owned(), ..Default::default() }
            .into(),
    )
}

async fn result_with(server: &FakeServer, options: ResultOptions) -> Result<Option<String>, WorkflowResultError> {
    server.client().workflow_handle(Greeting, "w", Some("r-1".into())).result_with(options).await
}

async fn result(server: &FakeServer) -> Result<Option<String>, WorkflowResultError> {
    result_with(server, ResultOptions::default()).await
}

/// What was asked for: run and token.
fn requests(server: &FakeServer) -> Vec<String> {
    server
        .calls()
        .iter()
        .map(|call| {
            let request: GetWorkflowExecutionHistoryRequest = call.decode();
            assert!(request.wait_new_event);
            let token = String::from_utf8(request.next_page_token.to_vec()).unwrap();
            format!("{} {token}", request.execution.unwrap().run_id)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn all_runs_of_a_chain_belong_to_it() {
    let server = FakeServer::replying([
        closed(continued("r-2")),
        closed(failed("r-3")),
        page(vec![], "t-1"),
        closed(timed_out("r-4")),
        closed(completed(list("early"), "r-5")),
        closed(completed(list("done"), "")),
    ]);
    assert_eq!(result(&server).await.unwrap().as_deref(), Some("done"));
    assert_eq!(requests(&server), ["r-1 ", "r-2 ", "r-3 ", "r-3 t-1", "r-4 ", "r-5 "]);
}

#[tokio::test(start_paused = true)]
async fn one_run_only_if_asked_for() {
    let mut table = Vec::new();
    for attributes in [completed(list("early"), "r-2"), failed("r-2"), timed_out("r-2"), continued("r-2")] {
        let server = FakeServer::replying([closed(attributes)]);
        let result = result_with(&server, ResultOptions::default().follow_runs(false)).await;
        table.push(result.map_or_else(|error| error.to_string(), |output| format!("{output:?}")));
        assert_eq!(server.calls().len(), 1);
    }
    assert_eq!(
        table,
        [
            "Some(\"early\")",
            "workflow `w` (run r-1) failed: PaymentFailed: no payment: card refused",
            "workflow `w` (run r-1) timed out",
            "workflow `w` (run r-1) continues as new in run r-2",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_end_has_its_error() {
    let cancelled = Attributes::WorkflowExecutionCanceledEventAttributes(
        WorkflowExecutionCanceledEventAttributes { details: list("bye"), ..Default::default() }.into(),
    );
    let terminated = Attributes::WorkflowExecutionTerminatedEventAttributes(
        WorkflowExecutionTerminatedEventAttributes {
            reason: "enough".into(),
            identity: "ops@host".into(),
            details: list("sorry"),
        }
        .into(),
    );
    let not_closing =
        Attributes::WorkflowExecutionStartedEventAttributes(WorkflowExecutionStartedEventAttributes::default().into());
    let mut table = Vec::new();
    for reply in [
        closed(failed("")),
        closed(cancelled),
        closed(terminated),
        closed(timed_out("")),
        closed(not_closing),
        Reply::Status(Status::not_found("workflow not found for ID: w")),
        Reply::Status(Status::not_found("Namespace default is not found.")),
        Reply::Status(Status::permission_denied("no")),
    ] {
        table.push(result(&FakeServer::replying([reply])).await.unwrap_err().to_string());
    }
    assert_eq!(
        table.join("\n").replace("GetWorkflowExecutionHistory on http://fake:7233", "RPC"),
        "\
workflow `w` (run r-1) failed: PaymentFailed: no payment: card refused
workflow `w` (run r-1) was cancelled
workflow `w` (run r-1) was terminated by ops@host: enough
workflow `w` (run r-1) timed out
result of workflow `w`: the server sent an Event of type 0 as the last (DataLoss)
there is no workflow `w` whose result could be waited for
result of workflow `w`: RPC: Namespace default is not found. (NotFound). Check the namespace in ClientOptions, or create it: temporal operator namespace create --namespace NAME
result of workflow `w`: RPC: no (PermissionDenied). Check the API key or the client certificate, and what it is allowed to do in this namespace"
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_of_another_type_is_an_error_of_conversion() {
    let number = Payloads { payloads: vec![7_u8.to_payload().unwrap()] };
    let error = result(&FakeServer::replying([closed(completed(Some(number), ""))])).await.unwrap_err();
    assert!(matches!(error, WorkflowResultError::Conversion { .. }), "{error:?}");
    assert!(error.to_string().starts_with("result of workflow `w`: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_returns_nothing_has_the_output_null() {
    let server = FakeServer::replying([closed(completed(None, ""))]);
    assert_eq!(result(&server).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn events_as_the_server_stores_them_are_understood() {
    let event = HistoryEvent { attributes: Some(completed(list("raw"), "")), ..HistoryEvent::default() };
    let blob = DataBlob { data: History { events: vec![event] }.encode_to_vec().into(), ..DataBlob::default() };
    let reply = GetWorkflowExecutionHistoryResponse { raw_history: vec![blob], ..Default::default() };
    let server = FakeServer::replying([Reply::message(&reply)]);
    assert_eq!(result(&server).await.unwrap().as_deref(), Some("raw"));

    let blob = DataBlob { data: Bytes::from_static(b"\xff\xff"), ..DataBlob::default() };
    let reply = GetWorkflowExecutionHistoryResponse { raw_history: vec![blob], ..Default::default() };
    let server = FakeServer::new({
        let mut times = 0;
        move |_| {
            times += 1;
            if times == 1 { Reply::message(&reply) } else { closed(completed(list("later"), "")) }
        }
    });
    assert_eq!(result(&server).await.unwrap().as_deref(), Some("later"), "a garbled page is asked for again");
}

#[tokio::test(start_paused = true)]
async fn c1_the_wait_survives_a_long_outage() {
    let began = Instant::now();
    let server = FakeServer::new(move |_| match began.elapsed().as_secs() {
        0..600 => Reply::code(Code::Unavailable),
        600..700 => Reply::Silence,
        700..800 => Reply::code(Code::ResourceExhausted),
        800..900 => Reply::Broken(Code::Cancelled, "connection closed"),
        _ => closed(completed(list("at last"), "")),
    });
    assert_eq!(result(&server).await.unwrap().as_deref(), Some("at last"));
    assert!(began.elapsed() < Duration::from_secs(900 + 15), "{:?}", began.elapsed());
    assert!(server.calls().len() < 1000, "{}", server.calls().len());
}

/// A server lets only so many calls wait, and those who wait come first again when their wait is over.
#[tokio::test(start_paused = true)]
async fn c9_whoever_may_not_wait_has_a_look_now_and_then() {
    let began = Instant::now();
    let server = FakeServer::new(move |call| {
        if call.rpc == "DescribeWorkflowExecution" {
            let execution = Some(WorkflowExecution { workflow_id: "w".into(), run_id: "the latest".into() });
            let info = Some(WorkflowExecutionInfo { execution, ..Default::default() });
            return Reply::message(&DescribeWorkflowExecutionResponse {
                workflow_execution_info: info,
                ..Default::default()
            });
        }
        let request: GetWorkflowExecutionHistoryRequest = call.decode();
        let run_id = request.execution.unwrap().run_id;
        match request.wait_new_event {
            true => Reply::code(Code::ResourceExhausted),
            false => {
                assert!(request.next_page_token.is_empty(), "a token remembers that the run goes on");
                assert_eq!(run_id, "the latest", "and not whichever is the latest now");
                match began.elapsed().as_secs() {
                    0..120 => page(vec![], ""),
                    _ => closed(completed(list("seen"), "")),
                }
            }
        }
    });
    let latest = server.client().workflow_handle(Greeting, "w", None);
    assert_eq!(latest.result().await.unwrap().as_deref(), Some("seen"));
    assert!(began.elapsed() < Duration::from_secs(120 + 30), "{:?}", began.elapsed());
    let calls = server.calls();
    assert!(calls.len() < 200, "{}", calls.len());
    assert_eq!(calls.iter().filter(|call| call.rpc == "DescribeWorkflowExecution").count(), 1);
    let last: GetWorkflowExecutionHistoryRequest = calls.last().unwrap().decode();
    assert_eq!(last.execution.unwrap().run_id, "the latest");
}

#[tokio::test(start_paused = true)]
async fn x3_a_server_that_does_not_wait_is_not_asked_in_a_hot_loop() {
    let server = FakeServer::replying([page(vec![], "t-1")]);
    let waiting = tokio::time::timeout(Duration::from_secs(60), result(&server)).await;
    assert!(waiting.is_err());
    assert!(server.calls().len() < 30, "{}", server.calls().len());
}

#[tokio::test(start_paused = true)]
async fn c13_a_server_that_waits_is_asked_again_at_once() {
    let began = Instant::now();
    let server = FakeServer::new(move |_| Reply::Silence);
    let waiting = tokio::time::timeout(Duration::from_secs(700), result(&server)).await;
    assert!(waiting.is_err());
    // Ten long polls of 70 s each, with a growing pause after each.
    assert!((7..=10).contains(&server.calls().len()), "{} in {:?}", server.calls().len(), began.elapsed());
}

/// A Payload that was not made by this crate.
#[tokio::test(start_paused = true)]
async fn untyped_results_are_payloads() {
    let payload = Payload { data: Bytes::from_static(b"\x01"), ..Payload::default() };
    let result = Some(Payloads { payloads: vec![payload.clone()] });
    let server = FakeServer::replying([closed(completed(result, ""))]);
    assert_eq!(server.client().workflow_handle_untyped("w", None).result().await.unwrap(), [payload]);
}
