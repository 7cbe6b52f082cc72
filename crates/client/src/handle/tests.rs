//! What the client API sends and understands, against a server that is scripted.

use crate::fake_server::{FakeServer, Reply};
use crate::{
    CancelWorkflowError, Client, QueryRejectCondition, QueryWorkflowError, RetryPolicy, SignalWorkflowError,
    StartWorkflowError, StartWorkflowOptions, TerminateWorkflowError, WorkflowHandle, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy, WorkflowResultError,
};
use std::time::Duration;
use timewright_converter::{BoxFuture, CodecError, DataConverter, PayloadCodec, Value};
use timewright_definition::{QueryDefinition, SignalDefinition, WorkflowDefinition};
use timewright_proto::common::{Memo, Payload, Payloads, WorkflowType};
use timewright_proto::enums::{TaskQueueKind, WorkflowExecutionStatus};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{
    History, HistoryEvent, WorkflowExecutionCompletedEventAttributes, WorkflowExecutionFailedEventAttributes,
};
use timewright_proto::prost_types;
use timewright_proto::query::QueryRejected;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use timewright_proto::workflow_service::{
    DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
    QueryWorkflowRequest, QueryWorkflowResponse, RequestCancelWorkflowExecutionRequest, SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest, StartWorkflowExecutionResponse, TerminateWorkflowExecutionRequest,
};
use timewright_proto::{Bytes, CollectPayloads, PayloadSlot};
use tonic::{Code, Status};

struct Greeting;

impl WorkflowDefinition for Greeting {
    const NAME: &'static str = "Greeting";
    type Input = String;
    type Output = String;
}

struct Approve;

impl SignalDefinition for Approve {
    const NAME: &'static str = "approve";
    type Workflow = Greeting;
    type Input = u32;
}

struct CurrentText;

impl QueryDefinition for CurrentText {
    const NAME: &'static str = "current_text";
    type Workflow = Greeting;
    type Input = String;
    type Output = String;
}

/// Turns data around and says so.
struct Reverse;

impl Reverse {
    fn turned(payloads: Vec<Payload>) -> Vec<Payload> {
        let turn = |payload: Payload| Payload { data: payload.data.iter().rev().copied().collect(), ..payload };
        payloads.into_iter().map(turn).collect()
    }
}

impl PayloadCodec for Reverse {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(Self::turned(payloads)) })
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(Self::turned(payloads)) })
    }
}

/// Never works.
struct Broken;

impl PayloadCodec for Broken {
    fn encode(&self, _: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Err(CodecError::new("no key")) })
    }

    fn decode(&self, _: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Err(CodecError::new("no key")) })
    }
}

fn coded(server: &FakeServer, codec: impl PayloadCodec) -> Client {
    server.client_with(|options| options.data_converter(DataConverter::default().with_codec(codec)))
}

fn payload(value: &str) -> Payload {
    value.to_owned().to_payload().unwrap()
}

fn reversed(value: &str) -> Payload {
    Reverse::turned(vec![payload(value)]).remove(0)
}

fn list(payload: Payload) -> Option<Payloads> {
    Some(Payloads { payloads: vec![payload] })
}

/// The data of every Payload in a message, in order.
fn data(mut message: impl CollectPayloads) -> Vec<String> {
    let mut slots = Vec::new();
    message.collect_payloads(&mut slots);
    let text = |payload: &Payload| String::from_utf8(payload.data.to_vec()).unwrap();
    slots
        .iter()
        .flat_map(|slot| match slot {
            PayloadSlot::One(payload) => vec![text(payload)],
            PayloadSlot::Many(payloads) => payloads.iter().map(text).collect(),
        })
        .collect()
}

fn handle(server: &FakeServer) -> WorkflowHandle<Greeting> {
    server.client().workflow_handle(Greeting, "w", None)
}

/// A status with a detail, as the server sends it.
fn detailed(code: Code, message: &str, type_name: &str, detail: &impl timewright_proto::Message) -> Status {
    // google.rpc.Status with only its details, field 3.
    let type_url = format!("type.googleapis.com/temporal.api.errordetails.v1.{type_name}");
    let any = prost_types::Any { type_url, value: detail.encode_to_vec() };
    let any = timewright_proto::Message::encode_to_vec(&any);
    let mut details = vec![3 << 3 | 2, u8::try_from(any.len()).expect("one byte of length")];
    details.extend(any);
    Status::with_details(code, message, Bytes::from(details))
}

#[tokio::test]
async fn a_start_says_what_its_options_say() {
    let server = FakeServer::replying([Reply::message(&StartWorkflowExecutionResponse {
        run_id: "r-1".into(),
        ..StartWorkflowExecutionResponse::default()
    })]);
    let client = server.client_with(|options| options.namespace("payments").identity("me"));
    let options = StartWorkflowOptions::new("greetings", "w")
        .request_id("q-1")
        .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
        .id_conflict_policy(WorkflowIdConflictPolicy::TerminateExisting)
        .execution_timeout(Duration::from_secs(3))
        .run_timeout(Duration::from_millis(2500))
        .task_timeout(Duration::MAX)
        .retry_policy(
            RetryPolicy::default()
                .initial_interval(Duration::from_millis(1))
                .backoff_coefficient(1.5)
                .maximum_interval(Duration::from_secs(9))
                .maximum_attempts(u32::MAX)
                .non_retryable_error_types(["A", "B"]),
        )
        .cron_schedule("* * * * *")
        .start_delay(Duration::from_secs(60))
        .memo("order", 17)
        .static_summary("summary")
        .static_details("details");
    let started = client.start_workflow(Greeting, "Ada".to_owned(), options).await.unwrap();
    assert_eq!((started.workflow_id(), started.run_id()), ("w", Some("r-1")));

    let request: StartWorkflowExecutionRequest = server.calls()[0].decode();
    assert_eq!(data(request.clone()), ["\"Ada\"", "17", "\"summary\"", "\"details\""]);
    let seconds = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    let expected = StartWorkflowExecutionRequest {
        namespace: "payments".into(),
        workflow_id: "w".into(),
        workflow_type: Some(WorkflowType { name: "Greeting".into() }),
        task_queue: Some(TaskQueue {
            name: "greetings".into(),
            kind: TaskQueueKind::Normal.into(),
            ..Default::default()
        }),
        workflow_execution_timeout: seconds(3, 0),
        workflow_run_timeout: seconds(2, 500_000_000),
        // The longest that protobuf can say.
        workflow_task_timeout: seconds(315_576_000_000, 999_999_999),
        identity: "me".into(),
        request_id: "q-1".into(),
        workflow_id_reuse_policy: timewright_proto::enums::WorkflowIdReusePolicy::RejectDuplicate.into(),
        workflow_id_conflict_policy: timewright_proto::enums::WorkflowIdConflictPolicy::TerminateExisting.into(),
        retry_policy: Some(timewright_proto::common::RetryPolicy {
            initial_interval: seconds(0, 1_000_000),
            backoff_coefficient: 1.5,
            maximum_interval: seconds(9, 0),
            maximum_attempts: i32::MAX,
            non_retryable_error_types: vec!["A".into(), "B".into()],
        }),
        cron_schedule: "* * * * *".into(),
        workflow_start_delay: seconds(60, 0),
        ..StartWorkflowExecutionRequest::default()
    };
    let request = StartWorkflowExecutionRequest { input: None, memo: None, user_metadata: None, ..request };
    assert_eq!(request, expected);
}

#[tokio::test]
async fn a_start_without_options_leaves_everything_to_the_server() {
    let server = FakeServer::replying([Reply::message(&StartWorkflowExecutionResponse::default())]);
    let client = server.client();
    for _ in 0..2 {
        let options = StartWorkflowOptions::new("greetings", "w");
        client.start_workflow_untyped("Greeting", Vec::new(), options).await.unwrap();
    }
    let requests: Vec<StartWorkflowExecutionRequest> = server.calls().iter().map(|call| call.decode()).collect();
    assert_ne!(requests[0].request_id, requests[1].request_id, "each start has an id of its own");
    assert_eq!(requests[0].identity, client.identity());
    let request = &requests[0];
    assert!(request.input.is_none() && request.memo.is_none() && request.user_metadata.is_none());
    assert!(request.retry_policy.is_none() && request.workflow_execution_timeout.is_none());
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct AlreadyStarted {
        #[prost(string, tag = "2")]
        run_id: String,
    }
    let type_name = "WorkflowExecutionAlreadyStartedFailure";
    let with_run = detailed(Code::AlreadyExists, "running", type_name, &AlreadyStarted { run_id: "r-9".into() });
    let mut table = Vec::new();
    for status in [with_run, Status::already_exists("running"), Status::invalid_argument("WorkflowId is not set.")] {
        let server = FakeServer::replying([Reply::Status(status)]);
        let options = StartWorkflowOptions::new("greetings", "w");
        table.push(server.client().start_workflow(Greeting, "Ada".into(), options).await.unwrap_err().to_string());
    }
    assert_eq!(
        table.join("\n"),
        "\
workflow `w` is started already (run r-9). Use another Workflow Id, or set the policies for conflicts and reuse in StartWorkflowOptions
workflow `w` is started already. Use another Workflow Id, or set the policies for conflicts and reuse in StartWorkflowOptions
workflow `w` was not started: StartWorkflowExecution on http://fake:7233: WorkflowId is not set. (InvalidArgument)"
    );
}

#[tokio::test]
async fn a_memo_that_cannot_be_written_is_an_error_of_the_start() {
    let server = FakeServer::replying([Reply::message(&StartWorkflowExecutionResponse::default())]);
    let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let options = StartWorkflowOptions::new("greetings", "w").memo("map", unwritable).memo("fine", 1);
    let error = server.client().start_workflow(Greeting, "Ada".into(), options).await.unwrap_err();
    assert!(matches!(error, StartWorkflowError::Conversion { .. }), "{error:?}");
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_started_handle_means_its_chain_and_a_plain_one_the_latest_run() {
    let server = FakeServer::new(|call| match call.rpc.as_str() {
        "StartWorkflowExecution" => Reply::message(&StartWorkflowExecutionResponse {
            run_id: "r-2".into(),
            first_execution_run_id: "r-1".into(),
            ..StartWorkflowExecutionResponse::default()
        }),
        "GetWorkflowExecutionHistory" => Reply::Status(Status::not_found("workflow not found")),
        _ => Reply::Message(Bytes::new()),
    });
    let client = server.client();
    let started =
        client.start_workflow(Greeting, "Ada".into(), StartWorkflowOptions::new("greetings", "w")).await.unwrap();
    let latest = client.workflow_handle(Greeting, "w", None);
    let run = client.workflow_handle(Greeting, "w", Some("r-7".into()));
    let mut table = Vec::new();
    for handle in [started, latest, run] {
        let before = server.calls().len();
        handle.cancel("why").await.unwrap();
        handle.terminate("why").await.unwrap();
        handle.signal(Approve, 1).await.unwrap();
        handle.result().await.unwrap_err();
        let calls = server.calls().split_off(before);
        let cancel: RequestCancelWorkflowExecutionRequest = calls[0].decode();
        let terminate: TerminateWorkflowExecutionRequest = calls[1].decode();
        let signal: SignalWorkflowExecutionRequest = calls[2].decode();
        let result: GetWorkflowExecutionHistoryRequest = calls[3].decode();
        assert_eq!((cancel.reason.as_str(), terminate.reason.as_str()), ("why", "why"));
        table.push(format!(
            "cancel {:?} of {:?}, terminate {:?} of {:?}, signal {:?}, result {:?}",
            cancel.workflow_execution.unwrap().run_id,
            cancel.first_execution_run_id,
            terminate.workflow_execution.unwrap().run_id,
            terminate.first_execution_run_id,
            signal.workflow_execution.unwrap().run_id,
            result.execution.unwrap().run_id,
        ));
    }
    assert_eq!(
        table,
        [
            r#"cancel "" of "r-1", terminate "" of "r-1", signal "", result "r-2""#,
            r#"cancel "" of "", terminate "" of "", signal "", result """#,
            r#"cancel "r-7" of "", terminate "r-7" of "", signal "r-7", result "r-7""#,
        ]
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = FakeServer::replying([Reply::Status(Status::not_found("workflow not found for ID: w"))]);
    let handle = handle(&server);
    assert!(matches!(handle.signal(Approve, 1).await, Err(SignalWorkflowError::NotFound { .. })));
    assert!(matches!(handle.cancel("").await, Err(CancelWorkflowError::NotFound { .. })));
    assert!(matches!(handle.terminate("").await, Err(TerminateWorkflowError::NotFound { .. })));
    assert!(matches!(handle.query(CurrentText, "".into()).await, Err(QueryWorkflowError::NotFound { .. })));
    assert_eq!(handle.describe().await.unwrap_err().to_string(), "there is no workflow `w` that could be described");
    assert_eq!(handle.history().await.unwrap_err().to_string(), "there is no workflow `w` whose history could be read");

    // A namespace that is not there is another mistake, with another remedy.
    let server = FakeServer::replying([Reply::Status(Status::not_found("Namespace default is not found."))]);
    let error = self::handle(&server).signal(Approve, 1).await.unwrap_err();
    assert!(matches!(error, SignalWorkflowError::Rpc { .. }), "{error:?}");
    assert!(error.to_string().contains("temporal operator namespace create"), "{error}");
}

#[tokio::test]
async fn queries_fail_in_ways_that_can_be_told_apart() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct QueryFailed {
        #[prost(message, optional, tag = "1")]
        failure: Option<Failure>,
    }
    let failure = Failure { message: "unknown query".into(), ..Failure::default() };
    let failed = detailed(Code::InvalidArgument, "x", "QueryFailedFailure", &QueryFailed { failure: Some(failure) });
    let rejected = QueryWorkflowResponse {
        query_rejected: Some(QueryRejected { status: WorkflowExecutionStatus::Terminated.into() }),
        ..QueryWorkflowResponse::default()
    };
    let mut table = Vec::new();
    for reply in [
        Reply::Status(failed),
        Reply::message(&rejected),
        Reply::Status(Status::failed_precondition("no poller seen for task queue recently, worker may be down")),
        Reply::code(Code::DeadlineExceeded),
        Reply::Status(Status::invalid_argument("Invalid RunId.")),
    ] {
        let error = handle(&FakeServer::replying([reply])).query(CurrentText, "?".into()).await.unwrap_err();
        table.push(error.to_string());
    }
    assert_eq!(
        table.join("\n"),
        "\
query `current_text` failed in workflow `w`: unknown query
query `current_text` of workflow `w` was rejected because the workflow's status is Terminated
query `current_text` of workflow `w` has no answer: no poller seen for task queue recently, worker may be down. Is a worker running that polls its Task Queue?
query `current_text` of workflow `w` has no answer: no. Is a worker running that polls its Task Queue?
query `current_text` of workflow `w`: QueryWorkflow on http://fake:7233: Invalid RunId. (InvalidArgument)"
    );
    let nothing = FakeServer::replying([Reply::message(&QueryWorkflowResponse::default())]);
    let error = handle(&nothing).query(CurrentText, "?".into()).await.unwrap_err();
    assert!(matches!(error, QueryWorkflowError::Conversion { .. }), "null is no String: {error:?}");
}

#[tokio::test]
async fn a_query_may_depend_on_the_workflows_status() {
    let server = FakeServer::replying([Reply::message(&QueryWorkflowResponse::default())]);
    let handle = handle(&server);
    handle.untyped().query("q", Vec::new()).await.unwrap();
    handle.untyped().query_unless(QueryRejectCondition::NotOpen, "q", Vec::new()).await.unwrap();
    let conditions: Vec<_> =
        server.calls().iter().map(|call| call.decode::<QueryWorkflowRequest>().query_reject_condition()).collect();
    assert_eq!(conditions, [QueryRejectCondition::None, QueryRejectCondition::NotOpen]);
}

#[tokio::test]
async fn a_history_is_all_its_pages() {
    let server = FakeServer::new(|call| {
        let request: GetWorkflowExecutionHistoryRequest = call.decode();
        assert!(!request.wait_new_event);
        let (ids, token): (&[i64], &'static [u8]) = match &request.next_page_token[..] {
            b"" => (&[1, 2], b"t-1"),
            b"t-1" => (&[], b"t-2"),
            b"t-2" => (&[3], b""),
            _ => panic!("{request:?}"),
        };
        let events = ids.iter().map(|id| HistoryEvent { event_id: *id, ..HistoryEvent::default() }).collect();
        Reply::message(&GetWorkflowExecutionHistoryResponse {
            history: Some(History { events }),
            next_page_token: Bytes::from_static(token),
            ..GetWorkflowExecutionHistoryResponse::default()
        })
    });
    let history = handle(&server).history().await.unwrap();
    assert_eq!(history.events.iter().map(|event| event.event_id).collect::<Vec<_>>(), [1, 2, 3]);

    let mut pages = handle(&server).history_pages();
    let mut lengths = Vec::new();
    while let Some(events) = pages.next().await.unwrap() {
        lengths.push(events.len());
    }
    assert_eq!(lengths, [2, 0, 1]);
    assert_eq!(pages.next().await.unwrap(), None);
}

#[tokio::test]
async fn g10_every_payload_goes_through_the_codecs_on_its_way_out() {
    let server = FakeServer::replying([Reply::Message(Bytes::new())]);
    let handle: WorkflowHandle<Greeting> = coded(&server, Reverse).workflow_handle(Greeting, "w", None);
    let options = StartWorkflowOptions::new("greetings", "w").memo("m", "memo".to_owned()).static_summary("summary");
    coded(&server, Reverse).start_workflow(Greeting, "Ada".into(), options).await.unwrap();
    handle.signal(Approve, 12).await.unwrap();
    handle.query(CurrentText, "which".into()).await.unwrap_err();
    let calls = server.calls();
    assert_eq!(data(calls[0].decode::<StartWorkflowExecutionRequest>()), ["\"adA\"", "\"omem\"", "\"yrammus\""]);
    assert_eq!(data(calls[1].decode::<SignalWorkflowExecutionRequest>()), ["21"]);
    assert_eq!(data(calls[2].decode::<QueryWorkflowRequest>()), ["\"hcihw\""]);
}

#[tokio::test]
async fn g10_every_payload_goes_through_the_codecs_on_its_way_in() {
    let completed = HistoryEvent {
        attributes: Some(Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes { result: list(reversed("done")), ..Default::default() }.into(),
        )),
        ..HistoryEvent::default()
    };
    let attributes = Failure { encoded_attributes: Some(reversed_attributes()), ..Failure::default() };
    let failed = HistoryEvent {
        attributes: Some(Attributes::WorkflowExecutionFailedEventAttributes(
            WorkflowExecutionFailedEventAttributes {
                failure: Some(Failure {
                    message: "outer".into(),
                    cause: Some(Box::new(attributes)),
                    ..Failure::default()
                }),
                ..Default::default()
            }
            .into(),
        )),
        ..HistoryEvent::default()
    };
    let page = |event: HistoryEvent| {
        Reply::message(&GetWorkflowExecutionHistoryResponse {
            history: Some(History { events: vec![event] }),
            ..GetWorkflowExecutionHistoryResponse::default()
        })
    };
    let info = WorkflowExecutionInfo {
        memo: Some(Memo { fields: [("m".to_owned(), reversed("memo"))].into() }),
        ..WorkflowExecutionInfo::default()
    };
    let server = FakeServer::replying([
        page(completed.clone()),
        page(failed),
        page(completed),
        Reply::message(&QueryWorkflowResponse { query_result: list(reversed("text")), ..Default::default() }),
        Reply::message(&DescribeWorkflowExecutionResponse {
            workflow_execution_info: Some(info),
            ..DescribeWorkflowExecutionResponse::default()
        }),
    ]);
    let handle: WorkflowHandle<Greeting> = coded(&server, Reverse).workflow_handle(Greeting, "w", None);
    assert_eq!(handle.result().await.unwrap(), "done");
    let error = handle.result().await.unwrap_err();
    assert_eq!(error.to_string(), "workflow `w` failed: outer: hidden");
    assert_eq!(data(handle.history().await.unwrap()), ["\"done\""]);
    assert_eq!(handle.query(CurrentText, String::new()).await.unwrap(), "text");
    assert_eq!(handle.describe().await.unwrap().memo::<String>("m").unwrap().as_deref(), Some("memo"));
}

/// What a failure converter that hides messages makes of the message "hidden", and a codec of that.
fn reversed_attributes() -> Payload {
    let attributes = std::collections::BTreeMap::from([("message", "hidden"), ("stack_trace", "")]);
    let attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    let payload = attributes.collect::<std::collections::BTreeMap<String, String>>().to_payload().unwrap();
    Reverse::turned(vec![payload]).remove(0)
}

#[tokio::test]
async fn g9_a_codec_that_fails_sends_nothing_and_says_so() {
    let server = FakeServer::replying([Reply::message(&QueryWorkflowResponse {
        query_result: list(payload("text")),
        ..QueryWorkflowResponse::default()
    })]);
    let client = coded(&server, Broken);
    let handle: WorkflowHandle<Greeting> = client.workflow_handle(Greeting, "w", None);
    let options = StartWorkflowOptions::new("greetings", "w");
    let start = client.start_workflow(Greeting, "Ada".into(), options).await.unwrap_err();
    assert!(matches!(start, StartWorkflowError::Codec { .. }), "{start:?}");
    let text = start.to_string();
    assert!(text.starts_with("workflow `w` was not started: ") && text.ends_with("no key"), "{text}");
    assert!(matches!(handle.signal(Approve, 1).await, Err(SignalWorkflowError::Codec { .. })));
    assert!(matches!(handle.query(CurrentText, "".into()).await, Err(QueryWorkflowError::Codec { .. })));
    assert!(server.calls().is_empty());

    // Without input there is nothing to encode; the answer cannot be decoded.
    let query = handle.untyped().query("q", Vec::new()).await.unwrap_err();
    assert!(matches!(query, QueryWorkflowError::Codec { .. }), "{query:?}");

    let completed = WorkflowExecutionCompletedEventAttributes { result: list(payload("x")), ..Default::default() };
    let event = HistoryEvent {
        attributes: Some(Attributes::WorkflowExecutionCompletedEventAttributes(completed.into())),
        ..HistoryEvent::default()
    };
    let server = FakeServer::replying([Reply::message(&GetWorkflowExecutionHistoryResponse {
        history: Some(History { events: vec![event] }),
        ..GetWorkflowExecutionHistoryResponse::default()
    })]);
    let result = coded(&server, Broken).workflow_handle(Greeting, "w", None).result().await;
    assert!(matches!(result, Err(WorkflowResultError::Codec { .. })), "{result:?}");
}

#[test]
fn futures_can_be_spawned() {
    const fn is_send<T: Send>(_: &T) {}
    let server = FakeServer::replying([Reply::Silence]);
    let client = server.client();
    let handle = handle(&server);
    is_send(&client.start_workflow(Greeting, "Ada".into(), StartWorkflowOptions::new("q", "w")));
    is_send(&handle.result());
    is_send(&handle.signal(Approve, 1));
    is_send(&handle.query(CurrentText, String::new()));
    is_send(&handle.describe());
    is_send(&handle.history());
    is_send(&handle.cancel("x"));
    is_send(&client.check_namespace());
}
