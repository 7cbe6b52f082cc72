//! Holds answers back that say nothing, while Signals come; and knows when the worker shuts down, since nothing is held then.

use std::time::Duration;

use timewright_protocol::task_queue::SlotsSnapshot;
use tokio::sync::watch;
use tokio::time::timeout;

/// Whether tasks that are held open would take no slot from others.
pub(crate) fn leaves_room(slots: &SlotsSnapshot) -> bool {
    slots.free.is_some_and(|free| free + slots.polling > slots.executing)
}

pub(crate) struct Hold {
    maximum: Duration,
    is_stopping: watch::Sender<bool>,
}

impl Hold {
    /// For at most so long.
    pub(crate) fn new(maximum: Duration) -> Self {
        Self { maximum, is_stopping: watch::Sender::new(false) }
    }

    pub(crate) fn begin_shutdown(&self) {
        self.is_stopping.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.is_stopping.borrow()
    }

    /// Comes back when an answer that may wait for so long is to be sent. The server keeps what comes until then for the next task.
    pub(crate) async fn wait(&self, may_wait: Duration) {
        let wait = may_wait.min(self.maximum);
        if wait.is_zero() {
            return;
        }
        let mut is_stopping = self.is_stopping.subscribe();
        // Either way it is time.
        let _ = timeout(wait, is_stopping.wait_for(|is_stopping| *is_stopping)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const MAXIMUM: Duration = Duration::from_millis(50);

    async fn waited(hold: &Hold, may_wait: Duration) -> Duration {
        let began = Instant::now();
        hold.wait(may_wait).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_as_long_as_it_may_and_never_longer_than_the_worker_lets_it() {
        let hold = Hold::new(MAXIMUM);
        assert_eq!(waited(&hold, Duration::ZERO).await, Duration::ZERO);
        assert_eq!(waited(&hold, Duration::from_millis(20)).await, Duration::from_millis(20));
        assert_eq!(waited(&hold, Duration::from_secs(1)).await, MAXIMUM);
        assert_eq!(waited(&Hold::new(Duration::ZERO), Duration::from_secs(1)).await, Duration::ZERO);
    }

    #[test]
    fn there_is_room_while_fewer_than_half_of_the_slots_execute_tasks() {
        let leaves_room = |executing, polling, free| {
            let mut slots = SlotsSnapshot::default();
            (slots.executing, slots.polling, slots.free) = (executing, polling, free);
            leaves_room(&slots)
        };
        assert!(leaves_room(4, 5, Some(0)) && leaves_room(1, 1, Some(1)));
        assert!(!leaves_room(5, 5, Some(0)) && !leaves_room(5, 1, Some(4)));
        assert!(!leaves_room(0, 5, None), "nobody knows");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_waits_for_none() {
        let hold = Hold::new(MAXIMUM);
        let after = Duration::from_millis(10);
        let shutdown = async {
            tokio::time::advance(after).await;
            hold.begin_shutdown();
        };
        let (waited_before, ()) = tokio::join!(waited(&hold, MAXIMUM), shutdown);
        assert_eq!(waited_before, after);
        assert!(hold.is_stopping());
        assert_eq!(waited(&hold, MAXIMUM).await, Duration::ZERO, "and what comes later");
    }
}
