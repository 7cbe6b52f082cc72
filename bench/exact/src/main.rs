//! What can be counted instead of timed, so that it is the same on every machine: allocations and copies of a replay, crates,
//! and instructions where valgrind is installed. Each has a bound, and this fails where one is exceeded.
//!
//! `cargo xtask bench --exact` builds and calls it, without optimization; `cargo xtask ci` does, too.

mod instructions;
mod replay;

use std::alloc::System;
use std::collections::BTreeSet;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A figure, and the most that it may be. Whoever makes it better lowers the bound.
struct Figure {
    title: &'static str,
    value: f64,
    bound: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [replay, events] = arguments.as_slice()
        && replay == "replay"
    {
        // What valgrind looks at.
        replay::once(events.parse()?).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut figures = replay::figures().await?;
    figures.push(Figure {
        title: "crates of the least program with activities alone",
        value: crates()? as f64,
        bound: CRATES,
    });
    match instructions::of_an_activity()? {
        Some(value) => {
            figures.push(Figure { title: "instructions of a replayed activity", value, bound: INSTRUCTIONS });
        }
        None => println!("instructions are not counted: valgrind is not installed"),
    }
    let mut exceeded = false;
    for Figure { title, value, bound } in figures {
        let verdict = if value > bound { "  WORSE" } else { "" };
        exceeded |= value > bound;
        println!("{title:<72} {value:>12.2}, at most {bound}{verdict}");
    }
    if exceeded {
        println!("a figure is worse than its bound, which stands beside it in bench/exact; mend what made it so");
    }
    Ok(if exceeded { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything that is compiled for it, without itself.
fn crates() -> Result<usize> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--locked", "-e", "normal,build", "--prefix", "none", "--no-dedupe"])
        .args(["--package", "bench-timewright-activities", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()?;
    ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(text.lines().map(name).collect::<BTreeSet<_>>().len() - 1)
}

/// Measured: 79.
const CRATES: f64 = 90.0;
/// Without optimization, as CI builds it; another compiler may count a little differently.
/// Measured: 373,047.
const INSTRUCTIONS: f64 = 480_000.0;
