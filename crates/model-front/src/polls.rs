//! Who polls, and who has stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use timewright_model_server::Time;

/// The open polls of sticky queues, and the workers that have shut down.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    sticky: BTreeMap<String, StickyQueue>,
    /// By worker instance key.
    ended: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct StickyQueue {
    open: usize,
    /// When the last open poll ended.
    unpolled_since: Time,
}

impl Polls {
    /// A worker shuts down: its polls end, also those that it has not opened yet.
    pub(crate) fn end_worker(&mut self, instance_key: &str) {
        if !instance_key.is_empty() {
            self.ended.insert(instance_key.to_owned());
        }
    }

    pub(crate) fn has_ended(&self, instance_key: &str) -> bool {
        self.ended.contains(instance_key)
    }

    pub(crate) fn open(&mut self, sticky_queue: &str) {
        self.sticky.entry(sticky_queue.to_owned()).or_default().open += 1;
    }

    pub(crate) fn close(&mut self, sticky_queue: &str, now: Time) {
        if let Some(queue) = self.sticky.get_mut(sticky_queue) {
            queue.open = queue.open.saturating_sub(1);
            queue.unpolled_since = now;
        }
    }

    /// When the next sticky queue is given up, if nobody polls it until then.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let unpolled = self.sticky.values().filter(|queue| queue.open == 0);
        unpolled.map(|queue| queue.unpolled_since + STICKY_POLL_LIMIT).min()
    }

    /// The sticky queues that are given up.
    #[must_use]
    pub(crate) fn handle_timeout(&mut self, now: Time) -> Vec<String> {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let is_given_up = |queue: &StickyQueue| queue.open == 0 && queue.unpolled_since + STICKY_POLL_LIMIT <= now;
        let given_up = self.sticky.extract_if(.., |_, queue| is_given_up(queue));
        given_up.map(|(name, _)| name).collect()
    }
}

/// Fact (server 1.32): a sticky queue without a poll for this long has no worker any more.
const STICKY_POLL_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sticky_queue_is_given_up_when_nobody_has_polled_it_for_ten_seconds() {
        let second = Duration::from_secs(1);
        let mut polls = Polls::default();
        polls.open("sticky");
        polls.open("sticky");
        polls.close("sticky", second);
        assert_eq!(polls.poll_timeout(), None);
        polls.close("sticky", 2 * second);
        assert_eq!(polls.poll_timeout(), Some(12 * second));
        assert!(polls.handle_timeout(11 * second).is_empty());
        assert_eq!(polls.handle_timeout(12 * second), ["sticky"]);
        assert_eq!(polls.poll_timeout(), None);
    }
}
