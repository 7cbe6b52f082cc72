//! What lies between a workflow's code and the executor: Commands one way, outcomes the other.
//!
//! One `Rc<RefCell<Mailbox>>` a Run, never borrowed while user code is polled or called.

mod local_activities;
mod notes;
mod operation;
mod scopes;
mod slots;
mod waits;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;
use std::time::SystemTime;

use rand_pcg::Pcg64;
use timewright_converter::DataConverter;
use timewright_proto::enums::SuggestContinueAsNewReason;
use timewright_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use timewright_protocol::workflow::{Activation, ChildWorkflowStart, Command, Job, NexusOperationStart};

use local_activities::LocalActivities;
use notes::Notes;
use slots::AllPlaces;
use waits::{Origin, Waits};

use crate::coroutine::Coroutine;
use crate::instance::TaskProblem;
use crate::interceptor::Hooks;
use crate::random::Streams;
use crate::wait;

pub(crate) use notes::{Change, Recall};
pub(crate) use operation::{Handle, Operation, read_failure};
pub(crate) use scopes::Scope;
pub(crate) use slots::{
    Activity, Cancellation, ChildWorkflow, ChildWorkflowStarting, Kind, LocalActivity, NexusOperation,
    NexusOperationStarting, Signal, Timer, TimerEnd,
};
pub(crate) use waits::{Routine, Wait, WaitNote};

/// Shared by everything that belongs to one Run.
pub(crate) type SharedMailbox = Rc<RefCell<Mailbox>>;

#[derive(Debug)]
pub(crate) struct Mailbox {
    /// What user code has asked for since it was last looked at.
    commands: Vec<Command>,
    places: AllPlaces,
    waits: Waits,
    local_activities: LocalActivities,
    notes: Notes,
    workflow_scope: Scope,
    /// The scopes of operations that have not ended, by the operations' order.
    scopes: BTreeMap<u64, Scope>,
    /// Futures that wait for the state to change, or for cancellation.
    state_wakers: Vec<Waker>,
    /// Somebody asked the workflow to cancel itself.
    is_cancel_requested: bool,
    last_numbers: Numbers,
    operations: u64,
    moment: Moment,
    /// The version of the worker, where it has one.
    deployment_version: Option<WorkerDeploymentVersion>,
    converter: DataConverter,
    random: Streams,
    /// Coroutines that were spawned and have not been polled.
    spawned: Vec<Coroutine>,
    /// The Run is being dropped, or user code only looks: whatever it asks for leads to nothing.
    inert: bool,
    /// `None` where there are no interceptors.
    hooks: Option<Rc<Hooks>>,
    /// Why an interceptor refused what was asked for.
    refusal: Option<TaskProblem>,
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

impl Moment {
    /// That of what runs before the first Activation.
    fn before_the_start() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            replaying: true,
            history_length: 0,
            history_bytes: 0,
            continue_as_new_suggested: false,
            continue_as_new_reasons: Vec::new(),
            target_deployment_version_changed: false,
            deployment_version: None,
        }
    }
}

impl Mailbox {
    /// `deployment_version` is the worker's own.
    pub(crate) fn new(converter: DataConverter, deployment_version: Option<WorkerDeploymentVersion>) -> Self {
        Self {
            deployment_version,
            commands: Vec::new(),
            places: AllPlaces::default(),
            waits: Waits::default(),
            local_activities: LocalActivities::default(),
            notes: Notes::default(),
            workflow_scope: Scope::default(),
            scopes: BTreeMap::new(),
            state_wakers: Vec::new(),
            is_cancel_requested: false,
            last_numbers: Numbers::default(),
            operations: 0,
            moment: Moment::before_the_start(),
            converter,
            random: Streams::default(),
            spawned: Vec::new(),
            inert: false,
            hooks: None,
            refusal: None,
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
            deployment_version: if activation.replaying {
                activation.deployment_version.clone()
            } else {
                self.deployment_version.clone()
            },
        };
    }

    /// From now on what user code asks for leads to nothing, or leads to something again.
    pub(crate) fn set_inert(&mut self, inert: bool) -> bool {
        std::mem::replace(&mut self.inert, inert)
    }

    /// The Run is being dropped.
    pub(crate) fn close(&mut self) {
        self.inert = true;
        self.state_wakers.clear();
    }

    pub(crate) fn set_hooks(&mut self, hooks: Option<Rc<Hooks>>) {
        self.hooks = hooks;
    }

    pub(crate) fn hooks(&self) -> Option<Rc<Hooks>> {
        self.hooks.clone()
    }

    /// Who is to see what is asked for; `None` if nobody is, or it leads to nothing anyway. What `may_be_refused` leads to nothing
    /// in a scope that is cancelled.
    pub(crate) fn hooks_of_call(&self, scope: &Scope, may_be_refused: bool) -> Option<Rc<Hooks>> {
        self.hooks.clone().filter(|_| !(self.inert || may_be_refused && scope.is_cancelled()))
    }

    /// Something that was asked for may not leave.
    pub(crate) fn refuse(&mut self, problem: TaskProblem) {
        self.refusal.get_or_insert(problem);
    }

    pub(crate) fn take_refusal(&mut self) -> Option<TaskProblem> {
        self.refusal.take()
    }

    pub(crate) fn is_inert(&self) -> bool {
        self.inert
    }

    /// Random numbers begin anew, from this seed.
    pub(crate) fn set_random_seed(&mut self, seed: u64) {
        self.random.reseed(seed);
    }

    /// Draws from a random stream. Where user code only looks, the stream does not go on.
    pub(crate) fn draw<T>(&mut self, name: &Rc<str>, draw: impl FnOnce(&mut Pcg64) -> T) -> T {
        let keep = !self.inert;
        self.random.draw(name, keep, draw)
    }

    /// Takes a coroutine. One that leads to nothing comes back, to be dropped when the mailbox is not borrowed.
    #[must_use]
    pub(crate) fn spawn(&mut self, coroutine: Coroutine) -> Option<Coroutine> {
        if self.inert {
            return Some(coroutine);
        }
        self.spawned.push(coroutine);
        None
    }

    pub(crate) fn take_spawned(&mut self) -> Vec<Coroutine> {
        std::mem::take(&mut self.spawned)
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

    /// Whether somebody asked the workflow to cancel itself.
    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.is_cancel_requested
    }

    /// Wakes `waker` when the state changes or the workflow is cancelled.
    pub(crate) fn wake_on_change(&mut self, waker: &Waker) {
        let waker = wait::keep(waker);
        if !self.state_wakers.iter().any(|known| known.will_wake(&waker)) {
            self.state_wakers.push(waker);
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
            Job::NotifyMutableSideEffect { id, call, value } => {
                self.notes.notify_mutable_side_effect(id, call, value);
                None
            }
            Job::UpdateRandomSeed { seed } => {
                self.set_random_seed(seed);
                None
            }
            Job::RequestCancellation { reason } => {
                self.is_cancel_requested = true;
                return Ok(self.cancel_scope(&self.workflow_scope.clone(), reason));
            }
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
    #[track_caller]
    pub(crate) fn start<K: Kind>(&mut self, scope: &Scope, command: impl FnOnce(u32) -> Command) -> Option<u32> {
        let order = self.next_order(scope)?;
        let number = K::number(&mut self.last_numbers);
        *number += 1;
        let sequence = *number;
        let command = command(sequence);
        let origin = Origin::of(&command, Location::caller());
        self.commands.push(scope.grouped(command));
        K::insert(&mut self.places, sequence, order, origin);
        if let Some(operation) = K::operation(sequence) {
            self.enter_scope(scope, order, operation);
        }
        Some(sequence)
    }

    fn next_order(&mut self, scope: &Scope) -> Option<u64> {
        if self.inert || scope.is_cancelled() {
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

    fn resolve<K: Kind>(&mut self, sequence: u32, outcome: K::Outcome) -> Option<Waker> {
        let (order, waker) = K::places(&mut self.places).resolve(sequence, outcome)?;
        self.leave_scope(order);
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
        K::places(&mut self.places).poll(sequence, waker, self.waits.current)
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
