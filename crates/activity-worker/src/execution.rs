//! User code, and what happens around it while it runs: heartbeats, timeouts, cancellation.

use std::sync::Arc;
use std::time::Instant;

use timewright_client::{Client, RpcError};
use timewright_converter::{BoxFuture, Payload};
use timewright_proto::common::Payloads;
use timewright_proto::workflow_service::RecordActivityTaskHeartbeatRequest;
use timewright_proto::{Bytes, Message};
use timewright_protocol::activity::{
    ActivityOutcome, ActivityTask, Attempt, AttemptOptions, AttemptOutput, CancelReason, Completion, HeartbeatAnswer,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::{BoxError, ServiceExt};
use tracing::Instrument;

use crate::commands::RunningAttempt;
use crate::handler::panic_of;
use crate::slot::AttemptSlot;
use crate::{ActivityContext, ActivityRequest, ActivityService, failures};

/// What an attempt needs of its worker.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) client: Client,
    pub(crate) service: ActivityService,
    pub(crate) options: AttemptOptions,
    /// The largest Payloads that the server takes, in bytes.
    pub(crate) size_limit: usize,
    /// The Task Queue that user code's metrics name, if not its own.
    pub(crate) metrics_task_queue: Option<Arc<str>>,
    /// Whether the worker has begun to shut down.
    pub(crate) worker_shutdown: watch::Receiver<bool>,
    /// Whether the grace period is over after that.
    pub(crate) grace_over: watch::Receiver<bool>,
}

/// How an attempt ended.
pub(crate) struct Ended {
    pub(crate) completion: Completion,
    /// The newest details that it heartbeated.
    pub(crate) newest_heartbeat: Option<Vec<Payload>>,
    /// User code panicked. Its failure alone does not tell: anybody may name the type of one so.
    pub(crate) has_panicked: bool,
}

/// Executes a task until user code has ended. What is to happen when, [`Attempt`] decides; here it is done. By `commands` the
/// server's commands have found it since it arrived.
///
/// No `async fn`: it would have room for the whole task as long as it runs, whose parts are elsewhere by then.
pub(crate) fn execute(
    mut task: ActivityTask,
    received_at: Instant,
    surroundings: Surroundings,
    slot: AttemptSlot,
    commands: RunningAttempt,
) -> impl Future<Output = Ended> {
    let Surroundings { client, service, options, size_limit, metrics_task_queue, worker_shutdown, grace_over } =
        surroundings;
    let (cancel, cancel_reason) = watch::channel(None);
    let attempt = Attempt::new(&task.info, options, received_at);
    let input = std::mem::take(&mut task.input);
    let context = ActivityContext::new(
        task,
        client.clone(),
        size_limit,
        metrics_task_queue,
        cancel_reason,
        worker_shutdown,
        slot,
    );
    let user_code = UserCode::spawn(service, ActivityRequest { context: context.clone(), input });
    let execution = Execution { attempt, user_code, context, client, size_limit, cancel, grace_over, commands };
    execution.run()
}

/// An attempt whose user code runs.
struct Execution {
    attempt: Attempt,
    user_code: UserCode,
    context: ActivityContext,
    client: Client,
    size_limit: usize,
    cancel: watch::Sender<Option<CancelReason>>,
    grace_over: watch::Receiver<bool>,
    commands: RunningAttempt,
}

impl Execution {
    async fn run(mut self) -> Ended {
        let mut sending: Option<Sending> = None;
        let mut shutdown_told = false;
        loop {
            if let Some(details) = self.context.take_heartbeat() {
                self.attempt.handle_heartbeat(details, now());
            }
            while let Some(output) = self.attempt.poll_output() {
                match output {
                    AttemptOutput::SendHeartbeat(details) => {
                        let task_token = self.context.task_token().clone();
                        sending = Some(send(self.client.clone(), task_token, details, self.size_limit));
                    }
                    AttemptOutput::Cancel(reason) => tell(&self.cancel, reason),
                    AttemptOutput::Complete(completion) => return self.end(completion),
                }
            }
            let Self { attempt, user_code, context, grace_over, commands, .. } = &mut self;
            tokio::select! {
                // User code's end before all else; heartbeats last, since they may come without pause.
                biased;
                outcome = user_code.ended(&context.info().activity_type) => {
                    if let Some(details) = context.take_heartbeat() {
                        attempt.handle_heartbeat(details, now());
                    }
                    attempt.handle_outcome(outcome);
                }
                answer = answer(&mut sending) => {
                    sending = None;
                    attempt.handle_heartbeat_answer(answer, now());
                }
                () = commands.cancel_requested() => attempt.handle_cancel_requested(now()),
                () = is_true(grace_over), if !shutdown_told => {
                    shutdown_told = true;
                    attempt.handle_worker_shutdown(now());
                }
                () = sleep_until(attempt.poll_timeout()) => attempt.handle_timeout(now()),
                // While one waits for its time, newer ones only replace its details, for which nobody needs to wake up.
                () = context.heartbeat_given(), if !attempt.is_heartbeat_waiting() => (),
            }
        }
    }

    fn end(self, completion: Completion) -> Ended {
        if !matches!(completion, Completion::WillCompleteAsynchronously { .. }) {
            // For what the activity left running: tasks it spawned, blocking code that a layer gave up.
            self.cancel.send_modify(|reason| *reason = reason.or(Some(CancelReason::NotFound)));
        }
        let newest_heartbeat = self.attempt.newest_heartbeat().map(<[_]>::to_vec);
        Ended { completion, newest_heartbeat, has_panicked: self.user_code.has_panicked }
    }
}

/// User code on a task of its own, so that however long it computes between two awaits, heartbeats go on, and its panics stay
/// its own.
pub(crate) struct UserCode {
    task: JoinHandle<Result<ActivityOutcome, BoxError>>,
    has_panicked: bool,
}

impl UserCode {
    pub(crate) fn spawn(service: ActivityService, request: ActivityRequest) -> Self {
        Self { task: tokio::spawn(service.oneshot(request).in_current_span()), has_panicked: false }
    }

    pub(crate) async fn ended(&mut self, activity_type: &str) -> ActivityOutcome {
        match (&mut self.task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => ActivityOutcome::Failed(failures::plain(&failures::layer(&error))),
            Err(error) => {
                self.has_panicked = true;
                failures::outcome(failures::panicked(activity_type, &*panic_of(error)))
            }
        }
    }
}

impl Drop for UserCode {
    /// If the whole worker is dropped, user code does not go on unsupervised. Blocking code cannot be stopped.
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn tell(cancel: &watch::Sender<Option<CancelReason>>, reason: CancelReason) {
    tracing::info!("told the activity to stop: {reason}");
    cancel.send_replace(Some(reason));
}

type Sending = BoxFuture<'static, HeartbeatAnswer>;

async fn answer(sending: &mut Option<Sending>) -> HeartbeatAnswer {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

/// Sends one heartbeat. What becomes of it is never the activity's problem.
pub(crate) fn send(client: Client, task_token: Bytes, details: Vec<Payload>, size_limit: usize) -> Sending {
    Box::pin(send_unboxed(client, task_token, details, size_limit))
}

async fn send_unboxed(client: Client, task_token: Bytes, details: Vec<Payload>, size_limit: usize) -> HeartbeatAnswer {
    let mut request = RecordActivityTaskHeartbeatRequest {
        task_token,
        details: Some(Payloads { payloads: details }),
        identity: client.identity().to_owned(),
        namespace: client.namespace().to_owned(),
        ..RecordActivityTaskHeartbeatRequest::default()
    };
    if let Err(error) = client.data_converter().encode(&mut request).await {
        tracing::warn!("a heartbeat is not sent, because its details cannot be encoded: {error}");
        return HeartbeatAnswer::Lost;
    }
    // The server would fail the activity for good.
    let size = request.details.as_ref().map_or(0, Message::encoded_len);
    if size > size_limit {
        tracing::warn!(
            "a heartbeat is not sent, because its details have {size} bytes after the Payload Codecs, and the server takes \
             at most {size_limit}"
        );
        return HeartbeatAnswer::Lost;
    }
    match client.workflow_service().record_activity_task_heartbeat(request).await.map_err(RpcError::from) {
        Ok(response) => {
            let response = response.into_inner();
            HeartbeatAnswer::Confirmed {
                cancel_requested: response.cancel_requested,
                paused: response.activity_paused,
                reset: response.activity_reset,
            }
        }
        Err(error) if error.code() == timewright_client::Code::NotFound => HeartbeatAnswer::NotFound,
        Err(error) => {
            tracing::warn!("a heartbeat was lost; the next one is sent in its time: {error}");
            HeartbeatAnswer::Lost
        }
    }
}

/// By tokio's clock, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits until it is true; for ever, if that cannot be any more.
pub(crate) async fn is_true(receiver: &mut watch::Receiver<bool>) {
    if receiver.wait_for(|value| *value).await.is_err() {
        std::future::pending().await
    }
}
