//! Replays of recorded histories, and what a history says that user code must have heard and asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use timewright_proto::Bytes;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_protocol::workflow::{
    ActivityCancellationType, Command, HistoryPage, Job, Output, Run, TaskFailure, TaskKind, WorkflowTask,
};

use crate::interpreter::Interpreter;
use crate::program::Program;
use crate::worker::Heard;

/// Goes through the history of a run from its start. `sizes` are the sizes of its pages, over and over; none is one page.
pub fn replay(
    program: &Program,
    (run_id, history): &(String, Vec<HistoryEvent>),
    sizes: &[usize],
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
        workflow_id: "w".into(),
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
                if matches!(activation.jobs.first(), Some(Job::Initialize(_))) {
                    code = Some(Interpreter::new(Rc::new(program.clone())));
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

/// What a history says that user code must have heard, one entry a completed Workflow Task: its `WorkflowTaskStarted`, and
/// the news up to there.
pub fn news(history: &[HistoryEvent]) -> Vec<(i64, Vec<String>)> {
    let completed: BTreeSet<i64> = history
        .iter()
        .filter_map(|event| match event.attributes.as_ref()? {
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => Some(completed.started_event_id),
            _ => None,
        })
        .collect();
    let mut tasks = Vec::new();
    let (mut signals, mut others) = (Vec::new(), Vec::new());
    for event in history {
        match event.attributes.as_ref().expect("the model writes attributes") {
            Attributes::WorkflowExecutionStartedEventAttributes(_) => signals.push("initialize".to_owned()),
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
                signals.push(format!("signal {}", signal.signal_name));
            }
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(_) => others.push("cancel".to_owned()),
            Attributes::TimerFiredEventAttributes(fired) => others.push(format!("timer {}", fired.timer_id)),
            Attributes::WorkflowTaskStartedEventAttributes(_) if completed.contains(&event.event_id) => {
                signals.append(&mut others);
                tasks.push((event.event_id, std::mem::take(&mut signals)));
            }
            attributes => {
                others.extend(
                    end_of_activity(attributes)
                        .map(|scheduled| format!("activity {}", activity_id(history, scheduled))),
                );
            }
        }
    }
    tasks
}

/// What user code heard, in the words of [`news`]: what came from the history, without tasks that brought nothing.
/// `told` collects activities that were resolved because user code cancelled them, so that their ends are no news.
pub fn heard_news(heard: &[Heard], told: &mut BTreeMap<String, i64>) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    for Heard { activation, .. } in heard {
        let started = i64::try_from(activation.history_length).expect("histories are short");
        let jobs: Vec<String> = activation
            .jobs
            .iter()
            .map(|job| match job {
                Job::Initialize(_) => "initialize".to_owned(),
                Job::Signal { name, .. } => format!("signal {name}"),
                Job::RequestCancellation { .. } => "cancel".to_owned(),
                Job::FireTimer { sequence } => format!("timer {sequence}"),
                Job::ResolveActivity { sequence, .. } => format!("activity {sequence}"),
                other => panic!("not a job of these programs: {other:?}"),
            })
            .collect();
        if tasks.last().is_some_and(|(last, _)| *last == started) {
            // The second Activation of a task: only what user code brought about itself.
            told.extend(jobs.into_iter().map(|job| (job, started)));
        } else {
            tasks.push((started, jobs));
        }
    }
    tasks
}

/// The Commands that the history records, one entry a completion: the task's `WorkflowTaskStarted`, and the Commands.
pub fn recorded_commands(history: &[HistoryEvent]) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    for event in history {
        let text = match event.attributes.as_ref().expect("the model writes attributes") {
            Attributes::WorkflowTaskCompletedEventAttributes(completed) => {
                tasks.push((completed.started_event_id, Vec::new()));
                continue;
            }
            Attributes::TimerStartedEventAttributes(timer) => format!("start timer {}", timer.timer_id),
            Attributes::TimerCanceledEventAttributes(timer) => format!("cancel timer {}", timer.timer_id),
            Attributes::ActivityTaskScheduledEventAttributes(activity) => {
                let kind = activity.activity_type.clone().unwrap_or_default().name;
                format!("schedule activity {} {kind}", activity.activity_id)
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
                format!("cancel activity {}", activity_id(history, request.scheduled_event_id))
            }
            Attributes::WorkflowExecutionCompletedEventAttributes(_) => "complete".to_owned(),
            Attributes::WorkflowExecutionFailedEventAttributes(_) => "fail".to_owned(),
            Attributes::WorkflowExecutionCanceledEventAttributes(_) => "cancel".to_owned(),
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => "continue as new".to_owned(),
            _ => continue,
        };
        tasks.last_mut().expect("Commands follow a completion").1.push(text);
    }
    tasks
}

/// The Commands that user code's wishes come to, in the words of [`recorded_commands`], without tasks that have none:
/// what is started and cancelled at once is never asked for, what has an outcome is not cancelled, nor what was cancelled
/// before; what ends the workflow comes last.
pub fn issued_commands(heard: &[Heard]) -> Vec<(i64, Vec<String>)> {
    let mut tasks: Vec<(i64, Vec<String>)> = Vec::new();
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    for Heard { activation, commands } in heard {
        for job in &activation.jobs {
            match job {
                Job::FireTimer { sequence } => drop(open.remove(&format!("timer {sequence}"))),
                Job::ResolveActivity { sequence, .. } => drop(open.remove(&format!("activity {sequence}"))),
                _ => (),
            }
        }
        let started = i64::try_from(activation.history_length).expect("histories are short");
        if tasks.last().is_none_or(|(last, _)| *last != started) {
            tasks.push((started, Vec::new()));
        }
        let issued = &mut tasks.last_mut().expect("just pushed").1;
        let mut end = issued.pop_if(|last| ["complete", "fail", "cancel", "continue as new"].contains(&last.as_str()));
        for command in commands {
            match command {
                Command::StartTimer(timer) => {
                    open.insert(format!("timer {}", timer.sequence), true);
                    issued.push(format!("start timer {}", timer.sequence));
                }
                Command::ScheduleActivity(activity) => {
                    let name = format!("activity {}", activity.sequence);
                    open.insert(name.clone(), activity.cancellation_type != ActivityCancellationType::Abandon);
                    issued.push(format!("schedule {name} {}", activity.activity_type));
                }
                Command::CancelTimer { sequence } => cancel(&format!("timer {sequence}"), "start", &mut open, issued),
                Command::RequestCancelActivity { sequence } => {
                    cancel(&format!("activity {sequence}"), "schedule", &mut open, issued);
                }
                Command::CompleteWorkflow { .. } => end = Some("complete".to_owned()),
                Command::FailWorkflow { .. } => end = Some("fail".to_owned()),
                Command::CancelWorkflow { .. } => end = Some("cancel".to_owned()),
                Command::ContinueAsNew(_) => end = Some("continue as new".to_owned()),
                other => panic!("not a Command of these programs: {other:?}"),
            }
        }
        issued.extend(end);
    }
    tasks.retain(|(_, commands)| !commands.is_empty());
    tasks
}

fn cancel(name: &str, start: &str, open: &mut BTreeMap<String, bool>, issued: &mut Vec<String>) {
    let Some(tells_server) = open.remove(name) else { return };
    let started = format!("{start} {name}");
    let of_this_task = issued.iter().position(|text| *text == started || text.starts_with(&format!("{started} ")));
    match of_this_task {
        Some(index) => drop(issued.remove(index)),
        None if tells_server => issued.push(format!("cancel {name}")),
        None => (),
    }
}

fn end_of_activity(attributes: &Attributes) -> Option<i64> {
    match attributes {
        Attributes::ActivityTaskCompletedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskFailedEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskTimedOutEventAttributes(end) => Some(end.scheduled_event_id),
        Attributes::ActivityTaskCanceledEventAttributes(end) => Some(end.scheduled_event_id),
        _ => None,
    }
}

fn activity_id(history: &[HistoryEvent], scheduled_event_id: i64) -> &str {
    let index = usize::try_from(scheduled_event_id - 1).expect("ids count from 1");
    match &history[index].attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(activity)) => &activity.activity_id,
        other => panic!("not an activity: {other:?}"),
    }
}

const OUTPUTS_AT_MOST: usize = 10_000;
