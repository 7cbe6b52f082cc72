//! Who waits for what: what a stack trace of a workflow tells.
//!
//! There is no stack to look at while a future waits, and a Query must not poll anything; so what is waited for is noted where
//! that begins, with the place in the source where it was asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use timewright_converter::Value;
use timewright_proto::common::Payload;
use timewright_protocol::workflow::Command;

use super::SharedMailbox;

/// Something that is polled for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Routine {
    #[default]
    Run,
    /// A handler, by its place in the order in which handlers began.
    Handler(u64),
    /// A coroutine, by its place in the order in which they were started.
    Coroutine(u64),
}

/// Something that a routine waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) routine: Routine,
    pub(crate) what: String,
    pub(crate) location: &'static Location<'static>,
}

/// What an operation is, and where it was started.
#[derive(Debug)]
pub(crate) struct Origin {
    subject: Subject,
    summary: Option<Payload>,
    location: &'static Location<'static>,
}

#[derive(Debug)]
enum Subject {
    Timer(Duration),
    Named { kind: &'static str, name: String },
}

/// The routine that is being polled, and waits for what is no operation.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pub(super) current: Routine,
    last: u64,
    others: BTreeMap<u64, Other>,
}

/// Somebody waits for what is no operation.
#[derive(Debug)]
struct Other {
    routine: Routine,
    what: &'static str,
    location: &'static Location<'static>,
}

impl Origin {
    pub(super) fn of(command: &Command, location: &'static Location<'static>) -> Self {
        let named = |kind, name: &str| Subject::Named { kind, name: name.to_owned() };
        let (subject, summary) = match command {
            Command::StartTimer(timer) => (Subject::Timer(timer.duration), timer.summary.clone()),
            Command::ScheduleActivity(activity) => {
                (named("activity", &activity.activity_type), activity.summary.clone())
            }
            Command::ScheduleLocalActivity(activity) => {
                (named("Local Activity", &activity.activity_type), activity.summary.clone())
            }
            Command::StartChildWorkflow(child) => {
                (named("Child Workflow", &child.workflow_type), child.summary.clone())
            }
            Command::SignalExternalWorkflow(signal) => (named("signal", &signal.signal_name), signal.summary.clone()),
            Command::RequestCancelExternalWorkflow(request) => {
                (named("the cancellation of workflow", &request.workflow.workflow_id), None)
            }
            Command::ScheduleNexusOperation(operation) => {
                (named("Nexus operation", &operation.operation), operation.summary.clone())
            }
            _ => (named("operation", ""), None),
        };
        Self { subject, summary, location }
    }

    pub(super) fn wait(&self, routine: Routine) -> Wait {
        Wait { routine, what: self.to_string(), location: self.location }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Timer(duration) => write!(formatter, "timer of {duration:?}")?,
            Subject::Named { kind, name } => write!(formatter, "{kind} {name:?}")?,
        }
        match self.summary.clone().map(String::from_payload) {
            Some(Ok(summary)) => write!(formatter, " ({summary})"),
            Some(Err(_)) | None => Ok(()),
        }
    }
}

/// Notes that somebody waits for what is no operation, for as long as this lives.
#[derive(Debug)]
pub(crate) struct WaitNote {
    mailbox: SharedMailbox,
    number: u64,
}

impl WaitNote {
    /// The routine that is being polled waits from now on.
    pub(crate) fn new(mailbox: &SharedMailbox, what: &'static str, location: &'static Location<'static>) -> Self {
        let waits = &mut mailbox.borrow_mut().waits;
        waits.last += 1;
        waits.others.insert(waits.last, Other { routine: waits.current, what, location });
        Self { mailbox: Rc::clone(mailbox), number: waits.last }
    }
}

impl Drop for WaitNote {
    fn drop(&mut self) {
        // While a Run is being dropped a panic may have left it borrowed.
        if let Ok(mut mailbox) = self.mailbox.try_borrow_mut() {
            mailbox.waits.others.remove(&self.number);
        }
    }
}

impl super::Mailbox {
    /// From now on this one is polled; who was polled before.
    pub(crate) fn enter_routine(&mut self, routine: Routine) -> Routine {
        std::mem::replace(&mut self.waits.current, routine)
    }

    /// All that is waited for: operations in the order of their start, then the rest.
    pub(crate) fn waits(&self) -> Vec<Wait> {
        let mut waits = self.places.waits();
        waits.extend(self.waits.others.values().map(|other| {
            let Other { routine, what, location } = *other;
            Wait { routine, what: what.to_owned(), location }
        }));
        waits
    }
}
