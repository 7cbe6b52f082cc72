//! Timeouts as a worker enforces them itself.

use std::time::{Duration, Instant};

use super::LocalTimeout;

/// When an attempt has taken too long.
///
/// Two clocks that run apart: a heartbeat moves only its own. Both are measured from receipt, never from the server's
/// timestamps, so that clocks that differ do no harm; and since the server measures from an earlier moment, it always
/// decides first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    start_to_close: Option<Instant>,
    heartbeat_timeout: Option<Duration>,
    heartbeat: Option<Instant>,
}

impl Deadlines {
    /// `buffer` is added to each timeout.
    pub(super) fn new(
        received_at: Instant,
        start_to_close_timeout: Option<Duration>,
        heartbeat_timeout: Option<Duration>,
        buffer: Duration,
    ) -> Self {
        let heartbeat_timeout = heartbeat_timeout.map(|timeout| timeout.saturating_add(buffer));
        Self {
            start_to_close: start_to_close_timeout
                .and_then(|timeout| received_at.checked_add(timeout.saturating_add(buffer))),
            heartbeat_timeout,
            heartbeat: heartbeat_timeout.and_then(|timeout| received_at.checked_add(timeout)),
        }
    }

    /// The server confirmed a heartbeat.
    pub(super) fn handle_heartbeat_confirmed(&mut self, now: Instant) {
        self.heartbeat = self.heartbeat_timeout.and_then(|timeout| now.checked_add(timeout));
    }

    /// Which one is over; the earlier of two.
    pub(super) fn passed(&self, now: Instant) -> Option<LocalTimeout> {
        self.next().filter(|(at, _)| *at <= now).map(|(_, timeout)| timeout)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next().map(|(at, _)| at)
    }

    fn next(&self) -> Option<(Instant, LocalTimeout)> {
        let start_to_close = self.start_to_close.map(|at| (at, LocalTimeout::StartToClose));
        let heartbeat = self.heartbeat.map(|at| (at, LocalTimeout::Heartbeat));
        start_to_close.into_iter().chain(heartbeat).min_by_key(|(at, _)| *at)
    }
}
