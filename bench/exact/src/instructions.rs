//! Instructions of a replayed activity, as valgrind counts them.

use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result};
use bench_definitions::histories;

/// The instructions of an activity, when those of a process and a short replay are left out; `None` without valgrind.
pub(crate) fn of_an_activity() -> Result<Option<f64>> {
    let Some(short) = count(SHORT)? else { return Ok(None) };
    let Some(long) = count(LONG)? else { return Ok(None) };
    let activities = histories::activities(LONG) - histories::activities(SHORT);
    Ok(Some(long.saturating_sub(short) as f64 / activities as f64))
}

fn count(events: usize) -> Result<Option<u64>> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    let output = match command.args(["replay", &events.to_string()]).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        output => output.context("valgrind")?,
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find_map(|line| line.split_once("Collected :")).context("valgrind has counted nothing")?;
    Ok(Some(line.1.trim().parse()?))
}

const SHORT: usize = 300;
const LONG: usize = 1_500;
