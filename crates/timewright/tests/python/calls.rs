//! Who calls whom.

use greeting_definitions::{Greeting, GreetingInput, activity_task_queue};
use serde_json::{Value, json};
use timewright::client::{QueryWorkflowError, StartWorkflowOptions, WorkflowExecutionStatus, WorkflowResultError};
use timewright::converter::{Multiple, Payload};

use super::definitions::{IsBegun, OurRelay, PythonNote, PythonNoted, PythonValues, RelayInput};
use super::{json, ours};
use crate::programs::workers;
use crate::support::background::run_workflows;
use crate::support::python::{self, PythonWorker};
use crate::support::{client, poll_until, unique, within};

#[tokio::test]
async fn a_python_client_starts_our_workflow_and_reads_its_result() {
    let (client, task_queue) = (client().await, unique("greeting"));
    let _workers = ours::start(&client, &task_queue);

    let ada = json!([{ "name": "Ada", "language": "fr" }]);
    let answer = python::execute(&task_queue, "greeting", &unique("greeting"), ada).await;
    assert_eq!(answer, json!({ "result": "Bonjour, Ada !" }));
}

#[tokio::test]
async fn our_workflow_calls_an_activity_in_a_python_worker() {
    let (client, task_queue) = (client().await, unique("greeting"));
    // Python executes the greeting's activity, ours its workflow.
    let _python = PythonWorker::start(&[&activity_task_queue(&task_queue)]).await;
    let workflows = workers::workflows::<false>(&client, &task_queue).build().expect("a worker");
    let _workers = run_workflows(workflows);

    let ada = GreetingInput { name: "Ada".to_owned(), language: "de".to_owned() };
    let options = StartWorkflowOptions::new(&task_queue, unique("greeting"));
    let handle = client.start_workflow(Greeting, ada, options).await.expect("it starts");
    assert_eq!(within("the greeting", handle.result()).await.expect("it completes"), "Guten Tag, Ada!");
}

#[tokio::test]
async fn a_python_workflow_calls_our_activity() {
    let (client, task_queue) = (client().await, unique("python"));
    let ours = unique("ours");
    let _python = PythonWorker::start(&[&task_queue]).await;
    let _workers = ours::start(&client, &ours);

    let call = RelayInput::new("compose_greeting", json!([{ "name": "Ada", "language": "en" }]), &ours);
    let answer = python::execute(&task_queue, "PythonRelay", &unique("relay"), json!([call])).await;
    assert_eq!(answer, json!({ "result": "Hello, Ada!" }));
}

#[tokio::test]
async fn our_client_starts_signals_and_queries_a_python_workflow() {
    let (client, task_queue) = (client().await, unique("python"));
    let _python = PythonWorker::start(&[&task_queue]).await;
    let start = async |input| {
        let options = StartWorkflowOptions::new(&task_queue, unique("values"));
        client.start_workflow(PythonValues, input, options).await.expect("it starts")
    };

    let handle = start(Multiple((json!({ "nested": [1, null] }), Some("second".to_owned())))).await;
    handle.signal(PythonNote, Multiple(("a note".to_owned(), Some(json!([1.5]))))).await.expect("it is sent");
    assert_eq!(within("an answer", handle.query(PythonNoted, 0)).await.expect("it answers"), Some(json!([1.5])));
    let description = handle.describe().await.expect("it is described");
    assert_eq!((description.workflow_type(), description.task_queue()), ("PythonValues", task_queue.as_str()));

    handle.signal(PythonNote, Multiple(("finish".to_owned(), None))).await.expect("it is sent");
    let result = within("the result", handle.result()).await.expect("it completes");
    assert_eq!(json::value(&result.0), json!([{ "nested": [1, null] }, "second", null]));

    // A query that Python refuses, in Python's words.
    let error = within("an answer", handle.untyped().query("unheard", Vec::new())).await.expect_err("there is none");
    let QueryWorkflowError::Failed { failure, .. } = &error else { panic!("{error}") };
    assert!(failure.message.contains("'unheard'") && failure.message.contains("noted"), "{error}");

    let handle = start(Multiple((Value::Null, None))).await;
    handle.cancel("enough").await.expect("it is asked");
    let error = within("the end", handle.result()).await.expect_err("it was cancelled");
    assert!(matches!(error, WorkflowResultError::Cancelled { .. }), "{error}");
    assert_eq!(handle.describe().await.expect("it is described").status(), WorkflowExecutionStatus::Canceled);

    let handle = start(Multiple((Value::Null, None))).await;
    handle.terminate("enough").await.expect("it is terminated");
    let error = within("the end", handle.result()).await.expect_err("it was terminated");
    assert!(matches!(&error, WorkflowResultError::Terminated { reason, .. } if reason == "enough"), "{error}");
}

#[tokio::test]
async fn a_python_client_signals_queries_and_cancels_our_workflow() {
    let (client, task_queue) = (client().await, unique("values"));
    let _workers = ours::start(&client, &task_queue);
    let workflow_id = unique("values");
    python::start(&task_queue, "our_values", &workflow_id, json!([[1, 2]])).await;

    python::signal(&workflow_id, "note", json!(["a note", { "deep": [{}] }])).await;
    assert_eq!(python::query(&workflow_id, "noted", json!([0])).await, json!({ "result": { "deep": [{}] } }));
    assert_eq!(
        python::query(&workflow_id, "noted", json!([7])).await,
        json!({ "query_failed": "there is no note 7" }),
        "what a handler fails with arrives"
    );
    let unheard = python::query(&workflow_id, "unheard", json!([])).await;
    let expected =
        format!(r#"workflow "our_values" (id "{workflow_id}") has no handler for query "unheard"; it has ["noted"]"#);
    assert_eq!(unheard, json!({ "query_failed": expected }));

    python::cancel(&workflow_id).await;
    let cancelled = json!({ "kind": "cancelled", "message": "Workflow cancelled", "details": [] });
    assert_eq!(python::result(&workflow_id).await, json!({ "failure": [cancelled] }));
}

/// A cancellation reaches the activity of the other side, and the workflow ends when that has ended.
#[tokio::test]
async fn a_cancellation_goes_through_to_the_other_sides_activity() {
    let (client, python_queue, our_queue) = (client().await, unique("python"), unique("ours"));
    let _python = PythonWorker::start(&[&python_queue]).await;
    let _workers = ours::start(&client, &our_queue);

    // Python's client, our workflow, Python's activity.
    let workflow_id = unique("relay");
    let call = RelayInput::new("work_until_cancelled", json!(["work"]), &python_queue);
    python::start(&our_queue, "our_relay", &workflow_id, json!([call])).await;
    let handle = client.workflow_handle(OurRelay, workflow_id.as_str(), None);
    let is_begun = async || handle.query(IsBegun, ()).await.ok().filter(|begun| *begun);
    poll_until("the activity", is_begun).await;
    python::cancel(&workflow_id).await;
    let cancelled = json!({ "kind": "cancelled", "message": "Workflow cancelled", "details": [] });
    assert_eq!(python::result(&workflow_id).await, json!({ "failure": [cancelled] }));

    // Our client, Python's workflow, our activity.
    let call = RelayInput::new("our_work", json!(["work"]), &format!("{our_queue}-ours"));
    let call: Vec<Payload> = vec![client.data_converter().to_payload(&call).expect("it can be written")];
    let options = StartWorkflowOptions::new(&python_queue, unique("relay"));
    let handle = client.start_workflow_untyped("PythonRelay", call, options).await.expect("it starts");
    let is_begun = async || {
        let answer = handle.query("is_begun", Vec::new()).await.ok()?;
        answer.iter().any(|begun| json::value(begun) == json!(true)).then_some(())
    };
    poll_until("the activity", is_begun).await;
    handle.cancel("enough").await.expect("it is asked");
    let error = within("the end", handle.result()).await.expect_err("it was cancelled");
    assert!(matches!(error, WorkflowResultError::Cancelled { .. }), "{error}");
}
