//! The modelled Nexus Worker: what it does with operations, and what the server makes of that and of stale callbacks.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use timewright_model_server::{NexusWorker, Server, ServerError, ServerOptions, history_lines};
use timewright_proto::Bytes;
use timewright_proto::command::command::Attributes as Attribute;
use timewright_proto::command::{
    Command, RequestCancelNexusOperationCommandAttributes, ScheduleNexusOperationCommandAttributes,
};
use timewright_proto::common::{Callback, WorkflowExecution, WorkflowType, callback};
use timewright_proto::enums::CommandType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::prost_types;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::nexus::v1 as nexus;
use timewright_proto::temporal::api::operatorservice::v1::CreateNexusEndpointRequest;
use timewright_proto::workflow_service::{
    PollNexusTaskQueueRequest, PollWorkflowTaskQueueRequest, ResetWorkflowExecutionRequest,
    RespondWorkflowTaskCompletedRequest, StartWorkflowExecutionRequest,
};

#[test]
fn every_operation_starts_once_and_ends_once() {
    let mut kinds = BTreeSet::new();
    for seed in 0..300 {
        let history = history(seed);
        let mut seen: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for event in &history {
            if let Some((operation, kind)) = kind_of(event) {
                seen.entry(operation).or_default().push(kind);
                kinds.insert(kind);
            }
        }
        assert_eq!(seen.len(), 5, "seed {seed}");
        for (operation, seen) in seen {
            let outline: Vec<&str> = seen.iter().copied().filter(|kind| !kind.starts_with("cancel ")).collect();
            let text = format!("seed {seed}, operation {operation}: {seen:?}\n{:#?}", history_lines(&history));
            match outline[..] {
                ["scheduled", "started" | "end"] | ["scheduled", "started", "end"] => (),
                _ => panic!("{text}"),
            }
            let cancels: Vec<&str> = seen.iter().copied().filter(|kind| kind.starts_with("cancel ")).collect();
            assert!(cancels.len() < 3 && cancels.first().is_none_or(|kind| *kind == "cancel requested"), "{text}");
        }
    }
    let expected = ["cancel completed", "cancel failed", "cancel requested", "end", "scheduled", "started"];
    assert_eq!(kinds, BTreeSet::from(expected));
}

#[test]
fn the_seed_decides_what_becomes_of_operations() {
    assert_eq!(history_lines(&history(1)), history_lines(&history(1)));
    assert_ne!(history_lines(&history(1))[1..], history_lines(&history(2))[1..]);
}

#[test]
fn what_is_beyond_the_model_is_said() {
    let mut server = Server::new(ServerOptions::default());
    let elsewhere = nexus::endpoint_target::External { url: "https://example.org".into() };
    let error = create(&mut server, nexus::endpoint_target::Variant::External(elsewhere)).unwrap_err();
    assert_eq!(error, ServerError::Unsupported { what: "Nexus endpoints outside of the namespace".into() });

    let token = start(&mut server);
    for (endpoint, service, what) in [
        ("__temporal_system", "S", "the Nexus endpoint __temporal_system"),
        ("endpoint", "", "Nexus services and operations without a name"),
    ] {
        let mut command = schedule("o", 5);
        if let Some(Attribute::ScheduleNexusOperationCommandAttributes(attributes)) = &mut command.attributes {
            attributes.endpoint = endpoint.into();
            attributes.service = service.into();
        }
        let error = complete(&mut server, token.clone(), vec![command]).unwrap_err();
        assert_eq!(error, ServerError::Unsupported { what: what.into() });
    }
    assert_eq!(server.history("w", None).unwrap().len(), 3, "nothing has changed");
}

/// As a real server, which has an internal error for it and tries the callback again and again.
#[test]
fn a_callback_finds_no_other_operation_of_the_same_event() {
    let mut server = with_endpoint(0);
    let token = start(&mut server);
    complete(&mut server, token, ["a", "b", "c", "o"].map(|name| schedule(name, 20)).into()).unwrap();
    let of_first_run = callback_header(&mut server, "o");
    let workflow_execution = Some(WorkflowExecution { workflow_id: "w".into(), run_id: String::new() });
    let reset =
        ResetWorkflowExecutionRequest { workflow_execution, workflow_task_finish_event_id: 4, ..Default::default() };
    server.reset(reset).unwrap();
    let token = server.poll_workflow_task(&poll()).unwrap().task_token;
    complete(&mut server, token, vec![schedule("p", 20)]).unwrap();
    let of_second_run = callback_header(&mut server, "p");

    let stale = server.handle_nexus_callback(&of_first_run, "", Ok(None));
    assert!(matches!(stale, Err(ServerError::NotFound(_))), "{stale:?}");
    server.handle_nexus_callback(&of_second_run, "", Ok(None)).unwrap();
    let lines = history_lines(server.history("w", None).unwrap());
    assert_eq!(lines[8..10], ["9 NexusOperationStarted scheduled=8", "10 NexusOperationCompleted scheduled=8"]);
}

#[test]
fn a_workflow_that_stands_for_an_operation_calls_back_when_its_last_run_ends() {
    let mut server = with_endpoint(0);
    let token = start(&mut server);
    complete(&mut server, token, ["a", "b"].map(|name| schedule(name, 20)).into()).unwrap();
    for operation in ["a", "b"] {
        let mut header = callback_header(&mut server, operation);
        header.insert("nexus-operation-token".into(), operation.into());
        let callback = callback::Nexus { url: String::new(), header };
        server
            .start_workflow(StartWorkflowExecutionRequest {
                workflow_id: operation.into(),
                workflow_type: Some(WorkflowType { name: "W".into() }),
                task_queue: Some(TaskQueue { name: operation.into(), ..Default::default() }),
                completion_callbacks: vec![Callback {
                    variant: Some(callback::Variant::Nexus(callback)),
                    links: vec![],
                }],
                ..Default::default()
            })
            .unwrap();
    }
    let end = |server: &mut Server, queue: &str, kind: CommandType, attributes| {
        let task_queue = Some(TaskQueue { name: queue.into(), ..Default::default() });
        let task =
            server.poll_workflow_task(&PollWorkflowTaskQueueRequest { task_queue, ..Default::default() }).unwrap();
        let command = Command { command_type: kind.into(), attributes: Some(attributes), ..Default::default() };
        complete(server, task.task_token, vec![command]).unwrap();
        server.handle_timeout(server.now() + Duration::from_secs(2));
    };
    let outcome_of = |server: &Server| {
        let lines = history_lines(server.history("w", None).unwrap());
        lines
            .into_iter()
            .filter(|line| line.contains("NexusOperation") && !line.contains("Scheduled "))
            .collect::<Vec<_>>()
    };

    end(
        &mut server,
        "a",
        CommandType::ContinueAsNewWorkflowExecution,
        Attribute::ContinueAsNewWorkflowExecutionCommandAttributes(Default::default()),
    );
    assert_eq!(outcome_of(&server), Vec::<String>::new(), "another run follows");
    end(
        &mut server,
        "a",
        CommandType::CompleteWorkflowExecution,
        Attribute::CompleteWorkflowExecutionCommandAttributes(Default::default()),
    );
    end(
        &mut server,
        "b",
        CommandType::CancelWorkflowExecution,
        Attribute::CancelWorkflowExecutionCommandAttributes(Default::default()),
    );
    assert_eq!(
        outcome_of(&server),
        [
            "7 NexusOperationStarted scheduled=5 id=a token=a",
            "8 NexusOperationCompleted scheduled=5",
            "10 NexusOperationStarted scheduled=6 id=b token=b",
            "11 NexusOperationCanceled scheduled=6 failure=(nexus-operation scheduled=6 endpoint/S/b id=b token=b: \
             nexus operation completed unsuccessfully cause=(canceled: operation canceled))",
        ]
    );
}

/// A workflow with five operations, of which it cancels two; all that happens within a hundred seconds.
fn history(seed: u64) -> Vec<HistoryEvent> {
    let mut server = with_endpoint(seed);
    let mut worker = NexusWorker::new(seed, "nexus");
    let mut token = start(&mut server);
    let mut commands: Vec<Command> = (0..5).map(|number| schedule(&format!("o{number}"), 20 * number)).collect();
    commands.push(cancel(5));
    loop {
        complete(&mut server, token, std::mem::take(&mut commands)).unwrap();
        let task = loop {
            worker.handle_timeout(&mut server);
            if let Some(task) = server.poll_workflow_task(&poll()) {
                break task;
            }
            let next = [server.poll_timeout(), worker.poll_timeout()].into_iter().flatten().min();
            match next {
                Some(next) if next < Duration::from_secs(100) => server.handle_timeout(next),
                _ => return server.history("w", None).unwrap().to_vec(),
            }
        };
        let history = server.history("w", None).unwrap();
        let kinds: Vec<_> = history.iter().filter_map(kind_of).filter(|(operation, _)| *operation == 6).collect();
        if kinds.iter().map(|(_, kind)| *kind).eq(["scheduled", "started"]) {
            commands.push(cancel(6));
        }
        token = task.task_token;
    }
}

fn with_endpoint(seed: u64) -> Server {
    let mut server = Server::new(ServerOptions { seed, ..ServerOptions::default() });
    let target = nexus::endpoint_target::Worker { namespace: "default".into(), task_queue: "nexus".into() };
    create(&mut server, nexus::endpoint_target::Variant::Worker(target)).unwrap();
    server
}

fn complete(server: &mut Server, task_token: Bytes, commands: Vec<Command>) -> Result<(), ServerError> {
    let request = RespondWorkflowTaskCompletedRequest { task_token, commands, ..Default::default() };
    server.handle_workflow_task_completed(request).map(drop)
}

/// What the handler of this operation calls back with. Tasks of others are lost.
fn callback_header(server: &mut Server, operation: &str) -> BTreeMap<String, String> {
    let task_queue = Some(TaskQueue { name: "nexus".into(), ..Default::default() });
    let poll = PollNexusTaskQueueRequest { task_queue, ..Default::default() };
    loop {
        let request = server.poll_nexus_task(&poll).expect("a task of the operation").request;
        match request.and_then(|request| request.variant) {
            Some(nexus::request::Variant::StartOperation(start)) if start.operation == operation => {
                return start.callback_header;
            }
            _ => (),
        }
    }
}

fn create(server: &mut Server, target: nexus::endpoint_target::Variant) -> Result<(), ServerError> {
    let spec = nexus::EndpointSpec {
        name: "endpoint".into(),
        target: Some(nexus::EndpointTarget { variant: Some(target) }),
        ..Default::default()
    };
    server.create_nexus_endpoint(CreateNexusEndpointRequest { spec: Some(spec) }).map(drop)
}

/// Starts the workflow and its first task.
fn start(server: &mut Server) -> Bytes {
    let request = StartWorkflowExecutionRequest {
        workflow_id: "w".into(),
        workflow_type: Some(WorkflowType { name: "W".into() }),
        task_queue: poll().task_queue,
        ..Default::default()
    };
    server.start_workflow(request).unwrap();
    server.poll_workflow_task(&poll()).unwrap().task_token
}

fn poll() -> PollWorkflowTaskQueueRequest {
    let task_queue = Some(TaskQueue { name: "queue".into(), ..Default::default() });
    PollWorkflowTaskQueueRequest { task_queue, ..Default::default() }
}

fn schedule(operation: &str, schedule_to_close: i64) -> Command {
    let attributes = ScheduleNexusOperationCommandAttributes {
        endpoint: "endpoint".into(),
        service: "S".into(),
        operation: operation.into(),
        schedule_to_close_timeout: Some(prost_types::Duration { seconds: schedule_to_close, nanos: 0 }),
        ..Default::default()
    };
    Command {
        command_type: CommandType::ScheduleNexusOperation.into(),
        attributes: Some(Attribute::ScheduleNexusOperationCommandAttributes(attributes.into())),
        ..Default::default()
    }
}

fn cancel(scheduled_event_id: i64) -> Command {
    let attributes = RequestCancelNexusOperationCommandAttributes { scheduled_event_id };
    Command {
        command_type: CommandType::RequestCancelNexusOperation.into(),
        attributes: Some(Attribute::RequestCancelNexusOperationCommandAttributes(attributes.into())),
        ..Default::default()
    }
}

/// Of which operation an Event is, by the Event that scheduled it, and what it says.
fn kind_of(event: &HistoryEvent) -> Option<(i64, &'static str)> {
    Some(match event.attributes.as_ref()? {
        Attributes::NexusOperationScheduledEventAttributes(_) => (event.event_id, "scheduled"),
        Attributes::NexusOperationStartedEventAttributes(a) => (a.scheduled_event_id, "started"),
        Attributes::NexusOperationCompletedEventAttributes(a) => (a.scheduled_event_id, "end"),
        Attributes::NexusOperationFailedEventAttributes(a) => (a.scheduled_event_id, "end"),
        Attributes::NexusOperationTimedOutEventAttributes(a) => (a.scheduled_event_id, "end"),
        Attributes::NexusOperationCanceledEventAttributes(a) => (a.scheduled_event_id, "end"),
        Attributes::NexusOperationCancelRequestedEventAttributes(a) => (a.scheduled_event_id, "cancel requested"),
        Attributes::NexusOperationCancelRequestCompletedEventAttributes(a) => {
            (a.scheduled_event_id, "cancel completed")
        }
        Attributes::NexusOperationCancelRequestFailedEventAttributes(a) => (a.scheduled_event_id, "cancel failed"),
        _ => return None,
    })
}
