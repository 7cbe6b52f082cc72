//! Local Activities: executed here, within Workflow Tasks.
//!
//! Who executes them is the application's business: a [`LocalActivityExecutor`]. This crate sees to everything around an
//! attempt: the delay before it, room for it, its timeouts, its cancellation.

mod attempt;
mod executor;
mod room;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use timewright_converter::DataConverter;
use timewright_protocol::workflow::{LocalActivityAttempt, RunKey, StartLocalActivity};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use attempt::Attempt;

use crate::metrics::WorkflowMetrics;

pub use executor::{LocalActivity, LocalActivityCancellation, LocalActivityExecutor};
pub(crate) use room::Room;

/// The Local Activities of a worker that are under way.
pub(crate) struct LocalActivities {
    surroundings: Surroundings,
    /// The attempts that are not over, and how to cancel them.
    open: BTreeMap<(RunKey, u32), watch::Sender<bool>>,
    /// Also those that are over for their workflow, as long as user code has not ended.
    attempts: JoinSet<()>,
    ended: UnboundedReceiver<Ended>,
}

/// What all attempts share.
#[derive(Clone)]
struct Surroundings {
    executor: Arc<dyn LocalActivityExecutor>,
    namespace: String,
    task_queue: String,
    converter: DataConverter,
    room: Arc<room::Entrance>,
    metrics: WorkflowMetrics,
    ended: UnboundedSender<Ended>,
}

/// The workflow that asks for a Local Activity. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkflowNames {
    pub(crate) workflow_id: Arc<str>,
    pub(crate) workflow_type: Arc<str>,
    /// When the run was started, once that is known.
    pub(crate) started: Option<SystemTime>,
}

/// An attempt that is over for its workflow.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) key: RunKey,
    pub(crate) attempt: LocalActivityAttempt,
    /// For the next attempt, if there is one.
    pub(crate) clock: Clock,
}

/// The time of one Local Activity: it passes as this machine's monotonic clock says, from the time at which its workflow
/// asked for it, so that clocks which differ time nothing out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    /// A first attempt is asked for now. A later one that this worker has not seen before was asked for some time ago: then
    /// the clocks must be believed.
    fn start(activity: &StartLocalActivity) -> Self {
        let asked_for = activity.original_schedule_time;
        let time = if activity.attempt <= 1 { asked_for } else { asked_for.max(SystemTime::now()) };
        Self { instant: Instant::now(), time }
    }

    fn now(&self) -> SystemTime {
        self.time.checked_add(self.instant.elapsed()).unwrap_or(self.time)
    }

    /// When that time comes; `None` where that is too far away.
    fn instant_of(&self, time: SystemTime) -> Option<Instant> {
        self.instant.checked_add(time.duration_since(self.time).unwrap_or_default())
    }
}

impl LocalActivities {
    pub(crate) fn new(
        executor: Arc<dyn LocalActivityExecutor>,
        namespace: String,
        task_queue: String,
        converter: DataConverter,
        room: Room,
        metrics: WorkflowMetrics,
    ) -> Self {
        let room = Arc::new(room.into());
        let (sender, ended) = unbounded_channel();
        let surroundings = Surroundings { executor, namespace, task_queue, converter, room, metrics, ended: sender };
        Self { surroundings, open: BTreeMap::new(), attempts: JoinSet::new(), ended }
    }

    /// Executes an attempt. `clock` is that of the attempt before, where there was one here.
    pub(crate) fn start(
        &mut self,
        key: RunKey,
        workflow: WorkflowNames,
        start: StartLocalActivity,
        clock: Option<Clock>,
    ) {
        let clock = clock.unwrap_or_else(|| Clock::start(&start));
        let (cancel, _) = watch::channel(false);
        self.open.insert((key.clone(), start.sequence), cancel.clone());
        let attempt = Attempt { key, workflow, start, clock, cancel, surroundings: self.surroundings.clone() };
        // In a box: what is on a tokio task is moved when it begins and when it ends.
        self.attempts.spawn(Box::pin(attempt.execute()));
        while self.attempts.try_join_next().is_some() {}
    }

    /// Tells it that it is cancelled. Of one whose attempt is over there is nothing to tell.
    pub(crate) fn cancel(&mut self, key: RunKey, sequence: u32) {
        if let Some(cancel) = self.open.remove(&(key, sequence)) {
            cancel.send_replace(true);
        }
    }

    /// Tells all those that they are cancelled whose Run is meant.
    pub(crate) fn cancel_of(&mut self, is_meant: impl Fn(&RunKey) -> bool) {
        for (_, cancel) in self.open.extract_if(.., |(key, _), _| is_meant(key)) {
            cancel.send_replace(true);
        }
    }

    /// The next attempt that is over; pending where there is none.
    pub(crate) async fn next(&mut self) -> Ended {
        match self.ended.recv().await {
            Some(ended) => {
                self.open.remove(&(ended.key.clone(), ended.attempt.sequence));
                ended
            }
            // Not so: this has a sender of its own.
            None => std::future::pending().await,
        }
    }

    /// Tells all of them that they are cancelled.
    pub(crate) fn cancel_all(&mut self) {
        for cancel in std::mem::take(&mut self.open).into_values() {
            cancel.send_replace(true);
        }
    }
}

#[cfg(test)]
mod tests;
