//! `cargo xtask bench`: Timewright beside Temporal's Rust SDK and beside the floor.
//!
//! What is measured is in `bench/`, a workspace of its own; the other SDK is in `bench/official`, yet another, whose build takes many
//! minutes. Who has not built it gets the figures that need nobody else.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::arguments::Bench;
use crate::setup;
use crate::steps::Steps;
use crate::workspace::{cargo, root, target};

/// Measures, and writes `docs/performance.md` where everything was measured in full.
pub(crate) fn run(what: &Bench) -> Result<()> {
    let mut steps = Steps::new();
    match what {
        Bench::Exact => exact(&mut steps),
        Bench::Report => {
            build(&mut steps)?;
            steps.command("write docs/performance.md", report())
        }
        Bench::Measure { quick, official, works } => measure(&mut steps, *quick, *official, works),
    }
}

/// What can be counted, with its bounds: the same on every machine, and quick. `cargo xtask ci` runs it, too.
pub(crate) fn exact(steps: &mut Steps) -> Result<()> {
    let mut exact = cargo(["run", "--quiet", "--locked", "--package=bench-exact", "--manifest-path", MANIFEST]);
    exact.env("CARGO_TARGET_DIR", target()); // what is built already for the workspace is built for it, too
    steps.command("allocations, copies, crates, instructions", exact)
}

/// What `cargo xtask ci` checks of the programs, the official SDK's but for their form.
pub(crate) fn checks() -> Vec<(&'static str, Command)> {
    let in_target = |arguments: &[&str]| {
        let mut command = cargo(arguments.iter().copied());
        command.env("CARGO_TARGET_DIR", target());
        command
    };
    vec![
        ("fmt bench", in_target(&["fmt", "--all", "--manifest-path", MANIFEST, "--check"])),
        ("fmt bench/official", in_target(&["fmt", "--all", "--manifest-path", OFFICIAL, "--check"])),
        (
            "clippy bench",
            in_target(&[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--manifest-path",
                MANIFEST,
                "--",
                "-Dwarnings",
            ]),
        ),
        (
            "test bench",
            in_target(&["test", "--quiet", "--locked", "--package=bench-driver", "--manifest-path", MANIFEST]),
        ),
    ]
}

fn measure(steps: &mut Steps, quick: bool, official: bool, works: &[String]) -> Result<()> {
    let temporal = setup::temporal_for_tests()?;
    exact(steps)?;
    build(steps)?;
    if official {
        let mut build = cargo(["build", "--release", "--locked", "--manifest-path", OFFICIAL, "--target-dir"]);
        build.arg(root().join("bench/target"));
        steps.command("build the worker on Temporal's Rust SDK, which takes many minutes and needs protoc", build)?;
    }
    if !official_programs().join("bench-official").is_file() {
        steps.skip(
            "the comparison with Temporal's Rust SDK",
            "it is not built (cargo xtask bench --official builds it)",
        );
    }
    // What is measured quickly is worth no page.
    let notes = if quick { target().join("bench-quick.json") } else { root().join(NOTES) };
    let mut driver = driver(&notes);
    driver.env("TEMPORAL_BINARY", temporal);
    if quick {
        driver.arg("--quick");
    }
    if works.is_empty() && quick {
        driver.args(["--only", QUICK]);
    } else if !works.is_empty() {
        driver.args(["--only", &works.join(",")]);
    }
    steps.command("measure", driver)?;
    if quick { Ok(()) } else { steps.command("write docs/performance.md", report()) }
}

fn build(steps: &mut Steps) -> Result<()> {
    let mut build = cargo(["build", "--release", "--locked", "--manifest-path", MANIFEST, "--target-dir"]);
    build.arg(programs_target());
    steps.command("build what is measured", build)
}

fn report() -> Command {
    let mut report = driver(&root().join(NOTES));
    report.arg("--report").arg(root().join("docs"));
    report
}

fn driver(notes: &Path) -> Command {
    let programs = programs_target().join("release");
    let mut driver = Command::new(programs.join("bench-driver"));
    driver.current_dir(root()).arg("--notes").arg(notes);
    driver.env("BENCH_PROGRAMS", programs).env("BENCH_OFFICIAL_PROGRAMS", official_programs());
    driver
}

/// Beside the other SDK's, so that one build does not wait for the other.
fn programs_target() -> PathBuf {
    root().join("bench/target/ours")
}

fn official_programs() -> PathBuf {
    root().join("bench/target/release")
}

const MANIFEST: &str = "bench/Cargo.toml";
const OFFICIAL: &str = "bench/official/Cargo.toml";
const NOTES: &str = "bench/results.json";
/// The main ratios, in a few minutes.
const QUICK: &str = "one-activity,ten-activities,ten-local-activities,ten-updates,replay";
