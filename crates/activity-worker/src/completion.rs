//! Tells the server how an attempt ended.

use std::time::{Duration, Instant};

use timewright_client::{Client, Code, RpcError};
use timewright_converter::{
    ApplicationFailure, BoxFuture, CodecError, DataConverter, DefaultFailureConverter, ErrorCategory, Failure,
    FailureConverter, FailureKind, Payload,
};
use timewright_proto::common::Payloads;
use timewright_proto::failure::Failure as ProtoFailure;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;
use timewright_proto::workflow_service::{
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
use timewright_proto::{Bytes, Message};
use timewright_protocol::activity::Completion;
use timewright_protocol::task_queue::ErrorClass;
use tokio::sync::watch;

use crate::execution::{Ended, now, send};
use crate::failures;

/// The task whose end is told.
pub(crate) struct Told<'a> {
    pub(crate) task_token: Bytes,
    pub(crate) activity_type: &'a str,
    /// Until when it makes sense to try; the server has given the attempt up by then.
    pub(crate) until: Option<Instant>,
}

/// Tells ends: encodes, checks sizes, sends, tries again.
pub(crate) struct Completer {
    pub(crate) client: Client,
    /// The largest Payloads that the server takes, in bytes.
    pub(crate) size_limit: usize,
    pub(crate) deployment: Option<WorkerDeploymentOptions>,
    /// When this is true, there is no more time.
    pub(crate) grace_over: watch::Receiver<bool>,
}

impl Completer {
    /// Tells the server how the attempt ended. If that cannot be sent, the attempt fails with the reason, so that it is never
    /// left to time out. Whether it has failed.
    ///
    /// In a box, so that an attempt that still runs has no room for the calls to the server that come after it: 7 KB of
    /// 17.
    pub(crate) fn complete<'a>(&'a self, told: &'a Told<'_>, ended: Ended) -> BoxFuture<'a, bool> {
        Box::pin(self.complete_unboxed(told, ended))
    }

    async fn complete_unboxed(&self, told: &Told<'_>, ended: Ended) -> bool {
        let Ended { completion, mut newest_heartbeat, .. } = ended;
        if let Completion::WillCompleteAsynchronously { unconfirmed_heartbeat } = completion {
            tracing::debug!("somebody else will complete the activity");
            if let Some(details) = unconfirmed_heartbeat {
                // What comes of it is the business of whoever completes the activity.
                let _ = send(self.client.clone(), told.task_token.clone(), details, self.size_limit).await;
            }
            return false;
        }
        let Some(mut request) = self.request(told, completion) else { return false };
        // At most three: as it is, with the reason why not, and that without heartbeat details.
        for is_replacement in [false, true, true] {
            let name = request.name();
            let failure = request.failure();
            let Err(refusal) = self.deliver(told, request, is_replacement).await else { return failure.is_some() };
            if !matches!(refusal, Refusal::TooLarge { what: RESULT | CANCELLATION | FAILURE, .. }) {
                newest_heartbeat = None;
            }
            let details = newest_heartbeat.clone();
            request = Request::Failed(Box::new(self.replacement(told, name, failure, &refusal, details)));
        }
        tracing::error!("the end of the attempt cannot be told; the server will let it time out");
        true
    }

    /// Fails an attempt whose user code was not even called.
    pub(crate) async fn fail(&self, told: &Told<'_>, failure: ApplicationFailure) -> bool {
        let failure = failures::plain(&failure.into());
        let completion = Completion::Failed { failure, last_heartbeat_details: None };
        self.complete(told, Ended { completion, newest_heartbeat: None, has_panicked: false }).await
    }

    /// Fails an attempt around which something panicked. Whatever of the user's code could panic again is left out.
    pub(crate) fn fail_plainly<'a>(&'a self, told: &'a Told<'_>, failure: ApplicationFailure) -> BoxFuture<'a, ()> {
        let failure = failure.into();
        log(&failure);
        let request = self.failed(told, &failure, &DataConverter::default(), None);
        Box::pin(async move {
            // It has no Payload, so that there is nothing to refuse.
            if let Err(refusal) = self.deliver(told, Request::Failed(Box::new(request)), true).await {
                tracing::error!("the end of the attempt cannot be told; the server will let it time out: {refusal:?}");
            }
        })
    }

    fn request(&self, told: &Told<'_>, completion: Completion) -> Option<Request> {
        let (task_token, identity) = (told.task_token.clone(), self.client.identity().to_owned());
        let namespace = self.client.namespace().to_owned();
        Some(match completion {
            Completion::Completed { result } => Request::Completed(RespondActivityTaskCompletedRequest {
                task_token,
                result: Some(Payloads { payloads: vec![result] }),
                identity,
                namespace,
                deployment_options: self.deployment.clone(),
                ..RespondActivityTaskCompletedRequest::default()
            }),
            Completion::Cancelled { details } => Request::Cancelled(RespondActivityTaskCanceledRequest {
                task_token,
                details: (!details.is_empty()).then_some(Payloads { payloads: details }),
                identity,
                namespace,
                deployment_options: self.deployment.clone(),
                ..RespondActivityTaskCanceledRequest::default()
            }),
            Completion::Failed { failure, last_heartbeat_details } => {
                let failure = DefaultFailureConverter::default().deserialize(*failure);
                log(&failure);
                Request::Failed(Box::new(self.failed(told, &failure, self.converter(), last_heartbeat_details)))
            }
            Completion::WillCompleteAsynchronously { .. } => return None,
        })
    }

    fn failed(
        &self,
        told: &Told<'_>,
        failure: &Failure,
        converter: &DataConverter,
        last_heartbeat_details: Option<Vec<Payload>>,
    ) -> RespondActivityTaskFailedRequest {
        RespondActivityTaskFailedRequest {
            task_token: told.task_token.clone(),
            failure: Some(converter.failure_to_proto(failure)),
            identity: self.client.identity().to_owned(),
            namespace: self.client.namespace().to_owned(),
            last_heartbeat_details: last_heartbeat_details.map(|payloads| Payloads { payloads }),
            deployment_options: self.deployment.clone(),
            ..RespondActivityTaskFailedRequest::default()
        }
    }

    /// The failure that takes the place of what could not be sent.
    fn replacement(
        &self,
        told: &Told<'_>,
        refused: &str,
        refused_failure: Option<ProtoFailure>,
        refusal: &Refusal,
        details: Option<Vec<Payload>>,
    ) -> RespondActivityTaskFailedRequest {
        match refusal {
            // Without any Payload: the codec that could not encode the one would not encode another.
            Refusal::Codec(error) => {
                let failure = failures::codec(told.activity_type, refused, error).into();
                log(&failure);
                self.failed(told, &failure, &DataConverter::default(), None)
            }
            Refusal::TooLarge { what, size } => {
                let failure = failures::too_large(told.activity_type, what, *size, self.size_limit);
                let mut failure = Failure::from(failure);
                log(&failure);
                if let Some(original) = refused_failure {
                    shorten_into(&mut failure, self.converter().failure_from_proto(original));
                }
                self.failed(told, &failure, self.converter(), details)
            }
        }
    }

    async fn deliver(&self, told: &Told<'_>, mut request: Request, is_replacement: bool) -> Result<(), Refusal> {
        request.encode(self.converter()).await.map_err(Refusal::Codec)?;
        for (what, size) in request.sizes() {
            // A failure made here is short. If it is still too long for a server, that server may shorten it.
            if size > self.size_limit && !(is_replacement && what == FAILURE) {
                return Err(Refusal::TooLarge { what, size: Some(size) });
            }
        }
        loop {
            let Err(error) = request.send(&self.client).await else { return Ok(()) };
            match error.class() {
                ErrorClass::MessageTooLarge => return Err(Refusal::TooLarge { what: request.name(), size: None }),
                _ if error.code() == Code::NotFound => {
                    tracing::warn!(
                        "the server does not know this attempt any more: it timed out, or its workflow has ended; {} is \
                         dropped",
                        request.name()
                    );
                    return Ok(());
                }
                ErrorClass::Retryable | ErrorClass::ResourceExhausted | ErrorClass::DeadlineExceeded
                    if self.has_time(told) =>
                {
                    tracing::warn!("{} could not be told yet, trying again: {error}", request.name());
                    // The stack below has tried for longer than this.
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                _ => {
                    tracing::error!("{} could not be told, and the attempt will time out: {error}", request.name());
                    return Ok(());
                }
            }
        }
    }

    /// Whether the server may still wait for this attempt's end, and the worker too.
    fn has_time(&self, told: &Told<'_>) -> bool {
        told.until.is_some_and(|until| now() < until) && !*self.grace_over.borrow()
    }

    fn converter(&self) -> &DataConverter {
        self.client.data_converter()
    }
}

/// Between two calls, each of which the client's stack has tried several times.
const RETRY_DELAY: Duration = Duration::from_secs(1);

const RESULT: &str = "the result";
const CANCELLATION: &str = "the details of the cancellation";
const FAILURE: &str = "the failure";
const HEARTBEAT: &str = "the last heartbeat's details";

/// Why something cannot be sent.
#[derive(Debug)]
enum Refusal {
    Codec(CodecError),
    TooLarge { what: &'static str, size: Option<usize> },
}

#[derive(Clone)]
enum Request {
    Cancelled(RespondActivityTaskCanceledRequest),
    Completed(RespondActivityTaskCompletedRequest),
    Failed(Box<RespondActivityTaskFailedRequest>),
}

impl Request {
    fn name(&self) -> &'static str {
        match self {
            Self::Cancelled(_) => CANCELLATION,
            Self::Completed(_) => RESULT,
            Self::Failed(_) => FAILURE,
        }
    }

    /// The failure that it tells, before Payload Codecs.
    fn failure(&self) -> Option<ProtoFailure> {
        match self {
            Self::Cancelled(_) | Self::Completed(_) => None,
            Self::Failed(request) => Some(request.failure.clone().unwrap_or_default()),
        }
    }

    async fn encode(&mut self, converter: &DataConverter) -> Result<(), CodecError> {
        match self {
            Self::Cancelled(request) => converter.encode(request).await,
            Self::Completed(request) => converter.encode(request).await,
            Self::Failed(request) => converter.encode(&mut **request).await,
        }
    }

    /// What the server measures, in bytes.
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        fn size<M: Message>(message: &Option<M>) -> usize {
            message.as_ref().map_or(0, Message::encoded_len)
        }
        match self {
            Self::Cancelled(request) => vec![(CANCELLATION, size(&request.details))],
            Self::Completed(request) => vec![(RESULT, size(&request.result))],
            Self::Failed(request) => {
                vec![(FAILURE, size(&request.failure)), (HEARTBEAT, size(&request.last_heartbeat_details))]
            }
        }
    }

    async fn send(&self, client: &Client) -> Result<(), RpcError> {
        let mut service = client.workflow_service();
        match self.clone() {
            Self::Cancelled(request) => service.respond_activity_task_canceled(request).await.map(drop)?,
            Self::Completed(request) => service.respond_activity_task_completed(request).await.map(drop)?,
            Self::Failed(request) => service.respond_activity_task_failed(*request).await.map(drop)?,
        }
        Ok(())
    }
}

/// Makes what can be kept of a failure that is too large the cause of another: whether it forbids another attempt, its type, and
/// the beginning of its message.
fn shorten_into(failure: &mut Failure, original: Failure) {
    let FailureKind::Application { type_name, non_retryable, next_retry_delay, category, .. } = original.kind else {
        return;
    };
    if let FailureKind::Application {
        non_retryable: outer_non_retryable,
        next_retry_delay: outer_delay,
        category: outer_category,
        ..
    } = &mut failure.kind
    {
        (*outer_non_retryable, *outer_delay, *outer_category) = (non_retryable, next_retry_delay, category);
    }
    let cause = ApplicationFailure::new(head(&original.message)).with_type(head(&type_name));
    failure.cause = Some(Box::new(cause.into()));
}

/// The beginning of a text that may be very long.
fn head(text: &str) -> String {
    const CHARACTERS: usize = 1000;
    text.chars().take(CHARACTERS).collect()
}

fn log(failure: &Failure) {
    let text = head(&format!("{failure:#}"));
    match failure.kind {
        FailureKind::Application { category: ErrorCategory::Benign, .. } => {
            tracing::debug!("the attempt failed: {text}");
        }
        _ => tracing::warn!("the attempt failed: {text}"),
    }
}
