//! Executes each Workflow Task a second time, from the start of its workflow, and compares: a check for whoever writes
//! workflows, which finds before anything is recorded what would else be found on a replay some day.

use timewright_proto::SYSTEM_NEXUS_ENDPOINT;
use timewright_proto::enums::WorkflowTaskFailedCause;
use timewright_protocol::workflow::{Activation, Command, Job};

use crate::error::task_failure;
use crate::instance::TaskProblem;
use crate::local_activities::WorkflowNames;
use crate::policy::Origin;

/// What user code of a Run was told, and what it answered, from its start on.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal(Vec<Step>);

/// An Activation as a replay would bring it, and what is to be answered then.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) activation: Activation,
    pub(crate) expected: Vec<Command>,
}

impl Rehearsal {
    pub(crate) fn note(&mut self, activation: Activation, answer: &[Command]) {
        self.0.push(Step::of(activation, answer));
    }

    /// All that was, to be gone through again.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.0.clone()
    }
}

impl Step {
    fn of(mut activation: Activation, answer: &[Command]) -> Self {
        let is_rejected = |id: &str| {
            answer.iter().any(|command| {
                matches!(command, Command::RejectUpdate { protocol_instance_id, .. } if protocol_instance_id == id)
            })
        };
        // What is rejected leaves nothing in the history.
        activation.jobs.retain(|job| !matches!(job, Job::Update(update) if is_rejected(&update.protocol_instance_id)));
        for job in &mut activation.jobs {
            if let Job::Update(update) = job {
                update.run_validator = false;
            }
        }
        if !activation.replaying {
            // A replay brings what was noted, behind the start and before all else.
            let at = usize::from(matches!(activation.jobs.first(), Some(Job::Initialize(_))));
            activation.jobs.splice(at..at, answer.iter().filter_map(noted));
        }
        activation.replaying = true;
        let expected = answer.iter().filter(|command| !matches!(command, Command::RejectUpdate { .. }));
        Self { expected: expected.cloned().collect(), activation }
    }

    /// The first difference between what was answered and what should have been.
    pub(crate) fn compare(&self, workflow: &WorkflowNames, answer: &[Command]) -> Result<(), TaskProblem> {
        let count = self.expected.len().max(answer.len());
        let difference = (0..count).find(|index| !is_same(self.expected.get(*index), answer.get(*index)));
        let Some(index) = difference else { return Ok(()) };
        let message = format!(
            "[TMPRL1100] Workflow {:?} (id {:?}) did not do the same when it was executed a second time from its start, though it \
             was told the same. At event {}, Command {} of these was, the first time, {}, and the second time {}. It depends on \
             something that its history does not bring back: a clock, randomness, the order of a hash map, a static, or \
             whether it replays. (WorkflowWorkerBuilder::check_determinism asked for this check.)",
            workflow.workflow_type,
            workflow.workflow_id,
            self.activation.history_length,
            index + 1,
            show(self.expected.get(index)),
            show(answer.get(index)),
        );
        Err(TaskProblem {
            cause: WorkflowTaskFailedCause::NonDeterministicError,
            failure: Box::new(task_failure("Nondeterminism", message)),
            origin: Origin::Nondeterminism,
        })
    }
}

/// What a replay tells user code in advance of a Command.
fn noted(command: &Command) -> Option<Job> {
    match command {
        Command::SetPatch { patch_id, .. } => Some(Job::NotifyPatch { patch_id: patch_id.clone() }),
        Command::SetVersion { change_id, version } => {
            Some(Job::NotifyVersion { change_id: change_id.clone(), version: *version })
        }
        Command::RecordSideEffect { sequence, value } => {
            Some(Job::NotifySideEffect { sequence: *sequence, value: value.clone() })
        }
        Command::RecordMutableSideEffect { id, call, value } => {
            Some(Job::NotifyMutableSideEffect { id: id.clone(), call: *call, value: value.clone() })
        }
        Command::InEventGroups { command, .. } => noted(command),
        _ => None,
    }
}

/// What goes along in headers is not compared, as on a replay: a trace, say, begins anew.
fn is_same(expected: Option<&Command>, answer: Option<&Command>) -> bool {
    let compared = |command: &Command| {
        let mut command = command.clone();
        remove_header(&mut command);
        command
    };
    expected == answer || expected.map(compared) == answer.map(compared)
}

fn remove_header(command: &mut Command) {
    match command {
        Command::ScheduleActivity(schedule) => schedule.header.fields.clear(),
        Command::ScheduleLocalActivity(schedule) => schedule.header.fields.clear(),
        Command::StartChildWorkflow(start) => start.header.fields.clear(),
        Command::SignalExternalWorkflow(signal) => signal.header.fields.clear(),
        Command::ScheduleNexusOperation(schedule) => {
            schedule.header.clear();
            if schedule.endpoint == SYSTEM_NEXUS_ENDPOINT {
                schedule.input = None; // the request in it has a header, too
            }
        }
        Command::ContinueAsNew(next) => next.header = None,
        Command::InEventGroups { command, .. } => remove_header(command),
        _ => (),
    }
}

fn show(command: Option<&Command>) -> String {
    match command {
        None => "missing".to_owned(),
        Some(command) => {
            let mut text = format!("{command:?}");
            if text.len() > LONGEST {
                let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                text.truncate(end);
                text.push('…');
            }
            text
        }
    }
}

/// Bytes of a Command in a text; its arguments may be large.
const LONGEST: usize = 400;
