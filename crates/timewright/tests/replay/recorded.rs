//! Recorded histories, `tests/histories`: what was recorded once must be replayed for ever.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use timewright::proto::Message;
use timewright::proto::enums::EventType;
use timewright::proto::history::History;
use timewright::workflow::ReplayError;

use crate::programs::check::check;
use crate::programs::scenarios::{Needs, SCENARIOS, scenario};
use crate::programs::workflows::replayer;

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
                let replayed = replayer::<false>().replay(&what, beginning).await;
                replayed.unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}

/// One replayer for any number of histories, and for the same one again.
#[tokio::test]
async fn h18_one_replayer_replays_all_of_them_twice() {
    let replayer = replayer::<false>();
    for file in files().into_iter().chain(files()) {
        replayer.replay("the same", read(&file)).await.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

/// A history in which something is missing, or stands twice or elsewhere, is not taken for a change of the program.
#[tokio::test]
async fn a_damaged_one_is_called_damaged() {
    for file in files() {
        let history = read(&file);
        for index in 0..history.events.len() {
            let mut doubled = history.clone();
            doubled.events.insert(index, history.events[index].clone());
            check_damaged(&file, "doubled", index, doubled).await;
            if index + 1 < history.events.len() {
                let mut removed = history.clone();
                removed.events.remove(index);
                check_damaged(&file, "removed", index, removed).await;
                let mut swapped = history.clone();
                swapped.events.swap(index, index + 1);
                check_damaged(&file, "swapped", index, swapped).await;
            }
        }
    }
    check_damaged(Path::new("nothing"), "removed", 0, History::default()).await;
}

async fn check_damaged(file: &Path, how: &str, index: usize, history: History) {
    let what = format!("{} with event {} {how}", name(file), index + 1);
    let Err(error) = replayer::<false>().replay(&what, history).await else { panic!("{what} is replayed") };
    let ReplayError::TaskFailed { message, .. } = &error else { panic!("{error}") };
    let expected = match (how, index) {
        ("removed", 0) if file == Path::new("nothing") => "the history has no events",
        ("removed" | "swapped", 0) => {
            "the history begins with event 2, and not with event 1: a page is missing, or came in the wrong order"
        }
        _ => "the history goes from event ",
    };
    assert!(message.starts_with(expected), "{what}: {message}");
}

/// Whatever else is wrong with a history: an answer, and no panic.
#[tokio::test]
async fn none_makes_the_replayer_panic_whatever_is_left_out() {
    for file in files() {
        let history = read(&file);
        for index in 0..history.events.len() {
            let mut left_out = history.clone();
            left_out.events.remove(index);
            for (id, event) in (1..).zip(&mut left_out.events) {
                event.event_id = id;
            }
            let replayed = replayer::<false>().replay("left out", left_out).await;
            let panicked = replayed.as_ref().is_err_and(|error| error.to_string().contains("panicked"));
            assert!(!panicked, "{} without event {}: {replayed:?}", name(&file), index + 1);
        }
    }
}
