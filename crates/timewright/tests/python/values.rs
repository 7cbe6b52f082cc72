//! Values cross both ways: null, bytes, nested JSON, several arguments, arguments that are left out.

use serde_json::{Value, json};
use timewright::client::StartWorkflowOptions;
use timewright::converter::{Multiple, RawArguments, Value as _};
use timewright::definition::WorkflowDefinition as _;

use super::definitions::{
    OurBytes, OurCalls, OurNothing, OurValues, PythonNote, PythonNoted, PythonShortNote, PythonValues, RelayInput,
};
use super::{json, ours};
use crate::support::python::{self, PythonWorker};
use crate::support::{client, unique, within};

/// Something of everything that JSON can say.
fn nested() -> Value {
    json!({
        "list": [1, -2.5, true, null, [], {}],
        "deep": { "deeper": { "deepest": ["", "ünïcödé 🦋", "line\nbreak \"quoted\" \\ \u{0}"] } },
        "large": 9_007_199_254_740_993_i64,
        "none": null,
    })
}

#[tokio::test]
async fn as_input_and_output_of_our_workflow() {
    let (client, task_queue) = (client().await, unique("ours"));
    let _workers = ours::start(&client, &task_queue);

    // Left out, null, and given.
    let calls = [
        (json!([nested()]), json!([nested(), null, null])),
        (json!([null, null, 3]), json!([null, null, 3])),
        (json!(["first", "second", 3]), json!(["first", "second", 3])),
    ];
    let check = async |arguments: Value, expected: Value| {
        let workflow_id = unique("values");
        python::start(&task_queue, OurValues::NAME, &workflow_id, arguments).await;
        python::signal(&workflow_id, "note", json!(["finish"])).await;
        assert_eq!(python::result(&workflow_id).await, json!({ "result": expected }));
    };
    let [one, two, three] = calls.map(|(arguments, expected)| check(arguments, expected));
    tokio::join!(one, two, three);

    // Signals and queries, with an argument left out and with all.
    let workflow_id = unique("values");
    python::start(&task_queue, OurValues::NAME, &workflow_id, json!([1])).await;
    python::signal(&workflow_id, "note", json!(["a note"])).await;
    python::signal(&workflow_id, "note", json!(["another", nested()])).await;
    let (left_out, given, otherwise) = tokio::join!(
        python::query(&workflow_id, "noted", json!([0])),
        python::query(&workflow_id, "noted", json!([1])),
        python::query(&workflow_id, "noted", json!([9, "otherwise"])),
    );
    assert_eq!(left_out, json!({ "result": null }));
    assert_eq!(given, json!({ "result": nested() }));
    assert_eq!(otherwise, json!({ "result": "otherwise" }));

    let execute = async |workflow_type: &str, arguments: Value| {
        python::execute(&task_queue, workflow_type, &unique("values"), arguments).await
    };
    let (bytes, no_bytes, nothing, ignored) = tokio::join!(
        execute(OurBytes::NAME, json!([{ "$bytes": "00ff10" }])),
        execute(OurBytes::NAME, json!([{ "$bytes": "" }])),
        execute(OurNothing::NAME, json!([])),
        execute(OurNothing::NAME, json!(["more", "than", "it takes"])),
    );
    assert_eq!(bytes, json!({ "result": { "$bytes": "10ff00" } }));
    assert_eq!(no_bytes, json!({ "result": { "$bytes": "" } }));
    assert_eq!(nothing, json!({ "result": null }));
    assert_eq!(ignored, json!({ "result": null }));
}

#[tokio::test]
async fn as_input_and_output_of_a_python_workflow() {
    let (client, task_queue) = (client().await, unique("python"));
    let _python = PythonWorker::start(&[&task_queue]).await;
    // What `finish` asks for, and what comes back.
    let bytes = || b"\x00\xff".to_vec();
    let calls = [
        (RawArguments(vec![nested().to_payload().expect("JSON")]), json!(null), json!([nested(), null, null])),
        (RawArguments(vec![nested().to_payload().expect("JSON")]), json!(0), nested()),
        (RawArguments(vec![bytes().to_payload().expect("bytes")]), json!(0), json!({ "$bytes": "00ff" })),
        (RawArguments(vec![Vec::<u8>::new().to_payload().expect("bytes")]), json!(0), json!({ "$bytes": "" })),
        (RawArguments(vec![().to_payload().expect("null"), 2.to_payload().expect("JSON")]), json!(0), json!(null)),
        (RawArguments(vec![().to_payload().expect("null"), 2.to_payload().expect("JSON")]), json!(1), json!(2)),
    ];
    for (RawArguments(arguments), index, expected) in calls {
        let options = StartWorkflowOptions::new(&task_queue, unique("values"));
        let handle = client.start_workflow_untyped("PythonValues", arguments, options).await.expect("it starts");
        let typed = client.workflow_handle(PythonValues, handle.workflow_id(), None);
        // An argument is left out.
        typed.signal(PythonShortNote, "a note".to_owned()).await.expect("it is sent");
        typed.signal(PythonNote, Multiple(("finish".to_owned(), Some(index)))).await.expect("it is sent");
        let result = within("the result", handle.result()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(result.iter().map(json::value).collect::<Vec<_>>(), [expected]);
        let noted = within("an answer", typed.query(PythonNoted, 0)).await.expect("it answers");
        assert_eq!(noted, None, "a note without a value is null");
    }
}

#[tokio::test]
async fn as_input_and_output_of_activities() {
    let (client, our_queue, python_queue) = (client().await, unique("ours"), unique("python"));
    let _python = PythonWorker::start(&[&python_queue]).await;
    let _workers = ours::start(&client, &our_queue);

    // Our workflow, by definitions, to Python.
    let options = StartWorkflowOptions::new(&our_queue, unique("calls"));
    let handle = client.start_workflow(OurCalls, python_queue.clone(), options).await.expect("it starts");
    let results = within("the calls", handle.result()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(json!(results), json!([["one", "two", null], ["one", null, null], 6, 0, true, true]));

    // By name, each from both sides' workflows to both sides' activities.
    let our_activities = format!("{our_queue}-ours");
    let order =
        json!({ "id": 1, "customer": {}, "items": [{ "name": "a", "price": 2 }, { "name": "b", "price": 1.5 }] });
    let bytes = json!({ "$bytes": "00ff10" });
    let calls = [
        ("echo", &python_queue, json!([nested()]), nested()),
        ("echo", &python_queue, json!([null]), json!(null)),
        ("echo", &python_queue, json!([bytes]), bytes.clone()),
        ("three", &python_queue, json!(["one"]), json!(["one", null, null])),
        ("three", &python_queue, json!(["one", null, 3]), json!(["one", null, 3])),
        ("nothing", &python_queue, json!([]), json!(null)),
        ("our_echo", &our_activities, json!([nested()]), nested()),
        ("our_echo", &our_activities, json!([null]), json!(null)),
        ("our_echo", &our_activities, json!([bytes]), bytes.clone()),
        ("our_three", &our_activities, json!(["one"]), json!(["one", null, null])),
        ("our_three", &our_activities, json!(["one", null, 3]), json!(["one", null, 3])),
        ("our_optional_bytes", &our_activities, json!([bytes]), json!({ "$bytes": "10ff00" })),
        ("our_optional_bytes", &our_activities, json!([null]), json!(null)),
        ("our_optional_bytes", &our_activities, json!([]), json!(null)),
        ("our_no_operation", &our_activities, json!([]), json!(null)),
        ("our_no_operation", &our_activities, json!(["too", "many"]), json!(null)),
        ("our_cheapest", &our_activities, json!([order]), json!({ "name": "b", "price": 1.5 })),
        ("our_cheapest", &our_activities, json!([{ "id": 2, "customer": {} }]), json!(null)),
    ];
    for (workflow_type, task_queue) in [("our_relay", &our_queue), ("PythonRelay", &python_queue)] {
        let mut handles = Vec::new();
        for (activity, activity_queue, arguments, _) in &calls {
            let call = RelayInput::new(activity, arguments.clone(), activity_queue);
            let call = vec![client.data_converter().to_payload(&call).expect("it can be written")];
            let options = StartWorkflowOptions::new(task_queue, unique("relay"));
            handles.push(client.start_workflow_untyped(workflow_type, call, options).await.expect("it starts"));
        }
        for ((activity, _, arguments, expected), handle) in calls.iter().zip(&handles) {
            let result = within(activity, handle.result()).await.unwrap_or_else(|error| panic!("{activity}: {error}"));
            assert_eq!(json::value(&result[0]), *expected, "{workflow_type} calls {activity} with {arguments}");
        }
    }
}

/// Arguments that do not fit: who called with what, and what would have fitted.
#[tokio::test]
async fn that_do_not_fit_fail_our_activity_in_words() {
    let (client, our_queue, python_queue) = (client().await, unique("ours"), unique("python"));
    let _python = PythonWorker::start(&[&python_queue]).await;
    let _workers = ours::start(&client, &our_queue);
    let calls = [
        (json!([]), "argument 1 (alloc::string::String) is missing: the call has 0. Only an Option may be left out"),
        (
            json!([7]),
            "argument 1: a Payload with encoding `json/plain` cannot be read as alloc::string::String: invalid type: integer, \
             expected a string at line 1 column 1",
        ),
        (
            json!(["one", "two", 3, 4]),
            "the call has 4 arguments, but timewright_converter::arguments::Multiple<(alloc::string::String, \
             core::option::Option<alloc::string::String>, core::option::Option<i64>)> takes 3",
        ),
    ];
    for (arguments, reason) in calls {
        let call = RelayInput::new("our_three", arguments, &format!("{our_queue}-ours"));
        let call = json!([RelayInput { attempts: 1, ..call }]);
        let answer = python::execute(&python_queue, "PythonRelay", &unique("relay"), call).await;
        let failure = &answer["failure"][1];
        assert_eq!(failure["type"], "ConversionError", "{answer}");
        assert_eq!(
            failure["message"],
            format!("the input of activity `our_three` cannot be read: {reason}"),
            "{answer}"
        );
    }
}
