//! A server that lives in the test: it answers the RPCs of an Activity Worker as told, and remembers what it was asked.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test program uses a part, and helpers are tests"
)]

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use timewright_activity_worker::{ActivityWorker, ActivityWorkerBuilder};
use timewright_client::{Client, ClientOptions, HttpRequest, HttpResponse};
use timewright_converter::{Arguments, BoxFuture, CodecError, DataConverter, Failure, Payload, PayloadCodec};
use timewright_definition::ActivityDefinition;
use timewright_proto::common::{ActivityType, Payloads, WorkflowExecution, WorkflowType};
use timewright_proto::temporal::api::namespace::v1::NamespaceInfo;
use timewright_proto::workflow_service::*;
use timewright_proto::{Bytes, Message, prost_types};
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

/// A task that fails, unless told otherwise, is not tried again: each is given once.
#[derive(Clone, Default)]
pub struct FakeServer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<PollActivityTaskQueueResponse>,
    given: u32,
    calls: Vec<Call>,
    replies: BTreeMap<String, VecDeque<Reply>>,
    /// Polls of Task Queues whose names end so are not allowed.
    refused: Option<String>,
    /// Whether `ShutdownWorker` lets polls return.
    ends_polls: bool,
    shut_down: bool,
    open_polls: usize,
    most_open_polls: usize,
}

struct Call {
    rpc: String,
    at: Instant,
    message: Bytes,
}

/// What the server answers instead of what it usually does.
pub enum Reply {
    Message(Vec<u8>),
    Error(Code, String),
    /// As usual, but later.
    Later(Duration),
    Never,
}

impl Reply {
    pub fn message(message: &impl Message) -> Self {
        Self::Message(message.encode_to_vec())
    }

    pub fn error(code: Code, text: &str) -> Self {
        Self::Error(code, text.to_owned())
    }
}

/// A message that is sent to the server, and in which RPC.
pub trait Sent: Message + Default {
    const RPC: &'static str;
}

macro_rules! sent {
    ($($message:ident $rpc:literal),+ $(,)?) => { $(impl Sent for $message { const RPC: &'static str = $rpc; })+ };
}
sent!(
    PollActivityTaskQueueRequest "PollActivityTaskQueue",
    RecordActivityTaskHeartbeatRequest "RecordActivityTaskHeartbeat",
    RespondActivityTaskCanceledRequest "RespondActivityTaskCanceled",
    RespondActivityTaskCompletedRequest "RespondActivityTaskCompleted",
    RespondActivityTaskFailedRequest "RespondActivityTaskFailed",
    ShutdownWorkerRequest "ShutdownWorker",
);

impl FakeServer {
    /// A server that ends polls when a worker shuts down, as newer ones do.
    pub fn new() -> Self {
        let server = Self::default();
        server.0.state.lock().unwrap().ends_polls = true;
        server
    }

    /// A server whose polls go on when a worker shuts down.
    pub fn old() -> Self {
        Self::default()
    }

    pub fn client(&self) -> Client {
        self.client_with(DataConverter::default())
    }

    pub fn client_with(&self, converter: DataConverter) -> Client {
        let options = ClientOptions::new("http://fake").identity("the worker").data_converter(converter);
        Client::with_channel(options, self.clone()).unwrap()
    }

    pub fn worker(&self) -> ActivityWorkerBuilder {
        ActivityWorker::builder(self.client(), "queue")
    }

    /// Has a task ready for the next poll.
    pub fn give(&self, task: PollActivityTaskQueueResponse) {
        let mut state = self.0.state.lock().unwrap();
        state.given += 1;
        let task_token = if task.task_token.is_empty() { state.given.to_string().into() } else { task.task_token };
        state.tasks.push_back(PollActivityTaskQueueResponse { task_token, ..task });
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Answers the next call of this RPC so, and the one after that with the next reply, and so on.
    pub fn reply<M: Sent>(&self, reply: Reply) {
        self.reply_to(M::RPC, reply);
    }

    pub fn reply_to(&self, rpc: &str, reply: Reply) {
        self.0.state.lock().unwrap().replies.entry(rpc.to_owned()).or_default().push_back(reply);
    }

    /// What has been sent in this RPC, and when.
    pub fn sent<M: Sent>(&self) -> Vec<(Instant, M)> {
        let state = self.0.state.lock().unwrap();
        let calls = state.calls.iter().filter(|call| call.rpc == M::RPC);
        calls.map(|call| (call.at, M::decode(call.message.clone()).unwrap())).collect()
    }

    /// Waits until so many have been sent in this RPC, and gives them.
    pub async fn wait_for<M: Sent>(&self, count: usize) -> Vec<M> {
        let enough = async {
            loop {
                let changed = self.0.changed.notified();
                let sent = self.sent::<M>();
                if sent.len() >= count {
                    return sent.into_iter().map(|(_, message)| message).collect();
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(3600), enough)
            .await
            .unwrap_or_else(|_| panic!("{} was not called {count} times within an hour", M::RPC))
    }

    /// How often the task with this token was answered.
    pub fn answers(&self, token: &str) -> usize {
        let is_it = |task_token: &Bytes| *task_token == token.as_bytes();
        let completed = self.sent::<RespondActivityTaskCompletedRequest>();
        let failed = self.sent::<RespondActivityTaskFailedRequest>();
        let cancelled = self.sent::<RespondActivityTaskCanceledRequest>();
        completed.iter().filter(|(_, request)| is_it(&request.task_token)).count()
            + failed.iter().filter(|(_, request)| is_it(&request.task_token)).count()
            + cancelled.iter().filter(|(_, request)| is_it(&request.task_token)).count()
    }

    /// Waits until the task with this token was answered.
    pub async fn wait_for_answer(&self, token: &str) {
        let answered = async {
            loop {
                let changed = self.0.changed.notified();
                if self.answers(token) > 0 {
                    return;
                }
                changed.await;
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(3600), answered).await;
        within.unwrap_or_else(|_| panic!("task {token} was not answered within an hour"));
    }

    /// Forgets what was sent so far.
    pub fn forget(&self) {
        self.0.state.lock().unwrap().calls.clear();
    }

    /// From now on, does not allow polls of Task Queues whose names end so.
    pub fn refuse_polls_of(&self, end_of_name: &str) {
        self.0.state.lock().unwrap().refused = Some(end_of_name.to_owned());
    }

    fn is_refused(&self, poll: &Bytes) -> bool {
        let queue = PollActivityTaskQueueRequest::decode(poll.clone()).unwrap().task_queue.unwrap().name;
        self.0.state.lock().unwrap().refused.as_ref().is_some_and(|end_of_name| queue.ends_with(end_of_name))
    }

    pub fn open_polls(&self) -> usize {
        self.0.state.lock().unwrap().open_polls
    }

    pub fn most_open_polls(&self) -> usize {
        self.0.state.lock().unwrap().most_open_polls
    }

    /// Waits until so many polls are open.
    pub async fn wait_for_polls(&self, count: usize) {
        loop {
            let changed = self.0.changed.notified();
            if self.open_polls() == count {
                return;
            }
            changed.await;
        }
    }

    async fn answer(self, rpc: String, message: Bytes) -> Result<Vec<u8>, Status> {
        if rpc == "PollActivityTaskQueue" && self.is_refused(&message) {
            return Err(Status::permission_denied("this queue is not for you"));
        }
        let reply = {
            let mut state = self.0.state.lock().unwrap();
            state.calls.push(Call { rpc: rpc.clone(), at: Instant::now(), message });
            state.replies.get_mut(&rpc).and_then(VecDeque::pop_front)
        };
        self.0.changed.notify_waiters();
        match reply {
            None => self.usual(&rpc).await,
            Some(Reply::Message(message)) => Ok(message),
            Some(Reply::Error(code, text)) => Err(Status::new(code, text)),
            Some(Reply::Later(delay)) => {
                tokio::time::sleep(delay).await;
                self.usual(&rpc).await
            }
            Some(Reply::Never) => std::future::pending().await,
        }
    }

    async fn usual(&self, rpc: &str) -> Result<Vec<u8>, Status> {
        match rpc {
            "DescribeNamespace" => {
                let mut info = NamespaceInfo::default();
                let state = self.0.state.lock().unwrap();
                info.capabilities.get_or_insert_default().worker_poll_complete_on_shutdown = state.ends_polls;
                let response = DescribeNamespaceResponse { namespace_info: Some(info), ..Default::default() };
                Ok(response.encode_to_vec())
            }
            "PollActivityTaskQueue" => Ok(self.poll().await.encode_to_vec()),
            "ShutdownWorker" => {
                let mut state = self.0.state.lock().unwrap();
                state.shut_down = state.ends_polls;
                drop(state);
                self.0.changed.notify_waiters();
                Ok(Vec::new())
            }
            "RespondActivityTaskCompleted"
            | "RespondActivityTaskFailed"
            | "RespondActivityTaskCanceled"
            | "RecordActivityTaskHeartbeat" => Ok(Vec::new()),
            other => Err(Status::unimplemented(format!("unknown method {other}"))),
        }
    }

    /// A task, or after a minute nothing.
    async fn poll(&self) -> PollActivityTaskQueueResponse {
        let _open = OpenPoll::new(self.clone());
        let task = async {
            loop {
                let changed = self.0.changed.notified();
                {
                    let mut state = self.0.state.lock().unwrap();
                    if let Some(task) = state.tasks.pop_front() {
                        return task;
                    }
                    if state.shut_down {
                        return PollActivityTaskQueueResponse::default();
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap_or_default()
    }
}

struct OpenPoll(FakeServer);

impl OpenPoll {
    fn new(server: FakeServer) -> Self {
        let mut state = server.0.state.lock().unwrap();
        state.open_polls += 1;
        state.most_open_polls = state.most_open_polls.max(state.open_polls);
        drop(state);
        server.0.changed.notify_waiters();
        Self(server)
    }
}

impl Drop for OpenPoll {
    fn drop(&mut self) {
        self.0.0.state.lock().unwrap().open_polls -= 1;
        self.0.0.changed.notify_waiters();
    }
}

impl Service<HttpRequest> for FakeServer {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let rpc = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            // A flag and the length come before the message.
            Ok(match server.answer(rpc, body.slice(5..)).await {
                Ok(message) => {
                    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                    let frame: Vec<u8> = [0].into_iter().chain(length).chain(message).collect();
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    let body = Full::new(Bytes::from(frame)).with_trailers(async { Some(Ok(trailers)) });
                    http::Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
                }
                Err(status) => status.into_http(),
            })
        })
    }
}

/// A task of a workflow with these arguments.
pub fn task(activity_type: &str, arguments: impl Arguments) -> PollActivityTaskQueueResponse {
    let time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 });
    PollActivityTaskQueueResponse {
        workflow_namespace: "default".into(),
        workflow_type: Some(WorkflowType { name: "Order".into() }),
        workflow_execution: Some(WorkflowExecution { workflow_id: "order-1".into(), run_id: "run".into() }),
        activity_type: Some(ActivityType { name: activity_type.into() }),
        activity_id: "7".into(),
        input: Some(Payloads { payloads: arguments.to_payloads().unwrap() }),
        scheduled_time: time,
        current_attempt_scheduled_time: time,
        started_time: time,
        attempt: 1,
        start_to_close_timeout: seconds(3000),
        ..Default::default()
    }
}

pub fn seconds(seconds: u64) -> Option<prost_types::Duration> {
    Some(Duration::from_secs(seconds).try_into().unwrap())
}

pub fn failure(request: RespondActivityTaskFailedRequest) -> Failure {
    DataConverter::default().failure_from_proto(request.failure.unwrap())
}

pub fn value<T: Arguments>(payloads: Option<Payloads>) -> T {
    T::from_payloads(payloads.unwrap().payloads).unwrap()
}

/// Runs a worker until the test's future is ready, and stops it then. Gives what the future gave.
pub async fn while_running<T>(builder: ActivityWorkerBuilder, test: impl Future<Output = T>) -> T {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = tokio::spawn(builder.build().unwrap().run(async { drop(stopped.await) }));
    let output = test.await;
    drop(stop);
    worker.await.unwrap().unwrap();
    output
}

/// A Payload Codec that inverts all bytes, and fails as often as it is told to.
#[derive(Clone, Default)]
pub struct Invert {
    pub failing_encodes: Arc<AtomicUsize>,
    pub failing_decodes: Arc<AtomicUsize>,
}

impl Invert {
    fn run(payloads: Vec<Payload>, failing: &AtomicUsize) -> BoxFuture<'static, Result<Vec<Payload>, CodecError>> {
        let fails = failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        Box::pin(async move {
            if fails {
                return Err(CodecError::new("the key service is away"));
            }
            let invert = |bytes: Bytes| bytes.iter().map(|byte| !byte).collect::<Bytes>();
            let payload = |payload: Payload| Payload { data: invert(payload.data), ..payload };
            Ok(payloads.into_iter().map(payload).collect())
        })
    }
}

impl PayloadCodec for Invert {
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Self::run(payloads, &self.failing_encodes)
    }

    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
        Self::run(payloads, &self.failing_decodes)
    }
}

/// Any of the activities of the tests.
pub struct Text;
impl ActivityDefinition for Text {
    const NAME: &'static str = "Text";
    type Input = String;
    type Output = String;
}

/// Another.
pub struct Number;
impl ActivityDefinition for Number {
    const NAME: &'static str = "Number";
    type Input = u64;
    type Output = u64;
}

/// One without input and output.
pub struct Nothing;
impl ActivityDefinition for Nothing {
    const NAME: &'static str = "Nothing";
    type Input = ();
    type Output = ();
}

pub fn payload(text: &str) -> Payload {
    timewright_converter::Value::to_payload(&text.to_owned()).unwrap()
}
