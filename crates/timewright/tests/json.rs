//! Histories as JSON: what Temporal's CLI writes is read, and what is written from that says exactly the same.

mod support;

use serde_json::Value;
use support::{client, start_options, unique, within};
use timewright::converter::Value as _;
use timewright::proto::enums::EventType;
use timewright::proto::json::{history_from_json, history_to_json};
use timewright_testing::DevServer;

#[tokio::test]
async fn a_history_of_the_cli_is_read_and_written_as_it_was() {
    let client = client().await;
    let input = vec!["Ada".to_owned().to_payload().expect("a String"), vec![0_u8, 255].to_payload().expect("bytes")];
    let handle = client
        .start_workflow_untyped("nobody-executes-this", input, start_options(&unique("json")))
        .await
        .expect("the workflow starts");
    within("the end", handle.terminate("seen enough")).await.expect("the workflow is terminated");

    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
    let id = handle.workflow_id();
    let written = server
        .run_cli(&["workflow", "show", "--workflow-id", id, "--output", "json", "--no-json-shorthand-payloads"])
        .expect("the CLI shows the history");

    let history = history_from_json(&written).expect("the CLI writes the JSON of a history");
    assert_eq!(history, handle.history().await.expect("the server has the history"), "read as the server sent it");
    let last = history.events.last().expect("there are events");
    assert_eq!(last.event_type(), EventType::WorkflowExecutionTerminated);

    let ours: Value = serde_json::from_str(&history_to_json(&history).expect("it can be written")).expect("JSON");
    let theirs: Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(ours, theirs);
}
