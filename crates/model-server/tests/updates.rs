//! Updates, where no real server can be asked: what it forgets, what the model cannot do, and long conversations by chance.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod update_worker;

use timewright_model_server::{Server, ServerError, ServerOptions, UpdateCallId, history_lines};
use timewright_proto::command::command::Attributes as CommandAttributes;
use timewright_proto::command::{Command, ContinueAsNewWorkflowExecutionCommandAttributes};
use timewright_proto::common::{Callback, Payload, Payloads, WorkflowExecution, WorkflowType};
use timewright_proto::enums::{CommandType, ResetReapplyExcludeType, UpdateWorkflowExecutionLifecycleStage as Stage};
use timewright_proto::history::history_event::Attributes;
use timewright_proto::task_queue::TaskQueue;
use timewright_proto::temporal::api::update::v1::{Input, Meta, Request, outcome};
use timewright_proto::workflow_service::{
    ResetWorkflowExecutionRequest, SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest, UpdateWorkflowExecutionResponse,
};
use update_worker::{Answer, Worker, request_of};

#[test]
fn the_worker_gets_the_request_and_the_client_the_outcome() {
    let mut server = started(ServerOptions::default());
    let mut worker = Worker::default();
    let mut asked = update_request("u");
    asked.request.as_mut().unwrap().input.as_mut().unwrap().args = Some(payloads("argument"));
    let call = server.update(asked.clone()).unwrap();
    assert!(server.update_answer(call).is_none());

    let task = worker.poll(&mut server).unwrap();
    assert_eq!(Some(request_of(&task.messages[0])), asked.request);
    worker.complete(&mut server, &task, &[Answer::Accept, Answer::Respond], vec![]).unwrap();

    let answer = answer(&server, call);
    assert_eq!(answer.stage(), Stage::Completed);
    assert_eq!(answer.outcome.unwrap().value, Some(outcome::Value::Success(payloads("u"))));
    let update_ref = answer.update_ref.unwrap();
    assert_eq!(update_ref.update_id, "u");
    assert_eq!(update_ref.workflow_execution.unwrap().workflow_id, "w");
}

#[test]
fn an_update_without_an_id_gets_one() {
    let mut server = started(ServerOptions::default());
    let mut worker = Worker::default();
    let call = server.update(update_request("")).unwrap();
    let other = server.update(update_request("")).unwrap();
    let task = worker.poll(&mut server).unwrap();
    worker.complete(&mut server, &task, &[Answer::Accept, Answer::Respond], vec![]).unwrap();
    let id = |call| answer(&server, call).update_ref.unwrap().update_id;
    assert!(!id(call).is_empty());
    assert_ne!(id(call), id(other));
}

#[test]
fn what_is_beyond_the_model_is_said() {
    let mut server = started(ServerOptions::default());
    let of_first_run = UpdateWorkflowExecutionRequest { first_execution_run_id: "r".into(), ..update_request("u") };
    assert!(matches!(server.update(of_first_run), Err(ServerError::Unsupported { .. })));
    let mut with_callback = update_request("u");
    with_callback.request.as_mut().unwrap().completion_callbacks.push(Callback::default());
    assert!(matches!(server.update(with_callback), Err(ServerError::Unsupported { .. })));
}

#[test]
fn two_updates_of_one_id_cannot_be_taken_over() {
    let mut server = started(ServerOptions::default());
    for _ in 0..2 {
        let mut worker = Worker::default();
        server.update(update_request("u")).unwrap();
        let task = worker.poll(&mut server).unwrap();
        worker.complete(&mut server, &task, &[Answer::Accept, Answer::Respond], vec![]).unwrap();
        signal(&mut server);
        let task = worker.poll(&mut server).unwrap();
        worker.complete(&mut server, &task, &[], vec![continue_as_new()]).unwrap();
    }
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
        server.history("w", None).unwrap()[0].attributes.clone()
    else {
        panic!("a history begins with a start")
    };
    let first_run = started.first_execution_run_id;
    let reset = |exclude: &[ResetReapplyExcludeType]| ResetWorkflowExecutionRequest {
        workflow_execution: Some(WorkflowExecution { workflow_id: "w".into(), run_id: first_run.clone() }),
        workflow_task_finish_event_id: 4,
        reset_reapply_exclude_types: exclude.iter().map(|kind| (*kind).into()).collect(),
        ..ResetWorkflowExecutionRequest::default()
    };
    let what = "a reset where two runs had an Update of the same id".into();
    assert_eq!(server.reset(reset(&[])), Err(ServerError::Unsupported { what }));
    assert!(server.is_running("w"));
    server.reset(reset(&[ResetReapplyExcludeType::Update])).unwrap();
}

#[test]
fn a_speculative_task_is_forgotten_and_made_again() {
    let mut server = started(ServerOptions::default());
    let mut worker = Worker::default();
    let first = worker.poll(&mut server).unwrap();
    worker.complete(&mut server, &first, &[], vec![]).unwrap();
    let call = server.update(update_request("u")).unwrap();
    let forgotten = worker.poll(&mut server).unwrap();
    server.handle_memory_lost("w");

    let again = worker.poll(&mut server).unwrap();
    assert_eq!(again.started_event_id, forgotten.started_event_id);
    assert_eq!(again.messages, forgotten.messages);
    let late = worker.complete(&mut server, &forgotten, &[Answer::Accept], vec![]);
    assert_eq!(late.unwrap_err(), ServerError::NotFound("Workflow task not found.".into()));
    let answered = worker.complete(&mut server, &again, &[Answer::Reject], vec![]).unwrap();
    assert_eq!(answered.reset_history_event_id, 3);
    assert_eq!(answer(&server, call).stage(), Stage::Completed);
}

#[test]
fn a_recorded_task_outlives_what_is_forgotten_and_may_still_answer() {
    let mut server = started(ServerOptions::default());
    let mut worker = Worker::default();
    let call = server.update(update_request("u")).unwrap();
    let task = worker.poll(&mut server).unwrap();
    server.handle_memory_lost("w");
    worker.complete(&mut server, &task, &[Answer::Accept, Answer::Respond], vec![]).unwrap();
    assert_eq!(answer(&server, call).stage(), Stage::Completed);
    assert_eq!(worker.poll(&mut server), None, "it does not come again");
}

#[test]
fn who_waits_for_the_outcome_of_a_forgotten_update_hears_that_it_is_accepted() {
    let mut server = started(ServerOptions::default());
    let mut worker = Worker::default();
    let call = server.update(update_request("u")).unwrap();
    let task = worker.poll(&mut server).unwrap();
    worker.complete(&mut server, &task, &[Answer::Accept], vec![]).unwrap();
    assert!(server.update_answer(call).is_none());
    server.handle_memory_lost("w");
    assert_eq!(answer(&server, call).stage(), Stage::Accepted);
    let again = server.update(update_request("u")).unwrap();
    assert!(server.update_answer(again).is_none(), "it waits again");
}

/// Whatever happens, the worker can follow the history with what it is sent, and every client gets an answer.
#[test]
fn conversations_by_chance_end_well() {
    let (mut vanished, mut not_found, mut speculative) = (0, 0, 0);
    for seed in 0..120 {
        let mut server = started(ServerOptions { seed, ..ServerOptions::default() });
        let mut worker = Worker::new(seed);
        let mut calls = Vec::new();
        for step in 0..60 {
            match worker.below(9) {
                0 | 1 => calls.extend(server.update(update_request(&format!("u{}", worker.below(12))))),
                2 => signal(&mut server),
                3 => server.handle_memory_lost("w"),
                4 => {
                    let later = server.now() + std::time::Duration::from_millis(500 * worker.below(8));
                    server.handle_timeout(later);
                }
                _ => worker.work(&mut server, step % 5 == 0),
            }
        }
        for _ in 0..20 {
            // What is accepted needs another task to be completed.
            signal(&mut server);
            let end = server.poll_timeout().unwrap_or(server.now());
            server.handle_timeout(end);
            worker.work_well(&mut server);
        }
        let open: Vec<&UpdateCallId> = calls.iter().filter(|call| server.update_answer(**call).is_none()).collect();
        assert!(
            open.is_empty(),
            "seed {seed}: {open:?}\n{}",
            history_lines(server.history("w", None).unwrap()).join("\n")
        );
        vanished += worker.vanished;
        not_found += worker.not_found;
        speculative += worker.speculative;
    }
    assert!(vanished > 50 && not_found > 5 && speculative > vanished, "{vanished} {not_found} {speculative}");
}

fn started(options: ServerOptions) -> Server {
    let mut server = Server::new(options);
    let request = StartWorkflowExecutionRequest {
        workflow_id: "w".into(),
        workflow_type: Some(WorkflowType { name: "W".into() }),
        task_queue: Some(TaskQueue { name: "normal".into(), ..TaskQueue::default() }),
        ..StartWorkflowExecutionRequest::default()
    };
    server.start_workflow(request).unwrap();
    server
}

fn continue_as_new() -> Command {
    let attributes = ContinueAsNewWorkflowExecutionCommandAttributes::default();
    Command {
        command_type: CommandType::ContinueAsNewWorkflowExecution.into(),
        attributes: Some(CommandAttributes::ContinueAsNewWorkflowExecutionCommandAttributes(attributes.into())),
        ..Command::default()
    }
}

fn signal(server: &mut Server) {
    let workflow_execution = Some(WorkflowExecution { workflow_id: "w".into(), run_id: String::new() });
    let request = SignalWorkflowExecutionRequest { workflow_execution, ..SignalWorkflowExecutionRequest::default() };
    server.signal(request).unwrap();
}

fn update_request(id: &str) -> UpdateWorkflowExecutionRequest {
    UpdateWorkflowExecutionRequest {
        workflow_execution: Some(WorkflowExecution { workflow_id: "w".into(), run_id: String::new() }),
        request: Some(Request {
            meta: Some(Meta { update_id: id.into(), identity: "client".into() }),
            input: Some(Input { name: "n".into(), ..Input::default() }),
            ..Request::default()
        }),
        ..UpdateWorkflowExecutionRequest::default()
    }
}

fn answer(server: &Server, call: UpdateCallId) -> UpdateWorkflowExecutionResponse {
    server.update_answer(call).expect("an answer").clone().unwrap()
}

fn payloads(text: &str) -> Payloads {
    Payloads { payloads: vec![Payload { data: text.to_owned().into(), ..Payload::default() }] }
}
