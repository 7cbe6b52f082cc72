//! Keeps the polls open that a [`Poller`] asks for. Both workers use it.

mod reservations;

use crate::RpcError;
use crate::metric_meter::MetricMeter;
use crate::sdk_metrics::PollMetrics;
use crate::slots::{Permit, SlotRequest, SlotTask, WorkerSlots};
use reservations::Reservations;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use timewright_converter::BoxFuture;
use timewright_proto::workflow_service::{PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse};
use timewright_protocol::task_queue::{
    PollFailure, PollHints, PollResult, PollWarning, Poller, PollerOutput, PollerSnapshot, QueueKind, SlotId,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

/// Where tasks come from: what is to be polled, and how.
pub trait TaskSource: Send + Sync + 'static {
    /// What a poll returns.
    type Task: Send + 'static;

    /// One long poll, of this poller group where the server has groups.
    ///
    /// It is dropped only when a worker stops and the poll does not return in time.
    fn poll(
        &self,
        queue: QueueKind,
        group: Option<&str>,
    ) -> impl Future<Output = Result<Polled<Self::Task>, RpcError>> + Send;

    /// The type of the workflow or activity that a task is of, for who [supplies slots](crate::SlotSupplier).
    fn type_name<'a>(&self, task: &'a Self::Task) -> &'a str;

    /// What is polled, in words that people know, such as ``Activity Tasks on `greetings` ``. For logs and errors.
    fn describe(&self, queue: QueueKind) -> String {
        match queue {
            QueueKind::Normal => "the Task Queue".to_owned(),
            QueueKind::Sticky => "the sticky queue".to_owned(),
        }
    }

    /// With what polls and slots are measured: a meter with the labels of the namespace and the Task Queue. If not said otherwise,
    /// they are not.
    fn metric_meter(&self) -> MetricMeter {
        MetricMeter::none()
    }
}

/// What a poll returned with.
#[derive(Clone, Debug, PartialEq)]
pub struct Polled<T> {
    /// The task; `None` if there was none in all that time.
    pub task: Option<T>,
    /// What the server says of polls.
    pub hints: PollHints,
}

/// In a box: a task changes hands often on its way to whoever executes it.
impl From<PollActivityTaskQueueResponse> for Polled<Box<PollActivityTaskQueueResponse>> {
    fn from(mut response: PollActivityTaskQueueResponse) -> Self {
        let hints = PollHints::read(
            response.poller_scaling_decision.take(),
            response.poller_groups_info.take(),
            std::mem::take(&mut response.poller_group_infos),
        );
        // The server's way to say that there was no task in all that time.
        Self { task: (!response.task_token.is_empty()).then(|| Box::new(response)), hints }
    }
}

/// In a box: a task changes hands often on its way to whoever executes it.
impl From<PollWorkflowTaskQueueResponse> for Polled<Box<PollWorkflowTaskQueueResponse>> {
    fn from(mut response: PollWorkflowTaskQueueResponse) -> Self {
        let hints = PollHints::read(
            response.poller_scaling_decision.take(),
            response.poller_groups_info.take(),
            std::mem::take(&mut response.poller_group_infos),
        );
        Self { task: (!response.task_token.is_empty()).then(|| Box::new(response)), hints }
    }
}

/// Polls have failed for a long time, in a way that waiting does not cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("polling {polls} has failed for {} s, {failures} times, and waiting will not help: {error}", .failing_for.as_secs())]
pub struct PollError {
    /// What was polled.
    pub polls: String,
    /// The last error.
    pub error: RpcError,
    /// Since the first failure after the last success.
    pub failing_for: Duration,
    /// Failed polls in that time.
    pub failures: u64,
}

/// Tasks, as they come: keeps as many polls open as the [`Poller`] wants, in the background.
///
/// Nothing that the server hands out is lost on this side: a task that has arrived is given to
/// [`next`](Self::next), during shutdown too. Whoever takes it executes it while holding its [`Slot`].
/// Dropping the poller closes everything at once, tasks that nobody has taken included; to stop without loss,
/// [`shutdown`](Self::shutdown) and take what still comes.
#[derive(Debug)]
pub struct TaskPoller<T> {
    tasks: UnboundedReceiver<Result<(T, Slot), PollError>>,
    control: UnboundedSender<Control>,
    snapshots: watch::Receiver<PollerSnapshot>,
}

/// Takes slots for tasks that come without a poll, with the answer to another call: [`TaskPoller::slot_reserver`]. Cloning is
/// cheap.
#[derive(Clone, Debug)]
pub struct SlotReserver {
    control: UnboundedSender<Control>,
}

impl SlotReserver {
    /// A slot, if there is one to spare now, within the limit of tasks a second; none once the poller shuts down. Say with
    /// [`Slot::mark_used`] what it is used for.
    pub async fn reserve(&self) -> Option<Slot> {
        let (give, given) = oneshot::channel();
        self.control.send(Control::Reserve(give)).ok()?;
        given.await.ok().flatten()
    }
}

/// The right to execute one task. Given back when it is dropped.
#[must_use = "a slot that is dropped is given to the next task"]
pub struct Slot {
    id: SlotId,
    /// What the supplier of slots takes for one, where there is a supplier.
    permit: Option<Permit>,
    poller_group: String,
    control: UnboundedSender<Control>,
}

impl<T: Send + 'static> TaskPoller<T> {
    /// Starts to poll. `slots` are those that the poller was made for; where somebody supplies them, they are asked for with
    /// `request`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start<S: TaskSource<Task = T>>(
        source: S,
        poller: Poller,
        slots: &WorkerSlots,
        request: SlotRequest,
    ) -> Self {
        let (control, controls) = unbounded_channel();
        // Neither channel can grow without bound: there is at most one task, and one message, for each slot.
        let (sender, tasks) = unbounded_channel();
        let (snapshot, snapshots) = watch::channel(poller.snapshot());
        let metrics = PollMetrics::new(source.metric_meter(), request.kind);
        let tasks_out = TasksOut { sender, polls: source.describe(QueueKind::Normal) };
        let driver = Driver {
            metrics,
            source: Arc::new(source),
            poller,
            polls: JoinSet::new(),
            slots: BTreeMap::new(),
            reservations: Reservations::new(slots, request),
            last_errors: [None, None],
            tasks: tasks_out,
            control: control.clone(),
            snapshot,
        };
        // In a box, as other tasks are: tokio's part is compiled for each kind of future.
        let run: BoxFuture<'static, ()> = Box::pin(driver.run(controls));
        tokio::spawn(run);
        Self { tasks, control, snapshots }
    }

    /// How polls and slots are doing: at any time, for as long as anybody wants to know, and with a notice of each change.
    /// Times are those of tokio's clock.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<PollerSnapshot> {
        self.snapshots.clone()
    }

    /// The next task, with its slot; an error if polling was given up, which is said once; `None` when everything is over.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<(T, Slot), PollError>> {
        self.tasks.recv().await
    }

    /// By what slots are taken for tasks that come without a poll.
    #[must_use]
    pub fn slot_reserver(&self) -> SlotReserver {
        SlotReserver { control: self.control.clone() }
    }

    /// Opens no more polls. Those that are open have `drain` to return, and are then dropped. Said again, the earlier end
    /// counts.
    ///
    /// The server does not know when a poll is dropped, and may give it a task in that moment, which then waits for a
    /// timeout. So ask the server first to end the polls (RPC `ShutdownWorker`), and be generous.
    pub fn shutdown(&self, drain: Duration) {
        // If nobody listens, it is over already.
        let _ = self.control.send(Control::Shutdown(drain));
    }
}

impl Slot {
    /// Where in the server its task comes from: the answer to a Query must find its way back.
    #[must_use]
    pub fn poller_group(&self) -> &str {
        &self.poller_group
    }

    /// Notes where in the server its task comes from.
    pub fn set_poller_group(&mut self, group: String) {
        self.poller_group = group;
    }

    /// It is used for this task from now on, which no poll brought: it came with the answer to another call.
    pub fn mark_used(&mut self, task: &SlotTask) {
        if let Some(permit) = &mut self.permit {
            permit.mark_used(task);
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Slot").field(&self.id.number()).finish()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // First, so that the supplier has it back before it is asked for another.
        drop(self.permit.take());
        // If nobody listens, nobody needs it.
        let _ = self.control.send(Control::Release(self.id));
    }
}

#[derive(Debug)]
enum Control {
    Release(SlotId),
    /// Whoever does not wait for the slot any more drops it, which gives it back.
    Reserve(oneshot::Sender<Option<Slot>>),
    Shutdown(Duration),
}

type PollEnd<T> = Result<Polled<T>, RpcError>;

/// Drives the [`Poller`]: does what it says, and tells it what comes of it.
struct Driver<S: TaskSource> {
    metrics: PollMetrics,
    source: Arc<S>,
    poller: Poller,
    polls: JoinSet<PollEnd<S::Task>>,
    /// Which slot a poll holds.
    slots: BTreeMap<Id, (SlotId, QueueKind)>,
    reservations: Reservations,
    last_errors: [Option<RpcError>; 2],
    tasks: TasksOut<S::Task>,
    control: UnboundedSender<Control>,
    snapshot: watch::Sender<PollerSnapshot>,
}

/// Where tasks go. Should the driver panic, whoever waits for tasks hears of it, and does not take it for the end of a shutdown.
struct TasksOut<T> {
    sender: UnboundedSender<Result<(T, Slot), PollError>>,
    polls: String,
}

impl<T> Drop for TasksOut<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = tonic::Status::internal("what keeps the polls open has panicked; its panic message says where");
            let polls = std::mem::take(&mut self.polls);
            let error = PollError { polls, error: error.into(), failing_for: Duration::ZERO, failures: 1 };
            // If nobody listens, nobody waits.
            let _ = self.sender.send(Err(error));
        }
    }
}

impl<S: TaskSource> Driver<S> {
    async fn run(mut self, mut controls: UnboundedReceiver<Control>) {
        self.poller.handle_timeout(now());
        let mut is_abandoned = false;
        while self.act() {
            let timeout = self.poller.poll_timeout();
            let tasks = self.tasks.sender.clone();
            // What has arrived comes first, so that no task is dropped that is here already.
            tokio::select! {
                biased;
                Some(end) = self.polls.join_next_with_id() => self.handle_end(end),
                Some((slot, is_there)) = self.reservations.next() => self.handle_reservation(slot, is_there),
                Some(control) = controls.recv() => self.handle_control(control),
                () = tasks.closed(), if !is_abandoned => {
                    is_abandoned = true;
                    self.poller.handle_shutdown(Duration::ZERO, now());
                }
                () = sleep_until(timeout) => self.poller.handle_timeout(now()),
            }
        }
        self.watch_tasks_end(controls).await;
    }

    /// No poll is open any more. Whoever looks on sees the slots that are in use until they are back.
    async fn watch_tasks_end(self, mut controls: UnboundedReceiver<Control>) {
        let Self { mut poller, reservations, snapshot, mut metrics, tasks, control, .. } = self;
        // Whoever takes the tasks knows by this that there are no more; and all slots that are out keep a sender.
        drop((tasks, control));
        while let Some(control) = controls.recv().await {
            if let Control::Release(slot) = control {
                poller.handle_slot_released(slot, now());
                show(&poller, &reservations, &snapshot, &mut metrics);
            }
        }
    }

    /// Does what the poller says; false when all is over.
    fn act(&mut self) -> bool {
        let goes_on = self.carry_out();
        show(&self.poller, &self.reservations, &self.snapshot, &mut self.metrics);
        goes_on
    }

    fn carry_out(&mut self) -> bool {
        while let Some(output) = self.poller.poll_output() {
            match output {
                PollerOutput::Open { slot, queue, group } => self.open(slot, queue, group),
                PollerOutput::Reserve { slot, queue, held } => self.reservations.reserve(slot, queue, held),
                PollerOutput::Release { slot } => self.reservations.release(slot),
                PollerOutput::Warn(warning) => self.warn(&warning),
                PollerOutput::Recovered { queue } => {
                    tracing::info!("polling {} works again", self.source.describe(queue));
                }
                PollerOutput::Fail(failure) => self.fail(&failure),
                PollerOutput::DropPolls => self.polls.abort_all(),
                PollerOutput::End => return false,
            }
        }
        true
    }

    fn open(&mut self, slot: SlotId, queue: QueueKind, group: Option<Arc<str>>) {
        let source = Arc::clone(&self.source);
        // In a box: what is on a tokio task is moved when it begins, when it ends, and when that is heard.
        let poll: BoxFuture<'static, PollEnd<S::Task>> =
            Box::pin(async move { source.poll(queue, group.as_deref()).await });
        let poll: AbortHandle = self.polls.spawn(poll);
        self.slots.insert(poll.id(), (slot, queue));
    }

    fn handle_end(&mut self, end: Result<(Id, PollEnd<S::Task>), JoinError>) {
        let id = end.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((slot, queue)) = self.slots.remove(&id) else { return };
        let (result, hints) = match end {
            Ok((_, Ok(Polled { task, hints }))) => {
                let result = if task.is_some() { PollResult::Task } else { PollResult::Empty };
                self.metrics.count_poll(task.is_some());
                if let Some(task) = task {
                    let permit = self.reservations.use_for(slot, self.source.type_name(&task));
                    // If nobody takes it, it is dropped with its slot, which then comes back as if it were done.
                    let _ = self.tasks.sender.send(Ok((task, self.slot(slot, permit))));
                }
                (result, hints)
            }
            Ok((_, Err(error))) => (self.failed(queue, error), PollHints::default()),
            Err(error) if error.is_cancelled() => (PollResult::Dropped, PollHints::default()),
            Err(panic) => {
                let error = tonic::Status::internal(format!("the poll panicked: {panic}")).into();
                (self.failed(queue, error), PollHints::default())
            }
        };
        self.poller.handle_poll_result(slot, result, hints, now());
    }

    fn slot(&self, id: SlotId, permit: Option<Permit>) -> Slot {
        Slot { id, permit, poller_group: String::new(), control: self.control.clone() }
    }

    fn handle_reservation(&mut self, slot: SlotId, is_there: bool) {
        if !is_there {
            self.poller.handle_not_reserved(slot, now());
        } else if !self.poller.handle_reserved(slot, now()) {
            self.reservations.release(slot);
        }
    }

    /// A slot for a task that comes without a poll.
    fn try_reserve(&mut self) -> Option<Slot> {
        let permit = match self.reservations.try_reserve() {
            Some(permit) => permit?,
            None => return self.poller.handle_task_without_poll(now()).map(|id| self.slot(id, None)),
        };
        let id = self.poller.handle_task_without_poll(now())?;
        Some(self.slot(id, Some(permit)))
    }

    fn failed(&mut self, queue: QueueKind, error: RpcError) -> PollResult {
        tracing::debug!(%error, "a poll of {} failed", self.source.describe(queue));
        let class = error.class();
        self.last_errors[queue as usize] = Some(error);
        PollResult::Failed(class)
    }

    fn handle_control(&mut self, control: Control) {
        match control {
            Control::Release(slot) => self.poller.handle_slot_released(slot, now()),
            Control::Reserve(give) => {
                let _ = give.send(self.try_reserve());
            }
            Control::Shutdown(drain) => self.poller.handle_shutdown(drain, now()),
        }
    }

    fn warn(&self, warning: &PollWarning) {
        let PollWarning { queue, failing_for, failures, open_for, ends_in, .. } = *warning;
        let polls = self.source.describe(queue);
        let error = self.last_error(queue);
        let hint =
            if open_for >= SUSPICIOUS { "; does a proxy cut polls, which must be left open for 70 s?" } else { "" };
        match ends_in {
            Some(ends_in) => tracing::warn!(
                "polling {polls} fails, and is given up in {} s if that does not change: {error}",
                ends_in.as_secs()
            ),
            None => tracing::warn!(
                "polling {polls} has failed for {} s, {failures} times, each open for up to {} s; still trying: \
                 {error}{hint}",
                failing_for.as_secs(),
                open_for.as_secs()
            ),
        }
    }

    fn fail(&self, failure: &PollFailure) {
        let PollFailure { queue, failing_for, failures } = *failure;
        let (polls, error) = (self.source.describe(queue), self.last_error(queue));
        let error = PollError { polls, error, failing_for, failures };
        tracing::error!("{error}");
        // If nobody listens, the log has it.
        let _ = self.tasks.sender.send(Err(error));
    }

    fn last_error(&self, queue: QueueKind) -> RpcError {
        self.last_errors[queue as usize].clone().expect("the poller complains only of errors that it was told")
    }
}

/// Shows those who look on how polls and slots are now.
fn show(
    poller: &Poller,
    reservations: &Reservations,
    snapshots: &watch::Sender<PollerSnapshot>,
    metrics: &mut PollMetrics,
) {
    let mut snapshot = poller.snapshot();
    snapshot.slots.free = snapshot.slots.free.or_else(|| reservations.free());
    metrics.show(&snapshot);
    snapshots.send_if_modified(|last| std::mem::replace(last, snapshot) != snapshot);
}

/// By tokio's clock, which tests can stop.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn sleep_until(instant: Option<std::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(Instant::from_std(instant)).await,
        None => std::future::pending().await,
    }
}

/// A poll that was open for this long and then failed was not refused, but cut.
const SUSPICIOUS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
