//! What code of workflows says to `tracing`.

#[cfg(feature = "worker")]
use timewright_client::metrics::{NoopRecorder, with_local_recorder};
use timewright_protocol::workflow::{Activation, Job};
use tracing::dispatcher::{Dispatch, with_default};

/// Runs user code of one Activation. What it says has a span around it that names the workflow, and on replay is not heard, since
/// it was heard when it was done first; nor are metrics that it counts itself, by macros. What Queries say is always heard.
pub(crate) fn observed<T>(is_heard: bool, workflow: Names<'_>, run: impl FnOnce() -> T) -> T {
    if !is_heard {
        return with_default(&Dispatch::none(), || {
            #[cfg(feature = "worker")]
            return with_local_recorder(&NoopRecorder, run);
            #[cfg(not(feature = "worker"))]
            run()
        });
    }
    let Names { workflow_type, workflow_id, run_id, namespace, task_queue } = workflow;
    // Of the level of errors, so that it is there for them, too.
    tracing::error_span!("workflow", workflow_type, workflow_id, run_id, namespace, task_queue).in_scope(run)
}

/// Which workflow it is.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) workflow_type: &'a str,
    pub(crate) workflow_id: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) task_queue: &'a str,
}

/// Whether what user code says in this Activation is news.
pub(crate) fn is_heard(activation: &Activation) -> bool {
    !activation.replaying || matches!(activation.jobs.as_slice(), [Job::Query(_)])
}
