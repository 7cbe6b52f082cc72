//! Which heartbeats reach the server, and when.

use std::time::{Duration, Instant};

use timewright_proto::common::Payload;

/// Throttles the heartbeats of one attempt.
///
/// User code may heartbeat as often as it likes. The first one goes to the server at once; after that at most one in each
/// interval, always with the newest details, and never two at the same time. What the server did not get stays here and goes
/// along when the attempt fails.
///
/// ```text
///             handle_details            poll_request, when it is time
///   Silent ───────────────────▶ Waiting ────────────────────────────▶ Sending ──┐
///      ▲                           ▲                                     │      │ handle_details:
///      │ confirmed, nothing newer  │ confirmed and newer; or lost        │ ◀────┘ remembered as newer
///      └───────────────────────────┴─────────────────────────────────────┘
/// ```
///
/// <https://docs.temporal.io/encyclopedia/detecting-activity-failures#throttling>
///
/// ```
/// use std::time::{Duration, Instant};
/// use timewright_protocol::activity::Heartbeat;
///
/// # #[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
/// let start = Instant::now();
/// let mut heartbeat = Heartbeat::new(Duration::from_secs(8));
/// heartbeat.handle_details(Vec::new());
/// assert!(heartbeat.poll_request(start).is_some(), "the first one goes at once");
/// heartbeat.handle_confirmed();
///
/// heartbeat.handle_details(Vec::new());
/// assert!(heartbeat.poll_request(start + Duration::from_secs(7)).is_none());
/// assert_eq!(heartbeat.poll_timeout(), Some(start + Duration::from_secs(8)));
/// ```
#[derive(Clone, Debug)]
pub struct Heartbeat {
    interval: Duration,
    state: State,
    /// `None` until the first; an empty list is a heartbeat without details.
    newest: Option<Vec<Payload>>,
    not_before: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Silent,
    Waiting,
    Sending { newer: bool },
}

impl Heartbeat {
    /// At most one heartbeat in each `interval`.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self { interval, state: State::Silent, newest: None, not_before: None }
    }

    /// The interval for an attempt with this heartbeat timeout: the shorter of `maximum` and 80 % of the timeout; without
    /// timeout, of `maximum` and `default`.
    #[must_use]
    pub fn interval(heartbeat_timeout: Option<Duration>, default: Duration, maximum: Duration) -> Duration {
        // In this order nothing overflows.
        heartbeat_timeout.map_or(default, |timeout| timeout / 5 * 4).min(maximum)
    }

    /// User code heartbeats.
    pub fn handle_details(&mut self, details: Vec<Payload>) {
        self.newest = Some(details);
        self.state = match self.state {
            State::Silent | State::Waiting => State::Waiting,
            State::Sending { .. } => State::Sending { newer: true },
        };
    }

    /// The server got what [`poll_request`](Self::poll_request) last said.
    pub fn handle_confirmed(&mut self) {
        self.state = match self.state {
            State::Sending { newer: false } => State::Silent,
            State::Sending { newer: true } => State::Waiting,
            state @ (State::Silent | State::Waiting) => state,
        };
    }

    /// The server did not get it, or may not have got it. It is sent again when it is time, unless there is something newer.
    pub fn handle_lost(&mut self) {
        if let State::Sending { .. } = self.state {
            self.state = State::Waiting;
        }
    }

    /// The details to send now. Say afterwards what became of it.
    #[must_use]
    pub fn poll_request(&mut self, now: Instant) -> Option<Vec<Payload>> {
        if self.state != State::Waiting || self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        self.state = State::Sending { newer: false };
        self.not_before = now.checked_add(self.interval);
        self.newest.clone()
    }

    /// When there is something to send. Any `handle_*` may change it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.state == State::Waiting)
    }

    /// Whether there is something to send, or will be once the one under way is answered.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting | State::Sending { newer: true })
    }

    /// The newest details, if the server has not confirmed them yet.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&[Payload]> {
        self.newest().filter(|_| self.state != State::Silent)
    }

    /// The newest details, sent or not; `None` if there has been no heartbeat.
    #[must_use]
    pub fn newest(&self) -> Option<&[Payload]> {
        self.newest.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c22_interval() {
        let second = Duration::from_secs;
        let interval = |timeout| Heartbeat::interval(timeout, second(30), second(60));
        assert_eq!(interval(None), second(30));
        assert_eq!(interval(Some(second(10))), second(8));
        assert_eq!(interval(Some(second(1000))), second(60));
        assert_eq!(interval(Some(Duration::MAX)), second(60));
        assert_eq!(Heartbeat::interval(None, second(30), second(5)), second(5));
    }
}
