//! Measures workers on Timewright, on Temporal's Rust SDK, and the floor, side by side.
//!
//! `cargo xtask bench` builds everything and calls this. What is measured is noted in `bench/results.json`, part by part, and
//! `docs/performance.md` is written from all that is noted there.

mod bounds;
mod builds;
mod contender;
mod cores;
mod cpu;
mod further_definitions;
mod growth;
mod latency;
mod load;
mod memory;
mod notes;
mod plot;
mod process;
mod replay;
mod report;
mod running;
mod scheduler;
mod statistics;
mod throughput;
mod work;

use std::path::Path;

use anyhow::{Context, Result, bail};

use contender::Contender;
use notes::Notes;
use work::Work;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How often each contender is measured.
    pub(crate) rounds: usize,
    /// How much of the work is done in a round.
    pub(crate) share: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let value = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).map(String::as_str)
    };
    let names: Vec<&str> = value("--only").map(|names| names.split(',').collect()).unwrap_or_default();
    let is_wanted = |name: &str| names.is_empty() || names.contains(&name);
    if let Some(unknown) = names.iter().find(|name| Work::named(name).is_none() && !OTHERS.contains(name)) {
        let works: Vec<&str> = Work::ALL.iter().map(|work| work.name()).chain(OTHERS).collect();
        bail!("there is nothing called {unknown:?} to measure, but these: {}", works.join(", "));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if has("--model-server") {
        return latency::serve(&runtime);
    }
    let effort = if has("--quick") { Effort { rounds: 2, share: 0.3 } } else { Effort { rounds: 5, share: 1.0 } };
    let mut notes = Notes::read(value("--notes").context("--notes FILE must be given")?)?;
    if let Some(folder) = value("--report") {
        return report::write(&notes, Path::new(folder));
    }
    let chosen: Vec<&str> = value("--contenders").map(|names| names.split(',').collect()).unwrap_or_default();
    let is_chosen = |contender: Contender| chosen.is_empty() || chosen.contains(&contender.name());
    let contenders: Vec<Contender> =
        Contender::ALL.into_iter().filter(|contender| contender.is_built() && is_chosen(*contender)).collect();
    if !contenders.contains(&Contender::Timewright) {
        bail!("our own worker is not built; `cargo xtask bench` builds it");
    }
    for work in Work::ALL.into_iter().filter(|work| is_wanted(work.name())) {
        notes.add(work.name(), cpu::measure(&runtime, work, &contenders, effort)?)?;
    }
    if is_wanted("replay") {
        for (name, samples) in replay::measure(&contenders, effort)? {
            notes.add(&name, samples)?;
        }
    }
    if is_wanted("throughput") {
        notes.add("throughput", throughput::measure(&runtime, &contenders, effort)?)?;
    }
    if is_wanted("latency") {
        notes.add("latency", latency::measure(&runtime, &contenders, effort)?)?;
    }
    if is_wanted("cores") {
        notes.add("cores", cores::measure(&runtime, &contenders, effort)?)?;
    }
    if is_wanted("running") {
        notes.add("running", running::measure(&runtime, &contenders, effort)?)?;
    }
    if is_wanted("memory") {
        for (name, samples) in memory::measure(&runtime, &contenders, effort)? {
            notes.add(&name, samples)?;
        }
    }
    if is_wanted("builds") {
        notes.add("builds", builds::measure(&contenders, effort)?)?;
    }
    // What takes very long is done only where it is asked for.
    if names.contains(&"further-definitions") {
        notes.add("further-definitions", further_definitions::measure(&contenders, effort)?)?;
    }
    if names.contains(&"clean-builds") {
        notes.add("clean-builds", builds::measure_clean(&contenders)?)?;
    }
    if names.contains(&"growth") {
        notes.add("growth", growth::measure(&runtime, &contenders, effort)?)?;
    }
    if has("--quick") { bounds::check(&notes) } else { Ok(()) }
}

/// What is no kind of workflow. The last three take minutes or an hour, and only are done where they are asked for.
const OTHERS: [&str; 10] = [
    "replay",
    "throughput",
    "latency",
    "cores",
    "running",
    "memory",
    "builds",
    "further-definitions",
    "clean-builds",
    "growth",
];
