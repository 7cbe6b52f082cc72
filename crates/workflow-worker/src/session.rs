//! Sessions: several activities on one worker.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use timewright_converter::{RawValue, Value};
use timewright_definition::session::{CloseSession, HoldSession, OpenSession, opening_task_queue};
use timewright_definition::{ActivityDefinition, RetryPolicy};

use crate::activity::{ActivityHandle, ActivityOptions};
use crate::error::ActivityFailure;
use crate::wait::{keep, poll_child};
use crate::{Workflow, WorkflowContext};

/// How a session is opened.
///
/// ```
/// use std::time::Duration;
/// use timewright_workflow_worker::SessionOptions;
///
/// let options = SessionOptions::new(Duration::from_secs(3600)).task_queue("gpu").creation_timeout(Duration::from_secs(600));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionOptions {
    execution_timeout: Duration,
    task_queue: Option<String>,
    creation_timeout: Duration,
    heartbeat_timeout: Duration,
}

impl SessionOptions {
    /// A session that may be open for so long.
    pub fn new(execution_timeout: Duration) -> Self {
        Self {
            execution_timeout,
            task_queue: None,
            creation_timeout: Duration::from_secs(60),
            heartbeat_timeout: Duration::from_secs(20),
        }
    }

    /// The Task Queue of the workers among which one is chosen. Default: the workflow's own.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> Self {
        self.task_queue = Some(task_queue.into());
        self
    }

    /// How long to wait until a worker has room for a session. Default: 1 min.
    pub fn creation_timeout(mut self, timeout: Duration) -> Self {
        self.creation_timeout = timeout;
        self
    }

    /// After so long without a sign of life its worker is taken for dead, and the session for lost. Default: 20 s.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }
}

/// Several activities on one worker: what the first has loaded into its memory or onto its disk, the others find there.
///
/// [`WorkflowContext::open_session`] waits for a worker that has room; its [`execute_activity`](Self::execute_activity) goes to that
/// worker alone. If the worker dies or stops, the session is [lost](SessionLost), and so is what was there: open another one, and
/// begin again. [`close`](Self::close) it in the end, so that the worker has room for the next.
///
/// The worker has to be set up for it: `ActivityWorkerBuilder::maximum_concurrent_sessions`.
///
/// ```no_run
/// # use std::time::Duration;
/// # use timewright_definition::{ActivityDefinition, WorkflowDefinition};
/// # use timewright_workflow_worker::{
/// #     ActivityOptions, SessionActivityFailure, SessionOptions, Workflow, WorkflowContext, WorkflowError, WorkflowInfo,
/// # };
/// # struct Download; impl ActivityDefinition for Download {
/// #     const NAME: &'static str = "Download"; type Input = String; type Output = String;
/// # }
/// # struct Train; impl ActivityDefinition for Train {
/// #     const NAME: &'static str = "Train"; type Input = String; type Output = f64;
/// # }
/// # struct Training; impl WorkflowDefinition for Training {
/// #     const NAME: &'static str = "Training"; type Input = String; type Output = f64;
/// # }
/// # struct TrainingWorkflow;
/// impl Workflow for TrainingWorkflow {
/// #   type Definition = Training;
/// #   fn init(_: &WorkflowInfo, _: &String) -> Self { Self }
///     async fn run(context: WorkflowContext<Self>, url: String) -> Result<f64, WorkflowError> {
///         let options = ActivityOptions::start_to_close(Duration::from_secs(600));
///         loop {
///             let session = context.open_session(SessionOptions::new(Duration::from_secs(3600)).task_queue("gpu")).await?;
///             let trained = async {
///                 let file = session.execute_activity(Download, url.clone(), options.clone()).await?;
///                 session.execute_activity(Train, file, options.clone()).await // the file is on this worker's disk
///             };
///             let trained = trained.await;
///             session.close().await;
///             match trained {
///                 Err(SessionActivityFailure::SessionLost(_)) => continue, // on another worker, from the beginning
///                 trained => return Ok(trained?),
///             }
///         }
///     }
/// }
/// ```
pub struct Session<W: Workflow> {
    context: WorkflowContext<W>,
    worker_task_queue: String,
    session_id: String,
    held: Rc<Held>,
}

/// A session that was not opened: no worker had room in time, or the workflow was cancelled.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSessionFailure(ActivityFailure);

/// A session that is over before it was closed: its worker died or stopped, or it was open for too long.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionLost {
    session_id: String,
    failure: Option<ActivityFailure>,
}

/// Why an activity of a session gave no result.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionActivityFailure {
    /// As for any activity.
    Activity(ActivityFailure),
    /// Its worker is gone, and what was there.
    SessionLost(SessionLost),
}

/// An activity of a session: [`Session::execute_activity`]. Gives its result. Dropping it does not cancel the activity.
#[must_use = "the activity runs, but nobody waits for it"]
pub struct SessionActivityHandle<O> {
    activity: ActivityHandle<O>,
    held: Rc<Held>,
}

impl<W: Workflow> WorkflowContext<W> {
    /// Waits until a worker has room for a [`Session`], and opens it there.
    ///
    /// # Errors
    /// If no worker has room within the [creation timeout](SessionOptions::creation_timeout) — perhaps none of that Task Queue is
    /// set up for sessions — or the workflow is cancelled.
    pub async fn open_session(&self, options: SessionOptions) -> Result<Session<W>, OpenSessionFailure> {
        let task_queue = options.task_queue.unwrap_or_else(|| self.info().task_queue.clone());
        let opening = ActivityOptions::start_to_close(Duration::from_secs(10))
            .schedule_to_close_timeout(options.creation_timeout)
            .task_queue(opening_task_queue(&task_queue))
            .summary("open a session");
        let opened = self.execute_activity(OpenSession, (), opening).await;
        let (worker_task_queue, session_id) = opened.map_err(OpenSessionFailure)?;
        // It goes on while the workflow that was cancelled cleans up.
        let detached = self.detached();
        let holding = ActivityOptions::start_to_close(options.execution_timeout)
            .schedule_to_start_timeout(options.heartbeat_timeout)
            .heartbeat_timeout(options.heartbeat_timeout)
            .retry_policy(RetryPolicy::default().maximum_attempts(1))
            .task_queue(&worker_task_queue)
            .summary("hold the session");
        let handle = detached.execute_activity(HoldSession, session_id.clone(), holding);
        let held = Rc::new(Held::new(session_id.clone(), handle));
        Ok(Session { context: self.clone(), worker_task_queue, session_id, held })
    }
}

impl<W: Workflow> Session<W> {
    /// Its id, which names it in the logs of its worker.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// The Task Queue of its worker alone.
    #[must_use]
    pub fn worker_task_queue(&self) -> &str {
        &self.worker_task_queue
    }

    /// Executes an activity on the session's worker. The options' Task Queue does not count.
    ///
    /// If the session is lost meanwhile, the activity is cancelled, and this ends.
    pub fn execute_activity<D: ActivityDefinition>(
        &self,
        definition: D,
        input: D::Input,
        options: ActivityOptions,
    ) -> SessionActivityHandle<D::Output> {
        let options = options.task_queue(&self.worker_task_queue);
        SessionActivityHandle {
            activity: self.context.execute_activity(definition, input, options),
            held: Rc::clone(&self.held),
        }
    }

    /// As [`execute_activity`](Self::execute_activity), by a name that is known only at run time, from Payloads to a Payload.
    pub fn execute_activity_untyped(
        &self,
        activity_type: &str,
        arguments: Vec<timewright_converter::Payload>,
        options: ActivityOptions,
    ) -> SessionActivityHandle<RawValue> {
        let options = options.task_queue(&self.worker_task_queue);
        SessionActivityHandle {
            activity: self.context.execute_activity_untyped(activity_type, arguments, options),
            held: Rc::clone(&self.held),
        }
    }

    /// Waits until the session is lost. Not for ever: it is, once its execution timeout is over.
    pub async fn lost(&self) -> SessionLost {
        std::future::poll_fn(|task| self.held.poll(task)).await
    }

    /// Closes the session, so that its worker has room for another. A session that is lost is closed already.
    pub async fn close(self) {
        let closing = ActivityOptions::start_to_close(Duration::from_secs(10))
            .schedule_to_close_timeout(Duration::from_secs(60))
            .task_queue(&self.worker_task_queue)
            .summary("close the session");
        let activity = self.context.detached().execute_activity(CloseSession, self.session_id.clone(), closing);
        // If it cannot be told, its worker is dead or will notice when the workflow has ended.
        let _ = SessionActivityHandle { activity, held: self.held }.await;
    }
}

impl<O> SessionActivityHandle<O> {
    /// Cancels the activity as its [`ActivityCancellationType`](crate::ActivityCancellationType) says.
    pub fn cancel(&self) {
        self.activity.cancel();
    }
}

impl<O: Value> Future for SessionActivityHandle<O> {
    type Output = Result<O, SessionActivityFailure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // What the activity gave counts, whatever became of the session at the same time.
        if let Poll::Ready(result) = Pin::new(&mut this.activity).poll(task) {
            return Poll::Ready(result.map_err(SessionActivityFailure::Activity));
        }
        let Poll::Ready(lost) = this.held.poll(task) else { return Poll::Pending };
        this.activity.cancel();
        Poll::Ready(Err(SessionActivityFailure::SessionLost(lost)))
    }
}

/// The activity that runs as long as the session is open. Any number of futures wait for its end.
struct Held {
    session_id: String,
    state: RefCell<State>,
    waiting: Arc<Waiting>,
}

enum State {
    Open(ActivityHandle<()>),
    Over(Option<ActivityFailure>),
}

impl Held {
    fn new(session_id: String, handle: ActivityHandle<()>) -> Self {
        Self { session_id, state: RefCell::new(State::Open(handle)), waiting: Arc::default() }
    }

    fn poll(&self, task: &mut Context<'_>) -> Poll<SessionLost> {
        let mut state = self.state.borrow_mut();
        if let State::Open(handle) = &mut *state {
            // Whoever asks last must not be the only one who is woken.
            self.waiting.add(keep(task.waker()));
            let Poll::Ready(ended) = poll_child(Pin::new(handle), &Waker::from(Arc::clone(&self.waiting))) else {
                return Poll::Pending;
            };
            *state = State::Over(ended.err());
            self.waiting.wake_by_ref();
        }
        match &*state {
            State::Over(failure) => {
                Poll::Ready(SessionLost { session_id: self.session_id.clone(), failure: failure.clone() })
            }
            State::Open(_) => Poll::Pending,
        }
    }
}

#[derive(Default)]
struct Waiting(Mutex<Vec<Waker>>);

impl Waiting {
    fn add(&self, waker: Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|known| known.will_wake(&waker)) {
            wakers.push(waker);
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Display for OpenSessionFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no session was opened: {}. Is a worker of that Task Queue set up for sessions \
             (ActivityWorkerBuilder::maximum_concurrent_sessions), and has it room?",
            self.0
        )
    }
}

impl Error for OpenSessionFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for SessionLost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "session {} is lost", self.session_id)?;
        match &self.failure {
            Some(failure) => write!(formatter, ": {failure}"),
            None => formatter.write_str(": it was closed"),
        }
    }
}

impl Error for SessionLost {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.as_ref().map(|failure| failure as _)
    }
}

impl fmt::Display for SessionActivityFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activity(failure) => failure.fmt(formatter),
            Self::SessionLost(lost) => lost.fmt(formatter),
        }
    }
}

impl Error for SessionActivityFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Activity(failure) => failure.source(),
            Self::SessionLost(lost) => lost.source(),
        }
    }
}

/// An error as what it is for `?`: the activity's own failure, where it is one.
pub(crate) fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref() {
        Some(SessionActivityFailure::Activity(failure)) => failure,
        _ => match error.downcast_ref() {
            Some(OpenSessionFailure(failure @ ActivityFailure::Cancelled(_))) => failure,
            _ => error,
        },
    }
}
