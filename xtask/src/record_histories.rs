//! `cargo xtask record-histories`: histories of small workflows under Temporal's own SDKs, for our tests to replay.
//!
//! Each SDK serves the same workflows, those in `peers/`, on a dev server of its own. What happens to each workflow is
//! told in [`scenarios`], together with the shape that its history must have then: a history of another shape is not
//! what the scenario is about, and is not stored.

mod history;
mod peers;
mod recorder;
mod scenario;
mod scenarios;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::workspace::{root, target};
use peers::Sdk;
use recorder::{Recorded, Recorder};
use scenario::Scenario;

/// Records and stores: for all SDKs or those that are `selected` by name, all scenarios or those that are.
pub(crate) fn run(selected: &[String]) -> Result<()> {
    let scenarios = scenarios::all();
    let known =
        |word: &String| Sdk::ALL.iter().any(|sdk| sdk.name() == word) || scenarios.iter().any(|s| s.name == word);
    if let Some(unknown) = selected.iter().find(|word| !known(word)) {
        return Err(format!("`{unknown}` is neither an SDK (python, rust, typescript) nor one of our scenarios"));
    }
    let told = |name: &str| selected.iter().any(|word| word == name);
    let sdks: Vec<Sdk> = Sdk::ALL.into_iter().filter(|sdk| told(sdk.name())).collect();
    let named: Vec<&Scenario> = scenarios.iter().filter(|scenario| told(scenario.name)).collect();
    let named = if named.is_empty() { scenarios.iter().collect() } else { named };

    let mut wrong = Vec::new();
    for sdk in if sdks.is_empty() { Sdk::ALL.to_vec() } else { sdks } {
        let of_it: Vec<&Scenario> = named.iter().copied().filter(|scenario| scenario.is_for(sdk)).collect();
        println!("record-histories: {} with {} scenarios", sdk.name(), of_it.len());
        let recorder = Recorder::start(sdk)?;
        let (version, recorded) = recorder.record(&of_it)?;
        wrong.extend(store(sdk, &version, recorded)?);
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not stored:\n{}", wrong.join("\n"))) }
}

/// Stores the histories that are as they should be, with a line each in the index; gives what is wrong with the others.
fn store(sdk: Sdk, version: &str, recorded: Vec<Recorded>) -> Result<Vec<String>> {
    let (mut wrong, mut lines) = (Vec::new(), Vec::new());
    for Recorded { scenario, outcome } in recorded {
        let text = match outcome {
            Ok(text) => text,
            Err(error) => {
                wrong.push(format!("{}/{}: {error}", sdk.name(), scenario.name));
                continue;
            }
        };
        let (expected, shape) = (scenario.shape(sdk), history::shape(&text));
        let file = format!("{}/{}.json", sdk.name(), scenario.name);
        if shape != expected {
            let rejected = target().join("rejected-histories").join(&file);
            write(&rejected, &text)?;
            wrong.push(format!("{file}: it shall be\n  {expected}\nbut is\n  {shape}\nsee {}", rejected.display()));
            continue;
        }
        write(&folder().join(&file), &text)?;
        lines.push([&file, version, scenario.workflow, scenario.shows, &shape].join("\t"));
    }
    update_index(lines)?;
    Ok(wrong)
}

/// Puts these lines into the index, in place of those about the same files.
fn update_index(lines: Vec<String>) -> Result<()> {
    let index = folder().join("index.txt");
    let file_of = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    let new: Vec<String> = lines.iter().map(|line| file_of(line)).collect();
    let old = fs::read_to_string(&index).unwrap_or_default();
    let kept = old.lines().filter(|line| !line.starts_with('#') && !new.contains(&file_of(line)));
    // A file that is gone, because its scenario is, has no line.
    let kept = kept.filter(|line| folder().join(file_of(line)).is_file()).map(str::to_owned);
    let mut all: Vec<String> = kept.chain(lines).collect();
    all.sort();
    write(&index, &format!("{INDEX_HEAD}{}\n", all.join("\n")))
}

fn write(file: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    fs::create_dir_all(file.parent().unwrap_or(file)).map_err(failed)?;
    fs::write(file, text).map_err(failed)
}

/// Where histories and index are.
fn folder() -> PathBuf {
    root().join("crates/protocol/tests/histories")
}

const INDEX_HEAD: &str = "\
# Written by `cargo xtask record-histories`. One line a history, with tabs between:
# file, SDK, workflow type (as in recipes.md), what it shows, its events.
# Of the events of Workflow Tasks only WorkflowTaskCompleted is there, as `|`.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_history_in_every_sdk_and_no_history_is_without_one() {
        let mut expected: Vec<String> = Vec::new();
        for scenario in scenarios::all() {
            for sdk in Sdk::ALL.into_iter().filter(|sdk| scenario.is_for(*sdk)) {
                let file = format!("{}/{}.json", sdk.name(), scenario.name);
                let text = fs::read_to_string(folder().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert_eq!(history::shape(&text), scenario.shape(sdk), "{file}");
                expected.push(file);
            }
        }
        expected.sort();
        let index = fs::read_to_string(folder().join("index.txt")).unwrap();
        let indexed: Vec<&str> = index.lines().filter_map(|line| Some(line.split_once('\t')?.0)).collect();
        assert_eq!(indexed, expected);
        let stored = Sdk::ALL.iter().map(|sdk| fs::read_dir(folder().join(sdk.name())).unwrap().count());
        assert_eq!(stored.sum::<usize>(), expected.len());
    }

    #[test]
    fn every_workflow_type_has_a_recipe() {
        let recipes = fs::read_to_string(folder().join("recipes.md")).unwrap();
        for scenario in scenarios::all() {
            assert!(recipes.contains(&format!("\n| `{}` |", scenario.workflow)), "{}", scenario.workflow);
        }
    }
}
