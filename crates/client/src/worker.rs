//! What a worker asks and tells the server about itself: when it begins, and when it ends.

use std::time::Duration;

use timewright_converter::BoxFuture;
use timewright_proto::workflow_service::ShutdownWorkerRequest;
use timewright_protocol::task_queue::{PollSupport, PollerGroups};

use crate::client::{CheckNamespaceError, Client};
use crate::rpc_error::RpcError;
use crate::stack::CallKind;

/// What a worker has to know of its namespace before it begins: [`Client::worker_namespace`].
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerNamespace {
    /// The most bytes of Payloads that the server takes in one place.
    pub payload_size_limit: usize,
    /// Whether the server ends a worker's polls when that worker says that it shuts down (RPC `ShutdownWorker`).
    pub ends_polls: bool,
    /// Whether the server takes heartbeats of workers (RPC `RecordWorkerHeartbeat`).
    pub takes_heartbeats: bool,
    /// Whether the server tells workers what to do, such as to cancel an activity that does not heartbeat.
    pub gives_commands: bool,
    /// The most bytes that a Workflow Task's completion may have in pages; `None` where the server takes no pages.
    pub paged_completion_limit: Option<usize>,
    /// What the server says of polls.
    pub polls: PollSupport,
}

impl Client {
    /// Asks what a worker has to know before it begins.
    ///
    /// Only a namespace that does not exist is an error: a worker that polls it does nothing for ever. Whatever else is wrong
    /// the polls will show, and they wait for what waiting cures; and the question itself may not be allowed.
    ///
    /// # Errors
    /// If there is no such namespace.
    pub fn worker_namespace(&self) -> BoxFuture<'_, Result<WorkerNamespace, CheckNamespaceError>> {
        // In a box, so that it is compiled here, and not in the crate of each kind of worker.
        Box::pin(self.describe_for_worker())
    }

    async fn describe_for_worker(&self) -> Result<WorkerNamespace, CheckNamespaceError> {
        match self.describe_namespace().await {
            Ok(description) => {
                let info = description.namespace_info.unwrap_or_default();
                let limits = info.limits.unwrap_or_default();
                let capabilities = info.capabilities.unwrap_or_default();
                let completion_limit = known_limit(limits.workflow_task_completion_size_limit_error);
                Ok(WorkerNamespace {
                    payload_size_limit: known_limit(limits.blob_size_limit_error).unwrap_or(PAYLOAD_SIZE_LIMIT),
                    ends_polls: capabilities.worker_poll_complete_on_shutdown,
                    takes_heartbeats: capabilities.worker_heartbeats,
                    gives_commands: capabilities.worker_commands,
                    paged_completion_limit: capabilities
                        .workflow_task_completion_pagination
                        .then(|| completion_limit.unwrap_or(PAGED_COMPLETION_LIMIT)),
                    polls: PollSupport {
                        autoscaling: capabilities.poller_autoscaling,
                        autoscaling_by_default: capabilities.poller_autoscaling_auto_enroll,
                        groups: PollerGroups::read(description.poller_groups_info, description.poller_group_infos),
                    },
                })
            }
            Err(error @ CheckNamespaceError::NotFound { .. }) => Err(error),
            Err(CheckNamespaceError::Rpc(error)) => {
                tracing::warn!(
                    namespace = self.namespace(),
                    %error,
                    "the namespace's limits are not known; the worker goes on with the usual ones"
                );
                Ok(WorkerNamespace::default())
            }
        }
    }

    /// Tells the server that a worker shuts down, so that it ends the worker's polls, if it can, and gives tasks of its sticky
    /// queue to others. `request` names the worker; namespace, identity and reason are filled in. It is tried once: later it
    /// would be of no use, and the worker stops without it, too.
    pub fn tell_worker_shutdown(&self, request: ShutdownWorkerRequest) -> BoxFuture<'static, ()> {
        let client = self.clone();
        Box::pin(async move { client.shut_down_worker(request).await })
    }

    async fn shut_down_worker(&self, request: ShutdownWorkerRequest) {
        let mut request = CallKind::TaskPoll.request(ShutdownWorkerRequest {
            namespace: self.namespace().to_owned(),
            identity: self.identity().to_owned(),
            reason: "graceful shutdown".to_owned(),
            ..request
        });
        request.set_timeout(SHUTDOWN_TIMEOUT);
        if let Err(status) = self.workflow_service().shutdown_worker(request).await {
            tracing::debug!(error = %RpcError::from(status), "the server was not told that a worker shuts down");
        }
    }
}

impl WorkerNamespace {
    /// How long open polls may take to return after the server has been told that the worker shuts down. Where the server
    /// does not end them, there is nothing to wait for but a task that is on its way.
    #[must_use]
    pub const fn poll_drain(&self) -> Duration {
        if self.ends_polls { Duration::from_secs(10) } else { Duration::from_secs(1) }
    }
}

impl Default for WorkerNamespace {
    fn default() -> Self {
        Self {
            payload_size_limit: PAYLOAD_SIZE_LIMIT,
            ends_polls: false,
            takes_heartbeats: false,
            gives_commands: false,
            paged_completion_limit: None,
            polls: PollSupport::default(),
        }
    }
}

/// A server that says nothing of a limit says 0.
fn known_limit(bytes: i64) -> Option<usize> {
    usize::try_from(bytes).ok().filter(|limit| *limit > 0)
}

/// 2 MiB, the default of a server.
const PAYLOAD_SIZE_LIMIT: usize = 2 * 1024 * 1024;
/// 40 MiB, the default of a server.
const PAGED_COMPLETION_LIMIT: usize = 40 * 1024 * 1024;
/// As long as a shutdown waits for the server to be told.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
