//! What lies between a workflow's code and the executor: Commands one way, outcomes the other.
//!
//! One `Rc<RefCell<Mailbox>>` a Run, never borrowed while user code is polled or called.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::SystemTime;

use timewright_converter::DataConverter;
use timewright_protocol::workflow::{Activation, Command, Resolution};

/// Shared by everything that belongs to one Run.
pub(crate) type SharedMailbox = Rc<RefCell<Mailbox>>;

#[derive(Debug)]
pub(crate) struct Mailbox {
    /// What user code has asked for since it was last looked at.
    commands: Vec<Command>,
    timers: BTreeMap<u32, Slot<TimerEnd>>,
    activities: BTreeMap<u32, Slot<Resolution>>,
    /// Operations that end with the workflow's cancellation, in the order in which they were started.
    cancelled_with_workflow: BTreeMap<u64, Operation>,
    /// Futures that wait for the state to change, or for cancellation.
    state_wakers: Vec<Waker>,
    cancellation: Option<String>,
    last_timer: u32,
    last_activity: u32,
    operations: u64,
    moment: Moment,
    converter: DataConverter,
    /// The Run is being dropped: whatever user code does in its destructors leads to nothing.
    inert: bool,
}

/// What workflow code may know of the Workflow Task that it is at.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) time: SystemTime,
    pub(crate) replaying: bool,
    pub(crate) history_length: u64,
    pub(crate) history_bytes: u64,
    pub(crate) continue_as_new_suggested: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Timer(u32),
    Activity(u32),
}

/// How a timer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimerEnd {
    Fired,
    Cancelled { reason: String },
}

#[derive(Debug)]
enum Slot<T> {
    Pending {
        waker: Option<Waker>,
        order: u64,
        /// Somebody may still ask for the outcome.
        awaited: bool,
    },
    Ready(T),
}

impl Mailbox {
    pub(crate) fn new(converter: DataConverter) -> Self {
        Self {
            commands: Vec::new(),
            timers: BTreeMap::new(),
            activities: BTreeMap::new(),
            cancelled_with_workflow: BTreeMap::new(),
            state_wakers: Vec::new(),
            cancellation: None,
            last_timer: 0,
            last_activity: 0,
            operations: 0,
            moment: Moment {
                time: SystemTime::UNIX_EPOCH,
                replaying: true,
                history_length: 0,
                history_bytes: 0,
                continue_as_new_suggested: false,
            },
            converter,
            inert: false,
        }
    }

    pub(crate) fn converter(&self) -> &DataConverter {
        &self.converter
    }

    pub(crate) fn moment(&self) -> &Moment {
        &self.moment
    }

    pub(crate) fn set_moment(&mut self, activation: &Activation) {
        self.moment = Moment {
            time: activation.time,
            replaying: activation.replaying,
            history_length: activation.history_length,
            history_bytes: activation.history_bytes,
            continue_as_new_suggested: activation.continue_as_new_suggested,
        };
    }

    pub(crate) fn make_inert(&mut self) {
        self.inert = true;
        self.state_wakers.clear();
    }

    /// What user code asked for since the last call.
    pub(crate) fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// The reason of the workflow's cancellation, once somebody asked for it.
    pub(crate) fn cancellation(&self) -> Option<&str> {
        self.cancellation.as_deref()
    }

    /// Wakes `waker` when the state changes or the workflow is cancelled.
    pub(crate) fn wake_on_change(&mut self, waker: &Waker) {
        if !self.state_wakers.iter().any(|known| known.will_wake(waker)) {
            self.state_wakers.push(waker.clone());
        }
    }

    /// The state may have changed. Wakers are answered, to be woken when the mailbox is not borrowed.
    pub(crate) fn take_state_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.state_wakers)
    }

    /// Starts a timer; `None` where it would be cancelled at once.
    pub(crate) fn start_timer(
        &mut self,
        ends_with_workflow: bool,
        command: impl FnOnce(u32) -> Command,
    ) -> Option<u32> {
        let order = self.next_order(ends_with_workflow)?;
        self.last_timer += 1;
        let sequence = self.last_timer;
        self.commands.push(command(sequence));
        self.timers.insert(sequence, Slot::Pending { waker: None, order, awaited: true });
        if ends_with_workflow {
            self.cancelled_with_workflow.insert(order, Operation::Timer(sequence));
        }
        Some(sequence)
    }

    /// Schedules an activity; `None` where it would be cancelled at once.
    pub(crate) fn schedule_activity(
        &mut self,
        ends_with_workflow: bool,
        command: impl FnOnce(u32) -> Command,
    ) -> Option<u32> {
        let order = self.next_order(ends_with_workflow)?;
        self.last_activity += 1;
        let sequence = self.last_activity;
        self.commands.push(command(sequence));
        self.activities.insert(sequence, Slot::Pending { waker: None, order, awaited: true });
        if ends_with_workflow {
            self.cancelled_with_workflow.insert(order, Operation::Activity(sequence));
        }
        Some(sequence)
    }

    fn next_order(&mut self, ends_with_workflow: bool) -> Option<u64> {
        if self.inert || (ends_with_workflow && self.cancellation.is_some()) {
            return None;
        }
        self.operations += 1;
        Some(self.operations)
    }

    /// Cancels a timer that has not ended. Whoever waits for it is told at once.
    #[must_use]
    pub(crate) fn cancel_timer(&mut self, sequence: u32, reason: String) -> Option<Waker> {
        if self.inert || !matches!(self.timers.get(&sequence), Some(Slot::Pending { .. })) {
            return None;
        }
        self.commands.push(Command::CancelTimer { sequence });
        self.resolve_timer(sequence, TimerEnd::Cancelled { reason })
    }

    /// Cancels an activity that has not ended. Its outcome comes as a job.
    pub(crate) fn cancel_activity(&mut self, sequence: u32) {
        if !self.inert && matches!(self.activities.get(&sequence), Some(Slot::Pending { .. })) {
            self.commands.push(Command::RequestCancelActivity { sequence });
        }
    }

    /// Somebody asks the workflow to cancel itself: what ends with it is cancelled, in the order in which it was started.
    #[must_use]
    pub(crate) fn cancel_workflow(&mut self, reason: String) -> Vec<Waker> {
        if self.cancellation.is_some() {
            return Vec::new();
        }
        let mut wakers = self.take_state_wakers();
        for operation in std::mem::take(&mut self.cancelled_with_workflow).into_values() {
            match operation {
                Operation::Timer(sequence) => wakers.extend(self.cancel_timer(sequence, reason.clone())),
                Operation::Activity(sequence) => self.cancel_activity(sequence),
            }
        }
        self.cancellation = Some(reason);
        wakers
    }

    #[must_use]
    pub(crate) fn resolve_timer(&mut self, sequence: u32, end: TimerEnd) -> Option<Waker> {
        resolve(&mut self.timers, sequence, end, &mut self.cancelled_with_workflow)
    }

    #[must_use]
    pub(crate) fn resolve_activity(&mut self, sequence: u32, resolution: Resolution) -> Option<Waker> {
        resolve(&mut self.activities, sequence, resolution, &mut self.cancelled_with_workflow)
    }

    pub(crate) fn poll_timer(&mut self, sequence: u32, waker: &Waker) -> Option<TimerEnd> {
        poll(&mut self.timers, sequence, waker)
    }

    pub(crate) fn poll_activity(&mut self, sequence: u32, waker: &Waker) -> Option<Resolution> {
        poll(&mut self.activities, sequence, waker)
    }

    /// Nobody waits for it any more; it goes on all the same, and still ends with the workflow.
    pub(crate) fn forget(&mut self, operation: Operation) {
        match operation {
            Operation::Timer(sequence) => forget(&mut self.timers, sequence),
            Operation::Activity(sequence) => forget(&mut self.activities, sequence),
        }
    }
}

fn resolve<T>(
    slots: &mut BTreeMap<u32, Slot<T>>,
    sequence: u32,
    value: T,
    cancelled_with_workflow: &mut BTreeMap<u64, Operation>,
) -> Option<Waker> {
    let slot = slots.get_mut(&sequence)?;
    let Slot::Pending { waker, order, awaited } = slot else { return None };
    cancelled_with_workflow.remove(order);
    let waker = waker.take();
    if *awaited {
        *slot = Slot::Ready(value);
    } else {
        slots.remove(&sequence);
    }
    waker
}

fn poll<T>(slots: &mut BTreeMap<u32, Slot<T>>, sequence: u32, waker: &Waker) -> Option<T> {
    match slots.get_mut(&sequence)? {
        Slot::Pending { waker: waiting, .. } => {
            *waiting = Some(waker.clone());
            None
        }
        Slot::Ready(_) => match slots.remove(&sequence) {
            Some(Slot::Ready(value)) => Some(value),
            _ => None,
        },
    }
}

fn forget<T>(slots: &mut BTreeMap<u32, Slot<T>>, sequence: u32) {
    match slots.get_mut(&sequence) {
        Some(Slot::Pending { waker, awaited, .. }) => (*waker, *awaited) = (None, false),
        Some(Slot::Ready(_)) => {
            slots.remove(&sequence);
        }
        None => (),
    }
}

/// Wakes each, while the mailbox is not borrowed.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
