//! What user code has under way, and waits for.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use timewright_protocol::workflow::{Backoff, Command};

use super::shared::{Follow, Kind, Outcome, Shared};
use crate::program::{Activity, LocalActivity};

/// Waits for something to be there.
pub(super) async fn until<T>(shared: &Rc<RefCell<Shared>>, mut take: impl FnMut(&mut Shared) -> Option<T>) -> T {
    poll_fn(|_| match take(&mut shared.borrow_mut()) {
        Some(value) => Poll::Ready(value),
        None => Poll::Pending,
    })
    .await
}

/// A timer; dropping it cancels it.
pub(super) struct StartedTimer {
    shared: Rc<RefCell<Shared>>,
    sequence: u32,
}

impl StartedTimer {
    pub(super) fn new(shared: &Rc<RefCell<Shared>>, duration: Duration) -> Self {
        let sequence = shared.borrow_mut().start_timer(duration);
        Self { shared: shared.clone(), sequence }
    }

    pub(super) async fn fired(&self) {
        until(&self.shared, |shared| shared.outcome(Kind::Timer, self.sequence)).await;
    }

    fn has_fired(&self) -> bool {
        self.shared.borrow().outcome(Kind::Timer, self.sequence).is_some()
    }
}

impl Drop for StartedTimer {
    fn drop(&mut self) {
        if !self.has_fired() {
            let mut shared = self.shared.borrow_mut();
            shared.forget(Kind::Timer, self.sequence);
            shared.ask(Command::CancelTimer { sequence: self.sequence });
        }
    }
}

/// An activity; dropping it cancels it.
pub(super) struct ScheduledActivity {
    shared: Rc<RefCell<Shared>>,
    sequence: u32,
}

impl ScheduledActivity {
    pub(super) fn new(shared: &Rc<RefCell<Shared>>, activity: &Activity) -> Self {
        let sequence = shared.borrow_mut().schedule(activity);
        Self { shared: shared.clone(), sequence }
    }

    pub(super) fn cancel(&self) {
        self.shared.borrow_mut().ask(Command::RequestCancelActivity { sequence: self.sequence });
    }

    pub(super) async fn outcome(&self) {
        let outcome = until(&self.shared, |shared| shared.outcome(Kind::Activity, self.sequence)).await;
        self.shared.borrow_mut().note(&format!("outcome {}", outcome.digest));
    }
}

impl Drop for ScheduledActivity {
    fn drop(&mut self) {
        let is_open = self.shared.borrow().outcome(Kind::Activity, self.sequence).is_none();
        if is_open {
            self.cancel();
        }
    }
}

/// A Local Activity with its durable timers; dropping it cancels it. It goes on only while it is polled.
pub(super) struct ScheduledLocalActivity {
    shared: Rc<RefCell<Shared>>,
    activity: LocalActivity,
    stage: Stage,
}

enum Stage {
    /// It is scheduled.
    Scheduled(u32),
    /// It waits to be scheduled anew.
    Waiting(StartedTimer, Backoff),
    /// It is over.
    Over,
}

impl ScheduledLocalActivity {
    pub(super) fn new(shared: &Rc<RefCell<Shared>>, activity: LocalActivity) -> Self {
        let sequence = shared.borrow_mut().schedule_locally(&activity, None);
        Self { shared: shared.clone(), activity, stage: Stage::Scheduled(sequence) }
    }

    /// Ready when it is over.
    pub(super) fn poll(&mut self) -> Poll<()> {
        loop {
            match &self.stage {
                Stage::Scheduled(sequence) => {
                    let outcome = self.shared.borrow().outcome(Kind::Activity, *sequence);
                    let Some(outcome) = outcome else { return Poll::Pending };
                    self.stage = match outcome.follow {
                        Follow::Backoff(backoff) => {
                            Stage::Waiting(StartedTimer::new(&self.shared, backoff.delay), backoff)
                        }
                        Follow::Nothing | Follow::End => {
                            self.shared.borrow_mut().note(&format!("outcome {}", outcome.digest));
                            Stage::Over
                        }
                    };
                }
                Stage::Waiting(timer, backoff) => {
                    if !timer.has_fired() {
                        return Poll::Pending;
                    }
                    let sequence = self.shared.borrow_mut().schedule_locally(&self.activity, Some(backoff));
                    self.stage = Stage::Scheduled(sequence);
                }
                Stage::Over => return Poll::Ready(()),
            }
        }
    }

    /// Whoever only waits to try again is done at once.
    pub(super) fn cancel(&mut self) {
        match &self.stage {
            Stage::Scheduled(sequence) => {
                self.shared.borrow_mut().ask(Command::CancelLocalActivity { sequence: *sequence });
            }
            Stage::Waiting(..) => self.stage = Stage::Over,
            Stage::Over => (),
        }
    }
}

impl Drop for ScheduledLocalActivity {
    fn drop(&mut self) {
        if let Stage::Scheduled(sequence) = self.stage
            && self.shared.borrow().outcome(Kind::Activity, sequence).is_none()
        {
            self.cancel();
        }
    }
}

/// Something else that is under way: a Child Workflow, a signal to another workflow, a Nexus operation. Dropping it cancels
/// it.
pub(super) struct Operation {
    shared: Rc<RefCell<Shared>>,
    kind: Kind,
    sequence: u32,
    cancel: fn(u32) -> Command,
}

impl Operation {
    pub(super) fn new(shared: &Rc<RefCell<Shared>>, kind: Kind, sequence: u32, cancel: fn(u32) -> Command) -> Self {
        Self { shared: shared.clone(), kind, sequence, cancel }
    }

    pub(super) fn cancel(&self) {
        self.shared.borrow_mut().ask((self.cancel)(self.sequence));
    }

    /// Waits for its outcome; where it has a start and an end, for both.
    pub(super) async fn outcome(&self) {
        let outcome = until(&self.shared, |shared| self.last_outcome(shared)).await;
        self.shared.borrow_mut().note(&format!("outcome {}", outcome.digest));
    }

    fn last_outcome(&self, shared: &Shared) -> Option<Outcome> {
        let outcome = shared.outcome(self.kind, self.sequence)?;
        match (outcome.follow == Follow::End, self.kind) {
            (true, Kind::ChildStart) => shared.outcome(Kind::Child, self.sequence),
            (true, Kind::NexusStart) => shared.outcome(Kind::Nexus, self.sequence),
            _ => Some(outcome),
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let is_open = self.last_outcome(&self.shared.borrow()).is_none();
        if is_open {
            self.cancel();
        }
    }
}
