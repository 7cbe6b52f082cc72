//! The recorded histories.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use timewright_proto::enums::{EventType, WorkflowTaskFailedCause};
use timewright_proto::history::HistoryEvent;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::json::history_from_json;
use timewright_protocol::workflow::{HistoryPage, TaskKind, WorkflowTask};

/// Whose history it is. SDKs differ in the order in which they do things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sdk {
    Python,
    Rust,
    TypeScript,
}

/// A line of the index, and the history of which it tells.
#[derive(Debug)]
pub(crate) struct History {
    /// `python/timer.json`
    pub(crate) file: String,
    pub(crate) sdk: Sdk,
    pub(crate) workflow_type: String,
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    pub(crate) events: Vec<HistoryEvent>,
}

/// A Workflow Task that a worker answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    /// Its `WorkflowTaskStarted`.
    pub(crate) started_event_id: i64,
    /// That of the task before; 0 where there is none.
    pub(crate) previous_started_event_id: i64,
    /// How many Events there were when it started.
    pub(crate) events: usize,
}

impl History {
    /// A task for a worker.
    pub(crate) fn task(&self, previous_started_event_id: i64, page: HistoryPage, kind: TaskKind) -> WorkflowTask {
        WorkflowTask {
            task_token: "token".into(),
            workflow_id: self.workflow_id.clone(),
            run_id: self.run_id.clone(),
            workflow_type: self.workflow_type.clone(),
            attempt: 1,
            previous_started_event_id,
            history: page,
            received_at: now(),
            kind,
        }
    }

    /// All tasks that were completed, in order. The record of each stands behind its completion.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        let mut previous_started_event_id = 0;
        for (index, event) in self.events.iter().enumerate() {
            if event.event_type() == EventType::WorkflowTaskCompleted {
                let started_event_id = event.event_id - 1;
                tasks.push(Task { started_event_id, previous_started_event_id, events: index });
                previous_started_event_id = started_event_id;
            }
        }
        tasks
    }

    /// All tasks that failed because of the workflow's code, and with what message.
    pub(crate) fn failed_tasks(&self) -> Vec<(Task, &String)> {
        let mut tasks = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            if let Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) = event.attributes.as_ref()
                && failed.cause() == WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure
                && let Some(failure) = &failed.failure
            {
                let before = self.tasks().into_iter().take_while(|task| task.events < index).last();
                let previous_started_event_id = before.map_or(0, |task| task.started_event_id);
                let task = Task { started_event_id: event.event_id - 1, previous_started_event_id, events: index };
                tasks.push((task, &failure.message));
            }
        }
        tasks
    }

    /// What follows the completion of a task.
    pub(crate) fn behind(&self, task: Task) -> &[HistoryEvent] {
        &self.events[task.events + 1..]
    }

    /// Whether the workflow accepted an Update.
    pub(crate) fn has_updates(&self) -> bool {
        self.events.iter().any(|event| event.event_type() == EventType::WorkflowExecutionUpdateAccepted)
    }

    /// The attributes of its Events.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attributes> {
        self.events.iter().filter_map(|event| event.attributes.as_ref())
    }
}

/// Every history of the index.
pub(crate) fn all() -> &'static [History] {
    static ALL: OnceLock<Vec<History>> = OnceLock::new();
    ALL.get_or_init(|| {
        let index = fs::read_to_string(folder().join("index.txt")).expect("the folder has an index");
        let lines: Vec<&str> = index.lines().filter(|line| !line.starts_with('#')).collect();
        // Reading JSON is most of the work.
        let halves = lines.split_at(lines.len() / 2);
        std::thread::scope(|scope| {
            let second = scope.spawn(move || halves.1.iter().copied().map(read).collect::<Vec<_>>());
            let mut all: Vec<History> = halves.0.iter().copied().map(read).collect();
            all.extend(second.join().expect("each file can be read"));
            all
        })
    })
}

/// The files that are there, whatever the index says.
pub(crate) fn files() -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for sdk in ["python", "rust", "typescript"] {
        for entry in fs::read_dir(folder().join(sdk)).expect("each SDK has a folder") {
            let name = entry.expect("a folder can be read").file_name();
            files.insert(format!("{sdk}/{}", name.to_string_lossy()));
        }
    }
    files
}

pub(crate) fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "histories"].iter().collect()
}

fn read(line: &str) -> History {
    let mut fields = line.split('\t');
    let mut field = || fields.next().expect("a line of the index has five fields").to_owned();
    let (file, _version, workflow_type) = (field(), field(), field());
    let sdk = match file.split('/').next() {
        Some("python") => Sdk::Python,
        Some("rust") => Sdk::Rust,
        Some("typescript") => Sdk::TypeScript,
        _ => panic!("{file} is in no folder of an SDK"),
    };
    let text = fs::read_to_string(folder().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let events = history_from_json(&text).unwrap_or_else(|error| panic!("{file}: {error}")).events;
    let started = events.first().and_then(|event| match event.attributes.as_ref() {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => Some(started),
        _ => None,
    });
    let started = started.unwrap_or_else(|| panic!("{file} does not begin with a start"));
    let (workflow_id, run_id) = (started.workflow_id.clone(), started.original_execution_run_id.clone());
    History { file, sdk, workflow_type, workflow_id, run_id, events }
}

#[allow(clippy::disallowed_methods, reason = "whoever drives the protocol brings the time")]
fn now() -> Instant {
    Instant::now()
}
