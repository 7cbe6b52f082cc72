//! `cargo xtask conform`: the same random programs on a real server and on the model of it, through our own workers.
//!
//! The programs, and what is compared, are in `crates/timewright/tests/conform`.

use std::path::Path;

use crate::Result;
use crate::arguments::Conform;
use crate::setup;
use crate::steps::{Steps, run_to_end};
use crate::workspace::cargo;

/// Runs the programs that are asked for.
pub(crate) fn run(what: &Conform) -> Result<()> {
    let temporal = setup::temporal_for_tests()?;
    let mut steps = Steps::new();
    let mut build = cargo(TEST);
    build.arg("--no-run");
    steps.command("build", build)?;
    run_built(&temporal, what)
}

/// As many programs as there is time for in `cargo xtask test`.
pub(crate) fn run_some(temporal: &Path) -> Result<()> {
    run_built(temporal, &Conform { programs: 200, seed: 1, first: 0, seconds: Some(SECONDS_IN_TESTS) })
}

fn run_built(temporal: &Path, what: &Conform) -> Result<()> {
    let mut test = cargo(TEST);
    test.args(["--", "--ignored", "--exact", "--nocapture", NAME])
        .env("TEMPORAL_BINARY", temporal)
        .env("TIMEWRIGHT_CONFORM_PROGRAMS", what.programs.to_string())
        .env("TIMEWRIGHT_CONFORM_SEED", what.seed.to_string())
        .env("TIMEWRIGHT_CONFORM_FIRST", what.first.to_string());
    if let Some(seconds) = what.seconds {
        test.env("TIMEWRIGHT_CONFORM_SECONDS", seconds.to_string());
    }
    run_to_end("conform", test)
}

/// Features as in `cargo xtask test`, so that nothing is built twice.
const TEST: [&str; 6] = ["test", "--quiet", "--workspace", "--all-features", "--test", "conform"];
const NAME: &str = "programs_have_the_same_histories_on_the_model_and_on_a_real_server";
const SECONDS_IN_TESTS: u64 = 60;
