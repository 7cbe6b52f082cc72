//! Responses to polls.

use std::time::{Duration, Instant};

use timewright_proto::Message;
use timewright_proto::workflow_service::{PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse};
use timewright_protocol::activity::{
    ActivityOutcome, ActivityTask, Attempt, AttemptOptions, AttemptOutput, HeartbeatAnswer,
};
use timewright_protocol::workflow::{Command, HistoryPage, Job, Output, Run, TaskKind, WorkflowTask};

use crate::input::split;
use crate::script::Script;

/// A response is a task in which nothing is missing, or none, or an error with a text. What is a task can be executed.
pub fn polls(input: &[u8]) {
    let (script, message) = split(input);
    if let Ok(response) = PollWorkflowTaskQueueResponse::decode(message) {
        let is_empty = response.task_token.is_empty();
        match WorkflowTask::from_poll(response, Instant::now()) {
            Ok(None) => assert!(is_empty, "a task was overlooked"),
            Ok(Some(task)) => {
                assert!(!is_empty && !task.run_id.is_empty() && task.attempt > 0, "{task:?}");
                execute(task);
            }
            Err(error) => assert!(!is_empty && error.to_string().contains(error.missing), "{error}"),
        }
    }
    if let Ok(response) = PollActivityTaskQueueResponse::decode(message) {
        match ActivityTask::new(response, "namespace", "task queue") {
            Ok(task) => {
                assert!(!task.task_token.is_empty() && task.info.attempt > 0, "{task:?}");
                attempt(&task, &mut Script::new(script));
            }
            Err(error) => assert!(error.to_string().contains("cannot be executed"), "{error}"),
        }
    }
}

/// Executes a task with user code that does nothing but take Updates: in the end there is one answer.
fn execute(task: WorkflowTask) {
    let events = task.history.events.len();
    let queries = if let TaskKind::Progress { queries, .. } = &task.kind { queries.len() } else { 1 };
    let most = 8 + 2 * events + queries;
    let mut run = Run::new();
    run.handle_task(task);
    let (mut outputs, mut answers) = (0, 0);
    while let Some(output) = run.poll_output() {
        outputs += 1;
        assert!(outputs <= most, "{outputs} outputs for {events} Events");
        match output {
            Output::Activate(activation) => run.handle_commands(activation.jobs.iter().flat_map(take_update).collect()),
            Output::FetchHistory { .. } => run.handle_history(HistoryPage::default()),
            Output::Evict { .. } => (),
            _ => answers += 1,
        }
    }
    assert_eq!(answers, 1, "a task is answered once");
}

fn take_update(job: &Job) -> Vec<Command> {
    let Job::Update(update) = job else { return Vec::new() };
    let protocol_instance_id = update.protocol_instance_id.clone();
    vec![
        Command::AcceptUpdate { protocol_instance_id: protocol_instance_id.clone() },
        Command::CompleteUpdate { protocol_instance_id, outcome: Ok(None) },
    ]
}

/// Executes an attempt, whatever happens meanwhile: user code is told to stop at most once, and there is one completion.
fn attempt(task: &ActivityTask, script: &mut Script<'_>) {
    let mut now = Instant::now();
    let mut attempt = Attempt::new(&task.info, AttemptOptions::default(), now);
    let (mut cancelled, mut completed) = (0, 0);
    for step in 0.. {
        let mut sending = false;
        while let Some(output) = attempt.poll_output() {
            match output {
                AttemptOutput::Cancel(_) => cancelled += 1,
                AttemptOutput::Complete(_) => completed += 1,
                AttemptOutput::SendHeartbeat(_) => {
                    assert!(!std::mem::replace(&mut sending, true), "two heartbeats at once");
                }
            }
        }
        if completed > 0 {
            break;
        }
        assert!(step < 1 << 17, "the attempt does not end");
        let over = script.len() == 0;
        match script.below(9) {
            0 if over => attempt.handle_outcome(ActivityOutcome::Cancelled(Vec::new())),
            0 => attempt.handle_outcome(ActivityOutcome::Completed(Default::default())),
            1 => attempt.handle_heartbeat(Vec::new(), now),
            2 => attempt.handle_heartbeat_answer(HeartbeatAnswer::Lost, now),
            3 => attempt.handle_heartbeat_answer(HeartbeatAnswer::NotFound, now),
            4 => {
                let choice = script.byte();
                let answer = HeartbeatAnswer::Confirmed {
                    cancel_requested: choice & 1 > 0,
                    paused: choice & 2 > 0,
                    reset: choice & 4 > 0,
                };
                attempt.handle_heartbeat_answer(answer, now);
            }
            5 => attempt.handle_worker_shutdown(now),
            6 => attempt.handle_cancel_requested(now),
            7 => now = now.checked_add(Duration::from_secs(script.number().into())).unwrap_or(now),
            _ => {
                // The time that it waits for has come, and it does not wait for the same again.
                let Some(timeout) = attempt.poll_timeout() else { continue };
                now = now.max(timeout);
                attempt.handle_timeout(now);
            }
        }
    }
    assert_eq!((completed, cancelled.min(1)), (1, cancelled), "completions and cancellations");
    assert_eq!(attempt.poll_timeout(), None, "what has ended waits for nothing");
}
