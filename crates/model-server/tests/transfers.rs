//! What no real server can be asked of runs that hear of each other: how long that takes, and in which order.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use timewright_model_server::{Server, ServerError, ServerOptions, history_lines};
use timewright_proto::command::command::Attributes;
use timewright_proto::command::{
    Command, CompleteWorkflowExecutionCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
};
use timewright_proto::common::{WorkflowExecution, WorkflowType};
use timewright_proto::enums::{CommandType, EventType, ParentClosePolicy};
use timewright_proto::history::history_event::Attributes as EventAttributes;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::workflow::v1::PostResetOperation;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse, ResetWorkflowExecutionRequest,
    RespondWorkflowTaskCompletedRequest, SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
};

#[test]
fn the_seed_decides_in_which_order_a_parent_hears_of_its_children() {
    let order = |seed| {
        let longest_transfer = Duration::from_secs(1);
        let mut server = Server::new(ServerOptions { seed, longest_transfer, ..ServerOptions::default() });
        start(&mut server, "w");
        let task = poll(&mut server, "w").unwrap();
        complete(&mut server, &task, (0..8).map(|number| child(&number.to_string())).collect()).unwrap();
        server.handle_timeout(longest_transfer);
        started_children(&server)
    };
    let (first, second) = (order(1), order(2));
    assert_eq!(first, order(1));
    assert_ne!(first, second);
    let sorted = |mut order: Vec<String>| {
        order.sort();
        order
    };
    assert_eq!(sorted(first), sorted(second));
}

#[test]
fn what_takes_no_time_happens_when_time_is_asked_and_in_order() {
    let mut server = Server::new(ServerOptions::default());
    start(&mut server, "w");
    let task = poll(&mut server, "w").unwrap();
    complete(&mut server, &task, vec![child("b"), child("a"), child("c")]).unwrap();
    assert_eq!(server.poll_timeout(), Some(Duration::ZERO));
    assert!(poll(&mut server, "b").is_none());

    server.handle_timeout(Duration::ZERO);
    assert_eq!(started_children(&server), ["b", "a", "c"]);
    assert_eq!(server.poll_timeout(), None);
    assert!(poll(&mut server, "b").is_some());
}

#[test]
fn what_a_run_wanted_of_others_is_not_done_once_it_has_closed() {
    let mut server = Server::new(ServerOptions::default());
    start(&mut server, "w");
    start(&mut server, "x");
    let task = poll(&mut server, "w").unwrap();
    complete(&mut server, &task, vec![child("c"), signal_external("x")]).unwrap();
    let workflow_execution = execution("w");
    server.terminate(TerminateWorkflowExecutionRequest { workflow_execution, ..Default::default() }).unwrap();
    server.handle_timeout(Duration::ZERO);
    assert_eq!(server.history("c", None), None);
    assert_eq!(types(&server, "x"), [EventType::WorkflowExecutionStarted, EventType::WorkflowTaskScheduled]);
}

#[test]
fn a_signal_that_cannot_be_taken_now_is_sent_again() {
    let mut server = Server::new(ServerOptions::default());
    start(&mut server, "w");
    start(&mut server, "x");
    let refused = poll(&mut server, "x").unwrap();
    let workflow_execution = execution("x");
    server.signal(SignalWorkflowExecutionRequest { workflow_execution, ..Default::default() }).unwrap();
    complete(&mut server, &refused, vec![done()]).unwrap_err();
    let closing = poll(&mut server, "x").unwrap();

    let task = poll(&mut server, "w").unwrap();
    complete(&mut server, &task, vec![signal_external("x")]).unwrap();
    server.handle_timeout(Duration::ZERO);
    assert_eq!(types(&server, "w").last(), Some(&EventType::SignalExternalWorkflowExecutionInitiated));

    complete(&mut server, &closing, vec![]).unwrap();
    server.handle_timeout(Duration::from_secs(2));
    assert!(types(&server, "w").contains(&EventType::ExternalWorkflowExecutionSignaled));
    let lines = history_lines(server.history("x", None).unwrap());
    assert!(lines[8].starts_with("9 WorkflowExecutionSignaled name=hello from=w/"), "{lines:#?}");
}

#[test]
fn a_reset_beyond_the_model_is_an_error_and_changes_nothing() {
    let mut server = Server::new(ServerOptions::default());
    start(&mut server, "w");
    poll(&mut server, "w").unwrap();
    let error = server.reset(ResetWorkflowExecutionRequest {
        workflow_execution: execution("w"),
        workflow_task_finish_event_id: 3,
        post_reset_operations: vec![PostResetOperation::default()],
        ..ResetWorkflowExecutionRequest::default()
    });
    assert_eq!(error, Err(ServerError::Unsupported { what: "operations after a reset".into() }));
    assert_eq!(types(&server, "w").len(), 3);
}

/// Workflow and queue have the same name.
fn start(server: &mut Server, id: &str) {
    let request = StartWorkflowExecutionRequest {
        workflow_id: id.into(),
        workflow_type: Some(WorkflowType { name: "W".into() }),
        task_queue: queue(id),
        ..StartWorkflowExecutionRequest::default()
    };
    server.start_workflow(request).unwrap();
}

fn poll(server: &mut Server, id: &str) -> Option<PollWorkflowTaskQueueResponse> {
    let task_queue = queue(id);
    server.poll_workflow_task(&PollWorkflowTaskQueueRequest { task_queue, ..PollWorkflowTaskQueueRequest::default() })
}

fn complete(
    server: &mut Server,
    task: &PollWorkflowTaskQueueResponse,
    commands: Vec<Command>,
) -> Result<(), ServerError> {
    let task_token = task.task_token.clone();
    let request = RespondWorkflowTaskCompletedRequest { task_token, commands, ..Default::default() };
    server.handle_workflow_task_completed(request).map(drop)
}

/// A child that goes on without its parent.
fn child(id: &str) -> Command {
    let attributes = StartChildWorkflowExecutionCommandAttributes {
        workflow_id: id.into(),
        workflow_type: Some(WorkflowType { name: "C".into() }),
        task_queue: queue(id),
        parent_close_policy: ParentClosePolicy::Abandon.into(),
        ..StartChildWorkflowExecutionCommandAttributes::default()
    };
    command(
        CommandType::StartChildWorkflowExecution,
        Attributes::StartChildWorkflowExecutionCommandAttributes(attributes.into()),
    )
}

fn signal_external(id: &str) -> Command {
    let attributes = SignalExternalWorkflowExecutionCommandAttributes {
        execution: execution(id),
        signal_name: "hello".into(),
        ..SignalExternalWorkflowExecutionCommandAttributes::default()
    };
    command(
        CommandType::SignalExternalWorkflowExecution,
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(attributes.into()),
    )
}

fn done() -> Command {
    let attributes = CompleteWorkflowExecutionCommandAttributes::default();
    command(
        CommandType::CompleteWorkflowExecution,
        Attributes::CompleteWorkflowExecutionCommandAttributes(attributes.into()),
    )
}

fn command(command_type: CommandType, attributes: Attributes) -> Command {
    Command { command_type: command_type.into(), attributes: Some(attributes), ..Command::default() }
}

fn execution(id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution { workflow_id: id.into(), run_id: String::new() })
}

fn queue(name: &str) -> Option<TaskQueue> {
    Some(TaskQueue { name: name.into(), ..TaskQueue::default() })
}

fn types(server: &Server, id: &str) -> Vec<EventType> {
    server.history(id, None).unwrap().iter().map(|event| event.event_type()).collect()
}

/// The ids of the children of `w`, in the order of their starts.
fn started_children(server: &Server) -> Vec<String> {
    let starts = server.history("w", None).unwrap().iter().filter_map(|event| match &event.attributes {
        Some(EventAttributes::ChildWorkflowExecutionStartedEventAttributes(start)) => start.workflow_execution.clone(),
        _ => None,
    });
    starts.map(|child| child.workflow_id).collect()
}
