//! What Updates send and understand, against a server that is scripted.

use timewright_converter::Value;
use timewright_definition::{UpdateDefinition, WorkflowDefinition};
use timewright_proto::common::{Payloads, WorkflowExecution};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    History, HistoryEvent, WorkflowExecutionUpdateAcceptedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
};
use timewright_proto::workflow_service::{
    GetWorkflowExecutionHistoryReverseRequest, GetWorkflowExecutionHistoryReverseResponse,
    PollWorkflowExecutionUpdateResponse, UpdateWorkflowExecutionResponse,
};
use tonic::Code;

use super::*;
use crate::fake_server::{FakeServer, Reply};

struct Cart;

impl WorkflowDefinition for Cart {
    const NAME: &'static str = "Cart";
    type Input = ();
    type Output = ();
}

struct Add;

impl UpdateDefinition for Add {
    const NAME: &'static str = "add";
    type Workflow = Cart;
    type Input = String;
    type Output = u32;
}

fn handle(server: &FakeServer) -> WorkflowHandle<Cart> {
    server.client().workflow_handle(Cart, "cart-7", None)
}

fn success(count: u32) -> Outcome {
    let result = Payloads { payloads: vec![count.to_payload().expect("a number")] };
    Outcome { value: Some(outcome::Value::Success(result)) }
}

fn answer(stage: Stage, outcome: Option<Outcome>) -> Reply {
    let execution = WorkflowExecution { workflow_id: "cart-7".into(), run_id: "run".into() };
    let update_ref = Some(UpdateRef { workflow_execution: Some(execution), update_id: "id".into() });
    let response = UpdateWorkflowExecutionResponse { update_ref, outcome, stage: stage.into(), link: None };
    Reply::message(&response)
}

fn polled(outcome: Option<Outcome>) -> Reply {
    Reply::message(&PollWorkflowExecutionUpdateResponse { outcome, ..PollWorkflowExecutionUpdateResponse::default() })
}

#[tokio::test(start_paused = true)]
async fn an_update_is_sent_until_it_is_accepted_and_asked_for_until_it_is_done() {
    let server = FakeServer::replying([
        answer(Stage::Admitted, None),
        Reply::code(Code::Unavailable),
        answer(Stage::Accepted, None),
        polled(None),
        polled(Some(success(3))),
    ]);
    let options = UpdateOptions::default().update_id("id");
    let result = handle(&server).update_with(Add, "tea".into(), options).await;
    assert_eq!(result.expect("done"), 3);
    let calls = server.calls();
    let rpcs: Vec<&str> = calls.iter().map(|call| call.rpc.as_str()).collect();
    let (sent, asked) = ("UpdateWorkflowExecution", "PollWorkflowExecutionUpdate");
    assert_eq!(rpcs, [sent, sent, sent, asked, asked]);
    let first: UpdateWorkflowExecutionRequest = calls[0].decode();
    let second: UpdateWorkflowExecutionRequest = calls[2].decode();
    assert_eq!(first, second, "the same id, so that the workflow gets it once");
    let request = first.request.expect("a request");
    assert_eq!(request.meta.expect("meta").update_id, "id");
    assert_eq!(request.input.expect("input").name, "add");
    let poll: PollWorkflowExecutionUpdateRequest = calls[3].decode();
    let execution = poll.update_ref.expect("a reference").workflow_execution.expect("an execution");
    assert_eq!(execution.run_id, "run", "the run that has taken it, though another may follow");
}

#[tokio::test]
async fn a_handle_waits_for_what_was_accepted() {
    let server = FakeServer::replying([answer(Stage::Accepted, None), polled(Some(success(1)))]);
    let started = handle(&server).start_update(Add, "tea".into(), UpdateOptions::default()).await.expect("accepted");
    assert_eq!((started.update_id(), started.run_id()), ("id", Some("run")));
    assert_eq!(server.calls().len(), 1);
    assert_eq!(started.result().await.expect("done"), 1);
}

#[tokio::test]
async fn what_the_workflow_says_against_it_is_the_error() {
    let failure = Failure { message: "no tea here".into(), ..Failure::default() };
    let outcome = Outcome { value: Some(outcome::Value::Failure(failure)) };
    let server = FakeServer::replying([answer(Stage::Completed, Some(outcome))]);
    let error = handle(&server).update(Add, "tea".into()).await.expect_err("rejected");
    assert_eq!(error.to_string(), "update `add` failed in workflow `cart-7`: no tea here");
    assert_eq!(server.calls().len(), 1, "nothing is asked for that is known");
}

#[tokio::test]
async fn a_workflow_that_does_not_run_is_said() {
    let server = FakeServer::replying([Reply::code(Code::NotFound)]);
    let error = handle(&server).update(Add, "tea".into()).await.expect_err("not found");
    assert_eq!(error.to_string(), "update `add`: no workflow `cart-7` is running, or it knows no such update");
}

#[tokio::test]
async fn a_result_of_another_type_is_said() {
    let result = Payloads { payloads: vec!["three".to_owned().to_payload().expect("a text")] };
    let outcome = Outcome { value: Some(outcome::Value::Success(result)) };
    let server = FakeServer::replying([answer(Stage::Completed, Some(outcome))]);
    let error = handle(&server).update(Add, "tea".into()).await.expect_err("a text");
    assert!(matches!(&error, UpdateWorkflowError::Conversion { .. }), "{error}");
}

/// In the order of a history, newest first.
fn numbered(newest: i64, events: impl Into<Vec<HistoryEvent>>) -> Vec<HistoryEvent> {
    (0..).zip(events.into()).map(|(age, event)| HistoryEvent { event_id: newest - age, ..event }).collect()
}

fn event(attributes: Attributes) -> HistoryEvent {
    HistoryEvent { attributes: Some(attributes), ..HistoryEvent::default() }
}

fn meta(update_id: &str) -> Option<Meta> {
    Some(Meta { update_id: update_id.into(), ..Meta::default() })
}

fn done(update_id: &str, count: u32) -> HistoryEvent {
    event(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(Box::new(
        WorkflowExecutionUpdateCompletedEventAttributes {
            meta: meta(update_id),
            outcome: Some(success(count)),
            ..Default::default()
        },
    )))
}

fn accepted(update_id: &str) -> HistoryEvent {
    let accepted_request = Some(Request { meta: meta(update_id), ..Request::default() });
    event(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(
        WorkflowExecutionUpdateAcceptedEventAttributes { accepted_request, ..Default::default() },
    )))
}

/// A server lets only so many calls wait, and those who wait come first again when their wait is over.
#[tokio::test(start_paused = true)]
async fn c9_whoever_may_not_wait_for_an_update_has_a_look_at_the_history() {
    let mut looks = 0;
    let server = FakeServer::new(move |call| {
        let token: &[u8] = match call.rpc.as_str() {
            "UpdateWorkflowExecution" => return answer(Stage::Accepted, None),
            "PollWorkflowExecutionUpdate" => return Reply::code(Code::ResourceExhausted),
            _ => &call.decode::<GetWorkflowExecutionHistoryReverseRequest>().next_page_token,
        };
        looks += usize::from(token.is_empty());
        let (events, next) = match (looks, token) {
            // What was before it was accepted is not read.
            (1, b"") => (numbered(9, [done("other", 1), accepted("id")]), "never asked for"),
            (_, b"") => (numbered(12, [done("other", 1)]), "more"),
            (_, b"more") => (numbered(11, [done("id", 7), done("other", 1)]), "never asked for"),
            _ => panic!("{token:?}"),
        };
        Reply::message(&GetWorkflowExecutionHistoryReverseResponse {
            history: Some(History { events }),
            next_page_token: next.into(),
        })
    });
    let options = UpdateOptions::default().update_id("id");
    let started = handle(&server).start_update(Add, "tea".into(), options).await.expect("accepted");
    assert_eq!(started.result().await.expect("done"), 7);
    let reverse: Vec<GetWorkflowExecutionHistoryReverseRequest> =
        server.calls().iter().filter(|call| call.rpc.ends_with("Reverse")).map(|call| call.decode()).collect();
    assert_eq!(reverse.len(), 3);
    assert!(
        reverse.iter().all(|request| request.execution.as_ref().is_some_and(|execution| execution.run_id == "run"))
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_look_sees_that_the_workflow_has_ended_and_reads_nothing_twice() {
    // After a reset, the request is not with the Event that it was accepted with.
    let protocol_instance_id = "id".to_owned();
    let accepted = event(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(
        WorkflowExecutionUpdateAcceptedEventAttributes { protocol_instance_id, ..Default::default() },
    )));
    let ended = event(Attributes::WorkflowExecutionTerminatedEventAttributes(Box::default()));
    let mut looks = 0;
    let server = FakeServer::new(move |call| {
        let token: &[u8] = match call.rpc.as_str() {
            "UpdateWorkflowExecution" => return answer(Stage::Accepted, None),
            "PollWorkflowExecutionUpdate" => return Reply::code(Code::ResourceExhausted),
            _ => &call.decode::<GetWorkflowExecutionHistoryReverseRequest>().next_page_token,
        };
        looks += usize::from(token.is_empty());
        let (events, next) = match (looks, token) {
            (1, b"") => (numbered(90, [done("other", 1)]), "more"),
            (1, b"more") => (numbered(89, [accepted.clone()]), "never asked for"),
            (2, b"") => (numbered(91, [done("other", 1), done("other", 1)]), "never asked for"),
            (3, b"") => (numbered(92, [ended.clone(), done("other", 1)]), "never asked for"),
            _ => panic!("look {looks}, {token:?}"),
        };
        Reply::message(&GetWorkflowExecutionHistoryReverseResponse {
            history: Some(History { events }),
            next_page_token: next.into(),
        })
    });
    let options = UpdateOptions::default().update_id("id");
    let started = handle(&server).start_update(Add, "tea".into(), options).await.expect("accepted");
    let error = started.result().await.expect_err("it has ended").to_string();
    assert!(error.ends_with("the Workflow completed before the Update completed."), "{error}");
    assert_eq!(server.calls().iter().filter(|call| call.rpc.ends_with("Reverse")).count(), 4);
}
