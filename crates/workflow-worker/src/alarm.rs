//! A timer that is set again and again.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings when it is time, which may change whenever it is waited for anew.
///
/// A timer that is made anew each time wakes the thread which waits for the network, so that this one waits no longer than the
/// timer: two system calls and two switches of threads. This one is set to a later time for next to nothing.
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(crate) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Waits until then; for ever where there is nothing to wait for.
    pub(crate) async fn ring(&mut self, due: Option<Instant>) {
        let Some(due) = due else { return std::future::pending().await };
        if self.0.deadline() != due {
            self.0.as_mut().reset(due);
        }
        self.0.as_mut().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_it_was_last_said() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut alarm = Alarm::new();
        for (due, given_up) in [(10, 1), (30, 2)] {
            assert!(timeout(Duration::from_secs(given_up), alarm.ring(Some(at(due)))).await.is_err());
        }
        // Earlier than it was set to, then later.
        for due in [5, 20, 20] {
            alarm.ring(Some(at(due))).await;
            assert_eq!(Instant::now(), at(due));
        }
        assert!(timeout(Duration::from_secs(60), alarm.ring(None)).await.is_err());
    }
}
