//! What programs are written with: a workflow SDK in small.
//!
//! Asking for something issues its Command at once and gives an [`Operation`], which can be waited for. A workflow that is
//! cancelled has all that it waits for cancelled, but what is shielded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use timewright_proto::common::{Memo, Payload, SearchAttributes};
use timewright_proto::failure::Failure;
use timewright_proto::history::history_event::Attributes;
use timewright_protocol::workflow::{
    Backoff, Command, ContinueAsNew, ExternalWorkflow, RequestCancelExternalWorkflow, ScheduleActivity,
    ScheduleLocalActivity, ScheduleNexusOperation, SignalExternalWorkflow, StartChildWorkflow, StartTimer,
};

use crate::histories::{History, Sdk};
use crate::normal;
use crate::operation::{Child, Key, Kind, NexusOperation, Operation};

/// Code that goes on.
pub(crate) type Running = Pin<Box<dyn Future<Output = Done>>>;

/// What became of something.
pub(crate) type Done = Result<Value, Stop>;

/// Why there is no result.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    Failed(Box<Failure>),
    Cancelled,
    /// A Local Activity is to be tried again; only [`Operation`] sees it.
    Backoff(Backoff),
    ContinueAsNew(Box<ContinueAsNew>),
    /// The Workflow Task fails: a bug.
    Bug(&'static str),
}

/// What a workflow can ask for and look at.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) shared: Rc<RefCell<Shared>>,
    pub(crate) history: &'static History,
    /// In whose order things are done.
    sdk: Sdk,
}

/// What all parts of a workflow share.
#[derive(Default)]
pub(crate) struct Shared {
    /// What it has asked for.
    pub(crate) commands: Vec<Command>,
    /// Answers to Updates that the Rust SDK puts before all else in its Activation.
    pub(crate) answers: Vec<Command>,
    last: BTreeMap<Kind, u32>,
    pub(crate) outcomes: BTreeMap<Key, Done>,
    pub(crate) cancel_requested: bool,
    pub(crate) replaying: bool,
    pub(crate) history_length: u64,
    pub(crate) arguments: Vec<Payload>,
    pub(crate) patches: BTreeSet<String>,
    decided: BTreeMap<String, bool>,
    /// Grows whenever something happens that may let others go on.
    pub(crate) progress: u64,
}

impl Context {
    pub(crate) fn new(history: &'static History, sdk: Sdk) -> Self {
        Self { shared: Rc::default(), history, sdk }
    }

    /// Whether things are done in the order of this SDK.
    pub(crate) fn is(&self, sdk: Sdk) -> bool {
        self.sdk == sdk
    }

    /// An id made of the workflow's.
    pub(crate) fn id(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.history.workflow_id)
    }

    /// What the workflow was started with.
    pub(crate) fn argument(&self) -> Value {
        self.shared.borrow().arguments.first().map_or(Value::Null, normal::value)
    }

    pub(crate) fn history_length(&self) -> u64 {
        self.shared.borrow().history_length
    }

    /// Issues a Command.
    pub(crate) fn issue(&self, command: Command) {
        let mut shared = self.shared.borrow_mut();
        shared.progress += 1;
        shared.commands.push(command);
    }

    /// Answers an Update.
    pub(crate) fn answer(&self, command: Command) {
        let mut shared = self.shared.borrow_mut();
        shared.progress += 1;
        match self.is(Sdk::Rust) {
            true => shared.answers.push(command),
            false => shared.commands.push(command),
        }
    }

    pub(crate) fn number(&self, kind: Kind) -> u32 {
        let mut shared = self.shared.borrow_mut();
        let last = shared.last.entry(kind).or_default();
        *last += 1;
        *last
    }

    pub(crate) fn timer(&self, milliseconds: u64) -> Operation {
        self.start_timer(StartTimer { duration: ms(milliseconds), ..StartTimer::default() })
    }

    pub(crate) fn start_timer(&self, start: StartTimer) -> Operation {
        let sequence = self.number(Kind::Timer);
        self.issue(Command::StartTimer(StartTimer { sequence, ..start }));
        Operation::new(self, Key(Kind::Timer, sequence))
    }

    pub(crate) fn activity(&self, name: &str, argument: impl Into<Value>) -> Operation {
        self.schedule(activity(name, argument))
    }

    pub(crate) fn schedule(&self, schedule: ScheduleActivity) -> Operation {
        let sequence = self.number(Kind::Activity);
        self.issue(Command::ScheduleActivity(Box::new(ScheduleActivity { sequence, ..schedule })));
        Operation::new(self, Key(Kind::Activity, sequence))
    }

    pub(crate) fn local_activity(&self, name: &str, argument: impl Into<Value>) -> Operation {
        self.schedule_local(local_activity(name, argument))
    }

    pub(crate) fn schedule_local(&self, schedule: ScheduleLocalActivity) -> Operation {
        let sequence = self.number(Kind::Activity);
        let schedule = ScheduleLocalActivity { sequence, ..schedule };
        self.issue(Command::ScheduleLocalActivity(Box::new(schedule.clone())));
        Operation::local(self, Key(Kind::LocalActivity, sequence), schedule)
    }

    pub(crate) fn child(&self, start: StartChildWorkflow) -> Child {
        let sequence = self.number(Kind::Child);
        let workflow_id = start.workflow_id.clone();
        self.issue(Command::StartChildWorkflow(Box::new(StartChildWorkflow { sequence, ..start })));
        Child::new(self, sequence, workflow_id)
    }

    pub(crate) fn nexus(&self, schedule: ScheduleNexusOperation) -> NexusOperation {
        let sequence = self.number(Kind::Nexus);
        self.issue(Command::ScheduleNexusOperation(Box::new(ScheduleNexusOperation { sequence, ..schedule })));
        NexusOperation::new(self, sequence)
    }

    pub(crate) fn signal(&self, workflow: ExternalWorkflow, name: &str, argument: impl Into<Value>) -> Operation {
        let sequence = self.number(Kind::Signal);
        self.issue(Command::SignalExternalWorkflow(Box::new(SignalExternalWorkflow {
            sequence,
            workflow,
            signal_name: name.to_owned(),
            arguments: payloads(argument),
            ..SignalExternalWorkflow::default()
        })));
        Operation::new(self, Key(Kind::Signal, sequence))
    }

    pub(crate) fn cancel_other(&self, workflow: ExternalWorkflow) -> Operation {
        let sequence = self.number(Kind::Cancellation);
        let reason = String::new();
        let request = RequestCancelExternalWorkflow { sequence, workflow, reason };
        self.issue(Command::RequestCancelExternalWorkflow(Box::new(request)));
        Operation::new(self, Key(Kind::Cancellation, sequence))
    }

    /// Whether this code has a patch.
    pub(crate) fn patched(&self, patch_id: &str) -> bool {
        let mut shared = self.shared.borrow_mut();
        if let Some(decided) = shared.decided.get(patch_id) {
            return *decided;
        }
        let patched = !shared.replaying || shared.patches.contains(patch_id);
        shared.decided.insert(patch_id.to_owned(), patched);
        drop(shared);
        if patched {
            self.issue(Command::SetPatch { patch_id: patch_id.to_owned(), deprecated: false });
        }
        patched
    }

    pub(crate) fn deprecate_patch(&self, patch_id: &str) {
        self.issue(Command::SetPatch { patch_id: patch_id.to_owned(), deprecated: true });
    }

    pub(crate) fn upsert_search_attributes<const N: usize>(&self, changed: [(&str, Payload); N]) {
        let indexed_fields = changed.map(|(name, value)| (name.to_owned(), value)).into();
        self.issue(Command::UpsertSearchAttributes(SearchAttributes { indexed_fields }));
    }

    pub(crate) fn upsert_memo<const N: usize>(&self, changed: [(&str, Value); N]) {
        let fields = changed.map(|(name, value)| (name.to_owned(), payload(&value))).into();
        self.issue(Command::UpsertMemo(Memo { fields }));
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) -> Result<(), Stop> {
        let cancelled = || self.shared.borrow().cancel_requested;
        poll_fn(|_| match is_so() {
            true => Poll::Ready(Ok(())),
            false if cancelled() => Poll::Ready(Err(Stop::Cancelled)),
            false => Poll::Pending,
        })
        .await
    }

    /// Lets everything else go on first.
    pub(crate) async fn give_way(&self) {
        let mut has_given_way = false;
        poll_fn(|_| match std::mem::replace(&mut has_given_way, true) {
            true => Poll::Ready(()),
            false => {
                self.shared.borrow_mut().progress += 1;
                Poll::Pending
            }
        })
        .await;
    }

    /// The first argument with which an activity was scheduled then. For what each SDK draws by itself, from the same seed.
    pub(crate) fn recorded_argument(&self, activity_id: &str) -> Value {
        let mut recorded = self.history.attributes().filter_map(|attributes| match attributes {
            Attributes::ActivityTaskScheduledEventAttributes(it) if it.activity_id == activity_id => it.input.as_ref(),
            _ => None,
        });
        recorded.next().and_then(|input| input.payloads.first()).map(normal::value).expect("it was scheduled")
    }

    /// The id of the first child, which the SDK drew then.
    pub(crate) fn recorded_child_id(&self) -> String {
        let mut recorded = self.history.attributes().filter_map(|attributes| match attributes {
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it) => Some(it.workflow_id.clone()),
            _ => None,
        });
        recorded.next().expect("a child was started")
    }
}

/// An activity that may take a minute.
pub(crate) fn activity(name: &str, argument: impl Into<Value>) -> ScheduleActivity {
    ScheduleActivity {
        activity_type: name.to_owned(),
        task_queue: "histories".to_owned(),
        arguments: payloads(argument),
        start_to_close_timeout: Some(MINUTE),
        ..ScheduleActivity::default()
    }
}

/// A Local Activity that may take a minute.
pub(crate) fn local_activity(name: &str, argument: impl Into<Value>) -> ScheduleLocalActivity {
    ScheduleLocalActivity {
        activity_type: name.to_owned(),
        arguments: payloads(argument),
        start_to_close_timeout: Some(MINUTE),
        ..ScheduleLocalActivity::default()
    }
}

/// `"completed"`, `"cancelled"` or `"failed"`.
pub(crate) fn outcome(done: &Done) -> Value {
    match done {
        Ok(_) => "completed",
        Err(Stop::Cancelled) => "cancelled",
        Err(_) => "failed",
    }
    .into()
}

pub(crate) fn failure(message: &str) -> Box<Failure> {
    Box::new(Failure { message: message.to_owned(), ..Failure::default() })
}

/// Nothing is no argument.
fn payloads(argument: impl Into<Value>) -> Vec<Payload> {
    match argument.into() {
        Value::Null => Vec::new(),
        argument => vec![payload(&argument)],
    }
}

pub(crate) fn payload(value: &Value) -> Payload {
    let metadata = BTreeMap::from([("encoding".to_owned(), "json/plain".into())]);
    Payload { metadata, data: value.to_string().into(), ..Payload::default() }
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) const HOUR: u64 = 3_600_000;
const MINUTE: Duration = Duration::from_secs(60);
