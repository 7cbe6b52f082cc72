//! Runs every target without a fuzzer: on the recorded histories, with scripts that come from nowhere, and on what the fuzzer
//! found once.

use std::fs;
use std::panic;
use std::path::Path;

use timewright_proto::Message;
use timewright_proto::history::History;
use timewright_protocol::workflow::{HistoryPage, Output};

use crate::input::{join, noise, split};
use crate::pages::replay;
use crate::recorded::recorded;
use crate::script::Script;
use crate::{history_json, history_pages, mutate, polls, runs, seeds};

fn target(name: &str) -> fn(&[u8]) {
    match name {
        "history_json" => history_json,
        "history_pages" => history_pages,
        "polls" => polls,
        "runs" => runs,
        unknown => panic!("there is no target {unknown}"),
    }
}

#[test]
fn seeds_are_as_they_should_be() {
    let seeds = seeds().unwrap();
    assert!(seeds.len() > 100, "there are {} seeds", seeds.len());
    for (name, _, input) in seeds {
        target(name)(&input);
    }
}

/// Else the scripts would damage what goes wrong anyway.
#[test]
fn user_code_agrees_with_a_history_as_it_was_recorded() {
    let mut disagreements = Vec::new();
    for (_, name, input) in seeds().unwrap().into_iter().filter(|(target, ..)| *target == "history_pages") {
        let History { events } = History::decode(split(&input).1).unwrap();
        let recorded = recorded(&events, &mut Script::new(&[]));
        let outputs = replay(&[HistoryPage { events, ..HistoryPage::default() }], &recorded);
        if let Some(Output::FailTask(failure)) = outputs.iter().find(|output| matches!(output, Output::FailTask(_))) {
            disagreements.push(format!("{name}: {}", failure.failure.message));
        }
    }
    assert!(disagreements.is_empty(), "{disagreements:#?}");
}

#[test]
fn scripts_from_nowhere_find_nothing() {
    for (number, (name, seed, input)) in (0..).zip(seeds().unwrap()) {
        if name == "history_json" {
            continue;
        }
        for round in 0..ROUNDS {
            let (_, message) = split(&input);
            let input = join(&noise(1_000 * number + round), message);
            try_and_keep(name, &format!("{seed}-{round}"), &input);
        }
    }
}

/// An input that breaks something is put where the fuzzer puts such: `cargo xtask fuzz FILE` tries it again.
fn try_and_keep(name: &str, seed: &str, input: &[u8]) {
    if let Err(panic) = panic::catch_unwind(|| target(name)(input)) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(seed), input).unwrap();
        eprintln!("it is kept as fuzz/artifacts/{name}/{seed}");
        panic::resume_unwind(panic);
    }
}

/// Each file was a crash once: `fuzz/regressions/TARGET/WHAT_IT_SHOWS`.
#[test]
fn what_was_found_once_is_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        for entry in fs::read_dir(&folder).unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            target(&folder.file_name().unwrap().to_string_lossy())(&input);
        }
    }
}

#[test]
fn a_mutation_leaves_an_input_of_two_parts() {
    let message = seeds().unwrap().into_iter().find(|(target, ..)| *target == "runs").unwrap().2;
    let blindly = |buffer: &mut [u8], size: usize, _: usize| {
        buffer[size / 2] ^= 1;
        size
    };
    let mut buffer = vec![0; 1 << 16];
    let mut scripts = 0;
    for seed in 0..64 {
        let input = join(&noise(seed), split(&message).1);
        buffer[..input.len()].copy_from_slice(&input);
        let size = mutate(&mut buffer, input.len(), 1 << 16, seed, blindly);
        scripts += usize::from(split(&buffer[..size]).1 == split(&message).1);
    }
    assert!((48..64).contains(&scripts), "{scripts} of 64 mutations change the script only");
}

/// How many scripts are tried with each history.
const ROUNDS: u32 = 12;
