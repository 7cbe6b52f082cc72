//! Recorded histories, `tests/histories`: what was recorded once must be replayed for ever.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use timewright::proto::Message;
use timewright::proto::history::History;

use crate::programs::check::check;
use crate::programs::scenarios::{Needs, SCENARIOS, scenario};

/// Reads `SCENARIO-SDK.binpb`.
fn read(file: &Path) -> History {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    History::decode(bytes.as_slice()).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/histories");
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "binpb"));
    files.sort();
    files
}

/// `approvals_open-timewright`.
fn name(file: &Path) -> String {
    file.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}

#[test]
fn none_is_missing() {
    let expected: BTreeSet<String> = SCENARIOS
        .iter()
        .flat_map(|scenario| {
            let python = (scenario.needs != Needs::OurWorkers).then(|| format!("{}-python", scenario.name));
            [Some(format!("{}-timewright", scenario.name)), python]
        })
        .flatten()
        .collect();
    let found: BTreeSet<String> = files().iter().map(|file| name(file)).collect();
    assert_eq!(found, expected, "record what is missing with the command in tests/histories/README.md");
}

#[tokio::test]
async fn each_agrees_with_its_program_and_with_no_changed_one() {
    for file in files() {
        let name = name(&file);
        let (scenario_name, _) = name.split_once('-').unwrap_or_else(|| panic!("{name} is not SCENARIO-SDK"));
        check(scenario(scenario_name), &name, read(&file)).await;
    }
}

/// A history that ends earlier, as one that was exported while the workflow ran, is as good as a whole one, wherever a
/// Workflow Task had been answered.
#[tokio::test]
async fn each_beginning_up_to_a_completed_workflow_task_agrees() {
    use timewright::proto::enums::EventType;
    for file in files() {
        let history = read(&file);
        let types: Vec<EventType> = history.events.iter().map(|event| event.event_type()).collect();
        for end in 1..=history.events.len() {
            // The record of a completion's Commands comes whole, with the completion.
            let is_complete = types.get(end).is_none_or(|next| *next == EventType::WorkflowTaskScheduled)
                && types[..end].contains(&EventType::WorkflowTaskCompleted);
            if is_complete {
                let beginning = History { events: history.events[..end].to_vec() };
                let what = format!("{} up to event {end}", name(&file));
                let replayed = crate::programs::workflows::replayer::<false>().replay(&what, beginning).await;
                replayed.unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}
