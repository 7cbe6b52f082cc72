//! What user code has asked for, and what it may be told of that: each start once, each outcome once, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use timewright_protocol::workflow::{ChildWorkflowStart, Command, Job, NexusOperationStart};

/// A kind of operation. All but side effects have an outcome, of which user code is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Timer,
    Activity,
    LocalActivity,
    ChildWorkflow,
    Signal,
    Cancellation,
    NexusOperation,
    SideEffect,
}

/// The numbers that user code has given to its operations so far, by kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(BTreeMap<Kind, u32>);

impl Numbers {
    pub(crate) fn note(&mut self, kind: Kind, number: u32) {
        let last = self.0.entry(kind.counted_as()).or_default();
        *last = number.max(*last);
    }

    pub(crate) fn after_last(&self, kind: Kind) -> u32 {
        self.0.get(&kind.counted_as()).copied().unwrap_or(0).saturating_add(1)
    }
}

impl Kind {
    /// Activities and Local Activities are counted together.
    fn counted_as(self) -> Self {
        if self == Self::LocalActivity { Self::Activity } else { self }
    }

    /// Whether user code is told of its start, before its outcome.
    fn has_start(self) -> bool {
        matches!(self, Self::ChildWorkflow | Self::NexusOperation)
    }
}

/// The operation that this Command begins.
pub(crate) fn begun_by(command: &Command) -> Option<(Kind, u32)> {
    Some(match command {
        Command::StartTimer(start) => (Kind::Timer, start.sequence),
        Command::ScheduleActivity(schedule) => (Kind::Activity, schedule.sequence),
        Command::ScheduleLocalActivity(schedule) => (Kind::LocalActivity, schedule.sequence),
        Command::StartChildWorkflow(start) => (Kind::ChildWorkflow, start.sequence),
        Command::SignalExternalWorkflow(signal) => (Kind::Signal, signal.sequence),
        Command::RequestCancelExternalWorkflow(request) => (Kind::Cancellation, request.sequence),
        Command::ScheduleNexusOperation(schedule) => (Kind::NexusOperation, schedule.sequence),
        Command::RecordSideEffect { sequence, .. } => (Kind::SideEffect, *sequence),
        _ => return None,
    })
}

pub(crate) fn ends_workflow(command: &Command) -> bool {
    matches!(
        command,
        Command::CompleteWorkflow { .. }
            | Command::FailWorkflow { .. }
            | Command::CancelWorkflow { .. }
            | Command::ContinueAsNew(_)
    )
}

/// The operations of a Run without an outcome, and whether user code was told that they were started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Operations {
    started: BTreeMap<(Kind, u32), bool>,
    updates: Updates,
}

/// Updates that user code was told of.
#[derive(Debug, Clone, Default)]
struct Updates {
    /// Neither accepted nor rejected.
    requested: BTreeSet<String>,
    accepted: BTreeSet<String>,
    completed: BTreeSet<String>,
}

/// What user code is told of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Started,
    NotStarted,
    Outcome,
}

impl Operations {
    /// Updates that wait for user code to accept or reject them.
    pub(crate) fn requested_updates(&self) -> impl Iterator<Item = &String> {
        self.updates.requested.iter()
    }

    /// Updates that user code has accepted and not completed.
    pub(crate) fn accepted_updates(&self) -> impl Iterator<Item = &String> {
        self.updates.accepted.iter()
    }

    /// Whether user code waits for this operation.
    pub(crate) fn is_open(&self, kind: Kind, number: u32) -> bool {
        self.started.contains_key(&(kind, number))
    }

    /// Takes what user code asks for.
    pub(crate) fn note(&mut self, command: &Command) {
        if let Some(operation) = begun_by(command) {
            self.started.insert(operation, false);
        }
        let updates = &mut self.updates;
        match command {
            Command::CancelTimer { sequence } => drop(self.started.remove(&(Kind::Timer, *sequence))),
            Command::AcceptUpdate { protocol_instance_id: id } => updates.accepted.extend(updates.requested.take(id)),
            Command::RejectUpdate { protocol_instance_id: id, .. } => drop(updates.requested.take(id)),
            Command::CompleteUpdate { protocol_instance_id: id, .. } => {
                updates.completed.extend(updates.accepted.take(id));
            }
            _ => (),
        }
    }

    /// Takes what user code is told.
    pub(crate) fn hear(&mut self, job: &Job) {
        if let Job::Update(update) = job {
            let Updates { requested, accepted, completed } = &mut self.updates;
            let id = &update.protocol_instance_id;
            assert!(!accepted.contains(id) && !completed.contains(id), "update {id:?} was accepted, and came again");
            assert!(requested.insert(id.clone()), "update {id:?} came twice");
        }
        let Some((operation, news)) = news(job) else { return };
        let started = self.started.get(&operation).copied();
        let is_expected = match news {
            News::Started | News::NotStarted => started == Some(false) && operation.0.has_start(),
            News::Outcome => started == Some(operation.0.has_start()),
        };
        assert!(
            is_expected,
            "{operation:?} is told, but it is not waited for (told of its start: {started:?}): {job:?}"
        );
        if news == News::Started {
            self.started.insert(operation, true);
        } else {
            self.started.remove(&operation);
        }
    }
}

fn news(job: &Job) -> Option<((Kind, u32), News)> {
    let (kind, number, news) = match job {
        Job::FireTimer { sequence } => (Kind::Timer, sequence, News::Outcome),
        Job::ResolveActivity { sequence, .. } => (Kind::Activity, sequence, News::Outcome),
        Job::ResolveLocalActivity { sequence, .. } => (Kind::LocalActivity, sequence, News::Outcome),
        Job::ResolveChildWorkflowStart { sequence, start } => {
            let is_started = matches!(start, ChildWorkflowStart::Started { .. });
            (Kind::ChildWorkflow, sequence, if is_started { News::Started } else { News::NotStarted })
        }
        Job::ResolveChildWorkflow { sequence, .. } => (Kind::ChildWorkflow, sequence, News::Outcome),
        Job::ResolveSignalExternalWorkflow { sequence, .. } => (Kind::Signal, sequence, News::Outcome),
        Job::ResolveRequestCancelExternalWorkflow { sequence, .. } => (Kind::Cancellation, sequence, News::Outcome),
        Job::ResolveNexusOperationStart { sequence, start } => {
            let is_started = matches!(start, NexusOperationStart::Started { .. });
            (Kind::NexusOperation, sequence, if is_started { News::Started } else { News::NotStarted })
        }
        Job::ResolveNexusOperation { sequence, .. } => (Kind::NexusOperation, sequence, News::Outcome),
        _ => return None,
    };
    Some(((kind, *number), news))
}
