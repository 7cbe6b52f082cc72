//! What no server sends and no code does on purpose, and what must not panic all the same. The fuzz harness, given random scripts,
//! found some of it.

use std::time::Duration;

use timewright_proto::common::{Payload, Payloads};
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::prost_types;
use timewright_protocol::workflow::{
    Activation, Command, HistoryPage, Job, Output, Run, ScheduleLocalActivity, TaskKind, WorkflowTask,
};

use crate::notation::{events, now};

#[test]
fn a_workflow_task_timeout_beyond_all_time_and_one_before_it() {
    let ages = Duration::from_secs(1 << 40);
    for (seconds, due) in [(i64::MAX, ages), (i64::MIN, Duration::from_secs(8)), (5, Duration::from_secs(4))] {
        let mut events = events("WES WFT*");
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &mut events[0].attributes else {
            panic!("a history begins with its start");
        };
        started.workflow_task_timeout = Some(prost_types::Duration { seconds, nanos: 0 });
        let mut run = Run::new();
        let task = task(events);
        let received_at = task.received_at;
        run.handle_task(task);
        assert_eq!(jobs(&mut run), ["Initialize"]);
        run.handle_commands(vec![local_activity(1)]);
        assert!(matches!(run.poll_output(), Some(Output::StartLocalActivity(_))));
        // Where a clock does not go so far, the time never comes.
        let waits = run.poll_timeout().map_or(ages, |due| due.duration_since(received_at));
        assert_eq!(waits.min(ages), due, "{seconds} s");
    }
}

#[test]
fn a_local_activity_that_ended_in_the_last_activation_of_all() {
    let mut run = Run::new();
    run.handle_task(task(with_marker(r#""activation_index":18446744073709551615"#)));
    assert_eq!(jobs(&mut run), ["Initialize"]);
    run.handle_commands(vec![local_activity(1)]);
    assert_eq!(jobs(&mut run), ["ResolveLocalActivity"]);
    run.handle_commands(Vec::new());
    assert_eq!(run.poll_output(), Some(Output::FinishReplay));
}

/// The other way round it was given up with the end.
#[test]
fn a_local_activity_that_is_scheduled_behind_the_end() {
    for marker in [None, Some(r#""activation_index":0"#)] {
        let mut run = Run::new();
        run.handle_task(task(marker.map_or_else(|| events("WES WFT*"), with_marker)));
        assert_eq!(jobs(&mut run), ["Initialize"]);
        run.handle_commands(vec![Command::CompleteWorkflow { result: None }, local_activity(1)]);
        let next = run.poll_output();
        let is_answer = matches!(&next, Some(Output::CompleteTask(completion)) if !completion.force_new_task);
        // The history has the outcome of something that this code never waited for.
        let is_disagreement = matches!(&next, Some(Output::FailTask(failure)) if failure.nondeterminism.is_some());
        assert!(if marker.is_none() { is_answer } else { is_disagreement }, "{next:?}");
    }
}

/// A history of which the first task noted the outcome of Local Activity 1.
fn with_marker(more: &str) -> Vec<HistoryEvent> {
    let mut events = events("WES WFT MRK(core_local_activity)");
    let data = format!(r#"{{"seq":1,"attempt":1,"activity_id":"1","activity_type":"charge",{more}}}"#);
    let data = Payload { data: data.into(), ..Payload::default() };
    let marker = events.last_mut().and_then(|event| event.attributes.as_mut());
    let Some(Attributes::MarkerRecordedEventAttributes(marker)) = marker else {
        panic!("this history ends with its marker");
    };
    marker.details.insert("data".to_owned(), Payloads { payloads: vec![data] });
    events
}

fn task(events: Vec<HistoryEvent>) -> WorkflowTask {
    let is_open = events.len() == 3;
    WorkflowTask {
        task_token: "task 1".into(),
        workflow_id: "order-7".to_owned(),
        run_id: "A".to_owned(),
        workflow_type: "order".to_owned(),
        attempt: 1,
        previous_started_event_id: 0,
        history: HistoryPage { events, ..HistoryPage::default() },
        received_at: now(),
        kind: if is_open {
            TaskKind::Progress { started_event_id: 3, updates: Vec::new(), queries: Vec::new() }
        } else {
            TaskKind::Replay
        },
    }
}

fn local_activity(sequence: u32) -> Command {
    Command::ScheduleLocalActivity(Box::new(ScheduleLocalActivity {
        sequence,
        activity_type: "charge".to_owned(),
        start_to_close_timeout: Some(Duration::from_secs(1)),
        ..ScheduleLocalActivity::default()
    }))
}

/// The jobs that user code is told next.
fn jobs(run: &mut Run) -> Vec<&'static str> {
    match run.poll_output() {
        Some(Output::Activate(Activation { jobs, .. })) => {
            let name = |job: &Job| match job {
                Job::Initialize(_) => "Initialize",
                Job::ResolveLocalActivity { .. } => "ResolveLocalActivity",
                _ => "something else",
            };
            jobs.iter().map(name).collect()
        }
        other => panic!("{other:?}"),
    }
}
