//! `cargo xtask chaos`: a fleet of workers on a real server, to which everything happens that can happen.
//!
//! What is done, and what must hold in the end, is in `crates/timewright/tests/chaos`.

use std::path::Path;

use crate::Result;
use crate::arguments::Chaos;
use crate::setup;
use crate::steps::{Steps, run_to_end};
use crate::workspace::cargo;

/// Does what is asked for.
pub(crate) fn run(what: &Chaos) -> Result<()> {
    let temporal = setup::temporal_for_tests()?;
    let mut steps = Steps::new();
    // Features as in `cargo xtask test`, so that nothing is built twice.
    let example = ["build", "--quiet", "--workspace", "--all-features", "--example", "chaos_worker"];
    steps.command("build the worker", cargo(example))?;
    let mut build = cargo(TEST);
    build.arg("--no-run");
    steps.command("build the harness", build)?;
    run_built(&temporal, what)
}

/// As much as there is time for in `cargo xtask test`.
pub(crate) fn run_some(temporal: &Path) -> Result<()> {
    run_built(temporal, &Chaos { seconds: SECONDS_IN_TESTS, seed: 1, partitions: 1 })
}

fn run_built(temporal: &Path, what: &Chaos) -> Result<()> {
    let mut test = cargo(TEST);
    test.args(["--", "--ignored", "--exact", "--nocapture", NAME])
        .env("TEMPORAL_BINARY", temporal)
        .env("TIMEWRIGHT_CHAOS_SECONDS", what.seconds.to_string())
        .env("TIMEWRIGHT_CHAOS_SEED", what.seed.to_string())
        .env("TIMEWRIGHT_CHAOS_PARTITIONS", what.partitions.to_string());
    run_to_end("chaos", test)
}

const TEST: [&str; 6] = ["test", "--quiet", "--workspace", "--all-features", "--test", "chaos"];
const NAME: &str = "nothing_is_lost_whatever_happens";
const SECONDS_IN_TESTS: u64 = 40;
