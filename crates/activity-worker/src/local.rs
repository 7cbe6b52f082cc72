//! Activities executed without the server: as Local Activities of workflows.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;

use timewright_client::Client;
use timewright_converter::Payload;
use timewright_protocol::activity::{ActivityInfo, ActivityOutcome, CancelReason};
use tokio::sync::watch;

use crate::execution::UserCode;
use crate::{ActivityContext, ActivityRequest, ActivityService, ActivityWorker, span};

/// The activities of a worker, for whoever executes them without an Activity Task:
/// [`ActivityWorker::local_activities`]. Cheap to clone.
///
/// Timeouts and retries are the caller's business, and so are Payload Codecs.
#[derive(Clone)]
pub struct LocalActivities {
    client: Client,
    service: ActivityService,
}

/// One attempt of an activity that no Activity Task asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalActivityTask {
    /// What the activity is, and when it has to be done.
    pub info: ActivityInfo,
    /// Context that interceptors of the caller put in.
    pub header: BTreeMap<String, Payload>,
    /// The arguments.
    pub input: Vec<Payload>,
}

impl ActivityWorker {
    /// The worker's activities with all their layers, to be executed as Local Activities, whether or not the worker itself is
    /// run.
    #[must_use]
    pub fn local_activities(&self) -> LocalActivities {
        LocalActivities { client: self.client.clone(), service: self.service.clone() }
    }
}

impl LocalActivities {
    /// Executes one attempt. When `cancelled` is ready, it is told to stop. A type that is not registered fails, and may be tried
    /// again, as with an Activity Worker. If the future is dropped, user code stops at its next `await`.
    pub fn execute(
        &self,
        task: LocalActivityTask,
        cancelled: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ActivityOutcome> + Send + 'static {
        let Self { client, service } = self.clone();
        async move {
            let LocalActivityTask { info, header, input } = task;
            let activity_type = info.activity_type.clone();
            let span = span::of_local(&info);
            let (cancel, cancel_reason) = watch::channel(None);
            let mut user_code = span.in_scope(|| {
                let context = ActivityContext::local(info, header, client, cancel_reason);
                UserCode::spawn(service, ActivityRequest { context, input })
            });
            let mut cancelled = pin!(cancelled);
            let outcome = tokio::select! {
                biased;
                outcome = user_code.ended(&activity_type) => outcome,
                () = &mut cancelled => {
                    cancel.send_replace(Some(CancelReason::CancelRequested));
                    user_code.ended(&activity_type).await
                }
            };
            // For what the activity left running.
            cancel.send_modify(|reason| *reason = reason.or(Some(CancelReason::NotFound)));
            outcome
        }
    }
}

impl fmt::Debug for LocalActivities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalActivities").finish_non_exhaustive()
    }
}
