//! The modelled Nexus Worker: what it does with operations, and what the server makes of that.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use timewright_model_server::{NexusWorker, Server, ServerError, ServerOptions, history_lines};
use timewright_proto::command::command::Attributes as Attribute;
use timewright_proto::command::{
    Command, RequestCancelNexusOperationCommandAttributes, ScheduleNexusOperationCommandAttributes,
};
use timewright_proto::common::WorkflowType;
use timewright_proto::enums::CommandType;
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::prost_types;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::nexus::v1 as nexus;
use timewright_proto::temporal::api::operatorservice::v1::CreateNexusEndpointRequest;
use timewright_proto::workflow_service::{
    PollWorkflowTaskQueueRequest, RespondWorkflowTaskCompletedRequest, StartWorkflowExecutionRequest,
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
        let request = RespondWorkflowTaskCompletedRequest {
            task_token: token.clone(),
            commands: vec![command],
            ..Default::default()
        };
        let error = server.handle_workflow_task_completed(request).unwrap_err();
        assert_eq!(error, ServerError::Unsupported { what: what.into() });
    }
    assert_eq!(server.history("w", None).unwrap().len(), 3, "nothing has changed");
}

/// A workflow with five operations, of which it cancels two; all that happens within a hundred seconds.
fn history(seed: u64) -> Vec<HistoryEvent> {
    let mut server = Server::new(ServerOptions { seed, ..ServerOptions::default() });
    let target = nexus::endpoint_target::Worker { namespace: "default".into(), task_queue: "nexus".into() };
    create(&mut server, nexus::endpoint_target::Variant::Worker(target)).unwrap();
    let mut worker = NexusWorker::new(seed, "nexus");
    let mut token = start(&mut server);
    let mut commands: Vec<Command> = (0..5).map(|number| schedule(&format!("o{number}"), 20 * number)).collect();
    commands.push(cancel(5));
    loop {
        let request = RespondWorkflowTaskCompletedRequest {
            task_token: token.clone(),
            commands: std::mem::take(&mut commands),
            ..Default::default()
        };
        server.handle_workflow_task_completed(request).unwrap();
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

fn create(server: &mut Server, target: nexus::endpoint_target::Variant) -> Result<(), ServerError> {
    let spec = nexus::EndpointSpec {
        name: "endpoint".into(),
        target: Some(nexus::EndpointTarget { variant: Some(target) }),
        ..Default::default()
    };
    server.create_nexus_endpoint(CreateNexusEndpointRequest { spec: Some(spec) }).map(drop)
}

/// Starts the workflow and its first task.
fn start(server: &mut Server) -> timewright_proto::Bytes {
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
        attributes: Some(Attribute::ScheduleNexusOperationCommandAttributes(attributes)),
        ..Default::default()
    }
}

fn cancel(scheduled_event_id: i64) -> Command {
    let attributes = RequestCancelNexusOperationCommandAttributes { scheduled_event_id };
    Command {
        command_type: CommandType::RequestCancelNexusOperation.into(),
        attributes: Some(Attribute::RequestCancelNexusOperationCommandAttributes(attributes)),
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
