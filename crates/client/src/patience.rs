//! Going on with a wait while the server is away.

use crate::random;
use crate::rpc_error::RpcError;
use std::time::Duration;
use timewright_protocol::task_queue::{Backoff, ErrorClass, Jitter};
use tokio::time::Instant;

/// How a wait without end takes setbacks: what may pass is borne, with growing pauses and now and then a word in the log.
#[derive(Debug)]
pub(crate) struct Patience {
    what: String,
    failures: u32,
    jitter: Jitter,
    asked_at: Instant,
    trouble: Option<Trouble>,
    /// Whether the next call does without a wait if the server lets no more calls wait.
    can_look: bool,
    may_wait: bool,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    next_warning: Duration,
}

impl Patience {
    /// For those who can also have a look at what there is: [`may_wait`](Self::may_wait) says when.
    pub(crate) fn new(what: String) -> Self {
        let jitter = Jitter::new(random::seed());
        Self { what, failures: 0, jitter, asked_at: Instant::now(), trouble: None, can_look: true, may_wait: true }
    }

    /// For those whose calls all wait.
    pub(crate) fn without_looks(what: String) -> Self {
        Self { can_look: false, ..Self::new(what) }
    }

    /// Whether the next call may wait until there is something to say; otherwise it is to have a look at what there is.
    ///
    /// A server lets only so many calls of a namespace wait. Who waits already comes first, again and again; who only has a look is not
    /// counted among them.
    pub(crate) const fn may_wait(&self) -> bool {
        self.may_wait
    }

    /// Waits before the next try; gives the error back if waiting does not help.
    pub(crate) async fn bear(&mut self, error: RpcError) -> Result<(), RpcError> {
        let backoff = match error.class() {
            ErrorClass::Retryable | ErrorClass::Cancelled | ErrorClass::DeadlineExceeded => Backoff::POLL,
            ErrorClass::ResourceExhausted => Backoff::THROTTLED,
            ErrorClass::Fatal | ErrorClass::MessageTooLarge => return Err(error),
        };
        self.may_wait = !self.can_look || error.class() != ErrorClass::ResourceExhausted;
        self.failures += 1;
        self.warn(&error);
        tokio::time::sleep(backoff.delay(self.failures, &mut self.jitter)).await;
        self.asked_at = Instant::now();
        Ok(())
    }

    /// The server is well and has nothing to say. It is asked again at once, unless it did not wait.
    pub(crate) async fn handle_empty(&mut self) {
        if !self.may_wait {
            // It did not wait, as it was told. The next call tries to.
            self.may_wait = true;
            return;
        }
        if self.trouble.take().is_some_and(|trouble| trouble.next_warning > FIRST_WARNING) {
            tracing::info!("{}: the server is back", self.what);
        }
        if self.asked_at.elapsed() >= HASTY {
            self.failures = 0;
        } else {
            self.failures += 1;
            tokio::time::sleep(Backoff::UNARY.delay(self.failures, &mut self.jitter)).await;
        }
        self.asked_at = Instant::now();
    }

    fn warn(&mut self, error: &RpcError) {
        let trouble = self.trouble.get_or_insert(Trouble { since: Instant::now(), next_warning: FIRST_WARNING });
        let failing_for = trouble.since.elapsed();
        if failing_for >= trouble.next_warning {
            trouble.next_warning = (failing_for * 2).min(failing_for + LONGEST_SILENCE);
            tracing::warn!("{}: failing for {} s, still trying: {error}", self.what, failing_for.as_secs());
        }
    }
}

const FIRST_WARNING: Duration = Duration::from_secs(30);
const LONGEST_SILENCE: Duration = Duration::from_secs(15 * 60);
/// A server that answers sooner did not wait for anything.
const HASTY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_whoever_has_looked_asks_again_without_a_pause() {
        for (mut patience, looks) in [(Patience::new("x".into()), true), (Patience::without_looks("x".into()), false)] {
            patience.bear(Status::new(Code::ResourceExhausted, "busy").into()).await.unwrap();
            assert_eq!(patience.may_wait(), !looks);
            let answered_at = Instant::now();
            patience.handle_empty().await;
            assert_eq!(answered_at.elapsed().is_zero(), looks);
            assert_eq!(patience.trouble.is_some(), looks, "a wait that was let in is the end of it");
        }
    }
}
