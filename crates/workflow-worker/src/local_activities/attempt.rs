//! One attempt of a Local Activity: the delay before it, room for it, its timeouts, its cancellation.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use timewright_client::PoolSlot;
use timewright_converter::{
    ApplicationFailure, DefaultFailureConverter, ErrorCategory, Failure, FailureConverter, FailureKind,
};
use timewright_proto::enums::TimeoutType;
use timewright_protocol::workflow::{LocalActivityAttempt, LocalActivityOutcome, RunKey, StartLocalActivity};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Clock, Ended, LocalActivity, LocalActivityCancellation, Surroundings, WorkflowNames};

pub(super) struct Attempt {
    pub(super) key: RunKey,
    pub(super) workflow: WorkflowNames,
    pub(super) start: StartLocalActivity,
    pub(super) clock: Clock,
    pub(super) cancel: watch::Sender<bool>,
    pub(super) surroundings: Surroundings,
}

impl Attempt {
    /// Returns when user code has ended; its workflow may have heard before that the attempt is over.
    pub(super) async fn execute(self) {
        let cancellation = LocalActivityCancellation::new(self.cancel.subscribe());
        let (asked_at, slot) = match self.room(&cancellation).await {
            Ok(room) => room,
            Err(outcome) => return self.tell(outcome),
        };
        let measured = self.surroundings.metrics.local_activity_begins(&self.start.activity_type);
        let end = |outcome| {
            measured.end(&outcome, self.asked_for());
            self.tell(outcome);
        };
        let mut user_code = pin!(self.run(cancellation, asked_at, slot));
        let (deadline, kind) = self.deadline();
        tokio::select! {
            biased;
            ended = &mut user_code => end(self.outcome(ended)),
            () = until(deadline) => {
                self.cancel.send_replace(true);
                end(LocalActivityOutcome::TimedOut(kind));
                // It has a slot as long as it does something.
                let _ = user_code.await;
            }
        }
    }

    /// Waits for the attempt's time, and then for room. When the wait for room began, and the slot; or why it will not begin.
    async fn room(
        &self,
        cancellation: &LocalActivityCancellation,
    ) -> Result<(std::time::SystemTime, PoolSlot), LocalActivityOutcome> {
        let cancelled = || LocalActivityOutcome::Cancelled { details: Vec::new() };
        let closes = self.closes();
        tokio::select! {
            biased;
            () = cancellation.cancelled() => return Err(cancelled()),
            () = until(closes) => return Err(LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToClose)),
            () = pause(self.start.delay) => (),
        }
        let asked_at = self.clock.now();
        let starts = self.start.schedule_to_start_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        tokio::select! {
            biased;
            () = cancellation.cancelled() => Err(cancelled()),
            slot = self.surroundings.room.enter(&self.start.activity_type) => Ok((asked_at, slot)),
            () = until(starts) => Err(LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToStart)),
            () = until(closes) => Err(LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToClose)),
        }
    }

    /// What user code gives, or what it panicked with.
    async fn run(
        &self,
        cancellation: LocalActivityCancellation,
        asked_at: std::time::SystemTime,
        slot: PoolSlot,
    ) -> Result<LocalActivityOutcome, Panic> {
        let start = self.start.clone();
        let activity = LocalActivity {
            activity_type: start.activity_type,
            activity_id: start.activity_id,
            attempt: start.attempt,
            namespace: self.surroundings.namespace.clone(),
            task_queue: self.surroundings.task_queue.clone(),
            workflow_id: self.workflow.workflow_id.as_ref().to_owned(),
            run_id: self.key.run_id().to_owned(),
            workflow_type: self.workflow.workflow_type.as_ref().to_owned(),
            header: start.header,
            arguments: start.arguments,
            schedule_to_close_timeout: start.schedule_to_close_timeout,
            start_to_close_timeout: start.start_to_close_timeout,
            retry_policy: start.retry_policy,
            scheduled_time: start.original_schedule_time,
            current_attempt_scheduled_time: asked_at,
            started_time: self.clock.now(),
        };
        let executor = &self.surroundings.executor;
        let mut execution = caught(|| executor.execute(activity, cancellation))?;
        // What was being done is given up as a whole, so nobody sees it half done.
        let ended = poll_fn(|context| caught(|| execution.as_mut().poll(context))?.map(Ok)).await;
        let dropped = caught(|| drop(execution));
        drop(slot);
        ended.and_then(|outcome| dropped.map(|()| outcome))
    }

    /// Which timeout passes first.
    fn deadline(&self) -> (Option<Instant>, TimeoutType) {
        let ends = self.start.start_to_close_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match (ends, self.closes()) {
            (Some(ends), Some(closes)) if closes < ends => (Some(closes), TimeoutType::ScheduleToClose),
            (None, Some(closes)) => (Some(closes), TimeoutType::ScheduleToClose),
            (ends, _) => (ends, TimeoutType::StartToClose),
        }
    }

    /// How long ago the workflow asked for it.
    fn asked_for(&self) -> Duration {
        self.clock.now().duration_since(self.start.original_schedule_time).unwrap_or_default()
    }

    /// When all attempts together have taken too long.
    fn closes(&self) -> Option<Instant> {
        let timeout = self.start.schedule_to_close_timeout?;
        self.clock.instant_of(self.start.original_schedule_time.checked_add(timeout)?)
    }

    fn outcome(&self, ended: Result<LocalActivityOutcome, Panic>) -> LocalActivityOutcome {
        let converter = &self.surroundings.converter;
        match ended {
            // As the user's Failure Converter writes it: so far anybody could read it.
            Ok(LocalActivityOutcome::Failed(failure)) => {
                let failure = DefaultFailureConverter::default().deserialize(*failure);
                self.log(&failure);
                LocalActivityOutcome::Failed(Box::new(converter.failure_to_proto(&failure)))
            }
            Ok(other) => other,
            Err(panic) => {
                let failure = Failure::from(panicked(&self.start.activity_type, &panic));
                self.log(&failure);
                LocalActivityOutcome::Failed(Box::new(converter.failure_to_proto(&failure)))
            }
        }
    }

    /// No history shows an attempt that is followed by another.
    fn log(&self, failure: &Failure) {
        let text: String = format!("{failure:#}").chars().take(1000).collect();
        let StartLocalActivity { activity_type, activity_id, attempt, .. } = &self.start;
        let (workflow_id, run_id) = (&*self.workflow.workflow_id, self.key.run_id());
        match failure.kind {
            FailureKind::Application { category: ErrorCategory::Benign, .. } => tracing::debug!(
                activity_type,
                activity_id,
                attempt,
                workflow_id,
                run_id,
                "the attempt of a Local Activity failed: {text}"
            ),
            _ => tracing::warn!(
                activity_type,
                activity_id,
                attempt,
                workflow_id,
                run_id,
                "the attempt of a Local Activity failed: {text}"
            ),
        }
    }

    fn tell(&self, outcome: LocalActivityOutcome) {
        let StartLocalActivity { sequence, attempt, .. } = self.start;
        let attempt = LocalActivityAttempt { sequence, attempt, outcome, finished_at: self.clock.now() };
        // Nobody listens any more once the worker has been dropped.
        let _ = self.surroundings.ended.send(Ended { key: self.key.clone(), attempt, clock: self.clock });
    }
}

/// Most attempts begin at once, and need no timer.
async fn pause(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

type Panic = Box<dyn Any + Send>;

fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(call))
}

/// Retryable, as any error of user code.
fn panicked(activity_type: &str, panic: &Panic) -> ApplicationFailure {
    let text = crate::instance::panic_message(&**panic);
    ApplicationFailure::new(format!("local activity {activity_type:?} panicked: {text}")).with_type("Panic")
}
