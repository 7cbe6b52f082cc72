//! Replays of recorded histories.

use std::rc::Rc;

use timewright_proto::Bytes;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{HistoryEvent, WorkflowExecutionStartedEventAttributes};
use timewright_protocol::workflow::{HistoryPage, Job, Output, Run, TaskFailure, TaskKind, WorkflowTask};

use crate::interpreter::Interpreter;
use crate::program::Program;
use crate::worker::Heard;

/// Goes through the history of a run from its start. `sizes` are the sizes of its pages, over and over; none is one page.
pub fn replay(
    program: &Program,
    history: &(String, Vec<HistoryEvent>),
    sizes: &[usize],
) -> Result<Vec<Heard>, Box<TaskFailure>> {
    replay_and_watch(program, history, sizes, |_| ())
}

/// Likewise, and looks at the Run before each Activation.
pub fn replay_and_watch(
    program: &Program,
    (run_id, history): &(String, Vec<HistoryEvent>),
    sizes: &[usize],
    mut watch: impl FnMut(&Run),
) -> Result<Vec<Heard>, Box<TaskFailure>> {
    let mut code = None;
    let mut heard = Vec::new();
    let mut rest = history.clone();
    let mut sizes = sizes.iter().copied().cycle().chain(std::iter::once(usize::MAX));
    let mut next_page = || {
        let size = sizes.next().unwrap_or(usize::MAX).min(rest.len());
        let events: Vec<HistoryEvent> = rest.drain(..size).collect();
        let next_page_token = if rest.is_empty() { Bytes::new() } else { "more".into() };
        HistoryPage { events, next_page_token }
    };
    let mut run = Run::new();
    run.handle_task(WorkflowTask {
        task_token: "replay".into(),
        workflow_id: started(history).workflow_id.clone(),
        run_id: run_id.clone(),
        workflow_type: "program".into(),
        attempt: 1,
        previous_started_event_id: 0,
        history: next_page(),
        received_at: crate::worker::now(),
        kind: TaskKind::Replay,
    });
    for _ in 0..OUTPUTS_AT_MOST {
        match run.poll_output().expect("a replay goes on until it is answered") {
            Output::Activate(activation) => {
                watch(&run);
                if matches!(activation.jobs.first(), Some(Job::Initialize(_))) {
                    code = Some(Interpreter::new(Rc::new(program.of_type(workflow_type(history))), ANOTHER_SEED));
                }
                let commands = code.as_mut().expect("the first job is Initialize").activate(&activation);
                heard.push(Heard { activation, commands: commands.clone() });
                run.handle_commands(commands);
            }
            Output::FetchHistory { .. } => run.handle_history(next_page()),
            Output::FinishReplay => return Ok(heard),
            Output::FailTask(failure) => return Err(failure),
            other => panic!("a replay does not ask for {other:?}"),
        }
    }
    panic!("the replay does not end");
}

/// What these jobs say is only there on replay, and user code must make of it what it made live.
pub fn is_note(job: &Job) -> bool {
    matches!(
        job,
        Job::NotifyPatch { .. }
            | Job::NotifyVersion { .. }
            | Job::NotifySideEffect { .. }
            | Job::NotifyMutableSideEffect { .. }
    )
}

fn workflow_type(history: &[HistoryEvent]) -> &str {
    started(history).workflow_type.as_ref().map_or("", |workflow_type| &workflow_type.name)
}

fn started(history: &[HistoryEvent]) -> &WorkflowExecutionStartedEventAttributes {
    match history.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started,
        other => panic!("not the start of a history: {other:?}"),
    }
}

/// A value that was not recorded must not be the same by chance.
const ANOTHER_SEED: u64 = 0xdead_beef;
const OUTPUTS_AT_MOST: usize = 100_000;
