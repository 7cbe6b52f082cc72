//! What lies between a workflow's code and the executor: Commands one way, outcomes the other.
//!
//! One `Rc<RefCell<Mailbox>>` a Run, never borrowed while user code is polled or called.

mod local_activities;
mod notes;
mod operation;
mod slots;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::SystemTime;

use timewright_converter::DataConverter;
use timewright_proto::enums::SuggestContinueAsNewReason;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_protocol::workflow::{Activation, ChildWorkflowStart, Command, Job, NexusOperationStart};

use local_activities::LocalActivities;
use notes::Notes;
use slots::AllPlaces;

pub(crate) use notes::Change;
pub(crate) use operation::{Handle, Operation, read_failure};
pub(crate) use slots::{
    Activity, Cancellation, ChildWorkflow, ChildWorkflowStarting, Kind, LocalActivity, NexusOperation,
    NexusOperationStarting, Signal, Timer, TimerEnd,
};

/// Shared by everything that belongs to one Run.
pub(crate) type SharedMailbox = Rc<RefCell<Mailbox>>;

#[derive(Debug)]
pub(crate) struct Mailbox {
    /// What user code has asked for since it was last looked at.
    commands: Vec<Command>,
    places: AllPlaces,
    local_activities: LocalActivities,
    notes: Notes,
    /// Operations that end with the workflow's cancellation, in the order in which they were started.
    cancelled_with_workflow: BTreeMap<u64, Operation>,
    /// Futures that wait for the state to change, or for cancellation.
    state_wakers: Vec<Waker>,
    cancellation: Option<String>,
    last_numbers: Numbers,
    operations: u64,
    moment: Moment,
    converter: DataConverter,
    /// The Run is being dropped, or user code only looks: whatever it asks for leads to nothing.
    inert: bool,
}

/// The last number of each kind.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    timer: u32,
    /// Local Activities, too.
    activity: u32,
    child_workflow: u32,
    signal: u32,
    cancellation: u32,
    nexus_operation: u32,
    side_effect: u32,
}

/// What workflow code may know of the Workflow Task that it is at.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) time: SystemTime,
    pub(crate) replaying: bool,
    pub(crate) history_length: u64,
    pub(crate) history_bytes: u64,
    pub(crate) continue_as_new_suggested: bool,
    pub(crate) continue_as_new_reasons: Vec<SuggestContinueAsNewReason>,
    pub(crate) target_deployment_version_changed: bool,
    pub(crate) deployment_version: Option<WorkerDeploymentVersion>,
}

impl Mailbox {
    pub(crate) fn new(converter: DataConverter) -> Self {
        Self {
            commands: Vec::new(),
            places: AllPlaces::default(),
            local_activities: LocalActivities::default(),
            notes: Notes::default(),
            cancelled_with_workflow: BTreeMap::new(),
            state_wakers: Vec::new(),
            cancellation: None,
            last_numbers: Numbers::default(),
            operations: 0,
            moment: Moment {
                time: SystemTime::UNIX_EPOCH,
                replaying: true,
                history_length: 0,
                history_bytes: 0,
                continue_as_new_suggested: false,
                continue_as_new_reasons: Vec::new(),
                target_deployment_version_changed: false,
                deployment_version: None,
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
            continue_as_new_reasons: activation.continue_as_new_reasons.clone(),
            target_deployment_version_changed: activation.target_worker_deployment_version_changed,
            deployment_version: activation.deployment_version.clone(),
        };
    }

    /// From now on what user code asks for leads to nothing, or leads to something again.
    pub(crate) fn set_inert(&mut self, inert: bool) {
        self.inert = inert;
    }

    /// The Run is being dropped.
    pub(crate) fn close(&mut self) {
        self.inert = true;
        self.state_wakers.clear();
    }

    pub(crate) fn is_inert(&self) -> bool {
        self.inert
    }

    /// Asks for something, behind all that was asked for before.
    pub(crate) fn push(&mut self, command: Command) {
        if !self.inert {
            self.commands.push(command);
        }
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

    /// Takes news in; whom to wake when the mailbox is not borrowed. A job that is for somebody else comes back.
    pub(crate) fn take_in(&mut self, job: Job) -> Result<Vec<Waker>, Job> {
        let waker = match job {
            Job::NotifyPatch { patch_id } => {
                self.notes.notify_patch(patch_id);
                None
            }
            Job::NotifyVersion { change_id, version } => {
                self.notes.notify_version(change_id, version);
                None
            }
            Job::NotifySideEffect { sequence, value } => {
                self.notes.notify_side_effect(sequence, value);
                None
            }
            Job::RequestCancellation { reason } => return Ok(self.cancel_workflow(reason)),
            Job::FireTimer { sequence } => self.fire_timer(sequence),
            Job::ResolveActivity { sequence, resolution } => self.resolve::<Activity>(sequence, resolution),
            Job::ResolveLocalActivity { sequence, resolution } => self.resolve_local_activity(sequence, resolution),
            Job::ResolveChildWorkflowStart { sequence, start } => self.resolve_child_workflow_start(sequence, start),
            Job::ResolveChildWorkflow { sequence, resolution } => self.resolve::<ChildWorkflow>(sequence, resolution),
            Job::ResolveSignalExternalWorkflow { sequence, outcome } => self.resolve::<Signal>(sequence, outcome),
            Job::ResolveRequestCancelExternalWorkflow { sequence, outcome } => {
                self.resolve::<Cancellation>(sequence, outcome)
            }
            Job::ResolveNexusOperationStart { sequence, start } => self.resolve_nexus_operation_start(sequence, start),
            Job::ResolveNexusOperation { sequence, resolution } => self.resolve::<NexusOperation>(sequence, resolution),
            other => return Err(other),
        };
        Ok(waker.into_iter().collect())
    }

    /// Starts an operation; `None` where it would be cancelled at once.
    pub(crate) fn start<K: Kind>(
        &mut self,
        ends_with_workflow: bool,
        command: impl FnOnce(u32) -> Command,
    ) -> Option<u32> {
        let order = self.next_order(ends_with_workflow)?;
        let number = K::number(&mut self.last_numbers);
        *number += 1;
        let sequence = *number;
        self.commands.push(command(sequence));
        K::insert(&mut self.places, sequence, order);
        if ends_with_workflow && let Some(operation) = K::operation(sequence) {
            self.cancelled_with_workflow.insert(order, operation);
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

    /// Cancels an operation that has not ended. Who waits for a timer is told at once; other outcomes come as jobs.
    #[must_use]
    pub(crate) fn cancel(&mut self, operation: Operation, reason: &str) -> Option<Waker> {
        if self.inert || !operation.is_pending(&mut self.places) {
            return None;
        }
        match operation {
            Operation::Timer(sequence) => {
                self.commands.push(Command::CancelTimer { sequence });
                return self.resolve::<Timer>(sequence, TimerEnd::Cancelled { reason: reason.to_owned() });
            }
            Operation::LocalActivity(first) => return self.cancel_local_activity(first),
            Operation::Activity(sequence) => self.commands.push(Command::RequestCancelActivity { sequence }),
            Operation::ChildWorkflow(sequence) => {
                self.commands.push(Command::CancelChildWorkflow { sequence, reason: reason.to_owned() });
            }
            Operation::Signal(sequence) => self.commands.push(Command::CancelSignalExternalWorkflow { sequence }),
            Operation::Nexus(sequence) => {
                self.commands.push(Command::RequestCancelNexusOperation { sequence });
            }
        }
        None
    }

    /// Somebody asks the workflow to cancel itself: what ends with it is cancelled, in the order in which it was started.
    fn cancel_workflow(&mut self, reason: String) -> Vec<Waker> {
        if self.cancellation.is_some() {
            return Vec::new();
        }
        let mut wakers = self.take_state_wakers();
        for operation in std::mem::take(&mut self.cancelled_with_workflow).into_values() {
            wakers.extend(self.cancel(operation, &reason));
        }
        self.cancellation = Some(reason);
        wakers
    }

    fn resolve<K: Kind>(&mut self, sequence: u32, outcome: K::Outcome) -> Option<Waker> {
        let (order, waker) = K::places(&mut self.places).resolve(sequence, outcome)?;
        self.cancelled_with_workflow.remove(&order);
        waker
    }

    fn fire_timer(&mut self, sequence: u32) -> Option<Waker> {
        match self.local_activities.take_timer(sequence) {
            Some(first) => {
                self.try_local_activity_again(first);
                None
            }
            None => self.resolve::<Timer>(sequence, TimerEnd::Fired),
        }
    }

    /// One that was started goes on; its cancellation still reaches it.
    fn resolve_child_workflow_start(&mut self, sequence: u32, start: ChildWorkflowStart) -> Option<Waker> {
        if matches!(start, ChildWorkflowStart::Started { .. }) {
            return ChildWorkflowStarting::places(&mut self.places).resolve(sequence, start)?.1;
        }
        ChildWorkflow::places(&mut self.places).remove(sequence);
        self.resolve::<ChildWorkflowStarting>(sequence, start)
    }

    fn resolve_nexus_operation_start(&mut self, sequence: u32, start: NexusOperationStart) -> Option<Waker> {
        if matches!(start, NexusOperationStart::Started { .. }) {
            return NexusOperationStarting::places(&mut self.places).resolve(sequence, start)?.1;
        }
        NexusOperation::places(&mut self.places).remove(sequence);
        self.resolve::<NexusOperationStarting>(sequence, start)
    }

    pub(crate) fn poll<K: Kind>(&mut self, sequence: u32, waker: &Waker) -> Option<K::Outcome> {
        K::places(&mut self.places).poll(sequence, waker)
    }

    /// Nobody waits for it any more; it goes on all the same, and still ends with the workflow.
    pub(crate) fn forget<K: Kind>(&mut self, sequence: u32) {
        K::places(&mut self.places).forget(sequence);
    }
}

/// Wakes each, while the mailbox is not borrowed.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
