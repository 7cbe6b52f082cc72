//! What all parts of a program share: what was heard, and what is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use timewright_proto::common::{Memo, Payload, RetryPolicy, SearchAttributes};
use timewright_proto::enums::ParentClosePolicy;
use timewright_proto::prost_types;
use timewright_protocol::workflow::{
    Activation, ActivityCancellationType, Backoff, ChildWorkflowCancellationType, ChildWorkflowStart, Command,
    ExternalWorkflow, Job, LocalActivityResolution, NexusOperationCancellationType, NexusOperationStart,
    RequestCancelExternalWorkflow, ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation,
    SignalExternalWorkflow, StartChildWorkflow, StartTimer, Update,
};

use super::{ACTIVITIES, NEXUS};
use crate::program::{Activity, Child, LocalActivity, Nexus, SIGNALS, Target, child_number};
use crate::world::WORKFLOW_ID;

/// See the file's doc.
pub(super) struct Shared {
    pub(super) commands: Vec<Command>,
    last_sequences: BTreeMap<Kind, u32>,
    /// What was started, and its outcome if that has come.
    operations: BTreeMap<(Kind, u32), Option<Outcome>>,
    /// Signals that nobody has waited for.
    pub(super) signals: [u32; SIGNALS],
    /// Signals and Updates whose handlers have not begun.
    pub(super) unhandled: Vec<Handler>,
    pub(super) count: u32,
    pub(super) cancel_requested: bool,
    /// Which run this is.
    pub(super) number: u32,
    run_id: String,
    /// The same behind a reset, so that the ids of children are.
    first_seed: u64,
    /// Which child this is, if it is one.
    child_number: Option<usize>,
    /// The Workflow Id of the child that was started last.
    last_child: Option<String>,
    /// Depends on all that was heard and done, and on the order.
    pub(super) digest: u64,
    /// Nothing may be asked for any more.
    pub(super) closed: bool,
    seed: u64,
    replaying: bool,
    history_length: u64,
    /// What was noted when this was executed before.
    noted_patches: BTreeSet<String>,
    noted_versions: BTreeMap<String, i32>,
    noted_values: BTreeMap<u32, Payload>,
    noted_changes: BTreeMap<(String, u32), Payload>,
    decided_patches: BTreeMap<String, bool>,
    decided_versions: BTreeMap<String, i32>,
    /// Of each mutable side effect how often it was asked for, and its value.
    mutable_values: BTreeMap<String, (u32, Option<Payload>)>,
    time: SystemTime,
}

/// What has numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Timer,
    /// Local Activities, too.
    Activity,
    SideEffect,
    ChildStart,
    Child,
    Signal,
    Cancellation,
    NexusStart,
    Nexus,
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// Depends on all of it.
    pub(super) digest: u64,
    pub(super) follow: Follow,
}

/// What comes behind an outcome.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Follow {
    Nothing,
    /// It is to be tried again.
    Backoff(Backoff),
    /// It was started, and will have another outcome.
    End,
}

/// What is to be handled.
pub(super) enum Handler {
    Signal(usize),
    Update(Box<Update>),
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            commands: Vec::new(),
            last_sequences: BTreeMap::new(),
            operations: BTreeMap::new(),
            signals: [0; SIGNALS],
            unhandled: Vec::new(),
            count: 0,
            cancel_requested: false,
            number: 0,
            run_id: String::new(),
            first_seed: 0,
            child_number: None,
            last_child: None,
            digest: 0xcbf2_9ce4_8422_2325,
            closed: false,
            seed,
            replaying: false,
            history_length: 0,
            noted_patches: BTreeSet::new(),
            noted_versions: BTreeMap::new(),
            noted_values: BTreeMap::new(),
            noted_changes: BTreeMap::new(),
            decided_patches: BTreeMap::new(),
            decided_versions: BTreeMap::new(),
            mutable_values: BTreeMap::new(),
            time: SystemTime::UNIX_EPOCH,
        }
    }

    pub(super) fn begin(&mut self, activation: &Activation) {
        assert!(activation.time >= self.time, "the workflow's time went back");
        self.time = activation.time;
        self.replaying = activation.replaying;
        self.history_length = activation.history_length;
    }

    pub(super) fn hear(&mut self, job: &Job) {
        match job {
            Job::Initialize(initialize) => {
                let number = initialize.arguments.first().map(|argument| String::from_utf8_lossy(&argument.data));
                self.number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
                self.run_id.clone_from(&initialize.run_id);
                self.first_seed = initialize.random_seed;
                self.child_number = child_number(&initialize.workflow_type);
                let (memo, attributes) = (&initialize.started.memo, &initialize.started.search_attributes);
                self.note(&format!("initialize {} {}", initialize.workflow_type, initialize.random_seed));
                self.note(&format!("{memo:?} {attributes:?}"));
            }
            Job::Signal { name, .. } => {
                let signal: usize = name.parse().expect("signals are named by numbers");
                self.signals[signal] += 1;
                self.unhandled.push(Handler::Signal(signal));
                self.note(&format!("signal {signal}"));
            }
            // Nothing must stay of one that is rejected, so it is noted when it is accepted.
            Job::Update(update) => self.unhandled.push(Handler::Update(update.clone())),
            Job::RequestCancellation { .. } => {
                self.cancel_requested = true;
                self.note("cancel");
            }
            Job::UpdateRandomSeed { seed } => self.note(&format!("seed {seed}")),
            Job::NotifyPatch { patch_id } => drop(self.noted_patches.insert(patch_id.clone())),
            Job::NotifyVersion { change_id, version } => {
                self.noted_versions.insert(change_id.clone(), *version);
            }
            Job::NotifySideEffect { sequence, value } => {
                self.noted_values.insert(*sequence, value.clone());
            }
            Job::NotifyMutableSideEffect { id, call, value } => {
                self.noted_changes.insert((id.clone(), *call), value.clone());
            }
            Job::FireTimer { sequence } => self.resolve(Kind::Timer, *sequence, "fired", Follow::Nothing),
            Job::ResolveActivity { sequence, resolution } => {
                self.resolve(Kind::Activity, *sequence, &format!("{resolution:?}"), Follow::Nothing);
            }
            Job::ResolveLocalActivity { sequence, resolution } => {
                let follow = match resolution {
                    LocalActivityResolution::Backoff(backoff) => Follow::Backoff(backoff.clone()),
                    _ => Follow::Nothing,
                };
                self.resolve(Kind::Activity, *sequence, &format!("locally {resolution:?}"), follow);
            }
            Job::ResolveChildWorkflowStart { sequence, start } => {
                let is_started = matches!(start, ChildWorkflowStart::Started { .. });
                self.resolve_start(Kind::ChildStart, Kind::Child, *sequence, &format!("{start:?}"), is_started);
            }
            Job::ResolveChildWorkflow { sequence, resolution } => {
                self.resolve(Kind::Child, *sequence, &format!("{resolution:?}"), Follow::Nothing);
            }
            Job::ResolveSignalExternalWorkflow { sequence, outcome } => {
                self.resolve(Kind::Signal, *sequence, &format!("{outcome:?}"), Follow::Nothing);
            }
            Job::ResolveRequestCancelExternalWorkflow { sequence, outcome } => {
                self.resolve(Kind::Cancellation, *sequence, &format!("{outcome:?}"), Follow::Nothing);
            }
            Job::ResolveNexusOperationStart { sequence, start } => {
                let is_started = matches!(start, NexusOperationStart::Started { .. });
                self.resolve_start(Kind::NexusStart, Kind::Nexus, *sequence, &format!("{start:?}"), is_started);
            }
            Job::ResolveNexusOperation { sequence, resolution } => {
                self.resolve(Kind::Nexus, *sequence, &format!("{resolution:?}"), Follow::Nothing);
            }
            other => panic!("a job that these programs do not expect: {other:?}"),
        }
    }

    /// There is an outcome, the first and only one.
    fn resolve(&mut self, kind: Kind, sequence: u32, text: &str, follow: Follow) {
        let outcome = self.operations.get_mut(&(kind, sequence));
        let outcome = outcome.unwrap_or_else(|| panic!("{kind:?} {sequence} is not under way: {text}"));
        assert_eq!(*outcome, None, "{kind:?} {sequence} was resolved twice, now with {text}");
        *outcome = Some(Outcome { digest: hash(0, text), follow });
        self.note(&format!("{kind:?} {sequence} {text}"));
    }

    /// It was started, or it was not and has no other outcome.
    fn resolve_start(&mut self, start: Kind, end: Kind, sequence: u32, text: &str, is_started: bool) {
        self.resolve(start, sequence, text, if is_started { Follow::End } else { Follow::Nothing });
        if is_started {
            self.operations.insert((end, sequence), None);
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        self.digest = hash(self.digest, text);
    }

    pub(super) fn ask(&mut self, command: Command) {
        if !self.closed {
            self.note(command.name());
            self.commands.push(command);
        }
    }

    pub(super) fn outcome(&self, kind: Kind, sequence: u32) -> Option<Outcome> {
        self.operations[&(kind, sequence)].clone()
    }

    /// Nobody wants to hear of it, and nobody must.
    pub(super) fn forget(&mut self, kind: Kind, sequence: u32) {
        self.operations.remove(&(kind, sequence));
    }

    fn next(&mut self, kind: Kind) -> u32 {
        let last = self.last_sequences.entry(kind).or_default();
        *last += 1;
        *last
    }

    fn begin_operation(&mut self, kind: Kind) -> u32 {
        let sequence = self.next(kind);
        self.operations.insert((kind, sequence), None);
        sequence
    }

    pub(super) fn start_timer(&mut self, duration: Duration) -> u32 {
        let sequence = self.begin_operation(Kind::Timer);
        self.ask(Command::StartTimer(StartTimer { sequence, duration, summary: None }));
        sequence
    }

    pub(super) fn schedule(&mut self, activity: &Activity) -> u32 {
        let sequence = self.begin_operation(Kind::Activity);
        self.ask(Command::ScheduleActivity(Box::new(ScheduleActivity {
            sequence,
            activity_type: format!("kind-{}", activity.kind),
            task_queue: ACTIVITIES.into(),
            arguments: vec![payload(&self.digest.to_string())],
            schedule_to_close_timeout: seconds(activity.schedule_to_close),
            heartbeat_timeout: seconds(activity.heartbeat),
            retry_policy: Some(RetryPolicy { maximum_attempts: activity.attempts, ..RetryPolicy::default() }),
            cancellation_type: cancellation_type(activity.cancellation),
            ..ScheduleActivity::default()
        })));
        sequence
    }

    /// Schedules a Local Activity, or schedules it anew.
    pub(super) fn schedule_locally(&mut self, activity: &LocalActivity, again: Option<&Backoff>) -> u32 {
        let sequence = self.begin_operation(Kind::Activity);
        let interval = prost_types::Duration { seconds: activity.interval.cast_signed(), nanos: 0 };
        self.ask(Command::ScheduleLocalActivity(Box::new(ScheduleLocalActivity {
            sequence,
            activity_type: format!("local-{}", activity.kind),
            arguments: vec![payload(&self.digest.to_string())],
            schedule_to_close_timeout: seconds(activity.schedule_to_close),
            start_to_close_timeout: seconds(10),
            retry_policy: Some(RetryPolicy {
                maximum_attempts: activity.attempts,
                initial_interval: Some(interval),
                ..RetryPolicy::default()
            }),
            local_retry_threshold: Duration::from_secs(activity.threshold),
            attempt: again.map_or(1, |again| again.attempt),
            original_schedule_time: again.map(|again| again.original_schedule_time),
            cancellation_type: cancellation_type(activity.cancellation),
            ..ScheduleLocalActivity::default()
        })));
        sequence
    }

    /// `None` where this workflow may start no such child.
    pub(super) fn start_child(&mut self, child: &Child) -> Option<u32> {
        if self.child_number.is_some_and(|number| child.kind <= number) {
            return None;
        }
        let sequence = self.begin_operation(Kind::ChildStart);
        let workflow_id = match child.is_taken {
            true => WORKFLOW_ID.to_owned(),
            false => format!("{:x}/{sequence}", self.first_seed),
        };
        self.last_child = Some(workflow_id.clone());
        self.ask(Command::StartChildWorkflow(Box::new(StartChildWorkflow {
            sequence,
            workflow_id,
            workflow_type: format!("child-{}", child.kind),
            // The first says which run this is, the second names it for a test that looks at the history.
            arguments: vec![payload("0"), payload(&sequence.to_string()), payload(&self.digest.to_string())],
            workflow_run_timeout: seconds(child.run_timeout),
            parent_close_policy: match child.close_policy {
                0 => ParentClosePolicy::Terminate,
                1 => ParentClosePolicy::Abandon,
                _ => ParentClosePolicy::RequestCancel,
            },
            cancellation_type: match child.cancellation {
                0 => ChildWorkflowCancellationType::Abandon,
                1 => ChildWorkflowCancellationType::TryCancel,
                2 => ChildWorkflowCancellationType::WaitCancellationCompleted,
                _ => ChildWorkflowCancellationType::WaitCancellationRequested,
            },
            ..StartChildWorkflow::default()
        })));
        Some(sequence)
    }

    pub(super) fn signal_workflow(&mut self, target: Target, signal: usize) -> u32 {
        let sequence = self.begin_operation(Kind::Signal);
        let workflow = self.external_workflow(target);
        self.ask(Command::SignalExternalWorkflow(Box::new(SignalExternalWorkflow {
            sequence,
            workflow,
            signal_name: signal.to_string(),
            // So that a test knows it again in the history.
            arguments: vec![payload(&sequence.to_string())],
            ..SignalExternalWorkflow::default()
        })));
        sequence
    }

    pub(super) fn cancel_workflow(&mut self, target: Target) -> u32 {
        let sequence = self.begin_operation(Kind::Cancellation);
        let workflow = self.external_workflow(target);
        let reason = sequence.to_string();
        let request = RequestCancelExternalWorkflow { sequence, workflow, reason };
        self.ask(Command::RequestCancelExternalWorkflow(Box::new(request)));
        sequence
    }

    fn external_workflow(&self, target: Target) -> ExternalWorkflow {
        let (workflow_id, child_workflow_only) = match (target, &self.last_child) {
            (Target::Root, _) => (WORKFLOW_ID.to_owned(), false),
            (Target::LastChild(only), Some(child)) => (child.clone(), only),
            (Target::LastChild(_), None) | (Target::Nobody, _) => ("nobody".to_owned(), false),
        };
        ExternalWorkflow { workflow_id, child_workflow_only, ..ExternalWorkflow::default() }
    }

    pub(super) fn schedule_nexus(&mut self, nexus: &Nexus) -> u32 {
        let sequence = self.begin_operation(Kind::NexusStart);
        self.ask(Command::ScheduleNexusOperation(Box::new(ScheduleNexusOperation {
            sequence,
            endpoint: NEXUS.into(),
            service: "service".into(),
            operation: format!("operation-{}", nexus.operation),
            // So that a test knows it again in the history.
            input: Some(payload(&sequence.to_string())),
            schedule_to_close_timeout: seconds(nexus.schedule_to_close),
            start_to_close_timeout: seconds(nexus.start_to_close),
            cancellation_type: match nexus.cancellation {
                0 => NexusOperationCancellationType::Abandon,
                1 => NexusOperationCancellationType::TryCancel,
                2 => NexusOperationCancellationType::WaitCancellationCompleted,
                _ => NexusOperationCancellationType::WaitCancellationRequested,
            },
            ..ScheduleNexusOperation::default()
        })));
        sequence
    }

    /// Whether this execution goes the way of the code behind the patch. The first answer holds.
    pub(super) fn patched(&mut self, patch: u8) -> bool {
        let patch_id = patch_id(patch);
        let found = self.noted_patches.contains(&patch_id) || !self.replaying;
        let is_patched = *self.decided_patches.entry(patch_id.clone()).or_insert(found);
        if is_patched {
            self.ask(Command::SetPatch { patch_id, deprecated: false });
        }
        is_patched
    }

    /// The code from before the patch is gone.
    pub(super) fn deprecate_patch(&mut self, patch: u8) {
        self.ask(Command::SetPatch { patch_id: patch_id(patch), deprecated: true });
    }

    /// Which version of the change this execution follows: -1 is from before it. The first answer holds.
    pub(super) fn version(&mut self, change: u8) -> i32 {
        let change_id = format!("change-{change}");
        let found = match self.noted_versions.get(&change_id) {
            Some(version) => *version,
            None if self.replaying => -1,
            None => 1,
        };
        let version = *self.decided_versions.entry(change_id.clone()).or_insert(found);
        if version >= 0 {
            self.ask(Command::SetVersion { change_id, version });
        }
        version
    }

    /// Takes a value from outside. Where it is not recorded although it was taken before, it is never the same again.
    pub(super) fn side_effect(&mut self) {
        let sequence = self.next(Kind::SideEffect);
        let value = self.noted_values.remove(&sequence).unwrap_or_else(|| {
            let surprise = if self.replaying { SURPRISES.fetch_add(1, Ordering::Relaxed) } else { 0 };
            let place = format!("{} {} {sequence} {surprise}", self.run_id, self.history_length);
            payload(&hash(self.seed, &place).to_string())
        });
        self.note(&format!("{value:?}"));
        self.ask(Command::RecordSideEffect { sequence, value });
    }

    /// The value of something outside that changes now and then, and is noted only then.
    pub(super) fn mutable_side_effect(&mut self, thing: u8) {
        let id = format!("thing-{thing}");
        let (calls, last) = self.mutable_values.get(&id).cloned().unwrap_or_default();
        let call = calls + 1;
        let noted = self.noted_changes.remove(&(id.clone(), call));
        let (value, is_new) = match (noted, last) {
            (Some(noted), _) => (noted, true),
            (None, Some(last)) if self.replaying => (last, false),
            (None, last) => {
                let surprise = if self.replaying { SURPRISES.fetch_add(1, Ordering::Relaxed) } else { 0 };
                let place = format!("{} {} {id} {call}", self.run_id, self.history_length);
                let value = payload(&(hash(self.seed, &place) % 2 + surprise).to_string());
                let is_new = last.as_ref() != Some(&value);
                (value, is_new)
            }
        };
        self.note(&format!("{value:?}"));
        self.mutable_values.insert(id.clone(), (call, Some(value.clone())));
        if is_new {
            self.ask(Command::RecordMutableSideEffect { id, call, value });
        }
    }

    pub(super) fn upsert_search_attribute(&mut self, name: u8, value: Option<u8>) {
        let indexed_fields = BTreeMap::from([(search_attribute(name), value_payload(value))]);
        self.ask(Command::UpsertSearchAttributes(SearchAttributes { indexed_fields }));
    }

    pub(super) fn upsert_memo(&mut self, name: u8, value: Option<u8>) {
        let fields = BTreeMap::from([(format!("memo-{name}"), value_payload(value))]);
        self.ask(Command::UpsertMemo(Memo { fields }));
    }
}

/// The name of a search attribute that programs change.
pub fn search_attribute(name: u8) -> String {
    format!("attribute-{name}")
}

/// Two of them have no room together in one search attribute.
fn patch_id(patch: u8) -> String {
    format!("patch-{patch}-{}", "x".repeat(if patch == 0 { 0 } else { 1100 }))
}

fn cancellation_type(number: u8) -> ActivityCancellationType {
    match number {
        0 => ActivityCancellationType::TryCancel,
        1 => ActivityCancellationType::WaitCancellationCompleted,
        _ => ActivityCancellationType::Abandon,
    }
}

fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn value_payload(value: Option<u8>) -> Payload {
    payload(&value.map_or_else(|| "null".to_owned(), |value| format!("\"{value}\"")))
}

pub(super) fn payload(text: &str) -> Payload {
    let metadata = BTreeMap::from([("encoding".to_owned(), "json/plain".into())]);
    Payload { metadata, data: text.to_owned().into(), ..Payload::default() }
}

/// FNV-1a.
pub fn hash(state: u64, text: &str) -> u64 {
    text.bytes().fold(state ^ 0xff, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

static SURPRISES: AtomicU64 = AtomicU64::new(1);
