//! Whether workers get tasks: what a readiness probe asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use timewright_protocol::task_queue::{PollerSnapshot, QueueSnapshot};
use tokio::sync::watch;
use tokio::time::Instant;

/// Whether a worker, or all workers of a process, get the tasks that are there for them. Cloning is cheap; it can be asked before
/// the worker runs, while it runs, and after it has ended.
///
/// It is not whether the process is alive: a worker whose polls fail lives, and waits for the server. Point a readiness probe
/// at it, so that a roll-out stops where a new version does not get tasks; restart nothing for it.
///
/// ```no_run
/// # async fn example(readiness: timewright_client::Readiness) {
/// match readiness.check() {
///     Ok(()) => println!("200 OK"),
///     Err(reason) => println!("503 Service Unavailable: {reason}"),
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Readiness {
    workers: Vec<(Arc<str>, watch::Receiver<Stage>)>,
    tolerance: Duration,
}

/// The worker's side of a [`Readiness`]: it says how far the worker has got. Dropped, the worker has ended.
#[derive(Debug)]
pub struct ReadinessSource {
    worker: Arc<str>,
    stage: watch::Sender<Stage>,
}

/// A worker that does not get tasks, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{worker} is not ready: {reason}")]
pub struct NotReady {
    /// Which worker.
    pub worker: String,
    /// Why not.
    pub reason: NotReadyReason,
}

/// Why a worker does not get tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReadyReason {
    /// It was not told to run, or does not know yet whether its namespace exists.
    NotPolling,
    /// Its polls have failed for so long. The log says with what.
    PollsFail {
        /// Since the first failure after the last success.
        failing_for: Duration,
    },
    /// It was told to stop.
    ShuttingDown,
    /// It runs no more.
    Ended,
}

#[derive(Clone, Debug)]
enum Stage {
    Beginning,
    Polling(watch::Receiver<PollerSnapshot>),
    ShuttingDown,
}

impl Readiness {
    /// All of these together: ready when each is.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self { workers: Vec::new(), tolerance: TOLERANCE };
        for part in parts {
            all.workers.extend(part.workers);
            all.tolerance = part.tolerance;
        }
        all
    }

    /// For how long polls may fail before it counts: 10 s if not set. A connection that is made anew is no reason to take a
    /// worker out of service.
    #[must_use]
    pub const fn tolerating(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Whether all workers get tasks.
    ///
    /// # Errors
    /// The first worker that does not.
    pub fn check(&self) -> Result<(), NotReady> {
        for (worker, stages) in &self.workers {
            if let Some(reason) = self.reason(stages) {
                return Err(NotReady { worker: worker.to_string(), reason });
            }
        }
        Ok(())
    }

    /// Whether all workers get tasks.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.check().is_ok()
    }

    /// Waits until all workers have begun to poll.
    ///
    /// # Errors
    /// If one of them ends before.
    pub async fn ready(&self) -> Result<(), NotReady> {
        for (worker, stages) in &self.workers {
            let mut stages = stages.clone();
            let begun = stages.wait_for(|stage| !matches!(stage, Stage::Beginning)).await.map(|stage| stage.clone());
            if let Ok(Stage::Polling(mut snapshots)) = begun {
                // If nobody takes snapshots any more, the check below says what is the matter.
                let _ = snapshots.wait_for(|snapshot| snapshot.is_polling).await;
            }
            if let Some(reason) = self.reason(&stages) {
                return Err(NotReady { worker: worker.to_string(), reason });
            }
        }
        Ok(())
    }

    fn reason(&self, stages: &watch::Receiver<Stage>) -> Option<NotReadyReason> {
        if stages.has_changed().is_err() {
            return Some(NotReadyReason::Ended);
        }
        let snapshot = match &*stages.borrow() {
            Stage::Beginning => return Some(NotReadyReason::NotPolling),
            Stage::ShuttingDown => return Some(NotReadyReason::ShuttingDown),
            Stage::Polling(snapshots) => *snapshots.borrow(),
        };
        if !snapshot.is_polling {
            return Some(NotReadyReason::NotPolling);
        }
        let now = Instant::now().into_std();
        let queues = [Some(snapshot.normal), snapshot.sticky];
        let failing = queues.into_iter().flatten().filter_map(|queue| self.failing_for(queue, now)).max()?;
        Some(NotReadyReason::PollsFail { failing_for: failing })
    }

    fn failing_for(&self, queue: QueueSnapshot, now: std::time::Instant) -> Option<Duration> {
        let since = queue.failing_since?;
        // A poll that stays open after others have failed is a good sign, long before it returns: on a Task Queue without tasks
        // that takes a minute.
        let stays_open = queue.last_opened.is_some_and(|opened| opened > since && now - opened > self.tolerance);
        let failing_for = now.saturating_duration_since(since);
        (failing_for > self.tolerance && !stays_open).then_some(failing_for)
    }
}

impl ReadinessSource {
    /// For a worker that is called so in words that people know, such as `the Activity Worker on task queue "orders"`.
    #[must_use]
    pub fn new(worker: impl Into<Arc<str>>) -> Self {
        Self { worker: worker.into(), stage: watch::Sender::new(Stage::Beginning) }
    }

    /// The other side.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness { workers: vec![(Arc::clone(&self.worker), self.stage.subscribe())], tolerance: TOLERANCE }
    }

    /// The worker polls.
    pub fn begin(&self, snapshots: watch::Receiver<PollerSnapshot>) {
        self.stage.send_replace(Stage::Polling(snapshots));
    }

    /// The worker was told to stop, or has to.
    pub fn begin_shutdown(&self) {
        self.stage.send_replace(Stage::ShuttingDown);
    }
}

impl fmt::Display for NotReadyReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPolling => formatter.write_str("it has not begun to poll"),
            Self::PollsFail { failing_for } => {
                write!(formatter, "its polls have failed for {} s; the log says why", failing_for.as_secs())
            }
            Self::ShuttingDown => formatter.write_str("it shuts down"),
            Self::Ended => formatter.write_str("it has ended"),
        }
    }
}

const TOLERANCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(readiness: &Readiness) -> String {
        readiness.check().err().map_or_else(|| "ready".to_owned(), |reason| reason.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn c3_a_worker_is_ready_while_it_gets_tasks_and_says_why_it_does_not() {
        let source = ReadinessSource::new("the worker");
        let readiness = source.readiness();
        assert_eq!(text(&readiness), "the worker is not ready: it has not begun to poll");

        let (snapshot, snapshots) = watch::channel(PollerSnapshot::default());
        source.begin(snapshots);
        assert_eq!(text(&readiness), "the worker is not ready: it has not begun to poll");
        snapshot.send_modify(|snapshot| snapshot.is_polling = true);
        assert_eq!(text(&readiness), "ready");
        readiness.ready().await.unwrap();

        snapshot.send_modify(|snapshot| snapshot.normal.failing_since = Some(Instant::now().into_std()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(text(&readiness), "ready", "a connection is made anew");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(text(&readiness), "the worker is not ready: its polls have failed for 12 s; the log says why");
        assert_eq!(text(&readiness.clone().tolerating(Duration::from_secs(60))), "ready");
        snapshot.send_modify(|snapshot| snapshot.normal.last_opened = Some(Instant::now().into_std()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(text(&readiness), "the worker is not ready: its polls have failed for 22 s; the log says why");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(text(&readiness), "ready", "a poll stays open");
        snapshot.send_modify(|snapshot| snapshot.normal.last_opened = None);
        assert_ne!(text(&readiness), "ready", "it has failed");
        snapshot.send_modify(|snapshot| snapshot.normal.failing_since = None);
        assert_eq!(text(&readiness), "ready");

        let both = Readiness::all([readiness.clone(), ReadinessSource::new("another").readiness()]);
        assert_eq!(text(&both), "another is not ready: it has ended");
        source.begin_shutdown();
        assert_eq!(text(&readiness), "the worker is not ready: it shuts down");
        drop(source);
        assert_eq!(text(&readiness), "the worker is not ready: it has ended");
        readiness.ready().await.unwrap_err();
    }
}
