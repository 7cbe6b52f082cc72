//! Replayed Events per CPU second, over the length of the history.

use std::time::Duration;

use anyhow::{Context, Result};
use bench_definitions::histories;
use serde::Deserialize;
use timewright_testing::{ChildProcess, Output};

use crate::Effort;
use crate::contender::Contender;
use crate::notes::{Samples, push};

#[derive(Deserialize)]
struct Replayed {
    events: f64,
    cpu_seconds: f64,
}

/// A part for each length.
pub(crate) fn measure(contenders: &[Contender], effort: Effort) -> Result<Vec<(String, Samples)>> {
    let mut parts = Vec::new();
    // The longer ones take the official SDK a minute.
    let is_quick = |length: &usize| *length <= 10_000;
    for length in LENGTHS.into_iter().filter(|length| effort.share >= 1.0 || is_quick(length)) {
        let file = std::env::temp_dir().join(format!("timewright-bench-{}-{length}.binpb", std::process::id()));
        std::fs::write(&file, histories::sequential_activities(length, 5))?;
        let outcome = measure_length(&file.to_string_lossy(), length, contenders, effort);
        std::fs::remove_file(&file)?;
        parts.push((name(length), outcome?));
    }
    Ok(parts)
}

/// What the part of this length is called.
pub(crate) fn name(length: usize) -> String {
    format!("replay-{length}")
}

fn measure_length(file: &str, length: usize, contenders: &[Contender], effort: Effort) -> Result<Samples> {
    let mut samples = Samples::new();
    println!("replay of {length} events");
    for round in 0..effort.rounds {
        for contender in [Contender::Timewright, Contender::Official] {
            // It grows with the square there: minutes of this machine that say nothing new in a further round.
            let is_slow = contender == Contender::Official && length > 10_000;
            if !contenders.contains(&contender) || (is_slow && round >= SLOW_ROUNDS) {
                continue;
            }
            let mut process = ChildProcess::spawn_with(contender.name(), contender.replay(file, 1), Output::Capture)?;
            let line = process.wait_for_line("cpu_seconds", Duration::from_secs(600))?;
            let replayed: Replayed = serde_json::from_str(&line).with_context(|| line.clone())?;
            let speed = replayed.events / replayed.cpu_seconds;
            println!("  round {round}, {:<12} {speed:.0} events per CPU second", contender.name());
            push(&mut samples, contender, SPEED, speed);
        }
    }
    Ok(samples)
}

/// Events per CPU second.
pub(crate) const SPEED: &str = "events per CPU s";
pub(crate) const LENGTHS: [usize; 4] = [1_000, 10_000, 30_000, 50_000];
const SLOW_ROUNDS: usize = 1;
