//! Commands: any, sensible or not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use timewright_proto::common::{Memo, Payload, RetryPolicy, SearchAttributes};
use timewright_proto::failure::Failure;
use timewright_proto::to_duration;
use timewright_protocol::workflow::{
    ActivityCancellationType, ChildWorkflowCancellationType, Command, ContinueAsNew, ExternalWorkflow,
    NexusOperationCancellationType, QueryAnswer, RequestCancelExternalWorkflow, ScheduleActivity,
    ScheduleLocalActivity, ScheduleNexusOperation, SignalExternalWorkflow, StartChildWorkflow, StartTimer,
};

use crate::operations::{Kind, Numbers, Operations};
use crate::script::Script;

/// Any Command at all, sensible or not.
pub(crate) fn any(script: &mut Script<'_>, numbers: &Numbers, operations: &Operations) -> Command {
    let make = COMMANDS[script.below(COMMANDS.len())];
    make(&mut Choices { script, numbers, operations })
}

/// One line for each kind of Command.
const COMMANDS: &[fn(&mut Choices<'_, '_>) -> Command] = &[
    |c| Command::StartTimer(StartTimer { sequence: c.next(Kind::Timer), duration: c.duration(), summary: c.payload() }),
    |c| Command::CancelTimer { sequence: c.number() },
    |c| Command::ScheduleActivity(Box::new(c.activity())),
    |c| Command::RequestCancelActivity { sequence: c.number() },
    |c| Command::ScheduleLocalActivity(Box::new(c.local_activity())),
    |c| Command::CancelLocalActivity { sequence: c.number() },
    |c| Command::StartChildWorkflow(Box::new(c.child_workflow())),
    |c| Command::CancelChildWorkflow { sequence: c.number(), reason: c.text() },
    |c| Command::SignalExternalWorkflow(Box::new(c.signal())),
    |c| Command::CancelSignalExternalWorkflow { sequence: c.number() },
    |c| Command::RequestCancelExternalWorkflow(Box::new(c.cancellation())),
    |c| Command::ScheduleNexusOperation(Box::new(c.nexus_operation())),
    |c| Command::RequestCancelNexusOperation { sequence: c.number() },
    |c| Command::SetPatch { patch_id: c.text(), deprecated: c.script.rarely(2) },
    |c| Command::SetVersion { change_id: c.text(), version: c.number().cast_signed() },
    |c| Command::RecordSideEffect { sequence: c.next(Kind::SideEffect), value: Payload::default() },
    |c| Command::RecordMutableSideEffect { id: c.text(), call: c.number(), value: Payload::default() },
    |c| Command::UpsertSearchAttributes(SearchAttributes { indexed_fields: c.fields() }),
    |c| Command::UpsertMemo(Memo { fields: c.fields() }),
    |c| Command::AcceptUpdate { protocol_instance_id: c.update() },
    |c| Command::RejectUpdate { protocol_instance_id: c.update(), failure: Box::default() },
    |c| Command::CompleteUpdate { protocol_instance_id: c.update(), outcome: Ok(c.payload()) },
    |c| Command::AnswerQuery { id: c.text(), answer: QueryAnswer::Succeeded(c.payload()) },
    |c| Command::CompleteWorkflow { result: c.payload() },
    |_| Command::FailWorkflow { failure: Box::new(Failure::default()) },
    |c| Command::CancelWorkflow { details: c.payload().into_iter().collect() },
    |c| Command::ContinueAsNew(Box::new(ContinueAsNew { workflow_type: c.text(), ..ContinueAsNew::default() })),
];

/// What a line of [`COMMANDS`] may choose from.
struct Choices<'s, 'a> {
    script: &'s mut Script<'a>,
    numbers: &'s Numbers,
    operations: &'s Operations,
}

impl Choices<'_, '_> {
    /// The number of a new operation: mostly the next of its kind.
    fn next(&mut self, kind: Kind) -> u32 {
        if self.script.rarely(16) { self.script.number() } else { self.numbers.after_last(kind) }
    }

    /// The number of an operation that may be there.
    fn number(&mut self) -> u32 {
        self.script.number()
    }

    fn text(&mut self) -> String {
        self.script.text()
    }

    fn payload(&mut self) -> Option<Payload> {
        self.script.rarely(2).then(Payload::default)
    }

    fn duration(&mut self) -> Duration {
        if self.script.rarely(8) { Duration::MAX } else { Duration::from_secs(self.script.number().into()) }
    }

    fn timeout(&mut self) -> Option<Duration> {
        (!self.script.rarely(4)).then(|| self.duration())
    }

    fn fields(&mut self) -> BTreeMap<String, Payload> {
        (0..self.script.below(3)).map(|_| (self.text(), Payload::default())).collect()
    }

    /// An Update that may be there.
    fn update(&mut self) -> String {
        let accepted: Vec<&String> = self.operations.accepted_updates().collect();
        let which = self.script.below(accepted.len() + 1);
        accepted.get(which).map_or_else(|| self.script.text(), |id| (*id).clone())
    }

    fn workflow(&mut self) -> ExternalWorkflow {
        ExternalWorkflow {
            workflow_id: self.text(),
            child_workflow_only: self.script.rarely(4),
            ..ExternalWorkflow::default()
        }
    }

    fn activity(&mut self) -> ScheduleActivity {
        ScheduleActivity {
            sequence: self.next(Kind::Activity),
            activity_id: self.script.rarely(4).then(|| self.script.text()),
            activity_type: self.text(),
            start_to_close_timeout: self.timeout(),
            cancellation_type: activity_cancellation_type(self.script),
            ..ScheduleActivity::default()
        }
    }

    fn local_activity(&mut self) -> ScheduleLocalActivity {
        ScheduleLocalActivity {
            sequence: self.next(Kind::LocalActivity),
            activity_id: self.script.rarely(4).then(|| self.script.text()),
            activity_type: self.text(),
            schedule_to_close_timeout: self.timeout(),
            start_to_close_timeout: self.timeout(),
            retry_policy: self.script.rarely(2).then(|| self.retry_policy()),
            local_retry_threshold: self.duration(),
            attempt: self.number(),
            original_schedule_time: self.script.rarely(4).then_some(SystemTime::UNIX_EPOCH),
            cancellation_type: activity_cancellation_type(self.script),
            ..ScheduleLocalActivity::default()
        }
    }

    fn retry_policy(&mut self) -> RetryPolicy {
        RetryPolicy {
            initial_interval: self.timeout().map(to_duration),
            backoff_coefficient: [2.0, 0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX][self.script.below(7)],
            maximum_interval: self.timeout().map(to_duration),
            maximum_attempts: self.number().cast_signed(),
            non_retryable_error_types: vec![self.text()],
        }
    }

    fn child_workflow(&mut self) -> StartChildWorkflow {
        StartChildWorkflow {
            sequence: self.next(Kind::ChildWorkflow),
            workflow_id: self.text(),
            workflow_type: self.text(),
            cancellation_type: child_cancellation_type(self.script),
            ..StartChildWorkflow::default()
        }
    }

    fn signal(&mut self) -> SignalExternalWorkflow {
        SignalExternalWorkflow {
            sequence: self.next(Kind::Signal),
            workflow: self.workflow(),
            signal_name: self.text(),
            ..SignalExternalWorkflow::default()
        }
    }

    fn cancellation(&mut self) -> RequestCancelExternalWorkflow {
        RequestCancelExternalWorkflow {
            sequence: self.next(Kind::Cancellation),
            workflow: self.workflow(),
            reason: self.text(),
        }
    }

    fn nexus_operation(&mut self) -> ScheduleNexusOperation {
        ScheduleNexusOperation {
            sequence: self.next(Kind::NexusOperation),
            endpoint: self.text(),
            schedule_to_close_timeout: self.timeout(),
            cancellation_type: nexus_cancellation_type(self.script),
            ..ScheduleNexusOperation::default()
        }
    }
}

// In all three the first is the one that waits for the outcome: user code that is woken once more than it was does no harm; one
// that is not woken would.

pub(crate) fn activity_cancellation_type(script: &mut Script<'_>) -> ActivityCancellationType {
    use ActivityCancellationType::{Abandon, TryCancel, WaitCancellationCompleted};
    [WaitCancellationCompleted, TryCancel, Abandon][script.below(3)]
}

pub(crate) fn child_cancellation_type(script: &mut Script<'_>) -> ChildWorkflowCancellationType {
    use ChildWorkflowCancellationType as Type;
    let types = [Type::WaitCancellationCompleted, Type::WaitCancellationRequested, Type::TryCancel, Type::Abandon];
    types[script.below(types.len())]
}

pub(crate) fn nexus_cancellation_type(script: &mut Script<'_>) -> NexusOperationCancellationType {
    use NexusOperationCancellationType as Type;
    let types = [Type::WaitCancellationCompleted, Type::WaitCancellationRequested, Type::TryCancel, Type::Abandon];
    types[script.below(types.len())]
}
