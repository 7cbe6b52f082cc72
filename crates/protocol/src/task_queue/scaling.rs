//! How many polls are to be open on one kind of queue, as the server suggests it.

use super::error_class::ErrorClass;
use std::time::Instant;

/// A number of polls that follows the server's hints.
///
/// ```text
///   a hint of +n ─▶ n more           an empty poll ─▶ one less, if the server scales at all
///   a hint of -n ─▶ n less           a failure     ─▶ one less; half of them if there was too much;
///                                                     only if hints were seen, which could raise it again
/// ```
///
/// It never leaves the bounds.
#[derive(Clone, Debug)]
pub(super) struct Target {
    minimum: usize,
    maximum: usize,
    polls: usize,
    /// The server has given a hint on this queue, so it will also say when there are too few polls.
    has_seen_hints: bool,
    /// When the last failure was counted. A poll that was open already is part of the same outage and is not counted.
    failed_at: Option<Instant>,
}

impl Target {
    pub(super) const fn new(minimum: usize, initial: usize, maximum: usize) -> Self {
        Self { minimum, maximum, polls: initial, has_seen_hints: false, failed_at: None }
    }

    /// The number of polls, of which there must be one for each of the server's `groups`.
    pub(super) fn polls(&self, groups: usize) -> usize {
        self.polls.max(groups).min(self.maximum)
    }

    pub(super) fn handle_hint(&mut self, delta: i32) {
        self.has_seen_hints = true;
        let delta = isize::try_from(delta).unwrap_or_default();
        self.polls = self.polls.saturating_add_signed(delta).clamp(self.minimum, self.maximum);
    }

    /// A poll ended without a task and without a hint. `server_scales`: the namespace says that its server gives hints.
    pub(super) fn handle_empty(&mut self, server_scales: bool) {
        if server_scales || self.has_seen_hints {
            self.lower_to(self.polls.saturating_sub(1));
        }
    }

    pub(super) fn handle_failed(&mut self, class: ErrorClass, opened_at: Instant, now: Instant) {
        if !self.has_seen_hints || self.failed_at.is_some_and(|last| opened_at < last) {
            return;
        }
        self.failed_at = Some(now);
        match class {
            // Long polls end so in the normal course of things.
            ErrorClass::Cancelled | ErrorClass::DeadlineExceeded => (),
            ErrorClass::ResourceExhausted => self.lower_to(self.polls / 2),
            ErrorClass::Fatal | ErrorClass::MessageTooLarge | ErrorClass::Retryable => {
                self.lower_to(self.polls.saturating_sub(1));
            }
        }
    }

    fn lower_to(&mut self, polls: usize) {
        self.polls = polls.max(self.minimum);
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn x12_hints_go_beyond_the_initial_number_and_not_beyond_the_maximum() {
        let mut target = Target::new(2, 5, 20);
        let mut after = |delta| {
            target.handle_hint(delta);
            target.polls(0)
        };
        assert_eq!([1, 10, 10, -1, -30, i32::MAX, i32::MIN].map(&mut after), [6, 16, 20, 19, 2, 20, 2]);
    }

    #[test]
    fn each_group_has_a_poll_if_the_maximum_allows_it() {
        let target = Target::new(1, 2, 5);
        assert_eq!([0, 1, 2, 3, 5, 9].map(|groups| target.polls(groups)), [2, 2, 2, 3, 5, 5]);
    }

    #[test]
    fn x6_empty_polls_lower_it_where_the_server_scales_or_has_given_a_hint() {
        let after_three = |server_scales, hint: Option<i32>| {
            let mut target = Target::new(1, 3, 9);
            hint.into_iter().for_each(|hint| target.handle_hint(hint));
            (0..3).for_each(|_| target.handle_empty(server_scales));
            target.polls(0)
        };
        assert_eq!(after_three(false, None), 3);
        assert_eq!(after_three(true, None), 1);
        assert_eq!(after_three(false, Some(0)), 1);
    }
}
