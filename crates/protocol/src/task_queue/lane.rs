//! One kind of queue as its polls see it: when the next may be opened, and since when nothing works.

use super::backoff::{Backoff, Jitter};
use super::error_class::ErrorClass;
use std::time::{Duration, Instant};

/// What was learned from the polls on one kind of queue.
///
/// ```text
///              a poll fails: wait longer each time
///            ┌─────────────────────────────────────┐
///            ▼                                     │
///  well ──────────▶ in trouble ── wait over ──▶ one poll a second, as probes
///    ▲                                             │
///    └───────────── a task, or an empty poll ──────┘
/// ```
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Until then no poll is opened.
    not_before: Option<Instant>,
    /// Failures in a row, for the back-off.
    failures: u32,
    /// When the last of them was counted. A poll that was open already is part of the same outage and is not counted.
    failed_at: Option<Instant>,
    /// Polls in a row that ended with nothing although they had hardly begun.
    hasty: u32,
    hasty_at: Option<Instant>,
    /// Since the first failure, until something is heard of the server.
    trouble: Option<Trouble>,
    last_task: Option<Instant>,
    last_success: Option<Instant>,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    failures: u64,
    warnings: u32,
    /// Since when there was nothing but fatal errors.
    fatal_since: Option<Instant>,
    /// When the last poll was opened to see whether it works again.
    probed_at: Option<Instant>,
}

/// What a failed poll means to people.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Quiet,
    /// They should know.
    Warn { failing_for: Duration, failures: u64, ends_in: Option<Duration> },
    /// It will not get better.
    Fail { failing_for: Duration, failures: u64 },
}

impl Lane {
    /// When the next poll may be opened; none: at any time.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        let probed_at = self.trouble.as_ref().and_then(|trouble| trouble.probed_at);
        self.not_before.max(probed_at.map(|probed_at| probed_at + PROBE))
    }

    /// When the last poll returned with a task, when the last one returned well, and since when all have failed.
    pub(super) fn history(&self) -> [Option<Instant>; 3] {
        [self.last_task, self.last_success, self.trouble.as_ref().map(|trouble| trouble.since)]
    }

    pub(super) fn handle_opened(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble {
            trouble.probed_at = Some(now);
        }
    }

    /// True if people were warned, so that they should hear that it is over.
    pub(super) fn handle_task(&mut self, now: Instant) -> bool {
        self.hasty = 0;
        self.last_task = Some(now);
        self.handle_well(now)
    }

    /// As [`handle_task`](Self::handle_task).
    pub(super) fn handle_empty(&mut self, opened_at: Instant, now: Instant, jitter: &mut Jitter) -> bool {
        let was_warned = self.handle_well(now);
        self.handle_nothing(opened_at, now, jitter);
        was_warned
    }

    /// A poll ended without a task. Another follows at once, except that a server which keeps saying so without
    /// waiting is not asked in a hot loop.
    pub(super) fn handle_nothing(&mut self, opened_at: Instant, now: Instant, jitter: &mut Jitter) {
        if now - opened_at >= HASTY {
            self.hasty = 0;
            return;
        }
        if self.hasty_at.is_none_or(|last| opened_at >= last) {
            self.hasty += 1;
            self.hasty_at = Some(now);
        }
        // The first time may be chance.
        let delay = PACE.delay(self.hasty.saturating_sub(1), jitter);
        self.not_before = self.not_before.max(Some(now + delay));
    }

    pub(super) fn handle_failed(
        &mut self,
        class: ErrorClass,
        opened_at: Instant,
        now: Instant,
        grace: Duration,
        jitter: &mut Jitter,
    ) -> Verdict {
        if self.failed_at.is_none_or(|last| opened_at >= last) {
            let was_open_long = now - opened_at >= Backoff::POLL.maximum;
            self.failures = if was_open_long { 1 } else { self.failures.saturating_add(1) };
            self.failed_at = Some(now);
        }
        let backoff = if class == ErrorClass::ResourceExhausted { Backoff::THROTTLED } else { Backoff::POLL };
        self.not_before = self.not_before.max(Some(now + backoff.delay(self.failures, jitter)));

        let trouble = self.trouble.get_or_insert(Trouble {
            since: now,
            failures: 0,
            warnings: 0,
            fatal_since: None,
            probed_at: None,
        });
        trouble.failures += 1;
        trouble.probed_at = None;
        trouble.verdict(class, now, grace)
    }

    fn handle_well(&mut self, now: Instant) -> bool {
        self.last_success = Some(now);
        self.failures = 0;
        self.not_before = None;
        self.trouble.take().is_some_and(|trouble| trouble.warnings > 0)
    }
}

impl Trouble {
    fn verdict(&mut self, class: ErrorClass, now: Instant, grace: Duration) -> Verdict {
        let (failing_for, failures) = (now - self.since, self.failures);
        let mut is_new_and_fatal = false;
        if class == ErrorClass::Fatal {
            is_new_and_fatal = self.fatal_since.is_none();
            let fatal_for = now - *self.fatal_since.get_or_insert(now);
            if fatal_for >= grace {
                return Verdict::Fail { failing_for, failures };
            }
        } else {
            self.fatal_since = None;
        }
        let is_due = failing_for >= warning_after(self.warnings);
        while failing_for >= warning_after(self.warnings) {
            self.warnings += 1;
        }
        if !is_due && !is_new_and_fatal {
            return Verdict::Quiet;
        }
        self.warnings = self.warnings.max(1);
        let ends_in = self.fatal_since.map(|since| grace.saturating_sub(now - since));
        Verdict::Warn { failing_for, failures, ends_in }
    }
}

/// After how long a trouble its next warning is due: 1, 3, 7, 15, 30, 45… minutes.
fn warning_after(warnings: u32) -> Duration {
    let minutes = match warnings {
        0 => 1,
        1 => 3,
        2 => 7,
        more => 15 * (u64::from(more) - 2),
    };
    Duration::from_secs(60 * minutes)
}

/// A poll that ends with nothing within this time did not wait for a task.
const HASTY: Duration = Duration::from_secs(1);
/// How soon a queue is asked again that does not wait.
const PACE: Backoff =
    Backoff { initial: Duration::from_millis(50), factor: 2.0, maximum: Duration::from_secs(1), jitter: 0.2 };
/// A poll that stays open for this long may have company, even if nothing was heard of the server yet.
const PROBE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::warning_after;

    #[test]
    fn x17_warnings_grow_apart() {
        let minutes: Vec<_> = (0..8).map(|warnings| warning_after(warnings).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 3, 7, 15, 30, 45, 60, 75]);
    }
}
