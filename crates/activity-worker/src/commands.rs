//! What the server tells a worker of its own accord: that an activity is to be cancelled, whether it heartbeats or not.
//!
//! It does so with a Nexus operation on a Task Queue that only this worker polls. Commands are a favour: what a worker does not hear
//! this way, it hears from heartbeats and timeouts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timewright_client::{
    CallKind, Client, Polled, RpcError, SlotKind, SlotRequest, TaskPoller, TaskSource, WorkerSlots, jitter_seed,
};
use timewright_converter::BoxFuture;
use timewright_proto::common::Payload;
use timewright_proto::enums::TaskQueueKind;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::nexus::v1::{
    HandlerError, Response, StartOperationResponse, request, response, start_operation_response,
};
use timewright_proto::temporal::api::worker::v1::{
    CancelActivityResult, WorkerCommand, WorkerCommandResult, worker_command, worker_command_result,
};
use timewright_proto::worker_service::{EXECUTE_COMMANDS, ExecuteCommandsRequest, ExecuteCommandsResponse, SERVICE};
use timewright_proto::workflow_service::{
    PollNexusTaskQueueRequest, PollNexusTaskQueueResponse, RespondNexusTaskCompletedRequest,
    RespondNexusTaskFailedRequest,
};
use timewright_proto::{Bytes, Message};
use timewright_protocol::task_queue::{PollHints, Poller, PollerBehavior, QueueKind};
use tokio::sync::Notify;

/// The Task Queue for the commands to one worker.
pub(crate) fn task_queue(namespace: &str, worker_instance_key: &str) -> String {
    format!("/temporal-sys/worker-commands/{namespace}/{worker_instance_key}")
}

/// Does what the server says, until it is dropped, or the server refuses for good to say anything.
pub(crate) fn obey(client: Client, task_queue: String, attempts: RunningAttempts) -> BoxFuture<'static, ()> {
    Box::pin(obey_commands(client, task_queue, attempts))
}

async fn obey_commands(client: Client, task_queue: String, attempts: RunningAttempts) {
    // The second slot is for the poll that is open while a command is answered.
    let slots = WorkerSlots::fixed(2);
    let options = slots.poller_options().behavior(PollerBehavior::Fixed { maximum: 1 }).jitter_seed(jitter_seed());
    let poller = Poller::new(options).expect("these options are right");
    // Nobody supplies these slots, so that nobody is asked.
    let request = SlotRequest::new(SlotKind::Activity, &*task_queue).of(&client);
    let source = CommandSource { client: client.clone(), task_queue };
    let mut polls = TaskPoller::start(source, poller, &slots, request);
    while let Some(polled) = polls.next().await {
        match polled {
            Ok((task, slot)) => {
                answer(&client, task, &attempts).await;
                drop(slot);
            }
            Err(error) => tracing::warn!(
                "activities that do not heartbeat are not told when they are cancelled, because the server's commands to this \
                 worker do not arrive; let workers poll the Task Queues whose names begin with \
                 `/temporal-sys/worker-commands/`, or let activities heartbeat: {error}"
            ),
        }
    }
}

/// The attempts that a worker executes, by their task tokens. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct RunningAttempts(Arc<Mutex<BTreeMap<Bytes, Arc<Notify>>>>);

impl RunningAttempts {
    /// From now on it can be told something, until what is returned is dropped. To be called as soon as a task is there: a command
    /// that comes before counts as executed, and does not come again.
    pub(crate) fn register(&self, task_token: Bytes) -> RunningAttempt {
        let cancel = Arc::new(Notify::new());
        self.attempts().insert(task_token.clone(), Arc::clone(&cancel));
        RunningAttempt { attempts: self.clone(), task_token, cancel }
    }

    fn cancel(&self, task_token: &Bytes) {
        if let Some(cancel) = self.attempts().get(task_token) {
            cancel.notify_one();
        }
    }

    fn attempts(&self) -> MutexGuard<'_, BTreeMap<Bytes, Arc<Notify>>> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that is being executed.
pub(crate) struct RunningAttempt {
    attempts: RunningAttempts,
    task_token: Bytes,
    cancel: Arc<Notify>,
}

impl RunningAttempt {
    /// Waits until the server asks for its cancellation; if it has done so before anybody waited, that counts.
    pub(crate) async fn cancel_requested(&self) {
        self.cancel.notified().await;
    }
}

impl Drop for RunningAttempt {
    fn drop(&mut self) {
        // Not another's that was given the same task meanwhile.
        let mut attempts = self.attempts.attempts();
        if attempts.get(&self.task_token).is_some_and(|cancel| Arc::ptr_eq(cancel, &self.cancel)) {
            attempts.remove(&self.task_token);
        }
    }
}

/// Polls for commands. Not with the worker's key: the server ends its polls when the worker begins to shut down, and activities
/// may be cancelled until it has ended.
struct CommandSource {
    client: Client,
    task_queue: String,
}

impl TaskSource for CommandSource {
    type Task = PollNexusTaskQueueResponse;

    async fn poll(&self, _queue: QueueKind, group: Option<&str>) -> Result<Polled<Self::Task>, RpcError> {
        let request = PollNexusTaskQueueRequest {
            namespace: self.client.namespace().to_owned(),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::WorkerCommands.into(),
                ..TaskQueue::default()
            }),
            identity: self.client.identity().to_owned(),
            poller_group_id: group.unwrap_or_default().to_owned(),
            ..PollNexusTaskQueueRequest::default()
        };
        let request = CallKind::TaskPoll.request(request);
        let mut response = self.client.workflow_service().poll_nexus_task_queue(request).await?.into_inner();
        let hints = PollHints::read(
            response.poller_scaling_decision.take(),
            response.poller_groups_info.take(),
            std::mem::take(&mut response.poller_group_infos),
        );
        Ok(Polled { task: (!response.task_token.is_empty()).then_some(response), hints })
    }

    fn type_name<'a>(&self, _task: &'a Self::Task) -> &'a str {
        EXECUTE_COMMANDS
    }

    fn describe(&self, _queue: QueueKind) -> String {
        format!("the server's commands on `{}`", self.task_queue)
    }
}

/// Executes the commands of one task, and tells the server.
async fn answer(client: &Client, task: PollNexusTaskQueueResponse, attempts: &RunningAttempts) {
    let PollNexusTaskQueueResponse { task_token, request, poller_group_id, .. } = task;
    let mut service = client.workflow_service();
    let (namespace, identity) = (client.namespace().to_owned(), client.identity().to_owned());
    let answered = match execute(request.and_then(|request| request.variant), attempts) {
        Ok(response) => {
            let response = Some(response);
            let request =
                RespondNexusTaskCompletedRequest { namespace, identity, task_token, response, poller_group_id };
            service.respond_nexus_task_completed(request).await.map(|_| ())
        }
        Err(error_type) => {
            tracing::debug!("the server has sent a command that this worker does not know: {error_type}");
            let error = HandlerError { error_type: error_type.to_owned(), ..HandlerError::default() };
            let request = RespondNexusTaskFailedRequest {
                namespace,
                identity,
                task_token,
                error: Some(error),
                poller_group_id,
                ..RespondNexusTaskFailedRequest::default()
            };
            service.respond_nexus_task_failed(request).await.map(|_| ())
        }
    };
    if let Err(status) = answered {
        // It sends the command again, which does no harm.
        let error = RpcError::from(status);
        tracing::debug!(%error, "the server has not heard that its command was executed");
    }
}

/// An error is what Nexus calls its type.
fn execute(variant: Option<request::Variant>, attempts: &RunningAttempts) -> Result<Response, &'static str> {
    let operation = match variant {
        Some(request::Variant::StartOperation(operation)) if operation.service == SERVICE => operation,
        _ => return Err("NOT_FOUND"),
    };
    if operation.operation != EXECUTE_COMMANDS {
        return Err("NOT_FOUND");
    }
    let payload = operation.payload.unwrap_or_default();
    let Ok(ExecuteCommandsRequest { commands }) = ExecuteCommandsRequest::decode(payload.data) else {
        return Err("BAD_REQUEST");
    };
    let results = commands.iter().map(|command| execute_command(command, attempts)).collect();
    let payload = Payload {
        metadata: BTreeMap::from([("encoding".to_owned(), Bytes::from_static(b"binary/protobuf"))]),
        data: ExecuteCommandsResponse { results }.encode_to_vec().into(),
        ..Payload::default()
    };
    let success =
        start_operation_response::Sync { payload: Some(payload), ..start_operation_response::Sync::default() };
    let variant = start_operation_response::Variant::SyncSuccess(success);
    let response = StartOperationResponse { variant: Some(variant) };
    Ok(Response { variant: Some(response::Variant::StartOperation(response)) })
}

/// A command that concerns nobody here has been executed: what it was for has ended.
fn execute_command(command: &WorkerCommand, attempts: &RunningAttempts) -> WorkerCommandResult {
    let result = match &command.r#type {
        Some(worker_command::Type::CancelActivity(cancel)) => {
            attempts.cancel(&cancel.task_token);
            Some(worker_command_result::Type::CancelActivity(CancelActivityResult {}))
        }
        None => None,
    };
    WorkerCommandResult { r#type: result }
}

#[cfg(test)]
mod tests {
    use timewright_proto::temporal::api::nexus::v1::StartOperationRequest;
    use timewright_proto::temporal::api::worker::v1::CancelActivityCommand;

    use super::*;

    fn operation(service: &str, operation: &str, data: &[u8]) -> Option<request::Variant> {
        Some(request::Variant::StartOperation(StartOperationRequest {
            service: service.to_owned(),
            operation: operation.to_owned(),
            payload: Some(Payload { data: Bytes::copy_from_slice(data), ..Payload::default() }),
            ..StartOperationRequest::default()
        }))
    }

    fn cancel(task_token: &'static [u8]) -> WorkerCommand {
        let task_token = Bytes::from_static(task_token);
        WorkerCommand { r#type: Some(worker_command::Type::CancelActivity(CancelActivityCommand { task_token })) }
    }

    fn results(response: Response) -> usize {
        let Some(response::Variant::StartOperation(response)) = response.variant else { panic!("{response:?}") };
        let Some(start_operation_response::Variant::SyncSuccess(success)) = response.variant else {
            panic!("{response:?}")
        };
        ExecuteCommandsResponse::decode(success.payload.unwrap().data).unwrap().results.len()
    }

    /// The server tries a command again that is not answered with success, and for one whose activity has ended there is none.
    #[test]
    fn each_command_is_answered_also_those_that_concern_nobody() {
        let attempts = RunningAttempts::default();
        let running = attempts.register(Bytes::from_static(b"running"));
        let commands = vec![cancel(b"ended"), WorkerCommand::default(), cancel(b"running"), cancel(b"running")];
        let data = ExecuteCommandsRequest { commands }.encode_to_vec();
        assert_eq!(results(execute(operation(SERVICE, EXECUTE_COMMANDS, &data), &attempts).unwrap()), 4);
        let told = || is_ready(running.cancel_requested());
        assert_eq!((told(), told()), (true, false), "it is told once");
        drop(running);
        assert!(attempts.attempts().is_empty(), "nothing is kept of what has ended");
    }

    /// Its task is still being decoded, say.
    #[test]
    fn a_command_that_comes_before_the_attempt_listens_is_heard() {
        let attempts = RunningAttempts::default();
        let running = attempts.register(Bytes::from_static(b"running"));
        execute_command(&cancel(b"running"), &attempts);
        assert!(is_ready(running.cancel_requested()));
    }

    #[test]
    fn the_end_of_an_attempt_leaves_another_of_the_same_task_alone() {
        let attempts = RunningAttempts::default();
        let first = attempts.register(Bytes::from_static(b"same"));
        let second = attempts.register(Bytes::from_static(b"same"));
        drop(first);
        execute_command(&cancel(b"same"), &attempts);
        assert!(is_ready(second.cancel_requested()));
        drop(second);
        assert!(attempts.attempts().is_empty());
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let refusal = |variant| execute(variant, &RunningAttempts::default()).unwrap_err();
        assert_eq!(refusal(None), "NOT_FOUND");
        assert_eq!(refusal(operation("somebody.else", EXECUTE_COMMANDS, b"")), "NOT_FOUND");
        assert_eq!(refusal(operation(SERVICE, "Explode", b"")), "NOT_FOUND");
        assert_eq!(refusal(operation(SERVICE, EXECUTE_COMMANDS, b"\xff\xff")), "BAD_REQUEST");
    }

    /// Whether it is ready at once.
    fn is_ready(future: impl Future<Output = ()>) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(future).poll(&mut context).is_ready()
    }
}
