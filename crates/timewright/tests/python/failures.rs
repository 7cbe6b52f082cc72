//! Failures cross both ways with all that they carry: each level's kind, message, type, details, flags, and the chain.

use std::time::Duration;

use serde_json::{Value, json};
use timewright::client::{Client, StartWorkflowOptions, UntypedWorkflowHandle, WorkflowResultError};
use timewright::converter::Payload;

use super::definitions::RelayInput;
use super::{json, ours};
use crate::support::background::Background;
use crate::support::python::{self, PythonWorker};
use crate::support::{client, poll_until, unique, within};

/// Both sides, each with its workers.
struct Stage {
    client: Client,
    our_queue: String,
    python_queue: String,
    _python: PythonWorker,
    _workers: Background<timewright::WorkerError>,
}

impl Stage {
    async fn new() -> Self {
        let (client, our_queue, python_queue) = (client().await, unique("ours"), unique("python"));
        let python = PythonWorker::start(&[&python_queue]).await;
        let workers = ours::start(&client, &our_queue);
        Self { client, our_queue, python_queue, _python: python, _workers: workers }
    }

    /// The call of an activity of Python's.
    fn of_python(&self, activity: &str, arguments: Value) -> RelayInput {
        RelayInput::new(activity, arguments, &self.python_queue)
    }

    /// The call of an activity of ours.
    fn of_ours(&self, activity: &str, arguments: Value) -> RelayInput {
        RelayInput::new(activity, arguments, &format!("{}-ours", self.our_queue))
    }

    /// Calls the activity from a workflow of ours and from one of Python's, and looks at the failure as each of these, and
    /// each client, sees it.
    async fn check(&self, call: RelayInput, expected: Value) {
        tokio::join!(
            self.check_report("our_relay", &self.our_queue, &call, &expected),
            self.check_report("PythonRelay", &self.python_queue, &call, &expected),
            self.check_failure("our_relay", &self.our_queue, &call, &expected),
            self.check_failure("PythonRelay", &self.python_queue, &call, &expected),
        );
    }

    /// The workflow catches the failure, and its result is what it saw.
    async fn check_report(&self, workflow_type: &str, task_queue: &str, call: &RelayInput, expected: &Value) {
        let report = json!([RelayInput { report: true, ..call.clone() }]);
        let seen = python::execute(task_queue, workflow_type, &unique("report"), report).await;
        assert_eq!(seen, json!({ "result": expected }), "{} as {workflow_type} sees it", call.activity);
    }

    /// The workflow fails with the failure.
    async fn check_failure(&self, workflow_type: &str, task_queue: &str, call: &RelayInput, expected: &Value) {
        let handle = self.start(task_queue, workflow_type, json!([call])).await;
        let error = within("the end", handle.result()).await.expect_err("it fails");
        let seen = json::levels(ours::failure_of(&error));
        assert_eq!(seen, *expected, "{} through {workflow_type} as our client sees it", call.activity);
        let seen = python::result(handle.workflow_id()).await;
        let expected = json!({ "failure": expected });
        assert_eq!(seen, expected, "{} through {workflow_type} as Python's client sees it", call.activity);
    }

    /// Starts a workflow with our client.
    async fn start(&self, task_queue: &str, workflow_type: &str, arguments: Value) -> UntypedWorkflowHandle {
        self.start_within(Duration::from_secs(60), task_queue, workflow_type, arguments).await
    }

    async fn start_within(
        &self,
        timeout: Duration,
        task_queue: &str,
        workflow_type: &str,
        arguments: Value,
    ) -> UntypedWorkflowHandle {
        let arguments = arguments.as_array().expect("a list").iter();
        let arguments: Result<Vec<Payload>, _> =
            arguments.map(|argument| self.client.data_converter().to_payload(argument)).collect();
        let options = StartWorkflowOptions::new(task_queue, unique("failure")).execution_timeout(timeout);
        let arguments = arguments.expect("JSON can be written");
        self.client.start_workflow_untyped(workflow_type, arguments, options).await.expect("it starts")
    }
}

/// The level that a workflow adds to what its activity failed with.
fn activity(activity_type: &str, message: &str, retry_state: &str) -> Value {
    json!({
        "kind": "activity",
        "message": message,
        "activity_type": activity_type,
        "activity_id": "1",
        "retry_state": retry_state,
    })
}

/// An application failure that says nothing beside type and message.
fn application(type_name: &str, message: &str) -> Value {
    json!({
        "kind": "application",
        "message": message,
        "type": type_name,
        "details": [],
        "non_retryable": false,
        "next_retry_delay": null,
        "category": "UNSPECIFIED",
    })
}

/// The same with some fields set.
fn with(mut level: Value, fields: Value) -> Value {
    let fields = fields.as_object().expect("fields").clone();
    level.as_object_mut().expect("a level").extend(fields);
    level
}

const FAILED: &str = "Activity task failed";
const TIMED_OUT: &str = "Activity task timed out";

#[tokio::test]
async fn of_a_python_activity() {
    let stage = Stage::new().await;
    let everything = json!({
        "details": ["first detail", { "attempt": 1 }, { "$bytes": "0001" }],
        "non_retryable": true,
        "next_retry_delay": 2.5,
        "category": "BENIGN",
    });
    let cause = with(application("PythonCause", "the cause of it"), json!({ "details": [42] }));
    stage
        .check(
            stage.of_python("fail_with_details", json!(["on purpose"])),
            json!([
                activity("fail_with_details", FAILED, "NON_RETRYABLE_FAILURE"),
                with(application("PythonFailure", "on purpose"), everything),
                cause,
            ]),
        )
        .await;
    stage
        .check(
            RelayInput { attempts: 1, ..stage.of_python("fail_as_python_does", json!(["on purpose"])) },
            json!([
                activity("fail_as_python_does", FAILED, "MAXIMUM_ATTEMPTS_REACHED"),
                application("ValueError", "on purpose"),
                application("KeyError", "'nowhere'"),
            ]),
        )
        .await;
}

#[tokio::test]
async fn of_our_activity() {
    let stage = Stage::new().await;
    let everything = json!({
        "details": ["first detail", { "attempt": 1 }, { "$bytes": "0001" }],
        "non_retryable": true,
        "next_retry_delay": 2.5,
        "category": "BENIGN",
    });
    let cause = with(application("OurCause", "the cause of it"), json!({ "details": [42] }));
    stage
        .check(
            stage.of_ours("our_failure", json!(["on purpose"])),
            json!([
                activity("our_failure", FAILED, "NON_RETRYABLE_FAILURE"),
                with(application("OurFailure", "on purpose"), everything),
                cause,
            ]),
        )
        .await;
    stage
        .check(
            RelayInput { attempts: 1, ..stage.of_ours("our_error", json!(["on purpose"])) },
            json!([
                activity("our_error", FAILED, "MAXIMUM_ATTEMPTS_REACHED"),
                application("OrderError", "the order is lost: on purpose"),
                with(application("", "invalid digit found in string"), json!({ "type": null })),
            ]),
        )
        .await;
}

#[tokio::test]
async fn of_an_activity_that_times_out() {
    let stage = Stage::new().await;
    let check = async |call: RelayInput| {
        let heartbeat = json!({
            "kind": "timeout",
            "message": "activity Heartbeat timeout",
            "timeout_type": "HEARTBEAT",
            "last_heartbeat_details": ["halfway", 7],
        });
        let levels = json!([activity(&call.activity, TIMED_OUT, "MAXIMUM_ATTEMPTS_REACHED"), heartbeat]);
        stage.check(RelayInput { attempts: 1, heartbeat: Some(5.0), ..call }, levels).await;
    };
    tokio::join!(check(stage.of_python("stall", json!([]))), check(stage.of_ours("our_stall", json!([]))));
}

/// What the workflow sees of the activity that it cancelled, with what the activity said last.
#[tokio::test]
async fn of_an_activity_that_is_cancelled() {
    let stage = Stage::new().await;
    // The messages are those of the SDK that executes the workflow.
    let relays = [
        ("our_relay", &stage.our_queue, ["Activity task cancelled", "Activity cancelled"]),
        ("PythonRelay", &stage.python_queue, ["Activity cancelled", "Cancelled"]),
    ];
    for (workflow_type, task_queue, messages) in relays {
        let calls = [
            (stage.of_python("work_until_cancelled", json!(["work"])), json!([])),
            (stage.of_ours("our_work", json!(["work"])), json!(["half done"])),
        ];
        for (call, details) in calls {
            let what = format!("{} called by {workflow_type}", call.activity);
            let call = RelayInput { report: true, ..call };
            let handle = stage.start(task_queue, workflow_type, json!([call])).await;
            let is_begun = async || {
                let answer = handle.query("is_begun", Vec::new()).await.ok()?;
                answer.iter().any(|begun| json::value(begun) == json!(true)).then_some(())
            };
            poll_until(&what, is_begun).await;
            python::cancel(handle.workflow_id()).await;

            let result = within(&what, handle.result()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let levels = json::value(&result[0]);
            let cancelled = json!({ "kind": "cancelled", "message": messages[1], "details": details });
            assert_eq!(levels, json!([activity(&call.activity, messages[0], "CANCEL_REQUESTED"), cancelled]), "{what}");
        }
    }
}

#[tokio::test]
async fn of_our_workflow() {
    let stage = Stage::new().await;
    let expected = json!([
        with(application("Failing", "on purpose"), json!({ "details": ["detail"], "non_retryable": true })),
        application("Cause", "the cause"),
    ]);
    let failing = python::execute(&stage.our_queue, "failing", &unique("failing"), json!(["on purpose"])).await;
    assert_eq!(failing, json!({ "failure": expected }));

    let slow = stage.start_within(Duration::from_secs(1), &stage.our_queue, "clean_up", json!([])).await;
    let timeout = json!({
        "kind": "timeout",
        "message": "Workflow timed out",
        "timeout_type": "START_TO_CLOSE",
        "last_heartbeat_details": [],
    });
    assert_eq!(python::result(slow.workflow_id()).await, json!({ "failure": [timeout] }));

    let open = stage.start(&stage.our_queue, "clean_up", json!([])).await;
    open.terminate("enough").await.expect("it is terminated");
    let terminated = json!({ "kind": "terminated", "message": "enough" });
    assert_eq!(python::result(open.workflow_id()).await, json!({ "failure": [terminated] }));
}

#[tokio::test]
async fn of_a_python_workflow() {
    let stage = Stage::new().await;
    let everything = json!({ "details": ["first detail", { "workflow": "PythonFailing" }], "non_retryable": true, "category": "BENIGN" });
    let expected = json!([
        with(application("PythonFailure", "on purpose"), everything),
        with(application("PythonCause", "the cause of it"), json!({ "details": [42] })),
    ]);
    let failing = stage.start(&stage.python_queue, "PythonFailing", json!(["on purpose"])).await;
    let error = within("the end", failing.result()).await.expect_err("it fails");
    assert_eq!(json::levels(ours::failure_of(&error)), expected);
    let failure = ours::failure_of(&error);
    assert!(failure.stack_trace.contains("definitions.py"), "where it happened: {failure:?}");
    let text = format!(
        "workflow `{}` (run {}) failed: PythonFailure: on purpose: PythonCause: the cause of it",
        failing.workflow_id(),
        failing.run_id().expect("a run"),
    );
    assert_eq!(error.to_string(), text, "as people read it");

    let slow = stage.start_within(Duration::from_secs(1), &stage.python_queue, "PythonSleeping", json!([])).await;
    let error = within("the end", slow.result()).await.expect_err("it times out");
    assert!(matches!(error, WorkflowResultError::TimedOut { .. }), "{error}");

    let open = stage.start(&stage.python_queue, "PythonSleeping", json!([])).await;
    python::terminate(open.workflow_id(), "enough").await;
    let error = within("the end", open.result()).await.expect_err("it was terminated");
    assert!(
        matches!(&error, WorkflowResultError::Terminated { reason, identity, .. }
            if reason == "enough" && identity == "python-peer"),
        "{error}"
    );
}

/// The failure of an activity, as the cause of an error of the workflow's own.
#[tokio::test]
async fn that_our_workflow_adds_something_to() {
    let stage = Stage::new().await;
    for as_error in [true, false] {
        let arguments = json!([stage.python_queue, as_error]);
        let seen = python::execute(&stage.our_queue, "our_wrapping", &unique("wrapping"), arguments).await;
        let kinds_and_messages: Vec<(&str, &str)> = seen["failure"]
            .as_array()
            .expect("it fails")
            .iter()
            .map(|level| (level["kind"].as_str().unwrap_or_default(), level["message"].as_str().unwrap_or_default()))
            .collect();
        let expected = [
            ("application", "nothing is shipped"),
            ("activity", FAILED),
            ("application", "on purpose"),
            ("application", "the cause of it"),
        ];
        assert_eq!(kinds_and_messages, expected, "{seen}");
        assert_eq!(seen["failure"][0]["type"], "ShipmentError");
        assert_eq!(seen["failure"][1]["activity_type"], "fail_with_details");
        assert_eq!(seen["failure"][2]["details"][0], "first detail");
    }
}
