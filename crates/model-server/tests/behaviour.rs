//! What no real server can be asked: seeds, virtual time, pages, and the model's limits.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use timewright_model_server::{ActivityWorker, Pages, Server, ServerError, ServerOptions, history_lines};
use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    Command, CompleteWorkflowExecutionCommandAttributes, ScheduleActivityTaskCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes, StartTimerCommandAttributes,
};
use timewright_proto::common::{ActivityType, WorkflowExecution, WorkflowType};
use timewright_proto::enums::{CommandType, TaskQueueKind};
use timewright_proto::prost_types;
use timewright_proto::task_queue::{StickyExecutionAttributes, TaskQueue};
use timewright_proto::workflow_service::{
    GetWorkflowExecutionHistoryRequest, PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest, SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
};

#[test]
fn the_seed_decides_everything() {
    let histories = |seed| {
        let mut server = started(ServerOptions { seed, ..ServerOptions::default() });
        let mut worker = ActivityWorker::new(seed, "queue");
        let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
        let activities: Vec<Command> = (0..8).map(|number| activity(&number.to_string())).collect();
        complete(&mut server, &task, activities).unwrap();
        worker.handle_timeout(&mut server);
        while let Some(next) = [server.poll_timeout(), worker.poll_timeout()].into_iter().flatten().min() {
            if next > Duration::from_secs(1_000) {
                break;
            }
            server.handle_timeout(next);
            worker.handle_timeout(&mut server);
        }
        history_lines(server.history("w", None).unwrap())
    };
    assert_eq!(histories(1), histories(1));
    // The first Event names the run, whose id comes from the seed too.
    assert_ne!(histories(1)[1..], histories(2)[1..]);
}

#[test]
fn a_command_beyond_the_model_is_an_error_and_changes_nothing() {
    let mut server = started(ServerOptions::default());
    let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
    let child = Command {
        command_type: CommandType::StartChildWorkflowExecution.into(),
        attributes: Some(Attributes::StartChildWorkflowExecutionCommandAttributes(
            StartChildWorkflowExecutionCommandAttributes {
                cron_schedule: "* * * * *".into(),
                ..StartChildWorkflowExecutionCommandAttributes::default()
            }
            .into(),
        )),
        ..Command::default()
    };
    let error = complete(&mut server, &task, vec![timer("1"), child]).unwrap_err();
    assert_eq!(error, ServerError::Unsupported { what: "cron schedules".into() });
    assert_eq!(server.history("w", None).unwrap().len(), 3);

    complete(&mut server, &task, vec![done()]).unwrap();
    assert!(!server.is_running("w"));
}

#[test]
fn time_stands_still_until_it_is_told() {
    let mut server = started(ServerOptions::default());
    let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
    complete(&mut server, &task, vec![timer("1")]).unwrap();
    assert_eq!(server.poll_timeout(), Some(Duration::from_secs(1)));

    server.handle_timeout(Duration::from_millis(999));
    assert_eq!(poll(&mut server, TaskQueueKind::Normal), None);
    server.handle_timeout(Duration::from_secs(5));
    assert_eq!(server.now(), Duration::from_secs(5));
    let fired = &server.history("w", None).unwrap()[5];
    assert_eq!(fired.event_time.unwrap().seconds, 1_704_067_201, "it fired at its own time");
    assert_eq!(server.poll_timeout(), None, "a task on a normal queue waits as long as it must");
}

#[test]
fn a_task_for_a_worker_that_has_gone_is_on_the_normal_queue() {
    let mut server = started(ServerOptions::default());
    assert_eq!(poll(&mut server, TaskQueueKind::Sticky), None);
    let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
    complete(&mut server, &task, vec![]).unwrap();
    server.handle_sticky_worker_gone("sticky");
    signal(&mut server);
    assert_eq!(poll(&mut server, TaskQueueKind::Sticky), None);
    let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
    assert_eq!(ids(&task), [1, 2, 3, 4, 5, 6, 7], "with its whole history");
}

#[test]
fn the_pages_of_a_task_end_with_the_task() {
    let mut server = started(ServerOptions { pages: Pages::Every(2), ..ServerOptions::default() });
    signal(&mut server);
    let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
    assert_eq!(ids(&task), [1, 2]);
    complete(&mut server, &task, vec![timer("1")]).unwrap();

    let execution = Some(WorkflowExecution { workflow_id: "w".into(), run_id: String::new() });
    let mut read = |token| {
        let request = GetWorkflowExecutionHistoryRequest {
            execution: execution.clone(),
            next_page_token: token,
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        let page = server.history_page(&request).unwrap();
        let ids: Vec<i64> = page.history.unwrap().events.iter().map(|event| event.event_id).collect();
        (ids, page.next_page_token)
    };
    let (ids, end) = read(task.next_page_token.clone());
    assert_eq!(ids, [3, 4]);
    assert!(end.is_empty());
    assert_eq!(read(task.next_page_token.clone()).0, [3, 4], "a page can be fetched again");

    let (ids, second) = read(Default::default());
    assert_eq!(ids, [1, 2]);
    let (_, third) = read(second);
    let (ids, end) = read(third);
    assert_eq!(ids, [5, 6], "from the start, a history goes on to the present");
    assert!(end.is_empty());
}

#[test]
fn a_long_history_brings_the_suggestion_to_continue_as_new() {
    let mut server = started(ServerOptions { suggest_continue_as_new_events: 5, ..ServerOptions::default() });
    let task = poll(&mut server, TaskQueueKind::Normal).unwrap();
    complete(&mut server, &task, vec![timer("1")]).unwrap();
    signal(&mut server);
    poll(&mut server, TaskQueueKind::Normal).unwrap();
    let lines = history_lines(server.history("w", None).unwrap());
    assert_eq!(lines[2], "3 WorkflowTaskStarted scheduled=2");
    assert_eq!(lines[7], "8 WorkflowTaskStarted scheduled=7 suggest-continue-as-new=true");
}

fn started(options: ServerOptions) -> Server {
    let mut server = Server::new(options);
    let request = StartWorkflowExecutionRequest {
        workflow_id: "w".into(),
        workflow_type: Some(WorkflowType { name: "W".into() }),
        task_queue: Some(queue(TaskQueueKind::Normal)),
        ..StartWorkflowExecutionRequest::default()
    };
    server.start_workflow(request).unwrap();
    server
}

fn signal(server: &mut Server) {
    let workflow_execution = Some(WorkflowExecution { workflow_id: "w".into(), run_id: String::new() });
    let request = SignalWorkflowExecutionRequest { workflow_execution, ..SignalWorkflowExecutionRequest::default() };
    server.signal(request).unwrap();
}

fn poll(server: &mut Server, kind: TaskQueueKind) -> Option<PollWorkflowTaskQueueResponse> {
    let task_queue = Some(queue(kind));
    server.poll_workflow_task(&PollWorkflowTaskQueueRequest { task_queue, ..PollWorkflowTaskQueueRequest::default() })
}

fn complete(
    server: &mut Server,
    task: &PollWorkflowTaskQueueResponse,
    commands: Vec<Command>,
) -> Result<(), ServerError> {
    let request = RespondWorkflowTaskCompletedRequest {
        task_token: task.task_token.clone(),
        commands,
        sticky_attributes: Some(StickyExecutionAttributes {
            worker_task_queue: Some(queue(TaskQueueKind::Sticky)),
            schedule_to_start_timeout: None,
        }),
        ..RespondWorkflowTaskCompletedRequest::default()
    };
    server.handle_workflow_task_completed(request).map(drop)
}

fn timer(id: &str) -> Command {
    Command {
        command_type: CommandType::StartTimer.into(),
        attributes: Some(Attributes::StartTimerCommandAttributes(
            StartTimerCommandAttributes {
                timer_id: id.into(),
                start_to_fire_timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            }
            .into(),
        )),
        ..Command::default()
    }
}

fn activity(id: &str) -> Command {
    Command {
        command_type: CommandType::ScheduleActivityTask.into(),
        attributes: Some(Attributes::ScheduleActivityTaskCommandAttributes(
            ScheduleActivityTaskCommandAttributes {
                activity_id: id.into(),
                activity_type: Some(ActivityType { name: "A".into() }),
                task_queue: Some(queue(TaskQueueKind::Normal)),
                start_to_close_timeout: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
                ..ScheduleActivityTaskCommandAttributes::default()
            }
            .into(),
        )),
        ..Command::default()
    }
}

fn done() -> Command {
    Command {
        command_type: CommandType::CompleteWorkflowExecution.into(),
        attributes: Some(Attributes::CompleteWorkflowExecutionCommandAttributes(
            CompleteWorkflowExecutionCommandAttributes::default().into(),
        )),
        ..Command::default()
    }
}

fn queue(kind: TaskQueueKind) -> TaskQueue {
    let name = if kind == TaskQueueKind::Sticky { "sticky" } else { "queue" };
    TaskQueue { name: name.into(), kind: kind.into(), normal_name: String::new() }
}

fn ids(task: &PollWorkflowTaskQueueResponse) -> Vec<i64> {
    task.history.iter().flat_map(|history| &history.events).map(|event| event.event_id).collect()
}
