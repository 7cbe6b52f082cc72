//! Where outcomes wait for whoever asked for them, one place for each operation, a map for each kind.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use timewright_proto::enums::CancelExternalWorkflowExecutionFailedCause;
use timewright_protocol::workflow::{ChildWorkflowStart, NexusOperationStart, Resolution, SignalExternalWorkflowError};

use super::waits::{Origin, Routine, Wait};
use super::{Numbers, Operation};
use crate::wait;

/// How a timer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimerEnd {
    Fired,
    Cancelled { reason: String },
}

/// A kind of operation: what its outcomes are, and where they wait.
pub(crate) trait Kind: 'static {
    type Outcome;

    fn places(places: &mut AllPlaces) -> &mut Places<Self::Outcome>;

    /// The last number that was given away.
    fn number(numbers: &mut Numbers) -> &mut u32;

    /// Makes room for the outcome, or for the outcomes where a start is told before the end.
    fn insert(places: &mut AllPlaces, sequence: u32, order: u64, origin: Origin) {
        Self::places(places).insert(sequence, order, Rc::new(origin));
    }

    /// What cancels it; `None` where nothing does.
    fn operation(sequence: u32) -> Option<Operation>;
}

/// The places of all kinds.
#[derive(Debug, Default)]
pub(crate) struct AllPlaces {
    timers: Places<TimerEnd>,
    activities: Places<Resolution>,
    local_activities: Places<Resolution>,
    child_workflow_starts: Places<ChildWorkflowStart>,
    child_workflows: Places<Resolution>,
    signals: Places<Result<(), SignalExternalWorkflowError>>,
    cancellations: Places<Result<(), CancelExternalWorkflowExecutionFailedCause>>,
    nexus_operation_starts: Places<NexusOperationStart>,
    nexus_operations: Places<Resolution>,
}

impl AllPlaces {
    /// All that is waited for, in the order in which it was started.
    pub(super) fn waits(&self) -> Vec<Wait> {
        let mut waits: Vec<_> = self.timers.waits().collect();
        waits.extend(self.activities.waits());
        waits.extend(self.local_activities.waits());
        waits.extend(self.child_workflow_starts.waits());
        waits.extend(self.child_workflows.waits());
        waits.extend(self.signals.waits());
        waits.extend(self.cancellations.waits());
        waits.extend(self.nexus_operation_starts.waits());
        waits.extend(self.nexus_operations.waits());
        waits.sort_by_key(|(order, _)| *order);
        waits.into_iter().map(|(_, wait)| wait).collect()
    }
}

/// Declares a kind: its name, its outcome, its places, its numbers, and what cancels it.
macro_rules! kind {
    ($kind:ident, $outcome:ty, $places:ident, $number:ident, $operation:expr $(, then $end:ident)?) => {
        #[derive(Debug)]
        pub(crate) struct $kind;

        impl Kind for $kind {
            type Outcome = $outcome;

            fn places(places: &mut AllPlaces) -> &mut Places<$outcome> {
                &mut places.$places
            }

            fn number(numbers: &mut Numbers) -> &mut u32 {
                &mut numbers.$number
            }

            fn operation(sequence: u32) -> Option<Operation> {
                let operation: Option<fn(u32) -> Operation> = $operation;
                operation.map(|operation| operation(sequence))
            }

            $(fn insert(places: &mut AllPlaces, sequence: u32, order: u64, origin: Origin) {
                let origin = Rc::new(origin);
                places.$places.insert(sequence, order, Rc::clone(&origin));
                places.$end.insert(sequence, order, origin);
            })?
        }
    };
}

kind!(Timer, TimerEnd, timers, timer, Some(Operation::Timer));
kind!(Activity, Resolution, activities, activity, Some(Operation::Activity));
kind!(LocalActivity, Resolution, local_activities, activity, Some(Operation::LocalActivity));
kind!(ChildWorkflowStarting, ChildWorkflowStart, child_workflow_starts, child_workflow, Some(Operation::ChildWorkflow), then child_workflows);
kind!(ChildWorkflow, Resolution, child_workflows, child_workflow, Some(Operation::ChildWorkflow));
kind!(Signal, Result<(), SignalExternalWorkflowError>, signals, signal, Some(Operation::Signal));
kind!(Cancellation, Result<(), CancelExternalWorkflowExecutionFailedCause>, cancellations, cancellation, None);
kind!(NexusOperationStarting, NexusOperationStart, nexus_operation_starts, nexus_operation, Some(Operation::Nexus), then nexus_operations);
kind!(NexusOperation, Resolution, nexus_operations, nexus_operation, Some(Operation::Nexus));

/// The places of one kind, by the operations' numbers.
#[derive(Debug)]
pub(crate) struct Places<T>(BTreeMap<u32, Place<T>>);

#[derive(Debug)]
enum Place<T> {
    Pending {
        waker: Option<Waker>,
        /// Who asked last.
        routine: Routine,
        origin: Rc<Origin>,
        order: u64,
        /// Somebody may still ask for the outcome.
        awaited: bool,
    },
    Ready(T),
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Places<T> {
    pub(super) fn insert(&mut self, sequence: u32, order: u64, origin: Rc<Origin>) {
        let place = Place::Pending { waker: None, routine: Routine::default(), origin, order, awaited: true };
        self.0.insert(sequence, place);
    }

    /// What is waited for, with its place in the order in which operations were started.
    fn waits(&self) -> impl Iterator<Item = (u64, Wait)> {
        self.0.values().filter_map(|place| match place {
            Place::Pending { waker: Some(_), routine, origin, order, .. } => Some((*order, origin.wait(*routine))),
            Place::Pending { .. } | Place::Ready(_) => None,
        })
    }

    pub(super) fn is_pending(&self, sequence: u32) -> bool {
        matches!(self.0.get(&sequence), Some(Place::Pending { .. }))
    }

    /// Takes the outcome: whom to wake, and the place in the order of cancellation. `None` if nothing waits for it.
    pub(super) fn resolve(&mut self, sequence: u32, outcome: T) -> Option<(u64, Option<Waker>)> {
        let place = self.0.get_mut(&sequence)?;
        let Place::Pending { waker, order, awaited, .. } = place else { return None };
        let (order, waker) = (*order, waker.take());
        if *awaited {
            *place = Place::Ready(outcome);
        } else {
            self.0.remove(&sequence);
        }
        Some((order, waker))
    }

    pub(super) fn poll(&mut self, sequence: u32, waker: &Waker, by: Routine) -> Option<T> {
        match self.0.get_mut(&sequence)? {
            Place::Pending { waker: waiting, routine, .. } => {
                (*waiting, *routine) = (Some(wait::keep(waker)), by);
                None
            }
            Place::Ready(_) => match self.0.remove(&sequence) {
                Some(Place::Ready(outcome)) => Some(outcome),
                _ => None,
            },
        }
    }

    /// Nobody waits for it any more; it goes on all the same.
    pub(super) fn forget(&mut self, sequence: u32) {
        match self.0.get_mut(&sequence) {
            Some(Place::Pending { waker, awaited, .. }) => (*waker, *awaited) = (None, false),
            Some(Place::Ready(_)) => {
                self.0.remove(&sequence);
            }
            None => (),
        }
    }

    /// There will be no outcome.
    pub(super) fn remove(&mut self, sequence: u32) {
        self.0.remove(&sequence);
    }
}
