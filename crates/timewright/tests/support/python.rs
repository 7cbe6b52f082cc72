//! The Python peer, `peers/python`: a worker in the background, and calls of its client.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use timewright::client::UntypedWorkflowHandle;
use timewright_testing::{ChildProcess, DevServer};

use super::{LIMIT, poll_until};

/// A Python worker for workflows and activities. Killed when this is dropped.
pub(crate) struct PythonWorker {
    process: ChildProcess,
}

impl PythonWorker {
    /// Starts a worker on these Task Queues, and waits until it polls.
    pub(crate) async fn start(task_queues: &[&str]) -> Self {
        Self::start_with(&[], task_queues).await
    }

    /// The same, with traces.
    pub(crate) async fn start_traced(task_queues: &[&str]) -> Self {
        Self::start_with(&["--tracing"], task_queues).await
    }

    async fn start_with(arguments: &[&str], task_queues: &[&str]) -> Self {
        let mut command = peer("worker");
        command.args(arguments);
        for task_queue in task_queues {
            command.args(["--task-queue", task_queue]);
        }
        let mut process = spawn(command);
        poll_until("a Python worker that polls", || {
            let ready = process.stdout().iter().any(|line| line == r#"{"ready": true}"#);
            assert!(ready || process.is_running(), "{}: it ended\n{}", process.name(), process.lines().join("\n"));
            async move { ready.then_some(()) }
        })
        .await;
        Self { process }
    }

    /// The spans that it has emitted so far.
    pub(crate) fn spans(&self) -> Vec<Value> {
        let lines = self.process.stdout();
        let answers = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        answers.filter_map(|mut answer| answer.get_mut("span").map(Value::take)).collect()
    }
}

/// Starts a workflow with Python's client.
pub(crate) async fn start(task_queue: &str, workflow_type: &str, workflow_id: &str, arguments: Value) {
    let arguments = arguments.to_string();
    let workflow = ["--workflow", workflow_type, "--workflow-id", workflow_id];
    ask("start", &[&["--task-queue", task_queue, "--arguments", &arguments], &workflow[..]].concat()).await;
}

/// Starts a workflow with Python's client and waits for it: `{"result": …}`, or `{"failure": [level, …]}`.
pub(crate) async fn execute(task_queue: &str, workflow_type: &str, workflow_id: &str, arguments: Value) -> Value {
    let arguments = arguments.to_string();
    let workflow = ["--workflow", workflow_type, "--workflow-id", workflow_id];
    ask("execute", &[&["--task-queue", task_queue, "--arguments", &arguments], &workflow[..]].concat()).await
}

/// As [`execute`], with traces: the spans of the client, and what the workflow has given.
pub(crate) async fn execute_traced(
    task_queue: &str,
    workflow_type: &str,
    workflow_id: &str,
    arguments: Value,
) -> (Vec<Value>, Value) {
    let arguments = arguments.to_string();
    let workflow = ["--workflow", workflow_type, "--workflow-id", workflow_id, "--tracing"];
    let call = [&["--task-queue", task_queue, "--arguments", &arguments], &workflow[..]].concat();
    let mut answers = self::call("execute", &call).await;
    let result = answers.pop().expect("an answer");
    (answers.iter_mut().map(|answer| answer["span"].take()).collect(), result)
}

/// Waits for a workflow with Python's client, as [`execute`] does.
pub(crate) async fn result(workflow_id: &str) -> Value {
    ask("result", &["--workflow-id", workflow_id]).await
}

/// Sends a signal with Python's client.
pub(crate) async fn signal(workflow_id: &str, name: &str, arguments: Value) {
    let arguments = arguments.to_string();
    ask("signal", &["--workflow-id", workflow_id, "--name", name, "--arguments", &arguments]).await;
}

/// Asks a query with Python's client: `{"result": …}`, or `{"query_failed": …}`.
pub(crate) async fn query(workflow_id: &str, name: &str, arguments: Value) -> Value {
    let arguments = arguments.to_string();
    ask("query", &["--workflow-id", workflow_id, "--name", name, "--arguments", &arguments]).await
}

/// Cancels a workflow with Python's client.
pub(crate) async fn cancel(workflow_id: &str) {
    ask("cancel", &["--workflow-id", workflow_id]).await;
}

/// Terminates a workflow with Python's client.
pub(crate) async fn terminate(workflow_id: &str, reason: &str) {
    ask("terminate", &["--workflow-id", workflow_id, "--reason", reason]).await;
}

/// Replays the histories of these runs in Python, with its programs or with changed ones. An answer for each:
/// `{"replayed": true, …}`, or `{"replayed": false, "disagreement": …}`.
pub(crate) async fn replay(runs: &[UntypedWorkflowHandle], changed: bool) -> Vec<Value> {
    let ids = runs.iter().map(UntypedWorkflowHandle::workflow_id);
    let named = runs.iter().flat_map(|run| ["--run-of", run.workflow_id(), run.run_id().expect("one run is meant")]);
    let answers = call("replay", &named.chain(changed.then_some("--changed")).collect::<Vec<_>>()).await;
    assert!(
        answers.iter().map(|answer| answer["workflow_id"].as_str()).eq(ids.map(Some)),
        "one answer for each: {answers:?}"
    );
    answers
}

/// The one answer of a command.
async fn ask(command: &str, arguments: &[&str]) -> Value {
    let mut answers = call(command, arguments).await;
    assert_eq!(answers.len(), 1, "{command} {arguments:?}: {answers:?}");
    answers.remove(0)
}

async fn call(name: &str, arguments: &[&str]) -> Vec<Value> {
    let mut command = peer(name);
    command.args(arguments);
    let mut process = spawn(command);
    // Asked again and again, so that a test that fails meanwhile kills it instead of waiting for it.
    poll_until(process.name().to_owned(), || {
        let ended = process.status();
        async move { ended }
    })
    .await;
    let status = process.wait(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    assert!(status.success(), "{}: {status}\n{}", process.name(), process.lines().join("\n"));
    let lines = process.stdout();
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn peer(command: &str) -> Command {
    let server = DevServer::shared().unwrap_or_else(|error| panic!("{error}"));
    let mut peer = Command::new(python());
    peer.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../peers/python/peer.py"));
    // The same everywhere, so that recorded histories name nobody's machine.
    peer.args([command, "--identity", "python-peer", "--address", &server.address().to_string()]);
    peer
}

/// A Python that has Temporal's SDK.
fn python() -> PathBuf {
    std::env::var_os("TIMEWRIGHT_PYTHON").map(PathBuf::from).expect(
        "TIMEWRIGHT_PYTHON must name a Python that has what peers/python/requirements.txt says; run `cargo xtask test`, which \
         installs it and sets this",
    )
}

fn spawn(command: Command) -> ChildProcess {
    let arguments = command.get_args().skip(1).map(|argument| argument.to_string_lossy());
    let name = format!("the Python peer ({})", arguments.collect::<Vec<_>>().join(" "));
    ChildProcess::spawn(name, command).unwrap_or_else(|error| panic!("{error}"))
}
