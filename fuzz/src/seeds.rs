//! Inputs to begin with: the histories that are recorded in the repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use timewright_proto::Message;
use timewright_proto::common::{ActivityType, Payloads, WorkflowExecution, WorkflowType};
use timewright_proto::enums::EventType;
use timewright_proto::history::history_event::Attributes;
use timewright_proto::history::{History, HistoryEvent};
use timewright_proto::json::{history_from_json, history_to_json};
use timewright_proto::prost_types::{Any, Duration, Timestamp};
use timewright_proto::query::WorkflowQuery;
use timewright_proto::temporal::api::protocol::v1::Message as ProtocolMessage;
use timewright_proto::temporal::api::protocol::v1::message::SequencingId;
use timewright_proto::workflow_service::{PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse};

use crate::input::{join, noise};

/// An input: its target, a name, its bytes.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

/// Inputs for all targets.
///
/// # Errors
/// If a recorded history cannot be read.
pub fn seeds() -> io::Result<Vec<Seed>> {
    let mut seeds = vec![("polls", "activity".to_owned(), join(&noise(1), &activity().encode_to_vec()))];
    for (name, history) in recorded_histories()? {
        let message = history.encode_to_vec();
        let json = history_to_json(&history).map_err(io::Error::other)?;
        seeds.push(("history_json", format!("{name}.json"), json.into_bytes()));
        seeds.push(("history_json", name.clone(), message.clone()));
        seeds.push(("polls", name.clone(), join(&[], &workflow_task(&history).encode_to_vec())));
        for (target, script) in [("runs", 0), ("history_pages", 0), ("runs", 64), ("history_pages", 64)] {
            let seed = u32::try_from(seeds.len()).unwrap_or_default();
            seeds.push((target, format!("{name}-{script}"), join(&noise(seed)[..script], &message)));
        }
    }
    Ok(seeds)
}

/// Every history under [`RECORDED`], with its file's name.
fn recorded_histories() -> io::Result<Vec<(String, History)>> {
    let mut files = Vec::new();
    for folder in RECORDED {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        if folder.is_dir() {
            files.extend(files_below(&folder)?);
        }
    }
    files.sort();
    let mut histories = Vec::new();
    for file in files {
        let wrong = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", file.display()));
        let name = name(&file);
        let content = fs::read(&file).map_err(|error| wrong(&error))?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("binpb") => {
                histories.push((name, History::decode(content.as_slice()).map_err(|error| wrong(&error))?))
            }
            Some("json") => {
                let text = String::from_utf8(content).map_err(|error| wrong(&error))?;
                histories.push((name, history_from_json(&text).map_err(|error| wrong(&error))?));
            }
            _ => (),
        }
    }
    Ok(histories)
}

/// The names of the file and of its folder, since SDKs have histories of the same name.
fn name(file: &Path) -> String {
    let names = file.iter().skip(file.iter().count().saturating_sub(2));
    names.map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("-")
}

fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

/// The last Workflow Task, as it came, with the Updates that it accepted.
fn workflow_task(history: &History) -> PollWorkflowTaskQueueResponse {
    let is_started = |event: &HistoryEvent| event.event_type() == EventType::WorkflowTaskStarted;
    let end = history.events.iter().rposition(is_started).map_or(0, |index| index + 1);
    let (events, behind) = history.events.split_at(end);
    PollWorkflowTaskQueueResponse {
        task_token: "token".into(),
        workflow_execution: Some(WorkflowExecution { workflow_id: "workflow".into(), run_id: "run".into() }),
        workflow_type: Some(WorkflowType { name: "type".into() }),
        attempt: 1,
        started_event_id: events.last().map_or(0, |event| event.event_id),
        messages: behind.iter().filter_map(update).collect(),
        queries: [("query".to_owned(), WorkflowQuery::default())].into(),
        history: Some(History { events: events.to_vec() }),
        ..PollWorkflowTaskQueueResponse::default()
    }
}

/// The message that brought the Update which is accepted here.
fn update(event: &HistoryEvent) -> Option<ProtocolMessage> {
    let Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) = event.attributes.as_ref()? else {
        return None;
    };
    Some(ProtocolMessage {
        id: accepted.accepted_request_message_id.clone(),
        protocol_instance_id: accepted.protocol_instance_id.clone(),
        sequencing_id: Some(SequencingId::EventId(accepted.accepted_request_sequencing_event_id)),
        body: Some(Any {
            type_url: "type.googleapis.com/temporal.api.update.v1.Request".to_owned(),
            value: accepted.accepted_request.clone().unwrap_or_default().encode_to_vec(),
        }),
    })
}

fn activity() -> PollActivityTaskQueueResponse {
    let time = Some(Timestamp { seconds: 1_700_000_000, nanos: 5 });
    let timeout = Some(Duration { seconds: 10, nanos: 0 });
    PollActivityTaskQueueResponse {
        task_token: "token".into(),
        workflow_namespace: "namespace".into(),
        workflow_type: Some(WorkflowType { name: "type".into() }),
        workflow_execution: Some(WorkflowExecution { workflow_id: "workflow".into(), run_id: "run".into() }),
        activity_type: Some(ActivityType { name: "activity".into() }),
        activity_id: "1".into(),
        input: Some(Payloads::default()),
        scheduled_time: time,
        current_attempt_scheduled_time: time,
        started_time: time,
        attempt: 1,
        start_to_close_timeout: timeout,
        heartbeat_timeout: timeout,
        ..PollActivityTaskQueueResponse::default()
    }
}

/// Where histories are recorded, from the repository's root.
const RECORDED: &[&str] = &["crates/timewright/tests/histories", "crates/protocol/tests/histories"];
