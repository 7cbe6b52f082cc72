//! One attempt of an activity, from receipt to completion.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use timewright_proto::common::Payload;

use super::deadlines::Deadlines;
use super::outcome::cancelled_unasked;
use super::{ActivityInfo, ActivityOutcome, CancelReason, Completion, Heartbeat};

/// How attempts are looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptOptions {
    /// What no interval between two heartbeats to the server exceeds: 60 s.
    pub maximum_heartbeat_throttle_interval: Duration,
    /// The interval between two heartbeats to the server where an activity has no heartbeat timeout: 30 s.
    pub default_heartbeat_throttle_interval: Duration,
    /// What is added to a timeout before the worker enforces it itself: 5 s. The server's word has that long to arrive.
    pub local_timeout_buffer: Duration,
}

impl Default for AttemptOptions {
    fn default() -> Self {
        Self {
            maximum_heartbeat_throttle_interval: Duration::from_secs(60),
            default_heartbeat_throttle_interval: Duration::from_secs(30),
            local_timeout_buffer: Duration::from_secs(5),
        }
    }
}

/// What became of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatAnswer {
    /// The server got it, and said this.
    Confirmed {
        /// The attempt is to stop.
        cancel_requested: bool,
        /// An operator paused the activity.
        paused: bool,
        /// An operator reset the activity.
        reset: bool,
    },
    /// It did not arrive, as far as one can tell.
    Lost,
    /// The server does not know the attempt.
    NotFound,
}

/// What whoever drives an [`Attempt`] has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptOutput {
    /// Tell user code to stop. Said at most once.
    Cancel(CancelReason),
    /// Tell the server how it ended. Said once, as the last.
    Complete(Completion),
    /// Send a heartbeat with these details, and report what became of it with [`Attempt::handle_heartbeat_answer`].
    SendHeartbeat(Vec<Payload>),
}

/// One attempt of an activity, as its worker sees it.
///
/// It has no clock and no connection. Whoever drives it
///
/// 1. reports what happens: user code heartbeats ([`handle_heartbeat`](Self::handle_heartbeat)) or ends
///    ([`handle_outcome`](Self::handle_outcome)), a heartbeat was answered
///    ([`handle_heartbeat_answer`](Self::handle_heartbeat_answer)), the server asks for cancellation of its own accord
///    ([`handle_cancel_requested`](Self::handle_cancel_requested)), the worker wants to stop
///    ([`handle_worker_shutdown`](Self::handle_worker_shutdown)), or the time that [`poll_timeout`](Self::poll_timeout) says
///    has come ([`handle_timeout`](Self::handle_timeout)); and
/// 2. does what [`poll_output`](Self::poll_output) says until that is `None`,
///
/// until [`AttemptOutput::Complete`].
///
/// ```text
///               the server, a timeout or the worker: Cancel
///   Running ─────────────────────────────────────────────────▶ Cancelled
///      │ outcome                                                   │ outcome
///      └───────────────────────────▶ Ended ◀───────────────────────┘
/// ```
///
/// What it keeps to:
///
/// - User code is told to stop once, with the first reason.
/// - An attempt is cancelled for the server only if the server asked for it; else it has failed.
/// - The newest details go along with a failure, whether they were sent before or not; and where somebody else completes the
///   attempt, they are not kept back.
/// - A heartbeat moves only the heartbeat's deadline, and only once the server has confirmed it.
#[derive(Debug)]
pub struct Attempt {
    heartbeat: Heartbeat,
    deadlines: Deadlines,
    state: State,
    /// Whether the server asked for cancellation, be it as the first reason to stop or a later one.
    cancel_requested: bool,
    /// Whether the server said that it does not know the attempt. Heartbeats are of no use then.
    unknown_to_server: bool,
    /// The latest time that was told.
    now: Instant,
    outputs: VecDeque<AttemptOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Cancelled(CancelReason),
    Ended,
}

impl Attempt {
    /// An attempt that was received at `received_at` and is executed from now on.
    #[must_use]
    pub fn new(info: &ActivityInfo, options: AttemptOptions, received_at: Instant) -> Self {
        let interval = Heartbeat::interval(
            info.heartbeat_timeout,
            options.default_heartbeat_throttle_interval,
            options.maximum_heartbeat_throttle_interval,
        );
        Self {
            heartbeat: Heartbeat::new(interval),
            deadlines: Deadlines::new(
                received_at,
                info.start_to_close_timeout,
                info.heartbeat_timeout,
                options.local_timeout_buffer,
            ),
            state: State::Running,
            cancel_requested: false,
            unknown_to_server: false,
            now: received_at,
            outputs: VecDeque::new(),
        }
    }

    /// Why user code was told to stop, if it was.
    #[must_use]
    pub const fn cancel_reason(&self) -> Option<CancelReason> {
        match self.state {
            State::Cancelled(reason) => Some(reason),
            State::Running | State::Ended => None,
        }
    }

    /// The newest details that user code has heartbeated; `None` if it has not.
    #[must_use]
    pub fn newest_heartbeat(&self) -> Option<&[Payload]> {
        self.heartbeat.newest()
    }

    /// Whether a heartbeat waits for its time. Newer ones then only replace its details, so it is enough to report the newest
    /// when [`poll_timeout`](Self::poll_timeout) has come.
    #[must_use]
    pub fn is_heartbeat_waiting(&self) -> bool {
        self.heartbeat.is_waiting()
    }

    /// User code heartbeats.
    pub fn handle_heartbeat(&mut self, details: Vec<Payload>, now: Instant) {
        self.heartbeat.handle_details(details);
        self.handle_timeout(now);
    }

    /// A heartbeat was answered, or was lost.
    pub fn handle_heartbeat_answer(&mut self, answer: HeartbeatAnswer, now: Instant) {
        self.now = self.now.max(now);
        match answer {
            HeartbeatAnswer::Confirmed { cancel_requested, paused, reset } => {
                self.heartbeat.handle_confirmed();
                self.deadlines.handle_heartbeat_confirmed(self.now);
                self.cancel_requested |= cancel_requested;
                if cancel_requested {
                    self.cancel(CancelReason::CancelRequested);
                } else if reset {
                    self.cancel(CancelReason::Reset);
                } else if paused {
                    self.cancel(CancelReason::Paused);
                }
            }
            HeartbeatAnswer::Lost => self.heartbeat.handle_lost(),
            HeartbeatAnswer::NotFound => {
                self.unknown_to_server = true;
                self.cancel(CancelReason::NotFound);
            }
        }
        self.handle_timeout(now);
    }

    /// The server asks for cancellation, other than by the answer to a heartbeat.
    pub fn handle_cancel_requested(&mut self, now: Instant) {
        self.cancel_requested = true;
        self.cancel(CancelReason::CancelRequested);
        self.handle_timeout(now);
    }

    /// The worker cannot wait any longer.
    pub fn handle_worker_shutdown(&mut self, now: Instant) {
        self.cancel(CancelReason::WorkerShutdown);
        self.handle_timeout(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if let Some(timeout) = self.deadlines.passed(self.now) {
            self.cancel(CancelReason::TimedOut(timeout));
        }
    }

    /// User code has ended. What is said afterwards is ignored.
    pub fn handle_outcome(&mut self, outcome: ActivityOutcome) {
        if self.state == State::Ended {
            return;
        }
        let completion = match outcome {
            ActivityOutcome::Completed(result) => Completion::Completed { result },
            ActivityOutcome::Failed(failure) => self.failed(failure),
            ActivityOutcome::Cancelled(details) if self.cancel_requested => Completion::Cancelled { details },
            ActivityOutcome::Cancelled(details) => {
                self.failed(Box::new(cancelled_unasked(self.cancel_reason(), details)))
            }
            ActivityOutcome::WillCompleteAsynchronously => Completion::WillCompleteAsynchronously {
                unconfirmed_heartbeat: self
                    .heartbeat
                    .unconfirmed()
                    .filter(|_| !self.unknown_to_server)
                    .map(<[_]>::to_vec),
            },
        };
        self.state = State::Ended;
        // A reason to stop that user code has not heard of is of no use to it any more.
        self.outputs.clear();
        self.outputs.push_back(AttemptOutput::Complete(completion));
    }

    /// What to do next; `None`: wait. Anything may change it, the time that [`poll_timeout`](Self::poll_timeout) says included.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<AttemptOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if !self.heartbeats() {
            return None;
        }
        self.heartbeat.poll_request(self.now).map(AttemptOutput::SendHeartbeat)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once there is no more output.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let heartbeat = self.heartbeat.poll_timeout().filter(|_| self.heartbeats());
        // Once user code has been told to stop, there is nothing left to enforce.
        let deadline = self.deadlines.poll_timeout().filter(|_| self.state == State::Running);
        heartbeat.into_iter().chain(deadline).min()
    }

    fn heartbeats(&self) -> bool {
        self.state != State::Ended && !self.unknown_to_server
    }

    fn cancel(&mut self, reason: CancelReason) {
        if self.state == State::Running {
            self.state = State::Cancelled(reason);
            self.outputs.push_back(AttemptOutput::Cancel(reason));
        }
    }

    fn failed(&self, failure: Box<timewright_proto::failure::Failure>) -> Completion {
        Completion::Failed { failure, last_heartbeat_details: self.newest_heartbeat().map(<[_]>::to_vec) }
    }
}

#[cfg(test)]
mod tests;
